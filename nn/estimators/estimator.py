"""Estimator: what fitting is, whatever the network and the task."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

import engine
from engine import errors

from ..data import Batches, batches
from ..lbfgs import LBFGS
from ..module import Module
from ..optimizers import SGD, Adam, Optimizer
from ..training import evaluate, fit
from ..training.feeding import float_dtype
from .convergence import watch
from .objective import Objective, weights_and_rest
from .parameters import check_parameters, choice, flag, number, parameter, whole

FLOATS = (np.float64, np.float32)

Rows = tuple[np.ndarray, np.ndarray, np.ndarray | None]
"""The inputs, the targets, and how much each row counts where that differs."""


def learns_in_batches(estimator: Any) -> bool:
    """Whether there is a partial_fit: an AttributeError that says why not, as scikit-learn wants it."""
    if estimator.solver == "lbfgs":
        raise AttributeError(
            f"{type(estimator).__name__} with solver='lbfgs' has no partial_fit. L-BFGS learns from all rows at once. "
            "Use solver='adam' or solver='sgd'."
        )
    return True


def _functions(estimator: Any, name: str, value: Any) -> None:
    if not isinstance(value, list | tuple) or not all(map(callable, value)):
        raise errors.DomainError(
            f"{name}={value!r} was given to {type(estimator).__name__}. Each is called after every epoch with its "
            "number and the History. Give a list of functions."
        )


class Fitted(BaseEstimator):
    """What fitting leaves behind, under scikit-learn's names, and the network that it trained."""

    network_: Module
    n_features_in_: int
    feature_names_in_: np.ndarray
    n_outputs_: int
    out_activation_: str
    n_iter_: int
    t_: int
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    best_validation_score_: float | None

    _optimizer: Optimizer
    _solver: Any
    _random: np.random.RandomState
    _stale_epochs: int

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")


