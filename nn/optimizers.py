"""Optimisers, in order of increasing complexity: pure rules, and the loop that applies one to all parameters.

A rule is `(parameter, gradient, state, rate, step) -> (parameter, state)`. Everything that changes from step to step
is an argument, and nothing is written to, so the same rule runs on plain numbers and arrays in `step()` and on
recorded nodes, where the update becomes a part of the graph.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

import engine
from engine import Tensor, Value, errors

State = tuple[Any, ...]


class Optimizer:
    """The base of all optimisers: write `update`, and say in `memory` how many arrays it keeps for each parameter.

    A parameter without a gradient is left alone. Nothing is changed by a step that fails.
    """

    memory = 0

    def __init__(self, parameters: Iterable[Any], learning_rate: float) -> None:
        self.parameters = _checked_parameters(parameters, type(self).__name__)
        self.learning_rate = learning_rate
        self.states: list[State] = [self.initial_state(parameter.data) for parameter in self.parameters]
        self.steps = [0] * len(self.parameters)

    @property
    def learning_rate(self) -> float:
        """The step size; may be set at any time."""
        return self._rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._rate = setting(self, learning_rate=rate)

    def initial_state(self, parameter: Any) -> State:
        """Return the state before the first step, `memory` zeros of the shape and dtype of the parameter."""
        return tuple([np.zeros_like(parameter) if np.ndim(parameter) else 0.0 for _ in range(self.memory)])

    def update(self, parameter: Any, gradient: Any, state: State, rate: Any, step: Any) -> tuple[Any, State]:
        """Return the new parameter and the new state; `step` counts from 1."""
        raise NotImplementedError(
            f"{type(self).__name__} has no update(). An optimiser is this rule. "
            "Write def update(self, parameter, gradient, state, rate, step) and return (parameter, state)."
        )

    @np.errstate(all="ignore")
    def step(self) -> None:
        """Update every parameter that has a gradient.

        Raises ShapeError for a gradient that does not fit its parameter; nothing is changed then.
        """
        update, rate, states, steps = self.update, self._rate, self.states, self.steps
        changes = []
        index = 0
        try:
            for index, parameter in enumerate(self.parameters):
                gradient = parameter.grad
                if gradient is not None:
                    before = parameter.data
                    changes.append((index, before, *update(before, gradient, states[index], rate, steps[index] + 1)))
            for index, _, after, _ in changes:
                self.parameters[index].data = after  # a copy, never into the old array: views of it live on elsewhere
        except BaseException as error:
            for place, before, _, _ in changes:
                if self.parameters[place].data is not before:
                    self.parameters[place].data = before
            if isinstance(error, AttributeError | TypeError | ValueError | OverflowError):
                raise self._misfit(index) from error
            raise
        for index, _, _, state in changes:
            states[index] = state
            steps[index] += 1

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters:
            parameter.grad = None

    def _misfit(self, position: int) -> Exception:
        parameter = self.parameters[position]
        gradient = parameter.grad
        given = f"an array of shape {gradient.shape}" if isinstance(gradient, np.ndarray) else repr(gradient)
        return errors.ShapeError(
            f"The gradient of parameter {position} is {given}, and the parameter has the shape {parameter.shape}. "
            f"{type(self).__name__}.step() cannot apply it, and has changed nothing. "
            "Leave .grad to backward(), or assign numbers of the parameter's own shape."
        )

    def __repr__(self) -> str:
        settings = {name: value for name, value in vars(self).items() if isinstance(value, float) and name != "_rate"}
        shown = ", ".join(f"{name}={value}" for name, value in {"learning_rate": self._rate, **settings}.items())
        return f"{type(self).__name__}({shown})"


class SGD(Optimizer):
    """Gradient descent with momentum: v = momentum·v + g, then p = p - rate·v.

    Robbins and Monro (1951); momentum after Polyak (1964), in the form of Sutskever et al. (2013) that PyTorch has.

    >>> x = Value(1.0)
    >>> sgd = SGD([x], learning_rate=0.1)
    >>> (x * x).backward()
    >>> sgd.step()
    >>> x
    Value(0.8)
    """

    def __init__(self, parameters: Iterable[Any], learning_rate: float = 0.01, momentum: float = 0.0) -> None:
        self.momentum = setting(self, below=1.0, momentum=momentum)
        self.memory = 1 if self.momentum else 0
        super().__init__(parameters, learning_rate)

    def update(self, parameter: Any, gradient: Any, state: State, rate: Any, step: Any) -> tuple[Any, State]:
        """See Optimizer.update; the state is the velocity, if there is momentum."""
        if not state:
            return parameter - rate * gradient, state
        velocity = self.momentum * state[0] + gradient
        return parameter - rate * velocity, (velocity,)


class Adam(Optimizer):
    """Steps of about the learning rate, from running means of the gradient and of its square.

    Kingma and Ba (2015), algorithm 1, with both means corrected for their start at zero.

    >>> x = Value(1.0)
    >>> adam = Adam([x], learning_rate=0.1)
    >>> (x * x).backward()
    >>> adam.step()
    >>> round(x.data, 6)
    0.9
    """

    memory = 2

    def __init__(
        self,
        parameters: Iterable[Any],
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.beta1 = setting(self, below=1.0, beta1=beta1)
        self.beta2 = setting(self, below=1.0, beta2=beta2)
        self.epsilon = setting(self, epsilon=epsilon)
        super().__init__(parameters, learning_rate)

    def update(self, parameter: Any, gradient: Any, state: State, rate: Any, step: Any) -> tuple[Any, State]:
        """See Optimizer.update; the state is the running means of the gradient and of its square."""
        mean, square = state
        mean = self.beta1 * mean + (1 - self.beta1) * gradient
        square = self.beta2 * square + (1 - self.beta2) * (gradient * gradient)
        size = engine.sqrt(square / (1 - self.beta2**step)) + self.epsilon
        return parameter - rate / (1 - self.beta1**step) * mean / size, (mean, square)


def setting(optimizer: Optimizer, below: float = math.inf, **named: float) -> float:
    """Return a setting as a float; raise DomainError unless it is a number from 0 to `below`, itself left out."""
    ((name, value),) = named.items()
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < below:
        bound = "finite" if below == math.inf else f"less than {below}"
        raise errors.DomainError(
            f"{name}={value!r} was given. It is a setting of {type(optimizer).__name__}. "
            f"Give a number that is not negative and {bound}."
        )
    return number


def _checked_parameters(parameters: Iterable[Any], name: str) -> list[Any]:
    """The parameters, each once; an error for anything that cannot be one."""
    where = f"{name} updates the leaves that a model is made of"
    if not isinstance(parameters, Iterable) or isinstance(parameters, Tensor | str | dict):
        raise errors.DataError(
            f"{type(parameters).__name__!r} was given as the parameters. {where}. Give a list of them, as in "
            f"{name}(model.parameters())."
        )
    found = list({id(parameter): parameter for parameter in parameters}.values())
    for parameter in found:
        if not isinstance(parameter, Value | Tensor) or parameter.op is not None:
            raise errors.DataError(
                f"{parameter!r} was given as a parameter. {where}, and this is not a leaf. "
                f"Give Values and Tensors that were not computed, as in {name}(model.parameters())."
            )
    if not found:
        raise errors.DataError(
            f"{name} was given no parameters. {where}. Give those of a model that has some, as in "
            f"{name}(model.parameters())."
        )
    return found
