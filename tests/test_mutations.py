"""Mutations: they find what tests miss, count only what changes a value, and leave everything as it was."""

import functools
import inspect

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from messages import explained

import engine
from engine.errors import DataError, GradientError
from engine.primitives import ROWS
from engine.row import Primitive
from engine.testing import check_gradients, mutate, properties, strategies
from engine.testing.layouts import Shape, fill, layouts
from engine.testing.mutations.rewriting import rewritings

POINTS = np.array([-1.5, 0.25, 2.0])


@engine.primitive(x=lambda xp, g, out, x: g * 3 * x**2, kind="elementwise", analytic=True)
def cube(xp, x):
    return x * x * x


@engine.primitive(
    x=lambda xp, g, out, x, y: 2 * g * x,
    y=lambda xp, g, out, x, y: -g,
    kind="elementwise",
    analytic=True,
)
def square_minus(xp, x, y):
    return x * x - y


def weighed_square(w, x):
    return float((w * x * x).sum())


def weighed_square_gradient(w, x):
    """The gradient of a weighed sum of squares."""
    by_w = x**2
    return by_w, 2 * w * x


def fully_checked(gradient=weighed_square_gradient, f=weighed_square, step=1e-6):
    """Every entry of a gradient against differences, at points of either sign."""
    args = [np.array([0.5, -2.0, 1.5]), np.array([-1.0, 0.7, 2.0])]
    for position, part in enumerate(gradient(*args)):
        for entry in range(3):
            ends = []
            for change in (step, -step):
                moved = [x.copy() for x in args]
                moved[position][entry] += change
                ends.append(f(*moved))
            assert abs((ends[0] - ends[1]) / (2 * step) - part[entry]) < 1e-6


def names(mutants):
    return {mutant.name for mutant in mutants}


# What is missed.


def test_a_thorough_test_misses_nothing():
    report = mutate(cube, lambda: check_gradients(lambda x: 2 * cube(x), POINTS))
    assert not report.survivors
    assert len(report.killed) == len(report.mutants) >= 10
    report = mutate(weighed_square_gradient, fully_checked)
    assert not report.survivors
    assert len(report.mutants) >= 12


def test_a_test_that_looks_at_nothing_misses_everything():
    report = mutate(cube, lambda: cube(engine.Value(1.0)).backward())
    assert not report.killed
    assert report.survivors == report.mutants
    report = mutate(weighed_square_gradient, lambda: weighed_square_gradient(POINTS, POINTS + 1))
    assert not report.killed


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=3)
def test_a_test_with_random_numbers_notices_all_that_multiplies(data):
    """Whatever the numbers, as long as there are several different ones of either sign."""
    x = np.array([1.25, -0.75, data.draw(strategies.numbers())])
    report = mutate(cube, lambda: check_gradients(lambda x: 2 * cube(x), x))
    assert not report.survivors


MISSED = [
    (cube, lambda: check_gradients(cube, np.array([0.5, 2.0])), "has the wrong sign where x is negative"),
    (cube, lambda: check_gradients(cube, -2.0), "is reversed along the first axis"),
    (cube, lambda: check_gradients(cube, np.array([[-2.0, 0.5]])), "is reversed along the first axis"),
    (cube, lambda: check_gradients(cube, np.array([[-2.0], [0.5]])), "is reversed along the last axis"),
    (cube, lambda: check_gradients(cube, POINTS, rtol=0.01), "is 0.1 % too large"),
    (
        square_minus,
        lambda: check_gradients(square_minus, POINTS, 2 * POINTS),
        "averages over the repeated entries of y",
    ),
    (square_minus, lambda: check_gradients(lambda x: square_minus(x, 1.0), POINTS), "the sign of the rule for y is fl"),
    (square_minus, lambda: check_gradients(lambda x: square_minus(x, x), 1.0), "y for x"),
    (cube, lambda: properties.vjp_is_linear(cube, POINTS), "takes out for x"),
]


@pytest.mark.parametrize(("target", "test", "missed"), MISSED)
def test_what_a_test_does_not_look_at_is_missed(target, test, missed):
    report = mutate(target, test)
    assert any(missed in name for name in names(report.survivors)), str(report)
    assert any(missed in line for line in str(report).splitlines())


