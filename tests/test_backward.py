"""The chain rule: what backward() leaves on the leaves, and what gradients() returns."""

import gc
import math
import weakref
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from messages import explained

import engine
from engine import Tensor, Value, gradients
from engine.backward import by_itself, local_slope
from engine.errors import DataError, GraphError, IndexingError, ShapeError
from engine.graph import Node, differentiable_edges
from engine.primitives import ROWS
from engine.testing.layouts import fill, layouts

# Accumulation


def test_backward_twice_doubles_leaf_gradients_and_is_otherwise_right():
    x, t = Value(3.0), Tensor([1.0, 2.0])
    y = ((x * 2) * 3 * t).sum() + engine.exp(x) * t[0]
    y.backward()
    once = x.grad, t.grad.copy()
    y.backward()
    assert x.grad == 2 * once[0] and t.grad.tolist() == (2 * once[1]).tolist()
    assert once[0] == pytest.approx(18 + math.exp(3.0))


@pytest.mark.parametrize("make", [lambda: Value(2.0), lambda: Tensor(2.0), lambda: Tensor([[2.0]])])
def test_gradients_of_several_graphs_add_up_and_keep_their_kind(make):
    x = make()
    for times in range(1, 4):
        engine.sum(x * x).backward()
        assert np.all(x.grad == 4.0 * times)
        assert type(x.grad) is (float if type(x) is Value else np.ndarray)
        assert np.shape(x.grad) == x.shape


def test_adding_to_a_grad_does_not_change_the_array_somebody_holds():
    t = Tensor([1.0, 2.0])
    (t * t).sum().backward()
    held = t.grad
    (t * t).sum().backward()
    assert held.tolist() == [2.0, 4.0] and t.grad.tolist() == [4.0, 8.0]


def test_interior_results_keep_no_gradient_by_default():
    x = Value(2.0)
    y = x * x
    z = y * y
    z.backward()
    assert (y.grad, z.grad, x.grad) == (None, None, 32.0)


def test_interior_gradients_are_kept_afresh_on_request():
    x = Tensor([1.0, 2.0])
    y = x * x
    z = (y * y).sum()
    for _ in range(2):
        z.backward(retain_interior=True)
        assert y.grad.tolist() == [2.0, 8.0] and z.grad == 1.0
    assert x.grad.tolist() == [8.0, 64.0]


def test_interior_gradients_do_not_go_stale():
    x = Value(2.0)
    y = x * x
    (y * 3).backward(retain_interior=True)
    assert y.grad == 3.0
    (y * 5).backward()
    assert y.grad is None


def test_interior_gradients_are_kept_through_several_outputs():
    t = Tensor([1.0, 2.0, 3.0])
    first, rest = engine.split(t, [1])
    (rest * rest).sum().backward(retain_interior=True)
    assert first.grad is None and rest.grad.tolist() == [4.0, 6.0]
    assert t.grad.tolist() == [0.0, 4.0, 6.0]


def test_a_long_fan_out_is_added_up():
    x, t = Value(1.5), Tensor([1.0, -2.0])
    total = 0.0
    for i in range(500):
        total = total + (x * t * float(i)).sum()
    total.backward()
    assert x.grad == -124750.0
    assert t.grad.tolist() == [1.5 * 124750.0] * 2


def test_one_node_as_every_input_gets_every_share():
    x = Tensor([2.0, 3.0])
    engine.where(x > 2.5, x * x, x + x).sum().backward()
    assert x.grad.tolist() == [2.0, 6.0]
    y = Value(3.0)
    engine.stack([y, y, y * y]).sum().backward()
    assert y.grad == 8.0


def test_a_diamond_sums_over_its_paths():
    x = Value(2.0)
    a, b = engine.sin(x), engine.exp(x)
    (a * b + a / b).backward()
    s, c, e = math.sin(2.0), math.cos(2.0), math.exp(2.0)
    assert x.grad == pytest.approx(c * e + s * e + c / e - s / e, rel=1e-15)


# What .grad is


