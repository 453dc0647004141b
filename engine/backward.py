"""The chain rule: one sweep over the graph, from the outputs back to the leaves.

The sweep runs every rule once per edge and adds what arrives at a node. It undoes broadcasting and changes of dtype
in one place, and keeps the promise that entries which a selection (`where`, `maximum`, `relu`, ...) did not take
send back an exact zero, however infinite the derivatives behind them are.

Run on raw data it gives numbers; run on the nodes themselves, in the table's own namespace, it records a graph of
the gradient, which can be swept again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import nullcontext
from contextvars import Context
from typing import Any

import numpy as np

from . import primitives as table
from . import scalars
from .errors import GraphError, PrimitiveError, ShapeError
from .functions import NAMESPACE
from .graph import Node, describe, recording, recording_on, topological_order, watching
from .row import as_array, constant, pick, picks


@np.errstate(all="ignore")
def backward(output: Node, gradient: Any = None, *, retain_interior: bool = False) -> None:
    """Add the gradient of `output` to `.grad` of every leaf it depends on.

    `gradient` is what arrives at the output, of its shape; it may be left out where the output is one number.
    With `retain_interior=True` results along the way get a fresh `.grad` too.

    Raises GraphError when the output does not require grad or the data of a leaf changed since it was recorded,
    and ShapeError when the output is not one number and no gradient of its shape is given. Nothing is written then.

    >>> import engine
    >>> x = engine.Tensor([1.0, 2.0])
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.])
    """
    if not output._requires_grad:
        raise GraphError(
            f"backward() was called on {describe(output)}, which does not require grad. "
            "Nothing it was computed from requires grad, or it was computed under no_grad(). "
            "Make the leaves with requires_grad=True, outside no_grad()."
        )
    order = topological_order(output, differentiable=True)
    kept: dict[Node, Any] = dict.fromkeys(order) if retain_interior else {}
    adjoints, owned = sweep(order, {output: _seed(output, gradient)}, kept)
    grads = []
    for node in order:
        if node.inputs:
            break  # leaves stand first
        g = _result(adjoints.get(node), node, owned)
        grads.append(g if node.grad is None else _sum(node, g))
    for node, g in zip(order, grads):
        node.grad = g
    for node in order[len(grads) :]:
        if retain_interior and type(node._value) is not tuple:
            node.grad = _result(kept[node], node, ())
        elif node.grad is not None:
            node.grad = None  # of an earlier sweep: stale


def _sum(node: Node, g: Any) -> Any:
    """The gradient that a leaf has already, and the new one."""
    if np.shape(node.grad) not in ((), np.shape(g)):
        raise ShapeError(
            f"The .grad of {describe(node)} has the shape {np.shape(node.grad)}. A gradient is to be added to it. "
            "Set node.grad = None, or to an array of the node's shape."
        )
    return _fit(as_array(node.grad) + g, node)


def gradients(output: Node, nodes: Sequence[Node], gradient: Any = None, *, create_graph: bool = False) -> list[Any]:
    """Return the gradient of `output` with respect to each of `nodes`, which may be leaves or results on the way.

    They are floats and arrays that touch no `.grad`; with `create_graph=True` they are nodes that can be
    differentiated again. A node that the output does not depend on has a gradient of zeros.

    Raises GraphError for a node that does not require grad, and as `backward` does.

    >>> import engine
    >>> x = engine.Value(3.0)
    >>> y = x * x
    >>> engine.gradients(y * y, [x, y])
    [108.0, 18.0]
    """
    if isinstance(nodes, Node):
        raise GraphError(
            f"gradients() was given {describe(nodes)} where a list of nodes belongs. It returns one gradient for each. "
            "Write gradients(output, [x])[0] for a single one."
        )
    if not isinstance(output, Node):
        raise GraphError(
            f"gradients() was given {output!r} of type {type(output).__name__} to differentiate. "
            "Only a node knows what it was computed from. Give one Value or Tensor as its first argument."
        )
    nodes = list(nodes)  # a generator can be read only once
    for node in nodes:
        if not isinstance(node, Node) or not node._requires_grad:
            what = describe(node) if isinstance(node, Node) else repr(node)
            raise GraphError(
                f"The gradient with respect to {what} was asked for, and it does not require grad. "
                "It is a constant, holds integers or booleans, or was made with requires_grad=False. "
                "Make it a Value or a floating-point Tensor with requires_grad=True."
            )
    return pull_back({output: _seed(output, gradient, create_graph)}, nodes, create_graph)


@np.errstate(all="ignore")
def pull_back(
    seeds: dict[Node, Any], nodes: Sequence[Node], create_graph: bool = False, alive: dict[Node, Any] | None = None
) -> list[Any]:
    """Return what `seeds`, gradients arriving at several outputs, come to at each of `nodes`; `alive` as in sweep."""
    seeds = {output: _fit(g, output) for output, g in seeds.items() if output._requires_grad}
    order = topological_order(*seeds, differentiable=True)
    useful = set(nodes)
    for node in order:
        if node not in useful and not useful.isdisjoint(node.inputs):
            useful.add(node)
    kept: dict[Node, Any] = dict.fromkeys(nodes)
    with recording_on() if create_graph else nullcontext():
        adjoints, owned = sweep([node for node in order if node in useful], seeds, kept, useful, create_graph, alive)
    results = [kept[node] if node.inputs else adjoints.get(node) for node in nodes]
    if len(set(nodes)) < len(nodes):
        owned = set()  # the same node twice gets two arrays
    return [_result(g, node, owned, create_graph) for g, node in zip(results, nodes, strict=True)]


def _seed(output: Node, gradient: Any, create_graph: bool = False) -> Any:
    """Check the gradient that arrives at an output, and give it the output's shape and dtype."""
    shape = np.shape(output._value)
    if gradient is None:
        if shape:
            raise ShapeError(
                f"A gradient was asked of {describe(output)}, and only one number has a gradient by itself. "
                f"It was made by {output.op.name if output.op else 'a constructor'!r}. "
                "Reduce it first, as in output.sum().backward(), or give the gradient that arrives at it, of its shape."
            )
        one = 1.0 if type(output._value) is float else np.array(1.0, output._value.dtype)
        return constant(one, np) if create_graph else one
    data = gradient._value if isinstance(gradient, Node) else as_array(gradient)
    if np.shape(data) != shape:
        raise ShapeError(
            f"A gradient of shape {np.shape(data)} was given for {describe(output)}. "
            f"It arrives at the result of {output.op.name if output.op else 'a constructor'!r}. "
            f"Give a gradient of shape {shape}."
        )
    return _fit(gradient if isinstance(gradient, Node) and create_graph else data, output)


