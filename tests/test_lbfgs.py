"""L-BFGS: beside SciPy's and dense linear algebra, on functions that are no numbers somewhere, and resumed."""

import math

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
import nn
from engine import errors
from nn import lbfgs

seeds = st.integers(0, 2**32 - 1)


def minimize(parameters, function, **options):
    """One step; the optimiser, and all losses that the closure returned."""
    optimizer = nn.LBFGS(parameters, **options)
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = function(*parameters)
        loss.backward()
        losses.append(loss.item())
        return loss

    assert optimizer.step(closure).item() == losses[0] or math.isnan(losses[0])
    return optimizer, losses


def rosenbrock(x):
    return ((1 - x[:-1]) ** 2).sum() + 100 * ((x[1:] - x[:-1] ** 2) ** 2).sum()


# Where the minimum is


@pytest.mark.parametrize("start", [[-1.2, 1.0], [-1.2, 1.0] * 5, [5.0, -3.0, 0.0], [1.0, 1.0]])
def test_rosenbrocks_valley(start):
    x = engine.Tensor(start)
    _, losses = minimize([x], rosenbrock, max_iterations=200, tolerance_change=1e-14)
    np.testing.assert_allclose(x.data, 1.0, atol=1e-7)
    scipys = scipy.optimize.minimize(scipy.optimize.rosen, start, jac=scipy.optimize.rosen_der, method="L-BFGS-B")
    assert len(losses) <= 1.5 * scipys.nfev


@given(seed=seeds, size=st.integers(1, 6))
def test_the_minimum_of_a_quadratic_is_the_solution_of_its_equations(seed, size):
    rng = np.random.default_rng(seed)
    root, b = rng.normal(size=(size, size)), rng.normal(size=size)
    matrix = root @ root.T + 0.1 * np.eye(size)
    x = engine.Tensor(rng.normal(size=size))
    minimize([x], lambda x: x @ (matrix @ x) / 2 - x @ b, max_iterations=200, tolerance_change=0.0)
    np.testing.assert_allclose(x.data, np.linalg.solve(matrix, b), atol=1e-5)


def test_logistic_regression_is_scipys():
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(60, 4)), rng.normal(size=60)
    y = (x @ [1.0, -2.0, 0.5, 0.0] + noise > 0).astype(float)

    def loss(weight, bias):
        logits = x @ weight + bias
        return engine.mean(engine.softplus(logits) - y * logits) + 0.01 * (weight * weight).sum()

    def scipys(parameters):
        weight, bias = engine.Tensor(parameters[:4]), engine.Value(parameters[4])
        error = loss(weight, bias)
        error.backward()
        return error.item(), np.append(weight.grad, bias.grad)

    expected = scipy.optimize.minimize(scipys, np.zeros(5), jac=True, method="L-BFGS-B", options={"gtol": 1e-9})
    weight, bias = engine.Tensor(np.zeros(4)), engine.Value(0.0)
    minimize([weight, bias], loss, max_iterations=100, tolerance_change=0.0)
    np.testing.assert_allclose([*weight.tolist(), bias.data], expected.x, atol=1e-5)
    assert loss(weight, bias).item() == pytest.approx(expected.fun, rel=1e-10)


def test_values_and_tensors_find_the_same():
    values, tensor = [engine.Value(-1.2), engine.Value(1.0)], engine.Tensor([-1.2, 1.0])
    _, few = minimize(values, lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2, max_iterations=50)
    _, one = minimize([tensor], rosenbrock, max_iterations=50)
    np.testing.assert_allclose(few[:20], one[:20], rtol=1e-9)
    assert {type(value.data) for value in values} == {float}
    np.testing.assert_allclose([value.data for value in values], tensor.data, atol=1e-7)


def test_float32_stays_float32():
    x = engine.Tensor(np.array([5.0, -3.0], "float32"))
    minimize([x], rosenbrock, max_iterations=200)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.data, 1.0, atol=1e-3)


