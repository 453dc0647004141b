"""Documents as plain text: for a terminal, and for a screen reader."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from .blocks import WIDTH, Block, Equations, Heading, Paragraph, Part, Picture, Table
from .parts import plain


def write(title: Part, blocks: Sequence[Block]) -> str:
    """A document, at most WIDTH characters wide where it can be wrapped."""
    underlined = f"{plain(title)}\n{'=' * len(plain(title))}"
    return "\n\n".join([underlined, *map(_block, blocks)]) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(words):
            return f"{plain(words)}\n{'-' * len(plain(words))}"
        case Paragraph(parts):
            return "\n".join(_wrapped(plain(parts)))
        case Table():
            return _table(block)
        case Equations():
            lines = [(plain(left), plain(right)) for left, right in block.lines()]
            indent = max([len(left) for left, right in lines if right and len(left) < 24], default=0)
            return "\n".join([f"    {left:{indent}} = {right}" if right else f"    {left}" for left, right in lines])
        case Picture(_, words):
            return "\n".join(_wrapped(f"[Picture: {plain(words)}]"))


def _table(table: Table) -> str:
    widths, numeric = table.widths(), table.numeric()
    while sum(widths) + 2 * len(widths) - 2 > WIDTH and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    lines = _wrapped(plain(table.caption))
    for row in [table.header, ["-" * width for width in widths], *table.rows]:
        cells = [_wrapped(plain(cell), width) for cell, width in zip(row, widths)]
        for pieces in zip_longest(*cells, fillvalue=""):
            aligned = [f"{piece:{'>' if n else '<'}{width}}" for piece, n, width in zip(pieces, numeric, widths)]
            lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def _wrapped(text: str, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)
