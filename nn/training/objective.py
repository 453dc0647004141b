"""The objective: the loss of some batches with its gradient, and what is said where one of them is not finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import engine
from engine import Tensor, Value, errors

from ..clipping import clip_grad_norm
from ..module import Module
from ..optimizers import Optimizer
from .feeding import Batch
from .figures import Figures, Function

NODES = (Value, Tensor)


class DivergenceError(errors.EngineError, ArithmeticError):
    """A loss or gradient that became NaN or infinite; `anomaly`, an engine.anomaly.Anomaly, says where it came from."""

    anomaly: Any = None


class Objective:
    """The mean loss of a group of batches, to be made small: `of(group)` is the closure that an optimiser calls."""

    def __init__(
        self, model: Module, loss: Function, optimizer: Optimizer, metrics: Mapping[str, Any], clip_norm: float | None
    ) -> None:
        self.model, self.loss, self.optimizer, self.metrics = model, loss, optimizer, metrics
        self.clip_norm = clip_norm

    def begin(self, epoch: int, kept: str) -> None:
        """Begin an epoch with new figures; `kept` says which weights the model has if the epoch goes wrong."""
        self.epoch, self.batch, self.kept = epoch, 0, kept
        self.figures = Figures(self.metrics)

    def of(self, group: Sequence[Batch]) -> Callable[[], float]:
        """Return a function that computes the loss, leaves its gradient in the parameters, and returns the loss."""
        first = True  # a line search tries out more, which is no figure and may be infinite

        def loss_and_gradient() -> float:
            nonlocal first
            weights = [batch.weight for batch in group]
            total, mean = sum(weights), 0.0
            self.optimizer.zero_grad()
            for batch, weight in zip(group, weights):
                self.batch += first
                prediction = self.model(batch.inputs)
                error = loss_of(self.loss, prediction, batch)
                number = self._number(error, batch, first)
                if first:
                    self.figures.add(batch, weight, number, prediction)
                mean += number * (weight / total)
                (error if weight == total else error * (weight / total)).backward()
                if first:
                    self._check_gradients(error)
            if self.clip_norm is not None:
                clip_grad_norm(self.optimizer.parameters, self.clip_norm)
            first = False
            return mean

        return loss_and_gradient

    def check_parameters(self) -> None:
        """Raise DivergenceError for NaN and infinity, which a step may make of a finite gradient."""
        parameter = _first_infinite(self.optimizer.parameters, "data")
        if parameter is not None:
            raise DivergenceError(
                f"The parameter {self._name(parameter)!r} became NaN or infinite in epoch {self.epoch}, while the loss "
                f"was finite. Training stopped, and the parameters are {self.kept}. {ADVICE}"
            )

    def _number(self, error: Any, batch: Batch, check: bool) -> float:
        """The loss as a number; an error if it is not one, or cannot be made smaller."""
        if not isinstance(error, NODES):
            raise errors.DataError(
                f"The loss returned {error!r} of type {type(error).__name__} in {self._place()}. Only a node has a "
                "gradient. Compute the loss with operators and engine functions from what the model returned."
            )
        if error.size != 1:
            raise errors.ShapeError(
                f"The loss returned {error.size} numbers, of shape {error.shape}, in {self._place()}. One number is to "
                "be made small. Return their mean or sum, as nn.mse_loss does."
            )
        number = error.item()
        if check and not math.isfinite(number):
            bad = isinstance(batch.inputs, np.ndarray) and not np.isfinite(batch.inputs).all()
            cause = "as inputs of this batch are" if bad else "from finite inputs"
            raise self._divergence(f"The loss became {number} in {self._place()}, {cause}.", error)
        return number

    def _check_gradients(self, error: Any) -> None:
        parameter = _first_infinite(self.optimizer.parameters, "grad")
        if parameter is not None:
            raise self._divergence(
                f"The gradient of {self._name(parameter)!r} became NaN or infinite in {self._place()}, while the "
                "loss was finite.",
                error,
            )

    def _place(self) -> str:
        return f"epoch {self.epoch}, batch {self.batch}"

    def _name(self, parameter: Any) -> str:
        return next((name for name, each in self.model.named_parameters() if each is parameter), "")

    def _divergence(self, what: str, error: Any) -> DivergenceError:
        try:
            anomaly = engine.find_anomaly(error)
        except errors.GraphError:  # the loss changed the data of its own inputs
            anomaly = None
        report = f"{anomaly.message} " if anomaly else ""
        divergence = DivergenceError(f"{what} {report}Training stopped, and the parameters are {self.kept}. {ADVICE}")
        divergence.anomaly = anomaly
        return divergence


ADVICE = "Lower the learning rate, shorten gradients with clip_norm=, or scale the inputs."


def _first_infinite(parameters: Sequence[Any], attribute: str) -> Any:
    """The first parameter whose data or gradient is not finite, None if all are."""
    arrays = [getattr(parameter, attribute) for parameter in parameters]
    # A sum of squares takes a fifth of the time, and is finite only if all of them are; a large one need not be.
    if all(map(math.isfinite, [np.vdot(array, array) for array in arrays if array is not None])):
        return None
    pairs = zip(parameters, arrays)
    return next((parameter for parameter, array in pairs if array is not None and not np.isfinite(array).all()), None)


def loss_of(loss: Function, prediction: Any, batch: Batch) -> Any:
    """Return the loss of a prediction for a batch."""
    if batch.sample_weight is None:
        return loss(prediction, batch.targets)
    return loss(prediction, batch.targets, sample_weight=batch.sample_weight)
