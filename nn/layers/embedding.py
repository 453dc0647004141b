"""Embedding: a vector for each token."""

from __future__ import annotations

from typing import Any

import numpy as np

import engine
from engine import Tensor, errors

from ..module import Module
from .settings import Seed, check_size, checked_dtype, checked_generator, shape_of


class Embedding(Module):
    """A table with a row for each token, from integers `(...)` to `(..., embedding_dim)`.

    `weight` has the shape `(num_embeddings, embedding_dim)` and is drawn from the standard normal distribution, as
    PyTorch's is. The row of `padding_idx` starts at zero and is not trained.

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
        weight = checked_generator(seed).standard_normal((num_embeddings, embedding_dim))
        if padding_idx is not None:
            weight[padding_idx] = 0.0
        self.weight = Tensor(weight, dtype=checked_dtype(dtype))

    def forward(self, tokens: Any) -> Tensor:
        """Return the rows of the tokens, `(..., embedding_dim)` for integers `(...)`."""
        shape_of(tokens)  # which complains of rows of different lengths
        plain = np.asarray(tokens)
        _check_tokens(plain, self.weight.shape[0], self)
        rows = engine.take(self.weight, tokens, axis=0)
        if self.padding_idx is None:
            return rows
        return engine.where((plain == self.padding_idx)[..., None], engine.detach(rows), rows)

    def __repr__(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"Embedding({', '.join(map(str, self.weight.shape))}{padding})"


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
