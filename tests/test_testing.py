"""The tester, tested: it finds small and hidden mistakes, passes what is right, and says where it looked."""

import math
import subprocess
import sys
from math import inf

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import engine
from engine.errors import DataError, DomainError, GradientError, ShapeError, UnsupportedError
from engine.primitives import ROWS
from engine.testing import Comparison, check_gradient, check_gradients, properties, strategies
from engine.testing.checks.differences import central_difference
from engine.testing.layouts import LAYOUTS, fill, kink_distance, layouts, shaped

DTYPES = [np.float64, np.float32, np.float16]
POINTS = np.array([-1.5, 0.25, 2.0])


def wrong_at(condition, factor=1.001):
    """A sine whose rule is wrong by a factor where the condition holds."""
    rule = lambda xp, g, out, x: g * xp.cos(x) * xp.where(condition(xp, x), factor, 1.0)  # noqa: E731

    @engine.primitive(x=rule, kind="elementwise")
    def wrong(xp, x):
        """A sine."""
        return xp.sin(x)

    return wrong


@engine.primitive(x=lambda xp, g, out, x: g * (3.003 * x * x), analytic=True)
def wrong_first(xp, x):
    """The cube, its derivative wrong by 0.1 %."""
    return x * x * x


@engine.primitive(x=lambda xp, g, out, x: 2.002 * g * x, analytic=True)
def wrong_square(xp, x):
    return x * x


@engine.primitive(x=lambda xp, g, out, x: g * 1.5 * wrong_square(x), analytic=True)
def helper(xp, x):
    return 0.5 * x * x * x


@engine.primitive(x=lambda xp, g, out, x: 3.0 * g * wrong_square(x), analytic=True)
def wrong_second(xp, x):
    """The cube, its derivative right and the derivative of that wrong by 0.1 %."""
    return x * x * x


@engine.primitive(x=lambda xp, g, out, x: 4.0 * g * wrong_second(x), analytic=True)
def wrong_third(xp, x):
    """The fourth power, wrong by 0.1 % from the third derivative on."""
    return x * x * x * x


@engine.primitive(
    x=lambda xp, g, out, x, y: g * y,
    y=lambda xp, g, out, x, y: g * x if np.shape(out) == np.shape(getattr(y, "_value", y)) else 1.001 * (g * x),
    kind="elementwise",
    analytic=True,
)
def wrong_under_broadcasting(xp, x, y):
    """The product, wrong for y where y is repeated."""
    return x * y


@engine.primitive(x=lambda xp, g, out, x: np.asarray(getattr(g, "_value", g)) * 2.0, analytic=True)
def loses_the_arriving_gradient(xp, x):
    """Twice x, by a rule that drops where its gradient came from."""
    return x * 2.0


# Mistakes are found.


@pytest.mark.parametrize("dtype", [float, np.float64, np.float32])
@pytest.mark.parametrize("x", [0.3, -20.0, 1e-3, 1e4])
def test_a_rule_wrong_by_a_thousandth_is_caught(x, dtype):
    with pytest.raises(GradientError, match="wrong_first"):
        check_gradients(wrong_first, x if dtype is float else np.array([x], dtype))


@pytest.mark.parametrize("dtype", [float, np.float64, np.float32])
@pytest.mark.parametrize("x", [0.3, -20.0, 1e-3])
def test_a_rule_wrong_at_second_order_only_is_caught_there(x, dtype):
    x = x if dtype is float else np.array([x], dtype)
    check_gradients(wrong_second, x)
    with pytest.raises(GradientError, match="order 2"):
        check_gradients(wrong_second, x, order=2)


