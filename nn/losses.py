"""Losses: how far predictions are from targets, as one number. They are compositions of engine functions.

Each takes `reduction`, which says what becomes of the losses of the examples ("mean", "sum", or "none" to have them
all), and `sample_weight`, one number for each example, of shape `(batch,)`. The weighted mean is Σ wᵢ·lossᵢ / Σ wᵢ, so
that only the ratios of the weights matter to it; an example of weight 0 is left out, even where its loss is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import engine
from engine import Tensor, Value, errors

from .data import as_array
from .initializers import chosen

silent = np.errstate(all="ignore")  # as the engine's own functions are, also where operators meet plain arrays

# Numbers from numbers


def mse_loss(prediction: Any, target: Any, *, reduction: str = "mean", sample_weight: Any = None) -> Any:
    """Return the mean of the squared differences, for Values, numbers, Tensors and arrays of one shape.

    Raises ShapeError where the shapes differ: broadcasting `(batch, 1)` against `(batch,)` would compare every
    prediction with every target.

    >>> mse_loss(Tensor([[1.0], [3.0]]), [[0.0], [1.0]])
    Tensor(2.5)
    """
    prediction, target = _pair("mse_loss", prediction, target)
    difference = engine.subtract(prediction, target)
    if reduction == "mean" and sample_weight is None:
        return engine.mean_square(difference)
    return _reduced(engine.square(difference), reduction, sample_weight)


def l1_loss(prediction: Any, target: Any, *, reduction: str = "mean", sample_weight: Any = None) -> Any:
    """Return the mean of the absolute differences: of all constants, the median makes it smallest.

    Shapes are those of `mse_loss`. The derivative is 0 where a prediction equals its target.

    >>> l1_loss(Tensor([1.0, 3.0]), [0.0, 1.0])
    Tensor(1.5)
    """
    prediction, target = _pair("l1_loss", prediction, target)
    return _reduced(engine.absolute(engine.subtract(prediction, target)), reduction, sample_weight)


@silent
def huber_loss(
    prediction: Any, target: Any, *, delta: float = 1.0, reduction: str = "mean", sample_weight: Any = None
) -> Any:
    """Return the mean of d²/2 where the difference d is at most `delta`, and of delta·(abs(d) - delta/2) beyond.

    Huber (1964). It is half the squared error for small differences and grows as slowly as the absolute one for
    outliers. Shapes are those of `mse_loss`. Raises DomainError unless `delta` is positive.

    >>> huber_loss(Tensor([0.5, 3.0]), [0.0, 0.0], reduction="none").tolist()
    [0.125, 2.5]
    """
    _check_setting("huber_loss", "delta", delta, lambda delta: delta > 0, "a positive number")
    prediction, target = _pair("huber_loss", prediction, target)
    difference = engine.subtract(prediction, target)
    distance = engine.absolute(difference)
    near = 0.5 * engine.square(difference)
    far = delta * (distance - 0.5 * delta)
    return _reduced(engine.where(engine.less_equal(distance, delta), near, far), reduction, sample_weight)


# Probabilities


@silent
def binary_cross_entropy_with_logits(
    logits: Any, targets: Any, *, pos_weight: Any = None, reduction: str = "mean", sample_weight: Any = None
) -> Any:
    """Return the mean of -t·log σ(z) - (1 - t)·log(1 - σ(z)) over the logits z and their targets t.

    Logits and targets have one shape; targets are 0 and 1, booleans, or probabilities between them. `pos_weight`
    multiplies the first term, to make up for rare positives: a number, or an array that broadcasts to the logits, such
    as one of shape `(outputs,)`. Exact and silent for logits of any size, infinite ones included.

    Raises ShapeError where the shapes differ, DomainError for targets outside [0, 1] and negative weights.

    >>> binary_cross_entropy_with_logits(Tensor([0.0, 1000.0, -1000.0]), [1, 1, 1], reduction="none").tolist()
    [0.6931471805599..., 0.0, 1000.0]
    """
    where = "binary_cross_entropy_with_logits"
    logits, targets = _pair(where, logits, targets)
    raw = _raw(targets)
    rule = "They are 0, 1 or probabilities between. Map labels of -1 and 1 to them with (labels + 1) / 2."
    _check_all(where, "targets", raw, np.greater_equal(raw, 0) & np.less_equal(raw, 1), rule)
    weight = 1.0 if pos_weight is None else _positive_weight(pos_weight, logits)
    if not _varies(targets) and np.all(np.equal(raw, 0) | np.equal(raw, 1)):
        # The one term there is, with the sign of the logit turned; both would cost twice as much.
        losses = engine.softplus(engine.multiply(1.0 - 2.0 * targets, logits))
        if pos_weight is not None:
            losses = losses * (1.0 + (weight - 1.0) * targets)
    else:
        positive = _times(targets, engine.softplus(engine.negative(logits)))
        losses = positive * weight + _times(1.0 - targets, engine.softplus(logits))
    return _reduced(losses, reduction, sample_weight)


def cross_entropy(
    logits: Any,
    targets: Any,
    *,
    label_smoothing: float = 0.0,
    class_weight: Any = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
    sample_weight: Any = None,
) -> Any:
    """Return the mean over the batch of -log of the probability that softmax(logits) gives to the target.

    `logits` have the shape `(batch, classes)`, before any softmax. `targets` are labels, integers 0, ..., classes - 1
    of shape `(batch,)`, or a distribution for each row (one-hot or soft) of the shape of the logits. A single row of
    shape `(classes,)` may be given with one label. Exact and silent for logits of any size; those of -inf rule a class
    out.

    `label_smoothing` mixes that much of the uniform distribution into each target (Szegedy et al., 2016, section 7).
    `class_weight` holds a weight for each class: the mean over labels and integer one-hot rows is then divided by the
    sum of the weights of their classes, that over soft targets by the number of rows, as in PyTorch. Rows whose label
    is `ignore_index` are left out.

    Raises ShapeError for other shapes, DataError for labels that are not integers, DomainError for labels that are
    not a class, negative probabilities and weights, and weights that sum to 0.

    >>> cross_entropy(Tensor([[0.0, 0.0], [0.0, 1000.0]]), [0, 0])
    Tensor(500.34657359)
    """
    if label_smoothing:
        _check_setting(
            "cross_entropy", "label_smoothing", label_smoothing, lambda share: 0 <= share <= 1, "a share, 0 to 1"
        )
    given = "cross_entropy", engine.log_softmax, logits, targets
    return _likelihood(*given, label_smoothing, class_weight, ignore_index, reduction, sample_weight)


def nll_loss(
    log_probabilities: Any,
    targets: Any,
    *,
    class_weight: Any = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
    sample_weight: Any = None,
) -> Any:
    """Return the mean over the batch of the negative log-likelihood of the targets: -log_probabilities[i, targets[i]].

    `cross_entropy` of what comes after the `log_softmax`; everything else is as there.

    >>> nll_loss(engine.log_softmax(Tensor([[0.0, 0.0], [0.0, 1000.0]])), [0, 0])
    Tensor(500.34657359)
    """
    given = "nll_loss", _itself, log_probabilities, targets
    return _likelihood(*given, 0.0, class_weight, ignore_index, reduction, sample_weight)


@silent
def kl_div(
    prediction: Any, target: Any, *, log_target: bool = False, reduction: str = "mean", sample_weight: Any = None
) -> Any:
    """Return the mean of target·(log(target) - prediction), where predictions are log-probabilities, as in PyTorch.

    Kullback and Leibler (1951), the divergence of the prediction from the target. Both have one shape; the targets are
    probabilities, or their logarithms with `log_target=True`. Where a target is 0 the loss is 0. The divergence itself
    sums over the classes of a row, so `reduction` may also be "batchmean", the sum over the batch by its rows.

    Raises ShapeError where the shapes differ, DomainError for targets that are negative.

    >>> kl_div(engine.log(Tensor([[0.5, 0.5]])), [[1.0, 0.0]], reduction="batchmean")
    Tensor(0.69314718)
    """
    prediction, target = _pair("kl_div", prediction, target)
    if log_target:
        possible = engine.greater(target, -math.inf)
        probability, logarithm = engine.exp(target), target
    else:
        raw = _raw(target)
        rule = "They are probabilities. Write log_target=True if they are logarithms of them."
        _check_all("kl_div", "targets", raw, np.greater_equal(raw, 0), rule)
        possible = engine.greater(target, 0.0)
        probability, logarithm = target, engine.log(target)
    losses = engine.where(possible, probability * (logarithm - prediction), 0.0)
    if reduction == "batchmean":
        losses, reduction = engine.sum(losses, axis=tuple(range(1, len(_shape(losses))))), "mean"
    return _reduced(losses, reduction, sample_weight)


# Margins


def hinge_loss(prediction: Any, target: Any, *, reduction: str = "mean", sample_weight: Any = None) -> Any:
    """Return the mean of max(0, 1 - target·prediction), for targets of -1 and 1 of the shape of the predictions.

    Scores of shape `(batch, classes)` with integer labels of shape `(batch,)` are told apart by Crammer and Singer's
    rule (2001): max(0, 1 + the highest other score - the score of the label), one loss for each row.

    Raises ShapeError for other shapes, DomainError for targets other than -1 and 1 and labels that are not a class.

    >>> hinge_loss(Value(0.25), 1), hinge_loss(Tensor([2.0, 0.5]), [1, -1])
    (Value(0.75), Tensor(0.75))
    >>> hinge_loss(Tensor([[3.0, 1.0, 2.5]]), [0])
    Tensor(0.5)
    """
    return _reduced(_violation("hinge_loss", prediction, target), reduction, sample_weight)


def squared_hinge_loss(prediction: Any, target: Any, *, reduction: str = "mean", sample_weight: Any = None) -> Any:
    """Return the mean of the squares of what `hinge_loss` is the mean of, which is smooth at the margin.

    >>> squared_hinge_loss(Tensor([2.0, 0.5]), [1, -1])
    Tensor(1.125)
    """
    violation = _violation("squared_hinge_loss", prediction, target)
    return _reduced(engine.square(violation), reduction, sample_weight)


@silent
def _violation(where: str, prediction: Any, target: Any) -> Any:
    """By how much each margin of 1 is missed: for each prediction, or for each row of scores."""
    prediction = _numbers(prediction)
    shape, expected = _shape(prediction), np.shape(_raw(target))
    if len(shape) == 2 and shape[1] > 1 and expected == shape[:1]:
        labels = as_array(_raw(target))
        _check_labels(where, labels, shape[1])
        own = np.arange(shape[1]) == labels[:, None]
        others = engine.max(engine.where(own, -math.inf, prediction), axis=1)
        return engine.relu(1.0 + others - prediction[np.arange(shape[0]), labels])
    prediction, target = _pair(where, prediction, target)
    _check_signs(where, target)
    return engine.relu(1.0 - target * prediction)


# Distances


@silent
def cosine_embedding_loss(
    x1: Any, x2: Any, target: Any, *, margin: float = 0.0, reduction: str = "mean", sample_weight: Any = None
) -> Any:
    """Return the mean of 1 - cos(x1, x2) where the target is 1, and of max(0, cos(x1, x2) - margin) where it is -1.

    The rows of x1 and x2, of shape `(batch, features)`, are compared in pairs; targets have the shape `(batch,)`, or
    are one number for all. Two vectors of shape `(features,)` have one target. Squared lengths are raised by 1e-12, as
    in PyTorch, so that vectors of zeros have the cosine 0.

    Raises ShapeError for other shapes, DomainError for targets other than -1 and 1 and a margin outside [-1, 1].

    >>> cosine_embedding_loss(Tensor([[1.0, 0.0], [1.0, 0.0]]), [[1.0, 1.0], [2.0, 0.0]], [1, -1], reduction="none")
    Tensor([0.29289322, 1.        ])
    """
    where = "cosine_embedding_loss"
    _check_setting(where, "margin", margin, lambda margin: -1 <= margin <= 1, "a cosine, from -1 to 1")
    x1, x2 = _rows(where, x1, x2)
    target = as_array(_raw(target))
    if target.shape not in ((), _shape(x1)[:-1]):
        raise errors.ShapeError(
            f"{where} was given rows of shape {_shape(x1)} and targets of shape {target.shape}. Each pair of rows is "
            f"alike (1) or not (-1). Give targets of shape {_shape(x1)[:-1]}, or one number."
        )
    _check_signs(where, target)
    lengths = engine.sqrt(_inner(x1, x1, 1e-12) * _inner(x2, x2, 1e-12))
    cosine = _inner(x1, x2) / lengths
    losses = engine.where(np.equal(target, 1), 1.0 - cosine, engine.relu(cosine - margin))
    return _reduced(losses, reduction, sample_weight)


@silent
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    margin: float = 1.0,
    epsilon: float = 1e-6,
    reduction: str = "mean",
    sample_weight: Any = None,
) -> Any:
    """Return the mean of max(0, d(anchor, positive) - d(anchor, negative) + margin), where d is Euclidean distance.

    The three have the shape `(batch, features)`, or `(features,)`: each anchor is to be nearer to something like it
    than to something else. Schroff, Kalenichenko and Philbin (2015) with distances that are not squared, as in Balntas
    et al. (2016). As in PyTorch, `epsilon` is added to each difference.

    Raises ShapeError where the shapes differ, DomainError unless the margin is positive.

    >>> triplet_margin_loss(Tensor([[0.0, 0.0]]), [[3.0, 4.0]], [[0.0, 5.5]], epsilon=0.0)
    Tensor(0.5)
    """
    _check_setting("triplet_margin_loss", "margin", margin, lambda margin: margin > 0, "a positive number")
    _check_setting("triplet_margin_loss", "epsilon", epsilon, lambda epsilon: epsilon >= 0, "0 or a small number")
    anchor, positive, negative = _rows("triplet_margin_loss", anchor, positive, negative)
    near = engine.norm(engine.subtract(anchor, positive) + epsilon, axis=-1)
    far = engine.norm(engine.subtract(anchor, negative) + epsilon, axis=-1)
    return _reduced(engine.relu(near - far + margin), reduction, sample_weight)


def _inner(x: Any, y: Any, epsilon: float = 0.0) -> Any:
    return engine.sum(engine.multiply(x, y), axis=-1) + epsilon


LOSSES: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        mse_loss,
        l1_loss,
        huber_loss,
        binary_cross_entropy_with_logits,
        cross_entropy,
        nll_loss,
        kl_div,
        hinge_loss,
        squared_hinge_loss,
    )
}
"""The losses of predictions and targets, which may be chosen by name."""


# What the probabilities of classes have in common


def _likelihood(
    where: str,
    logarithm: Callable[[Any], Any],
    logits: Any,
    targets: Any,
    label_smoothing: float,
    class_weight: Any,
    ignore_index: int | None,
    reduction: str,
    sample_weight: Any,
) -> Any:
    """-log of the probability of each target; `logarithm` makes log-probabilities of the logits."""
    logits, targets = _numbers(logits), targets if isinstance(targets, Tensor) else as_array(targets)
    shape, expected = _shape(logits), _shape(targets)
    if len(shape) not in (1, 2) or not all(shape):
        raise errors.ShapeError(
            f"{where} was given logits of shape {shape}. They have one row for each example and one column for "
            "each class. Reshape them to (batch, classes)."
        )
    if expected not in (shape, shape[:-1]):
        raise errors.ShapeError(
            f"{where} was given logits of shape {shape} and targets of shape {expected}. "
            f"Targets are labels of shape {shape[:-1]}, or a distribution for each row, of shape {shape}. "
            "Reshape the targets, for example with labels.ravel()."
        )
    if expected == shape and targets.dtype.kind != "f":
        targets = np.asarray(targets)
        _check_one_hot(where, targets)
        if class_weight is None and ignore_index is None:
            targets = targets.astype(logits.dtype if logits.dtype.kind == "f" else float)
        else:
            expected, targets = shape[:-1], targets.argmax(axis=-1)
    if expected == shape:
        _check_distributions(where, _raw(targets), ignore_index)
        products = _products(logarithm(logits), targets, label_smoothing, class_weight)
        if reduction == "mean" and sample_weight is None:
            return engine.negative(engine.sum(products)) / math.prod(shape[:-1])  # one reduction instead of two
        return _reduced(engine.negative(engine.sum(products, axis=-1)), reduction, sample_weight)

    labels, weights = np.asarray(targets), sample_weight
    if ignore_index is not None:
        _check_setting(where, "ignore_index", ignore_index, lambda label: label == int(label), "an integer, or None")
        used = np.not_equal(labels, ignore_index)
        labels = np.where(used, labels, 0)
        weights = used if weights is None else used * _weights("sample_weight", weights, labels.shape)
    _check_labels(where, labels, shape[-1])
    shares = weights
    if class_weight is not None:
        weights = np.ones(labels.shape) if weights is None else _weights("sample_weight", weights, labels.shape)
        shares = weights * _weights("class_weight", class_weight, shape[-1:])[labels]
    log_probabilities = logarithm(logits)
    if label_smoothing:
        one_hot = np.zeros(shape, log_probabilities.dtype)
        np.put_along_axis(one_hot, labels[..., None], 1, axis=-1)
        products = _products(log_probabilities, one_hot, label_smoothing, class_weight)
        return _reduced(engine.negative(engine.sum(products, axis=-1)), reduction, weights, shares)
    picked = log_probabilities[labels if len(shape) == 1 else (np.arange(shape[0]), labels)]
    return _reduced(engine.negative(picked), reduction, shares)


def _products(log_probabilities: Any, targets: Any, label_smoothing: float, class_weight: Any) -> Any:
    """The targets, smoothed and then weighed, times their log-probabilities."""
    classes = _shape(targets)[-1]
    if label_smoothing:
        targets = (1.0 - label_smoothing) * targets + label_smoothing / classes
    if class_weight is not None:
        targets = _weights("class_weight", class_weight, (classes,)).astype(targets.dtype) * targets
    return _times(targets, log_probabilities)


def _times(targets: Any, x: Any) -> Any:
    """Return targets * x, and 0 where a target is 0 and x is infinite."""
    product, raw = engine.multiply(targets, x), _raw(x)
    if np.isfinite(raw).all():
        return product
    return engine.where(np.equal(_raw(targets), 0) & np.isinf(raw), 0.0, product)


# From the losses of the examples to one number


def _reduced(losses: Any, reduction: str, weights: Any = None, shares: Any = None) -> Any:
    """Weigh the losses, whose first axis counts examples, and reduce them.

    The weighted mean is divided by the sum of `shares`, which are the weights unless they are given.
    """
    reduce = chosen(str(reduction), REDUCTIONS, "reduction")
    if weights is None:
        return reduce(losses)
    shape = _shape(losses)
    weights = _weights("sample_weight", weights, shape[:1])
    total = float(np.sum(weights if shares is None else shares))
    if reduction == "mean" and total == 0:
        raise errors.DomainError(
            f"The weights of {weights.size} examples sum to 0. The weighted mean of their losses is asked for. "
            'Give at least one of them a positive weight, or write reduction="sum".'
        )
    weights = weights.astype(losses.dtype).reshape(-1, *[1] * (len(shape) - 1)) if shape else weights.item()
    losses = engine.where(np.not_equal(weights, 0), engine.multiply(losses, weights), 0.0)
    if reduction != "mean":
        return reduce(losses)
    return engine.divide(engine.sum(losses), total * math.prod(shape[1:]))


def _itself(x: Any) -> Any:
    return x


REDUCTIONS: dict[str, Callable[[Any], Any]] = {"mean": engine.mean, "sum": engine.sum, "none": _itself}
"""What may become of the losses of the examples."""


# What is given, as numbers


def _pair(where: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Predictions and targets of one shape; whole numbers and lists become floats like the predictions."""
    prediction = _numbers(prediction)
    target = _numbers(target, like=prediction)
    shape, expected = _shape(prediction), _shape(target)
    if shape != expected:
        raise errors.ShapeError(
            f"{where} was given predictions of shape {shape} and targets of shape {expected}. "
            "Each prediction is compared with its own target, so the shapes must be equal. "
            "Reshape one of them, for example with targets.reshape(-1, 1)."
        )
    return prediction, target


