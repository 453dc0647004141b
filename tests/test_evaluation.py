"""A recorded graph is enough: run again on other data, in other namespaces, it gives what running the code gives."""

import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import explained

import engine
from engine import Tensor, Value
from engine.errors import DataError, GraphError, ShapeError, UnsupportedError
from engine.testing import strategies


def bits(tree):
    """Everything about results: their kind, shape, dtype and every bit."""
    if isinstance(tree, dict):
        return {key: bits(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [bits(part) for part in tree]
    return type(tree), np.shape(tree), np.asarray(tree).dtype, np.asarray(tree).tobytes()


# On other data


def test_a_graph_is_evaluated_on_the_data_it_has_and_on_others():
    x, y = Value(2.0), Value(3.0)
    z = x * y + engine.exp(x) - 1
    assert engine.evaluate(z) == z.data
    assert engine.evaluate(z, {x: 5.0}) == 5.0 * 3.0 + math.exp(5.0) - 1
    assert engine.evaluate(z, {x: 5, y: -1}) == -5.0 + math.exp(5.0) - 1
    assert (x.data, z.data, x.grad) == (2.0, 6.0 + math.exp(2.0) - 1, None)


def test_a_leaf_that_is_not_given_has_its_present_data():
    x = Value(2.0)
    y = x * x
    x.data = 5.0
    assert engine.evaluate(y) == 25.0


def test_data_for_a_result_replace_what_leads_to_it():
    calls = []

    @engine.primitive(x=lambda xp, g, out, x: g)
    def counted(xp, x):
        calls.append(x)
        return x * 2

    x = Value(2.0)
    y = counted(x)
    z = y * y + x
    calls.clear()
    assert engine.evaluate(z, {y: 10.0}) == 102.0
    assert calls == []
    assert engine.evaluate(y, {y: 7.0}) == 7.0
    assert engine.evaluate(z, {x: 1.0}) == 5.0 and calls == [1.0]


def test_constants_are_nodes_and_can_be_replaced():
    y = Value(2.0) * np.array([1.0, 2.0])
    constant = y.inputs[1]
    assert engine.evaluate(y, {constant: np.array([5.0, 6.0])}).tolist() == [10.0, 12.0]


def test_outputs_may_be_nested_and_repeated_and_keep_their_structure():
    x, t = Value(2.0), Tensor([1.0, 2.0])
    y = x * t
    result = engine.evaluate({"y": y, "list": [x, (y, y.sum())], "number": 3}, {x: 10.0})
    assert result["list"][0] == 10.0 and isinstance(result["list"][1], tuple)
    assert result["y"].tolist() == [10.0, 20.0] and result["list"][1][1] == 30.0
    assert result["number"] == 3
    assert engine.evaluate([]) == []


def test_results_are_plain_and_of_the_kind_that_was_recorded():
    x, t = Value(2.0), Tensor([1.0, 2.0], dtype=np.float32)
    outputs = [x * 2, t * x, t.sum(), engine.greater(x, 1.0), t.argmax(), engine.split(t, 2)[0], t.values()[0]]
    for output in outputs:
        result = engine.evaluate(output)
        assert type(result) is type(output.data)
        assert bits(result) == bits(output.data)


def test_results_are_the_caller_s_own():
    t = Tensor([1.0, 2.0])
    for output in (t, t.reshape(2, 1), t + 0.0, t[:]):
        result = engine.evaluate(output)
        result[...] = 9.0
        assert t.tolist() == [1.0, 2.0]
    given = np.array([3.0, 4.0])
    engine.evaluate(t, {t: given})[...] = 9.0
    assert given.tolist() == [3.0, 4.0]


def test_lists_are_taken_for_arrays():
    t = Tensor([1.0, 2.0])
    assert engine.evaluate(engine.sigmoid(-t), {t: [0, 0]}).tolist() == [0.5, 0.5]
    x = Value(1.0)
    assert engine.evaluate(engine.relu(x * 2), {x: (-1.0, 1.0)}).tolist() == [0.0, 2.0]


def test_evaluation_is_silent_at_the_edges():
    x, t = Value(1.0), Tensor([1.0])
    with np.errstate(all="raise"):
        assert engine.evaluate(engine.log(x) / x, {x: 0.0}) == -math.inf
        assert engine.evaluate(engine.log(t), {t: np.array([-1.0])})[0] != 0
        assert engine.evaluate(engine.exp(x), {x: 1e4}) == math.inf


def test_evaluation_does_not_depend_on_the_recording_state():
    x = Value(2.0)
    y = engine.sin(x) * x
    with engine.no_grad():
        assert engine.evaluate(y) == y.data


# Batches


def test_a_graph_of_values_runs_on_a_batch():
    x, y = Value(1.0), Value(2.0)
    z = engine.tanh(x * y + 1) / (1 + x**2) + engine.relu(x - y) + engine.where(engine.greater(x, y), x, y)
    rng = np.random.default_rng(0)
    xs, ys = rng.normal(size=50), rng.normal(size=50)
    batch = engine.evaluate(z, {x: xs, y: ys})
    one_by_one = [engine.evaluate(z, {x: a, y: b}) for a, b in zip(xs.tolist(), ys.tolist(), strict=True)]
    np.testing.assert_allclose(batch, one_by_one, rtol=1e-15)


def test_a_recorded_gradient_of_values_runs_on_a_batch():
    x = Value(0.5)
    (g,) = engine.gradients(engine.maximum(x, 0) ** 2 + abs(x) * engine.exp(-x), [x], create_graph=True)
    xs = np.array([-2.0, -0.5, 0.25, 3.0])
    expected = [engine.grad(lambda x: engine.maximum(x, 0) ** 2 + abs(x) * engine.exp(-x))(a) for a in xs.tolist()]
    np.testing.assert_allclose(engine.evaluate(g, {x: xs}), expected, rtol=1e-14)


def test_a_graph_of_tensors_runs_on_another_batch_size():
    x, w = Tensor(np.ones((2, 3))), Tensor(np.arange(6.0).reshape(3, 2))
    y = engine.tanh(x @ w).max(axis=-1)
    assert engine.evaluate(y, {x: np.ones((5, 3))}).shape == (5,)


# In other namespaces


def test_a_graph_is_evaluated_in_complex_numbers():
    x = Value(0.5)
    y = engine.exp(x) * engine.sin(x) / (1 + x * x) ** 2
    stepped = engine.evaluate(y, {x: 0.5 + 1e-30j}, np)
    assert stepped.real == pytest.approx(y.data, rel=1e-15)
    assert stepped.imag / 1e-30 == pytest.approx(engine.gradients(y, [x])[0], rel=1e-14)
    t = Tensor([0.5, 2.0])
    stepped = engine.evaluate((t * t).sum(), {t: t.data + np.array([1e-30j, 0.0])})
    assert stepped.imag == 1e-30


class Fractions(SimpleNamespace):
    """A namespace of a few lines in which arithmetic is exact."""

    add = staticmethod(lambda x, y: Fraction(x) + Fraction(y))
    subtract = staticmethod(lambda x, y: Fraction(x) - Fraction(y))
    multiply = staticmethod(lambda x, y: Fraction(x) * Fraction(y))
    divide = staticmethod(lambda x, y: Fraction(x) / Fraction(y))
    negative = staticmethod(lambda x: -Fraction(x))
    power = staticmethod(lambda x, y: Fraction(x) ** int(y))


@given(st.fractions(-5, 5), st.fractions(1, 5))
def test_a_graph_is_evaluated_in_exact_fractions(a, b):
    x, y = Value(0.5), Value(2.0)
    z = (x * 3 - y) / (y + 1) + x**3 / -y - 0.25
    expected = (a * 3 - b) / (b + 1) + a**3 / -b - Fraction(1, 4)
    assert engine.evaluate(z, {x: a, y: b}, Fractions()) == expected


def test_a_recorded_gradient_is_exact_in_fractions_too():
    x = Value(0.5)
    (g,) = engine.gradients(x * x * x / 7 + 1 / x, [x], create_graph=True)
    a = Fraction(1, 3)
    assert engine.evaluate(g, {x: a}, Fractions()) == 3 * a * a / 7 - 1 / a**2


def test_a_graph_evaluated_in_the_engine_s_own_namespace_records_again():
    x, t = Value(2.0), Tensor([1.0, 2.0])
    y = (engine.tanh(x * t) * t).sum() + x**3
    fresh = Value(0.5)
    again = engine.evaluate(y, {x: fresh}, engine)
    assert again.data == engine.evaluate(y, {x: 0.5})
    again.backward()
    assert fresh.grad == pytest.approx(engine.grad(lambda x: (engine.tanh(x * t.data) * t.data).sum() + x**3)(0.5))


# Draws


def test_draws_are_drawn_anew_and_once_for_each_node():
    noise = engine.random.default_rng(0).normal(size=3)
    x = Value(2.0)
    y = noise * x - noise * x
    again = np.random.default_rng(0)
    assert noise.tolist() == again.normal(size=3).tolist()
    assert engine.evaluate(noise).tolist() == again.normal(size=3).tolist()
    assert engine.evaluate(noise).tolist() == again.normal(size=3).tolist()
    assert engine.evaluate(y).tolist() == [0.0, 0.0, 0.0]


def test_draws_may_be_given_like_any_data():
    rng = engine.random.default_rng(0)
    noise, keep = rng.normal(size=2), rng.random(2)
    y = engine.where(engine.greater(keep, 0.5), noise, 0.0)
    assert engine.evaluate(y, {noise: np.array([3.0, 4.0]), keep: np.array([0.9, 0.1])}).tolist() == [3.0, 0.0]
    scale = Value(2.0)
    (g,) = engine.gradients((rng.normal(0.0, scale, size=2) * 1.0).sum(), [scale], create_graph=True)
    assert engine.evaluate(g) != engine.evaluate(g)


# What is wrong


def test_data_for_a_node_of_another_graph_are_refused():
    x, foreign, t = Value(2.0), Value(3.0, label="foreign"), Tensor(np.ones((2, 1)))
    y = x * x
    with explained(GraphError, "'foreign'"):
        engine.evaluate(y, {foreign: 1.0})
    with explained(GraphError, "(2, 1)"):
        engine.evaluate(y, {x: 1.0, t: 1.0})
    with explained(GraphError, "'x'"):
        engine.evaluate(y, {"x": 1.0})
    with explained(GraphError):
        engine.evaluate(y, {y * 2: 1.0})


def test_data_whose_shapes_do_not_fit_name_the_row():
    t, s = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    with explained(ShapeError, "add", "(3,)", "(2,)"):
        engine.evaluate(t + s, {t: np.ones(3)})


@pytest.mark.parametrize("data", ["text", None, ..., [[1.0], [1.0, 2.0]]], ids=str)
def test_data_that_are_no_numbers_are_refused(data):
    x = Value(2.0)
    with explained((DataError, ShapeError, UnsupportedError)):
        engine.evaluate(engine.exp(x) * x, {x: data})


# Evaluating gives what running the code gives, bit for bit

PROGRAMS = strategies.expressions(result="any")


def elsewhere(program, seed):
    """Other data for a program, inside and outside of the domains of its operations."""
    rng = np.random.default_rng(seed)
    moved = [x + rng.normal(size=np.shape(x)) for x in program.args]
    return [
        float(x) if type(old) is float else np.asarray(x, old.dtype) for x, old in zip(moved, program.args, strict=True)
    ]


def leaves_of(data):
    return [Tensor(x) if isinstance(x, np.ndarray) else Value(x) for x in data]


@given(PROGRAMS, st.integers(0, 99))
def test_random_graphs_evaluate_to_what_running_their_code_gives(program, seed):
    leaves, data = program.leaves(), elsewhere(program, seed)
    results = engine.evaluate(program.run(*leaves), dict(zip(leaves, data, strict=True)))
    expected = [node.data for node in program.run(*leaves_of(data))]
    assert bits(results) == bits(expected)


@given(PROGRAMS, st.integers(0, 99))
def test_recorded_gradients_of_random_graphs_evaluate_to_those_of_a_new_run(program, seed):
    """What a rule does may not depend on the numbers it saw when it was recorded."""

    def gradients(leaves, create_graph):
        known = [node for node in program.run(*leaves) if node.requires_grad]
        total = sum(engine.sum(engine.sin(node)) for node in known)
        return engine.gradients(total, leaves, create_graph=create_graph)

    leaves, data = program.leaves(), elsewhere(program, seed)
    results = engine.evaluate(gradients(leaves, True), dict(zip(leaves, data, strict=True)))
    expected = [g.data for g in gradients(leaves_of(data), True)]
    assert bits(results) == bits(expected)
    for result, plain in zip(results, gradients(leaves_of(data), False), strict=True):
        np.testing.assert_allclose(result, plain, rtol=1e-4, atol=1e-5)


def test_a_recorded_gradient_of_setting_follows_a_recorded_index():
    index, v = Tensor(np.array([0, 0])), Tensor([1.0, 2.0])
    y = (Tensor([5.0, 6.0]).at[index].set(v) ** 2).sum()
    (g,) = engine.gradients(y, [v], create_graph=True)
    assert g.tolist() == [0.0, 4.0]
    assert engine.evaluate(g, {index: np.array([0, 1])}).tolist() == [2.0, 4.0]


def test_a_recorded_gradient_of_a_product_follows_zeros_that_come_and_go():
    t = Tensor([2.0, 3.0, 4.0])
    (g,) = engine.gradients(engine.prod(t), [t], create_graph=True)
    assert engine.evaluate(g, {t: np.array([0.0, 3.0, 4.0])}).tolist() == [12.0, 0.0, 0.0]


# Ready for capture: the graph of a whole step of training is enough to take it again.


def loss_of(x, target, w1, b1, w2, b2):
    """A ReLU network with a max and a where, Huber's loss; its conditions are recorded."""
    hidden = engine.relu(engine.linear(x, w1, b1))
    pooled = engine.max(hidden.reshape(len(hidden), -1, 2), axis=2)
    outputs = pooled @ w2 + b2
    error = outputs - target
    small = engine.greater(1.0, engine.absolute(error))
    huber = engine.where(small, 0.5 * error * error, engine.absolute(error) - 0.5)
    return huber.mean() + 0.01 * engine.max(engine.absolute(w2)) + 1e-3 * (w1 * w1).sum()


def step(x, target, parameters, rate):
    """The loss, the gradients and the parameters after one step of SGD, all from recorded graphs."""
    loss = loss_of(x, target, *parameters)
    gradients = engine.gradients(loss, parameters, create_graph=True)
    return loss, gradients, [p - rate * g for p, g in zip(parameters, gradients, strict=True)]


def step_by_hand(x, target, parameters, rate):
    """The same as users write it: backward() and in-place updates under no_grad()."""
    loss = loss_of(x, target, *parameters)
    loss.backward()
    gradients = [p.grad for p in parameters]
    updated = []
    with engine.no_grad():
        for p in parameters:
            p -= rate * p.grad
            updated.append(p)
    return loss, gradients, updated


def drawn(seed, dtype):
    rng = np.random.default_rng(seed)
    shapes = [(6, 5), (6, 2), (8, 5), (8,), (4, 2), (2,)]
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", range(5))
def test_a_recorded_step_of_training_evaluated_on_other_data_is_the_eager_step_bit_for_bit(seed, dtype):
    first = [Tensor(a) for a in drawn(seed, dtype)]
    rate = Value(0.1, requires_grad=False)
    recorded = step(*first[:2], first[2:], rate)

    for other in range(100 * seed, 100 * seed + 5):
        data = drawn(other + 1, dtype)
        replayed = engine.evaluate(recorded, {**dict(zip(first, data, strict=True)), rate: 0.05 * seed})
        for eagerly in (step, step_by_hand):
            leaves = [Tensor(a) for a in data]
            loss, gradients, updated = eagerly(*leaves[:2], leaves[2:], Value(0.05 * seed, requires_grad=False))
            expected = [loss.data, [getattr(g, "data", g) if isinstance(g, Tensor) else g for g in gradients]]
            expected.append([p.data for p in updated])
            assert bits(replayed) == bits(expected)


def test_a_recorded_step_takes_every_branch_that_the_data_take():
    """The data differ so much that other units fire, other entries are largest, other errors are small."""
    first = [Tensor(a) for a in drawn(0, float)]
    recorded = step(*first[:2], first[2:], 0.1)
    for scale in (0.0, 1e-3, 1.0, 30.0):
        data = [scale * a for a in drawn(1, float)]
        leaves = [Tensor(a) for a in data]
        loss, gradients, updated = step(*leaves[:2], leaves[2:], 0.1)
        replayed = engine.evaluate(recorded, dict(zip(first, data, strict=True)))
        expected = [loss.data, [g.data for g in gradients], [p.data for p in updated]]
        assert bits(replayed) == bits(expected)


def test_many_steps_replayed_one_after_the_other_are_the_eager_training():
    first = [Tensor(a) for a in drawn(0, float)]
    recorded = step(*first[:2], first[2:], 0.1)
    x, target, *data = drawn(7, float)
    parameters = [Tensor(a) for a in data]
    for _ in range(20):
        _, _, updated = step_by_hand(Tensor(x, requires_grad=False), Tensor(target), parameters, 0.1)
        _, _, data = engine.evaluate(recorded, dict(zip(first, [x, target, *data], strict=True)))
        assert bits(data) == bits([p.data for p in updated])
        for p in parameters:
            p.grad = None


def test_a_recorded_step_of_values_is_the_eager_step_bit_for_bit():
    def step(w, b, x, target):
        hidden = [engine.relu(w[i] * x + b[i]) for i in range(3)]
        output = engine.maximum(hidden[0], hidden[1]) - hidden[2]
        error = output - target
        loss = engine.where(engine.greater(1.0, engine.absolute(error)), 0.5 * error**2, engine.absolute(error) - 0.5)
        gradients = engine.gradients(loss, [*w, *b], create_graph=True)
        return [loss, gradients, [p - 0.1 * g for p, g in zip([*w, *b], gradients, strict=True)]]

    def leaves(seed):
        numbers = np.random.default_rng(seed).normal(size=8).tolist()
        return numbers, [Value(x) for x in numbers]

    _, first = leaves(0)
    recorded = step(first[:3], first[3:6], *first[6:])
    for seed in range(1, 30):
        numbers, values = leaves(seed)
        loss, gradients, updated = step(values[:3], values[3:6], *values[6:])
        expected = [loss.data, [g.data for g in gradients], [p.data for p in updated]]
        assert bits(engine.evaluate(recorded, dict(zip(first, numbers, strict=True)))) == bits(expected)
