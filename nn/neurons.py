"""Neurons on single numbers: micrograd's `Neuron`, `Layer` and `MLP`, with its arguments and its random draws.

After A. Karpathy's micrograd. `random.seed(n)` gives the same weights as there.

>>> import random
>>> random.seed(1337)
>>> model = MLP(2, [4, 1])
>>> len(model.parameters())
17
>>> score = model([1.0, -2.0])
>>> score.backward()
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from engine import Value, errors

from . import module


class Module(module.Module):
    """The base of the three: a module whose gradients start from 0.0, so that they can be used before backward()."""

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to 0.0, but for those that are frozen."""
        for parameter in self.parameters():
            parameter.grad = 0.0 if parameter.requires_grad else None


class Neuron(Module):
    """A weighted sum of `nin` inputs and a bias, through relu if `nonlin`."""

    def __init__(self, nin: int, nonlin: bool = True) -> None:
        self.w = [Value(random.uniform(-1, 1)) for _ in range(nin)]
        self.b = Value(0)
        self.nonlin = nonlin

    def forward(self, x: Sequence[Any]) -> Value:
        """Return one Value for `nin` numbers or Values."""
        if len(x) != len(self.w):
            raise errors.ShapeError(
                f"{self!r} was given {len(x)} inputs. It has one weight for each input, {len(self.w)} in all. "
                f"Give it {len(self.w)} numbers, or make a layer with nin={len(x)}."
            )
        total = sum((w * number for w, number in zip(self.w, x, strict=True)), self.b)
        return total.relu() if self.nonlin else total

    def __repr__(self) -> str:
        return f"{'ReLU' if self.nonlin else 'Linear'}Neuron({len(self.w)})"


class Layer(Module):
    """`nout` neurons with the same `nin` inputs; settings such as `nonlin` are those of Neuron."""

    def __init__(self, nin: int, nout: int, **kwargs: Any) -> None:
        self.neurons = [Neuron(nin, **kwargs) for _ in range(nout)]

    def forward(self, x: Sequence[Any]) -> Any:
        """Return a list of one Value for each neuron, or the Value of the only one."""
        outputs = [neuron(x) for neuron in self.neurons]
        return outputs[0] if len(outputs) == 1 else outputs

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """Layers of the sizes `nouts`, rectified except for the last one."""

    def __init__(self, nin: int, nouts: list[int]) -> None:
        sizes = [nin, *nouts]
        last = len(nouts) - 1
        self.layers = [Layer(sizes[i], sizes[i + 1], nonlin=i != last) for i in range(len(nouts))]

    def forward(self, x: Any) -> Any:
        """Return the output of the last layer: a list of Values, or the only one."""
        for layer in self.layers:
            x = layer([x] if isinstance(x, Value) else x)  # after a layer of one neuron
        return x

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"
