"""The solution: which quantities have a line on a worksheet, how they hang together, and what is computed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import count
from typing import Any

import numpy as np

from ..backward import gradients
from ..errors import DataError, DomainError, EngineError, GraphError, ShapeError
from ..evaluation import evaluate
from ..graph import Node, describe, topological_order
from ..notation import Expression, Factor, chain, expression, local_derivative, names_of, number, product, symbol, total
from ..primitives import ROWS
from .rational import FRACTIONS, leaf, plain, read
from .remarks import SLOPES, entry_by_entry, notes, slope
from .sheets import Step, Worksheet, display

LONG = 12  # operations that one formula may hold before a part of it gets a line of its own

Route = tuple[tuple[Node, int], ...]  # edges, each a result and the position of an input, from a name to the next
Ways = dict[Node, list[tuple[Node, Route]]]  # how each named node enters later ones
Figures = dict[Expression, Expression | None]  # what stands in the place of a name where a rule is shown with numbers


def worksheet(E: Node, parameters: Any, learning_rate: Any = None, digits: int = 5, exact: bool = False) -> Worksheet:
    """Return the whole solution of an exercise: the values up to E, its derivatives, and one step of the parameters.

    `parameters` is a node, or a list or dict of nodes; the keys of a dict name the nodes that have no label. Every
    quantity with a name has a line of its own. A result without one is written out in the next line, unless it is
    used twice or is long. Figures are rounded to so many significant `digits` where they are shown. The nodes
    themselves stay as they are. With `exact=True` everything is computed in fractions, decimals read as written.

    Raises ShapeError when E is not one number, GraphError when it does not depend on a parameter, DataError for
    settings of the wrong kind, and with `exact=True` UnsupportedError or DomainError for a row that is not rational.

    >>> import engine
    >>> w = engine.Value(0.5, label="w")
    >>> sheet = worksheet((w * 3 - 1) ** 2, w, learning_rate=0.1)
    >>> for step in (*sheet.forward, *sheet.backward, *sheet.updates):
    ...     print(step)
    1. E = (3·w − 1)² = (3·0.5 − 1)² = 0.25
    2. ∂E/∂w = 6·(3·w − 1) = 6·(3·0.5 − 1) = 3
    3. w ← w − 0.1·(∂E/∂w) = 0.5 − 0.1·3 = 0.2
    """
    chosen = _checked(E, parameters, learning_rate, digits)
    order = topological_order(E)
    names = _names(order, E, chosen)
    ways = _ways(order, names, E, chosen)
    values, gradient = _computed(E, order, list(ways), exact)
    rate = read(learning_rate) if exact and learning_rate is not None else learning_rate
    sheet = Worksheet(names[E], plain(rate), digits, exact)
    figures: Figures = {}
    numbers = count(1)

    for node in [node for node in order if node in names]:
        result = plain(values[node])
        if node.op is None:
            sheet.given[names[node]] = result
        else:
            rule = _spread(expression(node, names))
            step = Step(next(numbers), symbol(names[node]), rule, _in_numbers(rule, figures), result, digits)
            sheet.forward.append(step)
        figures[symbol(names[node])] = display(result, digits)[0]

    marks = {node: Expression("partial", [symbol(names[E]), symbol(names[node])]) for node in ways}
    at: dict[Node, int] = {}
    for node in _backwards(order, ways):
        products, remarks = [], []
        for consumer, route in ways[node]:
            factors = _factors(route, names, np.ndim(consumer._value) > 0 and consumer is not E)
            products.append(chain(factors if consumer is E else [Factor(marks[consumer]), *factors]))
            for edge, factor in zip(route, factors, strict=True):
                if factor.expression.name in ("prime", "partial", "where"):
                    by = slope(*edge, values)
                    figures[factor.expression] = None if by is None else display(by, digits)[0]
                    if factor.expression.name == "prime" and edge[0].op.ours and edge[0].op.name in SLOPES:
                        sheet.slopes[edge[0].op.name] = SLOPES[edge[0].op.name]
                remarks += notes(*edge, names, values)
        rule = _spread(total(products) if products else number(1))
        at[node] = next(numbers)
        refers = sorted({at[consumer] for consumer, _ in ways[node] if consumer is not E})
        result = plain(gradient[node])
        words = tuple(dict.fromkeys(remarks))
        step = Step(at[node], marks[node], rule, _in_numbers(rule, figures), result, digits, tuple(refers), words)
        sheet.backward.append(step)
        figures[marks[node]] = display(result, digits)[0]

    for node in chosen if rate is not None else ():
        change = rate * gradient[node]
        result = plain(values[node] - change)
        rule = total([symbol(names[node]), product([-1, plain(rate), marks[node]])])
        fine = _digits_to_see(plain(change), result, digits)
        step = Step(
            next(numbers), symbol(names[node]), rule, _in_numbers(rule, figures), result, fine, (at[node],), update=True
        )
        sheet.updates.append(step)
    return sheet


def _checked(E: Any, parameters: Any, learning_rate: Any, digits: Any) -> dict[Node, str | None]:
    """The parameters and the names that a dict gives them; raise an error for what cannot be worked on."""
    if not isinstance(E, Node):
        raise GraphError(
            f"worksheet() was given {E!r} of type {type(E).__name__} to differentiate. "
            "Only a node knows what it was computed from. Give one Value or Tensor as its first argument."
        )
    if np.shape(E._value):
        raise ShapeError(
            f"A worksheet was asked for {describe(E)}. It differentiates one number. "
            "Reduce it first, as in worksheet(output.sum(), ...)."
        )
    named = parameters if isinstance(parameters, Mapping) else {}
    several = [parameters] if isinstance(parameters, Node) else named.values() if named else parameters
    several = list(several) if isinstance(several, Sequence) or named else []
    if not several:
        raise DataError(
            f"The parameters of a worksheet were given as {parameters!r}. It differentiates by one node or more. "
            "Give a node, or a list or dict of nodes."
        )
    reached = set(topological_order(E, differentiable=True))
    for node in several:
        if not isinstance(node, Node) or node not in reached:
            what = describe(node) if isinstance(node, Node) else repr(node)
            raise GraphError(
                f"A worksheet of {describe(E)} was asked for the derivative by {what}. "
                "The one does not depend on the other, or no gradient can flow between them. "
                "Give nodes that require grad and that the output was computed from."
            )
    finite = isinstance(learning_rate, int | float | Fraction) and math.isfinite(learning_rate)
    if learning_rate is not None and (isinstance(learning_rate, bool) or not finite):
        raise DataError(
            f"The learning rate of a worksheet was given as {learning_rate!r}. It is a finite number or None. "
            "Write learning_rate=0.1, or leave it out to update nothing."
        )
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= 15:
        raise DataError(
            f"A worksheet was to show {digits!r} significant digits. A float has 15 of them for sure. "
            "Write a whole number from 1 to 15, such as digits=5."
        )
    return dict.fromkeys(several) | {node: str(name) for name, node in named.items()}


# Which quantities have a line, and how they hang together.


def _names(order: list[Node], E: Node, chosen: Mapping[Node, str | None]) -> dict[Node, str]:
    """The name of every node that gets a line of its own."""
    names = names_of(order)
    taken = {name for node, name in names.items() if node.label or not chosen.get(node)}
    for node, name in chosen.items():
        if name and not node.label and name not in taken:
            names[node] = name
            taken.add(name)
    if E not in names:
        names[E] = next(name for name in ("E", *_numbered("E_", len(order) + 1)) if name not in taken)
    fresh = (name for name in _numbered("v", 2 * len(order) + 1) if name not in taken)
    uses = Counter([x for node in order for x in node.inputs])
    size: dict[Node, int] = {}
    for node in order:
        if type(node._value) is tuple:
            uses.update(node.inputs)  # each of several results is a way of its own
    for node in order:
        if node.op is not None and node not in names:
            size[node] = 1 + sum([size.get(x, 0) for x in node.inputs])
            if type(node._value) is not tuple and (uses[node] > 1 or size[node] > LONG or node in chosen):
                names[node] = next(fresh)
                del size[node]
    return names


def _numbered(stem: str, end: int) -> Iterator[str]:
    return (f"{stem}{i}" for i in range(1, end + 1))


def _ways(order: list[Node], names: Mapping[Node, str], E: Node, chosen: Mapping[Node, Any]) -> Ways:
    """For each named node between the parameters and E, the routes by which it enters the next named ones."""
    reached = set(topological_order(E, differentiable=True))
    useful = set(chosen)
    for node in order:
        if node in reached and not useful.isdisjoint(node.inputs):
            useful.add(node)
    ways: Ways = {node: [] for node in order if node in names and node in useful and (node is not E or E in chosen)}
    for consumer in order:
        unread: list[tuple[Node, Route]] = [(consumer, ())] if consumer in names and consumer in useful else []
        while unread:
            node, route = unread.pop()
            if node in names and route:
                ways[node].append((consumer, route))
                continue
            rules = node.op.rules_for(node.inputs) if node.op else ()
            edges = [(x, (*route, (node, i))) for i, (x, rule) in enumerate(zip(node.inputs, rules)) if rule]
            unread += [(x, way) for x, way in reversed(edges) if x._requires_grad and x in useful]
    return ways


def _backwards(order: list[Node], ways: Ways) -> list[Node]:
    """Results from the last to the first; a leaf as soon as everything that it enters has had its turn."""
    place = {node: float(i) for i, node in enumerate(order)}
    turn = {node: place[node] for node in ways}
    for node, routes in ways.items():
        if not node.inputs and routes:
            turn[node] = min([place[consumer] for consumer, _ in routes]) - 0.5
    return sorted(ways, key=lambda node: -turn[node])


# What is computed.


def _computed(E: Node, order: list[Node], nodes: list[Node], exact: bool) -> tuple[dict[Node, Any], dict[Node, Any]]:
    """The values of all nodes and the gradients of some: as they were recorded, or again in fractions."""
    if not exact:
        return {node: node._value for node in order}, dict(zip(nodes, gradients(E, nodes), strict=True))
    recorded = gradients(E, nodes, create_graph=True)
    try:
        data = {node: leaf(node._value) for node in topological_order(E, *recorded) if node.op is None}
        results = evaluate([*order, *recorded], data, xp=FRACTIONS)
    except (EngineError, ValueError) as error:
        kind = type(error) if isinstance(error, EngineError) else DomainError
        raise kind(
            f"{str(error).partition('. ')[0]}. It is on the way to {describe(E)}, whose worksheet was to be exact. "
            "Leave out exact=True, or use rows that keep fractions: + − · /, whole powers, relu, where, maximum, sum, "
            "mean, matmul and their kind."
        ) from error
    return dict(zip(order, results)), dict(zip(nodes, results[len(order) :], strict=True))


def _digits_to_see(change: Any, result: Any, digits: int) -> int:
    """So many digits that two of the change can be seen in the result."""
    needed = [digits]
    for small, large in zip(np.ravel(change).tolist(), np.ravel(result).tolist(), strict=True):
        if small and large and math.isfinite(small) and math.isfinite(large):
            needed.append(2 + math.floor(math.log10(abs(large))) - math.floor(math.log10(abs(small))))
    return min(max(needed), 15)


# What is written.


def _factors(route: Route, names: Mapping[Node, str], wide: bool) -> list[Factor]:
    """The local derivatives along a route; `wide` says whether what arrives is an array."""
    factors: list[Factor] = []
    above = None
    for node, position in route:
        x = node.inputs[position]
        factor = local_derivative(node, position, names)
        if type(node._value) is tuple and above is not None:  # the derivative of the result that was picked
            picked, by = [symbol(names[each]) if each in names else expression(each, names) for each in (above, x)]
            factor = Factor(Expression("partial", [picked, by]), joiner="@" if np.ndim(above._value) else "·")
        if factor.joiner in ("", "⊙"):  # a diagonal, or the whole matrix of a softmax; said with a sign
            whole = not entry_by_entry(node.op) and np.shape(node._value) == np.shape(x._value)
            mixed = whole and factor.expression.name == "prime"
            factor = factor._replace(joiner="@" if mixed else "⊙" if wide else "·")
        wide = wide or (factor.expression != number(1) and np.ndim(x._value) > 0)
        factors.append(factor)
        above = node
    return factors


def _spread(x: Expression) -> Expression:
    """The formula with a sign between the factors of a product of matrices, as numbers need it."""
    args = [_spread(each) for each in x.args]
    if x.op != "beside":
        return Expression(x.op, args, x.params) if args else x
    result = args[0]
    for each in args[1:]:
        result = Expression(ROWS["matmul"], [result, each])
    return result


def _in_numbers(x: Expression, figures: Figures) -> Expression | None:
    """The formula with figures in the place of names; None where one of them is not known."""
    if x in figures:
        return figures[x]
    args = [_in_numbers(each, figures) for each in x.args]
    if not args:
        return x
    known = [each for each in args if each is not None]
    return Expression(x.op, known, x.params) if len(known) == len(args) else None
