"""Operators, NumPy's protocols and the methods that ndarray has: each is a row under another name."""

import math
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import explained

import engine
from engine import Tensor, Value, graph, operators
from engine.errors import DataError, GraphError, ShapeError, UnsupportedError

BINARY = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
IN_PLACE = {
    "+": operator.iadd,
    "-": operator.isub,
    "*": operator.imul,
    "/": operator.itruediv,
    "**": operator.ipow,
}
ROWS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "**": "power"}
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]

numbers = st.floats(0.25, 4.0)


def raw(x):
    return x.data if isinstance(x, graph.Node) else x


def check(result, expected, row=None, rtol=1e-15):
    """A recorded result with these entries."""
    assert isinstance(result, Value | Tensor)
    assert row is None or result.op.name == row
    np.testing.assert_allclose(result.data, expected, rtol=rtol)
    assert result.shape == np.shape(expected)


# Operators


@pytest.mark.parametrize("symbol", BINARY)
@given(x=numbers, y=numbers)
def test_a_binary_operator_between_two_values_is_python_s(symbol, x, y):
    f = BINARY[symbol]
    check(f(Value(x), Value(y)), f(x, y), ROWS[symbol])


OTHERS = {
    "int": 3,
    "float": 1.5,
    "bool": True,
    "float64": np.float64(1.5),
    "float32": np.float32(1.5),
    "int64": np.int64(3),
    "array": np.array([1.5, 3.0]),
    "0-d array": np.array(1.5),
    "column": np.array([[1.5], [3.0]]),
    "list": [1.5, 3.0],
    "tuple": (1.5, 3.0),
    "Value": Value(1.5),
    "Tensor": Tensor([1.5, 3.0]),
}


@pytest.mark.parametrize("symbol", BINARY)
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("node", [Value(2.0), Tensor([2.0, 0.5])], ids=["Value", "Tensor"])
def test_an_operator_takes_anything_numeric_on_either_side_and_keeps_the_order(symbol, other, node):
    f = BINARY[symbol]
    x, y = node.data, np.asarray(raw(other)) if isinstance(other, list | tuple) else raw(other)
    check(f(node, other), f(x, y), ROWS[symbol], 1e-7)
    check(f(other, node), f(y, x), ROWS[symbol], 1e-7)


@pytest.mark.parametrize("symbol", BINARY)
@pytest.mark.parametrize("other", [1.5, np.array([1.5, 3.0]), [1.5, 3.0], Value(1.5), Tensor([1.5, 3.0])])
def test_reflected_operators_send_gradients_to_the_right_side(symbol, other):
    f = BINARY[symbol]
    x = Tensor([2.0, 0.5])
    y = raw(other) if not isinstance(other, list) else np.asarray(other)
    by_left = {"+": 1, "-": 1, "*": y, "/": 1 / np.asarray(y), "**": y * x.data ** (np.asarray(y) - 1)}[symbol]
    by_right = {"+": 1, "-": -1, "*": y, "/": -y / x.data**2, "**": np.asarray(y) ** x.data * np.log(y)}[symbol]
    for output, expected in ((f(x, other), by_left), (f(other, x), by_right)):
        (g,) = engine.gradients(output.sum(), [x])
        np.testing.assert_allclose(g, np.broadcast_to(expected, 2), rtol=1e-14)


@pytest.mark.parametrize("symbol", BINARY)
def test_in_place_forms_while_recording_are_the_binary_ones(symbol):
    for start in (Value(3.0), Tensor([3.0, 2.0])):
        x = IN_PLACE[symbol](start, 2.0)
        assert x is not start and x.inputs[0] is start
        check(x, BINARY[symbol](start.data, 2.0), ROWS[symbol])


def test_a_plain_number_or_list_may_be_added_to_in_place():
    total = 0
    x = Value(2.0)
    for _ in range(3):
        total += x
    total.backward()
    assert (total.item(), x.grad) == (6.0, 3.0)


