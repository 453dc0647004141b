"""The primitive: what one operation computes, and one rule per input for its derivative."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import scalars
from .errors import DataError, DomainError, EngineError, IndexingError, PrimitiveError, ShapeError, UnsupportedError
from .graph import Node, describe, next_number, recording

# The two classes of nodes stand higher in the import order; value.py and tensor.py put them here.
Value: type[Node] = Node
Tensor: type[Node] = Node

Rule = Callable[..., Any]

# Named once: a union written inside isinstance is built anew at every call.
NUMBERS = (bool, int, float)
LISTS = (list, tuple)
PLAIN = (float, int)
ARRAYS = (np.ndarray, list, tuple)
ARRAY_RESULTS = (np.ndarray, np.generic)

KINDS = {
    "general": "nothing is assumed about which entries of the result depend on which of the inputs",
    "elementwise": "each entry of the result comes from the same entry of each input, after broadcasting",
    "selection": "each entry of the result is an entry of one input; the others send back exact zeros",
    "reduction": "each entry of the result comes from one slice along `axis`",
    "shape": "the entries of the inputs in another shape or order",
    "indexing": "some entries of the inputs, in another order",
    "contraction": "sums of products along an axis that two inputs share",
    "comparison": "a result without a derivative",
    "random": "a draw from a generator",
    "identity": "the input itself",
}


@dataclass(slots=True, eq=False, repr=False)
class Primitive:
    """One row of the table: a forward, one rule per input, and what readers and tests need to know about it."""

    name: str
    kind: str
    forward: Callable[..., Any]  # forward(xp, *inputs, **params)
    rules: tuple[Rule | None, ...]  # rule(xp, g, out, *inputs, **params), or None where there is no derivative
    ours: bool  # whether it stands in the table, or is a user's own
    partial: bool  # whether some input has no rule
    inputs: tuple[str, ...]
    variadic: bool  # whether the last rule serves any number of inputs
    params: tuple[str, ...]
    defaults: dict[str, Any]  # of the params that a call may leave out
    analytic: bool  # whether the forward may be evaluated at complex data
    domain: dict[str, tuple[float, float]]  # the open interval that tests draw an input from
    kinks: Callable[..., Any] | None  # a function of the inputs that is zero where there is no derivative
    latex: str | None
    derivatives: dict[str, str]  # the local derivative by an input in Python, where f'(x) would not do
    call: Any = None  # the public function

    def __repr__(self) -> str:
        return f"<primitive {self.name}({', '.join(self.inputs)})>"

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.call, "primitive")  # by the qualified name of the public function

    @property
    def entrywise(self) -> bool:
        """Whether each entry of the result comes from the same entry of each input, after broadcasting."""
        elsewhere = {"axis", "key"} & set(self.params)  # of a selection: an entry that stands in another place
        return self.kind in ("elementwise", "identity") or (self.kind == "selection" and not elsewhere)

    def rules_for(self, inputs: Sequence[Any]) -> tuple[Rule | None, ...]:
        """One rule for each of the inputs; the rule of a variadic input learns the position."""
        if not self.variadic:
            return self.rules
        first, last = self.rules[:-1], self.rules[-1]
        many = range(len(inputs) - len(first))
        return (*first, *(last and functools.partial(last, position=position) for position in many))


def primitive(
    *,
    kind: str = "general",
    domain: Mapping[str, tuple[float, float]] | None = None,
    kinks: Callable[..., Any] | None = None,
    analytic: bool = False,
    latex: str | None = None,
    derivatives: Mapping[str, str] | None = None,
    **rules: Rule | None,
) -> Callable[[Callable[..., Any]], Any]:
    """Declare a primitive: decorate its forward and give one rule for each input, by name.

    The forward gets the namespace `xp` to compute in, then its inputs; keyword-only parameters are settings.
    A rule gets `xp`, the gradient `g` arriving from the output, the result `out`, then the inputs and settings,
    and returns the gradient of the input it is named after; None says that there is no derivative.
    Broadcasting and changes of dtype are undone by the sweep: no rule mentions them.
    A rule that is to be differentiated again must use functions that record: those of `xp`, or of `engine`.

    `kind`, one of KINDS, says how entries depend on each other; one that says more than "general" lets the exact zeros
    of `where` and other selections pass through the row. `domain` names the interval that tests draw an input from,
    `kinks` is a function of the inputs and settings that is zero where there is no derivative, `analytic` allows the
    complex step, `latex` and `derivatives` (the local derivative by each input) are for people.

    A forward that returns a tuple has several outputs, and `g` and `out` are tuples then. A forward with `*inputs`
    has one rule, which also receives the `position` of the input.

    Raises PrimitiveError when a rule is missing, or named after something that is not an input.

    >>> import engine
    >>> @engine.primitive(x=lambda xp, g, out, x: g * 3 * x**2)
    ... def cube(xp, x):
    ...     return x * x * x
    >>> x = engine.Value(2.0)
    >>> cube(x).backward()
    >>> x.grad
    12.0
    """
    if kind not in KINDS:
        raise PrimitiveError(
            f"A primitive was declared with kind={kind!r}. The kinds are {', '.join(KINDS)}. Write one of them."
        )

    def declare(forward: Callable[..., Any]) -> Any:
        signature = inspect.signature(forward)
        given = list(signature.parameters.values())[1:]  # all but xp
        inputs = tuple([p.name for p in given if p.kind is not p.KEYWORD_ONLY])
        params = [p for p in given if p.kind is p.KEYWORD_ONLY]
        if set(rules) != set(inputs):
            raise PrimitiveError(
                f"The primitive {forward.__name__!r} has the inputs {inputs} and rules for {tuple(rules)}. "
                "Every input needs one rule under its own name. Write name=None where there is no derivative."
            )
        row = Primitive(
            name=forward.__name__,
            kind=kind,
            forward=forward,
            rules=tuple([rules[name] for name in inputs]),
            ours=forward.__module__.startswith(f"{__package__}."),
            partial=None in rules.values(),
            inputs=inputs,
            variadic=any(p.kind is p.VAR_POSITIONAL for p in given),
            params=tuple([p.name for p in params]),
            defaults={p.name: p.default for p in params if p.default is not p.empty},
            analytic=analytic,
            domain=dict(domain or {}),
            kinks=kinks,
            latex=latex,
            derivatives=dict(derivatives or {}),
        )
        row.call = functools.wraps(forward)(_caller(row))
        row.call.__signature__ = signature.replace(parameters=given)
        row.call.primitive = row
        return row.call

    return declare


def _caller(row: Primitive) -> Any:
    """Build the public function of a row by its number of inputs, because making a node is the hot path."""
    forward, flows = row.forward, [rule is not None for rule in row.rules]
    arity = len(row.inputs)

    if arity == 1 and not row.params and not row.variadic:
        (flow,) = flows

        def unary(x: Any) -> Any:
            state = recording()
            if type(x) is Value and state.watch is None:
                try:
                    out = forward(scalars, x._value)
                except FAILURES as error:
                    raise _explained(row, (x._value,), None, error) from error
                if type(out) is float:
                    if state.on:
                        return make(Value, out, row, (x,), None, flow and x._requires_grad, state.origin)
                    return make(Value, out, None, (), None, False, None)
                return _finish(row, (x,), None, out, flow and x._requires_grad, scalars)
            return _apply(row, (x,), None)

        return unary

    if arity == 2 and not row.params and not row.variadic:
        x_flows, y_flows = flows

        def binary(x: Any, y: Any) -> Any:
            state = recording()
            if type(x) is Value and type(y) in PLAIN:
                y = number(y)
            elif type(y) is Value and type(x) in PLAIN:
                x = number(x)
            if type(x) is Value and type(y) is Value and state.watch is None:
                try:
                    out = forward(scalars, x._value, y._value)
                except FAILURES as error:
                    raise _explained(row, (x._value, y._value), None, error) from error
                requires_grad = (x_flows and x._requires_grad) or (y_flows and y._requires_grad)
                if type(out) is float:
                    if state.on:
                        return make(Value, out, row, (x, y), None, requires_grad, state.origin)
                    return make(Value, out, None, (), None, False, None)
                return _finish(row, (x, y), None, out, requires_grad, scalars)
            return _apply(row, (x, y), None)

        return binary

    defaults, count = row.defaults, len(row.params)

    def general(*inputs: Any, **params: Any) -> Any:
        settings = {**defaults, **params} if count else params
        for name, value in params.items():
            if isinstance(value, Node) and name in row.params:
                raise _node_as_setting(row, value)
        if row.variadic:
            if arity == 1 and inputs and (len(inputs) == 1 or isinstance(inputs[0], LISTS)):
                # stack([x, y], 1) as in NumPy, beside stack(x, y, axis=1)
                _, settings = _sorted_arguments(row, inputs, params)
                inputs = tuple(inputs[0])
            elif len(settings) != count:
                _sorted_arguments(row, inputs[:arity], params)
        elif len(inputs) != arity or len(settings) != count:
            inputs, settings = _sorted_arguments(row, inputs, params)
        return _apply(row, inputs, settings or None)

    return general


def _sorted_arguments(row: Primitive, given: tuple, named: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Tell inputs from settings where NumPy's users mix them, as in `sum(x, 0)` or `clip(x, low=0, high=1)`."""
    names = row.inputs + row.params
    values = {**row.defaults, **dict(zip(names, given, strict=False)), **named}
    unknown = [name for name in named if name not in names or name in names[: len(given)]]
    missing = [name for name in names if name not in values]
    if unknown or missing or len(given) > len(names):
        problem = f"without {missing}" if missing else f"with {unknown or f'{len(given)} arguments'}"
        raise UnsupportedError(
            f"{row.name!r} was called {problem}. Its signature is {row.name}{inspect.signature(row.call)}. "
            "Write its inputs in this order and its settings by name."
        )
    inputs = tuple([values.pop(name) for name in row.inputs])
    for value in values.values():
        if isinstance(value, Node):
            raise _node_as_setting(row, value)
    return inputs, values


