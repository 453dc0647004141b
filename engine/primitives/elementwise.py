"""Rows: functions of each entry by itself, and choices between two entries."""

import functools
import math
from functools import partial
from math import inf

import numpy as np

from ..row import floating, primitive, shape_of

elementwise = partial(primitive, kind="elementwise")


@elementwise(x=lambda xp, g, out, x: g * out, analytic=True, latex="e^{{{x}}}", derivatives={"x": "out"})
def exp(xp, x):
    """Exponential function.

    >>> import engine
    >>> engine.exp(engine.Value(0.0))
    Value(1.0)
    """
    return xp.exp(x)


@elementwise(
    x=lambda xp, g, out, x: xp.divide(g, x),
    domain={"x": (0.0, inf)},
    analytic=True,
    latex=r"\log {x}",
    derivatives={"x": "1 / x"},
)
def log(xp, x):
    """Natural logarithm: -inf at 0 and NaN below.

    >>> import engine
    >>> engine.log(engine.Value(1.0))
    Value(0.0)
    """
    return xp.log(x)


@elementwise(
    x=lambda xp, g, out, x: xp.divide(g, 1 + x),
    domain={"x": (-1.0, inf)},
    analytic=True,
    latex=r"\log(1 + {x})",
    derivatives={"x": "1 / (1 + x)"},
)
def log1p(xp, x):
    """Natural logarithm of 1 + x, exact for small x.

    >>> import engine
    >>> engine.log1p(engine.Value(0.0))
    Value(0.0)
    """
    return xp.log1p(x)


@elementwise(
    x=lambda xp, g, out, x: g * xp.exp(x),  # out + 1 would lose the small ones
    analytic=True,
    latex="e^{{{x}}} - 1",
    derivatives={"x": "exp(x)"},
)
def expm1(xp, x):
    """Exponential function minus 1, exact for small x.

    >>> import engine
    >>> engine.expm1(engine.Value(0.0))
    Value(0.0)
    """
    return xp.expm1(x)


@elementwise(
    x=lambda xp, g, out, x: xp.divide(g, 2 * out),
    domain={"x": (0.0, inf)},
    analytic=True,
    latex=r"\sqrt{{{x}}}",
    derivatives={"x": "1 / (2 * out)"},
)
def sqrt(xp, x):
    """Square root; its derivative at 0 is inf.

    >>> import engine
    >>> engine.sqrt(engine.Value(9.0))
    Value(3.0)
    """
    return xp.sqrt(x)


@elementwise(x=lambda xp, g, out, x: g * xp.cos(x), analytic=True, latex=r"\sin {x}", derivatives={"x": "cos(x)"})
def sin(xp, x):
    """Sine of x in radians.

    >>> import engine
    >>> engine.sin(engine.Value(0.0))
    Value(0.0)
    """
    return xp.sin(x)


@elementwise(x=lambda xp, g, out, x: -g * xp.sin(x), analytic=True, latex=r"\cos {x}", derivatives={"x": "-sin(x)"})
def cos(xp, x):
    """Cosine of x in radians.

    >>> import engine
    >>> engine.cos(engine.Value(0.0))
    Value(1.0)
    """
    return xp.cos(x)


@elementwise(
    x=lambda xp, g, out, x: g * (1 + out * out),
    domain={"x": (-1.4, 1.4)},
    analytic=True,
    latex=r"\tan {x}",
    derivatives={"x": "1 + out**2"},
)
def tan(xp, x):
    """Tangent of x in radians.

    >>> import engine
    >>> engine.tan(engine.Value(0.0))
    Value(0.0)
    """
    return xp.tan(x)


@elementwise(
    x=lambda xp, g, out, x: xp.divide(g, 1 + x * x),
    analytic=True,
    latex=r"\arctan {x}",
    derivatives={"x": "1 / (1 + x**2)"},
)
def arctan(xp, x):
    """Angle between -pi/2 and pi/2 whose tangent is x.

    >>> import engine
    >>> engine.arctan(engine.Value(0.0))
    Value(0.0)
    """
    return xp.arctan(x)


@elementwise(x=lambda xp, g, out, x: g * xp.cosh(x), analytic=True, latex=r"\sinh {x}", derivatives={"x": "cosh(x)"})
def sinh(xp, x):
    """Hyperbolic sine.

    >>> import engine
    >>> engine.sinh(engine.Value(0.0))
    Value(0.0)
    """
    return xp.sinh(x)


@elementwise(x=lambda xp, g, out, x: g * xp.sinh(x), analytic=True, latex=r"\cosh {x}", derivatives={"x": "sinh(x)"})
def cosh(xp, x):
    """Hyperbolic cosine.

    >>> import engine
    >>> engine.cosh(engine.Value(0.0))
    Value(1.0)
    """
    return xp.cosh(x)


