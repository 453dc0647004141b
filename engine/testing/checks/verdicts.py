"""Analytic and numerical derivatives side by side: which entries are wrong, at a kink, or beyond telling."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

import numpy as np

from ...errors import GradientError
from .blame import first_wrong
from .comparisons import Comparison, Settings
from .differences import COMPLEX_STEP, central_difference
from .entries import in_a_row, place_of
from .handwritten import HandWritten
from .limits import Limit, Limits, limits
from .projections import projections
from .recorded import Recorded
from .subjects import Subject

DOUBT = 5e-4
"""How much an estimated error may widen the tolerance, relative to the derivatives of one result: less than 0.1 %."""

BLUR = 5e-2
"""How much the analytic derivative's own unrest may widen it: what the last places of the arguments change in it."""

LOOKS = 64
"""How many suspicious columns are looked at again once one entry is known to be wrong."""

LARGE = 4096
"""How many derivatives of one operation are too many to look for the wrong one among them."""


@np.errstate(all="ignore")
def judge(subject: Subject, settings: Settings) -> Comparison:
    """Compare all derivatives of a function; raise GradientError for the one farthest off, or return it.

    With `fast`, one derivative in a random direction stands for all of them while it agrees.
    """
    if settings.fast:
        found = projections(subject, settings)
        if found and all(one.passes for one in found):
            return max([one.comparison for one in found], key=lambda comparison: comparison.excess)
    table = _Table(subject, settings)
    if not table.analytic.size:
        place: dict[str, Any] = {"argument": subject.names[0], "result": subject.results[0]}
        numbers: dict[str, Any] = {"analytic": 0.0, "numerical": 0.0, "error": 0.0, "tolerance": 1.0}
        place |= {"index": (), "result_index": (), "order": settings.order, "op": subject.op, "mode": settings.mode}
        return Comparison(method="complex step", **place, **numbers)
    table.compare()
    table.look_again()
    wrong = table.wrong()
    worst = table.worst()
    if wrong.any():
        _fail(subject, settings, table.explained(worst), int(wrong.sum()), wrong.size)
    return worst


