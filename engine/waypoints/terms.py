"""Terms: the paths from one node to another, counted, listed, multiplied out and added up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from itertools import islice, pairwise
from typing import Any

import numpy as np

from ..backward import by_itself, gradients
from ..errors import DataError, GraphError, ShapeError
from ..graph import Node, describe, topological_order
from ..notation import Expression, Factor, chain, local_derivative, names_of, symbol, together
from .hops import Edge, Hops, filled
from .ranking import best_first

ROUTES, LONG = 8, 40
"""A hop of more routes, or with more edges, is written ∂h/∂x in a chain."""


def paths(E: Node, x: Node, through: Any = None, limit: int = 1000) -> Paths:
    """Return the paths from `x` to `E`, whose contributions sum to the gradient dE/dx.

    A path is a sequence of way-points, each joined to the next by at least one differentiable route that meets no
    other. Routes that part and meet again between two way-points are one hop, and so are both edges of `x * x`.
    A factor of zero counts. The way-points are `E`, `x` and, strictly between them, the labelled nodes (all nodes
    where none has a label), with `through="all"` all nodes, or those of the list `through` that lie there.
    Nothing is enumerated here: `count` is exact however large it is, and iteration ends after `limit` paths.

    Raises GraphError where E does not depend on x, or either is no node; ShapeError where E is not one number;
    DataError for another `through` or `limit`.

    >>> import engine
    >>> x = engine.Value(3.0, label="x")
    >>> u, v = x * 2, x * x
    >>> E = u * v
    >>> engine.label(u=u, v=v, E=E)
    >>> for path in engine.paths(E, x):
    ...     print(path.arrow, path.factors, path.contribution)
    x → u → E (9.0, 2.0) 18.0
    x → v → E (6.0, 6.0) 36.0
    """
    return Paths(E, x, through, limit)


def count_paths(E: Node, x: Node, through: Any = None) -> int:
    """Return the number of paths from `x` to `E`, exactly, without enumerating them; see `paths`.

    Raises what `paths` raises.

    >>> import engine
    >>> x = y = engine.Value(1.0)
    >>> for _ in range(100):
    ...     y = engine.sin(y) + engine.cos(y)
    >>> engine.count_paths(y, x) == 2**100
    True
    """
    return Paths(E, x, through).count


class Paths:
    """All paths from the node `input` to one number `output` that was computed from it; see `paths`.

    Iterating gives each Path in a fixed order, depth first from the input, the shortest way to the output first; it
    ends after `limit` paths.
    """

    def __init__(self, E: Node, x: Node, through: Any = None, limit: int = 1000) -> None:
        _check(E, x, limit)
        self.output, self.input, self.limit = E, x, limit
        self._hops = Hops(E, [x], through)

    def __repr__(self) -> str:
        what = "path" if self.count == 1 else "paths"
        return f"<{self.count} {what} from {describe(self.input)} to {describe(self.output)}>"

    @cached_property
    def waypoints(self) -> list[Node]:
        """The nodes strictly between input and output that paths are told apart by, inputs first."""
        return [node for node in self._hops.down if node is not self.input and node is not self.output]

    @cached_property
    def count(self) -> int:
        """The number of paths: an exact integer, by dynamic programming."""
        counts, number = {self.output: 1}, 0
        for node in reversed(self._hops.down):
            number = counts.pop(node)  # large integers live no longer than needed
            for lower in self._hops.down[node]:
                counts[lower] = counts.get(lower, 0) + number
        return number

    def __iter__(self) -> Iterator[Path]:
        return islice(self._depth_first(), self.limit)

    def _depth_first(self) -> Iterator[Path]:
        nodes, unread = [self.input], [iter(self._up[self.input])]
        if self.input is self.output:
            yield Path(self, (self.input,))
        while unread:
            node = next(unread[-1], None)
            if node is None:
                unread.pop()
                nodes.pop()
            elif node is self.output:
                yield Path(self, (node, *reversed(nodes)))
            else:
                nodes.append(node)
                unread.append(iter(self._up[node]))

    @cached_property
    def _up(self) -> dict[Node, list[Node]]:
        """For each way-point those that one hop leads up to, the ones with the fewest hops to go first."""
        up: dict[Node, list[Node]] = {node: [] for node in self._hops.down}
        distances = {self.output: 0}
        for node in reversed(self._hops.down):
            up[node].sort(key=lambda upper: (distances[upper], upper.number))
            if node is not self.output:
                distances[node] = distances[up[node][0]] + 1
            for lower in self._hops.down[node]:
                up[lower].append(node)
        return up

    @np.errstate(all="ignore")
    def largest(self, k: int) -> list[Path]:
        """Return the k paths with the largest contributions by absolute value, NaN first.

        Where all way-points are single numbers this is exact, and enumerates only what it returns: sizes are compared
        in logarithms, where nothing over- or underflows. Otherwise the first `limit` paths are compared by the
        Euclidean norm of their contributions.

        Raises DataError where k is not a positive integer.
        """
        _check_number("largest", "k", k)
        best = best_first(self._hops) if self._hops.numbers else None
        found = [Path(self, nodes) for nodes in islice(best, k)] if best else list(self)
        sizes = [float(np.linalg.norm(np.ravel(path.contribution).astype(float))) for path in found]
        order = sorted(range(len(found)), key=lambda i: (not math.isnan(sizes[i]), -sizes[i]))
        return [found[i] for i in order[:k]]

    @property
    def complete(self) -> bool:
        """Whether `total` adds up every path; beyond `limit` paths it comes from one sweep."""
        return self.count <= self.limit

    @cached_property
    @np.errstate(all="ignore")
    def total(self) -> Any:
        """The sum of all contributions: the gradient. See `complete`."""
        if self.complete:
            return sum([path.contribution for path in self])
        (g,) = by_itself(gradients, self.output, [self.input])
        return _plain(g)

    def _contribution(self, nodes: tuple[Node, ...]) -> Any:
        hops = self._hops
        if hops.numbers:
            product = math.prod([hops.factor(upper, lower) or 0.0 for upper, lower in pairwise(nodes)], start=1.0)
            if product and math.isfinite(product):
                return product
            # Factors may over- or underflow where the gradient, multiplied from the output on, does not.
        g, life = filled(self.output, 1.0), None
        for upper, lower in pairwise(nodes):
            g, life = hops.pull(upper, lower, g, life)
            if g is None:
                return _plain(filled(self.input, 0.0))
        return _plain(g)

    def _written(self, upper: Node, lower: Node) -> list[Factor]:
        """The direct derivative of one hop in symbols."""
        few: list[list[Edge]] = []
        if len(self._hops.edges(upper, lower)) <= LONG:
            few = list(islice(self._hops.routes(upper, lower), ROUTES + 1))
        written = Expression("partial", [symbol(self.names[upper]), symbol(self.names[lower])])
        if not 0 < len(few) <= ROUTES:
            return [Factor(written, "right", "@" if np.shape(upper._value) else "·")]
        routes = [[local_derivative(node, position, self.names) for node, position in route] for route in few]
        return routes[0] if len(routes) == 1 else [together(routes, written)]

    @cached_property
    def names(self) -> dict[Node, str]:
        """The names of all nodes that have one and of the way-points, which are those of a drawing."""
        names = names_of(topological_order(self.output), self.output, every=True)
        ends = self._hops.down.keys()
        return {node: name for node, name in names.items() if node.label or not node.inputs or node in ends}


class Path:
    """One path of Paths: `nodes` are its way-points from the output to the input."""

    __slots__ = ("_contribution", "_paths", "nodes")

    def __init__(self, paths: Paths, nodes: tuple[Node, ...]) -> None:
        self._paths = paths
        self.nodes = nodes
        self._contribution: Any = None

    def __repr__(self) -> str:
        return f"<path {self.arrow}>"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the way-points from the input to the output, those without a label as in a drawing."""
        return tuple([self._paths.names[node] for node in reversed(self.nodes)])

    @property
    def arrow(self) -> str:
        """The names in a line, as in `x → z → E`."""
        return " → ".join(self.names)

    @property
    def edges(self) -> list[Edge]:
        """All edges that its hops run along, from the output on: each a node, and the position of an input."""
        hops = self._paths._hops
        return [edge for upper, lower in pairwise(self.nodes) for edge in hops.edges(upper, lower)]

    @property
    def factors(self) -> tuple[Any, ...]:
        """The direct derivative of each hop, from the output on: floats where all way-points are single numbers.

        Otherwise Jacobians, each of the shape of the later node followed by that of the earlier one.
        """
        return tuple([self._paths._hops.jacobian(upper, lower) for upper, lower in pairwise(self.nodes)])

    @property
    def contribution(self) -> Any:
        """The term of this path in the gradient: a float where x is one number, otherwise an array of its shape."""
        if self._contribution is None:
            self._contribution = self._paths._contribution(self.nodes)
        return self._contribution

    @property
    def chain(self) -> Expression:
        """The product of the local derivatives along this path, in the names of the nodes."""
        hops = pairwise(self.nodes)
        return chain([factor for upper, lower in hops for factor in self._paths._written(upper, lower)])


def _plain(g: Any) -> Any:
    """A gradient as its owner gets it: a float for one number, otherwise an array of its own."""
    return np.array(g) if np.shape(g) else float(g)


def _check(E: Any, x: Any, limit: Any) -> None:
    for name, node in [("E", E), ("x", x)]:
        if not isinstance(node, Node):
            raise GraphError(
                f"The paths from x to E were asked for, and {name} is {node!r} of type {type(node).__name__}. "
                "Paths lead through a graph, from one of its nodes to another. Give a Value or a Tensor."
            )
    if shape := np.shape(E._value):
        raise ShapeError(
            f"The paths to {describe(E)} were asked for, and only one number has a gradient by itself. "
            f"It has the shape {shape}. Reduce it first, as in paths(E.sum(), x), or choose an entry, as in E[0]."
        )
    _check_number("paths", "limit", limit)


def _check_number(function: str, name: str, number: Any) -> None:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise DataError(
            f"{function}() was given {name}={number!r} of type {type(number).__name__}. "
            "It says how many paths there may be. Give a positive integer."
        )
