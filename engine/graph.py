"""The graph: what a node holds, the order of a graph, and whether the present code records one."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import Any

from .errors import DataError, GraphError

next_number = count(1).__next__


class Node:
    """One value of a computation: its data, and the operation and inputs it came from.

    A node is data, never a closure. Backward, evaluating, drawing and explaining are readers of it.
    """

    __slots__ = (
        "_value",
        "op",  # the Primitive that made it; None for a leaf
        "inputs",  # a tuple of nodes
        "params",  # the operation's keyword settings, or None
        "grad",  # what backward() left on a leaf: a float or an array, None when not computed
        "label",
        "_requires_grad",
        "number",  # the order of creation; a leaf gets a new one when its data change
        "origin",  # the scope it was made in, or None
        "__weakref__",
    )
    _value: Any
    op: Any
    inputs: tuple[Node, ...]
    params: dict[str, Any] | None
    grad: Any
    label: str | None
    _requires_grad: bool
    number: int
    origin: str | None

    __hash__ = object.__hash__  # subclasses define ==, elementwise; nodes are told apart by identity

    def _become_leaf(self, data: Any, label: str | None, requires_grad: bool) -> None:
        self._value = data
        self.op = None
        self.inputs = ()
        self.params = None
        self.grad = None
        self.label = label
        self._requires_grad = requires_grad
        self.number = next_number()
        self.origin = None

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient may flow to this node; can be set on a leaf that holds floats."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self.op is not None:
            raise GraphError(
                f"requires_grad was set on {describe(self)}, the result of {self.op.name!r}. "
                "Whether a result requires grad follows from its inputs. Set it on the leaf, or take node.detach()."
            )
        dtype = getattr(self._value, "dtype", type(self._value))
        if value and dtype is not float and getattr(dtype, "kind", "") != "f":
            raise DataError(
                f"Grad was to be required of {describe(self)}, which holds {dtype}. "
                "Only floating-point numbers have derivatives. Write Tensor(array.astype(float))."
            )
        self._requires_grad = bool(value)

    @property
    def data(self) -> Any:
        """The number or array this node holds; assigning to a leaf's data makes the graphs recorded before it stale."""
        if recording().capturing:
            raise GraphError(
                f"The data of {describe(self)} was read while a program is being captured. "
                "Its number belongs to this run only and would be frozen into every replay. "
                "Use engine.where, engine.greater and the other functions in place of Python's if and comparisons."
            )
        return self._value

    @data.setter
    def data(self, value: Any) -> None:
        if self.op is not None:
            raise GraphError(
                f"Data were assigned to {describe(self)}, the result of {self.op.name!r}. "
                "Only leaves hold data of their own; this one's follow from its inputs. "
                "Assign to the leaf it came from, or take a leaf of its own with node.detach()."
            )
        self._value = self._checked(value)
        self.number = next_number()

    def _checked(self, value: Any) -> Any:
        return value  # Value and Tensor say what may be assigned to them

    def __copy__(self) -> Node:
        return _restore(type(self), *self._fields(), self.number)

    def _fields(self) -> tuple[Any, ...]:
        own = getattr(self, "__dict__", None)  # what a subclass keeps
        fields = (self._value, self.op, self.inputs, self.params, self.grad, self.label)
        return own, *fields, self._requires_grad, self.origin

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickle and copy meet the inputs of a node before the node, one at a time, so that a chain of a million
        # nodes needs no recursion: the first node they meet hands over its whole graph in order.
        if any(self in nodes.members for reference in _handing_over.get() if (nodes := reference()) is not None):
            return _restore, (type(self), *self._fields(), self.number and 1)
        nodes = _InOrder(topological_order(self))
        younger = {x for node in nodes for x in node.inputs if x.number > node.number}  # leaves with newer data
        return _last, (nodes, _Done(nodes), [place for place, node in enumerate(nodes) if node in younger])


class _InOrder(list[Node]):
    """The nodes of a graph on their way into a pickle or a copy, inputs first."""

    __slots__ = ("__weakref__", "members")
    members: set[Node]

    def __reduce__(self) -> tuple[Any, ...]:
        self.members = set(self)
        _handing_over.set((*_still_alive(None), weakref.ref(self)))
        return list, (), None, iter(self)


class _Done:
    """Saved after the nodes, to say that they all are; if saving fails, the weak references say so."""

    def __init__(self, nodes: _InOrder) -> None:
        self.nodes = nodes

    def __reduce__(self) -> tuple[Any, ...]:
        self.nodes.members.clear()
        _handing_over.set(_still_alive(self.nodes))
        return bool, ()


_handing_over: ContextVar[tuple[weakref.ref[_InOrder], ...]] = ContextVar("handing over", default=())


def _still_alive(but: _InOrder | None) -> tuple[weakref.ref[_InOrder], ...]:
    return tuple([reference for reference in _handing_over.get() if reference() is not None and reference() is not but])


def _last(nodes: list[Node], done: bool, stale: list[int]) -> Node:
    for place in stale:
        nodes[place].number = next_number()
    return nodes[-1]


def _restore(cls: type[Node], own: Any, data: Any, op: Any, inputs: tuple, params: Any, *rest: Any) -> Node:
    node = cls.__new__(cls)
    if own:
        vars(node).update(own)
    node._value, node.op, node.inputs, node.params = data, op, inputs, params
    node.grad, node.label, node._requires_grad, node.origin, node.number = rest
    if node.number:  # raw constants keep the number 0
        node.number = next_number()
    return node


