"""What demos leave behind: pictures that anybody can read, and one page that opens anywhere."""

import base64
import html
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import ConfusionMatrixDisplay

# Okabe and Ito's colours are told apart by colour-blind readers; the dashes tell the lines apart in grey.
LINES = [("#0072b2", "-"), ("#d55e00", "--"), ("#009e73", ":"), ("#cc79a7", "-.")]

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 48rem; margin: 2rem auto;
       padding: 0 1rem }
h1, h2 { line-height: 1.2 }
table { border-collapse: collapse }
th, td { text-align: left; vertical-align: top; padding: .3rem 1.5rem .3rem 0; border-bottom: 1px solid #ddd }
figure { margin: 2rem 0; break-inside: avoid }
img { max-width: 100% }
figcaption { color: #555 }
"""


class Page:
    """A report in one HTML file, its pictures embedded; they also stand beside it as PNG files.

    The folder is made and tried at once, so that a bad one ends a demo before its work and not after it.
    """

    def __init__(self, title: str, folder: Path) -> None:
        self.title, self.folder = title, folder
        self.body: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()

    def section(self, heading: str, *paragraphs: str) -> None:
        self.body.append(f"<h2>{html.escape(heading)}</h2>")
        self.body += [f"<p>{html.escape(paragraph)}</p>" for paragraph in paragraphs]

    def table(self, rows: Mapping[str, object]) -> None:
        lines = [f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(it))}</td></tr>" for name, it in rows.items()]
        self.body += ["<table>", *lines, "</table>"]

    def picture(self, name: str, figure: Figure, caption: str) -> None:
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=150)
        self._write(f"{name}.png", data.getvalue())
        source = "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
        words = html.escape(caption)
        image = f'<img src="{source}" alt="{words}" style="width: {figure.get_figwidth()}in">'
        self.body.append(f"<figure>{image}<figcaption>{words}</figcaption></figure>")

    def save(self) -> Path:
        title = html.escape(self.title)
        head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
        lines = ['<!doctype html><html lang="en">', head, f"<style>{STYLE}</style>", f"<h1>{title}</h1>", *self.body]
        return self._write("index.html", "\n".join([*lines, "</html>\n"]).encode())

    def _write(self, name: str, data: bytes) -> Path:
        """Write under another name first, so that nobody finds half a file."""
        unfinished = self.folder / f"{name}.unfinished"
        unfinished.write_bytes(data)
        return unfinished.replace(self.folder / name)


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
