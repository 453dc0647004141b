"""A step where arithmetic counts: 784-128-64-10, ReLU, cross-entropy, 128 rows, float32."""

from .contest import Contest
from .networks import Task

TASK = Task((784, 128, 64, 10), "ReLU", classify=True, rows=128, dtype="float32", learning_rate=0.1)


def run(rounds: int) -> list[dict]:
    contestants = {"ours": TASK.ours, "PyTorch": TASK.pytorch, "autograd": TASK.autograd}
    goals = {"PyTorch": 1.0, "autograd": 0.5}
    return [Contest(f"digits: {__doc__}", contestants, 200, 1e-4, goals=goals).run(rounds)]
