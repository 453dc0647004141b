"""Check gradients against numerical derivatives, to any order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..backward import pull_back
from ..derivatives import vjp
from ..errors import DataError, GradientError
from ..graph import Node, recording_on, topological_order
from ..structure import flatten
from ..tensor import Tensor
from ..value import Value
from .differences import COMPLEX_STEP, Difference, central_difference, complex_step

# How much an estimated error may widen the tolerance, relative to the derivatives of one result: less than 0.1 %.
DOUBT = 5e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One derivative, computed twice: entry `index` of an argument, entry `result_index` of a result."""

    order: int
    argument: str
    index: tuple[int, ...]
    result: str
    result_index: tuple[int, ...]
    analytic: float
    numerical: float
    error: float
    """The estimated error of the numerical derivative."""
    tolerance: float
    """How far apart the two may be."""
    method: str
    """`"complex step"` or `"differences"`."""
    op: str | None
    """The operation, where the function is a single one."""

    @property
    def excess(self) -> float:
        """The distance of the two derivatives over the tolerance: above 1 is wrong, and NaN counts as infinite."""
        distance = abs(self.analytic - self.numerical)
        return distance / self.tolerance if distance == distance else np.inf


def check_gradients(
    f: Callable[..., Any], *args: Any, order: int = 1, rtol: float | None = None, atol: float | None = None
) -> Comparison:
    """Compare the derivatives of f at `args` with numerical ones, and return the pair that lies farthest apart.

    The arguments are numbers, arrays, nodes, and nested lists, tuples and dicts of them. f is called with a Value for
    each number and a Tensor for each floating-point array; everything else is handed on and held fixed. It returns a
    node or a structure of nodes, the same ones each time.

    With `order=2` the gradient itself, as a function of the arguments and of the gradient that arrives at the result,
    is checked too, and so on. The numerical derivative is computed in double precision: by complex steps through the
    recorded graph where each row of it is analytic, else by extrapolated differences. The tolerance `rtol` is relative
    to each derivative and `atol` absolute; left out, they follow from the coarsest dtype on the way.

    Raises GradientError, an AssertionError, when a derivative is wrong; its `worst` is the Comparison.

    >>> import engine
    >>> worst = check_gradients(lambda x, y: engine.sin(x) * y, 0.5, np.array([1.0, 2.0]), order=2)
    >>> worst.excess < 1
    True
    """
    if not (isinstance(order, int) and order >= 1):
        raise DataError(
            f"check_gradients was given order={order!r}. It is the highest derivative to check. "
            "Write order=1 for gradients, order=2 for their own gradients as well."
        )
    function = _Function.of(f, args)
    comparisons = []
    for number in range(1, order + 1):
        if number > 1:
            function = function.gradient(number)
        comparisons.append(_worst(function, number, rtol, atol))
    return max(comparisons, key=lambda comparison: comparison.excess)


