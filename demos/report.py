"""Pictures that anybody can read; the pages they stand on are made by `page.py`."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn.metrics import ConfusionMatrixDisplay

from engine import Tensor
from engine.documents import Block, Picture
from engine.files import write_file

from .page import graph

# Okabe and Ito's colours are told apart by colour-blind readers; dashes and marks tell lines and points apart in grey.
LINES = [
    ("#0072b2", "-"),
    ("#d55e00", "--"),
    ("#009e73", ":"),
    ("#cc79a7", "-."),
    ("#56b4e9", (0, (5, 1, 1, 1))),
    ("#999999", "-"),
]
BAND = ", and shaded all between the lowest and the highest"  # what a caption says of `curves`
MARKS = ["o", "^", "s", "D", "v"]
LIGHT = ListedColormap(["#cfe4f2", "#fbdcc4"])  # the first two colours, lightened, for regions


class Shown(Figure):
    """A figure that brings the numbers it shows, a header first, where they are not those of its lines."""

    numbers: list[Sequence[Any]]


def picture(figure: Figure, path: Path, words: str) -> Picture:
    """Save a figure as a PNG that is sharp on any screen and the numbers it shows as CSV; return the picture."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=150)
    write_file(path, data.getvalue())
    numbers = figure.numbers if isinstance(figure, Shown) else [("panel", "line", "x", "y"), *plotted(figure)]
    if len(numbers) > 1:
        table = io.StringIO()
        csv.writer(table).writerows(numbers)
        write_file(path.with_suffix(".csv"), table.getvalue())
    return Picture(data.getvalue(), words, width=round(96 * figure.get_figwidth()))


def network_graph(model: Any, loss: Any, x: np.ndarray, y: np.ndarray, out: Path) -> Block:
    """Draw the graph of a network's loss on some rows, a node for each layer."""
    words = f"The graph of the loss E on {len(x)} rows x, a node for each layer; what enters at the end, the targets."
    return graph(loss(model(Tensor(x, label="x")), y), out / "graph.svg", words, depth=1, direction="TB")


def plotted(figure: Figure) -> Iterator[tuple[str, str, Any, Any]]:
    """The points of every line that has a name in a figure."""
    for axes in figure.axes:
        for line in axes.lines:
            if not (name := str(line.get_label())).startswith("_"):
                yield from (
                    (axes.get_title() or axes.get_ylabel(), name, *point) for point in np.column_stack(line.get_data())
                )


# Pictures


def curves(epochs: Sequence[int], panels: Mapping[str, Mapping[str, Sequence[float]]], unit: str = "Epoch") -> Figure:
    """Plot figures by epoch, a panel for each quantity: `{"Loss (nats)": {"training": [...], ...}, ...}`.

    In place of the numbers of one run there may be those of several, `[[...], ...]`: their median is drawn, and a band
    from the lowest to the highest. A line may end before the epochs do.
    """
    wide = min(len(panels), 2 + len(panels) % 2)  # four panels stand two and two
    high = -(-len(panels) // wide)
    figure = Figure(figsize=(max(5, 4 * wide), 3.2 * high), layout=ConstrainedLayoutEngine(wspace=0.08, hspace=0.08))
    grid = figure.subplots(high, wide, squeeze=False).flat
    named: list[str] = []
    for axes, (quantity, lines) in zip(grid, panels.items(), strict=True):
        for (name, numbers), (colour, dashes) in zip(lines.items(), cycle(LINES)):
            runs = np.atleast_2d(numbers)
            seen = epochs[: runs.shape[1]]
            style = {"color": colour, "linestyle": dashes, "marker": "" if len(epochs) > 1 else "o"}
            axes.plot(seen, np.median(runs, axis=0), label=name, **style)
            if len(runs) > 1:
                axes.fill_between(seen, runs.min(axis=0), runs.max(axis=0), color=colour, alpha=0.15, linewidth=0)
        axes.set(xlabel=unit, ylabel=quantity)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.grid(alpha=0.3)
        if len(lines) > 1 and list(lines) != named:
            axes.legend(fontsize="small")
            named = list(lines)  # panels with the same lines need one legend
    return figure


def learning(*histories: Mapping[str, Sequence[float]], loss: str = "Cross-entropy (nats)") -> dict[str, Any]:
    """The panels of `curves` for what runs of one length saw: the loss and the accuracy, training and validation."""
    prefixes = {"training": "", "validation": "validation_"}
    return {
        title: {
            part: scale * np.array([history[prefix + figure] for history in histories])
            for part, prefix in prefixes.items()
        }
        for figure, title, scale in [("loss", loss, 1), ("accuracy", "Accuracy (%)", 100)]
    }


def confusion_matrix(targets: np.ndarray, guesses: np.ndarray, kind: str) -> Figure:
    """Show which class was taken for which, in per cent of the true one; `kind` is what they are classes of."""
    figure = Shown(figsize=(6.4, 5.6), layout="constrained")
    pairs, counts = np.unique(np.stack([targets, guesses], axis=1), axis=0, return_counts=True)
    figure.numbers = [(f"true {kind}", f"predicted {kind}", "count"), *np.column_stack([pairs, counts]).tolist()]
    axes = figure.subplots()
    display = ConfusionMatrixDisplay.from_predictions(
        targets, guesses, normalize="true", ax=axes, cmap="Blues", im_kw={"vmin": 0, "vmax": 1}, colorbar=False
    )
    for share, text in zip(display.confusion_matrix.flat, display.text_.flat, strict=True):
        text.set_text(f"{100 * share:.1f}" if 0 < share < 1 else "100" if share else "")
    figure.colorbar(display.im_, ax=axes, format=lambda share, _: f"{share:.0%}", label=f"Share of the true {kind}")
    axes.set(xlabel=f"Predicted {kind}", ylabel=f"True {kind}")
    return figure


def heat_maps(
    panels: Mapping[str, np.ndarray],
    rows: tuple[str, Sequence[str]],
    columns: tuple[str, Sequence[str]],
    quantity: str,
    wide: int = 1,
) -> Figure:
    """Show shares `(rows, columns)` in colour and in per cent; the rows and the columns have a name and its values."""
    high = -(-len(panels) // wide)
    figure = Shown(figsize=(3 + 2.2 * wide, 1 + 2.3 * high), layout="constrained")
    figure.numbers = [("panel", rows[0], columns[0], "share")]
    grid = figure.subplots(high, wide, squeeze=False, sharex=True, sharey=True)
    for axes, (title, shares) in zip(grid.flat, panels.items(), strict=True):
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), share in np.ndenumerate(shares):
            axes.text(column, row, f"{share:.1%}", ha="center", va="center", color="white" if share > 0.6 else "black")
            figure.numbers.append((title, rows[1][row], columns[1][column], share))
        axes.set_xticks(range(len(columns[1])), columns[1])
        axes.set_yticks(range(len(rows[1])), rows[1])
        axes.set(title=title, xlabel=columns[0], ylabel=rows[0])
        axes.label_outer()
    figure.colorbar(image, ax=grid, label=quantity, format=PercentFormatter(1))
    return figure


def points(axes: Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str] = ("class 0", "class 1")) -> None:
    """Draw points `(n, 2)` in the colour and with the mark of their class, which counts from 0."""
    for label, name in enumerate(names):
        colour, mark = LINES[label][0], MARKS[label]
        x1, x2 = x[y == label].T
        size = 30 if len(x) < 300 else 8
        axes.scatter(x1, x2, s=size, c=colour, marker=mark, edgecolors="white", linewidths=0.3, label=name)
    axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")


