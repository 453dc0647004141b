"""Checks of a gradient: every derivative is computed twice, and the two are compared.

| to see | read |
|---|---|
| `check_gradients` and `check_gradient` | `checking.py` |
| what a check is asked for, and the report of what it finds | `comparisons.py` |
| what is checked: a function of numbers and arrays with its analytic derivatives | `subjects.py` |
| ... computed with nodes | `recorded.py` |
| ... any other, with a gradient written by hand | `handwritten.py` |
| numerical derivatives: extrapolated differences and complex steps | `differences.py` |
| the careful look: one-sided derivatives and noise | `limits.py` |
| which entries are wrong, at a kink, or beyond telling | `verdicts.py` |
| a few random directions in place of all entries | `projections.py` |
| which operation is to blame | `blame.py` |
| numbers and arrays as the entries of one row | `entries.py` |
"""

from .checking import check_gradient, check_gradients
from .comparisons import Comparison

__all__ = ["Comparison", "check_gradient", "check_gradients"]
