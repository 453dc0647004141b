"""Formulas: how nodes were computed, in the names of the user."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import GraphError
from ..graph import Node, topological_order
from .expressions import Expression, apply, as_expression, symbol
from .printing import ELLIPSIS, identifier, setting
from .typesetting import name_latex

LARGE, DEEP, SMALL = 80, 30, 8
"""A formula names a part that is larger or deeper than this, and a part that occurs twice and is not small."""


def names_of(
    order: Iterable[Node],
    output: Node | None = None,
    *,
    every: bool = False,
    wanted: Mapping[Node, str] | None = None,
) -> dict[Node, str]:
    """Return the name of each node that has one: its label, and x1, x2, ... for variables without.

    A second node of the same label gets a number. The `output` is called E if it has no label, and with `every=True`
    all other results are called v and their place in the order, from 1. Constants without a label have no name.
    `wanted` holds names for nodes without a label, which they get where these are free.

    >>> import engine
    >>> x, y = engine.Value(1.0, label="w"), engine.Value(2.0, label="w")
    >>> order = engine.topological_order(x * y * engine.Value(3.0) * 4)
    >>> list(names_of(order).values())
    ['w', 'w_2', 'x1']
    >>> list(names_of(order, order[-1], every=True).values())
    ['w', 'w_2', 'E', 'x1', 'v5', 'v6']
    """
    order = list(order)
    names: dict[Node, str] = {}
    fresh = Names(node.label for node in order if node.label)
    used: set[str] = set()
    for node in order:
        if node.label:
            names[node] = fresh.after(f"{node.label}_", 2) if node.label in used else node.label
            used.add(node.label)
    calling = dict(wanted or {})
    if output is not None and output.inputs:
        calling.setdefault(output, "E")
    for node, name in calling.items():
        if node not in names and name not in fresh.taken:
            names[node] = fresh.take(name)
    for place, node in enumerate(order, 1):
        if node not in names and not node.inputs and node.number:
            names[node] = fresh.after("x")
        elif node not in names and node.inputs and every:
            names[node] = fresh.take(f"v{place}")
    return names


class Names:
    """Names that are not taken yet."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)
        self.next: dict[str, int] = {}

    def take(self, name: str) -> str:
        """Return the name, with a number if it is taken."""
        if name in self.taken:
            return self.after(f"{name}_", 2)
        self.taken.add(name)
        return name

    def after(self, stem: str, first: int = 1) -> str:
        """Return the first of v1, v2, ... that is free."""
        n = self.next.get(stem, first)
        while f"{stem}{n}" in self.taken:
            n += 1
        self.next[stem] = n + 1
        return self.take(f"{stem}{n}")


