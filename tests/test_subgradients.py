"""The derivatives chosen where there are none: the table in the docstring of engine.primitives, line by line."""

import re
from math import inf, isnan, nan

import numpy as np
import pytest

import engine
from engine.primitives import ROWS

LINES = re.findall(r"^\| `(.+?)` +\| (.+?) +\| (\w) +\| (\S+) +\|$", engine.primitives.__doc__, re.MULTILINE)
each_line = pytest.mark.parametrize(("expression", "at", "by", "expected"), LINES, ids=[" ".join(one) for one in LINES])


def derivative(expression: str, at: str, by: str, leaf) -> object:
    """The gradient of an expression by one of its variables, each made a leaf of its own by `leaf`."""
    variables = {name: leaf(float(number)) for name, number in re.findall(r"(\w) = (\S+?)(?:,|$)", at)}
    eval(expression, vars(engine) | variables).sum().backward()
    return variables[by].grad


def test_every_line_of_the_table_is_read():
    body = [line for line in engine.primitives.__doc__.splitlines() if line.startswith("| `")]
    assert len(LINES) == len(body) > 25


def test_every_kink_of_a_row_is_in_the_table():
    kinked = {name for name, row in ROWS.items() if row.kinks is not None}
    assert kinked <= {word for expression, *_ in LINES for word in re.findall(r"\w+", expression)}


@each_line
def test_a_value_takes_the_derivative_of_the_table(expression, at, by, expected):
    np.testing.assert_equal(derivative(expression, at, by, engine.Value), float(expected))


@each_line
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_a_tensor_without_axes_does(expression, at, by, expected, dtype):
    gradient = derivative(expression, at, by, lambda x: engine.Tensor(np.array(x, dtype)))
    assert gradient.dtype == dtype
    np.testing.assert_array_equal(gradient, dtype(expected))


@each_line
@pytest.mark.parametrize("shape", [(1,), (2, 3)])
def test_every_entry_of_a_tensor_does(expression, at, by, expected, shape):
    expression = re.sub(r"(stack\(.*?\]\))", r"\1, axis=0", expression)  # entry by entry of the stacked ones
    if re.match(r"norm\(x\)", expression):
        expression = "norm(x, axis=())"
    gradient = derivative(expression, at, by, lambda x: engine.Tensor(np.full(shape, x)))
    np.testing.assert_array_equal(gradient, np.full(shape, float(expected)))


@each_line
def test_the_recorded_gradient_does(expression, at, by, expected):
    for leaf in (engine.Value, lambda x: engine.Tensor(np.array(x))):
        variables = {name: leaf(float(number)) for name, number in re.findall(r"(\w) = (\S+?)(?:,|$)", at)}
        result = eval(expression, vars(engine) | variables)
        (gradient,) = engine.gradients(result, [variables[by]], create_graph=True)
        np.testing.assert_equal(gradient.item(), float(expected))


@each_line
def test_a_derivative_of_zero_or_more_does_not_vanish_at_the_other_zero(expression, at, by, expected):
    """Zero has two signs, and the table means both."""
    if "= 0" in at:
        negative = derivative(expression, at.replace("= 0", "= -0.0"), by, engine.Value)
        np.testing.assert_equal(abs(negative), abs(float(expected)))


# The sentences below the table, and those of the design that are about values.


def at_zero(f, leaf=engine.Value):
    x = leaf(0.0)
    f(x).backward()
    return x.grad


@pytest.mark.parametrize("leaf", [engine.Value, lambda x: engine.Tensor(x)], ids=["Value", "Tensor"])
def test_no_wider_agreement_is_promised(leaf):
    assert at_zero(lambda x: engine.relu(x) - engine.relu(-x), leaf) == 0.0
    assert isnan(at_zero(lambda x: engine.sqrt(x) ** 2, leaf))


@pytest.mark.parametrize("leaf", [engine.Value, lambda x: engine.Tensor(x)], ids=["Value", "Tensor"])
def test_logarithms_at_and_below_zero(leaf):
    assert engine.log(leaf(0.0)).item() == -inf
    assert isnan(engine.log(leaf(-1.0)).item())
    assert engine.log1p(leaf(-1.0)).item() == -inf
    assert isnan(engine.sqrt(leaf(-1.0)).item())


@pytest.mark.parametrize("y", [0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("leaf", [engine.Value, lambda x: engine.Tensor(x)], ids=["Value", "Tensor"])
def test_the_derivative_by_the_exponent(leaf, y):
    for x, expected in [(0.0, 0.0), (-2.0, nan), (2.0, 2.0**y * np.log(2.0))]:
        exponent = leaf(y)
        (leaf(x) ** exponent).backward()
        np.testing.assert_allclose(exponent.grad, expected, rtol=1e-15)


@pytest.mark.parametrize("x", [0.0, 1.0, -3.0, inf, -inf, nan, 1e-300])
@pytest.mark.parametrize("zero", [0, 0.0, engine.Value(0.0), engine.Tensor(0.0), np.zeros(())], ids=repr)
@pytest.mark.parametrize("leaf", [engine.Value, lambda x: engine.Tensor(x)], ids=["Value", "Tensor"])
def test_the_power_zero_is_flat_everywhere(leaf, zero, x):
    base = leaf(x)
    result = base**zero
    assert result.item() == 1.0
    result.backward()
    assert base.grad == 0.0


@pytest.mark.parametrize("x", [nan, inf, -inf])
@pytest.mark.parametrize("f", [engine.relu, engine.absolute, engine.leaky_relu, lambda x: engine.maximum(x, 0.0)])
def test_scalars_and_arrays_choose_alike_beyond_numbers(f, x):
    alone, array = engine.Value(x), engine.Tensor(x)
    f(alone).backward()
    f(array).backward()
    np.testing.assert_equal(alone.grad, array.grad.item())
