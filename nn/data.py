"""Data: arrays, memory-mapped files and streams of examples in mini-batches, and arrays in parts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from engine import errors


def batches(
    *data: Any,
    batch_size: int,
    shuffle: bool = True,
    seed: int | np.random.Generator | None = None,
    rows: Any = None,
    drop_last: bool = False,
    dtype: Any = None,
    buffer_size: int = 1000,
) -> Batches:
    """Return the data in tuples of at most `batch_size` rows each; each time they are gone through is an epoch.

    Arrays belong together row by row. A memory-mapped one (`numpy.load(path, mmap_mode="r")`) is read batch by batch,
    never as a whole. For data larger than memory, give one function instead: called once for each epoch, it returns an
    iterable of examples, each a tuple such as `(image, label)` or a single array or number.

    Every row comes once in an epoch, and every epoch has another order, all drawn from `seed`. The examples of a
    function are shuffled within a buffer: each is drawn from the next `buffer_size` of them. The last batch may be
    smaller; `drop_last` leaves it out then. `rows` are the indices of the rows to be used, where not all are.
    Floating-point numbers are converted to `dtype`, batch by batch; integers and booleans stay as they are.

    Raises ShapeError where the arrays differ in length or there are no rows, DataError for text and objects,
    DomainError for a batch size below 1; what a function returns is checked as it comes.

    >>> [x.tolist() for x, in batches([1, 2, 3], batch_size=2, shuffle=False)]
    [[1, 2], [3]]
    >>> def squares():
    ...     return ((x, x**2) for x in range(5))
    >>> [y.tolist() for _, y in batches(squares, batch_size=2, shuffle=False, drop_last=True)]
    [[0, 1], [4, 9]]
    """
    check_count(batch_size, 1, "batch_size", "the rows that are used in one step")
    check_count(buffer_size, 1, "buffer_size", "the examples that wait to be drawn")
    settings = (int(batch_size), bool(shuffle), as_generator(seed), bool(drop_last), _floating(dtype))
    if len(data) == 1 and callable(data[0]):
        if rows is not None:
            raise errors.DataError(
                f"batches was given rows={rows!r} with a function. Examples that come one after the other have no "
                "indices. Leave examples out in the function itself."
            )
        return _Stream(data[0], int(buffer_size), *settings)
    columns = [as_array(array) for array in data]
    count = check_rows("batches", *columns)
    return _Rows(columns, _checked_indices(rows, count), *settings)


class Batches:
    """Mini-batches, made by `batches`: going through them once is an epoch, and every epoch has another order.

    Those of arrays have a length, the number of batches in an epoch. `state_dict()` says, in numbers, where the
    epochs stand, also in the middle of one; batches of the same data and settings that load it go on from there.

    >>> data = batches(range(100), batch_size=40, seed=0)
    >>> first = next(iter(data))
    >>> state = data.state_dict()
    >>> resumed = batches(range(100), batch_size=40)
    >>> resumed.load_state_dict(state)
    >>> [len(x) for x, in resumed], [len(x) for x, in resumed]
    ([40, 20], [40, 40, 20])
    """

    def __init__(
        self, batch_size: int, shuffle: bool, rng: np.random.Generator, drop_last: bool, dtype: np.dtype | None
    ) -> None:
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.dtype = dtype
        self._rng = rng
        self._start: Mapping[str, Any] | None = None  # of the generator, before it drew the epoch that is under way
        self._done = 0  # batches of that epoch that were handed out
        self._skip = 0  # batches of the next epoch that were used before the state was saved

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        skip, self._skip = self._skip, 0
        self._start, self._done = self._rng.bit_generator.state, skip
        for choice in itertools.islice(self._choices(), skip, None):
            self._done += 1
            yield tuple([self._converted(column) for column in self._columns(choice)])
        self._start, self._done = None, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the generator before this epoch, and how many of its batches were handed out."""
        return {"generator": self._start or self._rng.bit_generator.state, "batch": self._done}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a `state_dict()` was taken: the next epoch is what was left of that one.

        Raises DataError for what is no such state, and DomainError for more batches than there are; nothing is
        changed then.
        """
        if not isinstance(state, Mapping) or set(state) != {"generator", "batch"}:
            given = sorted(map(str, state)) if isinstance(state, Mapping) else f"a {type(state).__name__}"
            raise errors.DataError(
                f"The state of batches was to be loaded from {given}. It has the entries 'generator' and 'batch'. "
                "Give what state_dict() of batches returned."
            )
        check_count(state["batch"], 0, "batch", "the batches of this epoch that were handed out")
        self._check_batch(state["batch"])
        before = self._rng.bit_generator.state
        try:
            self._rng.bit_generator.state = state["generator"]
        except (TypeError, ValueError, LookupError, OverflowError) as error:
            self._rng.bit_generator.state = before
            raise errors.DataError(
                f"The state of a generator of random numbers was to be loaded, and it is none: {error}. These batches "
                f"draw from {before['bit_generator']}. Give what state_dict() of batches with such a seed returned."
            ) from error
        self._start, self._done = None, int(state["batch"])
        self._skip = self._done

    def _choices(self) -> Iterator[Any]:
        """What goes into each batch of an epoch; all randomness is drawn from the generator before the first one."""
        raise NotImplementedError

    def _columns(self, choice: Any) -> Iterable[np.ndarray]:
        raise NotImplementedError

    def _check_batch(self, batch: int) -> None:
        """Nothing, where the number of batches is not known."""

    def _converted(self, column: np.ndarray) -> np.ndarray:
        return column if self.dtype is None or column.dtype.kind != "f" else column.astype(self.dtype, copy=False)


class _Rows(Batches):
    """Batches of arrays: `indices` are the rows that are used, or their number where all are."""

    def __init__(self, columns: list[np.ndarray], indices: int | np.ndarray, *settings: Any) -> None:
        super().__init__(*settings)
        self.columns, self.indices = columns, indices
        self.count = indices if isinstance(indices, int) else len(indices)
        if not len(self):
            raise errors.ShapeError(
                f"batches was given {self.count} rows, with batch_size={self.batch_size} and drop_last=True. "
                "The only batch is smaller and would be left out. Choose a smaller batch_size."
            )

    def __len__(self) -> int:
        return self.count // self.batch_size if self.drop_last else math.ceil(self.count / self.batch_size)

    def _choices(self) -> Iterator[np.ndarray]:
        if self.shuffle:
            order = self._rng.permutation(self.indices)
        else:
            order = np.arange(self.indices) if isinstance(self.indices, int) else self.indices
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield order[start : start + self.batch_size]

    def _columns(self, choice: np.ndarray) -> Iterable[np.ndarray]:
        return [column[choice] for column in self.columns]

    def _check_batch(self, batch: int) -> None:
        if batch > len(self):
            raise errors.DomainError(
                f"The state says that {batch} batches of this epoch were handed out. Here an epoch has only "
                f"{len(self)}. Make the batches from the same data, with the same batch_size, as those of the state."
            )


class _Stream(Batches):
    """Batches of the examples that a function returns."""

    def __init__(self, source: Callable[[], Any], buffer_size: int, *settings: Any) -> None:
        super().__init__(*settings)
        self.source, self.buffer_size = source, buffer_size

    def _choices(self) -> Iterator[list[tuple[Any, ...]]]:
        rng = np.random.default_rng(self._rng.integers(2**63)) if self.shuffle else None
        examples = self.source()
        if not isinstance(examples, Iterable):
            raise errors.DataError(
                f"The function given to batches returned {examples!r} of type {type(examples).__name__}. It is called "
                "once for each epoch, and returns an iterable of examples. Write it with yield."
            )
        drawn = iter(examples) if rng is None else self._shuffled(iter(examples), rng)
        size = 0
        while chosen := list(itertools.islice(drawn, self.batch_size)):
            if self.drop_last and len(chosen) < self.batch_size:
                break
            size += len(chosen)
            yield [each if isinstance(each, tuple) else (each,) for each in chosen]
        if not size:
            raise errors.ShapeError(
                f"The function given to batches returned {len(chosen)} examples for a whole epoch. There must be "
                "some, at least batch_size with drop_last, in every epoch. "
                "Let the function make or open its source anew each time; a generator can be gone through only once."
            )

    def _shuffled(self, examples: Iterator[Any], rng: np.random.Generator) -> Iterator[Any]:
        """Each example drawn from as many as the buffer holds, and replaced by the next one."""
        buffer = list(itertools.islice(examples, self.buffer_size))
        for example in examples:
            place = int(rng.integers(len(buffer)))
            yield buffer[place]
            buffer[place] = example
        for place in rng.permutation(len(buffer)):
            yield buffer[place]

    def _columns(self, choice: list[tuple[Any, ...]]) -> Iterable[np.ndarray]:
        widths = {len(example) for example in choice}
        if len(widths) != 1 or widths == {0}:
            raise errors.ShapeError(
                f"The function given to batches returned examples of {', '.join(map(str, sorted(widths)))} entries in "
                "one batch. Each example is a tuple with the same entries. Return pairs such as (image, label)."
            )
        return [as_array(column) for column in zip(*choice)]


def split(
    *arrays: Any,
    sizes: Sequence[float],
    shuffle: bool = True,
    seed: int | np.random.Generator | None = None,
    stratify: Any = None,
) -> list[tuple[np.ndarray, ...]]:
    """Return the rows of the arrays in as many parts as there are `sizes`, each part a tuple of arrays.

    `sizes` are numbers of rows that add up to all of them, or shares of them that add up to 1 and are rounded by
    largest remainders. Which rows go where is drawn from `seed`; without `shuffle` the parts follow one another. With
    `stratify`, a label for each row, every part has each class as nearly in proportion as whole rows allow, and at
    least once. (In two parts, scikit-learn's `train_test_split` does the same.)

    Raises ShapeError where the arrays differ in length, DomainError for sizes that do not add up, leave a part empty,
    or leave a class out of one.

    >>> x, y = np.arange(10), np.repeat([0, 1], 5)
    >>> (x, y), (x_validation, y_validation), (x_test, y_test) = split(x, y, sizes=(0.6, 0.2, 0.2), stratify=y, seed=0)
    >>> np.bincount(y), np.bincount(y_validation), np.bincount(y_test)
    (array([3, 3]), array([1, 1]), array([1, 1]))
    """
    columns = [as_array(array) for array in arrays]
    count = check_rows("split", *columns)
    parts = _checked_sizes(sizes, count)
    rng = as_generator(seed)
    order = rng.permutation(count) if shuffle else np.arange(count)
    if stratify is None:
        chosen = np.split(order, np.cumsum(parts)[:-1])
    else:
        member = _stratified(_classes(stratify, count, parts)[order], parts)
        chosen = [order[member == part] for part in range(len(parts))]
    return [tuple([column[rows] for column in columns]) for rows in chosen]


def _checked_sizes(sizes: Any, count: int) -> list[int]:
    """The numbers of rows of the parts."""
    given = np.asarray(sizes) if isinstance(sizes, Sequence | np.ndarray) and not isinstance(sizes, str) else None
    if given is None or given.ndim != 1 or given.dtype.kind not in "fiu" or not len(given) or not (given > 0).all():
        raise errors.DomainError(
            f"split was given sizes={sizes!r}. They are positive numbers of rows, or positive shares of all "
            f"{count} rows, one for each part. Write sizes=(0.8, 0.2), for example."
        )
    if given.dtype.kind == "f":
        if not math.isclose(given.sum(), 1, rel_tol=1e-9):
            raise errors.DomainError(
                f"split was given sizes={sizes!r}, which add up to {given.sum():.10g}. Shares of all rows add up to 1. "
                "Add a last part for the rest, or change one of them."
            )
        parts = _rounded(given * count, count, np.zeros(len(given), int), np.full(len(given), count)).tolist()
    else:
        parts = given.tolist()
    if sum(parts) != count or min(parts) == 0:
        raise errors.DomainError(
            f"split was given sizes={sizes!r} for {count} rows, which makes parts of {parts} rows. Every part has at "
            "least one row, and together they have all. Add a last part for the rest, or change one of them."
        )
    return parts


def _rounded(wanted: np.ndarray, total: int, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Whole numbers near the wanted ones that add up to a total, within bounds: the method of largest remainders."""
    whole = np.clip(np.floor(wanted + 1e-9).astype(int), least, most)  # 0.29·100 is 28.999999999999996
    while missing := total - int(whole.sum()):
        step = 1 if missing > 0 else -1
        free = whole < most if step > 0 else whole > least
        whole[np.argmax(np.where(free, step * (wanted - whole), -np.inf))] += step
    return whole


def _stratified(classes: np.ndarray, parts: list[int]) -> np.ndarray:
    """The part that each row belongs to: of every class its share, filled part by part."""
    left = np.bincount(classes)
    rows = np.argsort(classes, kind="stable")
    start = np.cumsum(left) - left  # where the rows of each class begin that belong to no part yet
    member = np.empty(len(classes), int)
    for part, size in enumerate(parts):
        share = _rounded(left * (size / left.sum()), size, np.ones(len(left), int), left - (len(parts) - part - 1))
        for first, number in zip(start, share):
            member[rows[first : first + number]] = part
        left, start = left - share, start + share
    return member


def _classes(stratify: Any, count: int, parts: list[int]) -> np.ndarray:
    """The labels as numbers; an error where some part could not have every class."""
    labels = np.asarray(stratify)
    if labels.shape != (count,):
        raise errors.ShapeError(
            f"split was given stratify= of shape {labels.shape} for {count} rows. It is one label for each row. "
            "Give the labels, of shape (rows,)."
        )
    try:
        names, classes, numbers = np.unique(labels, return_inverse=True, return_counts=True)
    except TypeError as error:
        raise errors.DataError(
            f"split was given labels of several kinds in stratify=: {error}. Labels are compared with each other. "
            "Make them all numbers or all text."
        ) from error
    if numbers.min() < len(parts):
        raise errors.DomainError(
            f"split was to give each of {len(parts)} parts some rows of every class, and the class "
            f"{names[numbers.argmin()].item()!r} of stratify= has only {numbers.min()}. Every class needs as many rows "
            "as there are parts. Leave this class out or join it with another, or split without stratify=."
        )
    if min(parts) < len(names):
        raise errors.DomainError(
            f"split was to make parts of {parts} rows, and stratify= has {len(names)} classes. Every class is at least "
            "once in every part. Make the parts larger, or split without stratify=."
        )
    return classes


def _checked_indices(rows: Any, count: int) -> int | np.ndarray:
    """The indices of the rows that are used, or their number where all are."""
    if rows is None:
        return count
    indices = as_array(rows)
    if indices.ndim != 1 or indices.dtype.kind not in "iu" or not indices.size:
        raise errors.DataError(
            f"batches was given rows= of shape {indices.shape} and dtype {indices.dtype}. They are indices of rows, "
            "at least one. Turn a mask into indices with numpy.flatnonzero(mask)."
        )
    low, high = int(indices.min()), int(indices.max())
    if low < 0 or high >= count:
        raise errors.DomainError(
            f"batches was given the row {low if low < 0 else high} in rows=. The arrays have the rows "
            f"0, ..., {count - 1}. Check that the indices belong to these arrays."
        )
    return indices


def _floating(dtype: Any) -> np.dtype | None:
    """The dtype of floating-point numbers, if one is given."""
    if dtype is None:
        return None
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found.kind != "f":
        raise errors.DataError(
            f"dtype={dtype!r} was given. Floating-point numbers are converted to it, integers and booleans are not. "
            'Give "float32" or "float64".'
        )
    return found


def as_array(given: Any) -> np.ndarray:
    """Return an array of numbers or booleans; raise ShapeError for ragged lists and DataError for anything else."""
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise errors.ShapeError(
            f"Data of type {type(given).__name__} cannot become an array: {error}. Every example has the same shape. "
            "Make all rows equally long."
        ) from error
    if array.ndim == 0 and array.dtype.kind == "O" and isinstance(given, Iterable):
        raise errors.DataError(
            f"{type(given).__name__!r} was given as data. It is gone through one by one, and this is a place for "
            "arrays. Give nn.batches a function that returns it, or make an array with numpy.array(list(...))."
        )
    if array.dtype.kind not in "fiub":
        raise errors.DataError(
            f"Data of shape {array.shape} and dtype {array.dtype} were given. Networks compute with numbers. "
            "Number the classes with numpy.unique(labels, return_inverse=True), or convert with .astype(float)."
        )
    return array


def as_generator(seed: int | np.random.Generator | None) -> np.random.Generator:
    """Return the generator that a seed means, which is itself for a generator; raise DataError for what is no seed."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise errors.DataError(
            f"seed={seed!r} was given. Random numbers come from NumPy's generators, and {error}. "
            "Give a whole number of at least 0, a numpy.random.Generator, or None."
        ) from error


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
