"""A network learns to read scanned digits, and shows how well it reads those it has never seen."""

import time
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import nn

from .report import Page, confusion_matrix, curves

QUICK = {"epochs": 5}


def run(epochs: int = 40, seed: int = 0, out: Path = Path("runs/digits")) -> dict[str, float]:
    page = Page("Scanned digits", out)

    images, digits = load_digits(return_X_y=True)
    images = images / 16  # grey levels from 0 to 16
    x, x_test, y, y_test = train_test_split(images, digits, test_size=0.2, stratify=digits, random_state=seed)
    x, x_validation, y, y_validation = train_test_split(x, y, test_size=0.15, stratify=y, random_state=seed)

    model = nn.MLP([64, 128, 64, 10], activation="relu", seed=seed)
    optimizer = nn.Adam(model.parameters(), learning_rate=1e-3)
    start = time.perf_counter()
    history = nn.fit(
        model, x, y, loss=nn.cross_entropy, optimizer=optimizer, epochs=epochs, batch_size=32,
        validation=(x_validation, y_validation), metrics=[nn.accuracy], seed=seed,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    figures = nn.evaluate(model, x_test, y_test, loss=nn.cross_entropy, metrics=[nn.accuracy])
    guesses = model(x_test).data.argmax(axis=1)
    right = int((guesses == y_test).sum())
    result = f"{right} of {len(y_test)} digits that it had never seen read correctly: {figures['accuracy']:.1%}."
    ...
    print(result)
    print(f"The page and its pictures: {page.save()}")
    return figures
