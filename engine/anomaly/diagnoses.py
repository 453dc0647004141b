"""Diagnoses: an anomaly in words, numbers and formulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np

from ..documents import Document, Equation, Equations, Paragraph, Rendered, Table
from ..documents.blocks import WIDTH
from ..graph import Node, describe
from ..notation import Expression, expression, figure, symbol
from .cures import cures_of, guard, scaling
from .spelling import Spelling


@dataclass(frozen=True, slots=True)
class Operand:
    """An array that took part: its name or formula, shape, dtype and range, and the first entry in question."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    index: tuple[int, ...] | None
    entry: float | None

    def __str__(self) -> str:
        if not self.shape:
            number = figure(self.low)
            return number if number == self.name else f"{self.name} = {number}"
        limits = "" if 0 in self.shape else f" from {figure(self.low)} to {figure(self.high)}"
        return f"{self.name} of shape {self.shape}{limits}{'' if self.index is None else f' with {self.found}'}"

    @property
    def found(self) -> str:
        """The entry in question and its place, in words."""
        return f"{figure(self.entry)} at {self.index}" if self.index else figure(self.entry)


@dataclass(eq=False, repr=False, slots=True)
class Anomaly(Rendered):
    """The first NaN or infinity: what made it, of which inputs, where in the user's code, and what to write instead.

    It prints itself, and renders as a document.
    """

    direction: str  # "forward" or "backward"
    op: str | None  # the operation; None where the user's own data are bad
    by: str | None  # the input of it that the gradient was on its way to
    node: Node  # the result of the operation, or the leaf that holds the data
    label: str | None  # of the node
    scope: str | None  # where the result was computed, or of a leaf the first result that was computed from it
    file: str | None  # the user's, known inside detect_anomaly()
    line: int | None
    formula: Expression  # how that result was computed
    around: Equation | None  # and the next one with a name that was computed from it, or the last of all
    inputs: tuple[Operand, ...]
    output: Operand  # what is bad: the result, the data of the leaf, or the gradient
    gradient: Operand | None  # what arrived at the result
    cures: tuple[str, ...]  # safe spellings in Python
    names: dict[str, Node]  # what the names in them stand for
    message: str  # what happened, where, and what to write instead: three sentences

    @property
    def cure(self) -> str | None:
        """The safe spelling; None where only words help."""
        return self.cures[0] if self.cures else None

    @property
    def index(self) -> tuple[int, ...]:
        """The place of the first bad entry."""
        return self.output.index or ()

    def data(self) -> dict[str, Any]:
        """All of it as plain numbers, strings, lists and dicts."""
        plain = ("direction", "op", "by", "label", "scope", "file", "line", "message")
        return {name: getattr(self, name) for name in plain} | {
            "formula": self.formula.text(),
            "around": self.around and self.around.text(),
            "inputs": [asdict(x) for x in self.inputs],
            "output": asdict(self.output),
            "gradient": self.gradient and asdict(self.gradient),
            "cures": list(self.cures),
        }

    def document(self) -> Document:
        """The three sentences, the formulas of the operation and around it, and a table of the arrays."""
        header = ["array", "shape", "dtype", "from", "to", "entry"]
        rows = [
            [x.name, str(x.shape), x.dtype, figure(x.low), figure(x.high), x.found if x.index else ""]
            for x in (*self.inputs, self.output, self.gradient)
            if x is not None
        ]
        own = Equation((self.op and self.label) or "result", self.formula)
        return Document(
            f"{figure(self.output.entry)} in the {self.direction} pass of {self.op}" if self.op else "Bad data",
            Paragraph(self.message),
            Equations([own, *([self.around] if self.around else [])]),
            Table(header, rows),
        )


def diagnose(node: Node, use: Node, bad: Any, order: Sequence[Node]) -> Anomaly:
    """The anomaly of an operation that made bad entries, or of a leaf that holds them and of its first use."""
    value, spelling = node._value, Spelling(use, order)
    if type(value) is tuple:
        value = next(part for part in value if bad_entries(part) is not None)
        bad = bad_entries(value)
    if node.op is None:
        output = _operand("data", value, bad)
        name, shape = f" {node.label!r}" if node.label else "", f" of shape {output.shape}" if output.shape else ""
        event = f"The {'leaf' if node.number else 'constant'}{name}{shape} holds {output.found}."
        cure = guard(node, spelling)
        advice = (
            f"Look where these data come from, a file or a step that was too long, or write {cure}{spelling.legend()}."
        )
        return _anomaly("forward", node, use, spelling, _inputs(use, spelling), output, (cure,), event, advice)
    inputs, output = _inputs(node, spelling, bad), _operand("result", value, bad)
    event = f"{node.op.name!r} made {output.found} of {_series(inputs)}."
    cures, advice = cures_of(node, spelling, bad)
    return _anomaly("forward", node, node, spelling, inputs, output, cures, event, advice)


def diagnose_rule(node: Node, x: Node, g: Any, c: Any, order: Sequence[Node]) -> Anomaly:
    """The anomaly of an operation whose rule made a bad gradient of a good one."""
    spelling, bad = Spelling(node, order), None
    output = _operand(f"gradient of {spelling.text(x)}", c)
    if np.shape(c) == np.shape(node._value) == np.shape(x._value):
        bad = bad_entries(c)
    inputs = _inputs(node, spelling, bad)
    event = f"Back through {node.op.name!r} the {output.name} became {output.found}, with {_series(inputs)}."
    cures, advice = cures_of(node, spelling, True if bad is None else bad)
    position = [each is x for each in node.inputs].index(True)
    by = node.op.inputs[min(position, len(node.op.inputs) - 1)]
    return _anomaly("backward", node, node, spelling, inputs, output, cures, event, advice, by, g)