def sweep(
    order: Sequence[Node],
    seeds: dict[Node, Any],
    kept: dict[Node, Any],
    useful: Container[Node] | None = None,
    create_graph: bool = False,
    alive: dict[Node, Any] | None = None,
) -> tuple[dict[Node, Any], set[Node]]:
    """Run the rules from the last node of `order` to the first.

    Returns what arrives at the nodes that `order` does not run, such as leaves, and those of them for which it is an
    array of its own. What arrives at the results among `kept` is put there. Only edges to `useful` nodes are
    followed, if given. `alive` holds, beside a seed with structural zeros, an array that is 0 at those; what the
    sweep finds out of this kind about the nodes it did not run is there afterwards.
    """
    watch = recording().watch
    if watch is not None and recording().swept is None:
        with watching(watch, order):
            return sweep(order, seeds, kept, useful, create_graph, alive)
    adjoints = dict(seeds)
    if alive is None:
        alive = {}
    owned: set[Node] = set()  # whose adjoint is an array made here, so that it may be added to in place
    for node in reversed(order):
        inputs = node.inputs
        if not inputs:
            continue
        g = adjoints.pop(node, None)
        if g is None:
            continue
        if node in kept:
            kept[node] = g
        op, out, number, data = node.op, node._value, node.number, []
        if op is PICK:
            _gather(adjoints, alive, node, g)
            continue
        for x in inputs:
            if x.number > number:
                raise stale(x, node)
            data.append(x._value)
        xp: Any = scalars if type(out) is float else np
        life = alive.pop(node, None) if alive else None
        if type(out) is tuple:
            g, life = _together(node, g, life)
        if create_graph:
            xp, data = NAMESPACE, [_operand(x) for x in inputs]
            out = picks(node) if type(out) is tuple else node
        params = node.params
        chosen, product = op.kind == "selection", op.kind == "contraction" and op.ours
        for x, rule in zip(inputs, op.rules if not op.variadic else op.rules_for(inputs)):
            if not x._requires_grad or rule is None or (useful is not None and x not in useful):
                continue
            c = rule(xp, g, out, *data) if params is None else rule(xp, g, out, *data, **params)
            x_life = None
            if chosen or life is not None:
                c, x_life = _protect(rule, xp, g, c, life, node, x, out, data)
                if c is None:
                    if watch is not None:
                        watch.backward(node, x, g, 0.0)
                    continue
            wanted = x._value
            if type(wanted) is float:
                if type(c) is not float:
                    c = _fit(c, x)
            elif type(c) is not ARRAY or c.shape != wanted.shape or c.dtype is not wanted.dtype:
                c = _fit(c, x)
            if watch is not None:
                watch.backward(node, x, g, c)
            if x not in adjoints:
                adjoints[x] = c
                if product and type(c) is ARRAY and c.base is None:
                    owned.add(x)  # a product is a new array
                if x_life is not None:
                    alive[x] = x_life
                continue
            if x in owned and type(c) is ARRAY:
                adjoints[x] += c
            else:
                total = adjoints[x] = adjoints[x] + c
                if type(total) is np.ndarray:
                    owned.add(x)
                else:
                    owned.discard(x)
            if x in alive:
                if x_life is None:
                    del alive[x]
                else:
                    alive[x] = alive[x] + x_life
    return adjoints, owned


