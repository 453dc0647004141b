"""Numerical derivatives: extrapolated differences of any function, complex steps through a recorded graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...evaluation import evaluate
from ...graph import Node
from ...tensor import Tensor

FIRST_STEP, SHRINK, LEVELS = 0.0977, 4.0, 14  # no round number, on which a periodic function would hide
APART = 16.0  # how much nearer a function is looked at again, at least
EPSILON = float(np.finfo(float).eps)
COMPLEX_STEP = 1e-100  # so short that its square vanishes beside any derivative

Line = Callable[[float], np.ndarray]
"""A function of one number with results of shape `(n,)`."""


class Difference(NamedTuple):
    """A derivative by differences, its estimated error, and the part of that which rounding alone explains."""

    slope: np.ndarray
    error: np.ndarray
    rounding: np.ndarray
    smooth: np.ndarray
    """Whether the function looks the same from near by: no kink at the place, and nothing that the steps missed."""


def central_difference(
    f: Line, scale: float, goal: np.ndarray, *, own: float = 1.0, unit: float = EPSILON
) -> Difference:
    """Return the derivative at 0 of f, a function of one number with results of shape `(n,)`.

    Steps shrink from a tenth of `scale` until the estimated error is below `goal` everywhere; the differences are
    extrapolated to the step 0 (Ridders 1982, Advances in Engineering Software 4, 75-76). A step that leaves the
    domain of f, or crosses a kink, is outvoted by the shorter ones that do not. Then f is looked at from near by, also
    at the scale `own` of its argument; `unit` is the relative precision in which f computes.

    >>> slope, error, rounding, smooth = central_difference(lambda t: np.array([np.exp(t)]), 1.0, np.array([1e-10]))
    >>> bool(abs(slope[0] - 1) < error[0] < 1e-10), bool(smooth[0])
    (True, True)
    """
    best, error, rounding = np.full(goal.shape, np.nan), np.full(goal.shape, np.inf), np.zeros(goal.shape)
    older: list[np.ndarray] = []
    bends: list[tuple[float, np.ndarray]] = []
    with np.errstate(all="ignore"):
        here = f(0.0)
        for level in range(LEVELS):
            step = FIRST_STEP * scale * SHRINK**-level
            up, down = f(step), f(-step)
            # Of the results, and of the places at which f was asked for them.
            moved = (abs(up - here) + abs(down - here)) * scale / step
            rounded = unit * (abs(up) + abs(down) + moved) / step
            bends.append((step, abs((up - here) + (down - here)) / step))
            row = [(up - down) / (2 * step)]
            for power, coarser in enumerate(older, start=1):
                row.append(row[-1] + (row[-1] - coarser) / (SHRINK ** (2 * power) - 1))
                spread = np.maximum(abs(row[-1] - row[-2]), abs(row[-1] - coarser)) + rounded
                better = spread < error  # never where a step gave NaN
                best, error = np.where(better, row[-1], best), np.where(better, spread, error)
                rounding = np.where(better, rounded, rounding)
            if (error <= goal).all():
                break
            older = row
        smooth = np.isfinite(best)
        for near in {unit ** (1 / 3) * scale, unit ** (1 / 3) * min(scale, own)}:
            up, down = f(near), f(-near)
            noise = 4 * unit * (abs(up) + abs(down) + 2 * abs(here) + scale * abs(best)) / near
            same = abs((up - down) / (2 * near) - best) <= 1e-2 * abs(best) + abs(row[0] - best) + noise
            # Where f is smooth, its bend within a step shrinks with the step; at a kink it stays the same.
            bend = next((bend for step, bend in reversed(bends) if step >= APART * near), bends[0][1])
            smooth &= same & (abs((up - here) + (down - here)) / near <= 0.25 * bend + noise)
    return Difference(best, error, rounding, smooth)


def complex_step(outputs: Sequence[Node], data: dict[Node, Any], leaf: Node, entry: tuple[int, ...]) -> list[Any]:
    """Return the outputs of a recorded graph at `data`, with an imaginary step added to one entry of one leaf.

    Divided by COMPLEX_STEP, the imaginary parts are the derivatives by that entry, to the last digits, where every
    row of the graph is analytic: no difference is taken, so nothing cancels (Squire and Trapp 1998, SIAM Review 40).
    """
    stepped = np.array(data[leaf], dtype=complex)
    stepped[entry] += 1j * COMPLEX_STEP
    with np.errstate(all="ignore"):
        return evaluate(list(outputs), {**data, leaf: stepped if isinstance(leaf, Tensor) else stepped[()]})
