"""Small networks trained side by side, one for each seed: all of a study's seeds in one graph."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import engine
import nn
from engine import Tensor


class Networks(nn.Module):
    """As many networks as seeds, with sigmoid outputs: `(seeds, points, 2)` to `(seeds, points)`.

    Their weights stand in one tensor for each layer, `(seeds, in, out)`, normal with standard deviation 1. What one
    network computes does not depend on the others, and neither do its gradients.
    """

    def __init__(
        self, sizes: Sequence[int], seeds: Sequence[int], activation: Any = engine.sigmoid, bias: bool = True
    ) -> None:
        draws = [np.random.default_rng([seed, 1]) for seed in seeds]  # others than those that draw the points
        shapes = list(pairwise(sizes))
        self.activation = activation
        self.weights = [Tensor(np.stack([rng.normal(size=shape) for rng in draws])) for shape in shapes]
        self.biases = [Tensor(np.zeros((len(seeds), 1, out))) for _, out in shapes] if bias else [0.0] * len(shapes)

    def forward(self, x: Any) -> Tensor:
        *hidden, last = zip(self.weights, self.biases, strict=True)
        for weight, bias in hidden:
            x = self.activation(x @ weight + bias)
        weight, bias = last
        return engine.sigmoid(x @ weight + bias)[..., 0]


class Course(NamedTuple):
    """What training saw: epochs `(times,)`, the loss and the accuracy of each network `(times, seeds)`."""

    epochs: list[int]
    loss: np.ndarray
    accuracy: np.ndarray
    networks: Networks


def train(networks: Networks, x: np.ndarray, y: np.ndarray, rate: float, epochs: int, every: int = 1000) -> Course:
    """Gradient descent on the squared error, summed over the points: full batch, at one rate."""
    optimizer = nn.SGD(networks.parameters(), learning_rate=rate)
    y = np.broadcast_to(y, networks(x).shape)
    seen = []
    for epoch in range(epochs + 1):
        output = networks(x)
        loss = nn.mse_loss(output, y, reduction="sum")
        if epoch % every == 0 or epoch == epochs:
            errors = (output.data - y) ** 2
            seen.append((epoch, errors.sum(axis=1), ((output.data > 0.5) == y).mean(axis=1)))
        if epoch < epochs:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    times, losses, accuracies = zip(*seen, strict=True)
    return Course(list(times), np.array(losses), np.array(accuracies), networks)


def at_end(course: Course) -> np.ndarray:
    """The accuracy of each network after the last epoch."""
    return course.accuracy[-1]


def first_at(course: Course) -> str:
    """In words, from which epoch on half of the networks have no point wrong."""
    epochs = [epoch for epoch, accuracy in zip(course.epochs, course.accuracy, strict=True) if np.median(accuracy) == 1]
    return f", half of them from epoch {epochs[0]:,} on" if epochs else ""


def network(networks: Networks, number: int = 0) -> Any:
    """One of the networks, as a function from points `(points, 2)` to its outputs `(points,)`."""

    def predict(x: np.ndarray) -> np.ndarray:
        with engine.no_grad():
            return networks(x).data[number]

    return predict
