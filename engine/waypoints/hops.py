"""Hops: the way-points between two nodes, what joins them, and the direct derivatives."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from .. import scalars
from ..backward import by_itself, sweep
from ..errors import DataError, GraphError
from ..graph import Node, describe, differentiable_edges, topological_order
from ..structure import flatten

Edge = tuple[Node, int]
"""A node, and the position of one of its inputs."""


class Hops:
    """The graph of the way-points from the nodes `inputs` to the node `output`.

    `down` holds for each way-point, inputs first, those that one hop leads down to, towards the inputs.
    """

    def __init__(self, output: Node, inputs: Sequence[Node], through: Any = None) -> None:
        self.output = output
        self._inputs = _between(output, inputs)
        self._chosen = _chosen(self._inputs, {output, *inputs}, through)
        self._all = len(self._chosen) == len(self._inputs)
        self.down = self._inputs
        if not self._all:
            self.down = {node: self._segment(node)[0] for node in self._inputs if node in self._chosen}
        self._known: dict[Node, tuple[float | None, ...]] = {}

    @cached_property
    def numbers(self) -> bool:
        """Whether all way-points are single numbers, so that the factors are."""
        return all(type(node._value) is float or np.shape(node._value) == () for node in self.down)

    def factors(self, node: Node) -> tuple[float | None, ...]:
        """The direct derivatives of a number by each node of `down[node]`; None where a selection lets nothing through.

        None is a zero that beats NaN and Inf, as in the sweep.
        """
        factors = self._known.get(node)
        if factors is None:
            if self._all:
                factors = quick_factors(node, self._inputs)
            if factors is None or len(factors) != len(self.down[node]):
                factors = self._swept(node)
            self._known[node] = factors
        return factors

    def _swept(self, node: Node) -> tuple[float | None, ...]:
        lower, inside = self._segment(node)
        arrived, _ = _arrivals(node, inside, lower, filled(node, 1.0))
        factors = [float(arrived.get(x, 0.0)) for x in lower]
        if 0.0 not in factors:
            return tuple(factors)
        # What does not even let a NaN through is a selection.
        arrived, _ = _arrivals(node, inside, lower, filled(node, math.nan))
        return tuple([f if f or arrived.get(x, 0.0) != 0.0 else None for x, f in zip(lower, factors)])

    def factor(self, upper: Node, lower: Node) -> float | None:
        """The factor of one hop between numbers."""
        return dict(zip(self.down[upper], self.factors(upper)))[lower]

    def jacobian(self, upper: Node, lower: Node) -> Any:
        """The direct derivative of any hop, of the shape of `upper` followed by that of `lower`."""
        if self.numbers:
            return self.factor(upper, lower) or 0.0
        out, shape = upper._value, np.shape(lower._value)
        jacobian = np.zeros((np.size(out), *shape))
        for position, unit in enumerate(np.eye(np.size(out))):
            g = unit.reshape(out.shape).astype(out.dtype) if np.shape(out) else filled(upper, 1.0)
            c, _ = self.pull(upper, lower, g, g)  # its zeros are entries that are not asked for
            jacobian[position] = 0.0 if c is None else c
        return jacobian.reshape(np.shape(out) + shape) if np.shape(out) + shape else float(jacobian[0])

    def pull(self, upper: Node, lower: Node, g: Any, life: Any = None) -> tuple[Any, Any]:
        """Take a gradient, and what is alive of it, across one hop; None where nothing flows back."""
        inside = list(self._leading(upper, lower))[1:]
        adjoints, alive = _arrivals(upper, inside, [lower], g, life)
        return adjoints.get(lower), alive.get(lower)

    def edges(self, upper: Node, lower: Node) -> list[Edge]:
        """All edges on the routes of one hop, from the upper end on."""
        leading = self._leading(upper, lower)
        return [edge for node in [upper, *list(leading)[:0:-1]] for edge in edges_to(node, leading)]

    def routes(self, upper: Node, lower: Node | None = None) -> Iterator[list[Edge]]:
        """The routes of one hop, or of all that lead down from a node, each as its edges from the upper end on.

        There may be very many.
        """
        leading = self._inputs if lower is None else self._leading(upper, lower)
        route: list[Edge] = []
        unread = [edges_to(upper, leading)]
        while unread:
            node, position = next(unread[-1], (upper, -1))
            if position < 0:
                unread.pop()
                del route[-1:]
            elif (x := node.inputs[position]) in self.down:
                yield [*route, (node, position)]
            else:
                route.append((node, position))
                unread.append(edges_to(x, leading))

    def _segment(self, node: Node) -> tuple[tuple[Node, ...], list[Node]]:
        """The way-points that one hop leads down to, and the nodes strictly between these and this, inputs first."""
        if self._all:
            return self._inputs[node], []
        lower: dict[Node, None] = {}
        inside: dict[Node, None] = {}
        unread = [node]
        while unread:
            for x in self._inputs[unread.pop()]:
                if x in self._chosen:
                    lower[x] = None
                elif x not in inside:
                    inside[x] = None
                    unread.append(x)
        return tuple(lower), sorted(inside, key=lambda x: x.number)

    def _leading(self, upper: Node, lower: Node) -> dict[Node, None]:
        """The lower end of a hop, and the nodes inside that lead to it, inputs first."""
        leading = {lower: None}
        for node in self._segment(upper)[1]:
            if not leading.keys().isdisjoint(self._inputs[node]):
                leading[node] = None
        return leading


def edges_to(node: Node, wanted: Container[Node]) -> Iterator[Edge]:
    """The edges from a node that a gradient can flow along to wanted inputs."""
    return ((node, position) for position, x in differentiable_edges(node) if x in wanted)


def _between(output: Node, inputs: Sequence[Node]) -> dict[Node, tuple[Node, ...]]:
    """The nodes on differentiable routes, ends included, inputs first; for each those of its inputs among them."""
    ends = set(inputs)
    between: dict[Node, tuple[Node, ...]] = {}
    met = between.keys()
    alone: dict[Node, tuple[Node]] = {}
    for node in topological_order(output, differentiable=True):
        if met.isdisjoint(node.inputs):
            if node in ends:
                between[node] = ()
            continue
        below = [x for x in node.inputs if x in met]
        if node.op.partial:
            below = [node.inputs[position] for _, position in edges_to(node, met)]
        # A new tuple for every node would keep Python's cycle collector busy for as long as all the rest takes.
        if len(below) == 1:
            between[node] = alone.get(below[0]) or alone.setdefault(below[0], (below[0],))
        elif below or node in ends:
            between[node] = node.inputs if len(set(below)) == len(node.inputs) else tuple(dict.fromkeys(below))
    for x in inputs:
        if x not in between or not x._requires_grad:
            raise GraphError(
                f"{describe(output)} does not depend on {describe(x)} in a way that can be differentiated. "
                "No path leads from the one to the other: there is none in the graph, or a constant, a detach() or a "
                "comparison cuts it. Give a node that the result was computed from."
            )
    return between


def _chosen(between: Mapping[Node, Any], ends: set[Node], through: Any) -> set[Node]:
    """The way-points: both ends, and those of the nodes between them that `through` asks for."""
    if through is None:
        chosen = {node for node in between if node.label} - ends or set(between)
    elif isinstance(through, str) and through == "all":
        chosen = set(between)
    else:
        nodes = list(through) if isinstance(through, set | frozenset) else flatten(through)[0]
        if isinstance(through, Node) or not all(isinstance(node, Node) for node in nodes):
            what = describe(through) if isinstance(through, Node) else repr(through)
            raise DataError(
                f"paths() was given through={what} of type {type(through).__name__}. "
                "It says which nodes tell paths apart. "
                "Write through=[h, y], through='all', or leave it out to take the labelled nodes."
            )
        chosen = between.keys() & nodes
    # Several results in one node are no value to take a derivative by; each of its picks is.
    return {node for node in chosen if type(node._value) is not tuple} | ends


def quick_factors(node: Node, between: Container[Node]) -> tuple[float, ...] | None:
    """The local slopes of an operation on plain numbers, in a fifth of a sweep's time; None if in doubt."""
    op, out = node.op, node._value
    if type(out) is not float or op.kind == "selection" or op.variadic or not op.ours:
        return None
    params = node.params
    data = [x._value for x in node.inputs]
    factors = []
    for x, rule in zip(node.inputs, op.rules):
        if x in between and rule is not None:
            factor = rule(scalars, 1.0, out, *data) if params is None else rule(scalars, 1.0, out, *data, **params)
            if not factor or type(factor) is not float or type(x._value) is not float or x.number > node.number:
                return None
            factors.append(factor)
    return tuple(factors)


def _arrivals(
    node: Node, inside: list[Node], lower: Iterable[Node], g: Any, life: Any = None
) -> tuple[dict[Node, Any], dict[Node, Any]]:
    """What a gradient at `node` comes to at the way-points below it, and what is alive of it there."""
    alive = {} if life is None else {node: life}
    arrived, _ = by_itself(sweep, [*inside, node], {node: g}, {}, {*inside, *lower}, alive=alive)
    return arrived, alive


def filled(node: Node, number: float) -> Any:
    """A number, or an array of it, in the form of a node's data."""
    return number if type(node._value) is float else np.full_like(node._value, number)
