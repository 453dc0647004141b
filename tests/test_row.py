"""How a primitive is declared and called: its rules, its settings, and the kind of its results."""

import doctest
import inspect
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import explained

import engine
from engine import Tensor, Value, graph
from engine.errors import (
    DataError,
    DomainError,
    GraphError,
    IndexingError,
    PrimitiveError,
    ShapeError,
    UnsupportedError,
)
from engine.primitives import ROWS
from engine.row import compute
from engine.testing.layouts import fill, layouts

# Primitives as a user writes them.


@engine.primitive(x=lambda xp, g, out, x: g * 3 * x**2)
def cube(xp, x):
    """The third power.

    >>> cube(2.0)
    8.0
    """
    return x * x * x


@engine.primitive(
    x=lambda xp, g, out, x, scale, shift=0.0: g * scale,
    scale=lambda xp, g, out, x, scale, shift=0.0: g * x,
)
def affine(xp, x, scale, *, shift=0.0):
    return x * scale + shift


@engine.primitive(x=lambda xp, g, out, x: g[0] * xp.cos(x) - g[1] * xp.sin(x))
def sine_and_cosine(xp, x):
    return xp.sin(x), xp.cos(x)


def _weighted_rule(xp, g, out, *inputs, power, position):
    return g * ((position + 1) * power * inputs[position] ** (power - 1))


@engine.primitive(inputs=_weighted_rule)
def weighted(xp, *inputs, power):
    """1 * x0**power + 2 * x1**power + ...."""
    return sum((i + 1) * x**power for i, x in enumerate(inputs))


# Declaring


def test_a_forgotten_input_is_an_error_when_the_row_is_declared():
    with explained(PrimitiveError, "'product'", "'y'", "('x',)"):

        @engine.primitive(x=lambda xp, g, out, x, y: g * y)
        def product(xp, x, y):
            return x * y


def test_a_rule_for_what_is_no_input_is_an_error():
    with explained(PrimitiveError, "'double'", "'factor'"):

        @engine.primitive(x=lambda xp, g, out, x, factor: g, factor=None)
        def double(xp, x, *, factor=2):
            return x * factor

    with explained(PrimitiveError, "'double'"):

        @engine.primitive(x=lambda xp, g, out, x: g)
        def double(x):
            return x * 2


def test_an_unknown_kind_is_an_error_that_lists_the_kinds():
    with explained(PrimitiveError, "'elementwize'", "elementwise", "reduction"):
        engine.primitive(kind="elementwize", x=None)


def test_signature_docstring_name_and_doctest_survive_the_decorator():
    assert cube.__name__ == "cube" and cube.__module__ == __name__
    assert cube.__doc__.startswith("The third power.")
    assert str(inspect.signature(cube)) == "(x)"
    assert str(inspect.signature(affine)) == "(x, scale, *, shift=0.0)"
    assert str(inspect.signature(weighted)) == "(*inputs, power)"
    (example,) = doctest.DocTestFinder().find(cube, "cube", globs={"cube": cube})
    assert doctest.DocTestRunner().run(example) == (0, 1)
    assert repr(cube.primitive) == "<primitive cube(x)>"


def test_every_row_of_the_table_is_public_by_its_own_name():
    from engine import primitives

    for name, row in primitives.ROWS.items():
        assert row.name == name == row.call.__name__
        assert row.call.primitive is row


# A user's own primitive is as good as ours.


def total_gradient(f):
    """The function that sums the gradient of the sum of f's result."""
    return lambda x: engine.sum(engine.grad(lambda x: engine.sum(f(x)))(x))


@pytest.mark.parametrize("x", [2.0, -1.5, np.array([1.0, -2.0]), np.float32([[3.0]])])
def test_a_user_s_primitive_computes_and_differentiates_to_third_order(x):
    np.testing.assert_array_equal(cube(x), x**3)
    f = cube
    for derivative in (3 * x**2, 6 * x, 6 + 0 * x):
        f = total_gradient(f)
        np.testing.assert_allclose(f(x), np.sum(derivative), rtol=1e-6)


