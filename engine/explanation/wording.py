"""Wording: what nodes, numbers and special cases are called in sentences and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..documents import Part
from ..graph import Node, topological_order
from ..notation import expression, figure, local_derivative, names_of, shortened
from .cases import Case

MANY = 40  # rows of a table


def names_from(E: Node) -> dict[Node, str]:
    """The names of the nodes in the graph of E, which is called E where it has no name of its own."""
    return names_of(topological_order(E), E)


def name_of(node: Node, names: Mapping[Node, str]) -> str:
    """What a node is called, or how it was computed."""
    if node in names:
        return names[node]
    return node.op.name if type(node._value) is tuple else shortened(expression(node, names).text())


def value_of(node: Node, names: Mapping[Node, str], values: Mapping[Node, Any] | None = None) -> str:
    """A node and its value, as in z = −0.5."""
    name, value = name_of(node, names), figure(node if values is None else values[node])
    return name if name == value else f"{name} = {value}"


def listed(words: Sequence[str], most: int = MANY) -> str:
    """Words in a row: a, b and c."""
    words = [*words[:most], "others"] if len(words) > most else list(words)
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def more(left: int, width: int) -> list[list[Part]]:
    """The last row of a table that shows not all."""
    return [[f"and {left} more", *[""] * (width - 1)]] if left > 0 else []


# Special cases, each in a clause without a full stop.


def in_words(case: Case, names: Mapping[Node, str], values: Mapping[Node, Any] | None = None) -> str:
    """What an operation does to a gradient, in the names of the nodes, at the `values` that the case was found at."""
    node, x, op = case.node, case.input, case.node.op
    name, value = name_of(x, names), value_of(x, names, values)
    several = case.size > 1
    where = f" in {case.entries} of {case.size} entries" if several else ""
    match case.kind:
        case "not taken" if op.name == "relu":
            dead = "a dead ReLU" if case.entries == 1 else "dead ReLUs"
            return f"relu is not active{where}: {value}, so that nothing flows back ({dead})"
        case "not taken" if op.name == "where":
            return f"where takes its other branch{where}: nothing flows back to {name}{' there' * several}"
        case "not taken" if op.name in ("maximum", "minimum") and not several:
            other = value_of(node.inputs[1 - case.position], names, values)
            return f"{op.name} takes {other}: nothing flows back to {value}"
        case "not taken":
            return f"{op.name} does not take {name}{where}: nothing flows back to it there"
        case "tie" if op.entrywise:
            at = where if several else f" at {figure(node if values is None else values[node])}"
            tied = listed([name_of(each, names) for each in node.inputs])
            return f"{tied} tie in {op.name}{at}: each gets half of the gradient"
        case "tie":
            return f"{case.entries} entries of {name} tie in {op.name}: each gets an equal part of the gradient"
        case "kink":
            at = f"{case.entries} of {case.size} entries of {name} are" if several else f"{value} is"
            slope = "" if case.slope is None else f": there its derivative is taken to be {figure(case.slope)}"
            return f"{at} at {'the' if op.name == 'relu' else 'a'} kink of {op.name}{slope}"
        case "saturated" if op.name == "softmax":
            rows = f" in {case.entries} of {case.size} rows" if several else ""
            return f"softmax is saturated{rows}: one of its entries is {figure(case.slope)}, the others nearly 0"
        case "saturated":
            slope = f"{local_text(node, case.position, names)} = {figure(case.slope)}{' or less' * several}"
            return f"{op.name} is saturated{where}: {slope} at {value}"
    shape = np.shape(x._value)
    what = f"{name} of shape {shape}" if shape else f"{name} (one number)"
    gradient = "each entry of its gradient is" if several else "its gradient is"
    sums = f"{gradient} a sum of {case.entries}{' entries' * (not several)}"
    return f"{what} is broadcast to {np.shape(node._value)}: {sums}"


def shared_in_words(x: Node, users: Sequence[Node], names: Mapping[Node, str]) -> str:
    """A node that is used in several places."""
    places = list(dict.fromkeys([name_of(node, names) for node in users[:5]]))
    return f"{name_of(x, names)} is used {len(users)} times, in {listed(places, 4)}: what comes back is added up"


def constants_in_words(nodes: Sequence[Node], names: Mapping[Node, str]) -> Iterator[str]:
    """The constants that have a name, if there are any."""
    found = [names[node] for node in nodes if node in names]
    if found:
        are = "is a constant: it has" if len(found) == 1 else "are constants: they have"
        yield f"{listed(found)} {are} no gradient, and no path starts there"


def cut_in_words(node: Node, x: Node, names: Mapping[Node, str]) -> str:
    """An operation without a derivative by one of its inputs."""
    call = f"{node.op.name}({', '.join([name_of(each, names) for each in node.inputs])})"
    what = "is taken as a constant" if node.op.name == "detach" else "has no derivative"
    return f"{call} {what}: the way from {name_of(x, names)} through it does not count"


def local_text(node: Node, position: int, names: Mapping[Node, str]) -> str:
    """The local derivative in symbols."""
    return local_derivative(node, position, names).expression.text()
