"""C6: an autoencoder of images, its reconstructions, and what a classifier makes of the features in its middle."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

import engine
import nn
from engine.documents import Heading, Paragraph

from .data import TITLES, hidden_layers, load
from .page import Compared, leave_page, usable
from .report import curves, network_graph, picture, shares
from .studies import seeds_in_words, spread, study
from .verdicts import in_points, networks

Coder = Callable[[np.ndarray], np.ndarray]

ACTIVATIONS = {"ReLU": "relu", "identity": "identity"}
WAYS = {activation: f"the middle features, {activation}" for activation in ACTIVATIONS}
WAYS |= {"PCA": "as many principal components", "all pixels": "all pixels"}
HIDDEN, CLASSIFIER = [256, 128, 64, 128, 256], [64, 64]
ENOUGH = 0.9  # of the digits
RATE, BATCH = 0.002, 64
QUICK = {"seeds": 2, "epochs": 40}
SMALLEST = {"seeds": 1, "epochs": 3}


def train(seed: int, way: str, epochs: int, data: str, data_dir: Path | None) -> dict[str, Any]:
    """Fit an autoencoder, or what takes its place, and a classifier on its middle; return errors and the accuracy."""
    images = load(data, data_dir, seed=seed)
    hidden = hidden_layers(HIDDEN, images.x.shape[1])
    common: dict[str, Any] = {
        "learning_rate_init": RATE,
        "batch_size": BATCH,
        "max_iter": epochs,
        "random_state": seed,
    }
    network: Any = None
    losses: list[float] = []
    encode: Coder = np.asarray
    decode: Coder = np.asarray
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):  # the length is a setting here
        if way in ACTIVATIONS:
            autoencoder = nn.MLPRegressor(hidden_layer_sizes=hidden, activation=ACTIVATIONS[way], **common)
            autoencoder.fit(images.x, images.x)
            network, losses = autoencoder.network_, autoencoder.loss_curve_
            middle = 2 * (hidden.index(min(hidden)) + 1)  # each Linear layer before it has its activation
            encode, decode = outputs_of(network[:middle]), outputs_of(network[middle:])
        elif way == "PCA":
            components = PCA(min(hidden), random_state=seed).fit(images.x)
            encode, decode = components.transform, components.inverse_transform
        classifier = nn.MLPClassifier(CLASSIFIER, early_stopping=True, **common)
        validation = (encode(images.x_validation), images.y_validation)
        classifier.fit(encode(images.x), images.y, validation=validation)

    shown = [int(np.argmax(images.y_test == label)) for label in range(len(images.classes))]
    restored = decode(encode(images.x_test))
    return {
        "accuracy": classifier.score(encode(images.x_test), images.y_test),
        "training error": nn.mean_squared_error(decode(encode(images.x)), images.x),
        "error": nn.mean_squared_error(restored, images.x_test),
        "variance": nn.mean_squared_error(np.broadcast_to(images.x.mean(axis=0), images.x_test.shape), images.x_test),
        "loss": [2 * loss / images.x.shape[1] for loss in losses],  # scikit-learn's is half the sum
        "originals": images.x_test[shown].reshape(-1, *images.shape),
        "restored": restored[shown].reshape(-1, *images.shape),
        "network": network,
        "hidden": hidden,
        "sizes": images.sizes,
    }


def outputs_of(layers: nn.Module) -> Coder:
    def outputs(x: np.ndarray) -> np.ndarray:
        with engine.no_grad():
            return layers(x).data

    return outputs


def pictures(rows: dict[str, np.ndarray]) -> Figure:
    """Images `(n, channels, height, width)`, a row for each name."""
    figure = Figure(figsize=(9, 0.35 + 0.85 * len(rows)), layout="constrained")
    for axes, (name, images) in zip(figure.subplots(len(rows), len(rows["original"])), rows.items(), strict=True):
        for each, image in zip(axes, np.moveaxis(images, 1, -1), strict=True):
            each.imshow(np.clip(image, 0, 1).squeeze(), cmap="gray_r", vmin=0, vmax=1)
            each.set(xticks=[], yticks=[])
        axes[0].set_ylabel(name, rotation="horizontal", ha="right", va="center")
    return figure


def kept(middle: list[float], pixels: list[float]) -> str:
    """What a classifier on a few features has lost beside the same one on all pixels, seed by seed."""
    difference = float(np.median(np.subtract(middle, pixels)))
    enough = "at least" if np.median(middle) >= ENOUGH else "below"
    return f"{in_points(difference)} beside all pixels; {enough} {ENOUGH:.0%}"


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
    runs = study(train, {way: {"way": way} | common for way in WAYS}, range(seed, seed + seeds), jobs)

    first = {activation: runs[activation][0] for activation in ACTIVATIONS}
    one = first["ReLU"]
    pixels, middle = one["originals"][0].size, min(one["hidden"])

    def each_of(way: str, what: str) -> list[float]:
        return [each[what] for each in runs[way]]

    def lost(way: str) -> float:
        """The share of the variance that an error on the test is."""
        return float(np.median(np.divide(each_of(way, "error"), each_of(way, "variance"))))

    def gap(activation: str) -> float:
        """By what share the error on the training images is above that of principal components."""
        return float(np.median(np.divide(each_of(activation, "training error"), each_of("PCA", "training error")))) - 1

    accuracies = {way: each_of(way, "accuracy") for way in WAYS}
    compared = [
        Compared(
            f"Classifier on {fed}",
            "not given",
            spread(accuracies[way]),
            "the yardstick" if way == "all pixels" else kept(accuracies[way], accuracies["all pixels"]),
        )
        for way, fed in WAYS.items()
    ]
    compared += [
        Compared(
            f"Mean squared error on the test, {activation}",
            "not given",
            spread(each_of(activation, "error"), "{:.4f}"),
            f"{lost(activation):.0%} of the variance is lost, by PCA {lost('PCA'):.0%}",
        )
        for activation in ACTIVATIONS
    ]
    losses = {name: each["loss"] for name, each in first.items()}
    x = load(data, data_dir, seed=seed).x[:BATCH]
    leave_page(
        out,
        "C6: an autoencoder and its middle",
        f"A network must give back the image that it is shown, {pixels} pixels, through a layer of {middle} units. "
        "What is lost, and are these few numbers enough to tell the classes apart?",
        {
            "Data": f"{TITLES[data]}: {one['sizes']}",
            "Autoencoder": f"{' → '.join(map(str, [pixels, *one['hidden'], pixels]))}, ReLU or identity between the "
            "layers, none at the end, mean squared error",
            "Classifier": f"{middle} features, or all pixels → {' → '.join(map(str, CLASSIFIER))} → classes, ReLU, "
            "early stopping",
            "Training": f"Adam, rate {RATE}, batches of {BATCH}, at most {epochs} epochs each",
            "Seeds": seeds_in_words(seed, seeds),
        },
        compared,
        Heading("What the report does not say"),
        Paragraph(
            "With the identity every layer is linear, and so is the whole: such an autoencoder can at best be what "
            "principal component analysis computes outright, with as many components as its middle has units (Baldi "
            "and Hornik, 1989). That holds for the images it learns from: there our error with the identity is "
            f"{gap('identity'):+.0%} beside PCA's, with ReLU {gap('ReLU'):+.0%}. Only with an activation could the "
            "layers do more than one; that they do is not a matter of course. A picture of ten reconstructions hardly "
            "tells the two apart: the figures do."
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
            shares(accuracies, "Test accuracy"),
            out / "accuracy.png",
            f"The classifier on the middle features and on all pixels, {networks(seeds)} for each.",
        ),
        Heading("The network"),
        network_graph(one["network"], nn.mse_loss, x, x, out),
    )
    return runs