@pytest.mark.parametrize("make", [Value, Tensor])
def test_a_user_s_primitive_records_nodes_with_their_settings(make):
    x, scale = make(3.0), make(5.0)
    y = affine(x, scale, shift=1.0)
    assert (type(y), y.item(), y.op.name, y.inputs, y.params) == (
        make,
        16.0,
        "affine",
        (x, scale),
        {"shift": 1.0},
    )
    y.backward()
    assert (x.grad, scale.grad) == (5.0, 3.0)


def test_broadcasting_and_dtypes_are_undone_for_a_user_s_primitive():
    x, scale = Tensor(np.ones((2, 3), np.float32)), Value(2.0)
    row = Tensor([1.0, 2.0, 3.0])
    (affine(x, scale) + affine(row, scale, shift=1)).sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [[2.0] * 3] * 2
    assert row.grad.tolist() == [4.0] * 3
    assert scale.grad == 6.0 + 12.0


@pytest.mark.parametrize("x", [0.5, np.array([0.5, 2.0])])
def test_several_outputs_are_nodes_of_their_own(x):
    s, c = sine_and_cosine(x)
    assert (np.asarray(s) == np.sin(x)).all() and type(s) is not Value
    node = Value(x) if isinstance(x, float) else Tensor(x)
    s, c = sine_and_cosine(node)
    assert type(s) is type(c) is type(node)
    (grad,) = engine.gradients(engine.sum(s * s * c), [node])
    np.testing.assert_allclose(grad, 2 * np.sin(x) * np.cos(x) ** 2 - np.sin(x) ** 3, rtol=1e-14)
    second = engine.grad(lambda x: engine.sum(engine.grad(lambda x: engine.sum(sine_and_cosine(x)[0]))(x)))(x)
    np.testing.assert_allclose(second, -np.sin(x), rtol=1e-14)


def test_one_of_several_outputs_may_be_left_unused():
    x = Value(0.5)
    sine_and_cosine(x)[1].backward()
    assert x.grad == -math.sin(0.5)


def test_a_variadic_primitive_learns_the_position_of_each_input():
    x, y, t = Value(2.0), Value(3.0), Tensor([1.0, 4.0])
    result = weighted(x, y, t, power=2)
    assert result.tolist() == [4 + 18 + 3, 4 + 18 + 48]
    result.sum().backward()
    assert (x.grad, y.grad, t.grad.tolist()) == (2 * 4.0, 2 * 12.0, [6.0, 24.0])
    assert engine.grad(engine.grad(lambda y: weighted(1.0, y, power=3)))(5.0) == 2 * 6 * 5.0
    assert weighted([x, y], power=1).item() == weighted(x, y, power=1).item() == 8.0


def test_inputs_declared_without_a_derivative_get_none():
    @engine.primitive(x=lambda xp, g, out, x, weight: g * weight, weight=None)
    def observed(xp, x, weight):
        return x * weight

    x, weight = Value(2.0), Value(3.0)
    observed(x, weight).backward()
    assert (x.grad, weight.grad) == (3.0, None)
    assert not observed(2.0, weight).requires_grad


def test_numpy_scalars_and_integers_from_a_forward_become_what_a_node_holds():
    @engine.primitive(x=lambda xp, g, out, x: g * np.cos(x))
    def plain_sine(xp, x):
        return np.sin(x)

    y = plain_sine(Value(1.0))
    assert type(y.data) is float and y.requires_grad
    assert type(plain_sine(Tensor(1.0)).data) is np.ndarray

    @engine.primitive(x=lambda xp, g, out, x: g)
    def rounded(xp, x):
        return round(x)

    assert type(rounded(Value(1.6)).data) is float


@pytest.mark.parametrize("result", ["text", None, [1.0], 1j, ...], ids=repr)
def test_results_that_a_node_cannot_hold_are_refused(result):
    @engine.primitive(x=lambda xp, g, out, x: g)
    def wrong(xp, x):
        return result

    for x in (Value(1.0), Tensor([1.0])):
        with explained(PrimitiveError, "'wrong'", type(result).__name__):
            wrong(x)


