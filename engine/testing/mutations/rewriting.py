"""Mistakes in the source: a function with one expression of its text rewritten, by way of its syntax tree."""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Iterator, Sequence
from types import FunctionType
from typing import Any, NamedTuple

OPERATORS: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.Div(),
    ast.Div: ast.Mult(),
}
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@"}
OTHER_FUNCTIONS = {
    "sin": "cos",
    "cos": "sin",
    "add": "subtract",
    "subtract": "add",
    "multiply": "divide",
    "divide": "multiply",
    "maximum": "minimum",
    "minimum": "maximum",
    "greater": "less",
    "less": "greater",
    "sum": "mean",
    "mean": "sum",
}
COMPARISONS: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.Gt(),
    ast.Gt: ast.Lt(),
    ast.LtE: ast.GtE(),
    ast.GtE: ast.LtE(),
}
LEFT_ALONE = (ast.While, ast.Raise, ast.Assert)
"""A loop might never end; the others compute nothing."""


class Rewriting(NamedTuple):
    """A function with a mistake in its source, and what was done to it: `a factor is dropped: g * y -> g`."""

    name: str
    function: FunctionType


def rewritings(function: FunctionType, names: Sequence[str]) -> Iterator[Rewriting]:
    """The functions that differ from this one by one mistake in the source; none where the source cannot be read.

    `names` are the arguments that can be mistaken for each other. Factors, terms and signs are dropped, operators,
    comparisons and functions exchanged, constants changed. Closures and defaults are those of the function.

    >>> def gradient(x):
    ...     return 2 * x
    >>> for rewriting in rewritings(gradient, ["x"]):
    ...     print(rewriting.name)
    line 2, a factor is dropped: return 2 * x -> return x
    line 2, a factor is dropped: return 2 * x -> return 2
    line 2, * is mistaken for /: return 2 * x -> return 2 / x
    line 2, 2 is mistaken for 1: return 2 * x -> return 1 * x
    """
    tree = _definition(function)
    if tree is None:
        return
    for node, shown in _places(tree):
        for what, other in _alternatives(node, names):
            changed = {id(node): other if hasattr(other, "lineno") else ast.copy_location(other, node)}
            before, after = [" ".join(ast.unparse(x).split()) for x in (shown, copy.deepcopy(shown, dict(changed)))]
            line = "" if isinstance(tree, ast.Lambda) else f"line {getattr(node, 'lineno', '?')}, "
            mutant = _compiled(copy.deepcopy(tree, changed), function)
            yield Rewriting(f"{line}{what}: {before} -> {after}", mutant)


