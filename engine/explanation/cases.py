"""Special cases of a derivative, read off the graph, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from .. import scalars
from ..backward import PICK
from ..graph import Node, topological_order
from ..notation import figure, local_derivative
from ..waypoints import paths
from .wording import FEW, MANY, listed, name_of, value_of

FLAT = 1e-3  # a slope below this is called saturated


class Edge(NamedTuple):
    """One input of one operation on the way, and the rule by which a gradient passes."""

    node: Node
    position: int
    input: Node
    rule: Callable[..., Any]


def line_between(E: Node, x: Node) -> list[Node]:
    """The nodes between x and E that a gradient meets, both included, inputs first."""
    return [x, *paths(E, x, through="all").waypoints, *[E] * (E is not x)]


def edges_of(line: Sequence[Node]) -> Iterator[Edge]:
    """Every input that a gradient passes to, operation by operation."""
    inside = set(line)
    # What picks one of several results stands for the operation that computed them.
    for node in dict.fromkeys([node.inputs[0] if node.op is PICK else node for node in line[1:]]):
        for position, (x, rule) in enumerate(zip(node.inputs, node.op.rules_for(node.inputs))):
            if rule is not None and x in inside:
                yield Edge(node, position, x, rule)


def notes_on(E: Node, x: Node, names: dict[Node, str]) -> list[str]:
    """The special cases on the way from x to E, some of each kind."""
    line = line_between(E, x)
    edges = list(edges_of(line))
    kinds: list[Iterator[str]] = [
        (words for edge in edges if (words := special_case(edge, names))),
        _shared(edges, names),
        (words for edge in edges if (words := broadcast(edge, names))),
        _constants(line, names),
        (words for _, words in cuts(E, x, names)),
    ]
    notes: list[str] = []
    for kind in kinds:  # words are made only for as many as are shown
        found = list(islice(dict.fromkeys(islice(kind, 10 * FEW)), FEW + 1))
        notes += found[:FEW] + ["And more of this kind."] * (len(found) > FEW)
    return notes


def special_case(edge: Edge, names: dict[Node, str]) -> str | None:
    """What a row does to a gradient at these very numbers, if it is out of the ordinary."""
    op, size = edge.node.op, np.size(edge.node._value)
    if type(edge.node._value) is tuple or not size:
        return None
    several = size > 1
    if op.kind == "selection":
        return _selected(edge, np.asarray(slope_of(edge)), names)
    if op.name in ("sigmoid", "tanh"):
        slope = np.abs(slope_of(edge))
        if flat := int(np.sum(slope < FLAT)):
            where = f" in {flat} of {size} entries" if several else ""
            slopes = f"{local_text(edge, names)} = {figure(float(np.max(slope[slope < FLAT])))}{' or less' * several}"
            return f"{op.name} is saturated{where}: {slopes} at {value_of(edge.input, names)}."
    if op.name == "softmax":
        top = np.max(edge.node._value, axis=(edge.node.params or {})["axis"])
        if flat := int(np.sum(top > 1 - FLAT)):
            where = f" in {flat} of {top.size} rows" if top.size > 1 else ""
            return (
                f"softmax is saturated{where}: one of its entries is {figure(float(np.max(top)))}, the others nearly 0."
            )
    if op.kinks is not None:
        kinks = np.asarray(op.kinks(*[x._value for x in edge.node.inputs], **(edge.node.params or {})))
        if at := int(np.sum(kinks == 0)):
            if kinks.size > 1:
                return f"{at} of {kinks.size} entries of {name_of(edge.input, names)} are at a kink of {op.name}."
            slope = float(np.ravel(slope_of(edge))[0])
            where = f"{value_of(edge.input, names)} is at a kink of {op.name}"
            return f"{where}: there its derivative is taken to be {figure(slope)}."
    return None


def _selected(edge: Edge, share: np.ndarray, names: dict[Node, str]) -> str | None:
    """Which entries a selection did not take, and where two were equal; `share` is what each sends back of 1."""
    node, op, name = edge.node, edge.node.op, name_of(edge.input, names)
    off, tied, size = int(np.sum(share == 0)), int(np.sum((share > 0) & (share < 1))), share.size
    where = f" in {{}} of {size} entries" if size > 1 else ""
    if "axis" in (node.params or {}):
        return f"{tied} entries of {name} tie in {op.name}: each gets an equal part of the gradient." if tied else None
    other = node.inputs[1 - edge.position] if op.name in ("maximum", "minimum") else None
    if tied and other is not None:
        at = f" at {figure(node)}" if size == 1 else where.format(tied)
        both = " and ".join([name_of(x, names) for x in node.inputs])
        return f"{both} tie in {op.name}{at}: each gets half of the gradient."
    if not off:
        return None
    if op.name == "relu" and size == 1 and edge.input._value == 0:
        return f"{value_of(edge.input, names)} is at the kink of relu: there its derivative is taken to be 0."
    if op.name == "relu":
        dead = "a dead ReLU" if off == 1 else "dead ReLUs"
        value = value_of(edge.input, names)
        return f"relu is not active{where.format(off)}: {value}, so that nothing flows back ({dead})."
    if op.name == "where":
        return f"where takes its other branch{where.format(off)}: nothing flows back to {name}{' there' * (size > 1)}."
    if other is not None and size == 1:
        return f"{op.name} takes {value_of(other, names)}: nothing flows back to {value_of(edge.input, names)}."
    return f"{op.name} does not take {name}{where.format(off)}: nothing flows back to it there."


def slope_of(edge: Edge) -> Any:
    """The local derivative of a row that works entry by entry: what its rule makes of ones."""
    node, data = edge.node, [x._value for x in edge.node.inputs]
    xp, one = (scalars, 1.0) if type(node._value) is float else (np, np.ones_like(node._value))
    with np.errstate(all="ignore"):
        return edge.rule(xp, one, node._value, *data, **(node.params or {}))


def _shared(edges: Sequence[Edge], names: dict[Node, str]) -> Iterator[str]:
    uses: dict[Node, list[Node]] = {}
    for edge in edges:
        uses.setdefault(edge.input, []).append(edge.node)
    for node, users in uses.items():
        if len(users) > 1:
            places = list(dict.fromkeys([name_of(user, names) for user in users[:5]]))
            places[4:] = ["others"] * (len(places) > 4)
            name = name_of(node, names)
            yield f"{name} is used {len(users)} times, in {listed(places)}: what comes back is added up."


def broadcast(edge: Edge, names: dict[Node, str]) -> str | None:
    """A small input that was repeated to the shape of a large one."""
    node, x = edge.node, edge.input
    entrywise = node.op.kind in ("elementwise", "selection") and "axis" not in (node.params or {})
    bias = node.op.name == "linear" and edge.position == 2
    times = np.size(node._value) // max(np.size(x._value), 1)
    if times < 2 or not (entrywise or bias or node.op.name == "broadcast_to"):
        return None
    shape = np.shape(x._value)
    what = f"of shape {shape}" if shape else "(one number)"
    sums = (
        f"each entry of its gradient is a sum of {times}"
        if np.size(x._value) > 1
        else f"its gradient is a sum of {times} entries"
    )
    return f"{name_of(x, names)} {what} is broadcast to {np.shape(node._value)}: {sums}."


def _constants(line: Sequence[Node], names: dict[Node, str]) -> Iterator[str]:
    leaves = dict.fromkeys([x for node in line[1:] for x in node.inputs if x.op is None and not x._requires_grad])
    if found := [names[x] for x in leaves if x in names]:
        found[MANY:] = ["others"] * (len(found) > MANY)
        what = "is a constant: it has" if len(found) == 1 else "are constants: they have"
        yield f"{listed(found)} {what} no gradient, and no path starts there."


def cuts(E: Node, x: Node, names: dict[Node, str]) -> Iterator[tuple[Node, str]]:
    """Where a way from x to E cannot be differentiated, and so is not counted."""
    reached = {x}
    for node in topological_order(E):
        for lower, rule in zip(node.inputs, node.op.rules_for(node.inputs)) if node.op else []:
            if lower in reached and rule is not None:
                reached.add(node)
            elif lower in reached:
                call = f"{node.op.name}({', '.join([name_of(each, names) for each in node.inputs])})"
                what = "is taken as a constant" if node.op.name == "detach" else "has no derivative"
                yield node, f"{call} {what}: the way from {name_of(lower, names)} through it does not count."


def local_text(edge: Edge, names: dict[Node, str]) -> str:
    """The local derivative in symbols."""
    return local_derivative(edge.node, edge.position, names).expression.text()