def test_a_rule_wrong_at_third_order_only_is_caught_there():
    check_gradients(wrong_third, 1.5, order=2)
    with pytest.raises(GradientError, match="order 3"):
        check_gradients(wrong_third, 1.5, order=3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_rule_wrong_for_negative_inputs_only_is_caught_at_one(dtype):
    wrong = wrong_at(lambda xp, x: xp.less(x, 0))
    check_gradients(wrong, abs(POINTS).astype(dtype), order=2)
    with pytest.raises(GradientError, match=r"args\[0\]\[0\]"):
        check_gradients(wrong, POINTS.astype(dtype))


def test_strategies_find_the_rule_that_is_wrong_for_negative_inputs():
    wrong = wrong_at(lambda xp, x: xp.less(x, 0))

    @hypothesis.given(strategies.inputs(wrong))
    @hypothesis.settings(database=None, print_blob=False)
    def anywhere(call):
        check_gradients(wrong, *call[0])

    with pytest.raises(GradientError):
        anywhere()


def test_a_rule_wrong_under_broadcasting_only_is_caught_under_it():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    check_gradients(wrong_under_broadcasting, x, x + 1, order=2)
    check_gradients(wrong_under_broadcasting, np.array(2.0), x, order=2)
    with pytest.raises(GradientError, match=r"args\[1\]"):
        check_gradients(wrong_under_broadcasting, x, np.array([5.0, 6.0]))


def test_a_gradient_that_forgets_what_arrived_is_caught_at_second_order():
    check_gradients(loses_the_arriving_gradient, POINTS)
    with pytest.raises(GradientError, match="arriving at result"):
        check_gradients(loses_the_arriving_gradient, POINTS, order=2)


WRONG_IN_G = [
    engine.square, engine.abs, engine.sign, engine.relu, lambda g: g * 0.0 + 1.0, lambda g: g + 1.0,
    lambda g: engine.clip(g, -1.0, 1.0),
]  # fmt: skip


@pytest.mark.parametrize("x", [0.5, POINTS])
@pytest.mark.parametrize("wrong", WRONG_IN_G)
@pytest.mark.parametrize("mode", ["reverse", "both"])
@pytest.mark.parametrize("factor", [1.0, -3.0])
def test_a_rule_that_is_not_linear_in_what_arrives_is_caught_at_first_order(wrong, mode, factor, x):
    @engine.primitive(x=lambda xp, g, out, x: wrong(g) * out)
    def bent(xp, x):
        return xp.exp(x)

    with pytest.raises(GradientError, match="bent"):
        check_gradients(lambda x: factor * bent(x), x, mode=mode)
    if x is POINTS:
        with pytest.raises(GradientError, match="not linear"):
            properties.vjp_is_linear(lambda x: factor * bent(x), x)


def test_one_wrong_entry_among_many_is_found():
    x = np.linspace(-3, 3, 40)
    with pytest.raises(GradientError) as caught:
        check_gradients(wrong_at(lambda xp, x: xp.greater(x, 2.9)), x)
    assert caught.value.worst.index == (39,)
    assert "1 wrong entries among 1600" in str(caught.value)


def test_what_never_reaches_the_graph_is_caught():
    """Complex steps run through the graph alone, and so do the rules: only f itself knows better."""
    with pytest.raises(GradientError, match=r"\.data"):
        check_gradients(lambda x: x * engine.Tensor(np.exp(x.data)) + 1.0, POINTS)
    with pytest.raises(GradientError):
        check_gradients(lambda x: np.exp(x.data), POINTS)
    with pytest.raises(GradientError):
        check_gradients(lambda x: x * x.detach(), 2.0)


def test_a_missing_rule_is_caught():
    with pytest.raises(GradientError, match=r"is 2\.0, and (4\.0|3\.999)"):
        check_gradients(lambda x: engine.where(engine.greater(x, 1.0), x, x * 0.5) * engine.detach(x), 2.0)


def test_zero_in_place_of_a_derivative_is_caught():
    wrong = wrong_at(lambda xp, x: xp.less(x, 0), factor=0.0)
    with pytest.raises(GradientError, match=r"is -?0\.0, and 0\.0707"):
        check_gradients(wrong, POINTS)


@pytest.mark.parametrize("bad", [np.nan, inf])
def test_an_infinite_gradient_is_wrong(bad):
    with pytest.raises(GradientError, match=f"is -?{bad}, and"):
        check_gradients(wrong_at(lambda xp, x: xp.less(x, 0), factor=bad), POINTS)


def test_a_kink_is_named():
    with pytest.raises(GradientError, match=r"is -?0 on the left and 1 on the right"):
        check_gradients(engine.relu, 0.0)


def test_a_function_without_a_finite_result_has_no_derivative():
    with pytest.raises(GradientError, match=r"Result of log is nan.*args\[0\] = -1.0"):
        check_gradients(engine.log, -1.0)


# What is right passes.

RIGHT = {
    "cubic": (lambda x: x**3 - x, [0.7]),
    "steep": (lambda x: engine.exp(8 * x), [1.5]),
    "flat": (lambda x: engine.tanh(x), [8.0]),
    "fast": (lambda x: engine.sin(50 * x), [0.3]),
    "large offset": (lambda x: engine.relu(x) + 1e8, [1.0]),
    "large numbers": (lambda x: engine.relu(x) ** 2, [1e5]),
    "small numbers": (lambda x: engine.relu(x) ** 2, [1e-5]),
    "small results": (lambda x: 1e-20 * engine.relu(x) ** 2, [1.5]),
    "large results": (lambda x: 1e20 * engine.relu(x) ** 2, [1.5]),
    "near a pole": (lambda x: 1 / engine.relu(x), [1e-3]),
    "edge of the domain": (lambda x: engine.log(engine.relu(x)), [1e-4]),
    "near a kink": (lambda x: abs(x), [1e-5]),
    "constant": (lambda x: x * 0.0 + 1.0, [2.0]),
    "independent": (lambda x: engine.Tensor([1.0, 2.0]), [2.0]),
    "nothing at all": (lambda x: x.sum(axis=0), [np.zeros((3, 0))]),
    "an argument": (lambda x, y: (y, x, y), [1.0, POINTS]),
    "cancellation": (lambda x: engine.var(x), [np.full(4, 0.0625)]),
    "normalisation": (lambda x: (x - x.mean()) / engine.sqrt(engine.var(x) + 1e-5), [POINTS]),
    "selection": (lambda x: engine.where(x > 0, engine.exp(x), x * x), [POINTS]),
    "loop": (lambda x: [x := engine.sin(x) for _ in range(3)][-1], [POINTS]),
    "softmax": (lambda x: engine.log_softmax(x), [POINTS * 10]),
    "product": (lambda x, w: engine.tanh(x @ w), [np.eye(2) - 0.3, np.ones((2, 3))]),
    "mixture": (lambda x, t: x * t, [2.0, POINTS]),
    "gradient": (lambda x: engine.grad(lambda y: (y**3).sum())(x), [POINTS]),
}


@pytest.mark.parametrize(("f", "args"), RIGHT.values(), ids=RIGHT)
def test_a_right_function_passes(f, args):
    check_gradients(f, *args, order=2)


@pytest.mark.parametrize(("f", "args"), RIGHT.values(), ids=RIGHT)
def test_a_right_function_passes_in_float32(f, args):
    check_gradients(f, *[np.asarray(x, np.float32) for x in args])


@pytest.mark.parametrize("dtype", DTYPES)
def test_precision_follows_from_the_coarsest_dtype(dtype):
    check_gradients(lambda x: engine.tanh(engine.sin(x) * 3), POINTS.astype(dtype), order=2)
    check_gradients(lambda x: engine.tanh(engine.astype(x, dtype=dtype) * 3), POINTS)


UNARY = [
    row
    for row in ROWS.values()
    if len(row.inputs) == 1
    and row.rules[0]
    and not row.variadic
    and row.kind in ("elementwise", "selection", "reduction")
]


def settings_of(row, params):
    """What a row is called with: its defaults, and the dtype that `astype` has none for."""
    chosen = {**row.defaults, **params}
    return chosen | {"dtype": np.float64} if row.name == "astype" else chosen


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", UNARY, ids=lambda row: row.name)
def test_no_false_alarm_anywhere(row, dtype):
    """Right, wherever the strategies go."""

    @hypothesis.given(strategies.inputs(row, dtype=dtype))
    @hypothesis.settings(max_examples=100)
    def anywhere(call):
        (x,), params = call
        check_gradients(lambda x: row.call(x, **settings_of(row, params)), x)

    anywhere()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", UNARY, ids=lambda row: row.name)
def test_no_miss_anywhere(row, dtype):
    """Wrong by 0.1 %, wherever the strategies go; fewer places, as to say where a rule is wrong takes its time."""

    @hypothesis.given(strategies.inputs(row, dtype=dtype))
    @hypothesis.settings(max_examples=40)
    def anywhere(call):
        (x,), params = call
        settings = settings_of(row, params)

        @engine.primitive(kind="contraction", x=lambda xp, g, out, x: row.rules[0](xp, g, out, x, **settings) * 1.001)
        def wrong(xp, x):
            return row.forward(xp, x, **settings)

        t = engine.Tensor(x)
        row.call(t, **settings).sum().backward()
        if np.any(abs(t.grad) > 0.01):
            with pytest.raises(GradientError):
                check_gradients(wrong, x)

    anywhere()


# What it takes, and what it tells.


def test_arguments_and_results_may_be_structures():
    weights = {"w": [np.ones((2, 2)), 3.0], "b": np.zeros(2)}
    f = lambda tree, x: {"out": (tree["w"][0] @ x * tree["w"][1] + tree["b"], tree["b"])}  # noqa: E731
    check_gradients(f, weights, np.array([1.0, 2.0]), order=2)
    with pytest.raises(GradientError) as caught:
        check_gradients(lambda tree: {"out": (tree["b"], wrong_first(tree["w"][0]))}, weights)
    assert caught.value.worst.argument == "args[0]['w'][0]"
    assert caught.value.worst.result == "result['out'][1]"


def test_nodes_stand_for_their_data():
    x = engine.Tensor(POINTS)
    check_gradients(lambda x, y: x * y, x, engine.Value(2.0))
    assert x.grad is None


def test_what_is_no_float_is_held_fixed():
    check_gradients(
        lambda x, i, flag, name: x[i] * 2 if flag and name == "a" else x, POINTS, np.array([0, 2]), True, "a"
    )
    with pytest.raises(DataError, match="no floating-point argument"):
        check_gradients(lambda i: i, np.array([1, 2]))
    with pytest.raises(DataError, match="no floating-point number"):
        check_gradients(lambda x: engine.greater(x, 0.0), POINTS)
    with pytest.raises(DataError, match="order=0"):
        check_gradients(engine.sin, 1.0, order=0)


def test_it_works_where_nothing_is_recorded():
    with engine.no_grad():
        check_gradients(engine.sin, 1.0, order=2)


def test_the_report_names_the_worst_entry():
    with pytest.raises(GradientError) as caught:
        check_gradients(wrong_first, np.array([[1.0, 2.0], [0.0, 3.0]]))
    worst = caught.value.worst
    assert isinstance(worst, Comparison)
    assert (worst.argument, worst.index) == ("args[0]", (1, 1))
    assert (worst.result, worst.result_index) == ("result", (1, 1))
    assert (worst.order, worst.op, worst.method, worst.error) == (1, "wrong_first", "complex step", 0.0)
    assert worst.analytic == pytest.approx(27.027)
    assert worst.numerical == pytest.approx(27.0, rel=1e-14)
    assert worst.excess > 1 > worst.tolerance
    text = str(caught.value)
    assert text.startswith("The derivative of result[1, 1] by args[0][1, 1] is 27.027")
    assert "3 wrong entries among 16 in wrong_first, the single operation 'wrong_first'" in text
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, engine.errors.EngineError)


