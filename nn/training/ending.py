"""The ending: what the model and what trains it are left with, whichever way training ends."""

from __future__ import annotations

from typing import Any, Self

from ..module import Module
from ..optimizers import Optimizer
from ..schedules import Schedule
from .averaging import Averaging
from .objective import DivergenceError
from .snapshots import Keeper
from .stopping import EarlyStopping


class Ending:
    """A `with` block around training, at whose end everything is put where it belongs.

    | training ends | model, optimiser and schedule are left with |
    |---|---|
    | as planned, by patience, by a callback, by Ctrl-C | what was learned, and its mean where there is `averaging` |
    | by a DivergenceError, or with early stopping any error | the end of the last good epoch |
    | by another error | what there was before |

    With early stopping the model then gets the best weights, if there was an epoch to be the best one.
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        schedule: Schedule | None,
        average: Averaging | None,
        stopping: EarlyStopping | None,
    ) -> None:
        self.model, self.average, self.stopping = model, average, stopping
        self.keeper = Keeper(model, optimizer, *[schedule] if schedule else [])
        self.before = self.good = self.keeper.take()
        self.kept = "as they were before fit"  # the parameters, if the next epoch diverges

    def keep(self, epoch: int) -> None:
        """Take the present as the end of a good epoch."""
        self.good = self.keeper.take()
        best = self.stopping.best_epoch if self.stopping else 0
        self.kept = f"the best ones, of epoch {best}" if best else f"those of the end of epoch {epoch}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if not isinstance(error, Exception):
            self.model.eval()
            if self.average:
                self.average.put()
        elif self.stopping or isinstance(error, DivergenceError):
            self.keeper.put(self.good)
        else:
            self.keeper.put(self.before)
        if self.stopping:
            self.stopping.put(self.model)
