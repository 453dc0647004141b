"""B2: a circle inside a circle, and how many hidden units, which rate and which activation tell the two apart.

Each setting is tried with several seeds at once, for the points and for the weights, networks side by side.
"""

from pathlib import Path
from typing import Any

import numpy as np

import engine
import nn
from engine.documents import Heading, Paragraph

from .page import Compared, agreement, graph, leave_page, usable
from .report import BAND, curves, decision_regions, picture, shares
from .side_by_side import Course, Networks, at_end, how_often_seen, network, train, worth_of_one_run
from .studies import median_in_words, seeds_in_words, spread, study

EPOCHS = 5000  # of the report
USUAL, HARDER = "5 hidden units", "harder circles"
STUDIES: dict[str, dict[str, Any]] = {
    "2 hidden units": {"hidden": 2, "length": 4},
    "3 hidden units": {"hidden": 3},
    USUAL: {},
    "rate 1e-5": {"rate": 1e-5},
    "rate 1e-4": {"rate": 1e-4},
    "rate 1e-3": {"rate": 1e-3},
    HARDER: {"points": 5000, "factor": 0.6, "noise": 0.1, "rate": 2e-3, "length": 0.6},
}
ACTIVATIONS = {"sigmoid": engine.sigmoid, "tanh": engine.tanh, "ReLU": engine.relu}
RATES = (1e-3, 3e-3, 1e-2, 3e-2)  # that the activations are compared at, each for a fifth of the epochs
# Where what the report says in words is seen here: choices of ours, printed on the page.
SEPARATED, NOTHING, HELPS, STUCK = 0.95, 0.02, 0.05, 0.15
DIP, WHOLE, NOISY = 0.05, 0.99, 0.1
QUICK = {"epochs": 1000, "seeds": 5}
SMALLEST = {"epochs": 40, "seeds": 2}


