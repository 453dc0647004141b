"""Einstein's summation as a composition: diagonals, sums, and products of two arrays at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from . import primitives as table
from .errors import ShapeError
from .graph import Node
from .primitives.indexing import Array

Labels = list[Any]
"""What the axes of an array are called: a letter, or an integer for an axis that an ellipsis stands for."""


def einsum(subscripts: str, *operands: Any) -> Any:
    """Return the sum of products that the subscripts describe, as numpy.einsum does.

    The axes of each operand are named by letters; the same letter is the same index, and what is missing after `->` is
    summed over. An ellipsis stands for the axes in front of or between the named ones, which broadcast. Without `->`
    the letters that occur once remain, in alphabetical order. Two operands meet in a matrix product; of more, those
    that numpy.einsum_path names go first.

    Raises ShapeError where subscripts and shapes do not fit.

    >>> import engine
    >>> x = engine.Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> engine.einsum("ii", x), engine.einsum("ij,j->i", x, [1.0, 10.0]).tolist()
    (Tensor(5.), [21.0, 43.0])
    """
    arrays = [x if isinstance(x, Node | np.ndarray) else np.asarray(x) for x in operands]
    shapes = [np.shape(x._value if isinstance(x, Node) else x) for x in arrays]
    terms, output = _parsed(subscripts, shapes)
    lengths = _lengths(subscripts, terms, shapes)
    named = [_simple(x, labels, shape, lengths) for x, labels, shape in zip(arrays, terms, shapes, strict=True)]
    for places in _order(subscripts, shapes):
        x, *others = [named.pop(place) for place in sorted(places, reverse=True)][::-1]
        for position, y in enumerate(others):
            needed = {label for _, labels in (*named, *others[position + 1 :]) for label in labels}
            x = _product(x, y, needed | set(output), lengths)
        named.append(x)
    ((x, labels),) = named
    x, labels = _summed(x, labels, set(output))
    return table.transpose(x, axes=tuple([labels.index(label) for label in output]))


def _order(subscripts: str, shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Which operands meet, one group after the other; the result of each goes to the end."""
    if len(shapes) < 3:
        return [tuple(range(len(shapes)))]
    return np.einsum_path(subscripts, *[np.broadcast_to(0.0, shape) for shape in shapes], optimize="greedy")[0][1:]


def _parsed(subscripts: str, shapes: Sequence[tuple[int, ...]]) -> tuple[list[Labels], Labels]:
    """The labels of the axes of each operand, and of the result."""
    term = r"[A-Za-z]*(\.\.\.)?[A-Za-z]*"
    written = subscripts.replace(" ", "") if isinstance(subscripts, str) else ""
    if not re.fullmatch(rf"{term}(,{term})*(->{term})?", written):
        raise ShapeError(
            f"The subscripts {subscripts!r} were given to einsum. They are letters and ellipses, a comma between "
            "operands and perhaps an arrow before the result. Write them as in 'ij,jk->ik' or '...i,i->...'."
        )
    inputs, arrow, result = written.partition("->")
    parts = inputs.split(",")
    spread = 0
    terms: list[Labels] = []
    for part, shape in zip(parts, shapes, strict=False):
        rest = len(shape) - len(part.replace("...", ""))
        if len(parts) != len(shapes) or rest < 0 or (rest and "..." not in part):
            break
        before, _, after = part.partition("...")
        terms.append([*before, *range(-rest, 0), *after])
        spread = max(spread, rest)
    if len(terms) < max(len(shapes), len(parts)):
        raise ShapeError(
            f"einsum was given the subscripts {subscripts!r} and operands of the shapes {', '.join(map(str, shapes))}. "
            "Each operand has one group of subscripts, and each of its axes one letter or a place in an ellipsis. "
            "Write as many as there are."
        )
    if not arrow:
        letters = inputs.replace(",", "").replace(".", "")
        result = "..." * bool(spread) + "".join([x for x in sorted(set(letters)) if letters.count(x) == 1])
    before, dots, after = result.partition("...")
    output: Labels = [*before, *(range(-spread, 0) if dots else ()), *after]
    known = {label for labels in terms for label in labels}
    if len(set(output)) < len(output) or not known >= set(output) or (spread and not dots):
        raise ShapeError(
            f"The result of einsum was to be {result!r} in the subscripts {subscripts!r}. Its letters must differ and "
            "stand before the arrow too, and an ellipsis must stand on both sides. Change what stands after '->'."
        )
    return terms, output