LEAVES = {
    "Value": lambda: Value(2.0),
    "0-d": lambda: Tensor(2.0),
    "vector": lambda: Tensor([2.0, 3.0]),
    "float32": lambda: Tensor([2.0, 3.0], dtype=np.float32),
    "float16": lambda: Tensor([2.0, 3.0], dtype=np.float16),
    "transposed": lambda: Tensor(np.arange(6.0).reshape(2, 3).T),
    "empty": lambda: Tensor(np.zeros((0, 2))),
}
USES = {
    "sum": lambda x: engine.sum(x),
    "mean": lambda x: engine.sum(x * 0.5),
    "product": lambda x: engine.sum(x * x),
    "broadcast": lambda x: engine.sum(x + np.zeros((3, *x.shape))),
    "identity": lambda x: x if x.ndim == 0 else x.sum(),
    "reshape": lambda x: engine.sum(engine.reshape(x, (-1,))),
    "transpose": lambda x: engine.sum(engine.transpose(x)),
    "unused branch": lambda x: engine.sum(engine.where(True, x, x * 2)),
    "twice": lambda x: engine.sum(x) + engine.sum(x * 3.0),
    "sent to two": lambda x: engine.sum(x + x),
    "float64": lambda x: engine.sum(x * np.float64(2.0)),
}


@pytest.mark.parametrize("make", LEAVES.values(), ids=LEAVES)
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_grad_is_owned_writable_and_of_the_leaf_s_kind_shape_and_dtype(make, use):
    x, other = make(), make()
    both = use(x) + use(other)
    for _ in range(2):
        both.backward()
        for leaf in (x, other):
            if type(leaf) is Value:
                assert type(leaf.grad) is float
                continue
            assert type(leaf.grad) is np.ndarray
            assert (leaf.grad.shape, leaf.grad.dtype) == (leaf.shape, leaf.dtype)
            assert leaf.grad.flags.writeable
            leaf.grad += 1.0
    if type(x) is not Value:
        arrays = [x.grad, other.grad, x.data, other.data]
        assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


def test_the_gradient_given_is_not_shared_with_the_leaf():
    t = Tensor([1.0, 2.0])
    g = np.array([3.0, 4.0])
    (t + 0.0).backward(g)
    t.grad[0] = 9.0
    assert g.tolist() == [3.0, 4.0]
    returned = engine.gradients(t + 0.0, [t], g)[0]
    assert not np.shares_memory(returned, g)


def test_retained_gradients_share_memory_with_nothing_either():
    x = Tensor([1.0, 2.0])
    y = x + 0.0
    z = y.reshape(2, 1)
    z.sum().backward(retain_interior=True)
    x.grad += 1
    y.grad += 1
    assert z.grad.tolist() == [[1.0], [1.0]]


def test_gradients_returned_twice_are_arrays_of_their_own():
    x = Tensor([1.0, 2.0])
    first, second = engine.gradients((x + x).sum(), [x, x])
    first += 1
    assert second.tolist() == [2.0, 2.0]


def test_grad_stays_none_for_leaves_that_the_output_does_not_depend_on():
    x, y, c = Value(1.0), Value(2.0), Value(3.0, requires_grad=False)
    (x * c + engine.detach(y)).backward()
    assert (x.grad, y.grad, c.grad) == (3.0, None, None)


# The gradient that arrives at the output


@pytest.mark.parametrize("gradient", [[1.0, 10.0], np.array([1, 10]), (1, 10), Tensor([1.0, 10.0])])
def test_a_gradient_of_the_output_s_shape_may_be_given(gradient):
    t = Tensor([2.0, 3.0])
    (t * t).backward(gradient)
    assert t.grad.tolist() == [4.0, 60.0]
    (t * t).backward(gradient=gradient)
    assert t.grad.tolist() == [8.0, 120.0]


@pytest.mark.parametrize("gradient", [10, 10.0, np.float32(10), np.array(10.0), Value(10.0), True * 10])
def test_a_number_may_arrive_at_a_number(gradient):
    for x in (Value(3.0), Tensor(3.0)):
        (x * x).backward(gradient)
        assert x.grad == 60.0


def test_the_gradient_given_takes_the_dtype_of_the_output():
    t = Tensor([1.0, 2.0], dtype=np.float32)
    (t * t).backward(np.array([0.1, 0.2]))
    assert t.grad.dtype == np.float32