def decision_regions(predict: Mapping[str, Callable[[np.ndarray], Any]], x: np.ndarray, y: np.ndarray) -> Figure:
    """Show what each model says everywhere around the points: `predict` gives probabilities of class 1 for `(n, 2)`."""
    figure = Shown(figsize=(2 + 3 * len(predict), 3.9), layout="compressed")
    panels = figure.subplots(1, len(predict), squeeze=False, sharey=True)[0]
    margin = 0.1 * np.ptp(x, axis=0)
    horizontal, vertical = np.linspace(x.min(axis=0) - margin, x.max(axis=0) + margin, 200).T
    grid = np.stack(np.meshgrid(horizontal, vertical), axis=-1)
    figure.numbers = [("panel", "x1", "x2", "score")]
    for axes, (title, model) in zip(panels, predict.items(), strict=True):
        share = np.asarray(model(grid.reshape(-1, 2))).reshape(grid.shape[:2])
        rows = np.dstack([grid, share])[::2, ::2].reshape(-1, 3)  # of a picture's points, a quarter says it all
        figure.numbers += [(title, *[f"{number:.4f}" for number in row]) for row in rows]
        axes.contourf(horizontal, vertical, share, levels=[-1, 0.5, 2], cmap=LIGHT)
        if share.min() < 0.5 < share.max():
            axes.contour(horizontal, vertical, share, levels=[0.5], colors="0.2", linewidths=1)
        points(axes, x, y)
        axes.set(title=title, ylabel="$x_2$" if axes is panels[0] else "")
    panels[-1].legend(loc="upper left", bbox_to_anchor=(1.02, 1), markerscale=2 if len(x) >= 300 else 1)
    return figure


def shares(groups: Mapping[str, Sequence[float] | np.ndarray], quantity: str) -> Figure:
    """Show every run of a study as a dot, a row for each setting, and the median of each as a bar."""
    figure = Figure(figsize=(7.2, 1.1 + 0.36 * len(groups)), layout="constrained")
    axes = figure.subplots()
    for row, (name, numbers) in enumerate(groups.items()):
        up = row + np.linspace(-0.25, 0.25, len(numbers)) if len(numbers) > 1 else [row]
        axes.plot(numbers, up, "o", color=LINES[0][0], alpha=0.6, markersize=5, label=name)
        axes.plot([np.median(numbers)] * 2, [row - 0.35, row + 0.35], color=LINES[1][0], linewidth=2.5)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.invert_yaxis()
    axes.set(xlabel=f"{quantity}; a dot for each seed, a bar at the median")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(alpha=0.3, axis="x")
    return figure