class _Table:
    """All derivatives of a function by all arguments, in arrays of shape (results, arguments)."""

    def __init__(self, subject: Subject, settings: Settings) -> None:
        self.subject, self.settings = subject, settings
        self.analytic = subject.jacobian(settings.mode)
        self.finite = np.where(np.isfinite(self.analytic), abs(self.analytic), 0.0)
        self.precision = subject.precision
        self.scales, self.sizes = np.maximum(1.0, abs(in_a_row(subject.data))), subject.sizes()
        self.rtol = self.precision**0.5 if settings.rtol is None else settings.rtol
        shape = self.analytic.shape
        self.own = np.maximum(abs(in_a_row(subject.values)), subject.cancelled)[:, None] / self.scales
        """The derivatives that would change the results by as much as they are: far smaller ones drown in rounding."""
        self.absolute = self._rounding() if settings.atol is None else np.full(shape, float(settings.atol))
        self.blur = np.zeros(shape)
        self.underflow = next((np.finfo(d).tiny for d in ("f4", "f2") if np.finfo(d).eps == self.precision), 0.0)
        self.left, self.right = np.full(shape, np.nan), np.full(shape, np.nan)
        self.kink = np.zeros(shape, dtype=bool)
        self.certain = np.ones(shape, dtype=bool)

    def _rounding(self) -> np.ndarray:
        """How far rounding alone may move each entry of the Jacobian, whose entries are computed from one another."""
        subject, precision, finite = self.subject, self.precision, self.finite
        beside = np.zeros_like(finite)  # the largest derivative of the same array by the same array
        edges = [np.cumsum([0, *(np.size(x) for x in parts)]) for parts in (subject.values, subject.data)]
        for rows in itertools.starmap(slice, itertools.pairwise(edges[0])):
            for columns in itertools.starmap(slice, itertools.pairwise(edges[1])):
                beside[rows, columns] = finite[rows, columns].max(initial=0.0)
        # Of the others in the row, in the same unit as they are themselves, and where arguments are in different
        # units, by what each contributes to the result.
        units = np.where(self.sizes == 0, 1.0, self.sizes)
        row = finite.max(axis=1, keepdims=True, initial=0.0)
        contribution = (finite * units).max(axis=1, keepdims=True, initial=0.0) / units
        others = precision ** (2 / 3) * np.minimum(row, contribution)
        return np.maximum(others, precision * np.maximum(64 * beside, 4 * self.own))

    def compare(self) -> None:
        """Compute the numerical derivatives: by complex steps where they are possible, else by differences."""
        goal = (self.rtol * self.finite + self.absolute) / 10
        exact = self._by_complex_step(goal)
        if exact is not None:
            self.method, self.numerical = "complex step", exact
            self.error = self.rounding = np.zeros_like(exact)
            self.smooth = np.ones(exact.shape, dtype=bool)
            return
        self.method = "differences"
        columns = [
            central_difference(self.line(i), self.scales[i], goal.T[i], own=self.sizes[i], unit=self.subject.unit)
            for i in range(self.analytic.shape[1])
        ]
        parts = [np.array(part).T for part in zip(*columns, strict=True)]
        self.numerical, self.error, self.rounding, self.smooth = parts

    def line(self, column: int) -> Any:
        """The results as a function of one entry of the arguments."""
        return partial(self.subject.nudged, column)

    def _by_complex_step(self, goal: np.ndarray) -> np.ndarray | None:
        """The Jacobian by complex steps, or None where the graph does not allow them."""
        subject = self.subject
        if not isinstance(subject, Recorded) or not subject.analytic:
            return None
        columns = []
        for position in range(self.analytic.shape[1]):
            column = subject.by_complex_step(position)
            if column is None:
                return None
            columns.append(column)
        numerical = np.array(columns).T
        # The graph cannot show what was lost on the way into it, as by reading .data: f itself, moved once, can.
        rng = np.random.default_rng(0)
        direction = self.scales * rng.uniform(0.5, 1.0, self.scales.shape)
        allowed = 10 * (goal @ direction)
        expected = numerical @ direction

        def moved(t: float) -> np.ndarray:
            return subject.moved(t * direction)

        slope, error, _, _ = central_difference(moved, 1.0, allowed)
        if not (abs(slope - expected) <= allowed + 4 * error).all():
            slope, error, _ = limits(moved, scale=1.0, own=1.0).both
        lost = ~(abs(slope - expected) <= allowed + 4 * error)
        return None if lost.any() else numerical

    def look_again(self) -> None:
        """Look carefully at what seems wrong or may be a kink, the worst columns first."""
        if self.method == "complex step":
            if self.wrong().any():
                self.widen()
            return
        # Also what passes only because the numerical derivative is uncertain.
        suspicious = ~(self.distance() <= self.tolerance(certain=True)) | ~self.smooth
        columns = np.flatnonzero(suspicious.any(axis=0))
        columns = columns[np.argsort(-np.where(suspicious, self.excess(), 0.0).max(axis=0)[columns], kind="stable")]
        self.certain = ~suspicious
        for count, column in enumerate(columns.tolist()):
            self.refine(column, suspicious[:, column])
            self.certain[:, column] = True
            if count >= LOOKS and (self.wrong() & self.certain).any():
                break
        if (self.wrong() & ~self.kink).any():
            self.widen()

    def refine(self, column: int, rows: np.ndarray) -> None:
        """Take the one-sided derivatives of one column, and what they say about the numerical ones."""
        found = limits(self.line(column), scale=self.scales[column], own=self.sizes[column], unit=self.subject.unit)
        self.left[rows, column], self.right[rows, column] = found.left.slope[rows], found.right.slope[rows]
        kink = found.kinks(self.absolute[:, column]) & rows
        if self.settings.kinks == "skip":
            kink |= rows & (np.isinf(found.left.slope) | np.isinf(found.right.slope))  # a vertical tangent
        self.kink[:, column] = kink
        best = _most_certain(found)
        taken = rows & ~np.isnan(best.slope) & np.isfinite(best.error)  # an error that knows of the noise
        self.numerical[taken, column], self.error[taken, column] = best.slope[taken], best.error[taken]
        self.rounding[taken, column] = best.rounding[taken]
        sides = np.where(np.isfinite(found.left.error + found.right.error), found.left.error + found.right.error, 0.0)
        self.error[kink, column] = sides[kink]
        self.rounding[kink, column] = np.maximum(found.left.rounding, found.right.rounding)[kink]

    def widen(self) -> None:
        """Add to the tolerance what the last places of the arguments change in the analytic derivatives."""
        if self.settings.rtol is not None:
            return
        rng = np.random.default_rng(0)
        neighbours = []
        for _ in range(4):
            data = []
            for x in self.subject.data:
                steps = rng.choice([-2.0, -1.0, 1.0, 2.0], np.shape(x))
                moved = np.asarray(x) + steps * np.spacing(abs(np.asarray(x)))
                data.append(np.asarray(moved, x.dtype) if isinstance(x, np.ndarray) else float(moved))
            try:
                neighbours.append(self.subject.jacobian(self.settings.mode, data))
            except Exception:
                return  # the arguments lie at the edge of what the function takes
        # Not from the place itself: a gradient may be wrong just there.
        with np.errstate(all="ignore"):
            unrest = np.ptp(neighbours, axis=0)
        most = BLUR * self.finite.max(axis=1, keepdims=True)
        self.blur = np.where(self.kink, 0.0, np.fmin(2 * unrest, most))

    def tolerance(self, *, certain: bool = False) -> np.ndarray:
        """How far apart the two derivatives may be, or might be if the numerical one were certain."""
        with np.errstate(all="ignore"):
            doubt: Any = COMPLEX_STEP
            if self.method == "differences" and not certain:
                believable = DOUBT * self.finite.max(axis=1, keepdims=True) + 4 * self.rounding
                believable = np.maximum(believable, self.precision ** (2 / 3) * self.own)
                doubt = np.fmin(4 * self.error, believable) + np.finfo(float).tiny
            size = np.maximum(abs(self.analytic), abs(self.numerical))
            return (
                self.absolute + self.blur + self.underflow + doubt + self.rtol * np.where(np.isfinite(size), size, 0.0)
            )

    def contested(self) -> np.ndarray:
        """The numerical derivatives; at a kink the one of those in question that the analytic one has to meet."""
        numerical = self.numerical.copy()
        low, high = np.minimum(self.left, self.right)[self.kink], np.maximum(self.left, self.right)[self.kink]
        given = self.analytic[self.kink]
        if self.settings.kinks == "raise":
            numerical[self.kink] = np.where(high - given > given - low, high, low)
        else:
            numerical[self.kink] = np.clip(given, low, high)
        return numerical

    def distance(self) -> np.ndarray:
        """How far apart the two derivatives are; infinitely where one of them is not finite."""
        with np.errstate(all="ignore"):
            distance = abs(self.analytic - self.contested())
        distance = np.where(np.isfinite(distance), distance, np.inf)
        return np.where(self.skipped(), 0.0, distance)

    def skipped(self) -> np.ndarray:
        """Which entries are left out."""
        return self.kink & (self.settings.kinks == "skip")

    def excess(self) -> np.ndarray:
        """The distance over the tolerance."""
        with np.errstate(all="ignore"):
            return self.distance() / self.tolerance()

    def wrong(self) -> np.ndarray:
        """Which entries are too far apart."""
        return ~(self.distance() <= self.tolerance())

    def place(self) -> tuple[int, int]:
        """The row and column of the entry farthest apart; of wrong ones, one that lies at no kink comes first."""
        excess = np.where(self.certain, self.excess(), 0.0)
        if (excess[~self.kink] > 1).any():
            excess = np.where(self.kink, 0.0, excess)
        row, column = np.unravel_index(np.argmax(excess), excess.shape)
        return int(row), int(column)

    def worst(self) -> Comparison:
        """The entry farthest apart."""
        subject = self.subject
        row, column = self.place()
        argument, index = place_of(column, subject.names, subject.data)
        result, result_index = place_of(row, subject.results, subject.values)
        sides = self.left[row, column], self.right[row, column]
        known = not np.isnan(sides).all()
        return Comparison(
            order=self.settings.order,
            argument=argument,
            index=index,
            result=result,
            result_index=result_index,
            analytic=float(self.analytic[row, column]),
            numerical=float(self.contested()[row, column]),
            error=float(self.error[row, column]),
            tolerance=float(self.tolerance()[row, column]),
            method=self.method,
            op=subject.op,
            mode=self.settings.mode,
            at=float(in_a_row(subject.data)[column]),
            left=float(sides[0]) if known else None,
            right=float(sides[1]) if known else None,
            kink=bool(self.kink[row, column]),
            unit=self.precision,
            skipped=int(self.skipped().sum()),
        )

    def explained(self, worst: Comparison) -> Comparison:
        """The same with the one-sided derivatives, and the operation to blame."""
        subject, settings = self.subject, self.settings
        if worst.left is None:
            row, column = self.place()
            found = limits(self.line(column), scale=self.scales[column], own=self.sizes[column], unit=subject.unit)
            worst = replace(worst, left=float(found.left.slope[row]), right=float(found.right.slope[row]))
        if isinstance(subject, Recorded) and settings.blame and not worst.kink and np.isfinite(worst.numerical):
            alone = partial(_alone, settings=replace(settings, kinks="skip", blame=False))
            worst = replace(worst, first_wrong=first_wrong(subject, settings.order, alone))
        return worst


