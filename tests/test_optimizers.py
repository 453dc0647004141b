"""Optimisers: rules beside PyTorch's, eager and recorded; and steps that cannot be taken."""

import io
import json
import math

import numpy as np
import pytest
import trajectories
from hypothesis import given
from hypothesis import strategies as st

import engine
import nn
from engine import errors

RULES = {
    "SGD": lambda parameters: nn.SGD(parameters, learning_rate=0.1),
    "momentum": lambda parameters: nn.SGD(parameters, learning_rate=0.1, momentum=0.9),
    "Nesterov": lambda parameters: nn.SGD(parameters, 0.1, momentum=0.9, nesterov=True, weight_decay=1e-4),
    "Adagrad": lambda parameters: nn.Adagrad(parameters, learning_rate=1.0),
    "RMSprop": lambda parameters: nn.RMSprop(parameters, learning_rate=0.01, weight_decay=1e-4),
    "RMSprop, centered": lambda parameters: nn.RMSprop(parameters, 0.01, centered=True, epsilon=1e-3, momentum=0.5),
    "Adam": lambda parameters: nn.Adam(parameters, learning_rate=0.01),
    "Adam, other settings": lambda parameters: nn.Adam(parameters, 0.02, beta1=0.8, beta2=0.95, epsilon=1e-3),
    "amsgrad": lambda parameters: nn.Adam(parameters, learning_rate=0.01, amsgrad=True, weight_decay=1e-4),
    "AdamW": lambda parameters: nn.AdamW(parameters, learning_rate=0.01, weight_decay=1e-4),
    "Lion": lambda parameters: nn.Lion(parameters, learning_rate=0.01, weight_decay=1e-4),
}
every_rule = pytest.mark.parametrize("make", RULES.values(), ids=list(RULES))
CLASSES = [nn.SGD, nn.Adagrad, nn.RMSprop, nn.Adam, nn.AdamW, nn.Lion]

# Trajectories

RECORDED = json.loads(trajectories.FILE.read_text("utf-8"))


def assert_alike(figures, expected):
    assert list(figures) == list(expected)
    for name, numbers in expected.items():
        np.testing.assert_allclose(figures[name], numbers, rtol=1e-10, atol=1e-12, err_msg=name)


def test_every_case_is_recorded():
    assert list(RECORDED) == list(trajectories.CASES)


@pytest.mark.parametrize("name", trajectories.CASES)
def test_a_trajectory_is_pytorchs(name):
    figures = trajectories.ours(trajectories.CASES[name])
    assert len(figures["losses"]) == 100
    assert figures["losses"][-1] < figures["losses"][0]
    assert_alike(figures, RECORDED[name])


@pytest.mark.parametrize("name", trajectories.CASES)
def test_the_recorded_trajectories_are_those_of_the_pytorch_that_is_installed(name):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    assert_alike(trajectories.theirs(trajectories.CASES[name]), RECORDED[name])


def test_lion_is_its_paper():
    """PyTorch has none: Chen et al. (2023), algorithm 2, line by line."""
    rng = np.random.default_rng(0)
    x, m = rng.normal(size=(3, 2)), np.zeros((3, 2))
    parameter = engine.Tensor(x)
    lion = nn.Lion([parameter], learning_rate=0.03, beta1=0.8, beta2=0.95, weight_decay=0.1)
    for _ in range(20):
        g = rng.normal(size=(3, 2))
        c = 0.8 * m + (1 - 0.8) * g
        x = x - 0.03 * (np.sign(c) + 0.1 * x)
        m = 0.95 * m + (1 - 0.95) * g
        parameter.grad = g
        lion.step()
    np.testing.assert_allclose(parameter.data, x, rtol=1e-12)


numbers = st.floats(-10, 10)


def test_adams_root_is_the_same_for_values_and_tensors():
    """`x ** 0.5` of a float may be another than that of an array."""
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=2000) * 10
    values, tensor = [engine.Value(0.0) for _ in gradients], engine.Tensor(np.zeros(2000))
    for value, g in zip(values, gradients.tolist(), strict=True):
        value.grad = g
    tensor.grad = gradients
    for parameters in (values, [tensor]):
        nn.Adam(parameters, learning_rate=0.01).step()
    assert [value.data for value in values] == tensor.tolist()


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
    rate = 1.0 if isinstance(optimizer, nn.Adagrad) else 0.1
    for count in range(500):
        optimizer.learning_rate = rate * 0.99**count
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