def test_a_network_is_trained():
    model = nn.MLP([2, 8, 2], activation=nn.Tanh, seed=0)
    x, y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
    _, losses = minimize(model.parameters(), lambda *_: nn.cross_entropy(model(x), y), max_iterations=50)
    assert losses[-1] < 1e-3 < losses[0]


# Never worse


@given(seed=seeds, rate=st.sampled_from([1e-3, 0.5, 1.0, 1e6]), iterations=st.integers(1, 8))
def test_it_ends_at_the_best_point_that_it_has_seen(seed, rate, iterations):
    """On functions with many minima, walls of NaN and steps that no gradient tells of."""
    rng = np.random.default_rng(seed)
    a, b, wall = rng.normal(size=4), rng.normal(size=4), rng.uniform(0.5, 3.0)

    def function(x):
        bumps = (engine.sin(3 * a * x) + (x - b) ** 2 / 10).sum()
        return bumps + engine.log(wall - x).sum() + (np.abs(x.data) > 2).sum()

    x = engine.Tensor(rng.uniform(-2, 0.4, size=4))
    before = function(x).item()
    optimizer, losses = minimize([x], function, learning_rate=rate, max_iterations=iterations, max_evaluations=40)
    assert losses[0] == before
    assert np.isfinite(x.data).all()
    assert function(x).item() == np.nanmin(losses) <= before
    assert len(losses) < 40 + lbfgs.SEARCH
    assert optimizer.steps == [1]


@pytest.mark.parametrize(("start", "rate"), [(1e-9, 1.0), (1e-3, 1.0), (0.5, 1.0), (3.0, 1e6), (1e4, 1e9)])
def test_a_wall_of_nan_is_backed_off_from(start, rate):
    x = engine.Tensor([start])
    _, losses = minimize([x], lambda x: (x - engine.log(x)).sum(), learning_rate=rate, max_iterations=100)
    assert x.tolist() == pytest.approx([1.0], abs=1e-5)
    assert rate == 1.0 or np.isnan(losses).any()


def test_a_loss_without_a_lower_bound_ends_finite():
    x = engine.Tensor([1.0])
    optimizer, _ = minimize([x], lambda x: -(x * x).sum(), max_iterations=500, max_evaluations=2000)
    assert np.isfinite(x.data).all()
    assert x.data[0] > 1e6
    assert optimizer.history == []  # what curves down says nothing of a minimum


def test_a_loss_of_minus_infinity_is_no_best_point():
    x = engine.Tensor([1.0])
    _, losses = minimize([x], lambda x: engine.log(x * x).sum(), max_iterations=3)
    assert losses[1] == -math.inf
    assert 0 < abs(x.data[0]) < 1


def test_a_point_without_a_gradient_is_no_best_point():
    x = engine.Tensor([1.0])
    _, losses = minimize([x], lambda x: engine.sqrt(x).sum(), learning_rate=2.0, max_iterations=1)
    assert losses[1] == 0.0  # where the slope is infinite
    assert 0 < x.data[0] < 1


def test_a_loss_that_hardly_changes_ends_it_far_from_the_minimum():
    x = engine.Value(30.0)
    _, losses = minimize(
        [x], lambda x: 1e-6 * (x**2 + x**4 / 100), tolerance_change=0.1, tolerance_gradient=0.0, max_iterations=100
    )
    assert losses[0] < 0.1
    assert 1 < x.data < 29


@pytest.mark.parametrize(
    ("scale", "centre", "start", "tolerances"),
    [
        (1e12, 1.0, 1.001, {"tolerance_change": 1e-2}),  # the parameters change little, the loss does much
        (1.0, 0.0, 5.0, {"tolerance_gradient": 1.0}),
    ],
)
def test_each_tolerance_ends_it_early(scale, centre, start, tolerances):
    x, y = engine.Value(start), engine.Value(start)
    _, few = minimize([x], lambda x: scale * ((x - centre) ** 2 + (x - centre) ** 4 / 100), **tolerances)
    _, many = minimize(
        [y],
        lambda x: scale * ((x - centre) ** 2 + (x - centre) ** 4 / 100),
        tolerance_change=0.0,
        tolerance_gradient=0.0,
    )
    assert len(few) < len(many)
    assert few == many[: len(few)]