@dataclass(kw_only=True, eq=False, repr=False)
class Estimator(Fitted):
    """The shell around `nn.fit`: parameters, data as arrays, the objective and the fitted attributes.

    `networks.py` says how a network is built, `tasks.py` what targets and outputs mean.
    """

    solver: Any = choice("adam", "lbfgs", "sgd", "adam", functions=True)
    alpha: float = number(0.0001, "[0, inf)")
    batch_size: Any = whole("auto", "[1, inf)", "auto")
    learning_rate: str = choice("constant", "constant", "invscaling", "adaptive")
    learning_rate_init: float = number(0.001, "(0, inf)")
    power_t: float = number(0.5, "[0, inf)")
    max_iter: int = whole(200, "[1, inf)")
    shuffle: bool = flag(True)
    random_state: Any = parameter(None)
    tol: float = number(0.0001, "[0, inf)")
    verbose: Any = flag(False, levels=True)
    warm_start: bool = flag(False)
    momentum: float = number(0.9, "[0, 1)")
    nesterovs_momentum: bool = flag(True)
    early_stopping: bool = flag(False)
    validation_fraction: float = number(0.1, "[0, 1)")
    beta_1: float = number(0.9, "[0, 1)")
    beta_2: float = number(0.999, "[0, 1)")
    epsilon: float = number(1e-8, "(0, inf)")
    n_iter_no_change: float = whole(10, "[1, inf]")
    max_fun: int = whole(15000, "[1, inf)")
    callbacks: Any = parameter((), _functions)

    # What a network and a task say

    def _build(self, features: int, dtype: Any) -> Module:
        """Return a new network from `(batch, features)` to `(batch, n_outputs_)`, drawn from `_random`."""
        raise NotImplementedError

    def _targets(self, y: np.ndarray, fresh: bool, classes: Any = None) -> np.ndarray:
        """Return the targets as the loss takes them; when `fresh`, set first what the network is to return."""
        raise NotImplementedError

    def _weights(self, y: np.ndarray, sample_weight: Any) -> np.ndarray | None:
        """Return how much each row counts, or None where all count the same."""
        return None if sample_weight is None else _checked_weights(sample_weight, len(y))

    def _criterion(self) -> Callable[..., Any]:
        """Return the loss, a function `(outputs, targets, sample_weight=None)`."""
        raise NotImplementedError

    def _score(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> float:
        """Return how good outputs are; higher is better."""
        raise NotImplementedError

    # Fitting

    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation: tuple[Any, Any] | None = None) -> Self:
        """Train on X of shape `(rows, features)` and y of shape `(rows,)` or `(rows, outputs)`; return the estimator.

        `sample_weight` of shape `(rows,)` says how much each row counts. `validation`, a pair `(X, y)`, is scored after
        every epoch; with `early_stopping` it takes the place of the fraction that would be held out.

        What cannot be trained on raises ValueError, and a loss that becomes NaN or infinite DivergenceError; the
        estimator stays as it was. Ctrl-C ends the training and keeps what was learned.
        """
        resume = self.warm_start and self.__sklearn_is_fitted__()
        with _all_or_nothing(self):
            return self._fit(X, y, sample_weight, validation, None, resume=resume, once=False)

    @available_if(learns_in_batches)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, validation: tuple[Any, Any] | None = None) -> Self:
        """Go once through X and y, from where the last call ended; return the estimator. See `fit`."""
        return self._fit_once(X, y, sample_weight, validation)

    def _fit_once(self, X: Any, y: Any, sample_weight: Any, validation: Any, classes: Any = None) -> Self:
        if self.early_stopping:
            raise errors.DomainError(
                f"partial_fit of {type(self).__name__} was called with early_stopping=True. It goes through the data "
                "once and holds no rows out. Write early_stopping=False, and give validation=(X, y) to have scores."
            )
        with _all_or_nothing(self):
            return self._fit(X, y, sample_weight, validation, classes, resume=self.__sklearn_is_fitted__(), once=True)

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, validation: Any, classes: Any, *, resume: bool, once: bool
    ) -> Self:
        check_parameters(self)
        X, y = self._arrays(X, y, fresh=not resume)
        targets = self._targets(y, not resume, classes)
        training = _counted(X, targets, self._weights(y, sample_weight))
        held_out = None if validation is None else self._validation(validation)
        self._start(X, resume, once)
        if self.early_stopping and not held_out and self.solver != "lbfgs":
            training, held_out = self._split(*training)
        score = self._score_on(*held_out) if held_out else None
        source = self._batches(*training)
        decayed = self._optimizer.groups[0] if self.solver in ("adam", "sgd") else None
        objective = Objective(self._criterion(), self.network_, self.n_outputs_, self.alpha, decayed)
        convergence = watch(self, len(training[0]), objective, score)
        try:
            fit(
                self.network_,
                source,
                loss=objective,
                optimizer=self._optimizer,
                epochs=1 if once else self.max_iter,
                progress=bool(self.verbose),
                callbacks=[convergence, *self.callbacks],
            )
        except KeyboardInterrupt:
            warnings.warn(f"The training was interrupted in epoch {self.n_iter_ + 1}.", stacklevel=3)
        else:
            if convergence.exhausted and not once:
                warnings.warn(
                    f"{type(self).__name__} stopped after {self.n_iter_} epochs, and the training had not converged. "
                    f"Raise max_iter={self.max_iter}, or tol={self.tol}.",
                    ConvergenceWarning,
                    stacklevel=3,
                )
        if self._optimizer.needs_closure:
            self.loss_ = evaluate(self.network_, source, loss=objective)["loss"]
        elif self.early_stopping:
            self.network_.load_state_dict(convergence.best)
        self.network_.eval()
        return self

    def _arrays(self, X: Any, y: Any, fresh: bool) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(
            self, X, y, reset=fresh, accept_sparse="csr", dtype=FLOATS, multi_output=True, y_numeric=is_regressor(self)
        )
        return _dense(X), y

    def _validation(self, given: Any) -> Rows:
        if not isinstance(given, list | tuple) or len(given) != 2:
            raise errors.DataError(
                f"validation={given!r} was given to {type(self).__name__}. It holds the data that are scored after "
                "every epoch. Give a pair (X, y)."
            )
        X, y = self._arrays(given[0], given[1], fresh=False)
        return X, self._targets(y, fresh=False), None

    def _start(self, X: np.ndarray, resume: bool, once: bool) -> None:
        """The network, what trains it and the attributes, before the first epoch; copies of what is to be changed."""
        if resume:
            self._random = copy.deepcopy(self._random)
            self.loss_curve_ = list(self.loss_curve_)
            self.validation_scores_ = self.validation_scores_ and list(self.validation_scores_)
            if not once:
                self.network_ = copy.deepcopy(self.network_)
        else:
            self._random = check_random_state(self.random_state)
            self.network_ = self._build(X.shape[1], X.dtype)
            self.t_, self.loss_, self.loss_curve_, self._stale_epochs = 0, np.inf, [], 0
            self.best_loss_ = self.validation_scores_ = self.best_validation_score_ = None
        self.n_iter_ = 0
        if self.early_stopping:
            self.best_loss_ = None
        elif self.best_loss_ is None:
            self.best_loss_ = np.inf
        if not (resume and once and self._solver == self.solver):
            self._optimizer, self._solver = self._chosen_optimizer(), self.solver

    def _split(self, X: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> tuple[Rows, Rows]:
        """Hold out a fraction of the rows, of each class the same."""
        arrays = [X, targets] if weights is None else [X, targets, weights]
        parts = train_test_split(
            *arrays, test_size=self.validation_fraction, random_state=self._random, stratify=self._strata(targets)
        )
        training, held_out = ((*part, None)[:3] for part in (parts[::2], parts[1::2]))
        if len(held_out[0]) < 2:
            raise errors.ShapeError(
                f"Of {len(X)} rows {len(held_out[0])} would be held out to decide when to stop. A score needs at least "
                f"two. Raise validation_fraction={self.validation_fraction!r}, or give validation=(X, y)."
            )
        return training, held_out

    def _strata(self, targets: np.ndarray) -> np.ndarray | None:
        return None

    def _score_on(self, X: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> Callable[[], float]:
        if self.validation_scores_ is None:
            self.validation_scores_, self.best_validation_score_ = [], -np.inf
        return lambda: self._score(_outputs(self.network_, X), targets, weights)

    def _batches(self, X: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> Batches:
        size = min(200, len(X)) if self.batch_size == "auto" else self.batch_size
        if self._optimizer.needs_closure:
            size = len(X)
        arrays = [X, targets] if weights is None else [X, targets, weights]
        return batches(*arrays, batch_size=size, shuffle=self.shuffle, seed=self._seed())

    def _chosen_optimizer(self) -> Optimizer:
        parameters, rate = self.network_.parameters(), self.learning_rate_init
        groups = [{"parameters": part} for part in weights_and_rest(self.network_) if part]
        if self.solver == "sgd":
            return SGD(groups, rate, momentum=self.momentum, nesterov=self.nesterovs_momentum)
        if self.solver == "adam":
            return Adam(groups, rate, self.beta_1, self.beta_2, self.epsilon)
        if self.solver == "lbfgs":
            return LBFGS(
                parameters,
                max_iterations=1,
                max_evaluations=self.max_fun,
                tolerance_gradient=self.tol,
                tolerance_change=0.0,
                history_size=10,
            )
        return self.solver(parameters, rate)

    def _seed(self) -> int:
        return int(self._random.randint(np.iinfo(np.int32).max))

    # What a fitted estimator answers

    def _answers(self, X: Any) -> np.ndarray:
        """The outputs of the network, of shape `(rows, n_outputs_)`."""
        check_is_fitted(self)
        return _outputs(self.network_, _dense(validate_data(self, X, reset=False, accept_sparse="csr", dtype=FLOATS)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@contextmanager
def _all_or_nothing(estimator: Estimator) -> Iterator[None]:
    """Put all attributes back when there is an error."""
    attributes = estimator.__dict__
    before = dict(attributes)
    try:
        yield
    except BaseException:
        attributes.clear()
        attributes.update(before)
        raise


def _dense(X: Any) -> np.ndarray:
    return X.toarray() if hasattr(X, "toarray") else X


def _outputs(network: Module, X: np.ndarray) -> np.ndarray:
    """What the network makes of X in evaluation mode; `fit` changes that back for every epoch."""
    with engine.no_grad():
        return network.eval()(X.astype(float_dtype(network), copy=False)).data


def _checked_weights(sample_weight: Any, rows: int) -> np.ndarray:
    weights = check_array(sample_weight, ensure_2d=False, dtype=FLOATS, input_name="sample_weight")
    if weights.shape != (rows,):
        raise errors.ShapeError(
            f"sample_weight of shape {weights.shape} was given for {rows} rows. Each row has one weight. "
            f"Give an array of shape ({rows},)."
        )
    if (weights < 0).any() or not weights.any():
        raise errors.DomainError(
            f"sample_weight holds numbers from {weights.min()} to {weights.max()}. It says how much each row counts "
            "beside the others. Give weights that are not negative and not all zero."
        )
    return weights


def _counted(X: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> Rows:
    """Leave out the rows of weight zero: a batch of nothing else would have no mean."""
    if weights is None or weights.all():
        return X, targets, weights
    counted = weights > 0
    return X[counted], targets[counted], weights[counted]
