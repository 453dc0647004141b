"""What losses are given: predictions, targets and weights, as numbers of shapes that belong together, or an error."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import engine
from engine import Tensor, Value, errors

from .data import as_array

# As numbers


def paired(where: str, prediction: Any, targets: Any) -> tuple[Any, Any]:
    """Predictions and targets of one shape; whole numbers and lists become floats like the predictions."""
    prediction = numbers(prediction)
    targets = numbers(targets, like=prediction)
    shape, expected = shape_of(prediction), shape_of(targets)
    if shape != expected:
        raise errors.ShapeError(
            f"{where} was given predictions of shape {shape} and targets of shape {expected}. "
            "Each prediction is compared with its own target, so the shapes must be equal. "
            "Reshape one of them, for example with targets.reshape(-1, 1)."
        )
    return prediction, targets


def rows_of(where: str, *given: Any) -> list[Any]:
    """Vectors, or matrices of them, of one shape."""
    rows = [numbers(each) for each in given]
    shapes = [shape_of(each) for each in rows]
    if len(set(shapes)) != 1 or len(shapes[0]) not in (1, 2):
        raise errors.ShapeError(
            f"{where} was given inputs of shapes {', '.join(map(str, shapes))}. Their rows are compared one by one. "
            "Give all of them the shape (batch, features), or (features,)."
        )
    return rows


def numbers(given: Any, like: Any = None) -> Any:
    """Nodes and numbers as they are, lists that hold nodes stacked, and everything else as an array of floats.

    Integers, which would wrap around, booleans and lists get the dtype of the array or tensor that they are compared
    with, if that is one of floats.
    """
    kind = type(given)
    if ((kind is Tensor or kind is np.ndarray) and given.dtype.kind == "f") or isinstance(given, SINGLE):
        return given
    if isinstance(given, list | tuple):
        given = [numbers(part) if isinstance(part, list | tuple) else part for part in given]
        if any(isinstance(part, Value | Tensor) for part in given):
            return engine.stack(given)
    array = as_array(given)
    dtype = getattr(like, "dtype", array.dtype)
    return array.astype(dtype if dtype.kind == "f" else float, copy=False)


SINGLE = (Value, float, int, np.floating)  # a union would be made anew in each call


def example_weights(given: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A weight for each loss, of this shape, from such weights or from one for each example."""
    weights = as_array(given)
    if weights.shape not in (shape, shape[:1]):
        others = "" if len(shape) < 2 else f", or {shape} for one for each loss"
        raise errors.ShapeError(
            f"sample_weight has the shape {weights.shape}. There is one weight for each example of the loss. "
            f"Give an array of shape {shape[:1]}{others}."
        )
    _check_weights("sample_weight", weights)
    if weights.shape == shape:
        return weights
    return np.broadcast_to(weights.reshape(-1, *[1] * (len(shape) - 1)), shape)


def class_weights(given: Any, classes: int) -> np.ndarray:
    """A weight for each class."""
    weights = as_array(given)
    if weights.shape != (classes,):
        raise errors.ShapeError(
            f"class_weight has the shape {weights.shape}. There is one weight for each class of the loss. "
            f"Give an array of shape {(classes,)}."
        )
    _check_weights("class_weight", weights)
    return weights


def positive_weight(given: Any, logits: Any) -> Any:
    """The weight of the positive class, a number or an array that broadcasts to the logits."""
    weight = as_array(given)
    try:
        fits = np.broadcast_shapes(weight.shape, shape_of(logits)) == shape_of(logits)
    except ValueError:
        fits = False
    if not fits:
        raise errors.ShapeError(
            f"pos_weight has the shape {weight.shape}, and the logits have the shape {shape_of(logits)}. It is "
            "multiplied with the losses of positive targets. Give a number, or one weight for each column."
        )
    _check_weights("pos_weight", weight)
    return weight.astype(logits.dtype) if weight.shape else weight.item()


def plain(given: Any) -> Any:
    """The numbers of a node; anything else as it is."""
    return given.data if isinstance(given, Value | Tensor) else given


