"""What is checked: a function of a flat list of numbers and arrays, and its analytic derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import DataError, GradientError
from ...graph import Node
from ...structure import flatten
from .differences import EPSILON
from .entries import in_a_row, is_real, like, places_of, widened

Wanted = int | Sequence[int] | None
"""Positions of the arguments to differentiate by; None for all."""


class Subject:
    """A function of a flat list of numbers and arrays, with a name for each of them and for each result."""

    name: str
    op: str | None = None
    """The name of the operation, where the function is a single one."""
    names: list[str]
    data: list[Any]
    results: list[str]
    values: list[Any]
    """The results at `data`."""
    base: list[Any]
    """The data from which differences start, in double precision if the function allows it."""
    unit: float = EPSILON
    """The relative precision in which the function computes from there."""
    cancelled: float = 0.0
    """The size of numbers on the way of which nothing may be left in the results but their rounding."""

    def compute(self, data: Sequence[Any]) -> list[Any]:
        """The results at other data."""
        raise NotImplementedError

    def jacobian(self, mode: str, data: Sequence[Any] | None = None) -> np.ndarray:
        """The analytic derivatives, of shape (results, arguments), here or at other data."""
        raise NotImplementedError

    @property
    def precision(self) -> float:
        """The relative precision of the coarsest dtype on the way to the analytic derivatives."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """How many derivatives there are: entries of the results times entries of the arguments."""
        return sum(np.size(y) for y in self.values) * sum(np.size(x) for x in self.data)

    def moved(self, change: np.ndarray) -> np.ndarray:
        """All results in one row, in double precision, with all arguments moved, these in one row too."""
        data, start = [], 0
        for x in self.base:
            part = change[start : start + np.size(x)].reshape(np.shape(x))
            data.append(like(widened(x) + part, x))
            start += np.size(x)
        try:
            row = in_a_row(self.compute(data))
        except Exception:  # outside its domain, as of math.log: other functions return NaN there
            row = np.zeros(0)
        count = sum(np.size(y) for y in self.values)
        return row if len(row) == count else np.full(count, np.nan)

    def nudged(self, position: int, change: float) -> np.ndarray:
        """All results in one row with one entry of the arguments moved."""
        changes = np.zeros(sum(np.size(x) for x in self.data))
        changes[position] = change
        return self.moved(changes)

    def sizes(self) -> np.ndarray:
        """How large each entry of the arguments is: a zero as large as the largest beside it, or 0 if there is none."""
        parts = [np.where(np.ravel(x) == 0, abs(np.ravel(x)).max(initial=0.0), abs(np.ravel(x))) for x in self.data]
        return in_a_row(parts)


def parted(f: Any, args: tuple, wrt: Wanted, who: str) -> tuple[list[Any], list[str], list[int], Callable[..., Any]]:
    """Return all entries of the arguments, their names, the positions of those that may move, and the way back.

    Raises DataError where none may move, or `wrt` names an argument that is not there.
    """
    entries, rebuild = flatten(list(args))
    places = list(places_of(list(args), "args"))
    chosen = range(len(args)) if wrt is None else np.ravel(np.asarray(wrt, dtype=object)).tolist()
    if not all(type(i) is not bool and isinstance(i, int | np.integer) and -len(args) <= i < len(args) for i in chosen):
        raise DataError(
            f"{who} was given wrt={wrt!r} for {name_of(f)}, which was called with {len(args)} arguments. "
            "It holds the positions of the arguments to differentiate by, counted from 0. Write wrt=0 or wrt=(0, 2)."
        )
    owners = [i for i, arg in enumerate(args) for _ in flatten(arg)[0]]
    wanted = {i % len(args) for i in chosen}
    data = [x._value if isinstance(x, Node) else x for x in entries]
    free = [i for i, x in enumerate(data) if owners[i] in wanted and is_real(x)]
    if not free:
        raise DataError(
            f"{who} was given {name_of(f)} and no floating-point argument to differentiate by. "
            f"Its arguments are {args!r}. Give floats, or arrays of floats: integers are held fixed."
        )
    for i in free:
        if not np.isfinite(data[i]).all():
            raise DataError(
                f"{who} was given {name_of(f)} with {places[i]} = {data[i]}. It compares what the function does near "
                "its arguments, and there is nothing near NaN or infinity. Check it at finite numbers."
            )
    return entries, places, free, rebuild


def check_results(subject: Subject) -> None:
    """Raise DataError where there is no result or it is left to chance, and GradientError where it is not finite."""
    if not subject.values:
        raise DataError(
            f"check_gradients was given {subject.name}, which returns no floating-point number. "
            f"It was called with {len(subject.data)} arguments. Only floating-point results have derivatives."
        )
    for result, y, again in zip(subject.results, subject.values, subject.compute(subject.data), strict=True):
        if not np.isfinite(y).all():
            called = ", ".join(f"{name} = {x}" for name, x in zip(subject.names, subject.data, strict=True))
            raise GradientError(
                f"{result.capitalize()} of {subject.name} is {y}, which has no derivative. "
                f"It was called with {called}. Check it at a point where it is finite."
            )
        if np.shape(y) != np.shape(again) or not np.allclose(
            y, again, rtol=1e-3, atol=1e-3 * np.max(abs(y), initial=0)
        ):
            raise DataError(
                f"{subject.name} returned {y} at first, and then {again} for the same arguments. "
                "Its derivative is that of one function, the same at each call. "
                "Draw random numbers from a generator that the function makes anew with a fixed seed."
            )


def name_of(f: Any) -> str:
    """Return the name by which messages speak of a function.

    >>> name_of(max), name_of(lambda x: x)
    ('max', 'the function')
    """
    name = getattr(f, "__name__", repr(f))
    return "the function" if name == "<lambda>" else name
