"""What the tests of layers share: weights that no generator has to agree on, and modules as plain functions."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import nn


def waves(shape: tuple[int, ...], start: float) -> np.ndarray:
    """Numbers between -1 and 1, all different."""
    return np.sin(1.7 * np.arange(float(np.prod(shape, dtype=int))) + start).reshape(shape)


def weights(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, np.ndarray]:
    """Weights for parameters of these names and shapes, in whatever order they come."""
    return {name: waves(shape, start) for start, (name, shape) in enumerate(sorted(shapes), start=1)}


def filled(module: nn.Module) -> Any:
    """The module with waves for its parameters."""
    parameters = dict(module.named_parameters())
    for name, array in weights((name, node.shape) for name, node in parameters.items()).items():
        parameters[name].data = array.astype(parameters[name].dtype)
    return module


def as_function(module: nn.Module) -> tuple[Callable[..., Any], list[np.ndarray]]:
    """The module as a function `f(parameters, *inputs)`, and its parameters as arrays."""
    places = [(holder, name) for holder in module.modules() for name in own_parameters(holder)]

    def f(parameters: list[Any], *inputs: Any) -> Any:
        for (holder, name), parameter in zip(places, parameters, strict=True):
            setattr(holder, name, parameter)
        return module(*inputs)

    return f, [getattr(holder, name).data for holder, name in places]


def own_parameters(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_parameters() if "." not in name]
