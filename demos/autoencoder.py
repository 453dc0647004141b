"""C6: an autoencoder of images, its reconstructions, and what a classifier makes of the features in its middle."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

import engine
import nn
from engine.documents import Heading, Paragraph

from .data import TITLES, load
from .report import Compared, curves, leave_page, network_graph, picture, shares, usable
from .studies import seeds_in_words, spread, study

ACTIVATIONS = {"ReLU": "relu", "identity": "identity"}
CLASSIFIER = [64, 64]
RATE, BATCH = 0.002, 64
QUICK = {"seeds": 2, "epochs": 40}
SMALLEST = {"seeds": 1, "epochs": 3}


def hidden_layers(pixels: int) -> list[int]:
    """The report's layers for its images of 28 × 28 pixels, and a quarter of the units for smaller ones."""
    return [256, 128, 64, 128, 256] if pixels > 64 else [64, 32, 16, 32, 64]


def train(seed: int, activation: str, epochs: int, data: str, data_dir: Path | None) -> dict[str, Any]:
    """Fit an autoencoder, and a classifier on its middle; return errors, the accuracy and some images."""
    images = load(data, data_dir, seed=seed)
    hidden = hidden_layers(images.x.shape[1])
    autoencoder = nn.MLPRegressor(
        hidden_layer_sizes=hidden,
        activation=ACTIVATIONS[activation],
        learning_rate_init=RATE,
        batch_size=BATCH,
        max_iter=epochs,
        random_state=seed,
    )
    classifier = nn.MLPClassifier(
        CLASSIFIER, learning_rate_init=RATE, batch_size=BATCH, max_iter=epochs, early_stopping=True, random_state=seed
    )
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):  # the length is a setting here
        autoencoder.fit(images.x, images.x)
        middle = nn.Sequential(*autoencoder.network_.children())[:6]  # three Linear layers, each with its activation

        def encode(x: np.ndarray) -> np.ndarray:
            with engine.no_grad():
                return middle(x).data

        validation = (encode(images.x_validation), images.y_validation)
        classifier.fit(encode(images.x), images.y, validation=validation)

    shown = [int(np.argmax(images.y_test == label)) for label in range(len(images.classes))]
    restored = autoencoder.predict(images.x_test)
    components = PCA(min(hidden), random_state=seed).fit(images.x)
    by_pca = components.inverse_transform(components.transform(images.x_test))
    return {
        "accuracy": classifier.score(encode(images.x_test), images.y_test),
        "error": nn.mean_squared_error(restored, images.x_test),
        "pca": nn.mean_squared_error(by_pca, images.x_test),
        "variance": nn.mean_squared_error(np.broadcast_to(images.x.mean(axis=0), images.x_test.shape), images.x_test),
        "loss": [2 * loss / images.x.shape[1] for loss in autoencoder.loss_curve_],  # scikit-learn's is half the sum
        "originals": images.x_test[shown].reshape(-1, *images.shape),
        "restored": restored[shown].reshape(-1, *images.shape),
        "network": autoencoder.network_,
        "hidden": hidden,
        "sizes": images.sizes,
    }


def pictures(rows: dict[str, np.ndarray]) -> Figure:
    """Images `(n, channels, height, width)`, a row for each name."""
    figure = Figure(figsize=(9, 0.35 + 0.85 * len(rows)), layout="constrained")
    for axes, (name, images) in zip(figure.subplots(len(rows), len(rows["original"])), rows.items(), strict=True):
        for each, image in zip(axes, np.moveaxis(images, 1, -1), strict=True):
            each.imshow(np.clip(image, 0, 1).squeeze(), cmap="gray_r", vmin=0, vmax=1)
            each.set(xticks=[], yticks=[])
        axes[0].set_ylabel(name, rotation="horizontal", ha="right", va="center")
    return figure