def test_the_report_of_differences_estimates_their_error():
    with pytest.raises(GradientError) as caught:
        check_gradients(wrong_at(lambda xp, x: xp.less(x, 0)), POINTS)
    worst = caught.value.worst
    assert worst.method == "differences"
    assert 0 < abs(worst.numerical - np.cos(-1.5)) <= worst.error < 1e-10


def test_what_passes_returns_its_closest_call():
    worst = check_gradients(lambda x: engine.sin(x) * x, 1.0)
    assert worst.excess < 1
    assert worst.op is None
    assert check_gradients(engine.sin, 1.0).op == "sin"


def test_complex_steps_only_where_every_row_is_analytic():
    assert check_gradients(lambda x: engine.exp(x) / x, 2.0, order=3).method == "complex step"
    assert check_gradients(engine.relu, 2.0).method == "differences"
    assert check_gradients(lambda x: engine.where(engine.greater(x, 1.0), x, 0.0) * 2, 2.0).method == "differences"
    assert check_gradients(lambda x: x * engine.relu(3.0), 2.0).method == "complex step"  # a constant may be anything


def test_tolerances_can_be_given():
    check_gradients(wrong_first, POINTS, rtol=0.01)
    check_gradients(wrong_first, POINTS, atol=1.0)
    with pytest.raises(GradientError):
        check_gradients(
            lambda x: engine.tanh(x) * (1 + 1e-12), np.float32(0.5) * np.ones(1, np.float32), rtol=0, atol=0
        )


