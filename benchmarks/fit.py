"""nn.fit on scikit-learn's digits: 64-128-64-10, ReLU, cross-entropy, batches of 128 rows, Adam, whole epochs."""

from functools import cache
from itertools import pairwise

import numpy as np

from .contest import Contest
from .contestant import THREADS, Step

SIZES = (64, 128, 64, 10)
BATCH = 128
RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
EPOCHS = 5  # in one step: fit checks its data once


@cache
def data(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs (1797, 64), from 0 to 1, and the classes (1797,)."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(dtype), y


def parameters(dtype: str) -> list[np.ndarray]:
    """Return weight (out, in) and bias (out,) of each layer in turn."""
    rng = np.random.default_rng(1)
    arrays = []
    for before, after in pairwise(SIZES):
        arrays.append(rng.normal(scale=(2 / before) ** 0.5, size=(after, before)).astype(dtype))
        arrays.append(np.zeros(after, dtype))
    return arrays


class Ours:
    """nn.fit, with the optimiser kept from one call to the next."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def __call__(self) -> Step:
        import nn

        x, y = data(self.dtype)
        model = nn.MLP(SIZES, dtype=self.dtype)
        for parameter, array in zip(model.parameters(), parameters(self.dtype), strict=True):
            parameter.data = array
        adam = nn.Adam(model.parameters(), RATE, BETA1, BETA2, EPSILON)
        rng = np.random.default_rng(0)
        settings = {"epochs": EPOCHS, "batch_size": BATCH, "progress": False, "seed": rng}
        return lambda: nn.fit(model, x, y, loss=nn.cross_entropy, optimizer=adam, **settings)["loss"][-1]


class NumPy:
    """The loop that one would write by hand, with the derivatives worked out."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def __call__(self) -> Step:
        x, y = data(self.dtype)
        weights = parameters(self.dtype)
        means, squares = ([np.zeros_like(weight) for weight in weights] for _ in range(2))
        rng = np.random.default_rng(0)
        count = 0

        def batch(x: np.ndarray, y: np.ndarray) -> float:
            nonlocal count
            w1, b1, w2, b2, w3, b3 = weights
            h1 = np.maximum(x @ w1.T + b1, 0)
            h2 = np.maximum(h1 @ w2.T + b2, 0)
            logits = h2 @ w3.T + b3
            rows = np.arange(len(y))
            shifted = logits - logits.max(axis=1, keepdims=True)
            powers = np.exp(shifted)
            sums = powers.sum(axis=1, keepdims=True)
            loss = float(np.mean(np.log(sums[:, 0]) - shifted[rows, y]))
            g3 = powers / sums
            g3[rows, y] -= 1
            g3 /= len(y)
            g2 = (g3 @ w3) * (h2 > 0)
            g1 = (g2 @ w2) * (h1 > 0)
            gradients = [g1.T @ x, g1.sum(axis=0), g2.T @ h1, g2.sum(axis=0), g3.T @ h2, g3.sum(axis=0)]
            count += 1
            rate, correction = RATE / (1 - BETA1**count), 1 - BETA2**count
            for i, g in enumerate(gradients):
                means[i] = BETA1 * means[i] + (1 - BETA1) * g
                squares[i] = BETA2 * squares[i] + (1 - BETA2) * g * g
                weights[i] = weights[i] - rate * means[i] / (np.sqrt(squares[i] / correction) + EPSILON)
            return loss

        def step() -> float:
            for _ in range(EPOCHS):
                order, total = rng.permutation(len(x)), 0.0
                for start in range(0, len(x), BATCH):
                    rows = order[start : start + BATCH]
                    total += len(rows) * batch(x[rows], y[rows])
            return total / len(x)

        return step


class ScikitLearn:
    """MLPClassifier, which draws its own weights and order, so that its losses are its own."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def __call__(self) -> Step:
        import warnings

        from sklearn.neural_network import MLPClassifier

        warnings.simplefilter("ignore")  # it has not converged after so few epochs
        x, y = data(self.dtype)

        def step() -> float:
            model = MLPClassifier(
                SIZES[1:-1], batch_size=BATCH, max_iter=EPOCHS, alpha=0.0, learning_rate_init=RATE, random_state=0
            )
            return model.fit(x, y).loss_

        return step


class PyTorch:
    """The same loop in PyTorch, on rows taken from tensors."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def __call__(self) -> Step:
        import torch

        torch.set_num_threads(THREADS)
        torch.set_default_dtype(getattr(torch, self.dtype))
        x, y = map(torch.from_numpy, data(self.dtype))
        layers = [torch.nn.Linear(before, after) for before, after in pairwise(SIZES)]
        model = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
        for parameter, array in zip(model.parameters(), parameters(self.dtype), strict=True):
            parameter.data = torch.from_numpy(array)
        adam = torch.optim.Adam(model.parameters(), RATE, (BETA1, BETA2), EPSILON)
        cross_entropy = torch.nn.CrossEntropyLoss()
        rng = np.random.default_rng(0)

        def step() -> float:
            for _ in range(EPOCHS):
                order, total = torch.from_numpy(rng.permutation(len(x))), 0.0
                for start in range(0, len(x), BATCH):
                    rows = order[start : start + BATCH]
                    adam.zero_grad()
                    loss = cross_entropy(model(x[rows]), y[rows])
                    loss.backward()
                    adam.step()
                    total += len(rows) * loss.item()
            return total / len(x)

        return step


def run(rounds: int) -> list[dict]:
    goals = {"NumPy": 1.3, "sklearn": 1.0}
    return [
        Contest(
            f"fit, {dtype}: {__doc__}",
            {"ours": Ours(dtype), "NumPy": NumPy(dtype), "PyTorch": PyTorch(dtype), "sklearn": ScikitLearn(dtype)},
            steps=3,
            tolerance=tolerance,
            goals=goals,
            unchecked=frozenset({"sklearn"}),
        ).run(rounds)
        for dtype, tolerance in (("float32", 1e-2), ("float64", 1e-6))
    ]
