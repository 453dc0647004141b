"""What is said of a figure that one or several runs have, beside the one figure that was reported."""

from collections.abc import Sequence

import numpy as np

from .page import Compared
from .studies import spread


def judged(
    what: str, reported: float, ours: Sequence[float], form: str = "{:.1%}", smaller_is_better: bool = False
) -> Compared:
    """Put the runs beside the reported figure: it lies among them, or they are all better, or all worse.

    What is compared is what is printed: numbers that differ by less than their last digit can show are equal.
    """

    def printed(number: float) -> float:
        return float(form.format(number).removesuffix("%"))

    def beside(number: float) -> str:
        if number == there:
            return "equal"
        return "better" if (number < there) == smaller_is_better else "worse"

    there = printed(reported)
    low, middle, high = (printed(float(f(ours))) for f in (np.min, np.median, np.max))
    distance = form.format(abs(middle - there) / (100 if form.endswith("%}") else 1)).replace("%", " points")
    words = beside(middle) + (f" by {distance}" if middle != there else "")
    if len(ours) == 1:
        words = f"our run is {words}"
    elif low <= there <= high:
        words = f"lies among our runs, the middle one {words}"
    else:
        words = f"all our runs are {beside(low)}, the middle one {words}"
    return Compared(what, form.format(reported), spread(ours, form), words)


def at_chance(accuracy: float, classes: int) -> bool:
    """Whether an accuracy is less than half as much again as guessing among so many classes gives."""
    return accuracy < 1.5 / classes


def in_points(difference: float) -> str:
    """A difference of two shares in points, with its sign; without one where it rounds to zero."""
    words = f"{100 * difference:+.1f} points"
    return words[1:] if words[1:] == "0.0 points" else words


def networks(seeds: int) -> str:
    """How many networks stand behind each setting of a picture, in words."""
    return "one network" if seeds == 1 else f"{seeds} networks"


def among(count: int, seeds: int) -> str:
    """In how many of the runs something is so, one or more, in words."""
    return "in our run" if seeds == 1 else f"in {count} of our {seeds} runs"