def _rows(where: str, *given: Any) -> list[Any]:
    """Vectors, or matrices of them, of one shape."""
    rows = [_numbers(each) for each in given]
    shapes = [_shape(each) for each in rows]
    if len(set(shapes)) != 1 or len(shapes[0]) not in (1, 2):
        raise errors.ShapeError(
            f"{where} was given inputs of shapes {', '.join(map(str, shapes))}. Their rows are compared one by one. "
            "Give all of them the shape (batch, features), or (features,)."
        )
    return rows


def _numbers(given: Any, like: Any = None) -> Any:
    """Nodes and numbers as they are, lists that hold nodes stacked, and everything else as an array.

    Integers, booleans and lists get the dtype of the array or tensor that they are compared with.
    """
    kind = type(given)
    if ((kind is Tensor or kind is np.ndarray) and given.dtype.kind == "f") or isinstance(given, SINGLE):
        return given
    if isinstance(given, list | tuple):
        given = [_numbers(part) if isinstance(part, list | tuple) else part for part in given]
        if any(isinstance(part, Value | Tensor) for part in given):
            return engine.stack(given)
    array = as_array(given)
    dtype = getattr(like, "dtype", array.dtype)
    return array.astype(dtype, copy=False) if dtype.kind == "f" else array


SINGLE = (Value, float, int, np.generic)  # a union would be made anew in each call


