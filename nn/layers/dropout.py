"""Dropout: noise while training, nothing afterwards."""

from __future__ import annotations

from typing import Any

import engine

from ..data import as_generator
from ..module import Module
from .settings import Seed, check_number, described, shape_of


class Dropout(Module):
    """Sets each entry to 0 with probability `p` and divides the others by 1 - p, in training mode only.

    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014), with the division moved from the evaluation to
    the training. The mask is a recorded random row: `engine.evaluate` draws a new one. `seed` is an int, or a
    `numpy.random.Generator` that several layers share; it is kept as `generator`.

    Raises DomainError for a p outside [0, 1).

    >>> layer = Dropout(0.5, seed=0)
    >>> layer([1.0] * 4).tolist(), layer.eval()([1.0] * 4)
    ([0.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0])
    """

    def __init__(self, p: float = 0.5, *, seed: Seed = None) -> None:
        check_number(p, "p", "Dropout", 1)
        self.p = p
        self.generator = as_generator(seed)

    def forward(self, x: Any) -> Any:
        """Return x with some entries dropped, of the shape of x."""
        if not self.training or not self.p:
            return x
        kept = engine.random.Generator(self.generator).bernoulli(1 - self.p, shape_of(x))
        return engine.where(kept, engine.divide(x, 1 - self.p), 0.0)

    def __repr__(self) -> str:
        return described(self)