def test_rules_that_return_nothing_or_a_wrong_shape_are_refused():
    def rule_of(gradient):
        @engine.primitive(x=lambda xp, g, out, x: gradient)
        def wrong(xp, x):
            return x * 2

        x = Tensor([1.0, 2.0])
        engine.gradients(wrong(x).sum(), [x])

    with explained(PrimitiveError, "(5,)", "(2,)"):
        rule_of(np.ones(5))
    with explained(PrimitiveError, "None", "(2,)"):
        rule_of(None)


def test_errors_inside_a_user_s_forward_keep_their_class_and_cause():
    @engine.primitive(x=lambda xp, g, out, x: g)
    def fails(xp, x):
        raise KeyError("mine")

    for x in (Value(1.0), Tensor([1.0]), 1.0):
        with pytest.raises(KeyError, match="mine"):
            fails(x)


# Raw calls


RAW = {
    "exp": ([0.0], np.exp),
    "log1p": ([0.5], np.log1p),
    "tanh": ([0.5], np.tanh),
    "absolute": ([-2.0], np.abs),
    "sign": ([-2.0], np.sign),
    "add": ([1.0, 2.0], np.add),
    "power": ([2.0, 3.0], np.power),
    "maximum": ([1.0, 2.0], np.maximum),
    "where": ([True, 1.0, 2.0], np.where),
    "clip": ([5.0, 0.0, 1.0], np.clip),
    "greater": ([1.0, 2.0], np.greater),
    "sum": ([[1.0, 2.0]], np.sum),
    "mean": ([[1.0, 2.0]], np.mean),
    "max": ([[1.0, 2.0]], np.max),
    "var": ([[1.0, 2.0]], np.var),
    "argmax": ([[1.0, 2.0]], np.argmax),
    "norm": ([[3.0, 4.0]], np.linalg.norm),
    "stack": ([[1.0, 2.0]], np.stack),
    "concatenate": ([[[1.0], [2.0]]], np.concatenate),
    "reshape": ([[1.0, 2.0], (2, 1)], np.reshape),
    "transpose": ([[[1.0, 2.0]]], np.transpose),
    "broadcast_to": ([[1.0, 2.0], (2, 2)], np.broadcast_to),
    "expand_dims": ([[1.0, 2.0], 0], np.expand_dims),
    "squeeze": ([[[1.0, 2.0]]], np.squeeze),
    "matmul": ([[1.0, 2.0], [3.0, 4.0]], np.matmul),
    "dot": ([[1.0, 2.0], [3.0, 4.0]], np.dot),
    "astype": ([[1.0, 2.0], "float32"], lambda x, dtype: np.asarray(x, dtype)),
    "sigmoid": ([[0.0, 1.0]], lambda x: 1 / (1 + np.exp(-np.asarray(x)))),
    "relu": ([[-1.0, 1.0]], lambda x: np.maximum(x, 0)),
    "leaky_relu": ([[-1.0, 1.0]], lambda x: np.asarray([-0.01, 1.0])),
    "softplus": ([[0.0, 0.0]], lambda x: np.log([2.0, 2.0])),
    "softmax": ([[0.0, 0.0]], lambda x: np.array([0.5, 0.5])),
    "logsumexp": ([[0.0, 0.0]], lambda x: np.log(2.0)),
}


@pytest.mark.parametrize("name", RAW)
def test_a_call_without_nodes_gives_raw_results_like_numpy(name):
    inputs, reference = RAW[name]
    for given_inputs in (inputs, [np.asarray(x) if isinstance(x, list) else x for x in inputs]):
        result, expected = getattr(engine, name)(*given_inputs), reference(*inputs)
        assert not isinstance(result, graph.Node)
        np.testing.assert_allclose(result, expected, rtol=1e-15)
        assert np.shape(result) == np.shape(expected)


def test_a_raw_number_gives_a_plain_number():
    assert type(engine.exp(1.0)) is float
    assert type(engine.sigmoid(0)) is float
    assert type(engine.add(1, 2)) is int
    assert engine.greater(1, 2) is False
    assert [part.tolist() for part in engine.split(np.arange(4), 2)] == [[0, 1], [2, 3]]


# Settings