PICK = pick.primitive
ARRAY = np.ndarray


def _gather(adjoints: dict[Node, Any], alive: dict[Node, Any], node: Node, g: Any) -> None:
    """Put the gradient of one of several results into its place, and what is alive of it."""
    (several,) = node.inputs
    index = (node.params or {})["index"]
    parts = adjoints.setdefault(several, [None] * len(several._value))
    lives = alive.setdefault(several, {})
    life = alive.pop(node, None)
    if parts[index] is None:
        parts[index] = g
        if life is not None:
            lives[index] = life
    else:
        parts[index] = parts[index] + g
        if index in lives:
            lives[index] = None if life is None else lives[index] + life


def _together(several: Node, parts: list[Any], lives: Any) -> tuple[Any, Any]:
    """The gradients of several results as one tuple, and what is alive of them unless all is."""
    if not lives and not any(part is None for part in parts):
        return tuple(parts), None
    life = []
    for index, (out, part) in enumerate(zip(several._value, parts, strict=True)):
        whole = 1.0 if type(out) is float else np.ones_like(out)
        if part is None:
            parts[index] = 0.0 * whole
            life.append(0.0 * whole)
        else:
            life.append(whole if lives.get(index) is None else lives[index])
    return tuple(parts), tuple(life)


def _operand(x: Node) -> Any:
    """What a recorded rule gets for an input: the node, or a plain number that was written as one."""
    return x._value if x.number == 0 and type(x._value) in (int, float) else x


def _fit(g: Any, x: Node) -> Any:
    """Undo broadcasting and changes of dtype: give a contribution, raw or recorded, the shape and dtype of x."""
    data = x._value
    if g is None:
        raise PrimitiveError(
            f"A rule returned None as the gradient of {describe(x)}. "
            "The input requires grad, and its gradient would silently be lost. "
            "Return the gradient, or declare the input with name=None if there is no derivative."
        )
    if type(data) is float:
        if isinstance(g, Node):
            return g if type(g._value) is float else table.values(table.sum(g))[0]
        return float(np.sum(g))
    if isinstance(g, Node):
        if type(g._value) is float:
            g = table.reshape(table.stack([g]), ())  # a Value arriving at a Tensor
    elif type(g) is not np.ndarray:
        g = np.asarray(g)
    if g.shape != data.shape:
        g = _unbroadcast(g, data.shape, x)
    return g if g.dtype == data.dtype else g.astype(data.dtype)


def _unbroadcast(g: Any, shape: tuple[int, ...], x: Node) -> Any:
    """Sum over the axes along which an input of this shape was repeated."""
    added = len(g.shape) - len(shape)
    if added > 0:
        axes = 0 if added == 1 else tuple(range(added))
        g = np.add.reduce(g, axes) if type(g) is np.ndarray else g.sum(axis=axes)
    if g.shape == shape:
        return g
    try:
        if added < 0 or not g.shape:
            return table.broadcast_to(g, shape)
        axes = tuple([i for i, (n, m) in enumerate(zip(shape, g.shape, strict=True)) if n != m])
        return g.sum(axis=axes).reshape(shape)
    except ValueError as error:
        raise PrimitiveError(
            f"A rule returned a gradient of shape {g.shape} for {describe(x)}. "
            "It must have the shape of the input, or of the result that the input was broadcast to. "
            "Check the rule with engine.testing.check_gradients."
        ) from error


