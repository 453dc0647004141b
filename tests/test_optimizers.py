"""Optimisers: rules beside PyTorch's, eager and recorded; and steps that cannot be taken."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
import nn
from engine import errors

RULES = {
    "SGD": lambda parameters: nn.SGD(parameters, learning_rate=0.1),
    "momentum": lambda parameters: nn.SGD(parameters, learning_rate=0.1, momentum=0.9),
    "Adam": lambda parameters: nn.Adam(parameters, learning_rate=0.01),
    "Adam, other settings": lambda parameters: nn.Adam(parameters, 0.02, beta1=0.8, beta2=0.95, epsilon=1e-3),
}
every_rule = pytest.mark.parametrize("make", RULES.values(), ids=list(RULES))

# Trajectories


def network():
    """3-5-4 with tanh; its weights are sines and cosines, so that no generator has to agree."""
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4))
    for k, layer in enumerate([model[0], model[2]]):
        layer.weight.data = np.sin(np.arange(layer.weight.size) + k + 1.0).reshape(layer.weight.shape)
        layer.bias.data = np.cos(np.arange(layer.bias.size) + k + 1.0)
    return model


X, Y = np.sin(0.7 * np.arange(18.0)).reshape(6, 3), np.array([0, 1, 2, 3, 1, 0])

# PyTorch 2.13: the loss at the steps 2, 10 and 100, and then the first row of the first weight.
RECORDED = {
    "SGD": (
        [1.6694542450826468, 1.1069085318404284, 0.539956164076276],
        [0.9122006158598017, 0.7747245481334307, -0.13546365276834055],
    ),
    "momentum": (
        [1.6694542450826468, 0.9451531616034572, 0.463113953175484],
        [1.2450927331316028, 0.4683360942101999, -0.9370334005548576],
    ),
    "Adam": (
        [1.736578323388466, 1.336355876768085, 0.5177148662250611],
        [0.995432235291736, 0.5831452677765556, -0.4282096212364835],
    ),
    "Adam, other settings": (
        [1.6800907380829428, 1.0306852963148154, 0.4648361669901564],
        [1.3403324790571818, 0.5528010110580729, -0.6657692270835298],
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_trajectory_is_pytorchs(name):
    model = network()
    optimizer = RULES[name](model.parameters())
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(X), Y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    expected, weight = RECORDED[name]
    np.testing.assert_allclose([losses[1], losses[9], losses[99]], expected, rtol=1e-10)
    np.testing.assert_allclose(model[0].weight.data[0], weight, rtol=1e-10)


@pytest.mark.parametrize("name", RULES)
def test_the_recorded_trajectories_are_those_of_the_pytorch_that_is_installed(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    make = {
        "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
        "Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01),
        "Adam, other settings": lambda parameters: torch.optim.Adam(parameters, lr=0.02, betas=(0.8, 0.95), eps=1e-3),
    }
    parameters = [torch.from_numpy(p.data.copy()).requires_grad_() for p in network().parameters()]
    optimizer = make[name](parameters)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        w, b, v, c = parameters
        logits = torch.tanh(torch.from_numpy(X) @ w.T + b) @ v.T + c
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(Y))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    expected, weight = RECORDED[name]
    np.testing.assert_allclose([losses[1], losses[9], losses[99]], expected, rtol=1e-10)
    np.testing.assert_allclose(parameters[0][0].tolist(), weight, rtol=1e-10)


numbers = st.floats(-10, 10)


@every_rule
@given(starts=st.lists(numbers, min_size=1, max_size=4), data=st.data())
def test_values_and_tensors_move_alike(make, starts, data):
    values, tensor = [engine.Value(x) for x in starts], engine.Tensor(starts)
    few, one = make(values), make([tensor])
    for _ in range(3):
        gradients = data.draw(st.lists(numbers, min_size=len(starts), max_size=len(starts)))
        for value, g in zip(values, gradients, strict=True):
            value.grad = g
        tensor.grad = np.array(gradients)
        few.step()
        one.step()
        assert [value.data for value in values] == tensor.tolist()
        assert {type(value.data) for value in values} == {float}


@every_rule
@given(data=st.data(), size=st.integers(1, 3))
def test_a_recorded_update_replays_the_eager_one_bit_for_bit(make, data, size):
    """The rule is the same code; rate, step and state are arguments, so one recording serves every step."""
    array = st.lists(numbers, min_size=size, max_size=size).map(np.array)
    optimizer = make([engine.Tensor(np.zeros(size))])

    def leaf(x):
        return engine.Tensor(x) if np.ndim(x) else engine.Value(x)

    recorded_state = optimizer.initial_state(np.zeros(size))
    inputs = [leaf(x) for x in (np.ones(size), np.ones(size), 1.0, 1.0, *recorded_state)]
    parameter, gradient, rate, step, *state = inputs
    outputs = optimizer.update(parameter, gradient, tuple(state), rate, step)

    used = set(engine.topological_order(outputs[0], *outputs[1]))
    now, state = data.draw(array), recorded_state
    for count in range(1, 4):
        g, speed = data.draw(array), data.draw(st.floats(0, 1))
        eager = optimizer.update(now, g, state, speed, count)
        known = dict(zip(inputs, (now, g, speed, float(count), *state), strict=True))
        replayed = engine.evaluate(outputs, {node: x for node, x in known.items() if node in used})
        np.testing.assert_array_equal(replayed[0], eager[0])
        for mine, other in zip(replayed[1], eager[1], strict=True):
            np.testing.assert_array_equal(mine, other)
        now, state = eager


@every_rule
def test_an_update_can_be_differentiated(make):
    """Through the rate, as when a learning rate is learned."""
    optimizer = make([engine.Value(1.0)])
    state = optimizer.initial_state(1.0)

    def after(rate):
        return optimizer.update(1.0, 2.0, state, rate, 1)[0]

    assert engine.grad(after)(0.1) == pytest.approx((after(0.2) - after(0.1)) / 0.1)


@every_rule
def test_the_rule_writes_to_nothing(make):
    optimizer = make([engine.Tensor([1.0, 2.0])])
    arrays = [np.array([1.0, 2.0]), np.array([3.0, 4.0]), *optimizer.initial_state(np.zeros(2))]
    for array in arrays:
        array.flags.writeable = False
    optimizer.update(arrays[0], arrays[1], tuple(arrays[2:]), 0.1, 1)


@every_rule
def test_the_minimum_of_a_bowl_is_found(make):
    x, y = engine.Tensor([3.0, -2.0]), engine.Value(1.0)
    optimizer = make([x, y])
    for count in range(500):
        optimizer.learning_rate = 0.1 * 0.99**count
        optimizer.zero_grad()
        (((x - 1) ** 2).sum() + (y + 1) ** 2).backward()
        optimizer.step()
    assert [*x.tolist(), y.data] == pytest.approx([1, 1, -1], abs=1e-3)


# What a step does and does not touch


@every_rule
def test_float32_stays_float32(make):
    x = engine.Tensor(np.ones((2, 3), "float32"))
    optimizer = make([x])
    optimizer.learning_rate = np.float64(0.1)
    for _ in range(2):
        x.grad = np.ones((2, 3), "float32")
        optimizer.step()
    assert x.dtype == np.float32
    assert {array.dtype for array in optimizer.states[0]} <= {np.dtype("float32")}


@every_rule
def test_parameters_of_every_rank(make):
    parameters = [engine.Tensor(np.ones(shape)) for shape in [(), (0,), (2,), (1, 2, 3)]]
    optimizer = make(parameters)
    for parameter in parameters:
        parameter.grad = np.ones(parameter.shape)
    optimizer.step()
    optimizer.step()
    assert [parameter.shape for parameter in parameters] == [(), (0,), (2,), (1, 2, 3)]
    assert parameters[0].item() == parameters[2].data[0] < 1


def test_a_parameter_without_a_gradient_is_left_alone():
    x, y = engine.Value(1.0), engine.Value(1.0)
    adam = nn.Adam([x, y], learning_rate=0.1)
    for gradient in (None, None, 3.0):
        x.grad, y.grad = 3.0, gradient
        adam.step()
    assert y.data == pytest.approx(0.9)  # its first step, however late: corrected as a first one
    assert x.data == pytest.approx(0.7)


def test_zero_grad_forgets():
    x = engine.Value(1.0)
    optimizer = nn.SGD([x])
    x.grad = 2.0
    optimizer.zero_grad()
    assert x.grad is None
    optimizer.step()
    assert x.data == 1.0


def test_a_shared_parameter_moves_once():
    x = engine.Value(1.0)
    optimizer = nn.SGD(iter([x, x]), learning_rate=0.5)
    x.grad = 1.0
    optimizer.step()
    assert x.data == 0.5
    assert optimizer.parameters == [x]


def test_a_graph_recorded_before_the_step_is_stale_after_it():
    x = engine.Tensor([1.0])
    y = (x * x).sum()
    y.backward()
    nn.SGD([x]).step()
    with pytest.raises(errors.GraphError, match="were changed after"):
        y.backward()


@every_rule
@pytest.mark.parametrize("wrong", [np.ones(3), np.ones((2, 2)), [1.0, 2.0, 3.0], "text", np.array(["a", "b"])])
def test_a_gradient_that_does_not_fit_changes_nothing(make, wrong):
    parameters = [engine.Value(1.0), engine.Tensor([1.0, 2.0]), engine.Tensor([1.0, 2.0]), engine.Value(4.0)]
    optimizer = make(parameters)
    for parameter in parameters:
        parameter.grad = np.ones(parameter.shape) if parameter.shape else 1.0
    optimizer.step()
    before = [p.tolist() for p in parameters], repr(optimizer.states), list(optimizer.steps)
    for position in (2, 3):
        right, parameters[position].grad = parameters[position].grad, wrong
        with pytest.raises(errors.ShapeError, match=f"gradient of parameter {position} is .*has changed nothing"):
            optimizer.step()
        parameters[position].grad = right
        assert ([p.tolist() for p in parameters], repr(optimizer.states), list(optimizer.steps)) == before
    optimizer.step()


def test_a_rule_that_fails_changes_nothing():
    class Failing(nn.Optimizer):
        def update(self, parameter, gradient, state, rate, step):
            return parameter - gradient / (0 if parameter == 2.0 else 1), state

    parameters = [engine.Value(1.0), engine.Value(2.0)]
    optimizer = Failing(parameters, learning_rate=1.0)
    for parameter in parameters:
        parameter.grad = 1.0
    with pytest.raises(ZeroDivisionError):
        optimizer.step()
    assert [parameter.data for parameter in parameters] == [1.0, 2.0]


def test_a_rule_must_be_written():
    x = engine.Value(1.0)
    x.grad = 1.0
    with pytest.raises(NotImplementedError, match="Write def update"):
        nn.Optimizer([x], 0.1).step()


# Settings


@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf, "fast", None, [0.1]])
def test_a_learning_rate_that_is_none_is_refused(wrong):
    x = engine.Value(1.0)
    with pytest.raises(errors.DomainError, match=r"learning_rate=.*setting of SGD.*not negative and finite"):
        nn.SGD([x], learning_rate=wrong)
    adam = nn.Adam([x], learning_rate=0.5)
    with pytest.raises(errors.DomainError, match=r"learning_rate=.*setting of Adam"):
        adam.learning_rate = wrong
    assert adam.learning_rate == 0.5


@pytest.mark.parametrize("name", ["momentum", "beta1", "beta2"])
@pytest.mark.parametrize("wrong", [1.0, -0.1, math.nan])
def test_a_fraction_is_below_one(name, wrong):
    make = nn.SGD if name == "momentum" else nn.Adam
    with pytest.raises(errors.DomainError, match=rf"{name}=.*less than 1"):
        make([engine.Value(1.0)], **{name: wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        None,
        engine.Tensor([1.0]),
        [1.0],
        [np.ones(2)],
        nn.Linear(1, 1),
        [nn.Linear(1, 1)],
        [engine.Value(1.0) + 1],
        {"w": engine.Value(1.0)},
    ],
    ids=lambda wrong: type(wrong).__name__,
)
def test_what_cannot_be_a_parameter_is_refused(wrong):
    with pytest.raises(errors.DataError, match=r"SGD\(model\.parameters\(\)\)"):
        nn.SGD(wrong)


def test_the_repr_shows_the_settings():
    x = [engine.Value(1.0)]
    assert repr(nn.SGD(x, 0.1, 0.9)) == "SGD(learning_rate=0.1, momentum=0.9)"
    assert repr(nn.Adam(x)) == "Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)"
