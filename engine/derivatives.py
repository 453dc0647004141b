"""Derivatives of functions: grad, value_and_grad, vjp, jvp, jacobian, hessian and hvp, to any order.

Arguments may be numbers, arrays, nodes, and nested lists, tuples and dicts of them; what comes in comes out: numbers
give numbers, arrays arrays, and nodes give nodes that can be differentiated again.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from . import primitives as table
from .backward import pull_back
from .errors import DataError, ShapeError
from .graph import Node, describe, recording, recording_on, topological_order
from .row import as_array
from .structure import flatten
from .tensor import Tensor
from .value import Value

Function = Callable[..., Any]


def grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """Return the function that computes the gradient of f, whose result must be one number.

    The gradient is taken by the argument at position `argnums`, or by each of several, then as a tuple.
    Raises ShapeError when f returns anything but one number.

    >>> import engine
    >>> engine.grad(lambda x: x**3)(2.0)
    12.0
    >>> engine.grad(engine.grad(lambda x: x**3))(2.0)
    12.0
    """
    both = value_and_grad(f, argnums)

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def value_and_grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """Return the function that computes the value of f and its gradient, as `(value, gradient)`.

    >>> import engine
    >>> engine.value_and_grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 3.0)
    (6.0, (3.0, 2.0))
    """

    @functools.wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        run = _Run(f, args, kwargs, argnums)
        if len(run.outputs) != 1 or np.shape(_value(run.outputs[0])) != ():
            shapes = [np.shape(_value(y)) for y in run.outputs]
            raise ShapeError(
                f"The gradient of {_name(f)} was asked for, and its result has the shapes {shapes}. "
                "Only a function with one number as its result has a gradient. "
                "Reduce the result, for example with .sum(), or write engine.jacobian."
            )
        return run.value(), run.select(run.pull({run.outputs[0]: 1.0}))

    return value_and_gradient


def vjp(f: Function, *args: Any) -> tuple[Any, Function]:
    """Return f(*args) and the function that takes a gradient arriving at the result back to the arguments.

    That function takes the result's structure and returns a tuple, one entry for each argument.

    >>> import engine
    >>> value, pull = engine.vjp(lambda x, y: x * y, 2.0, 3.0)
    >>> value, pull(10.0)
    (6.0, (30.0, 20.0))
    """
    run = _Run(f, args, {}, range(len(args)))

    def pull(gradient: Any) -> tuple[Any, ...]:
        entries = _matching(gradient, run.outputs, "a gradient", f)
        return run.select(run.pull(dict(zip(run.outputs, entries, strict=True))))

    return run.value(), pull


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Return f(*primals) and its directional derivative along `tangents`, which have the structure of `primals`.

    It is the transpose of a transpose: vjp is linear in the gradient it is given, and its own vjp is jvp.

    >>> import engine
    >>> engine.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (6.0, 3.0)
    """
    _check_tuples(f, primals, tangents)
    run = _Run(f, tuple(primals), {}, range(len(primals)))
    directions = _matching(tuple(tangents), run.leaves, "a tangent", f)
    seeds = [_fresh(np.zeros_like(_value(y)) if np.ndim(_value(y)) else 0.0) for y in run.outputs]
    onward: dict[Node, Any] = {}
    with recording_on():
        live = dict(zip(run.outputs, seeds, strict=True))
        for g, direction in zip(pull_back(live, run.leaves, create_graph=True), directions, strict=True):
            if g._requires_grad:  # the same node may be the gradient of several arguments
                onward[g] = onward[g] + direction if g in onward else direction
    results = pull_back(onward, seeds, run.recorded or _any_node(directions))
    return run.value(), run.rebuild_outputs(results)


def jacobian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """Return the function that computes all partial derivatives of f, of shape result shape + argument shape.

    >>> import engine
    >>> engine.jacobian(lambda x: x * x)(np.array([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """

    @functools.wraps(f)
    def jacobian_of_f(*args: Any, **kwargs: Any) -> Any:
        run = _Run(f, args, kwargs, argnums)
        return run.rebuild_outputs([run.select(run.rows(k)) for k in range(len(run.outputs))])

    return jacobian_of_f


