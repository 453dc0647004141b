"""Nested lists, tuples and dicts of arguments and results."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def flatten(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """Return what a nested structure holds, in order, and a function that puts as many other things in its places.

    >>> leaves, rebuild = flatten({"w": [1, 2], "b": 3})
    >>> leaves
    [1, 2, 3]
    >>> rebuild([x * 10 for x in leaves])
    {'w': [10, 20], 'b': 30}
    """
    leaves: list[Any] = []
    frame = _take(tree, leaves)
    return leaves, functools.partial(_put, frame)


def _take(part: Any, leaves: list[Any]) -> Any:
    """The structure with a place where each leaf was; the leaves go into the list."""
    if isinstance(part, dict):
        return {key: _take(value, leaves) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return _like(part, [_take(value, leaves) for value in part])
    leaves.append(part)
    return _Place(len(leaves) - 1)


def _put(frame: Any, new: list[Any]) -> Any:
    """The structure with new things in its places."""
    if isinstance(frame, _Place):
        return new[frame.index]
    if isinstance(frame, dict):
        return {key: _put(value, new) for key, value in frame.items()}
    return _like(frame, [_put(value, new) for value in frame])


class _Place:
    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


def _like(part: Any, parts: list[Any]) -> Any:
    if isinstance(part, tuple) and hasattr(part, "_fields"):
        return type(part)(*parts)  # a named tuple
    return tuple(parts) if isinstance(part, tuple) else parts
