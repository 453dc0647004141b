"""Pictures that anybody can read, for the documents that demos leave behind."""

import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import ConfusionMatrixDisplay

from engine.documents import Picture
from engine.files import write_file

# Okabe and Ito's colours are told apart by colour-blind readers; the dashes tell the lines apart in grey.
LINES = [("#0072b2", "-"), ("#d55e00", "--"), ("#009e73", ":"), ("#cc79a7", "-.")]


def usable(folder: Path) -> Path:
    """Make a folder and try it, so that a bad one ends a demo before its work and not after it."""
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()
    return folder


def picture(figure: Figure, path: Path, words: str) -> Picture:
    """Save a figure as a PNG that is sharp on any screen, and return it for a document."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=150)
    write_file(path, data.getvalue())
    return Picture(data.getvalue(), words, width=round(96 * figure.get_figwidth()))


def curves(epochs: Sequence[int], panels: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Plot figures by epoch, a panel for each quantity: `{"Loss (nats)": {"training": [...], ...}, ...}`."""
    figure = Figure(figsize=(4 * len(panels), 3.2), layout=ConstrainedLayoutEngine(wspace=0.08))
    for axes, (quantity, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for (name, numbers), (colour, dashes) in zip(lines.items(), LINES, strict=False):
            axes.plot(epochs, numbers, dashes, color=colour, marker="" if len(epochs) > 1 else "o", label=name)
        axes.set(xlabel="Epoch", ylabel=quantity)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def confusion_matrix(targets: np.ndarray, guesses: np.ndarray, kind: str) -> Figure:
    """Show which class was taken for which, in per cent of the true one; `kind` is what they are classes of."""
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    display = ConfusionMatrixDisplay.from_predictions(
        targets, guesses, normalize="true", ax=axes, cmap="Blues", im_kw={"vmin": 0, "vmax": 1}, colorbar=False
    )
    for share, text in zip(display.confusion_matrix.flat, display.text_.flat, strict=True):
        text.set_text(f"{100 * share:.1f}" if 0 < share < 1 else "100" if share else "")
    figure.colorbar(display.im_, ax=axes, format=lambda share, _: f"{share:.0%}", label=f"Share of the true {kind}")
    axes.set(xlabel=f"Predicted {kind}", ylabel=f"True {kind}")
    return figure
