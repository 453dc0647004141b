"""Rows without a derivative: comparisons, logic, tests of single entries, and positions of extremes."""

from ..row import primitive


@primitive(x=None, y=None, kind="comparison", latex="{x} > {y}")
def greater(xp, x, y):
    """Whether x > y, elementwise.

    >>> import engine
    >>> engine.greater(engine.Value(2.0), 1.0)
    Value(True)
    """
    return xp.greater(x, y)


@primitive(x=None, y=None, kind="comparison", latex=r"{x} \geq {y}")
def greater_equal(xp, x, y):
    """Whether x >= y, elementwise.

    >>> import engine
    >>> engine.greater_equal(engine.Value(2.0), 2.0)
    Value(True)
    """
    return xp.greater_equal(x, y)


@primitive(x=None, y=None, kind="comparison", latex="{x} < {y}")
def less(xp, x, y):
    """Whether x < y, elementwise.

    >>> import engine
    >>> engine.less(engine.Value(2.0), 1.0)
    Value(False)
    """
    return xp.less(x, y)


@primitive(x=None, y=None, kind="comparison", latex=r"{x} \leq {y}")
def less_equal(xp, x, y):
    """Whether x <= y, elementwise.

    >>> import engine
    >>> engine.less_equal(engine.Value(2.0), 1.0)
    Value(False)
    """
    return xp.less_equal(x, y)


@primitive(x=None, y=None, kind="comparison", latex="{x} = {y}")
def equal(xp, x, y):
    """Whether x == y, elementwise.

    >>> import engine
    >>> engine.equal(engine.Value(2.0), 2.0)
    Value(True)
    """
    return xp.equal(x, y)


@primitive(x=None, y=None, kind="comparison", latex=r"{x} \neq {y}")
def not_equal(xp, x, y):
    """Whether x != y, elementwise.

    >>> import engine
    >>> engine.not_equal(engine.Value(2.0), 2.0)
    Value(False)
    """
    return xp.not_equal(x, y)


@primitive(x=None, y=None, kind="comparison", latex=r"{x} \wedge {y}")
def logical_and(xp, x, y):
    """Whether both hold, elementwise.

    >>> import engine
    >>> engine.logical_and(engine.Tensor([True, False]), True).tolist()
    [True, False]
    """
    return xp.logical_and(x, y)


@primitive(x=None, y=None, kind="comparison", latex=r"{x} \vee {y}")
def logical_or(xp, x, y):
    """Whether at least one holds, elementwise.

    >>> import engine
    >>> engine.logical_or(engine.Tensor([True, False]), False).tolist()
    [True, False]
    """
    return xp.logical_or(x, y)


@primitive(x=None, kind="comparison", latex=r"\neg {x}")
def logical_not(xp, x):
    """Whether it does not hold, elementwise.

    >>> import engine
    >>> engine.logical_not(engine.Tensor([True, False])).tolist()
    [False, True]
    """
    return xp.logical_not(x)


@primitive(x=None, kind="comparison")
def isnan(xp, x):
    """Whether it is not a number, elementwise.

    >>> import engine
    >>> engine.isnan(engine.Value(float("nan")))
    Value(True)
    """
    return xp.isnan(x)


@primitive(x=None, kind="comparison")
def isfinite(xp, x):
    """Whether it is neither infinite nor NaN, elementwise.

    >>> import engine
    >>> engine.isfinite(engine.Value(1.0))
    Value(True)
    """
    return xp.isfinite(x)


@primitive(x=None, kind="comparison")
def any(xp, x, *, axis=None, keepdims=False):
    """Whether an entry holds, along an axis.

    >>> import engine
    >>> engine.any(engine.Tensor([False, True])).item()
    True
    """
    return xp.any(x, axis=axis, keepdims=keepdims)


@primitive(x=None, kind="comparison")
def all(xp, x, *, axis=None, keepdims=False):
    """Whether every entry holds, along an axis.

    >>> import engine
    >>> engine.all(engine.Tensor([False, True])).item()
    False
    """
    return xp.all(x, axis=axis, keepdims=keepdims)


@primitive(x=None, kind="comparison")
def argmax(xp, x, *, axis=None, keepdims=False):
    """The position of the largest entry along an axis, the first one at a tie.

    >>> import engine
    >>> engine.argmax(engine.Tensor([1.0, 3.0, 2.0])).item()
    1
    """
    return xp.argmax(x, axis=axis, keepdims=keepdims)


@primitive(x=None, kind="comparison")
def argmin(xp, x, *, axis=None, keepdims=False):
    """The position of the smallest entry along an axis, the first one at a tie.

    >>> import engine
    >>> engine.argmin(engine.Tensor([1.0, 3.0, 2.0])).item()
    0
    """
    return xp.argmin(x, axis=axis, keepdims=keepdims)