def test_differences_estimate_their_own_error():
    for f, exact in [(np.exp, 1.0), (lambda t: np.sqrt(1e-6 + t), 500.0), (lambda t: np.sin(100 * t), 100.0)]:
        with np.errstate(invalid="ignore"):
            slope, error, rounding, _ = central_difference(lambda t, f=f: np.array([f(t)]), 1.0, np.zeros(1))
        assert abs(slope[0] - exact) <= error[0] < 1e-6 * exact
        assert rounding[0] <= error[0]


# Gradients written by hand.

HANDS = {
    "float": (np.sin, np.cos, [0.5]),
    "array to number": (lambda x: (x**3).sum(), lambda x: 3 * x**2, [POINTS]),
    "array to array": (lambda x: np.exp(x), lambda x: np.diag(np.exp(x)), [POINTS]),
    "several": (lambda x, y: x @ y, lambda x, y: (y, x), [POINTS, POINTS + 1]),
    "mixed": (lambda x, n: (x**n).sum(), lambda x, n: n * x ** (n - 1), [abs(POINTS), np.array(3)]),
    "structures": (lambda t: t["a"] * t["b"], lambda t: {"a": t["b"], "b": t["a"]}, [{"a": 2.0, "b": -0.5}]),
    "integers held fixed": (lambda x, n: x**n, lambda x, n: n * x ** (n - 1), [2.0, 3]),
    "lists for arrays": (lambda x: x.sum(), lambda x: [1.0, 1.0, 1.0], [POINTS]),
}


def off_by(gradient, factor):
    """The gradient with all of its numbers wrong by a factor."""

    def wrong(*args):
        found = gradient(*args)
        if isinstance(found, dict):
            return {key: part * factor for key, part in found.items()}
        if isinstance(found, tuple):
            return tuple(np.asarray(part) * factor for part in found)
        return np.asarray(found) * factor

    return wrong


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("f", "gradient", "args"), HANDS.values(), ids=HANDS)
def test_gradients_written_by_hand(f, gradient, args, fast):
    assert check_gradient(f, gradient, *args, fast=fast).excess < 1
    for factor in (1.001, -1.0):
        with pytest.raises(GradientError, match="Correct the gradient"):
            check_gradient(f, off_by(gradient, factor), *args, fast=fast)


