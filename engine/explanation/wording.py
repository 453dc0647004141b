"""Wording: what nodes and numbers are called in sentences and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..documents import Part
from ..graph import Node, topological_order
from ..notation import expression, figure, names_of

MANY = 40  # rows of a table
FEW = 10  # special cases of one kind


def names_from(E: Node) -> dict[Node, str]:
    """The names of the nodes in the graph of E, which is called E where it has no name of its own."""
    names = names_of(topological_order(E))
    return names if E in names or "E" in names.values() else names | {E: "E"}


def name_of(node: Node, names: dict[Node, str]) -> str:
    """What a node is called, or how it was computed."""
    if node in names:
        return names[node]
    if type(node._value) is tuple:
        return node.op.name
    text = expression(node, names).text()
    return text if len(text) <= 40 else f"{text[:39]}…"


def value_of(node: Node, names: dict[Node, str]) -> str:
    """A node and its value, as in z = −0.5."""
    name, value = name_of(node, names), figure(node)
    return name if name == value else f"{name} = {value}"


def listed(words: Sequence[str]) -> str:
    """Words in a row: a, b and c."""
    return " and ".join([", ".join(words[:-1])] * (len(words) > 1) + [words[-1]])


def whole(count: int) -> str:
    """A whole number of any size in a few characters."""
    if count < 10**15:
        return f"{count:,}".replace(",", " ")
    return f"about 10^{int((count.bit_length() - 1) * math.log10(2))}"


def more(left: int, width: int) -> list[list[Part]]:
    """The last row of a table that shows not all."""
    return [[f"and {left} more", *[""] * (width - 1)]] if left > 0 else []