def _node_as_setting(row: Primitive, node: Node) -> UnsupportedError:
    return UnsupportedError(
        f"{row.name!r} was given {describe(node)} for one of its settings {row.params}. "
        f"Its signature is {row.name}{inspect.signature(row.call)}. "
        "Settings are plain numbers and tuples; engine.maximum, engine.minimum and engine.add take two nodes."
    )


def _apply(row: Primitive, inputs: tuple, params: dict[str, Any] | None) -> Any:
    """Compute a row on any mixture of nodes, numbers and arrays; record it when an input is a node."""
    xp: Any = scalars
    raw, requires_grad, data = 0, False, []
    for x in inputs:
        if type(x) is Tensor:
            xp = np
        elif not isinstance(x, Node):
            raw += 1
            if isinstance(x, ARRAYS):
                xp = np
                if type(x) is not np.ndarray:
                    x = as_array(x)
            data.append(x)
            continue
        elif isinstance(x, Tensor):
            xp = np
        data.append(x._value)
        if x._requires_grad:
            requires_grad = True
    if raw:
        if raw == len(inputs) and row.kind != "random":
            if xp is scalars and any(isinstance(x, np.generic) for x in data):
                xp = np  # what NumPy made of arrays stays NumPy's
            return compute(row, xp, data, params)
        inputs = tuple([x if isinstance(x, Node) else constant(x, xp) for x in inputs])
        data = [x._value for x in inputs]
    if requires_grad and row.partial:
        requires_grad = any(x._requires_grad and rule for x, rule in zip(inputs, row.rules_for(inputs)))
    out = compute(row, xp, data, params)
    state = recording()
    if type(out) is np.ndarray and xp is np and out.dtype.kind == "f" and state.on and state.watch is None:
        return make(Tensor, out, row, inputs, params, requires_grad, state.origin)  # the common case of _finish
    return _finish(row, inputs, params, out, requires_grad, xp)


