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

    `decayed` is the optimiser, or its group, of just those weights, if it has a weight decay. This is set before each
    step: it adds the same to the gradient in a third of the time, and the loss is only reported with the cost.
    """

    def __init__(
        self,
        criterion: Callable[..., Any],
        network: Module,
        outputs: int,
        alpha: float,
        decayed: Any = None,
    ) -> None:
        self.criterion, self.outputs, self.alpha, self.calls = criterion, outputs, alpha, 0
        self.weights, _ = weights_and_rest(network)
        self.decayed = decayed if self.weights else None

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
            loss, count = self.criterion(outputs, targets), float(len(targets))
        else:
            loss, count = self.criterion(outputs, targets, sample_weight=sample_weight), float(sample_weight.sum())
        if self.decayed:
            self.decayed.weight_decay = self.alpha / count
            with np.errstate(over="ignore"):
                squares = [float(np.vdot(weight.data, weight.data)) for weight in self.weights]
            return loss + self.alpha / 2 / count * sum(squares)
        for weight in self.weights if self.alpha else ():
            loss = loss + engine.mean_square(weight) * (self.alpha / 2 * weight.size / count)
        return loss


def weights_and_rest(network: Module) -> tuple[list[Any], list[Any]]:
    """Return the parameters with several axes, whose size has a cost, and all others."""
    parameters = network.parameters()
    return [each for each in parameters if len(each.shape) > 1], [each for each in parameters if len(each.shape) < 2]
