"""Feeding: what training and evaluation go through, arrays and streams alike, as batches in the model's dtype."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from engine import errors

from ..data import as_array, as_generator, batches, check_count, check_rows
from ..module import Module

EVALUATED = 256
"""The rows that are evaluated at once, unless something else is asked for: enough to be fast, and few for memory."""


class Batch(NamedTuple):
    """Some rows: the inputs, the targets, and where there are any, how much each row counts."""

    inputs: Any
    targets: Any
    sample_weight: Any = None

    @property
    def weight(self) -> float:
        """How much the batch counts among others."""
        return len(self.targets) if self.sample_weight is None else float(self.sample_weight.sum())


class Feed:
    """What goes through a source of batches once in every epoch, and checks and converts them where `dtype` is given.

    `where` names the source in errors. `weighted` says that rows are known to count differently.
    """

    def __init__(
        self, source: Iterable[Any], where: str, dtype: np.dtype | None = None, weighted: bool = False
    ) -> None:
        self.source, self.where, self.dtype, self.weighted = source, where, dtype, weighted

    def __iter__(self) -> Iterator[Batch]:
        number = 0
        for number, given in enumerate(self.source, start=1):
            yield Batch(*given) if self.dtype is None else self._checked(given, number, self.dtype)
        if not number:
            raise errors.DataError(
                f"{self.where} gave no batches. An iterator can be gone through only once, and each epoch goes through "
                "all batches. Give a list of batches, or nn.batches(function) of a function that starts anew each time."
            )

    @property
    def length(self) -> int | None:
        """The number of batches in an epoch; None where nobody knows."""
        return len(self.source) if isinstance(self.source, Sized) else None

    def groups(self, size: int) -> Iterator[list[Batch]]:
        """Yield as many batches at a time, and at the end of the epoch those that are left."""
        iterator = iter(self)
        while group := list(islice(iterator, size)):
            yield group

    def state_dict(self) -> dict[str, Any]:
        """Return where the source stands in its order, if it knows."""
        return self.source.state_dict() if hasattr(self.source, "state_dict") else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the source go on from there."""
        if hasattr(self.source, "load_state_dict"):
            self.source.load_state_dict(state)

    def _checked(self, given: Any, number: int, dtype: np.dtype) -> Batch:
        if not isinstance(given, tuple | list) or len(given) not in (2, 3):
            what = f"{len(given)} parts" if isinstance(given, tuple | list) else f"a {type(given).__name__}"
            raise errors.DataError(
                f"{self.where} gave {what} as batch {number}. Without targets beside it, it is gone through for "
                "batches, each a tuple (inputs, targets) or (inputs, targets, sample_weight). Give such batches, or "
                "arrays: fit(model, x, y, validation=(x, y)), with round brackets."
            )
        if given[0] is None or given[1] is None:
            raise errors.DataError(
                f"{self.where} gave None as the {'inputs' if given[0] is None else 'targets'} of batch {number}. Both "
                "are needed to train. Give (inputs, targets), the inputs as targets too where they are to be rebuilt."
            )
        batch = Batch(*[converted(part, dtype) for part in given if part is not None])
        check_rows(f"{self.where}, batch {number},", *[part for part in batch if part is not None])
        return batch


def feed_of(
    x: Any, y: Any, sample_weight: Any, dtype: np.dtype, where: str, batch_size: int | None = EVALUATED
) -> Feed:
    """Return a feed of all rows in order, or of the batches that x gives where y is None."""
    if y is None:
        return _stream(x, sample_weight, dtype, where)
    columns, rows = _columns(x, y, sample_weight, dtype, where)
    return _rows(columns, rows, batch_size, dtype, where, shuffle=False)