@pytest.mark.parametrize("start", [math.nan, math.inf, -1.0, 0.0])
def test_where_it_begins_with_no_number_nothing_moves(start):
    x, y = engine.Tensor([start]), engine.Value(2.0)
    optimizer, losses = minimize([x, y], lambda x, y: (engine.log(x) * y * y).sum())
    assert len(losses) == 1
    np.testing.assert_array_equal(x.data, [start])
    assert (y.data, optimizer.history) == (2.0, [])


@pytest.mark.parametrize("scale", [-1.0, 1e40, math.nan])
def test_a_history_that_does_not_belong_here_is_forgotten(scale):
    """Uphill, so far that no search comes back, or no direction at all."""
    x = engine.Tensor([-1.2, 1.0])
    optimizer, _ = minimize([x], rosenbrock, max_iterations=10)
    optimizer.history = [lbfgs._Pair(s * scale, y, product * scale) for s, y, product in optimizer.history]

    def closure():
        optimizer.zero_grad()
        loss = ((x - 5) ** 2).sum()
        loss.backward()
        return loss

    optimizer.max_evaluations = 100
    optimizer.step(closure)
    np.testing.assert_allclose(x.data, 5.0, atol=1e-6)
    assert all(pair.curvature > 0 for pair in optimizer.history)


def test_a_minimum_stays_where_it_is():
    x = engine.Tensor([1.0, 1.0])
    _, losses = minimize([x], rosenbrock)
    assert (losses, x.tolist()) == ([0.0], [1.0, 1.0])


def test_a_parameter_that_the_loss_does_not_use_stays():
    x, y, z = engine.Value(3.0), engine.Tensor([1.0, 2.0]), engine.Tensor(np.zeros((0, 2)))
    minimize([y, x, z], lambda y, x, z: (x - 1) ** 2)
    assert x.data == pytest.approx(1.0)
    assert (y.tolist(), z.shape) == ([1.0, 2.0], (0, 2))


# Its parts


@given(seed=seeds, count=st.integers(1, 5), size=st.integers(1, 4))
def test_the_two_loops_are_the_product_with_the_inverse_hessian_of_bfgs(seed, count, size):
    """Equation 7.16, with dense matrices."""
    rng = np.random.default_rng(seed)
    curvature = rng.normal(size=(size, size))
    curvature = curvature @ curvature.T + 0.1 * np.eye(size)
    pairs = [(s, curvature @ s) for s in rng.normal(size=(count, size))]
    gradient = rng.normal(size=size)
    s, y = pairs[-1]
    inverse = np.eye(size) * (s @ y) / (y @ y)
    for s, y in pairs:
        v = np.eye(size) - np.outer(y, s) / (s @ y)
        inverse = v.T @ inverse @ v + np.outer(s, s) / (s @ y)
    direction = lbfgs._direction(gradient, [lbfgs._Pair(s, y, s @ y) for s, y in pairs])
    np.testing.assert_allclose(direction, -inverse @ gradient, rtol=1e-6, atol=1e-6 * np.abs(direction).max())


@given(c=st.tuples(*[st.floats(-5, 5)] * 4), a=st.floats(-3, 3), width=st.floats(0.1, 5), back=st.booleans())
def test_the_minimum_of_a_cubic_is_where_its_slope_vanishes_from_below(c, a, width, back):
    cubic, slope = np.polynomial.Polynomial(c), np.polynomial.Polynomial(c).deriv()
    ends = [lbfgs._Trial(t, float(cubic(t)), float(slope(t)), None) for t in (a, a + width)]
    t = lbfgs._minimum_of_cubic(*(ends[::-1] if back else ends))
    if c[3] and abs(c[3]) > 1e-2 and c[2] ** 2 - 3 * c[1] * c[3] > 1e-2:
        assert slope(t) == pytest.approx(0, abs=1e-4 * (1 + abs(t)) ** 2)
        assert slope.deriv()(t) >= 0


