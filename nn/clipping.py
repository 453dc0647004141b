"""Clipping: gradients made smaller before a step, so that a few examples cannot throw a model far away."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from engine import Value, errors

from .optimizers import checked_parameters
from .settings import checked, interval

POSITIVE = interval("(0, inf)")


def clip_grad_norm(parameters: Iterable[Any], max_norm: float) -> float:
    """Scale all gradients so that together, as one vector, they are at most `max_norm` long; return their norm before.

    Pascanu, Mikolov and Bengio (2013), algorithm 1. The direction stays, and parameters without a gradient are passed
    over. As PyTorch's clip_grad_norm_, except that the new norm is exact.

    Raises DomainError, and changes nothing, when a gradient is NaN or infinite: no scale would make it a step.

    >>> from engine import Tensor
    >>> x = Tensor([1.0, 1.0])
    >>> (x * [3.0, 4.0]).sum().backward()
    >>> clip_grad_norm([x], max_norm=1.0), x.grad.tolist()
    (5.0, [0.6, 0.8])
    """
    max_norm = checked(POSITIVE, "clip_grad_norm", "max_norm", max_norm)
    parameters = _with_gradients(parameters, "clip_grad_norm")
    norm = math.hypot(*[_norm(parameter.grad, position) for position, parameter in parameters])
    if norm > max_norm:
        for _, parameter in parameters:
            # Divided first, because max_norm / norm may be too small for a float.
            _assign(parameter, parameter.grad / norm * max_norm)
    return norm


def clip_grad_value(parameters: Iterable[Any], limit: float) -> None:
    """Limit every entry of the gradients to the interval from -limit to limit.

    Infinite entries become the limit; as PyTorch's clip_grad_value_. Raises DomainError, and changes nothing, where
    an entry is NaN.

    >>> from engine import Value
    >>> x = Value(1.0)
    >>> (5 * x).backward()
    >>> clip_grad_value([x], limit=2.0)
    >>> x.grad
    2.0
    """
    limit = checked(POSITIVE, "clip_grad_value", "limit", limit)
    parameters = _with_gradients(parameters, "clip_grad_value")
    for position, parameter in parameters:
        if np.isnan(parameter.grad).any():
            raise _not_finite("clip_grad_value", position)
    for _, parameter in parameters:
        _assign(parameter, np.clip(parameter.grad, -limit, limit))


def _with_gradients(parameters: Iterable[Any], name: str) -> list[tuple[int, Any]]:
    """The parameters that have a gradient, with their positions."""
    pairs = enumerate(checked_parameters(parameters, name))
    return [(position, parameter) for position, parameter in pairs if parameter.grad is not None]


def _norm(gradient: Any, position: int) -> float:
    """The root of the sum of the squares, none of which overflows."""
    array = np.asarray(gradient, float).ravel()
    largest = float(np.abs(array).max(initial=0.0))
    scaled = array / largest if 0 < largest < math.inf else array
    norm = largest * math.sqrt(scaled @ scaled)
    if not math.isfinite(norm):
        raise _not_finite("clip_grad_norm", position)
    return norm


def _assign(parameter: Any, gradient: Any) -> None:
    """Give a parameter a new gradient of its own kind."""
    parameter.grad = float(gradient) if isinstance(parameter, Value) else np.asarray(gradient, parameter.dtype)


def _not_finite(name: str, position: int) -> errors.DomainError:
    return errors.DomainError(
        f"The gradient of parameter {position} has an entry, or a norm, that is NaN or infinite. {name} cannot make it "
        "smaller, and has changed nothing. Leave out this step, or find the cause with engine.detect_anomaly()."
    )