def test_the_second_order_is_looked_at_where_it_is_asked_for():
    first = lambda: check_gradients(lambda x: 2 * cube(x), POINTS)  # noqa: E731
    second = lambda: check_gradients(lambda x: 2 * cube(x), POINTS, order=2)  # noqa: E731
    assert not mutate(cube, first).survivors
    assert names(mutate(cube, first, order=2).survivors) == {"the rule for x is 0.1 % too large at second order only"}
    assert not mutate(cube, [first, second], order=2).survivors


def test_rules_of_variadic_rows_know_their_position():
    def test():
        f = lambda x, y: engine.stack([x, y]) * np.array([2.0, 3.0])  # noqa: E731
        for _, part in zip("xy", engine.vjp(f, 1.0, 2.0)[1](np.array([1.0, 1.0])), strict=True):
            assert part > 0

    report = mutate(engine.stack, test, inputs=[(1.0, 2.0)])
    assert "the rule for arrays serves the next of them" in names(report.survivors)


def test_a_setting_may_be_called_position():
    @engine.primitive(x=lambda xp, g, out, x, position: g * position)
    def scaled(xp, x, *, position):
        return x * position

    assert not mutate(scaled, lambda: check_gradients(lambda x: scaled(x, position=3.0) * 2, POINTS)).survivors


def test_rows_with_several_results_are_mutated_too():
    def test():
        (g,) = engine.vjp(lambda x: engine.split(x, 3), POINTS)[1](tuple(np.array([k]) for k in (1.0, 2.0, 3.0)))
        assert g.tolist() == [1.0, 2.0, 3.0]

    report = mutate(engine.split, test)
    assert "the rule for x squares the gradient that arrives" in names(report.killed)


# What counts.


def test_what_changes_no_value_is_not_counted():
    report = mutate(engine.sign, lambda: check_gradients(engine.sign, POINTS))
    assert "the sign of the rule for x is flipped" in report.equivalent
    assert not set(report.equivalent) & names(report.mutants)
    assert not report.survivors


def test_the_inputs_may_be_given():
    test = lambda: check_gradients(lambda x: 2 * cube(x), np.array([0.5, 2.0]))  # noqa: E731
    wrong = "the rule for x has the wrong sign where x is negative"
    assert wrong in names(mutate(cube, test).survivors)
    assert wrong in mutate(cube, test, inputs=[(1.0,), (np.array([1.0, 3.0]),)]).equivalent


def test_inputs_of_a_function_are_those_of_the_tests_and_their_negatives():
    def gradient(x):
        return 2 * x

    def test():
        assert gradient(3.0) == 6.0

    assert "the gradient has the wrong sign where x is negative" in names(mutate(gradient, test).survivors)
    assert "the gradient has the wrong sign where x is negative" in mutate(gradient, test, inputs=[(3.0,)]).equivalent


def test_inputs_where_the_function_itself_fails_say_nothing():
    def gradient(x):
        if x < 0:
            raise ValueError
        return np.sqrt(x)

    def test():
        assert gradient(4.0) == 2.0

    report = mutate(gradient, test)
    assert not report.survivors
    assert "the gradient has the wrong sign where x is negative" in report.equivalent


def test_a_gradient_by_nothing_is_no_obstacle():
    def gradient(x):
        return ()

    assert not mutate(gradient, lambda: gradient(1.0)).killed


def test_a_mutant_that_can_nowhere_be_computed_is_not_counted():
    def gradient(x):
        return 2.0 * np.reshape(x, 4)[0]

    def test():
        assert gradient(np.arange(4.0) + 1) == 2.0

    assert any("4 is mistaken for 3" in name for name in mutate(gradient, test).equivalent)


def test_two_mutants_that_compute_the_same_count_once():
    report = mutate(engine.negative, lambda: check_gradients(engine.negative, POINTS))
    assert "the sign of the rule for x is flipped" in names(report.mutants)
    assert not any("minus" in name for name in [*names(report.mutants), *report.equivalent])


