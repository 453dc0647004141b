"""Losses: how far predictions are from targets, as one number. They are compositions of engine functions.

Each takes `reduction`, which says what becomes of the losses of the examples ("mean", "sum", or "none" to have them
all), and `sample_weight`, one number for each example, of shape `(batch,)`, or one for each loss, of the shape that
"none" gives. The weighted mean is Σ wᵢ·lossᵢ / Σ wᵢ, so that only the ratios of the weights matter to it; an example of
weight 0 is left out, even where its loss is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import engine
from engine import Tensor, errors

from .data import as_array
from .initializers import chosen
from .targets import (
    check_all,
    check_classes,
    check_distributions,
    check_labels,
    check_one_hot,
    check_setting,
    check_signs,
    class_weights,
    example_weights,
    numbers,
    paired,
    plain,
    positive_weight,
    rows_of,
    shape_of,
    varies,
)  # fmt: skip

silent = np.errstate(all="ignore")  # as the engine's own functions are, also where operators meet plain arrays

# Numbers from numbers


def mse_loss(prediction: Any, targets: Any, *, reduction: str = "mean", sample_weight: Any = None) -> Any:
    """Return the mean of the squared differences, for Values, numbers, Tensors and arrays of one shape.

    Raises ShapeError where the shapes differ: broadcasting `(batch, 1)` against `(batch,)` would compare every
    prediction with every target.

    >>> mse_loss(Tensor([[1.0], [3.0]]), [[0.0], [1.0]])
    Tensor(2.5)
    """
    prediction, targets = paired("mse_loss", prediction, targets)
    difference = engine.subtract(prediction, targets)
    if reduction == "mean" and sample_weight is None:
        return engine.mean_square(difference)
    return _reduced(engine.square(difference), reduction, sample_weight)


def l1_loss(prediction: Any, targets: Any, *, reduction: str = "mean", sample_weight: Any = None) -> Any:
    """Return the mean of the absolute differences: of all constants, the median makes it smallest.

    Shapes are those of `mse_loss`. The derivative is 0 where a prediction equals its target.

    >>> l1_loss(Tensor([1.0, 3.0]), [0.0, 1.0])
    Tensor(1.5)
    """
    prediction, targets = paired("l1_loss", prediction, targets)
    return _reduced(engine.absolute(engine.subtract(prediction, targets)), reduction, sample_weight)


@silent
def huber_loss(
    prediction: Any, targets: Any, *, delta: float = 1.0, reduction: str = "mean", sample_weight: Any = None
) -> Any:
    """Return the mean of d²/2 where the difference d is at most `delta`, and of delta·(abs(d) - delta/2) beyond.

    Huber (1964). It is half the squared error for small differences and grows as slowly as the absolute one for
    outliers. Shapes are those of `mse_loss`. Raises DomainError unless `delta` is positive.

    >>> huber_loss(Tensor([0.5, 3.0]), [0.0, 0.0], reduction="none").tolist()
    [0.125, 2.5]
    """
    check_setting("huber_loss", "delta", delta, lambda delta: delta > 0, "a positive number")
    prediction, targets = paired("huber_loss", prediction, targets)
    difference = engine.subtract(prediction, targets)
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
    logits, targets = paired(where, logits, targets)
    raw = plain(targets)
    rule = "They are 0, 1 or probabilities between. Map labels of -1 and 1 to them with (labels + 1) / 2."
    check_all(where, "targets", raw, np.greater_equal(raw, 0) & np.less_equal(raw, 1), rule)
    weight = 1.0 if pos_weight is None else positive_weight(pos_weight, logits)
    if not varies(targets) and np.all(np.equal(raw, 0) | np.equal(raw, 1)):
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
    """Return the mean of -log of the probability that softmax(logits) gives to the target.

    `logits` have the shape `(batch, classes)`, before any softmax, and `targets` are labels, integers 0, ...,
    classes - 1 of shape `(batch,)`, or a distribution for each row (one-hot or soft) of the shape of the logits. In
    general logits have the shape `(..., classes)` and labels the shape `(...)`: there may be a label at each time,
    `(batch, time)`, or for a single row `(classes,)`. Exact and silent for logits of any size; those of -inf rule a
    class out.

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
        check_setting(
            "cross_entropy", "label_smoothing", label_smoothing, lambda share: 0 <= share <= 1, "a share, 0 to 1"
        )
    given = "cross_entropy", engine.log_softmax, engine.softmax_cross_entropy, logits, targets
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
    """Return the mean of the negative log-likelihood of the targets: -log_probabilities[i, targets[i]].

    `cross_entropy` of what comes after the `log_softmax`; shapes, settings and errors are those of it.

    >>> nll_loss(engine.log_softmax(Tensor([[0.0, 0.0], [0.0, 1000.0]])), [0, 0])
    Tensor(500.34657359)
    """
    given = "nll_loss", _itself, _picked, log_probabilities, targets
    return _likelihood(*given, 0.0, class_weight, ignore_index, reduction, sample_weight)


