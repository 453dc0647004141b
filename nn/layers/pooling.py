"""Pooling: one number for each window; and all axes in one, which classifiers want."""

from __future__ import annotations

import math
from typing import Any

import engine
from engine import errors

from ..module import Module
from .convolution import Sizes
from .settings import check_axis, checked_shape, checked_sizes, described, shape_of, shortest


class Pooling(Module):
    """The base of the pooling layers, which write `forward` and say which axes of space they take.

    Windows of `kernel_size` lie side by side, or `stride` apart, and may reach over the edge by `padding`. The settings
    are one whole number, or one for each axis.

    Raises ShapeError for other settings and, when it is called, for inputs of another shape; DomainError for a padding
    of more than half a window.
    """

    space: tuple[str, ...] = ("length",)

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        where, axes = f"{type(self).__name__}({kernel_size!r})", len(self.space)
        self.kernel_size = checked_sizes(kernel_size, axes, "kernel_size", where)
        self.stride = self.kernel_size if stride is None else checked_sizes(stride, axes, "stride", where)
        self.padding = checked_sizes(padding, axes, "padding", where, least=0)

    def _checked(self, x: Any) -> Any:
        checked_shape(x, ("batch", "channels", *self.space), self)
        return x

    def __repr__(self) -> str:
        stride = None if self.stride == self.kernel_size else shortest(self.stride)
        kernel_size, padding = shortest(self.kernel_size), shortest(self.padding)
        return described(self, kernel_size=kernel_size, stride=stride, padding=padding)


class MaxPool1d(Pooling):
    """The largest number of each window, from `(batch, channels, length)` to `(batch, channels, places)`.

    Equal ones share the gradient. What lies over the edge is never the largest. See Pooling for the settings.

    >>> MaxPool1d(2)([[[1.0, 3.0, 2.0, 0.0]]]).tolist()
    [[[3.0, 2.0]]]
    """

    def forward(self, x: Any) -> Any:
        """Return the largest numbers, of shape `(batch, channels, *places)` for x of `(batch, channels, *space)`."""
        return engine.max_pool(self._checked(x), self.kernel_size, stride=self.stride, padding=self.padding)


class MaxPool2d(MaxPool1d):
    """The largest number of each window, from `(batch, channels, height, width)` to `(batch, channels, *places)`.

    >>> MaxPool2d(2)([[[[1.0, 3.0, 2.0, 0.0], [5.0, 4.0, 0.0, 1.0]]]]).tolist()
    [[[[5.0, 2.0]]]]
    """

    space = ("height", "width")


class AvgPool1d(Pooling):
    """The mean of each window, from `(batch, channels, length)` to `(batch, channels, places)`.

    What lies over the edge counts as zero, as in PyTorch. See Pooling for the settings.

    >>> AvgPool1d(2)([[[1.0, 3.0, 2.0, 0.0]]]).tolist()
    [[[2.0, 1.0]]]
    """

    def forward(self, x: Any) -> Any:
        """Return the means, of shape `(batch, channels, *places)` for x of `(batch, channels, *space)`."""
        return engine.average_pool(self._checked(x), self.kernel_size, stride=self.stride, padding=self.padding)


class AvgPool2d(AvgPool1d):
    """The mean of each window, from `(batch, channels, height, width)` to `(batch, channels, *places)`.

    >>> AvgPool2d(2)([[[[1.0, 3.0, 2.0, 0.0], [5.0, 3.0, 1.0, 1.0]]]]).tolist()
    [[[[3.0, 1.0]]]]
    """

    space = ("height", "width")


class Flatten(Module):
    """The axes from `start_dim` to `end_dim` in one, from `(batch, ...)` to `(batch, features)`.

    Raises DomainError for axes that are no whole numbers, ShapeError for an input that does not have them.

    >>> Flatten()([[[1.0, 2.0], [3.0, 4.0]]]).tolist()
    [[1.0, 2.0, 3.0, 4.0]]
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        check_axis(start_dim, "start_dim", "Flatten")
        check_axis(end_dim, "end_dim", "Flatten")
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        """Return the entries of x in the same order, of shape `(batch, features)` for x of `(batch, ...)`."""
        shape = shape_of(x)
        start, end = (axis + len(shape) if axis < 0 else axis for axis in (self.start_dim, self.end_dim))
        if not 0 <= start <= end < len(shape):
            raise errors.ShapeError(
                f"An input of shape {shape} was given to {self!r}. It has no axes from {self.start_dim} to "
                f"{self.end_dim}. Give an input with more axes, or name others."
            )
        return engine.reshape(x, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))

    def __repr__(self) -> str:
        return described(self)