# Mistakes in the source.


def several(x, y=1.0, *, scale=2.0):
    """2.0 here is no constant of the function."""
    total = x * y
    total += scale * x
    if total < 0:
        return -total
    return np.sin(total) / scale


def test_the_mistakes_of_a_source():
    found = [rewriting.name.partition(", ")[2] for rewriting in rewritings(several, ["x", "y"])]
    assert found == [
        "a factor is dropped: total = x * y -> total = y",
        "a factor is dropped: total = x * y -> total = x",
        "* is mistaken for /: total = x * y -> total = x / y",
        "x is mistaken for y: total = x * y -> total = y * y",
        "y is mistaken for x: total = x * y -> total = x * x",
        "+= is mistaken for -=: total += scale * x -> total -= scale * x",
        "what was there before is forgotten: total += scale * x -> total = scale * x",
        "a factor is dropped: total += scale * x -> total += x",
        "a factor is dropped: total += scale * x -> total += scale",
        "* is mistaken for /: total += scale * x -> total += scale / x",
        "x is mistaken for y: total += scale * x -> total += scale * y",
        "the comparison is turned round: total < 0 -> total > 0",
        "0 is mistaken for 1: total < 0 -> total < 1",
        "a minus sign is dropped: return -total -> return total",
        "the divisor is dropped: return np.sin(total) / scale -> return np.sin(total)",
        "/ is mistaken for *: return np.sin(total) / scale -> return np.sin(total) * scale",
        "sin is mistaken for cos: return np.sin(total) / scale -> return np.cos(total) / scale",
    ]
    assert several(1.0) == np.sin(3.0) / 2


def test_the_line_is_named():
    start = inspect.getsourcelines(several)[1]
    assert next(rewritings(several, [])).name.startswith(f"line {start + 2}, ")


def test_matrices_are_mistaken_in_their_own_ways():
    f = lambda a, b: a.T @ b  # noqa: E731
    found = {rewriting.name: rewriting.function for rewriting in rewritings(f, [])}
    assert list(found) == [
        "a factor is dropped: a.T @ b -> b",
        "a factor is dropped: a.T @ b -> a.T",
        "the factors are exchanged: a.T @ b -> b @ a.T",
        "the transpose is forgotten: a.T @ b -> a @ b",
    ]
    a, b = np.arange(4.0).reshape(2, 2), np.eye(2) + 1
    np.testing.assert_equal(found["the transpose is forgotten: a.T @ b -> a @ b"](a, b), a @ b)


def test_lambdas_on_one_line_are_told_apart():
    pair = (lambda x: x * 2, lambda x: x / 5)  # both take x
    found = [[rewriting.name for rewriting in rewritings(f, [])] for f in pair]
    assert found[0][0] == "a factor is dropped: x * 2 -> 2"
    assert found[1][0] == "the divisor is dropped: x / 5 -> x"


def test_closures_defaults_and_recursion_are_kept():
    depths, unit = [], 3.0

    def gradient(x, times=2, *, scale=10.0):
        depths.append(times)
        return x * unit if times == 0 else scale * gradient(x, times - 1)

    results = {rewriting.name.partition(", ")[2]: rewriting.function(2.0) for rewriting in rewritings(gradient, [])}
    line = "return x * unit if times == 0 else scale * gradient(x, times - 1)"
    assert results[f"a factor is dropped: {line} -> {line.replace('scale * ', '')}"] == 60.0
    assert results[f"* is mistaken for /: {line} -> {line.replace('scale *', 'scale /')}"] == 10.0 / 60.0
    assert results[f"1 is mistaken for 2: {line} -> {line.replace('- 1', '- 2')}"] == 60.0
    assert gradient(2.0) == 600.0
    assert len(depths) > 3  # the closure is the one of the function


def test_loops_that_may_not_end_are_left_alone():
    def gradient(x):
        n = 4
        while n > 0:
            n -= 1
        return x

    assert [rewriting.name.split(", ")[1] for rewriting in rewritings(gradient, [])] == [
        "4 is mistaken for 3: n = 4 -> n = 3"
    ]


