"""Recurrent layers: the same step again and again along time."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import engine
from engine import Tensor, errors

from ..data import as_generator
from ..initializers import Initializer, chosen, uniform
from ..module import Module
from .dropout import Dropout
from .linear import affine
from .settings import Seed, check_number, check_size, checked_shape, described, drawn

State = tuple[Any, ...]


class Recurrent(Module):
    """The base of RNN, LSTM and GRU, which write `step` and say how many `gates` and states they have.

    A call takes `(..., time, input_size)` to the pair of `(..., time, directions · hidden_size)`, the hidden states of
    the last layer at all times, and the state after the last time. A state has the shape `(num_layers · directions,
    ..., hidden_size)`; a second input of that shape is the state to begin with, which is zero by default. A backward
    direction begins at the last time. `dropout` acts between the layers.

    Time stands before the features, as the batch comes first everywhere in nn; with `batch_first=False`, which is
    PyTorch's default, it is the first axis, `(time, ..., input_size)`.

    Parameters have PyTorch's names and shapes: `weight_ih_l0` of `(gates · hidden_size, input_size)`, `weight_hh_l0` of
    `(gates · hidden_size, hidden_size)`, `bias_ih_l0` and `bias_hh_l0`, with `_reverse` behind those of the backward
    direction. `weight_init` draws the weights, as for Linear; by default they are drawn evenly from
    ±1 / sqrt(hidden_size), and biases always are, as in PyTorch.

    Raises ShapeError for sizes that are no whole numbers and for inputs and states of another shape, DomainError for a
    dropout outside [0, 1).
    """

    gates = 1
    states = 1
    weight_ih_l0: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        weight_init: str | Initializer | None = None,
        seed: Seed = None,
        dtype: Any = float,
    ) -> None:
        where = f"{type(self).__name__}({input_size!r}, {hidden_size!r}, num_layers={num_layers!r})"
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            check_size(size, name, where)
        check_number(dropout, "dropout", where, 1)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.batch_first, self.bidirectional = batch_first, bidirectional
        rng = as_generator(seed)
        limit, rows = hidden_size**-0.5, self.gates * hidden_size
        evenly = partial(uniform, low=-limit, high=limit)
        self._suffixes = [
            f"l{layer}{way}" for layer in range(num_layers) for way in ("", "_reverse")[: self._directions]
        ]
        for position, suffix in enumerate(self._suffixes):
            inputs = input_size if position < self._directions else self._directions * hidden_size
            for name, columns in (("weight_ih", inputs), ("weight_hh", hidden_size)):
                weight = drawn(weight_init or evenly, (rows, columns), rng, dtype, where)
                setattr(self, f"{name}_{suffix}", weight)
            for name in ("bias_ih", "bias_hh"):
                setattr(self, f"{name}_{suffix}", drawn(evenly, (rows,), rng, dtype, where) if bias else None)
        self.dropout = Dropout(dropout, seed=rng)

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def step(self, x: Any, state: State, weight: Any, bias: Any) -> State:
        """Return the state after one time, from what the gates get of the input, x, and from the state before.

        x is W_ih·input + b_ih, of shape `(..., gates · hidden_size)`. `weight` and `bias` are W_hh and b_hh: what the
        gates get of the state is affine(state[0], weight, bias).
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no step(). A recurrent layer is this rule. "
            "Write def step(self, x, state, weight, bias) and return the new state."
        )

    def forward(self, x: Any, state: Any = None) -> tuple[Any, Any]:
        """Return the hidden states at all times, `(..., time, directions · hidden_size)`, and the last state."""
        axis = -2 if self.batch_first else 0
        layout = ("...", "time", self.input_size) if self.batch_first else ("time", "...", self.input_size)
        shape = checked_shape(x, layout, self)
        if not shape[axis]:
            raise errors.ShapeError(
                f"An input of shape {shape} was given to {self!r}. It has no times. Give at least one."
            )
        batch = shape[:-2] if self.batch_first else shape[1:-1]
        begin = self._begin(state, (len(self._suffixes), *batch, self.hidden_size))
        last: list[State] = []
        for layer in range(self.num_layers):
            if layer:
                x = self.dropout(x)
            ways = []
            for position in range(layer * self._directions, (layer + 1) * self._directions):
                hidden, final = self._along(x, begin[position], self._suffixes[position], axis)
                ways.append(hidden)
                last.append(final)
            x = engine.concatenate(ways, axis=-1) if self.bidirectional else ways[0]
        ends = tuple([engine.stack(parts) for parts in zip(*last)])
        return x, ends if self.states > 1 else ends[0]

    def _along(self, x: Any, state: State, suffix: str, axis: int) -> tuple[Any, State]:
        """One layer in one direction: its hidden states at all times, and the last state."""
        weight_ih, weight_hh, bias_ih, bias_hh = (
            getattr(self, f"{name}_{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        backward = suffix.endswith("_reverse")
        times = engine.unstack(affine(x, weight_ih, bias_ih), axis=axis)
        hidden = []
        for time in reversed(times) if backward else times:
            state = self.step(time, state, weight_hh, bias_hh)
            hidden.append(state[0])
        return engine.stack(hidden[::-1] if backward else hidden, axis=axis), state

    def _begin(self, state: Any, shape: tuple[int, ...]) -> list[State]:
        """The states to begin with, one for each layer and direction."""
        if state is None:
            zeros = np.zeros(shape[1:], self.weight_ih_l0.dtype)
            return [(zeros,) * self.states] * shape[0]
        parts = state if self.states > 1 and isinstance(state, list | tuple) else (state,)
        shapes = [np.shape(part) for part in parts]
        if shapes != [shape] * self.states:
            raise errors.ShapeError(
                f"A first state of shape {' and '.join(map(str, shapes))} was given to {self!r}. "
                f"It begins with {self.states} of the shape (layers, ..., hidden_size), here {shape}. "
                "Give what the layer returned for such an input, or nothing for zeros."
            )
        return list(zip(*[[part[position] for position in range(shape[0])] for part in parts]))

    def __repr__(self) -> str:
        bias = getattr(self, f"bias_ih_{self._suffixes[0]}") is not None
        return described(self, bias=bias, dropout=self.dropout.p)


class RNN(Recurrent):
    """Elman's recurrent network (1990): h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or `nonlinearity="relu"` of it.

    Takes `(..., time, input_size)` and a first state to `(..., time, hidden_size)` and the last one, see Recurrent.

    >>> layer = RNN(3, 4, seed=0)
    >>> output, hidden = layer(np.ones((5, 7, 3)))
    >>> output.shape, hidden.shape
    ((5, 7, 4), (1, 5, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        weight_init: str | Initializer | None = None,
        seed: Seed = None,
        dtype: Any = float,
    ) -> None:
        chosen(nonlinearity, NONLINEARITIES, "nonlinearity")
        self.nonlinearity = nonlinearity
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            weight_init=weight_init, seed=seed, dtype=dtype,
        )  # fmt: skip

    def step(self, x: Any, state: State, weight: Any, bias: Any) -> State:
        """Return the hidden state after one time, `(..., hidden_size)`."""
        nonlinearity = chosen(self.nonlinearity, NONLINEARITIES, "nonlinearity")
        return (nonlinearity(x + affine(state[0], weight, bias)),)


NONLINEARITIES = {"tanh": engine.tanh, "relu": engine.relu}


class LSTM(Recurrent):
    """Long short-term memory: Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000).

    The gates i, f, g, o stand in this order in the weights: c' = σ(f)·c + σ(i)·tanh(g), h' = σ(o)·tanh(c'). Takes
    `(..., time, input_size)` and first states (h, c) to `(..., time, hidden_size)` and the last (h, c), see Recurrent.

    >>> layer = LSTM(3, 4, num_layers=2, seed=0)
    >>> output, (hidden, cell) = layer(np.ones((5, 7, 3)))
    >>> output.shape, hidden.shape, cell.shape
    ((5, 7, 4), (2, 5, 4), (2, 5, 4))
    """

    gates = 4
    states = 2

    def step(self, x: Any, state: State, weight: Any, bias: Any) -> State:
        """Return the hidden state and the cell after one time, `(..., hidden_size)` both."""
        hidden, cell = state
        i, f, g, o = engine.split(x + affine(hidden, weight, bias), 4, axis=-1)
        cell = engine.sigmoid(f) * cell + engine.sigmoid(i) * engine.tanh(g)
        return engine.sigmoid(o) * engine.tanh(cell), cell


class GRU(Recurrent):
    """Gated recurrent unit: Cho et al. (2014), with the reset gate behind the product, as in cuDNN and PyTorch.

    The gates r, z, n stand in this order in the weights: n = tanh(x_n + σ(r)·h_n) and h' = (1 - σ(z))·n + σ(z)·h.
    Takes `(..., time, input_size)` and a first state to `(..., time, hidden_size)` and the last one, see Recurrent.

    >>> layer = GRU(3, 4, bidirectional=True, seed=0)
    >>> output, hidden = layer(np.ones((5, 7, 3)))
    >>> output.shape, hidden.shape
    ((5, 7, 8), (2, 5, 4))
    """

    gates = 3

    def step(self, x: Any, state: State, weight: Any, bias: Any) -> State:
        """Return the hidden state after one time, `(..., hidden_size)`."""
        (hidden,) = state
        x_r, x_z, x_n = engine.split(x, 3, axis=-1)
        h_r, h_z, h_n = engine.split(affine(hidden, weight, bias), 3, axis=-1)
        new = engine.tanh(x_n + engine.sigmoid(x_r + h_r) * h_n)
        return (new + engine.sigmoid(x_z + h_z) * (hidden - new),)