def test_settings_may_be_given_by_position_as_numpy_s_users_do():
    t = Tensor([[1.0, 2.0], [3.0, 4.0]])
    assert engine.sum(t, 0).tolist() == engine.sum(t, axis=0).tolist() == [4.0, 6.0]
    assert engine.max(t, 1, True).shape == (2, 1)
    assert engine.reshape(t, (4,)).shape == (4,)
    assert engine.transpose(t, (1, 0)).tolist() == t.data.T.tolist()
    assert engine.stack([t, t], -1).shape == engine.stack((t, t), axis=-1).shape == (2, 2, 2)
    assert engine.stack(t, t, axis=1).shape == (2, 2, 2)
    assert engine.concatenate((t, t), 1).shape == (2, 4)
    assert [part.shape for part in engine.split(t, 2, 1)] == [(2, 1), (2, 1)]
    assert engine.softmax(t, 0).tolist() == engine.softmax(t, axis=0).tolist()
    assert engine.leaky_relu(-t, 0.5).tolist() == (-0.5 * t).tolist()


def test_inputs_may_be_given_by_name():
    t = Tensor([1.0, 2.0])
    assert engine.sum(x=t).item() == 3.0
    assert engine.where(condition=True, x=t, y=0.0).tolist() == [1.0, 2.0]
    assert engine.subtract(x=t, y=1.0).tolist() == [0.0, 1.0]
    assert engine.exp(x=t).tolist() == np.exp([1.0, 2.0]).tolist()


def test_equal_calls_record_equal_settings_however_they_were_written():
    t = Tensor([[1.0]])
    assert engine.sum(t, 0).params == engine.sum(t, axis=0).params == {"axis": 0, "keepdims": False}
    assert engine.sum(t).params == {"axis": None, "keepdims": False}


@pytest.mark.parametrize(
    ("call", "mentions"),
    [
        (lambda t: engine.sum(t, axes=0), ["'sum'", "'axes'", "axis=None"]),
        (lambda t: engine.sum(t, 0, axis=0), ["'sum'", "'axis'"]),
        (lambda t: engine.sum(t, 0, True, 3), ["'sum'", "4"]),
        (lambda t: engine.sum(), ["'sum'", "'x'"]),
        (lambda t: engine.where(True, t), ["'where'", "'y'", "condition"]),
        (lambda t: engine.reshape(t), ["'reshape'", "'shape'"]),
        (lambda t: engine.stack([t], dim=0), ["'stack'", "'dim'"]),
        (lambda t: engine.concatenate([t, t], 0, 1), ["'concatenate'"]),
        (lambda t: affine(t, 2.0, offset=1.0), ["'affine'", "'offset'", "shift"]),
    ],
)
def test_unknown_missing_and_doubled_arguments_are_errors_that_show_the_signature(call, mentions):
    with explained(UnsupportedError, *mentions):
        call(Tensor([1.0]))
    with explained(UnsupportedError, *mentions):
        call([1.0])


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "var", "norm", "logsumexp", "argmax", "softmax"])
def test_nodes_are_no_settings(name):
    """Python's sum(x, y) and max(x, y) are an easy mistake."""
    f = getattr(engine, name)
    for x, y in ((Value(1.0), Value(2.0)), (Tensor([1.0, 2.0]), Tensor([1.0, 2.0])), (Tensor([1.0]), Value(0.0))):
        with explained(UnsupportedError, name, "axis"):
            f(x, y)
    with explained(UnsupportedError, name, "axis"):
        f(Tensor([1.0]), axis=Tensor(np.array(0)))


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "var", "norm", "logsumexp", "argmax", "softmax"])
@pytest.mark.parametrize("x", [1.0, Value(1.0), Tensor(1.0), Tensor([1.0])], ids=repr)
def test_an_axis_that_is_not_there_is_refused(name, x):
    with explained(ShapeError, name, np.shape(getattr(x, "data", x)), "axis=5"):
        getattr(engine, name)(x, axis=5)


