"""Rendering: what has a document is printed, saved and displayed in notebooks."""

from __future__ import annotations

from pathlib import Path

from ..files import form_of, write_file
from . import html, latex, markdown, text
from .blocks import Block

FORMS = {".txt": "text", ".md": "markdown", ".tex": "latex", ".html": "html"}


class Rendered:
    """What can be shown as a document: a subclass says which by its method `document()`."""

    def document(self) -> Document:
        """What is shown."""
        raise NotImplementedError

    def text(self) -> str:
        """Plain text, at most 100 characters wide where it can be wrapped."""
        document = self.document()
        return text.write(document.title, document.blocks)

    def markdown(self) -> str:
        """Markdown with formulas between dollars, as notebooks and GitHub read it."""
        document = self.document()
        return markdown.write(document.title, document.blocks)

    def latex(self) -> str:
        """A complete article for pdflatex."""
        document = self.document()
        return latex.write(document.title, document.blocks)

    def html(self, fragment: bool = False) -> str:
        """A page that needs nothing else; with `fragment=True` only what stands in its body."""
        document = self.document()
        return html.write(document.title, document.blocks, fragment)

    def save(self, path: str | Path) -> None:
        """Write a file in the form that its name ends in: .txt, .md, .tex or .html.

        Raises DataError for another ending, and OSError where the file cannot be written.
        """
        write_file(path, getattr(self, form_of(path, FORMS))())

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.document().title}>"

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_html_(self) -> str:
        return self.html(fragment=True)


class Document(Rendered):
    """A title and blocks.

    >>> from engine.documents import Equation, Paragraph
    >>> print(Document("Slopes", Paragraph("The slope is ", Equation("dy/dx", "2"), ".")))
    Slopes
    ======
    <BLANKLINE>
    The slope is dy/dx = 2.
    <BLANKLINE>
    """

    def __init__(self, title: str, *blocks: Block) -> None:
        self.title, self.blocks = title, blocks

    def document(self) -> Document:
        """The document itself."""
        return self
