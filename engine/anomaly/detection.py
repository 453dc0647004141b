"""Detection: how a NaN or an infinity is noticed, and traced back to what made it.

An entry is bad when it is NaN or infinite. An operation made it when it got good entries, or when it made a NaN of
infinities, as inf - inf does. What comes from the user's own data is reported as such.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from ..backward import PICK, stale, sweep
from ..errors import AnomalyError, GraphError
from ..graph import Node, recording, topological_order, watching
from .diagnoses import ALL, Anomaly, bad_entries, diagnose, diagnose_arrival, diagnose_rule, unbroadcast


class Place(str):
    """The scope that a node was made in, with the user's `file` and `line`: its origin under detect_anomaly()."""

    __slots__ = ("file", "line")
    file: str
    line: int

    def __new__(cls, scope: str, file: str, line: int) -> Place:
        """Make a string of the scope that knows its place."""
        self = super().__new__(cls, scope)
        self.file, self.line = file, line
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        return str(self), self.file, self.line


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Stop at the first NaN or infinity, forward or backward; a context manager and a decorator.

    Every operation recorded inside is looked at, and every sweep, recorded ones too. The error names the operation, the
    file and line that called it, its inputs and the safe spelling; its `anomaly` is the Anomaly with all of that.

    Infinities in constants are legal, as in `where(mask, x, -inf)` and `x + mask`, and so is what further operations
    pass on of them; a NaN made of them is not. NaN in data is not, nor an infinity in a leaf that requires grad or in
    a constant that is multiplied as a matrix.
    An operation is met before the `where` that would not take its result: guard its input, as the cure does. In a sweep
    what `where` and its kind hold back does not count. find_anomaly() knows what was taken, forward too.

    Raises AnomalyError. Other threads are not watched.

    >>> import engine
    >>> x = engine.Value(0.0, label="x")
    >>> with detect_anomaly():
    ...     y = engine.log(x)
    Traceback (most recent call last):
    engine.errors.AnomalyError: 'log' made −inf of x = 0. ... Write log(where(x > 0, x, 1)) ...
    """
    with watching(_Watch()):
        yield


def find_anomaly(output: Node) -> Anomaly | None:
    """Find what made the first NaN or infinity that reaches `output` or its gradients; None where they are finite.

    The stored values are read, not computed again; then a sweep runs, from ones where the output is an array, and
    another one where that has found something. Linear in the size of the graph.

    Raises GraphError for what is not a node, and where data changed since they were used.

    >>> import engine
    >>> x = engine.Tensor([4.0, 0.0], label="x")
    >>> anomaly = find_anomaly(engine.sqrt(x).sum())
    >>> anomaly.op, anomaly.direction, anomaly.index, anomaly.cure
    ('sqrt', 'backward', (1,), 'where(x > 0, sqrt(where(x > 0, x, 1)), 0)')
    >>> find_anomaly(engine.where(x > 0, engine.log(x), 0))
    """
    if not isinstance(output, Node):
        raise GraphError(
            f"find_anomaly() was given {output!r} of type {type(output).__name__}. "
            "Only a node knows what it was computed from. Give the Value or Tensor that went wrong."
        )
    order = topological_order(output)
    for node in order:
        for x in node.inputs:
            if x.number > node.number:
                raise stale(x, node)
    if bad_entries(output) is not None:
        sources = _sources(order, output)
        return diagnose(*(_culprit(sources) or sources[0]), order)
    if not output._requires_grad:
        return None
    seeds = {output: 1.0 if type(output._value) is float else np.ones_like(output._value)}
    route = topological_order(output, differentiable=True)
    adjoints: dict[Node, Any] = dict.fromkeys(route)
    with np.errstate(all="ignore"), watching(None):
        adjoints |= sweep(route, seeds, adjoints)[0]
    reached: dict[Node, Any] = {}  # from where the leaves became bad
    for x in route:
        if bad_entries(adjoints[x]) is not None and (not x.inputs or not reached.keys().isdisjoint(x.inputs)):
            reached[x] = adjoints[x]
    if not reached:
        return None
    try:
        with np.errstate(all="ignore"), watching(_Watch(reached)):
            sweep(route, seeds, {})
    except AnomalyError as error:
        return error.anomaly
    return diagnose_arrival(*reached.popitem(), order)


class _Watch:
    """Looks at every new node and every edge of a sweep, or at those to the nodes `among`."""

    def __init__(self, among: Container[Node] | None = None) -> None:
        self.among = among

    def forward(self, node: Node) -> None:
        """Note the user's line in a new node, and stop if it is bad."""
        node.origin = place = _place(node.origin or "")
        maker = node.inputs[0] if node.op is PICK else node
        if type(maker.origin) is not Place:
            maker.origin = place
        if bad_entries(node) is None or recording().swept is not None:
            return  # rules are judged by what the selections leave of them
        mixes = maker.op.kind == "contraction"
        if mixes or _holds_nan(node._value) or _made(maker) is not None or any(map(_unseen, maker.inputs)):
            _raise_for(node)  # else a legal infinity goes its way

    def backward(self, node: Node, x: Node, g: Any, c: Any) -> None:
        """Stop if the gradient g that arrived at a node made a bad contribution c to that of its input x."""
        if self.among is not None and x not in self.among:
            return
        if bad_entries(c) is not None:
            swept = recording().swept or ()
            for each in (node, *node.inputs):  # made before the sweep
                _raise_for(each, swept)
            if bad_entries(g) is not None:
                raise _error(diagnose_arrival(node, g, swept))
            raise _error(diagnose_rule(node, x, g, c, swept))


