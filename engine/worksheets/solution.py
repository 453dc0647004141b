"""The solution: which quantities have a line on a worksheet, how they hang together, and what is computed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import count
from typing import Any

import numpy as np

from ..backward import by_itself, gradients, local_slope
from ..errors import DataError, DomainError, EngineError, GraphError, ShapeError
from ..evaluation import evaluate
from ..explanation.cases import constants, cuts, special_cases
from ..explanation.wording import constants_in_words, cut_in_words, in_words, shared_in_words
from ..graph import Node, describe, differentiable_edges, topological_order
from ..notation import (
    Expression,
    Factor,
    apply,
    chain,
    expression,
    local_derivative,
    names_of,
    number,
    product,
    symbol,
    total,
)
from ..primitives import ROWS
from ..structure import flatten
from ..waypoints.hops import Edge, Hops
from .rational import FRACTIONS, leaf, plain, read
from .sheets import Step, Worksheet, display

LONG = 12  # operations that one formula may hold before a part of it gets a line of its own
SHORT = 16  # characters that several derivatives may repeat before it does

Route = list[Edge]  # from a name to the next
Ways = dict[Node, list[tuple[Node, Route]]]  # how each named node enters later ones
Figures = dict[Expression, Expression | None]  # what stands in the place of a name where a rule is shown with numbers


def worksheet(E: Node, parameters: Any, learning_rate: Any = None, digits: int = 5, exact: bool = False) -> Worksheet:
    """Return the whole solution of an exercise: the values up to E, its derivatives, and one step of the parameters.

    `parameters` is a node, or lists and dicts of nodes; the keys of a dict name the nodes that have no label. Every
    quantity with a name has a line of its own. A result without one is written out in the next line, unless it is used
    twice, is long, or several derivatives would repeat what leads to it: then it is called as in a drawing. Figures are
    rounded to so many significant `digits` where they are shown. The nodes themselves stay as they are. With
    `exact=True` everything is computed in fractions, decimals read as written.

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
    return _Solution(E, chosen, learning_rate, digits, exact).sheet


class _Solution:
    """A worksheet and all that its lines are made from."""

    def __init__(self, E: Node, chosen: dict[Node, str | None], rate: Any, digits: int, exact: bool) -> None:
        self.E = E
        self.order = topological_order(E)
        self.names = _names(self.order, E, chosen)
        self.ways = _ways(self.names, E, chosen)
        self.values, self.gradient = by_itself(_computed, E, self.order, list(self.ways), exact)
        self.xp = FRACTIONS if exact else None
        self.rate = read(rate) if exact and rate is not None else rate
        top = symbol(self.names[E])
        self.marks = {node: Expression("partial", [top, symbol(self.names[node])]) for node in self.ways}
        self.figures: Figures = {}
        self.numbers = count(1)
        self.sheet = Worksheet(self.names[E], plain(self.rate), digits, exact)
        self.sheet.notes += constants_in_words(constants(self.order), self.names)
        self.sheet.notes += [cut_in_words(*cut, self.names) for cut in cuts(E, list(chosen))]
        self._forward()
        self._backward()
        if rate is not None:
            self._update(chosen)

    def _forward(self) -> None:
        """What is given, and a step for each result with a name."""
        for node in [node for node in self.order if node in self.names]:
            name, result = symbol(self.names[node]), plain(self.values[node])
            if node.op is None:
                self.sheet.given[self.names[node]] = result
                self.figures[name] = display(result, self.sheet.digits)[0]
            else:
                self.sheet.forward.append(self._step(name, _spread(expression(node, self.names)), result))

    def _backward(self) -> None:
        """A step for the derivative by each named node, from the output on."""
        at: dict[Node, int] = {}
        for node in _backwards(self.order, self.ways):
            ways = self.ways[node]
            rule = _spread(total([self._product(consumer, route) for consumer, route in ways]) if ways else number(1))
            refers = tuple(sorted({at[consumer] for consumer, _ in ways if consumer is not self.E}))
            notes = tuple(dict.fromkeys(self._notes(node)))
            step = self._step(self.marks[node], rule, plain(self.gradient[node]), refers=refers, notes=notes)
            self.sheet.backward.append(step)
            at[node] = step.number
        self.at = at

    def _update(self, chosen: Iterable[Node]) -> None:
        """A step of each parameter against its derivative."""
        for node in chosen:
            name, change = symbol(self.names[node]), self.rate * self.gradient[node]
            result = plain(self.values[node] - change)
            rule = total([name, product([-1, plain(self.rate), self.marks[node]])])
            fine = _digits_to_see(plain(change), result, self.sheet.digits)
            self.sheet.updates.append(self._step(name, rule, result, fine, refers=(self.at[node],), update=True))

    def _step(self, name: Expression, rule: Expression, result: Any, digits: int = 0, **fields: Any) -> Step:
        """The next step; its result stands for its name from here on."""
        digits = digits or self.sheet.digits
        step = Step(next(self.numbers), name, rule, _in_numbers(rule, self.figures), result, digits, **fields)
        if not step.update:
            self.figures[name] = display(result, digits)[0]
        return step

    def _product(self, consumer: Node, route: Route) -> Expression:
        """The term of one route in a derivative."""
        factors = _factors(route, self.names, np.ndim(consumer._value) > 0 and consumer is not self.E)
        written = [] if consumer is self.E else [Factor(self.marks[consumer])]
        for (node, position), factor in zip(route, factors, strict=True):
            written.append(factor)
            if axes := _repeated(node.inputs[position]._value, node):
                written = [Factor(apply("sum", [chain(written)], **axes))]
            if factor.expression.name in ("prime", "partial", "where"):
                slope = local_slope(node, position, self.values, self.xp)
                if slope is not None and np.ndim(slope) > np.ndim(node._value) > 0:
                    slope = None  # what arrives has other axes
                shown = None if slope is None else display(plain(slope), self.sheet.digits)[0]
                self.figures[factor.expression] = shown
                if factor.expression.name == "prime" and node.op.ours and node.op.name in SLOPES:
                    self.sheet.slopes[node.op.name] = SLOPES[node.op.name]
        return chain(written)

    def _notes(self, node: Node) -> Iterator[str]:
        """The special cases on the ways back to a node."""
        for _, route in self.ways[node]:
            for edge in route:
                for case in special_cases(*edge, self.values, self.xp):
                    yield in_words(case, self.names, self.values)
        users = [route[-1][0] for _, route in self.ways[node]]
        if len(users) > 1:
            yield shared_in_words(node, users, self.names)


