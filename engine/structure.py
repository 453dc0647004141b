"""Nested lists, tuples and dicts of arguments and results."""

from __future__ import annotations

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

    def take(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: take(value) for key, value in part.items()}
        if isinstance(part, list | tuple):
            parts = [take(value) for value in part]
            return _like(part, parts)
        leaves.append(part)
        return _Place(len(leaves) - 1)

    frame = take(tree)

    def put(part: Any, new: list[Any]) -> Any:
        if isinstance(part, _Place):
            return new[part.index]
        if isinstance(part, dict):
            return {key: put(value, new) for key, value in part.items()}
        return _like(part, [put(value, new) for value in part])

    return leaves, lambda new: put(frame, new)


class _Place:
    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


def _like(part: Any, parts: list[Any]) -> Any:
    if isinstance(part, tuple) and hasattr(part, "_fields"):
        return type(part)(*parts)  # a named tuple
    return tuple(parts) if isinstance(part, tuple) else parts
