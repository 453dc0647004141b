"""Strategies for Hypothesis: numbers in a domain, shapes, arrays, values, tensors, indices, the inputs of a row, and
whole random programs.

Numbers lie on a coarse binary grid, so that they shrink to short ones and print as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import floor, inf, log2, nan, prod
from typing import Any, Literal

import numpy as np

from ..errors import DataError, DomainError, MissingExtraError
from ..graph import Node
from ..primitives.indexing import parse
from ..row import Primitive, shape_of
from ..tensor import Tensor
from ..value import Value
from .drafts import CLASSES, OPERATIONS, Draft, broadcasts, is_alone, is_entrywise, shapes_in
from .layouts import CLEARANCE, Layout, Shape, domains, interval, kink_distance, layouts
from .programs import Place, Program, Step

try:
    from hypothesis import assume
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as extra
except ImportError as error:
    raise MissingExtraError(
        "engine.testing.strategies was asked for, and Hypothesis is not installed. "
        "Only the strategies need it; engine.testing.check_gradients does without. "
        "Run pip install 'chainrule[test]'."
    ) from error

Domain = tuple[float, float]
Strategy = st.SearchStrategy

STEPS = 64
"""How many numbers an interval has, about."""

ENTRIES = max(prod(shape) for row in OPERATIONS for layout in layouts(row) for shape in shapes_in(layout))
"""How many different numbers the arrays of programs have: as many as the largest that our rows are tried on."""


def numbers(domain: Domain = (-inf, inf), *, dtype: Any = float) -> Strategy[Any]:
    """Floats inside an open interval, of ordinary size: at most three away from its finite end, or from zero.

    Raises DomainError where the interval is empty.
    """
    try:
        low, high = map(float, domain)
    except (TypeError, ValueError):
        low = high = nan
    if not low < high:
        raise DomainError(
            f"The domain {domain!r} has no number in it. It is an open interval (low, high) of a strategy. "
            "Give low < high, with -inf or inf for an end that is not there."
        )
    low, high = interval((low, high))
    kind = np.dtype(dtype).type
    eps, tiny = float(np.finfo(kind).eps), float(np.finfo(kind).tiny)
    if not (high - low) / STEPS > eps * max(abs(low), abs(high), tiny):
        raise DomainError(
            f"Numbers of dtype {np.dtype(dtype)} were to be drawn from {domain!r}, where there are hardly any. "
            "A strategy draws one of about 64. Give a wider interval, or one nearer to zero."
        )
    grid, first, last = _grid(low, high)
    return st.integers(first, last).map(lambda i: float(kind(i * grid)))


def _grid(low: float, high: float) -> tuple[float, int, int]:
    """The distance between numbers in an interval, a power of two, and the first and the last of them as multiples."""
    grid = 2.0 ** floor(log2((high - low) / STEPS))
    last = floor(high / grid)
    return grid, floor(low / grid) + 1, last - (last * grid >= high)


def _moved_into(domain: Domain, x: np.ndarray) -> np.ndarray:
    """The same numbers, where they lie in a domain: others go to places in it, zero to the simplest."""
    grid, first, last = _grid(*interval(domain))
    away = np.rint(abs(x) / grid) % (last - first + 1)
    moved = grid * (last - away if last < 0 else first + away)
    return np.where((domain[0] < x) & (x < domain[1]), x, moved).astype(x.dtype)


def shapes(*, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3) -> Strategy[tuple[int, ...]]:
    """Shapes of arrays, 0-d and empty ones among them."""
    return extra.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def broadcastable_shapes(
    count: int, *, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3
) -> Strategy[tuple[tuple[int, ...], ...]]:
    """So many shapes that broadcast against each other."""
    together = extra.mutually_broadcastable_shapes(
        num_shapes=count, min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side
    )
    return together.map(lambda found: found.input_shapes)


def arrays(
    shape: tuple[int, ...] | Strategy[tuple[int, ...]] | None = None,
    *,
    domain: Domain = (-inf, inf),
    dtype: Any = float,
    memory: str = "C",
) -> Strategy[np.ndarray]:
    """Arrays of floats in a domain, of a given shape or of any.

    `dtype` may be a strategy too. `memory` says how the entries lie: `"C"`, `"F"`, `"strided"` (with gaps between
    them, backwards along the first axis), or `"any"` of these.

    Raises DataError for another `memory`.
    """
    if memory not in ("any", *MEMORY):
        raise DataError(
            f"Arrays were asked for with memory={memory!r}. It says how their entries lie in memory. "
            f"Write one of {', '.join(map(repr, MEMORY))}, or 'any' for all of them."
        )

    def of(dtype: Any) -> Strategy[np.ndarray]:
        return extra.arrays(dtype, shapes() if shape is None else shape, elements=numbers(domain, dtype=dtype))

    drawn = dtype.flatmap(of) if isinstance(dtype, st.SearchStrategy) else of(dtype)
    if memory == "C":
        return drawn
    laid = st.sampled_from(list(MEMORY.values())) if memory == "any" else st.just(MEMORY[memory])
    return st.builds(lambda array, lay: lay(array), drawn, laid)


def _strided(array: np.ndarray) -> np.ndarray:
    """The same entries as every second one of a larger array, backwards along the first axis."""
    if not array.ndim:
        return array
    apart = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)[::-1]
    apart[..., ::2] = array
    return apart[..., ::2]


MEMORY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": lambda array: array,
    "F": lambda array: np.array(array, order="F"),
    "strided": _strided,
}


def values(domain: Domain = (-inf, inf)) -> Strategy[Value]:
    """Values: leaves that hold a number in a domain."""
    return numbers(domain).map(Value)


def tensors(
    shape: tuple[int, ...] | Strategy[tuple[int, ...]] | None = None,
    *,
    domain: Domain = (-inf, inf),
    dtype: Any = float,
    memory: str = "C",
) -> Strategy[Tensor]:
    """Tensors: leaves that hold an array of floats in a domain. A tensor keeps the order of its axes in memory."""
    return arrays(shape, domain=domain, dtype=dtype, memory=memory).map(Tensor)


@st.composite
def indices(draw: Callable[..., Any], shape: tuple[int, ...]) -> Any:
    """Everything that may stand between the brackets of a tensor of this shape, as in NumPy.

    Integers, slices, `...` and `None`; arrays and lists of integers, which may name a place twice; masks of one axis
    or several; and tuples that mix them.
    """
    together = draw(shapes(max_dims=2))  # of what arrays of integers name
    parts: list[Any] = []
    axis = 0
    while axis < len(shape) and draw(st.integers(0, 3)):
        n = shape[axis]
        arrays_before = any(isinstance(part, np.ndarray | list) for part in parts)
        match draw(st.sampled_from(["slice", *["integer", "array"] * (n > 0), *["mask"] * (not arrays_before)])):
            case "slice":
                parts.append(draw(st.slices(n)))
            case "integer":
                parts.append(draw(st.integers(-n, n - 1)))
            case "array":
                sides = tuple(side if draw(st.booleans()) else 1 for side in together)
                entries = draw(extra.arrays(int, sides, elements=st.integers(-n, n - 1)))
                parts.append(entries.tolist() if entries.size and sides and draw(st.booleans()) else entries)
            case "mask":  # of several axes; it counts as arrays of as many integers as it has true entries
                axes = draw(st.integers(1, len(shape) - axis))
                parts.append(draw(extra.arrays(bool, shape[axis : axis + axes])))
                together = (int(parts[-1].sum()),)
                axis += axes - 1
        axis += 1
    if draw(st.booleans()):
        parts.append(Ellipsis)
    for _ in range(draw(st.integers(0, 2))):
        parts.insert(draw(st.integers(0, len(parts))), None)
    return parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)


@st.composite
def inputs(
    draw: Callable[..., Any], row: Primitive | Callable[..., Any], *, dtype: Any = float, distance: float = CLEARANCE
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Inputs that fit a row, as arrays in the domains it states, and settings: `row.call(*inputs, **settings)`.

    No input lies nearer than `distance` to a place without a derivative. A primitive stands for its row.
    """
    known = _row(row)
    layout = draw(st.sampled_from(layouts(known)))
    data = [
        draw(arrays(tuple(x), domain=domain, dtype=dtype)) if isinstance(x, Shape) else x
        for x, domain in zip(layout.inputs, domains(known, len(layout.inputs)), strict=False)
    ]
    assume(kink_distance(known, data, layout.params) > distance)
    return data, dict(layout.params)