@pytest.mark.parametrize(
    ("kind", "call", "mentions"),
    [
        (ShapeError, lambda: Tensor([1.0, 2.0]) + Tensor([1.0, 2.0, 3.0]), ["add", "(2,)", "(3,)"]),
        (ShapeError, lambda: Tensor([[1.0]]) @ Tensor([1.0, 2.0]), ["matmul", "(1, 1)", "(2,)"]),
        (ShapeError, lambda: Tensor([1.0]) @ Value(2.0), ["matmul", "(1,)", "()"]),
        (ShapeError, lambda: Value(1.0) @ Value(2.0), ["matmul", "()"]),
        (ShapeError, lambda: engine.where([True, False], Tensor(np.ones(3)), 0.0), ["where", "(2,)", "(3,)"]),
        (ShapeError, lambda: engine.reshape(Tensor([1.0, 2.0]), (3,)), ["reshape", "(2,)", "shape=(3,)"]),
        (ShapeError, lambda: engine.sum(Tensor([1.0]), axis=3), ["sum", "(1,)", "axis=3"]),
        (ShapeError, lambda: engine.concatenate([Tensor([1.0]), Tensor([[1.0]])]), ["concatenate", "(1, 1)"]),
        (ShapeError, lambda: engine.stack([Tensor([1.0]), Value(1.0)]), ["stack", "(1,)", "()"]),
        (ShapeError, lambda: engine.split(Tensor(np.ones(3)), 2), ["split", "(3,)"]),
        (ShapeError, lambda: engine.broadcast_to(Tensor(np.ones(3)), (2,)), ["broadcast_to", "(3,)", "(2,)"]),
        (ShapeError, lambda: engine.squeeze(Tensor(np.ones(3)), 0), ["squeeze", "(3,)", "axis=0"]),
        (ShapeError, lambda: engine.linear(np.ones((2, 3)), Tensor(np.ones((4, 2))), 0.0), ["(2, 3)", "(4, 2)"]),
        (DomainError, lambda: Tensor(np.array([1, 2])) ** -1, ["power", "(2,)"]),
        (DomainError, lambda: Value(2.0) * 10**400, ["multiply"]),
    ],
)
def test_inputs_that_do_not_fit_name_the_row_and_every_shape(kind, call, mentions):
    with explained(kind, *mentions):
        call()


# Mixtures, and the kind and dtype of results


FLOAT32 = np.dtype(np.float32)
KINDS = {
    "float": lambda x: x,
    "int": lambda x: int(x),
    "Value": Value,
    "float64 scalar": np.float64,
    "float32 scalar": np.float32,
    "0-d Tensor": Tensor,
    "Tensor": lambda x: Tensor([x, x]),
    "float32 Tensor": lambda x: Tensor([x, x], dtype=np.float32),
    "int Tensor": lambda x: Tensor(np.array([x, x], dtype=np.int32)),
    "array": lambda x: np.array([x, x]),
    "float32 array": lambda x: np.array([x, x], FLOAT32),
    "list": lambda x: [x, x],
}


def as_numpy(x):
    """What NumPy would be given: the data of nodes, with plain floats for Values."""
    data = x.data if isinstance(x, graph.Node) else x
    return np.asarray(data) if isinstance(data, list) else data


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("name", ["add", "multiply", "maximum", "power", "divide", "greater"])
def test_mixtures_give_the_kind_shape_dtype_and_entries_that_numpy_gives(name, first, second):
    x, y = KINDS[first](2.0), KINDS[second](3.0)
    nodes = [z for z in (x, y) if isinstance(z, graph.Node)]
    result = getattr(engine, name)(x, y)
    expected = getattr(np, name)(as_numpy(x), as_numpy(y))
    arrays = [z for z in (x, y) if isinstance(z, Tensor | np.ndarray | list)]
    kind = (Tensor if arrays else Value) if nodes else None
    assert (type(result) is kind) if nodes else not isinstance(result, graph.Node)
    # A Value computes with Python's floats, also beside a float32 scalar.
    np.testing.assert_allclose(as_numpy(result), expected, rtol=1e-15 if arrays else 1e-6)
    assert np.shape(as_numpy(result)) == expected.shape
    if arrays:
        assert as_numpy(result).dtype == expected.dtype
    if nodes:
        assert result.requires_grad == (name != "greater" and any(z.requires_grad for z in nodes))
        assert len(result.inputs) == 2


TRAINABLE = ["Value", "0-d Tensor", "Tensor", "float32 Tensor"]