@silent
def kl_div(
    prediction: Any, targets: Any, *, log_target: bool = False, reduction: str = "mean", sample_weight: Any = None
) -> Any:
    """Return the mean of target·(log(target) - prediction), where predictions are log-probabilities, as in PyTorch.

    Kullback and Leibler (1951), the divergence of the prediction from the targets. Both have one shape; the targets
    are probabilities, or their logarithms with `log_target=True`. Where a target is 0 the loss is 0. The divergence
    itself sums over the classes of a row, so `reduction` may also be "batchmean", the sum over the batch by its rows.

    Raises ShapeError where the shapes differ, DomainError for targets that are negative.

    >>> kl_div(engine.log(Tensor([[0.5, 0.5]])), [[1.0, 0.0]], reduction="batchmean")
    Tensor(0.69314718)
    """
    prediction, targets = paired("kl_div", prediction, targets)
    if log_target:
        possible = engine.greater(targets, -math.inf)
        probability, logarithm = engine.exp(targets), targets
    else:
        raw = plain(targets)
        rule = "They are probabilities. Write log_target=True if they are logarithms of them."
        check_all("kl_div", "targets", raw, np.greater_equal(raw, 0), rule)
        possible = engine.greater(targets, 0.0)
        probability, logarithm = targets, engine.log(targets)
    losses = engine.where(possible, probability * (logarithm - prediction), 0.0)
    if reduction == "batchmean":
        losses, reduction = engine.sum(losses, axis=tuple(range(1, len(shape_of(losses))))), "mean"
    return _reduced(losses, reduction, sample_weight)


# Margins


def hinge_loss(prediction: Any, targets: Any, *, reduction: str = "mean", sample_weight: Any = None) -> Any:
    """Return the mean of max(0, 1 - target·prediction), for targets of -1 and 1 of the shape of the predictions.

    Scores of shape `(batch, classes)` with integer labels of shape `(batch,)` are told apart by Crammer and Singer's
    rule (2001): max(0, 1 + the highest other score - the score of the label), one loss for each row.

    Raises ShapeError for other shapes, DomainError for targets other than -1 and 1 and labels that are not a class.

    >>> hinge_loss(engine.Value(0.25), 1), hinge_loss(Tensor([2.0, 0.5]), [1, -1])
    (Value(0.75), Tensor(0.75))
    >>> hinge_loss(Tensor([[3.0, 1.0, 2.5]]), [0])
    Tensor(0.5)
    """
    return _reduced(_violation("hinge_loss", prediction, targets), reduction, sample_weight)


def squared_hinge_loss(prediction: Any, targets: Any, *, reduction: str = "mean", sample_weight: Any = None) -> Any:
    """Return the mean of max(0, 1 - target·prediction)², which is smooth at the margin.

    Shapes and errors are those of `hinge_loss`; with labels, the losses of Crammer and Singer's rule are squared.

    >>> squared_hinge_loss(Tensor([2.0, 0.5]), [1, -1])
    Tensor(1.125)
    """
    violation = _violation("squared_hinge_loss", prediction, targets)
    return _reduced(engine.square(violation), reduction, sample_weight)


