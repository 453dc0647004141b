"""C8: two to five layers from poor and from good first weights, and the size of the gradient at each layer."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import engine
import nn
from engine.documents import Heading, Paragraph, Table

from .data import TITLES, load
from .page import Compared, leave_page, usable
from .report import BAND, LINES, MARKS, curves, network_graph, picture, shares
from .studies import median_in_words, seeds_in_words, spread, study
from .verdicts import among, at_chance, in_points, networks

DEPTHS = {2: 0.52, 3: 0.486, 4: 0.078, 5: 0.078}  # the number of Linear layers, and the reported accuracy
INITIALIZERS: dict[str, nn.initializers.Initializer] = {
    "poor": partial(nn.initializers.normal, std=0.01),
    "good": nn.initializers.he_uniform,
}
WIDTH, RATE, BATCH = 50, 0.1, 32
WATCHED = 500  # images on which the size of the gradient is taken
QUICK = {"seeds": 2, "epochs": 15}
SMALLEST = {"seeds": 1, "epochs": 2}


def gradient_sizes(model: nn.Module, x: np.ndarray, y: np.ndarray) -> list[float]:
    """The root of the mean square of the loss's gradient by each layer's weights."""
    weights = [parameter for name, parameter in model.named_parameters() if name.endswith("weight")]
    gradients = engine.gradients(nn.cross_entropy(model(x), y), weights)
    return [float(np.sqrt(np.mean(gradient**2))) for gradient in gradients]


def silent_units(model: Any, depth: int, x: np.ndarray) -> list[float]:
    """For each hidden layer the share of its units that are 0 for every image."""
    return [float(np.mean((model[: 2 * layer](x).data == 0).all(axis=0))) for layer in range(1, depth)]


def train(seed: int, depth: int, initializer: str, epochs: int, data: str, data_dir: Path | None) -> dict[str, Any]:
    """Train one network, and return its accuracies, its history and its gradients before each epoch and at the end."""
    images = load(data, data_dir, seed=seed)
    sizes = [images.x.shape[1], *[WIDTH] * (depth - 1), len(images.classes)]
    model = nn.MLP(sizes, activation="relu", weight_init=INITIALIZERS[initializer], seed=seed)
    watched = images.x[:WATCHED], images.y[:WATCHED]
    gradients = [gradient_sizes(model, *watched)]
    history = nn.fit(
        model,
        images.x,
        images.y,
        loss=nn.cross_entropy,
        optimizer=nn.SGD(model.parameters(), RATE),
        epochs=epochs,
        batch_size=BATCH,
        callbacks=lambda epoch, history: gradients.append(gradient_sizes(model, *watched)),
        progress=False,
        seed=seed,
    )
    guesses = model(images.x_test).data.argmax(axis=1)
    return {
        "model": model,
        "gradients": np.array(gradients),  # of shape (epochs + 1, depth)
        "history": history,
        "training": nn.evaluate(model, images.x, images.y, metrics=[nn.accuracy])["accuracy"],
        "test": nn.accuracy(guesses, images.y_test),
        "silent": max(silent_units(model, depth, images.x)),
        "guessed": len(np.unique(guesses)),
    }


def median_gradients(results: list[dict[str, Any]]) -> np.ndarray:
    """The size of the gradient before each epoch and at the end, at each layer: the median of the runs."""
    return np.median([each["gradients"] for each in results], axis=0)


def by_layer(runs: dict[str, Any]) -> Figure:
    """The gradient at each layer before training, for every depth: the median of the runs."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    panels = figure.subplots(1, len(INITIALIZERS), sharey=True)
    for axes, initializer in zip(panels, INITIALIZERS, strict=True):
        for depth, (colour, dashes), mark in zip(DEPTHS, LINES, MARKS, strict=False):
            gradients = median_gradients(runs[label(depth, initializer)])[0]
            axes.plot(
                range(1, depth + 1), gradients, marker=mark, linestyle=dashes, color=colour, label=f"{depth} layers"
            )
        axes.set(xlabel="Layer, from the input", yscale="log", title=f"{initializer} first weights", xticks=range(1, 6))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("Gradient of the loss\n(root mean square over the weights)")
    panels[1].legend()
    return figure


