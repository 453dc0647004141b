"""Remarks: the local derivative of one step as a number, and what is special about it in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import scalars
from ..graph import Node
from ..notation import expression
from .rational import FRACTIONS, Exact, plain, read

SATURATED = 1e-3  # the slope of a sigmoid below which hardly anything flows back

# What f' is, where a formula shows no more than that.
SLOPES = {
    "sigmoid": "σ'(z) = σ(z)·(1 − σ(z))",
    "tanh": "tanh'(z) = 1 − tanh(z)²",
    "relu": "relu'(z) = 1 for z > 0 and 0 elsewhere",
    "leaky_relu": "leaky_relu'(z) = 1 for z > 0 and the slope elsewhere",
}


def slope(node: Node, position: int, values: Mapping[Node, Any]) -> Any:
    """The derivative of each entry by the same entry of an input; None where a row mixes entries."""
    op, out = node.op, values[node]
    data = [
        x._value if x.number == 0 and type(x._value) in (int, float) else values[x] for x in node.inputs
    ]  # as written
    if tuple in (type(out), type(data[position])):
        return None
    shape = np.shape(out)
    if np.ndim(data[position]) > len(shape) or (shape and not entry_by_entry(op)):
        return None
    exact = getattr(out, "dtype", None) is Exact.dtype
    xp: Any = FRACTIONS if exact else np if isinstance(out, np.ndarray) else scalars
    one = read(np.ones(shape)) if exact else np.ones(shape, out.dtype) if xp is np else 1.0
    with np.errstate(all="ignore"):
        by = op.rules_for(node.inputs)[position](xp, one, out, *data, **(node.params or {}))
    return plain(np.broadcast_to(by, shape)) if shape else plain(by)


def entry_by_entry(op: Any) -> bool:
    """Whether each entry of a row's result comes from the same entry of its inputs."""
    return op.kind in ("elementwise", "identity") or (op.ours and op.name in ("maximum", "minimum", "relu", "where"))


def notes(node: Node, position: int, names: Mapping[Node, str], values: Mapping[Node, Any]) -> list[str]:
    """What is special about a step back along one edge: a kink, a tie, an entry not taken, saturation, broadcasting."""
    op, x, data = node.op, node.inputs[position], [values[each] for each in node.inputs]
    if not op.ours or tuple in (type(values[node]), type(data[position])):
        return []
    by, found = slope(node, position, values), []

    def what() -> str:
        written = names.get(x) or expression(x, names).text()
        return written if len(written) < 20 else "its input"

    kinks = np.equal(op.kinks(*data, **(node.params or {})), 0) if op.kinks else np.False_
    if (there := _share(kinks)) is not None:
        if op.name in ("max", "maximum", "min", "minimum"):
            found.append(f"a tie in {op.name}{there}: equal parts flow back")
        else:
            taken = "its slope" if op.name == "leaky_relu" else "0"
            found.append(f"{what()} = 0{there} is the kink of {op.name}: its derivative there is taken as {taken}")
    dead = op.kind == "selection" and by is not None and np.logical_and(np.equal(by, 0), np.logical_not(kinks))
    if (there := _share(dead)) is not None:
        why = f"relu is off, {what()} < 0" if op.name == "relu" else f"{op.name} does not take {what()}"
        found.append(f"{why}{there}: nothing flows back")
    saturated = op.name in ("sigmoid", "tanh") and by is not None and np.abs(by) < SATURATED
    if (there := _share(saturated)) is not None:
        found.append(f"{op.name} is saturated{there}: hardly anything flows back")
    if (entry_by_entry(op) or op.name == "broadcast_to") and np.size(data[position]) < np.size(values[node]):
        found.append(f"summed over all that {what()} was repeated for")
    return found


def _share(mask: Any) -> str | None:
    """Where something holds: "" for one number, " in 2 of 6 entries" for an array, None if it holds nowhere."""
    some = int(np.sum(mask))
    return None if not some else f" in {some} of {np.size(mask)} entries" if np.ndim(mask) else ""