def _protect(
    rule: Any, xp: Any, g: Any, c: Any, life: Any, node: Node, x: Node, out: Any, data: list[Any]
) -> tuple[Any, Any]:
    """Keep structural zeros exact: which entries of x are alive, and the contribution with zeros at the others.

    An entry is dead when every way from it to the output leads through a selection that did not take it. Its
    gradient is 0, and an infinite local derivative must not turn 0 into NaN. Selections say which entries they took
    by their own rule, run on ones; shapes and indexing carry that along by their rules, because they are linear.
    """
    op, params = node.op, node.params or {}
    ends = x.op is None or x.op.kind == "contraction"  # which mixes entries: nobody asks what is alive behind it
    if op.kind in ("selection", "shape", "indexing"):
        if ends:
            return c, None
        if life is None:
            life = 1.0 if type(node._value) is float else np.ones(node._value.shape, node._value.dtype)
        x_life = rule(xp, life, out, *data, **params)
    elif op.kind in ("elementwise", "reduction", "identity"):
        x_life = _spread(xp, life, x, **params) if op.kind == "reduction" else life
        if type(x_life) is np.ndarray and x_life.all():
            return c, None
        if c is not g and op.kind != "identity":
            c = xp.where(xp.equal(x_life, 0), 0.0, c)
    else:
        return c, None
    if ends:
        return c, None
    x_life = _fit(x_life, x)
    if not isinstance(x_life, Node):
        if not np.any(x_life):
            return None, None  # nothing flows back along this edge
        if np.all(x_life):
            x_life = None
    return c, x_life


def _spread(xp: Any, life: Any, x: Node, axis: Any, keepdims: bool = False, **params: Any) -> Any:
    """Every entry that goes into a living result is alive."""
    if type(x._value) is float:
        return life
    if life.shape == x._value.shape:  # softmax and its kind
        life, keepdims = xp.sum(life, axis=axis, keepdims=True), True
    return table.sum.primitive.rules[0](xp, life, None, x._value, axis, keepdims)


def _result(g: Any, node: Node, owned: Container[Node], create_graph: bool = False) -> Any:
    """The gradient of one node as it leaves the sweep: zeros where nothing arrived, and memory of its own."""
    if g is None:
        g = 0.0 if type(node._value) is float else np.zeros_like(node._value)
    if create_graph:
        return g if isinstance(g, Node) else constant(g, np)
    if type(g) is float or (node in owned and not node.inputs):
        return g
    return np.array(g)  # rules may hand on one array to several inputs, or a view


def stale(x: Node, node: Node) -> GraphError:
    """The error for a leaf whose data changed after a node was computed from it."""
    return GraphError(
        f"The data of {describe(x)} were changed after {describe(node)} was computed from it by {node.op.name!r}. "
        "The derivatives of the recorded graph belong to the old data. "
        "Run the computation again before backward(), or change the data afterwards."
    )


# For the readers of a graph, who differentiate it beside the user.


def by_itself(function: Callable[..., Any], *args: Any, **settings: Any) -> Any:
    """Call a function as if nothing stood around it, and in silence."""
    # In the caller's context anomaly detection would take what a reader tries out for what the user computes, a capture
    # would record it, and NumPy would warn or raise where NaN is an answer.
    return Context().run(_silently, function, args, settings)


@np.errstate(all="ignore")
def _silently(function: Callable[..., Any], args: tuple, settings: dict[str, Any]) -> Any:
    return function(*args, **settings)


def local_slope(node: Node, position: int, values: Mapping[Node, Any] | None = None, xp: Any = None) -> Any:
    """Return the derivative of a step by its input at `position` as numbers: what its rule makes of ones.

    Of a row that works entry by entry it has the shape of the result; of a selection from other places, and of a result
    that is one number, that of the input. None stands for all others, where it is a whole matrix.
    `values` and the namespace `xp` they are computed in take the place of the data that were recorded.

    >>> import engine
    >>> x = engine.Tensor([3.0, 4.0])
    >>> local_slope(x * x, 0), local_slope(engine.norm(x), 0), local_slope(engine.softmax(x), 0)
    (array([3., 4.]), array([0.6, 0.8]), None)
    """
    op, x = node.op, node.inputs[position]
    out, *data = [each._value if values is None else values[each] for each in (node, *node.inputs)]
    if tuple in (type(out), type(data[position])):
        return None
    if op.kind == "identity":  # a hook is the user's, and called by the user's own sweeps only
        return np.ones(np.shape(out)) if np.ndim(out) else 1.0
    if not (op.entrywise or op.kind == "selection" or np.size(out) == 1):
        return None
    one = np.ones_like(out) if isinstance(out, np.ndarray) else 1.0
    space = xp or (scalars if type(out) is float else np)
    slope = by_itself(op.rules_for(node.inputs)[position], space, one, out, *data, **(node.params or {}))
    if op.entrywise:
        slope = np.broadcast_to(slope, np.shape(out))
    else:
        slope = _unbroadcast(np.asarray(slope), np.shape(data[position]), x)
    return slope if slope.ndim else slope.item()
