"""Rows: sums of products."""

import functools
import math

import numpy as np

from ..row import primitive


def _product(xp, x, y):
    """The matrix product; NumPy's dot is the quicker of its two ways to a matrix."""
    return x.dot(y) if type(x) is np.ndarray is type(y) and 0 < x.ndim <= 2 == y.ndim else xp.matmul(x, y)


def _swapped(xp, x):
    if x.ndim == 2:
        return x.T
    return xp.transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _by_left(xp, g, out, x, y):
    if y.ndim == 1:
        return (xp.expand_dims(g, -1) if x.ndim > 1 else g) * y
    if x.ndim == 1:
        return xp.squeeze(xp.matmul(y, xp.expand_dims(g, -1)), axis=-1)
    return _product(xp, g, _swapped(xp, y))


def _by_right(xp, g, out, x, y):
    if x.ndim == 1:
        return xp.expand_dims(x, -1) * xp.expand_dims(g, -2) if y.ndim > 1 else g * x
    if y.ndim == 1:
        return xp.squeeze(xp.matmul(_swapped(xp, x), xp.expand_dims(g, -1)), axis=-1)
    return _product(xp, _swapped(xp, x), g)


@primitive(
    x=_by_left,
    y=_by_right,
    kind="contraction",
    analytic=True,
    latex=r"{x}\,{y}",
)
def matmul(xp, x, y):
    """Matrix product as NumPy defines it for every rank: vectors, matrices, and stacks of matrices that broadcast.

    >>> import engine
    >>> engine.matmul(engine.Tensor([1.0, 2.0]), engine.Tensor([3.0, 4.0]))
    Tensor(11.)
    """
    return _product(xp, x, y)


def _rows(xp, x):
    """All axes but the last in one."""
    return x if x.ndim == 2 else xp.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


@functools.lru_cache
def ones(n, dtype):
    """A vector of ones, which nobody may write to; a product with it is the quickest sum of few entries."""
    vector = np.ones(n, dtype)
    vector.flags.writeable = False
    return vector


def _column_sums(xp, x):
    """The sums over the rows; for few rows a product with ones takes a third of the time of numpy.sum."""
    if x.shape[0] > 4096:  # where numpy.sum is as fast, and more exact
        return x.sum(axis=0)
    return _product(xp, ones(x.shape[0], x.dtype), x)


@primitive(
    x=lambda xp, g, out, x, weight, bias: _product(xp, g, weight),
    weight=lambda xp, g, out, x, weight, bias: _product(xp, _rows(xp, g).T, _rows(xp, x)),
    bias=lambda xp, g, out, x, weight, bias: _column_sums(xp, _rows(xp, g)),
    kind="contraction",
    analytic=True,
    latex=r"{x}\,{weight}^\top + {bias}",
)
def linear(xp, x, weight, bias):
    """Affine map x @ weight.T + bias of `(..., in)` to `(..., out)`; weight is `(out, in)` and bias `(out,)`.

    A row of its own because it is the step that networks repeat most: one node in place of three.

    >>> import engine
    >>> engine.linear([[1.0, 2.0]], engine.Tensor([[3.0, 4.0]]), engine.Tensor([5.0]))
    Tensor([[16.]])
    """
    if getattr(weight, "ndim", 0) != 2 or getattr(bias, "shape", ()) != weight.shape[:1]:
        raise ValueError("weight has the shape (out, in) and bias the shape (out,)")
    return _product(xp, x, weight.T) + bias