@elementwise(
    x=lambda xp, g, out, x: g * (1 - out * out),
    analytic=True,
    latex=r"\tanh {x}",
)
def tanh(xp, x):
    """Hyperbolic tangent.

    >>> import engine
    >>> engine.tanh(engine.Value(0.0))
    Value(0.0)
    """
    return xp.tanh(x)


@elementwise(
    x=lambda xp, g, out, x: g * (out - out * out),  # out (1 - out), one pass over the array cheaper
    analytic=True,
    latex=r"\sigma({x})",
)
def sigmoid(xp, x):
    """Logistic function 1 / (1 + exp(-x)): exactly 0 and 1 far out, and silent.

    >>> import engine
    >>> engine.sigmoid(engine.Value(0.0))
    Value(0.5)
    """
    return xp.reciprocal(1.0 + xp.exp(-floating(xp, x)))


@functools.cache
def _error_function(name):
    """SciPy's ufunc where it is installed, which scikit-learn brings along, else Python's function entry by entry."""
    try:
        from scipy import special
    except ImportError:
        return np.frompyfunc(getattr(math, name), 1, 1)
    return getattr(special, name)


def _of_entries(function, x):
    """A function of SciPy or Python on a float or an array, in its dtype."""
    x = floating(np, x)
    return np.asarray(function(x), x.dtype) if isinstance(x, np.ndarray | np.generic) else float(function(x))


def _bell(xp, g, x):
    return g * (2 / math.sqrt(math.pi) * xp.exp(-x * x))


@elementwise(x=lambda xp, g, out, x: _bell(xp, g, x), latex=r"\operatorname{{erf}}({x})")
def erf(xp, x):
    """Error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x.

    Computed by SciPy where it is installed, else by Python's math.erf, which agrees to a few ulp and takes twenty times
    as long on arrays.

    >>> import engine
    >>> engine.erf(engine.Value(0.5))
    Value(0.5204998778...)
    """
    return _of_entries(_error_function("erf"), x)


@elementwise(x=lambda xp, g, out, x: -_bell(xp, g, x), latex=r"\operatorname{{erfc}}({x})")
def erfc(xp, x):
    """Complementary error function 1 - erf(x), exact where that is small; computed as `erf` is.

    >>> import engine
    >>> engine.erfc(engine.Value(10.0))
    Value(2.08848758...e-45)
    """
    return _of_entries(_error_function("erfc"), x)


def _relu_rule(xp, g, out, x):
    taken = xp.greater(x, 0)
    if xp is np and type(g) is np.ndarray and shape_of(x) == g.shape and g.dtype.char in BITS:
        # The bits times 0 or 1: what numpy.where gives, NaN and all, in half of its time.
        return (g.view(BITS[g.dtype.char]) * taken).view(g.dtype)
    return xp.where(taken, g, 0.0)


BITS = {"f": np.int32, "d": np.int64}


@primitive(
    x=_relu_rule,
    kind="selection",
    kinks=lambda x: x,
    latex=r"\max(0, {x})",
)
def relu(xp, x):
    """Rectifier max(0, x); its derivative at 0 is 0.

    >>> import engine
    >>> engine.relu(engine.Value(-2.0))
    Value(0.0)
    """
    return xp.maximum(x, 0.0)


@elementwise(
    x=lambda xp, g, out, x, slope: xp.where(xp.greater(x, 0), g, slope * g),
    kinks=lambda x, slope: x,
    latex=r"\operatorname{{leaky\,relu}}({x})",
)
def leaky_relu(xp, x, *, slope=0.01):
    """Rectifier that keeps a small slope below zero, x for x > 0 and slope * x elsewhere; at 0 it takes the slope.

    >>> import engine
    >>> engine.leaky_relu(engine.Value(-2.0), slope=0.5)
    Value(-1.0)
    """
    return xp.where(xp.greater(x, 0), x, slope * x)


@elementwise(x=lambda xp, g, out, x: g * sigmoid(x), latex=r"\log(1 + e^{{{x}}})", derivatives={"x": "sigmoid(x)"})
def softplus(xp, x):
    """Smooth rectifier log(1 + exp(x)), exact for large x of either sign.

    >>> import engine
    >>> engine.softplus(engine.Value(1000.0))
    Value(1000.0)
    """
    return xp.logaddexp(0.0, x)


@elementwise(
    x=lambda xp, g, out, x, y: g * xp.exp(x - out),
    y=lambda xp, g, out, x, y: g * xp.exp(y - out),
    latex=r"\log(e^{{{x}}} + e^{{{y}}})",
    derivatives={"x": "exp(x - out)", "y": "exp(y - out)"},
)
def logaddexp(xp, x, y):
    """Logarithm of the sum of two exponentials, exact for large entries.

    >>> import engine
    >>> engine.logaddexp(engine.Value(1000.0), 0.0)
    Value(1000.0)
    """
    return xp.logaddexp(x, y)


