"""Cures: how to write an operation so that it makes no NaN or infinity, by operation and situation."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..graph import Node
from .spelling import Spelling


class Cure(NamedTuple):
    """What is dangerous as it is `written`, and what to write `instead`; both are Python.

    `when` says at which entries of x and y, for the operation that made the bad entry by itself. Without it that
    operation may stand anywhere in what is written.
    """

    written: str
    instead: tuple[str, ...]
    when: Callable[..., Any] | None = None


# The first line that fits is the cure. `params` are the settings as they were written; LIMIT is where exp overflows,
# EPSILON is small and BOUND large, each for the dtype.
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
    Cure("log(x)", ("log(where(x > 0, x, 1))", "log(maximum(x, EPSILON))"), lambda x: x <= 0),
    Cure("log1p(x)", ("log1p(where(x > -1, x, 0))",), lambda x: x <= -1),
    Cure("sqrt(x)", ("where(x > 0, sqrt(where(x > 0, x, 1)), 0)",), lambda x: x <= 0),
    Cure("x / y", ("where(y != 0, x / where(y != 0, y, 1), 0)",), lambda x, y: y == 0),
    Cure("reciprocal(x)", ("where(x != 0, 1 / where(x != 0, x, 1), 0)",), lambda x: x == 0),
    Cure("exp(x)", ("exp(minimum(x, LIMIT))",), lambda x: x > 0),
    Cure("expm1(x)", ("expm1(minimum(x, LIMIT))",), lambda x: x > 0),
    Cure("x ** y", ("x ** detach(y)",), lambda x, y: (x <= 0) & (y == np.floor(y)) & ((x < 0) | (y >= 0))),
    Cure("x ** y", ("where(x != 0, where(x != 0, x, 1) ** y, 0)",), lambda x, y: (x == 0) & (y == np.floor(y))),
    Cure("x ** y", ("where(x > 0, where(x > 0, x, 1) ** y, 0)",), lambda x, y: x <= 0),
    Cure("softmax(x, **params)", ("softmax(clip(x, -BOUND, BOUND), **params)",), np.isinf),
    Cure("log_softmax(x, **params)", ("log_softmax(clip(x, -BOUND, BOUND), **params)",), np.isinf),
    Cure("logaddexp(x, y)", ("logaddexp(maximum(x, -BOUND), maximum(y, -BOUND))",), lambda x, y: np.isinf(x + y)),
)
PATTERNS = [ast.parse(cure.written, mode="eval").body for cure in CURES]

STABLE = ", or softmax, log_softmax, logsumexp, sigmoid, softplus or tanh in place of what it is a part of"
OPERATORS = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.MatMult: "matmul",
}


def cures_of(node: Node, spelling: Spelling, entries: Any = True) -> tuple[tuple[str, ...], str]:
    """Return the safe spellings of an operation that went wrong at these entries, and a sentence that gives advice.

    The spellings are expressions in the user's own names; there are none where only words help. Results that were
    computed from the node, in the graph of the `spelling`, are looked at too.

    >>> import engine
    >>> y = engine.log(engine.sigmoid(engine.Value(-1000.0, label="z") - 1))
    >>> cures_of(y, Spelling(y))
    (('-softplus(-(z - 1))',), 'Write -softplus(-(z - 1)) in place of log(sigmoid(z - 1)).')
    """
    op, around = node.op, _around(node, spelling.order)
    if not op.ours or op.name == "hook":
        what = "the function given to 'hook'" if op.ours else f"the forward and the rules of {op.name!r}"
        return (), f"Look into {what}, for example with engine.testing.check_gradients."
    for cure, pattern in zip(CURES, PATTERNS):
        for top in around if cure.when is None else around[-1:]:
            found: dict[str, Any] = {}
            if node not in _match(pattern, top, found):
                continue
            nodes = {name: x for name, x in found.items() if isinstance(x, Node)}
            if cure.when is not None:
                fits = cure.when(*[nodes[name]._value for name in ("x", "y") if name in nodes])
                if not np.any(fits & entries if np.shape(fits) == np.shape(entries) else fits):
                    continue
            parts = {name: spelling.code(x) for name, x in nodes.items()} | _numbers(node)
            written, *cures = [spelling.spell(code, parts, found) for code in (cure.written, *cure.instead)]
            stable = STABLE if cure.written == "exp(x)" else ""
            return tuple(cures), f"Write {' or '.join(cures)} in place of {written}{spelling.legend()}{stable}."
    infinite = [_infinite(x) for x in node.inputs]
    if any(infinite) and not op.variadic:
        inputs = [spelling.code(x) for x in node.inputs]
        guarded = [_guarded(x) if bad else x for x, bad in zip(inputs, infinite)]
        written, safe = [spelling.spell(_call(node, each), {}, node.params or {}) for each in (inputs, guarded)]
        return (safe,), f"Write {safe} in place of {written}{spelling.legend()}, to leave infinities out."
    if op.kind == "reduction" and not np.size(node.inputs[0]._value):
        return (), f"Give {op.name!r} at least one entry along its axis."
    return (), scaling(node)


def guard(x: Node, spelling: Spelling) -> str:
    """Return a node with zeros in place of what is not finite."""
    return spelling.spell(_guarded(spelling.code(x)), {}, {})


def _guarded(code: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("where"), [ast.Call(ast.Name("isfinite"), [code], []), code, ast.Constant(0)], [])


def scaling(node: Node) -> str:
    """Return what to do about numbers that are too large for their dtype."""
    return f"Scale the numbers down or work with logarithms: {_largest(node).dtype} ends at {_largest(node):.2g}."


def _numbers(node: Node) -> dict[str, ast.expr]:
    """The numbers that the cures name, for the dtype of a node, as they are written."""
    half = _largest(node).dtype == np.float16
    numbers = {
        "LIMIT": int(np.log(_largest(node))),
        "EPSILON": "1e-4" if half else "1e-12",
        "BOUND": "1e4" if half else "1e9",
    }
    return {name: ast.Name(str(number)) for name, number in numbers.items()}


def _call(node: Node, inputs: Sequence[ast.expr]) -> ast.expr:
    """An operation on these inputs, as it is written in Python."""
    name = node.op.name
    for operator, each in OPERATORS.items():
        if each == name:
            return ast.BinOp(inputs[0], operator(), inputs[1])
    return ast.Call(ast.Name(name), list(inputs), [ast.keyword(None, ast.Name("params"))] if node.op.params else [])


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
