"""Run a recorded graph again: on other data, on a batch, or in another namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import row, scalars
from .errors import GraphError
from .graph import Node, describe, topological_order
from .structure import flatten


def evaluate(outputs: Any, data: Mapping[Node, Any] | None = None, xp: Any = None) -> Any:
    """Compute the outputs again from their graph, with other `data` for some of its nodes, and return plain data.

    `outputs` is a node, or a list, tuple or dict of nodes. `data` maps nodes, leaves or results, to numbers and
    arrays; their shapes may differ from the recorded ones, as when a scalar graph is run on a batch. `xp` is the
    namespace to compute in; by default numbers are computed as numbers and arrays by NumPy. Random draws are drawn
    anew.

    Raises GraphError for a node in `data` that is not in the graph of the outputs.

    >>> import engine
    >>> x = engine.Value(2.0)
    >>> y = x * x + 1
    >>> engine.evaluate(y), engine.evaluate(y, {x: 3.0})
    (5.0, 10.0)
    """
    nodes, rebuild = flatten(outputs)
    order = topological_order(*[node for node in nodes if isinstance(node, Node)])
    known: dict[Node, Any] = {}
    for node, value in (data or {}).items():
        known[node] = row.as_array(value) if isinstance(value, list | tuple) else value
    if foreign := known.keys() - set(order):
        node = foreign.pop()
        raise GraphError(
            f"Data were given for {describe(node) if isinstance(node, Node) else repr(node)}. "
            "The outputs that are to be evaluated were not computed from it. Give data for nodes of their graph only."
        )
    needed = set(nodes)
    for node in reversed(order):
        if node in needed and node not in known:
            needed.update(node.inputs)
    for node in order:
        if node in known or node not in needed:
            continue
        if node.op is None:
            known[node] = node._value
            continue
        inputs = [known[x] for x in node.inputs]
        numbers = all(type(x) in row.NUMBERS for x in inputs) and node.op.kind != "random"
        space = xp or (scalars if numbers else np)
        result = row.compute(node.op, space, inputs, node.params)
        known[node] = row.plain_number(node.op, result, inputs) if space is scalars else result
    return rebuild([_plain(known[node], node) if isinstance(node, Node) else node for node in nodes])


def _plain(result: Any, node: Node) -> Any:
    """An output as its owner gets it: an array of its own for a Tensor, a number for a Value."""
    if isinstance(result, np.ndarray) or (isinstance(result, np.generic) and isinstance(node, row.Tensor)):
        return np.array(result)
    return result