class _Function:
    """A function of a flat list of numbers and arrays, with a name for each of them and for each result."""

    def __init__(self, name: str, call: Callable[[list[Node]], tuple[list[str], list[Any]]], data: list, names: list):
        self.name = name
        self.call = call
        self.data = data
        self.names = names
        self.op: str | None = None
        self.before: _Function | None = None
        """The function of which this one is the gradient."""
        self.leaves, self.results, self.outputs = self.record(data)
        if not self.outputs:
            raise DataError(
                f"check_gradients was given {name}, which returns no floating-point number. "
                f"It was called with {len(data)} arguments. Only floating-point results have derivatives."
            )
        for result, y in zip(self.results, self.outputs, strict=True):
            if not np.isfinite(y._value).all():
                raise GradientError(
                    f"{result.capitalize()} of {name} is {y._value}, which has no derivative. "
                    f"It was called with {', '.join(f'{n} = {x}' for n, x in zip(names, data, strict=True))}. "
                    "Check it at a point where it is finite."
                )

    @classmethod
    def of(cls, f: Callable[..., Any], args: tuple) -> _Function:
        """The function f of the floating-point entries of its arguments, all others fixed."""
        given, rebuild = flatten(list(args))
        given = [x._value if isinstance(x, Node) else x for x in given]
        free = [i for i, x in enumerate(given) if _is_real(x)]

        def call(leaves: list[Node]) -> tuple[list[str], list[Any]]:
            full = list(given)
            for i, leaf in zip(free, leaves, strict=True):
                full[i] = leaf
            result = f(*rebuild(full))
            return list(_places(result, "result")), flatten(result)[0]

        name = getattr(f, "__name__", repr(f))
        name = "the function" if name == "<lambda>" else name
        places = list(_places(list(args), "args"))
        if not free:
            raise DataError(
                f"check_gradients was given {name} and no floating-point argument to differentiate by. "
                f"Its arguments are {args!r}. Give numbers, or arrays of floats."
            )
        function = cls(name, call, [given[i] for i in free], [places[i] for i in free])
        made = [node for node in function.dependents if node.op is not None]
        if len(made) == 1:
            function.op = made[0].op.name
        return function

    def gradient(self, order: int) -> _Function:
        """The gradient of this function, as a function of its arguments and of the gradient at its results."""
        count, before = len(self.data), self
        rng = np.random.default_rng(order)
        arriving = [_like(rng.uniform(0.5, 1.5, np.shape(y._value)), y._value) for y in self.outputs]

        def call(leaves: list[Node]) -> tuple[list[str], list[Any]]:
            _, pull = vjp(lambda *inputs: before.record_on(list(inputs))[1], *leaves[:count])
            return [f"gradient by {name}" for name in self.names], list(pull(leaves[count:]))

        names = [*self.names, *(f"the gradient arriving at {result}" for result in self.results)]
        function = _Function(self.name, call, self.data + arriving, names)
        function.op = self.op
        function.before = self
        return function

    def record(self, data: Sequence[Any]) -> tuple[list[Node], list[str], list[Node]]:
        """Call the function on fresh leaves."""
        leaves: list[Node] = [Tensor(x) if isinstance(x, np.ndarray) else Value(x) for x in data]
        with recording_on():
            return leaves, *self.record_on(leaves)

    def record_on(self, leaves: list[Node]) -> tuple[list[str], list[Node]]:
        """The names of the floating-point results, and the results."""
        names, results = self.call(leaves)
        nodes = [y if isinstance(y, Node) else Tensor(np.asarray(y), requires_grad=False) for y in results]
        real = [i for i, y in enumerate(nodes) if _is_real(y._value)]
        return [names[i] for i in real], [nodes[i] for i in real]

    @property
    def dependents(self) -> list[Node]:
        """The nodes of the recorded graph that depend on the leaves, the leaves included."""
        found = dict.fromkeys(self.leaves)
        for node in topological_order(*self.outputs):
            if not found.keys().isdisjoint(node.inputs):
                found[node] = None
        return list(found)

    def moved(self, change: np.ndarray) -> np.ndarray:
        """All results in one row, in double precision, with all arguments moved, these in one row too."""
        data, start = [], 0
        for x in self.data:
            part = change[start : start + np.size(x)].reshape(np.shape(x))
            data.append(_like(_widened(x) + part, _widened(x)))
            start += np.size(x)
        return _row(self.compute(data))

    def compute(self, data: Sequence[Any]) -> list[Any]:
        """The results at other data: of a gradient by a sweep that records nothing, so that the two are compared."""
        if self.before is None:
            return [y._value for y in self.record(data)[2]]
        count = len(self.before.data)
        leaves, _, outputs = self.before.record(data[:count])
        seeds: dict[Node, Any] = {}
        for y, g in zip(outputs, data[count:], strict=True):
            if y.requires_grad:
                seeds[y] = seeds[y] + g if y in seeds else g
        return pull_back(seeds, leaves)

    def nudged(self, position: int, change: float) -> np.ndarray:
        """All results in one row with one entry of the arguments moved."""
        changes = np.zeros(sum(np.size(x) for x in self.data))
        changes[position] = change
        return self.moved(changes)


