"""The expression: a symbol, a number, an array, or an operation applied to expressions; and what may be simplified.

Numbers are folded as they are written, in exact arithmetic. Nothing is simplified that would change where entries are
infinite or NaN: 0·x and x − x stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from .. import primitives as table
from ..errors import GraphError
from ..row import Primitive
from .figures import SMALL, decimal, exact
from .printing import ELLIPSIS, PYTHON, TEXT, write
from .typesetting import LATEX


class Expression:
    """A symbol, a number, an array, or an operation applied to expressions; it never changes.

    >>> x = symbol("x")
    >>> print(apply("multiply", [2, apply("power", [apply("subtract", [x, 1]), 2])]))
    2·(x − 1)²
    """

    __slots__ = ("_hash", "args", "depth", "op", "params", "size", "value")

    def __init__(
        self,
        op: Primitive | str | None,
        args: Sequence[Expression] = (),
        params: Mapping | None = None,
        value: Any = None,
    ) -> None:
        self.op = op  # a row, or one of the MARKS of printing.py; None for what `value` holds
        self.args = tuple(args)
        self.params = dict(params or {})
        self.value = value  # the name of a symbol, a number, or an array
        self.size: int = 1 + sum([x.size for x in self.args])
        self.depth: int = 1 + max([x.depth for x in self.args], default=0)
        self._hash: int = hash((op, tuple([x._hash for x in self.args]), repr(self.params), self._data()))

    def _data(self) -> Any:
        if isinstance(self.value, np.ndarray):
            return self.value.shape, self.value.dtype.str, self.value.tobytes()
        # What is left out twice need not be the same.
        return id(self) if self.value == ELLIPSIS else (type(self.value), repr(self.value))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        """Whether both are written in the same way."""
        pairs: list[tuple[Any, Any]] = [(self, other)]
        seen = set()
        while pairs:
            x, y = pairs.pop()
            if x is y or (id(x), id(y)) in seen:
                continue
            seen.add((id(x), id(y)))
            if not isinstance(y, Expression) or x._hash != y._hash or x.op is not y.op or len(x.args) != len(y.args):
                return False
            if repr(x.params) != repr(y.params) or x._data() != y._data():
                return False
            pairs += zip(x.args, y.args)
        return True

    @property
    def name(self) -> str:
        """The name of the operation; "" for a symbol, a number or an array, and a user's own, whatever it is called."""
        if isinstance(self.op, Primitive):
            return self.op.name if self.op.ours else ""
        return self.op or ""

    def text(self) -> str:
        """Return it as plain text, as in `(y − s)·W2`."""
        return write(self, TEXT)

    def latex(self) -> str:
        r"""Return it as LaTeX for mathematics mode, as in `(y - s) \cdot W_{2}`."""
        return write(self, LATEX)

    def python(self) -> str:
        """Return it as Python, in operators and functions of `engine`; raise DataError if it holds a derivative."""
        return write(self, PYTHON)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<expression {self.text()}>"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"


def symbol(name: str) -> Expression:
    """Return the expression that is just a name."""
    return Expression(None, value=str(name))


def number(x: Any) -> Expression:
    """Return a number as an expression; it prints as the shortest decimal that reads back, or as a short fraction."""
    if isinstance(x, Fraction):
        near = decimal(x)
        x = x.numerator if x.denominator == 1 else x if near is None else near
    if isinstance(x, np.floating):
        x = float(str(x))  # a float32 as it is written, in as many digits as it has
    return Expression(None, value=x.item() if isinstance(x, np.generic) else x)


def as_expression(x: Any) -> Expression:
    """Return an expression as it is, a string as a symbol, and a number or an array as an expression."""
    if isinstance(x, Expression):
        return x
    return Expression(None, value=x) if isinstance(x, str | np.ndarray) else number(x)


def apply(op: Primitive | str, args: Sequence[Any], **params: Any) -> Expression:
    """Return a row, given by itself or by its name, applied to expressions; simplified where that is safe.

    Raises GraphError for a name that is not in the table.

    >>> print(apply("sigmoid", [apply("subtract", ["x", apply("negative", [1])])]))
    σ(x + 1)
    """
    row = table.ROWS.get(op) if isinstance(op, str) else op
    if row is None:
        raise GraphError(
            f"{op!r} was to be written as an operation. The table has no row of this name. "
            "Give one of engine.primitives.ROWS, or the primitive itself."
        )
    expressions = [as_expression(x) for x in args]
    simplify = SIMPLIFICATIONS.get(row.name) if row.ours else None
    return (simplify and simplify(*expressions, **params)) or Expression(row, expressions, params)


def product(factors: Iterable[Any]) -> Expression:
    """Return the product, simplified where that is safe: numbers are multiplied, equal factors become powers.

    0·x stays, because it is NaN where x is infinite.

    >>> print(product([0.5, 2, "x", "y", "x"]), "and", product([0, "x"]))
    x²·y and 0·x
    """
    scale = Fraction(1)
    powers: dict[Expression, int] = {}
    for x in map(as_expression, factors):
        by, part = split(x)
        if short(scale * by):
            scale *= by
        else:
            part = x
        for each in [] if part is None else arguments("multiply", part):
            exponent = each.args[1].value if each.name == "power" else 1
            base = each.args[0] if each.name == "power" and type(exponent) is int and exponent > 0 else each
            powers[base] = powers.get(base, 0) + (1 if base is each else exponent)
    body = [x if n == 1 else Expression(table.ROWS["power"], [x, number(n)]) for x, n in powers.items()]
    return _times(scale, _joined("multiply", body) if body else None)


