"""Documents as LaTeX: complete articles that pdflatex compiles, whatever letters they hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from ..notation.typesetting import ACCENTS, GREEK
from .blocks import Block, Equations, Heading, Paragraph, Picture, Table
from .parts import ESCAPES, Part, mathematics, plain

PREAMBLE = r"""\documentclass{article}
\usepackage[a4paper, margin=2cm]{geometry}
\usepackage{amsmath, amssymb, array, longtable}
\setcounter{LTchunksize}{1000} % so that one run finds the widths of the columns
\setlength{\LTpre}{1ex}
\setlength{\LTpost}{1ex}
\setlength{\parindent}{0pt}
\setlength{\parskip}{1ex}
\setlength{\emergencystretch}{3em}
\renewcommand{\arraystretch}{1.3}
\allowdisplaybreaks
\begin{document}"""


def write(title: Part, blocks: Sequence[Block]) -> str:
    """A document."""
    centred = rf"\begin{{center}}\Large {_words(title)}\end{{center}}"
    return "\n\n".join([PREAMBLE, centred, *map(_block, blocks), "\\end{document}\n"])


def _words(part: Part) -> str:
    if isinstance(part, str):
        return _ascii("".join([ESCAPES.get(letter, letter) for letter in plain(part)]))
    return "".join(map(_words, part)) if isinstance(part, Sequence) else f"${_ascii(part.latex())}$"


def _block(block: Block) -> str:
    match block:
        case Heading(words):
            return rf"\section*{{{_words(words)}}}"
        case Paragraph(parts):
            return _words(parts)
        case Table(header, rows, caption):
            columns, widths = ["r" if numeric else "l" for numeric in block.numeric()], block.widths()
            if sum(widths) > 80:  # wider than the page: each column gets a share of it
                shares = [min(width, 60) + 4 for width in widths]
                columns = [rf">{{\raggedright}}p{{{0.9 * share / sum(shares):.3f}\linewidth}}" for share in shares]
            lines = [" & ".join(map(_words, row)) + r" \tabularnewline" for row in [header, *rows]]
            above = [rf"\textit{{{_words(caption)}}}\nopagebreak", ""] if caption else []
            start = [rf"\begin{{longtable}}[l]{{{''.join(columns)}}}", lines[0], r"\hline", r"\endhead"]
            return "\n".join([*above, *start, *lines[1:], r"\end{longtable}"])
        case Equations():
            return _ascii(aligned(block, "align*")) if block.equations else ""
        case Picture(_, words):
            return rf"\begin{{quote}}{{[}}Picture: {_words(words)}{{]}}\end{{quote}}"  # of no form that pdflatex reads


def aligned(block: Equations, environment: str) -> str:
    """Displayed formulas below each other, their signs of equality too."""
    lines = [f"{mathematics(left)} &" + (f"= {mathematics(right)}" if right else "") for left, right in block.lines()]
    return rf"\begin{{{environment}}}" + "\n" + " \\\\\n".join(lines) + "\n" + rf"\end{{{environment}}}"


def _ascii(latex: str) -> str:
    """LaTeX for pdflatex: other letters than ASCII's as commands that are right in words and in formulas."""
    return re.sub("[^\x00-\x7f][\u0300-\u036f]*|[a-zA-Z][\u0300-\u036f]+", _letter, latex)


def _letter(match: re.Match[str]) -> str:
    letter = match[0]
    if letter in SYMBOLS:
        return rf"\ensuremath{{{SYMBOLS[letter]}}}"
    if letter in WORDS:
        return rf"\text{{{WORDS[letter]}}}"
    decomposed = unicodedata.normalize("NFD", letter)
    if len(decomposed) == 2 and decomposed[1] in ACCENTS:
        return rf"\ensuremath{{\{ACCENTS[decomposed[1]]}{{\mathrm{{{_ascii(decomposed[0])}}}}}}}"
    kind, *codes = unicodedata.decomposition(letter[0]).split() or [""]
    letters = "".join([chr(int(code, 16)) for code in codes])
    if kind in ("<super>", "<sub>"):
        return rf"\ensuremath{{{{}}{'^' if kind == '<super>' else '_'}{{\mathrm{{{_ascii(letters)}}}}}}}"
    if kind == "<fraction>":
        above, _, below = letters.partition("\N{FRACTION SLASH}")
        return rf"\ensuremath{{\tfrac{{{above}}}{{{below}}}}}"
    return (
        _ascii(letters) if kind.startswith("<") else rf"\text{{U+{ord(letter[0]):04X}}}"
    )  # pdflatex has no sign for it


SYMBOLS = {
    **{letter: rf"\{name} " for letter, name in GREEK.items()},
    "ς": r"\varsigma ", "ϵ": r"\epsilon ", "−": "-", "·": r"\cdot ", "×": r"\times ",
    "±": r"\pm ", "∂": r"\partial ", "∇": r"\nabla ", "→": r"\to ", "←": r"\leftarrow ", "⇒": r"\Rightarrow ",
    "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "∞": r"\infty ", "√": r"\surd ", "∑": r"\sum ",
    "∏": r"\prod ", "∈": r"\in ", "⊙": r"\odot ", "⊗": r"\otimes ", "‖": r"\Vert ", "∘": r"\circ ", "′": "{}'",
    "⟨": r"\langle ", "⟩": r"\rangle ", "…": r"\ldots ", "⋮": r"\vdots ", "°": r"{}^\circ ",
}  # fmt: skip
WORDS = {"–": "--", "—": "---", "“": "``", "”": "''", "’": "'", "ß": r"\ss{}", "æ": r"\ae{}", "ø": r"\o{}"}