@silent
def _violation(where: str, prediction: Any, targets: Any) -> Any:
    """By how much each margin of 1 is missed: for each prediction, or for each row of scores."""
    prediction = numbers(prediction)
    shape, expected = shape_of(prediction), np.shape(plain(targets))
    if len(shape) == 2 and shape[1] > 1 and expected == shape[:1]:
        labels = as_array(plain(targets))
        check_labels(where, labels, shape[1])
        own = np.arange(shape[1]) == labels[:, None]
        others = engine.max(engine.where(own, -math.inf, prediction), axis=1)
        return engine.relu(1.0 + others - prediction[np.arange(shape[0]), labels])
    prediction, targets = paired(where, prediction, targets)
    check_signs(where, targets)
    return engine.relu(1.0 - targets * prediction)


# Distances


@silent
def cosine_embedding_loss(
    x1: Any, x2: Any, targets: Any, *, margin: float = 0.0, reduction: str = "mean", sample_weight: Any = None
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
    check_setting(where, "margin", margin, lambda margin: -1 <= margin <= 1, "a cosine, from -1 to 1")
    x1, x2 = rows_of(where, x1, x2)
    targets = as_array(plain(targets))
    if targets.shape not in ((), shape_of(x1)[:-1]):
        raise errors.ShapeError(
            f"{where} was given rows of shape {shape_of(x1)} and targets of shape {targets.shape}. Each pair of rows "
            f"is alike (1) or not (-1). Give targets of shape {shape_of(x1)[:-1]}, or one number."
        )
    check_signs(where, targets)
    lengths = engine.sqrt(_inner(x1, x1, 1e-12) * _inner(x2, x2, 1e-12))
    cosine = _inner(x1, x2) / lengths
    losses = engine.where(np.equal(targets, 1), 1.0 - cosine, engine.relu(cosine - margin))
    return _reduced(losses, reduction, sample_weight)


@silent
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    margin: float = 1.0,
    eps: float = 1e-6,
    reduction: str = "mean",
    sample_weight: Any = None,
) -> Any:
    """Return the mean of max(0, d(anchor, positive) - d(anchor, negative) + margin), where d is Euclidean distance.

    The three have the shape `(batch, features)`, or `(features,)`: each anchor is to be nearer to something like it
    than to something else. Schroff, Kalenichenko and Philbin (2015) with distances that are not squared, as in Balntas
    et al. (2016). As in PyTorch, `eps` is added to each difference.

    Raises ShapeError where the shapes differ, DomainError unless the margin is positive.

    >>> triplet_margin_loss(Tensor([[0.0, 0.0]]), [[3.0, 4.0]], [[0.0, 5.5]], eps=0.0)
    Tensor(0.5)
    """
    check_setting("triplet_margin_loss", "margin", margin, lambda margin: margin > 0, "a positive number")
    check_setting("triplet_margin_loss", "eps", eps, lambda eps: eps >= 0, "0 or a small number")
    anchor, positive, negative = rows_of("triplet_margin_loss", anchor, positive, negative)
    near = engine.norm(engine.subtract(anchor, positive) + eps, axis=-1)
    far = engine.norm(engine.subtract(anchor, negative) + eps, axis=-1)
    return _reduced(engine.relu(near - far + margin), reduction, sample_weight)


def _inner(x: Any, y: Any, eps: float = 0.0) -> Any:
    return engine.sum(engine.multiply(x, y), axis=-1) + eps


# What the probabilities of classes have in common


