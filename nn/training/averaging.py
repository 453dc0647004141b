"""Averaging: the mean of the weights that training passes through, which is often better than the last ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from engine import errors

from ..data import check_count
from ..module import Module


class Averaging:
    """The running mean of a model's weights, in which those of k steps ago weigh decay^k.

    With `decay=1` all weigh the same (Polyak and Juditsky, 1992), with less the latest count most. `unit="epoch"` takes
    the weights at the end of each epoch in place of those after each step, and `start` is how many steps or epochs go
    by before the first: `Averaging(1.0, unit="epoch", start=75)` is the stochastic weight averaging of Izmailov et al.
    (2018).

    The mean is corrected for its start, as Adam's are: what there was before the first step is no part of it. Buffers,
    such as the running means of BatchNorm, are averaged as the weights are, where Izmailov et al. go through the data
    once more to compute them anew; those of integers are the latest.

    Raises DomainError for settings that cannot be.

    >>> from nn import SGD, Linear, fit, mse_loss
    >>> model, x = Linear(1, 1, seed=0), np.ones((8, 1))
    >>> sgd, average = SGD(model.parameters()), Averaging(0.9)
    >>> history = fit(model, x, x, loss=mse_loss, optimizer=sgd, averaging=average, progress=False)
    >>> average.passed, bool((model.weight.data == average.mean["weight"]).all())
    (10, True)
    """

    def __init__(self, decay: float = 0.999, unit: str = "step", start: int = 0) -> None:
        if isinstance(decay, bool) or not isinstance(decay, int | float | np.floating) or not 0 < decay <= 1:
            raise errors.DomainError(
                f"{decay!r} was given as the decay of averaged weights. It is how much each step weighs beside the "
                "next one. Give a number above 0 and at most 1, such as averaging=0.999."
            )
        if unit not in ("step", "epoch"):
            raise errors.DomainError(
                f'Averaging was given unit={unit!r}. It says when weights are taken. Write unit="step" or unit="epoch".'
            )
        check_count(start, 0, "start", "the steps or epochs before averaging begins")
        self.decay, self.unit, self.start = float(decay), unit, start
        self.passed = 0
        self.mean: dict[str, np.ndarray] | None = None

    def begin(self, model: Module) -> None:
        """Forget all weights, and average those of this model from now on."""
        self.model, self.passed, self.mean = model, 0, None
        self._parts = [*model.named_parameters(), *model.named_buffers()]

    @np.errstate(all="ignore")
    def see(self, unit: str) -> None:
        """Take in the weights of the model after a step or an epoch."""
        if unit != self.unit:
            return
        self.passed += 1
        taken = self.passed - self.start
        if taken < 1:
            return
        if self.mean is None:
            self.mean = self.model.state_dict()
            return
        share = 1 / taken if self.decay == 1 else (1 - self.decay) / (1 - self.decay**taken)
        for name, part in self._parts:
            mean, latest = self.mean[name], part if isinstance(part, np.ndarray) else part.data
            mean[...] = mean + share * (latest - mean) if mean.dtype.kind == "f" else latest

    def put(self) -> None:
        """Give the model the mean, if there is one yet."""
        if self.mean is not None:
            self.model.load_state_dict(self.mean)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model have the mean for a while."""
        latest = self.model.state_dict()
        try:
            self.put()
            yield
        finally:
            self.model.load_state_dict(latest)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs to know."""
        return {"passed": self.passed, "mean": dict(self.mean or {})}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict()` was called."""
        self.passed, self.mean = state["passed"], dict(state["mean"]) or None

    def __repr__(self) -> str:
        return f"Averaging({self.decay}, unit={self.unit!r}, start={self.start})"
