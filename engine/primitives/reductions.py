"""Rows: many entries to one, along an axis (None is all of them)."""

import builtins
from math import prod as product

import numpy as np

from ..graph import Node
from ..row import floating, primitive, shape_of
from .contractions import ones
from .indexing import Array, add_at


def _beside(xp, reduced, axis, keepdims):
    """A reduced array with its axes put back, so that it broadcasts against what was reduced."""
    if keepdims or axis is None:
        return reduced
    if xp is np and axis == -1:
        return reduced[..., np.newaxis]  # numpy.expand_dims takes eight times as long
    return xp.expand_dims(reduced, axis)


def _spread(xp, g, x, axis, keepdims):
    """A reduced array repeated to the shape of x."""
    shape = shape_of(x)
    if not shape:
        return g
    g = _beside(xp, g, axis, keepdims)
    if xp is not np:
        return xp.broadcast_to(g, shape)
    full = np.empty(shape, g.dtype)  # on small arrays ten times faster than numpy.broadcast_to
    full[...] = g
    return full


def _total(xp, x, axis, keepdims):
    if xp is np:
        return np.add.reduce(x, axis=axis, keepdims=keepdims)  # numpy.sum without its wrapper, half the time
    if not shape_of(x) and (axis is None or axis in (0, -1, ())):
        return x
    return xp.sum(x, axis=axis, keepdims=keepdims)


def _top(xp, x, axis):
    if xp is np and shape_of(x):
        if x.ndim == 2 and axis in (-1, 1) and x.shape[1] <= 32:  # down columns in a third of the time
            return np.maximum.reduce(x.T.copy(), axis=0)[:, np.newaxis]
        return np.maximum.reduce(x, axis=axis, keepdims=True)
    return xp.max(x, axis=axis, keepdims=True)


def _total_powers(xp, x, axis, keepdims):
    """The sums of exponentials along an axis."""
    if xp is np and x.ndim == 2 and axis in (-1, 1) and x.shape[1] <= 4096:
        total = x.dot(ones(x.shape[1], x.dtype))  # in a fifth of the time, and exact enough: none is negative
        return total[:, np.newaxis] if keepdims else total
    return _total(xp, x, axis, keepdims)


def _count(x, axis):
    """How many entries of x go into one entry of the result."""
    shape = shape_of(x)
    if axis is None or not shape:
        return product(shape)
    return product(shape[i] for i in (axis if isinstance(axis, tuple) else (axis,)))


@primitive(
    x=lambda xp, g, out, x, axis, keepdims: _spread(xp, g, x, axis, keepdims),
    kind="reduction",
    analytic=True,
    latex=r"\sum {x}",
    derivatives={"x": "1"},
)
def sum(xp, x, *, axis=None, keepdims=False):
    """Sum along an axis.

    >>> import engine
    >>> engine.sum(engine.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0).tolist()
    [4.0, 6.0]
    """
    return _total(xp, x, axis, keepdims)


@primitive(
    x=lambda xp, g, out, x, axis, keepdims: _spread(xp, g * (1.0 / (_count(x, axis) or 1)), x, axis, keepdims),
    kind="reduction",
    analytic=True,
    latex=r"\operatorname{{mean}} {x}",
    derivatives={"x": "1 / n"},
)
def mean(xp, x, *, axis=None, keepdims=False):
    """Arithmetic mean along an axis; NaN for no entries.

    >>> import engine
    >>> engine.mean(engine.Tensor([1.0, 2.0, 6.0]))
    Tensor(3.)
    """
    if getattr(x, "dtype", None) == np.float16:
        return np.mean(x, axis=axis, keepdims=keepdims)  # which adds up in float32
    return xp.divide(_total(xp, x, axis, keepdims), _count(x, axis))


@primitive(
    x=lambda xp, g, out, x, axis, keepdims: x * (_beside(xp, g, axis, keepdims) * (2.0 / (_count(x, axis) or 1))),
    kind="reduction",
    analytic=True,
    latex=r"\operatorname{{mean}} {x}^2",
    derivatives={"x": "2 * x / n"},
)
def mean_square(xp, x, *, axis=None, keepdims=False):
    """Arithmetic mean of the squares along an axis: squared errors, power, the L2 penalty of weights.

    A row of its own because small networks spend a tenth of their time on mean(x * x).

    >>> import engine
    >>> engine.mean_square(engine.Tensor([1.0, 3.0]))
    Tensor(5.)
    """
    x = floating(xp, x)
    if xp is np and axis is None and not keepdims and x.size <= 4096:
        flat = x.ravel()
        return np.divide(flat.dot(flat), _count(x, axis))
    return xp.divide(_total(xp, x * x, axis, keepdims), _count(x, axis))