def test_without_a_source_the_other_mistakes_remain():
    space = {}
    exec("def gradient(x):\n    return 2 * x", space)

    def test():
        assert space["gradient"](3.0) == 6.0

    report = mutate(space["gradient"], test)
    assert "the sign of the gradient is flipped" in names(report.killed)
    assert not any("return" in name for name in names(report.mutants))


# Everybody meets the mutant, by whatever name.


class Layer:
    rate = 2.0

    def gradient(self, x):
        return self.rate * x

    @staticmethod
    def slope(x):
        return 3.0 * x


def traced(f):
    @functools.wraps(f)
    def inner(*args):
        return f(*args)

    return inner


@traced
def decorated_gradient(x):
    return 2.0 * x


LAYER = Layer()
kept_elsewhere = functools.partial(weighed_square_gradient, POINTS)


@pytest.mark.parametrize(
    ("target", "call", "expected"),
    [
        (LAYER.gradient, lambda: LAYER.gradient(4.0), 8.0),
        (Layer.slope, lambda: LAYER.slope(4.0), 12.0),
        (decorated_gradient, lambda: decorated_gradient(4.0), 8.0),
        (weighed_square_gradient, lambda: kept_elsewhere(np.ones(3))[1].sum(), 1.5),
    ],
)
def test_whatever_name_a_function_is_called_by(target, call, expected):
    def test():
        assert call() == expected

    report = mutate(target, test)
    assert any("flipped" in name for name in names(report.killed))
    assert call() == expected


def test_a_failure_that_is_no_exception_is_noticed():
    """pytest.fail and pytest.raises end a test by something of their own."""

    def test():
        if decorated_gradient(1.0) != 2.0:
            pytest.fail("not the double")

    report = mutate(decorated_gradient, test)
    assert not [mutant for mutant in report.survivors if "negative" not in mutant.name]
    assert report.killed[0].by == "test: Failed: not the double"


def test_hypothesis_may_look_for_the_mistake():
    @hypothesis.given(strategies.arrays((3,)))
    @hypothesis.settings(max_examples=20, database=None, phases=[hypothesis.Phase.generate])
    def test(x):
        np.testing.assert_allclose(weighed_square_gradient(x, x + 1)[0], (x + 1) ** 2)

    report = mutate(weighed_square_gradient, test)
    assert all("by w" in mutant.name or "line" in mutant.name or " for " in mutant.name for mutant in report.killed)
    assert all("by x" in mutant.name or "2 * w * x" in mutant.name for mutant in report.survivors)
    assert len(report.killed) > 5 < len(report.survivors)


def test_arguments_that_cannot_be_copied_are_no_obstacle():
    class Context:
        saved = 3.0

        def __deepcopy__(self, memo):
            raise TypeError

    def gradient(context, g):
        return 2.0 * g * context.saved

    def test():
        assert gradient(Context(), -2.0) == -12.0

    report = mutate(gradient, test)
    assert not report.survivors
    assert not any("context" in name.partition(":")[0] for name in [*names(report.mutants), *report.equivalent])


def test_arguments_may_be_given_by_name():
    def test():
        by_w, by_x = weighed_square_gradient(x=POINTS + 1, w=-POINTS)
        assert by_w.tolist() == ((POINTS + 1) ** 2).tolist()
        assert by_x.tolist() == (-2 * POINTS * (POINTS + 1)).tolist()

    report = mutate(weighed_square_gradient, test)
    assert not report.survivors
    assert "the gradient takes w for x, and x for w" in names(report.killed)
    assert "the gradient by x has the wrong sign where x is negative" in names(report.killed)


# Everything is put back.


