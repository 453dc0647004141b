"""Training: one readable loop, what it reports while it runs, and the history it returns."""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import engine
from engine import Tensor, Value, errors

from .data import as_array, batches, check_count, check_rows
from .module import Module
from .optimizers import Optimizer

Function = Callable[[Any, Any], Any]


class DivergenceError(errors.EngineError, ArithmeticError):
    """A loss that became NaN or infinite."""


class History(dict[str, list[float]]):
    """What `fit` saw: a list for each figure, with one entry for each epoch.

    >>> history = History(loss=[0.9, 0.5])
    >>> history.epochs, history["loss"]
    ([1, 2], [0.9, 0.5])
    """

    @property
    def epochs(self) -> list[int]:
        """The numbers of the epochs, from 1: the horizontal axis of a plot."""
        return list(range(1, 1 + max(map(len, self.values()), default=0)))

    def record(self, figures: Mapping[str, float]) -> None:
        """Append the figures of one epoch."""
        for name, figure in figures.items():
            self.setdefault(name, []).append(figure)


def fit(
    model: Module,
    x: Any,
    y: Any,
    *,
    loss: Function,
    optimizer: Optimizer,
    epochs: int = 10,
    batch_size: int = 32,
    validation: tuple[Any, Any] | None = None,
    metrics: Mapping[str, Function] | Sequence[Function] | None = None,
    progress: bool = True,
    seed: int | np.random.Generator | None = 0,
    callbacks: Sequence[Callable[[int, History], Any]] = (),
) -> History:
    """Train a model on the rows of x and y, and return the History of the loss and the metrics.

    `loss(prediction, targets)` returns one number to be made small; each of `metrics` one to be reported. The figures
    of an epoch are means over its batches, as seen while training; those of `validation`, a pair `(x, y)`, are
    computed after it, on all rows, in evaluation mode, under names with `validation_` before them. Floating-point data
    are converted to the dtype of the model's parameters. `seed` decides the order of the rows. Each of `callbacks` is
    called after every epoch with its number and the History; one that returns True ends the training.

    The model is left in evaluation mode. When fit raises an error, the parameters and the optimiser are as they were
    before; Ctrl-C keeps what was learned.

    Raises DivergenceError when the loss becomes NaN or infinite, ShapeError where x and y do not belong together.

    >>> from nn import SGD, Linear, mse_loss
    >>> x = np.linspace(-1, 1, 20).reshape(-1, 1)
    >>> model = Linear(1, 1, seed=0)
    >>> sgd = SGD(model.parameters(), learning_rate=0.5)
    >>> history = fit(model, x, 3 * x + 1, loss=mse_loss, optimizer=sgd, epochs=20, progress=False)
    >>> history["loss"][-1] < 1e-3
    True
    """
    check_count(epochs, 0, "epochs", "how often fit goes through the data")
    check_count(batch_size, 1, "batch_size", "the rows that are used in one step")
    x, y, *held_out = _checked(model, optimizer, x, y, *(validation or ()))
    rng = np.random.default_rng(seed)
    named = _named(metrics)
    before = _Saved(model, optimizer)
    history = History()
    report = _report(epochs, math.ceil(len(x) / batch_size), progress)
    try:
        for epoch in range(1, epochs + 1):
            model.train()
            total = dict.fromkeys(["loss", *named], 0.0)
            for batch, (inputs, targets) in enumerate(batches(x, y, batch_size=batch_size, seed=rng), start=1):
                optimizer.zero_grad()
                prediction = model(inputs)
                error = loss(prediction, targets)
                figures = {"loss": _finite(error, epoch, batch, inputs)}
                error.backward()
                optimizer.step()
                figures |= _measure(named, prediction, targets)
                for name, figure in figures.items():
                    total[name] += figure * len(inputs)
                report.batch()
            _check_parameters(model, epoch)
            history.record({name: figure / len(x) for name, figure in total.items()})
            if held_out:
                figures = evaluate(model, *held_out, loss=loss, metrics=named)
                history.record({f"validation_{name}": figure for name, figure in figures.items()})
            report.epoch(epoch, history)
            answers = [callback(epoch, history) for callback in callbacks]
            if any(isinstance(answer, bool | np.bool_) and answer for answer in answers):
                break
    except Exception:
        before.restore()
        raise
    finally:
        report.close()
    model.eval()
    return history


