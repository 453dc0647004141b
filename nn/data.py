"""Data: arrays in mini-batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from engine import errors


def batches(
    *arrays: Any, batch_size: int, shuffle: bool = True, seed: int | np.random.Generator | None = None
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the rows of the arrays in tuples of at most `batch_size` rows each, in an order drawn from `seed`.

    Every row comes once; the last batch may be smaller. One generator as `seed` gives every epoch another order.

    Raises ShapeError where the arrays differ in length or have no rows, DataError for text and objects, DomainError
    for a batch size below 1.

    >>> [x.tolist() for x, in batches([1, 2, 3], batch_size=2, shuffle=False)]
    [[1, 2], [3]]
    """
    columns = [as_array(array) for array in arrays]
    count = check_rows("batches", *columns)
    check_count(batch_size, 1, "batch_size", "the rows that are used in one step")
    return _batches(columns, count, batch_size, shuffle, seed)


def _batches(columns: list[np.ndarray], count: int, size: int, shuffle: bool, seed: Any) -> Iterator[Any]:
    order = np.random.default_rng(seed).permutation(count) if shuffle else np.arange(count)
    for start in range(0, count, size):
        rows = order[start : start + size]
        yield tuple([column[rows] for column in columns])


def as_array(given: Any) -> np.ndarray:
    """Return an array of numbers or booleans; raise ShapeError for ragged lists and DataError for anything else."""
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise errors.ShapeError(
            f"Data of type {type(given).__name__} cannot become an array: {error}. Every example has the same shape. "
            "Make all rows equally long."
        ) from error
    if array.dtype.kind not in "fiub":
        raise errors.DataError(
            f"Data of shape {array.shape} and dtype {array.dtype} were given. Networks compute with numbers. "
            "Number the classes with numpy.unique(labels, return_inverse=True), or convert with .astype(float)."
        )
    return array


def check_rows(where: str, *arrays: np.ndarray) -> int:
    """Return the number of rows that all arrays have; raise ShapeError where they differ or there are none."""
    counts = {array.shape[0] if array.ndim else 0 for array in arrays}
    if len(counts) != 1 or counts == {0}:
        raise errors.ShapeError(
            f"{where} was given arrays of shapes {', '.join(str(array.shape) for array in arrays)}. "
            "Their first axis counts the examples: it must be equally long in all, and not empty. "
            "Check that x and y belong together."
        )
    return counts.pop()


def check_count(number: Any, least: int, name: str, what: str) -> None:
    """Raise DomainError unless the number is a whole one of at least `least`."""
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < least:
        raise errors.DomainError(
            f"{name}={number!r} was given. It counts {what}. Give a whole number of at least {least}."
        )