def state():
    rule = weighed_square_gradient
    return cube.primitive.rules, rule.__code__, rule.__defaults__, rule.__kwdefaults__


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, AssertionError, ValueError])
@pytest.mark.parametrize("calls", [1, 2, 5])
@pytest.mark.parametrize("target", [cube, weighed_square_gradient])
def test_whatever_happens_everything_is_put_back(target, calls, kind):
    before, made = state(), []

    def test():
        cube(engine.Value(2.0)).backward()
        weighed_square_gradient(POINTS, POINTS)
        made.append(1)
        if len(made) >= calls:
            raise kind

    if calls == 1 or not issubclass(kind, Exception):
        with pytest.raises(GradientError if issubclass(kind, Exception) else kind):
            mutate(target, test)
    else:
        assert mutate(target, test).killed
    assert state() == before
    assert all(one is other for one, other in zip(state()[0], before[0], strict=True))


def test_what_a_mutant_does_to_its_arguments_stays_with_it():
    x = np.array([1.0, -2.0])

    def gradient(x):
        x *= 2.0
        return x

    def test():
        assert gradient(x.copy()).tolist() == [2.0, -4.0]

    assert not mutate(gradient, test).survivors
    assert x.tolist() == [1.0, -2.0]


# What it tells.


def test_the_report():
    def gradient(x):
        return 2 * x

    def test():
        assert gradient(2.0) == 4.0

    report = mutate(gradient, test)
    assert repr(report) == "<mutations of 'gradient': 6 killed, 1 survived>"
    assert repr(report.survivors) == "(<mutant: the gradient has the wrong sign where x is negative>,)"
    assert str(report).splitlines() == [
        "The tests notice 6 of 7 mutants of 'gradient'; 2 more change no value on the inputs tried.",
        "They miss:",
        "  - the gradient has the wrong sign where x is negative",
        "    Try negative entries of x too, for example with engine.testing.strategies.arrays().",
    ]
    assert report.killed[0].by.startswith("test: AssertionError")
    assert str(mutate(cube, lambda: check_gradients(lambda x: 2 * cube(x), POINTS))).count("\n") == 0


def test_the_first_test_that_notices_is_named():
    def positive():
        assert decorated_gradient(1.0) > 0

    def exact():
        assert decorated_gradient(-1.0) == -2.0

    by = {mutant.name: mutant.by.partition(":")[0] for mutant in mutate(decorated_gradient, [positive, exact]).mutants}
    assert by["the sign of the gradient is flipped"] == "positive"
    assert by["the gradient is 0.1 % too large"] == "exact"


# Bad input.


@pytest.mark.parametrize("target", [np.sin, 3, "f", engine.detach, engine.greater, functools.partial(several, 1.0)])
def test_only_rules_and_python_functions_can_be_mutated(target):
    with explained(DataError, "mutate was given", type(target).__name__):
        mutate(target, lambda: None)


def test_tests_must_pass_and_call_what_is_mutated():
    with explained(GradientError, "the lambda", "'cube'", "ZeroDivisionError"):
        mutate(cube, lambda: 1 / 0)
    with explained(DataError, "never call 'several'"):
        mutate(several, lambda: None)
    with explained(DataError, "order=0"):
        mutate(cube, lambda: None, order=0)


# Our own table.


def checking(row: Primitive, check, **settings):
    """What tests/test_table.py does to a row, for all its layouts."""

    def test():
        joins = row.variadic and len(row.inputs) == 1
        for layout in layouts(row):

            def f(*inputs, params=layout.params):
                return row.call(list(inputs), **params) if joins else row.call(*inputs, **params)

            single = any(isinstance(x, Shape) and x == () for x in layout.inputs)
            for seed in range(5, 12 if single else 8):  # a number has one sign at a time
                data = fill(row, layout, np.random.default_rng(seed))
                check(f, *data, **settings)
                numbers = [x.item() if x.ndim == 0 and x.dtype.kind == "f" else x for x in data]
                if single and row.name not in ("scatter", "astype"):
                    check(f, *numbers, **settings)

    test.__name__ = check.__name__
    return test


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [row for name, row in ROWS.items() if any(row.rules) and name not in ("hook", "pick")],
    ids=lambda row: row.name,
)
def test_no_mistake_in_a_rule_of_the_table_goes_unnoticed(row):
    checks = [checking(row, check_gradients, mode="both"), checking(row, check_gradients, order=2)]
    report = mutate(row, checks, order=2)
    assert not report.survivors, str(report)
    assert report.mutants
