"""The pages that demos leave behind; pictures for them are in `report.py`."""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine import draw, errors
from engine.documents import Block, Document, Heading, Link, Paragraph, Part, Picture, Rendered, Table
from engine.files import write_file

TALLEST = 800  # pixels: what a printed page holds of a graph with its heading and words


def usable(folder: Path) -> Path:
    """Make a folder and try it, so that a bad one ends a demo before its work and not after it."""
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()
    return folder


class Compared(NamedTuple):
    """A figure: what it is of, as it was reported, as it is here, and what that says."""

    what: str
    reported: str
    ours: str
    verdict: str


def agreement(holds: bool) -> str:
    """The verdict where there are only two."""
    return "agrees" if holds else "does not agree"


def leave_page(
    out: Path, title: str, asked: str, settings: Mapping[str, Any], compared: Sequence[Compared], *blocks: Block
) -> None:
    """Print our figures beside the reported ones; leave them as `index.html` with all else, and as `figures.json`."""
    beside = Table(["", "Reported", "Ours", "Verdict"], compared)
    around: list[Block] = [Heading("What was asked"), Paragraph(asked), Heading("Settings")]
    around += [Table(["Setting", "Here"], [(name, str(setting)) for name, setting in settings.items()])]
    Document(title, *around, Heading("Reported and ours"), beside, *blocks).save(out / "index.html")
    figures = [each._asdict() for each in compared]
    write_file(out / "figures.json", json.dumps({"settings": settings, "figures": figures}, indent=1, default=str))
    print(Document(title, beside))
    print(f"Open {out / 'index.html'}")


def leave(document: Rendered, folder: Path, name: str) -> None:
    """Save a document as a page, as Markdown and as LaTeX."""
    for ending in ("html", "md", "tex"):
        document.save(folder / f"{name}.{ending}")


def links(pages: Mapping[str, str], kind: str = "Page", address: str = "{}.html") -> Table:
    """Lead to other pages, by name and what they show."""
    rows: list[list[Part]] = [[Link(name, address.format(name)), words] for name, words in pages.items()]
    return Table([kind, "What it shows"], rows)


def graph(output: Any, path: Path, words: str, **settings: Any) -> Block:
    """Draw the graph of a result; only words where no program can draw it."""
    drawing = draw(output, **settings)
    try:
        drawing.save(path)
    except errors.MissingExtraError:
        return Paragraph(f"{words} (It is not drawn: write pip install 'chainrule[draw]'.)")
    svg = drawing.svg()
    width, height = [float(size) * 96 / 72 for size in re.findall(r'(?:width|height)="([\d.]+)pt"', svg)[:2]]
    return Picture(svg, words, width=round(width * min(1, TALLEST / height)))