@pytest.mark.parametrize("gradient", [1.0, [1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]], Tensor([[1.0], [2.0]])], ids=str)
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_gradient_of_another_shape_is_refused(gradient, create_graph):
    t = Tensor([1.0, 2.0], label="t")
    y = t * t
    shape = np.shape(gradient)
    with explained(ShapeError, shape, "(2,)", "multiply"):
        engine.gradients(y, [t], gradient, create_graph=create_graph)
    with explained(ShapeError, shape, "(2,)", "multiply"):
        y.backward(gradient)
    with explained(ShapeError, "(1,)", "()"):
        (Value(1.0) * 2).backward([1.0])


@pytest.mark.parametrize("gradient", ["text", 1j, [1j, 2.0], None.__class__, ..., [[1.0], [1.0, 2.0]]], ids=str)
def test_a_gradient_that_is_no_number_is_refused(gradient):
    for x in (Value(1.0), Tensor([1.0, 2.0])):
        with explained((DataError, ShapeError)):
            (x * 2).backward(gradient)
        assert x.grad is None


@pytest.mark.parametrize("shape", [(1,), (2,), (1, 1), (2, 3), (0,)])
def test_what_is_not_one_number_needs_a_gradient(shape):
    t = Tensor(np.ones(shape))
    for output in (t * t, t):
        for f in (output.backward, lambda output=output: engine.gradients(output, [t])):
            with explained(ShapeError, shape, "sum"):
                f()


def test_a_graph_in_which_nothing_requires_grad_is_refused():
    for x in (Tensor([1.0], requires_grad=False), Tensor(np.array([1, 2])), Tensor([1.0]).detach()):
        with explained(GraphError, "requires_grad=True"):
            (x * 2).sum().backward()


def test_gradients_are_of_nodes_that_require_grad_only():
    x = Value(2.0)
    y = x * x
    for node, mention in ((Value(1.0, requires_grad=False), "Value"), (Tensor(np.array([1])), "(1,)"), (2.0, "2.0")):
        with explained(GraphError, mention):
            engine.gradients(y, [x, node])


def test_gradients_take_a_list_of_nodes():
    t = Tensor([1.0, 2.0])
    with explained(GraphError, "list"):
        engine.gradients((t * t).sum(), t)
    assert engine.gradients((t * t).sum(), (t,))[0].tolist() == [2.0, 4.0]
    assert engine.gradients((t * t).sum(), []) == []


# A sweep that fails


def fails(g):
    raise ZeroDivisionError("mine")


def test_a_failed_sweep_leaves_every_grad_as_it_was():
    x, t = Value(2.0), Tensor([1.0, 2.0])
    good = (x * t).sum()
    bad = good + engine.hook(t, function=fails).sum() + engine.exp(x)
    for expected in ((None, None), (3.0, [2.0, 2.0])):
        with pytest.raises(ZeroDivisionError):
            bad.backward()
        assert (x.grad, t.grad if t.grad is None else t.grad.tolist()) == expected
        good.backward()
    assert x.grad == 6.0


def test_a_grad_that_a_user_spoiled_is_found_before_anything_is_written():
    x, t = Value(2.0), Tensor([1.0, 2.0])
    t.grad = np.ones(3)
    with pytest.raises(ValueError):
        (x * t).sum().backward()
    assert x.grad is None and t.grad.tolist() == [1.0, 1.0, 1.0]


def test_a_sweep_is_silent_and_leaves_numpy_s_error_state():
    t = Tensor([0.0, 1.0])
    with np.errstate(all="raise"):
        engine.log(t).sum().backward()
        assert np.geterr()["divide"] == "raise"
    assert t.grad.tolist() == [np.inf, 1.0]


# Hooks and detaching


def test_a_hook_sees_the_gradient_and_may_replace_it():
    seen = []
    x = Value(2.0)
    (engine.hook(x * 3, function=seen.append) * 5).backward()
    assert seen == [5.0] and x.grad == 15.0
    t = Tensor([1.0, -2.0])
    (engine.hook(t, function=lambda g: np.clip(g, -1, 1)) * np.array([5.0, 0.5])).sum().backward()
    assert t.grad.tolist() == [1.0, 0.5]


