"""Value: a number that remembers how it was computed; what micrograd's users write runs unchanged."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import explained

import engine
from engine import Tensor, Value
from engine.errors import DataError, DomainError, GraphError

# Making one


@pytest.mark.parametrize(
    "data",
    [2, 2.0, True, np.float32(2), np.float64(2), np.int8(2), np.bool_(True), np.array(2), np.array(2.0)],
    ids=lambda x: type(x).__name__,
)
def test_a_value_holds_a_plain_float_whatever_number_it_was_given(data):
    v = Value(data)
    assert type(v.data) is float and v.data == float(data)
    assert v.requires_grad and v.grad is None and v.op is None and v.inputs == ()


@given(st.floats())
def test_every_float_is_legal_data(x):
    v = Value(x)
    assert v.data is x
    assert repr(v) == f"Value({x})"


@pytest.mark.parametrize("data", ["1", None, 1j, [1.0], {}, object(), np.array([1.0]), np.array([1.0, 2.0])])
def test_anything_but_one_real_number_is_refused(data):
    what = f"shape {data.shape}" if isinstance(data, np.ndarray) else repr(data)
    with explained(DataError, what, type(data).__name__):
        Value(data)


def test_a_node_is_no_number():
    for node in (Value(1.0), Tensor(1.0)):
        with explained(DataError, "detach"):
            Value(node)


def test_a_number_too_large_for_a_float_is_refused():
    with explained(DomainError, "401 digits"):
        Value(10**400)


def test_labels_and_requires_grad_may_be_given_by_position():
    v = Value(2.0, "x", False)
    assert (v.label, v.requires_grad) == ("x", False)
    assert not (v * 3).requires_grad


def test_repr_shows_the_value_alone():
    x = Value(2.0, label="x")
    assert repr(x) == str([x])[1:-1] == "Value(2.0, label='x')"
    assert repr(x * x + 1) == "Value(5.0)"
    assert repr(engine.greater(x, 1.0)) == "Value(True)"
    assert repr(Value(math.inf)) == "Value(inf)"


# What it computes


EXPRESSIONS = {
    "polynomial": lambda x, y: 3 * x**2 * y - y / x + (-x) ** 3 - 2,
    "exponentials": lambda x, y: engine.exp(x * y) / (1 + engine.exp(-y)) + engine.log1p(x * x),
    "waves": lambda x, y: engine.sin(x) * engine.cos(y) - engine.tanh(x - y) * engine.tan(x * 0.1),
    "powers": lambda x, y: (1 + x * x) ** y + 2**x + engine.sqrt(1 + y * y),
    "shared": lambda x, y: (lambda z: z * z * engine.sigmoid(z) + z)(x * y + x),
}


@pytest.mark.parametrize("f", EXPRESSIONS.values(), ids=EXPRESSIONS)
@given(x=st.floats(-2, 2), y=st.floats(-2, 2))
def test_gradients_agree_with_the_complex_step(f, x, y):
    """Im f(x + ih) / h, Squire and Trapp (1998), evaluated on the recorded graph: exact to rounding."""
    if abs(x) < 1e-3:
        x = 0.5
    leaves = Value(x), Value(y)
    output = f(*leaves)
    output.backward()
    step = 1e-30j
    for leaf in leaves:
        stepped = engine.evaluate(output, {leaf: leaf.data + step}, np)
        assert leaf.grad == pytest.approx(stepped.imag / 1e-30, rel=1e-10, abs=1e-10)


def test_backward_gives_plain_floats():
    x, c = Value(2.0), Value(3.0, requires_grad=False)
    y = x * c * np.float64(2.0) + np.float32(1.0)
    y.backward()
    assert type(y.data) is type(x.grad) is float
    assert (x.grad, c.grad, y.grad) == (6.0, None, None)


def test_a_value_beside_an_array_gets_the_sum_of_its_gradients():
    x = Value(2.0)
    y = x * np.array([[1.0, 2.0, 3.0]]) + Tensor([[1.0], [2.0]])
    assert type(y) is Tensor and y.shape == (2, 3)
    y.sum().backward()
    assert x.grad == 12.0 and type(x.grad) is float


def test_functions_of_arrays_take_a_value_as_numpy_takes_a_number():
    x = Value(2.0)
    for f in (engine.sum, engine.mean, engine.max, engine.min, engine.prod, engine.norm, engine.logsumexp):
        assert type(f(x)) is Value and f(x).item() == 2.0
        assert engine.grad(f)(2.0) == 1.0
    assert engine.var(x).item() == 0.0 and engine.softmax(x).item() == 1.0
    assert x.sum().item() == 2.0 and x.transpose().item() == 2.0
    assert engine.reshape(x, (1, 1)).shape == engine.broadcast_to(x, (1, 1)).shape == (1, 1)
    assert x.astype("float32").item() == 2.0
    engine.expand_dims(x, 0).sum().backward()
    assert x.grad == 1.0


def test_backward_on_a_leaf_is_one():
    x = Value(5.0)
    x.backward()
    assert x.grad == 1.0


# micrograd's names: https://github.com/karpathy/micrograd


def test_micrograd_s_own_example_prints_micrograd_s_numbers():
    """The example of micrograd's README, with the two numbers it prints for the gradients."""
    a = Value(-4.0)
    b = Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    assert f"{g.data:.4f}" == "24.7041"
    g.backward()
    assert f"{a.grad:.4f}" == "138.8338"
    assert f"{b.grad:.4f}" == "645.5773"