def evaluate(
    model: Module,
    x: Any,
    y: Any,
    *,
    loss: Function | None = None,
    metrics: Mapping[str, Function] | Sequence[Function] | None = None,
) -> dict[str, float]:
    """Return the loss and the metrics on all rows of x and y by name, in evaluation mode and without recording.

    >>> from nn import Identity, mse_loss
    >>> evaluate(Identity(), np.ones((4, 1)), np.zeros((4, 1)), loss=mse_loss)
    {'loss': 1.0}
    """
    dtype = _dtype(model)
    x, y = _as_data(x, dtype), _as_data(y, dtype)
    modes = [(module, module.training) for module in model.modules()]
    try:
        with engine.no_grad():
            prediction = model.eval()(x)
            figures = {} if loss is None else {"loss": float(loss(prediction, y))}
        return figures | _measure(_named(metrics), prediction, y)
    finally:
        for module, training in modes:
            module.training = training


def _measure(metrics: Mapping[str, Function], prediction: Any, targets: Any) -> dict[str, float]:
    plain = prediction.data if isinstance(prediction, Value | Tensor) else prediction
    return {name: float(metric(plain, targets)) for name, metric in metrics.items()}


def _named(metrics: Any) -> dict[str, Function]:
    if callable(metrics):
        metrics = [metrics]
    pairs = metrics.items() if isinstance(metrics, Mapping) else [(_name(metric), metric) for metric in metrics or ()]
    named = dict(pairs)
    if "loss" in named or len(named) < len(pairs) or not all(map(callable, named.values())):
        raise errors.DataError(
            f"fit was given the metrics {[name for name, _ in pairs]}. "
            'Each is a function with a name of its own, and "loss" is taken. '
            'Write metrics={"name": function, ...}.'
        )
    return named


def _name(metric: Any) -> str:
    return getattr(metric, "__name__", repr(metric))


def _finite(error: Any, epoch: int, batch: int, inputs: np.ndarray) -> float:
    """The loss as a number; an error if it is not one, or cannot be made smaller."""
    where = f"epoch {epoch}, batch {batch}"
    if not isinstance(error, Value | Tensor):
        raise errors.DataError(
            f"The loss returned {error!r} of type {type(error).__name__} in {where}. Only a node has a gradient. "
            "Compute the loss with operators and engine functions from what the model returned."
        )
    number = error.item()
    if not math.isfinite(number):
        cause = "as inputs of this batch are" if not np.isfinite(inputs).all() else "from finite inputs"
        raise DivergenceError(
            f"The loss became {number} in {where}, {cause}. Training stopped, and the parameters are as they were "
            "before fit. Lower the learning rate, scale the inputs, or remove NaN and infinity from the data."
        )
    return number


def _check_parameters(model: Module, epoch: int) -> None:
    """A finite loss may have a gradient that is not; the last step of an epoch would hide it."""
    for name, parameter in model.named_parameters():
        if not np.isfinite(parameter.data).all():
            raise DivergenceError(
                f"The parameter {name!r} became NaN or infinite in epoch {epoch}, while the loss was finite. Training "
                "stopped, and the parameters are as they were before fit. Lower the learning rate, or look for a "
                "function with an infinite derivative, such as the square root at 0."
            )


def _checked(model: Module, optimizer: Optimizer, *data: Any) -> list[np.ndarray]:
    """The arrays x, y and, where given, the x and y of the validation; an error for what cannot be trained."""
    mine = {id(parameter) for parameter in model.parameters()}
    if not any(id(parameter) in mine for parameter in optimizer.parameters):
        raise errors.GraphError(
            f"{optimizer!r} updates none of the {len(mine)} parameters of the model. fit would train nothing. "
            "Make the optimiser with model.parameters()."
        )
    dtype = _dtype(model)
    arrays = [_as_data(each, dtype) for each in data]
    for start in range(0, len(arrays), 2):
        check_rows("fit" if start == 0 else "validation=", *arrays[start : start + 2])
    return arrays