def _worst(function: _Function, order: int, rtol: float | None, atol: float | None) -> Comparison:
    """Compare all derivatives of a function; raise for the one that is farthest off, or return it."""
    analytic = _analytic(function)
    if not analytic.size:
        empty = {"analytic": 0.0, "numerical": 0.0, "error": 0.0, "tolerance": 1.0}
        where = {"argument": function.names[0], "result": function.results[0], "index": (), "result_index": ()}
        return Comparison(order=order, **where, **empty, method="complex step", op=function.op)  # type: ignore[arg-type]
    precision = max(_precision(node._value) for node in function.dependents)
    rtol = precision**0.5 if rtol is None else rtol
    absolute = _rounding(function, analytic, precision) if atol is None else np.full(analytic.shape, atol)
    goal = (rtol * abs(analytic) + absolute) / 10

    method, numerical = "complex step", _by_complex_step(function, analytic, goal)
    error, doubt = np.zeros_like(analytic), COMPLEX_STEP
    if numerical is None:
        method, (numerical, error, rounding) = "differences", _by_differences(function, goal)
        believable = DOUBT * abs(analytic).max(axis=1, keepdims=True) + 4 * rounding
        doubt = np.minimum(4 * error, believable) + np.finfo(float).tiny
    finite = np.isfinite(numerical) & np.isfinite(analytic)
    distance = np.where(finite, abs(analytic - numerical), np.inf)
    tolerance = absolute + doubt + rtol * np.where(finite, np.maximum(abs(analytic), abs(numerical)), 0.0)
    wrong = ~(distance <= tolerance)
    row, column = (int(i) for i in np.unravel_index(np.argmax(distance / tolerance), distance.shape))
    argument, index = _place(column, function.names, function.data)
    result, result_index = _place(row, function.results, [y._value for y in function.outputs])
    worst = Comparison(
        order=order,
        argument=argument,
        index=index,
        result=result,
        result_index=result_index,
        analytic=float(analytic[row, column]),
        numerical=float(numerical[row, column]),
        error=float(error[row, column]),
        tolerance=float(tolerance[row, column]),
        method=method,
        op=function.op,
    )
    if wrong.any():
        raise _failure(function, worst, wrong, row, column)
    return worst


def _rounding(function: _Function, analytic: np.ndarray, precision: float) -> np.ndarray:
    """How far rounding alone may move each entry of the Jacobian, whose entries are computed from one another."""
    results, sizes = [y._value for y in function.outputs], abs(_row([y._value for y in function.outputs]))
    beside = np.zeros_like(analytic)  # the largest derivative of the same array by the same array
    edges = [np.cumsum([0, *(np.size(x) for x in parts)]) for parts in (results, function.data)]
    for rows in itertools.starmap(slice, itertools.pairwise(edges[0])):
        for columns in itertools.starmap(slice, itertools.pairwise(edges[1])):
            beside[rows, columns] = abs(analytic[rows, columns]).max(initial=0.0)
    own = sizes[:, None] / np.maximum(1.0, abs(_row(function.data)))
    return np.maximum(
        precision ** (2 / 3) * abs(analytic).max(axis=1, keepdims=True), 64 * precision * np.maximum(beside, own)
    )


def _failure(function: _Function, worst: Comparison, wrong: np.ndarray, row: int, column: int) -> GradientError:
    """The error that reports the worst entry."""
    order = "" if worst.order == 1 else f" (order {worst.order})"
    op = f", the single operation {worst.op!r}" if worst.op else ""
    step = 1e-6 * max(1.0, abs(_row(function.data)[column]))
    with np.errstate(all="ignore"):
        here, *beside = [function.nudged(column, change)[row] for change in (0.0, -step, step)]
    left, right = [float(there - here) / change for there, change in zip(beside, (-step, step), strict=True)]
    if abs(right - left) > 0.01 * max(abs(left), abs(right)):
        cure = f"The derivative is {left:.6g} on the left and {right:.6g} on the right: check it away from the kink"
    elif worst.error > worst.tolerance / 4:
        cure = "The numerical derivative is uncertain: check it away from poles, or give a larger rtol"
    elif worst.op:
        cure = f"Correct the rule of {worst.op!r}, or what its function reads beside the graph"
    else:
        cure = "Check each operation by itself, and look for what is read beside the graph, as by .data"
    places = f"{worst.result}{_subscript(worst.result_index)} by {worst.argument}{_subscript(worst.index)}{order}"
    error = GradientError(
        f"The derivative of {places} is {worst.analytic!r}, and {worst.numerical!r} by {worst.method} "
        f"(estimated error {worst.error:.1e}, tolerance {worst.tolerance:.1e}). "
        f"It is the worst of {wrong.sum()} wrong entries among {wrong.size} in {function.name}{op}. {cure}."
    )
    error.worst = worst
    return error


