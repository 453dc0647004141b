"""Initial weights: plain functions `(shape, rng, ...) -> array`, chosen by name or handed over themselves.

A weight of shape `(out, in)` has `in` inputs for each of its outputs; one of shape `(out, in, ...)` repeats that over
a window, as convolutions do. The papers give the variance that keeps signals (He) or signals and gradients (Glorot)
about equally large from layer to layer.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine import errors

Shape = tuple[int, ...]
Initializer = Callable[[Shape, np.random.Generator], np.ndarray]


def zeros(shape: Shape, rng: np.random.Generator | None = None) -> np.ndarray:
    """Return zeros: right for biases, while weights that start equal stay equal."""
    return np.zeros(shape)


def uniform(shape: Shape, rng: np.random.Generator, low: float = -0.05, high: float = 0.05) -> np.ndarray:
    """Draw evenly from the interval [low, high)."""
    return rng.uniform(low, high, shape)


def normal(shape: Shape, rng: np.random.Generator, mean: float = 0.0, std: float = 0.01) -> np.ndarray:
    """Draw from the normal distribution; 0.01 is the choice of Krizhevsky, Sutskever and Hinton (2012), section 5."""
    return rng.normal(mean, std, shape)


def glorot_uniform(shape: Shape, rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """Draw evenly from ±gain·sqrt(6 / (in + out)): Glorot and Bengio (2010), equation 16.

    >>> weights = glorot_uniform((30, 20), np.random.default_rng(0))
    >>> bool(abs(weights).max() < (6 / 50) ** 0.5)
    True
    """
    limit = gain * math.sqrt(6 / sum(_fans(shape)))
    return rng.uniform(-limit, limit, shape)


def glorot_normal(shape: Shape, rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """Draw from the normal distribution with variance gain²·2 / (in + out): Glorot and Bengio (2010), equation 12."""
    return rng.normal(0.0, gain * math.sqrt(2 / sum(_fans(shape))), shape)


def he_uniform(shape: Shape, rng: np.random.Generator, slope: float = 0.0) -> np.ndarray:
    """Draw evenly with the variance of `he_normal`, from ±sqrt(6 / ((1 + slope²)·in))."""
    limit = math.sqrt(6 / ((1 + slope**2) * _fans(shape)[0]))
    return rng.uniform(-limit, limit, shape)


def he_normal(shape: Shape, rng: np.random.Generator, slope: float = 0.0) -> np.ndarray:
    """Draw from the normal distribution with variance 2 / ((1 + slope²)·in), made for rectifiers.

    He, Zhang, Ren and Sun (2015), equations 10 and 15; `slope` is that of a leaky rectifier.
    """
    return rng.normal(0.0, math.sqrt(2 / ((1 + slope**2) * _fans(shape)[0])), shape)


INITIALIZERS: dict[str, Initializer] = {
    function.__name__: function
    for function in (zeros, uniform, normal, glorot_uniform, glorot_normal, he_uniform, he_normal)
}
"""The initialisers that may be chosen by name."""


def _fans(shape: Shape) -> tuple[int, int]:
    """How many inputs one output has, and how many outputs one input has."""
    if len(shape) < 2 or not all(shape):
        raise errors.ShapeError(
            f"A weight of shape {shape} was to be initialised by its numbers of inputs and outputs. "
            "Glorot's and He's rules need a shape (out, in, ...) without zeros. "
            "Use 'zeros', 'uniform' or 'normal' for other shapes."
        )
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def chosen(choice: Any, table: Mapping[str, Any], what: str) -> Any:
    """Return the entry of `table` that is called `choice`, or `choice` itself if it can be called.

    Raises DomainError for an unknown name, with the closest known one.
    """
    if callable(choice):
        return choice
    if isinstance(choice, str) and choice in table:
        return table[choice]
    close = difflib.get_close_matches(str(choice), table, n=1)
    raise errors.DomainError(
        f"{choice!r} was given as {what}. It is neither a known name nor a function. "
        f"{f'Did you mean {close[0]!r}? ' if close else ''}The names are {', '.join(map(repr, table))}."
    )
