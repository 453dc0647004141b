"""The loop: from the data to the history."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

import engine
from engine import errors

from ..checkpoints import load_checkpoint, save_checkpoint
from ..data import check_count
from ..initializers import chosen
from ..module import Module
from ..optimizers import Optimizer
from ..schedules import Schedule
from .averaging import Averaging
from .ending import Ending
from .feeding import EVALUATED, Feed, feed_of, feeds, float_dtype
from .figures import Figures, Function, Metrics, named_functions
from .history import History
from .objective import Objective, loss_of
from .progress import report_on
from .snapshots import Generators
from .stopping import EarlyStopping

Callback = Callable[[int, History], Any]


def fit(
    model: Module,
    x: Any,
    y: Any = None,
    *,
    loss: Function,
    optimizer: Optimizer,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int | None = 32,
    validation: Any = None,
    metrics: Metrics = None,
    sample_weight: Any = None,
    schedule: Schedule | None = None,
    early_stopping: EarlyStopping | int | None = None,
    clip_norm: float | None = None,
    accumulate: int = 1,
    averaging: Averaging | float | None = None,
    callbacks: Sequence[Callback] | Callback = (),
    progress: bool = True,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1,
    resume: str | Path | None = None,
    seed: int | np.random.Generator | None = 0,
) -> History:
    """Train a model on the rows of x and y, and return the History of the loss and the metrics.

    `loss(prediction, targets)` returns one number to be made small, the mean over its rows. The loss of an epoch is the
    mean over its batches, in which each counts as often as it has rows. Each of `metrics` is called once for an epoch,
    as `metric(prediction, targets)` with plain arrays of all that was predicted in it, and returns one number. The
    figures of `validation` are computed after the epoch, as `evaluate` does, and have `validation_` before their names.

    The data. Arrays `x` and `y` are used in batches of `batch_size` rows, all of them at once where it is None, in an
    order drawn from `seed`. In their place `x` alone may be what gives batches `(inputs, targets)` each time it is gone
    through, as `nn.batches` makes of data larger than memory. `validation` is a tuple `(x, y)`, a share such as 0.1 of
    the rows, drawn from `seed`, or again what gives batches. `sample_weight`, of shape `(rows,)`, says how much each
    row counts, and the loss has an argument of that name. Floating-point data get the dtype of the model's parameters.

    How long. `epochs` (10) times through the data, or `steps` of the optimiser. `early_stopping` is a number of epochs
    without a better validation loss, or an EarlyStopping; the best weights come back at every end, Ctrl-C and errors
    included. Each of `callbacks` is called after every epoch with its number and the History, while the model is in
    evaluation mode; True ends the training.

    How. `accumulate` batches make one step, with the gradient of a batch that many times as large. Gradients longer
    than `clip_norm`, all taken together, are shortened to it. `schedule` changes the learning rate after each step or
    epoch; a ReduceOnPlateau is given the figure that it monitors. `averaging`, a decay or an Averaging, gives the model
    the running mean of its weights, for validation and at the end. An optimiser that evaluates the loss itself, as
    LBFGS does, takes all rows at once.

    At the start, every `checkpoint_every` epochs and after the last, the whole state is written to the file
    `checkpoint`. The same call with `resume=` that file goes on from there, with the numbers of a run that was never
    interrupted; `epochs` and `steps` count from the beginning. An epoch that `steps` cuts short is not saved.

    The model is left in evaluation mode, with what was learned, also after Ctrl-C. An error leaves model, optimiser and
    schedule as they were before; DivergenceError, and with early stopping every error, as they were at the end of the
    last good epoch, and the weights are the best ones where there is early stopping.

    Raises DivergenceError when the loss or its gradient becomes NaN or infinite, ShapeError where x and y do not belong
    together, DomainError and DataError for NaN in the data and for settings that cannot be.

    >>> from nn import SGD, Linear, mse_loss
    >>> x = np.linspace(-1, 1, 20).reshape(-1, 1)
    >>> model = Linear(1, 1, seed=0)
    >>> sgd = SGD(model.parameters(), learning_rate=0.5)
    >>> history = fit(model, x, 3 * x + 1, loss=mse_loss, optimizer=sgd, epochs=20, progress=False)
    >>> history["loss"][-1] < 1e-3
    True
    """
    most_epochs, most_steps = _lengths(epochs, steps)
    callbacks = list(callbacks) if isinstance(callbacks, Sequence) else [callbacks]
    _check_settings(model, loss, optimizer, callbacks, clip_norm, accumulate, checkpoint_every)
    metrics = named_functions(metrics)
    feed, held_out = feeds(x, y, sample_weight, validation, batch_size, float_dtype(model), seed)
    _check_feeds(feed, held_out, loss, optimizer, most_epochs)
    names = ["loss", *metrics]
    names += [f"validation_{name}" for name in names if held_out]
    _check_schedule(schedule, optimizer, names)
    stopping, average = _early_stopping(early_stopping, names), _averaging(averaging, model)
    objective = Objective(model, loss, optimizer, metrics, clip_norm)
    run = _Run(feed, most_epochs, most_steps, stopping)
    history = run.history
    parts = {"model": model, "generators": Generators(model), "optimizer": optimizer, "run": run}
    optional = {"schedule": schedule, "early_stopping": stopping, "averaging": average}
    parts |= {name: part for name, part in optional.items() if part is not None}

    with Ending(model, optimizer, schedule, average, stopping) as ending:
        if resume is not None:
            load_checkpoint(resume, **parts)
            ending.keep(run.epoch)
        if checkpoint is not None:
            save_checkpoint(checkpoint, **parts)  # before the first epoch, so that a wrong name costs none
        each = feed.length and math.ceil(feed.length / accumulate)
        with closing(report_on(progress, most_epochs, most_steps, each, run.step)) as report:
            while not run.over:
                run.epoch += 1
                objective.begin(run.epoch, ending.kept)
                model.train()
                groups = feed.groups(accumulate)
                for group in groups:
                    optimizer.step(objective.of(group))
                    run.step += 1
                    if schedule and schedule.unit == "step":
                        schedule.step()
                    if average:
                        average.see("step")
                    report.step()
                    if run.step == most_steps:
                        break
                whole = next(groups, None) is None
                model.eval()
                objective.check_parameters()
                history.record(objective.figures.by_name())
                if average:
                    average.see("epoch")
                with average.applied() if average else nullcontext():
                    if held_out:
                        figures = _evaluate(model, held_out, loss, metrics)
                        history.record({f"validation_{name}": figure for name, figure in figures.items()})
                    if schedule and schedule.unit == "epoch":
                        schedule.step(history.watched(schedule.monitor))
                    if stopping:
                        stopping.see(run.epoch, history, model)
                    ending.keep(run.epoch)
                report.epoch(run.epoch, history)
                run.stopped = _call(callbacks, run.epoch, history)
                if checkpoint is not None and whole and (run.over or run.epoch % checkpoint_every == 0):
                    save_checkpoint(checkpoint, **parts)
    return history


def evaluate(
    model: Module,
    x: Any,
    y: Any = None,
    *,
    loss: Function | None = None,
    metrics: Metrics = None,
    sample_weight: Any = None,
    batch_size: int | None = EVALUATED,
) -> dict[str, float]:
    """Return the loss and the metrics on all rows of x and y by name, in evaluation mode and without recording.

    The model is given `batch_size` rows at a time, all at once where it is None. The loss is the mean over the batches,
    in which each counts as often as it has rows; metrics are called once, with all predictions and targets. Without y,
    x is gone through for batches `(inputs, targets)` or `(inputs, targets, sample_weight)`.

    Raises ShapeError where x and y do not belong together, DomainError and DataError for NaN in the data and for
    settings that cannot be.

    >>> from nn import Identity, mse_loss
    >>> evaluate(Identity(), np.ones((4, 1)), np.zeros((4, 1)), loss=mse_loss)
    {'loss': 1.0}
    """
    feed = feed_of(x, y, sample_weight, float_dtype(model), "evaluate", batch_size)
    return _evaluate(model, feed, loss, named_functions(metrics))


def _evaluate(model: Module, feed: Feed, loss: Function | None, metrics: Mapping[str, Function]) -> dict[str, float]:
    figures = Figures(metrics)
    with model.evaluating():
        for batch in feed:
            with engine.no_grad():
                prediction = model(batch.inputs)
                number = 0.0 if loss is None else float(loss_of(loss, prediction, batch))
            figures.add(batch, batch.weight, number, prediction)
    found = figures.by_name()
    if loss is None:
        del found["loss"]
    return found


class _Run:
    """How far training has come: what a resumed run goes on from, beside the model and what trains it."""

    def __init__(self, feed: Feed, epochs: float, steps: float, stopping: EarlyStopping | None) -> None:
        self.feed, self.epochs, self.steps, self.stopping = feed, epochs, steps, stopping
        self.epoch, self.step, self.stopped, self.history = 0, 0, False, History()

    @property
    def over(self) -> bool:
        """Whether no further epoch is to follow."""
        patience_is_out = self.stopping is not None and self.stopping.over
        return self.stopped or patience_is_out or self.epoch >= self.epochs or self.step >= self.steps

    def state_dict(self) -> dict[str, Any]:
        """Return it in numbers."""
        state = {"epoch": self.epoch, "step": self.step, "feed": self.feed.state_dict()}
        return state | {"history": dict(self.history), "best_epoch": self.history.best_epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.feed.load_state_dict(state["feed"])
        self.epoch, self.step = state["epoch"], state["step"]
        self.history.clear()
        self.history.update(state["history"])
        self.history.best_epoch = state["best_epoch"]


def _call(callbacks: Sequence[Callback], epoch: int, history: History) -> bool:
    """Whether one of the callbacks, all of which are called, says that it is enough."""
    answers = [callback(epoch, history) for callback in callbacks]
    return any(isinstance(answer, bool | np.bool_) and answer for answer in answers)


# What is checked before anything changes.


def _lengths(epochs: int | None, steps: int | None) -> tuple[float, float]:
    """How many epochs and steps there may be, one of the two without an end."""
    if epochs is not None and steps is not None:
        raise errors.DomainError(
            f"fit was given epochs={epochs!r} and steps={steps!r}. Each says how long to train. Give one of the two."
        )
    if steps is not None:
        check_count(steps, 0, "steps", "the steps that the optimiser takes")
        return math.inf, steps
    check_count(10 if epochs is None else epochs, 0, "epochs", "how often fit goes through the data")
    return 10 if epochs is None else epochs, math.inf


def _check_settings(
    model: Module,
    loss: Any,
    optimizer: Optimizer,
    callbacks: Sequence[Any],
    clip_norm: Any,
    accumulate: Any,
    checkpoint_every: Any,
) -> None:
    for each, what, call in (
        (loss, "the loss", "(prediction, targets)"),
        *[(each, "a callback", "(epoch, history)") for each in callbacks],
    ):
        if not callable(each):
            raise errors.DataError(
                f"{each!r} was given as {what}. It is called by fit, with {call}. Give a function of these two."
            )
    for given, kind, cure in (
        (model, Module, "Give a module, such as nn.MLP([2, 8, 1])"),
        (optimizer, Optimizer, "Make one of the model's parameters, as in nn.Adam(model.parameters())"),
    ):
        if not isinstance(given, kind):
            raise errors.DataError(
                f"fit was given {given!r} of type {type(given).__name__} in the place of the {kind.__name__.lower()}. "
                f"It trains a module with an optimiser. {cure}."
            )
    mine = {id(parameter) for parameter in model.parameters()}
    if not any(id(parameter) in mine for parameter in optimizer.parameters):
        raise errors.GraphError(
            f"{optimizer!r} updates none of the {len(mine)} parameters of the model. fit would train nothing. "
            "Make the optimiser with model.parameters()."
        )
    check_count(accumulate, 1, "accumulate", "the batches that make one step")
    check_count(checkpoint_every, 1, "checkpoint_every", "the epochs from one checkpoint to the next")
    if clip_norm is None:
        return
    if (
        isinstance(clip_norm, bool)
        or not isinstance(clip_norm, int | float | np.number)
        or not 0 < clip_norm < math.inf
    ):
        raise errors.DomainError(
            f"clip_norm={clip_norm!r} was given. It is how long the gradient may be, all parameters taken together. "
            "Give a positive number, or None for gradients of any length."
        )
    if optimizer.needs_closure:
        raise errors.DomainError(
            f"clip_norm={clip_norm!r} was given with {optimizer!r}. Its line search needs the gradients as they are. "
            "Leave clip_norm out, or train with another optimiser."
        )


def _check_feeds(feed: Feed, held_out: Feed | None, loss: Function, optimizer: Optimizer, epochs: float) -> None:
    for each, repeated in ((feed, 1 < epochs < math.inf), (held_out, epochs > 1)):
        if each and repeated and iter(each.source) is each.source:
            raise errors.DataError(
                f"{each.where} was given an iterator, a {type(each.source).__name__}. It can be gone through only "
                "once, and each epoch goes through all batches. Give a list of batches, or nn.batches(function) of a "
                "function that starts anew each time."
            )
    if optimizer.needs_closure and feed.length != 1:
        raise errors.DomainError(
            f"{optimizer!r} was to train on {feed.length} batches. It compares losses and gradients of one function, "
            "which is the loss of all rows. Write batch_size=None."
        )
    try:
        named = inspect.signature(loss).parameters
    except (TypeError, ValueError):  # some functions written in C do not say
        return
    takes = "sample_weight" in named or any(each.kind is each.VAR_KEYWORD for each in named.values())
    if not takes and any(each and each.weighted for each in (feed, held_out)):
        raise errors.DataError(
            f"fit was given sample_weight= with the loss {getattr(loss, '__name__', loss)!r}. It has no "
            "argument of that name. Let it be loss(prediction, targets, sample_weight=None), a mean in which each row "
            "counts so much."
        )


def _check_schedule(schedule: Any, optimizer: Optimizer, names: Sequence[str]) -> None:
    if schedule is None:
        return
    if not isinstance(schedule, Schedule):
        raise errors.DataError(
            f"{schedule!r} was given as schedule=. It changes the learning rate of the optimiser while fit runs. "
            "Give an nn.Schedule, such as nn.CosineAnnealing(optimizer, duration=10)."
        )
    if schedule.optimizer is not optimizer:
        raise errors.GraphError(
            f"{schedule!r} sets the learning rate of {schedule.optimizer!r}. fit was given another optimiser, "
            f"{optimizer!r}. Make the schedule from the optimiser that trains the model."
        )
    if schedule.needs_metric and schedule.unit == "step":
        raise errors.DomainError(
            f"{schedule!r} was given to fit. It decides by a figure, and fit has new ones only after an epoch. "
            'Make it with unit="epoch".'
        )
    if schedule.monitor is not None:
        chosen(schedule.monitor, {name: name for name in names}, "monitor=")


def _early_stopping(given: Any, names: Sequence[str]) -> EarlyStopping | None:
    if given is None:
        return None
    stopping = given if isinstance(given, EarlyStopping) else EarlyStopping(given)
    stopping.begin(names)
    return stopping


def _averaging(given: Any, model: Module) -> Averaging | None:
    if given is None:
        return None
    average = given if isinstance(given, Averaging) else Averaging(given)
    average.begin(model)
    return average
