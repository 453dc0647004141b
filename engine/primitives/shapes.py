"""Rows: the same entries in another shape or order, joined or taken apart."""

import operator

import numpy as np

from ..errors import UnsupportedError
from ..row import primitive, shape_of


@primitive(x=lambda xp, g, out, x, shape: xp.reshape(g, shape_of(x)), kind="shape", analytic=True)
def reshape(xp, x, *, shape):
    """The same entries in another shape; one length may be -1.

    >>> import engine
    >>> engine.reshape(engine.Tensor([1.0, 2.0, 3.0, 4.0]), (2, 2)).shape
    (2, 2)
    """
    return xp.reshape(x, shape)


def _transpose_rule(xp, g, out, x, axes):
    return xp.transpose(g, None if axes is None else np.argsort([i % len(axes) for i in axes]).tolist())


@primitive(x=_transpose_rule, kind="shape", analytic=True, latex=r"{x}^\top")
def transpose(xp, x, *, axes=None):
    """The axes in another order, reversed by default.

    >>> import engine
    >>> engine.transpose(engine.Tensor([[1.0, 2.0, 3.0]])).shape
    (3, 1)
    """
    return xp.transpose(x, axes)


@primitive(x=lambda xp, g, out, x, shape: g, kind="shape", analytic=True)
def broadcast_to(xp, x, *, shape):
    """The entries repeated along new axes and axes of length 1.

    >>> import engine
    >>> engine.broadcast_to(engine.Tensor([1.0, 2.0]), (3, 2)).shape
    (3, 2)
    """
    return xp.broadcast_to(x, shape)


@primitive(x=lambda xp, g, out, x, axis: xp.reshape(g, shape_of(x)), kind="shape", analytic=True)
def expand_dims(xp, x, *, axis):
    """A new axis of length 1 at the given position.

    >>> import engine
    >>> engine.expand_dims(engine.Tensor([1.0, 2.0]), 0).shape
    (1, 2)
    """
    return xp.expand_dims(x, axis)


@primitive(x=lambda xp, g, out, x, axis: xp.reshape(g, shape_of(x)), kind="shape", analytic=True)
def squeeze(xp, x, *, axis=None):
    """Without axes of length 1: the given ones, or all.

    >>> import engine
    >>> engine.squeeze(engine.Tensor([[1.0, 2.0]])).shape
    (2,)
    """
    return xp.squeeze(x, axis=axis)


def _part(g, axis, start, stop):
    return g[(slice(None),) * (axis % g.ndim) + (slice(start, stop),)]


def _stack_rule(xp, g, out, *arrays, axis, position):
    part = _part(g, axis, position, position + 1)
    return xp.reshape(part, shape_of(arrays[position]))


@primitive(arrays=_stack_rule, kind="shape", analytic=True)
def stack(xp, *arrays, axis=0):
    """Nodes and arrays of one shape joined along a new axis; Values become a Tensor.

    >>> import engine
    >>> engine.stack([engine.Value(1.0), engine.Value(2.0)])
    Tensor([1., 2.])
    """
    return xp.stack(arrays, axis=axis)


def _concatenate_rule(xp, g, out, *arrays, axis, position):
    if axis is None:
        start = sum(np.size(x) if not hasattr(x, "size") else x.size for x in arrays[:position])
        return xp.reshape(g[start : start + arrays[position].size], shape_of(arrays[position]))
    start = sum(shape_of(x)[axis] for x in arrays[:position])
    return _part(g, axis, start, start + shape_of(arrays[position])[axis])


@primitive(arrays=_concatenate_rule, kind="shape", analytic=True)
def concatenate(xp, *arrays, axis=0):
    """Arrays joined along an axis they have; with axis=None all are flattened first.

    >>> import engine
    >>> engine.concatenate([engine.Tensor([1.0]), engine.Tensor([2.0, 3.0])])
    Tensor([1., 2., 3.])
    """
    return xp.concatenate(arrays, axis=axis)


def _pad_rule(xp, g, out, x, pad_width, mode, constant_values):
    starts = np.broadcast_to(pad_width, (x.ndim, 2))[:, 0].tolist()
    return g[tuple([slice(start, start + n) for start, n in zip(starts, x.shape)])]


@primitive(x=_pad_rule, kind="indexing", analytic=True)
def pad(xp, x, *, pad_width, mode="constant", constant_values=0.0):
    """The entries with so many of a constant before and after them along each axis.

    `pad_width` is one number, or (before, after), or one such pair for each axis. Of NumPy's modes there is "constant".

    >>> import engine
    >>> engine.pad(engine.Tensor([1.0, 2.0]), (1, 2)).tolist()
    [0.0, 1.0, 2.0, 0.0, 0.0]
    """
    if mode != "constant":
        raise UnsupportedError(
            f"pad was called with mode={mode!r}. The engine fills with a constant only. "
            "Write mode='constant', or join slices of the tensor with engine.concatenate."
        )
    widths = [
        (operator.index(before), operator.index(after)) for before, after in np.broadcast_to(pad_width, (x.ndim, 2))
    ]
    if min([0, *[width for pair in widths for width in pair]]) < 0:
        raise ValueError("there cannot be less than 0 entries of padding")
    shape = tuple([before + n + after for n, (before, after) in zip(x.shape, widths)])
    out = xp.full(shape, constant_values, dtype=x.dtype)
    out[tuple([slice(before, before + n) for n, (before, _) in zip(x.shape, widths)])] = x
    return out


@primitive(
    x=lambda xp, g, out, x, indices_or_sections, axis: xp.concatenate(g, axis=axis),
    kind="shape",
    analytic=True,
)
def split(xp, x, *, indices_or_sections, axis=0):
    """A tuple of parts along an axis: so many equal ones, or cut before the given positions.

    >>> import engine
    >>> [part.tolist() for part in engine.split(engine.Tensor([1.0, 2.0, 3.0]), [1])]
    [[1.0], [2.0, 3.0]]
    """
    if not isinstance(indices_or_sections, int) and list(indices_or_sections) != sorted(indices_or_sections):
        raise ValueError("the positions to split at must ascend")
    return tuple(xp.split(x, indices_or_sections, axis=axis))


@primitive(x=lambda xp, g, out, x, axis: xp.stack(g, axis=axis), kind="shape", analytic=True)
def unstack(xp, x, *, axis=0):
    """A tuple of the parts along an axis, without it; iterating over a tensor gives these.

    >>> import engine
    >>> engine.unstack(engine.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    (Tensor([1., 2.]), Tensor([3., 4.]))
    """
    return tuple(np.moveaxis(x, axis, 0))


@primitive(x=lambda xp, g, out, x: xp.reshape(xp.stack(g), shape_of(x)), kind="shape", analytic=True)
def values(xp, x):
    """A flat tuple of Values, one for each entry in row-major order; each leads back to x.

    >>> import engine
    >>> engine.Tensor([1.0, 2.0]).values()
    [Value(1.0), Value(2.0)]
    """
    return tuple(np.ravel(x).tolist())