# What f' is, where a formula shows no more than that.
SLOPES = {
    "sigmoid": "σ'(z) = σ(z)·(1 − σ(z))",
    "tanh": "tanh'(z) = 1 − tanh(z)²",
    "relu": "relu'(z) = 1 for z > 0 and 0 elsewhere",
    "leaky_relu": "leaky_relu'(z) = 1 for z > 0 and the slope elsewhere",
}


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
    several, _ = flatten(list(parameters.values()) if named else parameters)
    named = {node: name for name, node in named.items() if isinstance(node, Node)}
    if not several or not isinstance(parameters, Node | Mapping | list | tuple):
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
    return dict.fromkeys(several) | {node: str(name) for node, name in named.items()}


# Which quantities have a line, and how they hang together.


def _names(order: list[Node], E: Node, chosen: Mapping[Node, str | None]) -> dict[Node, str]:
    """The name of every node that gets a line of its own.

    Those are E, the parameters and all that is labelled; and of the other results what is used twice, what is long, and
    what several derivatives have in common.
    """
    wanted = {node: name for node, name in chosen.items() if name}
    names = names_of(order, E, every=True, wanted=wanted)
    lines = {node: name for node, name in names.items() if node.label or not node.inputs or node is E or node in chosen}
    uses = Counter([x for node in order for x in node.inputs])
    for node in order:
        if type(node._value) is tuple:
            uses.update(node.inputs)  # each of several results is a way of its own
    size: dict[Node, int] = {}
    for node in order:
        if node.inputs and node not in lines:
            size[node] = 1 + sum([size.get(x, 0) for x in node.inputs])
            if type(node._value) is not tuple and (uses[node] > 1 or size[node] > LONG):
                lines[node] = names[node]
                del size[node]
    down = Hops(E, list(chosen), "all").down
    routes: dict[Node, list[Edge]] = {}  # from the next line down to results without one
    for node in reversed(order):
        if len(down.get(node, ())) > 1 and node not in lines:
            factors = [local_derivative(*edge, lines) for edge in routes[node]]
            if len(chain(factors).text()) > SHORT:
                lines[node] = names[node]
        route = [] if node in lines else routes.get(node, [])
        for position, x in differentiable_edges(node):
            routes[x] = [*route, (node, position)]
    return lines


def _ways(names: Mapping[Node, str], E: Node, chosen: Mapping[Node, Any]) -> Ways:
    """For each named node between the parameters and E, the routes by which it enters the next named ones."""
    hops = Hops(E, list(chosen), set(names))
    ways: Ways = {node: [] for node in hops.down if node is not E or E in chosen}
    for consumer in hops.down:
        for route in hops.routes(consumer):
            node, position = route[-1]
            ways[node.inputs[position]].append((consumer, route))
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
            whole = not node.op.entrywise and np.shape(node._value) == np.shape(x._value)
            mixed = whole and factor.expression.name == "prime"
            factor = factor._replace(joiner="@" if mixed else "⊙" if wide else "·")
        wide = wide or (factor.expression != number(1) and np.ndim(x._value) > 0)
        factors.append(factor)
        above = node
    return factors


def _repeated(x: Any, node: Node) -> dict[str, Any]:
    """Over what to sum for an input that was repeated, as settings of `sum`; {} if it was not."""
    shape, whole = np.shape(x), np.shape(node._value)
    if not node.op.entrywise or shape == whole or type(x) is tuple:
        return {}
    if not shape:
        return {"axis": None}
    added = len(whole) - len(shape)
    inner = tuple([i for i, n in enumerate(shape, start=added) if n == 1 != whole[i]])
    axes = (*range(added), *inner)
    return {"axis": axes[0] if len(axes) == 1 else axes, "keepdims": bool(inner and not added)}


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
