"""Tensor: an array that remembers how it was computed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import primitives as table
from . import row
from .backward import backward
from .errors import DataError, IndexingError, ShapeError
from .graph import describe
from .operators import Operators
from .primitives import indexing


class Tensor(Operators):
    """An array in a graph: it behaves like an ndarray, and `backward()` gives the gradient by every leaf.

    The data are copied. Floating-point tensors require grad unless told otherwise; arrays of integers and booleans
    never do. Numbers and lists of ints become floats.

    Raises DataError for text, objects and complex numbers, ShapeError for ragged lists.

    >>> t = Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> (t @ t).sum().backward()
    >>> t.grad
    array([[ 7., 11.],
           [ 9., 13.]])
    """

    __slots__ = ()

    @np.errstate(all="ignore")
    def __init__(
        self, data: Any, label: str | None = None, requires_grad: bool | None = None, dtype: Any = None
    ) -> None:
        if isinstance(data, row.Node):
            raise DataError(
                f"A Tensor was given {describe(data)}, which is in a graph already. "
                "The copy would forget where it came from. "
                "Write engine.stack([...]) to make a Tensor of Values, or node.detach() for a copy of the data."
            )
        array = row.as_array(data)
        if dtype is None and array.dtype.kind in "iu" and not isinstance(data, np.ndarray | np.generic):
            dtype = float
        try:
            array = np.array(array, dtype=dtype)
        except TypeError as error:
            raise DataError(
                f"A Tensor was asked for with dtype={dtype!r}. NumPy knows no such dtype. "
                "Write a NumPy dtype or its name, such as 'float32'."
            ) from error
        row.check_dtype(array)
        if requires_grad and array.dtype.kind != "f":
            raise DataError(
                f"An array of dtype {array.dtype} and shape {array.shape} was asked to require grad. "
                "Only floating-point numbers have derivatives. Write Tensor(array.astype(float))."
            )
        self._become_leaf(array, label, array.dtype.kind == "f" if requires_grad is None else requires_grad)

    def _checked(self, data: Any) -> np.ndarray:
        """An array for assignment to .data: of this tensor's shape and dtype, copied unless it is the tensor's own."""
        mine = self._value
        if data is mine:  # after t.data += 1
            return data
        array = data
        if type(data) is not np.ndarray:
            if isinstance(data, row.Node):
                raise DataError(
                    f"The data of {describe(self)} were to be {describe(data)}. Data are arrays without a past. "
                    "Write t.data = node.detach().numpy()."
                )
            array = row.as_array(data)
            if np.can_cast(array.dtype, mine.dtype, "same_kind"):
                with np.errstate(all="ignore"):
                    array = array.astype(mine.dtype)
        if array.shape != mine.shape:
            raise ShapeError(
                f"Data of shape {array.shape} were assigned to {describe(self)}. A tensor keeps its shape. "
                f"Give data of shape {mine.shape}, or make a new Tensor."
            )
        if array.dtype != mine.dtype:
            raise DataError(
                f"Data of dtype {array.dtype} were assigned to {describe(self)} of dtype {mine.dtype}. "
                f"A tensor keeps its dtype. Write data.astype({str(mine.dtype)!r})."
            )
        return array.copy()

    def __repr__(self) -> str:
        body = np.array2string(self._value, separator=", ", prefix="Tensor(", threshold=100)
        dtype = "" if self._value.dtype in (np.float64, np.int64, np.bool_) else f", dtype={self._value.dtype}"
        return f"Tensor({body}{dtype}{f', label={self.label!r}' if self.label else ''})"

    def __len__(self) -> int:
        if not self._value.ndim:
            raise DataError(
                f"len() or iteration was asked of {describe(self)}, which has no axes. It holds a single number. "
                "Write t.item() for the number."
            )
        return len(self._value)

    def __iter__(self) -> Iterator[Tensor]:
        len(self)  # which complains where there is nothing to iterate over
        return iter(table.unstack(self))

    def __getitem__(self, index: Any) -> Tensor:
        key, arrays = indexing.parse(index)
        return table.getitem(self, *arrays, key=key)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise DataError(
            f"Entries of {describe(self)} were assigned to, as in t[i] = v. "
            "Results that were computed from it would no longer belong to its data. "
            "Write t = t.at[i].set(v) or t = t.at[i].add(v)."
        )

    @property
    def at(self) -> _At:
        """New tensors with some entries changed: `t.at[i].set(v)` and `t.at[i].add(v)`."""
        return _At(self, None)

    @property
    def T(self) -> Tensor:
        """The tensor with its axes reversed."""
        return table.transpose(self, axes=None)

    def values(self) -> Any:
        """Return the entries as Values that lead back to this tensor, in nested lists of its shape.

        >>> Tensor([[1.0, 2.0]]).values()
        [[Value(1.0), Value(2.0)]]
        """
        flat = table.values(self)
        nested: Any = list(flat)
        for axis in range(self._value.ndim - 1, 0, -1):
            rows, length = math.prod(self._value.shape[:axis]), self._value.shape[axis]
            nested = [nested[i * length : (i + 1) * length] for i in range(rows)]
        return nested if self._value.ndim else nested[0]

    def detach(self) -> Tensor:
        """Return a leaf of its own with a copy of the data, which does not require grad."""
        return Tensor(self._value, requires_grad=False)

    backward = backward


class _At:
    """The places of a tensor that an index names, to be set or added to in a new tensor."""

    __slots__ = ("_index", "_tensor")

    def __init__(self, tensor: Tensor, index: tuple[tuple, list] | None) -> None:
        self._tensor = tensor
        self._index = index

    def _places(self) -> tuple[tuple, list]:
        if self._index is None:
            raise IndexingError(
                f"Entries of {describe(self._tensor)} were to be changed without saying which. "
                "Its .at needs an index behind it. Write t.at[i].set(v), or t.at[...].set(v) for all."
            )
        return self._index

    def __getitem__(self, index: Any) -> _At:
        return _At(self._tensor, indexing.parse(index))

    def set(self, v: Any) -> Tensor:
        """Return a copy of the tensor with v at these places."""
        key, arrays = self._places()
        return table.set_at(self._tensor, v, *arrays, key=key)

    def add(self, v: Any) -> Tensor:
        """Return a copy of the tensor with v added at these places, as often as each is named."""
        key, arrays = self._places()
        return table.add_at(self._tensor, v, *arrays, key=key)


row.Tensor = Tensor  # primitives stand lower in the import order and make nodes of this class
