"""Derivatives from the left and from the right, and the noise of a function: the careful look before an accusation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .differences import EPSILON, FIRST_STEP, Line

SMALLEST = 1e-250  # smaller arguments are taken for zero
LEVELS, SHRINK = 25, 3.7  # no power of 2: the rounding of each step is to be another
HIGHEST = 6  # how often differences are extrapolated
REFUTES = 8.0  # how many errors away a shorter step must lie to overrule a longer one
DIVERGES = 1.5  # how much steeper each shorter step is at a vertical tangent or a jump


# Noise is estimated from the results at these places and what remains of them beside a polynomial of this degree.
DEGREE = 4
PLACES = np.array([0.031, 0.139, 0.264, 0.337, 0.418, 0.541, 0.633, 0.728, 0.867, 0.983])
SMOOTH = np.polynomial.legendre.legvander(2 * PLACES - 1, DEGREE)
SMOOTH = SMOOTH @ np.linalg.pinv(SMOOTH)


class Limit(NamedTuple):
    """A derivative as the limit of differences, its estimated error, and how much of that the noise explains."""

    slope: np.ndarray
    error: np.ndarray
    rounding: np.ndarray


class Limits(NamedTuple):
    """The derivatives on the left, on the right, and of both sides together."""

    left: Limit
    right: Limit
    both: Limit

    def kinks(self, doubt: np.ndarray) -> np.ndarray:
        """Return where left and right differ: by more than their errors, a thousandth of them, and `doubt`.

        At a kink the derivative of both sides is the mean of the two; where it is not, one of them is wrong.
        """
        (left, left_error, _), (right, right_error, _), (both, both_error, _) = self
        with np.errstate(all="ignore"):
            size = np.maximum(abs(left), abs(right))
            unsure = 4 * (left_error + right_error) + 1e-3 * np.where(np.isfinite(size), size, 0.0) + doubt
            mean = abs(both - (left + right) / 2) <= unsure / 2 + 4 * both_error
            return (abs(right - left) > unsure) & mean | (np.isinf(left) ^ np.isinf(right)) & np.isfinite(
                np.minimum(abs(left), abs(right))
            )


def limits(f: Line, *, scale: float = 1.0, own: float = 0.0, unit: float = EPSILON) -> Limits:
    """Return the one-sided and the two-sided derivatives at 0 of f, a function of one number with results `(n,)`.

    Steps shrink from a tenth of `scale`, and again from a tenth of `own`, the size of the argument, down to what its
    precision `unit` resolves; each sequence is extrapolated to the step 0. Of two estimates that contradict each
    other the one from shorter steps holds, if the noise of f leaves it credible and the next one agrees: so a steep
    function has no kink, and one beside the place is told from one at the place. A slope that grows without end is
    infinite.

    >>> sides = limits(lambda t: np.array([abs(t), np.exp(1e6 * t)]))
    >>> sides.left.slope.round(6).tolist(), sides.kinks(np.array([1e-9, 1e-3])).tolist()
    ([-1.0, 1000000.0], [True, False])
    """
    with np.errstate(all="ignore"):
        here = np.asarray(f(0.0), dtype=float)
        noise = noise_level(f, own=own, scale=scale, unit=unit)
        trackers = _Extrapolation(1, here.shape), _Extrapolation(1, here.shape), _Extrapolation(2, here.shape)
        ladders = [[(step, f(step), f(-step)) for step in steps] for steps in _ladders(scale, own, unit)]
        precision = np.maximum(unit, _precision([there for ladder in ladders for _, *both in ladder for there in both]))
        for ladder in ladders:
            for tracker in trackers:
                tracker.begin()
            for step, up, down in ladder:
                one, two = (
                    np.maximum(3 * noise, precision / 2 * (abs(there) + abs(here)))
                    + precision / 2 * abs(there - here) * (own / step + 1)
                    for there in (down, up)
                )
                trackers[0].add((here - down) / step, one / step)
                trackers[1].add((up - here) / step, two / step)
                trackers[2].add((up - down) / (2 * step), (one + two) / (2 * step))
        blur = _blur(ladders, here, scale=scale, own=own, precision=precision)
        return Limits(*(tracker.limit(blur) for tracker in trackers))


def noise_level(f: Line, *, scale: float = 1.0, own: float = 0.0, unit: float = EPSILON) -> np.ndarray:
    """Return how much the results of f are off by chance near 0: the height of its roughness, of shape `(n,)`.

    What a polynomial through close neighbours does not explain is noise (as in Moré and Wild 2011, SIAM Journal on
    Scientific Computing 33, 1292-1314, who take differences; but evenly spaced neighbours may climb stairs in step).
    Neighbours that are equal stand on one stair of a coarser precision: they are moved apart until they differ.

    >>> noise = noise_level(lambda t: np.array([(t + 0.3) + 1e8 - 1e8, np.sin(t)]), own=0.3)
    >>> 1e-10 < noise[0] < 1e-7, noise[1] < 1e-14
    (np.True_, np.True_)
    """
    reach = unit * 256 * (own if own > SMALLEST else 2.0**-28)
    noise = np.zeros(np.shape(f(0.0)))
    unknown = np.ones(noise.shape, dtype=bool)
    stairs = False
    with np.errstate(all="ignore"):
        while unknown.any() and reach <= 2.0**-4 * scale:
            found = [_roughness([f(side * reach * place) for place in PLACES]) for side in (1.0, -1.0)]
            height = np.fmax(*found) if stairs else np.fmin(*found)  # without stairs it may be a kink on one side
            noise = np.where(unknown & np.isfinite(height), height, noise)
            unknown &= ~np.isfinite(height)
            reach, stairs = reach * 2.0**14, True
    return noise


def _roughness(points: list[np.ndarray]) -> np.ndarray:
    """How far results at PLACES lie from a smooth curve, in the mean; NaN where too many of them are equal."""
    results = np.array(points, dtype=float)
    told_apart = np.array([len(set(column)) for column in results.T]) > len(PLACES) // 2
    around = results - results[:1]
    height = np.sqrt(((around - SMOOTH @ around) ** 2).sum(axis=0) / (len(PLACES) - DEGREE - 1))
    return np.where(told_apart, height, np.nan)


def _precision(points: list[np.ndarray]) -> np.ndarray:
    """The precision in which results are computed: single where each of many is a number of single precision."""
    results = np.array(points, dtype=float)
    single = (results.astype(np.float32) == results) | ~np.isfinite(results)
    several = np.array([len(set(column)) for column in results.T]) > len(results) // 4
    return np.where(single.all(axis=0) & several, float(np.finfo(np.float32).eps), EPSILON)


def _blur(
    ladders: list[list[tuple[float, np.ndarray, np.ndarray]]], here: Any, *, scale: float, own: float, precision: Any
) -> Any:
    """How much a slope is off because rounding moves the place itself.

    At the lowest point of (x + d - d)², the slope is what x is off by. The curvature is that of the shortest step that
    shows it beside the rounding of f; at a kink it grows as they shrink. It never hides what slopes there are near by.
    """
    steps = sorted([one for ladder in ladders for one in ladder], key=lambda one: -one[0])
    curvature = np.zeros(np.shape(here))
    for step, up, down in steps:
        bend, size = abs((up - here) + (down - here)), abs(up) + abs(down) + 2 * abs(here)
        shown = (bend > 64 * precision * size) & np.isfinite(bend) & (step >= precision**0.5 * scale)
        curvature = np.where(shown, bend / step**2, curvature)
    blur = 4 * precision * scale * curvature
    near = [abs(there - here) / step for step, *both in steps if step <= FIRST_STEP * own for there in both]
    return np.fmin(blur, 1e-4 * np.max(near, axis=0)) if near else blur


def _ladders(scale: float, own: float, unit: float) -> list[list[float]]:
    """Sequences of shrinking steps, from far and from near by."""
    shortest = 64 * unit * own
    starts = [FIRST_STEP * scale]
    if SMALLEST < own < scale * SHRINK ** -(LEVELS / 2):
        starts.append(FIRST_STEP * own)
    ladders = [[start * SHRINK**-level for level in range(LEVELS)] for start in starts]
    return [[step for step in steps if step > shortest] for steps in ladders]


class _Extrapolation:
    """Slopes of shrinking steps, extrapolated to the step 0, and the most credible of all estimates so far."""

    def __init__(self, gap: int, shape: tuple[int, ...]) -> None:
        self.gap = gap  # of the powers of the step in the error of a slope
        self.slope, self.error = np.full(shape, np.nan), np.full(shape, np.inf)
        self.rounding = np.zeros(shape)
        self.growing, self.sign = np.zeros(shape, dtype=int), np.zeros(shape)
        self.begin()

    def begin(self) -> None:
        """Start another sequence of steps."""
        self.older: list[np.ndarray] = []
        self.last: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def add(self, slope: np.ndarray, rounded: np.ndarray) -> None:
        """Take the slope of the next shorter step, off by `rounded` through noise."""
        row = [slope]
        for power, coarser in enumerate(self.older[:HIGHEST], start=1):
            row.append(row[-1] + (row[-1] - coarser) / (SHRINK ** (self.gap * power) - 1))
        value, error = slope, np.full(slope.shape, np.inf)
        for power, coarser in enumerate(self.older[:HIGHEST], start=1):
            # The neighbours of an estimate: two may lie close by chance, three hardly.
            neighbours = [row[power - 1], coarser, *row[power + 1 : power + 2]]
            spread = np.max([abs(row[power] - other) for other in neighbours], axis=0) + rounded
            better = spread < error
            value, error = np.where(better, row[power], value), np.where(better, spread, error)
        if self.older:
            credible = abs(slope) > 4 * rounded
            steeper = credible & (slope * self.older[0] > 0) & (abs(slope) > DIVERGES * abs(self.older[0]))
            self.growing = np.where(steeper, self.growing + 1, np.where(credible, 0, self.growing))
            self.sign = np.where(steeper, np.sign(slope), self.sign)
        refutes = abs(value - self.slope) > REFUTES * error
        if self.last is not None:
            again, before, doubt = self.last
            replaces = refutes & again & (abs(value - before) <= error + doubt)
            better = (error < self.error) | replaces
            self.slope, self.error = np.where(better, value, self.slope), np.where(better, error, self.error)
            self.rounding = np.where(better, rounded, self.rounding)
        elif self.older:
            better = error < self.error
            self.slope, self.error = np.where(better, value, self.slope), np.where(better, error, self.error)
            self.rounding = np.where(better, rounded, self.rounding)
        if self.older:
            self.last = refutes, value, error
        self.older = row

    def limit(self, blur: np.ndarray) -> Limit:
        """The most credible estimate, off by `blur` besides; infinite where the slope grew with every step."""
        endless = self.growing >= LEVELS // 3
        slope = np.where(endless, self.sign * np.inf, self.slope)
        return Limit(slope, np.where(endless, 0.0, self.error + blur), self.rounding + blur)