def _alternatives(node: ast.AST, names: Sequence[str]) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in the place of one part of the tree, by mistake."""
    match node:
        case ast.BinOp(left, op, right):
            if type(op) in (ast.Mult, ast.MatMult):
                yield "a factor is dropped", right
                yield "a factor is dropped", left
            elif type(op) is ast.Div:
                yield "the divisor is dropped", left
            elif type(op) in (ast.Add, ast.Sub):
                yield "a term is dropped", right
                yield "a term is dropped", left
            if other := OPERATORS.get(type(op)):
                what = f"{SIGNS[type(op)]} is mistaken for {SIGNS[type(other)]}"
                yield what, ast.BinOp(left, other, right)
            elif type(op) is ast.MatMult:
                yield "the factors are exchanged", ast.BinOp(right, op, left)
        case ast.AugAssign(target, op, value):
            if other := OPERATORS.get(type(op)):
                what = f"{SIGNS[type(op)]}= is mistaken for {SIGNS[type(other)]}="
                yield what, ast.AugAssign(target, other, value)
                yield "what was there before is forgotten", ast.Assign([target], value)
        case ast.UnaryOp(ast.USub(), operand):
            yield "a minus sign is dropped", operand
        case ast.Compare(left, [op], right) if type(op) in COMPARISONS:
            yield "the comparison is turned round", ast.Compare(left, [COMPARISONS[type(op)]], right)
        case ast.Attribute(value, "T"):
            yield "the transpose is forgotten", value
        case ast.Attribute(value, name, ctx) if name in OTHER_FUNCTIONS:
            other_name = OTHER_FUNCTIONS[name]
            yield f"{name} is mistaken for {other_name}", ast.Attribute(value, other_name, ctx)
        case ast.Call(ast.Attribute(_, "divide" | "multiply"), [left, _]):
            yield "a factor is dropped", left
        case ast.Constant(bool()):
            pass
        case ast.Constant(int() | float() as number):
            other_number = number - 1 if number > 1 else number + 1
            yield f"{number} is mistaken for {other_number}", ast.Constant(other_number)
        case ast.Name(name, ast.Load()) if name in names:
            for other_name in names:
                if other_name != name:
                    yield f"{name} is mistaken for {other_name}", ast.Name(other_name, ast.Load())


def _places(tree: ast.Lambda | ast.FunctionDef) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Every part of a body, with the statement or expression that shows it to a reader."""
    body = [tree.body] if isinstance(tree, ast.Lambda) else tree.body
    unread: list[tuple[ast.AST, ast.AST | None]] = [(part, None) for part in body[::-1]]
    while unread:
        node, shown = unread.pop()
        if isinstance(node, LEFT_ALONE):
            continue
        if shown is None and (isinstance(node, ast.expr) or not hasattr(node, "body")):
            shown = node
        if shown is not None:
            yield node, shown
        unread += [(child, shown) for child in list(ast.iter_child_nodes(node))[::-1]]


def _definition(function: FunctionType) -> ast.Lambda | ast.FunctionDef | None:
    """The syntax tree of the lambda or `def` that made a function, without what is evaluated outside its body."""
    code = function.__code__
    try:
        lines, _ = inspect.findsource(code)
        module = ast.parse("".join(lines))
    except (OSError, SyntaxError):
        return None
    spans = {(start, end, left, right) for start, end, left, right in code.co_positions() if end is not None}
    for node in ast.walk(module):
        if not isinstance(node, ast.Lambda | ast.FunctionDef) or _names(node) != _argument_names(code):
            continue
        if isinstance(node, ast.Lambda):
            body = node.body
            found = (body.lineno, body.end_lineno, body.col_offset, body.end_col_offset) in spans
        else:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found = node.name == code.co_name and first == code.co_firstlineno
        if found:
            return _bare(copy.deepcopy(node))
    return None


def _names(node: ast.Lambda | ast.FunctionDef) -> list[str]:
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [one.arg for one in every if one is not None]


def _argument_names(code: Any) -> list[str]:
    stars = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + stars])


def _bare(node: Any) -> Any:
    """A definition without decorators and annotations; the defaults only keep their places."""
    given = node.args
    for one in [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]:
        if one is not None:
            one.annotation = None
    given.defaults = [ast.Constant(None) for _ in given.defaults]
    given.kw_defaults = [default and ast.Constant(None) for default in given.kw_defaults]
    if isinstance(node, ast.FunctionDef):
        node.decorator_list, node.returns = [], None
        node.name = "_mutant"  # its own name is the function itself, wherever it is called from
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return node


def _compiled(tree: Any, function: FunctionType) -> FunctionType:
    """A function made of a tree, with the globals, the closure and the defaults of another."""
    code = function.__code__
    module = ast.parse(f"def make({', '.join(code.co_freevars)}): return _mutant")
    (make,) = module.body
    assert isinstance(make, ast.FunctionDef)
    make.body = [ast.Return(tree)] if isinstance(tree, ast.Lambda) else [tree, *make.body]
    namespace: dict[str, Any] = {}
    exec(compile(ast.fix_missing_locations(module), code.co_filename, "exec", dont_inherit=True), namespace)
    made = namespace["make"](*[None] * len(code.co_freevars))
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    closure = tuple([cells[name] for name in made.__code__.co_freevars])
    mutant = FunctionType(
        made.__code__, function.__globals__, function.__name__, function.__defaults__, closure or None
    )
    mutant.__kwdefaults__ = function.__kwdefaults__
    return mutant
