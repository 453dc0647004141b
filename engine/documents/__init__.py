"""Documents: headings, paragraphs, tables and formulas as plain text, Markdown, LaTeX and HTML.

A document is data, and each form is one file that reads it. Whatever explains something says once what it shows, in its
method `document()`, and is printed, saved and displayed in notebooks by way of `Rendered`.

| to see | read |
|---|---|
| words and formulas, the parts of a block | `parts.py` |
| headings, paragraphs, tables, ... | `blocks.py` |
| how they are written | `text.py`, `markdown.py`, `latex.py`, `html.py` |
| how a document is shown and saved | `rendering.py` |
"""

from .blocks import Block, Equations, Heading, Paragraph, Picture, Table
from .parts import Equation, Formula, Link, Part
from .rendering import Document, Rendered

__all__ = [
    "Block", "Document", "Equation", "Equations", "Formula", "Heading", "Link", "Paragraph", "Part", "Picture",
    "Rendered", "Table",
]  # fmt: skip
