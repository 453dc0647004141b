"""B2: a circle inside a circle, and how many hidden units, which rate and which activation tell the two apart.

Each setting is tried with several seeds at once, for the points and for the weights, networks side by side.
"""

from pathlib import Path
from typing import Any

import numpy as np

import engine
import nn
from engine.documents import Heading, Paragraph

from .report import Compared, curves, decision_regions, leave_page, picture, shares, usable
from .side_by_side import Course, Networks, at_end, network, train
from .studies import spread, study

USUAL, HARDER = "5 hidden units", "harder circles"
ACTIVATIONS = {"sigmoid": engine.sigmoid, "tanh": engine.tanh, "ReLU": engine.relu}
STUDIES: dict[str, dict[str, Any]] = {
    "2 hidden units": {"hidden": 2, "longer": 4},
    "3 hidden units": {"hidden": 3},
    USUAL: {},
    "rate 1e-5": {"rate": 1e-5},
    "rate 1e-3": {"rate": 1e-3},
    "tanh": {"activation": engine.tanh},
    "ReLU": {"activation": engine.relu},
    HARDER: {"points": 5000, "factor": 0.6, "noise": 0.1, "rate": 2e-3},
}
QUICK = {"epochs": 1000, "seeds": 5}
SMALLEST = {"epochs": 100, "seeds": 2}