@pytest.mark.parametrize(
    ("first", "second"), [(x, y) for x in KINDS for y in KINDS if x in TRAINABLE or y in TRAINABLE]
)
def test_gradients_of_mixtures_have_the_kind_shape_and_dtype_of_their_leaves(first, second):
    x, y = KINDS[first](2.0), KINDS[second](3.0)
    leaves = [z for z in (x, y) if isinstance(z, graph.Node) and z.requires_grad]
    engine.sum(engine.divide(x, y) * engine.add(x, y)).backward()
    for leaf in leaves:
        assert type(leaf.grad) is (float if isinstance(leaf, Value) else np.ndarray)
        assert np.shape(leaf.grad) == leaf.shape and np.result_type(leaf.grad) == leaf.dtype
        count = max(np.size(as_numpy(x)), np.size(as_numpy(y))) / leaf.size
        value = (2 * 2 + 3) / 3 if leaf is x else -((2 / 3) ** 2)
        np.testing.assert_allclose(leaf.grad, value * count, rtol=1e-6)


@given(
    st.sampled_from(["float16", "float32", "float64", "longdouble"]),
    st.sampled_from([2, 2.5, True, Value(2.5), Value(2.5, requires_grad=False)]),
    st.sampled_from([engine.add, engine.subtract, engine.multiply, engine.divide, engine.power, engine.minimum]),
    st.booleans(),
)
def test_python_numbers_and_values_are_weak(dtype, number, f, swapped):
    t = Tensor(np.ones(3, dtype))
    y = f(number, t) if swapped else f(t, number)
    assert y.dtype == dtype
    y.sum().backward()
    assert t.grad.dtype == dtype


def test_typed_numbers_promote_as_in_numpy():
    t = Tensor(np.ones(3, np.float32))
    assert (t * np.float64(2)).dtype == (np.float64(2) * t).dtype == np.float64
    assert (t * Tensor(2.0)).dtype == np.float64
    assert (t * np.float32(2)).dtype == np.float32
    assert (t * np.arange(3)).dtype == (np.ones(3, np.float32) * np.arange(3)).dtype


def test_integers_stay_integers_and_never_require_grad_until_they_meet_a_float():
    n = Tensor(np.array([1, 2]))
    assert (n + 1).dtype == (n * n).dtype == np.int64
    assert not (n + 1).requires_grad
    assert (n / 2).tolist() == [0.5, 1.0] and not (n / 2).requires_grad
    y = n * Value(0.5)
    assert y.dtype == np.float64 and y.requires_grad
    assert (Tensor([True, False]) + 1).tolist() == [2, 1]


@pytest.mark.parametrize("x", [-2.0, 0.0, 0.5, 2.0, math.nan, math.inf])
def test_the_kind_of_a_result_does_not_depend_on_the_data(x):
    node = Value(x)
    results = [
        engine.maximum(node, 0),
        engine.maximum(0, node),
        engine.minimum(node, 1),
        engine.where(node > 0, node, 0),
        engine.where(node > 0, 1, node),
        engine.clip(node, 0, 1),
        engine.relu(node),
        engine.sign(node),
        engine.absolute(node),
        node**0,
        node**2,
        node * 0,
    ]
    for result in results:
        assert type(result.data) is float and result.requires_grad
        result.backward()
        assert type(node.grad) is float


def test_comparisons_are_recorded_as_booleans_without_a_gradient():
    x = Value(2.0)
    y = engine.greater(x, 1.0)
    assert y.data is True and not y.requires_grad and y.inputs[0] is x
    t = engine.less_equal(Tensor([1.0, 2.0]), [1.0, 1.0])
    assert t.dtype == np.bool_ and t.tolist() == [True, False]
    assert engine.argmax(Tensor([1.0, 3.0])).item() == 1