def _analytic(function: _Function) -> np.ndarray:
    """The Jacobian by the rules, one sweep for each entry of each result: of shape (results, arguments)."""
    rows = []
    for y in function.outputs:
        for entry in np.ndindex(np.shape(y._value)):
            one = np.zeros_like(y._value)
            one[entry] = 1.0
            seed = {y: 1.0 if type(y._value) is float else one}
            rows.append(_row(pull_back(seed if y.requires_grad else {}, function.leaves)))
    return np.array(rows).reshape(len(rows), _row(function.data).size)


def _by_differences(function: _Function, goal: np.ndarray) -> Difference:
    """The Jacobian by central differences, one column for each entry of the arguments, and its estimated errors."""
    columns = [
        central_difference(partial(function.nudged, position), max(1.0, abs(x)), goal.T[position])
        for position, x in enumerate(_row(function.data))
    ]
    return Difference(*(np.array(part).T for part in zip(*columns, strict=True)))


def _by_complex_step(function: _Function, analytic: np.ndarray, goal: np.ndarray) -> np.ndarray | None:
    """The Jacobian by complex steps, or None where the graph does not allow them."""
    if not all(node.op.analytic for node in function.dependents if node.op is not None):
        return None
    data = {leaf: _widened(x) for leaf, x in zip(function.leaves, function.data, strict=True)}
    reached = set(topological_order(*function.outputs))
    data = {leaf: x for leaf, x in data.items() if leaf in reached}
    columns: list[np.ndarray] = []
    here = _row([y._value for y in function.outputs])
    for leaf in function.leaves:
        for entry in np.ndindex(np.shape(leaf._value)):
            if leaf not in reached:
                columns.append(np.zeros(len(here)))
                continue
            there = _row(complex_step(function.outputs, data, leaf, entry))
            if not np.allclose(there.real, here, rtol=1e-2, atol=1e-2):
                return None  # another branch of a complex function
            columns.append(there.imag / COMPLEX_STEP)
    numerical = np.array(columns).T.reshape(analytic.shape)
    # The graph cannot show what was lost on the way into it, as by reading .data: f itself, moved once, can.
    rng = np.random.default_rng(0)
    direction = np.maximum(1.0, abs(_row(function.data)))
    direction *= rng.uniform(0.5, 1.0, direction.shape)
    allowed = 10 * (goal @ direction)
    slope, error, _ = central_difference(lambda t: function.moved(t * direction), 1.0, allowed)
    lost = abs(slope - numerical @ direction) > allowed + 4 * error
    return None if lost.any() or np.isnan(slope).any() else numerical


def _is_real(x: Any) -> bool:
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype.kind == "f"
    return isinstance(x, int | float) and not isinstance(x, bool)


def _like(new: np.ndarray, old: Any) -> Any:
    return np.asarray(new, old.dtype) if isinstance(old, np.ndarray) else float(new)


def _widened(x: Any) -> Any:
    return np.asarray(x, dtype=float) if isinstance(x, np.ndarray) else float(x)


def _precision(x: Any) -> float:
    return float(np.finfo(x.dtype if isinstance(x, np.ndarray) and x.dtype.kind == "f" else float).eps)


def _row(parts: Sequence[Any]) -> np.ndarray:
    flat = [np.ravel(part).astype(complex if np.iscomplexobj(part) else float) for part in parts]
    return np.concatenate([np.zeros(0), *flat])


def _places(tree: Any, name: str) -> Iterator[str]:
    """A name for each entry of a nested structure, in the order of `flatten`: args[0]['w']."""
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield from _places(part, f"{name}[{key!r}]")
    elif isinstance(tree, list | tuple):
        for i, part in enumerate(tree):
            yield from _places(part, f"{name}[{i}]")
    else:
        yield name


def _place(position: int, names: Sequence[str], data: Sequence[Any]) -> tuple[str, tuple[int, ...]]:
    """The part and the index in it of a position in the row of all parts."""
    for name, x in zip(names, data, strict=True):
        if position < np.size(x):
            return name, tuple(int(i) for i in np.unravel_index(position, np.shape(x)))
        position -= np.size(x)
    raise AssertionError("the position lies behind the last part")


def _subscript(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""