def _unseen(x: Node) -> bool:
    """Whether an input is bad and was not looked at when it was made."""
    return bad_entries(x) is not None and (x._requires_grad if x.op is None else type(x.origin) is not Place)


def _raise_for(node: Node, swept: Sequence[Node] = ()) -> None:
    """Raise what made a node bad, unless that is nothing but legal infinities."""
    if bad_entries(node) is not None:
        past = topological_order(node)
        if culprit := _culprit(_sources(past, node)):
            raise _error(diagnose(*culprit, swept or past))


def _error(anomaly: Anomaly) -> AnomalyError:
    error = AnomalyError(anomaly.message)
    error.anomaly = anomaly
    return error


def _place(scope: str) -> Place:
    """The scope, and the line of the innermost frame that is not ours."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
    return Place(scope, frame.f_code.co_filename, frame.f_lineno) if frame else Place(scope, "", 0)


HOME = Path(__file__).parents[2]
OURS = tuple([str(HOME / package) + os.sep for package in ("engine", "nn")])


# Where bad entries come from.


def _made(node: Node) -> Any:
    """Which bad entries the operation made itself, None if it made none: of good ones, or NaN of infinities."""
    came = [x._value for x in node.inputs if bad_entries(x) is not None]
    if not came or type(node._value) is tuple or node.op is PICK:
        return None if came else bad_entries(node)
    if node.op.kind == "elementwise" and type(node._value) is not float:
        unknown, bad = [functools.reduce(np.logical_or, map(which, came)) for which in (np.isnan, bad_entries)]
        made = (np.isnan(node._value) & ~unknown) | (np.isinf(node._value) & ~bad)
        return made if made.any() else None
    if any(_holds_nan(each) for each in came) or not _holds_nan(node._value):
        return None
    return ALL if type(node._value) is float else np.isnan(node._value)


def _holds_nan(value: Any) -> bool:
    return isnan(value) if type(value) is float else bool(np.isnan(value).any())


class Source(NamedTuple):
    """What made entries bad: a result, or a leaf and the first result computed from it; and which entries."""

    node: Node
    use: Node
    entries: Any


def _sources(order: Sequence[Node], output: Node) -> list[Source]:
    """The operations and leaves that the bad entries of the output come from, in order.

    Goes back from the output to those bad entries of the inputs that its own were computed from.
    """
    asked, uses, found = {output: bad_entries(output)}, {output: output}, []
    for node in reversed(order):
        mask = asked.pop(node, None)
        if mask is None:
            continue
        given = [_taken(node, position, mask) for position in range(len(node.inputs))]
        lost = all(part is None for part in given)
        if lost and node.inputs and node.op.kind != "elementwise":
            given = [bad_entries(x) for x in node.inputs]  # NaN is equal to nothing, so that no maximum is found
            lost = all(part is None for part in given)
        made = mask if lost else _made(node)
        if made is not None and (made & mask).any():
            found.append(Source(node, node if node.inputs else uses[node], made & mask))
        for x, part in zip(node.inputs, given):
            if part is not None:
                asked[x] = asked[x] | part if x in asked else part
                uses[x] = node
    return found[::-1]


def _taken(node: Node, position: int, mask: Any) -> Any:
    """Which bad entries of an input went into the entries of a node that the mask names, None if none did."""
    x, kind = node.inputs[position], node.op.kind
    bad = bad_entries(x)
    if bad is None or (bad is ALL and kind == "elementwise") or node.op is PICK or type(node._value) is tuple:
        return bad
    if kind == "elementwise":
        taken = bad & unbroadcast(mask, bad.shape)
    elif kind in ("selection", "shape", "indexing") and (rule := node.op.rules_for(node.inputs)[position]) is not None:
        data = [each._value for each in node.inputs]
        with np.errstate(all="ignore"):  # these are linear: the rule says what was taken
            came = rule(np, mask.astype(float), node._value, *data, **(node.params or {}))
            taken = bad & unbroadcast(np.asarray(came) != 0, np.shape(x._value))
    else:
        return bad
    return taken if taken.any() else None


def _culprit(sources: Sequence[Source]) -> Source | None:
    """The first source that is not a legal infinity: one in a constant, as masks are, that no matrix product mixes."""
    for source in sources:
        node, use = source.node, source.use
        if node.op or node._requires_grad or _holds_nan(node._value) or (use.op and use.op.kind == "contraction"):
            return source
    return None
