"""Rows: each entry together with those before it along an axis (None takes all entries, in row-major order)."""

import numpy as np

from ..row import primitive, shape_of


def _along(x, axis, key):
    """The entries that an index along one axis names."""
    return x[(slice(None),) * (axis % len(x.shape)) + (key,)]


def _from_the_end(xp, g, x, axis):
    """The sums of g over each entry and those after it, of the shape of x."""
    axis = 0 if axis is None else axis
    backwards = slice(None, None, -1)
    return xp.reshape(_along(xp.cumsum(_along(g, axis, backwards), axis=axis), axis, backwards), shape_of(x))


@primitive(x=lambda xp, g, out, x, axis: _from_the_end(xp, g, x, axis), kind="indexing", analytic=True)
def cumsum(xp, x, *, axis=None):
    """Sums of each entry and those before it along an axis.

    >>> import engine
    >>> engine.cumsum(engine.Tensor([1.0, 2.0, 3.0])).tolist()
    [1.0, 3.0, 6.0]
    """
    return xp.cumsum(x, axis=axis)


def _cumprod_rule(xp, g, out, x, axis):
    axis = 0 if axis is None or not shape_of(x) else axis % len(x.shape)
    n = g.shape[axis]
    order = [i for i in range(len(g.shape)) if i != axis] + [axis]
    lead = tuple([g.shape[i] for i in order[:-1]])
    entries, g = [xp.reshape(xp.transpose(xp.reshape(each, g.shape), order), (*lead, 1, n)) for each in (x, g)]
    others = xp.cumprod(xp.where(np.eye(n, dtype=bool), 1.0, entries), axis=-1)  # row i: without entry i
    shares = xp.sum(xp.where(np.tri(n, dtype=bool).T, g * others, 0.0), axis=-1)
    return xp.reshape(xp.transpose(xp.reshape(shares, (*lead, n)), np.argsort(order).tolist()), shape_of(x))


@primitive(x=_cumprod_rule, analytic=True)
def cumprod(xp, x, *, axis=None):
    """Products of each entry and those before it along an axis; its derivatives are right where entries are zero.

    They take time and memory quadratic in the length of the axis.

    >>> import engine
    >>> engine.cumprod(engine.Tensor([1.0, 2.0, 3.0])).tolist()
    [1.0, 2.0, 6.0]
    """
    return xp.cumprod(x, axis=axis)