@pytest.mark.parametrize("insists", [False, True])
def test_single_precision_needs_no_tuning(insists):
    """Also where the function computes in single precision whatever it is given."""
    take = (lambda x: np.asarray(x, np.float32)) if insists else np.asarray
    f, gradient = lambda x: np.tanh(take(x)).sum(), lambda x: 1 / np.cosh(x) ** 2
    for x in (POINTS, POINTS * 1e-3, POINTS / 3, np.float32(0.1) * np.arange(1, 9)):
        x = x.astype(np.float32)
        assert check_gradient(f, gradient, x).excess < 1
        with pytest.raises(GradientError):
            check_gradient(f, off_by(gradient, np.float32(1.001)), x)


def test_a_function_may_refuse_double_precision():
    def f(x):
        if x.dtype != np.float32:
            raise RuntimeError("expected scalar type Float")
        return (x * x).sum()

    x = POINTS.astype(np.float32)
    assert check_gradient(f, lambda x: 2 * x, x).excess < 1
    with pytest.raises(GradientError):
        check_gradient(f, lambda x: np.float32(2.002) * x, x)


def test_what_a_function_does_to_its_arguments_stays_there():
    def f(x):
        x *= 2.0
        return x.sum()

    x = POINTS.copy()
    check_gradient(f, lambda x: np.full(3, 2.0), x)
    np.testing.assert_array_equal(x, POINTS)


def test_bad_gradients_are_refused():
    with pytest.raises(ShapeError, match=r"\[\(3,\)\].*Return arrays of shapes \[\(2,\)\]"):
        check_gradient(np.sum, lambda x: np.ones(3), np.ones(2))
    with pytest.raises(DataError, match="complex"):
        check_gradient(lambda x: x * 1j, lambda x: 1.0, 2.0)
    with pytest.raises(DataError, match="no floating-point argument"):
        check_gradient(np.sum, lambda x: np.ones(2), np.ones(2, int))
    with pytest.raises(DataError, match="kinks='ignore'"):
        check_gradient(np.sin, np.cos, 1.0, kinks="ignore")


@pytest.mark.parametrize("bad", [np.nan, inf, -inf])
def test_there_is_nothing_near_nan_and_infinity(bad):
    """Also where the result does not depend on them."""
    x = np.array([1.0, bad])
    for check in (
        lambda: check_gradients(engine.sigmoid, bad),
        lambda: check_gradients(lambda x: engine.where(np.array([True, False]), x, 0.0), x),
        lambda: check_gradient(np.nansum, lambda x: np.ones(2), x),
    ):
        with pytest.raises(DataError, match="nothing near"):
            check()


@pytest.mark.parametrize(
    ("f", "gradient", "x"),
    [
        (math.log, lambda x: 1 / x, 0.05),
        (math.acos, lambda x: -1 / math.sqrt(1 - x * x), 0.95),
        (math.exp, math.exp, 700.0),
        (
            lambda a: np.linalg.cholesky(np.array([[1.0, a], [a, 1.0]]))[1, 1],
            lambda a: -a / np.sqrt(1 - a * a),
            0.97,
        ),
    ],
)
def test_a_function_may_raise_outside_its_domain(f, gradient, x):
    for fast in (False, True):
        check_gradient(f, gradient, x, fast=fast)
        with pytest.raises(GradientError):
            check_gradient(f, lambda x: 1.002 * gradient(x), x, fast=fast)


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e3, 1e5])
def test_the_right_gradient_at_an_extremum_passes(scale):
    """There the derivative is what rounding makes of the place."""
    top = math.pi * round(scale)
    check_gradients(engine.cos, top)
    check_gradient(np.cos, lambda x: -np.sin(x), top)
    bell, slope = lambda x: np.exp(-((x - scale) ** 2)), lambda x: -2 * (x - scale) * np.exp(-((x - scale) ** 2))
    for x in (scale, float(np.nextafter(scale, np.inf))):
        check_gradient(bell, slope, x)
        check_gradient(lambda x: (x - scale) ** 2, lambda x: 2 * (x - scale), x)


def test_a_vertical_tangent_is_left_out_where_kinks_are():
    for f in (np.sqrt, np.cbrt):
        assert check_gradient(f, lambda x: 7.0, 0.0, kinks="skip").skipped == 1
        with pytest.raises(GradientError):
            check_gradient(f, lambda x: 7.0, 0.0)


BAD_SETTINGS = [
    {"order": 0}, {"order": 2.0}, {"order": True}, {"mode": "backward"}, {"kinks": "ignore"}, {"rtol": -1e-3},
    {"rtol": np.nan}, {"atol": "small"}, {"atol": inf}, {"wrt": 1}, {"wrt": True}, {"wrt": "x"}, {"wrt": ()},
]  # fmt: skip


