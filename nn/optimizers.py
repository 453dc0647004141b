"""Optimisers, in order of increasing complexity: pure rules, and the loop that applies one to all parameters.

A rule is `(parameter, gradient, state, rate, step) -> (parameter, state)`. Everything that changes from step to step
is an argument, and nothing is written to, so the same rule runs on plain numbers and arrays in `step()` and on
recorded nodes, where the update becomes a part of the graph.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

import engine
from engine import Tensor, Value, errors

from .initializers import chosen
from .settings import check_state, checked, flag, interval, setting

State = tuple[Any, ...]

RATE = interval()
"""What a learning rate may be."""


class Optimizer:
    """The base of all optimisers: write `update`, and say in `memory` how many arrays it keeps for each parameter.

    `parameters` is a list of leaves, or a list of groups with settings of their own: dicts such as
    `{"parameters": [...], "learning_rate": 1e-3}`. What a group does not say is as for all. `groups` are optimisers
    too, each with its own parameters and settings; without dicts it is this one.

    Settings that are handed to `Optimizer.__init__` by name are kept as attributes, for each group, and saved with the
    state. They may be changed at any time, here for all groups at once; what is read here is what was last said for
    all. Where a change alters how many arrays are kept, they begin anew.

    A parameter without a gradient is left alone. Nothing is changed by a step that fails.

    >>> x, y = Value(1.0), Value(1.0)
    >>> sgd = SGD([{"parameters": [x], "learning_rate": 0.5}, {"parameters": [y]}], learning_rate=0.1)
    >>> (x + y).backward()
    >>> sgd.step()
    >>> x, y, [group.learning_rate for group in sgd.groups]
    (Value(0.5), Value(0.9), [0.5, 0.1])
    """

    parameters: list[Any]
    states: list[State]
    steps: list[int]
    _names: tuple[str, ...] = ()
    _rate: float

    needs_closure = False
    """Whether `step` must be given a function that computes the loss anew."""

    def __init__(self, parameters: Iterable[Any], learning_rate: float, **settings: Any) -> None:
        self._groups: list[Optimizer] = []
        self._start = 0  # where the parameters of this group begin among all
        self.parameters = []
        self.learning_rate = learning_rate
        for name, value in settings.items():
            setattr(self, name, setting(self, name, value))
        self._names = ("learning_rate", *settings)
        if isinstance(parameters, Iterable) and not isinstance(parameters, Tensor | str | dict):
            given = list(parameters)
            if any(isinstance(each, dict) for each in given):
                self._groups = [self._group(each) for each in given]
                given = [parameter for group in self._groups for parameter in group.parameters]
            parameters = given
        self.parameters = checked_parameters(parameters, type(self).__name__)
        self.states = []
        self.steps = [0] * len(self.parameters)
        for group in self.groups:
            group._start, group.states, group.steps = len(self.states), self.states, self.steps
            self.states += [group.initial_state(parameter.data) for parameter in group.parameters]
        if len(self.states) > len(self.parameters):
            raise errors.DataError(
                f"{type(self).__name__} was given groups that share a parameter. It would have two learning rates. "
                "Put every parameter into one group."
            )

    def _group(self, given: Any) -> Optimizer:
        """A copy of this optimiser for one group."""
        where = f"a group of {type(self).__name__}"
        if not isinstance(given, dict) or "parameters" not in given:
            shown = f"a dict with the keys {list(given)}" if isinstance(given, dict) else repr(given)
            raise errors.DataError(
                f'{shown} was given as {where}. Groups are dicts with "parameters" among their keys. '
                'Write [{"parameters": [...], "learning_rate": 0.1}, {"parameters": [...]}].'
            )
        group = copy.copy(self)
        for name, value in given.items():
            if name != "parameters":
                chosen(str(name), dict.fromkeys(self._names), f"a setting of {where}")
                setattr(group, name, value)
        group.parameters = checked_parameters(given["parameters"], type(self).__name__)
        return group

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; a setting is checked first, and set in all groups."""
        if name not in self._names or name == "learning_rate":
            super().__setattr__(name, value)
            return
        value, memory = setting(self, name, value), self.memory
        super().__setattr__(name, value)
        for group in self._groups:
            setattr(group, name, value)
        if self.memory != memory and not self._groups:
            for index, parameter in enumerate(self.parameters, self._start):
                self.states[index], self.steps[index] = self.initial_state(parameter.data), 0

    @property
    def groups(self) -> list[Optimizer]:
        """The groups of parameters, each an optimiser with settings of its own."""
        return self._groups or [self]

    @property
    def learning_rate(self) -> float:
        """The step size; may be set at any time, for all groups at once.

        Raises GraphError when it is asked for, and the groups have several.
        """
        rates = {group._rate for group in self.groups}
        if len(rates) > 1:
            raise errors.GraphError(
                f"The learning rate of {self!r} was asked for. Its groups have several, {sorted(rates)}. "
                "Read those of optimizer.groups."
            )
        return rates.pop()

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        for group in self.groups:
            group._rate = checked(RATE, type(self).__name__, "learning_rate", rate)

    @property
    def memory(self) -> int:
        """How many arrays are kept for each parameter."""
        return 0

    def initial_state(self, parameter: Any) -> State:
        """Return the state before the first step, `memory` zeros of the shape and dtype of the parameter."""
        return tuple([np.zeros_like(parameter) if np.ndim(parameter) else 0.0 for _ in range(self.memory)])

    def update(self, parameter: Any, gradient: Any, state: State, rate: Any, step: Any) -> tuple[Any, State]:
        """Return the new parameter and the new state; `step` counts from 1."""
        raise NotImplementedError(
            f"{type(self).__name__} has no update(). An optimiser is this rule. "
            "Write def update(self, parameter, gradient, state, rate, step) and return (parameter, state)."
        )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        `closure`, if there is one, is called first, to compute the loss and its gradients; what it returns is returned.

        Raises ShapeError for a gradient that does not fit its parameter; nothing is changed then.
        """
        loss = None if closure is None else closure()
        states, steps = list(self.states), list(self.steps)
        changes = []
        with np.errstate(all="ignore"):
            try:
                for group in self._groups or (self,):
                    update, rate = group.update, group._rate
                    for index, parameter in enumerate(group.parameters, group._start):
                        gradient = parameter.grad
                        if gradient is not None:
                            before = parameter.data
                            kind = type(before)
                            if (
                                kind is not float  # a Value takes no array
                                and (type(gradient) is not kind or gradient.size != before.size)
                                and not _fits(gradient, before)
                            ):
                                raise self._misfit(parameter)  # rather than broadcast
                            steps[index] = count = steps[index] + 1
                            after, states[index] = update(before, gradient, states[index], rate, count)
                            changes.append((parameter, before, after))
                for parameter, _, after in changes:
                    parameter.data = after  # a copy, never into the old array: views of it live on elsewhere
            except BaseException as error:
                for changed, before, _ in changes:
                    if changed.data is not before:
                        changed.data = before
                if isinstance(error, Exception) and not _fits(parameter.grad, parameter.data):
                    raise self._misfit(parameter) from None
                raise
        self.states[:], self.steps[:] = states, steps
        return loss

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to go on as if nothing had happened: the settings, and what is remembered.

        The dict is flat, and its values are arrays of their own, ints, floats, bools, strings and None.

        >>> SGD([Value(1.0)], momentum=0.9).state_dict()["parameters.0.state.0"]
        0.0
        """
        found: dict[str, Any] = {"optimizer": type(self).__name__}
        for number, group in enumerate(self.groups):
            found |= {f"groups.{number}.{name}": getattr(group, name) for name in self._names}
            found[f"groups.{number}.size"] = len(group.parameters)
        for index, (steps, state) in enumerate(zip(self.steps, self.states, strict=True)):
            found[f"parameters.{index}.steps"] = steps
            for number, part in enumerate(state):
                found[f"parameters.{index}.state.{number}"] = part if type(part) is float else np.array(part)
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned, with its settings.

        Raises DomainError for the state of another class, for names that are missing or unexpected and for settings
        out of range, ShapeError for arrays that do not fit; nothing is changed then.
        """
        name = type(self).__name__
        expected = self._expected(state)
        check_state(name, expected, state)
        for number, group in enumerate(self.groups):
            size = state[f"groups.{number}.size"]
            if size != len(group.parameters):
                raise errors.DomainError(
                    f"{name} was given a state with {size} parameters in group {number}. It has "
                    f"{len(group.parameters)} there, and nothing was loaded. Make {name} with the same groups."
                )
        for number, group in enumerate(self.groups):
            for key in self._names:
                setattr(group, key, expected[f"groups.{number}.{key}"])
        for index, parts in enumerate(self.states):
            self.steps[index] = state[f"parameters.{index}.steps"]
            self.states[index] = tuple(
                [_own(state[f"parameters.{index}.state.{number}"]) for number in range(len(parts))]
            )

    def _expected(self, state: Any) -> dict[str, Any]:
        """A state like the one that is given, if that one fits: its settings, and what one with these remembers."""
        mine = isinstance(state, Mapping) and state.get("optimizer") == type(self).__name__
        like = copy.copy(self)
        like.states, like.steps = list(self.states), list(self.steps)
        like._groups = [copy.copy(group) for group in self._groups]
        for number, group in enumerate(like.groups):
            group.states, group.steps = like.states, like.steps
            for name in self._names if mine else ():
                setattr(group, name, state.get(f"groups.{number}.{name}", getattr(group, name)))
        return like.state_dict()

    def _misfit(self, parameter: Any) -> Exception:
        position = self._start + [each is parameter for each in self.parameters].index(True)
        gradient = parameter.grad
        given = repr(gradient)
        if isinstance(gradient, np.ndarray):
            given = f"an array of shape {gradient.shape} and dtype {gradient.dtype}"
        return errors.ShapeError(
            f"The gradient of parameter {position} is {given}, and the parameter has the shape {parameter.shape}. "
            f"{type(self).__name__}.step() cannot apply it, and has changed nothing. "
            "Leave .grad to backward(), or assign numbers of the parameter's own shape."
        )

    def __repr__(self) -> str:
        groups = []
        for group in self.groups:
            settings = [(name, getattr(group, name)) for name in self._names]
            shown = [f"{name}={value}" for name, value in settings if value or name == "learning_rate"]
            groups.append(", ".join(shown))  # what is off is left out
        return f"{type(self).__name__}({' | '.join(groups)})"


class SGD(Optimizer):
    """Gradient descent with momentum: v = momentum·v + g, then p = p - rate·v.

    Robbins and Monro (1951); momentum after Polyak (1964), Nesterov's after Sutskever et al. (2013), where the step is
    g + momentum·v. Both in PyTorch's form, in which the rate multiplies the whole velocity, and not only the gradient
    as in the papers. `weight_decay` adds weight_decay·p to the gradient.

    >>> x = Value(1.0)
    >>> sgd = SGD([x], learning_rate=0.1)
    >>> (x * x).backward()
    >>> sgd.step()
    >>> x
    Value(0.8)
    """

    momentum: float = interval("[0, 1)")
    nesterov: bool = flag()
    weight_decay: float = interval()

    def __init__(
        self,
        parameters: Iterable[Any],
        learning_rate: float = 1e-2,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, learning_rate, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)

    @property
    def memory(self) -> int:
        """The velocity, if there is momentum."""
        return 1 if self.momentum else 0

    def update(self, parameter: Any, gradient: Any, state: State, rate: Any, step: Any) -> tuple[Any, State]:
        """See Optimizer.update; the state is the velocity, if there is momentum."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        if not state:
            return parameter - rate * gradient, state
        velocity = self.momentum * state[0] + gradient
        change = gradient + self.momentum * velocity if self.nesterov else velocity
        return parameter - rate * change, (velocity,)


