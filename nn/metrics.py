"""Metrics: figures for people, from predictions and targets; nothing is recorded."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import Tensor, Value, errors


def accuracy(prediction: Any, targets: Any) -> float:
    """Return the share of right answers.

    `prediction` holds scores of shape `(batch, classes)`, of which the highest counts, or labels of shape `(batch,)`;
    `targets` hold labels of shape `(batch,)`, or scores such as one-hot rows.

    Raises ShapeError where their numbers of rows differ or there are none.

    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), [1, 1])
    0.5
    """
    guesses, labels = _labels(prediction), _labels(targets)
    if guesses.shape != labels.shape or not guesses.size:
        raise errors.ShapeError(
            f"accuracy was given {guesses.shape} predictions and {labels.shape} targets. "
            "Each prediction is compared with its own target, and there must be some. "
            "Give scores of shape (batch, classes) and labels of shape (batch,)."
        )
    return float(np.mean(guesses == labels))


def _labels(given: Any) -> np.ndarray:
    array = np.asarray(given.data if isinstance(given, Value | Tensor) else given)
    if array.ndim == 2 and array.shape[1] == 1:
        raise errors.ShapeError(
            f"accuracy was given one column of scores, of shape {array.shape}. "
            "The highest of one is always the first, which would call every answer right. "
            "Turn scores into labels first, for example with (scores > 0).astype(int).ravel()."
        )
    if array.ndim == 1 and array.dtype.kind == "f" and not np.equal(array, np.floor(array)).all():
        raise errors.ShapeError(
            f"accuracy was given {array.shape[0]} scores that are no labels, such as {array[0]}. "
            "One score for each row does not say which label it means. "
            "Turn scores into labels first, for example with (scores > 0).astype(int)."
        )
    return array.argmax(axis=1) if array.ndim == 2 else array
