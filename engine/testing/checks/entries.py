"""Numbers and arrays as the entries of one row, and back: what derivatives are taken by and of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


def is_real(x: Any) -> bool:
    """Return whether something is a floating-point number or array: integers count and choose, and are held fixed."""
    return x.dtype.kind == "f" if isinstance(x, np.ndarray | np.generic) else isinstance(x, float)


def like(new: Any, old: Any) -> Any:
    """Return data as an array of another's dtype, or as a float if that is one."""
    return np.asarray(new, old.dtype) if isinstance(old, np.ndarray) else float(new)


def widened(x: Any) -> Any:
    """Return data in double precision."""
    return np.asarray(x, dtype=float) if isinstance(x, np.ndarray) else float(x)


def precision(x: Any) -> float:
    """Return the relative precision of data.

    >>> precision(np.ones(2, np.float32)) == 2.0**-23
    True
    """
    dtype = getattr(x, "dtype", None)
    return float(np.finfo(dtype if dtype is not None and dtype.kind == "f" else float).eps)


def in_a_row(parts: Sequence[Any]) -> np.ndarray:
    """Return the entries of several numbers and arrays, in double precision."""
    flat = [np.ravel(part).astype(complex if np.iscomplexobj(part) else float) for part in parts]
    return np.concatenate([np.zeros(0), *flat])


def in_their_shapes(row: np.ndarray, parts: Sequence[Any]) -> list[Any]:
    """Return the entries of a row as numbers and arrays like the parts."""
    edges = np.cumsum([0, *(np.size(part) for part in parts)])
    return [
        like(row[start : start + np.size(part)].reshape(np.shape(part)), part)
        if isinstance(part, np.ndarray)
        else float(row[start])
        for start, part in zip(edges[:-1], parts, strict=True)
    ]


def directions(parts: Sequence[Any]) -> Iterator[tuple[float, list[Any]]]:
    """Yield a number, and parts of zeros with that number at one entry, for each entry in turn.

    It is no 1, which would be its own square, and of either sign: a rule may be wrong for what arrives.
    """
    count = sum(np.size(part) for part in parts)
    for position in range(count):
        one = np.zeros(count)
        one[position] = 2.0 if position % 2 else -2.0
        yield one[position], in_their_shapes(one, parts)


def places_of(tree: Any, name: str) -> Iterator[str]:
    """Yield a name for each entry of a nested structure, in the order of `flatten`.

    >>> list(places_of({"w": [1.0, 2.0]}, "args[0]"))
    ["args[0]['w'][0]", "args[0]['w'][1]"]
    """
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield from places_of(part, f"{name}[{key!r}]")
    elif isinstance(tree, list | tuple):
        for i, part in enumerate(tree):
            yield from places_of(part, f"{name}[{i}]")
    else:
        yield name


def place_of(position: int, names: list[str], data: list[Any]) -> tuple[str, tuple[int, ...]]:
    """Return the name of the part, and the index in it, of a position in the row of all parts.

    >>> place_of(3, ["x", "y"], [1.0, np.ones((2, 2))])
    ('y', (1, 0))
    """
    for name, x in zip(names, data, strict=True):
        if position < np.size(x):
            return name, tuple(int(i) for i in np.unravel_index(position, np.shape(x)))
        position -= np.size(x)
    raise AssertionError("the position lies behind the last part")
