"""Early stopping: when training no longer helps, and the weights to go back to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine import errors

from ..data import check_count
from ..initializers import chosen
from ..module import Module
from ..schedules import mode_of
from .history import History


class EarlyStopping:
    """End training when a figure has not become better for `patience` epochs in a row, and keep the best weights.

    `monitor` names a figure of the history: by default "validation_loss", or "loss" where there is no validation. An
    epoch counts as better when it beats the best one before by more than `min_delta`. `mode` says what better is,
    "min" or "max"; losses are made small, for other figures it must be said.

    Goodfellow, Bengio and Courville (2016), "Deep Learning", algorithm 7.1.

    Raises DomainError for settings that cannot be.

    >>> stopping = EarlyStopping(patience=5, monitor="validation_accuracy", mode="max")
    """

    def __init__(
        self, patience: int = 10, monitor: str | None = None, min_delta: float = 0.0, mode: str | None = None
    ) -> None:
        check_count(patience, 1, "patience", "the epochs that may pass without a better one")
        if not isinstance(min_delta, int | float | np.floating | np.integer) or not 0 <= min_delta < math.inf:
            raise errors.DomainError(
                f"min_delta={min_delta!r} was given. It is by how much an epoch must be better to count. "
                "Give a finite number that is not negative."
            )
        self.patience, self.monitor, self.min_delta = patience, monitor, min_delta
        self.mode = mode_of(monitor, mode, "EarlyStopping")
        self.begin()

    def begin(self, names: Sequence[str] = ()) -> None:
        """Forget all epochs, and raise DomainError where the monitored figure is none of those that there will be."""
        if names and self.monitor is not None:
            chosen(self.monitor, {name: name for name in names}, "monitor=")
        self.best, self.best_epoch, self.waited = math.nan, 0, 0
        self.weights: dict[str, np.ndarray] | None = None

    @property
    def over(self) -> bool:
        """Whether patience has run out."""
        return self.waited >= self.patience

    def see(self, epoch: int, history: History, model: Module) -> None:
        """Compare the latest epoch with the best one, and keep the weights if it is better; NaN never is."""
        figure = history.watched(self.monitor)
        gain = self.best - figure if self.mode == "min" else figure - self.best
        first = math.isnan(self.best) and not math.isnan(figure)
        self.waited = 0 if first or gain > self.min_delta else self.waited + 1
        if first or gain > 0:
            self.best, self.best_epoch, self.weights = figure, epoch, model.state_dict()
            history.best_epoch = epoch

    def put(self, model: Module) -> None:
        """Give the model the best weights, if there are any yet."""
        if self.weights is not None:
            model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs to know."""
        return {"best": self.best, "best_epoch": self.best_epoch, "waited": self.waited, "weights": self.weights or {}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict()` was called."""
        self.best, self.best_epoch, self.waited = state["best"], state["best_epoch"], state["waited"]
        self.weights = dict(state["weights"]) or None

    def __repr__(self) -> str:
        return (
            f"EarlyStopping(patience={self.patience}, monitor={self.monitor!r}, min_delta={self.min_delta}, "
            f"mode={self.mode!r})"
        )
