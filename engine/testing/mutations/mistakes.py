"""Mistakes to make on purpose: what people get wrong in a derivative, as changes of a rule or of a gradient function.

`mutate` makes one at a time and sees who notices. A mistake in a result changes what was computed, on the way out; a
mistake in the arguments changes what a rule is handed. Both need no source, and say in words what is wrong.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ... import scalars
from ...row import shape_of

Rule = Callable[..., Any]


class Mistake(NamedTuple):
    """One mistake: what is wrong, the function with the mistake in it, and what a test must do to notice."""

    name: str
    mutant: Callable[..., Any]
    advice: str


COMPARE = (
    "Compare with a numerical derivative (check_gradients, or check_gradient for a function of your own), "
    "at numbers that differ from each other and from 0 and 1."
)


def _reversed(c: Any, axis: int) -> Any:
    """The entries in the opposite order along the first axis (0) or the last one (-1)."""
    shape = shape_of(c)
    if not shape or shape[axis] < 2:
        return c
    order = list(range(shape[axis]))[::-1]
    return c[order] if axis == 0 else c[..., order]


def _flipped_below_zero(c: Any, x: Any) -> Any:
    below = np.asarray(getattr(x, "_value", x)) < 0
    shape, own = tuple(shape_of(c)), below.shape
    fits = all(n in (1, m) or m == 1 for n, m in zip(own[::-1], shape[::-1]))
    if not fits or not below.any():
        return c
    return c * (1 - 2 * below).astype(np.int8) if own else -c  # of the dtype that c has


def _averaged(c: Any, x: Any) -> Any:
    """Divided by how often x was repeated: the sweep adds repeated entries up, and gets their mean."""
    repeated = prod(shape_of(c)) / max(1, prod(shape_of(x)))
    return c / repeated if repeated > 1 else c


IN_RESULTS: list[tuple[str, Callable[[Any, Any], Any], str]] = [
    ("the sign of {place} is flipped", lambda c, x: -c, COMPARE),
    (
        "{place} is 0.1 % too large",
        lambda c, x: c * 1.001,
        "Compare with a numerical derivative to better than 0.1 %, as check_gradients and check_gradient do.",
    ),
    ("{place} is zero", lambda c, x: c * 0.0, COMPARE),
    (
        "{place} has the wrong sign where {x} is negative",
        _flipped_below_zero,
        "Try negative entries of {x} too, for example with engine.testing.strategies.arrays().",
    ),
    (
        "{place} is reversed along the first axis",
        lambda c, x: _reversed(c, 0),
        "Try an array with several different entries along its first axis.",
    ),
    (
        "{place} is reversed along the last axis",
        lambda c, x: _reversed(c, -1),
        "Try an array with several different entries along its last axis.",
    ),
]
"""A name, the result c and the input x it belongs to -> the wrong result, and the advice."""

IN_SUMS = (
    "{place} averages over the repeated entries of {x} in place of adding them up",
    _averaged,
    "Try shapes that broadcast, such as (2, 3) and (3,).",
)


def mistakes_in_rule(
    rule: Rule, position: int, names: Sequence[str], *, variadic: bool, order: int
) -> Iterator[Mistake]:
    """The mistakes that a rule can contain: the rule for the input at `position` of those with these `names`.

    With `order=2` there is one more, which the rule makes only where it is recorded.
    """
    name = names[position]
    words = {"place": f"the rule for {name}", "x": name}

    def own(inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        return inputs[position + params["position"] if variadic else position]

    for what, change, advice in [*IN_RESULTS, IN_SUMS]:

        def mutant(xp: Any, g: Any, out: Any, *inputs: Any, change: Any = change, **params: Any) -> Any:
            return change(rule(xp, g, out, *inputs, **params), own(inputs, params))

        yield Mistake(what.format(**words), mutant, advice.format(**words))
    if order > 1:

        def recorded(xp: Any, *rest: Any, **params: Any) -> Any:
            c = rule(xp, *rest, **params)
            return c if xp in (np, scalars) else c * 1.001

        advice = "Check the gradient's own gradient: check_gradients(f, ..., order=2)."
        yield Mistake(f"the rule for {name} is 0.1 % too large at second order only", recorded, advice)
    yield from _mistakes_in_arguments(rule, name, names, variadic)


def _mistakes_in_arguments(rule: Rule, name: str, names: Sequence[str], variadic: bool) -> Iterator[Mistake]:
    advice = "Let more follow the operation, as in 3 * f(x), or check engine.testing.properties.vjp_is_linear(f, ...)."

    def ignoring(xp: Any, g: Any, *rest: Any, **params: Any) -> Any:
        ones = tuple(part * 0.0 + 1.0 for part in g) if isinstance(g, tuple) else g * 0.0 + 1.0
        return rule(xp, ones, *rest, **params)

    def squaring(xp: Any, g: Any, *rest: Any, **params: Any) -> Any:
        squares = tuple(part * part for part in g) if isinstance(g, tuple) else g * g
        return rule(xp, squares, *rest, **params)

    yield Mistake(f"the rule for {name} takes the gradient that arrives to be 1", ignoring, advice)
    yield Mistake(f"the rule for {name} squares the gradient that arrives", squaring, advice)
    advice = "Compare with a numerical derivative where {} and {} have the same shape and differ."
    places = ["out", *names]
    if variadic:
        places.pop()

        def misplaced(*arguments: Any, position: int, **params: Any) -> Any:
            neighbour = (position + 1) % (len(arguments) - 2 - len(names))
            return rule(*arguments, position=neighbour, **params)

        yield Mistake(f"the rule for {name} serves the next of them", misplaced, "Try several different inputs.")
    for first, second in itertools.combinations(range(len(places)), 2):

        def mixing(xp: Any, g: Any, *rest: Any, i: int = first, j: int = second, **params: Any) -> Any:
            return rule(xp, g, *_exchanged(rest, i, j), **params)

        one, other = places[first], places[second]
        what = f"the rule for {name} takes {one} for {other}, and {other} for {one}"
        yield Mistake(what, mixing, advice.format(one, other))


def mistakes_in_gradient(gradient: Callable[..., Any], places: Mapping[int, str], parts: int) -> Iterator[Mistake]:
    """The mistakes that a hand-written gradient can contain, whose arguments have these names at these positions.

    `parts` is 0 where it returns one array, otherwise the length of the tuple it returns.
    """
    positions = list(places)
    for part in range(parts or 1):
        position = positions[part] if part < len(positions) else -1
        name = places.get(position, f"argument {part}")
        words = {"place": f"the gradient by {name}" if parts else "the gradient", "x": name}
        for what, change, advice in IN_RESULTS:

            def mutant(*args: Any, i: int = part, own: int = position, change: Any = change, **settings: Any) -> Any:
                result = gradient(*args, **settings)
                x = args[own] if 0 <= own < len(args) else 0.0
                if not parts:
                    return change(result, x)
                return type(result)([change(c, x) if k == i else c for k, c in enumerate(result)])

            yield Mistake(what.format(**words), mutant, advice.format(**words))
    advice = "Compare with a numerical derivative where {} and {} have the same shape and differ."
    for first, second in itertools.combinations(positions, 2):
        one, other = places[first], places[second]

        def mixing(*args: Any, i: int = first, j: int = second, **settings: Any) -> Any:
            return gradient(*_exchanged(args, i, j), **settings)

        yield Mistake(f"the gradient takes {one} for {other}, and {other} for {one}", mixing, advice.format(one, other))


def _exchanged(arguments: Sequence[Any], i: int, j: int) -> list[Any]:
    """Two arguments in each other's places, where they have the same shape."""
    mixed = list(arguments)
    if j < len(mixed) and not isinstance(mixed[i], tuple) and shape_of(mixed[i]) == shape_of(mixed[j]):
        mixed[i], mixed[j] = mixed[j], mixed[i]
    return mixed
