"""Small networks trained side by side, one for each seed: all of a study's seeds in one graph."""

import math
from collections.abc import Mapping, Sequence
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
        self,
        sizes: Sequence[int],
        seeds: Sequence[int],
        activation: Any = engine.sigmoid,
        bias: bool = True,
        dtype: Any = np.float64,
    ) -> None:
        draws = [np.random.default_rng([seed, 1]) for seed in seeds]  # others than those that draw the points
        shapes = list(pairwise(sizes))
        weights = [np.stack([rng.normal(size=shape) for rng in draws]).astype(dtype) for shape in shapes]
        biases = [np.zeros((len(seeds), 1, out), dtype) for _, out in shapes]
        self.activation = activation
        self.weights = [Tensor(weight, label=f"W{layer}") for layer, weight in enumerate(weights, 1)]
        self.biases = [Tensor(b, label=f"b{layer}") if bias else None for layer, b in enumerate(biases, 1)]

    def forward(self, x: Any) -> Tensor:
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ weight
            if bias is not None:
                x = x + bias
            x = self.activation(x) if layer < last else engine.sigmoid(x)
        return x[..., 0]


class Course(NamedTuple):
    """What training saw: epochs `(times,)`, the loss and the accuracy of each network `(times, seeds)`."""

    epochs: list[int]
    loss: np.ndarray
    accuracy: np.ndarray
    networks: Networks


def train(networks: Networks, x: np.ndarray, y: np.ndarray, rate: float, epochs: int, every: int = 1000) -> Course:
    """Gradient descent on the squared error, summed over the points: full batch, at one rate."""
    optimizer = nn.SGD(networks.parameters(), learning_rate=rate)
    y = np.broadcast_to(y, networks(x).shape).astype(x.dtype)
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


def settling_epochs(course: Course) -> np.ndarray:
    """The epoch from which on each network has no point wrong whenever that is seen; infinity where there is none."""
    since = (course.accuracy[::-1] == 1).cumprod(axis=0).sum(axis=0)  # how many of the last times it had none wrong
    return np.array([*course.epochs, math.inf])[len(course.epochs) - since]


def how_often_seen(course: Course) -> str:
    """In words, how often the accuracy was looked at."""
    every = course.epochs[1] - course.epochs[0]
    return "at every epoch" if every == 1 else f"every {every:,} epochs"


def worth_of_one_run(end: Mapping[str, np.ndarray]) -> str:
    """In words, what studies read off a single seed are worth."""
    widest = max(end, key=lambda name: float(np.ptp(end[name])))
    if len(end[widest]) == 1:
        return (
            "The report reads each figure off one run, and so does this page; with --seeds 10 it says what that hides."
        )
    if np.ptp(end[widest]) == 0:
        return "The report reads each figure off one run. Between our seeds no accuracy differs."
    return (
        f"The report reads each figure off one run. Between our seeds the accuracy differs most in the study "
        f"“{widest}”: a single run would have given anything from {end[widest].min():.1%} to {end[widest].max():.1%}."
    )


def network(networks: Networks, number: int = 0) -> Any:
    """One of the networks, as a function from points `(points, 2)` to its outputs `(points,)`."""

    def predict(x: np.ndarray) -> np.ndarray:
        with engine.no_grad():
            return networks(x).data[number]

    return predict
