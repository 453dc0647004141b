"""Numbers and texts for readers: short decimals, true minus signs, arrays at a glance; what a float was written as."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import copysign, isfinite, log10
from typing import Any

import numpy as np

from ..graph import Node

LETTERS = 40  # of a name; a longer one is cut
SMALL = 10**4  # the denominators that a number is taken to come from by division


def figure(x: Any, digits: int | None = 6) -> str:
    """Return a number or an array, or what a node holds, as short text; with digits=None it reads back.

    >>> figure(0.7310585786, 5), figure(-0.5), figure(1.2e-7), figure(np.eye(2))
    ('0.73106', '−0.5', '1.2e-07', '[[1, 0], [0, 1]]')
    >>> figure(np.linspace(-0.5, 2.1, 12).reshape(3, 4))
    '(3, 4) from −0.5 to 2.1'
    """
    return _figure(x, digits, with_minus)


def figure_latex(x: Any, digits: int | None = 6) -> str:
    r"""Return a number or an array, or what a node holds, as short LaTeX.

    >>> print(figure_latex(1.2e-7), figure_latex([1.0, float("inf")]))
    1.2 \cdot 10^{-7} \left[1,\, \infty\right]
    """
    array = np.asarray(x._value if isinstance(x, Node) else x)
    if array.ndim == 2 and 0 < array.size <= 8:
        rows = [" & ".join([_figure(part, digits, decimal_latex) for part in row]) for row in array]
        return r"\begin{pmatrix}" + r" \\ ".join(rows) + r"\end{pmatrix}"
    written = _figure(x, digits, decimal_latex)
    if written.startswith("("):
        return rf"\text{{{written.replace('−', '-')}}}"
    return written.replace("[", r"\left[").replace("]", r"\right]").replace(", ", r",\, ")


def _figure(x: Any, digits: int | None, sign: Callable[[str], str]) -> str:
    if isinstance(x, Node):
        x = x._value
    if isinstance(x, bool | int | Fraction | np.bool_ | np.integer):
        return sign(str(x))
    if isinstance(x, float | np.floating):
        return sign(shortest(x) if digits is None else f"{x:.{digits}g}")
    array = np.asarray(x)
    if not array.ndim:
        return _figure(array.item(), digits, sign)
    if array.size <= 8:
        return "[" + ", ".join(_figure(part, digits, sign) for part in array) + "]"
    known = array[~np.isnan(array)] if array.dtype.kind == "f" else array
    few = min(digits or 6, 6)
    spread = f" from {figure(known.min(), few)} to {figure(known.max(), few)}" if known.size else ""
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


def whole(count: int) -> str:
    """A whole number of any size in a few characters: exact while it can be read.

    >>> whole(1234567), whole(9 * 10**20)
    ('1 234 567', 'about 10^21')
    """
    return f"{count:,}".replace(",", " ") if count < 10**15 else f"about 10^{log10(count):.0f}"


def shortened(text: str, letters: int = LETTERS) -> str:
    """Text in one line without control characters, cut where it is long.

    >>> shortened("a name that is long", 8)
    'a name …'
    """
    if len(text) > letters:
        text = f"{text[: letters - 1]}…"
    if text.isprintable():
        return text
    return "".join([sign if sign.isprintable() or sign == "\u200d" else " " for sign in text])  # which joins emoji


def shortest(x: Any) -> str:
    """The shortest decimal that reads back, without an idle ".0"."""
    written = str(x)
    return written if written == "-0.0" else written.removesuffix(".0")


def exact(x: Any) -> Fraction | None:
    """The number as it was written; None for what is no finite number, and for −0.

    A float is the decimal that it is written as, or the fraction of small numbers that a long one comes of.

    >>> exact(0.1), exact(1 / 3), exact(0.30000000000000004)
    (Fraction(1, 10), Fraction(1, 3), Fraction(7500000000000001, 25000000000000000))
    """
    if isinstance(x, int | Fraction | np.integer) and not isinstance(x, bool):
        return Fraction(int(x)) if isinstance(x, np.integer) else Fraction(x)
    if not isinstance(x, float | np.floating) or not isfinite(x) or (x == 0 and copysign(1, x) < 0):
        return None
    written = Fraction(str(x))  # of a float32 too: in as many digits as it has
    if written.denominator > 10**7:
        near = written.limit_denominator(SMALL - 1)
        # Large numbers lie so far apart that many would be some fraction by chance, and so do those of few bits.
        if abs(near.numerator) < 10**8 and isinstance(x, float) and float(near) == x:
            return near
    return written


def decimal(x: Fraction) -> float | None:
    """The float whose shortest decimal is exactly x, if there is one."""
    try:
        near = float(x)
    except OverflowError:
        return None
    return near if Fraction(repr(near)) == x else None