def _alone(operation: Subject, settings: Settings) -> None:
    """Raise where the rule of one operation is wrong by itself."""
    found = projections(operation, settings)
    if all(one.passes for one in found):
        return
    if operation.count > LARGE:
        for one in found:
            if one.smooth and one.comparison.excess > 1:
                error = GradientError(f"The rule of {operation.name!r} is wrong. It was checked alone. Correct it.")
                error.worst = one.comparison
                raise error
        return
    judge(operation, settings)


def agree(function: Recorded, settings: Settings) -> Comparison:
    """Compare the derivatives by both modes with each other; raise GradientError where they differ."""
    table = _Table(function, replace(settings, mode="reverse", kinks="skip"))
    if not table.analytic.size:
        return judge(function, settings)
    table.method, table.numerical = "forward mode", function.jacobian("forward")
    table.error = table.rounding = np.zeros_like(table.analytic)
    wrong = table.wrong()
    worst = table.worst()
    if wrong.any():
        _fail(function, settings, table.explained(worst), int(wrong.sum()), wrong.size)
    return worst


def _most_certain(found: Limits) -> Limit:
    """Of the derivatives on the left, on the right and of both sides the one with the smallest error, entrywise."""
    slope, error, rounding = found.both
    for side in (found.left, found.right):
        better = np.isfinite(side.slope) & ~(np.isfinite(slope) & (error <= side.error))
        slope, error = np.where(better, side.slope, slope), np.where(better, side.error, error)
        rounding = np.where(better, side.rounding, rounding)
    return Limit(slope, error, rounding)


