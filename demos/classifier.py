"""C4: a classifier class with its settings, early stopping on, for every activation and three first weights."""

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import nn
from engine.documents import Heading, Paragraph, Table
from nn import initializers

from .data import TITLES, hidden_layers, load
from .page import Compared, leave_page, usable
from .report import curves, heat_maps, network_graph, picture
from .studies import median_in_words, seeds_in_words, spread, study
from .verdicts import at_chance, in_points

ACTIVATIONS = {"sigmoid": "sigmoid", "tanh": "tanh", "ReLU": "relu", "leaky ReLU": "leaky_relu"}
INITIALIZERS = {
    "zero": initializers.zeros,
    "random": partial(initializers.uniform, low=-0.1, high=0.1),
    "normal": partial(initializers.normal, std=0.1),
}
REPORTED = 0.8226  # of all twelve
HIDDEN = [256, 128, 64, 32]
RATE, BATCH, PATIENCE = 0.002, 128, 10
QUICK = {"seeds": 1, "epochs": 50}
SMALLEST = {"seeds": 1, "epochs": 2}


def train(
    seed: int,
    activation: str,
    initializer: str,
    epochs: int,
    data: str,
    data_dir: Path | None,
    early_stopping: bool = True,
) -> dict[str, Any]:
    """Fit one classifier, and return its scores, its curves and what its first hidden units have become."""
    images = load(data, data_dir, seed=seed)
    hidden = hidden_layers(HIDDEN, images.x.shape[1], least=16)
    classifier = nn.MLPClassifier(
        hidden_layer_sizes=hidden,
        activation=ACTIVATIONS[activation],
        weight_init=INITIALIZERS[initializer],
        learning_rate_init=RATE,
        batch_size=BATCH,
        max_iter=epochs,
        early_stopping=early_stopping,  # the estimator's default is scikit-learn's, which is False
        n_iter_no_change=PATIENCE,
        random_state=seed,
    )
    validation = (images.x_validation, images.y_validation) if early_stopping else None
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):  # the page says how long it took
        classifier.fit(images.x, images.y, validation=validation)
    weights = classifier.coefs_[0].T
    return {
        "test": classifier.score(images.x_test, images.y_test),
        "loss": classifier.loss_curve_,
        "epochs": classifier.n_iter_,
        "certainty": float(classifier.predict_proba(images.x_test).max(axis=1).mean()),
        "guessed": len(np.unique(classifier.predict(images.x_test))),
        "network": classifier.network_,
        "different": len(np.unique(weights, axis=0)),
        "hidden": hidden,
    }


def verdict(accuracy: float, classes: int) -> str:
    if at_chance(accuracy, classes):
        return "at chance: it did not learn"
    return f"learns: {in_points(accuracy - REPORTED)} beside the report's one figure"


def stopping(stopped: list[dict[str, Any]], free: list[dict[str, Any]], classes: int) -> str:
    """What early stopping did to a network whose loss may stand still at first."""
    tests = [[each["test"] for each in runs] for runs in (stopped, free)]
    words = (
        "Stopped early, four sigmoid layers from normal weights train for "
        f"{spread([each['epochs'] for each in stopped], '{:.0f}')} epochs; switched off, for "
        f"{spread([each['epochs'] for each in free], '{:.0f}')}, and the accuracy is {spread(tests[1])} in place of "
        f"{spread(tests[0])}."
    )
    if at_chance(float(np.median(tests[0])), classes) and not at_chance(float(np.median(tests[1])), classes):
        words += (
            f" They begin on a plateau, where the validation accuracy stands still for {PATIENCE} epochs: early "
            "stopping is a setting, not a virtue."
        )
    return words


