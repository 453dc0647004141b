"""Documents as HTML: pages that need nothing else, light and dark, on a screen and printed."""

from __future__ import annotations

import html
from collections.abc import Sequence

from .blocks import Block, Equations, Heading, Paragraph, Picture, Table
from .parts import Link, Part, plain

# The colours of the page are the reader's own, light or dark; everything else is drawn in theirs.
PAGE_STYLE = """<style>
:root { color-scheme: light dark }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: Canvas; color: CanvasText }
@media print { :root { color-scheme: light } body { margin: 0; max-width: none } }
</style>"""
STYLE = """
.chainrule { font: 1rem/1.5 system-ui, sans-serif }
.chainrule h1, .chainrule h2 { line-height: 1.2; break-after: avoid }
.chainrule .formula { font-family: "STIX Two Text", "Cambria Math", Cambria, Georgia, serif; font-size: 1.05em }
.chainrule .wide { overflow-x: auto }
.chainrule table { border-collapse: collapse; margin: .3rem 0 1rem }
.chainrule caption { text-align: left; padding-bottom: .5rem }
.chainrule th, .chainrule td { text-align: left; vertical-align: top; padding: .3rem 1.5rem .3rem 0 }
.chainrule thead th { border-bottom: 2px solid #888 }
.chainrule tbody tr { break-inside: avoid }
.chainrule tbody td { border-bottom: 1px solid #8886 }
.chainrule .number { text-align: right; font-variant-numeric: tabular-nums }
.chainrule .equations td { border: 0; padding: .1rem .4rem .1rem 0 }
.chainrule .equations td:first-child { padding-left: 2rem }
.chainrule figure { margin: 2rem 0; break-inside: avoid }
.chainrule img { max-width: 100% }
"""


def write(title: Part, blocks: Sequence[Block], fragment: bool = False) -> str:
    """A document; with `fragment=True` only what stands in its body."""
    body = "\n".join([f"<h1>{_words(title)}</h1>", *map(_block, blocks)])
    body = f'<style>{STYLE}</style>\n<article class="chainrule">\n{body}\n</article>\n'
    if fragment:
        return body
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{_words(title)}</title>'
    return f'<!doctype html>\n<html lang="en">\n<head>{head}{PAGE_STYLE}</head>\n<body>\n{body}</body>\n</html>\n'


def _words(part: Part) -> str:
    if isinstance(part, str):
        return html.escape(plain(part))
    if isinstance(part, Sequence):
        return "".join(map(_words, part))
    if isinstance(part, Link):
        return f'<a href="{html.escape(part.address)}">{html.escape(plain(part.words))}</a>'
    text = plain(part.text())
    if len(text) < 40:
        text = text.replace(" ", "\N{NO-BREAK SPACE}")  # a short formula stays on one line
    return f'<span class="formula">{html.escape(text)}</span>'


def _block(block: Block) -> str:
    match block:
        case Heading(words):
            return f"<h2>{_words(words)}</h2>"
        case Paragraph(parts):
            return f"<p>{_words(parts)}</p>"
        case Table(header, rows, caption):
            classes = [' class="number"' if numeric else "" for numeric in block.numeric()]
            lines = [f"<caption>{_words(caption)}</caption>" if caption else "", "<thead>"]
            lines += [_row(header, [f' scope="col"{c}' for c in classes], "th"), "</thead><tbody>"]
            return _table("", [*lines, *[_row(row, classes) for row in rows], "</tbody>"])
        case Equations():
            lines = [_row([left, ["= ", right] if right else ""], ["", ""]) for left, right in block.lines()]
            return _table(' class="equations formula"', lines)
        case Picture(_, words, width):
            size = f' width="{width}"' if width else ""
            image = f'<img src="{block.source()}" alt="{_words(words)}"{size}>'
            return f"<figure>{image}<figcaption>{_words(words)}</figcaption></figure>"


def _row(cells: Sequence[Part], attributes: Sequence[str], tag: str = "td") -> str:
    return f"<tr>{''.join([f'<{tag}{a}>{_words(cell)}</{tag}>' for cell, a in zip(cells, attributes)])}</tr>"


def _table(attributes: str, lines: Sequence[str]) -> str:
    """A table that scrolls by itself when it is too wide, by keyboard too."""
    return f'<div class="wide" tabindex="0"><table{attributes}>' + "\n".join(lines) + "</table></div>"
