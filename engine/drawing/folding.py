"""Folding: which nodes of a graph a drawing shows as themselves, which ones together, and which not at all."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..graph import Node
from ..notation import shortened, whole

REPEATS, LONGEST = 3, 8  # equal siblings from this number on are drawn once, and as many may take turns


class Group:
    """Results that stand next to each other in the order of a graph and are drawn as one node."""

    __slots__ = ("nodes", "repeats", "scope", "title")

    def __init__(self, nodes: list[Node], scope: str, title: str, repeats: int = 1) -> None:
        self.nodes = nodes
        self.scope = scope  # what it is drawn in
        self.title = title
        self.repeats = repeats


Shown = dict[Node, Any]
"""What each node is drawn as: itself, a Group, or None for not at all."""


def fold(
    order: Sequence[Node],
    outputs: Container[Node],
    scopes: dict[Node, str],
    *,
    constants: bool,
    depth: int | None,
    collapse: bool,
    limit: int | None,
) -> tuple[Shown, str]:
    """Return what each node of a graph is drawn as, and in words what had to be left out, or "".

    The settings are those of `engine.draw`; `order` holds the graph of the outputs, `scopes` where each node belongs.
    """

    def to_depth(depth: int | None) -> Shown:
        shown = _grouped(order, scopes, depth, collapse)
        if not constants:
            shown.update({node: None for node in order if is_constant(node) and not node.label})
        return shown

    shown = to_depth(depth)
    if limit is None or _size(shown) <= limit:
        return shown, ""
    every = f"{whole(len(order))} nodes"
    deepest = max([scope.count("/") + 1 for scope in scopes.values() if scope], default=0)
    for shallower in reversed(range(deepest if depth is None else min(deepest, depth))):
        shown = to_depth(shallower)
        if _size(shown) <= limit:
            return shown, f"{every}, drawn by scopes to depth {shallower}"
    shown = {node: node if node.label or node in outputs else None for node in order}
    if any(node.label for node in order) and _size(shown) <= limit:
        return shown, f"{every}, of which those with a label are drawn"
    last = set(order[-limit:])
    return {node: node if node in last else None for node in order}, f"the last {whole(limit)} of {every}"


def every_scope(order: Iterable[Node]) -> dict[Node, str]:
    """Where each node belongs: a result where it was made, an unlabelled parameter where alone it is used."""
    scopes = {node: str(node.origin or "") for node in order if node.inputs}
    for node in order:
        for x in node.inputs:
            if not x.inputs and not x.label and (x._requires_grad or not np.shape(x._value)):
                scopes[x] = _common(scopes[x], scopes[node]) if x in scopes else scopes[node]
    return {node: scopes.get(node, "") for node in order}


def _grouped(order: Sequence[Node], scopes: dict[Node, str], depth: int | None, collapse: bool) -> Shown:
    """Every node as itself, but scopes below `depth` and repeated siblings as one."""
    shown: Shown = {node: node for node in order}
    unread = [("", 0, [node for node in order if node.inputs])]
    while unread:
        scope, level, nodes = unread.pop()
        siblings = list(_siblings(nodes, scopes, level))
        for pattern, repeats in _runs(siblings, scopes) if collapse else [([each], 1) for each in siblings]:
            name, first = pattern[0]
            if repeats == 1 and (not name or depth is None or level < depth):
                if name:
                    unread.append((f"{scope}/{name}" if scope else name, level + 1, first))
                continue
            together = [node for _, inner in pattern for node in inner]
            title = " → ".join([_title(name, inner) for name, inner in pattern[: len(pattern) // repeats]])
            group = Group(together, scope, f"({title})" if len(pattern) > repeats > 1 else title, repeats)
            shown.update(dict.fromkeys(together, group))
    users: dict[Node, set[Any]] = {}
    for node in order:
        for x in node.inputs:
            if not x.inputs and scopes[x]:
                users.setdefault(x, set()).add(shown[node])
    for x, its in users.items():
        if len(its) == 1 and isinstance(user := its.pop(), Group):
            shown[x] = user  # the parameters of what is drawn as one go with it
    return shown


def _siblings(nodes: Sequence[Node], scopes: dict[Node, str], level: int) -> Iterator[tuple[str, list[Node]]]:
    """Nodes in a row that share the scope on this level, with its name; single ones with none."""
    name, together = "", list[Node]()
    for node in nodes:
        parts = scopes[node].split("/", level + 1)
        its = parts[level] if len(parts) > level else ""
        if together and not (its and its == name):
            yield name, together
            together = []
        name = its
        together.append(node)
    if together:
        yield name, together


def _runs(
    siblings: Sequence[tuple[str, list[Node]]], scopes: dict[Node, str]
) -> Iterator[tuple[Sequence[tuple[str, list[Node]]], int]]:
    """Split siblings into parts, each with how often it repeats itself: equal ones, also in turns, are one part."""
    known: dict[Any, int] = {}
    codes = [known.setdefault(_structure(nodes, scopes), len(known)) for _, nodes in siblings]
    start = 0
    while start < len(siblings):
        end, most = start + 1, 1
        for length in range(1, LONGEST + 1):
            stop, pattern = start + length, codes[start : start + length]
            if any(name for name, _ in siblings[start:stop]):  # single operations stay as they are
                while codes[stop : stop + length] == pattern:
                    stop += length
            if stop - start >= REPEATS * length and stop > end:
                end, most = stop, (stop - start) // length
        yield siblings[start:end], most
        start = end


def _structure(nodes: Sequence[Node], scopes: dict[Node, str]) -> Any:
    """What makes two siblings equal: their operations, shapes and inner edges."""
    places = {node: place for place, node in enumerate(nodes)}
    structure = []
    for node in nodes:
        # A parameter counts by its shape; whatever comes from outside is the same.
        inputs = [places.get(x, np.shape(x._value) if not x.inputs and scopes[x] else None) for x in node.inputs]
        structure.append((node.op.name, *map(np.shape, _results(node)), *inputs))
    return tuple(structure)


def _results(node: Node) -> tuple[Any, ...]:
    """What a node holds: one result, or several."""
    return node._value if type(node._value) is tuple else (node._value,)


def _size(shown: Shown) -> int:
    return len({thing for thing in shown.values() if thing is not None})


def _common(scope: str, other: str) -> str:
    """The innermost scope that holds both."""
    if scope == other:
        return scope
    shared = []
    for one, two in zip(scope.split("/"), other.split("/"), strict=False):
        if one != two:
            break
        shared.append(one)
    return "/".join(shared)


# Words.


def _title(name: str, nodes: Sequence[Node]) -> str:
    """A scope in words: its name without a number, else what happens in it."""
    return shortened(name.rstrip("0123456789").rstrip("._[ ]")) or steps([node.op.name for node in nodes])


def steps(names: Sequence[str]) -> str:
    """The first few different operations, in words."""
    different = list(dict.fromkeys(names))
    return shortened(" → ".join(different[:3] + ["…"] * (len(different) > 3)))


def is_constant(node: Node) -> bool:
    """Whether a node is a leaf that no gradient is wanted of."""
    return not node.inputs and not node._requires_grad
