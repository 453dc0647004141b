"""L-BFGS: the curvature of the loss from the last few steps, and a line search that never ends worse than it began.

The algorithms have the numbers that they have in Nocedal and Wright, Numerical Optimization (2006).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from engine import errors

from .optimizers import Optimizer
from .settings import interval, whole

ENOUGH_DECREASE, ENOUGH_CURVATURE = 1e-4, 0.9
"""The two constants of the Wolfe conditions (3.7), as recommended there."""

SEARCH = 25
"""How often one line search may evaluate."""


class LBFGS(Optimizer):
    """Quasi-Newton steps for losses that are the same at every call: all data at once, and no dropout.

    `step(closure)` makes up to `max_iterations` steps of algorithm 7.5, with the line search of algorithms 3.5 and 3.6
    (strong Wolfe conditions, cubic interpolation), and keeps the `history_size` last changes for the next call.
    `learning_rate` is the length that each search tries first. It ends early when no entry of the gradient is larger
    than `tolerance_gradient`, when the parameters, or the loss, change by no more than `tolerance_change`, or
    when the closure was called `max_evaluations` times, by default 5/4 of the iterations; a search that has begun is
    finished, in at most 25 calls. The defaults are those of PyTorch's LBFGS, the search the one that it calls
    "strong_wolfe"; its names are lr, max_iter, max_eval, tolerance_grad, tolerance_change and history_size.

    The parameters end where the loss was smallest. Where it is NaN or infinite, the search backs off; where nothing
    better is found with the history, it begins again without.

    >>> from engine import Value
    >>> x, y = Value(-1.2), Value(1.0)
    >>> lbfgs = LBFGS([x, y], max_iterations=50)
    >>> def closure():
    ...     lbfgs.zero_grad()
    ...     loss = (1 - x) ** 2 + 100 * (y - x**2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> round(lbfgs.step(closure).data, 1)
    24.2
    >>> round(x.data, 4), round(y.data, 4)
    (1.0, 1.0)
    """

    needs_closure = True

    max_iterations: int = whole(1)
    max_evaluations: int | None = whole(1, optional=True)
    tolerance_gradient: float = interval()
    tolerance_change: float = interval()
    history_size: int = whole(1)

    def __init__(
        self,
        parameters: Iterable[Any],
        learning_rate: float = 1.0,
        max_iterations: int = 20,
        max_evaluations: int | None = None,
        tolerance_gradient: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
    ) -> None:
        super().__init__(
            parameters,
            learning_rate,
            max_iterations=max_iterations,
            max_evaluations=max_evaluations,
            tolerance_gradient=tolerance_gradient,
            tolerance_change=tolerance_change,
            history_size=history_size,
        )
        if self._groups:
            raise errors.DataError(
                f"LBFGS was given {len(self._groups)} groups of parameters. Its step is one for all of them. "
                "Give a list of parameters, as in LBFGS(model.parameters())."
            )
        self.history: list[_Pair] = []

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make the loss smaller that `closure` computes, and return what it was at first.

        The closure forgets the gradients, computes the loss and its gradients with `backward()`, and returns it.

        Raises DataError without a closure and for one that returns no number, GraphError for one that leaves no
        gradients; whatever the closure raises comes through. The parameters and the history are as they were then.
        """
        if not callable(closure):
            raise errors.DataError(
                f"LBFGS.step was given {closure!r}. It computes the loss at several points to make one step. "
                "Write step(closure), with a function that calls zero_grad() and backward() and returns the loss."
            )
        objective = _Objective(self.parameters, closure)
        before = [parameter.data for parameter in self.parameters]
        history = list(self.history)
        try:
            with np.errstate(all="ignore"):
                self._minimize(objective, history)
                objective.move(objective.best.x)
        except BaseException:
            for parameter, data in zip(self.parameters, before, strict=True):
                parameter.data = data
            raise
        self.history = history
        self.steps[:] = [steps + 1 for steps in self.steps]
        return objective.first

    def _minimize(self, objective: _Objective, history: list[_Pair]) -> None:
        """Algorithm 7.5; what it has learned is left in the history."""
        here = objective(objective.position())  # anew at each step: the closure may see other data than the last time
        if not here.finite:
            history.clear()
            return
        most = self.max_iterations * 5 // 4 if self.max_evaluations is None else self.max_evaluations
        for iteration in range(self.max_iterations):
            spent = iteration > 0 and objective.calls >= most
            if spent or abs(here.gradient).max(initial=0.0) <= self.tolerance_gradient:
                return
            direction = _direction(here.gradient, history)
            slope = float(here.gradient @ direction)
            if not -math.inf < slope < 0:  # rounding, or a history that does not belong here
                history.clear()
                direction = _direction(here.gradient, history)
                slope = float(here.gradient @ direction)
            found = _Search(objective, here, direction, slope).run(self.learning_rate)
            if found is here:
                if not history:
                    return
                history.clear()
                continue
            change, change_of_gradient = found.x - here.x, found.gradient - here.gradient
            curvature = float(change @ change_of_gradient)
            if np.finfo(float).eps * (change_of_gradient @ change_of_gradient) < curvature < math.inf:
                history.append(_Pair(change, change_of_gradient, curvature))
                del history[: -self.history_size]
            gain, here = here.loss - found.loss, found
            if abs(change).max() <= self.tolerance_change or gain < self.tolerance_change:
                return

    def state_dict(self) -> dict[str, Any]:
        """See Optimizer.state_dict; the history is two arrays `(steps, entries)`, the older steps first."""
        shape = (len(self.history), sum(np.size(parameter.data) for parameter in self.parameters))
        changes, gradients = (np.array([pair[k] for pair in self.history]).reshape(shape) for k in (0, 1))
        return super().state_dict() | {"history.changes": changes, "history.gradients": gradients}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See Optimizer.load_state_dict."""
        super().load_state_dict(state)
        pairs = zip(state["history.changes"], state["history.gradients"], strict=True)
        history = [(change.copy(), gradient.copy()) for change, gradient in pairs]
        self.history = [_Pair(*pair, float(np.dot(*pair))) for pair in history[-self.history_size :]]

    def _expected(self, state: Any) -> dict[str, Any]:
        changes = state.get("history.changes") if isinstance(state, Mapping) else None
        count = len(changes) if isinstance(changes, np.ndarray) and changes.ndim else 0
        mine = super()._expected(state)
        history = {name: np.zeros((count, *mine[name].shape[1:])) for name in mine if name.startswith("history.")}
        return mine | history


class _Pair(NamedTuple):
    """What one step has shown: the change of the parameters, that of the gradient, and their product."""

    change: np.ndarray
    gradient: np.ndarray
    curvature: float


def _direction(gradient: np.ndarray, history: list[_Pair]) -> np.ndarray:
    """Algorithm 7.4, the two loops; without history a step down the gradient of length 1 at most."""
    if not history:
        return -gradient / max(1.0, np.abs(gradient).sum())
    direction, weights = -gradient, []
    for change, change_of_gradient, curvature in reversed(history):
        weights.append((change @ direction) / curvature)
        direction = direction - weights[-1] * change_of_gradient
    latest = history[-1]
    direction = direction * (latest.curvature / (latest.gradient @ latest.gradient))  # equation 7.20
    for change, change_of_gradient, curvature in history:
        direction = direction + (weights.pop() - (change_of_gradient @ direction) / curvature) * change
    return direction


class _Point(NamedTuple):
    """Where the objective was computed: the parameters as one vector, the loss, and its gradient."""

    x: np.ndarray
    loss: float
    gradient: np.ndarray

    @property
    def finite(self) -> bool:
        return math.isfinite(self.loss) and bool(np.isfinite(self.x).all() and np.isfinite(self.gradient).all())


class _Objective:
    """The closure as a function of one vector, in float64 whatever the parameters are."""

    first: Any
    best: _Point

    def __init__(self, parameters: list[Any], closure: Callable[[], Any]) -> None:
        self.parameters, self.closure, self.calls = parameters, closure, 0
        self.errstate = np.geterr()

    def position(self) -> np.ndarray:
        return np.concatenate([np.ravel(parameter.data) for parameter in self.parameters], dtype=float)

    def move(self, x: np.ndarray) -> None:
        start = 0
        for parameter in self.parameters:
            part = x[start : start + math.prod(parameter.shape)]
            start += len(part)
            parameter.data = part.reshape(parameter.shape).astype(parameter.dtype)

    def __call__(self, x: np.ndarray) -> _Point:
        self.move(x)
        with np.errstate(**self.errstate):
            loss = self.closure()
        try:
            number = float(loss.item() if hasattr(loss, "item") else loss)
        except (TypeError, ValueError) as error:
            raise errors.DataError(
                f"The closure of LBFGS.step returned {loss!r}. The line search compares losses, and this is not a "
                "number. End the closure with `return loss`."
            ) from error
        gradients = [parameter.grad for parameter in self.parameters]
        if all(gradient is None for gradient in gradients):
            raise errors.GraphError(
                f"The closure of LBFGS.step returned {loss!r}, and left none of the {len(gradients)} parameters a "
                "gradient. There is no direction without one. Call loss.backward() in the closure."
            )
        zipped = zip(self.parameters, gradients, strict=True)
        parts = [np.zeros(math.prod(p.shape)) if g is None else np.ravel(g) for p, g in zipped]
        # Where the parameters are, not x: those of float32 are rounded.
        point = _Point(self.position(), number, np.concatenate(parts, dtype=float))
        if not self.calls:
            self.first = loss
        if not self.calls or (point.finite and point.loss < self.best.loss):
            self.best = point
        self.calls += 1
        return point


class _Trial(NamedTuple):
    """A length along the direction, the loss and its slope there; the loss is infinite where it is no number."""

    length: float
    loss: float
    slope: float
    point: _Point


class _Search:
    """A length that satisfies the strong Wolfe conditions (3.7), or else the best that was found."""

    def __init__(self, objective: _Objective, start: _Point, direction: np.ndarray, slope: float) -> None:
        self.objective, self.direction, self.allowed = objective, direction, SEARCH
        self.start = _Trial(0.0, start.loss, slope, start)

    def run(self, length: float) -> _Point:
        """Algorithm 3.5: longer and longer, until the minimum is bracketed."""
        previous = self.start
        while self.allowed > 0:
            trial = self._try(length)
            if not self._decreases(trial) or (previous is not self.start and trial.loss >= previous.loss):
                return self._zoom(previous, trial).point
            if self._is_flat(trial):
                return trial.point
            if trial.slope >= 0:
                return self._zoom(trial, previous).point
            cubic = _minimum_of_cubic(previous, trial)
            shortest, longest = length + 0.01 * (length - previous.length), 10 * length
            previous, length = trial, min(max(cubic, shortest), longest) if cubic > length else longest
        return previous.point

    def _zoom(self, low: _Trial, high: _Trial) -> _Trial:
        """Algorithm 3.6: between the best length so far and one that is too long, or too short."""
        while self.allowed > 0:
            width = high.length - low.length
            if math.isfinite(high.loss):
                share = (_minimum_of_cubic(low, high) - low.length) / width if width else math.nan
                share = min(max(share, 0.1), 0.9) if math.isfinite(share) else 0.5
            else:
                share = 0.1 if low is self.start else 0.5
            length = low.length + share * width
            if length in (low.length, high.length):
                break
            trial = self._try(length)
            if not self._decreases(trial) or trial.loss >= low.loss:
                high = trial
                continue
            if self._is_flat(trial):
                return trial
            if trial.slope * width >= 0:
                high = low
            low = trial
        return low

    def _try(self, length: float) -> _Trial:
        self.allowed -= 1
        point = self.objective(self.start.point.x + length * self.direction)
        if not point.finite:
            return _Trial(length, math.inf, math.nan, point)
        return _Trial(length, point.loss, float(point.gradient @ self.direction), point)

    def _decreases(self, trial: _Trial) -> bool:
        return trial.loss <= self.start.loss + ENOUGH_DECREASE * trial.length * self.start.slope

    def _is_flat(self, trial: _Trial) -> bool:
        return abs(trial.slope) <= -ENOUGH_CURVATURE * self.start.slope


def _minimum_of_cubic(a: _Trial, b: _Trial) -> float:
    """Equation 3.59: where the cubic through two trials, with their slopes, has its minimum; NaN if it has none."""
    width = b.length - a.length
    if not width:
        return math.nan
    d1 = a.slope + b.slope - 3 * (b.loss - a.loss) / width
    square = d1 * d1 - a.slope * b.slope
    d2 = math.copysign(math.sqrt(square), width) if square >= 0 else math.nan
    divisor = b.slope - a.slope + 2 * d2
    return b.length - width * (b.slope + d2 - d1) / divisor if divisor else math.nan