@pytest.mark.parametrize("settings", BAD_SETTINGS, ids=str)
def test_settings_that_say_nothing_are_refused(settings):
    with pytest.raises(DataError):
        check_gradients(engine.sin, 1.0, **settings)


@pytest.mark.parametrize("gradient", [lambda x: None, lambda x: "1", lambda x: 1j, lambda x: [[1.0], None]])
def test_a_gradient_is_made_of_real_numbers(gradient):
    with pytest.raises(DataError, match="real numbers"):
        check_gradient(np.sin, gradient, 1.0)


@pytest.mark.parametrize("check", [check_gradients, lambda f, x: check_gradient(f, np.cos, x)])
def test_what_is_checked_is_one_function(check):
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="at first, and then"):
        check(lambda x: x * rng.normal(), 1.0)
    with pytest.raises(DataError, match="in the place of a function"):
        check(1.0, engine.sin)


def test_an_empty_argument_has_no_derivatives():
    assert check_gradient(np.sin, lambda x: np.diag(np.cos(x)), np.zeros(0)).excess == 0
    assert check_gradients(engine.sin, np.zeros((2, 0)), order=2, mode="both").excess == 0


def test_noise_is_no_mistake():
    """A function known to nine digits, and one that is the sum of large numbers."""
    for f in (lambda x: np.round(np.sin(x), 9), lambda x: np.sin(x) + 1e7 - 1e7):
        check_gradient(f, np.cos, 0.5)
        with pytest.raises(GradientError):
            check_gradient(f, lambda x: 1.01 * np.cos(x), 0.5)


# Modes, arguments, kinks, projections.


@pytest.mark.parametrize(("f", "args"), RIGHT.values(), ids=RIGHT)
def test_a_right_function_passes_in_both_modes(f, args):
    check_gradients(f, *args, mode="both")
    check_gradients(f, *args, fast=True)


@pytest.mark.parametrize("mode", ["reverse", "forward", "both"])
@pytest.mark.parametrize("fast", [False, True])
def test_each_mode_finds_mistakes(mode, fast):
    settings = {"mode": mode, "fast": fast}
    check_gradients(wrong_second, POINTS, **settings)
    for f, order in ((wrong_first, 1), (wrong_second, 2)):
        with pytest.raises(GradientError) as caught:
            check_gradients(f, POINTS, order=order, **settings)
        assert caught.value.worst.mode == ("forward" if mode == "forward" else "reverse")


def test_forward_mode_finds_a_rule_that_is_wrong_where_it_is_recorded():
    @engine.primitive(x=lambda xp, g, out, x: g * xp.cos(x) * (1.0 if xp in (np, engine.scalars) else 1.001))
    def wrong_if_recorded(xp, x):
        """A sine."""
        return xp.sin(x)

    check_gradients(wrong_if_recorded, POINTS)
    for mode in ("forward", "both"):
        with pytest.raises(GradientError, match="forward mode"):
            check_gradients(wrong_if_recorded, POINTS, mode=mode)


def test_an_infinite_derivative_beside_does_not_spoil_forward_mode():
    with pytest.raises(GradientError) as caught:
        check_gradients(lambda x, y: wrong_first(x) + engine.sqrt(y), 2.0, 1e-300, mode="forward", wrt=0)
    assert caught.value.worst.analytic == pytest.approx(12.012)


def test_arguments_may_be_held_fixed():
    f = lambda x, y: wrong_first(x) * y  # noqa: E731
    check_gradients(f, 1.0, 2.0, wrt=1)
    check_gradients(f, 1.0, 2.0, wrt=[-1])
    for wrt in (0, (0, 1), None):
        with pytest.raises(GradientError, match=r"args\[0\]"):
            check_gradients(f, 1.0, 2.0, wrt=wrt)
    with pytest.raises(DataError, match="wrt=2"):
        check_gradients(f, 1.0, 2.0, wrt=2)
    g = lambda x, y: x * y**2  # noqa: E731
    check_gradient(g, lambda x, y: 2 * x * y, 3.0, 4.0, wrt=1)
    check_gradient(g, lambda x, y: (np.nan, 2 * x * y), 3.0, 4.0, wrt=1)


