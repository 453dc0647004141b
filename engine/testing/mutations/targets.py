"""What is mutated: the rules of a primitive, or a Python function that computes a gradient.

A target knows how a mutant takes its place, so that everybody who calls it meets the mutant, and how it is put back;
which calls of it show whether a mutant computes anything else; and which mistakes can be made in it.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import FunctionType
from typing import Any

import numpy as np

from ...backward import pull_back
from ...errors import DataError, UnsupportedError
from ...graph import Node, recording_on
from ...row import Primitive, as_array
from ...structure import flatten
from ...tensor import Tensor
from ...value import Value
from ..layouts import fill, layouts
from .mistakes import COMPARE, Mistake, mistakes_in_gradient, mistakes_in_rule
from .rewriting import rewritings

Call = tuple[tuple[Any, ...], dict[str, Any]]
Probe = Callable[[], list[Any]]
Put = Callable[[Any], AbstractContextManager[None]]

ALIKE, MET = 2, 60
"""How many calls of one kind, and how many in all, are kept of those that the tests make."""


def target_of(given: Any, order: int = 1) -> Rules | Gradient:
    """Return what stands behind a primitive, its public function, or a function written in Python.

    Raises DataError for anything else.

    >>> import engine
    >>> target_of(engine.sin).name
    'sin'
    """
    row = given if isinstance(given, Primitive) else getattr(given, "primitive", None)
    if isinstance(row, Primitive) and any(row.rules):
        return Rules(row, order)
    if hasattr(given, "cache_clear"):
        raise DataError(
            f"mutate was given {given!r}, which remembers its results. Tests would meet what the right function "
            "returned, and notice no mistake. Give it the function without its cache, and tests that call that one."
        )
    function = inspect.unwrap(given) if callable(given) else given
    function = getattr(function, "__func__", function)
    if row is not None or not isinstance(function, FunctionType):
        raise DataError(
            f"mutate was given {given!r} of type {type(given).__name__}. "
            "It makes mistakes in the rules of primitives, and in gradients written in Python. "
            "Give it a primitive that has rules, or the function that computes the gradient: def gradient(x): ..."
        )
    return Gradient(function)


class Rules:
    """The rules of a primitive, which stand in its row."""

    def __init__(self, row: Primitive, order: int) -> None:
        self.row, self.name, self.order = row, row.name, order
        self.met = _Calls()

    @contextmanager
    def put(self, position: int, rule: Any) -> Iterator[None]:
        """Have another rule in the row."""
        rules = self.row.rules
        try:
            self.row.rules = (*rules[:position], rule, *rules[position + 1 :])
            yield
        finally:
            self.row.rules = rules

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Keep what the rules are called with."""
        rules = self.row.rules
        try:
            self.row.rules = tuple([rule and self._watching(rule) for rule in rules])
            yield
        finally:
            self.row.rules = rules

    def _watching(self, rule: Any) -> Any:
        def watching(xp: Any, g: Any, out: Any, *inputs: Any, **params: Any) -> Any:
            settings = {name: value for name, value in params.items() if name in self.row.params}
            self.met.add([x._value if isinstance(x, Node) else x for x in inputs], settings)
            return rule(xp, g, out, *inputs, **params)

        return watching

    def probes(self, inputs: Iterable[Sequence[Any]] | None) -> Iterator[Probe]:
        """Sweeps through the operation alone: the gradients of all its inputs."""
        if inputs is None:
            calls = list(self.met.calls)
            try:
                rng = np.random.default_rng(0)
                calls += [(tuple(fill(self.row, one, rng)), dict(one.params)) for one in layouts(self.row)]
            except UnsupportedError:
                calls += _negated(calls)
        else:
            calls = [(tuple(one), {}) for one in inputs]
        for data, params in calls:
            yield functools.partial(self._gradients, [as_array(x) for x in data], params)
            yield functools.partial(self._gradients, [_number(x) for x in data], params)

    def _gradients(self, data: list[Any], params: dict[str, Any]) -> list[Any]:
        """What random gradients arriving at the results come to, raw and, at second order, recorded."""
        leaves: list[Any] = [Tensor(x) if isinstance(x, np.ndarray) else Value(x) for x in data]
        with recording_on():
            joins = self.row.variadic and len(self.row.inputs) == 1
            result = self.row.call(leaves, **params) if joins else self.row.call(*leaves, **params)
        outputs = [y for y in (result if isinstance(result, tuple) else [result]) if y.requires_grad]
        rng = np.random.default_rng(0)
        seeds = {y: np.asarray(rng.normal(size=np.shape(y._value)), getattr(y._value, "dtype", None)) for y in outputs}
        wanted = [x for x in leaves if x.requires_grad]
        found = pull_back(dict(seeds), wanted)
        if self.order > 1:
            found += [g._value for g in pull_back(dict(seeds), wanted, create_graph=True)]
        return found

    def mistakes(self) -> Iterator[tuple[Mistake, Put]]:
        """Every mistake in every rule, and how to make it."""
        row = self.row
        for position, rule in enumerate(row.rules):
            if rule is None:
                continue
            put = functools.partial(self.put, position)
            variadic = row.variadic and position == len(row.rules) - 1
            for mistake in mistakes_in_rule(rule, position, row.inputs, variadic=variadic, order=self.order):
                yield mistake, put
            if isinstance(rule, FunctionType):
                code = rule.__code__
                names = code.co_varnames[2 : min(code.co_argcount, 3 + len(row.inputs))]
                for what, function in rewritings(rule, names):
                    yield Mistake(f"the rule for {row.inputs[position]}, {what}", function, COMPARE), put