def expression(node: Node, names: Mapping[Node, str], stop: bool = True) -> Expression:
    """Return how a node was computed, down to the nodes that have names, or with `stop=False` down to the leaves.

    What is too far away or too large to be read is written as "…"; `formula` writes down everything.

    >>> import engine
    >>> x = engine.Value(2.0, label="x")
    >>> print(expression((3 - x) ** 2 / 2, {x: "x"}))
    (3 − x)²/2
    """

    def ends(x: Node) -> bool:
        return not x.inputs or (x is not node and stop and x in names)

    near = frontier = {node: None}
    for _ in range(DEEP // 2):
        frontier = dict.fromkeys([x for parent in frontier if not ends(parent) for x in parent.inputs if x not in near])
        if not frontier or len(near) + len(frontier) > 4 * LARGE:
            break
        near = near | frontier
    known: dict[Node, Expression] = {}
    for x in sorted(near, key=lambda x: (bool(x.inputs), x.number)):
        if ends(x):
            known[x] = symbol(names[x]) if x in names else _constant(x)
        else:
            written = _noted(x, [known.get(each) or symbol(ELLIPSIS) for each in x.inputs])
            known[x] = written if x is node or written.size <= LARGE else symbol(ELLIPSIS)
    return known[node]


def _constant(node: Node) -> Expression:
    data = node._value
    return as_expression(data[()] if isinstance(data, np.ndarray) else data)


def _noted(node: Node, args: Sequence[Expression]) -> Expression:
    """One step of a computation as one writes it on paper, where shapes go without saying."""
    args = list(args)
    ranks = [rank_of(x) for x in node.inputs]
    if _is(node, "multiply") and ranks[0] == 2 and (column := _before_expansion(args[0], -1)):
        row = args[1] if ranks[1] == 1 else _before_expansion(args[1], -2)
        if row:
            return Expression("outer", [column, row])
    if _is(node, "squeeze") and ranks == [2] and node.params == {"axis": -1} and args[0].name == "matmul":
        matrix, column = args[0].args
        if vector := _before_expansion(column, -1):
            return apply("matmul", [matrix, vector])
    if _is(node, "matmul") and ranks == [1, 1]:
        args[0] = row_vector(args[0])
    if node.op.ours and node.op.entrywise:
        for i, x in enumerate(args):  # a number that is repeated only to meet an array
            others = [y for j, y in enumerate(node.inputs) if j != i and args[j].name != "broadcast_to"]
            if x.name == "broadcast_to" and any(np.shape(y._value) == np.shape(node._value) for y in others):
                args[i] = x.args[0]
    return apply(node.op, args, **(node.params or {}))


def _before_expansion(x: Expression, axis: int) -> Expression | None:
    """The vector that was made a column (axis -1) or a row (axis -2) of a matrix."""
    return x.args[0] if x.name == "expand_dims" and x.params["axis"] == axis else None


def rank_of(node: Node) -> int:
    """Return the number of axes of what a node holds; 1 for several results in one."""
    return 1 if type(node._value) is tuple else np.ndim(node._value)


def _is(node: Node, name: str) -> bool:
    return node.op.ours and node.op.name == name


def row_vector(x: Expression) -> Expression:
    """Return a vector as the row in a product; only a symbol is worth the sign."""
    return apply("transpose", [x]) if isinstance(x.value, str) and x.value != ELLIPSIS else x


class Formula:
    """How a node was computed, written down: `text()`, `latex()`, and `python()` that runs.

    `definitions` holds the parts that have a name of their own, because they are too large or occur twice, and
    `expression` what is left. The Python code starts from `leaves` and leaves the result under `name`; `functions`
    are the user's own primitives and hooks that it calls.

    >>> import engine
    >>> x, y = engine.Value(3.0, label="x"), engine.Value(4.0, label="y")
    >>> f = formula(engine.sqrt(x * x + y * y))
    >>> print(f)
    sqrt(x² + y²)
    >>> namespace = dict(f.leaves)
    >>> exec(f.python(), namespace)
    >>> namespace[f.name]
    Value(5.0)
    """

    def __init__(self, node: Node, expand: bool = False) -> None:
        self._order = topological_order(node)
        self._names = names_of(self._order)
        self._node = node
        self._every = names_of(self._order, every=True)
        stops = {x: name for x, name in self._names.items() if not x.inputs or (x is not node and not expand)}
        self.definitions, self.expression = _write(self._order, stops, self._every)

    def _lines(self) -> list[tuple[str, Expression]]:
        label = self._names.get(self._node, "") if self._node.inputs else ""
        return [*self.definitions.items(), (label, self.expression)]

    def text(self) -> str:
        """Return the formula as plain text, with a line for each definition."""
        return "\n".join([f"{name} = {x}" if name else str(x) for name, x in self._lines()])

    def latex(self) -> str:
        """Return the formula as LaTeX for mathematics mode, several lines aligned at their signs of equality."""
        lines = [(f"{name_latex(name)} &= " if name else "& ") + x.latex() for name, x in self._lines()]
        if len(lines) == 1:
            return lines[0].replace("&", "", 1).strip()
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def python(self) -> str:
        """Return Python code that computes the node again from its leaves, operation by operation."""
        words = self._words
        stops = {node: word for node, word in words.items() if not node.inputs}
        named = self._names.keys() - {self._node}
        definitions, last = _write(self._order, stops, words, named, exactly=True)
        code = "\n".join([f"{name} = {x.python()}" for name, x in [*definitions.items(), (self.name, last)]])
        imports = {"import engine": "engine.", "import numpy as np": "np."}
        return "\n".join([*[line for line, sign in imports.items() if sign in code], code])

    @functools.cached_property
    def _words(self) -> dict[Node, str]:
        """The names that nodes have in Python."""
        fresh = Names({"engine", "np", "float", *self.functions})
        words: dict[Node, str] = {}
        for node in self._order:
            big = not node.inputs and np.size(node._value) > 8
            if node is self._node and node not in self._names:
                words[node] = fresh.take("result")
            elif node in self._every or big:
                words[node] = fresh.take(identifier(self._every.get(node, "c")))
        return words

    @property
    def name(self) -> str:
        """The name under which the Python code leaves the result."""
        return self._words[self._node]

    @property
    def leaves(self) -> dict[str, Node]:
        """The nodes that the Python code starts from, by their names in it."""
        return {word: node for node, word in self._words.items() if not node.inputs}

    @functools.cached_property
    def functions(self) -> dict[str, Any]:
        """The user's own primitives, and functions among the settings, by their names in the Python code."""
        found = {node.op.name: node.op.call for node in self._order if node.op and not node.op.ours}
        for node in self._order:
            found |= {setting(each): each for each in (node.params or {}).values() if callable(each)}
        return found

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<formula {self.text()}>"

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"


def formula(node: Node, expand: bool = False) -> Formula:
    """Return how a node was computed as a formula, down to nodes with labels or, with `expand=True`, to the leaves.

    A derivative is a node like any other: `formula(gradients(E, [x], create_graph=True)[0])`.

    Raises GraphError for anything that is not a node.

    >>> import engine
    >>> x, w = engine.Value(2.0, label="x"), engine.Value(3.0, label="w")
    >>> E = (w * x - 1) ** 2 / 2
    >>> print(formula(E))
    (w·x − 1)²/2
    >>> print(formula(engine.gradients(E, [x], create_graph=True)[0]))
    (w·x − 1)·w
    """
    if not isinstance(node, Node):
        raise GraphError(
            f"formula() was given {node!r} of type {type(node).__name__}. Only a node knows how it was computed. "
            "Give it a Value or a Tensor."
        )
    return Formula(node, expand)


def _write(
    order: Sequence[Node],
    stops: Mapping[Node, str],
    names: Mapping[Node, str],
    named: Iterable = (),
    exactly: bool = False,
) -> tuple[dict[str, Expression], Expression]:
    """Write the last node down to the stops: definitions of parts that are named, large or repeated, and the rest.

    `exactly` keeps every operation and constant as it was.
    """
    root, named = order[-1], set(named)
    uses: dict[Node, int] = {root: 1}
    for node in reversed(order):
        if node in uses and node not in stops:
            for x in node.inputs:
                uses[x] = uses.get(x, 0) + 1
    definitions: dict[str, Expression] = {}
    known: dict[Node, Expression] = {}
    for node in order:
        if node not in uses:
            continue
        if node in stops:
            known[node] = symbol(stops[node])
        elif not node.inputs:
            known[node] = as_expression(node._value) if exactly else _constant(node)
        else:
            args = [known[x] for x in node.inputs]
            written = Expression(node.op, args, node.params) if exactly else _noted(node, args)
            repeated = uses[node] > 1 and written.size > SMALL
            if node in named or (node is not root and (repeated or written.depth > DEEP or written.size > LARGE)):
                definitions[names[node]], written = written, symbol(names[node])
            known[node] = written
    return definitions, known[root]