def _as_data(given: Any, dtype: np.dtype) -> np.ndarray:
    """An array; floating-point numbers in the dtype of the model, integers and booleans as they are."""
    array = as_array(given)
    return array.astype(dtype, copy=False) if array.dtype.kind == "f" else array


def _dtype(model: Module) -> np.dtype:
    """The dtype that the model computes in: that of its first floating-point parameter."""
    kinds = [parameter.dtype for parameter in model.parameters() if parameter.dtype.kind == "f"]
    return kinds[0] if kinds else np.dtype(float)


class _Saved:
    """The parameters, their gradients, the buffers, modes and optimiser, to be put back when fit fails."""

    def __init__(self, model: Module, optimizer: Optimizer) -> None:
        self.modes = [(module, module.training) for module in model.modules()]
        self.buffers = [(buffer, buffer.copy()) for buffer in model.buffers()]
        nodes = {id(node): node for node in [*model.parameters(), *optimizer.parameters]}.values()
        self.nodes = [(node, copy.copy(node.data), copy.copy(node.grad)) for node in nodes]
        self.optimizer, self.states, self.steps = optimizer, list(optimizer.states), list(optimizer.steps)

    def restore(self) -> None:
        for module, training in self.modes:
            module.training = training
        for buffer, array in self.buffers:
            buffer[...] = array
        for node, data, grad in self.nodes:
            node.data, node.grad = data, grad
        self.optimizer.states[:], self.optimizer.steps[:] = self.states, self.steps


# What one sees while it runs.


class _Silence:
    """Says nothing; the other reports say something about a batch, an epoch, or the end."""

    def batch(self) -> None: ...

    def epoch(self, epoch: int, history: History) -> None: ...

    def close(self) -> None: ...


class _Lines(_Silence):
    """About twenty lines for all epochs, for log files."""

    def __init__(self, epochs: int) -> None:
        self.epochs, self.every, self.start = epochs, max(1, math.ceil(epochs / 20)), time.perf_counter()

    def epoch(self, epoch: int, history: History) -> None:
        if epoch % self.every == 0 or epoch in (1, self.epochs):
            seconds = time.perf_counter() - self.start
            line = f"epoch {epoch:{len(str(self.epochs))}}/{self.epochs}  {_latest(history)}  {seconds:.1f} s"
            print(line, file=sys.stderr, flush=True)


class _Bar(_Silence):
    """A bar that grows with every batch, with the figures of the last epoch beside it."""

    def __init__(self, bar: Any, epochs: int) -> None:
        self.bar, self.epochs = bar, epochs

    def batch(self) -> None:
        self.bar.update()

    def epoch(self, epoch: int, history: History) -> None:
        self.bar.set_description(f"epoch {epoch}/{self.epochs}", refresh=False)
        self.bar.set_postfix_str(_short(history), refresh=False)

    def close(self) -> None:
        self.bar.close()


def _latest(history: History) -> str:
    return "  ".join(f"{name} {figures[-1]:.4g}" for name, figures in history.items())


def _short(history: History) -> str:
    """The latest figures in the room beside a bar: training, then validation."""
    parts = []
    for name, figures in history.items():
        if not name.startswith("validation_"):
            held_out = history.get(f"validation_{name}")
            parts.append(f"{name} {figures[-1]:.3g}" + (f"/{held_out[-1]:.3g}" if held_out else ""))
    return " ".join(parts)


def _report(epochs: int, batches_each: int, progress: bool) -> _Silence:
    """A bar in a terminal or notebook where tqdm is installed, lines elsewhere, nothing without progress."""
    if not progress:
        return _Silence()
    if sys.stderr.isatty() or "ipykernel" in sys.modules:
        try:
            from tqdm import tqdm
        except ImportError:
            return _Lines(epochs)
        layout = "{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        return _Bar(tqdm(total=epochs * batches_each, unit="batch", bar_format=layout), epochs)
    return _Lines(epochs)
