"""C3: all ten digits, softmax with cross-entropy, with and without early stopping.

Size, rate and patience were chosen by the validation digits, never by the test digits; every claim is about all seeds.
"""

from pathlib import Path
from typing import Any

import numpy as np

import nn
from engine.documents import Heading, Paragraph

from .data import TITLES, Parts, beside_reported, load
from .page import leave_page, usable
from .report import confusion_matrix, curves, learning, network_graph, picture, shares
from .studies import seeds_in_words, spread, study
from .verdicts import judged, networks

REPORTED = {"accuracy": 0.97, "loss": 0.112, "precision": 0.9697, "recall": 0.9697, "F1": 0.9696}
HIDDEN, RATE, BATCH, PATIENCE = [128, 64], 0.002, 32, 10
QUICK = {"seeds": 3}
SMALLEST = {"seeds": 2, "epochs": 3}


def fit(
    model: nn.Module,
    images: Parts,
    optimizer: nn.Optimizer,
    epochs: int,
    batch: int,
    seed: int,
    patience: int | None = None,
) -> nn.History:
    """Train a network to tell the classes apart; with `patience` the weights of the best epoch come back."""
    return nn.fit(
        model,
        images.x,
        images.y,
        loss=nn.cross_entropy,  # the softmax at the end is in the loss, where it cannot overflow
        optimizer=optimizer,
        epochs=epochs,
        batch_size=batch,
        validation=(images.x_validation, images.y_validation),
        metrics=[nn.accuracy],
        early_stopping=patience,
        progress=False,
        seed=seed,
    )


def train(seed: int, patience: int | None, epochs: int, data: str, data_dir: Path | None) -> dict[str, Any]:
    """Train one network, and return it, its history, its guesses and its figures on the test."""
    images = load(data, data_dir, seed=seed)
    model = nn.MLP([images.x.shape[1], *HIDDEN, len(images.classes)], activation="relu", seed=seed)
    history = fit(model, images, nn.Adam(model.parameters(), RATE), epochs, BATCH, seed, patience)
    metrics = [nn.accuracy, nn.precision, nn.recall, nn.f1_score]
    figures = nn.evaluate(model, images.x_test, images.y_test, loss=nn.cross_entropy, metrics=metrics)
    guesses = model(images.x_test).data.argmax(axis=1)
    return {"model": model, "history": history, "guesses": guesses, **figures}


def varies(accuracies: list[float]) -> str:
    """By how much the accuracy of several seeds varies, and what follows for single runs."""
    if len(accuracies) == 1:
        return "So does this page with one seed; with --seeds 10 it says by how much seeds differ."
    width = 100 * np.ptp(accuracies)
    return f"Between our {len(accuracies)} seeds the accuracy varies by {width:.1f} points" + (
        ": smaller differences between single runs say nothing." if width else "."
    )


def run(
    data: str = "digits",
    data_dir: Path | None = None,
    epochs: int = 40,
    seed: int = 0,
    seeds: int = 10,
    jobs: int = 1,
    out: Path = Path("runs/ten_digits"),
) -> dict[str, list[dict[str, Any]]]:
    usable(out)
    common = {"epochs": epochs, "data": data, "data_dir": data_dir}
    ways: dict[str, dict[str, Any]] = {"with early stopping": {"patience": PATIENCE}, "without": {"patience": None}}
    runs = study(train, {way: each | common for way, each in ways.items()}, range(seed, seed + seeds), jobs)

    stopped, first = runs["with early stopping"], runs["with early stopping"][0]
    compared = [
        judged(
            f"Test {name}, {way}",
            reported,
            [each[name.replace("F1", "f1_score")] for each in runs[way]],
            form="{:.3f}" if name == "loss" else "{:.2%}",
            smaller_is_better=name == "loss",
        )
        for way in ways
        for name, reported in REPORTED.items()
        if way != "without" or name in ("accuracy", "loss")
    ]
    last = [len(each["history"].epochs) for each in stopped]
    history, images = first["history"], load(data, data_dir, seed=seed)

    def median(way: str, figure: str) -> float:
        return float(np.median([each[figure] for each in runs[way]]))

    leave_page(
        out,
        "C3: ten digits, softmax and early stopping",
        "How well does a network with a softmax at its end read all ten digits, when training stops as soon as the "
        "validation loss no longer falls? And what does stopping early gain?",
        {
            "Data": f"{TITLES[data]}: {images.sizes}",
            "The report's data": beside_reported(data, "mnist"),
            "Network": f"hidden layers of {' and '.join(map(str, HIDDEN))} units, ReLU, softmax at the end",
            "Training": f"Adam, rate {RATE}, batches of {BATCH}, at most {epochs} epochs",
            "Early stopping": f"{PATIENCE} epochs without a lower validation loss; the best weights come back",
            "Seeds": seeds_in_words(seed, seeds),
        },
        compared,
        Heading("What the report does not say"),
        Paragraph(
            "The report gives its figures for one run. "
            + varies([each["accuracy"] for each in stopped])
            + " Precision and recall are means over the classes: where each class has as many images, the mean of the "
            "recalls is the accuracy."
        ),
        Heading("What early stopping does"),
        Paragraph(
            f"Training took {spread(last, '{:.0f}')} of {epochs} epochs, which saves "
            f"{1 - np.median(last) / epochs:.0%} of the time. With early stopping the accuracy is "
            f"{median('with early stopping', 'accuracy'):.1%} and the loss "
            f"{median('with early stopping', 'loss'):.3f}; without, {median('without', 'accuracy'):.1%} and "
            f"{median('without', 'loss'):.3f}{' (medians over the seeds)' if seeds > 1 else ''}."
        ),
        picture(
            shares({way: [each["accuracy"] for each in results] for way, results in runs.items()}, "Test accuracy"),
            out / "accuracy.png",
            f"Accuracy on the test, {networks(seeds)} for each setting.",
        ),
        picture(
            curves(history.epochs, learning(history)),
            out / "curves.png",
            f"Seed {seed}, with early stopping: the weights of epoch {history.best_epoch} were kept.",
        ),
        picture(
            confusion_matrix(images.y_test, first["guesses"], kind="class"),
            out / "confusion.png",
            f"Seed {seed}, with early stopping: what the test images were taken for, in per cent of each true class.",
        ),
        Heading("The network"),
        network_graph(first["model"], nn.cross_entropy, images.x[:BATCH], images.y[:BATCH], out),
    )
    return runs
