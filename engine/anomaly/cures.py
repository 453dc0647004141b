"""Cures: how to write an operation so that it makes no NaN or infinity, by operation and situation."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..graph import Node
from ..primitives import ROWS


class Cure(NamedTuple):
    """What is dangerous as it is `written`, and what to write `instead`; both are Python.

    `when` says at which entries of x and y, for the operation that made the bad entry by itself. Without it that
    operation may stand anywhere in what is written.
    """

    written: str
    instead: tuple[str, ...]
    when: Callable[..., Any] | None = None


# The first line that fits is the cure. `params` are the settings as they were written; `limit` is where exp overflows,
# `epsilon` is small and `bound` large, each for the dtype.
CURES = (
    Cure("log(sigmoid(x))", ("-softplus(-x)",)),
    Cure("log(1 - sigmoid(x))", ("-softplus(x)",)),
    Cure("log(softmax(x, **params))", ("log_softmax(x, **params)",)),
    Cure("log(sum(exp(x), **params))", ("logsumexp(x, **params)",)),
    Cure("log(1 + exp(x))", ("softplus(x)",)),
    Cure("exp(x) / sum(exp(x), **params)", ("softmax(x, **params)",)),
    Cure("1 / (1 + exp(-x))", ("sigmoid(x)",)),
    Cure("exp(x) / (1 + exp(x))", ("sigmoid(x)",)),
    Cure("(exp(x) - exp(-x)) / (exp(x) + exp(-x))", ("tanh(x)",)),
    Cure("sqrt(sum(x * x, **params))", ("norm(x, **params)",), lambda x: x == 0),
    Cure("sqrt(sum(x ** 2, **params))", ("norm(x, **params)",), lambda x: x == 0),
    Cure("sqrt(x @ x)", ("norm(x)",), lambda x: x == 0),
    Cure("log(x)", ("log(where(x > 0, x, 1))", "log(maximum(x, epsilon))"), lambda x: x <= 0),
    Cure("log1p(x)", ("log1p(where(x > -1, x, 0))",), lambda x: x <= -1),
    Cure("sqrt(x)", ("where(x > 0, sqrt(where(x > 0, x, 1)), 0)",), lambda x: x <= 0),
    Cure("x / y", ("where(y != 0, x / where(y != 0, y, 1), 0)",), lambda x, y: y == 0),
    Cure("reciprocal(x)", ("where(x != 0, 1 / where(x != 0, x, 1), 0)",), lambda x: x == 0),
    Cure("exp(x)", ("exp(minimum(x, limit))",), lambda x: x > 0),
    Cure("expm1(x)", ("expm1(minimum(x, limit))",), lambda x: x > 0),
    Cure("x ** y", ("x ** detach(y)",), lambda x, y: (x <= 0) & (y == np.floor(y)) & ((x < 0) | (y >= 0))),
    Cure("x ** y", ("where(x != 0, where(x != 0, x, 1) ** y, 0)",), lambda x, y: (x == 0) & (y == np.floor(y))),
    Cure("x ** y", ("where(x > 0, where(x > 0, x, 1) ** y, 0)",), lambda x, y: x <= 0),
    Cure("softmax(x, **params)", ("softmax(clip(x, -bound, bound), **params)",), np.isinf),
    Cure("log_softmax(x, **params)", ("log_softmax(clip(x, -bound, bound), **params)",), np.isinf),
    Cure("logaddexp(x, y)", ("logaddexp(maximum(x, -bound), maximum(y, -bound))",), lambda x, y: np.isinf(x + y)),
)
PATTERNS = [ast.parse(cure.written, mode="eval").body for cure in CURES]

STABLE = ", or softmax, log_softmax, logsumexp, sigmoid, softplus or tanh in place of what it is a part of"
SYMBOLS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "matmul": "@"}
OPERATORS = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.MatMult: "matmul",
}


def cures_of(node: Node, order: Sequence[Node] = (), entries: Any = True) -> tuple[tuple[str, ...], str]:
    """Return the safe spellings of an operation that went wrong at these entries, and a sentence that gives advice.

    The spellings are expressions in the user's own labels, or in the names of the operation's inputs; there are none
    where only words help. `order` is the graph in which results computed from the node are looked at too.

    >>> import engine
    >>> y = engine.log(engine.sigmoid(engine.Value(-1000.0, label="z")))
    >>> cures_of(y)
    (('-softplus(-z)',), 'Write -softplus(-z) in place of log(sigmoid(z)).')
    """
    op, around = node.op, _around(node, order)
    if not op.ours or op.name == "hook":
        what = "the function given to 'hook'" if op.ours else f"the forward and the rules of {op.name!r}"
        return (), f"Look into {what}, for example with engine.testing.check_gradients."
    for cure, pattern in zip(CURES, PATTERNS):
        for top in around if cure.when is None else around[-1:]:
            found: dict[str, Any] = {}
            if node not in _match(pattern, top, found):
                continue
            if cure.when is not None:
                fits = cure.when(*[found[name]._value for name in ("x", "y") if name in found])
                if not np.any(fits & entries if np.shape(fits) == np.shape(entries) else fits):
                    continue
            spelled = tuple([spell(each, found, node) for each in cure.instead])
            advice = f"Write {' or '.join(spelled)} in place of {spell(cure.written, found, node)}"
            return spelled, f"{advice}{STABLE if cure.written == 'exp(x)' else ''}."
    infinite = [_infinite(x) for x in node.inputs]
    if any(infinite) and not op.variadic:
        guarded = [f"where(isfinite({x}), {x}, 0)" if guard else x for x, guard in zip(op.inputs, infinite)]
        found = {**dict(zip(op.inputs, node.inputs)), **(node.params or {})}
        written, safe = [spell(_call(node, inputs), found, node) for inputs in (op.inputs, guarded)]
        return (safe,), f"Write {safe} in place of {written}, to leave infinities out."
    if op.kind == "reduction" and not np.size(node.inputs[0]._value):
        return (), f"Give {op.name!r} at least one entry along its axis."
    return (), scaling(node)


def scaling(node: Node) -> str:
    """Return what to do about numbers that are too large for their dtype."""
    return f"Scale the numbers down or work with logarithms: {_largest(node).dtype} ends at {_largest(node):.2g}."


def spell(code: str, found: Mapping[str, Any], node: Node) -> str:
    """Return code that runs, with the user's own names and settings put in for those of a pattern."""
    row, half = ROWS.get(code.partition("(")[0]), _largest(node).dtype == np.float16
    if row is not None:
        changed = {key: found[key] for key in row.params if key in found and found[key] != row.defaults.get(key)}
        code = code.replace(", **params", "".join([f", {key}={value!r}" for key, value in changed.items()]))
    nodes = {name: x for name, x in found.items() if isinstance(x, Node)}
    words = {name: _word(name, x, [y for y in nodes.values() if y is not x]) for name, x in nodes.items()}
    words |= {"limit": str(int(np.log(_largest(node)))), "epsilon": "1e-4" if half else "1e-12"}
    words |= {"bound": "1e4" if half else "1e9"}
    return re.sub(r"\b[a-z]+\b", lambda word: words.get(word[0], word[0]), code)


