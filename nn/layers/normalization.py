"""Normalisation: numbers with mean 0 and variance 1, over the batch or over the features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import engine
from engine import Tensor, errors

from ..module import Module
from .settings import check_number, check_size, checked_dtype, checked_shape, described


class LayerNorm(Module):
    """Normalises the last axes, those of `normalized_shape`, of each example by itself: Ba, Kiros and Hinton (2016).

    y = (x - mean) / sqrt(var + eps) · weight + bias, from `(..., *normalized_shape)` to the same shape. `weight` and
    `bias` have the shape `normalized_shape`, or are None.

    Raises ShapeError for sizes that are no whole numbers and inputs of another shape, DomainError for a negative eps.

    >>> layer = LayerNorm(2)
    >>> layer([[1.0, 3.0], [10.0, 30.0]]).data.round(3)
    array([[-1.,  1.],
           [-1.,  1.]])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: Any = float,
    ) -> None:
        shape = tuple(normalized_shape) if isinstance(normalized_shape, list | tuple) else (normalized_shape,)
        for size in shape or (shape,):
            check_size(size, "one of the sizes", f"LayerNorm({normalized_shape!r})")
        check_number(eps, "eps", "LayerNorm")
        self.normalized_shape, self.eps = shape, eps
        dtype = checked_dtype(dtype)
        self.weight = Tensor(np.ones(shape), dtype=dtype) if elementwise_affine else None
        self.bias = Tensor(np.zeros(shape), dtype=dtype) if elementwise_affine and bias else None

    def forward(self, x: Any) -> Any:
        """Return x normalised over its last axes, of the shape of x, `(..., *normalized_shape)`."""
        checked_shape(x, ("...", *self.normalized_shape), self)
        axes = tuple(range(-len(self.normalized_shape), 0))
        centred = engine.subtract(x, engine.mean(x, axis=axes, keepdims=True))
        variance = engine.mean_square(centred, axis=axes, keepdims=True)
        return _scaled(centred / engine.sqrt(variance + self.eps), self.weight, self.bias)

    def __repr__(self) -> str:
        sizes = self.normalized_shape[0] if len(self.normalized_shape) == 1 else self.normalized_shape
        affine = self.weight is not None
        bias = self.bias is not None or not affine
        return described(self, normalized_shape=sizes, elementwise_affine=affine, bias=bias)


class BatchNorm(Module):
    """Normalises each feature over the batch, and over space where there is any: Ioffe and Szegedy (2015), algorithm 1.

    y = (x - mean) / sqrt(var + eps) · weight + bias, from `(batch, num_features, ...)` to the same shape. `weight` and
    `bias` have the shape `(num_features,)`, or are None.

    In training mode mean and variance are those of the batch, and the buffers `running_mean` and `running_var` (with
    n - 1 in its denominator, as in PyTorch) move towards them by the fraction `momentum`; None makes them the mean over
    all batches. In evaluation mode the buffers are used, so that an example does not depend on the others.

    Raises ShapeError in training mode for a batch with one number for each feature, which has no variance.

    >>> layer = BatchNorm(1)
    >>> layer([[1.0], [3.0]]).tolist(), layer.running_mean.tolist()
    ([[-0.999995...], [0.999995...]], [0.2])
    """

    ranks: tuple[int, ...] = ()  # how many axes an input may have; any number from 2 where it is not said

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        *,
        dtype: Any = float,
    ) -> None:
        name = type(self).__name__
        check_size(num_features, "num_features", f"{name}({num_features!r})")
        check_number(eps, "eps", name)
        if momentum is not None:
            check_number(momentum, "momentum", name, 1, included=True)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        dtype = checked_dtype(dtype)
        self.weight = Tensor(np.ones(num_features), dtype=dtype) if affine else None
        self.bias = Tensor(np.zeros(num_features), dtype=dtype) if affine else None
        self.running_mean = np.zeros(num_features, dtype)
        self.running_var = np.ones(num_features, dtype)
        self.num_batches_tracked = np.array(0)

    def forward(self, x: Any) -> Any:
        """Return x normalised feature by feature, of the shape of x, `(batch, num_features, ...)`."""
        shape = checked_shape(x, ("batch", self.num_features, "..."), self)
        if self.ranks and len(shape) not in self.ranks:
            raise errors.ShapeError(
                f"An input of shape {shape} was given to {self!r}. It takes {' or '.join(map(str, self.ranks))} axes. "
                f"Reshape the input, or write nn.BatchNorm({self.num_features}), which takes any number from 2."
            )
        count = math.prod(shape) // self.num_features
        if self.training and count < 2:
            raise errors.ShapeError(
                f"An input of shape {shape} was given to {self!r} in training mode. "
                "Fewer than two numbers for each feature have no variance. "
                "Give more rows, choose a batch_size that leaves no single row at the end, or call eval() first."
            )
        columns = (1, self.num_features, *[1] * (len(shape) - 2))
        if self.training:
            axes = (0, *range(2, len(shape)))
            mean = engine.mean(x, axis=axes, keepdims=True)
            centred = engine.subtract(x, mean)
            variance = engine.mean_square(centred, axis=axes, keepdims=True)
        else:  # a copy is recorded, because training writes into the buffer
            centred = engine.subtract(x, self.running_mean.reshape(columns).copy())
            variance = self.running_var.reshape(columns)
        weight, bias = (None if part is None else part.reshape(columns) for part in (self.weight, self.bias))
        y = _scaled(centred / engine.sqrt(variance + self.eps), weight, bias)
        if self.training:
            self._track(mean, variance * (count / (count - 1)))
        return y

    @np.errstate(all="ignore")
    def _track(self, mean: Any, variance: Any) -> None:
        """Move the buffers, in which others may hold them, towards the statistics of a batch."""
        self.num_batches_tracked += 1
        rate = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        for buffer, batch in ((self.running_mean, mean), (self.running_var, variance)):
            buffer += rate * (np.asarray(engine.detach(batch)).ravel() - buffer)

    def __repr__(self) -> str:
        return described(self, affine=self.weight is not None)


class BatchNorm1d(BatchNorm):
    """BatchNorm of `(batch, num_features)` or `(batch, num_features, length)`.

    Raises ShapeError for other inputs.

    >>> layer = BatchNorm1d(2)
    >>> layer([[1.0, 10.0], [3.0, 30.0]]).data.round(3)
    array([[-1., -1.],
           [ 1.,  1.]])
    """

    ranks = (2, 3)


class BatchNorm2d(BatchNorm):
    """BatchNorm of images, `(batch, num_features, height, width)`.

    Raises ShapeError for other inputs.

    >>> layer = BatchNorm2d(1)
    >>> layer([[[[1.0, 1.0], [3.0, 3.0]]]]).data.round(3)
    array([[[[-1., -1.],
             [ 1.,  1.]]]])
    """

    ranks = (4,)


def _scaled(x: Any, weight: Tensor | None, bias: Tensor | None) -> Any:
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias
