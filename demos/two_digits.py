"""C2: one digit against another, 5 against 6, with and without early stopping, and from three initialisers."""

from pathlib import Path
from typing import Any

import numpy as np

import nn
from engine.documents import Heading, Paragraph, Table

from .data import TITLES, beside_reported, load
from .page import leave_page, usable
from .report import confusion_matrix, curves, network_graph, picture, shares
from .studies import seeds_in_words, spread, study
from .verdicts import judged, networks

FIRST, SECOND = 5, 6
HIDDEN, RATE, BATCH, PATIENCE = [32, 16], 0.002, 32, 10
WAYS: dict[str, dict[str, Any]] = {
    "without early stopping": {"patience": None},
    "with early stopping": {"patience": PATIENCE},
    "random normal": {"patience": PATIENCE, "weight_init": "normal"},
    "He": {"patience": PATIENCE, "weight_init": "he_normal"},
    "Glorot uniform": {"patience": PATIENCE, "weight_init": "glorot_uniform"},
}
ACCURACIES = dict(zip(WAYS, [0.9869, 0.9882, 0.9821, 0.9848, 0.9863], strict=True))
REPORTED = {"precision": 0.9837, "recall": 0.9935, "F1": 0.9886}  # with early stopping
METRICS = {"precision": nn.precision, "recall": nn.recall, "F1": nn.f1_score}
MNIST_TEST = 892 + 958  # fives and sixes among its 10,000 test images
QUICK = {"seeds": 4}
SMALLEST = {"seeds": 2, "epochs": 5}


