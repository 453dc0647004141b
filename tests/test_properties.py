"""Properties of derivatives: they hold of all that is right, and each tells what is wrong in its own way."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from messages import explained

import engine
from engine.errors import DataError, GradientError, ShapeError
from engine.primitives import ROWS
from engine.testing import properties, strategies

POINTS = np.array([-1.5, 0.25, 2.0])

OF_ONE = [
    properties.vjp_is_linear,
    properties.vjp_and_jvp_are_adjoint,
    properties.paths_sum_to_gradient,
    properties.hessian_is_symmetric,
    properties.evaluate_equals_eager,
]
each_property = pytest.mark.parametrize("check", OF_ONE, ids=lambda check: check.__name__)

APART = {"hook", "pick", "detach", "astype"}
DIFFERENTIABLE = [row for name, row in ROWS.items() if any(row.rules) and name not in APART]


def called(row, params):
    joins = row.variadic and len(row.inputs) == 1
    return lambda *inputs: row.call(list(inputs), **params) if joins else row.call(*inputs, **params)


# What is right has them all.


@each_property
def test_every_row_of_the_table_has_them(check):
    @hypothesis.given(st.data())
    @hypothesis.settings(max_examples=60)
    def anywhere(data):
        row = data.draw(st.sampled_from(DIFFERENTIABLE))
        inputs, params = data.draw(strategies.inputs(row))
        check(called(row, params), *inputs)

    anywhere()


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=60)
def test_sums_of_rows_have_sums_of_gradients(data):
    shape = data.draw(strategies.shapes(max_dims=2))
    first, second = [
        data.draw(
            st.sampled_from([engine.sin, engine.relu, engine.tanh, engine.negative, lambda x: x * 2, lambda x: x])
        )
        for _ in range(2)
    ]
    x = data.draw(strategies.arrays(shape))
    properties.gradient_of_sum_is_sum_of_gradients(first, second, x)


OTHER_LEAF = engine.Tensor([1.0, 2.0, 3.0])
RIGHT = {
    "a number": (lambda x: engine.sin(x) * x, [0.5]),
    "the argument itself": (lambda x: x, [2.0]),
    "a constant": (lambda x: 2.0, [1.5]),
    "independent": (lambda x: engine.Tensor([1.0, 2.0]), [POINTS]),
    "independent of one": (lambda x, y: y * y, [POINTS, 1.5]),
    "broadcasting": (lambda x, y: engine.exp(x) * y, [POINTS, POINTS[:, None]]),
    "values and tensors": (lambda x, y: x * y + engine.sin(x), [0.5, POINTS]),
    "shared": (lambda x: [y := engine.sin(x), y * y, y * x], [POINTS]),
    "a structure": (lambda w, x: {"out": (w["a"] * x, w["b"])}, [{"a": POINTS, "b": 2.0}, POINTS]),
    "held fixed": (lambda x, i, name: x[i] if name == "a" else x, [POINTS, np.array([0, 2]), "a"]),
    "float32": (lambda x: engine.log_softmax(x) * x, [POINTS.astype(np.float32)]),
    "float16": (lambda x: engine.tanh(x) * x, [POINTS.astype(np.float16)]),
    "large": (lambda x: engine.exp(x) * 1e20, [POINTS]),
    "small": (lambda x: engine.exp(x) * 1e-20, [POINTS]),
    "cancellation": (lambda x: engine.softmax(x).sum(), [POINTS]),
    "a matrix product": (lambda x, w: engine.tanh(x @ w), [POINTS, np.ones((3, 2))]),
    "other leaves": (lambda x: x * OTHER_LEAF, [POINTS]),
    "nothing": (lambda x: x * x, [np.zeros((0, 2))]),
    "nodes": (lambda x: x * x, [engine.Tensor(POINTS)]),
    "a million paths": (lambda x: [x := engine.sin(x) + engine.cos(x) for _ in range(20)][-1], [0.5]),
}


@each_property
@pytest.mark.parametrize(("f", "args"), RIGHT.values(), ids=RIGHT)
def test_a_right_function_has_them(check, f, args):
    check(f, *args)


@pytest.mark.parametrize(("f", "args"), RIGHT.values(), ids=RIGHT)
def test_a_right_function_added_to_itself_has_twice_the_gradient(f, args):
    properties.gradient_of_sum_is_sum_of_gradients(f, f, *args)


@each_property
def test_they_hold_where_nothing_is_recorded(check):
    with engine.no_grad():
        check(lambda x: engine.sin(x) * x, POINTS)


def test_labels_and_gradients_of_the_caller_are_left_alone():
    x = engine.Tensor(POINTS, label="x")
    for check in OF_ONE:
        check(lambda x: x * x, x)
    assert (x.grad, x.label, x.data.tolist()) == (None, "x", POINTS.tolist())


# What is wrong lacks one.


def sine(rule):
    """A sine with another rule."""

    @engine.primitive(x=rule, kind="elementwise")
    def wrong(xp, x):
        return xp.sin(x)

    return wrong


def recorded_only(factor):
    return lambda xp, g, out, x: g * xp.cos(x) * (1.0 if xp in (np, engine.scalars) else factor)


def writing(xp, g, out, x):
    c = g * xp.cos(x)
    if isinstance(g, np.ndarray):
        g *= 2.0
    return c


def remembering():
    calls = []

    def rule(xp, g, out, x):
        calls.append(x)
        return g * xp.cos(x) * (1 + 1e-3 * len(calls))

    return sine(rule)


@engine.primitive(
    x=lambda xp, g, out, x, y: g * y * (1.0 if xp in (np, engine.scalars) else 1.001),
    y=lambda xp, g, out, x, y: g * x,
)
def product_wrong_at_second_order(xp, x, y):
    return x * y


squaring = sine(lambda xp, g, out, x: g * g * xp.cos(x))
ignoring = sine(lambda xp, g, out, x: xp.cos(x))
shifting = sine(lambda xp, g, out, x: (g + 0.001) * xp.cos(x))
twice = lambda f: lambda x: [y := f(x), y * 2.0 + y * y][-1]  # noqa: E731

WRONG = [
    (properties.vjp_is_linear, squaring, [POINTS], r"args\[0\]\[[0-2]\]"),
    (properties.vjp_is_linear, squaring, [0.5], "not linear"),
    (properties.vjp_is_linear, ignoring, [POINTS], "3 wrong entries among 3"),
    (properties.vjp_is_linear, shifting, [POINTS], "not linear"),
    (properties.vjp_is_linear, shifting, [0.5], r"at args\[0\] = 0.5"),
    (properties.vjp_is_linear, remembering(), [POINTS], "not linear"),
    (properties.vjp_and_jvp_are_adjoint, squaring, [POINTS], "the same Jacobian"),
    (properties.vjp_and_jvp_are_adjoint, sine(recorded_only(1.001)), [POINTS], "by jvp"),
    (properties.vjp_and_jvp_are_adjoint, sine(recorded_only(1.001)), [0.5], "by vjp"),
    (properties.paths_sum_to_gradient, twice(squaring), [0.5], "the sum over 2 paths"),
    (properties.paths_sum_to_gradient, twice(ignoring), [POINTS], "do not add up"),
    (properties.paths_sum_to_gradient, twice(shifting), [POINTS], "do not add up"),
    (properties.hessian_is_symmetric, product_wrong_at_second_order, [POINTS, 2.0], r"the Hessian\[\d, \d\]"),
    (properties.hessian_is_symmetric, product_wrong_at_second_order, [1.5, 2.0], "not symmetric"),
    (properties.evaluate_equals_eager, lambda x: x * engine.exp(x.data), [POINTS], r"result\[\d\]"),
    (properties.evaluate_equals_eager, lambda x: x if x.data > 2.0 else x * x, [2.0], "moved by up to 1e-03"),
]


@pytest.mark.parametrize(("check", "f", "args", "message"), WRONG)
def test_a_wrong_function_lacks_one(check, f, args, message):
    with explained(GradientError, "It is the worst of") as caught:
        check(f, *args)
    assert caught.match(message)


@pytest.mark.parametrize(
    ("f", "g"),
    [
        (sine(writing), lambda x: x),
        (lambda x: x, sine(writing)),
        (remembering(), engine.sin),
        (ignoring, remembering()),
    ],
)
def test_a_function_that_meddles_is_caught_beside_another(f, g):
    with explained(GradientError, "two sweeps", "the gradient of the sum"):
        properties.gradient_of_sum_is_sum_of_gradients(f, g, POINTS)


def test_float32_is_no_excuse_for_a_thousandth():
    with pytest.raises(GradientError):
        properties.vjp_and_jvp_are_adjoint(sine(recorded_only(1.001)), POINTS.astype(np.float32))
    with pytest.raises(GradientError):
        properties.hessian_is_symmetric(product_wrong_at_second_order, POINTS.astype(np.float32), 2.0)


# Bad input.


@each_property
def test_there_must_be_something_to_differentiate(check):
    with explained(DataError, "no floating-point argument"):
        check(lambda i: i, np.array([1, 2]))
    with explained(DataError, "no floating-point number"):
        check(lambda x: engine.greater(x, 0.0), POINTS)
    with explained(GradientError, "nan"):
        check(engine.log, -1.0)


def test_functions_must_have_equal_shapes_to_be_added():
    with explained(ShapeError, "(3,)", "()", "sin + sum"):
        properties.gradient_of_sum_is_sum_of_gradients(engine.sin, engine.sum, POINTS)
