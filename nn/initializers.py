"""Initial weights: plain functions `(shape, rng, ...) -> array`, chosen by name or handed over themselves.

`rng` is a `numpy.random.Generator`, or a seed for one. Where an initialiser has settings of its own, hand it over with
them: `functools.partial(initializers.constant, value=0.1)`.

A weight of shape `(out, in)` has `in` inputs for each of its outputs; one of shape `(out, in, *window)` repeats that
over a window, as convolutions do. The papers give the variance that keeps signals (LeCun, He) or signals and gradients
(Glorot) about equally large from layer to layer.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine import errors

Shape = tuple[int, ...]
Seed = int | np.random.Generator | None
Initializer = Callable[[Shape, np.random.Generator], np.ndarray]


def zeros(shape: Shape, rng: Seed = None) -> np.ndarray:
    """Return zeros: right for biases, while weights that start equal stay equal.

    >>> zeros((2,))
    array([0., 0.])
    """
    return np.zeros(shape)


def ones(shape: Shape, rng: Seed = None) -> np.ndarray:
    """Return ones: right for factors such as those of a normalisation.

    >>> ones((2,))
    array([1., 1.])
    """
    return np.ones(shape)


def constant(shape: Shape, rng: Seed = None, value: float = 0.0) -> np.ndarray:
    """Return an array of one value, such as the bias 1 of a forget gate (Jozefowicz, Zaremba and Sutskever, 2015).

    Raises DomainError for a value that is no finite number.

    >>> constant((2,), value=0.5)
    array([0.5, 0.5])
    """
    return np.full(shape, _setting("constant", "value", value))


def uniform(shape: Shape, rng: Seed, low: float = -0.05, high: float = 0.05) -> np.ndarray:
    """Draw evenly from the interval [low, high).

    Raises DomainError for bounds that are no finite numbers or the wrong way round.

    >>> weights = uniform((30, 20), rng=0, low=0.0, high=2.0)
    >>> bool(weights.min() >= 0.0 and weights.max() < 2.0)
    True
    """
    _setting("uniform", "low", low)
    if _setting("uniform", "high", high) < low:
        raise errors.DomainError(
            f"low={low!r} and high={high!r} were given. Between them uniform draws its weights. Exchange them."
        )
    return np.random.default_rng(rng).uniform(low, high, shape)


def normal(shape: Shape, rng: Seed, mean: float = 0.0, std: float = 0.01) -> np.ndarray:
    """Draw from the normal distribution; 0.01 is the choice of Krizhevsky, Sutskever and Hinton (2012), section 5.

    Raises DomainError for settings that are no finite numbers and a negative `std`, as `truncated_normal` does.

    >>> round(float(normal((100, 100), rng=0, std=0.5).std()), 2)
    0.5
    """
    mean, std = _setting("normal", "mean", mean), _setting("normal", "std", std, least=0.0)
    return np.random.default_rng(rng).normal(mean, std, shape)


def truncated_normal(shape: Shape, rng: Seed, mean: float = 0.0, std: float = 0.02) -> np.ndarray:
    """Draw from the normal distribution, and again what lies more than two `std` from the mean.

    So no weight is an outlier; what is left has the standard deviation 0.88·std. 0.02 is what BERT starts from (Devlin,
    Chang, Lee and Toutanova, 2019).

    >>> bool(abs(truncated_normal((100, 100), rng=0, std=0.5)).max() <= 1.0)
    True
    """
    mean, std = _setting("truncated_normal", "mean", mean), _setting("truncated_normal", "std", std, least=0.0)
    generator = np.random.default_rng(rng)
    draws = generator.standard_normal(shape)
    while (outside := abs(draws) > 2).any():
        draws[outside] = generator.standard_normal(outside.sum())
    return mean + std * draws


def lecun_uniform(shape: Shape, rng: Seed) -> np.ndarray:
    """Draw evenly with the variance of `lecun_normal`, from ±sqrt(3 / in).

    Raises ShapeError for a shape that has no inputs and outputs, as all that follow do.

    >>> bool(abs(lecun_uniform((20, 30), rng=0)).max() < (3 / 30) ** 0.5)
    True
    """
    return _evenly(rng, 1 / _fans(shape)[0], shape)


def lecun_normal(shape: Shape, rng: Seed) -> np.ndarray:
    """Draw from the normal distribution with variance 1 / in: LeCun, Bottou, Orr and Müller (1998), equation 16.

    Networks of SELUs normalise themselves with it: Klambauer, Unterthiner, Mayr and Hochreiter (2017).

    >>> round(float(lecun_normal((100, 400), rng=0).std() * 400**0.5), 2)
    1.0
    """
    return _normally(rng, 1 / _fans(shape)[0], shape)


def glorot_uniform(shape: Shape, rng: Seed, gain: float = 1.0) -> np.ndarray:
    """Draw evenly from ±gain·sqrt(6 / (in + out)): Glorot and Bengio (2010), equation 16.

    Raises DomainError for a gain that is no finite number.

    >>> weights = glorot_uniform((30, 20), np.random.default_rng(0))
    >>> bool(abs(weights).max() < (6 / 50) ** 0.5)
    True
    """
    return _evenly(rng, _setting("glorot_uniform", "gain", gain) ** 2 * 2 / sum(_fans(shape)), shape)


def glorot_normal(shape: Shape, rng: Seed, gain: float = 1.0) -> np.ndarray:
    """Draw from the normal distribution with variance gain²·2 / (in + out): Glorot and Bengio (2010), equation 12.

    >>> round(float(glorot_normal((100, 400), rng=0).std() * 250**0.5), 2)
    1.0
    """
    return _normally(rng, _setting("glorot_normal", "gain", gain) ** 2 * 2 / sum(_fans(shape)), shape)


def he_uniform(shape: Shape, rng: Seed, slope: float = 0.0) -> np.ndarray:
    """Draw evenly with the variance of `he_normal`, from ±sqrt(6 / ((1 + slope²)·in)).

    Raises DomainError for a slope that is no finite number.

    >>> bool(abs(he_uniform((20, 30), rng=0)).max() < (6 / 30) ** 0.5)
    True
    """
    return _evenly(rng, 2 / ((1 + _setting("he_uniform", "slope", slope) ** 2) * _fans(shape)[0]), shape)


def he_normal(shape: Shape, rng: Seed, slope: float = 0.0) -> np.ndarray:
    """Draw from the normal distribution with variance 2 / ((1 + slope²)·in), made for rectifiers.

    He, Zhang, Ren and Sun (2015), equations 10 and 15; `slope` is that of a leaky rectifier.

    >>> round(float(he_normal((100, 400), rng=0).std() * 200**0.5), 2)
    1.0
    """
    return _normally(rng, 2 / ((1 + _setting("he_normal", "slope", slope) ** 2) * _fans(shape)[0]), shape)


def orthogonal(shape: Shape, rng: Seed, gain: float = 1.0) -> np.ndarray:
    """Draw an orthogonal matrix times gain, evenly from all there are: it changes no length and no angle.

    W·Wᵀ = gain²·1 where there are at least as many inputs, in·window, as outputs, and Wᵀ·W = gain²·1 otherwise. Saxe,
    McClelland and Ganguli (2014); the signs make QR's matrix evenly distributed, Mezzadri (2007), section 5.

    >>> w = orthogonal((3, 5), rng=0)
    >>> bool(np.allclose(w @ w.T, np.eye(3)))
    True
    """
    inputs, outputs = _fans(shape)[0], shape[0]
    draws = np.random.default_rng(rng).standard_normal((max(inputs, outputs), min(inputs, outputs)))
    q, r = np.linalg.qr(draws)
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)
    return _setting("orthogonal", "gain", gain) * (q if outputs >= inputs else q.T).reshape(shape)


INITIALIZERS: dict[str, Initializer] = {
    function.__name__: function
    for function in (
        zeros,
        ones,
        constant,
        uniform,
        normal,
        truncated_normal,
        lecun_uniform,
        lecun_normal,
        glorot_uniform,
        glorot_normal,
        he_uniform,
        he_normal,
        orthogonal,
    )
}
"""The initialisers that may be chosen by name."""


def _evenly(rng: Seed, variance: float, shape: Shape) -> np.ndarray:
    limit = math.sqrt(3 * variance)
    return np.random.default_rng(rng).uniform(-limit, limit, shape)


def _normally(rng: Seed, variance: float, shape: Shape) -> np.ndarray:
    return np.random.default_rng(rng).normal(0.0, math.sqrt(variance), shape)


def _fans(shape: Shape) -> tuple[int, int]:
    """How many inputs one output has, and how many outputs one input has."""
    if len(shape) < 2 or not all(isinstance(size, int | np.integer) and size > 0 for size in shape):
        raise errors.ShapeError(
            f"A weight of shape {shape} was to be initialised by its numbers of inputs and outputs. "
            "Such rules need a shape (out, in, *window) of positive whole numbers. "
            "Use 'zeros', 'uniform' or 'normal' for other shapes."
        )
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def _setting(initializer: str, name: str, value: Any, least: float = -math.inf) -> float:
    """Return a setting as it is; raise DomainError unless it is a finite number of at least `least`."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not (real and math.isfinite(value) and value >= least):
        wanted = "a finite number" + ("" if least == -math.inf else f" of at least {least:g}")
        raise errors.DomainError(f"{name}={value!r} was given. It is a setting of {initializer}. Give {wanted}.")
    return value


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
