"""Progress: what one sees while training runs."""

from __future__ import annotations

import math
import shutil
import sys
import time
from typing import Any

from .history import History


class Silence:
    """Says nothing; the other reports say something about a step, an epoch, or the end."""

    def step(self) -> None:
        """Note that the optimiser took a step."""

    def epoch(self, epoch: int, history: History) -> None:
        """Note that an epoch is over, with its figures in the history."""

    def close(self) -> None:
        """Note that training is over."""


class Lines(Silence):
    """About twenty lines for all epochs, for log files."""

    def __init__(self, epochs: int | None) -> None:
        self.epochs, self.every, self.start = epochs, max(1, math.ceil((epochs or 0) / 20)), time.perf_counter()
        self.waiting = ""

    def epoch(self, epoch: int, history: History) -> None:
        """Print a line after the first, the last and every so many epochs."""
        seconds = time.perf_counter() - self.start
        self.waiting = "  ".join([f"epoch {_of(epoch, self.epochs)}", *_latest(history, 4), f"{seconds:.1f} s"])
        if epoch % self.every == 0 or epoch in (1, self.epochs):
            self.close()

    def close(self) -> None:
        """Print the line of the latest epoch, if it is not printed yet."""
        if self.waiting:
            print(self.waiting, file=sys.stderr, flush=True)
            self.waiting = ""


BESIDE = len(": 100%|" + 10 * "#" + "| 1:00:00<1:00:00, ")
"""The columns of a line that are kept for the bar, its share and its times."""


class Bar(Silence):
    """A bar that grows with every step, with those figures of the last epoch beside it that there is room for."""

    def __init__(self, bar: Any, epochs: int | None) -> None:
        self.bar, self.epochs = bar, epochs

    def step(self) -> None:
        """Let the bar grow."""
        self.bar.update()

    def epoch(self, epoch: int, history: History) -> None:
        """Show the figures."""
        title, figures = f"epoch {_of(epoch, self.epochs)}", _latest(history, 3)
        room = shutil.get_terminal_size().columns - len(title) - BESIDE
        while len(figures) > 1 and len(" ".join(figures)) > room:
            figures.pop()
        self.bar.set_description(title, refresh=False)
        self.bar.set_postfix_str(" ".join(figures), refresh=False)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self.bar.close()


def _of(epoch: int, epochs: int | None) -> str:
    return f"{epoch:{len(str(epochs))}}/{epochs}" if epochs else str(epoch)


def _latest(history: History, digits: int) -> list[str]:
    """The latest figures: where there is validation, `training/validation`."""
    texts = []
    for name, figures in history.items():
        if not name.startswith("validation_"):
            both = [figures[-1], *history.get(f"validation_{name}", [])[-1:]]
            texts.append(f"{name} {'/'.join(f'{figure:.{digits}g}' for figure in both)}")
    return texts


def report_on(progress: bool, epochs: float, steps: float, steps_each: int | None, done: int = 0) -> Silence:
    """Return a bar in a terminal or notebook where tqdm is installed, lines elsewhere, nothing without progress.

    Either `epochs` or `steps` is infinite; an epoch has `steps_each` of them, None where nobody knows; `done` steps are
    behind us.
    """
    if not progress:
        return Silence()
    last = int(epochs) if epochs < math.inf else math.ceil(steps / steps_each) if steps_each else None
    if sys.stderr.isatty() or "ipykernel" in sys.modules:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return Lines(last)
        total = int(steps) if steps < math.inf else int(epochs) * steps_each if steps_each else None
        layout = "{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        if total is None:
            layout = "{desc} {n_fmt} steps {elapsed}{postfix}"
        return Bar(tqdm(total=total, initial=done, unit="step", bar_format=layout), last)
    return Lines(last)
