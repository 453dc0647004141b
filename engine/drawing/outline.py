"""The outline of a drawing: nodes, edges, clusters and paths as plain data, which every format and the page read."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..backward import local_slope
from ..graph import Node, differentiable_edges, topological_order
from ..notation import LETTERS, expression, figure, local_derivative, names_of, shortened, whole
from ..waypoints import Path, Paths
from .adjoints import Adjoints
from .folding import Group, every_scope, fold, steps

DIGITS = 4
LISTED = 12  # paths from one input
MANY = 1000  # nodes, beyond which the paths of a graph are not listed beforehand


class Outline:
    """The graph of some outputs, what is drawn of it, and in which words.

    `seeds` are the gradients that arrive at outputs, empty where none are drawn; `titles` are further names of nodes;
    `forward` are the nodes of the forward half, where both halves are drawn.
    `depth`, `collapse`, `constants` and `limit` choose what is drawn, as in `engine.draw`.
    """

    def __init__(
        self,
        outputs: Sequence[Node],
        seeds: dict[Node, Any],
        titles: dict[Node, str],
        forward: Container[Node] = (),
        *,
        constants: bool,
        depth: int | None,
        collapse: bool,
        limit: int | None,
    ) -> None:
        self.outputs = dict.fromkeys(outputs)  # a set with an order; == would compare what nodes hold
        self.order = topological_order(*self.outputs)
        self.position = {node: position for position, node in enumerate(self.order, 1)}
        self.notes: list[str] = []
        self.names = self._every_name(titles)
        self.adjoints = Adjoints(seeds)
        if self.adjoints.problem:
            self.notes.append(f"no gradients: {shortened(self.adjoints.problem, 3 * LETTERS)}")
        self.scopes = every_scope(self.order)
        if forward:
            for node, scope in self.scopes.items():
                self.scopes[node] = f"forward/{scope}".rstrip("/") if node in forward else "backward"
            depth = None if depth is None else depth + 1
        settings: dict[str, Any] = {"constants": constants, "depth": depth, "collapse": collapse, "limit": limit}
        self.shown, note = fold(self.order, self.outputs, self.scopes, **settings)
        if note:
            self.notes.append(note)

    # What stands beside the nodes.

    def _every_name(self, titles: dict[Node, str]) -> dict[Node, str]:
        """A short and harmless name for every node but plain numbers: as in formulas, and c1 for an array."""
        output = None if titles or len(self.outputs) > 1 else self.order[-1]
        known = names_of(self.order, output, every=True)
        arrays = [node for node in self.order if node not in known and np.shape(node._value)]
        known |= {node: f"c{number}" for number, node in enumerate(arrays, 1)}
        names: dict[Node, str] = {}
        taken = {"", *titles.values()}
        for node, name in known.items():
            name = shortened(name).strip() or f"v{self.position[node]}"
            while name in taken:  # two long labels, cut; or a label like ours
                name += "'"
            taken.add(name)
            names[node] = name
        for node, title in titles.items():
            names[node] = f"{names[node]} = {title}" if node.label else title
        return names

    # What the reader gets.

    def describe(self, values: bool) -> dict[str, Any]:
        """Return nodes, edges and clusters; the edges without their derivatives, because those take time."""
        ids: dict[Any, str] = {}
        for node in self.order:
            if (thing := self.shown[node]) is not None:
                last = thing.nodes[-1] if isinstance(thing, Group) else thing
                ids.setdefault(thing, f"n{self.position[last]}")
        self.ids = ids
        self.leaving: dict[Group, dict[Node, None]] = {}  # the results of groups that others go on with
        for node in self.order:
            for x in node.inputs:
                if isinstance(group := self.shown[x], Group) and self.shown[node] is not group:
                    self.leaving.setdefault(group, {})[x] = None
        edges = self._edges()
        inputs: dict[str, list[str]] = {name: [] for name in ids.values()}
        for edge in edges:
            inputs[edge["to"]].append(edge["from"])
        things = sorted(ids, key=lambda thing: int(ids[thing][1:]))
        nodes = [
            (self._group if isinstance(thing, Group) else self._node)(thing, ids[thing], values, inputs[ids[thing]])
            for thing in things
        ]
        return {"nodes": nodes, "edges": edges, "clusters": self._clusters(nodes)}

    def _node(self, node: Node, name: str, values: bool, inputs: list[str]) -> dict[str, Any]:
        if node in self.outputs:
            kind = "output"
        elif node.inputs:
            kind = "result"
        else:
            kind = "variable" if node._requires_grad else "constant"
        value = node._value
        several = type(value) is tuple
        g = self.adjoints.arrived.get(node)
        return {
            "id": name,
            "position": self.position[node],
            "op": node.op.name if node.op else None,
            "name": self.names.get(node, ""),
            "kind": kind,
            "scope": shortened(self.scopes[node], 4 * LETTERS),
            "expression": self._expression(node),
            "value": (f"{len(value)} results" if several else brief(value)) if values else None,
            "shape": [] if several else list(np.shape(value)),
            "dtype": "tuple" if several else str(getattr(value, "dtype", type(value).__name__)),
            "gradient": None if g is None else brief(g),
            "inputs": inputs,
        }

    def _group(self, group: Group, name: str, values: bool, inputs: list[str]) -> dict[str, Any]:
        last = group.nodes[-1]
        times = f" × {group.repeats}" if group.repeats > 1 else ""
        operations = len(group.nodes)
        results = [self.names[node] for node in self.leaving.get(group) or [last]]
        if len(results) > 3:
            results[1:-1] = ["…"]
        return {
            "id": name,
            "position": self.position[last],
            "op": None,
            "name": f"{group.title}{times}",
            "kind": "module",
            "scope": shortened(group.scope, 4 * LETTERS),
            "expression": f"{', '.join(results)}; {whole(operations)} operation{'s' * (operations > 1)}",
            "value": None,
            "shape": list(np.shape(last._value)),
            "dtype": str(getattr(last._value, "dtype", type(last._value).__name__)),
            "gradient": None,
            "inputs": inputs,
        }

    def _expression(self, node: Node) -> str:
        if not node.inputs:
            return ""
        if any(x.inputs and self.shown[x] is None for x in node.inputs):
            return "…"
        names = {x: self.names[x] for x in node.inputs if x in self.names}
        return shortened(expression(node, names).text(), 2 * LETTERS)

    def _edges(self) -> list[dict[str, Any]]:
        """The edges between what is drawn; where nodes are left out, one for all routes through those."""
        self.edge_ids: dict[tuple[Any, Any], list[str]] = {}
        self.direct: dict[str, tuple[Node, int]] = {}  # the edges that are drawn as they are in the graph
        masks = self._masks()
        things = list(self.ids)
        edges: list[dict[str, Any]] = []
        for node in self.order:
            end = self.shown[node]
            if end is None:
                continue
            flowing = dict(differentiable_edges(node))
            for position, x in enumerate(node.inputs):
                start = self.shown[x]
                starts = [start] if start is not None else [things[i] for i in ones(masks.get(x, 0))]
                for start in starts:
                    direct = start is x and end is node
                    if start is end or (not direct and (start, end) in self.edge_ids):
                        continue
                    name = f"e{len(edges) + 1}"
                    if direct:
                        self.direct[name] = node, position
                    self.edge_ids.setdefault((start, end), []).append(name)
                    edges.append(
                        {
                            "id": name,
                            "from": self.ids[start],
                            "to": self.ids[end],
                            "name": node.op.inputs[min(position, len(node.op.inputs) - 1)] if direct else "",
                            "differentiable": position in flowing,
                            "derivative": None,
                            "factor": None,
                            "contribution": None,
                            "weight": None,
                        }
                    )
        return edges

    def differentiated(self, edges: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return edges with the local derivative by name and by number, and with what flows back along them."""
        return [edge | (self._along(*self.direct[edge["id"]]) if edge["id"] in self.direct else {}) for edge in edges]

    def _along(self, node: Node, position: int) -> dict[str, Any]:
        if position not in dict(differentiable_edges(node)):
            return {}
        factor, flow = local_slope(node, position), self.adjoints.flow(node, position)
        return {
            "derivative": shortened(local_derivative(node, position, self.names).expression.text(), 2 * LETTERS),
            "factor": None if factor is None else brief(factor),
            "contribution": None if flow is None else brief(flow),
        }

    def _masks(self) -> dict[Node, int]:
        """From which drawn things each node that is left out comes directly: a set of places, as an integer."""
        places = {thing: place for place, thing in enumerate(self.ids)}
        masks: dict[Node, int] = {}
        for node in self.order:
            if self.shown[node] is None:
                mask = 0
                for x in node.inputs:
                    thing = self.shown[x]
                    mask |= masks[x] if thing is None else 1 << places[thing]
                masks[node] = mask
        return masks

    def _clusters(self, nodes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The scopes that hold more than one of the nodes, outer ones first."""
        members: dict[str, list[str]] = {}
        inner: dict[str, dict[str, None]] = {}
        for node in nodes:
            scope = node["scope"]
            if scope:
                members.setdefault(scope, []).append(node["id"])
            while scope:
                inner.setdefault(scope, {})[node["id"]] = None
                scope = scope.rpartition("/")[0]
        kept = sorted([scope for scope, names in inner.items() if len(names) > 1], key=lambda scope: scope.count("/"))
        places = {scope: f"c{place}" for place, scope in enumerate(kept)}
        outside: dict[str, list[str]] = {scope: [] for scope in kept}
        for scope, names in members.items():
            while scope and scope not in places:
                scope = scope.rpartition("/")[0]
            if scope:
                outside[scope] += names
        does = {node["id"]: node["name"] if node["kind"] == "module" else node["op"] for node in nodes}
        return [
            {
                "id": places[scope],
                "name": scope,
                "title": heading(scope, [step for name in inner[scope] if (step := does[name])]),
                "nodes": sorted(outside[scope], key=lambda name: int(name[1:])),
                "parent": places.get(scope.rpartition("/")[0]),
            }
            for scope in kept
        ]

    # Paths.

    @cached_property
    def unlisted(self) -> str:
        """Why no paths are listed, in words; empty where they are."""
        E, *others = self.outputs
        if not self.adjoints.arrived:
            return "no gradients were computed"
        if others:
            return "there are several outputs"
        if np.shape(E._value):
            return f"the output is an array of shape {np.shape(E._value)}"
        many = len(self.order) > MANY
        return f"the graph has {whole(len(self.order))} nodes, more than {whole(MANY)}" if many else ""

    @cached_property
    def listed(self) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
        """For each variable that is drawn its largest paths to the output, and how many there are."""
        E, *_ = self.outputs
        found: dict[str, list[dict[str, Any]]] = {}
        counts: dict[str, str] = {}
        if self.unlisted:
            return found, counts
        for x in self.order:
            if x in self.adjoints.arrived and not x.inputs and self.shown[x] is x and x is not E:
                paths = Paths(E, x, limit=100)
                counts[self.ids[x]] = whole(paths.count)
                found[self.ids[x]] = [self.path(path) for path in paths.largest(LISTED)]
        return found, counts

    def path(self, path: Path) -> dict[str, Any]:
        """One path in words, with all that is drawn of it."""
        things = {self.shown[end] for node, position in path.edges for end in (node, node.inputs[position])}
        return {
            "nodes": sorted(
                [self.ids[thing] for thing in things if thing is not None], key=lambda name: -int(name[1:])
            ),
            "edges": self.edges_along(path),
            "names": shortened(" → ".join([self.names[node] for node in reversed(path.nodes)]), 5 * LETTERS),
            "chain": shortened(path.chain.text(), 5 * LETTERS),
            "contribution": brief(path.contribution),
        }

    def edges_along(self, path: Path) -> list[str]:
        """The ids of all edges on the routes between the way-points of a path, from the output on."""
        routes = [(self.shown[node.inputs[position]], self.shown[node]) for node, position in path.edges]
        return list(dict.fromkeys([edge for route in routes for edge in self.edge_ids.get(route, ())]))

    def between(self, E: Node, x: Node) -> Iterator[str]:
        """The ids of all drawn edges on a differentiable route from x to E."""
        before, after = {x}, {E}
        for node in self.order:
            if any(start in before for _, start in differentiable_edges(node)):
                before.add(node)
        for node in reversed(self.order):
            for _, start in differentiable_edges(node) if node in after else ():
                if start in before:
                    after.add(start)
                    yield from self.edge_ids.get((self.shown[start], self.shown[node]), ())


def heading(scope: str, operations: Sequence[str]) -> str:
    """The name of a cluster, and what happens in it where that is a number."""
    name = scope.rpartition("/")[2]
    return shortened(f"{name}: {steps(operations)}" if name.isdigit() and operations else name).strip() or "…"


def brief(x: Any) -> str:
    """A number, a short array, or the range of a longer one: its shape stands elsewhere."""
    text = figure(x, DIGITS)
    if not np.ndim(x) or (np.size(x) <= 8 and len(text) < LETTERS * 3 // 4):
        return text
    many = np.resize(x, 9) if np.size(x) <= 8 else x  # nine entries are not spelled out any more
    text = figure(many, DIGITS).partition(") ")[2] or text
    return re.sub(r"^from (\S+) to \1(?= |$)", r"all \1", text)


def ones(mask: int) -> Iterator[int]:
    """The places of the ones in a binary number."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