def test_an_array_is_never_written_into_by_a_node():
    a = np.ones(2)
    with explained(UnsupportedError, "numpy.add", "out="):
        a += Tensor([1.0, 2.0])
    assert a.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("make", [Value, Tensor])
def test_signs_and_absolute_values_are_recorded(make):
    x = make(-2.0)
    check(-x, 2.0, "negative")
    check(abs(x), 2.0, "absolute")
    assert +x is x


@pytest.mark.parametrize("other", [np.array([[1.0, 2.0], [3.0, 4.0]]), [[1.0, 2.0], [3.0, 4.0]]])
def test_the_matrix_product_takes_arrays_and_lists_on_either_side(other):
    x = Tensor([[0.5, 1.0], [2.0, 3.0]])
    a = np.asarray(other)
    check(x @ other, x.data @ a, "matmul")
    check(other @ x, a @ x.data, "matmul")
    check(x @ x, x.data @ x.data, "matmul")
    check(x @ [1.0, 2.0], x.data @ [1.0, 2.0], "matmul")
    check([1.0, 2.0] @ x, [1.0, 2.0] @ x.data, "matmul")
    (other @ x).sum().backward()
    np.testing.assert_array_equal(x.grad, a.T @ np.ones((2, 2)))


def test_powers_take_numbers_values_and_tensors_on_both_sides():
    x, t = Value(2.0), Tensor([1.0, 3.0])
    check(x**3, 8.0)
    check(2**x, 4.0)
    check(x**x, 4.0)
    check(t**x, [1.0, 9.0])
    check(x**t, [2.0, 8.0])
    check([2.0, 2.0] ** t, [2.0, 8.0])
    check(pow(x, 2), 4.0)
    (x**x).backward()
    assert x.grad == pytest.approx(4 * (math.log(2) + 1))


def test_python_s_sum_of_nodes_is_recorded():
    xs = [Value(float(i)) for i in range(4)]
    sum(x * x for x in xs).backward()
    assert [x.grad for x in xs] == [0.0, 2.0, 4.0, 6.0]
    check(sum(Tensor([[1.0, 2.0], [3.0, 4.0]])), [4.0, 6.0])


def test_operators_that_are_not_there_say_so_in_python_s_words():
    for f in (operator.mod, operator.floordiv, operator.and_, operator.lshift):
        with pytest.raises(TypeError, match="unsupported operand"):
            f(Value(2.0), 2)
    with pytest.raises(TypeError):
        Value(1.0)[0]


# Comparisons


@pytest.mark.parametrize("f", COMPARISONS)
@given(x=st.sampled_from([-1.0, 0.0, 1.0, math.nan]), y=st.sampled_from([-1, 0.0, 1.0, math.nan]))
def test_comparing_values_gives_plain_booleans(f, x, y):
    for first, second in ((Value(x), y), (y, Value(x)), (Value(x), Value(y))):
        expected = f(raw(first), raw(second))
        assert f(first, second) is expected


@pytest.mark.parametrize("f", COMPARISONS)
def test_comparing_tensors_gives_plain_arrays_of_booleans(f):
    t = Tensor([1.0, 2.0, np.nan])
    for other in (2.0, np.array([2.0, 2.0, 2.0]), Value(2.0), Tensor([1.0, 3.0, 2.0])):
        result = f(t, other)
        assert type(result) is np.ndarray and result.dtype == np.bool_
        np.testing.assert_array_equal(result, f(t.data, raw(other)))


def test_comparing_with_something_else_is_false_and_ordering_an_error():
    for x in (Value(1.0), Tensor(1.0)):
        for other in ("text", None):
            assert (bool(x == other), bool(x != other)) == (False, True)
    with pytest.raises(TypeError):
        Value(1.0) < "text"  # noqa: B015


def test_values_sort_and_have_a_largest_one():
    values = [Value(3.0), Value(1.0), Value(2.0)]
    assert [v.item() for v in sorted(values)] == [1.0, 2.0, 3.0]
    assert max(values) is values[0]
    assert values.index(Value(2.0)) == 2


