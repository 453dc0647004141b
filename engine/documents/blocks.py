"""Blocks: what a document is made of, as data."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import DataError
from .parts import NUMBER, Equation, Part, plain

WIDTH = 100  # of plain text, in characters


@dataclass
class Heading:
    """The title of a section."""

    words: Part


class Paragraph:
    """Words and formulas in a row, as in `Paragraph("The slope is ", formula, ".")`."""

    __match_args__ = ("parts",)

    def __init__(self, *parts: Part) -> None:
        self.parts = parts


@dataclass
class Table:
    """Rows of cells under a header; columns of numbers are aligned to the right.

    Raises DataError for a row that is not as long as the header.
    """

    header: Sequence[Part]
    rows: Sequence[Sequence[Part]]
    caption: Part = ""

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, 1):
            if len(row) != len(self.header):
                raise DataError(
                    f"Row {number} of a table has {len(row)} cells: {[plain(cell) for cell in row]}. "
                    f"The header has {len(self.header)}: {[plain(cell) for cell in self.header]}. "
                    "Give every row one cell for each column, '' for an empty one."
                )

    def numeric(self) -> list[bool]:
        """Which columns hold nothing but numbers."""
        columns = [[plain(cell) for cell in column] for column in zip(*self.rows)] or [[]] * len(self.header)
        return [any(column) and all(NUMBER.fullmatch(cell or "0") for cell in column) for column in columns]

    def widths(self) -> list[int]:
        """How many characters the widest cell of each column has, at least 1."""
        return [max([1, *[len(plain(cell)) for cell in column]]) for column in zip(self.header, *self.rows)]


@dataclass
class Equations:
    """Displayed formulas, one below the other."""

    equations: Sequence[Part]

    def lines(self) -> Iterator[tuple[Part, Part]]:
        """What stands before and after each sign of equality; what is too long for a line is given several."""
        for equation in self.equations:
            if not isinstance(equation, Equation):
                yield equation, ""
                continue
            first, *rest = equation.members
            if len(equation.text()) > WIDTH - 8:
                yield from zip([first] + [""] * len(rest), rest)
            else:
                yield first, Equation(*rest) if rest else ""


@dataclass
class Picture:
    """A picture, SVG as text or PNG as bytes, and in `words` what it shows, which stand below it too.

    `width` is that of the page in pixels which it takes; by itself that is its own.
    """

    image: str | bytes
    words: str
    width: int | None = None

    def source(self) -> str:
        """The picture as an address that holds all of it."""
        kind, data = ("svg+xml", self.image.encode()) if isinstance(self.image, str) else ("png", self.image)
        return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


Block = Heading | Paragraph | Table | Equations | Picture
