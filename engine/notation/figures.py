"""Numbers for readers: short decimals, true minus signs, arrays at a glance; and what a float was written as."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import copysign, isfinite
from typing import Any

import numpy as np

from ..graph import Node


def figure(x: Any, digits: int = 6) -> str:
    """Return a number or an array, or what a node holds, as short text.

    >>> figure(0.7310585786, 5), figure(-0.5), figure(1.2e-7), figure(np.eye(2))
    ('0.73106', '−0.5', '1.2e-07', '[[1, 0], [0, 1]]')
    >>> figure(np.linspace(-0.5, 2.1, 12).reshape(3, 4))
    '(3, 4) from −0.5 to 2.1'
    """
    return _figure(x, digits, with_minus)


def figure_latex(x: Any, digits: int = 6) -> str:
    r"""Return a number or an array, or what a node holds, as short LaTeX.

    >>> print(figure_latex(1.2e-7), figure_latex([1.0, float("inf")]))
    1.2 \cdot 10^{-7} \left[1,\, \infty\right]
    """
    written = _figure(x, digits, decimal_latex)
    if written.startswith("("):
        return rf"\text{{{written.replace('−', '-')}}}"
    return written.replace("[", r"\left[").replace("]", r"\right]").replace(", ", r",\, ")


def _figure(x: Any, digits: int, sign: Callable[[str], str]) -> str:
    if isinstance(x, Node):
        x = x._value
    if isinstance(x, bool | int | Fraction | np.bool_ | np.integer):
        return sign(str(x))
    if isinstance(x, float | np.floating):
        return sign(f"{x:.{digits}g}")
    array = np.asarray(x)
    if not array.ndim:
        return _figure(array.item(), digits, sign)
    if array.size <= 8:
        return "[" + ", ".join(_figure(part, digits, sign) for part in array) + "]"
    known = array[~np.isnan(array)] if array.dtype.kind == "f" else array
    spread = (
        f" from {figure(known.min(), min(digits, 6))} to {figure(known.max(), min(digits, 6))}" if known.size else ""
    )
    return f"{array.shape}{spread}{' with NaN' if known.size < array.size else ''}"


def with_minus(string: str) -> str:
    """A number with the true minus sign."""
    return f"−{string[1:]}" if string.startswith("-") else string


def decimal_latex(string: str) -> str:
    """A number, as Python prints it, as LaTeX."""
    mantissa, e, exponent = string.partition("e")
    if string.lstrip("-") in ("inf", "nan"):
        return string.replace("inf", r"\infty").replace("nan", r"\mathrm{NaN}")
    if string in ("True", "False"):
        return rf"\mathrm{{{string}}}"
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else string


def shortest(x: Any) -> str:
    """The shortest decimal that reads back, without an idle ".0"."""
    return repr(x).removesuffix(".0") if isinstance(x, float) and (x or copysign(1, x) > 0) else str(x)


def exact(x: Any) -> Fraction | None:
    """The number as it was written; None for what is no finite number, and for −0.

    >>> exact(0.1), exact(1 / 3)
    (Fraction(1, 10), Fraction(1, 3))
    """
    if isinstance(x, Fraction):
        return x
    if type(x) is int:
        return Fraction(x)
    if type(x) is not float or not isfinite(x) or (x == 0 and copysign(1, x) < 0):
        return None
    written = Fraction(repr(x))
    if written.denominator > 10**14 and float(short := written.limit_denominator(1000)) == x:
        return short  # 0.3333333333333333 is how a float writes 1/3
    return written


def decimal(x: Fraction) -> float | None:
    """The float whose shortest decimal is exactly x, if there is one."""
    try:
        near = float(x)
    except OverflowError:
        return None
    return near if Fraction(repr(near)) == x else None
