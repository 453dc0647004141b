"""Layers: the affine map, activations, and modules one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from reprlib import recursive_repr
from typing import Any

import numpy as np

import engine
from engine import Tensor, errors

from .initializers import INITIALIZERS, Initializer, chosen
from .module import Module, tree

Seed = int | np.random.Generator | None


class Linear(Module):
    """Affine map x @ weight.T + bias, from `(..., in_features)` to `(..., out_features)`.

    `weight` has the shape `(out_features, in_features)`, as in PyTorch, and is drawn by `weight_init`, the name of an
    initialiser or a function `(shape, rng) -> array`; `bias` has the shape `(out_features,)` and starts at zero, or is
    None. `seed` is an int, or a `numpy.random.Generator` that several layers share.

    Parameters are float64 unless `dtype` says otherwise, as NumPy's arrays, scikit-learn's models and the engine's own
    tensors are. float64 inputs of a float32 layer are computed in float64, as in NumPy; its gradients are float32.

    >>> layer = Linear(3, 2, seed=0)
    >>> layer(np.ones((5, 3))).shape, layer.weight.shape, layer.bias.shape
    ((5, 2), (2, 3), (2,))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        weight_init: str | Initializer = "glorot_uniform",
        seed: Seed = None,
        dtype: Any = float,
    ) -> None:
        for name, size in (("in_features", in_features), ("out_features", out_features)):
            _check_size(size, name, f"Linear({in_features!r}, {out_features!r})")
        shape = (out_features, in_features)
        weight = np.asarray(chosen(weight_init, INITIALIZERS, "weight_init")(shape, np.random.default_rng(seed)))
        if weight.shape != shape:
            raise errors.ShapeError(
                f"weight_init={weight_init!r} returned an array of shape {weight.shape}. "
                f"It initialises the weight of Linear({in_features}, {out_features}). "
                f"Return an array of the shape that it is given, here {shape}."
            )
        self.weight = Tensor(weight, dtype=_checked_dtype(dtype))
        self.bias = Tensor(np.zeros(out_features), dtype=dtype) if bias else None

    @property
    def in_features(self) -> int:
        """The length of the last axis of the input."""
        return self.weight.shape[1]

    @property
    def out_features(self) -> int:
        """The length of the last axis of the output."""
        return self.weight.shape[0]

    def forward(self, x: Any) -> Tensor:
        """Return x @ weight.T + bias, of shape `(..., out_features)`."""
        if self.bias is None:
            return engine.matmul(x, self.weight.T)
        return engine.linear(x, self.weight, self.bias)

    def __repr__(self) -> str:
        bias = "" if self.bias is not None else ", bias=False"
        dtype = "" if self.weight.dtype == float else f", dtype={str(self.weight.dtype)!r}"
        return f"Linear({self.in_features}, {self.out_features}{bias}{dtype})"


class ReLU(Module):
    """max(0, x), elementwise."""

    def forward(self, x: Any) -> Any:
        """Return engine.relu(x), of the shape of x."""
        return engine.relu(x)


class LeakyReLU(Module):
    """x where it is positive and slope·x elsewhere."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Any) -> Any:
        """Return engine.leaky_relu(x), of the shape of x."""
        return engine.leaky_relu(x, slope=self.slope)

    def __repr__(self) -> str:
        return f"LeakyReLU({self.slope})"


class Sigmoid(Module):
    """1 / (1 + exp(-x)), elementwise."""

    def forward(self, x: Any) -> Any:
        """Return engine.sigmoid(x), of the shape of x."""
        return engine.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent, elementwise."""

    def forward(self, x: Any) -> Any:
        """Return engine.tanh(x), of the shape of x."""
        return engine.tanh(x)


class Softplus(Module):
    """log(1 + exp(x)), elementwise."""

    def forward(self, x: Any) -> Any:
        """Return engine.softplus(x), of the shape of x."""
        return engine.softplus(x)


class Softmax(Module):
    """exp(x) over its sum along an axis: probabilities. `cross_entropy` wants the logits before it."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        """Return engine.softmax(x), of the shape of x."""
        return engine.softmax(x, axis=self.axis)


class Identity(Module):
    """x itself: where a module is expected and nothing is to be done."""

    def forward(self, x: Any) -> Any:
        """Return x."""
        return x


ACTIVATIONS: dict[str, type[Module]] = {
    "identity": Identity,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "softplus": Softplus,
    "softmax": Softmax,
}
"""The activations that may be chosen by name."""


class Sequential(Module):
    """Modules one after the other, each given what the one before it returned; plain functions may stand among them.

    Their parameters are called `0.weight`, `0.bias`, `2.weight` and so on, as in PyTorch.

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

    `MLP([784, 128, 10])` takes `(..., 784)` to `(..., 10)`. `activation` is a name, a module, a class of modules or a
    function; `output_activation` is one for the end, for which there is none by default: losses take logits.
    Weights are drawn by `weight_init`: by default "he_uniform" before rectifiers and "glorot_uniform" elsewhere.
    `seed` and `dtype` are those of Linear.

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
            _check_size(size, "one of the sizes", f"MLP({list(sizes)!r})")
        rng = np.random.default_rng(seed)
        layers: list[Any] = []
        for position, (before, after) in enumerate(pairwise(sizes)):
            last = position == len(sizes) - 2
            follows = output_activation if last else activation
            follows = None if follows is None else _activation(follows)
            draw = weight_init or ("he_uniform" if isinstance(follows, ReLU | LeakyReLU) else "glorot_uniform")
            layers.append(Linear(before, after, bias, weight_init=draw, seed=rng, dtype=dtype))
            if follows is not None:
                layers.append(follows)
        super().__init__(*layers)


def _activation(choice: Any) -> Any:
    choice = chosen(choice, ACTIVATIONS, "an activation")
    return choice() if isinstance(choice, type) else choice


def _check_size(size: Any, name: str, where: str) -> None:
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise errors.ShapeError(
            f"{size!r} was given as {name}. It counts entries in {where}. Give a whole number of at least 1."
        )


def _checked_dtype(dtype: Any) -> np.dtype:
    """A floating-point dtype, or an error."""
    result = np.dtype(dtype)
    if result.kind != "f":
        raise errors.DataError(
            f"dtype={dtype!r} was asked of a layer. Only floating-point parameters can be trained. "
            "Write dtype='float32' or dtype='float64'."
        )
    return result
