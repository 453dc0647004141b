"""Tasks: what targets and outputs mean, in classes and in numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

import engine
from engine import errors

from ..losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from .estimator import Estimator, learns_in_batches
from .parameters import choice, parameter


def _class_weights(estimator: Any, name: str, value: Any) -> None:
    if not (value is None or isinstance(value, dict) or (isinstance(value, str) and value == "balanced")):
        raise errors.DomainError(
            f"{name}={value!r} was given to {type(estimator).__name__}. It says how much the rows of each class count. "
            "Write 'balanced', or a dict with a weight for each label."
        )


@dataclass(kw_only=True, eq=False, repr=False)
class Classifier(ClassifierMixin, Estimator):
    """Classes from scores: two share one output, more have one each, and so has each of several labels.

    The outputs are logits; `out_activation_`, "logistic" or "softmax", makes probabilities of them.
    """

    loss: Any = choice("log_loss", "log_loss", functions=True)
    class_weight: Any = parameter(None, _class_weights)

    @available_if(learns_in_batches)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None, validation: Any = None
    ) -> Self:
        """Go once through X and y, from where the last call ended; return the estimator. See `fit`.

        The first call is given all `classes` that there will be; y need not hold all of them.
        """
        if isinstance(self.class_weight, str):
            raise errors.DomainError(
                f"partial_fit of {type(self).__name__} was called with class_weight={self.class_weight!r}. One part of "
                "the data does not say how frequent the classes are in all of them. Give a dict with a weight for each."
            )
        if classes is None and not self.__sklearn_is_fitted__() and type_of_target(y) != "multilabel-indicator":
            raise errors.DomainError(
                f"partial_fit of {type(self).__name__} was called for the first time without classes. Later calls may "
                "bring others than this one, and the network has an output for each. "
                "Write partial_fit(X, y, classes=numpy.unique(all_labels))."
            )
        return self._fit_once(X, y, sample_weight, validation, classes)

    def predict(self, X: Any) -> np.ndarray:
        """Return the likeliest label of each row, or 0 and 1 for each of several labels."""
        decided = self._decided(self._answers(X))
        if self._several:
            return decided.astype(int)
        return self.classes_[decided.ravel().astype(int)]

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the logits: of shape `(rows,)` for two classes, of the second one, and `(rows, classes)` for more."""
        outputs = self._answers(X)
        return outputs.ravel() if self._binary else outputs

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, of shape `(rows, classes)`, in the order of `classes_`."""
        outputs = self._answers(X)
        if self.out_activation_ == "softmax":
            return _plain(engine.softmax(outputs))
        return _plain(engine.sigmoid(np.hstack([-outputs, outputs]) if self._binary else outputs))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithms of the probabilities; those of tiny ones are exact."""
        outputs = self._answers(X)
        if self.out_activation_ == "softmax":
            return _plain(engine.log_softmax(outputs))
        return -_plain(engine.softplus(np.hstack([outputs, -outputs]) if self._binary else -outputs))

    @property
    def _several(self) -> bool:
        return self.out_activation_ == "logistic" and not self._binary

    def _targets(self, y: np.ndarray, fresh: bool, classes: Any = None) -> np.ndarray:
        """Labels as integers for more than two classes, as a column of 0 and 1 for two; several labels as they are."""
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise errors.ShapeError(
                f"{type(self).__name__} was given y of shape {np.shape(y)} with more than two values. Several columns "
                "are labels that each row has or has not, 1 or 0. Fit one classifier for each column instead."
            )
        several = kind == "multilabel-indicator"
        if fresh:
            self._learn_classes(y, several, classes)
        elif several != self._several or (several and y.shape[1] != self.n_outputs_):
            raise errors.ShapeError(
                f"{type(self).__name__} was given y of shape {np.shape(y)}. It learned "
                f"{f'{self.n_outputs_} labels for each row' if self._several else 'one label for each row'} before. "
                "Give y as then, or a new estimator."
            )
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise errors.DomainError(
                f"{type(self).__name__} was given classes={np.unique(classes).tolist()}. It learned "
                f"{self.classes_.tolist()} before. Leave classes out after the first call."
            )
        if several:
            return y.astype(float)
        y = column_or_1d(y, warn=True)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise errors.DomainError(
                f"{type(self).__name__} was given y with the labels {unknown.tolist()[:5]}. Its classes are "
                f"{self.classes_.tolist()}. Give those that there will be to the first call: classes=[...]."
            )
        index = np.searchsorted(self.classes_, y)
        return index.reshape(-1, 1).astype(float) if self._binary else index

    def _learn_classes(self, y: np.ndarray, several: bool, classes: Any) -> None:
        if several:
            self.classes_ = np.arange(y.shape[1])
        else:
            self.classes_ = unique_labels(column_or_1d(y) if classes is None else column_or_1d(classes))
        count = len(self.classes_)
        if count < 2 and not several:
            raise errors.DomainError(
                f"{type(self).__name__} was given labels of 1 class, {self.classes_.tolist()}. There is nothing to "
                "tell apart. Give rows of at least two classes, or all classes=[...] to the first call of partial_fit."
            )
        self._binary = count == 2 and not several
        self.n_outputs_ = 1 if self._binary else count
        self.out_activation_ = "logistic" if self._binary or several else "softmax"

    def _weights(self, y: np.ndarray, sample_weight: Any) -> np.ndarray | None:
        weights = super()._weights(y, sample_weight)
        if self.class_weight is None:
            return weights
        if self._several:
            raise errors.DomainError(
                f"class_weight={self.class_weight!r} was given with several labels for each row. A row belongs to no "
                "one class then. Give sample_weight to fit instead."
            )
        index = np.searchsorted(self.classes_, column_or_1d(y))
        weights = np.ones(len(index)) if weights is None else weights
        return weights * self._class_factors(np.bincount(index, weights, len(self.classes_)))[index]

    def _class_factors(self, counts: np.ndarray) -> np.ndarray:
        """The weight of each class; the balanced ones make all classes count the same."""
        if isinstance(self.class_weight, str):
            return counts.sum() / len(counts) / np.where(counts > 0, counts, 1)
        unknown = [label for label in self.class_weight if label not in self.classes_.tolist()]
        factors = np.array([self.class_weight.get(label, 1.0) for label in self.classes_.tolist()], float)
        if unknown or not (factors >= 0).all() or not np.isfinite(factors).all():
            raise errors.DomainError(
                f"class_weight={self.class_weight!r} was given for the classes {self.classes_.tolist()}. It holds "
                "weights that are finite and not negative for some or all of them. Use the labels of y as its keys."
            )
        return factors

    def _criterion(self) -> Callable[..., Any]:
        if callable(self.loss):
            return self.loss
        if self.out_activation_ == "softmax":
            return cross_entropy

        def log_loss(outputs: Any, targets: Any, sample_weight: Any = None) -> Any:
            loss = binary_cross_entropy_with_logits(outputs, targets, sample_weight=sample_weight)
            return loss * self.n_outputs_  # the sum over the labels of a row, as scikit-learn has it

        return log_loss

    def _decided(self, outputs: np.ndarray) -> np.ndarray:
        """The best guess, as targets are."""
        return outputs.argmax(axis=1) if self.out_activation_ == "softmax" else outputs > 0

    def _score(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> float:
        right = (self._decided(outputs) == targets).reshape(len(targets), -1).all(axis=1)
        return float(np.average(right, weights=weights))

    def _strata(self, targets: np.ndarray) -> np.ndarray | None:
        return None if self._several else targets

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@dataclass(kw_only=True, eq=False, repr=False)
class Regressor(RegressorMixin, Estimator):
    """Numbers: the outputs themselves, or with loss="poisson", for counts, their exponentials."""

    loss: Any = choice("squared_error", "squared_error", "poisson", functions=True)

    def predict(self, X: Any) -> np.ndarray:
        """Return the predicted numbers, of shape `(rows,)`, or `(rows, outputs)` for several."""
        predicted = self._predicted(self._answers(X))
        return predicted.ravel() if self.n_outputs_ == 1 else predicted

    def _targets(self, y: np.ndarray, fresh: bool, classes: Any = None) -> np.ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        targets = y.reshape(len(y), -1).astype(float)
        if fresh:
            self.n_outputs_ = targets.shape[1]
            self.out_activation_ = "exp" if self.loss == "poisson" else "identity"
        elif targets.shape[1] != self.n_outputs_:
            raise errors.ShapeError(
                f"{type(self).__name__} was given y of shape {y.shape}. It learned {self.n_outputs_} numbers for each "
                "row before. Give y as then, or a new estimator."
            )
        if self.out_activation_ == "exp" and (targets < 0).any():
            raise errors.DomainError(
                f"{type(self).__name__} was given y with {targets.min()}. With loss='poisson' it counts something. "
                "Give numbers that are not negative, or use loss='squared_error'."
            )
        return targets

    def _criterion(self) -> Callable[..., Any]:
        if callable(self.loss):
            return self.loss
        return _half_poisson_deviance if self.loss == "poisson" else _half_squared_error

    def _predicted(self, outputs: np.ndarray) -> np.ndarray:
        return _plain(engine.exp(outputs)) if self.out_activation_ == "exp" else outputs

    def _score(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> float:
        predicted = self._predicted(outputs)
        return r2_score(targets, predicted, sample_weight=weights) if np.isfinite(predicted).all() else np.nan


def _half_squared_error(outputs: Any, targets: np.ndarray, sample_weight: Any = None) -> Any:
    """Half the squared error of a row, summed over its outputs; scikit-learn's gradient is that of this sum."""
    return mse_loss(outputs, targets, sample_weight=sample_weight) * (targets.shape[1] / 2)


def _half_poisson_deviance(outputs: Any, targets: np.ndarray, sample_weight: Any = None) -> Any:
    """The log-likelihood ratio of counts and exp(outputs): Σ exp(z) - t·z + t·log(t) - t over the outputs of a row."""
    constant = np.where(targets > 0, targets * np.log(np.where(targets > 0, targets, 1)) - targets, 0)
    rows = engine.sum(engine.exp(outputs) - targets * outputs + constant, axis=1)
    return engine.mean(rows) if sample_weight is None else engine.sum(rows * (sample_weight / sample_weight.sum()))


def _plain(given: Any) -> np.ndarray:
    return given.data if isinstance(given, engine.Tensor) else given
