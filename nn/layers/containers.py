"""Modules made of others: one after the other, or beside their input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from reprlib import recursive_repr
from typing import Any

import numpy as np

from engine import errors

from ..data import as_generator
from ..initializers import Initializer
from ..module import Module, tree
from .activations import chosen_activation, initializer_before
from .linear import Linear
from .settings import Seed, check_size


class Sequential(Module):
    """Modules one after the other, each given what the one before it returned; plain functions may stand among them.

    Their parameters are called `0.weight`, `0.bias`, `2.weight` and so on, as in PyTorch. Raises DataError for a part
    that is neither a module nor a function.

    >>> from nn import ReLU
    >>> model = Sequential(Linear(2, 4, seed=0), ReLU(), Linear(4, 1, seed=1))
    >>> model(np.ones((5, 2))).shape, [name for name, _ in model.named_parameters()]
    ((5, 1), ['0.weight', '0.bias', '2.weight', '2.bias'])
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for layer in layers:
            if not callable(layer) or isinstance(layer, type):
                raise errors.DataError(
                    f"Sequential was given {layer!r}. Its parts are modules, or functions of one input. "
                    "Write them one by one and make each of them, as in Sequential(Linear(2, 1), ReLU())."
                )
        self.layers = list(layers)

    def _attributes(self) -> Iterable[tuple[str, Any]]:
        # Without "layers." before each name.
        yield from ((str(position), layer) for position, layer in enumerate(self.layers))
        yield from ((name, part) for name, part in vars(self).items() if part is not self.layers)

    def forward(self, x: Any) -> Any:
        """Return what the last layer makes of x."""
        for layer in self.layers:
            x = layer(x)
        return x

    @recursive_repr()
    def __repr__(self) -> str:
        lines = [
            f"{position}: {repr(layer) if isinstance(layer, Module) else getattr(layer, '__name__', layer)}"
            for position, layer in enumerate(self.layers)
        ]
        return tree(self, lines)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def __getitem__(self, index: Any) -> Any:
        """Return one layer, or a Sequential of a slice of them, which shares their parameters."""
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]


class MLP(Sequential):
    """A multilayer perceptron: Linear layers of the given `sizes`, with an activation between each two.

    `MLP([784, 128, 10])` takes `(..., 784)` to `(..., 10)`. `activation` is a name, a class of modules, a module, of
    which every place gets a copy, or a function; `output_activation` is one for the end, for which there is none by
    default: losses take logits. Weights are drawn by `weight_init`: by default "he_uniform" before ReLU and what is
    shaped like it (leaky ReLU, ELU, GELU, SiLU), and "glorot_uniform" elsewhere. `seed` and `dtype` are Linear's.

    Raises ShapeError for sizes that are fewer than two or no whole numbers, DomainError for an unknown name.

    >>> model = MLP([2, 8, 1], activation="tanh", seed=0)
    >>> model
    MLP(
      0: Linear(2, 8)
      1: Tanh()
      2: Linear(8, 1)
    )
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Any = "relu",
        *,
        output_activation: Any = None,
        bias: bool = True,
        weight_init: str | Initializer | None = None,
        seed: Seed = None,
        dtype: Any = float,
    ) -> None:
        if not isinstance(sizes, list | tuple) or len(sizes) < 2:
            raise errors.ShapeError(
                f"MLP was given the sizes {sizes!r}. It needs at least the number of inputs and that of outputs. "
                "Write them as a list, as in MLP([784, 128, 10])."
            )
        for size in sizes:
            check_size(size, "one of the sizes", f"MLP({list(sizes)!r})")
        rng = as_generator(seed)
        layers: list[Any] = []
        for position, (before, after) in enumerate(pairwise(sizes)):
            last = position == len(sizes) - 2
            follows = output_activation if last else activation
            follows = None if follows is None else chosen_activation(follows)
            draw = weight_init or initializer_before(follows)
            layers.append(Linear(before, after, bias, weight_init=draw, seed=rng, dtype=dtype))
            if follows is not None:
                layers.append(follows)
        super().__init__(*layers)


class Residual(Sequential):
    """What layers one after the other add to their input, whose shape they keep: He, Zhang, Ren and Sun (2016).

    Its parameters are called as those of Sequential. Raises ShapeError where the layers return another shape.

    >>> from nn import ReLU
    >>> Residual(Linear(2, 2, seed=0), ReLU())(np.ones((5, 2))).shape
    (5, 2)
    """

    def forward(self, x: Any) -> Any:
        """Return x plus what the last layer makes of it, of the shape of x."""
        change = super().forward(x)
        if (before := np.shape(x)) != (after := np.shape(change)):
            raise errors.ShapeError(
                f"The layers of a Residual made shape {after} of shape {before}. "
                f"Their result is added to the input of {type(self).__name__}, entry by entry. "
                "Let its last layer return the shape that its first is given."
            )
        return x + change
