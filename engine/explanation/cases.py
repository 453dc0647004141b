"""Special cases of a derivative, read off the graph: where a gradient meets something out of the ordinary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..backward import PICK, local_slope
from ..graph import Node, differentiable_edges, topological_order
from ..waypoints import paths

FLAT = 1e-3  # a slope below this is called saturated


class Case(NamedTuple):
    """What an operation does to a gradient at these very numbers, on its way to one input.

    `kind` is "not taken" (by a selection), "tie", "kink", "saturated" or "broadcast". It holds for `entries` of `size`,
    where the local derivative is `slope`, or less if saturated; from each of the `size` of a broadcast input come
    `entries` of the result.
    """

    kind: str
    node: Node
    input: Node
    position: int
    entries: int
    size: int
    slope: Any = None


def special_cases(
    node: Node, position: int, values: Mapping[Node, Any] | None = None, xp: Any = None
) -> Iterator[Case]:
    """Whatever is out of the ordinary about one edge.

    `values` and their namespace `xp` take the place of the data that were recorded, as for `local_slope`.
    """
    op, x = node.op, node.inputs[position]
    out = node._value if values is None else values[node]
    if tuple in (type(out), type(x._value)) or not np.size(out):
        return

    def case(kind: str, where: Any, slope: Any = None) -> Iterator[Case]:
        where = np.asarray(where)
        if entries := int(np.sum(where)):
            slopes = np.ravel(slope)[np.ravel(where)] if np.shape(slope) == where.shape else np.ravel(slope)
            yield Case(kind, node, x, position, entries, where.size, None if slope is None else np.max(slopes))

    kinks: Any = False
    if op.kinks is not None:
        data = [each._value if values is None else values[each] for each in node.inputs]
        with np.errstate(all="ignore"):
            kinks = np.equal(op.kinks(*data, **(node.params or {})), 0)
    if op.kind == "selection":
        share = np.asarray(local_slope(node, position, values, xp))  # of each entry in what is selected
        tied = np.logical_and(share > 0, share < 1)
        if op.entrywise and not np.any(tied):
            yield from case("kink", kinks, share)
            yield from case("not taken", np.logical_and(share == 0, np.logical_not(kinks)))
        else:
            yield from case("tie", tied)
            yield from case("not taken", share == 0) if "axis" not in op.params else ()
    elif op.ours and op.name in ("sigmoid", "tanh"):
        slope = np.abs(local_slope(node, position, values, xp))
        yield from case("saturated", slope < FLAT, slope)
    elif op.ours and op.name == "softmax":
        top = np.max(out, axis=node.params["axis"])  # type: ignore[index]
        yield from case("saturated", top > 1 - FLAT, top)
    elif np.any(kinks):
        yield from case("kink", kinks, local_slope(node, position, values, xp))
    repeated = op.entrywise or (op.ours and (op.name == "broadcast_to" or (op.name == "linear" and position == 2)))
    if repeated and (times := np.size(out) // max(np.size(x._value), 1)) > 1:
        yield Case("broadcast", node, x, position, times, np.size(x._value))


def line_between(E: Node, x: Node) -> list[Node]:
    """The nodes between x and E that a gradient meets, both included, inputs first."""
    return [x, *paths(E, x, through="all").waypoints, *[E] * (E is not x)]


def edges_of(line: Sequence[Node]) -> Iterator[tuple[Node, int]]:
    """Every input that a gradient passes to, operation by operation."""
    inside = set(line)
    # What picks one of several results stands for the operation that computed them.
    for node in dict.fromkeys([node.inputs[0] if node.op is PICK else node for node in line[1:]]):
        yield from [(node, position) for position, x in differentiable_edges(node) if x in inside]


def shared(edges: Sequence[tuple[Node, int]]) -> dict[Node, list[Node]]:
    """The inputs that a gradient comes back to from several places, with the operations there."""
    users: dict[Node, list[Node]] = {}
    for node, position in edges:
        users.setdefault(node.inputs[position], []).append(node)
    return {x: nodes for x, nodes in users.items() if len(nodes) > 1}


def constants(nodes: Sequence[Node]) -> list[Node]:
    """The leaves that enter operations and that no gradient flows to."""
    leaves = dict.fromkeys([x for node in nodes for x in node.inputs if x.op is None])
    return [x for x in leaves if not x._requires_grad]


def cuts(E: Node, inputs: Sequence[Node]) -> Iterator[tuple[Node, Node]]:
    """Where a way from the inputs to E cannot be differentiated: an operation, and what it depends on all the same."""
    reached = {x for x in inputs if x._requires_grad}
    for node in topological_order(E):
        back = dict(differentiable_edges(node))
        for position, x in enumerate(node.inputs):
            if x in reached and position in back:
                reached.add(node)
            elif x in reached:
                yield node, x
