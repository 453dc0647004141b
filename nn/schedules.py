"""Schedules: learning rates that change while one trains, in order of increasing complexity.

A schedule is made from an optimiser, and sets the learning rates of its groups: at once, and after each `step()`. What
it makes of a group's own rate is a pure function, `rate(base, step)`, wherever it depends on nothing else.

`unit` says when to call `step()`: after each "epoch", or after each "step" of the optimiser. `nn.fit` reads it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from engine import errors

from .initializers import chosen
from .optimizers import RATE, Optimizer
from .settings import check_state, checked, choice, flag, interval, setting, whole


class Schedule:
    """The base of all schedules: write `rate`, the learning rate after so many steps.

    The base rates are those that the optimiser's groups have when the schedule is made. Settings that are handed to
    `Schedule.__init__` by name are kept as attributes, and saved with the state.

    >>> class InverseTime(Schedule):
    ...     def rate(self, base, step):
    ...         return base / (1 + step)
    >>> from nn import SGD
    >>> from engine import Value
    >>> sgd = SGD([Value(1.0)], learning_rate=0.1)
    >>> schedule = InverseTime(sgd, unit="step")
    >>> schedule.step()
    >>> sgd.learning_rate
    0.05
    """

    needs_metric = False
    """Whether `step` must be given the figure that the schedule watches."""

    monitor: str | None = None
    """The name of that figure for `fit`; None is the validation loss, or the loss where there is no validation."""

    unit: str = choice("epoch", "step")

    def __init__(self, optimizer: Optimizer, unit: str = "epoch", **settings: Any) -> None:
        if not isinstance(optimizer, Optimizer):
            raise errors.DataError(
                f"{type(self).__name__} was given {optimizer!r}. A schedule sets the learning rates of an optimiser. "
                f"Write {type(self).__name__}(optimizer, ...) with an nn.Optimizer."
            )
        self.optimizer = optimizer
        self._names = ("unit", *settings)
        for name, value in {"unit": unit, **settings}.items():
            setattr(self, name, setting(self, name, value))
        self.steps = 0
        self.base_rates = [group.learning_rate for group in optimizer.groups]
        self._set_rates(0)

    def rate(self, base: float, step: int) -> float:
        """Return the learning rate of a group with this base rate after so many steps."""
        raise NotImplementedError(
            f"{type(self).__name__} has no rate(). A schedule is this function. "
            "Write def rate(self, base, step) and return the learning rate."
        )

    def step(self, metric: Any = None) -> None:
        """Go on by one epoch or step, whichever is the unit; the metric is for those that need one."""
        self._set_rates(self.steps + 1)
        self.steps += 1

    def _set_rates(self, step: int) -> None:
        name = type(self).__name__
        try:
            rates = [self.rate(base, step) for base in self.base_rates]
        except OverflowError:
            rates = [math.inf for _ in self.base_rates]
        rates = [checked(RATE, name, "learning_rate", rate) for rate in rates]
        for group, rate in zip(self.optimizer.groups, rates, strict=True):
            group.learning_rate = rate

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to go on as if nothing had happened, in a flat dict of numbers and strings."""
        return self._state()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned, with its settings, and set the learning rates.

        Raises DomainError for the state of another schedule, for names that are missing or unexpected and for settings
        out of range, DataError for values of another type; nothing is changed then.
        """
        for owner, name, value in self._checked(state):
            setattr(owner, name, value)

    def _state(self) -> dict[str, Any]:
        """The state of this schedule, without that of one that follows."""
        found = {"schedule": type(self).__name__} | {name: getattr(self, name) for name in self._names}
        found |= self._memory()
        for number, (base, group) in enumerate(zip(self.base_rates, self.optimizer.groups, strict=True)):
            found |= {f"groups.{number}.base_rate": base, f"groups.{number}.rate": group.learning_rate}
        return found

    def _checked(self, state: Any) -> list[tuple[Any, str, Any]]:
        """What a state sets: an object, the name of an attribute, and its value."""
        name, groups, expected = type(self).__name__, self.optimizer.groups, self._state()
        if isinstance(state, Mapping) and state.get("schedule") == name:
            expected |= {key: setting(self, key, state[key]) for key in self._names if key in state}
        check_state(name, expected, state)
        bases, rates = (
            [checked(RATE, name, "learning_rate", state[f"groups.{number}.{kind}"]) for number in range(len(groups))]
            for kind in ("base_rate", "rate")
        )
        return [
            *[(self, key, expected[key]) for key in self._names],
            *[(self, key, type(value)(state[key])) for key, value in self._memory().items()],
            (self, "base_rates", bases),
            *[(group, "learning_rate", rate) for group, rate in zip(groups, rates, strict=True)],
        ]

    def _memory(self) -> dict[str, Any]:
        """What changes from step to step, beside the rates, by the names of the attributes."""
        return {"steps": self.steps}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._names)})"


class StepDecay(Schedule):
    """Multiply the rate by `factor` after every so many steps: base·factor^⌊t / every⌋, PyTorch's StepLR.

    >>> from nn import SGD
    >>> from engine import Value
    >>> schedule = StepDecay(SGD([Value(1.0)]), every=2, factor=0.5)
    >>> [schedule.rate(1.0, step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    every: int = whole(1)
    factor: float = interval()

    def __init__(self, optimizer: Optimizer, every: int, factor: float = 0.1, unit: str = "epoch") -> None:
        super().__init__(optimizer, unit, every=every, factor=factor)

    def rate(self, base: float, step: int) -> float:
        """Return base·factor^⌊step / every⌋."""
        return base * self.factor ** (step // self.every)


class ExponentialDecay(Schedule):
    """Multiply the rate by `factor` at every step: base·factor^t, PyTorch's ExponentialLR.

    >>> from nn import SGD
    >>> from engine import Value
    >>> schedule = ExponentialDecay(SGD([Value(1.0)]), factor=0.5)
    >>> [schedule.rate(1.0, step) for step in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    factor: float = interval()

    def __init__(self, optimizer: Optimizer, factor: float, unit: str = "epoch") -> None:
        super().__init__(optimizer, unit, factor=factor)

    def rate(self, base: float, step: int) -> float:
        """Return base·factor^step."""
        return base * self.factor**step


class CosineAnnealing(Schedule):
    """Half a wave of the cosine from the rate to `minimum_rate`, over `duration` steps, and back again after that.

    Loshchilov and Hutter (2017), equation 5, without restarts: PyTorch's CosineAnnealingLR.

    >>> from nn import SGD
    >>> from engine import Value
    >>> schedule = CosineAnnealing(SGD([Value(1.0)]), duration=4)
    >>> [round(schedule.rate(1.0, step), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """

    duration: int = whole(1)
    minimum_rate: float = interval()

    def __init__(self, optimizer: Optimizer, duration: int, minimum_rate: float = 0.0, unit: str = "epoch") -> None:
        super().__init__(optimizer, unit, duration=duration, minimum_rate=minimum_rate)

    def rate(self, base: float, step: int) -> float:
        """Return minimum + (base - minimum)·(1 + cos(π·step / duration)) / 2."""
        return _cosine(base, self.minimum_rate, step / self.duration)


class WarmUp(Schedule):
    """A straight line from `start` times the rate to the rate, over `duration` steps, and `then` another schedule.

    The line is PyTorch's LinearLR. It leads to the rate with which `then` begins, a schedule of the same optimiser
    whose first step follows the last one of the warm-up; the unit is that of `then`. Warm-up in this form: Goyal et
    al. (2017), section 2.2.

    >>> from nn import SGD
    >>> from engine import Value
    >>> sgd = SGD([Value(1.0)], learning_rate=1.0)
    >>> schedule = WarmUp(sgd, duration=2, start=0.5, then=ExponentialDecay(sgd, factor=0.1))
    >>> rates = []
    >>> for _ in range(4):
    ...     rates.append(round(sgd.learning_rate, 6))
    ...     schedule.step()
    >>> rates
    [0.5, 0.75, 1.0, 0.1]
    """

    duration: int = whole(1)
    start: float = interval("[0, 1)")

    def __init__(
        self,
        optimizer: Optimizer,
        duration: int,
        start: float = 1 / 3,
        then: Schedule | None = None,
        unit: str | None = None,
    ) -> None:
        if then is not None and not (isinstance(then, Schedule) and then.optimizer is optimizer and then.steps == 0):
            raise errors.DataError(
                f"WarmUp was given then={then!r}. What follows the warm-up is a schedule of the same optimiser that "
                "has not begun. Write WarmUp(optimizer, 5, then=nn.CosineAnnealing(optimizer, 100))."
            )
        if then is not None and unit not in (None, then.unit):
            raise errors.DomainError(
                f"WarmUp was given unit={unit!r} and a schedule with unit={then.unit!r} to follow. One counts for "
                "both. Leave out the unit of the warm-up."
            )
        self.then = then
        super().__init__(optimizer, unit or (then.unit if then else "epoch"), duration=duration, start=start)

    @property
    def needs_metric(self) -> bool:  # type: ignore[override]
        """Whether what follows needs one."""
        return self.then is not None and self.then.needs_metric

    @property
    def monitor(self) -> str | None:  # type: ignore[override]
        """The name of the figure that this is."""
        return self.then.monitor if self.then else None

    def rate(self, base: float, step: int) -> float:
        """Return base·(start + (1 - start)·step / duration), and base after the duration."""
        return base * (1 - (1 - self.start) * (1 - min(step / self.duration, 1)))

    def step(self, metric: Any = None) -> None:
        """Go on by one epoch or step; once the warm-up is over, `then` does."""
        if self.steps >= self.duration and self.then is not None:
            self.then.step(metric)
            self.steps += 1
        else:
            super().step()

    def state_dict(self) -> dict[str, Any]:
        """See Schedule.state_dict; what follows has names with `then.` before them."""
        following = self.then.state_dict() if self.then else {}
        return self._state() | {f"then.{name}": value for name, value in following.items()}

    def _checked(self, state: Any) -> list[tuple[Any, str, Any]]:
        if self.then is None or not isinstance(state, Mapping):
            return super()._checked(state)
        following = {name: value for name, value in state.items() if str(name).startswith("then.")}
        own = {name: value for name, value in state.items() if name not in following}
        following = {name.removeprefix("then."): value for name, value in following.items()}
        return super()._checked(own) + self.then._checked(following)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, then={self.then!r})" if self.then else super().__repr__()


class ReduceOnPlateau(Schedule):
    """Multiply the rates by `factor` when a metric has not become better for more than `patience` steps.

    `fit` gives `step` the figure of the history that `monitor` names: by default "validation_loss", or "loss" where
    there is no validation. `mode` says what better is, "min" or "max"; losses are made small, for other figures it must
    be said. How much better it must be says `threshold`, relative or absolute. After a reduction `cooldown` steps are
    not counted. Rates stay above `minimum_rate`, and a change of at most `epsilon` is not made. As PyTorch's
    ReduceLROnPlateau; a metric that is NaN is no improvement.

    >>> from nn import SGD
    >>> from engine import Value
    >>> sgd = SGD([Value(1.0)], learning_rate=0.1)
    >>> schedule = ReduceOnPlateau(sgd, factor=0.5, patience=1)
    >>> for loss in [0.9, 0.8, 0.8, 0.8]:
    ...     schedule.step(loss)
    >>> sgd.learning_rate
    0.05
    """

    needs_metric = True

    mode: str = choice("min", "max")
    factor: float = interval()
    patience: int = whole(0)
    threshold: float = interval()
    threshold_mode: str = choice("relative", "absolute")
    cooldown: int = whole(0)
    minimum_rate: float = interval()
    epsilon: float = interval("(0, inf)")

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str | None = None,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "relative",
        cooldown: int = 0,
        minimum_rate: float = 0.0,
        epsilon: float = 1e-8,
        unit: str = "epoch",
        monitor: str | None = None,
    ) -> None:
        self.monitor = monitor
        super().__init__(
            optimizer,
            unit,
            mode=mode_of(monitor, mode, "ReduceOnPlateau"),
            factor=factor,
            patience=patience,
            threshold=threshold,
            threshold_mode=threshold_mode,
            cooldown=cooldown,
            minimum_rate=minimum_rate,
            epsilon=epsilon,
        )
        self.best = math.inf if self.mode == "min" else -math.inf
        self.waited = 0  # steps without an improvement
        self.cooling = 0  # steps that are not counted any more

    def rate(self, base: float, step: int) -> float:
        """Return the base: how often it was reduced does not follow from the step."""
        return base

    def step(self, metric: Any = None) -> None:
        """Look at the metric after an epoch or step, and reduce the rates if it has not become better for long.

        Raises DataError unless the metric is a number.
        """
        try:
            figure = float(metric)
        except (TypeError, ValueError) as error:
            raise errors.DataError(
                f"ReduceOnPlateau.step was given {metric!r}. It decides by a number that should become better. "
                "Write schedule.step(loss), for example with the loss on validation data."
            ) from error
        self.steps += 1
        if self._better(figure):
            self.best, self.waited = figure, 0
        else:
            self.waited += 1
        if self.cooling:
            self.cooling -= 1
            self.waited = 0
        if self.waited > self.patience:
            self.waited, self.cooling = 0, self.cooldown
            for group in self.optimizer.groups:
                reduced = max(group.learning_rate * self.factor, self.minimum_rate)
                if group.learning_rate - reduced > self.epsilon:
                    group.learning_rate = reduced

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, monitor={self.monitor!r})" if self.monitor else super().__repr__()

    def _better(self, figure: float) -> bool:
        if math.isinf(self.best):
            return figure < self.best if self.mode == "min" else figure > self.best
        margin = self.threshold * (self.best if self.threshold_mode == "relative" else 1.0)
        return figure < self.best - margin if self.mode == "min" else figure > self.best + margin

    def _memory(self) -> dict[str, Any]:
        return {"steps": self.steps, "best": self.best, "waited": self.waited, "cooling": self.cooling}


class OneCycle(Schedule):
    """Up from a low rate to the optimiser's own in the first part of `duration` steps, and down to almost nothing.

    The rate starts at base / start_divisor, reaches the base after the fraction `warm_up` of the steps, and ends at
    base / (start_divisor·end_divisor), where it stays. With `cycle_momentum` the momentum, or Adam's beta1, goes the
    other way, from `max_momentum` to `base_momentum` and back. Smith and Topin (2019), in the two phases that PyTorch's
    OneCycleLR has; its max_lr is here the learning rate that the optimiser was made with.

    >>> from nn import SGD
    >>> from engine import Value
    >>> schedule = OneCycle(SGD([Value(1.0)]), duration=10, anneal="linear")
    >>> [round(schedule.rate(1.0, step), 2) for step in (0, 1, 2, 9, 10)]
    [0.04, 0.52, 1.0, 0.0, 0.0]
    """

    duration: int = whole(1)
    warm_up: float = interval("[0, 1)")
    start_divisor: float = interval("(0, inf)")
    end_divisor: float = interval("(0, inf)")
    anneal: str = choice("cosine", "linear")
    cycle_momentum: bool = flag()
    base_momentum: float = interval("[0, 1)")
    max_momentum: float = interval("[0, 1)")

    def __init__(
        self,
        optimizer: Optimizer,
        duration: int,
        warm_up: float = 0.3,
        start_divisor: float = 25.0,
        end_divisor: float = 1e4,
        anneal: str = "cosine",
        cycle_momentum: bool = False,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        unit: str = "step",
    ) -> None:
        super().__init__(
            optimizer,
            unit,
            duration=duration,
            warm_up=warm_up,
            start_divisor=start_divisor,
            end_divisor=end_divisor,
            anneal=anneal,
            cycle_momentum=cycle_momentum,
            base_momentum=base_momentum,
            max_momentum=max_momentum,
        )

    def rate(self, base: float, step: int) -> float:
        """Return the learning rate, between base / (start_divisor·end_divisor) and base."""
        start = base / self.start_divisor
        return self._between(start, base, start / self.end_divisor, step)

    def momentum(self, step: int) -> float:
        """Return the momentum after so many steps."""
        return self._between(self.max_momentum, self.base_momentum, self.max_momentum, step)

    def _between(self, start: float, middle: float, end: float, step: int) -> float:
        anneal = _cosine if self.anneal == "cosine" else _line
        peak, last = self.warm_up * self.duration - 1, self.duration - 1
        if step < peak:
            return anneal(start, middle, step / peak)
        return anneal(middle, end, (min(step, last) - peak) / (last - peak))

    def _set_rates(self, step: int) -> None:
        name = "beta1" if hasattr(self.optimizer.groups[0], "beta1") else "momentum"
        if self.cycle_momentum and not step and not all(getattr(g, name, 0.0) for g in self.optimizer.groups):
            raise errors.DomainError(
                f"OneCycle was given {self.optimizer!r} and cycle_momentum=True. It has no momentum to cycle. "
                "Give it some, as in SGD(parameters, momentum=0.9), or leave out cycle_momentum."
            )
        super()._set_rates(step)
        if self.cycle_momentum:
            for group in self.optimizer.groups:
                setattr(group, name, self.momentum(step))


def mode_of(monitor: str | None, mode: str | None, owner: str) -> str:
    """Return whether a figure is better when it is small, "min", or large, "max", which need not be said for losses.

    Raises DataError for a name that is no text, DomainError for an unknown mode.
    """
    if not isinstance(monitor, str | None):
        raise errors.DataError(
            f"{owner} was given monitor={monitor!r}. It is the name of a figure in the history. "
            'Write monitor="validation_loss", for example.'
        )
    if mode is None and monitor is not None and not monitor.endswith("loss"):
        raise errors.DomainError(
            f"{owner} was given monitor={monitor!r} and no mode. Only of losses is it known that small is better. "
            'Write mode="min" or mode="max".'
        )
    known = {"min": "min", "max": "max"}
    return "min" if mode is None else chosen(mode if isinstance(mode, str) else repr(mode), known, "mode")


def _line(start: float, end: float, part: float) -> float:
    return start * (1 - part) + end * part


def _cosine(start: float, end: float, part: float) -> float:
    return _line(end, start, (1 + math.cos(math.pi * part)) / 2)