@given(seed=seeds, length=st.floats(1e-6, 1e6))
@settings(max_examples=200)
def test_a_search_ends_with_the_strong_wolfe_conditions(seed, length):
    """Equation 3.7, on functions that are bounded below."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=3)
    x = engine.Value(float(rng.normal(scale=3)))

    def closure():
        x.grad = None
        loss = engine.sin(a * x) + c * engine.cos(b * x) + 0.05 * (x - 1) ** 2
        loss.backward()
        return loss

    objective = lbfgs._Objective([x], closure)
    start = objective(objective.position())
    direction = -start.gradient
    slope = float(start.gradient @ direction)
    search = lbfgs._Search(objective, start, direction, slope)
    found = search.run(length)
    t = float((found.x - start.x)[0] / direction[0])
    assert found.loss <= start.loss + 1e-4 * t * slope * (1 - 1e-9)
    assert abs(found.gradient @ direction) <= -0.9 * slope * (1 + 1e-9)
    assert t > 0


# States


def training(seed=0, **options):
    model = nn.MLP([3, 5, 2], activation=nn.Tanh, seed=seed)
    optimizer = nn.LBFGS(
        [*model.parameters(), scale := engine.Value(1.0)], max_iterations=3, max_evaluations=20, **options
    )
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))

    def closure():
        optimizer.zero_grad()
        loss = nn.mse_loss(model(x) * scale, y)
        loss.backward()
        return loss

    return optimizer, closure


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(steps):
    optimizer, closure = training(history_size=4)
    for _ in range(steps):
        optimizer.step(closure)
    state = optimizer.state_dict()
    assert {type(value) for value in state.values()} <= {np.ndarray, int, float, bool, str}
    assert state["history.changes"].shape == (min(3 * steps, 4), 33)
    resumed, again = training(seed=1)
    for mine, other in zip(optimizer.parameters, resumed.parameters, strict=True):
        other.data = mine.data
    resumed.load_state_dict(state)
    assert resumed.history_size == 4
    for _ in range(3):
        assert resumed.step(again).item() == optimizer.step(closure).item()
    assert [p.tolist() for p in resumed.parameters] == [p.tolist() for p in optimizer.parameters]
    assert repr(resumed.state_dict()) == repr(optimizer.state_dict())


def test_the_history_makes_the_next_step_better():
    optimizer, closure = training()
    fresh, again = training()
    for _ in range(5):
        optimizer.step(closure)
        fresh.step(again)
        fresh.history.clear()
    assert closure().item() < again().item()


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"optimizer": "Adam"}, errors.DomainError, "the state of 'Adam'"),
        ({"history.changes": np.zeros((3, 2))}, errors.ShapeError, r"\(3, 2\).*\(3, 33\)"),
        ({"history.changes": np.zeros((2, 33))}, errors.ShapeError, r"'history.gradients'.*\(3, 33\).*\(2, 33\)"),
        ({"history.changes": 1.0}, errors.ShapeError, "'history.changes' of the state is 1.0"),
        ({"history.changes": np.zeros((3, 33), "float32")}, errors.DataError, "float32"),
        ({"groups.0.history_size": 0}, errors.DomainError, "history_size=0"),
        ({"spare": 0}, errors.DomainError, "1 unexpected"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(changes, kind, message):
    optimizer, closure = training()
    optimizer.step(closure)
    before = repr(optimizer.state_dict())
    wrong = {**optimizer.state_dict(), "groups.0.learning_rate": 0.5, "parameters.0.steps": 9, **changes}
    with pytest.raises(kind, match=message):
        optimizer.load_state_dict(wrong)
    assert repr(optimizer.state_dict()) == before
    with pytest.raises(errors.DataError, match="state of type NoneType"):
        optimizer.load_state_dict(None)


# What cannot be done


class Broken(Exception):
    pass


@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt, RuntimeWarning])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_closure_that_fails_changes_nothing(error, call):
    optimizer, closure = training()
    optimizer.step(closure)
    before = [p.tolist() for p in optimizer.parameters], repr(optimizer.state_dict())
    calls = []

    def failing():
        calls.append(1)
        if len(calls) == call:
            if error is RuntimeWarning:
                return np.log(np.array(-1.0))  # warns, as the error state of whoever called step has it
            raise error
        return closure()

    with pytest.raises(error):
        optimizer.step(failing)
    assert ([p.tolist() for p in optimizer.parameters], repr(optimizer.state_dict())) == before


@pytest.mark.parametrize(
    ("closure", "kind", "message"),
    [
        (None, errors.DataError, "was given None.*zero_grad.*backward"),
        (3.0, errors.DataError, "was given 3.0"),
        (lambda: None, errors.DataError, "returned None.*return loss"),
        (lambda: "small", errors.DataError, "returned 'small'"),
        (lambda: engine.Tensor([1.0, 2.0]), errors.DataError, "not a number"),
        (lambda: 1.0, errors.GraphError, r"none of the 1 parameters a gradient.*loss\.backward"),
    ],
)
def test_a_closure_that_is_none_is_refused(closure, kind, message):
    x = engine.Value(1.0)
    with pytest.raises(kind, match=message):
        nn.LBFGS([x]).step(closure)
    assert x.data == 1.0


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("learning_rate", -1.0),
        ("max_iterations", 0),
        ("max_iterations", 2.5),
        ("max_iterations", True),
        ("max_evaluations", "many"),
        ("history_size", 0),
        ("tolerance_gradient", math.nan),
        ("tolerance_change", -1e-9),
    ],
)
def test_settings_out_of_range_are_refused(name, wrong):
    with pytest.raises(errors.DomainError, match=f"{name}=.*setting of LBFGS"):
        nn.LBFGS([engine.Value(1.0)], **{name: wrong})


def test_there_is_one_group():
    with pytest.raises(errors.DataError, match="1 groups"):
        nn.LBFGS([{"parameters": [engine.Value(1.0)]}])


def test_a_rate_of_zero_moves_nothing():
    x = engine.Value(3.0)
    minimize([x], lambda x: x * x, learning_rate=0.0)
    assert x.data == 3.0


def test_one_iteration_is_one_search():
    x = engine.Tensor([-1.2, 1.0])
    _, losses = minimize([x], rosenbrock, max_iterations=1)
    assert 1 < len(losses) <= 1 + lbfgs.SEARCH
    assert rosenbrock(x).item() < losses[0]


def test_evaluations_follow_the_iterations_also_when_these_are_changed():
    def evaluations(iterations, **options):
        optimizer, closure = training()
        optimizer.max_iterations, optimizer.max_evaluations = iterations, None
        for name, value in options.items():
            setattr(optimizer, name, value)
        calls = []

        def counted():
            calls.append(1)
            return closure()

        optimizer.step(counted)
        return len(calls)

    assert evaluations(8) == evaluations(8, max_evaluations=10)
    assert evaluations(40) == evaluations(40, max_evaluations=50) > evaluations(40, max_evaluations=10)
    optimizer, _ = training()
    optimizer.max_evaluations = None
    other, _ = training()
    other.load_state_dict(optimizer.state_dict())
    assert other.max_evaluations is None


def test_it_says_that_it_needs_a_closure():
    assert (nn.LBFGS.needs_closure, nn.Adam.needs_closure) == (True, False)
    assert repr(nn.LBFGS([engine.Value(1.0)], max_iterations=8)) == (
        "LBFGS(learning_rate=1.0, max_iterations=8, tolerance_gradient=1e-07, tolerance_change=1e-09, history_size=100)"
    )
