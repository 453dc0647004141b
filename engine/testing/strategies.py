"""Strategies for Hypothesis: numbers in a domain, shapes, arrays, values, tensors, and the inputs of a row.

Numbers lie on a coarse binary grid, so that they shrink to short ones and print as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor, inf, log2
from typing import Any

import numpy as np

from ..errors import DomainError, MissingExtraError
from ..row import Primitive
from ..tensor import Tensor
from ..value import Value
from .layouts import CLEARANCE, Shape, domains, interval, kink_distance, layouts

try:
    from hypothesis import assume
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as extra
except ImportError as error:
    raise MissingExtraError(
        "engine.testing.strategies was asked for, and Hypothesis is not installed. "
        "Only the strategies need it; engine.testing.check_gradients does without. "
        "Run pip install 'chainrule[test]'."
    ) from error

Domain = tuple[float, float]
Strategy = st.SearchStrategy

STEPS = 64


def numbers(domain: Domain = (-inf, inf), *, dtype: Any = float) -> Strategy[Any]:
    """Floats inside an open interval, of ordinary size: at most three away from its finite end, or from zero.

    Raises DomainError where the interval is empty.
    """
    low, high = domain
    if not low < high:
        raise DomainError(
            f"The domain {domain} has no number in it. It is an open interval (low, high) of a strategy. "
            "Give low < high, with -inf or inf for an end that is not there."
        )
    low, high = interval(domain)
    grid = 2.0 ** floor(log2((high - low) / STEPS))
    first, last = floor(low / grid) + 1, floor(high / grid)
    last -= last * grid >= high
    kind = np.dtype(dtype).type
    return st.integers(first, last).map(lambda i: float(kind(i * grid)))


def shapes(*, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3) -> Strategy[tuple[int, ...]]:
    """Shapes of arrays, 0-d and empty ones among them."""
    return extra.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def broadcastable_shapes(
    count: int, *, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3
) -> Strategy[tuple[tuple[int, ...], ...]]:
    """So many shapes that broadcast against each other."""
    together = extra.mutually_broadcastable_shapes(
        num_shapes=count, min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side
    )
    return together.map(lambda found: found.input_shapes)


def arrays(
    shape: tuple[int, ...] | Strategy[tuple[int, ...]] | None = None,
    *,
    domain: Domain = (-inf, inf),
    dtype: Any = float,
) -> Strategy[np.ndarray]:
    """Arrays of floats in a domain, of a given shape or of any."""
    return extra.arrays(dtype, shapes() if shape is None else shape, elements=numbers(domain, dtype=dtype))


def values(domain: Domain = (-inf, inf)) -> Strategy[Value]:
    """Values: leaves that hold a number in a domain."""
    return numbers(domain).map(Value)


def tensors(
    shape: tuple[int, ...] | Strategy[tuple[int, ...]] | None = None,
    *,
    domain: Domain = (-inf, inf),
    dtype: Any = float,
) -> Strategy[Tensor]:
    """Tensors: leaves that hold an array of floats in a domain."""
    return arrays(shape, domain=domain, dtype=dtype).map(Tensor)


@st.composite
def inputs(
    draw: Callable[..., Any], row: Primitive | Callable[..., Any], *, dtype: Any = float, distance: float = CLEARANCE
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Inputs that fit a row, as arrays in the domains it states, and settings: `row.call(*inputs, **settings)`.

    No input lies nearer than `distance` to a place without a derivative. A primitive stands for its row.
    """
    known: Primitive = row if isinstance(row, Primitive) else row.primitive  # type: ignore[attr-defined]
    layout = draw(st.sampled_from(layouts(known)))
    data = [
        draw(arrays(tuple(x), domain=domain, dtype=dtype)) if isinstance(x, Shape) else x
        for x, domain in zip(layout.inputs, domains(known, len(layout.inputs)), strict=False)
    ]
    assume(kink_distance(known, data, layout.params) > distance)
    return data, dict(layout.params)
