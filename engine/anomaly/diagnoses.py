"""Diagnoses: an anomaly in words, numbers and formulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from ..documents import Document, Equation, Equations, Paragraph, Rendered, Table
from ..graph import Node, describe, topological_order
from ..notation import Expression, expression, figure, names_of, symbol
from .cures import cures_of, scaling, spell


@dataclass(frozen=True, slots=True)
class Operand:
    """An array that took part: its name, label, shape, dtype and range, and the first entry in question."""

    name: str
    label: str | None
    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    index: tuple[int, ...] | None
    entry: float | None

    def __str__(self) -> str:
        name = f"{self.name} ({self.label!r})" if self.label and self.label != self.name else self.name
        if not self.shape:
            return f"{name} = {figure(self.low)}"
        limits = "" if 0 in self.shape else f" from {figure(self.low)} to {figure(self.high)}"
        return f"{name} of shape {self.shape}{limits}{'' if self.index is None else f' with {self.found}'}"

    @property
    def found(self) -> str:
        """The entry in question and its place, in words."""
        return f"{figure(self.entry)} at {self.index}" if self.index else figure(self.entry)


@dataclass(eq=False, repr=False, slots=True)
class Anomaly(Rendered):
    """The first NaN or infinity: what made it, of which inputs, where in the user's code, and what to write instead.

    It prints itself, and renders as a document.
    """

    direction: str  # "forward" or "backward"
    op: str | None  # the operation; None where the user's own data are bad
    by: str | None  # the input of it that the gradient was on its way to
    node: Node  # the result of the operation, or the leaf that holds the data
    label: str | None  # of the node
    scope: str | None  # where the result was computed, or of a leaf the first result that was computed from it
    file: str | None  # the user's, known inside detect_anomaly()
    line: int | None
    formula: Expression  # how that result was computed
    inputs: tuple[Operand, ...]
    output: Operand  # what is bad: the result, the data of the leaf, or the gradient
    gradient: Operand | None  # what arrived at the result
    cures: tuple[str, ...]  # safe spellings in Python
    message: str  # what happened, where, and what to write instead: three sentences

    @property
    def cure(self) -> str | None:
        """The safe spelling; None where only words help."""
        return self.cures[0] if self.cures else None

    @property
    def index(self) -> tuple[int, ...]:
        """The place of the first bad entry."""
        return self.output.index or ()

    def document(self) -> Document:
        """The three sentences, the formula around the operation, and a table of the arrays."""
        header = ["array", "label", "shape", "dtype", "from", "to", "entry"]
        rows = [
            [x.name, x.label or "", str(x.shape), x.dtype, figure(x.low), figure(x.high), x.found if x.index else ""]
            for x in (*self.inputs, self.output, self.gradient)
            if x is not None
        ]
        return Document(
            f"{figure(self.output.entry)} in the {self.direction} pass of {self.op}" if self.op else "Bad data",
            Paragraph(self.message),
            Equations([Equation((self.op and self.label) or "result", self.formula)]),
            Table(header, rows),
        )


def diagnose(node: Node, use: Node, bad: Any, order: Sequence[Node]) -> Anomaly:
    """The anomaly of an operation that made bad entries, or of a leaf that holds them and of its first use."""
    value, name = node._value, f" {node.label!r}" if node.label else ""
    if type(value) is tuple:
        value = next(part for part in value if bad_entries(part) is not None)
        bad = bad_entries(value)
    if node.op is None:
        output = _operand("data", node.label, value, bad)
        shape = f" of shape {output.shape}" if output.shape else ""
        event = f"The {'leaf' if node.number else 'constant'}{name}{shape} holds {output.found}."
        cure = spell("where(isfinite(x), x, 0)", {"x": node}, node)
        advice = f"Look where these data come from, a file or a step that was too long, or write {cure}."
        return _anomaly("forward", node, use, order, _inputs(use), output, (cure,), event, advice)
    inputs, output = _inputs(node, bad), _operand("result", node.label, value, bad)
    event = f"{node.op.name!r} made {output.found} of {_series(inputs)}."
    cures, advice = cures_of(node, order, bad)
    return _anomaly("forward", node, node, order, inputs, output, cures, event, advice)


def diagnose_rule(node: Node, x: Node, g: Any, c: Any, order: Sequence[Node]) -> Anomaly:
    """The anomaly of an operation whose rule made a bad gradient of a good one."""
    by = _names(node)[[each is x for each in node.inputs].index(True)]
    output, bad = _operand(f"gradient of {by}", x.label, c), None
    if np.shape(c) == np.shape(node._value) == np.shape(x._value):
        bad = bad_entries(c)
    inputs = _inputs(node, bad)
    event = f"Back through {node.op.name!r} the gradient of {by} became {output.found}, with {_series(inputs)}."
    cures, advice = cures_of(node, order, True if bad is None else bad)
    return _anomaly("backward", node, node, order, inputs, output, cures, event, advice, by, g)


def diagnose_arrival(node: Node, g: Any, order: Sequence[Node]) -> Anomaly:
    """The anomaly of a gradient that is bad when it arrives: it was given so, or its parts overflow in their sum."""
    output = _operand("gradient", node.label, g)
    event = f"The gradient that arrives at {describe(node)} holds {output.found}."
    advice = f"If it was not given so, its parts overflow when they are added: {scaling(node)}"
    return _anomaly("backward", node, node, order, _inputs(node), output, (), event, advice)


def _anomaly(
    direction: str,
    node: Node,
    use: Node,
    order: Sequence[Node],
    inputs: tuple[Operand, ...],
    output: Operand,
    cures: tuple[str, ...],
    event: str,
    advice: str,
    by: str | None = None,
    g: Any = None,
) -> Anomaly:
    """Put together what is known, with the place and the formula of the result in whose computation it happened."""
    origin, names = use.origin, names_of(order or topological_order(use))
    file, line = getattr(origin, "file", None), getattr(origin, "line", None)
    where = f"{use.label!r}" if use.label else "The result" if use.op else "The leaf"
    where += f" in scope {str(origin)!r}" if origin else ""
    where += f" was computed at {file}:{line}." if file else " was made outside detect_anomaly(), which notes the line."
    return Anomaly(
        direction=direction,
        op=node.op and node.op.name,
        by=by,
        node=node,
        label=node.label,
        scope=str(origin) if origin else None,
        file=file,
        line=line,
        formula=expression(use, names) if use.inputs else symbol(names.get(use, "x")),
        inputs=inputs,
        output=output,
        gradient=None if g is None else _operand("gradient of the result", use.label, g),
        cures=cures,
        message=f"{event} {where} {advice}",
    )


def _operand(name: str, label: str | None, value: Any, bad: Any = None) -> Operand:
    """Describe an array with the first entry in question, by default the first bad one."""
    value = value._value if isinstance(value, Node) else value
    if type(value) in (tuple, list):
        value = next((part for part in value if part is not None and bad_entries(part) is not None), 0.0)
    array = np.asarray(value)
    bad = bad_entries(value) if bad is None else bad
    index = None if bad is None else tuple([int(i) for i in np.unravel_index(bad.argmax(), bad.shape)])
    known = array[~np.isnan(array)] if array.dtype.kind == "f" else array
    low, high = (known.min().item(), known.max().item()) if known.size else (np.nan, np.nan)
    entry = None if index is None else array[index].item()
    return Operand(name, label, array.shape, str(array.dtype), low, high, index, entry)


def _inputs(node: Node, bad: Any = None) -> tuple[Operand, ...]:
    """Describe the inputs; those of an elementwise operation with the entries that met in the first bad one."""
    masks = [None] * len(node.inputs)
    if bad is not None and node.op.kind == "elementwise":
        met = np.zeros(bad.shape, bool)
        met.flat[bad.argmax()] = True
        masks = [unbroadcast(met, np.shape(x._value)) for x in node.inputs]
    return tuple([_operand(name, x.label, x, mask) for name, x, mask in zip(_names(node), node.inputs, masks)])


def _names(node: Node) -> list[str]:
    """The names of the inputs; those of a variadic one are numbered."""
    names = list(node.op.inputs) if node.op else []
    if node.op and node.op.variadic:
        names[-1:] = [f"{names[-1]}[{i}]" for i in range(len(node.inputs) - len(names) + 1)]
    return names


def _series(operands: Sequence[Operand]) -> str:
    """The operands in words; of many the first one and the first with an entry in question."""
    shown = operands if len(operands) < 5 else [operands[0], *[x for x in operands[1:] if x.index is not None][:1]]
    more = [f"{len(operands) - len(shown)} more"] if len(shown) < len(operands) else []
    return " and ".join([*map(str, shown), *more])


def bad_entries(value: Any) -> Any:
    """Which entries are NaN or infinite, None if there are none; of several results, whether any is."""
    if isinstance(value, Node):
        value = value._value
    if type(value) is float:
        return None if isfinite(value) else ALL
    if type(value) in (tuple, list):
        return None if all(bad_entries(part) is None for part in value) else ALL
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "f":
        bad = np.asarray(~np.isfinite(value))
        return bad if bad.any() else None
    return None


ALL = np.array(True)


def unbroadcast(mask: Any, shape: tuple[int, ...]) -> Any:
    """Which entries of an input of this shape were repeated to the entries of a mask."""
    mask = mask.any(axis=tuple(range(mask.ndim - len(shape))))
    return mask.any(axis=tuple([i for i, n in enumerate(shape) if n < mask.shape[i]]), keepdims=True)
