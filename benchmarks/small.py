"""A step so small that only overhead counts: 2-4-4-1, sigmoid, mean squared error, 21 rows, float64."""

from .contest import Contest
from .networks import Task

TASK = Task((2, 4, 4, 1), "Sigmoid", classify=False, rows=21, dtype="float64", learning_rate=0.1)


def run(rounds: int) -> list[dict]:
    contestants = {"ours": TASK.ours, "PyTorch": TASK.pytorch}
    return [Contest(f"small: {__doc__}", contestants, 500, 1e-9, goals={"PyTorch": 0.45}).run(rounds)]
