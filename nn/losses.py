"""Losses: how far predictions are from targets, as one number. They are compositions of engine functions."""

from __future__ import annotations

from typing import Any

import numpy as np

import engine
from engine import Tensor, errors


def mse_loss(prediction: Any, target: Any) -> Any:
    """Return the mean of the squared differences, for Values, numbers, Tensors and arrays of one shape.

    Raises ShapeError where the shapes differ: broadcasting `(batch, 1)` against `(batch,)` would compare every
    prediction with every target.

    >>> mse_loss(Tensor([[1.0], [3.0]]), [[0.0], [1.0]])
    Tensor(2.5)
    """
    if isinstance(target, list | tuple):
        target = np.asarray(target)
    shape, expected = _shape(prediction), _shape(target)
    if shape != expected:
        raise errors.ShapeError(
            f"mse_loss was given predictions of shape {shape} and targets of shape {expected}. "
            "Each prediction is compared with its own target, so the shapes must be equal. "
            "Reshape one of them, for example with targets.reshape(-1, 1)."
        )
    return engine.mean_square(engine.subtract(prediction, target))


def cross_entropy(logits: Any, targets: Any) -> Any:
    """Return the mean over the batch of -log of the probability that softmax(logits) gives to the target.

    `logits` have the shape `(batch, classes)`, before any softmax. `targets` are labels, integers 0, ..., classes - 1
    of shape `(batch,)`, or a distribution for each row (one-hot or soft) of the shape of the logits. A single row of
    shape `(classes,)` may be given with one label. Exact and silent for logits of any size.

    Raises ShapeError for other shapes, DataError for labels that are not integers, DomainError for labels that are
    not a class.

    >>> cross_entropy(Tensor([[0.0, 0.0], [0.0, 1000.0]]), [0, 0])
    Tensor(500.34657359)
    """
    targets = targets if isinstance(targets, Tensor) else np.asarray(targets)
    shape, expected = _shape(logits), _shape(targets)
    if len(shape) not in (1, 2) or not all(shape):
        raise errors.ShapeError(
            f"cross_entropy was given logits of shape {shape}. They have one row for each example and one column for "
            "each class. Reshape them to (batch, classes)."
        )
    if expected == shape:
        if targets.dtype.kind != "f":
            _check_one_hot(np.asarray(targets))
            targets = targets.astype(logits.dtype if isinstance(logits, Tensor) else float)
        total = -engine.sum(targets * engine.log_softmax(logits))
        return total if len(shape) == 1 else total / shape[0]
    if expected != shape[:-1]:
        raise errors.ShapeError(
            f"cross_entropy was given logits of shape {shape} and targets of shape {expected}. "
            f"Targets are labels of shape {shape[:-1]}, or a distribution for each row, of shape {shape}. "
            "Reshape the targets, for example with labels.ravel()."
        )
    _check_labels(np.asarray(targets), shape[-1])
    log_probabilities = engine.log_softmax(logits)
    if len(shape) == 1:
        return -log_probabilities[targets]
    return -engine.mean(log_probabilities[np.arange(shape[0]), targets])


def _check_one_hot(targets: np.ndarray) -> None:
    if not (np.isin(targets, (0, 1)).all() and (targets.sum(axis=-1) == 1).all()):
        raise errors.DomainError(
            f"cross_entropy was given integer targets of shape {targets.shape}, the shape of the logits. "
            "They are read as one-hot rows, and some row is none. "
            "Give labels of shape (batch,), or floating-point distributions."
        )


def _check_labels(labels: np.ndarray, classes: int) -> None:
    if labels.dtype.kind not in "iu":
        raise errors.DataError(
            f"cross_entropy was given labels of dtype {labels.dtype} and shape {labels.shape}. "
            f"Labels are the integers 0, ..., {classes - 1}. Convert them with labels.astype(int), or give one-hot "
            f"targets of shape {(*labels.shape, classes)}."
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        wrong = low if low < 0 else high
        position = np.argwhere(labels == wrong)[0].tolist()
        raise errors.DomainError(
            f"cross_entropy was given the label {wrong}{f' at position {position[0]}' if position else ''}. "
            f"The logits have {classes} classes, 0, ..., {classes - 1}. "
            "Number the classes from 0, for example with numpy.unique(labels, return_inverse=True)."
        )


def _shape(x: Any) -> tuple[int, ...]:
    shape = getattr(x, "shape", None)
    return np.shape(x) if shape is None else shape
