"""Rows: windows that slide along axes, and the sums of products in them.

Of n entries, p more on either side, a window of k entries that lie d apart and a stride of s make
(n + 2p - d (k - 1) - 1) // s + 1 places: Dumoulin and Visin, A guide to convolution arithmetic for deep learning,
https://arxiv.org/abs/1603.07285. A convolution, its transpose and the correlation of the two ends are linear in each
input and the rules of each other, which is why every order comes free.
"""

from math import prod as product
from operator import index
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.stride_tricks import as_strided

from ..errors import DomainError
from ..row import primitive, shape_of

MANY = 2**20  # numbers that the windows of a convolution may fill at a time: a few megabytes


def per_axis(name, setting, axes, least=1):
    """A setting as one integer for each of so many axes; raise DomainError for another, or too small a one."""
    try:
        values = (index(setting),) * axes if np.ndim(setting) == 0 else tuple(map(index, setting))
    except TypeError:
        values = ()
    if len(values) != axes or min(values, default=least) < least:
        raise DomainError(
            f"The setting {name}={setting!r} was given for windows with {axes} axes. It is one integer of at least "
            f"{least} for each of them. Write {name}={least}, or {name}={(least,) * axes}."
        )
    return values


def _places(lengths, window, stride, padding, dilation):
    """The number of places along each axis."""
    reach = tuple([d * (k - 1) + 1 for k, d in zip(window, dilation)])
    padded = tuple([n + 2 * p for n, p in zip(lengths, padding)])
    if any(not 0 < r <= n for r, n in zip(reach, padded)):
        raise ValueError(f"a window that reaches over a shape of {reach} entries does not fit into {padded}")
    return tuple([(n - r) // s + 1 for n, r, s in zip(padded, reach, stride)])


def _windows(x, window, stride, dilation):
    """All windows along the last axes, a view of the shape `(..., *window, *places)`."""
    lead = x.ndim - len(window)
    places = _places(x.shape[lead:], window, stride, (0,) * len(window), dilation)
    steps = x.strides[lead:]
    strides = [step * d for step, d in zip(steps, dilation)] + [step * s for step, s in zip(steps, stride)]
    return as_strided(x, (*x.shape[:lead], *window, *places), (*x.strides[:lead], *strides), writeable=False)


def _add_windows(out, windows, stride, padding, dilation):
    """Add windows of the shape `(..., *window, *places)` where they came from; what came from the padding is lost."""
    axes = len(stride)
    window, places = windows.shape[-2 * axes : -axes], windows.shape[-axes:]
    for offset in np.ndindex(*window):
        target: list[Any] = [...]
        source: list[Any] = [..., *offset]
        for n, m, i, s, p, d in zip(out.shape[-axes:], places, offset, stride, padding, dilation):
            start = i * d - p
            first = max(0, -(start // s))
            count = max(0, min(m, (n - 1 - start) // s + 1) - first)
            target.append(slice(start + first * s, start + (first + count) * s, s))
            source.append(slice(first, first + count))
        out[tuple(target)] += windows[tuple(source)]


def _padded(x, padding):
    """Zeros on either side of the last axes."""
    if not any(padding):
        return x
    lead = x.ndim - len(padding)
    widths = list(zip(x.shape[lead:], padding))
    out = np.zeros((*x.shape[:lead], *[n + 2 * p for n, p in widths]), x.dtype)
    inside = [slice(p, p + n) for n, p in widths]
    out[tuple([slice(None)] * lead + inside)] = x
    return out


def _settings(axes, stride, padding, dilation):
    return (
        per_axis("stride", stride, axes),
        per_axis("padding", padding, axes, least=0),
        per_axis("dilation", dilation, axes),
    )


def _check(x, weight, groups, transposed=False):
    """Raise ValueError unless a weight meets the channels of x."""
    shape, weights, (groups,) = shape_of(x), shape_of(weight), per_axis("groups", groups, 1)
    named = (
        "(in_channels, out_channels / groups, *window)"
        if transposed
        else "(out_channels, in_channels / groups, *window)"
    )
    if len(shape) < 3 or len(weights) != len(shape) or weights[0] % groups:
        raise ValueError(f"x has the shape (batch, in_channels, *spatial) and weight the shape {named}")
    channels = weights[0] if transposed else groups * weights[1]
    if shape[1] != channels:
        raise ValueError(f"x has {shape[1]} channels, and a weight of the shape {named} meets {channels}")


def _parts(batch, size):
    """So many of the batch at a time that their windows, `size` numbers each, stay in the cache."""
    step = max(1, MANY // max(1, size))
    return [slice(start, start + step) for start in range(0, batch, step)]


def _columns(x, window, places, stride, padding, dilation, groups):
    """Parts of a batch and their windows, as matrices `(part, groups, channels / groups * window, places)`."""
    rows, columns = x.shape[1] // groups * product(window), product(places)
    for part in _parts(x.shape[0], groups * rows * columns):
        windows = _windows(_padded(x[part], padding), window, stride, dilation)
        yield part, windows.reshape(len(windows), groups, rows, columns)


def _left_over(x, window, stride, padding, dilation):
    """How many entries at the end of each axis no window reaches: the padding of the output on the way back."""
    axes = len(window)
    stride, padding, dilation = _settings(axes, stride, padding, dilation)
    spaces = [n + 2 * p - d * (k - 1) - 1 for n, p, d, k in zip(x.shape[2:], padding, dilation, window)]
    return tuple([space % s for space, s in zip(spaces, stride)])


def _back(g, weight, x, stride, padding, dilation, groups):
    """What arrives at the input of a convolution."""
    left_over = _left_over(x, weight.shape[2:], stride, padding, dilation)
    return transposed_convolution(
        g, weight, stride=stride, padding=padding, output_padding=left_over, dilation=dilation, groups=groups
    )


def _by_weight(xp, g, out, x, weight, **settings):
    return window_correlation(x, g, window=weight.shape[2:], **settings)


@primitive(
    x=lambda xp, g, out, x, weight, **settings: _back(g, weight, x, **settings),
    weight=_by_weight,
    kind="contraction",
    analytic=True,
    latex=r"{x} \star {weight}",
)
def convolution(xp, x, weight, *, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation of x `(batch, in_channels, *spatial)` with `(out_channels, in_channels / groups, *window)`.

    Any number of spatial axes; the result is `(batch, out_channels, *places)`, as in PyTorch's conv1d, conv2d, conv3d.
    The settings are one integer or one for each spatial axis: the window moves by `stride`, its entries lie `dilation`
    apart, and `padding` zeros stand on either side. With `groups`, the channels fall into that many which do not mix.

    >>> import engine
    >>> engine.convolution(np.array([[[1.0, 2.0, 4.0, 8.0]]]), engine.Tensor([[[-1.0, 1.0]]])).tolist()
    [[[1.0, 2.0, 4.0]]]
    """
    _check(x, weight, groups)
    window, channels = weight.shape[2:], weight.shape[0]
    stride, padding, dilation = _settings(len(window), stride, padding, dilation)
    places = _places(x.shape[2:], window, stride, padding, dilation)
    out = np.empty((x.shape[0], channels, *places), np.result_type(x, weight))
    matrices = weight.reshape(groups, channels // groups, product(weight.shape[1:]))
    results = out.reshape(x.shape[0], groups, channels // groups, product(places))
    for part, columns in _columns(x, window, places, stride, padding, dilation, groups):
        np.matmul(matrices, columns, out=results[part])
    return out


def _transposed_by_weight(xp, g, out, x, weight, output_padding, **settings):
    return window_correlation(g, x, window=weight.shape[2:], **settings)


@primitive(
    x=lambda xp, g, out, x, weight, output_padding, **settings: convolution(g, weight, **settings),
    weight=_transposed_by_weight,
    kind="contraction",
    analytic=True,
    latex=r"{x} \star^\top {weight}",
)
def transposed_convolution(xp, x, weight, *, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """Transpose of `convolution`: each entry of `(batch, in_channels, *places)` adds its multiple of a window.

    The weight is `(in_channels, out_channels / groups, *window)`, as in PyTorch's conv_transpose1d and its kind.
    `padding` is taken off either side of the result; `output_padding`, less than the stride, is added at the end.

    >>> import engine
    >>> engine.transposed_convolution(np.array([[[1.0, 2.0]]]), engine.Tensor([[[-1.0, 1.0]]]), stride=2).tolist()
    [[[-1.0, 1.0, -2.0, 2.0]]]
    """
    _check(x, weight, groups, transposed=True)
    batch, channels, *places = x.shape
    window = weight.shape[2:]
    stride, padding, dilation = _settings(len(window), stride, padding, dilation)
    ends = per_axis("output_padding", output_padding, len(window), least=0)
    reach = [d * (k - 1) + 1 for k, d in zip(window, dilation)]
    lengths = [s * (n - 1) + r - 2 * p + e for n, s, r, p, e in zip(places, stride, reach, padding, ends)]
    if min(window) < 1 or min(places) < 1 or min(lengths) < 1 or any(end >= s for end, s in zip(ends, stride)):
        raise ValueError("the shape of the result has no entries, or output_padding is not less than the stride")
    out = np.zeros((batch, groups * weight.shape[1], *lengths), np.result_type(x, weight))
    matrices = weight.reshape(groups, channels // groups, product(weight.shape[1:])).swapaxes(1, 2)
    x = x.reshape(batch, groups, channels // groups, product(places))
    for part in _parts(batch, groups * product(weight.shape[1:]) * product(places)):
        windows = np.matmul(matrices, x[part])
        windows = windows.reshape(len(windows), out.shape[1], *window, *places)
        _add_windows(out[part], windows, stride, padding, dilation)
    return out


@primitive(
    x=lambda xp, g, out, x, y, window, **settings: _back(y, g, x, **settings),
    y=lambda xp, g, out, x, y, window, **settings: convolution(x, g, **settings),
    kind="contraction",
    analytic=True,
)
def window_correlation(xp, x, y, *, window, stride=1, padding=0, dilation=1, groups=1):
    """Sums over the batch and the places of y times what the window meets in x: the gradient of a convolution's weight.

    With `x` `(batch, in_channels, *spatial)` and `y` `(batch, out_channels, *places)` the result is
    `(out_channels, in_channels / groups, *window)`; PyTorch calls it torch.nn.grad.conv1d_weight and its kind.

    >>> import engine
    >>> x, y = engine.Tensor([[[1.0, 2.0, 4.0, 8.0]]]), np.array([[[1.0, 0.0, 1.0]]])
    >>> engine.window_correlation(x, y, window=(2,)).tolist()
    [[[5.0, 10.0]]]
    """
    axes = len(shape_of(x)) - 2
    (groups,) = per_axis("groups", groups, 1)
    window = per_axis("window", window, max(axes, 0))
    stride, padding, dilation = _settings(len(window), stride, padding, dilation)
    if axes < 1 or len(shape_of(y)) != axes + 2 or x.shape[0] != y.shape[0] or x.shape[1] % groups:
        raise ValueError(
            "x has the shape (batch, in_channels, *spatial) and y the shape (batch, out_channels, *places)"
        )
    batch, channels, *lengths = y.shape
    places = _places(x.shape[2:], window, stride, padding, dilation)
    if places != tuple(lengths) or channels % groups:
        raise ValueError(f"the windows have places of the shape {places}, and so must y, with channels for each group")
    out = np.zeros((groups, channels // groups, x.shape[1] // groups * product(window)), np.result_type(x, y))
    y = y.reshape(batch, groups, channels // groups, product(places))
    for part, columns in _columns(x, window, places, stride, padding, dilation, groups):
        out += np.matmul(y[part], columns.swapaxes(2, 3)).sum(axis=0)
    return out.reshape(channels, x.shape[1] // groups, *window)


def _sliding_axes(axis, rank, window_shape):
    """The axes along which windows slide, None being all, and the lengths of the window along them."""
    axes = tuple(range(rank)) if axis is None else normalize_axis_tuple(axis, rank)
    return axes, per_axis("window_shape", window_shape, len(axes))


def _sliding_rule(xp, g, out, x, window_shape, axis, stride, dilation):
    return overlap_add(g, shape=shape_of(x), axis=axis, stride=stride, dilation=dilation)


@primitive(x=_sliding_rule, kind="selection", analytic=True)
def sliding_window_view(xp, x, *, window_shape, axis=None, stride=1, dilation=1):
    """All windows along some axes, or along all; each axis gets as long as it has places, and the windows stand last.

    As NumPy's function of this name, with a `stride` from place to place and a `dilation` from entry to entry, for each
    of the axes or for all. Pooling takes the maximum or the mean over the last axes.

    >>> import engine
    >>> engine.sliding_window_view(engine.Tensor([1.0, 2.0, 3.0, 4.0]), 2, stride=2).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    x = np.asarray(x)
    axes, window = _sliding_axes(axis, x.ndim, window_shape)
    stride, dilation = per_axis("stride", stride, len(axes)), per_axis("dilation", dilation, len(axes))
    count, last = len(axes), range(-len(axes), 0)
    windows = _windows(np.moveaxis(x, axes, last), window, stride, dilation)
    # In memory the windows stand first: what is computed over them runs along the places, several times as fast.
    windows = np.asarray(np.moveaxis(windows, range(x.ndim - count, x.ndim), range(count)), order="C")
    return np.moveaxis(np.moveaxis(windows, range(count), last), range(x.ndim - count, x.ndim), axes)


def _overlap_rule(xp, g, out, x, shape, axis, stride, dilation):
    window = shape_of(x)[len(shape) :]
    return sliding_window_view(g, window_shape=window, axis=axis, stride=stride, dilation=dilation)


@primitive(x=_overlap_rule, kind="indexing", analytic=True)
def overlap_add(xp, x, *, shape, axis=None, stride=1, dilation=1):
    """Windows as `sliding_window_view` cuts them from an array of the given shape, each added where it came from.

    >>> import engine
    >>> engine.overlap_add(engine.Tensor([[1.0, 2.0], [3.0, 4.0]]), shape=(3,)).tolist()
    [1.0, 5.0, 4.0]
    """
    x = np.asarray(x)
    axes, window = _sliding_axes(axis, len(shape), x.shape[len(shape) :] or 1)
    stride, dilation = per_axis("stride", stride, len(axes)), per_axis("dilation", dilation, len(axes))
    places = _places([shape[i] for i in axes], window, stride, (0,) * len(axes), dilation)
    expected = (*[places[axes.index(i)] if i in axes else n for i, n in enumerate(shape)], *window)
    if x.shape != expected:
        raise ValueError(f"windows of the shape {window} cut from the shape {tuple(shape)} have the shape {expected}")
    out = np.zeros(shape, x.dtype)
    last = range(-len(axes), 0)
    _add_windows(np.moveaxis(out, axes, last), np.moveaxis(x, axes, last), stride, (0,) * len(axes), dilation)
    return out