def circles(seed: int, points: int, factor: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    return nn.datasets.make_circles(points, factor=factor, noise=noise, seed=seed)


def learn(
    seed: int,
    seeds: int,
    epochs: int,
    hidden: int = 5,
    rate: float = 1e-2,
    activation: Any = engine.sigmoid,
    points: int = 1000,
    factor: float = 0.4,
    noise: float = 0.05,
    longer: int = 1,
) -> Course:
    """Train one network for each seed, which draws its points and its first weights; `longer` multiplies the epochs."""
    numbers = range(seed, seed + seeds)
    drawn = [circles(number, points, factor, noise) for number in numbers]
    x, y = [np.stack(arrays) for arrays in zip(*drawn, strict=True)]
    networks = Networks([2, hidden, 1], numbers, activation)
    return train(networks, x, y, rate, longer * epochs, every=max(1, epochs // 1000))


def after(course: Course, epochs: float) -> np.ndarray:
    """The accuracy of each network when at least so many epochs are over."""
    return course.accuracy[int(np.searchsorted(course.epochs, epochs))]


def compare(courses: dict[str, Course], epochs: int) -> list[Compared]:
    """The table: what was reported, and what it came to here."""
    end = {name: at_end(course) for name, course in courses.items()}
    median = {name: float(np.median(accuracy)) for name, accuracy in end.items()}
    two = courses["2 hidden units"]
    early, middle = [float(np.median(after(two, share * epochs))) for share in (0.4, 1)]
    half = {name: float(np.median(after(course, epochs / 10))) for name, course in courses.items()}
    dips = {
        name: float(np.median(np.maximum(-np.diff(c.accuracy, axis=0), 0).sum(axis=0))) for name, c in courses.items()
    }

    def judged(agrees: bool) -> str:
        return "agrees" if agrees else "does not agree"

    return [
        Compared(
            "[2, 2, 1]", "cannot separate them", spread(end["2 hidden units"]), judged(median["2 hidden units"] < 0.95)
        ),
        Compared(
            f"[2, 2, 1], from {0.4 * epochs:,.0f} to {epochs:,} epochs, and to {4 * epochs:,}",
            "about 1 % more, then nothing",
            f"{middle - early:+.1%}, then {median['2 hidden units'] - middle:+.1%}",
            judged(abs(middle - early) < 0.02 and abs(median["2 hidden units"] - middle) < 0.02),
        ),
        Compared(
            "[2, 3, 1]",
            "helps at once",
            spread(end["3 hidden units"]),
            judged(median["3 hidden units"] > median["2 hidden units"] + 0.05),
        ),
        Compared("[2, 5, 1]", "100 %", spread(end[USUAL]), judged(median[USUAL] == 1)),
        Compared("rate 1e-5", "stuck", spread(end["rate 1e-5"]), judged(median["rate 1e-5"] < median[USUAL] - 0.15)),
        Compared(
            f"ten times the rate 1e-3, after {epochs / 10:,.0f} epochs",
            "better",
            f"{half[USUAL]:.1%} in place of {half['rate 1e-3']:.1%}",
            judged(half[USUAL] > half["rate 1e-3"]),
        ),
        Compared(
            "Activations: how much accuracy is lost again on the way, added up",
            "sigmoid gradual, tanh dips then rises, ReLU noisy",
            ", ".join(
                f"{name} {dips[key]:.1%}" for name, key in {"sigmoid": USUAL, "tanh": "tanh", "ReLU": "ReLU"}.items()
            ),
            "agrees" if dips[USUAL] < min(dips["tanh"], dips["ReLU"]) else "not seen at this rate",
        ),
        Compared(
            "[2, 5, 1] on 5,000 points, factor 0.6, noise 0.1",
            "96 %",
            spread(end[HARDER]),
            judged(median[HARDER] >= 0.96),
        ),
    ]


def run(
    epochs: int = 5000, seed: int = 0, seeds: int = 10, jobs: int = 1, out: Path = Path("runs/circles")
) -> dict[str, np.ndarray]:
    usable(out)
    settings = {name: {"seeds": seeds, "epochs": epochs, **each} for name, each in STUDIES.items()}
    courses = {name: course for name, (course,) in study(learn, settings, [seed], jobs).items()}

    end = {name: at_end(course) for name, course in courses.items()}
    usual = courses[USUAL]
    same = {"sigmoid": usual, "tanh": courses["tanh"], "ReLU": courses["ReLU"]}
    panels = {
        "Mean squared error": {name: course.loss.T / 1000 for name, course in same.items()},
        "Accuracy (%)": {name: 100 * course.accuracy.T for name, course in same.items()},
    }
    figure = curves(usual.epochs, panels)
    for axes in figure.axes:
        axes.set_xlim(0, epochs / 10)
    widths = ["2 hidden units", "3 hidden units", USUAL]
    x, y = circles(seed, 1000, 0.4, 0.05)
    x_harder, y_harder = circles(seed, 5000, 0.6, 0.1)
    leave_page(
        out,
        "B2: circles",
        "How many hidden units does it take to tell a circle from one inside it? What do other rates and activations "
        "change, and how far does the network get where the circles run into each other?",
        {
            "Data": "make_circles(1000, factor=0.4, noise=0.05), drawn by the seed; class 1 is the inner circle",
            "Network": "2 → 5 → 1 units, sigmoids everywhere",
            "First weights": "normal with standard deviation 1; biases 0",
            "Loss": "squared error, summed over the points",
            "Training": f"gradient descent on all points, rate 0.01, {epochs:,} epochs, four times that for [2, 2, 1]",
            "Harder circles": "make_circles(5000, factor=0.6, noise=0.1); rate 0.002, for a sum of five times as many",
            "Seeds": f"{seed} to {seed + seeds - 1}, none left out; figures are medians (lowest to highest)",
        },
        compare(courses, epochs),
        Paragraph("Accuracies are those on the points that the networks learn from, as in the report."),
        Heading("Regions"),
        picture(
            decision_regions({name: network(courses[name].networks) for name in widths}, x, y),
            out / "regions.png",
            f"The data, and what networks say everywhere, at the end, with seed {seed}.",
        ),
        picture(
            decision_regions({HARDER: network(courses[HARDER].networks)}, x_harder, y_harder),
            out / "regions_harder.png",
            f"The same for the harder circles, which run into each other; seed {seed}.",
        ),
        Heading("Studies"),
        picture(
            figure,
            out / "curves.png",
            "The first tenth of training [2, 5, 1] by activation: medians, shaded from the lowest to the highest.",
        ),
        picture(shares(end, "Accuracy"), out / "studies.png", "All studies at the end."),
    )
    return end