def _extreme(xp, g, out, x, axis, keepdims):
    """The gradient goes to the entries that are the extreme, in equal parts."""
    chosen = xp.equal(x, _beside(xp, out, axis, keepdims))
    ties = xp.sum(chosen, axis=axis, keepdims=True)
    return xp.where(chosen, xp.divide(_beside(xp, g, axis, keepdims), ties), 0.0)


def _lead(x, axis):
    """How far the largest entry lies before the second largest: 0 at a tie."""
    x = np.asarray(x)
    if not x.ndim:
        return np.inf
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    last = np.moveaxis(x, axes, range(-len(axes), 0))
    ranked = np.sort(last.reshape(*last.shape[: x.ndim - len(axes)], product(x.shape[i] for i in axes)))
    return ranked[..., -1] - ranked[..., -2] if ranked.shape[-1] > 1 else np.inf


@primitive(x=_extreme, kind="selection", kinks=lambda x, axis, keepdims: _lead(x, axis), latex=r"\max {x}")
def max(xp, x, *, axis=None, keepdims=False):
    """Largest entry along an axis, NaN if any is; a tie splits the gradient evenly.

    >>> import engine
    >>> engine.max(engine.Tensor([1.0, 3.0, 2.0]))
    Tensor(3.)
    """
    return xp.max(x, axis=axis, keepdims=keepdims)


@primitive(x=_extreme, kind="selection", kinks=lambda x, axis, keepdims: _lead(-x, axis), latex=r"\min {x}")
def min(xp, x, *, axis=None, keepdims=False):
    """Smallest entry along an axis, NaN if any is; a tie splits the gradient evenly.

    >>> import engine
    >>> engine.min(engine.Tensor([1.0, 3.0, 2.0]))
    Tensor(1.)
    """
    return xp.min(x, axis=axis, keepdims=keepdims)


def _product_of_others(xp, x, axis):
    """For each entry of x, the product of the other entries along the axis: right at zeros, to every order."""
    shape = shape_of(x)
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    reduced = [i % len(shape) for i in axes]
    order = [i for i in range(len(shape)) if i not in reduced] + reduced
    kept = tuple(shape[i] for i in order[: len(shape) - len(reduced)])
    n = product(shape[i] for i in reduced)
    rows = xp.reshape(xp.transpose(x, order), (*kept, 1, n))
    others = xp.prod(xp.where(np.eye(n, dtype=bool), 1.0, rows), axis=-1)
    return xp.transpose(xp.reshape(others, tuple(shape[i] for i in order)), np.argsort(order).tolist())


def _prod_rule(xp, g, out, x, axis, keepdims):
    if not shape_of(x):
        return g
    g = _beside(xp, g, axis, keepdims)
    if isinstance(x, Node) or not x.all():
        return g * _product_of_others(xp, x, axis)
    return g * xp.divide(_beside(xp, out, axis, keepdims), x)


@primitive(x=_prod_rule, kind="reduction", analytic=True, latex=r"\prod {x}")
def prod(xp, x, *, axis=None, keepdims=False):
    """Product along an axis; its derivatives are right where entries are zero.

    >>> import engine
    >>> engine.prod(engine.Tensor([2.0, 3.0]))
    Tensor(6.)
    """
    return xp.prod(x, axis=axis, keepdims=keepdims)


def _freedom(x, axis, ddof):
    return builtins.max(_count(x, axis) - ddof, 0)


def _deviation(xp, x, axis):
    return x - xp.divide(_total(xp, x, axis, True), _count(x, axis))


def _var_rule(xp, g, out, x, axis, keepdims, ddof):
    deviation = _deviation(xp, x, axis)
    return _beside(xp, g, axis, keepdims) * (deviation * xp.divide(2.0, _freedom(x, axis, ddof)))


@primitive(x=_var_rule, kind="reduction", analytic=True, latex=r"\operatorname{{var}} {x}")
def var(xp, x, *, axis=None, keepdims=False, ddof=0):
    """Variance along an axis: the sum of squared deviations over n - ddof.

    >>> import engine
    >>> engine.var(engine.Tensor([1.0, 3.0]))
    Tensor(1.)
    """
    deviation = _deviation(xp, x, axis)
    return xp.divide(xp.sum(deviation * deviation, axis=axis, keepdims=keepdims), _freedom(x, axis, ddof))


def _finite(xp, x):
    return xp.where(xp.isfinite(x), x, 0.0)