def circles(seed: int, points: int = 1000, factor: float = 0.4, noise: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
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
    length: float = 1,
) -> Course:
    """Train one network for each seed, which draws its points and its first weights; `length` multiplies the epochs."""
    numbers = range(seed, seed + seeds)
    drawn = [circles(number, points, factor, noise) for number in numbers]
    x, y = [np.stack(arrays) for arrays in zip(*drawn, strict=True)]
    networks = Networks([2, hidden, 1], numbers, activation, dtype=np.float32)
    epochs = max(1, round(length * epochs))
    return train(networks, x.astype(np.float32), y, rate, epochs, every=max(1, epochs // 1000))


def after(course: Course, epochs: float) -> float:
    """The median accuracy when at least so many epochs are over."""
    return float(np.median(course.accuracy[int(np.searchsorted(course.epochs, epochs))]))


def deepest(course: Course) -> float:
    """How far the accuracy falls below what it was before, at most: the median of the seeds."""
    return float(np.median((np.maximum.accumulate(course.accuracy) - course.accuracy).max(axis=0)))


def share_of_falls(course: Course) -> float:
    """How often the accuracy is below that seen before, as a share of the times it is seen: the median of the seeds."""
    return float(np.median((np.diff(course.accuracy, axis=0) < 0).mean(axis=0)))


def compare(courses: dict[str, Course], epochs: int) -> list[Compared]:
    """The table of widths, rates and data: what was reported, and what it came to here."""
    end = {name: at_end(course) for name, course in courses.items()}
    median = {name: float(np.median(accuracy)) for name, accuracy in end.items()}
    two = courses["2 hidden units"]
    early, middle, late = [after(two, share * epochs) for share in (0.4, 1, 4)]
    tenth = {name: after(course, epochs / 10) for name, course in courses.items() if name != HARDER}
    gain = median["rate 1e-4"] - median["rate 1e-3"]

    def verdict(agrees: bool, beside_usual: bool = False) -> str:
        learned = median[USUAL] == 1
        if epochs < EPOCHS and not (learned and agrees):
            return "too few epochs to tell"
        return agreement(agrees) if learned or not beside_usual else "cannot be told: [2, 5, 1] does not learn either"

    return [
        Compared(
            "[2, 2, 1]",
            "cannot separate them",
            spread(end["2 hidden units"]),
            verdict(median["2 hidden units"] < SEPARATED, beside_usual=True),
        ),
        Compared(
            f"[2, 2, 1], from {0.4 * epochs:,.0f} to {epochs:,} epochs, and to {4 * epochs:,}",
            "about 1 % more, then nothing",
            f"{middle - early:+.1%}, then {late - middle:+.1%}",
            verdict(abs(middle - early) < NOTHING and abs(late - middle) < NOTHING, beside_usual=True),
        ),
        Compared(
            "[2, 3, 1]",
            "helps at once",
            spread(end["3 hidden units"]),
            verdict(median["3 hidden units"] > median["2 hidden units"] + HELPS),
        ),
        Compared("[2, 5, 1]", "100 %", spread(end[USUAL]), verdict(median[USUAL] == 1)),
        Compared(
            "rate 1e-5",
            "stuck",
            spread(end["rate 1e-5"]),
            verdict(median["rate 1e-5"] <= median[USUAL] - STUCK, beside_usual=True),
        ),
        Compared(
            f"ten times the rate 1e-3, after {epochs / 10:,.0f} epochs",
            "better",
            f"{tenth[USUAL]:.1%} in place of {tenth['rate 1e-3']:.1%}",
            verdict(tenth[USUAL] > tenth["rate 1e-3"]),
        ),
        Compared(
            "“increase the rate from 1e-3 to 1e-4”",
            "better",
            f"{median['rate 1e-3']:.1%} at 1e-3, {median['rate 1e-4']:.1%} at 1e-4",
            f"A SLIP: 1e-4 is smaller, and here {'worse' if gain < 0 else 'better' if gain > 0 else 'as good'}",
        ),
        Compared(
            "[2, 5, 1] on 5,000 points, factor 0.6, noise 0.1",
            "96 %",
            spread(end[HARDER]),
            verdict(median[HARDER] >= 0.96),
        ),
    ]


def compare_activations(courses: dict[Any, Course]) -> list[Compared]:
    """What was reported of each activation, and at which of the rates it is seen here."""
    dips = {name: np.array([deepest(courses[name, rate]) for rate in RATES]) for name in ACTIVATIONS}
    ends = {name: np.array([np.median(at_end(courses[name, rate])) for rate in RATES]) for name in ACTIVATIONS}
    noise = np.array([share_of_falls(courses["ReLU", rate]) for rate in RATES])
    fall = "deepest fall on the way"
    seen = {
        "sigmoid": ("gradual", fall, dips["sigmoid"], (dips["sigmoid"] < DIP) & (ends["sigmoid"] > WHOLE)),
        "tanh": ("dips, then rises", fall, dips["tanh"], (dips["tanh"] >= DIP) & (ends["tanh"] > WHOLE)),
        "ReLU": ("noisy", "how often it falls", noise, noise > NOISY),
    }
    lines = []
    for name, (reported, what, figures, where) in seen.items():
        ours = ", ".join(f"{figure:.1%}" for figure in figures)
        rates = [f"{rate:g}" for rate, found in zip(RATES, where, strict=True) if found]
        verdict = f"seen at {', '.join(rates)}" if rates else "not seen at any of these rates"
        lines.append(
            Compared(f"{name}, {what}, at {', '.join(f'{rate:g}' for rate in RATES)}", reported, ours, verdict)
        )
    return lines


def run(
    epochs: int = EPOCHS, seed: int = 0, seeds: int = 10, jobs: int = 1, out: Path = Path("runs/circles")
) -> dict[str, np.ndarray]:
    usable(out)
    settings: dict[Any, dict[str, Any]] = {
        **STUDIES,
        **{
            (name, rate): {"activation": function, "rate": rate, "length": 0.2}
            for rate in RATES
            for name, function in ACTIVATIONS.items()
        },
    }
    sizes = {name: {"seeds": seeds, "epochs": epochs, **each} for name, each in settings.items()}
    courses = {name: course for name, (course,) in study(learn, sizes, [seed], jobs).items()}

    end = {name: at_end(courses[name]) for name in STUDIES}
    x, y = circles(seed)
    widths = {name: network(courses[name].networks) for name in ("2 hidden units", "3 hidden units", USUAL)}
    by_rate = {name: courses[name] for name in ("rate 1e-5", "rate 1e-4", "rate 1e-3", USUAL)}
    by_rate["rate 1e-2"] = by_rate.pop(USUAL)
    panels = {
        "Mean squared error": {name: course.loss.T / len(x) for name, course in by_rate.items()},
        "Accuracy (%)": {name: 100 * course.accuracy.T for name, course in by_rate.items()},
    }
    activations = {
        f"Accuracy (%), rate {rate:g}": {name: 100 * courses[name, rate].accuracy[:, :1].T for name in ACTIVATIONS}
        for rate in RATES
    }
    figure = curves(courses["tanh", RATES[0]].epochs, activations)
    for axes in figure.axes:
        axes.set_xscale("log")
    leave_page(
        out,
        "B2: circles",
        "How many hidden units does it take to tell a circle from one inside it? What do other rates and activations "
        "change, and how far does the network get where the circles run into each other?",
        {
            "Data": "make_circles(1000, factor=0.4, noise=0.05), drawn by the seed; class 1 is the inner circle",
            "Network": "2 → 5 → 1 units, sigmoids everywhere, in single precision",
            "First weights": "normal with standard deviation 1; biases 0",
            "Loss": "squared error, summed over the points",
            "Training": f"gradient descent on all points, rate 0.01, {epochs:,} epochs, four times that for [2, 2, 1]",
            "Harder circles": "make_circles(5000, factor=0.6, noise=0.1); rate 0.002, for a sum of five times as many; "
            f"{0.6 * epochs:,.0f} epochs",
            "Activations": f"of the hidden units, {0.2 * epochs:,.0f} epochs at each rate, the accuracy seen "
            f"{how_often_seen(courses['tanh', RATES[0]])}; gradual: it is never {100 * DIP:.0f} points or more "
            f"below an earlier one; dips, then rises: it is; either ends above {WHOLE:.0%}; noisy: it is below the one "
            f"before more than {NOISY:.0%} of the times",
            "Words": f"cannot separate: below {SEPARATED:.0%}; about 1 % more, then nothing: less than "
            f"{100 * NOTHING:.0f} points each time; helps: more than {100 * HELPS:.0f} points; stuck: "
            f"{100 * STUCK:.0f} points or more below [2, 5, 1]",
            "Accuracy": "on the points that the networks learn from, as in the report",
            "Seeds": seeds_in_words(seed, seeds, "its own points and first weights"),
            "Figures": median_in_words(seeds, " (lowest to highest)"),
        },
        compare(courses, epochs) + compare_activations(courses),
        Heading("Regions"),
        picture(
            decision_regions(widths, x, y),
            out / "regions.png",
            f"The data, and what networks say everywhere, at the end, with seed {seed}.",
        ),
        picture(
            decision_regions({HARDER: network(courses[HARDER].networks)}, *circles(seed, 5000, 0.6, 0.1)),
            out / "regions_harder.png",
            f"The same for the harder circles, which run into each other; seed {seed}.",
        ),
        Heading("Studies"),
        picture(shares(end, "Accuracy"), out / "studies.png", "All studies at the end."),
        Paragraph(worth_of_one_run(end)),
        picture(
            curves(courses[USUAL].epochs, panels),
            out / "rates.png",
            f"Training [2, 5, 1] by rate: {median_in_words(seeds, BAND)}.",
        ),
        picture(
            figure,
            out / "activations.png",
            f"Training [2, 5, 1] by activation at each rate: single runs, of seed {seed}.",
        ),
        Heading("Graph"),
        graph(
            nn.mse_loss(Networks([2, 5, 1], [seed])(x), y[np.newaxis], reduction="sum"),
            out / "graph.svg",
            f"The loss of [2, 5, 1] with seed {seed}, before training. c1 and c2 are the classes and the points.",
            direction="TB",
        ),
    )
    return end
