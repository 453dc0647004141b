"""Rows: + - * / ** and the sign change."""

from functools import partial

from ..row import floating, primitive

elementwise = partial(primitive, kind="elementwise")


@elementwise(
    x=lambda xp, g, out, x, y: g,
    y=lambda xp, g, out, x, y: g,
    analytic=True,
    latex="{x} + {y}",
    derivatives={"x": "1", "y": "1"},
)
def add(xp, x, y):
    """Sum, elementwise, with broadcasting.

    >>> import engine
    >>> engine.add(engine.Value(2.0), 3.0)
    Value(5.0)
    """
    return xp.add(x, y)


@elementwise(
    x=lambda xp, g, out, x, y: g,
    y=lambda xp, g, out, x, y: -g,
    analytic=True,
    latex="{x} - {y}",
    derivatives={"x": "1", "y": "-1"},
)
def subtract(xp, x, y):
    """Difference, elementwise, with broadcasting.

    >>> import engine
    >>> engine.subtract(engine.Value(2.0), 3.0)
    Value(-1.0)
    """
    return xp.subtract(x, y)


@elementwise(
    x=lambda xp, g, out, x, y: g * y,
    y=lambda xp, g, out, x, y: g * x,
    analytic=True,
    latex=r"{x} \cdot {y}",
    derivatives={"x": "y", "y": "x"},
)
def multiply(xp, x, y):
    """Product, elementwise, with broadcasting.

    >>> import engine
    >>> engine.multiply(engine.Value(2.0), 3.0)
    Value(6.0)
    """
    return xp.multiply(x, y)


@elementwise(
    x=lambda xp, g, out, x, y: xp.divide(g, y),
    y=lambda xp, g, out, x, y: -xp.divide(g * out, y),
    domain={"y": (0.1, 10.0)},
    analytic=True,
    latex=r"\frac{{{x}}}{{{y}}}",
    derivatives={"x": "1 / y", "y": "-x / y**2"},
)
def divide(xp, x, y):
    """Quotient, elementwise; a zero divisor gives NumPy's answer, an infinity or NaN.

    >>> import engine
    >>> engine.divide(engine.Value(1.0), 0.0)
    Value(inf)
    """
    return xp.divide(x, y)


@elementwise(x=lambda xp, g, out, x: -g, analytic=True, latex="-{x}", derivatives={"x": "-1"})
def negative(xp, x):
    """Change of sign, elementwise.

    >>> import engine
    >>> engine.negative(engine.Value(2.0))
    Value(-2.0)
    """
    return xp.negative(x)


@elementwise(
    x=lambda xp, g, out, x: -g * (out * out),
    domain={"x": (0.1, 10.0)},
    analytic=True,
    latex=r"\frac{{1}}{{{x}}}",
    derivatives={"x": "-1 / x**2"},
)
def reciprocal(xp, x):
    """Quotient 1 / x, elementwise.

    >>> import engine
    >>> engine.reciprocal(engine.Value(4.0))
    Value(0.25)
    """
    return xp.reciprocal(floating(xp, x))


def _power_by_base(xp, g, out, x, y):
    if type(y) in (int, float) and y != 0:
        return g * (y * xp.power(x, y - 1))
    # x**0 is 1 everywhere, so its derivative is 0 also where 0 * x**-1 is not: at zero and at infinity.
    flat = xp.logical_and(xp.equal(y, 0), xp.logical_not(xp.isfinite(xp.power(x, -1.0) + x)))
    return g * (y * xp.power(x, xp.where(flat, 0.0, y - 1)))


def _power_by_exponent(xp, g, out, x, y):
    # 0**y is 0 for every y > 0, so its derivative is 0 where 0 * log(0) is not.
    flat = xp.logical_and(xp.equal(x, 0), xp.greater(y, 0))
    return g * (out * xp.log(xp.where(flat, 1.0, x)))


@elementwise(
    x=_power_by_base,
    y=_power_by_exponent,
    domain={"x": (0.1, 3.0)},
    analytic=True,
    latex="{x}^{{{y}}}",
    derivatives={"x": "y * x**(y - 1)", "y": "out * log(x)"},
)
def power(xp, x, y):
    """Power, elementwise; a negative base with a fractional exponent is NaN, as in NumPy.

    The derivative by the base is 0 for the exponent 0, everywhere. The derivative by the exponent is 0 at base 0 with a
    positive exponent, and NaN for a negative base.

    >>> import engine
    >>> engine.power(engine.Value(3.0), 2)
    Value(9.0)
    """
    return xp.power(x, y)