def test_values_are_joined_to_a_tensor_with_numbers_among_them():
    x, y = Value(1.0), Value(2.0)
    t = engine.stack([x, 5.0, y, np.float32(3.0)])
    assert type(t) is Tensor and t.tolist() == [1.0, 5.0, 2.0, 3.0]
    (t * np.array([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert (x.grad, y.grad) == (1.0, 3.0)


@pytest.mark.parametrize(
    ("x", "mention"),
    [("text", "'text'"), (None, "None"), (1j, "1j"), (object(), "object"), ({1.0}, "set"), ({}, "dict")],
)
@pytest.mark.parametrize("node", [Value(1.0), Tensor([1.0])])
def test_inputs_that_are_no_numbers_are_refused(node, x, mention):
    for call in (lambda: node + x, lambda: x * node, lambda: engine.where(True, x, node)):
        with explained(DataError, mention):
            call()


@pytest.mark.parametrize(
    ("array", "mention"),
    [(np.array([1j]), "complex"), (np.array(["a"]), "U1"), (np.array([None]), "object"), ([1.0, "a"], "U")],
)
def test_arrays_that_hold_no_real_numbers_are_refused(array, mention):
    for node in (Value(1.0), Tensor([1.0])):
        with explained(DataError, mention):
            node + array
        with explained(DataError, mention):
            engine.multiply(array, node)


def test_nodes_in_a_list_that_is_no_join_are_refused():
    with explained(DataError, "engine.stack"):
        engine.add(Tensor([1.0, 2.0]), [Value(1.0), Value(2.0)])


def test_ragged_lists_are_refused():
    with explained(ShapeError, "rows"):
        engine.add(Tensor([1.0]), [[1.0], [1.0, 2.0]])


# Silence


@pytest.mark.parametrize("make", [float, np.array, Value, Tensor])
def test_the_engine_answers_as_numpy_does_at_the_edges_without_a_warning(make):
    with np.errstate(all="raise"):
        results = [
            engine.log(make(0.0)),
            engine.log(make(-1.0)),
            engine.sqrt(make(-1.0)),
            engine.divide(make(1.0), 0.0),
            engine.divide(make(0.0), 0.0),
            engine.exp(make(1e4)),
            engine.power(make(0.0), -1.0),
            engine.power(make(-8.0), 1 / 3),
            engine.multiply(make(1e300), 1e300),
            engine.sigmoid(make(-1e4)),
        ]
    expected = [-np.inf, np.nan, np.nan, np.inf, np.nan, np.inf, np.inf, np.nan, np.inf, 0.0]
    np.testing.assert_array_equal([as_numpy(result) for result in results], expected)


def test_a_sweep_is_silent_too():
    x = Tensor([0.0, 1.0, np.inf])
    with np.errstate(all="raise"):
        (engine.log(x) / x).sum().backward()
    assert not np.isfinite(x.grad[0])


# Random rows


def test_draws_are_numpy_s_and_are_recorded_as_rows_without_inputs():
    ours, theirs = engine.random.default_rng(7), np.random.default_rng(7)
    for draw in (
        lambda rng: rng.standard_normal((2, 3)),
        lambda rng: rng.normal(1.0, 2.0, size=4),
        lambda rng: rng.random(3),
        lambda rng: rng.uniform(-1.0, 2.0, size=(2, 2)),
        lambda rng: rng.integers(0, 10, size=5),
        lambda rng: rng.permutation(6),
    ):
        mine, expected = draw(ours), draw(theirs)
        np.testing.assert_array_equal(mine.data, expected)
        assert not mine.requires_grad
    noise = ours.standard_normal(2)
    assert noise.op.name == "standard_normal" and noise.inputs == () and noise.op.kind == "random"


def test_a_draw_without_a_size_is_a_value():
    rng = engine.random.default_rng(0)
    assert type(rng.normal()) is type(rng.uniform(Value(1.0), 2.0)) is Value
    assert rng.normal().data == np.random.default_rng(0).normal(size=3)[2]


def test_gradients_flow_to_the_settings_of_a_distribution():
    loc, scale = Value(1.0), Tensor([2.0, 3.0])
    draws = engine.random.default_rng(3).normal(loc, scale, size=2)
    draws.sum().backward()
    assert loc.grad == 2.0
    np.testing.assert_array_equal(scale.grad, np.random.default_rng(3).normal(size=2))
    low, high = Value(0.0), Value(4.0)
    draw = engine.random.default_rng(3).uniform(low, high)
    draw.backward()
    assert low.grad == pytest.approx(1 - high.grad) and 0 < high.grad < 1


def test_draws_with_a_size_that_cannot_be_are_refused():
    with explained(ShapeError, "standard_normal", "size=-1"):
        engine.random.default_rng(0).normal(size=-1)


# Recording states that later readers use: watching, and capturing.


def within(state):
    """Run a block in the present recording state with changes."""
    token = graph._state.set(graph.recording().replace(**state))
    return lambda: graph._state.reset(token)


@pytest.fixture
def capturing():
    leave = within({"capturing": True})
    yield
    leave()


def test_every_new_node_is_shown_to_a_watcher():
    x, t, seen = Value(2.0), Tensor([1.0, 2.0]), []
    leave = within({"watch": SimpleNamespace(forward=seen.append)})
    try:
        results = [x * x, engine.exp(x), t + x, engine.sum(t), engine.where(x > 1, x, 0), *engine.split(t, 2)]
    finally:
        leave()
    x * 3
    assert {node.op.name for node in seen} >= {"multiply", "exp", "add", "sum", "where", "pick"}
    assert all(any(result is node for node in seen) for result in results)
    assert len(seen) == len(results) + any(node.op.name == "split" for node in seen)


READINGS = {
    "data": lambda x: x.data,
    "item": lambda x: x.item(),
    "tolist": lambda x: x.tolist(),
    "float": lambda x: float(x),
    "int": lambda x: int(x),
    "bool": lambda x: bool(x),
    "if": lambda x: 1 if engine.greater(x, 0.0) else 0,
    "if >": lambda x: 1 if x > 0.0 else 0,
    "if ==": lambda x: 1 if x == 0.0 else 0,
    "numpy": lambda x: x.detach().numpy(),
    "numpy.asarray": lambda x: np.asarray(engine.detach(x)),
    "format": lambda x: f"{x:}",
    "index": lambda x: [1, 2][engine.argmax(x)],
    "max": lambda x: max([x, x * 2]),
}


@pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS)
@pytest.mark.parametrize("x", [Value(2.0), Tensor([2.0])], ids=["Value", "Tensor"])
@pytest.mark.usefixtures("capturing")
def test_reading_numbers_while_capturing_raises_with_the_cure(reading, x):
    with explained(GraphError, "captured", "engine.where"):
        reading(x)


@pytest.mark.usefixtures("capturing")
def test_computing_differentiating_and_asking_for_shapes_go_on_while_capturing():
    x, t = Value(2.0), Tensor([[1.0, -2.0]])
    loss = engine.sum(engine.relu(t * x) ** 2) + engine.where(engine.greater(x, 0.0), x, 0.0)
    (dx, dt) = engine.gradients(loss, [x, t], create_graph=True)
    assert (t.shape, t.ndim, t.size, t.dtype, len(t), loss.shape) == ((1, 2), 2, 2, np.float64, 1, ())
    assert "Tensor" in repr(dt) and "Value" in repr(x)
    assert engine.evaluate([dx, dt])[0] == 5.0


@pytest.mark.usefixtures("capturing")
def test_comparing_operators_record_while_capturing():
    x, t = Value(2.0), Tensor([1.0, 3.0])
    y = engine.where(x > 1.0, x, 0.0) + engine.where(t <= 2.0, t, 0.0).sum()
    assert engine.evaluate(y, {x: 0.5, t: np.array([1.0, 1.0])}) == 2.0


def test_index_errors_speak_of_indices():
    with explained(IndexingError, "getitem", "(2,)", "5"):
        Tensor([1.0, 2.0])[5]


def test_rows_work_entry_by_entry_or_do_not():
    entrywise = {row.name for row in ROWS.values() if row.entrywise}
    assert {"add", "where", "maximum", "relu", "identity", "leaky_relu", "astype"} <= entrywise
    assert entrywise.isdisjoint(["max", "min", "getitem", "set_at", "softmax", "matmul", "sum", "reshape", "linear"])
    for row in [ROWS[name] for name in entrywise - {"pick", "hook"}]:
        for layout in layouts(row):
            data = fill(row, layout, np.random.default_rng(0))
            out = compute(row, np, data, layout.params or None)
            assert np.shape(out) == np.broadcast_shapes(*map(np.shape, data))