@primitive(
    x=lambda xp, g, out, x, axis, keepdims: (
        _beside(xp, g, axis, keepdims) * xp.exp(x - _finite(xp, _beside(xp, out, axis, keepdims))) if shape_of(x) else g
    ),
    kind="reduction",
    analytic=True,
    latex=r"\log \sum e^{{{x}}}",
    derivatives={"x": "exp(x - out)"},
)
def logsumexp(xp, x, *, axis=None, keepdims=False):
    """Logarithm of the sum of exponentials along an axis, exact for large entries and -inf.

    >>> import engine
    >>> engine.logsumexp(engine.Tensor([1000.0, 1000.0])).item() - 1000.0  # log(2)
    0.6931471805599...
    """
    if not shape_of(x):
        return _total(xp, x, axis, keepdims)
    top = _finite(xp, _top(xp, x, axis))
    result = xp.log(xp.sum(xp.exp(x - top), axis=axis, keepdims=True)) + top
    return result if keepdims else xp.squeeze(result, axis=axis)


@primitive(
    x=lambda xp, g, out, x, axis: out * (g - xp.sum(g * out, axis=axis, keepdims=True)),
    kind="reduction",
    analytic=True,
    latex=r"\operatorname{{softmax}}({x})",
)
def softmax(xp, x, *, axis=-1):
    """Exponentials along an axis divided by their sum, exact for large entries.

    >>> import engine
    >>> engine.softmax(engine.Tensor([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """
    x = floating(xp, x)
    powers = xp.exp(x - _top(xp, x, axis))
    return powers / _total_powers(xp, powers, axis, True)


@primitive(
    x=lambda xp, g, out, x, axis: g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True),
    kind="reduction",
    analytic=True,
    latex=r"\log \operatorname{{softmax}}({x})",
)
def log_softmax(xp, x, *, axis=-1):
    """Logarithm of softmax along an axis, exact where softmax itself is 0.

    >>> import engine
    >>> engine.log_softmax(engine.Tensor([0.0, 1000.0])).tolist()
    [-1000.0, 0.0]
    """
    x = floating(xp, x)
    shifted = x - _top(xp, x, axis)
    return shifted - xp.log(_total_powers(xp, xp.exp(shifted), axis, True))


def _places(labels, axis):
    """The index of the entries that labels name along an axis."""
    last = labels.ndim - 1
    places = [np.arange(n).reshape(-1, *[1] * (last - i)) for i, n in enumerate(labels.shape)]
    places.insert(axis % (labels.ndim + 1), labels)
    return tuple(places)


def _cross_entropy_rule(xp, g, out, x, labels, axis):
    places = _places(labels, axis)
    if xp is np:
        difference = softmax.primitive.forward(xp, x, axis=axis)
        difference[places] -= 1
    else:
        difference = add_at(softmax(x, axis=axis), -1.0, *places, key=tuple(map(Array, range(x.ndim))))
    return _beside(xp, g, axis, False) * difference


@primitive(
    x=_cross_entropy_rule,
    labels=None,
    kind="reduction",
    analytic=True,
    latex=r"-\log \operatorname{{softmax}}({x})_{{{labels}}}",
)
def softmax_cross_entropy(xp, x, labels, *, axis=-1):
    """-log of the probability that softmax along an axis gives to each label, exact where softmax itself is 0.

    `labels` are integers, of the shape of x without the axis. A row of its own because the derivative of
    `-log_softmax(x)[i, labels[i]]` is only softmax(x) with 1 taken away at the labels.

    >>> import engine
    >>> engine.softmax_cross_entropy(engine.Tensor([[0.0, 0.0], [1000.0, 0.0]]), [0, 1]).tolist()
    [0.693147180559..., 1000.0]
    """
    x, labels = floating(xp, x), np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.shape != x.shape[:axis] + x.shape[axis:][1:]:
        raise ValueError("labels are integers, and their shape is that of x without the axis")
    shifted = x - _top(xp, x, axis)
    return xp.log(_total_powers(xp, xp.exp(shifted), axis, False)) - shifted[_places(labels, axis)]


def _norm_rule(xp, g, out, x, axis, keepdims):
    length = _beside(xp, out, axis, keepdims)
    zero = xp.equal(length, 0)
    direction = xp.where(zero, 0.0, xp.divide(x, xp.where(zero, 1.0, length)))
    return _beside(xp, g, axis, keepdims) * direction


@primitive(
    x=_norm_rule,
    kind="reduction",
    kinks=lambda x, axis, keepdims: np.sqrt(np.sum(x * x, axis=axis)),
    analytic=True,
    latex=r"\left\lVert {x} \right\rVert",
    derivatives={"x": "x / out"},
)
def norm(xp, x, *, axis=None, keepdims=False):
    """Euclidean length along an axis; its derivative at zero is 0.

    >>> import engine
    >>> engine.norm(engine.Tensor([3.0, 4.0]))
    Tensor(5.)
    """
    x = floating(xp, x)
    return xp.sqrt(xp.sum(x * x, axis=axis, keepdims=keepdims))
