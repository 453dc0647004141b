"""Worksheets: the whole solution of a by-hand exercise, in rounded decimals or exactly in fractions.

What stands on a worksheet is read from the graph. Results are the graph's own values and gradients; rules and figures
stand beside them, and nothing is computed from what is shown.

| to see | read |
|---|---|
| which quantities have a line, and what is computed | `solution.py` |
| how the lines are shown | `sheets.py` |
| the namespace of exact fractions | `rational.py` |
"""

from .sheets import Step, Worksheet
from .solution import worksheet

__all__ = ["Step", "Worksheet", "worksheet"]
