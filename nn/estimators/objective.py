"""The objective of an estimator: the loss of its rows, and what large weights cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import engine
from engine import errors

from ..module import Module


class Objective:
    """The loss that `fit` is given: that of the task, plus alpha/2·Σ w² over the number of rows, or their weights.

    Biases, and all else that has one axis, cost nothing, as in scikit-learn. `calls` counts evaluations.
    """

    def __init__(self, criterion: Callable[..., Any], network: Module, outputs: int, alpha: float) -> None:
        self.criterion, self.outputs, self.alpha, self.calls = criterion, outputs, alpha, 0
        self.weights = [parameter for parameter in network.parameters() if len(parameter.shape) > 1]

    def __call__(self, outputs: Any, targets: np.ndarray, sample_weight: np.ndarray | None = None) -> Any:
        """Return the loss of a batch.

        Raises ShapeError for outputs of another shape than `(rows, outputs)`.
        """
        self.calls += 1
        if np.shape(outputs) != (len(targets), self.outputs):
            raise errors.ShapeError(
                f"The network returned outputs of shape {np.shape(outputs)} for {len(targets)} rows. The estimator "
                f"needs n_outputs={self.outputs} numbers for each. Return an array of shape (rows, {self.outputs})."
            )
        if sample_weight is None:
            loss, count = self.criterion(outputs, targets), len(targets)
        else:
            loss, count = self.criterion(outputs, targets, sample_weight=sample_weight), sample_weight.sum()
        for weight in self.weights if self.alpha else ():
            loss = loss + engine.mean_square(weight) * (self.alpha / 2 * weight.size / count)
        return loss