class Adagrad(Optimizer):
    """Steps that shrink with all the gradients so far: s = s + g², then p = p - rate·g / √s.

    Duchi, Hazan and Singer (2011), figure 1, with a diagonal matrix.

    >>> x = Value(1.0)
    >>> adagrad = Adagrad([x], learning_rate=0.1)
    >>> (x * x).backward()
    >>> adagrad.step()
    >>> round(x.data, 6)
    0.9
    """

    epsilon: float = interval("(0, inf)")
    weight_decay: float = interval()
    memory = 1

    def __init__(
        self,
        parameters: Iterable[Any],
        learning_rate: float = 1e-2,
        epsilon: float = 1e-10,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, learning_rate, epsilon=epsilon, weight_decay=weight_decay)

    def update(self, parameter: Any, gradient: Any, state: State, rate: Any, step: Any) -> tuple[Any, State]:
        """See Optimizer.update; the state is the sum of the squares of the gradients."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        total = state[0] + gradient * gradient
        return parameter - rate * gradient / (engine.sqrt(total) + self.epsilon), (total,)


class RMSprop(Optimizer):
    """Steps of the gradient over the root of a running mean of its square: s = smoothing·s + (1 - smoothing)·g².

    Tieleman and Hinton (2012), lecture 6.5; `centered`, which divides by an estimate of the standard deviation, and
    `momentum` after Graves (2013), equations 38 to 45. PyTorch calls the smoothing alpha.

    >>> x = Value(1.0)
    >>> rmsprop = RMSprop([x], learning_rate=0.1, smoothing=0.75)
    >>> (x * x).backward()
    >>> rmsprop.step()
    >>> round(x.data, 6)
    0.8
    """

    smoothing: float = interval("[0, 1)")
    epsilon: float = interval("(0, inf)")
    momentum: float = interval("[0, 1)")
    centered: bool = flag()
    weight_decay: float = interval()

    def __init__(
        self,
        parameters: Iterable[Any],
        learning_rate: float = 1e-2,
        smoothing: float = 0.99,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        centered: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            parameters,
            learning_rate,
            smoothing=smoothing,
            epsilon=epsilon,
            momentum=momentum,
            centered=centered,
            weight_decay=weight_decay,
        )

    @property
    def memory(self) -> int:
        """The mean square, then the mean if it is centered, then the velocity if there is momentum."""
        return 1 + self.centered + (1 if self.momentum else 0)

    def update(self, parameter: Any, gradient: Any, state: State, rate: Any, step: Any) -> tuple[Any, State]:
        """See Optimizer.update; the state is the mean square, the mean if centered, the velocity if there is one."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        square, *others = state
        square = self.smoothing * square + (1 - self.smoothing) * (gradient * gradient)
        kept, spread = [square], square
        if self.centered:
            mean = self.smoothing * others.pop(0) + (1 - self.smoothing) * gradient
            kept.append(mean)
            spread = engine.maximum(square - mean * mean, 0.0)  # rounding may take it below zero
        change = gradient / (engine.sqrt(spread) + self.epsilon)
        if others:
            change = self.momentum * others[0] + change
            kept.append(change)
        return parameter - rate * change, tuple(kept)


