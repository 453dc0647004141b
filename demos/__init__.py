"""The systems this library was built for, each from one command: `python -m demos` lists them.

Every demo is one file whose `run` takes its settings as keywords, prints its figures beside those it is compared
with, asserts what it claims and returns the figures.
"""

from pathlib import Path

from engine.documents import Document, Link, Part, Rendered, Table


def leave_index(folder: Path, title: str, pages: dict[str, str]) -> None:
    """Save a page that links others in the folder, by name and what they show."""
    rows: list[list[Part]] = [[Link(name, f"{name}.html"), words] for name, words in pages.items()]
    Document(title, Table(["Page", "What it shows"], rows)).save(folder / "index.html")


def leave(document: Rendered, folder: Path, name: str) -> None:
    """Save a document as Markdown, LaTeX and HTML, and say where."""
    for ending in ("md", "tex", "html"):
        document.save(folder / f"{name}.{ending}")
    print(f"Open {folder / name}.html; the same as Markdown and LaTeX stands beside it.\n")
