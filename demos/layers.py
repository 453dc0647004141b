"""C1: digits by sigmoid networks: epochs, architectures, activations, and what every layer makes of the images."""

import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

import engine
import nn
from engine.documents import Heading, Paragraph, Table

from .data import TITLES, beside_reported, hidden_layers, load
from .page import Compared, leave_page, usable
from .report import BAND, LINES, Shown, confusion_matrix, curves, learning, network_graph, picture, shares
from .studies import median_in_words, seeds_in_words, spread, study, watched
from .ten_digits import fit
from .verdicts import in_points, judged, networks

ARCHITECTURES = [[128, 64], [64], [128], [64, 32], [128, 64, 32]]  # hidden layers, the report's first
REPORTED: dict[int, float | str] = {150: 0.9, 250: "it over-fits"}  # after so many epochs
RATE, MOMENTUM, BATCH = 0.01, 0.9, 32
OVER_FITTING = 0.05  # by what share the validation loss is then above its lowest
SHOWN = 150  # images of each part whose layers are drawn
QUICK = {"seeds": 1, "epochs": 75}
SMALLEST = {"seeds": 1, "epochs": 2}


def train(
    seed: int, which: int, activation: str, epochs: int, data: str, data_dir: Path | None
) -> tuple[nn.MLP, nn.History, float]:
    """Train the architecture of a number, and return the network, its history and its accuracy on the test."""
    images = load(data, data_dir, seed=seed)
    pixels = images.x.shape[1]
    model = nn.MLP([pixels, *hidden_layers(ARCHITECTURES[which], pixels), len(images.classes)], activation, seed=seed)
    optimizer = nn.SGD(model.parameters(), RATE, momentum=MOMENTUM)
    history = fit(model, images, optimizer, epochs, BATCH, seed)
    return model, history, nn.accuracy(model(images.x_test), images.y_test)


def outputs(model: nn.MLP, x: np.ndarray) -> dict[str, np.ndarray]:
    """What goes into the network and what each of its layers makes of it, activations and softmax included."""
    found, value = {"pixels": x}, x
    with engine.no_grad():
        for number, layer in enumerate(range(0, len(model) - 1, 2), 1):
            value = model[layer : layer + 2](value)
            found[f"hidden layer {number}"] = np.asarray(value.data)
        found["output"] = np.asarray(engine.softmax(model[-1](value), axis=1).data)
    return found


def draw_layers(model: nn.MLP, parts: dict[str, tuple[np.ndarray, np.ndarray]], seed: int) -> Figure:
    """t-SNE of every layer's output for every part: near points were near in the layer; each is drawn as its class."""
    layers = {part: outputs(model, x[:SHOWN]) for part, (x, _) in parts.items()}
    names = list(layers["training"])
    figure = Shown(figsize=(3 * len(names), 3 * len(parts)), layout="constrained")
    figure.numbers = [("images", "layer", "class", "first direction", "second direction")]
    grid = figure.subplots(len(parts), len(names))
    places = [(row, column) for row in range(len(parts)) for column in range(len(names))]
    for row, column in watched(places, len(places), "maps"):
        part, axes = list(parts)[row], grid[row, column]
        x, y = layers[part][names[column]], parts[part][1][:SHOWN]
        tsne = TSNE(init="pca", perplexity=min(30, len(x) / 4), max_iter=300, random_state=seed)
        first, second = tsne.fit_transform(x).T
        figure.numbers += [(part, names[column], *point) for point in zip(y, first, second, strict=True)]
        for label in np.unique(y):
            colour = LINES[label % len(LINES)][0]
            axes.scatter(first[y == label], second[y == label], s=28, color=colour, marker=f"${label}$", linewidths=0.2)
        axes.set(xticks=[], yticks=[], title=names[column] if row == 0 else "", ylabel=part if column == 0 else "")
    figure.supxlabel("t-SNE, first direction (no unit)")
    figure.supylabel("t-SNE, second direction (no unit)")
    return figure


def overflow(z: float) -> list[str]:
    """The sigmoid as it is written in books, and the engine's, at one number."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plain = 1 / (1 + np.exp(-np.float64(z)))
    warning = str(caught[0].message) if caught else "none"
    return [f"{z:g}", f"{plain:g}", warning, f"{engine.sigmoid(z):g}"]


def compare(epoch: int, training: list[float], validation: list[float], rises: list[float]) -> Compared:
    """Put the accuracies after some epochs beside the report's; `rises` tell how many of the runs over-fit by then."""
    what, reported = (
        f"Validation accuracy after {epoch} epoch{'s' if epoch > 1 else ''}",
        REPORTED.get(epoch, "not given"),
    )
    beside = f"{in_points(float(np.median(validation) - np.median(training)))} beside training"
    words = f"{beside}; {np.sum(np.array(rises) > OVER_FITTING)} of {len(rises)} over-fit"
    if isinstance(reported, str):
        return Compared(what, reported, spread(validation), words)
    compared = judged(what, reported, validation)
    return compared._replace(verdict=f"{compared.verdict}; {words}")