def compute(row: Primitive, xp: Any, data: Sequence[Any], params: dict[str, Any] | None) -> Any:
    """Run a forward on raw data, silently; say which row and shapes an error comes from."""
    try:
        if xp is not np:
            return row.forward(xp, *data) if params is None else row.forward(xp, *data, **params)
        if not row.ours:
            with np.errstate(all="ignore"):
                return row.forward(xp, *data, **(params or {}))
        try:
            context = _silent.pop()
        except IndexError:
            context = _make_silent()
        try:
            if params is None:
                return context.run(row.forward, xp, *data)
            return context.run(row.forward, xp, *data, **params)
        finally:
            _silent.append(context)
    except FAILURES as error:
        raise _explained(row, data, params, error) from error


def _explained(row: Primitive, data: Sequence[Any], params: dict[str, Any] | None, error: Exception) -> EngineError:
    """Say with which shapes and settings a forward failed, and what it wants."""
    if isinstance(error, EngineError):
        return error
    reason = " ".join(str(error).split()).rstrip(".").replace(". ", "; ")
    shapes = " and ".join([str(np.shape(x)) for x in data])
    settings = "".join([f", {name}={value!r}" for name, value in (params or {}).items() if name != "key"])
    scope = recording().origin
    kind: type[EngineError] = UnsupportedError
    cure = f"Its signature is {row.name}{inspect.signature(row.call)}."
    if isinstance(error, IndexError) and not isinstance(error, ValueError):  # NumPy's AxisError is both
        kind, cure = IndexingError, "Give indices that lie inside the shape."
    elif isinstance(error, ValueError) and SHAPE_WORDS.search(reason):
        kind, cure = ShapeError, "Make the shapes fit first, for example with engine.reshape or engine.expand_dims."
    elif isinstance(error, ValueError | OverflowError):
        kind, cure = DomainError, "Give it numbers that NumPy would accept, for example after .astype(float)."
    return kind(
        f"{row.name!r} cannot be computed for shapes {shapes}{settings}: {reason}. "
        f"It was called as {row.name}({', '.join(row.inputs)}){f' in scope {scope!r}' if scope else ''}. {cure}"
    )


