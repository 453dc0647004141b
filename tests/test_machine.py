"""Two engines, one state machine: on random graphs ours and a tiny naive one agree in data, gradients and errors."""

from functools import partial

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

import engine
from engine.graph import Node
from engine.testing import strategies

# The naive engine: recursion and closures, NumPy and floats, first order only, and nothing to save time.


class Naive:
    """A number or an array, and one closure for each input that takes a gradient back to it."""

    def __init__(self, data, inputs=(), pulls=(), requires_grad=None):
        self.data, self.inputs, self.pulls = data, inputs, pulls
        self.requires_grad = any(x.requires_grad for x in inputs) if requires_grad is None else requires_grad
        self.version, self.seen = 0, [x.version for x in inputs]
        self.grad = None

    def order(self, done):
        if self not in done:
            for x in self.inputs:
                if x.requires_grad:
                    x.order(done)
            done[self] = None
        return done

    def sweep(self, gradient=None, fresh=True):
        if not self.requires_grad:
            raise RuntimeError("nothing requires grad")
        if gradient is None and np.ndim(self.data):
            raise ValueError("not one number")
        if gradient is not None and np.shape(gradient) != np.shape(self.data):
            raise ValueError("of another shape")
        order = list(self.order({}))
        if fresh and any([x.version for x in node.inputs] != node.seen for node in order):
            raise RuntimeError("stale")
        adjoints = {self: fitted(1.0 if gradient is None else gradient, self.data)}
        for node in reversed(order):
            for x, pull in zip(node.inputs, node.pulls, strict=True):
                if x.requires_grad:
                    adjoints[x] = adjoints.get(x, 0.0) + fitted(pull(adjoints[node]), x.data)
        return adjoints

    def backward(self, gradient=None, fresh=True):
        for node, g in self.sweep(gradient, fresh).items():
            if not node.inputs:
                node.grad = fitted(g if node.grad is None else node.grad + g, node.data)


def fitted(g, data):
    """Sum over what broadcasting repeated."""
    g = np.broadcast_to(g, np.broadcast_shapes(np.shape(g), np.shape(data)))
    g = g.sum(axis=tuple(range(g.ndim - np.ndim(data))))
    axes = tuple(i for i, n in enumerate(np.shape(data)) if n != g.shape[i])
    g = g.sum(axis=axes, keepdims=True)
    return float(g) if isinstance(data, float) else np.array(g)


def apply(name, *inputs, **params):
    """Compute an operation of the list below."""
    forward, *rules = OPERATIONS[name]
    inputs = [x if isinstance(x, Naive) else Naive(x, requires_grad=False) for x in inputs]
    data = [x.data for x in inputs]
    out = forward(*data, **params)
    array = any(isinstance(x, np.ndarray) for x in data) or name == "stack"
    out = np.asarray(out) if array else float(out)
    if name in ("stack", "concatenate"):
        rules = [partial(rules[0], i) for i in range(len(inputs))]
    return Naive(out, inputs, [lambda g, r=r: r(g, out, *data, **params) for r in rules])


def back(g, x, axis=None, keepdims=False):
    """A gradient of a reduction beside its input."""
    return g if axis is None or keepdims or not np.ndim(x) else np.expand_dims(g, axis)


def reduction(forward, local):
    """`local` is the derivative, given the input and the result beside it."""

    def one(g, out, x, axis=None, keepdims=False):
        return back(g, x, axis, keepdims) * local(x, back(out, x, axis, keepdims), axis)

    return forward, one


def ties(x, out, axis):
    return (x == out) / np.sum(x == out, axis=axis, keepdims=np.ndim(x) > 0)


def others(x, out, axis):
    return out / x


def placed(g, out, x, index):
    result = np.zeros(np.shape(x))
    np.add.at(result, index, g)
    return result


def joined(i, g, out, *arrays):
    return np.split(g, np.cumsum([len(x) for x in arrays])[:-1])[i]