def run(
    data: str = "digits",
    data_dir: Path | None = None,
    epochs: int = 100,
    seed: int = 0,
    seeds: int = 10,
    jobs: int = 1,
    out: Path = Path("runs/classifier"),
) -> dict[str, list[dict[str, Any]]]:
    usable(out)
    common = {"epochs": epochs, "data": data, "data_dir": data_dir}
    settings = {
        f"{activation}, {initializer}": {"activation": activation, "initializer": initializer} | common
        for activation in ACTIVATIONS
        for initializer in INITIALIZERS
    }
    switched_off = "sigmoid, normal, without early stopping"
    settings[switched_off] = settings["sigmoid, normal"] | {"early_stopping": False}
    runs = study(train, settings, range(seed, seed + seeds), jobs)

    images = load(data, data_dir, seed=seed)
    classes = len(images.classes)
    tests = {pair: [each["test"] for each in results] for pair, results in runs.items()}
    medians = {pair: float(np.median(numbers)) for pair, numbers in tests.items()}
    compared = [
        Compared(
            pair,
            "not given" if pair == switched_off else f"{REPORTED:.2%}",
            spread(numbers),
            verdict(medians[pair], classes),
        )
        for pair, numbers in tests.items()
    ]
    differ = sum(len(set(numbers)) > 1 for numbers in tests.values())
    first = runs["sigmoid, zero"][0]
    rows = [
        [
            pair,
            spread([each["epochs"] for each in results], "{:.0f}"),
            spread([each["guessed"] for each in results], "{:.0f}"),
            spread([each["different"] for each in results], "{:.0f}"),
            spread([each["certainty"] for each in results], "{:.0%}"),
        ]
        for pair, results in runs.items()
    ]
    losses = {
        f"Training loss (nats), {initializer}": {
            activation: runs[f"{activation}, {initializer}"][0]["loss"] for activation in ACTIVATIONS
        }
        for initializer in INITIALIZERS
    }
    losses["Training loss (nats), normal"]["sigmoid, not stopped"] = runs[switched_off][0]["loss"]
    leave_page(
        out,
        "C4: a classifier class: four activations from three first weights",
        "A classifier is given its hidden layers, rate, activation, first weights, epochs and batch size, and stops "
        "early unless told otherwise. How do four activations do from weights that are zero, random and normal?",
        {
            "Data": f"{TITLES[data]}: {images.sizes}",
            "Network": f"hidden layers of {', '.join(map(str, first['hidden']))} units, softmax at the end",
            "First weights": "zero; random, evenly from −0.1 to 0.1; normal, with standard deviation 0.1. The report "
            "does not say how large its are",
            "Training": f"Adam, rate {RATE}, batches of {BATCH}, at most {epochs} epochs",
            "Early stopping": f"after {PATIENCE} epochs without a better validation accuracy, with "
            "early_stopping=True; the best weights come back",
            "Seeds": seeds_in_words(seed, seeds),
        },
        compared,
        Heading("Why twelve identical accuracies cannot be right"),
        Paragraph(
            "The report prints 82.26 % twelve times. That is 8,226 of 10,000 test images, the same number for every "
            f"pair. Our {len(medians)} settings give {len(set(medians.values()))} different ones"
            + (f", and {differ} settings differ from seed to seed" if seeds > 1 else "")
            + ". And four of the twelve start from zero: all units of a layer compute the same and get the same "
            "gradient, so that they stay equal for ever. With tanh, "
            "ReLU and leaky ReLU all hidden values are zero, and so are the gradients of all weights: only the last "
            "biases move. With the sigmoid the hidden values are ½ and the weights do move, but together: the network "
            "is one unit wide. A class that tells 8 images out of 10 right does not have zero weights: the setting "
            "never arrived, or one model was scored twelve times."
        ),
        Table(
            [
                "",
                "Epochs trained",
                "Classes ever guessed",
                "Different units in the first layer",
                "Mean probability of the guess",
            ],
            rows,
        ),
        Heading("The true differences"),
        picture(
            heat_maps(
                {"": np.array([[medians[f"{a}, {i}"] for i in INITIALIZERS] for a in ACTIVATIONS])},
                ("Activation", list(ACTIVATIONS)),
                ("First weights", list(INITIALIZERS)),
                "Test accuracy",
            ),
            out / "accuracies.png",
            f"Test accuracy of every pair, {median_in_words(seeds)}.",
        ),
        picture(
            curves(range(1, epochs + 1), losses),
            out / "loss.png",
            f"Training loss by epoch until it was stopped, seed {seed}. Mind the scales: guessing has ln "
            f"{classes} = {np.log(classes):.3f}. From zero weights three of the lines are one.",
        ),
        Paragraph(stopping(runs["sigmoid, normal"], runs[switched_off], classes)),
        Heading("The network"),
        network_graph(first["network"], nn.cross_entropy, images.x[:BATCH], images.y[:BATCH], out),
    )
    return runs