FAILURES = (ValueError, TypeError, IndexError, OverflowError, AttributeError)
SHAPE_WORDS = re.compile("shape|axis|axes|dim|broadcast|align|size|split")


# Contexts in which NumPy emits no floating-point warnings. To run a forward in one costs a tenth of a microsecond,
# numpy.errstate half of one, which small networks would feel. A context is taken out while it is in use, so that
# threads, and forwards that call other rows, never meet in one. A user's forward keeps the user's own context.
_silent: list[Context] = []


def _make_silent() -> Context:
    context = Context()
    context.run(np.seterr, all="ignore")
    return context


def _finish(row: Primitive, inputs: tuple, params: dict | None, out: Any, requires_grad: bool, xp: Any) -> Any:
    """Wrap a forward's result in a node of the right class, or in one node and its picks where there are several."""
    state = recording()
    if xp is np and isinstance(out, np.generic):
        out = np.asarray(out)
    if type(out) is np.ndarray and (xp is np or out.ndim):
        cls = Tensor
        if out.dtype.kind != "f":
            requires_grad = False
            if out.dtype.kind not in "iub":
                raise _bad_result(row, out)
    elif type(out) is float:
        cls = Value
    elif type(out) is tuple:
        if not state.on:
            return tuple([_finish(row, inputs, None, part, False, xp) for part in out])
        return picks(make(Node, out, row, inputs, params, requires_grad, state.origin))
    else:
        cls = Value
        out = plain_number(row, out, [x._value for x in inputs])
        if not isinstance(out, NUMBERS):
            raise _bad_result(row, out)
        requires_grad = requires_grad and type(out) is float
    if not state.on and state.watch is None:
        return make(cls, out, None, (), None, False, None)
    node = make(cls, out, row, inputs, params, requires_grad, state.origin)
    if state.watch is not None:
        state.watch.forward(node)
    return node if state.on else make(cls, out, None, (), None, False, None)


def _bad_result(row: Primitive, out: Any) -> PrimitiveError:
    kind = f"dtype {out.dtype}" if isinstance(out, np.ndarray) else f"type {type(out).__name__}"
    return PrimitiveError(
        f"The forward of {row.name!r} returned a result of {kind}. Nodes hold real numbers and arrays of them. "
        "Return a float, an ndarray of floats, integers or booleans, or a tuple of these."
    )


