"""Value: a number that remembers how it was computed."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import row
from .backward import backward
from .errors import DataError, DomainError
from .operators import Operators


class Value(Operators):
    """A float in a graph: it behaves like a number, and `backward()` gives the derivative by every leaf.

    Raises DataError for anything but a real number.

    >>> x = Value(2.0, label="x")
    >>> y = x * x + 3 * x
    >>> y.backward()
    >>> y, x.grad
    (Value(10.0), 7.0)
    """

    __slots__ = ()

    def __init__(self, data: float, label: str | None = None, requires_grad: bool = True) -> None:
        self._become_leaf(self._checked(data), label, requires_grad)

    def _checked(self, data: Any) -> float:
        if type(data) is float:
            return data
        if isinstance(data, np.ndarray) and data.ndim == 0:
            data = data[()]
        if not isinstance(data, bool | int | float | np.bool_ | np.integer | np.floating):
            what = f"an array of shape {data.shape}" if isinstance(data, np.ndarray) else repr(data)
            raise DataError(
                f"A Value was given {what} of type {type(data).__name__}. It holds one real number. "
                "Write Tensor(...) for arrays and lists, and node.detach() for a copy of a node."
            )
        try:
            return float(data)
        except OverflowError as error:
            raise DomainError(
                f"A Value was given an integer of {len(str(data))} digits. It is larger than every float. "
                "Write float('inf'), or scale it down first."
            ) from error

    def __repr__(self) -> str:
        return f"Value({self._value}{_label(self)})"

    def detach(self) -> Value:
        """Return a leaf of its own with a copy of the data, which does not require grad."""
        return Value(self._value, requires_grad=False)

    backward = backward


def _label(node: Operators) -> str:
    return f", label={node.label!r}" if node.label else ""


row.Value = Value  # primitives stand lower in the import order and make nodes of this class
