"""A5: the margin of a given plane, and the plane of maximum margin, found by hinge loss on numbers and on tensors.

A plane w·x + b = 0 has the margin 1/‖w‖ where w and b are such that the points nearest to it, its support vectors, have
the scores w·x + b = 1 and −1.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import engine
import nn
from engine import Tensor, Value
from engine.documents import Heading, Paragraph

from .page import Compared, agreement, graph, leave_page, usable
from .report import BAND, curves, picture, points
from .studies import median_in_words, seeds_in_words, study

POINTS = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [1.0, 1.0]])
SIGNS = np.array([1, 1, -1, -1])
PLANE = {"w1": -2.0, "w2": -2.0, "b": 3.0}  # that the report found by hand
PENALTY = 10.0  # anything above 3, the largest multiplier, gives the plane of maximum margin itself
RATE, FACTOR = 0.1, 0.98
NEAR = 1e-12  # rounding, of which some hundred steps add up, is far below
QUICK = {"seeds": 3}
SMALLEST = {"seeds": 1}


# (i) A plane that is given


def judge() -> dict[str, Any]:
    """The margin of w = (−2, 0), b = 5, its support vectors among x1 = 1, 2, 3, 4, and the score of (1, 3)."""
    w, b = Tensor([-2.0, 0.0]), 5.0
    scores = {number: (engine.dot(w, [float(number), 7.0]) + b).item() for number in (1, 2, 3, 4)}  # whatever x2 is
    return {
        "margin": (1 / engine.norm(w)).item(),
        "support vectors": [number for number, score in scores.items() if abs(score) == 1],
        "score": (engine.dot(w, [1.0, 3.0]) + b).item(),
    }


# (ii) A plane that is found: ½‖w‖² + PENALTY·Σ max(0, 1 − y(w·x + b)) is made small


def loss_on_numbers(w1: Value, w2: Value, b: Value) -> Value:
    scores = [w1 * x1 + w2 * x2 + b for x1, x2 in POINTS.tolist()]
    misses = [nn.hinge_loss(score, sign) for score, sign in zip(scores, SIGNS.tolist(), strict=True)]
    return (w1**2 + w2**2) / 2 + PENALTY * sum(misses)


def loss_on_tensors(w: Tensor, b: Tensor) -> Tensor:
    return engine.sum(w**2) / 2 + PENALTY * nn.hinge_loss(POINTS @ w + b, SIGNS, reduction="sum")


def train(kind: str, seed: int, epochs: int) -> np.ndarray:
    """w1, w2 and b at the start, normal with standard deviation 1, and after each epoch: `(epochs + 1, 3)`.

    The loss has kinks, and its least value is at one of them. Steps that shrink by a constant factor reach it as fast
    as the factor goes to zero: Goffin (1977), "On convergence rates of subgradient optimization methods".
    """
    start = np.random.default_rng(seed).normal(size=3)
    parameters: list[Any]
    loss_of: Callable[..., Any]
    if kind == "numbers":
        parameters, loss_of = [Value(number) for number in start.tolist()], loss_on_numbers
    else:
        parameters, loss_of = [Tensor(start[:2]), Tensor(start[2])], loss_on_tensors
    optimizer = nn.SGD(parameters, learning_rate=RATE)
    schedule = nn.ExponentialDecay(optimizer, factor=FACTOR)
    way = [start]
    for _ in range(epochs):
        optimizer.zero_grad()
        loss_of(*parameters).backward()
        optimizer.step()
        schedule.step()
        way.append(np.hstack([parameter.data for parameter in parameters]))
    return np.array(way)


def draw_plane(w: np.ndarray, b: float) -> Figure:
    """The points, the plane, and its margin to both sides."""
    figure = Figure(figsize=(5, 4.2), layout="compressed")
    axes = figure.subplots()
    x1 = np.array([-0.6, 2.6])
    for score, dashes in ((1, "--"), (0, "-"), (-1, "--")):
        name = {1: "w·x + b = ±1", 0: "w·x + b = 0"}.get(score)
        axes.plot(x1, (score - b - w[0] * x1) / w[1], color="0.25", linestyle=dashes, linewidth=1, label=name)
    axes.fill_between(x1, *[(score - b - w[0] * x1) / w[1] for score in (1, -1)], color="0.92")
    points(axes, POINTS, (SIGNS < 0).astype(int), ["class +1", "class −1"])
    support = POINTS[np.isclose(abs(POINTS @ w + b), 1)]
    axes.scatter(support[:, 0], support[:, 1], s=160, facecolors="none", edgecolors="0.25", label="support vectors")
    foot, across = -b * w / (w @ w), w / (w @ w)
    axes.annotate("", foot + across, foot, arrowprops={"arrowstyle": "<->", "shrinkA": 0, "shrinkB": 0})
    beside = foot + 1.2 * across
    axes.text(beside[0], beside[1], f"margin {1 / math.hypot(*w):.3f}", ha="right", va="top")
    axes.set(xlim=(-0.6, 2.6), ylim=(-0.6, 1.9))
    axes.legend(loc="upper right", fontsize="small")
    return figure


def compare_given(given: dict[str, Any]) -> list[Compared]:
    """The lines of the table on the plane that is given."""
    support, score = given["support vectors"], given["score"]
    ours = [f"{given['margin']:g}", " and ".join(map(str, support)), f"{score:g}, {'+1' if score > 0 else '−1'}"]
    return [
        Compared("(i) margin of w = (−2, 0), b = 5", "½", ours[0], agreement(given["margin"] == 0.5)),
        Compared("(i) support vectors among x1 = 1, 2, 3, 4", "2 and 3", ours[1], agreement(support == [2, 3])),
        Compared("(i) score of (1, 3), and its class", "3, +1", ours[2], agreement(score == 3)),
    ]


def compare_found(kind: str, planes: np.ndarray) -> Compared:
    """The line of the table on the planes w1, w2, b that training found, `(seeds, 3)`."""
    w1, w2, b = np.median(planes, axis=0)
    away = abs(planes - list(PLANE.values())).max()
    found = f"w = ({w1:.6g}, {w2:.6g}), b = {b:.6g}".replace("-", "−")
    found += f"; {f'the farthest of {len(planes)} is ' if len(planes) > 1 else ''}{away:.0e} away"
    verdict = "agrees" if away < NEAR else "not reached"
    return Compared(f"(ii) plane of maximum margin, on {kind}", "w = (−2, −2), b = 3", found, verdict)


def run(
    epochs: int = 1600, seed: int = 0, seeds: int = 10, jobs: int = 1, out: Path = Path("runs/margin")
) -> dict[str, Any]:
    usable(out)
    given = judge()
    kinds = {kind: {"kind": kind, "epochs": epochs} for kind in ("numbers", "tensors")}
    ways = study(train, kinds, range(seed, seed + seeds), jobs)
    exact = list(PLANE.values())
    distances = {kind: [abs(way - exact).max(axis=1) for way in each] for kind, each in ways.items()}

    compared = compare_given(given)
    compared += [compare_found(kind, np.array([way[-1] for way in each])) for kind, each in ways.items()]
    *w, b = ways["tensors"][0][-1]
    figure = curves(
        range(epochs + 1),
        {"Largest difference from\nw = (−2, −2), b = 3": {f"on {kind}": each for kind, each in distances.items()}},
        "Step",
    )
    figure.axes[0].set_yscale("log")
    leave_page(
        out,
        "A5: maximum margin",
        "What is the margin of a given plane, and which has the largest one? Does hinge loss find it?",
        {
            "Points": "class +1 at (1, 0) and (0, 1), class −1 at (2, 0) and (1, 1)",
            "Loss": f"½‖w‖² + {PENALTY:g}·Σ max(0, 1 − y(w·x + b))",
            "Training": f"{epochs} steps of gradient descent on all points, rate {RATE}, times {FACTOR} after each",
            "Agrees": f"(ii) where the plane of every seed is within {NEAR:g}",
            "Seeds": seeds_in_words(seed, seeds, "w and b at the start, normal with standard deviation 1"),
        },
        compared,
        Heading("How"),
        Paragraph(
            "With a small factor before the sum, points may lie inside the margin, which grows. From some factor on "
            "none does, and the minimum is the plane of maximum margin itself. Here that factor is 3, the least that "
            "the largest multiplier can be: w is the sum of points times signs times multipliers, 3, 1, 1 and 3."
        ),
        picture(
            draw_plane(np.array(w), b),
            out / "margin.png",
            "The plane that was found, its margin and its support vectors.",
        ),
        picture(
            figure,
            out / "distance.png",
            f"How far w and b are from the report's: {median_in_words(seeds, BAND)}.",
        ),
        graph(
            loss_on_tensors(Tensor(w, label="w"), Tensor(b, label="b")),
            out / "graph.svg",
            "The graph of the loss on tensors, at the end of training. c1 and c2 are the points and their classes.",
            constants=False,
            direction="TB",
        ),
    )
    return {"given": given, "planes": {kind: [way[-1] for way in each] for kind, each in ways.items()}}
