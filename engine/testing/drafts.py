"""Drafts: programs while they are drawn, and what may come next in them. Drawing itself is left to the strategies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np

from ..errors import EngineError
from ..graph import Node, no_grad
from ..primitives import ROWS
from ..row import Primitive, shape_of
from ..tensor import Tensor
from ..value import Value
from .layouts import Layout, Shape, kink_distance, layouts
from .programs import Place, Program, Step

APART = ("astype", "detach", "hook", "identity", "pick", "scatter")
"""Rows with a rule that programs are not made of: they change dtypes, or stand for no function of their own."""

OPERATIONS: tuple[Primitive, ...] = tuple(
    row for row in ROWS.values() if row.name not in APART and (any(row.rules) or row.name in ("greater", "less"))
)
"""The rows that programs are made of: those with a derivative, and comparisons for `where`."""

CLASSES: dict[str, type[Node]] = {"values": Value, "tensors": Tensor, "mixed": Node}
"""What results of each kind of program are instances of."""

LARGEST, LARGEST_SIZE = 100.0, 36
"""No number in a program is larger, and no array has more entries."""


class Draft:
    """A program while it is drawn: what is known, its leaves first and then one result for each step."""

    def __init__(self, leaves: Sequence[Node], kind: str, distance: float) -> None:
        self.kind, self.distance = kind, distance
        self.count = len(leaves)
        self.known = list(leaves)
        self.steps: list[Step] = []

    def data(self, operand: Any) -> Any:
        """The number or array that an operand stands for."""
        return self.known[operand.position]._value if type(operand) is Place else operand

    def layouts(self, row: Primitive) -> list[Layout]:
        """The layouts in which some operand may be known already."""
        if is_entrywise(row) or is_alone(row):
            return layouts(row)
        known = {shape_of(node) for node in self.known}
        return [one for one in layouts(row) if not known.isdisjoint(shapes_in(one))]

    def places(
        self, fits: Callable[[Node], bool], domain: tuple[float, float] = (-inf, inf), beside: Sequence[Any] = ()
    ) -> list[Place]:
        """Where floats stand that fit and lie, or can be moved, inside a domain: the last first, and often what
        nothing reads yet.

        `beside` are the other operands of the step.
        """
        low, high = domain
        read = self._read(beside)
        found = [
            place
            for place, node in self._known_backwards()
            if is_float(node) and fits(node)
            if (place.position < self.count and place not in read) or np.all((low < node._value) & (node._value < high))
        ]
        fresh = [place for place in found if place not in read]
        return fresh * (2 * len(found) // max(len(fresh), 1)) + found

    def _read(self, beside: Sequence[Any]) -> set[Place]:
        """The places that are read, by a step or beside others."""
        operands = [*beside, *[operand for step in self.steps for operand in step.operands]]
        return {operand for operand in operands if type(operand) is Place}

    def is_open(self, place: Place, beside: Sequence[Any] = ()) -> bool:
        """Whether a leaf stands there that nothing reads yet, so that its numbers may still be any."""
        return place.position < self.count and place not in self._read(beside)

    def fill(self, place: Place, data: Any) -> None:
        """Give a leaf that is open other numbers."""
        self.known[place.position] = Value(data) if type(self.known[place.position]) is Value else Tensor(data)

    def well_inside(self, domain: tuple[float, float]) -> tuple[float, float]:
        """A domain without what lies near to its ends."""
        low, high = domain
        margin = min(self.distance, (high - low) / 4)
        return low + margin, high - margin

    def masks(self, shape: tuple[int, ...]) -> list[Place]:
        """Where comparisons stand that can choose between arrays of a shape."""
        return [
            place for place, node in self._known_backwards() if not is_float(node) and expands(shape_of(node), shape)
        ]

    def _known_backwards(self) -> list[tuple[Place, Node]]:
        return [(Place(i), node) for i, node in reversed(list(enumerate(self.known)))]

    def compute(self, step: Step) -> Any:
        """The result of a step, or None where it cannot be computed, or stands too near to a kink."""
        row, data = step.row, [np.asarray(self.data(operand)) for operand in step.operands]
        try:
            with no_grad():
                result = step.compute(self.known)
            if row.kind == "comparison":
                away = float(abs(np.subtract(*data)).min(initial=inf))
            else:
                away = kink_distance(row, data, step.params)
        except (EngineError, IndexError):  # NumPy takes axis=0 of a number, where the measure of kinks does not
            return None
        return result if away > self.distance else None

    def append(self, step: Step, result: Any) -> None:
        """Keep a step if its result is what a program may hold. Any step can be left out, also while one shrinks."""
        if not isinstance(result, CLASSES[self.kind]):
            return
        data = np.asarray(result._value)
        if data.size <= LARGEST_SIZE and np.all(abs(data) <= LARGEST):
            self.steps.append(step)
            self.known.append(result)

    def program(self, number: bool) -> Program:
        """The program that ends with the last result that has a derivative, or with the sum of its entries."""
        steps = list(self.steps)
        while steps and not is_float(self.known[self.count + len(steps) - 1]):
            steps.pop()
        last = self.count + len(steps) - 1
        if number and shape_of(self.known[last]):
            steps.append(Step(ROWS["sum"], (Place(last),)))
        return Program([leaf._value for leaf in self.known[: self.count]], steps)


def is_entrywise(row: Primitive) -> bool:
    """Whether the inputs of a row have any shapes that broadcast."""
    return row.kind in ("elementwise", "selection", "comparison") and not row.variadic and "axis" not in row.params


def is_alone(row: Primitive) -> bool:
    """Whether one array is all that a row takes, of any shape that goes with its settings."""
    return row.name == "getitem" or (len(row.inputs) == 1 and not row.variadic)


def is_float(node: Node) -> bool:
    """Whether a node holds floats: a comparison does not."""
    return np.asarray(node._value).dtype.kind == "f"


def broadcasts(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two shapes broadcast against each other."""
    return all(n == m or 1 in (n, m) for n, m in zip(reversed(shape), reversed(other)))


def expands(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether a shape broadcasts to another one."""
    return len(shape) <= len(other) and all(n in (1, m) for n, m in zip(reversed(shape), reversed(other)))


def shapes_in(layout: Layout) -> list[tuple[int, ...]]:
    """The shapes that are to be filled in a layout."""
    return [tuple(one) for one in layout.inputs if isinstance(one, Shape)]
