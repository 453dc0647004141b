"""Notation: what was computed, as formulas for people (text, LaTeX) and for Python.

| to see | read |
|---|---|
| what a formula is, and what is simplified | `expressions.py` |
| how it is printed | `printing.py`, `typesetting.py` for LaTeX, `figures.py` for numbers |
| how a graph becomes formulas | `formulas.py` |
| the derivative of one step, and their products | `factors.py` |
"""

from .expressions import Expression, apply, as_expression, number, product, symbol, total
from .factors import Factor, chain, local_derivative, together
from .figures import LETTERS, exact, figure, shortened, whole
from .formulas import ELLIPSIS, Formula, expression, formula, names_of

__all__ = [
    "ELLIPSIS", "LETTERS", "Expression", "Factor", "Formula", "apply", "as_expression", "chain", "exact",
    "expression", "figure", "formula", "local_derivative", "names_of", "number", "product", "shortened", "symbol",
    "together", "total", "whole",
]  # fmt: skip