@pytest.mark.parametrize("error", [TypeError, ValueError, AttributeError, OverflowError, KeyboardInterrupt])
def test_a_mistake_in_a_rule_of_ones_own_is_shown_as_it_is(error):
    class Mistaken(nn.Optimizer):
        def update(self, parameter, gradient, state, rate, step):
            if np.ndim(parameter):
                raise error("a mistake of the rule")
            return parameter - gradient, state

    x, y = engine.Value(1.0), engine.Tensor([1.0, 2.0])
    x.grad, y.grad = 1.0, np.ones(2)
    optimizer = Mistaken([x, y], learning_rate=1.0)
    with pytest.raises(error, match="a mistake of the rule"):
        optimizer.step()
    assert (x.data, y.tolist(), optimizer.steps) == (1.0, [1.0, 2.0], [0, 0])


def test_a_rule_that_returns_another_shape_says_what_the_parameter_said():
    class Widening(nn.Optimizer):
        def update(self, parameter, gradient, state, rate, step):
            return np.ones((3, 2)), state

    y = engine.Tensor([1.0, 2.0])
    y.grad = np.ones(2)
    with pytest.raises(errors.ShapeError, match=r"\(3, 2\)") as caught:
        Widening([y], learning_rate=1.0).step()
    assert "gradient" not in str(caught.value)


@every_rule
@pytest.mark.parametrize("wrong", [0.5, np.float64(0.5), np.ones(()), np.ones(1), np.ones((1, 1)), np.ones((1, 2))])
def test_a_gradient_is_not_broadcast(make, wrong):
    x = engine.Tensor(np.ones((2, 2)))
    x.grad = wrong
    with pytest.raises(errors.ShapeError, match=r"gradient of parameter 0 is .*shape \(2, 2\)"):
        make([x]).step()


@every_rule
@pytest.mark.parametrize("number", [2, 2.0, np.float32(2), np.float64(2), np.array(2.0)])
def test_a_gradient_of_one_number_comes_in_any_kind(make, number):
    x, y, z = engine.Value(1.0), engine.Tensor(1.0), engine.Tensor(1.0)
    x.grad = y.grad = number
    z.grad = np.array(2.0)
    make([x, y, z]).step()
    assert x.data == pytest.approx(z.item(), abs=1e-6)
    assert y.item() == pytest.approx(z.item(), abs=1e-6)
    assert z.item() < 1


def test_a_rule_must_be_written():
    x = engine.Value(1.0)
    x.grad = 1.0
    with pytest.raises(NotImplementedError, match="Write def update"):
        nn.Optimizer([x], 0.1).step()


# Settings


@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf, "fast", None, [0.1]])
def test_a_learning_rate_that_is_none_is_refused(wrong):
    x = engine.Value(1.0)
    with pytest.raises(errors.DomainError, match=r"learning_rate=.*setting of SGD.*a number in \[0, inf\)"):
        nn.SGD([x], learning_rate=wrong)
    adam = nn.Adam([x], learning_rate=0.5)
    with pytest.raises(errors.DomainError, match=r"learning_rate=.*setting of Adam"):
        adam.learning_rate = wrong
    assert adam.learning_rate == 0.5


@pytest.mark.parametrize(
    ("make", "name"),
    [(nn.SGD, "momentum"), (nn.RMSprop, "momentum"), (nn.RMSprop, "smoothing")]
    + [(make, name) for make in (nn.Adam, nn.AdamW, nn.Lion) for name in ("beta1", "beta2")],
)
@pytest.mark.parametrize("wrong", [1.0, -0.1, math.nan, "0.5", np.ones(2)])
def test_a_fraction_is_below_one(make, name, wrong):
    with pytest.raises(errors.DomainError, match=rf"{name}=.*setting of {make.__name__}.*in \[0, 1\)"):
        make([engine.Value(1.0)], **{name: wrong})


@pytest.mark.parametrize("make", CLASSES)
@pytest.mark.parametrize("wrong", [-1e-3, math.nan, math.inf, None, 10**400])
def test_a_weight_decay_that_is_none_is_refused(make, wrong):
    with pytest.raises(errors.DomainError, match=r"weight_decay=.*in \[0, inf\)"):
        make([engine.Value(1.0)], weight_decay=wrong)


