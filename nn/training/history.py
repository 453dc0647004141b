"""History: what training saw, as lists, a file and a picture."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from engine import errors
from engine.files import write_file


class History(dict[str, list[float]]):
    """What `fit` saw: a list for each figure, with one entry for each epoch.

    `best_epoch` is the number of the epoch whose weights early stopping keeps, and None without it.

    >>> history = History(loss=[0.9, 0.5])
    >>> history.epochs, history["loss"]
    ([1, 2], [0.9, 0.5])
    """

    best_epoch: int | None = None

    @property
    def epochs(self) -> list[int]:
        """The numbers of the epochs, from 1: the horizontal axis of a plot."""
        return list(range(1, 1 + max(map(len, self.values()), default=0)))

    def record(self, figures: Mapping[str, float]) -> None:
        """Append the figures of one epoch."""
        for name, figure in figures.items():
            self.setdefault(name, []).append(figure)

    def watched(self, monitor: str | None = None) -> float:
        """Return the latest entry of a figure: by default of the validation loss, or of the loss without validation."""
        return self[monitor or ("validation_loss" if "validation_loss" in self else "loss")][-1]

    def save(self, path: str | Path) -> None:
        """Write a table of comma-separated values: a line for each epoch, numbers that read back exactly.

        What stood there before stays until all of it is written. Raises DataError for a name that does not end in
        .csv, OSError where the file cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".csv":
            raise errors.DataError(
                f"A history was to be saved as {path.name!r}. It is a table of comma-separated values. "
                f"Give it a name like {path.stem or 'history'}.csv."
            )
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(["epoch", *self])
        writer.writerows(zip_longest(self.epochs, *self.values(), fillvalue=""))
        write_file(path, table.getvalue())

    def plot(self) -> Any:
        """Draw each figure over the epochs, training and validation together, and return matplotlib's array of axes.

        Three stand in a row; a loss that spans more than three decades has a logarithmic axis.

        Raises MissingExtraError where matplotlib is not installed, DataError where nothing was recorded.
        """
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise errors.MissingExtraError(
                "A history was to be drawn, and matplotlib is not installed. Its numbers are there without it, and "
                "save() writes them as a table. Write pip install 'chainrule[demos]'."
            ) from error
        names = list(dict.fromkeys([name.removeprefix("validation_") for name in self]))
        if not names:
            raise errors.DataError(
                "A history without figures was to be drawn. No epoch was recorded in it. Plot what fit returns."
            )
        rows, columns = math.ceil(len(names) / 3), min(len(names), 3)
        size = (4.2 * columns, 3.2 * rows)
        _, grid = pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
        axes = grid.ravel()[: len(names)]
        for unused in grid.ravel()[len(names) :]:
            unused.remove()
        for name, axis in zip(names, axes):
            seen = []
            for label, key in (("training", name), ("validation", f"validation_{name}")):
                if key in self:
                    epochs = range(1, 1 + len(self[key]))
                    axis.plot(epochs, self[key], label=label, marker="." if len(epochs) < 30 else None)
                    seen += self[key]
            if self.best_epoch is not None:
                axis.axvline(self.best_epoch, color="0.6", linestyle=":", label=f"best epoch: {self.best_epoch}")
            if name.endswith("loss") and min(seen, default=0) > 0 and max(seen) / min(seen) > 1000:
                axis.set_yscale("log")
            axis.set(xlabel="epoch", ylabel=name.replace("_", " "), xticks=_ticks(len(self.epochs)))
            axis.grid(alpha=0.3)
            if len(axis.lines) > 1:
                axis.legend()
        return axes


def _ticks(last: int) -> list[int]:
    """Epochs to be named on an axis: all, or the first and the multiples of a round number."""
    if last <= 12:
        return list(range(1, last + 1))
    steps = (size * 10**power for power in itertools.count() for size in (5, 10, 20))
    step = next(step for step in steps if last <= 6 * step)
    return [1, *range(step, last + 1, step)]