def total(terms: Iterable[Any]) -> Expression:
    """Return the sum, simplified where that is safe: numbers are added, equal terms of one sign merged.

    x − x stays, because it is NaN where x is infinite.

    >>> half = product([0.5, "x"])
    >>> print(total([half, half, 3, -3]), "and", total(["x", product([-1, "x"])]))
    x and x − x
    """
    merged: dict[Any, tuple[Fraction, Expression | None, Expression | None]] = {}
    for term in map(as_expression, terms):
        for part in arguments("add", term):
            scale, rest = split(part)
            key: Any = (rest, rest is None or (scale > 0) - (scale < 0))
            before = merged[key][0] if key in merged else Fraction(0)
            if (scale or rest is None) and short(before + scale):
                merged[key] = before + scale, rest, None if key in merged else part
            else:
                merged[len(merged)] = scale, rest, part
    if len(merged) > 1 and (None, True) in merged and not merged[None, True][0]:
        del merged[None, True]
    terms = [as_written or _times(scale, rest) for scale, rest, as_written in merged.values()]
    return _joined("add", terms) if terms else number(0)


def split(x: Expression) -> tuple[Fraction, Expression | None]:
    """Return an expression as a number times the rest; the rest is None where it is all number."""
    if x.op is None:
        written = None if isinstance(x.value, str | np.ndarray) else exact(x.value)
        return (Fraction(1), x) if written is None else (written, None)
    if x.name == "negative":
        scale, rest = split(x.args[0])
        return -scale, rest
    if x.name == "divide":
        by, rest = split(x.args[1])
        if rest is None and by:
            scale, rest = split(x.args[0])
            return scale / by, rest
    if x.name == "multiply":
        scale, rest = split(x.args[0])
        if rest is None:
            return scale, _joined("multiply", x.args[1:])
    return Fraction(1), x


def short(x: Fraction) -> bool:
    """Whether a number can be shown without loss."""
    return x.denominator < SMALL or decimal(x) is not None


def arguments(name: str, x: Expression) -> tuple[Expression, ...]:
    """Return the terms of a sum, the factors of a product, or whatever else has the given name; else x alone."""
    return x.args if x.name == name else (x,)


def _joined(name: str, parts: Sequence[Expression]) -> Expression:
    return parts[0] if len(parts) == 1 else Expression(table.ROWS[name], parts)


def _times(scale: Fraction, rest: Expression | None) -> Expression:
    """A number times an expression, as one writes it."""
    if rest is None:
        return number(scale)
    if scale == 1:
        return rest
    if scale == -1 or (scale < 0 and decimal(scale) is None):
        return Expression(table.ROWS["negative"], [_times(-scale, rest)])
    if decimal(scale) is None and scale.denominator > 1:
        return Expression(table.ROWS["divide"], [_times(Fraction(scale.numerator), rest), number(scale.denominator)])
    return _joined("multiply", [number(scale), *arguments("multiply", rest)])


# What apply() does beside writing the operation down; None leaves it as it is.


def _negative(x: Expression) -> Expression:
    scale, rest = split(x)
    if x.name == "divide" and scale > 0 and rest is not None:
        return Expression(table.ROWS["negative"], [x])  # −x/2, not −0.5·x
    return x.args[0] if x.name == "negative" else product([-1, x])


def _divide(x: Expression, y: Expression) -> Expression | None:
    (above, rest), (below, divisor) = split(x), split(y)
    if divisor is not None:
        return _negative(apply("divide", [_times(-above, rest), y])) if above < 0 else None
    if rest is not None and abs(above) == 1 and below > 1:
        return None if above > 0 else _negative(apply("divide", [rest, y]))  # x/2 stays
    if not below or not short(above / below):
        return None
    return _times(above / below, rest)


def _power(x: Expression, y: Expression) -> Expression | None:
    exponent = y.value
    if type(exponent) not in (int, float) or exponent not in range(10):
        return None
    if exponent < 2:
        return x if exponent else number(1)  # x**0 is 1 everywhere, also at NaN
    base, rest = split(x)
    if rest is None and short(base ** int(exponent)):
        return number(base ** int(exponent))
    return Expression(table.ROWS["power"], [x, number(int(exponent))])


def _transpose(x: Expression, axes: Any = None) -> Expression | None:
    return x.args[0] if axes is None and x.name == "transpose" and x.params.get("axes") is None else None


SIMPLIFICATIONS: dict[str, Callable[..., Expression | None]] = {
    "add": lambda x, y: total([x, y]),
    "subtract": lambda x, y: total([x, _negative(y)]),
    "multiply": lambda x, y: product([x, y]),
    "negative": _negative,
    "divide": _divide,
    "reciprocal": lambda x: apply("divide", [1, x]),
    "power": _power,
    "transpose": _transpose,
    "identity": lambda x: x,
    "hook": lambda x, function: x,
}