def test_a_hook_on_a_shared_node_sees_the_whole_gradient_once():
    seen = []
    t = Tensor([1.0, 2.0])
    h = engine.hook(t, function=lambda g: seen.append(g.tolist()))
    (h * h + 3 * h).sum().backward()
    assert seen == [[5.0, 7.0]]


def test_a_hook_works_in_the_recorded_sweep():
    x = Value(3.0)
    y = engine.hook(x, function=lambda g: g * 2) ** 2
    (g,) = engine.gradients(y, [x], create_graph=True)
    assert g.item() == 12.0
    assert engine.gradients(g, [x]) == [8.0]  # the hook doubles on the way back through the second sweep, too


def test_nothing_flows_through_detach():
    x = Value(3.0)
    (x * x.detach()).backward()
    assert x.grad == 3.0
    (x * engine.detach(x)).backward()
    assert x.grad == 6.0


# Subclasses


class Weight(Value):
    """A Value of a user's own class."""


class Parameter(Tensor):
    """A Tensor of a user's own class."""


def test_subclasses_are_differentiated_like_their_base():
    w, p = Weight(3.0), Parameter([1.0, 2.0])
    for create_graph in (False, True):
        dw, dp = engine.gradients((w * p * w + p).sum() + w * 2, [w, p], create_graph=create_graph)
        assert getattr(dw, "data", dw) == 20.0 and dp.tolist() == [10.0, 10.0]
    engine.exp(w * 0.0).backward()
    assert w.grad == 0.0 and type(w * 2) is Value and type(p * 2) is Tensor
    with engine.no_grad():
        w -= 1.0
    assert type(w) is Weight and w.item() == 2.0


# gradients()


def test_gradients_touch_no_grad_and_reach_interior_nodes():
    x = Value(3.0)
    y = x * x
    z = y * y
    assert engine.gradients(z, [x, y, z]) == [108.0, 18.0, 1.0]
    assert (x.grad, y.grad, z.grad) == (None, None, None)


def test_gradients_come_in_the_order_asked_for_also_repeated():
    x, t = Value(2.0), Tensor([1.0, 2.0])
    y = (x * t).sum()
    first, second, third = engine.gradients(y, [t, x, t])
    assert (first.tolist(), second, third.tolist()) == ([2.0, 2.0], 3.0, [2.0, 2.0])


def test_the_gradient_by_what_the_output_does_not_depend_on_is_zero():
    x, other, t = Value(3.0), Value(2.0), Tensor(np.ones((2, 3), np.float32))
    y = x * x
    later = y * 2
    zeros = engine.gradients(y, [other, t, later, x])
    assert zeros[0] == 0.0 and zeros[2] == 0.0 and zeros[3] == 6.0
    assert (zeros[1] == 0).all() and zeros[1].shape == (2, 3) and zeros[1].dtype == np.float32
    recorded = engine.gradients(y, [other, t], create_graph=True)
    assert [type(g) for g in recorded] == [Value, Tensor] and recorded[1].dtype == np.float32
    assert engine.gradients(Value(1.0, requires_grad=False) * 2, [x]) == [0.0]


def test_the_gradient_of_an_interior_node_does_not_count_paths_around_it():
    x = Value(2.0)
    y = x * x
    z = y * x
    assert engine.gradients(z, [y]) == [2.0]
    assert engine.gradients(z, [y, x]) == [2.0, 12.0]


def test_only_rules_on_the_way_to_the_nodes_are_run():
    x, y = Value(2.0), Value(3.0)
    z = x * x + engine.hook(y, function=fails)
    assert engine.gradients(z, [x]) == [4.0]


@pytest.mark.parametrize("leaf", [2.0, np.array([2.0, -1.0]), np.float32([[0.5]])], ids=str)
def test_recorded_gradients_can_be_differentiated_again_and_again(leaf):
    x = Value(leaf) if isinstance(leaf, float) else Tensor(leaf)
    y = engine.sum(x**4)
    for power, factor in ((3, 4.0), (2, 12.0), (1, 24.0), (0, 24.0)):
        (g,) = engine.gradients(y, [x], create_graph=True)
        assert type(g) is type(x) and g.dtype == x.dtype
        np.testing.assert_allclose(g.data, factor * x.data**power, rtol=1e-6)
        y = engine.sum(g)
    assert np.all(engine.gradients(y, [x], create_graph=True)[0].data == 0.0)


