"""Explanations: a derivative as the sum over its paths, its special cases in words, and where on its way it goes wrong.

Every number comes from the graph: contributions and factors from the sweep that computes gradients, and what a row does
to an entry from the row's own rule.

| to see | read |
|---|---|
| what an explanation shows | `terms.py` |
| how dead ReLUs, ties, saturation, ... are recognised | `cases.py` |
| how a gradient is followed to where it vanishes | `reasons.py` |
| how nodes, numbers and special cases are called | `wording.py` |
"""

from .reasons import Reason, Reasons, why
from .terms import Explanation, explain

__all__ = ["Explanation", "Reason", "Reasons", "explain", "why"]
