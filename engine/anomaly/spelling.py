"""Spelling: what the parts of a computation are called, in words and in Python, by the user's own names."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..graph import Node, topological_order
from ..notation import ELLIPSIS, Expression, as_expression, expression, figure, names_of, symbol
from ..notation.formulas import Names
from ..notation.printing import identifier, setting
from ..primitives import ROWS

SHORT, SHALLOW = 40, 5
"""What is longer in characters or deeper in operations gets a name that stands for it."""
RESERVED = {"np", "float", *ROWS}  # words that mean something else in the code


class Spelling:
    """The names in the graph of the last node of `order`, or of `node` where that is elsewhere.

    `used` holds the nodes that the names in the code which was spelled so far stand for.
    """

    def __init__(self, node: Node, order: Sequence[Node] = ()) -> None:
        around = topological_order(order[-1]) if order else []
        self.order = around if node in set(around) else topological_order(node)
        self.named = names_of(self.order, self.order[-1])
        self.used: dict[str, Node] = {}
        self._words: dict[Node, str] = {}
        self._fresh = Names({*RESERVED, *self.named.values()})

    def text(self, x: Node) -> str:
        """A node in words: its name, its number, or how it was computed."""
        if x in self.named:
            return self.named[x]
        if not x.inputs:
            return "the constant" if np.ndim(x._value) else figure(x)
        written = expression(x, self.named).text()
        return written if len(written) <= SHORT and ELLIPSIS not in written else f"the result of {x.op.name!r}"

    def code(self, x: Node) -> ast.expr:
        """A node in Python: its name, its number, or how it was computed, operation by operation."""
        if x not in self.named and (x.inputs or not np.ndim(x._value)):
            written = self._written(x, SHALLOW, {})
            if written.size <= SHORT and ELLIPSIS not in written.text():
                code = written.python().replace("engine.", "")
                if len(code) <= SHORT and "primitives." not in code:
                    return ast.parse(code, mode="eval").body
        return ast.Name(self._word(x))

    def _word(self, x: Node) -> str:
        """The user's name of a node, where Python and the other names allow it; else one like it, or v or c."""
        if x not in self._words:
            name = self.named.get(x, "")
            word = identifier(name or ("v" if x.inputs else "c"))
            self._words[x] = name if word == name and name not in RESERVED else self._fresh.take(word)
        return self._words[x]

    def _written(self, x: Node, depth: int, done: dict[Node, Expression]) -> Expression:
        """How a node was computed, exactly; `done` is filled in, because what is used twice is written once."""
        if x not in done:
            if x in self.named:
                done[x] = symbol(self._word(x))
            elif not x.inputs:
                done[x] = as_expression(x._value)
            elif not depth:
                done[x] = symbol(ELLIPSIS)
            else:
                done[x] = Expression(x.op, [self._written(each, depth - 1, done) for each in x.inputs], x.params)
        return done[x]

    def spell(self, code: str | ast.expr, parts: Mapping[str, ast.expr], settings: Mapping[str, Any]) -> str:
        """Return code with `parts` in the place of names, and those `settings` that a row does not take by default."""
        tree = ast.parse(code, mode="eval").body if isinstance(code, str) else code
        tree = _Filling(parts, settings).visit(tree)
        words = {word: x for x, word in self._words.items()}
        names = [part.id for part in ast.walk(tree) if isinstance(part, ast.Name)]
        self.used |= {name: words[name] for name in names if name in words}
        return ast.unparse(tree)

    def legend(self) -> str:
        """What the names in the code stand for that the user did not give."""
        foreign = [f"{word} for {self.text(x)}" for word, x in self.used.items() if word != self.text(x)]
        return f", with {' and '.join(foreign)}" if foreign else ""


class _Filling(ast.NodeTransformer):
    """Puts code in the place of names, and settings in that of `**params`."""

    def __init__(self, parts: Mapping[str, ast.expr], settings: Mapping[str, Any]) -> None:
        self.parts, self.settings = parts, settings

    def visit_Name(self, name: ast.Name) -> ast.expr:
        return self.parts.get(name.id, name)

    def visit_Call(self, call: ast.Call) -> ast.expr:
        self.generic_visit(call)
        if call.keywords and call.keywords[0].arg is None:
            row = ROWS[ast.unparse(call.func)]
            given = {key: self.settings[key] for key in row.params if key in self.settings}
            changed = {key: value for key, value in given.items() if value != row.defaults.get(key)}
            values = {key: ast.parse(setting(value), mode="eval").body for key, value in changed.items()}
            call.keywords = [ast.keyword(key, value) for key, value in values.items()]
        return call
