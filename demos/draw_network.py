"""The loss of a small network as a picture, and as a page that plays the forward values and the backward sweep."""

from pathlib import Path
from typing import Any

import numpy as np

import nn
from engine import Tensor, draw, errors, label
from engine.documents import Document, Paragraph

from .page import links, usable

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([[0.0], [1.0], [1.0], [0.0]])  # exclusive or


def drawings(seed: int) -> dict[str, Any]:
    """The loss with everything on it, and a deep network whose equal layers are drawn once."""
    model = nn.MLP([2, 3, 1], activation="tanh", seed=seed)
    W1, b1, W2, b2 = model.parameters()
    x = Tensor(X, requires_grad=False)
    loss = nn.mse_loss(model(x), y)
    label(x=x, W1=W1, b1=b1, W2=W2, b2=b2, loss=loss)

    deep = nn.MLP([2, *[16] * 12, 1], activation="tanh", seed=seed)
    deep_loss = nn.mse_loss(deep(x), y)
    label(loss=deep_loss)
    return {"loss": draw(loss, derivatives=True), "layers": draw(deep_loss, depth=1, theme="dark")}


def run(seed: int = 0, out: Path = Path("runs/draw_network")) -> dict[str, Any]:
    usable(out)
    found = drawings(seed)
    print(f"{found['loss']}\n")
    for name, drawing in found.items():
        for suffix in ("html", "svg", "png"):
            path = out / f"{name}.{suffix}"
            try:
                drawing.save(path)
            except errors.MissingExtraError as error:
                print(f"No {path}: {error}")
    index = Document(
        "Drawings of networks",
        Paragraph(
            "Two networks that are to learn exclusive or, before training, with first weights that "
            f"python -m demos draw_network --seed {seed} draws. The pages play the forward values and the backward "
            "sweep; the same stands beside them as pictures, SVG and PNG."
        ),
        links(
            {
                "loss": "2 → 3 → 1 units: every value, gradient and local derivative",
                "layers": "13 layers, those that are equal drawn once",
            }
        ),
    )
    index.save(out / "index.html")
    print(f"Open {out / 'index.html'}")
    return found