# Programs.


def expressions(
    rows: Sequence[Primitive | Callable[..., Any]] | None = None,
    *,
    leaves: int = 3,
    operations: int = 12,
    result: Literal["number", "any"] = "number",
    kinds: Literal["values", "tensors", "mixed"] = "mixed",
    dtype: Any = float,
    distance: float = CLEARANCE,
) -> Strategy[Program]:
    """Programs: random computations over Values and Tensors, which use arguments and results more than once.

    `rows` are the primitives they are made of, by default all of OPERATIONS; `leaves` and `operations` how many there
    are at most. The result is one number, or anything with `result="any"`. `dtype` is that of the arrays.

    Everything on the way is finite and of ordinary size, inside the domain of what it goes into, and no nearer than
    `distance` to a kink. A program shrinks to few operations, few arguments, small shapes and short numbers, and
    prints as Python: a wrong rule comes out as the operation it belongs to.

    Raises DataError where a word is not one of those above, and UnsupportedError for a primitive without layouts.

    >>> import engine
    >>> from hypothesis import find
    >>> find(expressions([engine.add, engine.tanh]), lambda program: "tanh" in program.source)
    import engine
    <BLANKLINE>
    def program(x):
        return engine.tanh(x)
    <BLANKLINE>
    program(0.0)
    """
    _check_word("result", result, ("number", "any"))
    _check_word("kinds", kinds, tuple(CLASSES))
    chosen = OPERATIONS if rows is None else [_row(one) for one in (rows if isinstance(rows, Sequence) else [rows])]
    shapes = [shape for row in chosen for layout in layouts(row) for shape in shapes_in(layout)] or [()]
    shapes.sort(key=lambda shape: (prod(shape) or inf, len(shape), shape))  # the simplest first; empty ones last
    often = [row for row in chosen for _ in row.inputs]  # what joins two results is drawn twice as often
    single = shapes.count(())
    drawn: dict[str, list[tuple[int, ...] | None]] = {
        "values": [None],
        "tensors": [*shapes],
        # Every shape twice, so that half of the single numbers are Values.
        "mixed": [*[None] * single, *shapes[:single], *(shape for shape in shapes[single:] for _ in range(2))],
    }
    leaf = _leaves(st.sampled_from(drawn[kinds]), dtype)
    return _programs([leaf] * leaves, often, operations, result, kinds, dtype, distance)


