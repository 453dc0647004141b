"""Parts of a document: words, formulas, and rows of both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

from ..notation.typesetting import SPECIAL

NUMBER = re.compile(r"[−-]?(\d[\d.]*(e[+−-]?\d+)?|inf)|nan")
ESCAPES = {
    **{letter: SPECIAL[letter] for letter in "{}&#_%"},
    **{letter: f"{{{letter}}}" for letter in "[]*`"},  # \\[ and \\* would be read as one command
    **{letter: rf"\ensuremath{{{SPECIAL.get(letter, letter)}}}" for letter in "<>|\\~"},
    **{'"': "''", "^": r"\textasciicircum{}", "$": r"\ensuremath{\mathdollar}"},
}


class Formula(Protocol):
    """Anything with a plain form and a LaTeX form, such as an expression of `notation`."""

    def text(self) -> str:
        """The plain form."""

    def latex(self) -> str:
        """The LaTeX form, as it stands between dollars."""


Part = str | Formula | Sequence[Any]  # words, a formula, or a row of both


class Equation:
    """Equal things in a row, each words or a formula.

    >>> print(Equation("y", "2·x", "6"))
    y = 2·x = 6
    """

    def __init__(self, left: Part, *rights: Part) -> None:
        self.members = [left, *rights]

    def text(self) -> str:
        """The members with = between them."""
        return " = ".join([plain(member) for member in self.members])

    def latex(self) -> str:
        """The members as one formula."""
        return " = ".join([mathematics(member) for member in self.members])

    __str__ = text


class Link:
    """Words that lead to another page or a file, at an address relative to this one."""

    def __init__(self, words: str, address: str) -> None:
        self.words, self.address = words, address

    def text(self) -> str:
        """The words alone."""
        return self.words

    def latex(self) -> str:
        """The words alone."""
        return mathematics(self.words)


def plain(part: Part) -> str:
    """A part as plain text on one line."""
    if isinstance(part, str):
        return printable(re.sub(r"\s", " ", part))
    return "".join(map(plain, part)) if isinstance(part, Sequence) else part.text()


def mathematics(part: Part) -> str:
    """A part inside a displayed formula."""
    if isinstance(part, str):
        words = "".join([ESCAPES.get(letter, letter) for letter in plain(part)])
        return words.replace("−", "-") if NUMBER.fullmatch(words) else rf"\text{{{words}}}" if words else ""
    return "".join(map(mathematics, part)) if isinstance(part, Sequence) else part.latex()


def printable(text: str) -> str:
    """No control characters, which would end a page or a TeX run."""
    return text if text.isprintable() else "".join([letter if letter.isprintable() else "\ufffd" for letter in text])
