"""The affine map."""

from __future__ import annotations

from typing import Any

import numpy as np

import engine
from engine import Tensor

from ..data import as_generator
from ..initializers import Initializer
from ..module import Module
from .settings import Seed, check_size, described, drawn


class Linear(Module):
    """Affine map x @ weight.T + bias, from `(..., in_features)` to `(..., out_features)`.

    `weight` has the shape `(out_features, in_features)`, as in PyTorch, and is drawn by `weight_init`, the name of an
    initialiser or a function `(shape, rng) -> array`; `bias` has the shape `(out_features,)` and starts at zero, or is
    None. `seed` is an int, or a `numpy.random.Generator` that several layers share.

    Parameters are float64 unless `dtype` says otherwise, as NumPy's arrays, scikit-learn's models and the engine's own
    tensors are. float64 inputs of a float32 layer are computed in float64, as in NumPy; its gradients are float32.

    Raises ShapeError for sizes that are no whole numbers and weights of another shape, DomainError for an unknown
    initialiser, DataError for a dtype that is not of floats.

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
        where = f"Linear({in_features!r}, {out_features!r})"
        for name, size in (("in_features", in_features), ("out_features", out_features)):
            check_size(size, name, where)
        self.weight = drawn(weight_init, (out_features, in_features), as_generator(seed), dtype, where)
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
        return affine(x, self.weight, self.bias)

    def __repr__(self) -> str:
        return described(self, bias=self.bias is not None)


def affine(x: Any, weight: Any, bias: Any) -> Any:
    """Return x @ weight.T + bias, of shape `(..., out_features)`; a bias may be None."""
    return engine.matmul(x, weight.T) if bias is None else engine.linear(x, weight, bias)
