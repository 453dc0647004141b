"""Figures: what the loss and the metrics of an epoch come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from engine import Tensor, Value, errors

from .feeding import Batch

Function = Callable[..., Any]
Metrics = Mapping[str, Function] | Sequence[Function] | Function | None


class Figures:
    """The mean of the loss over the batches of an epoch, and the metrics of all their predictions taken together.

    Not every metric is a mean over rows: the F1 score of an epoch is not that of its batches on average.
    """

    def __init__(self, metrics: Mapping[str, Function]) -> None:
        self.metrics = metrics
        self.total = self.weight = 0.0
        self.predictions: list[Any] = []
        self.targets: list[Any] = []

    def add(self, batch: Batch, weight: float, loss: float, prediction: Any) -> None:
        """Take in one batch, whose loss counts as much as it weighs; predictions are kept only where metrics are."""
        self.total += weight * loss
        self.weight += weight
        if self.metrics:
            self.predictions.append(_plain(prediction))
            self.targets.append(_plain(batch.targets))

    def by_name(self) -> dict[str, float]:
        """Return the loss and the metrics by name."""
        figures = {"loss": self.total / self.weight}
        if self.metrics:
            prediction, targets = _joined(self.predictions), _joined(self.targets)
            figures |= {name: _number(name, metric(prediction, targets)) for name, metric in self.metrics.items()}
        return figures


def _plain(part: Any) -> Any:
    """A copy without nodes, as what gives batches may use its arrays again; a list of numbers is an array."""
    if isinstance(part, dict):
        return {name: _plain(each) for name, each in part.items()}
    if isinstance(part, list | tuple):
        parts = tuple([_plain(each) for each in part])
        return np.array(parts) if all(isinstance(each, np.ndarray) and each.ndim == 0 for each in parts) else parts
    return np.array(part.data if isinstance(part, Value | Tensor) else part)


def _joined(parts: Sequence[Any]) -> Any:
    """What batches brought, row after row; outputs that are several are joined one by one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, tuple):
        return tuple([_joined(each) for each in zip(*parts, strict=True)])
    if isinstance(first, dict):
        return {name: _joined([part[name] for part in parts]) for name in first}
    try:
        return np.concatenate(parts)
    except ValueError as error:
        shapes = ", ".join(dict.fromkeys([str(part.shape) for part in parts]))
        raise errors.ShapeError(
            f"The batches of an epoch have predictions or targets of shapes {shapes}. Metrics are computed once for "
            "all rows of an epoch, so that the shapes may differ in the first axis alone. "
            "Bring them to one size, or leave out metrics=."
        ) from error


def _number(name: str, figure: Any) -> float:
    try:
        return float(figure)
    except (TypeError, ValueError) as error:
        raise errors.DataError(
            f"The metric {name!r} returned {figure!r:.100} of type {type(figure).__name__}. A History has one number "
            "for each epoch. Return a number, or give a function that returns one of several."
        ) from error


def named_functions(metrics: Metrics) -> dict[str, Function]:
    """Return metrics by name, that of the function where none is given."""
    if metrics is not None and not isinstance(metrics, Mapping | Sequence):
        metrics = [metrics]
    pairs = metrics.items() if isinstance(metrics, Mapping) else [(_name(metric), metric) for metric in metrics or ()]
    named = dict(pairs)
    if "loss" in named or len(named) < len(pairs) or not all(map(callable, named.values())):
        raise errors.DataError(
            f"fit was given the metrics {[name for name, _ in pairs]}. "
            'Each is a function with a name of its own, and "loss" is taken. '
            'Write metrics={"name": function, ...}.'
        )
    return named


def _name(metric: Any) -> str:
    return getattr(metric, "__name__", repr(metric))