def by_epoch(runs: dict[str, Any]) -> Figure:
    """The gradient at each layer of the deepest network while it trains: the median of the runs."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    panels = figure.subplots(1, len(INITIALIZERS), sharey=True)
    for axes, initializer in zip(panels, INITIALIZERS, strict=True):
        layers = median_gradients(runs[label(max(DEPTHS), initializer)]).T
        for number, (gradients, (colour, dashes)) in enumerate(zip(layers, LINES, strict=False), 1):
            axes.plot(range(len(gradients)), gradients, linestyle=dashes, color=colour, label=f"layer {number}")
        axes.set_yscale("symlog", linthresh=1e-9)  # which has a place for 0
        axes.set(xlabel="Epochs trained", ylim=(0, 1), title=f"{initializer} first weights")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("Gradient of the loss\n(root mean square over the weights)")
    panels[1].legend(fontsize="small")
    return figure


def label(depth: int, initializer: str) -> str:
    return f"{depth} layers, {initializer}"


def verdict(depth: int, accuracy: float, shallow: float, classes: int) -> str:
    """What an accuracy says, beside that of two layers from good weights."""
    if at_chance(accuracy, classes):
        return "at chance: it did not learn"
    if (depth, accuracy) == (2, shallow):
        return "learns"
    return f"learns: {in_points(accuracy - shallow)} beside 2 layers from good weights"


def over_fitting(deep: list[dict[str, Any]], classes: int) -> str:
    """Whether networks that do badly on the test have learned their training images, and what they do instead."""
    training, test = (float(np.median([each[part] for each in deep])) for part in ("training", "test"))
    if not at_chance(training, classes):
        lost = f"{100 * (training - test):.1f} points" if test < training else "nothing"
        return (
            f"Ours has learned from its training images, and loses {lost} on others: with these settings 7.8 % does "
            "not come about."
        )
    constant = sum(each["guessed"] == 1 for each in deep)
    words = "Ours has not learned even the images it was shown: that is not over-fitting."
    if 2 * constant > len(deep):
        words += (
            f" And {among(constant, len(deep))} every image is taken for the same class. Such a network is right as "
            "often as this class occurs in the images that are judged, whatever the depth: with "
            f"{classes} classes about {1 / classes:.0%}. That would explain 7.8 %, and why it is the same number twice."
        )
    return words


def silence(deep: list[dict[str, Any]]) -> str:
    """In how many runs a whole layer is silent, and what that means."""
    silent = sum(each["silent"] == 1 for each in deep)
    words = "A ReLU that is 0 for every image lets no gradient through. "
    if not silent:
        return words + f"But where {max(DEPTHS)} layers began with poor weights, none is so as a whole after training."
    return words + (
        f"Where {max(DEPTHS)} layers began with poor weights, a whole one is so after training "
        f"{among(silent, len(deep))}, and every gradient before it is exactly 0, for ever: the signals are so small "
        "that the first steps of the biases outweigh them, and a bias below zero silences its unit."
    )


def run(
    data: str = "digits",
    data_dir: Path | None = None,
    epochs: int = 30,
    seed: int = 0,
    seeds: int = 10,
    jobs: int = 1,
    out: Path = Path("runs/depth"),
) -> dict[str, list[dict[str, Any]]]:
    usable(out)
    common = {"epochs": epochs, "data": data, "data_dir": data_dir}
    settings = {
        label(depth, initializer): {"depth": depth, "initializer": initializer} | common
        for initializer in INITIALIZERS
        for depth in DEPTHS
    }
    runs = study(train, settings, range(seed, seed + seeds), jobs)

    tests = {which: [each["test"] for each in results] for which, results in runs.items()}
    medians = {which: float(np.median(numbers)) for which, numbers in tests.items()}
    deepest = max(DEPTHS)
    deep = runs[label(deepest, "poor")]
    images = load(data, data_dir, seed=seed)
    classes = len(images.classes)

    compared = [
        Compared(
            which,
            f"{DEPTHS[depth]:.1%}" if initializer == "poor" else "not tried",
            spread(tests[which]),
            verdict(depth, medians[which], medians[label(2, "good")], classes),
        )
        for initializer in INITIALIZERS
        for depth in DEPTHS
        for which in [label(depth, initializer)]
    ]
    rows = [
        [
            which,
            spread([each["training"] for each in results]),
            spread([each["history"]["loss"][-1] for each in results], "{:.3f}"),
            spread([each["guessed"] for each in results], "{:.0f}"),
            spread([each["silent"] for each in results], "{:.0%}"),
        ]
        for which, results in runs.items()
    ]
    gradients = {each: median_gradients(runs[label(deepest, each)])[0, 0] for each in INITIALIZERS}
    losses = {f"{depth} layers": [each["history"]["loss"] for each in runs[label(depth, "poor")]] for depth in DEPTHS}
    leave_page(
        out,
        "C8: two to five layers",
        "What do more layers gain? The report found 52 % with two layers of its network, and 7.8 % with four and with "
        "five, and called that over-fitting.",
        {
            "Data": f"{TITLES[data]}: {images.sizes}",
            "The report's data": "not named, and harder: compare what a change does, not the figures",
            "Network": f"Linear layers with ReLU between them, {WIDTH} units in each hidden one",
            "Poor first weights": "normal with standard deviation 0.01, whatever the width",
            "Good first weights": "uniform after He et al. (2015), with the variance 2 / inputs of the layer",
            "Training": f"SGD, rate {RATE}, batches of {BATCH}, {epochs} epochs",
            "Seeds": seeds_in_words(seed, seeds),
        },
        compared,
        Heading("Is 7.8 % over-fitting?"),
        Paragraph(
            "A network that over-fits knows its training images by heart and fails on others. Ours of "
            f"{deepest} layers from poor weights tells {spread([each['training'] for each in deep])} of its training "
            f"images right, and {spread([each['test'] for each in deep])} of the test images. Its loss is "
            f"{spread([each['history']['loss'][-1] for each in deep], '{:.3f}')}, and guessing has ln {classes} = "
            f"{np.log(classes):.3f}. {over_fitting(deep, classes)}"
        ),
        Table(
            ["", "Training accuracy", "Last training loss", "Classes ever guessed", "Silent units in the worst layer"],
            rows,
        ),
        Heading("The gradient at each layer"),
        Paragraph(
            "Backwards, the gradient is multiplied by the weights of one layer after the other. Weights of 0.01 make "
            "it smaller each time, and the values that go forwards too, so that with every further layer all gradients "
            f"shrink. With {deepest} layers the gradient at the first one is {gradients['poor']:.1e} before training, "
            f"with good weights {gradients['good']:.1e} ({median_in_words(seeds)}). He's variance is there to keep the "
            "size from layer to layer."
        ),
        Paragraph(silence(deep)),
        picture(
            by_layer(runs),
            out / "layers.png",
            f"The gradient at each layer before training, {median_in_words(seeds)}.",
        ),
        picture(
            by_epoch(runs),
            out / "epochs.png",
            f"The gradient at each of {deepest} layers by epoch, {median_in_words(seeds)}; at the bottom it is 0.",
        ),
        picture(
            curves(range(1, epochs + 1), {"Training loss, poor first weights (nats)": losses}),
            out / "loss.png",
            f"From poor first weights: {median_in_words(seeds, BAND)}.",
        ),
        picture(
            shares(tests, "Test accuracy"), out / "accuracy.png", f"{networks(seeds).capitalize()} for each setting."
        ),
        Heading("The network"),
        network_graph(deep[0]["model"], nn.cross_entropy, images.x[:BATCH], images.y[:BATCH], out),
    )
    return runs
