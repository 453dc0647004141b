"""Convolutions: the same small affine map at every place."""

from __future__ import annotations

from typing import Any

import numpy as np

import engine
from engine import Tensor, errors

from ..data import as_generator
from ..initializers import Initializer
from ..module import Module
from .settings import (
    Seed,
    check_size,
    checked_shape,
    checked_sizes,
    described,
    drawn,
    shortest,
)  # fmt: skip

Sizes = int | tuple[int, ...]


class Convolution(Module):
    """The base of Conv1d and Conv2d, which say along which axes of `space` the window slides.

    `weight` has the shape `(out_channels, in_channels / groups, *kernel_size)`, as in PyTorch, and is drawn by
    `weight_init` like that of Linear; `bias` has the shape `(out_channels,)` and starts at zero, or is None.

    The settings are one whole number, or one for each axis: the window moves by `stride`, its entries lie `dilation`
    apart, and `padding` zeros stand on either side, or with "same" as many as keep the lengths at a stride of 1. With
    `groups`, the channels fall into that many which do not mix. Of n entries remain
    (n + 2·padding - dilation·(kernel_size - 1) - 1) // stride + 1: Dumoulin and Visin (2016).

    Raises ShapeError for sizes that are no whole numbers and groups that do not divide the channels, DomainError for
    "same" with another stride than 1.
    """

    space: tuple[str, ...] = ("length",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        weight_init: str | Initializer = "glorot_uniform",
        seed: Seed = None,
        dtype: Any = float,
    ) -> None:
        where = f"{type(self).__name__}({in_channels!r}, {out_channels!r}, {kernel_size!r})"
        for name, size in (("in_channels", in_channels), ("out_channels", out_channels), ("groups", groups)):
            check_size(size, name, where)
        if in_channels % groups or out_channels % groups:
            raise errors.ShapeError(
                f"{in_channels} and {out_channels} channels were to fall into {groups} groups. "
                f"{where} makes all groups equally large. Choose a number of groups that divides both."
            )
        axes = len(self.space)
        window = checked_sizes(kernel_size, axes, "kernel_size", where)
        self.stride = checked_sizes(stride, axes, "stride", where)
        self.dilation = checked_sizes(dilation, axes, "dilation", where)
        self.groups = groups
        if padding == "same" and max(self.stride) > 1:
            raise errors.DomainError(
                f'padding="same" was given with stride={stride!r}. {where} keeps the lengths only where the window '
                "moves by one. Give the padding as a number."
            )
        self.padding = padding if padding == "same" else checked_sizes(padding, axes, "padding", where, least=0)
        shape = (out_channels, in_channels // groups, *window)
        self.weight = drawn(weight_init, shape, as_generator(seed), dtype, where)
        self.bias = Tensor(np.zeros(out_channels), dtype=dtype) if bias else None

    def forward(self, x: Any) -> Tensor:
        """Return the convolution of `(batch, in_channels, *space)`, of shape `(batch, out_channels, *places)`."""
        checked_shape(x, ("batch", self.weight.shape[1] * self.groups, *self.space), self)
        padding: Any = self.padding
        if padding == "same":
            spare = [d * (k - 1) for d, k in zip(self.dilation, self.weight.shape[2:])]
            x = engine.pad(x, [(0, 0), (0, 0), *[(n // 2, n - n // 2) for n in spare]])
            padding = 0
        y = engine.convolution(
            x, self.weight, stride=self.stride, padding=padding, dilation=self.dilation, groups=self.groups
        )
        return y if self.bias is None else y + self.bias.reshape(-1, *[1] * len(self.space))

    def __repr__(self) -> str:
        outputs, inputs, *window = self.weight.shape
        sizes = {"in_channels": inputs * self.groups, "out_channels": outputs, "kernel_size": shortest(tuple(window))}
        moves = {name: shortest(getattr(self, name)) for name in ("stride", "padding", "dilation")}
        return described(self, **sizes, **moves, bias=self.bias is not None)


class Conv1d(Convolution):
    """Convolution along one axis, from `(batch, in_channels, length)` to `(batch, out_channels, places)`.

    See Convolution for the settings. Like PyTorch's it is a cross-correlation: the window is not reversed.

    >>> layer = Conv1d(2, 4, kernel_size=3, stride=2, padding=1, seed=0)
    >>> layer(np.ones((5, 2, 8))).shape, layer.weight.shape
    ((5, 4, 4), (4, 2, 3))
    """


class Conv2d(Convolution):
    """Convolution of images, from `(batch, in_channels, height, width)` to `(batch, out_channels, *places)`.

    See Convolution for the settings. Like PyTorch's it is a cross-correlation: the window is not reversed.

    >>> layer = Conv2d(3, 16, kernel_size=3, padding="same", seed=0)
    >>> layer(np.ones((8, 3, 32, 32))).shape, layer.weight.shape
    ((8, 16, 32, 32), (16, 3, 3, 3))
    """

    space = ("height", "width")