def test_what_micrograd_s_users_write_runs():
    x, w, b = Value(2.0), Value(-3.0), Value(1)
    out = (x * w + b).relu() + 0.5 * x - -w / 2.0 + 1 / x + (2 - x) ** 2
    out.backward()
    w.data -= 0.1 * w.grad
    assert w.data == pytest.approx(-3.05)
    for p in (x, w, b):
        p.grad = 0
    out = x * w
    out.backward()
    assert (x.grad, w.grad) == (w.data, 2.0)
    assert sorted([x, w, b], key=lambda p: p.data)[0] is w


def test_assigning_a_grad_of_zero_starts_afresh():
    x = Value(3.0)
    for _ in range(2):
        x.grad = 0
        (x * x).backward()
        assert x.grad == 6.0


def test_micrograd_s_second_backward_mistake_is_not_ours():
    """Interior gradients are not kept between sweeps: 6 + 6 for the leaf, not 6 + 12."""
    x = Value(1.0)
    y = (x * 2) * 3
    y.backward()
    y.backward()
    assert x.grad == 12.0


def test_random_expressions_agree_with_micrograd():
    micrograd = pytest.importorskip("micrograd.engine", reason="micrograd is not installed")
    rng = np.random.default_rng(0)
    for _ in range(50):
        numbers = rng.uniform(0.5, 2.0, size=3)
        choices = rng.integers(0, 6, size=12), rng.integers(0, 100, size=(12, 2))
        results = []
        for make in (Value, micrograd.Value):
            leaves = nodes = [make(float(x)) for x in numbers]
            for kind, (i, j) in zip(*choices, strict=True):
                x, y = nodes[i % len(nodes)], nodes[j % len(nodes)]
                result = [x + y, x * 0.5 * y, x - y, x / (y * y + 1), x.relu(), (x * 0.1) ** 2][kind]
                nodes = [*nodes, result]
            sum(nodes).backward()
            results.append([float(leaf.grad or 0) for leaf in leaves])
        np.testing.assert_allclose(results[0], results[1], rtol=1e-12)


# Errors


def test_backward_on_what_nothing_requires_grad_raises():
    with explained(GraphError, "Value", "requires_grad=True"):
        (Value(1.0, requires_grad=False) * 2).backward()
    with explained(GraphError, "no_grad"), engine.no_grad():
        (Value(1.0) * 2).backward()
    with explained(GraphError):
        engine.greater(Value(2.0), 1.0).backward()


def test_a_value_is_no_sequence():
    with pytest.raises(TypeError):
        len(Value(1.0))
    with pytest.raises(TypeError):
        list(Value(1.0))