def run(
    data: str = "digits",
    data_dir: Path | None = None,
    epochs: int = 100,
    seed: int = 0,
    seeds: int = 10,
    jobs: int = 1,
    out: Path = Path("runs/autoencoder"),
) -> dict[str, list[dict[str, Any]]]:
    usable(out)
    common = {"epochs": epochs, "data": data, "data_dir": data_dir}
    settings = {activation: {"activation": activation} | common for activation in ACTIVATIONS}
    runs = study(train, settings, range(seed, seed + seeds), jobs)

    first = {activation: results[0] for activation, results in runs.items()}
    one = first["ReLU"]
    pixels, middle = one["originals"][0].size, min(one["hidden"])

    def each_of(activation: str, what: str) -> list[float]:
        return [each[what] for each in runs[activation]]

    def lost(activation: str, what: str) -> float:
        """The share of the variance that an error is."""
        return float(np.mean(each_of(activation, what)) / np.mean(each_of(activation, "variance")))

    def gap(activation: str) -> float:
        """By what share the error is above that of principal components."""
        return lost(activation, "error") / lost(activation, "pca") - 1

    compared = [
        Compared(
            f"Classifier on the middle features, {activation}",
            "not given",
            spread(each_of(activation, "accuracy")),
            "the features keep what tells classes apart"
            if np.mean(each_of(activation, "accuracy")) >= 0.9
            else "the features lose some of what tells classes apart",
        )
        for activation in ACTIVATIONS
    ]
    compared += [
        Compared(
            f"Mean squared error on the test, {activation}",
            "not given",
            spread(each_of(activation, "error"), "{:.4f}"),
            f"{lost(activation, 'error'):.0%} of the variance is lost, by PCA {lost(activation, 'pca'):.0%}",
        )
        for activation in ACTIVATIONS
    ]
    losses = {name: each["loss"] for name, each in first.items()}
    x = load(data, data_dir, seed=seed).x[:BATCH]
    leave_page(
        out,
        "An autoencoder and its middle",
        f"A network must give back the image that it is shown, {pixels} pixels, through a layer of {middle} units. "
        "What is lost, and are these few numbers enough to tell the classes apart?",
        {
            "Data": f"{TITLES[data]}: {one['sizes']}",
            "Autoencoder": f"{' → '.join(map(str, [pixels, *one['hidden'], pixels]))}, ReLU or identity between the "
            "layers, none at the end, mean squared error",
            "Classifier": f"{middle} features → {' → '.join(map(str, CLASSIFIER))} → classes, ReLU, early stopping",
            "Training": f"Adam, rate {RATE}, batches of {BATCH}, at most {epochs} epochs each",
            "Seeds": seeds_in_words(seed, seeds),
        },
        compared,
        Heading("What the report does not say"),
        Paragraph(
            "With the identity every layer is linear, and so is the whole: such an autoencoder can at best be what "
            "principal component analysis computes outright, with as many components as its middle has units (Baldi "
            f"and Hornik, 1989). Our error with the identity is {gap('identity'):+.0%} beside PCA's, with ReLU "
            f"{gap('ReLU'):+.0%}. Only with an activation could the layers do more than one; that they do is not a "
            "matter of course. A picture of ten reconstructions hardly tells the two apart: the figures do."
        ),
        Heading("Originals and reconstructions"),
        picture(
            pictures({"original": one["originals"]} | {name: each["restored"] for name, each in first.items()}),
            out / "reconstructions.png",
            f"The first image of each class in the test, and what each autoencoder makes of them, seed {seed}.",
        ),
        picture(
            curves(range(1, epochs + 1), {"Mean squared error\n(pixels from 0 to 1)": losses}),
            out / "loss.png",
            f"Mean squared error of a pixel while training, by epoch, seed {seed}.",
        ),
        picture(
            shares({name: each_of(name, "accuracy") for name in ACTIVATIONS}, "Test accuracy from the middle"),
            out / "accuracy.png",
            f"The classifier on the middle features, {seeds} networks for each activation.",
        ),
        Heading("The network"),
        network_graph(one["network"], nn.mse_loss, x, x, out),
    )
    return runs
