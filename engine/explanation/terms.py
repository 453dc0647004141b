"""Terms: a derivative as the sum over its paths."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice, pairwise
from typing import Any

import numpy as np

from ..backward import by_itself, gradients
from ..documents import Block, Document, Heading, Paragraph, Part, Rendered, Table
from ..graph import Node, topological_order
from ..notation import Expression, expression, figure, symbol, whole
from ..notation.factors import ONES
from ..waypoints import Path, Paths, paths
from .cases import constants, cuts, edges_of, line_between, shared, special_cases
from .wording import MANY, constants_in_words, cut_in_words, in_words, more, names_from, shared_in_words

FEW = 10  # special cases of one kind


def explain(E: Node, x: Node, through: Any = None, limit: int = 20) -> Explanation:
    """Explain the derivative dE/dx as the sum over the paths from `x` to `E`, and its special cases in words.

    With more than `limit` paths the largest are shown, and the sum of the others. `through` chooses the nodes that
    paths are told apart by, as in `paths`. The explanation prints as text, and saves as .txt, .md, .tex and .html.

    Raises what `paths` raises.

    >>> import engine
    >>> x = engine.Value(3.0, label="x")
    >>> u, v = x * 2, x * x
    >>> E = u * v
    >>> engine.label(u=u, v=v, E=E)
    >>> explanation = engine.explain(E, x)
    >>> [(path.arrow, str(path.chain), path.contribution) for path in explanation.terms]
    [('x → u → E', '2·v', 18.0), ('x → v → E', '2·u·x', 36.0)]
    >>> explanation.total, explanation.gradient, explanation.difference
    (54.0, 54.0, 0.0)
    """
    return Explanation(E, x, through, limit)


class Explanation(Rendered):
    """A derivative as a sum over paths; see `explain`.

    `terms` are the paths that are shown, `count` is how many there are. `total` is the sum of all contributions,
    `gradient` what backpropagation gives, `difference` the first minus the second; `notes` are the special cases.
    """

    def __init__(self, E: Node, x: Node, through: Any, limit: int) -> None:
        self.paths: Paths = paths(E, x, through, limit)
        self.count = self.paths.count
        if self.count > limit:  # of arrays, the largest among many
            self.paths = paths(E, x, through, max(limit, 1000))
        self.terms: list[Path] = list(self.paths) if self.count <= limit else self.paths.largest(limit)
        (gradient,) = by_itself(gradients, E, [x])
        self.gradient = gradient if np.shape(gradient) else float(gradient)
        self.total = self.paths.total
        self.difference = by_itself(_difference, self.total, self.gradient)
        self._labels = names_from(E)
        shown = {*self._labels, *[node for path in self.terms for node in path.nodes]}
        self._names = {node: name for node, name in self.paths.names.items() if node in shown}

    @cached_property
    def notes(self) -> list[str]:
        """The special cases on the way, in words: dead ReLUs, ties, saturation, constants, shared parts, ..."""
        E, x, names = self.paths.output, self.paths.input, self._labels
        line = line_between(E, x)
        edges = list(edges_of(line))
        cases = [case for edge in edges for case in special_cases(*edge)]
        kinds: list[Iterator[str]] = [
            (in_words(case, names) for case in cases if case.kind != "broadcast"),
            (shared_in_words(node, users, names) for node, users in shared(edges).items()),
            (in_words(case, names) for case in cases if case.kind == "broadcast"),
            constants_in_words(constants(line[1:]), names),
            (cut_in_words(*cut, names) for cut in cuts(E, [x])),
        ]
        notes: list[str] = []
        for kind in kinds:  # words are made only for as many as are shown
            found = [f"{words}." for words in islice(dict.fromkeys(islice(kind, 10 * FEW)), FEW + 1)]
            notes += found[:FEW] + ["And more of this kind."] * (len(found) > FEW)
        return notes

    @property
    def rest(self) -> Any:
        """What the paths that are not shown add up to."""
        return by_itself(operator.sub, self.total, sum([path.contribution for path in self.terms]))

    def document(self) -> Document:
        """Forward values, local derivatives, the paths and their sum, and the special cases."""
        x, E = (self._names[node] for node in (self.paths.input, self.paths.output))
        ends: list[Part] = [
            "Along each path from ",
            symbol(x),
            " to ",
            symbol(E),
            " the local derivatives are multiplied",
        ]
        blocks: list[Block] = [
            Paragraph(*ends, "; the sum of these products is the derivative."),
            Heading("Forward values"),
            self._values(),
            Heading("Local derivatives"),
            self._local_derivatives(),
            Heading("Paths"),
            self._terms(),
            Paragraph(self._sum()),
        ]
        if self.notes:
            blocks += [Heading("Special cases"), *[Paragraph(note) for note in self.notes]]
        return Document(f"d{E}/d{x} {_over(self.count)}", *blocks)

    def _values(self) -> Table:
        nodes = [node for node in topological_order(self.paths.output) if node in self._names]
        rows: list[list[Part]] = [[symbol(self._names[node]), self._made(node), figure(node)] for node in nodes[:MANY]]
        return Table(["name", "computed as", "value"], [*rows, *more(len(nodes) - MANY, 3)])

    def _made(self, node: Node) -> Part:
        if node.inputs:
            return expression(node, self._names)
        return "" if node._requires_grad else "constant"

    def _local_derivatives(self) -> Table:
        hops = list(dict.fromkeys([hop for path in self.terms for hop in pairwise(path.nodes)]))
        rows: list[list[Part]] = []
        for upper, lower in hops[:MANY]:
            hop = Path(self.paths, (upper, lower))
            rows.append([_Derivative(self._names[upper], self._names[lower]), _alone(hop.chain), _factor(hop)])
        return Table(["local derivative", "in symbols", "value"], [*rows, *more(len(hops) - MANY, 3)])

    def _terms(self) -> Table:
        numbers = not any(np.shape(node._value) for path in self.terms for node in path.nodes)
        rows: list[list[Part]] = []
        for path in self.terms:
            arrow: list[Part] = [symbol(self._names[path.nodes[-1]])]
            for node in reversed(path.nodes[:-1]):
                arrow += [" → ", symbol(self._names[node])]
            product: list[Part] = [_multiplied(path.factors)] if numbers else []
            rows.append([arrow, path.chain, *product, figure(path.contribution)])
        if self.count > len(self.terms):
            rows.append([f"and {whole(self.count - len(self.terms))} more", *[""] * (1 + numbers), figure(self.rest)])
        rows.append(["sum", *[""] * (1 + numbers), figure(self.total)])
        return Table(["path", "in symbols", *["in numbers"] * numbers, "contribution"], rows)

    def _sum(self) -> str:
        gradient = f"Gradient by backpropagation: {figure(self.gradient)}."
        if not self.paths.complete:
            return f"{gradient} The paths that are not shown add what is missing to it; they were not added one by one."
        most = figure(float(np.max(np.abs(self.difference), initial=0.0)), 2)
        entries = " at most, entry by entry" if np.shape(self.difference) else ""
        return f"Sum {_over(self.count)}: {figure(self.total)}. {gradient} Difference: {most}{entries}."

    def data(self) -> dict[str, Any]:
        """All of it as plain numbers, strings, lists and dicts."""
        return {
            "output": self._names[self.paths.output],
            "input": self._names[self.paths.input],
            "count": self.count,
            "values": {name: np.asarray(node._value).tolist() for node, name in self._names.items()},
            "terms": [
                {
                    "path": list(path.names),
                    "symbols": path.chain.text(),
                    "latex": path.chain.latex(),
                    "factors": [np.asarray(factor).tolist() for factor in path.factors],
                    "contribution": np.asarray(path.contribution).tolist(),
                }
                for path in self.terms
            ],
            "total": np.asarray(self.total).tolist(),
            "gradient": np.asarray(self.gradient).tolist(),
            "difference": np.asarray(self.difference).tolist(),
            "complete": self.paths.complete,
            "notes": self.notes,
        }


class _Derivative:
    """∂S/∂y, by the names of the two."""

    def __init__(self, upper: str, lower: str) -> None:
        self.upper, self.lower = symbol(upper), symbol(lower)

    def text(self) -> str:
        return f"∂{self.upper.text()}/∂{self.lower.text()}"

    def latex(self) -> str:
        return rf"\partial {self.upper.latex()} / \partial {self.lower.latex()}"


def _over(count: int) -> str:
    return f"over {whole(count)} paths" if count > 1 else "over its only path"


def _alone(chain: Expression) -> Expression:
    """A chain of arrays without the ones that arrive at it from nowhere."""
    if chain.name in ("beside", "outer") and chain.args[0] == ONES:
        return Expression(chain.op, chain.args[1:]) if len(chain.args) > 2 else chain.args[1]
    return chain


def _factor(hop: Path) -> str:
    """The direct derivative of one hop; of a diagonal matrix its diagonal."""
    upper, lower = hop.nodes
    if np.size(upper._value) * np.size(lower._value) > 10_000:
        return f"{np.shape(upper._value)} by {np.shape(lower._value)}"
    (factor,) = hop.factors
    if np.ndim(factor) == 2 and len(factor) == len(factor.T) > 1 and (factor == np.diag(np.diag(factor))).all():
        return "the identity" if (np.diag(factor) == 1).all() else f"diagonal {figure(np.diag(factor))}"
    return figure(factor)


def _multiplied(factors: Sequence[float]) -> str:
    """Numbers as a product, the negative ones in brackets: 2 · (−1.5)."""
    written = [figure(factor) for factor in factors]
    written = [f"({number})" if number.startswith("−") and i else number for i, number in enumerate(written)]
    if len(written) > 12:
        written[6:-6] = ["…"]
    return " · ".join(written)


def _difference(total: Any, gradient: Any) -> Any:
    """The first minus the second; equal infinities do not differ."""
    difference = np.where(np.equal(total, gradient), 0.0, np.subtract(total, gradient))
    return difference if np.shape(total) else float(difference)