def plain_number(row: Primitive, out: Any, data: Sequence[Any]) -> Any:
    """Return what a forward made of numbers as a number; anything but a number of NumPy's is returned as it is."""
    if isinstance(out, ARRAY_RESULTS) and not out.ndim:
        out = out.item()
    if row.kind != "comparison" and isinstance(out, NUMBERS) and any(type(x) is float for x in data):
        return float(out)  # where(c, x, 1) of a float x
    return out


def picks(several: Node) -> tuple[Node, ...]:
    """The results of a node that has several, each a node of its own."""
    xp = np if any(isinstance(x, Tensor) for x in several.inputs) else scalars
    return tuple(
        [
            _finish(pick.primitive, (several,), {"index": index}, part, several._requires_grad, xp)
            for index, part in enumerate(several._value)
        ]
    )


def make(
    cls: type[Node],
    data: Any,
    op: Primitive | None,
    inputs: tuple,
    params: dict[str, Any] | None,
    requires_grad: bool,
    origin: str | None,
) -> Any:
    """Make the node of a result."""
    node = new(cls)
    node._value = data
    node.op = op
    node.inputs = inputs
    node.params = params
    node.grad = None
    node.label = None
    node._requires_grad = requires_grad
    node.number = next_number()
    node.origin = origin
    return node


new = object.__new__


def constant(x: Any, xp: Any) -> Node:
    """Make a raw number or array an input: a leaf that never requires grad, older than every other node."""
    if isinstance(x, np.generic):
        x = np.asarray(x) if xp is np else x.item()
    if isinstance(x, NUMBERS):
        return number(x)
    if not isinstance(x, ARRAYS):
        raise DataError(
            f"{x!r} of type {type(x).__name__} was given where a number, an array or a node is needed. "
            f"It is an input of an operation{f' in scope {origin!r}' if (origin := recording().origin) else ''}. "
            "Convert it first, for example with float(...) or numpy.asarray(...)."
        )
    node = make(Tensor, as_array(x), None, (), None, False, None)
    node.number = 0
    return node


def number(x: float) -> Any:
    """Make a raw number an input."""
    node = make(Value, x, None, (), None, False, None)
    node.number = 0
    return node


def as_array(data: Any) -> np.ndarray:
    """Turn numbers, arrays and nested lists of them into an array; raise DataError or ShapeError where that fails."""
    if type(data) is np.ndarray:
        check_dtype(data)
        return data
    if isinstance(data, np.ma.MaskedArray):
        raise DataError(
            f"A masked array of shape {data.shape} was given. The engine would forget which entries are masked. "
            "Fill them first with array.filled(0.0), or keep the mask for engine.where."
        )
    if isinstance(data, LISTS) and any(isinstance(x, Node) for x in data):
        raise DataError(
            f"A list holds {len(data)} entries, nodes among them. An array keeps their numbers and loses where they "
            "came from. Write engine.stack([...]) to join nodes."
        )
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ShapeError(
            f"A list of {len(data)} entries cannot become an array. Its rows have different lengths. "
            "Make all rows equally long, or keep one tensor for each row."
        ) from error
    check_dtype(array)
    return array


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an array or node; a number has none."""
    return getattr(x, "shape", ())


def floating(xp: Any, x: Any) -> Any:
    """Integers and booleans as floats, before arithmetic in which they would wrap around."""
    return x if getattr(x, "dtype", FLOAT).kind in "fcO" else xp.asarray(x, dtype=float)


FLOAT = np.dtype(float)


def check_dtype(array: np.ndarray) -> None:
    """Raise DataError unless the array holds real numbers or booleans."""
    if array.dtype.kind not in "fiub":
        what, cure = f"entries of dtype {array.dtype}", "Convert them to numbers first, for example with float(...)."
        if array.dtype.kind == "c":
            what, cure = "complex numbers", "Keep array.real and array.imag as two tensors."
        raise DataError(
            f"An array of shape {array.shape} with {what} was given. The engine holds real numbers and booleans only. "
            + cure
        )


@primitive(several=lambda xp, g, out, several, index: g, kind="identity", analytic=True)
def pick(xp: Any, several: tuple, *, index: int) -> Any:
    """One result of an operation that has several; the sweep gathers their gradients."""
    return several[index]