def along(f):
    return lambda x, axis=None, keepdims=False: f(x, axis=axis, keepdims=keepdims)


def by_left(g, out, x, y):
    return np.outer(g, y) if x.ndim == 2 and y.ndim == 1 else g * y if y.ndim == 1 else g @ y.T


def by_right(g, out, x, y):
    return np.outer(x, g) if x.ndim == 1 and y.ndim == 2 else g * x if x.ndim == 1 else x.T @ g


OPERATIONS = {
    "add": (lambda x, y: x + y, lambda g, out, x, y: g, lambda g, out, x, y: g),
    "subtract": (lambda x, y: x - y, lambda g, out, x, y: g, lambda g, out, x, y: -g),
    "multiply": (lambda x, y: x * y, lambda g, out, x, y: g * y, lambda g, out, x, y: g * x),
    "divide": (lambda x, y: np.divide(x, y), lambda g, out, x, y: g / y, lambda g, out, x, y: -g * x / y**2),
    "power": (
        lambda x, y: np.power(x, y),
        lambda g, out, x, y: g * y * x ** (y - 1),
        lambda g, out, x, y: g * x**y * np.log(x),
    ),
    "maximum": (
        np.maximum,
        lambda g, out, x, y: g * ((x > y) + (x == y) / 2),
        lambda g, out, x, y: g * ((y > x) + (x == y) / 2),
    ),
    "minimum": (
        np.minimum,
        lambda g, out, x, y: g * ((x < y) + (x == y) / 2),
        lambda g, out, x, y: g * ((y < x) + (x == y) / 2),
    ),
    "negative": (lambda x: -x, lambda g, out, x: -g),
    "sin": (np.sin, lambda g, out, x: g * np.cos(x)),
    "tanh": (np.tanh, lambda g, out, x: g / np.cosh(x) ** 2),
    "exp": (np.exp, lambda g, out, x: g * np.exp(x)),
    "log": (np.log, lambda g, out, x: g / x),
    "sqrt": (np.sqrt, lambda g, out, x: g / 2 / np.sqrt(x)),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda g, out, x: g * out * (1 - out)),
    "softplus": (lambda x: np.log(1 + np.exp(x)), lambda g, out, x: g / (1 + np.exp(-x))),
    "relu": (lambda x: np.maximum(x, 0.0), lambda g, out, x: g * (x > 0)),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.01 * x), lambda g, out, x: g * np.where(x > 0, 1.0, 0.01)),
    "absolute": (np.abs, lambda g, out, x: g * np.sign(x)),
    "where": (
        np.where,
        lambda g, out, c, x, y: 0.0,
        lambda g, out, c, x, y: g * np.where(c, 1.0, 0.0),
        lambda g, out, c, x, y: g * np.where(c, 0.0, 1.0),
    ),
    "sum": reduction(along(np.sum), lambda x, out, axis: np.ones(np.shape(x))),
    "mean": reduction(along(np.mean), lambda x, out, axis: np.ones(np.shape(x)) * np.size(out) / np.size(x)),
    "max": reduction(along(np.max), ties),
    "min": reduction(along(np.min), ties),
    "prod": reduction(along(np.prod), others),
    "norm": reduction(
        lambda x, axis=None, keepdims=False: np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims)),
        lambda x, out, axis: x / out,
    ),
    "logsumexp": reduction(
        lambda x, axis=None, keepdims=False: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims)),
        lambda x, out, axis: np.exp(x - out),
    ),
    "transpose": (np.transpose, lambda g, out, x: np.transpose(g)),
    "reshape": (lambda x, shape: np.reshape(x, shape), lambda g, out, x, shape: np.reshape(g, np.shape(x))),
    "getitem": (lambda x, index: x[index], placed),
    "stack": (lambda *arrays: np.stack(arrays), lambda i, g, out, *arrays: g[i]),
    "concatenate": (lambda *arrays: np.concatenate(arrays), joined),
    "matmul": (np.matmul, by_left, by_right),
    "detach": (lambda x: x, lambda g, out, x: None),
}
UNARY = ["negative", "sin", "tanh", "exp", "log", "sqrt", "sigmoid", "softplus", "relu", "leaky_relu", "absolute"]
BINARY = ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum"]
REDUCTIONS = ["sum", "mean", "max", "min", "prod", "norm", "logsumexp"]
SELECTIONS = {"maximum", "minimum", "relu", "where", "max", "min", "getitem", "set_at", "split", "unstack", "values"}

