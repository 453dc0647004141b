"""Convolutions in plain loops: every product of an entry of x, one of the weight, and the place it goes to."""

from collections.abc import Iterator

import numpy as np


def terms(shape, weights, places, stride=1, padding=0, dilation=1, groups=1) -> Iterator[tuple]:
    """The indices into x `(batch, in, *spatial)`, the weight `(out, in / groups, *window)` and the result."""
    spatial, window = shape[2:], weights[2:]
    stride, padding, dilation = [np.broadcast_to(each, len(window)).tolist() for each in (stride, padding, dilation)]
    per_group = weights[0] // groups
    for batch, out, channel in np.ndindex(shape[0], *weights[:2]):
        for place in np.ndindex(*places):
            for offset in np.ndindex(*window):
                moves = zip(place, stride, offset, dilation, padding, strict=True)
                at = tuple([m * s + k * d - p for m, s, k, d, p in moves])
                if all(0 <= i < n for i, n in zip(at, spatial, strict=True)):
                    first = out // per_group * weights[1] + channel
                    yield (batch, first, *at), (out, channel, *offset), (batch, out, *place)


def slid(spatial, window, stride=1, padding=0, dilation=1) -> tuple[int, ...]:
    """How many places there are along each axis, counted."""
    settings = [np.broadcast_to(each, len(window)).tolist() for each in (stride, padding, dilation)]
    return tuple(
        [
            len([i for i in range(-p, n + p, s) if i + d * (k - 1) < n + p])
            for n, k, s, p, d in zip(spatial, window, *settings, strict=True)
        ]
    )


def convolution(x, weight, groups=1, **settings):
    places = slid(x.shape[2:], weight.shape[2:], **settings)
    out = np.zeros((len(x), len(weight), *places))
    for i, j, k in terms(x.shape, weight.shape, places, groups=groups, **settings):
        out[k] += x[i] * weight[j]
    return out


def transposed_convolution(x, weight, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    window = weight.shape[2:]
    settings = [np.broadcast_to(each, len(window)).tolist() for each in (stride, padding, output_padding, dilation)]
    spatial = [
        s * (n - 1) - 2 * p + d * (k - 1) + 1 + end
        for n, k, s, p, end, d in zip(x.shape[2:], window, *settings, strict=True)
    ]
    out = np.zeros((len(x), weight.shape[1] * groups, *spatial))
    for i, j, k in terms(out.shape, weight.shape, x.shape[2:], stride, padding, dilation, groups):
        out[i] += x[k] * weight[j]
    return out


def window_correlation(x, y, window, groups=1, **settings):
    window = tuple(np.broadcast_to(window, x.ndim - 2).tolist())
    out = np.zeros((y.shape[1], x.shape[1] // groups, *window))
    for i, j, k in terms(x.shape, out.shape, y.shape[2:], groups=groups, **settings):
        out[j] += x[i] * y[k]
    return out


def sliding_window_view(x, window_shape, axis=None, stride=1, dilation=1):
    axes = tuple(range(x.ndim)) if axis is None else tuple(np.atleast_1d(axis) % x.ndim)
    window = tuple(np.broadcast_to(window_shape, len(axes)).tolist())
    stride, dilation = [np.broadcast_to(each, len(axes)).tolist() for each in (stride, dilation)]
    places = slid([x.shape[i] for i in axes], window, stride, 0, dilation)
    out = np.zeros((*[places[axes.index(i)] if i in axes else n for i, n in enumerate(x.shape)], *window))
    for place in np.ndindex(*out.shape):
        at = list(place[: x.ndim])
        for i, s, d, offset in zip(axes, stride, dilation, place[x.ndim :], strict=True):
            at[i] = at[i] * s + offset * d
        out[place] = x[tuple(at)]
    return out


def overlap_add(x, shape, **settings):
    """Where the entries of an array go in its windows, read the other way."""
    out = np.zeros(shape)
    order = np.arange(out.size).reshape(shape)
    for place, entry in zip(sliding_window_view(order, x.shape[len(shape) :], **settings).flat, x.flat, strict=True):
        out.flat[int(place)] += entry
    return out
