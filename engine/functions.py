"""Functions that are compositions of rows and need no rule of their own."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import primitives as table
from .einstein import einsum
from .errors import DomainError, IndexingError, ShapeError, UnsupportedError
from .graph import Node
from .primitives.convolutions import per_axis
from .primitives.indexing import parse
from .row import as_array


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


def outer(x: Any, y: Any) -> Any:
    """Return the product of every entry of x with every entry of y, of shape (size of x, size of y).

    >>> import engine
    >>> engine.outer(engine.Tensor([1.0, 2.0]), [3.0, 4.0]).tolist()
    [[3.0, 4.0], [6.0, 8.0]]
    """
    return table.multiply(table.reshape(x, shape=(-1, 1)), table.reshape(y, shape=(1, -1)))


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the entries whose indices along two axes differ by `offset`, as a last axis.

    >>> import engine
    >>> engine.diagonal(engine.Tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [1.0, 4.0]
    """
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    *_, rows, columns = _shape(x)
    above, left = max(-offset, 0), max(offset, 0)
    count = max(min(rows - above, columns - left), 0)
    key = (Ellipsis, slice(above, above + count), slice(left, left + count))
    return einsum("...ii->...i", table.getitem(x, key=key))


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the sum along a diagonal.

    >>> import engine
    >>> engine.trace(engine.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor(5.)
    """
    return table.sum(diagonal(x, offset, axis1, axis2), axis=-1)


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """Return the entries in reverse order along some axes, or along all.

    >>> import engine
    >>> engine.flip(engine.Tensor([1.0, 2.0, 3.0])).tolist()
    [3.0, 2.0, 1.0]
    """
    axes = range(_rank(x)) if axis is None else _axes(x, axis)
    return table.getitem(x, key=tuple([slice(None, None, -1 if i in axes else None) for i in range(_rank(x))]))


def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Any:
    """Return the entries moved on by `shift` along some axes, or in row-major order; what leaves comes in again.

    >>> import engine
    >>> engine.roll(engine.Tensor([1.0, 2.0, 3.0]), 1).tolist()
    [3.0, 1.0, 2.0]
    """
    if axis is None:
        return table.reshape(roll(ravel(x), shift, 0), shape=_shape(x))
    moves = np.broadcast(shift, axis)
    for by, i in moves:
        (place,) = _axes(x, i)
        lead, n = (slice(None),) * place, _shape(x)[place]
        cut = -operator.index(by) % n if n else 0
        parts = [table.getitem(x, key=(*lead, part)) for part in (slice(cut, None), slice(0, cut))]
        x = table.concatenate(parts, axis=place)
    return x


def tile(x: Any, reps: int | Sequence[int]) -> Any:
    """Return x repeated so many times along each axis; more numbers than axes make new axes in front.

    >>> import engine
    >>> engine.tile(engine.Tensor([1.0, 2.0]), (2, 2)).tolist()
    [[1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0]]
    """
    times = [operator.index(n) for n in (reps if isinstance(reps, Sequence) else (reps,))]
    shape = (1,) * (len(times) - _rank(x)) + _shape(x)
    times = [1] * (len(shape) - len(times)) + times
    thin = [length for n in shape for length in (1, n)]
    wide = [length for pair in zip(times, shape, strict=True) for length in pair]
    repeated = table.broadcast_to(table.reshape(x, shape=tuple(thin)), shape=tuple(wide))
    return table.reshape(repeated, shape=tuple([n * m for n, m in zip(times, shape, strict=True)]))


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Return the entries at integer `indices` along an axis, or in row-major order; of an embedding, rows of the table.

    The indices may have any shape, which takes the place of the axis, and name a place again: its gradients are added.

    Raises IndexingError for an index that is no integer or lies outside.

    >>> import engine
    >>> embedding = engine.Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> engine.take(embedding, [1, 1, 0], axis=0).tolist()
    [[3.0, 4.0], [3.0, 4.0], [1.0, 2.0]]
    """
    if axis is None:
        x, axis = ravel(x), 0
    (axis,) = _axes(x, axis)
    indices = list(indices) if isinstance(indices, tuple) else indices
    given = as_array(indices._value if isinstance(indices, Node) else indices)
    if given.dtype.kind not in "iu" and given.size:
        raise IndexingError(
            f"take was given indices of dtype {given.dtype} and shape {given.shape}. Its indices are integers, from 0 "
            "on. Write x[mask] to take the entries where a mask holds, and x[start:stop] for a part."
        )
    key, arrays = parse((*(slice(None),) * axis, indices))
    return table.getitem(x, *arrays, key=key)


def silu(x: Any) -> Any:
    """Return x * sigmoid(x), elementwise, also called swish: Elfwing et al., https://arxiv.org/abs/1702.03118.

    >>> import engine
    >>> engine.silu(engine.Value(0.0))
    Value(0.0)
    """
    return table.multiply(_floating(x), table.sigmoid(x))


def gelu(x: Any, approximate: str = "none") -> Any:
    """Return x * P(X <= x) for a standard normal X: Hendrycks and Gimpel, https://arxiv.org/abs/1606.08415.

    Exact by default, through `erfc`: the same function with and without SciPy, which only makes it faster. It is
    approximated, to 0.0005, by their 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3))) with approximate="tanh". Raises
    DomainError for another one.

    >>> import engine
    >>> engine.gelu(engine.Value(1.0)), engine.gelu(engine.Value(1.0), approximate="tanh")
    (Value(0.841344746...), Value(0.841191990...))
    """
    if approximate not in ("none", "tanh"):
        raise DomainError(
            f"gelu was given approximate={approximate!r}. It is exact with 'none', or approximated by 'tanh'. "
            "Write one of these."
        )
    x = _floating(x)
    if approximate == "none":
        return table.multiply(x, table.multiply(0.5, table.erfc(table.multiply(x, -math.sqrt(0.5)))))
    cubed = table.multiply(table.multiply(square(x), x), 0.044715)
    curve = table.tanh(table.multiply(math.sqrt(2 / math.pi), table.add(x, cubed)))
    return table.multiply(table.multiply(0.5, x), table.add(1.0, curve))


def elu(x: Any, alpha: float = 1.0) -> Any:
    """Return x where it is positive and alpha * (exp(x) - 1) elsewhere: Clevert et al., https://arxiv.org/abs/1511.07289.

    At 0 its derivative is alpha.

    >>> import engine
    >>> engine.elu(engine.Tensor([-1000.0, 0.0, 2.0])).tolist()
    [-1.0, 0.0, 2.0]
    """
    x = _floating(x)
    return table.where(table.greater(x, 0), x, table.multiply(alpha, table.expm1(x)))


def log_sigmoid(x: Any) -> Any:
    """Return the logarithm of the logistic function, exact for large x of either sign.

    >>> import engine
    >>> engine.log_sigmoid(engine.Value(-1000.0))
    Value(-1000.0)
    """
    return table.negative(table.softplus(table.negative(_floating(x))))


Window = int | Sequence[int]


def max_pool(x: Any, window: Window, stride: Window | None = None, padding: Window = 0, dilation: Window = 1) -> Any:
    """Return the largest entry of each window that slides along the spatial axes of `(batch, channels, *spatial)`.

    Windows lie side by side unless a `stride` is given; the settings are one integer or one for each spatial axis, as
    those of `convolution`. What pads is never the largest. A tie splits the gradient evenly.

    >>> import engine
    >>> engine.max_pool(engine.Tensor([[[1.0, 3.0, 2.0, 0.0]]]), 2).tolist()
    [[[3.0, 2.0]]]
    """
    return table.max(_pooled("max_pool", x, window, stride, padding, dilation, -math.inf), axis=_last(x))


def average_pool(x: Any, window: Window, stride: Window | None = None, padding: Window = 0) -> Any:
    """Return the mean of each window that slides along the spatial axes of `(batch, channels, *spatial)`.

    Windows lie side by side unless a `stride` is given; the settings are one integer or one for each spatial axis, as
    those of `convolution`. The zeros that pad are counted.

    >>> import engine
    >>> engine.average_pool(engine.Tensor([[[1.0, 3.0, 2.0, 0.0]]]), 2).tolist()
    [[[2.0, 1.0]]]
    """
    return table.mean(_pooled("average_pool", x, window, stride, padding, 1, 0.0), axis=_last(x))


def _pooled(name: str, x: Any, window: Any, stride: Any, padding: Any, dilation: Any, filling: float) -> Any:
    """The windows along the spatial axes, standing last."""
    count = _rank(x) - 2
    if count < 1:
        raise ShapeError(
            f"{name} was given an input of shape {_shape(x)}. It slides along the axes behind the first two, "
            "(batch, channels, *spatial). Add those that are missing with engine.expand_dims."
        )
    lengths, apart = per_axis("window", window, count), per_axis("dilation", dilation, count)
    sides = per_axis("padding", padding, count, least=0)
    if any(2 * p > d * (k - 1) + 1 for k, p, d in zip(lengths, sides, apart, strict=True)):
        raise DomainError(
            f"{name} was given padding={padding!r} for a window of {window!r}. More than half of some windows would "
            "lie in the padding. Pad by at most half of what the window reaches over."
        )
    if any(sides) and filling:
        # A constant holds the infinities: detect_anomaly() knows from this that they are meant.
        ends = [(p, p + n) for n, p in zip(_shape(x), (0, 0, *sides), strict=True)]
        dtype = np.result_type(x._value if isinstance(x, Node) else x, np.float16)
        surroundings = np.full([start + end for start, end in ends], filling, dtype)
        x = table.set_at(surroundings, x, key=tuple([slice(start, end) for start, end in ends]))
    elif any(sides):
        x = table.pad(x, pad_width=((0, 0), (0, 0), *[(p, p) for p in sides]))
    axes = tuple(range(2, 2 + count))
    stride = window if stride is None else stride
    return table.sliding_window_view(x, window_shape=window, axis=axes, stride=stride, dilation=dilation)


def _last(x: Any) -> tuple[int, ...]:
    """As many axes from the back as x has spatial ones."""
    return tuple(range(2 - _rank(x), 0))


def zeros_like(x: Any) -> Any:
    """Return an array of zeros of the shape and dtype of x, a constant."""
    return np.zeros_like(x._value if isinstance(x, Node) else x)


def ones_like(x: Any) -> Any:
    """Return an array of ones of the shape and dtype of x, a constant."""
    return np.ones_like(x._value if isinstance(x, Node) else x)


def _shape(x: Any) -> tuple[int, ...]:
    return np.shape(x._value if isinstance(x, Node) else x)


def _floating(x: Any) -> Any:
    """Integers and booleans as floats, before arithmetic in which they would wrap around."""
    kind = np.asarray(x._value if isinstance(x, Node) else x).dtype.kind
    return table.astype(x, dtype=float) if kind in "iub" else x


def _rank(x: Any) -> int:
    return len(_shape(x))


def _axes(x: Any, axis: int | Sequence[int]) -> tuple[int, ...]:
    """Axes counted from the front; raise ShapeError for one that x does not have, or one that is named twice."""
    try:
        return np.lib.array_utils.normalize_axis_tuple(axis, _rank(x))
    except (TypeError, ValueError) as error:
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
