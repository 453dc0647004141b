"""Adjoints: the gradient of every node of a graph, and what flows back along every edge, from one sweep."""

from __future__ import annotations

from contextvars import Context
from typing import Any

import numpy as np

from .. import scalars
from ..backward import PICK, sweep
from ..errors import GraphError
from ..graph import Node, topological_order, watching


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
        earlier = sum([other is x and flows_back(node, place) for place, other in enumerate(node.inputs[:position])])
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


def local_factor(node: Node, position: int) -> Any:
    """The local derivative as numbers: entry by entry, or of a single number; None where it is a whole matrix."""
    out, single = node._value, np.size(node._value) == 1
    if type(out) is tuple or not (single or node.op.kind in ("elementwise", "selection")) or node.op.name == "hook":
        return None
    rule = node.op.rules_for(node.inputs)[position]
    one = 1.0 if type(out) is float else np.ones_like(out)
    data = [x._value for x in node.inputs]
    factor = by_itself(rule, scalars if type(out) is float else np, one, out, *data, **(node.params or {}))
    return fitted(factor, np.shape(node.inputs[position]._value)) if single else factor


def flows_back(node: Node, position: int) -> bool:
    """Whether an edge is differentiable."""
    return node.inputs[position]._requires_grad and node.op.rules[min(position, len(node.op.rules) - 1)] is not None


def by_itself(function: Any, *args: Any, **settings: Any) -> Any:
    """Call a function in silence, whatever the recording state and NumPy's error state around a drawing are."""

    @np.errstate(all="ignore")
    def call() -> Any:
        return function(*args, **settings)

    return Context().run(call)


def fitted(array: Any, shape: tuple[int, ...]) -> Any:
    """Undo broadcasting: sum over the axes along which an array of this shape was repeated."""
    array = np.asarray(array)
    if array.shape != shape:
        array = array.sum(axis=tuple(range(max(array.ndim - len(shape), 0))))
        axes = tuple([i for i, (n, m) in enumerate(zip(array.shape, shape, strict=False)) if n != m and m == 1])
        array = np.broadcast_to(array.sum(axis=axes, keepdims=True), shape)
    return array[()]
