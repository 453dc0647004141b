"""Rows: reading entries by index, and new arrays with entries set or added.

An index is a `key`, a tuple of slices, integers, None and Ellipsis, in which `Array(position)` stands for an array:
arrays are inputs, so that they can be recorded, drawn and replaced.
"""

from typing import Any, NamedTuple

import numpy as np

from ..errors import IndexingError
from ..graph import Node
from ..row import as_array, primitive


class Array(NamedTuple):
    """The place of an array of integers or booleans in a key."""

    position: int


def parse(index: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """Take an index as written between brackets apart: (key, arrays)."""
    key: list[Any] = []
    arrays: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, list):
            part = as_array(part) if part else np.zeros(0, dtype=int)
        if isinstance(part, np.ndarray | Node | np.bool_ | bool):
            kind = np.asarray(part._value if isinstance(part, Node) else part).dtype.kind
            if kind not in "iub":
                raise IndexingError(
                    f"An index holds an array of dtype kind {kind!r}, {part!r}. Entries are chosen by integers or "
                    "booleans. Convert it with .astype(int), or compare it to get booleans."
                )
            key.append(Array(len(arrays)))
            arrays.append(part.copy() if isinstance(part, np.ndarray) else part)  # it may be refilled before backward()
        elif part is None or part is Ellipsis or isinstance(part, slice):
            key.append(part)
        elif hasattr(part, "__index__"):
            key.append(part.__index__())
        else:
            raise IndexingError(
                f"{part!r} of type {type(part).__name__} was used as an index. "
                "Tensors are indexed by integers, slices, None, ... and arrays of integers or booleans. "
                "Write one of these."
            )
    return tuple(key), arrays


def _index(key, arrays):
    return tuple(arrays[part.position] if type(part) is Array else part for part in key) if arrays else key


@primitive(
    x=lambda xp, g, out, x, *arrays, key: scatter(g, *arrays, key=key, shape=x.shape),  # type: ignore[has-type]
    arrays=None,
    kind="selection",
    analytic=True,
)
def getitem(xp, x, *arrays, key):
    """The entries that an index names, as NumPy's x[index].

    >>> import engine
    >>> engine.Tensor([1.0, 2.0, 3.0])[[0, 0, 2]]
    Tensor([1., 1., 3.])
    """
    return x[_index(key, arrays)]


@primitive(
    g=lambda xp, g, out, x, *arrays, key, shape: getitem(g, *arrays, key=key),
    arrays=None,
    kind="indexing",
    analytic=True,
)
def scatter(xp, g, *arrays, key, shape):
    """Zeros with each entry of g added at the place getitem would have read it from."""
    out = np.zeros(shape, g.dtype)
    if len(key) == len(arrays) == 1 and np.asarray(arrays[0]).dtype.kind != "b" and out.size:
        # Whole rows, as of an embedding: numpy.add.at is five times as fast along a single axis.
        width = out[0].size
        places = (arrays[0] % shape[0]).reshape(-1, 1) * width + np.arange(width)
        np.add.at(out.reshape(-1), places.reshape(-1), g.reshape(-1))
    elif arrays:
        np.add.at(out, _index(key, arrays), g)  # an index may name a place twice
    else:
        out[key] = g
    return out


@primitive(arrays=None, kind="comparison")
def last_set(xp, *arrays, key, shape):
    """Whether each entry is the last of those that an index sets at its place: that one stays.

    >>> last_set([np.array([0, 1, 0])], key=(Array(0),), shape=(2,)).tolist()
    [False, True, True]
    """
    index = _index(key, arrays)
    places = np.zeros(shape, dtype=int)
    order = np.arange(places[index].size).reshape(places[index].shape)
    places[index] = order
    return places[index] == order


def _set_rule(xp, g, out, x, v, *arrays, key):
    part = getitem(g, *arrays, key=key)
    return xp.where(last_set(arrays, key=key, shape=out.shape), part, 0.0) if arrays else part


@primitive(
    x=lambda xp, g, out, x, v, *arrays, key: set_at(g, 0.0, *arrays, key=key),  # type: ignore[has-type]
    v=_set_rule,
    arrays=None,
    kind="selection",
    analytic=True,
)
def set_at(xp, x, v, *arrays, key):
    """A copy of x with v at the indexed places: t.at[i].set(v).

    >>> import engine
    >>> engine.Tensor([1.0, 2.0, 3.0]).at[0].set(9.0)
    Tensor([9., 2., 3.])
    """
    out = np.array(x, dtype=np.result_type(x, v))
    out[_index(key, arrays)] = v
    return out


@primitive(
    x=lambda xp, g, out, x, v, *arrays, key: g,
    v=lambda xp, g, out, x, v, *arrays, key: getitem(g, *arrays, key=key),
    arrays=None,
    kind="indexing",
    analytic=True,
)
def add_at(xp, x, v, *arrays, key):
    """A copy of x with v added at the indexed places, once for each time a place is named: t.at[i].add(v).

    >>> import engine
    >>> engine.Tensor([1.0, 2.0, 3.0]).at[[0, 0]].add(1.0)
    Tensor([3., 2., 3.])
    """
    out = np.array(x, dtype=np.result_type(x, v))
    np.add.at(out, _index(key, arrays), v)
    return out
