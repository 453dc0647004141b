"""The namespace of exact fractions: NumPy's names, for numbers that are never rounded."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from ..notation import exact


class Exact(Fraction):
    """A fraction that stays one: it takes floats as they are written, and refuses to become one."""

    dtype = np.dtype(object)  # of the arrays it goes into

    def __float__(self) -> float:
        raise TypeError(f"{Fraction(self)} would have to be rounded")

    def __truediv__(self, other: Any) -> Any:
        other = read(other)
        if not other:
            raise ValueError("nothing can be divided by 0")
        return Exact(Fraction(self) / Fraction(other))

    def __rtruediv__(self, other: Any) -> Any:
        return read(other) / self

    def __pow__(self, other: Any, modulo: Any = None) -> Any:
        exponent = Fraction(read(other))
        if exponent.denominator != 1:
            raise ValueError(f"a power with the exponent {exponent} is no fraction")
        return Exact(1) / self**-exponent if exponent < 0 else Exact(Fraction(self) ** exponent.numerator)

    def __rpow__(self, other: Any, modulo: Any = None) -> Any:
        return read(other) ** self


def _exactly(operate: Callable[..., Any]) -> Callable[..., Any]:
    """Fraction's own operator for operands as they are written, with a result that stays exact."""

    def call(self: Exact, *others: Any) -> Any:
        result = operate(self, *[read(other) for other in others])
        return Exact(result) if type(result) is Fraction else result

    return call


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "neg", "pos", "abs", "eq", "lt", "le", "gt", "ge"):
    setattr(Exact, f"__{_name}__", _exactly(getattr(Fraction, f"__{_name}__")))


def read(x: Any) -> Any:
    """A number, or an array or a list of them, in fractions; booleans stay as they are.

    A float is what it was written as, in the sense of `notation`. Raises ValueError for what is not finite.

    >>> print(read(0.1), read(1 / 3), read([2.5, 1e-3])[1])
    1/10 1/3 1/1000
    """
    if isinstance(x, list | tuple):
        return type(x)([read(each) for each in x])
    if isinstance(x, np.ndarray):
        return x if x.dtype == bool else _read_array(x)
    if isinstance(x, bool | np.bool_ | Exact):
        return x
    written = exact(x + 0)  # which takes the sign from a zero
    if written is None:
        raise ValueError(f"{x} is no fraction")
    return Exact(written)


def _read_array(x: np.ndarray) -> Any:
    # Entry by entry, because a float32 knows in how many digits it is written.
    return np.fromiter((read(each) for each in x.flat), object, x.size).reshape(x.shape)[()]


def leaf(data: Any) -> Any:
    """The data of a leaf in fractions; arrays of integers stay what they are, because they may be an index."""
    return data if isinstance(data, np.ndarray) and data.dtype.kind in "iu" else read(data)


def plain(x: Any) -> Any:
    """What was computed, exactly or not, as users get it: Python's numbers, Fractions, and arrays of their own."""
    if isinstance(x, Exact):
        return Fraction(x)
    if isinstance(x, np.ndarray) and x.ndim:
        return _plain_entries(x) if x.dtype == object else x.copy()
    return plain(x.item()) if isinstance(x, np.generic | np.ndarray) else x


_plain_entries = np.frompyfunc(lambda x: Fraction(x), 1, 1)


class Fractions:
    """NumPy's functions for fractions and arrays of them; where the result would be none they raise TypeError."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(np, name)
        data = read if isinstance(function, np.ufunc) else _read_floats  # others are given shapes and axes too
        if name.startswith("logical_"):
            data = _truth

        def call(*inputs: Any, **params: Any) -> Any:
            try:
                result = function(*[data(x) for x in inputs], **params)
            except TypeError as error:
                raise TypeError(f"{name} of a fraction is no fraction") from error
            if isinstance(result, np.ndarray) and not result.ndim:
                result = result[()]
            if isinstance(result, float) or getattr(result, "dtype", Exact.dtype).kind == "f":
                raise TypeError(f"{name} of a fraction is no fraction")
            return Exact(result) if type(result) is Fraction else result

        return call

    def asarray(self, x: Any, dtype: Any = None) -> Any:
        """The fractions as they are: there is one dtype of them."""
        return read(x)

    def isfinite(self, x: Any) -> Any:
        """Every fraction is finite."""
        return np.ones(np.shape(x), bool)[()]

    def isnan(self, x: Any) -> Any:
        """No fraction is NaN."""
        return np.zeros(np.shape(x), bool)[()]


def _read_floats(x: Any) -> Any:
    """What is surely data in fractions, and everything else as it is."""
    if isinstance(x, list | tuple):
        return type(x)([_read_floats(each) for each in x])
    return read(x) if isinstance(x, float) or getattr(x, "dtype", Exact.dtype).kind == "f" else x


def _truth(x: Any) -> Any:
    return np.not_equal(x, 0)


FRACTIONS = Fractions()
