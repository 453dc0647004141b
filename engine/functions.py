"""Functions that are compositions of rows and need no rule of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import primitives as table
from .graph import Node


def square(x: Any) -> Any:
    """Return x * x, elementwise.

    >>> import engine
    >>> engine.square(engine.Value(3.0))
    Value(9.0)
    """
    return table.multiply(x, x)


def reciprocal(x: Any) -> Any:
    """Return 1 / x, elementwise.

    >>> import engine
    >>> engine.reciprocal(engine.Value(4.0))
    Value(0.25)
    """
    return table.divide(1.0, x)


def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    """Limit the entries to the interval from min to max; at a bound the gradient is split evenly.

    >>> import engine
    >>> engine.clip(engine.Tensor([-1.0, 0.5, 2.0]), 0.0, 1.0).tolist()
    [0.0, 0.5, 1.0]
    """
    if min is not None:
        x = table.maximum(x, min)
    return x if max is None else table.minimum(x, max)


def std(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, ddof: int = 0) -> Any:
    """Return the standard deviation along an axis, the root of `var`.

    >>> import engine
    >>> engine.std(engine.Tensor([1.0, 3.0]))
    Tensor(1.)
    """
    return table.sqrt(table.var(x, axis=axis, keepdims=keepdims, ddof=ddof))


def ravel(x: Any) -> Any:
    """Return the entries in one axis, in row-major order.

    >>> import engine
    >>> engine.ravel(engine.Tensor([[1.0], [2.0]])).shape
    (2,)
    """
    return table.reshape(x, shape=(-1,))


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Exchange two axes.

    >>> import engine
    >>> engine.swapaxes(engine.Tensor([[1.0, 2.0]]), 0, 1).shape
    (2, 1)
    """
    order = list(range(_rank(x)))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return table.transpose(x, axes=tuple(order))


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Move axes to other places; the rest stay in order.

    >>> import engine
    >>> engine.moveaxis(engine.broadcast_to(engine.Tensor([1.0]), (2, 3, 1)), 0, -1).shape
    (3, 1, 2)
    """
    rank = _rank(x)
    sources = [axis % rank for axis in ([source] if isinstance(source, int) else source)]
    places = [axis % rank for axis in ([destination] if isinstance(destination, int) else destination)]
    axes = [axis for axis in range(rank) if axis not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        axes.insert(place, axis)
    return table.transpose(x, axes=tuple(axes))


def dot(x: Any, y: Any) -> Any:
    """Return the product of vectors or matrices; a number times anything is their product.

    >>> import engine
    >>> engine.dot(engine.Tensor([1.0, 2.0]), [3.0, 4.0])
    Tensor(11.)
    """
    if not _rank(x) or not _rank(y):
        return table.multiply(x, y)
    return table.matmul(x, y)


def zeros_like(x: Any) -> Any:
    """Return an array of zeros of the shape and dtype of x, a constant."""
    return np.zeros_like(x._data if isinstance(x, Node) else x)


def ones_like(x: Any) -> Any:
    """Return an array of ones of the shape and dtype of x, a constant."""
    return np.ones_like(x._data if isinstance(x, Node) else x)


def _rank(x: Any) -> int:
    return np.ndim(x._data if isinstance(x, Node) else x)
