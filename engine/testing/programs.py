"""Programs: computations in straight lines, made of rows of the table, that can be run on anything and printed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, ShapeError
from ..graph import Node
from ..primitives.indexing import Array
from ..row import Primitive
from ..tensor import Tensor
from ..value import Value


class Place(NamedTuple):
    """An operand of a step that is known by then: the arguments count from 0, and the results of the steps go on."""

    position: int


@dataclass(frozen=True, eq=False)
class Step:
    """One call of a row. Operands are places, numbers and arrays; of several results, `part` is the one taken.

    >>> import engine
    >>> double = Step(engine.multiply.primitive, (Place(0), 2.0))
    >>> double.compute([engine.Value(3.0)])
    Value(6.0)
    """

    row: Primitive
    operands: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    part: int | None = None

    @property
    def places(self) -> list[int]:
        """The positions of what the step reads."""
        return [operand.position for operand in self.operands if type(operand) is Place]

    def compute(self, known: Sequence[Any]) -> Any:
        """Call the row on what is known: nodes, numbers or arrays."""
        inputs = [known[operand.position] if type(operand) is Place else operand for operand in self.operands]
        joins = self.row.variadic and len(self.row.inputs) == 1
        result = self.row.call(inputs, **self.params) if joins else self.row.call(*inputs, **self.params)
        return result if self.part is None else result[self.part]

    def moved(self, positions: dict[int, int]) -> Step:
        """The same step where what it reads stands elsewhere."""
        operands = [Place(positions[x.position]) if type(x) is Place else x for x in self.operands]
        return Step(self.row, tuple(operands), self.params, self.part)

    def written(self, names: Sequence[str]) -> str:
        """The call in Python, given the names of what is known."""
        operands = [names[x.position] if type(x) is Place else literal(x) for x in self.operands]
        row, params = self.row, dict(self.params)
        part = "" if self.part is None else f"[{self.part}]"
        if row.ours and row.name == "getitem":
            return f"{operands[0]}[{_index(params['key'], operands[1:])}]{part}"
        joins = row.variadic and len(row.inputs) == 1
        settings = [f"{name}={literal(value)}" for name, value in params.items()]
        inputs = [f"[{', '.join(operands)}]"] if joins else operands
        return f"{_function(row)}({', '.join([*inputs, *settings])}){part}"


class Program:
    """A function in straight lines, and the numbers and arrays it was drawn with.

    It is called with nodes, numbers or arrays, and returns the result of its last step, or its last argument where
    there is no step. What that does not depend on, arguments and steps, is left out.

    Raises DataError for a step that reads what is not there yet, and ShapeError when called with another number of
    arguments than it has.

    >>> import engine
    >>> steps = [Step(engine.sin.primitive, (Place(0),)), Step(engine.multiply.primitive, (Place(1), Place(0)))]
    >>> program = Program([0.5], steps)
    >>> program
    import engine
    <BLANKLINE>
    def program(x):
        a = engine.sin(x)
        return engine.multiply(a, x)
    <BLANKLINE>
    program(0.5)
    >>> program(*program.leaves())
    Value(0.239713)
    >>> engine.grad(program)(*program.args)
    0.918217
    """

    def __init__(self, args: Sequence[Any], steps: Sequence[Step]) -> None:
        if not args:
            raise DataError(
                f"A program with no argument was to be made of {len(steps)} steps. Its result would be a constant. "
                "Give the number or array that each argument was drawn as."
            )
        for position, step in enumerate(steps, start=len(args)):
            if not all(0 <= place < position for place in step.places):
                raise DataError(
                    f"A step that calls {step.row.name!r} reads the places {step.places}. There are {len(args)} "
                    f"arguments and {position - len(args)} steps before it. "
                    f"Give places from 0 to {position - 1}, arguments first."
                )
        last = len(args) + len(steps) - 1
        reads = dict(enumerate((step.places for step in steps), start=len(args)))
        needed = {last}
        for position in range(last, -1, -1):
            if position in needed:
                needed.update(reads.get(position, ()))
        positions = {old: new for new, old in enumerate(sorted(needed))}
        kept = [(position, step) for position, step in enumerate(steps, start=len(args)) if position in needed]
        self.args = tuple([x for position, x in enumerate(args) if position in needed])
        self.steps = tuple([step.moved(positions) for _, step in kept])

    @property
    def __name__(self) -> str:
        return "program"

    def __call__(self, *args: Any) -> Any:
        """Return the result for nodes, numbers or arrays, one for each argument."""
        return self.run(*args)[-1]

    def run(self, *args: Any) -> list[Any]:
        """Return the arguments and the result of every step, in the order of `names`."""
        if len(args) != len(self.args):
            raise ShapeError(
                f"A program of {len(self.args)} arguments was called with {len(args)}. "
                f"It begins {self.source.splitlines()[0]!r}. Call it as program(*program.args)."
            )
        known = list(args)
        for step in self.steps:
            known.append(step.compute(known))
        return known

    def leaves(self) -> list[Node]:
        """Return fresh leaves with the data drawn: a Value for each number, a Tensor for each array."""
        return [Tensor(x) if isinstance(x, np.ndarray) else Value(x) for x in self.args]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the arguments, then of the results of the steps."""
        arguments = [_name(i, "xyzuvw", "x") for i in range(len(self.args))]
        return (*arguments, *[_name(i, "abcdefghjkmnpqrst", "a") for i in range(len(self.steps))])

    @property
    def source(self) -> str:
        """The function in Python, for a namespace with `engine`, `np` and the primitives of one's own in it."""
        lines = [f"def program({', '.join(self.names[: len(self.args)])}):"]
        for name, step in zip(self.names[len(self.args) :], self.steps):
            lines.append(f"    {name} = {step.written(self.names)}")
        if self.steps:
            lines[-1] = lines[-1].replace(f"{self.names[-1]} =", "return", 1)
        else:
            lines.append(f"    return {self.names[-1]}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        source, call = self.source, f"program({', '.join(map(literal, self.args))})"
        text = f"{source}\n\n{call}"
        modules = {"engine": "import engine", "np": "import numpy as np"}
        imports = [line for name, line in modules.items() if f"{name}." in text]
        return "\n".join([*imports, "", text]) if imports else text


def literal(value: Any) -> str:
    """Write a number, an array or a setting in Python, so that it reads back to the same bits.

    >>> literal(np.array([[0.5, 1.0]], np.float32)), literal((0, slice(None, 2)))
    ("np.array([[0.5, 1.0]], 'float32')", '(0, slice(None, 2, None))')
    """
    if isinstance(value, np.ndarray):
        usual = value.dtype == float if not value.size else value.dtype in (np.float64, np.int64, np.bool_)
        data = f"zeros({value.shape}" if not value.size else f"array({_finite(repr(value.tolist()))}"
        return f"np.{data}{'' if usual else f', {str(value.dtype)!r}'})"
    if isinstance(value, np.generic):
        return f"np.{value.dtype.name}({_finite(repr(value.item()))})"
    if isinstance(value, type):
        return f"np.{value.__name__}" if issubclass(value, np.generic) else value.__name__
    if type(value) is Array:
        return f"engine.primitives.indexing.Array({value.position})"
    if type(value) is tuple:
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    return _finite(repr(value)) if type(value) is float else repr(value)


def _finite(text: str) -> str:
    """Numbers as Python prints them, with the names that it has none for."""
    return text.replace("inf", "np.inf").replace("nan", "np.nan")


def _index(key: tuple[Any, ...], arrays: Sequence[str]) -> str:
    """What stands between the brackets."""
    parts = [arrays[part.position] if type(part) is Array else _written_slice(part) for part in key]
    return ", ".join(parts) or "()"


def _written_slice(part: Any) -> str:
    if part is Ellipsis:
        return "..."
    if not isinstance(part, slice):
        return repr(part)
    start, stop, step = ["" if x is None else str(x) for x in (part.start, part.stop, part.step)]
    return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"


def _function(row: Primitive) -> str:
    """How the function of a row is called by its users."""
    if not row.ours:
        return row.name
    face = sys.modules["engine"]  # which imports this module, and so cannot be imported here
    public = getattr(getattr(face, row.name, None), "primitive", None) is row
    return f"engine.{row.name}" if public else f"engine.primitives.{row.name}"


def _name(i: int, letters: str, letter: str) -> str:
    return letters[i] if i < len(letters) else f"{letter}{i}"