# The machine.

NUMBERS = strategies.numbers()
SHAPES = st.sampled_from([(), (1,), (2,), (3,), (2, 3), (3, 2), (2, 1), (1, 3), (0,)])
ARRAYS = SHAPES.flatmap(strategies.arrays)
LEAVES = st.integers(0, 5)
INDICES = st.sampled_from([0, -1, slice(1, None), slice(None, None, -1), [0, 0], [-1, 0, -1], None, Ellipsis])


class TwoEngines(RuleBasedStateMachine):
    """Every node is a pair: ours, and the naive one."""

    nodes = Bundle("nodes")

    def __init__(self):
        super().__init__()
        self.pairs: list[tuple[Node, Naive]] = []

    def keep(self, pair):
        self.pairs.append(pair)
        return pair

    def both(self, ours, naive, *inputs):
        """Run a call in both engines; they give a pair, or errors of one kind, which is all that happens then."""
        results, errors = [], []
        for call, side in ((ours, 0), (naive, 1)):
            try:
                with np.errstate(all="ignore"):
                    results.append(call(*[x[side] if isinstance(x, tuple) else x for x in inputs]))
            except (ValueError, RuntimeError, IndexError) as error:
                errors.append(error)
        if errors:
            assert len(errors) == 2, f"only one engine raised: {errors[0]!r}"
            assert isinstance(errors[0], engine.errors.EngineError)
            assert any(
                all(isinstance(error, kind) for error in errors) for kind in (ValueError, RuntimeError, IndexError)
            )
            return multiple()
        data = results[1].data
        if not np.isfinite(data).all() or np.any(abs(np.asarray(data)) > 1e3):
            return multiple()  # beyond what two engines need agree on
        return self.keep(tuple(results))

    def named(self, name, *inputs, **params):
        ours = partial(getattr(engine, name), **params)
        return self.both(ours, partial(apply, name, **params), *inputs)

    @initialize(target=nodes, number=NUMBERS, array=ARRAYS, other=ARRAYS)
    def begin(self, number, array, other):
        return multiple(self.value(number, True), self.tensor(array, True), self.tensor(other, True))

    def value(self, data, requires_grad):
        return self.keep((engine.Value(data, requires_grad=requires_grad), Naive(data, requires_grad=requires_grad)))

    def tensor(self, data, requires_grad):
        ours = engine.Tensor(data, requires_grad=requires_grad)
        return self.keep((ours, Naive(data.copy(), requires_grad=requires_grad)))

    @rule(target=nodes, data=NUMBERS | ARRAYS, requires_grad=st.booleans())
    def leaf(self, data, requires_grad):
        return (self.value if isinstance(data, float) else self.tensor)(data, requires_grad)

    @rule(target=nodes, name=st.sampled_from(UNARY), x=nodes)
    def unary(self, name, x):
        if name in ("log", "sqrt") and not np.all(np.asarray(x[1].data) > 0.01):
            return multiple()
        return self.named(name, x)

    @rule(target=nodes, name=st.sampled_from(BINARY), x=nodes | NUMBERS | ARRAYS, y=nodes)
    def binary(self, name, x, y):
        left = np.asarray(x[1].data if isinstance(x, tuple) else x)
        if name == "power" and not (left > 0.01).all():
            return multiple()
        if name == "divide" and not (abs(np.asarray(y[1].data)) > 0.01).all():
            return multiple()
        return self.named(name, x, y)

    @rule(target=nodes, x=nodes, y=nodes, z=nodes | NUMBERS)
    def where(self, x, y, z):
        condition = np.asarray(x[1].data) > 0
        return self.named("where", condition if condition.ndim else bool(condition), y, z)

    @rule(
        target=nodes,
        name=st.sampled_from(REDUCTIONS),
        x=nodes,
        axis=st.sampled_from([None, None, 0, -1, (0, 1)]),
        keepdims=st.booleans(),
    )
    def reduction(self, name, x, axis, keepdims):
        data = np.asarray(x[1].data)
        if (
            data.ndim == 0
            or (name in ("logsumexp", "mean") and not data.size)
            or (name == "prod" and not (abs(data) > 0.01).all())
        ):
            return multiple()
        if name == "norm" and not (np.sqrt((data * data).min(initial=1.0)) > 0.01):
            return multiple()
        return self.named(name, x, axis=axis, keepdims=keepdims)

    @rule(target=nodes, x=nodes)
    def transpose(self, x):
        return self.named("transpose", x) if np.ndim(x[1].data) else multiple()

    @rule(target=nodes, x=nodes, shape=st.sampled_from([(-1,), (3, -1), (2, 3), (1, -1), (6,)]))
    def reshape(self, x, shape):
        return self.named("reshape", x, shape=shape) if np.ndim(x[1].data) else multiple()

    @rule(target=nodes, x=nodes, first=INDICES, second=INDICES | st.just(()))
    def getitem(self, x, first, second):
        index = (first, second) if second != () else first
        if not np.ndim(x[1].data):
            return multiple()
        return self.both(lambda x: x[index], lambda x: apply("getitem", x, index=index), x)

    @rule(target=nodes, xs=st.lists(nodes, min_size=1, max_size=3), name=st.sampled_from(["stack", "concatenate"]))
    def join(self, xs, name):
        if name == "concatenate" and not all(np.ndim(x[1].data) for x in xs):
            return multiple()
        return self.both(lambda *xs: getattr(engine, name)(xs), partial(apply, name), *xs)

    @rule(target=nodes, x=nodes, y=nodes)
    def matmul(self, x, y):
        if not all(np.ndim(one[1].data) in (1, 2) for one in (x, y)):
            return multiple()
        return self.named("matmul", x, y)

    @rule(target=nodes, x=nodes)
    def values(self, x):
        ours, naive = x
        if not isinstance(ours, engine.Tensor) or not 1 <= naive.data.ndim <= 2 or not naive.data.size:
            return multiple()
        flat = ours.values() if naive.data.ndim == 1 else [one for row in ours.values() for one in row]
        pairs = []
        for mine, index in zip(flat, np.ndindex(naive.data.shape), strict=True):
            one = apply("getitem", naive, index=index)
            one.data = float(one.data)
            pairs.append(self.keep((mine, one)))
        return multiple(*pairs)

    @rule(target=nodes, x=nodes)
    def detach(self, x):
        return self.keep((engine.detach(x[0]), Naive(x[1].data, requires_grad=False)))

    @rule(target=nodes, x=nodes, y=nodes)
    def unrecorded(self, x, y):
        with engine.no_grad():
            return self.both(
                lambda x, y: x * y, lambda x, y: Naive(apply("multiply", x, y).data, requires_grad=False), x, y
            )

    @rule(which=LEAVES, seed=st.integers(0, 9))
    def set_data(self, which, seed):
        ours, naive = self.leaves[which % len(self.leaves)]
        drawn = np.random.default_rng(seed).integers(-8, 9, np.shape(naive.data)) / 4
        new = float(drawn) if isinstance(naive.data, float) else np.asarray(drawn)
        ours.data = new
        naive.data = new
        naive.version += 1

    @rule(which=LEAVES)
    def wrong_data(self, which):
        ours, naive = self.leaves[which % len(self.leaves)]
        with pytest.raises((ValueError, TypeError)):
            ours.data = np.zeros((*np.shape(naive.data), 7))

    @rule(which=LEAVES)
    def zero_grad(self, which):
        for side in self.leaves[which % len(self.leaves)]:
            side.grad = None

    @rule(x=nodes, arriving=st.sampled_from([*range(9), None]), wrong=st.sampled_from([False] * 9 + [True]))
    def backward(self, x, arriving, wrong):
        shape = (*np.shape(x[1].data), 2) if wrong else np.shape(x[1].data)
        self.sweep_both(x, None if arriving is None else np.random.default_rng(arriving).normal(size=shape))

    def sweep_both(self, pair, gradient):
        ours, naive = pair
        try:
            naive.backward(gradient)
            failed = None
        except (ValueError, RuntimeError) as error:
            failed = error
        try:
            ours.backward(gradient)
        except (ValueError, RuntimeError) as error:
            assert failed is not None, f"only ours raised: {error!r}"
            assert isinstance(error, type(failed)), (error, failed)
            return
        if failed is not None:
            # Where a selection took nothing of a branch, ours never reaches what is stale in it.
            assert "stale" in str(failed), f"only the naive engine raised: {failed!r}"
            assert any(node.op is not None and node.op.name in SELECTIONS for node in engine.topological_order(ours))
            naive.backward(gradient, fresh=False)

    @rule(x=nodes, y=nodes, create_graph=st.booleans())
    def gradients_on_the_way(self, x, y, create_graph):
        (ours, naive), (target, mirror) = x, y
        if not (target.requires_grad and mirror.requires_grad and ours.requires_grad) or np.ndim(naive.data):
            return
        try:
            expected = naive.sweep().get(mirror)
        except RuntimeError:
            return
        (got,) = engine.gradients(ours, [target], create_graph=create_graph)
        got = got.data if create_graph else got
        assert_equal(got, fitted(0.0 if expected is None else expected, mirror.data))

    @rule(x=nodes)
    def evaluate(self, x):
        ours, naive = x
        if any(
            node.op is not None and node.number < leaf.number
            for node in engine.topological_order(ours)
            for leaf in node.inputs
        ):
            return
        assert_equal(engine.evaluate(ours), naive.data)

    @property
    def leaves(self):
        return [pair for pair in self.pairs if not pair[1].inputs and pair[0].op is None]

    def teardown(self):
        """In the end a gradient comes back from everything there is."""
        for pair in self.pairs:
            self.sweep_both(pair, np.linspace(-1.0, 1.0, np.size(pair[1].data)).reshape(np.shape(pair[1].data)))
        self.nodes_agree()

    @invariant()
    def nodes_agree(self):
        for ours, naive in self.pairs:
            assert ours.requires_grad == naive.requires_grad
            assert isinstance(ours, engine.Tensor) == isinstance(naive.data, np.ndarray)
            assert_equal(ours.data, naive.data)
            if naive.grad is None or naive.inputs:
                assert ours.grad is None
            else:
                assert_equal(ours.grad, naive.grad)


def assert_equal(mine, naives):
    assert type(mine) is type(naives)
    assert np.shape(mine) == np.shape(naives)
    np.testing.assert_allclose(mine, naives, rtol=1e-7, atol=1e-9)


def test_two_engines_agree():
    run_state_machine_as_test(
        TwoEngines,
        settings=hypothesis.settings(
            max_examples=200, stateful_step_count=30, suppress_health_check=list(hypothesis.HealthCheck)
        ),
    )


@pytest.mark.slow
def test_two_engines_agree_for_long():
    run_state_machine_as_test(
        TwoEngines,
        settings=hypothesis.settings(
            max_examples=1000, stateful_step_count=50, suppress_health_check=list(hypothesis.HealthCheck)
        ),
    )