def _weights(name: str, given: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Weights of this shape; an error for others, and for any that is negative or no number."""
    weights = as_array(given)
    if weights.shape != shape:
        raise errors.ShapeError(
            f"{name} has the shape {weights.shape}. There is one weight for each "
            f"{'class' if name == 'class_weight' else 'example'} of the loss. Give an array of shape {shape}."
        )
    _check_weights(name, weights)
    return weights


def _positive_weight(given: Any, logits: Any) -> Any:
    """The weight of the positive class, a number or an array that broadcasts to the logits."""
    weight = as_array(given)
    try:
        fits = np.broadcast_shapes(weight.shape, _shape(logits)) == _shape(logits)
    except ValueError:
        fits = False
    if not fits:
        raise errors.ShapeError(
            f"pos_weight has the shape {weight.shape}, and the logits have the shape {_shape(logits)}. It is "
            "multiplied with the losses of positive targets. Give a number, or one weight for each column."
        )
    _check_weights("pos_weight", weight)
    return weight.astype(logits.dtype) if weight.shape else weight.item()


def _raw(given: Any) -> Any:
    """The numbers of a node; anything else as it is."""
    return given.data if isinstance(given, Value | Tensor) else given


def _varies(given: Any) -> bool:
    return isinstance(given, Value | Tensor) and given.requires_grad


def _shape(x: Any) -> tuple[int, ...]:
    shape = getattr(x, "shape", None)
    return np.shape(x) if shape is None else shape


# What cannot be compared


def _check_setting(where: str, name: str, value: Any, fits: Callable[[Any], bool], wanted: str) -> None:
    """Raise DomainError unless a setting is a finite number that fits."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not (real and math.isfinite(value) and fits(value)):
        raise errors.DomainError(f"{name}={value!r} was given. It is a setting of {where}. Give {wanted}.")


def _check_all(where: str, name: str, given: Any, right: Any, rule: str) -> None:
    """Raise DomainError with the first number that is not right, the rule that it breaks and what to do."""
    if not np.all(right):
        wrong = np.asarray(given)[np.logical_not(right)][0]
        raise errors.DomainError(f"{where} was given {name} of shape {np.shape(given)} with {wrong} among them. {rule}")


def _check_weights(name: str, weights: np.ndarray) -> None:
    rule = "Weights are finite and not negative. Give an example or a class that is to be left out the weight 0."
    _check_all("A loss", name, weights, (weights >= 0) & np.isfinite(weights), rule)


def _check_signs(where: str, target: Any) -> None:
    raw = _raw(target)
    rule = "They are -1 and 1. Map labels of 0 and 1 to them with 2 * labels - 1."
    _check_all(where, "targets", raw, np.equal(raw, -1) | np.equal(raw, 1), rule)


def _check_one_hot(where: str, targets: np.ndarray) -> None:
    if not (np.isin(targets, (0, 1)).all() and (targets.sum(axis=-1) == 1).all()):
        raise errors.DomainError(
            f"{where} was given integer targets of shape {targets.shape}, the shape of the logits. "
            "They are read as one-hot rows, and some row is none. "
            "Give labels of shape (batch,), or floating-point distributions."
        )


def _check_distributions(where: str, targets: np.ndarray, ignore_index: int | None) -> None:
    if not np.minimum.reduce(targets, axis=None) >= 0:  # NaN neither
        rule = "Each row of floats is a distribution over the classes. Give probabilities, or labels as integers."
        _check_all(where, "targets", targets, np.greater_equal(targets, 0), rule)
    if ignore_index is not None:
        raise errors.DataError(
            f"{where} was given ignore_index={ignore_index!r} with distributions as targets, of shape {targets.shape}. "
            "Only labels can be equal to it. Give the rows that are to be left out a sample_weight of 0."
        )


def _check_labels(where: str, labels: np.ndarray, classes: int) -> None:
    if labels.dtype.kind not in "iu":
        raise errors.DataError(
            f"{where} was given labels of dtype {labels.dtype} and shape {labels.shape}. "
            f"Labels are the integers 0, ..., {classes - 1}. Convert them with labels.astype(int), or give one-hot "
            f"targets of shape {(*labels.shape, classes)}."
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        wrong = low if low < 0 else high
        position = np.argwhere(labels == wrong)[0].tolist()
        raise errors.DomainError(
            f"{where} was given the label {wrong}{f' at position {position[0]}' if position else ''}. "
            f"The logits have {classes} classes, 0, ..., {classes - 1}. "
            "Number the classes from 0, for example with numpy.unique(labels, return_inverse=True)."
        )
