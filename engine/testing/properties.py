"""Properties that hold for the derivatives of every function, whatever the function is: no numerical derivative needed.

Each is a plain function that returns None or raises GradientError. f is called as `check_gradients` calls it: with a
Value for each number and a Tensor for each array of floats, everything else as it is. Directions are drawn from a fixed
seed. Differences show what a rule is; properties show that rules keep together: linear in what arrives, the same when
they record, free of memory.

>>> import engine
>>> from engine.testing import properties
>>> properties.vjp_is_linear(lambda x, y: engine.sin(x) * y, 0.5, np.array([1.0, 2.0]))
>>> properties.hessian_is_symmetric(lambda x, y: engine.sin(x) * y, 0.5, np.array([1.0, 2.0]))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import primitives as table
from ..backward import gradients
from ..derivatives import hessian, jvp
from ..errors import GradientError, ShapeError
from ..evaluation import evaluate
from ..graph import Node, recording_on, topological_order
from ..waypoints import paths
from .checks.comparisons import subscript
from .checks.entries import in_a_row, like
from .checks.recorded import Recorded

Function = Callable[..., Any]

ENOUGH = 1000
"""How many paths are added up one by one; where there are more, fewer way-points tell them apart."""

NEARBY = 1 / 1024
"""How far the data are moved, relative to their size, where a function is also tried beside them."""


def vjp_is_linear(f: Function, *args: Any) -> None:
    """Check that the gradient is linear in what arrives at the result: pull(2 g - 3 h) is 2 pull(g) - 3 pull(h).

    Raises GradientError for a rule that drops, squares or remembers the gradient arriving from its output.

    >>> import engine
    >>> vjp_is_linear(engine.softmax, np.array([1.0, 2.0, 4.0]))
    """
    call = Recorded.of(f, args)
    g, h = _directions(call.values, seed=1), _directions(call.values, seed=2)
    together = call.pull([like(2 * one - 3 * other, one) for one, other in zip(g, h, strict=True)])
    parts = list(zip(call.pull(g), call.pull(h), strict=True))
    _agree(
        call,
        ("pull(2 g - 3 h)", "2 pull(g) - 3 pull(h)"),
        (together, [2 * one - 3 * other for one, other in parts]),
        call.names,
        [_rounding(call, x, 2 * abs(one) + 3 * abs(other)) for x, (one, other) in zip(call.data, parts, strict=True)],
        "the vjp is not linear in the gradients g and h arriving at the results",
        "A rule must multiply the g that it gets by something that does not depend on g",
    )


def vjp_and_jvp_are_adjoint(f: Function, *args: Any) -> None:
    """Check that reverse and forward mode belong to one Jacobian: the products g·(J v) and (g J)·v are equal.

    Raises GradientError for a rule that computes something else when it records, or is not linear in g.

    >>> import engine
    >>> vjp_and_jvp_are_adjoint(lambda x, w: engine.tanh(x @ w), np.ones(2), np.eye(2))
    """
    call = Recorded.of(f, args)
    g, v = _directions(call.values, seed=1), _directions(call.data, seed=2)
    with recording_on():
        moved = jvp(lambda *leaves: call.record_on(list(leaves))[1], call.data, v)[1]
    forth = in_a_row(g) * in_a_row([_plain(part) for part in moved])
    back = in_a_row(call.pull(g)) * in_a_row(v)
    _agree(
        call,
        ("g·(J v) by jvp", "(g J)·v by vjp"),
        ([forth.sum()], [back.sum()]),
        ["the product"],
        [_rounding(call, 1.0, abs(forth).sum() + abs(back).sum())],
        "vjp and jvp do not belong to the same Jacobian J",
        "A rule must be linear in g, and compute in the namespace xp it is handed the same as on raw data",
    )


def paths_sum_to_gradient(f: Function, *args: Any) -> None:
    """Check that the contributions of all paths from an argument to the results add up to its gradient.

    The results are added up with fixed random weights. Every node is a way-point, unless that gives too many paths.
    Raises GradientError for a rule whose result depends on more than the path it stands on.

    >>> import engine
    >>> paths_sum_to_gradient(lambda x: engine.sin(x) * x + x, 0.5)
    """
    call = Recorded.of(f, args)
    with recording_on():
        E = _weighed(call.outputs)
    order = topological_order(E, differentiable=True) if E.requires_grad else []
    reached, edges = set(order), sum(len(node.inputs) for node in order)
    for name, leaf in zip(call.names, call.leaves, strict=True):
        if leaf not in reached:
            continue
        through: list[Node] = []
        found = paths(E, leaf, "all", ENOUGH)
        while not found.complete:
            through = (through or found.waypoints)[1::2]
            found = paths(E, leaf, through, ENOUGH)
        terms = [path.contribution for path in found]
        sizes = sum(abs(np.asarray(term)) for term in terms)
        _agree(
            call,
            (f"the sum over {len(terms)} paths", "the gradient"),
            ([sum(terms)], gradients(E, [leaf])),
            [name],
            [8 * call.precision * edges * sizes + _rounding(call, leaf._value, 0.0)],
            "the paths do not add up to the gradient",
            "A rule must be linear in g and depend on nothing but its arguments",
        )


def hessian_is_symmetric(f: Function, *args: Any) -> None:
    """Check that the second derivatives do not depend on the order in which they are taken.

    The results are added up with fixed random weights, so that they may be arrays.
    Raises GradientError for a rule that is right at first order and wrong when its gradient is differentiated again.

    >>> import engine
    >>> hessian_is_symmetric(lambda x, y: engine.exp(x) * y, np.array([0.5, 1.0]), 2.0)
    """
    call = Recorded.of(f, args)
    second = hessian(lambda *leaves: _weighed(call.record_on(list(leaves))[1]), range(len(call.data)))
    with recording_on():
        blocks = second(*call.data)
    sizes = [np.size(x) for x in call.data]
    rows = [[np.reshape(_plain(part), (n, m)) for part, m in zip(row, sizes)] for row, n in zip(blocks, sizes)]
    whole: np.ndarray = np.block(rows)
    _agree(
        call,
        ("the derivative by the row and then by the column", "the other way round"),
        ([whole], [whole.T]),
        ["the Hessian"],
        [np.broadcast_to(_rounding(call, in_a_row(call.data), abs(whole)), whole.shape)],
        "the Hessian is not symmetric",
        "A rule must compute in xp, or with functions that record; check_gradients(f, ..., order=2) names it",
    )


def gradient_of_sum_is_sum_of_gradients(f: Function, g: Function, *args: Any) -> None:
    """Check that one sweep through f + g gives what a sweep through f and one through g give, added up.

    The results of f and g have the same shapes, and are added up entry by entry.
    Raises GradientError for a rule that writes into what it is given, or remembers an earlier call.

    >>> import engine
    >>> gradient_of_sum_is_sum_of_gradients(engine.sin, lambda x: x * x, np.array([0.5, 1.0]))
    """
    first, second = Recorded.of(f, args), Recorded.of(g, args)
    shapes = [[np.shape(y) for y in call.values] for call in (first, second)]
    if shapes[0] != shapes[1]:
        raise ShapeError(
            f"The gradient of {first.name} + {second.name} was to be checked, and the two cannot be added. "
            f"Their results have the shapes {shapes[0]} and {shapes[1]}. Give functions with results of equal shapes."
        )
    pulled = [call.pull(_directions(call.values, seed=1)) for call in (first, second)]
    parts = list(zip(*pulled, strict=True))
    for pair in ((first, second), (second, first)):  # what is computed last is swept first

        def total(*leaves: Any, pair: Sequence[Recorded] = pair) -> list[Any]:
            one, other = [call.record_on(list(leaves))[1] for call in pair]
            return [table.add(x, y) for x, y in zip(one, other, strict=True)]

        both = Recorded.of(total, tuple(first.data))
        both.name = f"{pair[0].name} + {pair[1].name}"
        _agree(
            both,
            ("the gradient of the sum", "the sum of the gradients"),
            (both.pull(_directions(both.values, seed=1)), [x + y for x, y in parts]),
            first.names,
            [_rounding(both, x, abs(one) + abs(other)) for x, (one, other) in zip(both.data, parts, strict=True)],
            "two sweeps do not add up to one",
            "A rule must not write into its arguments, nor remember anything from one call to the next",
        )


def evaluate_equals_eager(f: Function, *args: Any) -> None:
    """Check that the recorded graph is all there is to f: evaluated at other data, it gives what f gives there.

    Tried at the arguments and close beside them. f must draw no random numbers.
    Raises GradientError for what is read beside the graph, as by `.data`, and for a choice by a Python `if`.

    >>> import engine
    >>> evaluate_equals_eager(lambda x: engine.where(x > 0, x, x * x), np.array([-1.0, 2.0]))
    """
    call = Recorded.of(f, args)
    known = set(topological_order(*call.outputs))
    steps = _directions(call.data, seed=1)
    for change in (0.0, NEARBY, -NEARBY):
        data = [like(x + change * x * np.tanh(step), x) for x, step in zip(call.data, steps, strict=True)]
        eager = [y._value for y in call.record(data)[2]]
        replayed = evaluate(call.outputs, {x: new for x, new in zip(call.leaves, data, strict=True) if x in known})
        beside = (
            "at the arguments" if not change else f"at the arguments moved by up to {abs(change):.0e} of themselves"
        )
        _agree(
            call,
            ("evaluate of its graph", "the function itself"),
            (replayed, eager),
            call.results,
            [8 * call.precision * abs(np.asarray(y)) for y in eager],
            f"{beside}, the recorded graph gives something else than the function",
            "Compute with nodes, not with their .data, and write engine.where in place of if",
        )


def _directions(beside: Sequence[Any], seed: int) -> list[Any]:
    """Random numbers of either sign, of the shapes and dtypes of the given ones."""
    rng = np.random.default_rng(seed)
    return [like(rng.normal(size=np.shape(x)), x) for x in beside]


def _weighed(outputs: Sequence[Node]) -> Any:
    """The results added up with random weights, to one number."""
    total: Any = 0.0
    for y, weight in zip(outputs, _directions([y._value for y in outputs], seed=1), strict=True):
        total = total + (y * weight).sum()
    return total


def _plain(x: Any) -> Any:
    """The data of a derivative, which is a node where the function reads other leaves."""
    return x._value if isinstance(x, Node) else x


def _rounding(call: Recorded, x: Any, size: Any) -> Any:
    """How far rounding may move derivatives by x, where the terms that add up to one have this size."""
    results = abs(in_a_row(call.values)).max(initial=0.0)
    own = 64 * call.precision * results / np.maximum(1.0, abs(np.asarray(x, float)))
    return call.precision ** (2 / 3) * np.max(np.asarray(size, float), initial=0.0) + own


def _agree(
    call: Recorded,
    what: tuple[str, str],
    sides: tuple[Sequence[Any], Sequence[Any]],
    names: Sequence[str],
    tolerances: Sequence[Any],
    problem: str,
    cure: str,
) -> None:
    """Raise GradientError for the entry in which two lists of arrays differ most beyond their tolerances."""
    worst: tuple[Any, ...] = (1.0,)
    wrong = count = 0
    for name, left, right, tolerance in zip(names, *sides, tolerances, strict=True):
        left, right = np.asarray(left, float), np.asarray(right, float)
        tolerance = np.broadcast_to(tolerance, left.shape) + np.finfo(float).tiny
        count += left.size
        with np.errstate(all="ignore"):
            excess = np.where((left == right) | (np.isnan(left) & np.isnan(right)), 0.0, abs(left - right) / tolerance)
        excess = np.where(np.isnan(excess), np.inf, excess)
        wrong += int((excess > 1).sum())
        if excess.max(initial=0.0) > worst[0]:
            entry = tuple(int(i) for i in np.unravel_index(excess.argmax(), excess.shape))
            found = [float(part[entry]) for part in (excess, left, right, tolerance)]
            worst = (found[0], name + subscript(entry), *found[1:])
    if wrong:
        _, place, one, other, allowed = worst
        shown = [x if isinstance(x, float) else np.array2string(x, threshold=6) for x in call.data]
        at = ", ".join([f"{name} = {x}" for name, x in zip(call.names, shown, strict=True)])
        raise GradientError(
            f"For {place} of {call.name}, {what[0]} is {one!r}, and {what[1]} is {other!r} (tolerance {allowed:.1e}): "
            f"{problem}. It is the worst of {wrong} wrong entries among {count}, at {' '.join(at.split())}. {cure}."
        )