def test_a_recorded_sweep_adds_raw_and_recorded_contributions():
    x = Tensor([1.0, 2.0])
    for f in (
        lambda x: x * x + x + x,
        lambda x: x + x + x * x,
        lambda x: x + x * x + x,
        lambda x: x + x + x + x * x + x * x,
    ):
        (g,) = engine.gradients(f(x).sum(), [x], create_graph=True)
        (second,) = engine.gradients(g.sum(), [x])
        expected = engine.gradients(f(x).sum(), [x])[0]
        assert g.tolist() == expected.tolist()
        assert second.tolist() in ([2.0, 2.0], [4.0, 4.0])


def test_a_penalty_on_the_gradient_can_be_trained_on():
    w, x = Tensor([1.0, 2.0]), Tensor([0.5, -1.0])
    y = engine.tanh(w @ x)
    (g,) = engine.gradients(y, [x], create_graph=True)
    (g @ g).backward()
    z = 0.5 - 2.0
    c = 1 - math.tanh(z) ** 2
    norm = 5.0
    expected = 2 * c * c * w.data + norm * 2 * c * (-2 * math.tanh(z) * c) * x.data
    np.testing.assert_allclose(w.grad, expected, rtol=1e-13)


def test_a_recorded_gradient_may_arrive_at_an_output_and_is_differentiated_by():
    x, v = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    (g,) = engine.gradients(x**3, [x], v, create_graph=True)
    (g * g).sum().backward()
    np.testing.assert_allclose(v.grad, 2 * v.data * (3 * x.data**2) ** 2)
    np.testing.assert_allclose(x.grad, 2 * (3 * v.data * x.data**2) * 6 * v.data * x.data)


def test_recorded_gradients_are_recorded_also_under_no_grad_where_they_are_asked_for():
    x = Value(3.0)
    y = x**3
    with engine.no_grad():
        (g,) = engine.gradients(y, [x], create_graph=True)
        plain = engine.gradients(y, [x])
    assert plain == [27.0]
    assert engine.gradients(g, [x]) == [18.0]


# Broadcasting


@given(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=4, max_side=3), st.sampled_from([0, 1, 2]))
def test_broadcasting_is_undone_by_summing_as_numpy_would(shapes, seed):
    rng = np.random.default_rng(seed)
    x, y, z = (Tensor(rng.normal(size=shape)) for shape in shapes.input_shapes)
    weights = rng.normal(size=shapes.result_shape)
    engine.sum((x * y - z) * weights).backward()
    full = {x: weights * y.data, y: weights * x.data, z: -weights}
    for leaf, g in full.items():
        g = np.broadcast_to(g, shapes.result_shape)
        added = g.ndim - leaf.ndim
        axes = tuple(range(added)) + tuple(added + i for i, n in enumerate(leaf.shape) if n == 1)
        np.testing.assert_allclose(leaf.grad, g.sum(axis=axes).reshape(leaf.shape), rtol=1e-12, atol=1e-12)


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
def test_broadcasting_is_undone_in_the_recorded_sweep_too(shapes):
    x, y = (Tensor(1.0 + np.arange(math.prod(shape)).reshape(shape)) for shape in shapes.input_shapes)
    recorded = engine.gradients(engine.sum(x * x * y), [x, y], create_graph=True)
    plain = engine.gradients(engine.sum(x * x * y), [x, y])
    for g, expected in zip(recorded, plain, strict=True):
        np.testing.assert_allclose(g.data, expected)
    cross = engine.gradients(engine.sum(recorded[1]), [x])[0]
    np.testing.assert_allclose(cross, 2 * x.data * (math.prod(shapes.result_shape) / max(x.size, 1)))


# Memory


def test_a_sweep_leaves_no_cycles_behind():
    gc.collect()
    x = Tensor([1.0, 2.0])
    y = (engine.tanh(x) @ x) * Value(2.0)
    y.backward()
    node = weakref.ref(y.inputs[0])
    del y
    assert node() is None


