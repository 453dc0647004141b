"""Documents as Markdown, with formulas between dollars, as notebooks and GitHub read it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .blocks import Block, Equations, Heading, Paragraph, Picture, Table
from .latex import aligned
from .parts import Link, Part, plain


def write(title: Part, blocks: Sequence[Block]) -> str:
    """A document."""
    return "\n\n".join([f"# {_words(title)}", *map(_block, blocks)]) + "\n"


def _words(part: Part) -> str:
    if isinstance(part, str):
        return re.sub(r"[\\`*_\[\]<>|$~&#]", r"\\\g<0>", plain(part))
    if isinstance(part, Sequence):
        return "".join(map(_words, part))
    if isinstance(part, Link):
        return f"[{_words(part.words)}](<{part.address}>)"
    bars = {r"\|": r"\Vert ", "|": r"\vert "}  # a bar would end the cell of a table
    latex = re.sub(r"\\.|[|]", lambda match: bars.get(match[0], match[0]), part.latex())
    return f"${latex.strip()}$"


def _block(block: Block) -> str:
    match block:
        case Heading(words):
            return f"## {_words(words)}"
        case Paragraph(parts):  # without what would start a list
            return re.sub(r"^(\d*)([+.)-])", r"\1\\\2", _words(parts).strip())
        case Table(header, rows, caption):
            rule = ["---:" if numeric else "---" for numeric in block.numeric()]
            lines = [[_words(cell) for cell in header], rule, *[[_words(cell) for cell in row] for row in rows]]
            above = f"{_words(caption)}\n\n" if caption else ""
            return above + "\n".join([f"| {' | '.join(line)} |" for line in lines])
        case Equations():
            return f"$$\n{aligned(block, 'aligned')}\n$$" if block.equations else ""
        case Picture(_, words):
            return f"![{_words(words)}]({block.source()})"