def diagnose_arrival(node: Node, g: Any, order: Sequence[Node]) -> Anomaly:
    """The anomaly of a gradient that is bad when it arrives: it was given so, or its parts overflow in their sum."""
    output, spelling = _operand("gradient", g), Spelling(node, order)
    event = f"The gradient that arrives at {describe(node)} holds {output.found}."
    advice = f"If it was not given so, its parts overflow when they are added: {scaling(node)}"
    return _anomaly("backward", node, node, spelling, _inputs(node, spelling), output, (), event, advice)


def _anomaly(
    direction: str,
    node: Node,
    use: Node,
    spelling: Spelling,
    inputs: tuple[Operand, ...],
    output: Operand,
    cures: tuple[str, ...],
    event: str,
    advice: str,
    by: str | None = None,
    g: Any = None,
) -> Anomaly:
    """Put together what is known, with the place and the formula of the result in whose computation it happened."""
    origin, names, around = use.origin, spelling.named, _around(use, spelling)
    file, line = getattr(origin, "file", None), getattr(origin, "line", None)
    where = f"{use.label!r}" if use.label else "The result" if use.op else "The leaf"
    where += ",".join([f" in {around}"] * bool(around) + [f" in scope {str(origin)!r}"] * bool(origin))
    where += f" was computed at {file}:{line}." if file else " was made outside detect_anomaly(), which notes the line."
    return Anomaly(
        direction=direction,
        op=node.op and node.op.name,
        by=by,
        node=node,
        label=node.label,
        scope=str(origin) if origin else None,
        file=file,
        line=line,
        formula=expression(use, names) if use.inputs else symbol(names.get(use, "x")),
        around=around,
        inputs=inputs,
        output=output,
        gradient=None if g is None else _operand("gradient of the result", g),
        cures=cures,
        names=spelling.used,
        message=f"{event} {where} {advice}",
    )


def _around(node: Node, spelling: Spelling) -> Equation | None:
    """The formula of the next result with a name that was computed from a node, or of the last; None if it is long."""
    found, seen = None, {node}
    for each in spelling.order:
        if not seen.isdisjoint(each.inputs):
            found = each
            if each.label:
                break
            seen.add(each)
    if found is None:
        return None
    if found not in spelling.named:
        return None
    equation = Equation(spelling.named[found], expression(found, spelling.named))
    return equation if len(str(equation)) <= WIDTH - 8 else None


def _operand(name: str, value: Any, bad: Any = None) -> Operand:
    """Describe an array with the first entry in question, by default the first bad one."""
    value = value._value if isinstance(value, Node) else value
    if type(value) in (tuple, list):
        value = next((part for part in value if part is not None and bad_entries(part) is not None), 0.0)
    array = np.asarray(value)
    bad = bad_entries(value) if bad is None else bad
    index = None if bad is None else tuple([int(i) for i in np.unravel_index(bad.argmax(), bad.shape)])
    known = array[~np.isnan(array)] if array.dtype.kind == "f" else array
    low, high = (known.min().item(), known.max().item()) if known.size else (np.nan, np.nan)
    entry = None if index is None else array[index].item()
    return Operand(name, array.shape, str(array.dtype), low, high, index, entry)


def _inputs(node: Node, spelling: Spelling, bad: Any = None) -> tuple[Operand, ...]:
    """Describe the inputs; those of an elementwise operation with the entries that met in the first bad one."""
    masks = [None] * len(node.inputs)
    if bad is not None and node.op.kind == "elementwise":
        met = np.zeros(bad.shape, bool)
        met.flat[bad.argmax()] = True
        masks = [unbroadcast(met, np.shape(x._value)) for x in node.inputs]
    return tuple([_operand(spelling.text(x), x, mask) for x, mask in zip(node.inputs, masks)])


def _series(operands: Sequence[Operand]) -> str:
    """The operands in words; of many the first one and the first with an entry in question."""
    shown = operands if len(operands) < 5 else [operands[0], *[x for x in operands[1:] if x.index is not None][:1]]
    more = [f"{len(operands) - len(shown)} more"] if len(shown) < len(operands) else []
    return " and ".join([*map(str, shown), *more])


def bad_entries(value: Any) -> Any:
    """Which entries are NaN or infinite, None if there are none; of several results, whether any is."""
    if isinstance(value, Node):
        value = value._value
    if type(value) is float:
        return None if isfinite(value) else ALL
    if type(value) in (tuple, list):
        return None if all(bad_entries(part) is None for part in value) else ALL
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "f":
        bad = np.asarray(~np.isfinite(value))
        return bad if bad.any() else None
    return None


ALL = np.array(True)


def unbroadcast(mask: Any, shape: tuple[int, ...]) -> Any:
    """Which entries of an input of this shape were repeated to the entries of a mask."""
    mask = mask.any(axis=tuple(range(mask.ndim - len(shape))))
    return mask.any(axis=tuple([i for i, n in enumerate(shape) if n < mask.shape[i]]), keepdims=True)