class Gradient:
    """A Python function that computes a gradient, and is called by whatever name."""

    def __init__(self, function: FunctionType) -> None:
        self.function = function
        self.name = function.__name__.replace("<lambda>", "the gradient")
        self.met = _Calls()
        self.original = FunctionType(
            function.__code__, function.__globals__, self.name, function.__defaults__, function.__closure__
        )
        self.original.__kwdefaults__ = function.__kwdefaults__
        self.parts = 0  # how many arrays it returns in a tuple
        self.called = False
        self.places: dict[int, str] = {}  # the arguments that are numbers or arrays, by their positions

    @contextmanager
    def put(self, replacement: Callable[..., Any]) -> Iterator[None]:
        """Have whoever calls the function reach another one: its code is exchanged, so that no name must be found."""
        function, signature = self.function, inspect.signature(self.original)

        def sorted_out(*args: Any, **settings: Any) -> Any:
            bound = signature.bind(*args, **settings)
            return replacement(*bound.args, **bound.kwargs)

        kept = function.__code__, function.__defaults__, function.__kwdefaults__
        try:
            function.__code__ = _passing_on(function.__code__.co_freevars)
            function.__defaults__, function.__kwdefaults__ = None, {"_replacement": sorted_out}
            yield
        finally:
            function.__code__, function.__defaults__, function.__kwdefaults__ = kept

    def watched(self) -> AbstractContextManager[None]:
        """Keep what the function is called with, and in how many parts it answers."""

        def watching(*args: Any, **settings: Any) -> Any:
            self.called = True
            self.met.add(args, settings)
            result = self.original(*args, **settings)
            self.parts = len(result) if isinstance(result, list | tuple) else 0
            return result

        return self.put(watching)

    def probes(self, inputs: Iterable[Sequence[Any]] | None) -> Iterator[Probe]:
        """Calls of the function."""
        if inputs is None:
            calls = self.met.calls + _negated(self.met.calls)
            if not self.called:
                raise DataError(
                    f"mutate was given tests that never call {self.name!r}. "
                    "They would notice none of its mistakes, and nothing says where to try it. "
                    "Give tests that call it, or inputs=[(x,), ...]."
                )
        else:
            calls = [(tuple(one), {}) for one in inputs]
        code = self.original.__code__
        for i, name in enumerate(code.co_varnames[: code.co_argcount]):
            if any(i < len(args) and _is_data(args[i]) for args, _ in calls):
                self.places[i] = name
        for args, settings in calls:
            yield functools.partial(self._results, args, settings)

    def _results(self, args: tuple[Any, ...], settings: dict[str, Any]) -> list[Any]:
        return flatten(self.function(*_copied(args), **settings))[0]

    def mistakes(self) -> Iterator[tuple[Mistake, Put]]:
        """Every mistake in the function, and how to make it."""
        for mistake in mistakes_in_gradient(self.original, self.places, self.parts):
            yield mistake, self.put
        for what, function in rewritings(self.original, list(self.places.values())):
            yield Mistake(what, function, COMPARE), self.put


class _Calls:
    """Calls of different kinds, a few of each: tests with random data make thousands that are much the same."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.kinds: dict[str, int] = {}

    def add(self, args: Sequence[Any], settings: dict[str, Any]) -> None:
        """Keep a copy of the arguments, unless there are enough of the kind."""
        kind = repr([(type(x), np.shape(x), getattr(x, "dtype", None)) for x in args]) + repr(settings)
        if len(self.calls) < MET and self.kinds.setdefault(kind, 0) < ALIKE:
            self.kinds[kind] += 1
            self.calls.append((_copied(args), dict(settings)))


def _copied(args: Sequence[Any]) -> tuple[Any, ...]:
    """Arguments that a function may write into, as far as they can be copied."""
    copies = []
    for x in args:
        try:
            copies.append(copy.deepcopy(x))
        except Exception:  # whatever the object says to it
            copies.append(x)
    return tuple(copies)


def _negated(calls: Sequence[Call]) -> list[Call]:
    """The same calls with the signs of all floats changed."""
    return [(tuple([-x if _is_float(x) else x for x in args]), settings) for args, settings in calls]


def _is_data(x: Any) -> bool:
    return hasattr(x, "shape") or (isinstance(x, int | float) and not isinstance(x, bool))


def _is_float(x: Any) -> bool:
    return type(x) is float or (isinstance(x, np.ndarray) and x.dtype.kind == "f")


def _number(x: Any) -> Any:
    """An array without axes as a number, which rules meet in another namespace."""
    return array.item() if _is_float(array := as_array(x)) and array.ndim == 0 else array


def _passing_on(free: Sequence[str]) -> Any:
    """The code of a function that calls another one; it names the same free variables, as Python demands."""
    source = f"""
def make({", ".join(free)}):
    def passing_on(*args, _replacement, **settings):
        if False:
            ({"".join(f"{name}, " for name in free)})
        return _replacement(*args, **settings)
    return passing_on
"""
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    return namespace["make"](*[None] * len(free)).__code__
