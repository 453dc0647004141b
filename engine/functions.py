"""Functions that are compositions of rows and need no rule of their own."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import primitives as table
from .errors import ShapeError, UnsupportedError
from .graph import Node


def square(x: Any) -> Any:
    """Return x * x, elementwise.

    >>> import engine
    >>> engine.square(engine.Value(3.0))
    Value(9.0)
    """
    return table.multiply(x, x)


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
    axes = list(range(_rank(x)))
    (i,), (j,) = _axes(x, axis1), _axes(x, axis2)
    axes[i], axes[j] = axes[j], axes[i]
    return table.transpose(x, axes=tuple(axes))


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Move axes to other places; the rest stay in order.

    >>> import engine
    >>> engine.moveaxis(engine.broadcast_to(engine.Tensor([1.0]), (2, 3, 1)), 0, -1).shape
    (3, 1, 2)
    """
    sources, places = _axes(x, source), _axes(x, destination)
    if len(sources) != len(places):
        raise ShapeError(
            f"moveaxis was given {len(sources)} axes and {len(places)} places for them. Each axis moves to one place. "
            "Give as many of the one as of the other."
        )
    axes = [axis for axis in range(_rank(x)) if axis not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        axes.insert(place, axis)
    return table.transpose(x, axes=tuple(axes))


def dot(x: Any, y: Any) -> Any:
    """Return the product of vectors or matrices; a number times anything is their product.

    Raises UnsupportedError for a second input of more than two axes, where NumPy's dot is not its matmul.

    >>> import engine
    >>> engine.dot(engine.Tensor([1.0, 2.0]), [3.0, 4.0])
    Tensor(11.)
    """
    if not _rank(x) or not _rank(y):
        return table.multiply(x, y)
    if _rank(y) > 2:
        raise UnsupportedError(
            f"dot was given inputs with {_rank(x)} and {_rank(y)} axes. NumPy's dot pairs all of their matrices. "
            "Write engine.matmul, which multiplies stacks of matrices one by one."
        )
    return table.matmul(x, y)


def zeros_like(x: Any) -> Any:
    """Return an array of zeros of the shape and dtype of x, a constant."""
    return np.zeros_like(x._value if isinstance(x, Node) else x)


def ones_like(x: Any) -> Any:
    """Return an array of ones of the shape and dtype of x, a constant."""
    return np.ones_like(x._value if isinstance(x, Node) else x)


def _rank(x: Any) -> int:
    return np.ndim(x._value if isinstance(x, Node) else x)


def _axes(x: Any, axis: int | Sequence[int]) -> tuple[int, ...]:
    """Axes counted from the front; raise ShapeError for one that x does not have, or one that is named twice."""
    try:
        return np.lib.array_utils.normalize_axis_tuple(axis, _rank(x))
    except ValueError as error:
        raise ShapeError(
            f"The axes {axis!r} were named for an array with {_rank(x)} axes. They must be different ones that it has. "
            "Name axes from 0 to the number of axes minus 1, or negative ones from the back."
        ) from error


NAMESPACE = SimpleNamespace(
    abs=table.absolute,
    pow=table.power,
    **{
        name: function
        for module in (vars(table), globals())
        for name, function in module.items()
        if not name.startswith("_") and callable(function) and not isinstance(function, type)
    },
)
"""What rules compute in when they record: the table and the functions made of it, under NumPy's names."""
