"""Operators, NumPy's protocols, and the methods that values and tensors share, written out."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from . import functions
from . import primitives as table
from .errors import GraphError, ShapeError, UnsupportedError
from .graph import Node, describe, recording


class Operators(Node):
    """What a Value and a Tensor have in common: they answer to + - * / ** @ and to NumPy's functions."""

    __slots__ = ()

    # A row is a plain function, so it is a method as it stands.

    __add__ = table.add

    def __radd__(self, other: Any) -> Any:
        return table.add(other, self)

    def __iadd__(self, other: Any) -> Any:  # type: ignore[misc]
        return self._in_place(table.add(self, other))

    __sub__ = table.subtract

    def __rsub__(self, other: Any) -> Any:
        return table.subtract(other, self)

    def __isub__(self, other: Any) -> Any:  # type: ignore[misc]
        return self._in_place(table.subtract(self, other))

    __mul__ = table.multiply

    def __rmul__(self, other: Any) -> Any:
        return table.multiply(other, self)

    def __imul__(self, other: Any) -> Any:  # type: ignore[misc]
        return self._in_place(table.multiply(self, other))

    __truediv__ = table.divide

    def __rtruediv__(self, other: Any) -> Any:
        return table.divide(other, self)

    def __itruediv__(self, other: Any) -> Any:  # type: ignore[misc]
        return self._in_place(table.divide(self, other))

    __pow__ = table.power

    def __rpow__(self, other: Any) -> Any:
        return table.power(other, self)

    def __ipow__(self, other: Any) -> Any:  # type: ignore[misc]
        return self._in_place(table.power(self, other))

    __matmul__ = table.matmul

    def __rmatmul__(self, other: Any) -> Any:
        return table.matmul(other, self)

    def __imatmul__(self, other: Any) -> Any:  # type: ignore[misc]
        return self._in_place(table.matmul(self, other))

    @np.errstate(all="ignore")
    def _in_place(self, result: Any) -> Any:
        """While recording `x += y` gives the name x to the sum; under no_grad() it writes into the leaf x."""
        if recording().on:
            return result
        data = result._value
        if isinstance(data, np.ndarray) and np.can_cast(data.dtype, self.dtype, "same_kind"):
            data = data.astype(self.dtype, copy=False)  # as NumPy's own in-place operators
        self.data = data
        return self

    __neg__ = table.negative
    __abs__ = table.absolute

    def __pos__(self) -> Self:
        return self

    # Comparisons give plain booleans; while a program is captured they are recorded, like engine.greater and its kind.

    def __eq__(self, other: object) -> Any:
        return table.equal(self, other) if recording().capturing else self._value == _raw(other)

    def __ne__(self, other: object) -> Any:
        return table.not_equal(self, other) if recording().capturing else self._value != _raw(other)

    def __lt__(self, other: Any) -> Any:
        return table.less(self, other) if recording().capturing else self._value < _raw(other)

    def __le__(self, other: Any) -> Any:
        return table.less_equal(self, other) if recording().capturing else self._value <= _raw(other)

    def __gt__(self, other: Any) -> Any:
        return table.greater(self, other) if recording().capturing else self._value > _raw(other)

    def __ge__(self, other: Any) -> Any:
        return table.greater_equal(self, other) if recording().capturing else self._value >= _raw(other)

    __hash__ = Node.__hash__

    def __bool__(self) -> bool:
        self._no_capture("its truth was asked for")
        return bool(self._value)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return operator.index(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item() if np.ndim(self._value) == 0 else self.data, spec)

    def item(self) -> Any:
        """Return the only entry as a plain Python number."""
        data = self.data
        if not isinstance(data, np.ndarray):
            return data
        if data.size != 1:
            raise ShapeError(
                f"item() was called on {describe(self)}, which has {data.size} entries. "
                "Only a single entry becomes a Python number. Index it first, or write .tolist()."
            )
        return data.item()

    def _no_capture(self, what: str) -> None:
        if recording().capturing:
            raise GraphError(
                f"While {describe(self)} was captured, {what}. A program must not depend on the numbers of one run. "
                "Write engine.where(engine.greater(x, y), ...) in place of if x > y."
            )

    # NumPy's protocols: np.exp(t), array @ t and np.sum(t, axis=0) are recorded like engine.exp(t) and so on.

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self._requires_grad:
            raise GraphError(
                f"A node that requires grad, {describe(self)}, was handed to something that makes it a NumPy array. "
                "The array would forget where it came from, and its gradient would silently be lost. "
                "Write node.detach().numpy() if that is what you want, or an engine function in place of this one."
            )
        array = np.array(self.data, dtype=dtype, copy=copy)
        if array is self._value:
            array = array.view()
            array.flags.writeable = False  # writing into it would change this node behind the graph's back
        return array

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **params: Any) -> Any:
        if method != "__call__":
            raise _unsupported(f"numpy.{ufunc.__name__}.{method}", "The methods of NumPy's functions are not recorded.")
        return self._by_name("numpy", ufunc.__name__, inputs, params)

    def __array_function__(self, function: Callable[..., Any], types: Any, inputs: Any, params: dict[str, Any]) -> Any:
        return self._by_name(function.__module__, function.__name__, inputs, params)

    def _by_name(self, module: str, name: str, inputs: tuple, params: dict[str, Any]) -> Any:
        function = NUMPY_NAMES.get(name) if module == "numpy" else None
        if function is None:
            raise _unsupported(f"{module}.{name}", "The engine has no function of this name.")
        params = {key: value for key, value in params.items() if not any(value is x for x in ASKS_NOTHING.get(key, ()))}
        for key in ("out", "where"):
            if key in params:
                raise _unsupported(f"{module}.{name} with {key}=", "Nodes cannot be written into.")
        if params and (unknown := params.keys() - inspect.signature(function).parameters.keys()):
            raise _unsupported(
                f"{module}.{name} with {', '.join(unknown)}", "The engine's function has no such setting."
            )
        return function(*inputs, **params)

    # Methods that ndarray has.

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return np.shape(self._value)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return np.ndim(self._value)

    @property
    def size(self) -> int:
        """The number of entries."""
        return np.size(self._value)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the entries; a Value holds a Python float."""
        return np.result_type(self._value) if not isinstance(self._value, np.ndarray) else self._value.dtype

    def numpy(self) -> np.ndarray:
        """Return a copy of the data as an array; raise GraphError if the node requires grad."""
        return self.__array__(copy=True)

    def tolist(self) -> Any:
        """Return the data as nested lists of Python numbers."""
        data = self.data
        return data.tolist() if isinstance(data, np.ndarray) else data

    sum = table.sum
    mean = table.mean
    max = table.max
    min = table.min
    prod = table.prod
    var = table.var
    std = functions.std
    argmax = table.argmax
    argmin = table.argmin
    clip = functions.clip

    def reshape(self, *shape: Any) -> Any:
        """See engine.reshape; the lengths may be given one by one or as a tuple."""
        return table.reshape(self, shape=shape[0] if len(shape) == 1 else shape)

    ravel = functions.ravel
    flatten = ravel

    def transpose(self, *axes: Any) -> Any:
        """See engine.transpose; the axes may be given one by one or as a tuple."""
        if len(axes) == 1 and not isinstance(axes[0], int):
            (axes,) = axes
        return table.transpose(self, axes=axes or None)

    swapaxes = functions.swapaxes
    squeeze = table.squeeze
    astype = table.astype
    dot = functions.dot

    # The stated list beyond ndarray's: the functions that models are written with.

    abs = table.absolute
    exp = table.exp
    log = table.log
    sqrt = table.sqrt
    tanh = table.tanh
    sigmoid = table.sigmoid
    relu = table.relu
    softmax = table.softmax


def _raw(other: Any) -> Any:
    return other._value if isinstance(other, Node) else other


def _unsupported(what: str, why: str) -> UnsupportedError:
    return UnsupportedError(
        f"{what} was called on a node. {why} "
        "Write it with the functions in dir(engine), or on node.detach().numpy() if no gradient is needed."
    )


NUMPY_NAMES: dict[str, Callable[..., Any]] = {
    name: function for name, function in vars(functions.NAMESPACE).items() if hasattr(np, name)
}
"""NumPy's functions that are recorded, by their names in NumPy."""
NUMPY_NAMES |= {
    "amax": table.max,
    "amin": table.min,
    "clip": lambda x, a_min=None, a_max=None, min=None, max=None: functions.clip(
        x, a_min if min is None else min, a_max if max is None else max
    ),
    "ndim": lambda x: x.ndim,
    "shape": lambda x: x.shape,
    "size": lambda x, axis=None: x.size if axis is None else x.shape[axis],
}

ASKS_NOTHING: dict[str, list[Any]] = {"out": [None], "where": [True], "dtype": [None]}
"""Settings of NumPy's functions that change nothing."""
