"""The estimators: perceptrons made from their parameters, and networks from any function that makes a Module."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from engine import errors

from ..initializers import INITIALIZERS, chosen
from ..layers import MLP, Dropout, Linear, Sequential, Sigmoid
from ..layers.activations import ACTIVATIONS
from ..module import Module
from .estimator import FLOATS, Estimator
from .parameters import choice, parameter
from .tasks import Classifier, Regressor

ACTIVATION_NAMES = {**ACTIVATIONS, "logistic": Sigmoid}
"""nn's names, and scikit-learn's for the sigmoid."""


def _sizes(estimator: Any, name: str, value: Any) -> None:
    sizes = value if isinstance(value, list | tuple | np.ndarray) else [value]
    if not all(isinstance(size, int | np.integer) and size is not True and size > 0 for size in sizes):
        raise errors.DomainError(
            f"{name}={value!r} was given to {type(estimator).__name__}. It holds the number of units of each hidden "
            "layer. Give whole numbers of at least 1, such as (100,)."
        )


def _activations(estimator: Any, name: str, value: Any) -> None:
    for activation in value if isinstance(value, list | tuple) else [value]:
        chosen(activation, ACTIVATION_NAMES, name)
    _check_length(estimator, name, value)


def _dropout(estimator: Any, name: str, value: Any) -> None:
    shares = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(share, int | float | np.number) and 0 <= share < 1 for share in shares):
        raise errors.DomainError(
            f"{name}={value!r} was given to {type(estimator).__name__}. It is the share of units that a step leaves "
            "out. Give a number in [0, 1), or one for each hidden layer."
        )
    _check_length(estimator, name, value)


def _check_length(estimator: Any, name: str, value: Any) -> None:
    layers = len(estimator._hidden())
    if isinstance(value, list | tuple) and len(value) != layers:
        raise errors.ShapeError(
            f"{name}={value!r} holds {len(value)} entries. {type(estimator).__name__} has {layers} hidden layers. "
            "Give one for all, or one for each."
        )


def _weight_init(estimator: Any, name: str, value: Any) -> None:
    if value is not None:
        chosen(value, INITIALIZERS, name)


def _float(estimator: Any, name: str, value: Any) -> None:
    try:
        known = value is None or np.dtype(value) in FLOATS
    except TypeError:
        known = False
    if not known:
        raise errors.DomainError(
            f"{name}={value!r} was given to {type(estimator).__name__}. It is what the network computes in. "
            "Write 'float32', 'float64', or None for that of X."
        )


@dataclass(kw_only=True, eq=False, repr=False)
class Perceptron(Estimator):
    """A multilayer perceptron from its parameters.

    Weights and biases start as scikit-learn's do, from the same draws: evenly from ±sqrt(6 / (in + out)), after Glorot
    and Bengio (2010), equation 16, and ±sqrt(2 / (in + out)) beside the logistic activation.
    """

    hidden_layer_sizes: Any = parameter((100,), _sizes, kw_only=False)
    activation: Any = parameter("relu", _activations, kw_only=False)
    dropout: Any = parameter(0.0, _dropout)
    weight_init: Any = parameter(None, _weight_init)
    dtype: Any = parameter(None, _float)

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, of shape `(in, out)`."""
        return [layer.weight.data.T for layer in self._linear()]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, of shape `(out,)`."""
        return [layer.bias.data for layer in self._linear()]

    @property
    def n_layers_(self) -> int:
        """The number of layers, inputs and outputs counted."""
        return len(self._linear()) + 1

    def _linear(self) -> list[Any]:
        return [layer for layer in self.network_.children() if isinstance(layer, Linear)]

    def _hidden(self) -> list[int]:
        sizes = self.hidden_layer_sizes
        return [int(size) for size in (sizes if isinstance(sizes, list | tuple | np.ndarray) else [sizes])]

    def _build(self, features: int, dtype: Any) -> Module:
        sizes = [features, *self._hidden(), self.n_outputs_]
        activations, dropout = (_each(given, len(sizes) - 2) for given in (self.activation, self.dropout))
        if any(dropout) and self.solver == "lbfgs":
            raise errors.DomainError(
                f"dropout={self.dropout!r} was given to {type(self).__name__} with solver='lbfgs'. L-BFGS compares "
                "losses that must not depend on chance. Use another solver, or dropout=0."
            )
        rng = np.random.default_rng(self._seed()) if self.weight_init or any(dropout) else None
        near = [*activations, *(activations[-1:] or [self.activation])]  # the last layer takes after the one before
        layers: list[Any] = []
        for place, (before, after) in enumerate(pairwise(sizes)):
            linear = Linear(before, after, weight_init=self.weight_init or "zeros", seed=rng, dtype=self.dtype or dtype)
            if self.weight_init is None:
                _draw(linear, near[place], self._random)
            layers.append(linear)
            if place < len(activations):
                layers.append(_made(activations[place]))
                if dropout[place]:
                    layers.append(Dropout(dropout[place], seed=rng))
        return Sequential(*layers)


def _each(given: Any, layers: int) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given] * layers


def _made(activation: Any) -> Any:
    """A new module for a name or class; a copy of a module, which may be trained."""
    activation = chosen(activation, ACTIVATION_NAMES, "activation")
    return activation() if isinstance(activation, type) else copy.deepcopy(activation)


def _draw(layer: Linear, activation: Any, random: np.random.RandomState) -> None:
    """Draw weights, then biases."""
    logistic = activation in ("logistic", "sigmoid", Sigmoid)
    bound = math.sqrt((2 if logistic else 6) / (layer.in_features + layer.out_features))
    weight = random.uniform(-bound, bound, (layer.in_features, layer.out_features)).T
    bias = random.uniform(-bound, bound, layer.out_features)
    for part, drawn in zip(layer.parameters(), (weight, bias), strict=True):
        part.data = drawn.astype(part.dtype)


@dataclass(eq=False, repr=False)
class MLPClassifier(Perceptron, Classifier):
    """A multilayer perceptron that tells classes apart: scikit-learn's, with its parameters, on nn's layers and loop.

    It minimises the mean of the cross-entropy plus `alpha`/2 times the squared weights over the number of rows. Rows
    have one label of two or more, or several labels each, as columns of 0 and 1.

    Parameters of scikit-learn's MLPClassifier have its names, meanings and defaults. Beside them:

    - `activation` may be any of nn's, a class of modules, a module, a function, or a list with one for each layer;
    - `solver` may be a function `(parameters, learning_rate) -> Optimizer`, such as `nn.AdamW`;
    - `loss` may be a function `(logits, targets)`, with `sample_weight` as a keyword where weights are given. Targets
      are integers of shape `(rows,)` for three or more classes and 0 and 1 of the shape of the logits otherwise;
    - `dropout`: the share of hidden units that a step leaves out, or a list with one for each layer;
    - `weight_init`: the name of an initialiser or a function `(shape, rng) -> array`;
    - `class_weight`: "balanced", or a dict with a weight for each label;
    - `callbacks`: functions `(epoch, history)`, of which one that returns True ends the training;
    - `dtype`: "float32" or "float64"; without it that of X.

    `early_stopping` holds out `validation_fraction` of the rows, of each class its share, and ends with the weights of
    the best score on them. Fitted attributes are scikit-learn's, and `network_`, the Module.

    >>> X, y = [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]], ["even", "even", "odd", "odd"]
    >>> model = MLPClassifier((16,), solver="lbfgs", activation="tanh", random_state=0).fit(X, y)
    >>> model.predict(X).tolist()
    ['even', 'even', 'odd', 'odd']
    """


@dataclass(eq=False, repr=False)
class MLPRegressor(Perceptron, Regressor):
    """A multilayer perceptron that predicts numbers: scikit-learn's, with its parameters, on nn's layers and loop.

    It minimises half the mean squared error, summed over the outputs, or with `loss="poisson"` half the deviance of
    counts, plus `alpha`/2 times the squared weights over the number of rows. A `loss` may also be a function
    `(predictions, targets)` of arrays of shape `(rows, outputs)`. Everything else is as in MLPClassifier.

    >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> model = MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", random_state=0).fit(X, X.ravel() ** 2)
    >>> model.score(X, X.ravel() ** 2) > 0.99
    True
    """

    loss: Any = choice("squared_error", "squared_error", "poisson", functions=True, kw_only=False)


Factory = Callable[[int, int, np.random.Generator], Module]


def _factory(estimator: Any, name: str, value: Any) -> None:
    if value is None:
        return
    what = f"{name}={value!r} was given to {type(estimator).__name__}"
    if isinstance(value, Module) or not callable(value):
        raise errors.DomainError(
            f"{what}. Each fit trains a new network, drawn from random_state. "
            "Give a function (n_features, n_outputs, rng) that makes and returns a Module."
        )
    try:
        inspect.signature(value).bind(4, 3, None)
    except TypeError as error:
        raise errors.DomainError(
            f"{what}, which cannot be called with three values: {error}. They are the numbers of features and outputs, "
            "and a NumPy generator for the layers. Write def network(n_features, n_outputs, rng), and return a Module."
        ) from error
    except ValueError:  # some functions written in C do not say
        return


@dataclass(kw_only=True, eq=False, repr=False)
class Network(Estimator):
    """A network from any function that makes one."""

    network: Any = parameter(None, _factory, kw_only=False)

    def _build(self, features: int, dtype: Any) -> Module:
        made = (self.network or _perceptron)(features, self.n_outputs_, np.random.default_rng(self._seed()))
        if not isinstance(made, Module):
            raise errors.DataError(
                f"network={self.network!r} returned {made!r} of type {type(made).__name__}. {type(self).__name__} "
                "trains what the function makes. Return a Module."
            )
        return made


def _perceptron(n_features: int, n_outputs: int, rng: np.random.Generator) -> Module:
    return MLP([n_features, 100, n_outputs], seed=rng)


@dataclass(eq=False, repr=False)
class NetworkClassifier(Network, Classifier):
    """Any network that tells classes apart: what `network` makes, trained as MLPClassifier is.

    `network` is a function `(n_features, n_outputs, rng) -> Module` from `(rows, n_features)` to logits of shape
    `(rows, n_outputs)`: one for two classes, one for each of more, or of several labels. Without it there is one hidden
    layer of 100 rectifiers. All other parameters are those of MLPClassifier.

    `rng` is a NumPy generator, drawn from `random_state`: given to all layers as their `seed`, it draws each from where
    the last one ended. X has two axes; a network for images begins with a function such as
    `lambda x: x.reshape(-1, 1, 28, 28)`. A search goes over settings of the network as over functions that have them,
    `{"network": [partial(network, width=8), partial(network, width=16)]}`, with `functools.partial`.

    >>> import nn
    >>> def network(n_features, n_outputs, rng):
    ...     return nn.Sequential(nn.Linear(n_features, 8, seed=rng), nn.Tanh(), nn.Linear(8, n_outputs, seed=rng))
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), ["low", "low", "high", "high"]
    >>> model = NetworkClassifier(network, learning_rate_init=0.1, random_state=0).fit(X, y)
    >>> model.predict(X).tolist()
    ['low', 'low', 'high', 'high']
    """


@dataclass(eq=False, repr=False)
class NetworkRegressor(Network, Regressor):
    """Any network that predicts numbers: what `network` makes, trained as MLPRegressor is.

    `network` is a function `(n_features, n_outputs, rng) -> Module` from `(rows, n_features)` to
    `(rows, n_outputs)`, as that of NetworkClassifier is. Without it there is one hidden layer of 100 rectifiers. All
    other parameters are those of MLPRegressor.

    >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> model = NetworkRegressor(solver="lbfgs", random_state=0).fit(X, 2 * X.ravel())
    >>> model.score(X, 2 * X.ravel()) > 0.99
    True
    """