def run(
    data: str = "digits",
    data_dir: Path | None = None,
    epochs: int = 250,
    seed: int = 0,
    seeds: int = 10,
    jobs: int = 1,
    out: Path = Path("runs/layers"),
) -> dict[str, list[tuple[nn.MLP, nn.History, float]]]:
    usable(out)
    common = {"activation": "sigmoid", "epochs": epochs, "data": data, "data_dir": data_dir}
    images = load(data, data_dir, seed=seed)
    pixels, classes = images.x.shape[1], len(images.classes)
    settings = {
        f"{[pixels, *hidden_layers(hidden, pixels), classes]}, sigmoid": common | {"which": which}
        for which, hidden in enumerate(ARCHITECTURES)
    }
    main = next(iter(settings))
    for activation in ("tanh", "ReLU"):
        settings[main.replace("sigmoid", activation)] = common | {"which": 0, "activation": activation.lower()}
    runs = study(train, settings, range(seed, seed + seeds), jobs)

    model = runs[main][0][0]
    moments = sorted({max(1, epochs * share // 5) for share in (1, 3, 5)})

    def at(epoch: int, figure: str, which: str = main) -> list[float]:
        return [history[figure][epoch - 1] for _, history, _ in runs[which]]

    def rise(epoch: int, which: str = main) -> list[float]:
        """By what share the validation loss is above its lowest until then."""
        losses = [history["validation_loss"][:epoch] for _, history, _ in runs[which]]
        return [each[-1] / min(each) - 1 for each in losses]

    compared = [
        compare(epoch, at(epoch, "accuracy"), at(epoch, "validation_accuracy"), rise(epoch)) for epoch in moments
    ]
    rows = [
        [
            which,
            f"{sum(parameter.size for parameter in results[0][0].parameters()):,}",
            spread(at(epochs, "accuracy", which)),
            spread(at(epochs, "validation_accuracy", which)),
            spread([accuracy for _, _, accuracy in results]),
            spread(rise(epochs, which)),
        ]
        for which, results in runs.items()
    ]
    parts = {
        "training": (images.x, images.y),
        "validation": (images.x_validation, images.y_validation),
        "test": (images.x_test, images.y_test),
    }
    leave_page(
        out,
        "C1: digits by sigmoid networks, layer by layer",
        "How long should a network of two sigmoid layers train? Do other sizes or activations do better? And what does "
        "each layer make of the images?",
        {
            "Data": f"{TITLES[data]}: {images.sizes}",
            "The report's data": beside_reported(data, "mnist"),
            "Network": f"{main}: softmax at the end, weights drawn uniformly after Glorot, or after He for ReLU",
            "Training": f"SGD, rate {RATE}, momentum {MOMENTUM}, batches of {BATCH}, {epochs} epochs, cross-entropy",
            "Seeds": seeds_in_words(seed, seeds),
        },
        compared,
        Heading("Over-fitting, and the overflow"),
        Paragraph(
            "The report calls 250 epochs over-fitting. A network over-fits once its validation loss rises while the "
            "training loss falls. We call it that where the validation loss is more than "
            f"{OVER_FITTING:.0%} above its lowest. After {epochs} epochs ours is {spread(rise(epochs))} above it; the "
            "table of architectures has that figure for every network, and the curves show both losses."
        ),
        Paragraph(
            "It also met “overflow encountered in exp” in its sigmoid. 1 / (1 + exp(−z)) overflows below z = −709.8 in "
            "double precision. The value is right all the same, as 1 / ∞ is 0, and the engine's sigmoid has it without "
            "a warning. What does harm is the logarithm of that 0 in a cross-entropy written on probabilities: "
            "nn.cross_entropy takes the logits themselves, and stays finite."
        ),
        Table(
            ["z", "1 / (1 + exp(−z))", "NumPy's warning", "engine.sigmoid(z)"],
            [overflow(z) for z in (-700, -800, 800)],
        ),
        Heading("Architectures and activations"),
        Table(
            ["Network", "Parameters", "Training accuracy", "Validation", "Test", "Validation loss above its lowest"],
            rows,
        ),
        picture(
            shares({which: at(epochs, "validation_accuracy", which) for which in runs}, "Validation accuracy"),
            out / "architectures.png",
            f"Validation accuracy after {epochs} epochs, {networks(seeds)} for each setting.",
        ),
        picture(
            curves(range(1, epochs + 1), learning(*[history for _, history, _ in runs[main]])),
            out / "curves.png",
            f"{main}: {median_in_words(seeds, BAND)}.",
        ),
        Heading("What every layer makes of the images"),
        picture(
            draw_layers(model, parts, seed),
            out / "maps.png",
            f"t-SNE of every layer for the first {SHOWN} images of each part; every image is drawn as its class. "
            "Only nearness has a meaning, directions and distances have none.",
        ),
        Heading("What is taken for what"),
        *[
            picture(
                confusion_matrix(y, model(x).data.argmax(axis=1), kind="class"),
                out / f"confusion_{part}.png",
                f"The {part} images, seed {seed}, in per cent of each true class.",
            )
            for part, (x, y) in parts.items()
        ],
        Heading("The network"),
        network_graph(model, nn.cross_entropy, images.x[:BATCH], images.y[:BATCH], out),
    )
    return runs
