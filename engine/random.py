"""A seeded generator whose draws are recorded: a graph that is evaluated again draws again."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import primitives as table
from .errors import DomainError
from .graph import Node

Size = int | tuple[int, ...]


class Generator:
    """Random draws as tensors; `loc`, `scale`, `low` and `high` may be nodes, and gradients flow to them."""

    __slots__ = ("_generator",)

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def standard_normal(self, size: Size = ()) -> Any:
        """Draw from the normal distribution with mean 0 and standard deviation 1."""
        return table.standard_normal(generator=self._generator, size=size)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Size | None = None) -> Any:
        """Draw from the normal distribution with mean `loc` and standard deviation `scale`, one draw for each entry."""
        draws = self.standard_normal(_common_shape(loc, scale) if size is None else size)
        return table.add(loc, table.multiply(scale, draws))

    def random(self, size: Size = ()) -> Any:
        """Draw evenly from the interval [0, 1)."""
        return table.standard_uniform(generator=self._generator, size=size)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Size | None = None) -> Any:
        """Draw evenly from the interval [low, high), one draw for each entry."""
        draws = self.random(_common_shape(low, high) if size is None else size)
        return table.add(low, table.multiply(table.subtract(high, low), draws))

    def integers(self, low: int, high: int | None = None, size: Size = ()) -> Any:
        """Draw evenly from the integers low, ..., high - 1, or 0, ..., low - 1 if `high` is left out."""
        if high is None:
            low, high = 0, low
        return table.standard_integers(generator=self._generator, low=low, high=high, size=size)

    def bernoulli(self, p: Any = 0.5, size: Size | None = None) -> Any:
        """Draw booleans that hold with probability `p`, one for each entry: what a dropout keeps.

        Raises DomainError for what is no probability.
        """
        given = np.asarray(p._value if isinstance(p, Node) else p)
        if not ((given >= 0) & (given <= 1)).all():
            raise DomainError(
                f"bernoulli was given p={p!r}. It is the probability with which each entry holds. "
                "Give a number, or an array of them, from 0 to 1."
            )
        draws = self.random(_common_shape(p, 0.0) if size is None else size)
        return table.less(draws, p)

    def permutation(self, n: int) -> Any:
        """Draw an order of the integers 0, ..., n - 1."""
        return table.standard_permutation(generator=self._generator, n=n)


def _common_shape(x: Any, y: Any) -> tuple[int, ...]:
    return np.broadcast_shapes(*[np.shape(z._value if isinstance(z, Node) else z) for z in (x, y)])


def default_rng(seed: int | None = None) -> Generator:
    """Return a generator seeded like `numpy.random.default_rng(seed)`, with the same draws.

    >>> import engine
    >>> rng = engine.random.default_rng(0)
    >>> bool(rng.normal(size=3).data[0] == np.random.default_rng(0).normal(size=3)[0])
    True
    """
    return Generator(np.random.default_rng(seed))