# Random programs, against PyTorch

UNARY = {
    "sin": (engine.sin, "sin"),
    "tanh": (engine.tanh, "tanh"),
    "sigmoid": (engine.sigmoid, "sigmoid"),
    "relu": (engine.relu, "relu"),
    "negative": (engine.negative, "neg"),
    "absolute": (engine.absolute, "abs"),
    "exp of tanh": (lambda x: engine.exp(engine.tanh(x)), lambda t, x: t.exp(t.tanh(x))),
    "log": (lambda x: engine.log(1 + x * x), lambda t, x: t.log(1 + x * x)),
    "sqrt": (lambda x: engine.sqrt(1 + x * x), lambda t, x: t.sqrt(1 + x * x)),
    "power": (lambda x: (1 + x * x) ** 1.5, lambda t, x: (1 + x * x) ** 1.5),
    "softplus": (engine.softplus, lambda t, x: t.nn.functional.softplus(x, threshold=1e9)),
    "total": (engine.sum, "sum"),
    "rows": (lambda x: engine.sum(x, axis=-1, keepdims=True), lambda t, x: x.sum(-1, keepdim=True)),
    "mean": (lambda x: engine.mean(x, axis=0), lambda t, x: x.mean(0)),
    "softmax": (lambda x: engine.softmax(x, axis=-1), lambda t, x: t.softmax(x, -1)),
    "log_softmax": (lambda x: engine.log_softmax(x, axis=0), lambda t, x: t.log_softmax(x, 0)),
    "logsumexp": (lambda x: engine.logsumexp(x, axis=-1), lambda t, x: t.logsumexp(x, -1)),
    "largest": (lambda x: engine.max(x, axis=-1), lambda t, x: t.amax(x, -1)),
    "variance": (lambda x: engine.var(x, axis=0), lambda t, x: t.var(x, 0, correction=0)),
    "last row": (lambda x: x[-1], lambda t, x: x[-1]),
    "chosen": (lambda x: x[..., [0, 1, 1]], lambda t, x: x[..., [0, 1, 1]]),
    "transpose": (lambda x: x.T, lambda t, x: x.permute(tuple(range(x.ndim))[::-1])),
    "stack": (lambda x: engine.stack([x, x * 2], axis=-1)[..., 1], lambda t, x: t.stack([x, x * 2], -1)[..., 1]),
    "concatenate": (lambda x: engine.concatenate([x, x * x], axis=0), lambda t, x: t.cat([x, x * x], 0)),
}  # fmt: skip
BINARY = {
    "add": (engine.add, "add"),
    "subtract": (engine.subtract, "sub"),
    "multiply": (engine.multiply, "mul"),
    "divide": (lambda x, y: x / (1 + y * y), lambda t, x, y: x / (1 + y * y)),
    "maximum": (engine.maximum, "maximum"),
    "minimum": (engine.minimum, "minimum"),
    "where": (
        lambda x, y: engine.where(engine.greater(x, y), x, y * 2),
        lambda t, x, y: t.where(x > y, x, y * 2),
    ),
    "matmul": (lambda x, y: x @ y.T, lambda t, x, y: t.matmul(x, y.permute(tuple(range(y.ndim))[::-1]))),
}
SHAPES = [(2, 3), (3,), (1, 3), (2, 1)]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


programs = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=12
)


def run_both(torch, program, seed):
    """Apply the drawn operations to any earlier results, in both libraries; leave out those that do not fit."""
    arrays = [np.random.default_rng(seed).normal(size=shape) for shape in SHAPES]
    ours, theirs = [Tensor(a) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]
    for name, *places in program:
        f, g = {**UNARY, **BINARY}[name]
        chosen = [place % len(ours) for place in places[: 1 if name in UNARY else 2]]
        try:
            mine = f(*[ours[i] for i in chosen])
        except (ShapeError, IndexingError):
            continue
        if mine.size > 200:
            continue
        inputs = [theirs[i] for i in chosen]
        ours.append(mine)
        theirs.append(getattr(torch, g)(*inputs) if isinstance(g, str) else g(torch, *inputs))
    return ours, theirs


