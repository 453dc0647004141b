"""Embedding: a vector for each token."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import engine
from engine import Tensor, errors

from ..data import as_generator
from ..initializers import Initializer, normal
from ..module import Module
from .settings import Seed, check_size, described, drawn, shape_of

STANDARD_NORMAL = partial(normal, std=1.0)


class Embedding(Module):
    """A table with a row for each token, from integers `(...)` to `(..., embedding_dim)`.

    `weight` has the shape `(num_embeddings, embedding_dim)` and is drawn by `weight_init` like that of Linear; by
    default from the standard normal distribution, as PyTorch's is. The row of `padding_idx` starts at zero and is not
    trained.

    Raises DataError for tokens that are no integers, IndexingError for those outside 0, ..., num_embeddings - 1.

    >>> layer = Embedding(10, 3, seed=0)
    >>> layer([[1, 2, 2, 9]]).shape
    (1, 4, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        weight_init: str | Initializer = STANDARD_NORMAL,
        seed: Seed = None,
        dtype: Any = float,
    ) -> None:
        where = f"Embedding({num_embeddings!r}, {embedding_dim!r})"
        check_size(num_embeddings, "num_embeddings", where)
        check_size(embedding_dim, "embedding_dim", where)
        if padding_idx is not None:
            if shape_of(padding_idx):
                raise errors.ShapeError(
                    f"padding_idx={padding_idx!r} was given. It is the only token of {where} that is not trained. "
                    "Give one whole number."
                )
            _check_tokens(np.asarray(padding_idx), num_embeddings, where)
        self.padding_idx = padding_idx
        self.weight = drawn(weight_init, (num_embeddings, embedding_dim), as_generator(seed), dtype, where)
        if padding_idx is not None:
            self.weight.data[padding_idx] = 0.0

    @property
    def num_embeddings(self) -> int:
        """How many tokens there are."""
        return self.weight.shape[0]

    @property
    def embedding_dim(self) -> int:
        """The length of the last axis of the output."""
        return self.weight.shape[1]

    def forward(self, tokens: Any) -> Tensor:
        """Return the rows of the tokens, `(..., embedding_dim)` for integers `(...)`."""
        shape_of(tokens)  # which complains of rows of different lengths
        plain = np.asarray(tokens)
        _check_tokens(plain, self.num_embeddings, self)
        rows = engine.take(self.weight, tokens, axis=0)
        if self.padding_idx is None:
            return rows
        return engine.where((plain == self.padding_idx)[..., None], engine.detach(rows), rows)

    def __repr__(self) -> str:
        return described(self)


def _check_tokens(tokens: np.ndarray, count: int, layer: Any) -> None:
    if tokens.dtype.kind not in "iu":
        raise errors.DataError(
            f"Tokens of dtype {tokens.dtype} and shape {tokens.shape} were given to {layer}. They choose rows of its "
            "table. Convert them with .astype(int), once they are whole numbers."
        )
    if tokens.size and not 0 <= tokens.min() <= tokens.max() < count:
        wrong = tokens[(tokens < 0) | (tokens >= count)].flat[0]
        raise errors.IndexingError(
            f"The token {wrong} was given to {layer}. Its tokens are 0, ..., {count - 1}. "
            "Make the layer with a larger num_embeddings, or map unknown tokens to one of its own."
        )