KINKS = {
    "relu": (engine.relu, 0.0),
    "abs": (abs, 0.0),
    "relu in float32": (engine.relu, np.zeros(1, np.float32)),
    "maximum": (lambda x: engine.maximum(x, 0.5 * x), 0.0),
    "clip": (lambda x: engine.clip(x, -1.0, 1.0), np.array([1.0, 0.3])),
    "max": (lambda x: engine.max(x), np.array([2.0, 1.0, 2.0])),
}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("f", "x"), KINKS.values(), ids=KINKS)
def test_kinks_are_reported_left_out_or_accepted(f, x, fast):
    with pytest.raises(GradientError, match=r"on the left and .* on the right: check it away from the kink") as caught:
        check_gradients(f, x, fast=fast)
    worst = caught.value.worst
    assert worst.kink and worst.left != worst.right and worst.excess > 1
    assert check_gradients(f, x, fast=fast, kinks="skip").skipped >= 1
    accepted = check_gradients(f, x, fast=fast, kinks="subgradient")
    assert (accepted.skipped, accepted.excess < 1) == (0, True)


def test_only_what_lies_between_is_a_subgradient():
    f = lambda x: np.maximum(x, 0.0)  # noqa: E731
    for slope in (0.0, 0.4, 1.0):
        check_gradient(f, lambda x, slope=slope: slope, 0.0, kinks="subgradient")
    for slope in (-0.001, 1.001, np.nan, np.inf):
        with pytest.raises(GradientError):
            check_gradient(f, lambda x, slope=slope: slope, 0.0, kinks="subgradient")
        check_gradient(f, lambda x, slope=slope: slope, 0.0, kinks="skip")


@pytest.mark.parametrize("kinks", ["raise", "skip", "subgradient"])
def test_steep_functions_and_kinks_nearby_are_no_kinks(kinks):
    for f, x in [
        (lambda x: engine.tanh(engine.relu(x) * 1e6), 1e-6),
        (lambda x: engine.softplus(engine.relu(x) * 1e5), 1e-5),
        (abs, 1e-12),
        (lambda x: engine.relu(x) ** 2, 0.0),
        (lambda x: engine.norm(x) ** 2, np.array([1e-9, 0.0])),
    ]:
        found = check_gradients(f, x, kinks=kinks)
        assert (found.skipped, found.kink) == (0, False)
        with pytest.raises(GradientError):
            check_gradients(lambda x, f=f: f(x) + x - 1.0 * engine.detach(x) + 1.0, x, kinks=kinks)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_projections_find_one_wrong_entry_among_many(dtype):
    wrong = wrong_at(lambda xp, x: xp.greater(x, 2.9))
    x = np.linspace(-3, 3, 40).astype(dtype)
    check_gradients(engine.sin, x, fast=True)
    for mode in ("reverse", "forward"):
        with pytest.raises(GradientError) as caught:
            check_gradients(wrong, x, fast=True, mode=mode)
        assert caught.value.worst.index == (39,)


def test_projections_compute_no_jacobian():
    calls = 0

    def f(x):
        nonlocal calls
        calls += 1
        return engine.relu(x).sum()

    x = np.random.default_rng(0).normal(size=(300, 300))
    assert check_gradients(f, x, fast=True).argument == "a random direction"
    assert calls < 100


# The report.


def test_the_report_names_the_first_operation_that_is_wrong():
    def network(x, w):
        with engine.scope("encoder"):
            h = engine.tanh(x @ w)
        with engine.scope("decoder"):
            z = wrong_first(h)
            z.label = "z"
            return (engine.relu(z) * wrong_first(z)).sum()

    with pytest.raises(GradientError) as caught:
        check_gradients(network, np.eye(2) + 0.3, np.ones((2, 3)))
    assert caught.value.worst.first_wrong == "'wrong_first' labelled 'z' in scope 'decoder'"
    assert "Correct the rule of 'wrong_first' labelled 'z' in scope 'decoder'" in str(caught.value)


def test_the_first_wrong_operation_is_found_at_the_order_at_which_it_is_wrong():
    with pytest.raises(GradientError) as caught:
        check_gradients(lambda x: engine.sin(wrong_second(engine.exp(x))), 0.5, order=2)
    assert caught.value.worst.first_wrong == "'wrong_second'"


def test_where_each_rule_is_right_none_is_blamed():
    with pytest.raises(GradientError, match="Each operation's own rule is right") as caught:
        check_gradients(lambda x: engine.sin(x) * engine.Tensor(np.exp(x.data)), POINTS)
    assert caught.value.worst.first_wrong is None


def test_a_large_wrong_operation_is_found_without_its_jacobian():
    with pytest.raises(GradientError) as caught:
        check_gradients(lambda x: wrong_first(engine.tanh(x)).sum(), np.random.default_rng(0).normal(size=(12, 12)))
    assert caught.value.worst.first_wrong == "'wrong_first'"


def test_the_report_has_a_line_for_each_number():
    with pytest.raises(GradientError) as caught:
        check_gradient(np.tanh, lambda x: np.diag(1 - np.tanh(x)), np.array([0.5, -1.0]))
    text = str(caught.value).split("\n\n")[1]
    assert text == str(caught.value.worst)
    assert text.splitlines()[0] == "result[1] by args[0][1], at -1.0"
    names = ["analytic", "numerical", "left, right", "error", "distance"]
    assert [line.split("  ")[1] for line in text.splitlines()[1:]] == names
    worst = caught.value.worst
    for side in (worst.left, worst.right, worst.numerical):
        assert side == pytest.approx(1 - np.tanh(1.0) ** 2, rel=1e-8)
    assert (worst.mode, worst.at, worst.kink) == ("given", -1.0, False)