@elementwise(
    x=lambda xp, g, out, x: g * xp.sign(x),
    kinks=lambda x: x,
    latex=r"\left|{x}\right|",
    derivatives={"x": "sign(x)"},
)
def absolute(xp, x):
    """Absolute value; its derivative at 0 is 0.

    >>> import engine
    >>> engine.absolute(engine.Value(-2.0))
    Value(2.0)
    """
    return xp.absolute(x)


@elementwise(x=lambda xp, g, out, x: 0.0, kinks=lambda x: x, latex=r"\operatorname{{sign}} {x}", derivatives={"x": "0"})
def sign(xp, x):
    """Sign: -1, 0 or 1; its derivative is 0 everywhere.

    >>> import engine
    >>> engine.sign(engine.Value(-2.0))
    Value(-1.0)
    """
    return xp.sign(x)


@elementwise(
    x=lambda xp, g, out, x: 0.0,
    kinks=lambda x: x - np.round(x),
    latex=r"\left\lfloor {x} \right\rfloor",
    derivatives={"x": "0"},
)
def floor(xp, x):
    """Largest integer that is not above x, as a float; its derivative is 0 everywhere.

    >>> import engine
    >>> engine.floor(engine.Value(-1.5))
    Value(-2.0)
    """
    return xp.floor(x)


def _half_way(x, decimals):
    """How far x lies from the middle between two results, in units of the last decimal."""
    units = x * 10.0**decimals
    return units - np.floor(units) - 0.5


@elementwise(
    x=lambda xp, g, out, x, decimals: 0.0,
    kinks=_half_way,
    latex=r"\operatorname{{round}}({x})",
    derivatives={"x": "0"},
)
def round(xp, x, *, decimals=0):
    """Nearest number with so many decimals, an even one at a tie; its derivative is 0 everywhere.

    >>> import engine
    >>> engine.round(engine.Tensor([1.5, 2.5, 2.25])).tolist()
    [2.0, 2.0, 2.0]
    """
    return xp.round(x, decimals=decimals)


def _winner(xp, g, first, second):
    """The gradient of the input that is chosen, half of it at a tie."""
    return xp.where(first, g, xp.where(second, 0.0, g * 0.5))


@primitive(
    x=lambda xp, g, out, x, y: _winner(xp, g, xp.greater(x, y), xp.less(x, y)),
    y=lambda xp, g, out, x, y: _winner(xp, g, xp.greater(y, x), xp.less(y, x)),
    kind="selection",
    kinks=lambda x, y: x - y,
    latex=r"\max({x}, {y})",
)
def maximum(xp, x, y):
    """The larger of two entries, NaN if either is; a tie splits the gradient evenly.

    >>> import engine
    >>> engine.maximum(engine.Value(2.0), 3.0)
    Value(3.0)
    """
    return xp.maximum(x, y)


@primitive(
    x=lambda xp, g, out, x, y: _winner(xp, g, xp.less(x, y), xp.greater(x, y)),
    y=lambda xp, g, out, x, y: _winner(xp, g, xp.less(y, x), xp.greater(y, x)),
    kind="selection",
    kinks=lambda x, y: x - y,
    latex=r"\min({x}, {y})",
)
def minimum(xp, x, y):
    """The smaller of two entries, NaN if either is; a tie splits the gradient evenly.

    >>> import engine
    >>> engine.minimum(engine.Value(2.0), 3.0)
    Value(2.0)
    """
    return xp.minimum(x, y)


@primitive(
    condition=None,
    x=lambda xp, g, out, condition, x, y: xp.where(condition, g, 0.0),
    y=lambda xp, g, out, condition, x, y: xp.where(condition, 0.0, g),
    kind="selection",
    analytic=True,
    latex=r"\begin{{cases}} {x} & {condition} \\ {y} & \text{{otherwise}} \end{{cases}}",
    derivatives={"x": "where(condition, 1, 0)", "y": "where(condition, 0, 1)"},
)
def where(xp, condition, x, y):
    """Entries of x where the condition holds and of y elsewhere; the other branch sends back an exact zero.

    This holds through any chain of elementwise, shape, indexing and reduction rows, at every order. A NaN that enters
    a contraction still reaches the gradient of the contraction's other input: clean it first, `where(ok, x, 0) @ w`.

    >>> import engine
    >>> x = engine.Value(0.0)
    >>> y = engine.where(x > 0, engine.log(x), 0.0)
    >>> y.backward()
    >>> x.grad
    0.0
    """
    return xp.where(condition, x, y)


@elementwise(x=lambda xp, g, out, x, dtype: g, latex="{x}", derivatives={"x": "1"})
def astype(xp, x, *, dtype):
    """The same numbers in another dtype; the gradient comes back in the dtype of x.

    >>> import engine
    >>> engine.astype(engine.Tensor([1.0, 2.0]), dtype="float32").dtype
    dtype('float32')
    """
    return xp.asarray(x, dtype=dtype)