def test_a_boolean_array_from_a_comparison_indexes_and_selects():
    t = Tensor([1.0, -2.0, 3.0])
    assert t[t > 0].tolist() == [1.0, 3.0]
    (t * (t > 0)).sum().backward()
    assert t.grad.tolist() == [1.0, 0.0, 1.0]


# Numbers out of nodes


@pytest.mark.parametrize("make", [Value, Tensor, lambda x: Tensor([x]), lambda x: Tensor([[x]], dtype=np.float32)])
def test_a_single_entry_becomes_a_python_number(make):
    x = make(2.5)
    assert (x.item(), float(x), int(x), bool(x), bool(make(0.0))) == (2.5, 2.5, 2, True, False)
    assert [type(f(x)) for f in (float, int, bool)] == [float, int, bool] and type(x.item()) is float
    assert math.sqrt(make(4.0)) == 2.0


def test_several_entries_do_not():
    t = Tensor([1.0, 2.0])
    for f in (Tensor.item, float, int):
        with explained(ShapeError, "(2,)", "2 entries"):
            f(t)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(t)


def test_only_integers_count_and_index():
    letters = ["a", "b", "c"]
    assert letters[Tensor([1.0, 3.0, 2.0]).argmax()] == "b"
    assert letters[engine.argmin([3.0, Value(1.0).item(), 2.0])] == "b"
    assert list(range(Tensor(np.array(2)))) == [0, 1]
    with pytest.raises(TypeError):
        letters[Value(1.0)]


def test_formats_are_the_number_s_or_the_array_s():
    x = Value(2.5, label="x")
    assert f"{x:.3f} {x:8.1f}|{x}" == "2.500      2.5|2.5"
    assert f"{Tensor(0.123456):.2%}" == "12.35%"
    assert f"{Tensor([1.0, 2.0])}" == "[1. 2.]"
    assert f"{engine.greater(x, 1.0)}" == "True"
    assert "%.2f" % x == "2.50"  # noqa: UP031


def test_shapes_sizes_and_dtypes_are_the_array_s():
    t = Tensor([[1.0, 2.0, 3.0]], dtype=np.float32)
    assert (t.shape, t.ndim, t.size, t.dtype, len(t)) == ((1, 3), 2, 3, np.float32, 1)
    v = Value(1.0)
    assert (v.shape, v.ndim, v.size, v.dtype) == ((), 0, 1, np.float64)
    assert engine.greater(v, 0.0).dtype == np.bool_
    assert (np.shape(t), np.ndim(t), np.size(t)) == ((1, 3), 2, 3)
    assert (np.shape(v), np.ndim(v), np.size(v)) == ((), 0, 1)


def test_tolist_gives_plain_numbers():
    assert Tensor([[1.0], [2.0]]).tolist() == [[1.0], [2.0]]
    assert type(Tensor([1.0], dtype=np.float32).tolist()[0]) is float
    assert Value(2.0).tolist() == 2.0


# Out to NumPy


@pytest.mark.parametrize("x", [Value(1.0), Tensor([1.0, 2.0]), Tensor([1.0]) * 2], ids=str)
def test_turning_into_an_array_what_requires_grad_raises_with_the_cure(x):
    for convert in (np.asarray, np.array, lambda x: x.numpy(), lambda x: np.full(2, x), lambda x: np.asarray([x])):
        with explained(GraphError, x.shape or "Value", ".detach().numpy()"):
            convert(x)


def test_a_detached_node_becomes_an_array_of_its_own():
    t = Tensor([1.0, 2.0])
    a = t.detach().numpy()
    a[0] = 9.0
    assert t.tolist() == [1.0, 2.0] and type(a) is np.ndarray
    d = t.detach()
    assert np.asarray(d).tolist() == [1.0, 2.0]
    assert np.asarray(d, dtype=np.float32).dtype == np.float32
    assert np.array(d).tolist() == [1.0, 2.0]
    assert d.numpy() is not d.data
    v = Value(2.0).detach()
    assert v.numpy().shape == () and np.asarray(v) == 2.0
    np.testing.assert_allclose(d, [1.0, 2.0])


