"""A function that is computed with nodes, as a subject to check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...backward import pull_back
from ...derivatives import jvp, vjp
from ...graph import Node, recording_on, topological_order
from ...structure import flatten
from ...tensor import Tensor
from ...value import Value
from .differences import COMPLEX_STEP, EPSILON, complex_step
from .entries import directions, in_a_row, is_real, like, places_of, precision, widened
from .subjects import Subject, Wanted, check_results, name_of, parted


class Recorded(Subject):
    """A function that is computed with nodes, whose derivatives are the engine's."""

    def __init__(self, name: str, call: Callable[[list[Node]], tuple[list[str], list[Any]]], data: list, names: list):
        self.name = name
        self.call = call
        self.data = data
        self.names = names
        self.before: Recorded | None = None
        """The function of which this one is the gradient."""
        self.leaves, self.results, self.outputs = self.record(data)
        self.values = [y._value for y in self.outputs]
        check_results(self)
        self.base = [widened(x) for x in data]
        if self.precision > EPSILON:
            leaves, _, outputs = self.record(self.base)
            self.unit = max(precision(node._value) for node in dependents(leaves, outputs))

    @classmethod
    def of(cls, f: Callable[..., Any], args: tuple, wrt: Wanted = None) -> Recorded:
        """The function f of the floating-point entries of its arguments, all others fixed."""
        full, places, free, rebuild = parted(f, args, wrt, "check_gradients")
        given = [x._value if isinstance(x, Node) else x for x in full]

        def call(leaves: list[Node]) -> tuple[list[str], list[Any]]:
            entries = list(given)
            for i, leaf in zip(free, leaves, strict=True):
                entries[i] = leaf
            result = f(*rebuild(entries))
            return list(places_of(result, "result")), flatten(result)[0]

        function = cls(name_of(f), call, [given[i] for i in free], [places[i] for i in free])
        made = [node for node in function.dependents if node.op is not None]
        if len(made) == 1:
            function.op = made[0].op.name
        return function

    def gradient(self, order: int) -> Recorded:
        """The gradient of this function, as a function of its arguments and of the gradient at its results."""
        count, before = len(self.data), self
        rng = np.random.default_rng(order)
        arriving = []
        for y in self.outputs:
            sizes, signs = rng.uniform(0.5, 2.5, np.shape(y._value)), rng.choice([-1.0, 1.0], np.shape(y._value))
            arriving.append(like(sizes * signs, y._value))

        def call(leaves: list[Node]) -> tuple[list[str], list[Any]]:
            _, pull = vjp(lambda *inputs: before.record_on(list(inputs))[1], *leaves[:count])
            return [f"gradient by {name}" for name in self.names], list(pull(leaves[count:]))

        names = [*self.names, *(f"the gradient arriving at {result}" for result in self.results)]
        function = Recorded(self.name, call, self.data + arriving, names)
        function.op = self.op
        function.before = self
        found = [np.max(abs(node._value), initial=0.0) for node in function.dependents if is_real(node._value)]
        function.cancelled = max([x for x in found if np.isfinite(x)], default=0.0)
        return function

    def record(self, data: Sequence[Any]) -> tuple[list[Node], list[str], list[Node]]:
        """Call the function on fresh leaves."""
        leaves = [_leaf(x) for x in data]
        with recording_on():
            return leaves, *self.record_on(leaves)

    def record_on(self, leaves: list[Node]) -> tuple[list[str], list[Node]]:
        """The names of the floating-point results, and the results."""
        names, results = self.call(leaves)
        nodes = [y if isinstance(y, Node) else Tensor(np.asarray(y), requires_grad=False) for y in results]
        real = [i for i, y in enumerate(nodes) if is_real(y._value)]
        return [names[i] for i in real], [nodes[i] for i in real]

    @property
    def dependents(self) -> list[Node]:
        """The nodes of the recorded graph that depend on the leaves, the leaves included."""
        return dependents(self.leaves, self.outputs)

    @property
    def precision(self) -> float:
        """The relative precision of the coarsest dtype in the graph."""
        return max(precision(node._value) for node in self.dependents)

    def compute(self, data: Sequence[Any]) -> list[Any]:
        """The results at other data: of a gradient by a sweep that records nothing, so that the two are compared."""
        if self.before is None:
            return [y._value for y in self.record(data)[2]]
        count = len(self.before.data)
        leaves, _, outputs = self.before.record(data[:count])
        seeds: dict[Node, Any] = {}
        for y, g in zip(outputs, data[count:], strict=True):
            if y.requires_grad:
                seeds[y] = seeds[y] + g if y in seeds else g
        return pull_back(seeds, leaves)

    def jacobian(self, mode: str, data: Sequence[Any] | None = None) -> np.ndarray:
        """The Jacobian by the rules, one sweep for each of its rows (reverse) or columns (forward)."""
        leaves, outputs = self.leaves, self.outputs
        if data is not None:
            leaves, _, outputs = self.record(data)
        data = [x._value for x in leaves]
        sizes = sum(np.size(y._value) for y in outputs), sum(np.size(x) for x in data)
        if mode == "forward":
            columns = [self.push(one, data) / seed for seed, one in directions(data)]
            return np.array(columns).reshape(sizes[::-1]).T
        results = [y._value for y in outputs]
        rows = [in_a_row(self.pull(one, leaves, outputs)) / seed for seed, one in directions(results)]
        if len(rows) == 1:  # no other row brings a gradient of another sign and size
            ((seed, one),) = directions(results)
            other = in_a_row(self.pull([like(-0.25 * g, g) for g in one], leaves, outputs)) / (-0.25 * seed)
            rows = [rows[0] / 2 + other / 2]
        return np.array(rows).reshape(sizes)

    def pull(self, arriving: list[Any], leaves: list[Node] | None = None, outputs: list[Node] | None = None) -> list:
        """What gradients that arrive at the results come to at the arguments."""
        seeds: dict[Node, Any] = {}
        for y, g in zip(self.outputs if outputs is None else outputs, arriving, strict=True):
            if y.requires_grad and np.any(g):
                seeds[y] = seeds[y] + g if y in seeds else g
        return pull_back(seeds, self.leaves if leaves is None else leaves)

    def push(self, direction: list[Any], data: list[Any] | None = None) -> np.ndarray:
        """The derivative of all results, in one row, along a direction of the arguments."""
        data = self.data if data is None else data
        moving = [i for i, part in enumerate(direction) if np.any(part)]  # 0 times infinity is to be nowhere

        def function(*inputs: Node) -> list[Node]:
            leaves = [_leaf(x, requires_grad=False) for x in data]
            for i, x in zip(moving, inputs, strict=True):
                leaves[i] = x
            return self.record_on(leaves)[1]

        if not moving:
            return np.zeros(sum(np.size(y) for y in self.values))
        pushed = jvp(function, [data[i] for i in moving], [direction[i] for i in moving])[1]
        return in_a_row([y._value if isinstance(y, Node) else y for y in pushed])

    def by_complex_step(self, position: int) -> np.ndarray | None:
        """One column of the Jacobian by a complex step, or None where the graph does not allow it."""
        data = {leaf: x for leaf, x in zip(self.leaves, self.base, strict=True) if leaf in self.reached}
        for leaf in self.leaves:
            if position < np.size(leaf._value):
                break
            position -= np.size(leaf._value)
        here = in_a_row(self.values)
        if leaf not in data:
            return np.zeros(len(here))
        entry = tuple(int(i) for i in np.unravel_index(position, np.shape(leaf._value)))
        there = in_a_row(complex_step(self.outputs, data, leaf, entry))
        if not np.allclose(there.real, here, rtol=1e-2, atol=1e-2):
            return None  # another branch of a complex function
        return there.imag / COMPLEX_STEP

    @property
    def analytic(self) -> bool:
        """Whether each row on the way may be evaluated at complex numbers."""
        self.reached = set(topological_order(*self.outputs))
        return all(node.op.analytic for node in self.dependents if node.op is not None)


def dependents(leaves: Sequence[Node], outputs: Sequence[Node]) -> list[Node]:
    """Return the nodes on the way from the leaves to the outputs, the leaves included."""
    found = dict.fromkeys(leaves)
    for node in topological_order(*outputs):
        if not found.keys().isdisjoint(node.inputs):
            found[node] = None
    return list(found)


def _leaf(x: Any, requires_grad: bool = True) -> Node:
    cls = Tensor if isinstance(x, np.ndarray) else Value
    return cls(x, requires_grad=requires_grad)
