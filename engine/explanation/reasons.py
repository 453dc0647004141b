"""Reasons: where on its way a gradient becomes zero, tiny, huge or NaN."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any, NamedTuple

import numpy as np

from ..backward import PICK, by_itself, gradients, local_slope, sweep
from ..documents import Document, Paragraph, Rendered, Table
from ..errors import GraphError
from ..graph import Node, topological_order
from ..notation import expression, figure, whole
from .cases import cuts, edges_of, line_between, special_cases
from .wording import MANY, cut_in_words, in_words, listed, local_text, more, name_of, names_from, value_of

STEP = 1e-3  # a gradient that one operation makes smaller, or larger, by more than this is called tiny, or huge
WAY = 1e-6  # and so is one that the whole way does


def why(E: Node, x: Node) -> Reasons:
    """Say in words where on its way from `E` to `x` the gradient becomes zero, tiny, huge or NaN, or that it does not.

    Raises GraphError where E was not computed from x, and ShapeError where E is not one number.

    >>> import engine
    >>> z = engine.Value(-12.3, label="z")
    >>> print(engine.why(engine.sigmoid(z), z).reasons[0].words)
    At E = σ(z) the gradient falls from 1 to 4.5517e-06 on its way to z. sigmoid is saturated: ...
    """
    return Reasons(E, x)


class Reason(NamedTuple):
    """One place where a gradient changes out of the ordinary, on its way from `node` to `input`.

    `kind` is "zero", "partly zero", "tiny", "huge", "infinite", "nan", "cancelled" or "cut"; `before` and `after`
    are the largest absolute entries on both sides.
    """

    kind: str
    node: Node
    input: Node
    before: float
    after: float
    words: str


class Reasons(Rendered):
    """What becomes of a gradient on its way; see `why`.

    `gradient` is dE/dx, None where no gradient can flow. `verdict` says what it is, and `reasons`, from E on, what
    made it so; `sizes` holds the largest absolute entry of the gradient at each node on the way.
    """

    def __init__(self, E: Node, x: Node) -> None:
        self.output, self.input = E, x
        self.reasons: list[Reason] = []
        self.sizes: dict[Node, float] = {}  # of the gradient at each node on the way, from E to x
        self.gradient: Any = None
        try:
            line = line_between(E, x)
        except GraphError:
            if not isinstance(E, Node) or x not in set(topological_order(E)):
                raise
            line = []
        self._names = names_from(E)
        if line:
            self.gradient = by_itself(self._walk, line)
        else:
            for node, lower in cuts(E, [x]):
                self._add("cut", node, x, 1.0, 0.0, f"{cut_in_words(node, lower, self._names)}.")
        self.verdict = self._verdict(len(line) - 1)

    def _walk(self, line: Sequence[Node]) -> Any:
        """Compare the sizes of the gradient on both sides of every operation; return what arrives at the input."""
        arrived = dict(zip(line, gradients(self.output, line)))
        parts: dict[Node, list[float]] = {}
        positions: dict[Node, dict[Node, int]] = {}  # of the inputs of each operation that a gradient passes to
        for node, position in edges_of(line):
            positions.setdefault(node, {})[node.inputs[position]] = position
        useful = {*line, *positions}
        for node in reversed(line):
            before = self.sizes[node] = _size(arrived[node])
            if len(parts.get(node, ())) > 1:
                self._compare_sum(node, parts[node])
            # What picks one of several results stands for the operation that computed them.
            order = [node.inputs[0], node] if node.op is PICK else [node]
            if node is self.input or isnan(before):
                continue
            sent, _ = sweep(order, {node: arrived[node]}, {}, useful)
            for x, position in positions[order[0]].items():
                after = _size(sent[x]) if x in sent else 0.0
                if isnan(after) and not np.isnan(arrived[x]).any():
                    continue  # a selection discards it
                parts.setdefault(x, []).append(after)
                self._compare(order[0], position, before, after)
        gradient = arrived[self.input]
        if not self.reasons:
            partly = np.size(gradient) > 1 and not np.all(gradient)
            for node, position in edges_of(line):
                before = self.sizes.get(node, 1.0)
                for case in special_cases(node, position) if node.op.kind == "selection" else ():
                    words = f"{in_words(case, self._names)}."
                    if case.kind == "tie":
                        self._add("tie", node, case.input, before, self.sizes.get(case.input, 0.0), words)
                    elif partly and case.kind != "broadcast":
                        self._add("partly zero", node, case.input, before, 0.0, words)
        return gradient if np.shape(gradient) else float(gradient)

    def _compare(self, node: Node, position: int, before: float, after: float) -> None:
        """Note what one operation does to a gradient, if it is out of the ordinary."""
        sizes = f"from {figure(before)} to {figure(after)}"
        if isnan(after):
            kind, change = "nan", "becomes NaN"
        elif before in (0, np.inf):
            return
        elif after == np.inf:
            kind, change = "infinite", "becomes infinite"
        elif after == 0:
            kind, change = "zero", "becomes 0"
        elif after < STEP * before:
            kind, change = "tiny", f"falls {sizes}"
        elif before < STEP * after:
            kind, change = "huge", f"rises {sizes}"
        else:
            return
        names, x = self._names, node.inputs[position]
        place = f"{names[node]} = {expression(node, names)}" if node in names else name_of(node, names)
        scope = f" (in {node.origin})" if node.origin else ""
        words = f"At {place}{scope} the gradient {change} on its way to {name_of(x, names)}."
        self._add(kind, node, x, before, after, f"{words} {self._cause(node, position, kind)}.")

    def _cause(self, node: Node, position: int, kind: str) -> str:
        """Why an operation does this to a gradient, in words without a full stop."""
        x, names = node.inputs[position], self._names
        if any(_holds_nan(each) for each in node.inputs):
            return "The forward values hold NaN there already: look for its origin first"
        for case in special_cases(node, position):
            if kind == "huge" or case.kind != "broadcast":
                return in_words(case, names)
        times = sum([each is x for each in node.inputs])
        if times > 1:
            return f"{name_of(x, names)} enters it {times} times, and what comes back is added up"
        values = [value_of(each, names) for each in dict.fromkeys(node.inputs) if name_of(each, names) != figure(each)]
        if node.op.kind != "elementwise":
            return f"It is computed by {node.op.name} from {listed(values)}"
        slope, local = local_slope(node, position), local_text(node, position, names)
        number = "" if local == figure(slope) else f" = {figure(slope)}"
        nothing = "What arrives is 0, and 0 · ∞ is NaN. " if kind == "nan" and np.isinf(slope).any() else ""
        return f"{nothing}The local derivative is {local}{number}{f' at {listed(values)}' if values else ''}"

    def _compare_sum(self, node: Node, parts: Sequence[float]) -> None:
        """Note what becomes of several gradients when they are added."""
        total, most = self.sizes[node], max(parts)
        name = name_of(node, self._names)
        if isnan(total) and not any(isnan(part) for part in parts):
            words = f"At {name} the gradients of {len(parts)} ways are added, and ∞ − ∞ is NaN."
            self._add("nan", node, node, most, total, words)
        elif total < 1e-10 * most < np.inf:
            words = (
                f"At {name} the gradients of {len(parts)} ways, up to {figure(most)}, cancel out to {figure(total)}."
            )
            self._add("cancelled", node, node, most, total, words)

    def _add(self, *fields: Any) -> None:
        self.reasons.append(Reason(*fields))

    def _verdict(self, steps: int) -> str:
        """What the gradient is, in a sentence or two."""
        g, name = self.gradient, self._derivative()
        if g is None and not self.input._requires_grad:
            return f"There is no {name}: {name_of(self.input, self._names)} is a constant, which does not require grad."
        if g is None:
            return f"There is no {name}: no way from the one to the other can be differentiated."
        size, zeros, entries = _size(g), int(np.sum(np.asarray(g) == 0)), np.size(g)
        if isnan(size):
            state = "NaN" if entries == 1 else f"NaN in {int(np.isnan(g).sum())} of {entries} entries"
        elif size == np.inf:
            state = "infinite"
        elif zeros:
            state = "0" if zeros == entries else f"0 in {zeros} of {entries} entries"
        elif not WAY < size < 1 / WAY:
            state = f"{'tiny' if size < 1 else 'huge'}: {figure(g)}"
        else:
            return f"{name} is {figure(g)}. " + (
                "Some operations on the way stand out." if self.reasons else "Nothing is unusual on the way."
            )
        if self.reasons:
            return f"{name} is {state}."
        return f"{name} is {state}. It came about step by step, over {whole(steps)} operations; none stands out."

    def _derivative(self) -> str:
        """The derivative: dE/dx, d(a + b)/dx."""
        ends = [self._names.get(node) or f"({name_of(node, self._names)})" for node in (self.output, self.input)]
        return f"d{ends[0]}/d{ends[1]}"

    def document(self) -> Document:
        """The verdict, the reasons, and the size of the gradient at each named node."""
        reasons = [Paragraph(f"{i}. {reason.words}") for i, reason in enumerate(self.reasons[:MANY], 1)]
        if len(self.reasons) > MANY:
            reasons.append(Paragraph(f"And {whole(len(self.reasons) - MANY)} more."))
        named = [node for node in self.sizes if node in self._names or node is self.output]
        rows = [[name_of(node, self._names), figure(self.sizes[node])] for node in named[:MANY]]
        table = Table(["gradient at", "largest entry"], [*rows, *more(len(named) - MANY, 2)])
        return Document(
            f"Why is {self._derivative()} what it is?", Paragraph(self.verdict), *reasons, *[table] * bool(rows)
        )

    def data(self) -> dict[str, Any]:
        """All of it as plain numbers, strings, lists and dicts."""
        return {
            "output": name_of(self.output, self._names),
            "input": name_of(self.input, self._names),
            "gradient": None if self.gradient is None else np.asarray(self.gradient).tolist(),
            "verdict": self.verdict,
            "reasons": [
                {
                    "kind": reason.kind,
                    "op": reason.node.op.name if reason.node.op else None,
                    "label": reason.node.label,
                    "scope": reason.node.origin and str(reason.node.origin),
                    "before": reason.before,
                    "after": reason.after,
                    "words": reason.words,
                }
                for reason in self.reasons
            ],
        }


def _holds_nan(node: Node) -> bool:
    value = node._value
    return type(value) is not tuple and bool(np.isnan(value).any())


def _size(g: Any) -> float:
    """The largest absolute entry; NaN if there is one."""
    return float(np.max(np.abs(g), initial=0.0))