def _word(name: str, x: Node, others: Sequence[Node]) -> str:
    """What the user calls a node: the number it is, or its label if that is a name like no other."""
    if x.number == 0 and type(x._value) in (int, float) and np.isfinite(x._value):
        return repr(x._value) if x._value >= 0 else f"({x._value!r})"
    label = x.label or ""
    free = label.isidentifier() and not keyword.iskeyword(label) and label not in ROWS
    return label if free and label not in [other.label for other in others] else name


def _call(node: Node, arguments: Sequence[str]) -> str:
    """An operation on arguments, as it is written in Python."""
    name = node.op.name
    if name in SYMBOLS:
        return f" {SYMBOLS[name]} ".join(arguments)
    return f"{name}({', '.join(arguments)}, **params)" if node.op.params else f"{name}({', '.join(arguments)})"


def _infinite(x: Node) -> bool:
    return getattr(x._value, "dtype", np.dtype(type(x._value))).kind == "f" and not np.isfinite(x._value).all()


def _largest(node: Node) -> Any:
    """The largest number of the dtype that a node computes in."""
    dtype = getattr(node._value, "dtype", None)
    return np.finfo(dtype if dtype is not None and dtype.kind == "f" else float).max


def _around(node: Node, order: Sequence[Node]) -> list[Node]:
    """The node, and before it what was computed from it in a few steps, the last one first."""
    steps = {node: 0}
    for each in order:
        if each not in steps and (near := [steps[x] for x in each.inputs if x in steps]) and min(near) < 4:
            steps[each] = min(near) + 1
    return list(reversed(steps))


def _match(pattern: ast.expr, node: Node, found: dict[str, Any]) -> set[Node]:
    """The operations of a node that was computed as the pattern says, none if it was not; fills in what is found."""
    match pattern:
        case ast.Name(name):
            return {node} if found.setdefault(name, node) is node else set()
        case ast.Constant(value):
            return {node} if not node.number and np.ndim(node._value) == 0 and node._value == value else set()
        case ast.BinOp(left, operator, right):
            name, parts = OPERATORS[type(operator)], [left, right]
        case ast.UnaryOp(operand=part):
            name, parts = "negative", [part]
        case ast.Call(ast.Name(name), parts):
            pass
    if node.op is None or node.op.name != name or not node.op.ours:
        return set()
    for inputs in (node.inputs, node.inputs[::-1]) if name in ("add", "multiply") else (node.inputs,):
        attempt = dict(found)
        matches = [_match(part, x, attempt) for part, x in zip(parts, inputs)]
        if all(matches):
            found |= attempt
            if isinstance(pattern, ast.Call):
                found |= node.params or {}
            return {node}.union(*matches)
    return set()
