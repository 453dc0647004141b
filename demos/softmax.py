"""A4: the gradients of softmax with cross-entropy, against the textbook's formulas and against differences.

The network has two layers, ReLU between them, and five points of four numbers to learn, each of one of three classes.
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

import engine
import nn
from engine import Tensor
from engine.documents import Paragraph
from engine.errors import GradientError
from engine.testing import Comparison, check_gradients

from .page import Compared, agreement, graph, leave_page, usable
from .report import BAND, curves, picture
from .studies import median_in_words, seeds_in_words, spread, study

SIZES, CLASSES = [4, 10, 3], np.array([0, 1, 2, 2, 1])
REPORTED = {"W1": "6.3e-9", "b1": "1.3e-9", "W2": "3.4e-9", "b2": "3.9e-11"}
TARGET = 0.017
λ = 0.05  # while the gradients are checked
ROUNDING = (sum(SIZES) + len(CLASSES)) * float(np.finfo(float).eps)
"""How far a gradient may be from the exact one: so many sums follow one another on the way to it, each rounded by half
an epsilon; and twice that, as the largest entry, of which distances are shares, may be what is left of larger terms."""
SMALLEST = {"seeds": 2, "epochs": 40}


def toy(seed: int) -> tuple[np.ndarray, dict[str, Tensor]]:
    """Five points, normal with the standard deviation 10; weights, normal with 0.1; biases, zero."""
    rng = np.random.default_rng(seed)
    model = nn.MLP(SIZES, weight_init=partial(nn.initializers.normal, std=0.1), seed=rng)
    return rng.normal(0, 10, (5, 4)), dict(zip(["W1", "b1", "W2", "b2"], model.parameters(), strict=True))


def scores(x: np.ndarray, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    return engine.linear(engine.relu(engine.linear(x, W1, b1)), W2, b2)


def loss_of(x: np.ndarray, λ: float, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    """J, the mean cross-entropy and λ(‖W1‖² + ‖W2‖²)."""
    z = scores(x, W1, b1, W2, b2)
    J = nn.cross_entropy(z, CLASSES) + λ * (engine.sum(W1**2) + engine.sum(W2**2))
    engine.label(locals())
    return J


def gradients_on_paper(x: np.ndarray, λ: float, *parameters: np.ndarray) -> list[np.ndarray]:
    """∂J/∂z and the gradients of W1, b1, W2, b2 by the formulas found by hand, with 50 digits, without the engine."""
    with localcontext(prec=50):
        x, W1, b1, W2, b2 = [np.vectorize(Decimal)(array) for array in (x, *parameters)]
        λ2, onehot = 2 * Decimal(λ), np.eye(3, dtype=int)[CLASSES]
        z1 = x @ W1.T + b1
        a = np.maximum(z1, 0)
        z = a @ W2.T + b2
        powers = np.exp(z)
        softmax = powers / powers.sum(axis=1, keepdims=True)
        dz = (softmax - onehot) / Decimal(len(x))
        dz1 = dz @ W2 * (z1 > 0)
        return [dz, dz1.T @ x + λ2 * W1, dz1.sum(axis=0), dz.T @ a + λ2 * W2, dz.sum(axis=0)]


def distance(ours: np.ndarray, exact: np.ndarray) -> float:
    """How far ours are from the exact ones at most, as a share of the largest of these."""
    return float(abs(np.vectorize(Decimal)(ours) - exact).max() / abs(exact).max())


def check_formulas(x: np.ndarray, λ: float, parameters: dict[str, Tensor]) -> dict[str, float]:
    """The distance of each of our gradients from the one by the formulas."""
    z = scores(x, **parameters)
    ours = engine.gradients(nn.cross_entropy(z, CLASSES), [z])
    ours += engine.gradients(loss_of(x, λ, **parameters), list(parameters.values()))
    exact = gradients_on_paper(x, λ, *[parameter.data for parameter in parameters.values()])
    return {name: distance(*pair) for name, *pair in zip(["z", *parameters], ours, exact, strict=True)}


def check_differences(x: np.ndarray, λ: float, parameters: dict[str, Tensor]) -> dict[str, Comparison]:
    """The entry of each parameter's gradient that lies farthest from central differences, for what is tolerated."""
    farthest = {}
    for position, name in enumerate(parameters):
        try:
            worst = check_gradients(partial(loss_of, x, λ), *parameters.values(), wrt=position, rtol=1e-8, atol=1e-12)
        except GradientError as error:
            worst = cast(Comparison, error.worst)
        farthest[name] = worst
    return farthest


def check(seed: int) -> tuple[dict[str, float], dict[str, Comparison]]:
    """Both comparisons for what a seed draws."""
    x, parameters = toy(seed)
    return check_formulas(x, λ, parameters), check_differences(x, λ, parameters)


def relative_error(worst: Comparison) -> float:
    size = max(abs(worst.analytic), abs(worst.numerical))
    return abs(worst.analytic - worst.numerical) / size if size else 0.0