def varies(given: Any) -> bool:
    """Whether derivatives are wanted of what is given."""
    return isinstance(given, Value | Tensor) and given.requires_grad


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a node, an array or a number."""
    shape = getattr(x, "shape", None)
    return np.shape(x) if shape is None else shape


# What cannot be compared


def check_classes(where: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Raise ShapeError unless logits of `shape` go with targets of the `expected` one."""
    if not shape or not all(shape):
        raise errors.ShapeError(
            f"{where} was given logits of shape {shape}. Their last axis has one entry for each class, and the axes "
            "before it count examples. Reshape them to (batch, classes)."
        )
    if expected not in (shape, shape[:-1]):
        cure = "Reshape the targets, for example with labels.ravel()"
        if len(shape) > 2 and expected == (shape[0], *shape[2:]):
            cure = "Let the classes stand last, with engine.moveaxis(logits, 1, -1)"
        raise errors.ShapeError(
            f"{where} was given logits of shape {shape} and targets of shape {expected}. "
            f"Targets are labels of shape {shape[:-1]}, or a distribution for each row, of shape {shape}. {cure}."
        )


def check_setting(where: str, name: str, value: Any, fits: Callable[[Any], bool], wanted: str) -> None:
    """Raise DomainError unless a setting is a finite number that fits."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not (real and math.isfinite(value) and fits(value)):
        raise errors.DomainError(f"{name}={value!r} was given. It is a setting of {where}. Give {wanted}.")


def check_all(where: str, name: str, given: Any, right: Any, rule: str) -> None:
    """Raise DomainError with the first number that is not right, the rule that it breaks and what to do."""
    if not np.all(right):
        wrong = np.asarray(given)[np.logical_not(right)][0]
        raise errors.DomainError(f"{where} was given {name} of shape {np.shape(given)} with {wrong} among them. {rule}")


def _check_weights(name: str, weights: np.ndarray) -> None:
    rule = "Weights are finite and not negative. Give an example or a class that is to be left out the weight 0."
    check_all("A loss", name, weights, (weights >= 0) & np.isfinite(weights), rule)


def check_signs(where: str, targets: Any) -> None:
    """Raise DomainError unless all targets are -1 and 1."""
    raw = plain(targets)
    rule = "They are -1 and 1. Map labels of 0 and 1 to them with 2 * labels - 1."
    check_all(where, "targets", raw, np.equal(raw, -1) | np.equal(raw, 1), rule)


def check_one_hot(where: str, targets: np.ndarray) -> None:
    """Raise DomainError unless each row has a single 1 among zeros."""
    if not (np.isin(targets, (0, 1)).all() and (targets.sum(axis=-1) == 1).all()):
        raise errors.DomainError(
            f"{where} was given integer targets of shape {targets.shape}, the shape of the logits. "
            "They are read as one-hot rows, and some row is none. "
            "Give labels of shape (batch,), or floating-point distributions."
        )


def check_distributions(where: str, targets: np.ndarray, ignore_index: int | None) -> None:
    """Raise DomainError for negative probabilities, DataError where a label of theirs is to be ignored."""
    if not np.minimum.reduce(targets, axis=None) >= 0:  # NaN neither
        rule = "Each row of floats is a distribution over the classes. Give probabilities, or labels as integers."
        check_all(where, "targets", targets, np.greater_equal(targets, 0), rule)
    if ignore_index is not None:
        raise errors.DataError(
            f"{where} was given ignore_index={ignore_index!r} with distributions as targets, of shape {targets.shape}. "
            "Only labels can be equal to it. Give the rows that are to be left out a sample_weight of 0."
        )


def check_labels(where: str, labels: np.ndarray, classes: int) -> None:
    """Raise DataError unless labels are integers, DomainError unless each is the number of a class."""
    if labels.dtype.kind not in "iu":
        raise errors.DataError(
            f"{where} was given labels of dtype {labels.dtype} and shape {labels.shape}. "
            f"Labels are the integers 0, ..., {classes - 1}. Convert them with labels.astype(int), or give one-hot "
            f"targets of shape {(*labels.shape, classes)}."
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        wrong = low if low < 0 else high
        first = np.argwhere(labels == wrong)[0].tolist()
        position = f" at position {first[0] if len(first) == 1 else tuple(first)}" if first else ""
        raise errors.DomainError(
            f"{where} was given the label {wrong}{position}. "
            f"The logits have {classes} classes, 0, ..., {classes - 1}. "
            "Number the classes from 0, for example with numpy.unique(labels, return_inverse=True)."
        )