def test_integers_and_booleans_become_arrays_without_more_ado():
    assert np.asarray(Tensor(np.array([1, 2]))).tolist() == [1, 2]
    assert np.asarray(engine.greater(Tensor([1.0, -1.0]), 0.0)).tolist() == [True, False]


# NumPy's protocols

UNARY = [
    "exp", "log", "log1p", "expm1", "sqrt", "sin", "cos", "tan", "tanh", "abs", "absolute", "sign", "negative",
    "square", "reciprocal", "isnan", "isfinite", "logical_not",
]  # fmt: skip
TWO = [
    "add", "subtract", "multiply", "divide", "true_divide", "power", "maximum", "minimum", "greater",
    "greater_equal", "less", "less_equal", "equal", "not_equal", "logical_and", "logical_or",
]  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("x", [Value(0.5), Tensor([0.5, 2.0])], ids=["Value", "Tensor"])
def test_numpy_s_functions_of_one_node_are_recorded(name, x):
    f = getattr(np, name)
    result = f(x)
    check(result, f(x.data), rtol=1e-15)
    if x.ndim == 0 and name not in ("isnan", "isfinite", "logical_not"):
        assert type(result) is Value


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("other", [2.0, np.float64(2.0), np.array([2.0, 0.5]), [2.0, 0.5], Value(2.0)], ids=str)
def test_numpy_s_functions_of_two_are_recorded_whichever_is_the_node(name, other):
    f, t = getattr(np, name), Tensor([0.5, 2.0])
    for x, y in ((t, other), (other, t)):
        check(f(x, y), f(raw(x), raw(y)))
        assert any(node is t for node in f(x, y).inputs)


MATRIX = np.array([[0.5, 2.0, -1.0], [3.0, -0.25, 1.5]])
FUNCTIONS = {
    "sum": lambda x: np.sum(x, axis=0),
    "sum by position": lambda x: np.sum(x, 1),
    "sum by position and name": lambda x: np.sum(x, 1, keepdims=True),
    "sum of all": lambda x: np.sum(x),
    "sum, out=None": lambda x: np.sum(x, axis=1, out=None),
    "mean": lambda x: np.mean(x, axis=(0, 1), keepdims=True),
    "max": lambda x: np.max(x, axis=-1),
    "min": lambda x: np.min(x, 0),
    "amax": lambda x: np.amax(x, axis=1, keepdims=True),
    "amin": lambda x: np.amin(x),
    "prod": lambda x: np.prod(x, axis=0),
    "var": lambda x: np.var(x, axis=1, ddof=1),
    "std": lambda x: np.std(x, axis=0),
    "argmax": lambda x: np.argmax(x, axis=1),
    "argmin": lambda x: np.argmin(x),
    "reshape": lambda x: np.reshape(x, (3, 2)),
    "ravel": lambda x: np.ravel(x),
    "transpose": lambda x: np.transpose(x),
    "transpose, axes": lambda x: np.transpose(x, (1, 0)),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "expand_dims": lambda x: np.expand_dims(x, 1),
    "squeeze": lambda x: np.squeeze(x[:1], axis=0),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 2, 3)),
    "stack": lambda x: np.stack([x, x], axis=-1),
    "stack by position": lambda x: np.stack([x, x], 1),
    "stack with arrays": lambda x: np.stack([x, MATRIX]),
    "concatenate": lambda x: np.concatenate([x, MATRIX], axis=1),
    "concatenate by position": lambda x: np.concatenate((x, x), 1),
    "split": lambda x: np.split(x, 3, axis=1)[1],
    "where": lambda x: np.where(MATRIX > 0, x, 0.0),
    "clip": lambda x: np.clip(x, -0.5, 1.0),
    "clip, one bound": lambda x: np.clip(x, None, 1.0),
    "clip, a_min and a_max": lambda x: np.clip(x, a_min=0.0, a_max=1.0),
    "dot": lambda x: np.dot(x, np.arange(3.0)),
    "matmul": lambda x: np.matmul(MATRIX.T, x),
    "maximum": lambda x: np.maximum(x, 0.0),
    "array @": lambda x: MATRIX.T @ x,
    "@ array": lambda x: x @ MATRIX.T,
    "array +": lambda x: np.arange(3.0) + x,
    "array **": lambda x: np.arange(1.0, 4.0) ** x,
    "zero-dimensional": lambda x: np.float64(2.0) * x,
}


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_numpy_s_functions_of_arrays_are_recorded(f):
    t = Tensor(MATRIX)
    result = f(t)
    check(result, f(MATRIX))
    assert result.op is not None
    if result.requires_grad:
        (g,) = engine.gradients(engine.sum(result * result), [t])
        step = 1e-6 * np.cos(np.arange(6.0)).reshape(2, 3)
        numerical = (np.sum(f(MATRIX + step) ** 2) - np.sum(f(MATRIX - step) ** 2)) / 2
        np.testing.assert_allclose(np.sum(g * step), numerical, rtol=1e-5)