@hypothesis.given(st.floats(1e-300, 1e300), st.integers(0, 1000))
def test_distances_are_counted_in_units_in_the_last_place(x, steps):
    place = {"argument": "args[0]", "index": (), "result": "result", "result_index": ()}
    y = x + steps * np.spacing(x)
    hypothesis.assume(np.spacing(x) == np.spacing(y))
    found = Comparison(order=1, **place, analytic=x, numerical=float(y), error=0.0, tolerance=1.0, method="differences")
    assert found.ulps == steps


# Strategies.


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "domain", [(-inf, inf), (0.0, inf), (-inf, -1.0), (-1.4, 1.4), (0.1, 3.0), (1.0, 1.001), (0.0, 1e-6)], ids=str
)
def test_numbers_keep_inside_their_domain(domain, dtype):
    seen = set()

    @hypothesis.given(strategies.numbers(domain, dtype=dtype))
    def inside(x):
        seen.add(x)
        assert domain[0] < x < domain[1]
        assert float(dtype(x)) == x

    inside()
    assert len(seen) > 10


@pytest.mark.parametrize(
    ("domain", "dtype"),
    [
        (None, float),
        ((0.0,), float),
        ("ab", float),
        ((0.0, 5e-324), float),
        ((1e300, inf), np.float32),
        ((2, 1), float),
    ],
)
def test_a_domain_without_numbers_is_refused(domain, dtype):
    with pytest.raises(DomainError):
        strategies.numbers(domain, dtype=dtype)


@pytest.mark.parametrize("draw", [strategies.inputs, lambda row: strategies.expressions([row])])
def test_what_is_no_primitive_is_refused(draw):
    with pytest.raises(DataError, match="as a primitive"):
        hypothesis.find(draw(np.sin), lambda drawn: True)


def test_an_empty_domain_is_refused():
    with pytest.raises(DomainError, match=r"\(1.0, 1.0\)"):
        strategies.numbers((1.0, 1.0))


def test_numbers_shrink_to_short_ones():
    assert hypothesis.find(strategies.numbers(), lambda x: x > 1) == 1.0625
    assert hypothesis.find(strategies.arrays((2,)), lambda x: True).tolist() == [0.0, 0.0]


@hypothesis.given(st.data())
def test_the_strategies_draw_what_they_say(data):
    shape = data.draw(strategies.shapes(max_dims=2, min_side=1))
    assert len(shape) <= 2 and all(1 <= n <= 3 for n in shape)
    assert data.draw(strategies.arrays(shape)).shape == shape
    tensor = data.draw(strategies.tensors(dtype=np.float32))
    assert (tensor.dtype, tensor.requires_grad) == (np.float32, True)
    assert data.draw(strategies.values((0.0, inf))).data > 0
    np.broadcast_shapes(*data.draw(strategies.broadcastable_shapes(3)))


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.kinks], ids=lambda row: row.name)
def test_inputs_keep_away_from_kinks(row):
    @hypothesis.given(strategies.inputs(row))
    @hypothesis.settings(max_examples=20)
    def away(call):
        assert kink_distance(row, *call) > 0.05

    away()
    for layout in layouts(row):
        assert kink_distance(row, fill(row, layout, np.random.default_rng(0)), layout.params) > 0.05


def test_a_primitive_of_ones_own_is_tried_by_its_kind():
    assert layouts(wrong_under_broadcasting.primitive) == layouts(ROWS["multiply"])

    @engine.primitive(x=None, kind="shape")
    def rolled(xp, x, *, shift):
        return xp.roll(x, shift)

    with pytest.raises(UnsupportedError, match=r"LAYOUTS\['rolled'\]"):
        layouts(rolled.primitive)
    LAYOUTS["rolled"] = [shaped((3,), shift=1)]
    try:
        assert layouts(rolled.primitive) == [shaped((3,), shift=1)]
    finally:
        del LAYOUTS["rolled"]


WITHOUT = """
import sys
sys.modules["hypothesis"] = sys.modules["pytest"] = None
import engine, engine.testing
engine.testing.check_gradients(engine.sin, 1.0)
try:
    engine.testing.strategies
except engine.errors.MissingExtraError as error:
    print(error)
"""


def test_only_the_strategies_need_hypothesis():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert "pip install 'chainrule[test]'" in done.stdout


def test_the_kit_has_no_other_names():
    with pytest.raises(AttributeError, match="nonsense"):
        engine.testing.nonsense  # noqa: B018