def topological_order(*outputs: Node, differentiable: bool = False) -> list[Node]:
    """Return the nodes that the outputs come from, inputs first: leaves, then results in the order they were made.

    With `differentiable=True` only edges that a gradient flows along are followed.

    >>> import engine
    >>> x = engine.Value(2.0, label="x")
    >>> [node.op.name if node.op else node.label for node in engine.topological_order(engine.sin(x) * x)]
    ['x', 'sin', 'multiply']
    """
    leaves: list[Node] = []
    results: list[Node] = []
    unread = list(dict.fromkeys(outputs))
    seen = set(unread)
    while unread:
        node = unread.pop()
        inputs: Sequence[Node] = node.inputs
        (results if inputs else leaves).append(node)
        if differentiable and inputs and node.op.partial:
            inputs = [x for x, rule in zip(inputs, node.op.rules_for(inputs)) if rule is not None]
        for x in inputs:
            if x not in seen and (x._requires_grad or not differentiable):
                seen.add(x)
                unread.append(x)
    # Creation order is a topological order. Leaves stand apart because new data give them a new number.
    leaves.sort(key=_number)
    results.sort(key=_number, reverse=True)  # nearly sorted already: it was found from the outputs backwards
    results.reverse()
    return leaves + results


_number = operator.attrgetter("number")


def differentiable_edges(node: Node) -> Iterator[tuple[int, Node]]:
    """The inputs that a gradient flows back to, each with its position.

    >>> import engine
    >>> x, y = engine.Value(2.0, label="x"), engine.Value(3.0, label="y")
    >>> [(position, each.label) for position, each in differentiable_edges(engine.where(x > 1, y, 0.0))]
    [(1, 'y')]
    """
    for position, (x, rule) in enumerate(zip(node.inputs, node.op.rules_for(node.inputs) if node.op else ())):
        if rule is not None and x._requires_grad:
            yield position, x


def describe(node: Node) -> str:
    """Name a node for a message: by its label or its class, and its shape."""
    name = repr(node.label) if node.label else f"a {type(node).__name__}"
    shape = getattr(node._value, "shape", ())
    return f"{name} of shape {shape}" if shape else name


class Recording:
    """What happens to results in the present code: whether they are recorded, and what their origin says."""

    __slots__ = ("capturing", "on", "origin", "scopes", "swept", "watch")

    def __init__(
        self,
        on: bool = True,
        origin: str | None = None,
        capturing: bool = False,
        watch: Any = None,
        swept: Sequence[Node] | None = None,
    ) -> None:
        self.on = on
        self.origin = origin
        self.capturing = capturing
        self.watch = watch  # anomaly detection: forward(node) of each new node, backward(node, x, g, c) of each edge
        self.swept = swept  # under a watch: what is being differentiated, so that rules and not the user compute
        self.scopes: dict[str, Recording] = {}

    def within(self, name: str) -> Recording:
        """The state inside the scope `name`; kept in `scopes`, because modules are called many times."""
        origin = f"{self.origin}/{name}" if self.origin else name
        if len(self.scopes) > 999:  # names such as "step 12345" come once
            self.scopes.clear()
        state = self.scopes[name] = self.replace(origin=origin)
        return state

    def replace(self, **changes: Any) -> Recording:
        """The same state with some fields changed."""
        fields = {name: getattr(self, name) for name in ("on", "origin", "capturing", "watch", "swept")}
        return Recording(**{**fields, **changes})


_ordinary = Recording()
_state: ContextVar[Recording] = ContextVar("recording", default=_ordinary)
recording = _state.get
"""The present recording state; every thread starts with an ordinary one."""


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording: results do not require grad, and in-place operators write into leaves.

    A context manager and a decorator.

    >>> import engine
    >>> w = engine.Value(1.0)
    >>> with engine.no_grad():
    ...     w -= 0.5
    >>> w
    Value(0.5)
    """
    before = recording()
    _state.set(before.replace(on=False))
    try:
        yield
    finally:
        _state.set(before)  # not reset(token): a generator may be closed in another context


@contextmanager
def recording_on() -> Iterator[None]:
    """Record, also inside no_grad(): derivatives of functions need the graph of one call."""
    before = recording()
    _state.set(before.replace(on=True))
    try:
        yield
    finally:
        _state.set(before)


@contextmanager
def watching(watch: Any, swept: Sequence[Node] | None = None) -> Iterator[None]:
    """Show `watch` every new node and every edge of a sweep, which runs over `swept`; nobody, if it is None."""
    before = recording()
    _state.set(before.replace(watch=watch, swept=swept))
    try:
        yield
    finally:
        _state.set(before)  # not reset(token): a generator may be closed in another context


class scope:
    """Name the part of a model that the nodes made inside belong to; scopes nest, as in `"encoder/linear"`.

    >>> import engine
    >>> with engine.scope("encoder"):
    ...     y = engine.Value(2.0) * 3
    >>> y.origin
    'encoder'
    """

    __slots__ = ("_before", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._before: Any = None  # a chain, because a scope may be entered inside itself

    def __enter__(self) -> None:
        before = recording()
        self._before = before, self._before
        _state.set(before.scopes.get(self.name) or before.within(self.name))

    def __exit__(self, *error: object) -> None:
        before, self._before = self._before
        _state.set(before)