def _likelihood(
    where: str,
    logarithm: Callable[[Any], Any],
    loss_of_labels: Callable[[Any, Any], Any],
    logits: Any,
    targets: Any,
    label_smoothing: float,
    class_weight: Any,
    ignore_index: int | None,
    reduction: str,
    sample_weight: Any,
) -> Any:
    """-log of the probability of each target.

    `logarithm` makes log-probabilities of the logits, `loss_of_labels` losses of logits and labels.
    """
    logits, targets = numbers(logits), targets if isinstance(targets, Tensor) else as_array(targets)
    shape, expected = shape_of(logits), shape_of(targets)
    check_classes(where, shape, expected)
    if expected == shape and targets.dtype.kind != "f":
        targets = np.asarray(targets)
        check_one_hot(where, targets)
        if class_weight is None and ignore_index is None:
            targets = targets.astype(logits.dtype if logits.dtype.kind == "f" else float)
        else:
            expected, targets = shape[:-1], targets.argmax(axis=-1)
    if expected == shape:
        check_distributions(where, plain(targets), ignore_index)
        products = _products(logarithm(logits), targets, label_smoothing, class_weight)
        if reduction == "mean" and sample_weight is None:
            return engine.negative(engine.sum(products)) / math.prod(shape[:-1])  # one reduction instead of two
        return _reduced(engine.negative(engine.sum(products, axis=-1)), reduction, sample_weight)

    labels = np.asarray(targets)
    weights = None if sample_weight is None else example_weights(sample_weight, labels.shape)
    if ignore_index is not None:
        check_setting(where, "ignore_index", ignore_index, lambda label: label == int(label), "an integer, or None")
        used = np.not_equal(labels, ignore_index)
        labels = np.where(used, labels, 0)
        weights = used if weights is None else used * weights
    check_labels(where, labels, shape[-1])
    shares = weights
    if class_weight is not None:
        weights = np.ones(labels.shape) if weights is None else weights
        shares = weights * class_weights(class_weight, shape[-1])[labels]
    if label_smoothing:
        log_probabilities = logarithm(logits)
        one_hot = np.zeros(shape, log_probabilities.dtype)
        np.put_along_axis(one_hot, labels[..., None], 1, axis=-1)
        products = _products(log_probabilities, one_hot, label_smoothing, class_weight)
        return _reduced(engine.negative(engine.sum(products, axis=-1)), reduction, weights, shares)
    return _reduced(loss_of_labels(logits, labels), reduction, shares)


def _picked(log_probabilities: Any, labels: np.ndarray) -> Any:
    """-log of the probability of each label."""
    return engine.negative(log_probabilities[(*np.indices(labels.shape, sparse=True), labels)])


def _products(log_probabilities: Any, targets: Any, label_smoothing: float, class_weight: Any) -> Any:
    """The targets, smoothed and then weighed, times their log-probabilities."""
    classes = shape_of(targets)[-1]
    if label_smoothing:
        targets = (1.0 - label_smoothing) * targets + label_smoothing / classes
    if class_weight is not None:
        targets = class_weights(class_weight, classes).astype(targets.dtype) * targets
    return _times(targets, log_probabilities)


def _times(targets: Any, x: Any) -> Any:
    """Return targets * x, and 0 where a target is 0 and x is infinite."""
    product, raw = engine.multiply(targets, x), plain(x)
    if np.isfinite(raw).all():
        return product
    return engine.where(np.equal(plain(targets), 0) & np.isinf(raw), 0.0, product)


# From the losses of the examples to one number


def _reduced(losses: Any, reduction: str, weights: Any = None, shares: Any = None) -> Any:
    """Weigh the losses and reduce them; the mean is divided by the sum of `shares`, or of the weights without them."""
    reduce = chosen(str(reduction), REDUCTIONS, "reduction")
    if weights is None:
        return reduce(losses)
    shape = shape_of(losses)
    weights = example_weights(weights, shape)
    total = float(np.sum(weights if shares is None else shares))
    if reduction == "mean" and total == 0:
        raise errors.DomainError(
            f"The weights of {shape[0] if shape else 1} examples sum to 0. The weighted mean of their losses is asked "
            'for. Give at least one of them a positive weight, or write reduction="sum".'
        )
    weights = weights.astype(losses.dtype) if shape else weights.item()
    losses = engine.where(np.not_equal(weights, 0), engine.multiply(losses, weights), 0.0)
    if reduction != "mean":
        return reduce(losses)
    return engine.divide(engine.sum(losses), total)


def _itself(x: Any) -> Any:
    return x


REDUCTIONS: dict[str, Callable[[Any], Any]] = {"mean": engine.mean, "sum": engine.sum, "none": _itself}
"""What may become of the losses of the examples."""