def _check_word(name: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise DataError(
            f"Expressions were asked for with {name}={word!r}. It says what programs are to be drawn. "
            f"Write {name}= and one of {', '.join(map(repr, words))}."
        )


def _row(one: Primitive | Callable[..., Any]) -> Primitive:
    """A primitive stands for its row."""
    row = one if isinstance(one, Primitive) else getattr(one, "primitive", None)
    if row is None:
        raise DataError(
            f"A strategy was given {one!r} of type {type(one).__name__} as a primitive. It draws what a row says of "
            "its inputs. Give primitives, such as engine.sin, or functions that @engine.primitive made."
        )
    return row


@st.composite
def _leaves(draw: Callable[..., Any], shapes: Strategy[tuple[int, ...] | None], dtype: Any) -> Node:
    """A leaf with any numbers, a Value where it has no shape: what reads it first moves them into its domain."""
    shape = draw(shapes)
    if shape is None:
        return draw(values())
    return Tensor(draw(_arrays(shape, dtype=dtype)))


@st.composite
def _arrays(
    draw: Callable[..., Any], shape: tuple[int, ...], *, domain: Domain = (-inf, inf), dtype: Any = float
) -> np.ndarray:
    """Arrays for which as many numbers are drawn whatever their shape, and used from the last on.

    Shapes shrink by themselves like this: fewer choices are simpler for Hypothesis, so that arrays without entries
    would be the simplest; and it makes the first choices zero first, so that the last is the one that matters.
    """
    number = numbers(domain, dtype=dtype)
    drawn = [draw(number) for _ in range(ENTRIES)]
    return np.resize(np.array(drawn[::-1], dtype), shape)


@st.composite
def _programs(
    draw: Callable[..., Any],
    leaves: Sequence[Strategy[Node]],
    rows: Sequence[Primitive],
    operations: int,
    result: str,
    kinds: str,
    dtype: Any,
    distance: float,
) -> Program:
    """A program that starts from leaves; those that nothing reads are left out of it."""
    draft = Draft([draw(leaf) for leaf in leaves], kinds, distance)
    for _ in range(operations):
        draw(_steps(draft, rows, dtype))
    return draft.program(number=result == "number")


@st.composite
def _steps(draw: Callable[..., Any], draft: Draft, rows: Sequence[Primitive], dtype: Any) -> None:
    """One more step, or none, which is the simplest choice: so that Hypothesis can take a step out as a whole."""
    row = draw(st.sampled_from([*[None] * (1 + len(rows) // 4), *rows]))
    if row is None or not (fitting := draft.layouts(row)):
        return
    operands, params = draw(_operands(draft, row, draw(st.sampled_from(fitting)), dtype))
    step = Step(row, operands, params)
    result = draft.compute(step) if operands else None
    if type(result) is tuple and result:
        part = draw(st.integers(0, len(result) - 1))
        step, result = replace(step, part=part), result[part]
    draft.append(step, result)


@st.composite
def _operands(
    draw: Callable[..., Any], draft: Draft, row: Primitive, layout: Layout, dtype: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What goes into a step: what is known and fits, and constants; and settings. No operands where nothing fits."""
    entrywise, alone = is_entrywise(row), is_alone(row)
    operands: list[Any] = list(layout.inputs)
    together: tuple[int, ...] = ()  # the shape to which entrywise operands broadcast
    later = len(shapes_in(layout))
    for i, (wanted, domain) in enumerate(zip(layout.inputs, domains(row, len(operands)))):
        if not isinstance(wanted, Shape):
            continue
        later -= 1
        domain = draft.well_inside(domain)
        fits = functools.partial(_fits, wanted=None if alone else together if entrywise else wanted, row=row)
        choices: list[Any] = draft.places(fits, domain, operands)
        if not alone and (later or any(type(x) is Place for x in operands)):
            choices.append(None)  # a constant, where something else is none
        operand = draw(st.sampled_from(choices)) if choices else None
        if operand is None and not choices:
            return (), {}
        if operand is None:
            shape = draw(st.sampled_from([(), together])) if entrywise else tuple(wanted)
            weak = entrywise and not shape  # joined with arrays, a number would be of double precision
            operand = draw(numbers(domain) if weak else _arrays(shape, domain=domain, dtype=dtype))
        elif draft.is_open(operand, operands):
            draft.fill(operand, _moved_into(domain, np.asarray(draft.data(operand))))
        operands[i] = operand
        if entrywise:
            together = np.broadcast_shapes(together, np.shape(draft.data(operand)))
    if row.name == "getitem":
        key, chosen = parse(draw(indices(draft.data(operands[0]).shape)))
        return (operands[0], *chosen), {"key": key}
    if entrywise:
        operands = [x if isinstance(y, Shape) else draw(_masks(draft, together)) for x, y in zip(operands, layout[0])]
    return tuple(operands), dict(layout.params)


def _fits(node: Node, wanted: tuple[int, ...] | None, row: Primitive) -> bool:
    """Whether a known node can be an operand beside others."""
    if row.name == "getitem":
        return isinstance(node, Tensor)
    return wanted is None or (broadcasts(wanted, shape_of(node)) if is_entrywise(row) else wanted == shape_of(node))


def _masks(draft: Draft, shape: tuple[int, ...]) -> Strategy[Any]:
    """What `where` chooses by, between arrays of a shape: a comparison that is known, or a constant."""
    masks = st.sampled_from([True, False, *2 * draft.masks(shape)])
    return masks | extra.arrays(bool, shape) if shape else masks
