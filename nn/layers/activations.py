"""Activations, which keep the shape of their input, and their names."""

from __future__ import annotations

import copy
import math
from typing import Any

import engine

from ..initializers import chosen
from ..module import Module
from .settings import check_axis, check_number, described


class ReLU(Module):
    """max(0, x), elementwise: Nair and Hinton (2010).

    >>> ReLU()(engine.Tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def forward(self, x: Any) -> Any:
        """Return engine.relu(x), of the shape of x."""
        return engine.relu(x)


class LeakyReLU(Module):
    """x where it is positive and slope·x elsewhere: Maas, Hannun and Ng (2013).

    Raises DomainError for a slope that is no finite number.

    >>> LeakyReLU(0.1)(engine.Tensor([-1.0, 2.0])).tolist()
    [-0.1, 2.0]
    """

    def __init__(self, slope: float = 0.01) -> None:
        check_number(slope, "slope", "LeakyReLU", low=-math.inf)
        self.slope = slope

    def forward(self, x: Any) -> Any:
        """Return engine.leaky_relu(x), of the shape of x."""
        return engine.leaky_relu(x, slope=self.slope)

    def __repr__(self) -> str:
        return described(self)


class ELU(Module):
    """x where it is positive and alpha·(exp(x) - 1) elsewhere: Clevert, Unterthiner and Hochreiter (2016).

    Raises DomainError for an alpha that is no finite number.

    >>> ELU()(engine.Tensor([-1000.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    def __init__(self, alpha: float = 1.0) -> None:
        check_number(alpha, "alpha", "ELU", low=-math.inf)
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        """Return engine.elu(x), of the shape of x."""
        return engine.elu(x, alpha=self.alpha)

    def __repr__(self) -> str:
        return described(self)


class GELU(Module):
    """x times the probability that a standard normal number is below it: Hendrycks and Gimpel (2016).

    Exact by default; `approximate="tanh"` is their quicker form, which differs by less than 0.0005. Raises DomainError
    for another one.

    >>> GELU()(engine.Value(1.0)), GELU("tanh")(engine.Value(1.0))
    (Value(0.841344746...), Value(0.841191990...))
    """

    def __init__(self, approximate: str = "none") -> None:
        chosen(approximate, dict.fromkeys(["none", "tanh"]), "approximate")
        self.approximate = approximate

    def forward(self, x: Any) -> Any:
        """Return engine.gelu(x), of the shape of x."""
        return engine.gelu(x, approximate=self.approximate)

    def __repr__(self) -> str:
        return described(self)


class SiLU(Module):
    """x·sigmoid(x), elementwise, also called swish: Elfwing, Uchibe and Doya (2018).

    >>> SiLU()(engine.Value(2.0))
    Value(1.761594155...)
    """

    def forward(self, x: Any) -> Any:
        """Return engine.silu(x), of the shape of x."""
        return engine.silu(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)), elementwise.

    >>> Sigmoid()(engine.Tensor([-1000.0, 0.0])).tolist()
    [0.0, 0.5]
    """

    def forward(self, x: Any) -> Any:
        """Return engine.sigmoid(x), of the shape of x."""
        return engine.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent, elementwise.

    >>> Tanh()(engine.Tensor([0.0, 1000.0])).tolist()
    [0.0, 1.0]
    """

    def forward(self, x: Any) -> Any:
        """Return engine.tanh(x), of the shape of x."""
        return engine.tanh(x)


class Softplus(Module):
    """log(1 + exp(x)), elementwise: a smooth ReLU, Dugas et al. (2000).

    >>> Softplus()(engine.Tensor([-1000.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """

    def forward(self, x: Any) -> Any:
        """Return engine.softplus(x), of the shape of x."""
        return engine.softplus(x)


class Softmax(Module):
    """exp(x) over its sum along an axis: probabilities. `cross_entropy` wants the logits before it.

    Raises DomainError for an axis that is no whole number.

    >>> Softmax()(engine.Tensor([[0.0, 0.0], [0.0, 1000.0]])).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """

    def __init__(self, axis: int = -1) -> None:
        check_axis(axis, "axis", "Softmax")
        self.axis = axis

    def forward(self, x: Any) -> Any:
        """Return engine.softmax(x), of the shape of x."""
        return engine.softmax(x, axis=self.axis)

    def __repr__(self) -> str:
        return described(self)


class Identity(Module):
    """x itself: where a module is expected and nothing is to be done.

    >>> Identity()(2.0)
    2.0
    """

    def forward(self, x: Any) -> Any:
        """Return x."""
        return x


ACTIVATIONS: dict[str, type[Module]] = {
    "identity": Identity,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "gelu": GELU,
    "silu": SiLU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "softplus": Softplus,
    "softmax": Softmax,
}
"""The activations that may be chosen by name."""


def chosen_activation(choice: Any) -> Any:
    """The module or function that is meant by a name, a class of modules, a module, which is copied, or a function."""
    choice = chosen(choice, ACTIVATIONS, "an activation")
    return choice() if isinstance(choice, type) else copy.deepcopy(choice)


def initializer_before(activation: Any) -> str:
    """The name of the initialiser for the weights before an activation: He's before what is shaped like ReLU."""
    shaped = isinstance(activation, ReLU | LeakyReLU | ELU | GELU | SiLU) or activation in RELU_SHAPED
    return "he_uniform" if shaped else "glorot_uniform"


RELU_SHAPED = (engine.relu, engine.leaky_relu, engine.elu, engine.gelu, engine.silu)