def compare_formula(name: str, distances: Sequence[float]) -> Compared:
    """One line of the table: a gradient against its formula, one distance for each seed."""
    formula = "(softmax(z) − onehot(y)) / N" if name == "z" else "the formula"
    term = f", which has the term 2λ{name}" if name in ("W1", "W2") else ""
    verdict = agreement(all(distance < ROUNDING for distance in distances))
    return Compared(f"∂J/∂{name} against {formula}{term}", "the formula", f"{np.max(distances):.0e} away", verdict)


def compare_differences(name: str, found: Sequence[Comparison]) -> Compared:
    """One line of the table: a gradient against central differences, its farthest entry for each seed."""
    error = max(relative_error(worst) for worst in found)
    agrees = all(worst.excess <= 1 for worst in found)
    nearer = ", and nearer" if agrees and error < float(REPORTED[name]) else ""
    what = f"∂J/∂{name} against central differences: relative error"
    return Compared(what, REPORTED[name], f"{error:.1e}", agreement(agrees) + nearer)


def learn(seed: int, epochs: int) -> list[float]:
    """The loss before each of so many steps of gradient descent at the rate 0.1, and after the last."""
    x, parameters = toy(seed)
    optimizer = nn.SGD(parameters.values(), learning_rate=0.1)
    losses = []
    for _ in range(epochs + 1):
        loss = loss_of(x, 5e-6, **parameters)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


def run(
    epochs: int = 100, seed: int = 0, seeds: int = 10, jobs: int = 1, out: Path = Path("runs/softmax")
) -> dict[str, Any]:
    usable(out)
    numbers = range(seed, seed + seeds)
    checks = zip(*study(check, {"toy": {}}, numbers, jobs)["toy"], strict=True)
    formulas, differences = [{name: [each[name] for each in kind] for name in kind[0]} for kind in checks]
    losses = study(learn, {"toy": {"epochs": epochs}}, numbers, jobs)["toy"]
    ends = [each[-1] for each in losses]
    passed = [next((step for step, loss in enumerate(each) if loss <= TARGET), None) for each in losses]
    steps = [step for step in passed if step is not None]

    ends_words = f"{spread(ends, '{:.4f}')} after {epochs} steps"
    reached = f"0.017 is passed by {len(steps)} of {seeds}" + (
        f", after {spread(steps, '{:.0f}')} steps" if steps else ""
    )

    compared = [compare_formula(name, distances) for name, distances in formulas.items()]
    compared += [compare_differences(name, found) for name, found in differences.items()]
    verdict = "agrees: all pass it" if len(steps) == seeds else "not reached by all" if steps else "not reached"
    compared.append(Compared("Loss on toy data at the end", "≈ 0.017", f"{ends_words}; {reached}", verdict))

    x, parameters = toy(seed)
    figure = curves(range(epochs + 1), {"Loss (nats)": {median_in_words(seeds): losses}}, "Step")
    axes = figure.axes[0]
    axes.axhline(TARGET, color="0.3", linestyle=":", label="reported end")
    axes.set_yscale("log")
    axes.legend()
    leave_page(
        out,
        "A4: softmax with cross-entropy",
        "Is the gradient of the cross-entropy of a softmax what the textbook says, also with the penalty "
        "λ(‖W1‖² + ‖W2‖²), and does a small network that follows it learn?",
        {
            "Network": f"{SIZES[0]} inputs, {SIZES[1]} hidden ReLU units, {SIZES[2]} classes",
            "Data": "5 points of 4 numbers, normal with standard deviation 10; their classes are 0, 1, 2, 2, 1",
            "First weights": "normal with standard deviation 0.1; biases 0",
            "Formulas": f"computed with 50 digits, λ = {λ}; a distance is given as a share of the largest entry, and "
            f"agrees below {ROUNDING:.1e}, what rounding accounts for",
            "Differences": "engine.testing.check_gradients: extrapolated central differences, which agree where every "
            "entry is within 1e-8 of itself, 1e-12 and their own error; the worst entry counts",
            "Training": f"{epochs} steps of gradient descent on all five points, rate 0.1, λ = 5e-6",
            "Seeds": seeds_in_words(
                seed, seeds, "its own points and first weights; of distances and errors the largest counts"
            ),
        },
        compared,
        Paragraph(
            "The report says neither what its toy data are nor how long it trains, so that only the way down can be "
            f"compared: {len(steps)} of {seeds} runs go below its figure."
        ),
        picture(
            figure,
            out / "loss.png",
            f"The loss while it learns: {median_in_words(seeds, BAND)}.",
        ),
        graph(
            loss_of(x, λ, **parameters),
            out / "graph.svg",
            f"The graph that the gradients are computed on, seed {seed}. c1 and c2 are the classes and the points.",
            constants=False,
            direction="TB",
        ),
    )
    return {"formulas": formulas, "differences": differences, "losses": losses}