def only(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The images of the two classes, and 1 for the second, 0 for the first."""
    rows = (y == FIRST) | (y == SECOND)
    return x[rows], (y[rows] == SECOND).astype(float)[:, None]


def train(
    seed: int, patience: int | None, epochs: int, data: str, data_dir: Path | None, weight_init: str | None = None
) -> dict[str, Any]:
    """Train one network with a single output, and return its history, labels, guesses and figures on the test."""
    images = load(data, data_dir, seed=seed)
    x, y = only(images.x, images.y)
    x_test, y_test = only(images.x_test, images.y_test)
    model = nn.MLP([x.shape[1], *HIDDEN, 1], activation="relu", weight_init=weight_init, seed=seed)
    history = nn.fit(
        model,
        x,
        y,
        loss=nn.binary_cross_entropy_with_logits,  # the sigmoid is in the loss, where it cannot overflow
        optimizer=nn.Adam(model.parameters(), RATE),
        epochs=epochs,
        batch_size=BATCH,
        validation=only(images.x_validation, images.y_validation),
        early_stopping=patience,
        progress=False,
        seed=seed,
    )
    targets, guesses = y_test.ravel().astype(int), (model(x_test).data > 0).astype(int).ravel()
    figures = {name: metric(guesses, targets, average="binary") for name, metric in METRICS.items()}
    loss = nn.evaluate(model, x_test, y_test, loss=nn.binary_cross_entropy_with_logits)
    answers = {"targets": targets, "guesses": guesses, "accuracy": nn.accuracy(guesses, targets)}
    return {"model": model, "history": history} | answers | figures | loss


def nearest_shares(reported: float, count: int) -> str:
    """The shares of so many images that lie around a reported one, in words."""
    below = int(reported * count)
    return " and ".join(f"{right:,} of {count:,} = {right / count:.3%}" for right in (below, below + 1))


def run(
    data: str = "digits",
    data_dir: Path | None = None,
    epochs: int = 60,
    seed: int = 0,
    seeds: int = 10,
    jobs: int = 1,
    out: Path = Path("runs/two_digits"),
) -> dict[str, list[dict[str, Any]]]:
    usable(out)
    images = load(data, data_dir, seed=seed)
    x, y = only(images.x, images.y)
    common = {"epochs": epochs, "data": data, "data_dir": data_dir}
    runs = study(train, {way: each | common for way, each in WAYS.items()}, range(seed, seed + seeds), jobs)

    accuracies = {way: [each["accuracy"] for each in results] for way, results in runs.items()}
    compared = [judged(f"Test accuracy, {way}", ACCURACIES[way], accuracies[way], "{:.2%}") for way in WAYS]
    stopped, first = runs["with early stopping"], runs["with early stopping"][0]
    for name, reported in REPORTED.items():
        compared.append(
            judged(f"Test {name}, with early stopping", reported, [each[name] for each in stopped], "{:.2%}")
        )
    forms = {"accuracy": "{:.2%}", **dict.fromkeys(METRICS, "{:.2%}"), "loss": "{:.3f}"}
    rows = [
        [way, *[spread([each[name] for each in results], form) for name, form in forms.items()]]
        for way, results in runs.items()
    ]
    count = len(first["targets"])
    perfect = sum(accuracy == 1 for numbers in accuracies.values() for accuracy in numbers)
    without, stopping, *initialisers = ACCURACIES.values()
    apart = [stopping - without, *np.diff(sorted(initialisers)), np.ptp(initialisers)]
    share = float(np.mean(list(ACCURACIES.values())))
    error = np.sqrt(2 * share * (1 - share) / MNIST_TEST)  # of the difference of two accuracies
    history = first["history"]
    leave_page(
        out,
        "C2: 5 against 6",
        "How well does a network with one output tell a 5 from a 6? What does early stopping change, and what do the "
        "first weights?",
        {
            "Data": f"{TITLES[data]}: the classes {FIRST} and {SECOND}, {len(x):,} images for training, "
            f"{count:,} for test",
            "The report's data": beside_reported(data, "mnist"),
            "Network": f"hidden layers of {' and '.join(map(str, HIDDEN))} units, ReLU, sigmoid at the end",
            "First weights": "uniform after He, unless the table says something else; random normal has a standard "
            "deviation of 0.01",
            "Training": f"Adam, rate {RATE}, batches of {BATCH}, at most {epochs} epochs",
            "Early stopping": f"{PATIENCE} epochs without a lower validation loss; the best weights come back",
            "Positive class": f"{SECOND}, in precision, recall and F1",
            "Seeds": seeds_in_words(seed, seeds),
        },
        compared,
        Heading("What is suspicious in the report"),
        Paragraph(
            f"It finds {100 * (stopping - without):.2f} points in favour of early stopping, and ranks three "
            f"initialisers by differences of {100 * min(apart[1:]):.2f} to {100 * max(apart):.2f} points, each read "
            f"off one run. By chance alone the difference of two accuracies on MNIST's {MNIST_TEST:,} test images of "
            f"the two digits varies with a standard deviation of {100 * error:.2f} points, or less where both networks "
            f"fail on the same images: the reported ones are {min(apart) / error:.1f} to {max(apart) / error:.1f} "
            "times as large. One run cannot tell which initialiser is better. One image of our test is "
            f"{1 / count:.2%}, and {perfect} of our {seeds * len(WAYS)} runs read all of them."
        ),
        Paragraph(
            f"And the figures cannot come from MNIST's own test images. With {MNIST_TEST:,} of them an accuracy is a "
            "whole number divided by that. Only 98.21 % could be cut off from one (98.216 %), and 98.48 % (98.486 %); "
            "98.69 %, 98.82 % and 98.63 % are none, rounded or cut off. The report's test was another one, which "
            "it does not describe."
        ),
        Table(
            ["Reported", "The nearest that there are"],
            [[f"{each:.2%}", nearest_shares(each, MNIST_TEST)] for each in ACCURACIES.values()],
        ),
        Heading("What early stopping and the first weights do"),
        Table(["Test", *[name.capitalize() for name in forms]], rows),
        Paragraph(
            f"With it, training took {spread([len(each['history'].epochs) for each in stopped], '{:.0f}')} of {epochs} "
            "epochs: where the validation loss falls to the end, it has nothing to stop."
        ),
        picture(
            shares(accuracies, "Test accuracy"),
            out / "accuracy.png",
            f"{networks(seeds).capitalize()} for each setting.",
        ),
        picture(
            curves(
                history.epochs,
                {"Cross-entropy (nats)": {"training": history["loss"], "validation": history["validation_loss"]}},
            ),
            out / "curves.png",
            f"Seed {seed}, with early stopping: the weights of epoch {history.best_epoch} were kept.",
        ),
        picture(
            confusion_matrix(
                np.where(first["targets"], SECOND, FIRST), np.where(first["guesses"], SECOND, FIRST), kind="class"
            ),
            out / "confusion.png",
            f"Seed {seed}, with early stopping: what the test images were taken for, in per cent of each true class.",
        ),
        Heading("The network"),
        network_graph(first["model"], nn.binary_cross_entropy_with_logits, x[:BATCH], y[:BATCH], out),
    )
    return runs
