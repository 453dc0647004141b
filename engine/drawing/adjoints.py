"""Adjoints: the gradient of every node of a graph, and what flows back along every edge, from one sweep."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backward import PICK, by_itself, sweep
from ..errors import GraphError
from ..graph import Node, differentiable_edges, topological_order, watching


class Adjoints:
    """What arrives at each node when `seeds` arrive at some outputs; no `.grad` is read or written.

    `arrived` holds the gradients, `problem` why there are none: data that were changed afterwards.
    """

    def __init__(self, seeds: dict[Node, Any]) -> None:
        self.arrived: dict[Node, Any] = {}
        self.problem = ""
        self._flows: dict[tuple[Node, Node], list[Any]] = {}
        order = topological_order(*seeds, differentiable=True)
        kept: dict[Node, Any] = dict.fromkeys(order)
        watch = _Watch()

        def run() -> Any:
            with watching(watch):
                return sweep(order, seeds, kept)

        try:
            adjoints, _ = by_itself(run)
        except GraphError as error:
            self.problem = str(error).partition(". ")[0]
            return
        for node in order:
            g = kept[node] if node.inputs else adjoints.get(node)
            if type(node._value) is not tuple:
                # Nothing arrives behind a branch that was not taken: a zero, and not a gradient that is missing.
                self.arrived[node] = np.zeros_like(node._value)[()] if g is None else g
        self._flows = watch.flows

    def flow(self, node: Node, position: int) -> Any:
        """What flows back along one edge; None where no gradient was computed."""
        x = node.inputs[position]
        if node not in self.arrived or x not in self.arrived:
            return None
        if node.op is PICK:
            return self.arrived[node]
        flows = self._flows.get((node, x), [])  # none where nothing arrived at the node itself
        earlier = sum([other is x for place, other in differentiable_edges(node) if place < position])
        return flows[earlier] if flows else np.zeros_like(x._value)[()]


class _Watch:
    """Notes what flows back along each edge, in the order of the inputs."""

    def __init__(self) -> None:
        self.flows: dict[tuple[Node, Node], list[Any]] = {}

    def forward(self, node: Node) -> None:
        """Results are not noted: rules on raw data make none."""

    def backward(self, node: Node, x: Node, g: Any, c: Any) -> None:
        # A copy, because the sweep goes on adding to its arrays; 0.0 stands for an array of zeros.
        flow = c if type(x._value) is float else np.broadcast_to(c, np.shape(x._value)).copy()[()]
        self.flows.setdefault((node, x), []).append(flow)