def test_every_function_that_numpy_has_too_answers_numpy_s_call():
    shared = {
        name for name in engine.__all__ if callable(getattr(np, name, None)) and not isinstance(getattr(np, name), type)
    }
    assert shared - {"abs", "pow"} <= operators.NUMPY_NAMES.keys()
    assert len(shared) > 40


NOT_RECORDED = {
    "numpy.sort": lambda t: np.sort(t),
    "numpy.arctan2": lambda t: np.arctan2(t, 1.0),
    "numpy.nanmean": lambda t: np.nanmean(t),
    "numpy.histogram": lambda t: np.histogram(t),
    "numpy.allclose": lambda t: np.allclose(t, 1.0),
    "numpy.full_like": lambda t: np.full_like(t, 1.0),
    "numpy.linalg.cond": lambda t: np.linalg.cond(t),
    "numpy.add.reduce": lambda t: np.add.reduce(t),
    "numpy.multiply.outer": lambda t: np.multiply.outer(t, t),
    "numpy.add.at": lambda t: np.add.at(np.zeros(2), [0], t),
    "numpy.exp with out=": lambda t: np.exp(t, out=np.zeros(2)),
    "numpy.sum with out=": lambda t: np.sum(t, out=np.zeros(())),
    "numpy.exp with where=": lambda t: np.exp(t, where=np.array([True, False])),
    "numpy.sum with where=": lambda t: np.sum(t, where=np.array([True, False])),
    "numpy.exp with dtype": lambda t: np.exp(t, dtype=np.float32),
    "numpy.sum with initial": lambda t: np.sum(t, initial=1.0),
    "numpy.stack with dtype": lambda t: np.stack([t, t], dtype=np.float32),
    "numpy.add with casting": lambda t: np.add(t, 1.0, casting="no"),
}


@pytest.mark.parametrize("name", NOT_RECORDED)
def test_what_numpy_would_compute_without_recording_raises_with_its_name(name):
    for t in (Tensor([1.0, 2.0]), Tensor([1.0, 2.0]).detach()):
        with explained(UnsupportedError, name, "detach"):
            NOT_RECORDED[name](t)


def test_an_array_given_an_entry_of_a_node_that_requires_grad_is_no_silent_loss():
    a = np.zeros(2)
    with explained(GraphError, "(1,)"):
        a[:1] = Tensor([1.0])
    a[1] = Tensor([2.0]).detach()[0].numpy()
    assert a.tolist() == [0.0, 2.0]


# Methods

