"""Attention: each position looks at all others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import engine
from engine import Tensor, errors

from ..data import as_generator
from ..initializers import Initializer
from ..module import Module
from .activations import chosen_activation, initializer_before
from .dropout import Dropout
from .linear import Linear, affine
from .normalization import LayerNorm
from .settings import Seed, check_size, checked_shape, described, drawn


class MultiheadAttention(Module):
    """softmax(q kᵀ / sqrt(head size)) v in several heads side by side: Vaswani et al. (2017), section 3.2.

    Takes a query `(..., targets, embed_dim)`, a key and a value `(..., sources, embed_dim)` to `(..., targets,
    embed_dim)`; a key that is left out is the query, a value that is left out is the key. The batch comes first.

    Parameters have PyTorch's names and shapes: `in_proj_weight` of `(3 · embed_dim, embed_dim)` for query, key and
    value, `in_proj_bias`, `out_proj.weight` and `out_proj.bias`; `weight_init` draws them like those of Linear.
    `dropout` acts on the attention weights. `is_causal` forbids to look ahead.

    Raises ShapeError unless `num_heads` divides `embed_dim`.

    >>> attention = MultiheadAttention(8, 2, seed=0)
    >>> output, weights = attention(np.ones((5, 3, 8)), need_weights=True)
    >>> output.shape, weights.shape
    ((5, 3, 8), (5, 2, 3, 3))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        is_causal: bool = False,
        weight_init: str | Initializer = "glorot_uniform",
        seed: Seed = None,
        dtype: Any = float,
    ) -> None:
        where = f"MultiheadAttention({embed_dim!r}, {num_heads!r})"
        check_size(embed_dim, "embed_dim", where)
        check_size(num_heads, "num_heads", where)
        if embed_dim % num_heads:
            raise errors.ShapeError(
                f"{num_heads} heads were to share {embed_dim} features. {where} gives each head equally many. "
                "Choose a num_heads that divides embed_dim."
            )
        rng = as_generator(seed)
        self.embed_dim, self.num_heads, self.is_causal = embed_dim, num_heads, is_causal
        self.in_proj_weight = drawn(weight_init, (3 * embed_dim, embed_dim), rng, dtype, where)
        self.in_proj_bias = Tensor(np.zeros(3 * embed_dim), dtype=dtype) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, weight_init=weight_init, seed=rng, dtype=dtype)
        self.dropout = Dropout(dropout, seed=rng)

    def forward(
        self,
        query: Any,
        key: Any = None,
        value: Any = None,
        *,
        attn_mask: Any = None,
        key_padding_mask: Any = None,
        need_weights: bool = False,
    ) -> Any:
        """Return the output, of the shape of the query, and with `need_weights` the pair of it and the weights.

        `attn_mask` has the shape `(targets, sources)`, or one that broadcasts against `(..., heads, targets, sources)`;
        its entries are True where a target must not look, as in PyTorch, or numbers that are added to the scores.
        `key_padding_mask`, `(..., sources)`, is True at sources that are padding. A target that may look nowhere gets
        zeros. The weights have the shape `(..., heads, targets, sources)`.
        """
        key = query if key is None else key
        value = key if value is None else value
        checked_shape(query, ("...", "targets", self.embed_dim), self)
        *_, sources, _ = checked_shape(key, ("...", "sources", self.embed_dim), self)
        checked_shape(value, ("...", sources, self.embed_dim), self)
        weights = engine.split(self.in_proj_weight, 3)
        biases = (None,) * 3 if self.in_proj_bias is None else engine.split(self.in_proj_bias, 3)
        q, k, v = (self._heads(affine(x, w, b)) for x, w, b in zip((query, key, value), weights, biases))
        scores = q @ engine.swapaxes(k, -1, -2) / math.sqrt(self.embed_dim // self.num_heads)
        forbidden, scores = self._masked(scores, attn_mask, key_padding_mask)
        attention = engine.softmax(scores)
        if forbidden is not None:
            attention = engine.where(forbidden, 0.0, attention)  # where everything is forbidden, softmax is NaN
        mixed = engine.swapaxes(self.dropout(attention) @ v, -2, -3)
        output = self.out_proj(mixed.reshape(*mixed.shape[:-2], self.embed_dim))
        return (output, attention) if need_weights else output

    def _heads(self, x: Any) -> Any:
        """`(..., positions, embed_dim)` as `(..., heads, positions, head size)`."""
        return engine.swapaxes(x.reshape(*x.shape[:-1], self.num_heads, -1), -2, -3)

    def _masked(self, scores: Any, attn_mask: Any, key_padding_mask: Any) -> tuple[Any, Any]:
        """Where no target may look, or None, and the scores with -inf there."""
        *batch, _, targets, sources = scores.shape
        forbidden = np.triu(np.ones((targets, sources), bool), k=1) if self.is_causal else None
        if attn_mask is not None:
            if not isinstance(attn_mask, Tensor):
                attn_mask = np.asarray(attn_mask)
            _check_mask(attn_mask, scores.shape, "attn_mask")
            if attn_mask.dtype == bool:
                forbidden = _either(forbidden, attn_mask)
            else:
                scores = scores + attn_mask
        if key_padding_mask is not None:
            padding = np.asarray(key_padding_mask)
            _check_mask(padding, (*batch, sources), "key_padding_mask")
            forbidden = _either(forbidden, padding[..., None, None, :])
        return forbidden, scores if forbidden is None else engine.where(forbidden, -np.inf, scores)

    def __repr__(self) -> str:
        return described(self, dropout=self.dropout.p, bias=self.in_proj_bias is not None)


class TransformerBlock(Module):
    """Attention, then two Linear layers at each position, each added to its input: Vaswani et al. (2017), section 3.1.

    Takes `(..., positions, embed_dim)` to the same shape. `norm_first` normalises what the two parts are given, as in
    Xiong et al. (2020), and not what they return. `is_causal` forbids to look ahead. `dim_feedforward`, the width
    between the two Linear layers, is four times embed_dim by default; `activation` stands there. Weights are drawn by
    `weight_init`; by default as MultiheadAttention and MLP draw theirs.

    Parameters have the names of PyTorch's TransformerEncoderLayer: those of `self_attn`, `linear1`, `linear2`, `norm1`
    and `norm2`.

    >>> block = TransformerBlock(8, 2, seed=0)
    >>> block(np.ones((5, 3, 8))).shape
    (5, 3, 8)
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dim_feedforward: int | None = None,
        dropout: float = 0.0,
        activation: Any = "relu",
        *,
        norm_first: bool = False,
        is_causal: bool = False,
        eps: float = 1e-5,
        bias: bool = True,
        weight_init: str | Initializer | None = None,
        seed: Seed = None,
        dtype: Any = float,
    ) -> None:
        draw: Any = weight_init or "glorot_uniform"
        given: dict[str, Any] = {"bias": bias, "seed": (rng := as_generator(seed)), "dtype": dtype}
        self.norm_first = norm_first
        self.self_attn = MultiheadAttention(
            embed_dim, num_heads, dropout, is_causal=is_causal, weight_init=draw, **given
        )
        width = 4 * embed_dim if dim_feedforward is None else dim_feedforward
        self.activation = chosen_activation(activation)
        before = weight_init or initializer_before(self.activation)
        self.linear1 = Linear(embed_dim, width, weight_init=before, **given)
        self.dropout = Dropout(dropout, seed=rng)
        self.linear2 = Linear(width, embed_dim, weight_init=draw, **given)
        self.norm1 = LayerNorm(embed_dim, eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(embed_dim, eps, bias=bias, dtype=dtype)
        self.dropout1 = Dropout(dropout, seed=rng)
        self.dropout2 = Dropout(dropout, seed=rng)

    def forward(self, x: Any, *, attn_mask: Any = None, key_padding_mask: Any = None) -> Any:
        """Return what the block makes of x, of the shape of x, `(..., positions, embed_dim)`.

        `attn_mask` and `key_padding_mask` are those of MultiheadAttention.
        """

        def attend(x: Any) -> Any:
            return self.dropout1(self.self_attn(x, attn_mask=attn_mask, key_padding_mask=key_padding_mask))

        def feed_forward(x: Any) -> Any:
            return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        if self.norm_first:
            x = x + attend(self.norm1(x))
            return x + feed_forward(self.norm2(x))
        x = self.norm1(x + attend(x))
        return self.norm2(x + feed_forward(x))


def _either(forbidden: Any, mask: Any) -> Any:
    return mask if forbidden is None else engine.logical_or(forbidden, mask)


def _check_mask(mask: Any, shape: tuple[int, ...], name: str) -> None:
    """Raise an error unless a mask broadcasts to a shape, and is of booleans where it must be."""
    if mask.dtype != bool and (name == "key_padding_mask" or mask.dtype.kind != "f"):
        raise errors.DataError(
            f"{name} was given as an array of dtype {mask.dtype}. MultiheadAttention reads booleans as places where "
            f"nothing may be looked at{'' if name == 'key_padding_mask' else ', and floats as numbers to be added'}. "
            "Write mask == 0 or mask.astype(bool)."
        )
    try:
        fits = np.broadcast_shapes(mask.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise errors.ShapeError(
            f"{name} was given with the shape {mask.shape}. MultiheadAttention needs one that broadcasts to {shape}. "
            "Reshape the mask, for example with mask[:, None] for one mask for each example of the batch."
        )
