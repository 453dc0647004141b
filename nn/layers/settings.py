"""What layers are made with and what they are given, checked; their weights drawn, and the call that makes them."""

from __future__ import annotations

import math
from inspect import Parameter, signature
from typing import Any

import numpy as np

from engine import Tensor, errors

from ..initializers import INITIALIZERS, Initializer, chosen
from ..module import Module

Seed = int | np.random.Generator | None


def check_size(size: Any, name: str, where: str) -> None:
    """Raise ShapeError unless a size is a whole number of at least 1."""
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise errors.ShapeError(
            f"{size!r} was given as {name}. It counts entries in {where}. Give a whole number of at least 1."
        )


def check_number(
    number: Any, name: str, where: str, high: float = math.inf, *, low: float = 0.0, included: bool = False
) -> None:
    """Raise DomainError unless a setting is a number from `low` to `high`, which is `included` or not."""
    real = isinstance(number, int | float | np.integer | np.floating) and not isinstance(number, bool)
    fits = real and math.isfinite(number) and (low <= number < high or (included and number == high))
    if not fits:
        raise errors.DomainError(
            f"{name}={number!r} was given. It is a setting of {where}. "
            f"Give a finite number for which {low:g} <= {name} {'<=' if included else '<'} {high:g}."
        )


def check_axis(axis: Any, name: str, where: str) -> None:
    """Raise DomainError unless an axis is a whole number."""
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        raise errors.DomainError(
            f"{name}={axis!r} was given. It names an axis in {where}. "
            "Give a whole number, from 0 on or from -1 backwards."
        )


def checked_sizes(sizes: Any, axes: int, name: str, where: str, least: int = 1) -> tuple[int, ...]:
    """A whole number for each of so many axes, from one for all or a tuple; an error for another, or a smaller one."""
    each = sizes if isinstance(sizes, list | tuple) else (sizes,) * axes
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= least for n in each)
    if len(each) != axes or not whole:
        example = " or ".join(dict.fromkeys([f"{name}={least}", f"{name}={(least,) * axes}"]))
        raise errors.ShapeError(
            f"{name}={sizes!r} was given. It is a setting of {where}, which has {axes} axes of space. "
            f"Give whole numbers of at least {least}, as in {example}."
        )
    return tuple(map(int, each))


def shortest(sizes: Any) -> Any:
    """Sizes as they are written: as one number where all are equal."""
    return sizes[0] if isinstance(sizes, tuple) and len(set(sizes)) == 1 else sizes


def checked_dtype(dtype: Any) -> np.dtype:
    """A floating-point dtype, or an error."""
    try:
        result = np.dtype(dtype)
    except TypeError:
        result = np.dtype(object)
    if result.kind != "f":
        raise errors.DataError(
            f"dtype={dtype!r} was asked of a layer. Only floating-point parameters can be trained. "
            "Write dtype='float32' or dtype='float64'."
        )
    return result


def drawn(weight_init: str | Initializer, shape: tuple[int, ...], rng: Any, dtype: Any, where: str) -> Tensor:
    """The weight that an initialiser draws, or that of this name; ShapeError for one of another shape."""
    array = np.asarray(chosen(weight_init, INITIALIZERS, "weight_init")(shape, rng))
    if array.shape != shape:
        raise errors.ShapeError(
            f"weight_init={weight_init!r} returned an array of shape {array.shape}. "
            f"It initialises a weight of {where}. Return an array of the shape that it is given, here {shape}."
        )
    return Tensor(array, dtype=checked_dtype(dtype))


def described(layer: Module, **settings: Any) -> str:
    """The call that makes such a layer: its sizes, and the settings that are not the default ones.

    Each is the layer's attribute of that name, or what is given here. The seed and the initialiser are left out: only
    the first weights knew them.
    """
    dtype = next((str(part.dtype) for part in [*layer.parameters(), *layer.buffers()]), "float64")
    settings["dtype"] = float if dtype == "float64" else dtype
    parts = []
    for name, parameter in signature(type(layer)).parameters.items():
        setting = settings.get(name, getattr(layer, name, parameter.default))
        if parameter.default is Parameter.empty:
            parts += [] if setting is Parameter.empty else [repr(setting)]
        elif isinstance(setting, Tensor | np.ndarray) or setting != parameter.default:  # arrays have no one answer
            parts.append(f"{name}={setting!r}")
    return f"{type(layer).__name__}({', '.join(parts)})"


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of numbers, arrays, nodes and nested lists; ShapeError where rows have different lengths."""
    try:
        return np.shape(x)
    except ValueError as error:
        raise errors.ShapeError(
            f"A list of {len(x)} entries was given to a layer. Its rows have different lengths. "
            "Make all of them equally long, for example by padding the shorter ones."
        ) from error


def checked_shape(x: Any, layout: tuple[Any, ...], layer: Any) -> tuple[int, ...]:
    """The shape of x, which has a layout such as `("batch", 3, "...")`; an error that names the layer otherwise.

    Numbers stand for themselves, names for any length, and "..." for any number of axes.
    """
    shape = shape_of(x)
    before, after = layout, ()
    if "..." in layout:
        cut = layout.index("...")
        before, after = layout[:cut], layout[cut + 1 :]
    ends = (*before, *after)
    fits = len(shape) >= len(ends) if "..." in layout else len(shape) == len(ends)
    given = (*shape[: len(before)], *shape[len(shape) - len(after) :])
    if not fits or any(isinstance(n, int | np.integer) and n != m for n, m in zip(ends, given)):
        raise errors.ShapeError(
            f"An input of shape {shape} was given to a layer. {layer!r} takes the shape "
            f"({', '.join(map(str, layout))}). Reshape the input, or make the layer with other sizes."
        )
    return shape
