"""What is said of a figure that several runs have, beside the one figure that was reported."""

from collections.abc import Sequence

import numpy as np

from .report import Compared
from .studies import spread


def judged(
    what: str, reported: float, ours: Sequence[float], form: str = "{:.1%}", smaller_is_better: bool = False
) -> Compared:
    """Put the runs beside the reported figure: it lies among them, or they are all better, or all worse."""
    low, middle, high = np.min(ours), np.median(ours), np.max(ours)
    better = (middle < reported) == smaller_is_better
    where = "lies among our runs" if low <= reported <= high else f"all our runs are {'better' if better else 'worse'}"
    distance = form.format(abs(middle - reported)).replace("%", " points")
    words = f"{where}, the middle one {'better' if better else 'worse'} by {distance}"
    return Compared(what, form.format(reported), spread(ours, form), words)
