"""One step of micrograd's demo on single numbers: 2-16-16-1, 100 points on two moons, hinge loss + L2."""

import random

import numpy as np

from .contest import Contest
from .contestant import Step

REASON = """
  Why: each of micrograd's nodes keeps a closure that refers to the node itself. Only Python's cycle collector
  frees such a cycle: it therefore runs more, walks every live node again and again, and frees late. Our nodes
  are data and point only at their inputs, so there are no cycles, and reference counting frees a step's graph
  the moment its loss is dropped."""


def moons(count: int = 100, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Return points (count, 2) on two interleaved half circles, like make_moons, and labels ±1."""
    angle = np.linspace(0, np.pi, count // 2)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    points = np.concatenate([upper, [1, 0.5] - upper])
    points += np.random.default_rng(1337).normal(scale=noise, size=points.shape)
    return points, np.repeat([-1, 1], count // 2)


def demo(Value, MLP) -> Step:
    """Prepare the demo's step with the Value and the MLP of either library."""
    random.seed(1337)
    model = MLP(2, [16, 16, 1])
    points, labels = moons()
    steps_done = 0

    def step() -> float:
        nonlocal steps_done
        scores = [model(list(map(Value, point))) for point in points]
        hinges = [(1 + -label * score).relu() for label, score in zip(labels, scores, strict=True)]
        data_loss = sum(hinges) * (1.0 / len(hinges))
        loss = data_loss + 1e-4 * sum(p * p for p in model.parameters())

        model.zero_grad()
        loss.backward()
        rate = 1.0 - 0.9 * min(steps_done, 100) / 100
        for p in model.parameters():
            p.data -= rate * p.grad
        steps_done += 1
        return float(loss.data)

    return step


def ours() -> Step:
    from engine import Value
    from nn.neurons import MLP

    return demo(Value, MLP)


def micrograd() -> Step:
    from micrograd.engine import Value
    from micrograd.nn import MLP

    return demo(Value, MLP)


def run(rounds: int) -> list[dict]:
    contestants = {"ours": ours, "micrograd": micrograd}
    title = "micrograd's demo step, Python's cycle collector"
    contests = [
        Contest(f"{title} as it is", contestants, 3, 1e-9, goals={"micrograd": 0.25}),
        Contest(f"{title} off in both", contestants, 3, 1e-9, collector=False, goals={"micrograd": 1.1}),
    ]
    figures = [contest.run(rounds) for contest in contests]
    print(REASON)
    return figures
