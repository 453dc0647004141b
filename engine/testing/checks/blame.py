"""Which operation is to blame for a wrong gradient: each node's own rule, checked by itself on its recorded inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import EngineError, GradientError
from ...graph import Node
from ...row import pick
from ...structure import flatten
from .entries import is_real
from .recorded import Recorded

MOST = 2000
"""How many nodes are tried at most."""


def first_wrong(function: Recorded, order: int, judge: Callable[[Recorded], Any]) -> str | None:
    """Return the first operation, inputs first, whose own rule is wrong, with its label and scope; None if all hold.

    Each is called by itself on the inputs that were recorded, and `judge` raises where its derivatives are wrong, up
    to the order at which those of the whole function were.
    """
    while function.before is not None:
        function = function.before
    along = function.dependents
    for node in [node for node in along if node.op is not None][:MOST]:
        free = [i for i, x in enumerate(node.inputs) if x in set(along) and is_real(x._value)]
        if not free or node.op is pick.primitive or node.op.kind == "random":
            continue
        try:
            alone = _alone(node, free)
            for number in range(1, order + 1):
                if number > 1:
                    alone = alone.gradient(number)
                judge(alone)
        except GradientError as error:
            if error.worst is not None:
                return _described(node)
        except EngineError:
            continue  # a comparison, or another row without a floating-point result
    return None


def _alone(node: Node, free: list[int]) -> Recorded:
    """The operation of one node as a function of those of its inputs that the derivative came through."""
    params: Mapping[str, Any] = node.params or {}
    data = [x._value for x in node.inputs]

    def call(leaves: list[Node]) -> tuple[list[str], list[Any]]:
        inputs = list(data)
        for i, leaf in zip(free, leaves, strict=True):
            inputs[i] = leaf
        joins = node.op.variadic and len(node.op.inputs) == 1
        results = flatten(node.op.call(inputs, **params) if joins else node.op.call(*inputs, **params))[0]
        return [f"result[{i}]" for i in range(len(results))], results

    return Recorded(node.op.name, call, [data[i] for i in free], [f"input {i}" for i in free])


def _described(node: Node) -> str:
    label = f" labelled {node.label!r}" if node.label else ""
    scope = f" in scope {node.origin!r}" if node.origin else ""
    return f"{node.op.name!r}{label}{scope}"
