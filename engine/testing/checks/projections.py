"""Derivatives in random directions, which stand for all entries while they agree."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .comparisons import Comparison, Settings
from .differences import central_difference
from .entries import in_a_row, in_their_shapes
from .recorded import Recorded
from .subjects import Subject

PROJECTIONS = 2
"""How many random directions stand for all entries."""


class Projection(NamedTuple):
    """One comparison in a random direction, and whether the function is smooth along it."""

    comparison: Comparison
    smooth: bool

    @property
    def passes(self) -> bool:
        """Whether the two derivatives agree, and there is no kink that would have hidden a difference."""
        return self.smooth and self.comparison.excess <= 1


def projections(subject: Subject, settings: Settings) -> list[Projection]:
    """Return comparisons of the analytic and the numerical derivative in a few random directions.

    The analytic side is one sweep, the numerical one a derivative by one number: the cost does not grow with the
    number of entries. There are none where the function has no entries.
    """
    if not subject.count:
        return []
    return [_projection(subject, settings, number) for number in range(PROJECTIONS)]


def _projection(subject: Subject, settings: Settings, number: int) -> Projection:
    """Compare one derivative in a random direction.

    In the first one all terms of the analytic derivative have the same sign: what is wrong by a factor cannot cancel.
    """
    rng = np.random.default_rng([settings.order, number])
    sizes, shape = subject.sizes(), np.shape(in_a_row(subject.values))

    def signed(weights: np.ndarray, derivative: np.ndarray | None = None) -> np.ndarray:
        signs = rng.choice([-1.0, 1.0], weights.shape)
        if derivative is None or number > 0:
            return weights * signs
        return weights * np.where(derivative == 0, signs, np.sign(derivative))

    direction = np.where(sizes == 0, 1.0, sizes) * rng.uniform(0.5, 1.5, sizes.shape)
    weights = rng.uniform(0.5, 1.5, shape)
    if isinstance(subject, Recorded) and settings.mode == "forward":
        direction = signed(direction)
        pushed = subject.push(in_their_shapes(direction, subject.data))
        weights = signed(weights, pushed)
        terms = pushed * weights
    else:
        weights = signed(weights)
        if isinstance(subject, Recorded):
            pulled = in_a_row(subject.pull(in_their_shapes(weights, subject.values)))
        else:
            pulled = weights @ subject.jacobian(settings.mode)
        direction = signed(direction, pulled)
        terms = pulled * direction
    total, size, precision = float(terms.sum()), float(abs(terms).sum()), subject.precision
    goal = np.full(weights.shape, max(1e-10, precision / 8) * size / weights.size)
    found = central_difference(lambda t: subject.moved(t * direction), 1.0, goal, unit=subject.unit)
    numerical, error = float(weights @ found.slope), float(abs(weights) @ found.error)
    tolerance = 32 * precision * size + min(4 * error, 1e-6 * size + 4 * float(abs(weights) @ found.rounding)) + 1e-300
    comparison = Comparison(
        order=settings.order,
        argument="a random direction",
        index=(),
        result="a random sum of the results",
        result_index=(),
        analytic=total,
        numerical=numerical,
        error=error,
        tolerance=tolerance,
        method="differences",
        op=subject.op,
        mode=settings.mode,
        unit=precision,
    )
    return Projection(comparison, bool(found.smooth.all()))