def _fail(subject: Subject, settings: Settings, worst: Comparison, wrong: int, count: int) -> NoReturn:
    """Raise the error that reports the worst entry."""
    op = f", the single operation {worst.op!r}" if worst.op else ""
    sides = f"The derivative is {worst.left:.6g} on the left and {worst.right:.6g} on the right"
    if worst.kink:
        accepting = " or kinks='subgradient'" if settings.kinks == "raise" else ""
        cure = f"{sides}: check it away from the kink, or with kinks='skip'{accepting}"
    elif worst.error > worst.tolerance / 4:
        cure = "The numerical derivative is uncertain: check it away from poles, or give a larger rtol"
    elif isinstance(subject, HandWritten):
        cure = "Correct the gradient"
    elif worst.op and worst.first_wrong:
        cure = f"Correct the rule of {worst.op!r}"
    elif worst.first_wrong:
        cure = f"Correct the rule of {worst.first_wrong}, the first on the way that is wrong by itself"
    else:
        cure = "Each operation's own rule is right, so look for what is read beside the graph, as by .data"
    error = GradientError(
        f"The derivative of {worst.place} is {worst.analytic!r}, and {worst.numerical!r} by {worst.method} "
        f"(estimated error {worst.error:.1e}, tolerance {worst.tolerance:.1e}). "
        f"It is the worst of {wrong} wrong entries among {count} in {subject.name}{op}. {cure}.\n\n{worst}"
    )
    error.worst = worst
    raise error
