"""The same small network, data and weights in our library, in PyTorch and in HIPS autograd."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from .contestant import THREADS, Step


@dataclass(frozen=True)
class Task:
    """What to train: layer sizes, activation ("Sigmoid" or "ReLU"), rows, dtype; classes or plain targets."""

    sizes: tuple[int, ...]
    activation: str
    classify: bool
    rows: int
    dtype: str
    learning_rate: float

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (rows, sizes[0]) and targets: classes (rows,) or numbers (rows, sizes[-1])."""
        rng = np.random.default_rng(0)
        x = rng.random((self.rows, self.sizes[0])).astype(self.dtype)
        if self.classify:
            return x, rng.integers(self.sizes[-1], size=self.rows)
        return x, rng.random((self.rows, self.sizes[-1])).astype(self.dtype)

    def parameters(self) -> list[np.ndarray]:
        """Return weight (out, in) and bias (out,) of each layer in turn."""
        rng = np.random.default_rng(1)
        arrays = []
        for before, after in zip(self.sizes, self.sizes[1:], strict=False):
            arrays.append(rng.normal(scale=before**-0.5, size=(after, before)).astype(self.dtype))
            arrays.append(np.zeros(after, self.dtype))
        return arrays

    def layers(self, linear, activation) -> list:
        """Return linear(in, out) modules with an activation between each two."""
        layers = []
        for before, after in zip(self.sizes, self.sizes[1:], strict=False):
            layers += [linear(before, after), activation()]
        return layers[:-1]

    def ours(self) -> Step:
        import nn

        linear = partial(nn.Linear, dtype=self.dtype)
        model = nn.Sequential(*self.layers(linear, getattr(nn, self.activation)))
        for parameter, array in zip(model.parameters(), self.parameters(), strict=True):
            parameter.data = array
        loss = nn.cross_entropy if self.classify else nn.mse_loss
        optimizer = nn.SGD(model.parameters(), learning_rate=self.learning_rate)
        return training_step(model, loss, optimizer, *self.data())

    def pytorch(self) -> Step:
        import torch

        torch.set_num_threads(THREADS)
        torch.set_default_dtype(getattr(torch, self.dtype))
        model = torch.nn.Sequential(*self.layers(torch.nn.Linear, getattr(torch.nn, self.activation)))
        for parameter, array in zip(model.parameters(), self.parameters(), strict=True):
            parameter.data = torch.from_numpy(array)
        loss = torch.nn.CrossEntropyLoss() if self.classify else torch.nn.MSELoss()
        optimizer = torch.optim.SGD(model.parameters(), lr=self.learning_rate)
        return training_step(model, loss, optimizer, *map(torch.from_numpy, self.data()))

    def autograd(self) -> Step:
        """HIPS autograd has no modules: a classifier with ReLU in the style of its own examples."""
        import autograd.numpy as anp
        from autograd import value_and_grad
        from autograd.tracer import getval

        x, classes = self.data()
        parameters = self.parameters()
        rows = np.arange(self.rows)

        def cross_entropy(parameters):
            h = x
            for weight, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
                h = anp.maximum(anp.dot(h, weight.T) + bias, 0)
            logits = anp.dot(h, parameters[-2].T) + parameters[-1]
            shifted = logits - getval(logits).max(axis=1, keepdims=True)
            return anp.mean(anp.log(anp.sum(anp.exp(shifted), axis=1)) - shifted[rows, classes])

        loss_and_gradients = value_and_grad(cross_entropy)

        def step() -> float:
            nonlocal parameters
            loss, gradients = loss_and_gradients(parameters)
            parameters = [p - self.learning_rate * g for p, g in zip(parameters, gradients, strict=True)]
            return float(loss)

        return step


def training_step(model, criterion, optimizer, x, y) -> Step:
    """The step that ours and PyTorch share to the letter."""

    def step() -> float:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