def hessian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """Return the function that computes the second derivatives of f, of shape argument shape + argument shape.

    >>> import engine
    >>> engine.hessian(lambda x: (x**3).sum())(np.array([1.0, 2.0])).tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, ...]:
    """Return the product of the Hessian of f at `primals` with `tangents`, a tuple like `primals`.

    It costs about two gradients; the Hessian itself is never formed.

    >>> import engine
    >>> engine.hvp(lambda x: (x**3).sum(), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    (array([ 6., 12.]),)
    """
    _check_tuples(f, primals, tangents)
    gradient = grad(f, tuple(range(len(primals))))
    _, pull = vjp(gradient, *primals)
    return pull(tuple(tangents))


class _Run:
    """One call of f with some arguments turned into leaves: what all derivatives start from."""

    def __init__(self, f: Function, args: tuple, kwargs: dict[str, Any], argnums: int | Sequence[int]) -> None:
        self.single = not isinstance(argnums, Sequence)
        chosen = _positions(argnums, len(args), f)
        given, self.rebuild = flatten([args[i] for i in chosen])
        outer = recording()
        with recording_on():
            self.leaves = [_fresh(x) for x in given]
            full = list(args)
            for i, argument in zip(chosen, self.rebuild(self.leaves), strict=True):
                full[i] = argument
            self.outputs, self.rebuild_outputs = flatten(f(*full, **kwargs))
            self.outputs = [y if isinstance(y, Node) else _constant(y, f) for y in self.outputs]
            for k, y in enumerate(self.outputs):
                if any(y is earlier for earlier in self.outputs[:k]):
                    self.outputs[k] = table.identity(y)  # each result is a place of its own
        self.on = outer.on
        self.recorded = any(isinstance(x, Node) for x in given) or (self.on and self._reaches_other_leaves())

    def _reaches_other_leaves(self) -> bool:
        own = set(self.leaves)
        order = topological_order(*[y for y in self.outputs if y._requires_grad], differentiable=True)
        return any(not node.inputs and node not in own for node in order)

    def value(self) -> Any:
        """The result of f, as nodes where the derivatives are nodes."""
        if not self.recorded:
            return self.rebuild_outputs([y._value for y in self.outputs])
        return self.rebuild_outputs([y if self.on else table.detach(y) for y in self.outputs])

    def pull(self, gradients: Mapping[Node, Any], alive: dict[Node, Any] | None = None) -> list[Any]:
        """The gradients arriving at outputs, taken back to the leaves."""
        results = pull_back(dict(gradients), self.leaves, self.recorded or _any_node(gradients.values()), alive)
        return results if self.on else [table.detach(g) if isinstance(g, Node) else g for g in results]

    def rows(self, k: int) -> list[Any]:
        """The Jacobian of output k by each leaf: one sweep for each entry of the output."""
        shape = np.shape(self.outputs[k]._value)
        sweeps = []
        for entry in np.ndindex(shape):
            one: Any = 1.0
            if shape:
                one = np.zeros(shape)
                one[entry] = 1.0
            row = self.pull({self.outputs[k]: one})
            if shape and any(np.isnan(_value(part)).any() for part in row):
                # The zeros of the seed are entries that are not asked for: an infinite derivative there is no NaN.
                row = self.pull({self.outputs[k]: one}, {self.outputs[k]: one})
            sweeps.append(row)
        if not shape:
            return sweeps[0]
        if not sweeps:  # a result without entries
            empty = [np.zeros(shape + np.shape(x._value), np.result_type(x._value)) for x in self.leaves]
            return [Tensor(array, requires_grad=False) for array in empty] if self.recorded else empty
        stack = table.stack if self.recorded else np.stack
        rows = [stack(list(column)) for column in zip(*sweeps, strict=True)]
        return [column.reshape(shape + np.shape(x._value)) for column, x in zip(rows, self.leaves, strict=True)]

    def select(self, gradients: list[Any]) -> Any:
        """Gradients of the leaves in the structure of the chosen arguments."""
        parts = self.rebuild(gradients)
        return parts[0] if self.single else tuple(parts)


def _positions(argnums: Any, count: int, f: Function) -> list[int]:
    """The positions of the arguments to differentiate by."""
    try:
        chosen = [operator.index(i) for i in (argnums if isinstance(argnums, Sequence) else [argnums])]
        places = [range(count)[i] for i in chosen]
    except (TypeError, IndexError):
        places = [0, 0]
    if len(set(places)) != len(places):
        raise DataError(
            f"argnums={argnums!r} was asked of {_name(f)}, which was called with {count} positional arguments. "
            "Positions are different integers that count from 0. "
            "Give the argument to differentiate by as a positional one, and name its position once."
        )
    return places


def _check_tuples(f: Function, *given: Any) -> None:
    for what in given:
        if not isinstance(what, list | tuple):
            raise DataError(
                f"The derivative of {_name(f)} in a direction was given {what!r} where a tuple belongs. "
                "Primals and tangents are tuples with one entry for each argument. Write jvp(f, (x,), (v,))."
            )


def _fresh(x: Any) -> Node:
    """A leaf for one argument, or a node of its own that leads back to the node given."""
    if isinstance(x, Node):
        if x._requires_grad:
            return table.identity(x)
        return (Value if type(x._value) is float else Tensor)(x._value, x.label, requires_grad=True)
    return Tensor(x, requires_grad=True) if isinstance(x, np.ndarray) else Value(x)


def _constant(y: Any, f: Function) -> Node:
    """A result of f that does not depend on its arguments."""
    if isinstance(y, np.ndarray):
        return Tensor(y, requires_grad=False)
    if isinstance(y, bool | int | float | np.generic):
        return Value(float(y), requires_grad=False)
    raise DataError(
        f"{_name(f)} returned {y!r} of type {type(y).__name__}. Derivatives are taken of numbers and arrays. "
        "Return nodes, numbers, arrays, or lists, tuples and dicts of them."
    )


def _matching(given: Any, nodes: Sequence[Node], what: str, f: Function) -> list[Any]:
    """The entries of a structure, checked against the nodes they belong to."""
    entries, _ = flatten(given)
    entries = [entry if isinstance(entry, Node) else as_array(entry) for entry in entries]
    if len(entries) != len(nodes):
        raise ShapeError(
            f"{len(entries)} entries were given where {what} needs {len(nodes)}. They belong to {_name(f)}. "
            "Give the same structure of numbers and arrays as its arguments or results have."
        )
    for entry, node in zip(entries, nodes, strict=True):
        if np.shape(_value(entry)) != np.shape(node._value):
            raise ShapeError(
                f"{what.capitalize()} of shape {np.shape(_value(entry))} was given for {describe(node)}. "
                f"It belongs to {_name(f)}. Give one of shape {np.shape(node._value)}."
            )
    return [entry if isinstance(entry, Node) or np.ndim(entry) else float(entry) for entry in entries]


def _any_node(given: Iterable[Any]) -> bool:
    return any(isinstance(x, Node) for x in given)


def _value(x: Any) -> Any:
    return x._value if isinstance(x, Node) else x


def _name(f: Function) -> str:
    return getattr(f, "__name__", repr(f))
