"""Training: one readable loop from the data to the history, and what it is made of.

| to see | read |
|---|---|
| `fit` and `evaluate` | `loop.py` |
| what is made small in one step, and what is said where it diverges | `objective.py` |
| what the loss and the metrics of an epoch come to | `figures.py` |
| data on their way into the loop | `feeding.py` |
| when to stop early, and the best weights | `stopping.py` |
| the running mean of the weights | `averaging.py` |
| what is left behind, whichever way training ends | `ending.py` |
| everything as it was, to be put back | `snapshots.py` |
| what training saw, as numbers, a file and a picture | `history.py` |
| what one sees while it runs | `progress.py` |
"""

from .averaging import Averaging
from .history import History
from .loop import evaluate, fit
from .objective import DivergenceError
from .stopping import EarlyStopping

__all__ = ["Averaging", "DivergenceError", "EarlyStopping", "History", "evaluate", "fit"]
