"""A network learns to read scanned digits, and shows how well it reads those it has never seen.

Its size, rate and epochs were chosen by the validation digits of ten seeds, never by the test digits.
"""

from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import nn
from engine.documents import Document, Heading, Paragraph, Table

from .page import usable
from .report import confusion_matrix, curves, picture

QUICK = {"epochs": 5}


def run(epochs: int = 40, seed: int = 0, out: Path = Path("runs/digits")) -> dict[str, float]:
    usable(out)

    images, digits = load_digits(return_X_y=True)
    images = images / 16  # grey levels from 0 to 16
    x, x_test, y, y_test = train_test_split(images, digits, test_size=0.2, stratify=digits, random_state=seed)
    x, x_validation, y, y_validation = train_test_split(x, y, test_size=0.15, stratify=y, random_state=seed)

    sizes, batch_size = [64, 128, 64, 10], 32
    model = nn.MLP(sizes, activation="relu", seed=seed)
    optimizer = nn.Adam(model.parameters(), learning_rate=0.002)
    history = nn.fit(
        model,
        x,
        y,
        loss=nn.cross_entropy,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=batch_size,
        validation=(x_validation, y_validation),
        metrics=[nn.accuracy],
        seed=seed,
    )
    figures = nn.evaluate(model, x_test, y_test, loss=nn.cross_entropy, metrics=[nn.accuracy])
    guesses = model(x_test).data.argmax(axis=1)
    wrong = int((guesses != y_test).sum())
    result = f"{figures['accuracy']:.1%} of the test digits are read correctly: {wrong} of {len(y_test)} are not."

    settings = {
        "Data": f"scikit-learn's load_digits: {len(digits):,} scans of 8 × 8 pixels, ten digits",
        "Split": f"{len(x):,} to learn from, {len(x_validation)} for validation, {len(x_test)} for the test; "
        "the same share of each digit in all three",
        "Network": f"{' → '.join(map(str, sizes))} units, ReLU between the layers, "
        f"{sum(parameter.size for parameter in model.parameters()):,} parameters",
        "Loss": "cross-entropy of the softmax",
        "Optimiser": f"Adam, learning rate {optimizer.learning_rate}",
        "Length": f"{epochs} epochs in batches of {batch_size}",
        "Seed": f"{seed}, for the split, the first weights and the order of the batches",
        "Again": f"python -m demos digits --epochs {epochs} --seed {seed}",
    }
    panels = {
        "Cross-entropy (nats)": {"training": history["loss"], "validation": history["validation_loss"]},
        "Digits read correctly (%)": {
            "training": [100 * share for share in history["accuracy"]],
            "validation": [100 * share for share in history["validation_accuracy"]],
        },
    }
    report = Document(
        "Reading scanned digits",
        Heading("What was asked"),
        Paragraph(
            "How well does a small network read handwritten digits that it has never seen? It learns from some of "
            "them, is watched on others (validation), and is judged once, at the end, on the test digits."
        ),
        Heading("Settings"),
        Table(["Setting", "Here"], list(settings.items())),
        Heading("Result"),
        Paragraph(result),
        picture(
            curves(history.epochs, panels),
            out / "curves.png",
            "Loss and accuracy by epoch: on the training digits while it learns from them, on the others after it.",
        ),
        picture(
            confusion_matrix(y_test, guesses, kind="digit"),
            out / "confusion.png",
            "What the test digits were taken for, in per cent of each true digit: a row adds up to 100; empty means 0.",
        ),
    )
    report.save(out / "index.html")
    print(result)
    print(f"Open {out / 'index.html'}")
    return figures