@pytest.mark.parametrize("make", [nn.Adagrad, nn.RMSprop, nn.Adam, nn.AdamW])
@pytest.mark.parametrize("wrong", [0.0, -1e-8, math.nan])
def test_epsilon_is_positive(make, wrong):
    with pytest.raises(errors.DomainError, match=r"epsilon=.*in \(0, inf\)"):
        make([engine.Value(1.0)], epsilon=wrong)


@pytest.mark.parametrize(("make", "name"), [(nn.SGD, "nesterov"), (nn.RMSprop, "centered"), (nn.Adam, "amsgrad")])
@pytest.mark.parametrize("wrong", [1, 0.9, None, "yes", np.ones(2)])
def test_a_switch_is_true_or_false(make, name, wrong):
    with pytest.raises(errors.DomainError, match=f"{name}=.*True or False"):
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
    assert repr(nn.SGD(x, 0.0)) == "SGD(learning_rate=0.0)"
    assert repr(nn.SGD(x, 0.1, 0.9)) == "SGD(learning_rate=0.1, momentum=0.9)"
    groups = [{"parameters": x, "momentum": 0.5}, {"parameters": [engine.Value(2.0)], "learning_rate": 1}]
    assert repr(nn.SGD(groups, 0.1)) == "SGD(learning_rate=0.1, momentum=0.5 | learning_rate=1.0)"
    assert repr(nn.Adam(x)) == "Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)"


def test_a_step_with_a_closure_calls_it_first_and_returns_the_loss():
    x = engine.Value(1.0)
    sgd = nn.SGD([x], learning_rate=0.25)

    def closure():
        sgd.zero_grad()
        loss = x * x
        loss.backward()
        return loss

    assert sgd.step(closure).item() == 1.0
    assert x.data == 0.5
    assert sgd.step() is None


def test_a_centered_root_is_never_that_of_a_negative_number():
    """Under a constant gradient the mean square equals the square of the mean, up to rounding."""
    x = engine.Tensor([0.1, 0.7])
    rmsprop = nn.RMSprop([x], smoothing=0.1, centered=True)
    for _ in range(60):
        x.grad = np.array([0.1, 0.3])
        rmsprop.step()
    assert np.isfinite(x.data).all()


def names_of(optimizer):
    return list(optimizer._names[1:])


