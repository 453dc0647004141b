"""Activations, which keep the shape of their input, and their names."""

from __future__ import annotations

import math
from typing import Any

import engine

from ..initializers import chosen
from ..module import Module
from .settings import check_axis, check_number


class ReLU(Module):
    """max(0, x), elementwise."""

    def forward(self, x: Any) -> Any:
        """Return engine.relu(x), of the shape of x."""
        return engine.relu(x)


class LeakyReLU(Module):
    """x where it is positive and slope·x elsewhere."""

    def __init__(self, slope: float = 0.01) -> None:
        check_number(slope, "slope", "LeakyReLU", low=-math.inf)
        self.slope = slope

    def forward(self, x: Any) -> Any:
        """Return engine.leaky_relu(x), of the shape of x."""
        return engine.leaky_relu(x, slope=self.slope)

    def __repr__(self) -> str:
        return f"LeakyReLU({self.slope})"


class ELU(Module):
    """x where it is positive and alpha·(exp(x) - 1) elsewhere: Clevert, Unterthiner and Hochreiter (2016)."""

    def __init__(self, alpha: float = 1.0) -> None:
        check_number(alpha, "alpha", "ELU", low=-math.inf)
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        """Return engine.elu(x), of the shape of x."""
        return engine.elu(x, alpha=self.alpha)

    def __repr__(self) -> str:
        return f"ELU({self.alpha})"


class GELU(Module):
    """x times the probability that a standard normal number is below it: Hendrycks and Gimpel (2016).

    Exact by default; `approximate="tanh"` is their quicker form, which differs by less than 0.001.
    """

    def __init__(self, approximate: str = "none") -> None:
        chosen(approximate, dict.fromkeys(["none", "tanh"]), "approximate")
        self.approximate = approximate

    def forward(self, x: Any) -> Any:
        """Return engine.gelu(x), of the shape of x."""
        return engine.gelu(x, approximate=self.approximate)

    def __repr__(self) -> str:
        return "GELU()" if self.approximate == "none" else f"GELU({self.approximate!r})"


class SiLU(Module):
    """x·sigmoid(x), elementwise, also called swish: Elfwing, Uchibe and Doya (2018)."""

    def forward(self, x: Any) -> Any:
        """Return engine.silu(x), of the shape of x."""
        return engine.silu(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)), elementwise."""

    def forward(self, x: Any) -> Any:
        """Return engine.sigmoid(x), of the shape of x."""
        return engine.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent, elementwise."""

    def forward(self, x: Any) -> Any:
        """Return engine.tanh(x), of the shape of x."""
        return engine.tanh(x)


class Softplus(Module):
    """log(1 + exp(x)), elementwise."""

    def forward(self, x: Any) -> Any:
        """Return engine.softplus(x), of the shape of x."""
        return engine.softplus(x)


class Softmax(Module):
    """exp(x) over its sum along an axis: probabilities. `cross_entropy` wants the logits before it."""

    def __init__(self, axis: int = -1) -> None:
        check_axis(axis, "axis", "Softmax")
        self.axis = axis

    def forward(self, x: Any) -> Any:
        """Return engine.softmax(x), of the shape of x."""
        return engine.softmax(x, axis=self.axis)


class Identity(Module):
    """x itself: where a module is expected and nothing is to be done."""

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
    """The module or function that is meant by a name, a class of modules, a module or a function."""
    choice = chosen(choice, ACTIVATIONS, "an activation")
    return choice() if isinstance(choice, type) else choice


def initializer_before(activation: Any) -> str:
    """The name of the initialiser for the weights before an activation: He's before rectifiers, Glorot's elsewhere."""
    return "he_uniform" if isinstance(activation, ReLU | LeakyReLU | ELU | GELU | SiLU) else "glorot_uniform"
