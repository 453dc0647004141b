"""What each row is tried on: shapes of its inputs and settings, by its kind or on a line of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ..errors import UnsupportedError
from ..primitives.indexing import Array
from ..row import Primitive


class Layout(NamedTuple):
    """The inputs of one call: a shape to fill with numbers or an array to take as it is, and the settings."""

    inputs: tuple[Any, ...]
    params: Mapping[str, Any] = MappingProxyType({})


class Shape(tuple[int, ...]):
    """A shape to be filled with numbers from the domain of the input."""

    __slots__ = ()


def shaped(*shapes: tuple[int, ...], **params: Any) -> Layout:
    """A layout whose inputs are all to be filled."""
    return Layout(tuple(Shape(shape) for shape in shapes), params)


ENTRY_BY_ENTRY = {
    1: [shaped(()), shaped((3,)), shaped((2, 3)), shaped((1,)), shaped((0,)), shaped((2, 0))],
    2: [
        shaped((), ()),
        shaped((3,), (3,)),
        shaped((), (2, 3)),
        shaped((2, 3), ()),
        shaped((2, 3), (3,)),
        shaped((2, 1), (1, 3)),
        shaped((1, 1), (2,)),
        shaped((0, 2), (2,)),
        shaped((1,), (0,)),
    ],
    3: [
        shaped((), (), ()),
        shaped((3,), (3,), (3,)),
        shaped((2, 3), (), (3,)),
        shaped((), (2, 1), (1, 3)),
        shaped((1, 3), (2, 1), ()),
        shaped((0,), (1,), ()),
    ],
}

ALONG_AXES = [
    shaped(()),
    shaped((4,)),
    shaped((1,)),
    shaped((2, 3)),
    shaped((2, 3), keepdims=True),
    shaped((2, 3), axis=0),
    shaped((2, 3), axis=-1),
    shaped((2, 3), axis=1, keepdims=True),
    shaped((2, 2, 3), axis=(0, 2)),
    shaped((2, 2, 3), axis=(-1, 0), keepdims=True),
    shaped((2, 1, 3), axis=1),
    shaped((2, 3), axis=()),
    shaped((0, 3), axis=1),
    shaped((4,), ddof=1),
    shaped((3, 2), axis=0, ddof=1),
]

CLEARANCE = 0.05
"""How far from kinks inputs keep."""

REACH = 3.0
"""How far from zero, or from the finite end of their domain, numbers are drawn."""

_numbers, _pairs = np.array([2, 0, 2]), np.array([[0, 1], [1, -1]])
_chosen = np.array([True, False, True])
_columns = np.array([[0, 2]])
KEYS: list[tuple[tuple[int, ...], tuple[Any, ...], tuple[np.ndarray, ...], tuple[int, ...]]] = [
    ((3,), (1,), (), ()),
    ((3,), (-1,), (), ()),
    ((4,), (slice(1, 3),), (), (2,)),
    ((4,), (slice(None, None, -2),), (), (2,)),
    ((2, 3), (1,), (), (3,)),
    ((2, 3), (slice(None), 1), (), (2,)),
    ((2, 3), (Ellipsis, slice(0, 2)), (), (2, 2)),
    ((2, 3), (None, 0, slice(None, None, 2)), (), (1, 2)),
    ((2, 3), (), (), (2, 3)),
    ((3,), (Array(0),), (_numbers,), (3,)),
    ((3, 2), (Array(0),), (_pairs,), (2, 2, 2)),
    ((3, 2), (Array(0), 1), (_numbers,), (3,)),
    ((2, 3), (Array(0), Array(1)), (np.array([[0], [1]]), _columns), (2, 2)),
    ((3,), (Array(0),), (_chosen,), (2,)),
    ((3, 2), (Array(0), slice(1, None)), (_chosen,), (2, 1)),
    ((3,), (Array(0),), (np.zeros(3, bool),), (0,)),
    ((2,), (slice(2, None),), (), (0,)),
]
"""Indexing: the shape of the array, the key, the arrays in it, and the shape of what it names."""

LAYOUTS: dict[str, list[Layout]] = {
    **{
        name: [one for one in ALONG_AXES if "ddof" not in one.params and not isinstance(one.params.get("axis"), tuple)]
        for name in ("argmax", "argmin")
    },
    "where": [
        Layout((np.resize([True, False, True, True], one.inputs[0]), *one.inputs[1:])) for one in ENTRY_BY_ENTRY[3]
    ],
    "leaky_relu": [Layout(one.inputs, params) for one in ENTRY_BY_ENTRY[1] for params in ({}, {"slope": 0.3})],
    "astype": [shaped(shape, dtype=dtype) for shape in [(), (3,)] for dtype in ["float64", "float32"]],
    "reshape": [
        shaped((), shape=(1,)),
        shaped((4,), shape=(2, 2)),
        shaped((2, 3), shape=(3, -1)),
        shaped((2, 3), shape=-1),
        shaped((1,), shape=()),
        shaped((0, 2), shape=(4, 0)),
    ],
    "transpose": [
        shaped(()),
        shaped((3,)),
        shaped((2, 3)),
        shaped((2, 1, 3), axes=(2, 0, 1)),
        shaped((2, 1, 3), axes=(-1, 0, 1)),
        shaped((0, 2)),
    ],
    "broadcast_to": [
        shaped((), shape=(2,)),
        shaped((3,), shape=(2, 3)),
        shaped((2, 1), shape=(2, 3)),
        shaped((1, 1), shape=(3, 2, 2)),
        shaped((2,), shape=(2,)),
        shaped((1,), shape=(0,)),
    ],
    "expand_dims": [
        shaped((), axis=0),
        shaped((3,), axis=-1),
        shaped((2, 3), axis=1),
        shaped((2, 3), axis=(0, 2)),
    ],
    "squeeze": [shaped((1, 3)), shaped((2, 1, 1), axis=1), shaped((1, 2, 1), axis=(0, 2)), shaped((1,)), shaped(())],
    "stack": [
        shaped((), ()),
        shaped((2,), (2,), (2,)),
        shaped((2, 3), (2, 3), axis=1),
        shaped((2, 3), (2, 3), axis=-1),
        shaped((0,), (0,)),
    ],
    "concatenate": [
        shaped((1,), (2,)),
        shaped((2, 1), (2, 3), (2, 0), axis=1),
        shaped((1, 2), (3, 2)),
        shaped((2, 3), (2, 3), axis=-1),
        shaped((2, 1), (3,), axis=None),
    ],
    "split": [
        shaped((4,), indices_or_sections=2),
        shaped((4,), indices_or_sections=(1, 3)),
        shaped((2, 4), indices_or_sections=2, axis=1),
        shaped((2, 3), indices_or_sections=(1,), axis=-1),
        shaped((3,), indices_or_sections=(0, 5)),
    ],
    "values": [shaped((3,)), shaped((2, 2)), shaped(())],
    "getitem": [Layout((Shape(shape), *arrays), {"key": key}) for shape, key, arrays, _ in KEYS],
    "scatter": [Layout((Shape(part), *arrays), {"key": key, "shape": shape}) for shape, key, arrays, part in KEYS],
    "last_set": [Layout(arrays, {"key": key, "shape": shape}) for shape, key, arrays, _ in KEYS if arrays],
    "set_at": [
        Layout((Shape(shape), Shape(v), *arrays), {"key": key})
        for shape, key, arrays, part in KEYS
        for v in dict.fromkeys([part, ()])
    ],
    "add_at": [
        Layout((Shape(shape), Shape(v), *arrays), {"key": key})
        for shape, key, arrays, part in KEYS
        for v in dict.fromkeys([part, ()])
    ],
    "matmul": [
        shaped((3,), (3,)),
        shaped((2, 3), (3,)),
        shaped((2,), (2, 3)),
        shaped((2, 3), (3, 2)),
        shaped((1, 1), (1, 1)),
        shaped((2, 2, 3), (3, 2)),
        shaped((2, 3), (2, 3, 1)),
        shaped((2, 1, 1, 2), (3, 2, 2)),
        shaped((2, 1, 2), (2,)),
        shaped((2,), (2, 2, 2)),
        shaped((2, 0), (0, 3)),
        shaped((0, 2), (2, 3)),
    ],
    **{
        name: [
            shaped((4,)),
            shaped((2, 3)),
            shaped((2, 3), axis=0),
            shaped((2, 3), axis=-1),
            shaped((2, 1, 2), axis=1),
            shaped((0,)),
            shaped(()),
        ]
        for name in ("cumsum", "cumprod")
    },
    "round": [Layout(one.inputs, params) for one in ENTRY_BY_ENTRY[1] for params in ({}, {"decimals": 1})],
    "pad": [
        shaped((3,), pad_width=1),
        shaped((2,), pad_width=(0, 2), constant_values=1.5),
        shaped((2, 1), pad_width=((1, 0), (2, 1))),
        shaped((0, 2), pad_width=((1, 0), (0, 0))),
        shaped((2, 2), pad_width=0),
    ],
    "sliding_window_view": [
        shaped((4,), window_shape=2),
        shaped((5,), window_shape=(2,), stride=2, dilation=2),
        shaped((3, 2), window_shape=(2, 1)),
        shaped((1, 4, 2), window_shape=(2, 2), axis=(2, 1), stride=(1, 2)),
        shaped((1, 4), window_shape=2, axis=-1, stride=3),
        shaped((), window_shape=2),
    ],
    "overlap_add": [
        shaped((3, 2), shape=(4,)),
        shaped((2, 2), shape=(5,), stride=2, dilation=2),
        shaped((1, 2, 2, 1), shape=(2, 2)),
        shaped((1, 1, 1, 2, 2), shape=(1, 3, 2), axis=(2, 1), stride=(1, 2)),
        shaped((1, 1, 2), shape=(1, 4), axis=-1, stride=3),
        shaped((), shape=()),
    ],
    "convolution": [
        shaped((2, 1, 3), (1, 1, 2)),
        shaped((1, 2, 2), (2, 2, 2)),
        shaped((1, 2, 3), (2, 1, 2), stride=2, padding=1, dilation=2, groups=2),
        shaped((1, 1, 2, 3), (1, 1, 1, 2), stride=(1, 2), padding=(0, 1)),
        shaped((1, 1, 1, 2, 2), (1, 1, 1, 2, 1)),
        shaped((0, 1, 3), (1, 1, 2)),
    ],
    "transposed_convolution": [
        shaped((2, 1, 2), (1, 1, 2)),
        shaped((1, 2, 2), (2, 2, 1)),
        shaped((1, 2, 2), (2, 1, 2), stride=2, padding=1, output_padding=1, dilation=2, groups=2),
        shaped((1, 1, 1, 2), (1, 1, 2, 2), stride=(1, 2), padding=(0, 1), output_padding=(0, 1)),
        shaped((1, 1, 1, 1, 2), (1, 1, 2, 1, 1)),
        shaped((0, 1, 3), (1, 1, 2)),
    ],
    "window_correlation": [
        shaped((2, 1, 3), (2, 1, 2), window=2),
        shaped((1, 2, 2), (1, 2, 1), window=(2,)),
        shaped((1, 2, 3), (1, 2, 2), window=2, stride=2, padding=1, dilation=2, groups=2),
        shaped((1, 1, 2, 3), (1, 1, 2, 2), window=(1, 2), stride=(1, 2), padding=(0, 1)),
        shaped((1, 1, 1, 2, 2), (1, 1, 1, 1, 2), window=(1, 2, 1)),
        shaped((0, 1, 3), (0, 1, 2), window=2),
    ],
    "softmax_cross_entropy": [
        Layout((Shape((3,)), np.array(1))),
        Layout((Shape((2, 3)), np.array([2, 0]))),
        Layout((Shape((2, 3)), np.array([0, 1, 1])), {"axis": 0}),
        Layout((Shape((2, 3, 1)), np.array([[1], [2]])), {"axis": 1}),
        Layout((Shape((2, 1, 2)), np.array([[0], [1]]))),
        Layout((Shape((0, 2)), np.zeros(0, int))),
    ],
    "linear": [
        shaped((2,), (3, 2), (3,)),
        shaped((2, 3), (2, 3), (2,)),
        shaped((2, 1, 2), (3, 2), (3,)),
        shaped((0, 2), (1, 2), (1,)),
    ],
}
"""The rows whose inputs must fit each other, or which need a setting. Append a line for a row of your own."""


def layouts(row: Primitive) -> list[Layout]:
    """Return what a row is tried on: its own line, or what its kind and its settings suggest.

    Raises UnsupportedError for a row of which neither says anything.
    """
    if row.name in LAYOUTS:
        return LAYOUTS[row.name]
    if "axis" in row.params:
        fitting = [layout for layout in ALONG_AXES if layout.params.keys() <= set(row.params)]
        if row.defaults["axis"] is not None:  # along one axis only, as softmax
            fitting = [one for one in fitting if one.inputs[0] and not isinstance(one.params.get("axis"), tuple)]
        return fitting
    needed = set(row.params) - set(row.defaults)
    if row.kind in ("elementwise", "selection", "comparison", "identity") and not row.variadic and not needed:
        return ENTRY_BY_ENTRY[len(row.inputs)]
    raise UnsupportedError(
        f"Nothing says on which shapes the primitive {row.name!r} of kind {row.kind!r} can be tried. "
        f"It has the inputs {row.inputs} and needs the settings {tuple(sorted(needed))}. "
        f"Write engine.testing.layouts.LAYOUTS[{row.name!r}] = [shaped((2, 3), axis=0), ...]."
    )


def interval(domain: tuple[float, float]) -> tuple[float, float]:
    """Return the finite part of a domain from which numbers are drawn."""
    low, high = domain
    middle = 0.0 if low < 0 < high else low if isfinite(low) else high
    return max(low, middle - REACH), min(high, middle + REACH)


def domains(row: Primitive, count: int) -> list[tuple[float, float]]:
    """Return the domain of each of so many inputs of a row; the last one serves all inputs of a variadic row."""
    stated = [row.domain.get(name, (-inf, inf)) for name in row.inputs]
    return stated + stated[-1:] * (count - len(stated))


def fill(row: Primitive, layout: Layout, rng: np.random.Generator, dtype: Any = float) -> list[Any]:
    """Return the inputs of a layout, drawn from the row's domains and away from its kinks."""
    while True:
        data = [
            np.asarray(rng.uniform(*interval(domain), x), dtype) if isinstance(x, Shape) else x
            for x, domain in zip(layout.inputs, domains(row, len(layout.inputs)), strict=False)
        ]
        if kink_distance(row, data, layout.params) > CLEARANCE:
            return data


def kink_distance(row: Primitive, data: Sequence[Any], params: Mapping[str, Any]) -> float:
    """Return how near the inputs come to where the row has no derivative, in the row's own measure."""
    if row.kinks is None:
        return inf
    return float(abs(np.asarray(row.kinks(*data, **{**row.defaults, **params}))).min(initial=inf))