def feeds(
    x: Any, y: Any, sample_weight: Any, validation: Any, batch_size: int | None, dtype: np.dtype, seed: Any
) -> tuple[Feed, Feed | None]:
    """Return what `fit` is to train on, and what it is to validate on, if on anything."""
    rng = as_generator(seed)
    held_out, share = None, 0.0
    if isinstance(validation, tuple):
        if len(validation) not in (2, 3):
            raise errors.DataError(
                f"validation= was given a tuple of {len(validation)} parts. It is a pair of arrays, a share of the "
                "rows, or what gives batches. Write validation=(x, y), or validation=0.1."
            )
        inputs, targets, *weights = validation
        held_out = feed_of(inputs, targets, weights[0] if weights else None, dtype, "validation=")
    elif isinstance(validation, int | float | np.number) and not isinstance(validation, bool):
        share = float(validation)
        if not 0 < share < 1 or y is None:
            raise errors.DomainError(
                f"validation={validation!r} was given{' without y' if y is None else ''}. A number is the share of the "
                "rows of x and y that are held out. Give one between 0 and 1, such as 0.1, or a tuple (x, y)."
            )
    elif validation is not None:
        held_out = _stream(validation, None, dtype, "validation=")
    if y is None:
        return _stream(x, sample_weight, dtype, "x"), held_out
    columns, rows = _columns(x, y, sample_weight, dtype, "fit")
    if share:
        size = round(share * len(rows))
        if not 0 < size < len(rows):
            raise errors.DomainError(
                f"validation={validation!r} of {len(rows)} rows was asked for, which is {size} rows. Some must be held "
                "out, and some be left to train on. Give another share, or more rows."
            )
        order = rng.permutation(len(rows))
        held, rows = rows[np.sort(order[:size])], rows[np.sort(order[size:])]
        held_out = _rows(columns, held, EVALUATED, dtype, "validation=", shuffle=False)
    return _rows(columns, rows, batch_size, dtype, "fit", seed=rng), held_out


def _rows(
    columns: list[np.ndarray], rows: np.ndarray, batch_size: int | None, dtype: np.dtype, where: str, **order: Any
) -> Feed:
    """A feed of these rows in batches, or in a single one where their size is None."""
    if batch_size is not None:
        check_count(batch_size, 1, "batch_size", "the rows that are used at once")
    source = batches(*columns, batch_size=batch_size or len(rows), rows=rows, dtype=dtype, **order)
    return Feed(source, where, weighted=len(columns) > 2)


def _columns(x: Any, y: Any, sample_weight: Any, dtype: np.dtype, where: str) -> tuple[list[np.ndarray], np.ndarray]:
    """The arrays, and the numbers of the rows that count; an error for NaN, infinity and weights that cannot be."""
    columns = [part if isinstance(part, np.memmap) else converted(part, dtype) for part in (x, y)]
    check_rows(where, *columns)
    for name, column in zip("xy", columns):
        if not isinstance(column, np.memmap) and column.dtype.kind == "f" and not np.isfinite(column).all():
            place = tuple(np.argwhere(~np.isfinite(column))[0].tolist())
            raise errors.DomainError(
                f"{where} was given {name} of shape {column.shape} with {column[place]} at {place}. No gradient is "
                "right with it. Leave such rows out, or fill them, for example with numpy.nan_to_num."
            )
    rows = np.arange(len(columns[0]))
    if sample_weight is None:
        return columns, rows
    weights = as_array(sample_weight).astype(dtype)
    if weights.shape != rows.shape:
        raise errors.ShapeError(
            f"{where} was given sample_weight of shape {weights.shape} for {len(rows)} rows. It says how much each row "
            f"counts. Give one number for each, of shape ({len(rows)},)."
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise errors.DomainError(
            f"{where} was given sample_weight from {weights.min()} to {weights.max()}. It says how much each row "
            "counts beside the others. Give finite numbers that are not negative and not all 0."
        )
    return [*columns, weights], np.flatnonzero(weights)  # a batch of rows that do not count would have no mean


def _stream(source: Any, sample_weight: Any, dtype: np.dtype, where: str) -> Feed:
    if sample_weight is not None:
        raise errors.DataError(
            f"{where} was given sample_weight= and no y. Batches bring their own weights. "
            "Let them be tuples (inputs, targets, sample_weight)."
        )
    if isinstance(source, np.ndarray | str | Mapping) or not isinstance(source, Iterable):
        shape = f" of shape {source.shape}" if isinstance(source, np.ndarray) else ""
        raise errors.DataError(
            f"{where} was given a {type(source).__name__}{shape} and no y. Without y, x is gone through for batches "
            "(inputs, targets). Give the targets as y; those of an autoencoder are x itself."
        )
    feed = Feed(source, where, dtype)
    if isinstance(source, list | tuple):
        next(iter(feed))  # so that an error comes before training begins
    return feed


def converted(given: Any, dtype: np.dtype) -> np.ndarray:
    """Return an array; floating-point numbers in the dtype of the model, integers and booleans as they are."""
    array = as_array(given)
    return array.astype(dtype, copy=False) if array.dtype.kind == "f" else array


def float_dtype(model: Module) -> np.dtype:
    """Return the dtype that the model computes in: that of its first floating-point parameter."""
    kinds = [parameter.dtype for parameter in model.parameters() if parameter.dtype.kind == "f"]
    return kinds[0] if kinds else np.dtype(float)