METHODS = {
    "sum": lambda x: x.sum(),
    "sum, axis": lambda x: x.sum(axis=0, keepdims=True),
    "sum, by position": lambda x: x.sum(1),
    "mean": lambda x: x.mean(axis=1),
    "max": lambda x: x.max(axis=0),
    "min": lambda x: x.min(axis=1, keepdims=True),
    "prod": lambda x: x.prod(axis=1),
    "var": lambda x: x.var(axis=0, ddof=1),
    "std": lambda x: x.std(axis=1),
    "argmax": lambda x: x.argmax(axis=1),
    "argmin": lambda x: x.argmin(),
    "clip": lambda x: x.clip(0.0, 1.0),
    "clip, one bound": lambda x: x.clip(min=0.0),
    "clip, the other": lambda x: x.clip(max=0.0),
    "reshape": lambda x: x.reshape(3, 2),
    "reshape, tuple": lambda x: x.reshape((3, 2)),
    "reshape, -1": lambda x: x.reshape(-1),
    "ravel": lambda x: x.ravel(),
    "transpose": lambda x: x.transpose(),
    "transpose, axes": lambda x: x.transpose(1, 0),
    "transpose, tuple": lambda x: x.transpose((1, 0)),
    "transpose, None": lambda x: x.transpose(None),
    "T": lambda x: x.T,
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "squeeze": lambda x: x[:1].squeeze(),
    "squeeze, axis": lambda x: x[:1].squeeze(axis=0),
    "astype": lambda x: x.astype(np.float32),
    "astype, name": lambda x: x.astype("float64"),
    "dot": lambda x: x.dot(np.arange(3.0)),
}


@pytest.mark.parametrize("f", METHODS.values(), ids=METHODS)
def test_a_method_is_the_array_s_and_is_recorded(f):
    t = Tensor(MATRIX)
    result = f(t)
    check(result, f(MATRIX))
    assert result.op is not None and result.dtype == f(MATRIX).dtype


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "tanh", "sigmoid", "relu", "softmax"])
@pytest.mark.parametrize("x", [Value(0.5), Tensor([[0.5, 2.0]])], ids=["Value", "Tensor"])
def test_a_method_beyond_the_array_s_is_the_function(name, x):
    assert getattr(x, name)().tolist() == getattr(engine, name)(x).tolist()
    assert getattr(x, name)().op.name == name


def test_detaching_gives_a_leaf_with_a_copy_of_the_data():
    for x in (Value(2.0) * 3, Tensor([1.0, 2.0]) * 3):
        d = x.detach()
        assert (type(d), d.requires_grad, d.op, d.tolist()) == (type(x), False, None, x.tolist())
        assert engine.detach(x).inputs == (x,) and not engine.detach(x).requires_grad
    t = Tensor([1.0, 2.0])
    t.detach().data[0] = 9.0
    assert t.tolist() == [1.0, 2.0]


# Functions that are compositions


def test_compositions_follow_numpy():
    t = Tensor(MATRIX)
    check(engine.square(t), MATRIX**2)
    check(engine.reciprocal(t), 1 / MATRIX)
    check(engine.std(t, axis=0, ddof=1), np.std(MATRIX, axis=0, ddof=1))
    check(engine.moveaxis(engine.broadcast_to(t, (4, 2, 3)), 0, 1), np.moveaxis(np.stack([MATRIX] * 4), 0, 1))
    check(engine.swapaxes(t, 0, -1), MATRIX.T)
    check(engine.dot(t, 2.0), 2 * MATRIX)
    check(engine.dot(t, t.T), MATRIX @ MATRIX.T)
    assert type(engine.zeros_like(t)) is np.ndarray and engine.ones_like(t).tolist() == np.ones((2, 3)).tolist()
    check(engine.clip(t, 0.0, 1.0), np.clip(MATRIX, 0, 1))


def test_short_names_are_the_same_functions():
    assert engine.abs is engine.absolute and engine.pow is engine.power


@pytest.mark.parametrize("bad", ["a", None, 1j])
def test_operators_refuse_what_is_no_number(bad):
    for f in BINARY.values():
        for x in (Value(1.0), Tensor([1.0])):
            with explained(DataError):
                f(x, bad)
            with explained(DataError):
                f(bad, x)
