"""What demos leave behind: plots that anybody can read, and one page that opens anywhere."""

import base64
import html
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from sklearn.metrics import ConfusionMatrixDisplay

# Okabe and Ito's colours, told apart by colour-blind readers; lines differ in their dashes too.
LINES = [("#0072b2", "-"), ("#d55e00", "--"), ("#009e73", ":"), ("#cc79a7", "-.")]

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2rem }
table { border-collapse: collapse } th, td { text-align: left; padding: .25rem 1.5rem .25rem 0; vertical-align: top }
tr { border-bottom: 1px solid #ccc } th { font-weight: 600 }
figure { margin: 1.5rem 0; break-inside: avoid } img { max-width: 100% } figcaption { color: #555 }
"""


class Page:
    """A report in one HTML file, pictures embedded; they also stand beside it as PNG files.

    Making one makes the folder and tries to write there, so that a bad folder ends a demo before its work.
    """

    def __init__(self, title: str, folder: Path) -> None:
        self.folder = folder
        self.title = title
        self.body: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()

    def section(self, heading: str, *paragraphs: str) -> None:
        self.body.append(f"<h2>{html.escape(heading)}</h2>")
        self.body += [f"<p>{html.escape(paragraph)}</p>" for paragraph in paragraphs]

    def table(self, rows: Mapping[str, object]) -> None:
        cells = [f"<tr><th scope=row>{html.escape(name)}<td>{html.escape(str(value))}" for name, value in rows.items()]
        self.body.append("<table>" + "\n".join(cells) + "</table>")

    def picture(self, name: str, figure: Figure, caption: str) -> None:
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=150)
        self.write(f"{name}.png", data.getvalue())
        source = f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
        caption = html.escape(caption)
        self.body.append(f'<figure><img src="{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>')

    def save(self) -> Path:
        title = html.escape(self.title)
        head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
        page = [f'<!doctype html><html lang="en">{head}<style>{STYLE}</style><h1>{title}</h1>', *self.body, "</html>"]
        return self.write("index.html", "\n".join(page).encode())

    def write(self, name: str, data: bytes) -> Path:
        """Write a file under another name first, so that nobody finds half of it."""
        path, unfinished = self.folder / name, self.folder / f".{name}.unfinished"
        unfinished.write_bytes(data)
        return unfinished.replace(path)


def curves(panels: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Plot what a history holds, one panel for each quantity: `{"Loss (nats)": {"training": [...], ...}, ...}`."""
    figure = Figure(figsize=(4.5 * len(panels), 3.6), layout="constrained")
    for axes, (quantity, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for (name, values), (colour, dashes) in zip(lines.items(), LINES, strict=False):
            axes.plot(range(1, len(values) + 1), values, color=colour, linestyle=dashes, label=name)
        axes.set(xlabel="Epoch", ylabel=quantity)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def confusion_matrix(targets: np.ndarray, predictions: np.ndarray) -> Figure:
    """Show how often each class was taken for which, in per cent of its samples; nothing stands for zero."""
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    display = ConfusionMatrixDisplay.from_predictions(
        targets, predictions, normalize="true", ax=axes, cmap="Blues", im_kw={"vmin": 0, "vmax": 1}, colorbar=False
    )
    for share, text in zip(display.confusion_matrix.flat, display.text_.flat, strict=True):
        text.set_text(f"{100 * share:.1f}".removesuffix(".0") if share else "")
    bar = figure.colorbar(display.im_, ax=axes, label="Share of the true class")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set(xlabel="Predicted digit", ylabel="True digit")
    return figure