class Adam(Optimizer):
    """Steps of about the learning rate, from running means of the gradient and of its square.

    Kingma and Ba (2015), algorithm 1, with both means corrected for their start at zero. `amsgrad` divides by the
    largest mean square so far: Reddi, Kale and Kumar (2018), algorithm 2. `weight_decay` adds weight_decay·p to the
    gradient.

    >>> x = Value(1.0)
    >>> adam = Adam([x], learning_rate=0.1)
    >>> (x * x).backward()
    >>> adam.step()
    >>> round(x.data, 6)
    0.9
    """

    beta1: float = interval("[0, 1)")
    beta2: float = interval("[0, 1)")
    epsilon: float = interval("(0, inf)")
    weight_decay: float = interval()
    amsgrad: bool = flag()

    def __init__(
        self,
        parameters: Iterable[Any],
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(
            parameters,
            learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
        )

    @property
    def memory(self) -> int:
        """The running means of the gradient and of its square, and with amsgrad the largest mean square."""
        return 2 + self.amsgrad

    def update(self, parameter: Any, gradient: Any, state: State, rate: Any, step: Any) -> tuple[Any, State]:
        """See Optimizer.update; the state is the means of the gradient and of its square, and the largest such."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        return self._adapted(parameter, gradient, state, rate, step)

    def _adapted(self, parameter: Any, gradient: Any, state: State, rate: Any, step: Any) -> tuple[Any, State]:
        mean = self.beta1 * state[0] + (1 - self.beta1) * gradient
        square = self.beta2 * state[1] + (1 - self.beta2) * (gradient * gradient)
        largest = (engine.maximum(state[2], square),) if self.amsgrad else ()
        # The corrections are numbers, and outside the root: a pass over the arrays less, as at the end of section 2.
        correction = (1 - self.beta2**step) ** 0.5
        size = engine.sqrt((largest or (square,))[0]) + self.epsilon * correction
        return parameter - rate * correction / (1 - self.beta1**step) * mean / size, (mean, square, *largest)


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters themselves: p = p - rate·weight_decay·p, apart from the gradient.

    Loshchilov and Hutter (2019), algorithm 2, where the rate multiplies the decay as in PyTorch.

    >>> x = Value(1.0)
    >>> adamw = AdamW([x], learning_rate=0.1, weight_decay=0.5)
    >>> (x * x).backward()
    >>> adamw.step()
    >>> round(x.data, 6)
    0.85
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(parameters, learning_rate, beta1, beta2, epsilon, weight_decay, amsgrad)

    def update(self, parameter: Any, gradient: Any, state: State, rate: Any, step: Any) -> tuple[Any, State]:
        """See Optimizer.update; the state is that of Adam."""
        return self._adapted(parameter * (1 - rate * self.weight_decay), gradient, state, rate, step)


class Lion(Optimizer):
    """Steps of exactly the learning rate in every entry, by the sign of a running mean of the gradient.

    Chen et al. (2023), algorithm 2, with the weight decay of AdamW. Rates are three to ten times smaller than Adam's.

    >>> x = Value(1.0)
    >>> lion = Lion([x], learning_rate=0.25)
    >>> (x * x).backward()
    >>> lion.step()
    >>> x
    Value(0.75)
    """

    beta1: float = interval("[0, 1)")
    beta2: float = interval("[0, 1)")
    weight_decay: float = interval()
    memory = 1

    def __init__(
        self,
        parameters: Iterable[Any],
        learning_rate: float = 1e-4,
        beta1: float = 0.9,
        beta2: float = 0.99,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, learning_rate, beta1=beta1, beta2=beta2, weight_decay=weight_decay)

    def update(self, parameter: Any, gradient: Any, state: State, rate: Any, step: Any) -> tuple[Any, State]:
        """See Optimizer.update; the state is the running mean of the gradient."""
        (mean,) = state
        direction = engine.sign(self.beta1 * mean + (1 - self.beta1) * gradient)
        if self.weight_decay:
            parameter = parameter * (1 - rate * self.weight_decay)
        return parameter - rate * direction, (self.beta2 * mean + (1 - self.beta2) * gradient,)


def _fits(gradient: Any, parameter: Any) -> bool:
    """Whether a gradient is made of real numbers, in the shape of the parameter."""
    if not isinstance(gradient, np.ndarray | np.generic | float | int):
        return False
    return np.shape(gradient) == np.shape(parameter) and np.asarray(gradient).dtype.kind in "fiub"


def _own(part: Any) -> Any:
    """A part of a state as a step leaves it: a float, a scalar of NumPy or an array of its own."""
    return float(part) if isinstance(part, int | float) else np.array(part)[()]


def checked_parameters(parameters: Iterable[Any], name: str) -> list[Any]:
    """Return the parameters, each once; raise DataError for anything that cannot be one."""
    where = f"{name} updates the leaves that a model is made of"
    if not isinstance(parameters, Iterable) or isinstance(parameters, Tensor | str | dict):
        raise errors.DataError(
            f"{type(parameters).__name__!r} was given as the parameters. {where}. Give a list of them, as in "
            f"{name}(model.parameters())."
        )
    found = list({id(parameter): parameter for parameter in parameters}.values())
    for parameter in found:
        if not isinstance(parameter, Value | Tensor) or parameter.op is not None:
            node = isinstance(parameter, Value | Tensor)
            raise errors.DataError(
                f"{f'A result of {parameter.op.name}' if node else f'{parameter!r:.50}'} was given as a parameter. "
                f"{where}, and this is not a leaf. "
                f"Give Values and Tensors that were not computed, as in {name}(model.parameters())."
            )
    if not found:
        raise errors.DataError(
            f"{name} was given no parameters. {where}; what was computed and kept is none, as print(model) says. "
            f"Write {name}(model.parameters()), and in the model Tensor(array * 0.1) for Tensor(array) * 0.1."
        )
    return found
