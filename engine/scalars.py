"""The namespace in which a float answers to NumPy's names.

Where Python's `math` has the function it is several times faster on one number; where it raises (`log(0)`), and
for every name that is not written here, the answer is NumPy's own, as a plain Python number.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function, silent, with NumPy scalars turned into Python numbers."""
    quiet = np.errstate(all="ignore")(function)

    def call(*inputs: Any, **params: Any) -> Any:
        result = quiet(*inputs, **params)
        return result.item() if isinstance(result, np.generic) else result

    return call


def _either(function: Callable[..., float], fallback: Callable[..., Any]) -> Callable[..., Any]:
    """A `math` function that takes NumPy's answer where it raises, and for anything that is not a real number."""
    fallback = _plain(fallback)

    def call(*inputs: Any) -> Any:
        try:
            return function(*inputs)
        except (ArithmeticError, ValueError, TypeError):
            return fallback(*inputs)

    return call


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    function = _plain(getattr(np, name))
    globals()[name] = function
    return function


add = operator.add
subtract = operator.sub
multiply = operator.mul
negative = operator.neg
divide = _either(operator.truediv, np.divide)
power = _either(math.pow, np.power)

exp = _either(math.exp, np.exp)
expm1 = _either(math.expm1, np.expm1)
log = _either(math.log, np.log)
log1p = _either(math.log1p, np.log1p)
sqrt = _either(math.sqrt, np.sqrt)
sin = _either(math.sin, np.sin)
cos = _either(math.cos, np.cos)
tan = _either(math.tan, np.tan)
tanh = _either(math.tanh, np.tanh)
sinh = _either(math.sinh, np.sinh)
cosh = _either(math.cosh, np.cosh)
arctan = _either(math.atan, np.arctan)

absolute = abs
greater = operator.gt
greater_equal = operator.ge
less = operator.lt
less_equal = operator.le
equal = operator.eq
not_equal = operator.ne


def logical_and(x: Any, y: Any) -> bool:
    return bool(x and y)


def logical_or(x: Any, y: Any) -> bool:
    return bool(x or y)


def logical_not(x: Any) -> bool:
    return not x


def where(condition: Any, x: Any, y: Any) -> Any:
    return x if condition else y


def maximum(x: Any, y: Any) -> Any:
    return x if x >= y or x != x else y  # a NaN on either side wins, as in NumPy


def minimum(x: Any, y: Any) -> Any:
    return x if x <= y or x != x else y


def sign(x: Any) -> Any:
    return 1.0 if x > 0 else -1.0 if x < 0 else x  # zero keeps its sign and NaN stays NaN


def reciprocal(x: Any) -> Any:
    return divide(1.0, x)


def logaddexp(x: Any, y: Any) -> Any:
    if x == y:
        return x + math.log(2.0)  # also where both are infinite
    return maximum(x, y) + math.log1p(math.exp(-abs(x - y)))
