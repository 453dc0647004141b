"""Factors: the derivative of one step in symbols, and the products of such derivatives along a path."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from ..graph import Node
from .expressions import Expression, apply, arguments, as_expression, number, product, split, symbol, total
from .formulas import expression, rank_of, row_vector


class Factor(NamedTuple):
    """The derivative of one step, as it enters a chain of products from the output to an input.

    `side` says where it stands: "right" of what arrives, "left" of it, or "behind the transpose" of it. `joiner` says
    how: "·" beside a number, "" a diagonal and "@" a matrix, both written side by side, "⊙" entry by entry, "⊗" an
    outer product.
    """

    expression: Expression
    side: str = "right"
    joiner: str = "·"


def local_derivative(node: Node, position: int, names: Mapping[Node, str]) -> Factor:
    """Return the derivative of a step by its input at `position`, in the names of the nodes.

    >>> import engine
    >>> z = engine.Value(1.0, label="z")
    >>> print(local_derivative(z.sigmoid(), 0, {z: "z"}).expression, local_derivative(z**3, 0, {z: "z"}).expression)
    σ'(z) 3·z²
    """
    op = node.op
    rank = rank_of(node)
    joiner = "⊙" if rank > 1 else "" if rank else "·"

    @functools.cache
    def named(x: Node) -> Expression:
        return symbol(names[x]) if x in names else expression(x, names)

    if op.ours and op.name in CONTRACTIONS:
        ranks = [rank_of(x) for x in node.inputs]
        return CONTRACTIONS[op.name](ranks, lambda i: named(node.inputs[i]), position)
    name = op.inputs[min(position, len(op.inputs) - 1)]
    if template := op.derivatives.get(name):
        entries = prod(np.shape(node.inputs[0]._value)) // max(prod(np.shape(node._value)), 1) or 1
        meanings = {**(node.params or {}), "n": entries, **dict(zip(op.inputs, node.inputs)), "out": node}

        def meaning(word: str) -> Expression:
            return named(x) if isinstance(x := meanings[word], Node) else as_expression(x)

        return Factor(_read(template, meaning), joiner=joiner)
    if op.ours and op.name in REARRANGEMENTS:
        return Factor(number(1), joiner=joiner)
    if len(op.inputs) == 1 and not op.variadic and op.kind not in ("shape", "indexing"):
        return Factor(Expression("prime", [named(node.inputs[position])], {"function": op}), joiner=joiner)
    return Factor(
        Expression("partial", [named(node), named(node.inputs[position])]), joiner="@" if rank == 1 else joiner
    )


ONES = symbol("\N{MATHEMATICAL BOLD DIGIT ONE}")
"""An array of ones, of the shape that its place in a product asks for."""

REARRANGEMENTS = {"broadcast_to", "expand_dims", "hook", "identity", "pick", "reshape", "squeeze"}
"""Rows that keep every entry: on paper their derivative is 1."""


def _by_matmul(ranks: list[int], named: Callable[[int], Expression], position: int) -> Factor:
    other, rank = named(1 - position), ranks[1 - position]
    if ranks == [1, 1]:
        return Factor(row_vector(other))
    if ranks[position] == 1:
        return Factor(other if position else _swapped(other, rank), joiner="@")
    if rank == 1:
        return Factor(other, "left" if position else "right", "⊗")
    return Factor(_swapped(other, rank), "left" if position else "right", "@")


def _by_linear(ranks: list[int], named: Callable[[int], Expression], position: int) -> Factor:
    if position == 0:
        return Factor(named(1), joiner="@")
    if position == 1:
        return Factor(named(0), joiner="⊗") if ranks[0] == 1 else Factor(named(0), "behind the transpose", "@")
    return Factor(number(1), joiner="") if ranks[0] == 1 else Factor(apply("transpose", [ONES]), "left", "@")


CONTRACTIONS = {"linear": _by_linear, "matmul": _by_matmul}


def _swapped(x: Expression, rank: int) -> Expression:
    axes = {} if rank == 2 else {"axes": (*range(rank - 2), rank - 1, rank - 2)}
    return apply("transpose", [x], **axes)


def _read(template: str, meaning: Callable[[str], Expression]) -> Expression:
    """A derivative of the table, such as "y * x**(y - 1)", with the meanings of its words put in."""

    def read(part: ast.expr) -> Expression:
        match part:
            case ast.Constant():
                return number(part.value)
            case ast.Name():
                return meaning(part.id)
            case ast.UnaryOp(op=ast.USub()):
                return apply("negative", [read(part.operand)])
            case ast.BinOp():
                return apply(OPERATORS[type(part.op)], [read(part.left), read(part.right)])
            case ast.Call(func=ast.Name(name), args=args):
                return apply(name, [read(each) for each in args])
        raise DataError(
            f"{ast.unparse(part)!r} stands in the derivative {template!r} of a primitive. "
            "It is made of numbers, the names of inputs and settings, out, n, + - * / ** and rows of the table. "
            "Write it with these, or leave it out: f'(x) is shown then."
        )

    return read(_parsed(template))


@functools.cache
def _parsed(template: str) -> ast.expr:
    return ast.parse(template, mode="eval").body


OPERATORS: dict[type, str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power"
}  # fmt: skip


def chain(factors: Iterable[Factor]) -> Expression:
    """Return the product of the factors along a path, from the output to the input, simplified where that is safe.

    >>> print(chain([Factor(number(0.5)), Factor(product([2, total(["y", product([-1, "s"])])])), Factor(symbol("W"))]))
    (y − s)·W
    """
    scale: list[Expression] = []
    parts: list[Expression] = []  # what is joined by one mark, up to here
    mark = ""
    for factor in factors:
        by, part = split(factor.expression)
        scale.append(number(by))
        if part is None:
            continue
        if not parts and factor.joiner in ("@", "⊗"):
            parts = [ONES]  # what arrives is the same for every entry
        if factor.side == "behind the transpose":
            parts = [apply("transpose", [_joined(mark, parts)])]
        elif parts and mark != MARKS[factor.joiner]:
            parts = [_joined(mark, parts)]
        mark = MARKS[factor.joiner]
        parts.insert(0 if factor.side == "left" else len(parts), part)
    body = [_joined(mark, parts)] if parts else []
    if body and body[0].name == "add":
        body = [Expression("beside", body)]  # a sum that is a factor keeps its brackets
    return product([*scale, *body])


MARKS = {"·": "multiply", "": "beside", "@": "beside", "⊙": "entrywise", "⊗": "outer"}


def _joined(mark: str, parts: list[Expression]) -> Expression:
    if mark == "multiply":
        return product(parts)
    return parts[0] if len(parts) == 1 else Expression(mark, [each for x in parts for each in arguments(mark, x)])


def together(routes: Iterable[Iterable[Factor]], instead: Expression | None = None) -> Factor:
    """Return the direct derivative along several routes between two nodes, as one factor of a longer chain.

    Where the routes cannot be added as factors on the right, as with matrices on the left, it is `instead`.

    >>> half = [Factor(number(0.5)), Factor(symbol("d"))]
    >>> print(together([half, half]).expression)
    d
    """
    several = [list(route) for route in routes]
    factors = [factor for route in several for factor in route]
    if instead is not None and any(factor.side != "right" or factor.joiner == "⊗" for factor in factors):
        return Factor(instead, joiner="@")
    joiners = {factor.joiner for factor in factors if split(factor.expression)[1] is not None}
    joiner = next((each for each in ("@", "⊙", "") if each in joiners), "·")
    return Factor(total([chain(route) for route in several]), joiner=joiner)
