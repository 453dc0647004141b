"""When training has converged: scikit-learn's two rules, as callbacks of `fit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..lbfgs import LBFGS
from ..optimizers import SGD
from ..training import History
from .objective import Objective

SMALLEST_RATE = 1e-6
SMALLEST_GAIN = 1e7 * np.finfo(float).eps
"""Of L-BFGS in one step, beside the loss or 1, whichever is larger, as in SciPy's L-BFGS-B."""


class Convergence:
    """Writes an estimator's fitted attributes after every epoch, and ends the training when progress has.

    That is when the loss, or with `early_stopping` the score on the validation set, did not improve by `tol` in more
    than `n_iter_no_change` epochs in a row. The rate of SGD follows the parameter `learning_rate`: "adaptive" divides
    it by 5 first, down to a millionth.
    """

    reached = False

    def __init__(self, estimator: Any, rows: int, objective: Objective, score: Callable[[], float] | None) -> None:
        self.estimator, self.rows, self.objective, self.score = estimator, rows, objective, score
        self.network, self.optimizer = estimator.network_, estimator._optimizer
        self.best = self.network.state_dict()

    def __call__(self, epoch: int, history: History) -> bool:
        """Take down the figures of one epoch; return whether training is to end."""
        estimator = self.estimator
        estimator.n_iter_ = epoch
        estimator.t_ += self.rows
        estimator.loss_ = history["loss"][-1]
        estimator.loss_curve_.append(estimator.loss_)
        improved = self.compare()
        return self.judge(improved)

    def compare(self) -> bool:
        """Return whether the figure that counts is better than the best one by `tol`; keep the best ones."""
        estimator, improved = self.estimator, False
        if self.score:
            score = self.score()
            estimator.validation_scores_.append(score)
            improved = score >= estimator.best_validation_score_ + estimator.tol
            if score > estimator.best_validation_score_:
                estimator.best_validation_score_ = score
                self.best = self.network.state_dict()
        if not estimator.early_stopping:
            improved = estimator.loss_ <= estimator.best_loss_ - estimator.tol
            estimator.best_loss_ = min(estimator.best_loss_, estimator.loss_)
        return improved

    def judge(self, improved: bool) -> bool:
        """Return whether training is to end after an epoch that improved something, or did not."""
        estimator = self.estimator
        schedule = estimator.learning_rate if isinstance(self.optimizer, SGD) else "constant"
        if schedule == "invscaling":
            self.change_rate(estimator.learning_rate_init / (estimator.t_ + 1) ** estimator.power_t)
        estimator._stale_epochs = 0 if improved else estimator._stale_epochs + 1
        if estimator._stale_epochs > estimator.n_iter_no_change:
            if schedule == "adaptive" and self.optimizer.learning_rate > SMALLEST_RATE:
                self.change_rate(self.optimizer.learning_rate / 5)
                estimator._stale_epochs = 0
            else:
                self.reached = True
        return self.reached

    def change_rate(self, rate: float) -> None:
        """Set the learning rate; scikit-learn's velocity is a step, not a gradient, and stays the same."""
        ratio = self.optimizer.learning_rate / rate
        self.optimizer.states[:] = [tuple([part * ratio for part in state]) for state in self.optimizer.states]
        self.optimizer.learning_rate = rate

    @property
    def exhausted(self) -> bool:
        """Whether training ended because it may not go on, not because nothing is left to gain."""
        return not self.reached and self.estimator.n_iter_ == self.estimator.max_iter


class Descent(Convergence):
    """The same for L-BFGS, one of whose steps is an epoch: it ends where nothing is gained, or after `max_fun` calls.

    `loss_` is that of the last weights; the figure of an epoch is the loss before its step.
    """

    def judge(self, improved: bool) -> bool:
        """Return whether the last step gained nothing to speak of, or there may be no further one."""
        losses = self.estimator.loss_curve_[-2:]
        state = self.network.state_dict()
        stands = all(np.array_equal(state[name], array) for name, array in self.best.items())
        self.best = state
        gain = (losses[0] - losses[-1]) / max(abs(losses[0]), 1) if len(losses) > 1 else np.inf
        self.reached = bool(stands or gain <= SMALLEST_GAIN)
        return self.reached or self.objective.calls >= self.estimator.max_fun

    @property
    def exhausted(self) -> bool:
        """See Convergence; `max_fun` calls are an end as well."""
        return super().exhausted or (not self.reached and self.objective.calls >= self.estimator.max_fun)


def watch(estimator: Any, *arguments: Any) -> Convergence:
    """Return what watches the training of an estimator."""
    return (Descent if isinstance(estimator._optimizer, LBFGS) else Convergence)(estimator, *arguments)