CHANGES = [
    (nn.SGD, {"momentum": 0.9}),
    (nn.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (nn.Adagrad, {"epsilon": 0.1, "weight_decay": 0.1}),
    (nn.RMSprop, {"centered": True}),
    (nn.RMSprop, {"centered": True, "momentum": 0.5, "smoothing": 0.9}),
    (nn.Adam, {"amsgrad": True, "beta1": 0.5}),
    (nn.AdamW, {"amsgrad": True, "beta2": 0.5, "weight_decay": 0.5}),
    (nn.Lion, {"beta1": 0.5, "beta2": 0.5}),
]


@pytest.mark.parametrize(("make", "settings"), CHANGES)
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("back", [False, True])
def test_a_setting_that_is_changed_is_one_that_was_given(make, settings, grouped, back):
    """There and back again too: before the first step nothing tells the two apart."""

    def parameters():
        first, second = [engine.Value(1.0)], [engine.Tensor([2.0, 3.0])]
        groups = [{"parameters": first}, {"parameters": second, "learning_rate": 0.5}]
        return first + second, groups if grouped else first + second

    (ours, given_first), (others, given_second) = parameters(), parameters()
    changed, made = make(given_first), make(given_second, **({} if back else settings))
    defaults = {name: getattr(changed, name) for name in settings}
    for name, value in [*settings.items(), *(defaults.items() if back else ())]:
        setattr(changed, name, value)
        assert getattr(changed, name) == value
    assert changed.state_dict().keys() == made.state_dict().keys()
    for seed in range(3):
        for optimizer in (changed, made):
            gradients_for(optimizer.parameters, seed)
            optimizer.step()
    assert [p.tolist() for p in ours] == [p.tolist() for p in others]


def test_what_is_remembered_begins_anew_only_where_a_setting_changes_how_much_it_is():
    x, y = engine.Value(1.0), engine.Tensor([1.0])
    sgd = nn.SGD([{"parameters": [x]}, {"parameters": [y]}], momentum=0.9)
    x.grad, y.grad = 1.0, np.ones(1)
    sgd.step()
    sgd.momentum = 0.5
    assert (sgd.states, sgd.steps) == ([(1.0,), (np.ones(1),)], [1, 1])
    sgd.groups[1].momentum = 0.0
    assert (sgd.states, sgd.steps) == ([(1.0,), ()], [1, 0])
    sgd.momentum = 0.25
    assert (sgd.states, sgd.steps) == ([(1.0,), (np.zeros(1),)], [1, 0])
    sgd.step()
    assert sgd.steps == [2, 1]


@pytest.mark.parametrize("make", CLASSES)
def test_a_setting_that_cannot_be_is_refused_when_it_is_changed(make):
    optimizer = make([{"parameters": [engine.Value(1.0)]}, {"parameters": [engine.Value(2.0)]}])
    before = repr(optimizer.state_dict())
    for name in names_of(optimizer):
        for each in (optimizer, optimizer.groups[1]):
            with pytest.raises(errors.DomainError, match=f"{name}=.*setting of {make.__name__}"):
                setattr(each, name, -0.5)
    assert repr(optimizer.state_dict()) == before


# Groups


@every_rule
@given(gradients=st.lists(numbers, min_size=3, max_size=3), rate=st.floats(0, 1))
def test_groups_move_as_optimizers_of_their_own(make, gradients, rate):
    together, apart = ([engine.Value(1.0), engine.Tensor([2.0, 3.0])] for _ in range(2))
    first, second = make(apart[:1]), make(apart[1:])
    settings = {name: getattr(first, name) for name in first._names}
    groups = [{"parameters": iter(together[:1])}, {"parameters": together[1:], "learning_rate": rate}]
    optimizer = type(first)(groups, **settings)
    second.learning_rate = rate
    assert optimizer.parameters == together
    for _ in range(3):
        for a, b in (together, apart):
            a.grad, b.grad = gradients[0], np.array(gradients[1:])
        optimizer.step()
        first.step()
        second.step()
        assert [p.tolist() for p in together] == [p.tolist() for p in apart]


def test_each_group_has_settings_of_its_own():
    x, y, z = engine.Value(1.0), engine.Value(1.0), engine.Tensor([1.0, 1.0])
    groups = [{"parameters": [x, y], "learning_rate": 0.5, "momentum": 0.5}, {"parameters": [z]}]
    sgd = nn.SGD(groups, learning_rate=0.1)
    assert [group.learning_rate for group in sgd.groups] == [0.5, 0.1]
    assert [group.momentum for group in sgd.groups] == [0.5, 0.0]
    assert [group.parameters for group in sgd.groups] == [[x, y], [z]]
    with pytest.raises(errors.GraphError, match=r"several, \[0\.1, 0\.5\]"):
        _ = sgd.learning_rate
    sgd.groups[1].learning_rate = 0.0
    x.grad, z.grad = 1.0, np.ones(2)
    sgd.step()
    sgd.groups[0].step()  # a group is an optimiser too
    assert (x.data, y.data, z.tolist(), sgd.steps) == (1 - 0.5 - 0.75, 1.0, [1.0, 1.0], [2, 0, 1])
    sgd.learning_rate = 0.25
    assert [group.learning_rate for group in sgd.groups] == [0.25, 0.25]
    assert sgd.learning_rate == 0.25
    z.grad = np.ones(3)
    with pytest.raises(errors.ShapeError, match=r"gradient of parameter 2 is .*has changed nothing"):
        sgd.groups[1].step()
    y.grad = z.grad = None
    assert nn.SGD([z]).groups[0].parameters == [z]


def test_an_optimizer_of_ones_own_has_groups_and_a_state():
    class Signs(nn.Optimizer):
        memory = 1

        def __init__(self, parameters, learning_rate=0.1, reach=1.0):
            super().__init__(parameters, learning_rate, reach=reach)

        def update(self, parameter, gradient, state, rate, step):
            return parameter - rate * self.reach * engine.sign(gradient), (state[0] + gradient,)

    x, y = engine.Value(1.0), engine.Value(1.0)
    signs = Signs([{"parameters": [x], "reach": 2.0}, {"parameters": [y]}])
    x.grad = y.grad = 5.0
    signs.step()
    assert (x.data, y.data) == (0.8, 0.9)
    other = Signs([{"parameters": [x]}, {"parameters": [y]}])
    other.load_state_dict(signs.state_dict())
    assert (other.groups[0].reach, other.states, other.steps) == (2.0, [(5.0,), (5.0,)], [1, 1])


@pytest.mark.parametrize("value", [5, -3, -0.5, 1e9, "fast", True, None, np.float32(0.5), np.int64(2)])
def test_a_setting_of_ones_own_may_be_whatever_can_be_saved(value):
    """Whatever its name is in other classes."""

    class Mine(nn.Optimizer):
        def __init__(self, parameters, start=0, momentum=0):
            super().__init__(parameters, 0.1, start=start, momentum=momentum)

    x, y = engine.Value(1.0), engine.Value(2.0)
    groups = [{"parameters": [x], "start": value}, {"parameters": [y]}]
    mine, other = Mine(groups, momentum=value), Mine([{"parameters": [x]}, {"parameters": [y]}])
    state = mine.state_dict()
    assert (state["groups.0.start"], state["groups.1.start"], state["groups.1.momentum"]) == (value, 0, value)
    other.load_state_dict(json.loads(json.dumps(state)))
    assert repr(other.state_dict()) == repr(state)
    other.start = value
    assert other.groups[1].start == value


@pytest.mark.parametrize("value", [[1.0], (0.9, 0.999), np.ones(2), 1j, engine.Value(1.0), len])
def test_a_setting_that_cannot_be_saved_is_refused(value):
    class Mine(nn.Optimizer):
        def __init__(self, parameters, reach):
            super().__init__(parameters, 0.1, reach=reach)

    with pytest.raises(errors.DomainError, match=r"reach=.*setting of Mine.*can be saved"):
        Mine([engine.Value(1.0)], value)


@pytest.mark.parametrize(
    ("groups", "kind", "message"),
    [
        (lambda x, y: [{"parameters": [x]}, y], errors.DataError, "a group of Adam"),
        (lambda x, y: [{"parameter": [x]}], errors.DataError, "keys \\['parameter'\\] was given as a group of Adam"),
        (lambda x, y: [{"parameters": []}], errors.DataError, "Adam was given no parameters"),
        (lambda x, y: [{"parameters": x + 1}], errors.DataError, "was given as the parameters"),
        (lambda x, y: [{"parameters": [x]}, {"parameters": [x, y]}], errors.DataError, "share a parameter"),
        (lambda x, y: [{"parameters": [x], "lr": 0.1}], errors.DomainError, "'lr' was given as a setting of a group"),
        (lambda x, y: [{"parameters": [x], "beta3": 0.1}], errors.DomainError, "Did you mean 'beta"),
        (lambda x, y: [{"parameters": [x], "beta1": 1.0}], errors.DomainError, "beta1=1.0.*a setting of Adam"),
    ],
)
def test_groups_that_are_none_are_refused(groups, kind, message):
    with pytest.raises(kind, match=message):
        nn.Adam(groups(engine.Value(1.0), engine.Tensor([1.0])))


# States


def gradients_for(parameters, seed):
    rng = np.random.default_rng(seed)
    for parameter in parameters:
        g = rng.normal(size=parameter.shape)
        parameter.grad = np.asarray(g, parameter.dtype) if isinstance(parameter, engine.Tensor) else float(g)


def bits(state):
    return {k: (x.dtype, x.tobytes()) if isinstance(x, np.ndarray) else repr(x) for k, x in state.items()}


def through_files(state):
    """Arrays in one file and the rest as JSON in another."""
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    rest = json.dumps({name: value for name, value in state.items() if name not in arrays})
    np.savez(file := io.BytesIO(), **arrays)
    file.seek(0)
    return json.loads(rest) | dict(np.load(file))


def some_parameters():
    shapes = [(2, 3), (), (0,)]
    return [engine.Value(0.3), *[engine.Tensor(np.ones(s)) for s in shapes], engine.Tensor(np.ones(3, "float32"))]


@every_rule
@given(before=st.integers(0, 3), after=st.integers(1, 3), rate=st.floats(0, 1))
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(make, before, after, rate):
    parameters = some_parameters()
    optimizer = make(parameters)
    optimizer.learning_rate = rate
    for seed in range(before):
        gradients_for(parameters, seed)
        optimizer.step()
    state = optimizer.state_dict()
    assert {type(value) for value in state.values()} <= {np.ndarray, int, float, bool, str}
    saved = bits(state)

    others = some_parameters()
    for mine, other in zip(parameters, others, strict=True):
        other.data = mine.data
    resumed = make(others)
    resumed.load_state_dict(through_files(state))
    for seed in range(before, before + after):
        for each in (optimizer, resumed):
            gradients_for(each.parameters, seed)
            each.step()
    assert [p.data.tobytes() for p in others[1:]] == [p.data.tobytes() for p in parameters[1:]]
    assert others[0].data == parameters[0].data
    assert bits(resumed.state_dict()) == bits(optimizer.state_dict())
    assert bits(state) == saved  # arrays of its own: neither run wrote into them


@every_rule
def test_a_state_shares_no_memory(make):
    parameters = some_parameters()
    optimizer = make(parameters)
    gradients_for(parameters, 0)
    optimizer.step()
    before = bits(optimizer.state_dict())
    state = optimizer.state_dict()
    for _ in range(2):
        for array in state.values():
            if isinstance(array, np.ndarray):
                array[...] = 7
        assert bits(optimizer.state_dict()) == before
        state = optimizer.state_dict()
        optimizer.load_state_dict(state)


def test_a_state_restores_the_settings_of_every_group():
    x, y = engine.Value(1.0), engine.Value(2.0)
    one = nn.Adam([{"parameters": [x], "beta1": 0.5}, {"parameters": [y], "learning_rate": 0.5}], weight_decay=0.1)
    other = nn.Adam([{"parameters": [x]}, {"parameters": [y]}])
    other.load_state_dict(one.state_dict())
    assert repr(other) == repr(one)


def changed(**changes):
    return lambda state: {**state, **{name.replace("__", "."): value for name, value in changes.items()}}


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda state: None, errors.DataError, "state of type NoneType"),
        (lambda state: [], errors.DataError, "state of type list"),
        (lambda state: {}, errors.DomainError, "the state of 'something else'"),
        (lambda state: nn.SGD([engine.Value(1.0)]).state_dict(), errors.DomainError, "the state of 'SGD'"),
        (
            lambda state: {k: state[k] for k in state if "steps" not in k},
            errors.DomainError,
            "2 missing .'parameters.0",
        ),
        (changed(spare=1), errors.DomainError, "1 unexpected .'spare'"),
        (changed(parameters__0__state__0=np.ones(3)), errors.ShapeError, r"'parameters.0.state.0' .*\(3,\).*\(2, 2\)"),
        (changed(parameters__0__state__0=0.0), errors.ShapeError, "is 0.0. Adam needs an array"),
        (changed(parameters__0__state__0=np.ones((2, 2), "float32")), errors.DataError, "float32.*float64"),
        (changed(parameters__0__state__0=np.full((2, 2), "x")), errors.DataError, "<U1"),
        (changed(parameters__1__state__1="x"), errors.DataError, "is 'x'. Adam needs a number"),
        (changed(parameters__1__state__1=True), errors.DataError, "needs a number"),
        (changed(parameters__1__state__1=1j), errors.DataError, "needs a number"),
        (changed(parameters__1__state__1=10**400), errors.DataError, "needs a number"),
        (changed(parameters__1__steps=-1), errors.DataError, "needs one like 1"),
        (changed(parameters__1__steps=1.0), errors.DataError, "needs one like 1"),
        (changed(groups__0__size=1), errors.DomainError, "1 parameters in group 0"),
        (changed(groups__0__learning_rate=math.nan), errors.DomainError, "learning_rate=nan"),
        (changed(groups__0__beta2=1.0), errors.DomainError, "beta2=1.0"),
        (changed(groups__0__amsgrad=True), errors.DomainError, "2 missing .'parameters.0.state.2'"),
        (changed(groups__0__amsgrad=1), errors.DomainError, "amsgrad=1.*True or False"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, kind, message):
    parameters = [engine.Tensor(np.ones((2, 2))), engine.Value(1.0)]
    adam = nn.Adam(parameters, learning_rate=0.5)
    gradients_for(parameters, 0)
    adam.step()
    before = repr(adam.state_dict())
    wrong = change(nn.Adam(parameters, learning_rate=0.25).state_dict() | {"parameters.0.steps": 7})
    with pytest.raises(kind, match=message):
        adam.load_state_dict(wrong)
    assert repr(adam.state_dict()) == before


def test_a_state_says_itself_how_much_is_remembered():
    x, y = engine.Value(1.0), engine.Value(1.0)
    with_momentum, without = nn.SGD([x], momentum=0.9), nn.SGD([y])
    x.grad = y.grad = 2.0
    with_momentum.step()
    state = without.state_dict()
    without.load_state_dict(with_momentum.state_dict())
    assert (repr(without), without.states, without.steps) == (repr(with_momentum), [(2.0,)], [1])
    with_momentum.load_state_dict(state)
    assert (with_momentum.momentum, with_momentum.states, with_momentum.steps) == (0.0, [()], [0])