def _lengths(subscripts: str, terms: Sequence[Labels], shapes: Sequence[tuple[int, ...]]) -> dict[Any, int]:
    """How long each label is."""
    lengths: dict[Any, int] = {}
    for labels, shape in zip(terms, shapes, strict=True):
        for label, n in zip(labels, shape, strict=True):
            found = lengths.setdefault(label, n)
            if found == 1 and isinstance(label, int):
                lengths[label] = n
            elif n != found and not (n == 1 and isinstance(label, int)):
                name = label if isinstance(label, str) else "..."
                raise ShapeError(
                    f"einsum was given the subscripts {subscripts!r} and operands of the shapes "
                    f"{', '.join(map(str, shapes))}, where {name!r} stands for {found} and for {n} entries. "
                    "Axes of one name are of one length. Name them differently, or change the shapes."
                )
    return lengths


def _simple(x: Any, labels: Labels, shape: tuple[int, ...], lengths: dict[Any, int]) -> tuple[Any, Labels]:
    """An operand without axes that only broadcast, and with one axis for each label."""
    thin = [i for i, label in enumerate(labels) if isinstance(label, int) and shape[i] < lengths[label]]
    if thin:
        x, labels = table.squeeze(x, axis=tuple(thin)), [label for i, label in enumerate(labels) if i not in thin]
    for label in dict.fromkeys(labels):
        places = [i for i, other in enumerate(labels) if other == label]
        if len(places) > 1:
            rest = [i for i in range(len(labels)) if i not in places]
            along = np.arange(lengths[label])
            x = table.transpose(x, axes=(*places, *rest))
            x = table.getitem(x, *[along] * len(places), key=tuple(map(Array, range(len(places)))))
            labels = [label, *[labels[i] for i in rest]]
    return x, labels


def _summed(x: Any, labels: Labels, kept: set[Any]) -> tuple[Any, Labels]:
    """Sum over the axes that nothing else needs."""
    axes = tuple([i for i, label in enumerate(labels) if label not in kept])
    return (table.sum(x, axis=axes), [label for label in labels if label in kept]) if axes else (x, labels)


def _product(
    first: tuple[Any, Labels], second: tuple[Any, Labels], kept: set[Any], lengths: dict[Any, int]
) -> tuple[Any, Labels]:
    """The product of two operands, summed over the labels that both have and nothing else needs."""
    x, x_labels = _summed(*first, kept | set(second[1]))
    y, y_labels = _summed(*second, kept | set(x_labels))
    shared = [label for label in x_labels if label in y_labels]
    batch, summed = [label for label in shared if label in kept], [label for label in shared if label not in kept]
    left, right = [label for label in x_labels if label not in shared], [lb for lb in y_labels if lb not in shared]

    def arranged(x: Any, labels: Labels, *groups: Labels) -> Any:
        order = tuple([labels.index(label) for group in groups for label in group])
        shape = [lengths[label] for label in batch] + [
            prod([lengths[label] for label in group]) for group in groups[1:]
        ]
        return table.reshape(table.transpose(x, axes=order), shape=tuple(shape))

    x, y = arranged(x, x_labels, batch, left, summed), arranged(y, y_labels, batch, summed, right)
    labels = batch + left + right
    product = table.matmul(x, y) if summed else table.multiply(x, y)
    return table.reshape(product, shape=tuple([lengths[label] for label in labels])), labels
