"""Strategies for Hypothesis: random networks, with data and targets that fit them.

>>> import hypothesis
>>> import nn
>>> from nn.testing import networks
>>> @hypothesis.given(networks())
... @hypothesis.settings(max_examples=5)
... def test_the_loss_is_never_negative(network):
...     model, data, targets = network
...     assert nn.mse_loss(model(data), targets).item() >= 0
>>> test_the_loss_is_never_negative()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

import engine
from engine.testing import strategies
from engine.testing.layouts import kink_distance
from engine.testing.programs import literal

from .layers import ELU, GELU, LeakyReLU, Linear, ReLU, Residual, Sequential, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .losses import cross_entropy, mse_loss
from .module import Module

# After the engine's strategies, which say which extra to install where Hypothesis is missing.
from hypothesis import assume  # isort: skip
from hypothesis import strategies as st  # isort: skip

ACTIVATIONS = (Tanh, Sigmoid, SiLU, GELU, Softplus, Softmax, ReLU, LeakyReLU, ELU)

DISTANCE = 1e-3
"""How far from kinks activations keep: nearer than single numbers may come, because there are many at once."""


class Network(NamedTuple):
    """A module, data `(batch, features)` and targets for the loss, which print as Python that makes them again."""

    module: Sequential
    data: np.ndarray
    targets: np.ndarray

    def __repr__(self) -> str:
        starts = ", ".join([literal(parameter.data) for parameter in self.module.parameters()])
        return (
            "import numpy as np\nimport nn\n\n"
            f"module = nn.Sequential({', '.join(_written(self.module))})\n"
            f"for parameter, start in zip(module.parameters(), [{starts}]):\n"
            "    parameter.data = start\n"
            f"data = {literal(self.data)}\n"
            f"targets = {literal(self.targets)}"
        )


@st.composite
def networks(
    draw: Callable[..., Any],
    loss: Callable[[Any, Any], Any] = mse_loss,
    *,
    layers: Sequence[Callable[[], Module]] = ACTIVATIONS,
    blocks: int = 3,
    width: int = 3,
    batch: int = 3,
    dtype: Any = float,
    distance: float = DISTANCE,
) -> Network:
    """Networks with data and targets that fit them, as `(module, data, targets)`: `loss(module(data), targets)`.

    A network is a chain of at most so many blocks and a Linear layer at its end. Blocks are Linear layers, those of
    `layers`, which are called without arguments and keep the shape of their input, and residual blocks of both; a
    Linear layer may stand in two places. `width` is the largest number of features, `batch` of rows. Targets are
    labels, or rows with a single 1, where the loss is `cross_entropy`, and arrays of the result's shape for any other.

    No number on the way is nearer than `distance` to a place where its operation has no derivative. Networks shrink
    to a single layer, few features and weights of 0, and print as Python.

    >>> from hypothesis import find
    >>> find(networks(), lambda network: True)
    import numpy as np
    import nn
    <BLANKLINE>
    module = nn.Sequential(nn.Linear(1, 1))
    for parameter, start in zip(module.parameters(), [np.array([[0.0]]), np.array([0.0])]):
        parameter.data = start
    data = np.array([[0.0]])
    targets = np.array([[0.0]])
    """
    features = last = draw(st.integers(1, width))
    chain: list[Module] = []
    for _ in range(draw(st.integers(0, blocks))):
        block = draw(_blocks(chain, last, layers, width, dtype))
        if block is not None:
            chain.append(block)
            last = block.out_features if isinstance(block, Linear) else last
    classes = loss is cross_entropy
    outputs = draw(st.integers(1 + classes, max(width, 1 + classes)))
    module = Sequential(*chain, Linear(last, outputs, seed=0, dtype=dtype))
    for parameter in module.parameters():
        parameter.data = draw(strategies.arrays(parameter.shape, dtype=dtype))
    rows = draw(st.integers(1, batch))
    data = draw(strategies.arrays((rows, features), dtype=dtype))
    result = module(engine.Tensor(data))
    assume(np.isfinite(result.data).all() and _kink_distance(result) > distance)
    targets = _labels(rows, outputs) if classes else strategies.arrays(result.shape, dtype=dtype)
    return Network(module, data, draw(targets))


@st.composite
def _blocks(
    draw: Callable[..., Any],
    chain: Sequence[Module],
    features: int,
    layers: Sequence[Callable[[], Module]],
    width: int,
    dtype: Any,
) -> Module | None:
    """One more block of a chain, or none, which is the simplest choice: so that Hypothesis can take a block out."""
    tied = [block for block in chain if isinstance(block, Linear) and block.in_features == features]
    match draw(st.sampled_from(["none", "layer", "linear", "residual", *["tied", "tied"] * bool(tied)])):
        case "layer":
            return draw(st.sampled_from(layers))()
        case "linear":
            outputs, bias = draw(st.integers(1, width)), draw(st.sampled_from([True, False]))
            return Linear(features, outputs, bias=bias, seed=0, dtype=dtype)
        case "residual":
            inner = Linear(features, features, seed=0, dtype=dtype)
            return Residual(inner, draw(st.sampled_from(layers))())
        case "tied":
            return draw(st.sampled_from(tied))
    return None


@st.composite
def _labels(draw: Callable[..., Any], rows: int, classes: int) -> np.ndarray:
    """A class for each row, as integers or as rows with a single 1."""
    labels = np.array(draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows)))
    return np.eye(classes)[labels] if draw(st.booleans()) else labels


def _kink_distance(result: Any) -> float:
    """How near any operation on the way to a result comes to where it has no derivative."""
    made = [node for node in engine.topological_order(result) if node.op is not None]
    return min(
        [kink_distance(node.op, [np.asarray(x.data) for x in node.inputs], node.params or {}) for node in made],
        default=np.inf,
    )


def _written(layers: Iterable[Any]) -> list[str]:
    """Layers in Python; one that stands in two places is named in the first."""
    together, found = list(layers), []
    names: dict[Module, str] = {}
    for layer in together:
        home = "nn." if type(layer).__module__.startswith("nn.layers.") else ""
        inside = ", ".join(_written(layer)) if isinstance(layer, Residual) else ""
        code = f"{home}{layer!r}" if isinstance(layer, Linear) else f"{home}{type(layer).__name__}({inside})"
        if layer not in names and together.count(layer) > 1:
            names[layer] = f"tied{len(names) + 1}"
            code = f"({names[layer]} := {code})"
        elif layer in names:
            code = names[layer]
        found.append(code)
    return found
