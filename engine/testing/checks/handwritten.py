"""A function of any making with a gradient written by hand, as a subject to check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import DataError, ShapeError
from ...structure import flatten
from .differences import EPSILON
from .entries import precision, widened
from .subjects import Subject, Wanted, check_results, name_of, parted


class HandWritten(Subject):
    """Any function of numbers and arrays, with a gradient that somebody wrote."""

    coarsest: float = EPSILON
    """The relative precision of the gradient."""

    def __init__(self, f: Callable[..., Any], gradient: Callable[..., Any], args: tuple, wrt: Wanted = None) -> None:
        self.name = name_of(f)
        self.f, self.hand_written = f, gradient
        self.given, places, self.free, self.rebuild = parted(f, args, wrt, "check_gradient")
        self.data, self.names = [self.given[i] for i in self.free], [places[i] for i in self.free]
        self.wanted = wrt
        self.count_given = len(args)
        result = self.compute(self.data)
        self.results, self.values = ["result"], [np.array(x) for x in result]
        check_results(self)
        self.base = [widened(x) for x in self.data]
        wide = self._at_double_precision()
        if wide is None:
            self.base, wide = self.data, result
        self.unit = max(precision(x) for x in [*wide, *self.base])

    def _at_double_precision(self) -> list[Any] | None:
        """The results for data of double precision, or None if the function wants none of it."""
        if all(precision(x) == EPSILON for x in self.data):
            return None
        try:
            wide = self.compute(self.base)
        except Exception:
            return None  # a library that refuses to mix dtypes says so in its own way
        near = [np.allclose(x, y, rtol=0.1, atol=0.1) for x, y in zip(wide, self.values, strict=True)]
        return wide if all(near) and all(x.dtype == float for x in wide) else None

    def compute(self, data: Sequence[Any]) -> list[Any]:
        """The result at other data."""
        y = np.asarray(self.f(*self._arguments(data)))
        if y.dtype.kind not in "fiub":
            raise DataError(
                f"{self.name} returned {y!r} of dtype {y.dtype}. It is the function that check_gradient was given. "
                "Return one number or one array of real numbers."
            )
        return [y if y.dtype.kind == "f" else y.astype(float)]

    def _arguments(self, data: Sequence[Any]) -> Any:
        entries = list(self.given)
        for i, x in zip(self.free, data, strict=True):
            entries[i] = x.copy() if isinstance(x, np.ndarray) else x  # whatever f does to its arguments
        return self.rebuild(entries)

    @property
    def precision(self) -> float:
        """The relative precision of the coarsest of arguments, result and gradient."""
        return max([self.coarsest, *(precision(x) for x in [*self.data, *self.values])])

    def jacobian(self, mode: str = "given", data: Sequence[Any] | None = None) -> np.ndarray:
        """The Jacobian as it was written by hand."""
        given = self.hand_written(*self._arguments(self.data if data is None else data))
        parts = flatten(given)[0]
        if len(parts) > len(self.free) == 1 and not isinstance(given, tuple):
            parts = [given]  # a list of numbers for one array
        if isinstance(given, tuple) and len(given) == self.count_given and len(parts) == len(self.given):
            parts = [parts[i] for i in self.free]  # not of those that are held fixed
        shape = np.shape(self.values[0])
        try:
            arrays = [np.asarray(part) for part in parts]
        except ValueError:
            arrays = []  # rows of different lengths
        if not arrays or not all(array.dtype.kind in "fiub" for array in arrays):
            raise DataError(
                f"The gradient of {self.name} returned {given!r}, which is not made of real numbers. "
                f"The result has the shape {shape}. Return a number or an array, or a tuple of them for many arguments."
            )
        wanted = [shape + np.shape(x) for x in self.data]
        if [array.shape for array in arrays] != wanted:
            raise ShapeError(
                f"The gradient of {self.name} returned arrays of shapes {[array.shape for array in arrays]}. "
                f"The result has the shape {shape}, and what to differentiate by {[np.shape(x) for x in self.data]}. "
                f"Return arrays of shapes {wanted}, in a tuple if there are several."
            )
        self.coarsest = max(precision(array) for array in arrays)
        rows = [
            array.astype(float).reshape(np.size(self.values[0]), np.size(x))
            for array, x in zip(arrays, self.data, strict=True)
        ]
        return np.concatenate(rows, axis=1)