@settings(max_examples=3 * settings().max_examples)
@given(programs, st.integers(0, 1000))
def test_random_programs_agree_with_pytorch(torch, program, seed):
    ours, theirs = run_both(torch, program, seed)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.data, other.detach().numpy(), rtol=1e-8, atol=1e-8)
    results = slice(len(SHAPES) // 2, None)  # the first leaves count only where they are used
    sum(engine.sum(engine.sin(mine)) for mine in ours[results]).backward()
    sum(torch.sin(other).sum() for other in theirs[results]).backward()
    for mine, other in zip(ours[: len(SHAPES)], theirs, strict=False):
        if other.grad is None:
            assert mine.grad is None
        else:
            np.testing.assert_allclose(mine.grad, other.grad.numpy(), rtol=1e-7, atol=1e-7)


@given(programs, st.integers(0, 1000))
def test_second_derivatives_of_random_programs_agree_with_pytorch(torch, program, seed):
    ours, theirs = run_both(torch, program, seed)
    leaves = len(SHAPES)
    mine = engine.gradients(sum(engine.sum(engine.sin(x)) for x in ours), ours[:leaves], create_graph=True)
    others = torch.autograd.grad(sum(torch.sin(x).sum() for x in theirs), theirs[:leaves], create_graph=True)
    sum((g * g).sum() for g in mine).backward()
    sum((g * g).sum() for g in others).backward()
    for leaf, other in zip(ours[:leaves], theirs, strict=False):
        np.testing.assert_allclose(leaf.grad, other.grad.numpy(), rtol=1e-6, atol=1e-6)


def test_second_derivatives_of_a_network_agree_with_pytorch(torch):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in ((5, 4), (3, 4), (3,), (1, 3))]

    def loss(xp, x, w, b, v):
        hidden = xp.tanh(xp.matmul(x, w.T) + b)
        return xp.log(1 + xp.exp(xp.matmul(hidden, v.T))).sum()

    ours = [Tensor(a) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    gradients = engine.gradients(loss(engine, *ours), ours, create_graph=True)
    expected = torch.autograd.grad(loss(torch, *theirs), theirs, create_graph=True)
    sum((g * g).sum() for g in gradients).backward()
    sum((g * g).sum() for g in expected).backward()
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.grad, other.grad.numpy(), rtol=1e-10)


# What readers ask of one step.


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.kind not in ("random", "comparison")], ids=repr)
def test_the_local_slope_is_the_gradient_of_one_step(row):
    for layout in () if row.name in ("hook", "pick") else layouts(row):
        data = fill(row, layout, np.random.default_rng(0))
        inputs = [Tensor(x) if np.asarray(x).dtype.kind == "f" else x for x in data]
        node = row.call(*inputs, **(layout.params or {}))
        for position, x in differentiable_edges(node) if isinstance(node, Node) else ():
            slope = local_slope(node, position)
            if slope is not None:
                assert np.shape(slope) == (node.shape if row.entrywise else x.shape)
                (gradient,) = gradients(node, [x], np.ones(node.shape))
                uses = [other for other, each in differentiable_edges(node) if each is x]
                assert len(uses) == 1
                axes = tuple(range(np.ndim(slope) - np.ndim(gradient)))
                ours = np.sum(slope, axes)
                repeated = tuple(i for i, n in enumerate(gradient.shape) if n == 1 != ours.shape[i])
                np.testing.assert_allclose(np.sum(ours, repeated, keepdims=True), gradient, rtol=1e-12, atol=1e-12)


def test_a_local_slope_is_that_at_other_values_too():
    x, y = Value(2.0), Value(5.0)
    node = x * y
    assert local_slope(node, 0) == 5.0
    assert local_slope(node, 0, {node: Fraction(3, 2), x: Fraction(1, 2), y: Fraction(3)}, np) == 3


def test_what_is_done_by_itself_is_neither_recorded_nor_watched():
    x = Value(0.0, label="x")
    with engine.detect_anomaly(), engine.no_grad(), np.errstate(all="raise"):
        y = by_itself(engine.log, x)
        assert by_itself(np.log, 0.0) == -np.inf
    assert y.data == -np.inf and y.requires_grad and y.origin is None
