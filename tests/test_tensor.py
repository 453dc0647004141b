"""Tensor: an array that remembers how it was computed; what it may hold, and its indexing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from messages import explained

import engine
from engine import Tensor, Value
from engine.errors import DataError, GraphError, IndexingError, ShapeError, UnsupportedError

FLOATS = ["float16", "float32", "float64", "longdouble"]
INTEGERS = ["int8", "int32", "int64", "uint8", "bool"]

# Making one


@pytest.mark.parametrize("dtype", FLOATS)
def test_arrays_of_floats_keep_their_dtype_and_require_grad(dtype):
    t = Tensor(np.ones(2, dtype))
    assert t.dtype == dtype and t.requires_grad
    (t * t).sum().backward()
    assert t.grad.dtype == dtype


@pytest.mark.parametrize("dtype", INTEGERS)
def test_arrays_of_integers_and_booleans_never_require_grad_and_asking_is_an_error(dtype):
    a = np.ones((2, 3), dtype)
    t = Tensor(a)
    assert t.dtype == dtype and not t.requires_grad
    assert not Tensor(a, requires_grad=False).requires_grad
    with explained(DataError, dtype, "(2, 3)", "astype(float)"):
        Tensor(a, requires_grad=True)


@pytest.mark.parametrize("data", [[1, 2], (1, 2), [1.0, 2], range(1, 3), [np.int64(1), np.int64(2)], [True, 2]])
def test_lists_of_numbers_become_floats_that_require_grad(data):
    t = Tensor(data)
    assert t.dtype == np.float64 and t.requires_grad and t.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("data", [3, 3.0, np.float64(3), np.array(3.0)])
def test_a_number_becomes_a_tensor_without_axes(data):
    t = Tensor(data)
    assert (t.shape, t.item(), t.requires_grad, t.dtype) == ((), 3.0, True, np.float64)


def test_booleans_stay_booleans():
    assert Tensor([True, False]).dtype == np.bool_
    assert not Tensor([True, False]).requires_grad
    with explained(DataError, "bool"):
        Tensor([True, False], requires_grad=True)


@pytest.mark.parametrize("dtype", [np.float32, "float32", np.float64, float, np.dtype("float16")])
def test_a_dtype_may_be_asked_for(dtype):
    for data in ([1, 2], np.array([1, 2]), np.array([1.0, 2.0])):
        t = Tensor(data, dtype=dtype)
        assert t.dtype == np.dtype(dtype) and t.requires_grad
    assert Tensor([1.0, 2.0], dtype=int).dtype == np.int64
    assert not Tensor([1.0, 2.0], dtype=int).requires_grad


def test_the_data_are_copied():
    a = np.array([1.0, 2.0])
    t = Tensor(a)
    a[0] = 9.0
    assert t.tolist() == [1.0, 2.0]
    assert not np.shares_memory(Tensor(a).data, a)
    assert Tensor(np.array([[1.0, 2.0], [3.0, 4.0]]).T).tolist() == [[1.0, 3.0], [2.0, 4.0]]


def test_empty_arrays_are_legal():
    t = Tensor(np.zeros((0, 3)))
    (t * 2).sum().backward()
    assert t.grad.shape == (0, 3) and len(t) == 0 and list(t) == []
    assert Tensor([]).shape == (0,)


def test_nan_and_infinity_are_legal():
    t = Tensor([np.nan, np.inf, -np.inf])
    (t * 2).sum().backward()
    assert t.grad.tolist() == [2.0, 2.0, 2.0]


def test_labels_and_requires_grad_may_be_given_by_position():
    t = Tensor([1.0], "t", False)
    assert (t.label, t.requires_grad) == ("t", False)


@pytest.mark.parametrize(
    ("data", "mention"),
    [
        ("text", "U4"),
        (["a", "b"], "U1"),
        (b"bytes", "S5"),
        (None, "object"),
        ([None, 1.0], "object"),
        (..., "object"),
        ({"a": 1.0}, "object"),
        (1j, "complex"),
        ([1.0, 1j], "complex"),
        (np.array([1 + 2j]), "complex"),
        (np.array(["2020-01-01"], dtype="datetime64"), "datetime64"),
        (np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]), "('a'"),
    ],
    ids=str,
)
def test_what_is_not_real_or_boolean_is_refused(data, mention):
    with explained(DataError, mention, np.shape(data) if not isinstance(data, dict) else "()"):
        Tensor(data)


@pytest.mark.parametrize("data", [[[1.0], [1.0, 2.0]], [1.0, [2.0]], [np.ones(2), np.ones(3)]], ids=str)
def test_ragged_lists_are_refused(data):
    with explained(ShapeError, "rows", "length"):
        Tensor(data)


@pytest.mark.parametrize(
    "data", [Value(1.0), Tensor([1.0]), [Value(1.0), 2.0], [[Value(1.0)]], (Tensor([1.0]), Tensor([2.0]))], ids=str
)
def test_nodes_are_refused_because_the_copy_would_forget_them(data):
    with explained((DataError, GraphError)):
        Tensor(data)


@pytest.mark.parametrize("dtype", [complex, "complex64", object, str, "nonsense"])
def test_a_dtype_of_another_kind_is_refused(dtype):
    with explained(DataError):
        Tensor([1.0], dtype=dtype)


def test_repr_is_short_and_shows_dtype_and_label():
    assert repr(Tensor([1.0, 2.0])) == "Tensor([1., 2.])"
    assert repr(Tensor([[1.0], [2.0]], label="t")) == "Tensor([[1.],\n        [2.]], label='t')"
    assert repr(Tensor([1.0], dtype=np.float32)) == "Tensor([1.], dtype=float32)"
    assert repr(Tensor(np.array([1, 2]))) == "Tensor([1, 2])"
    assert repr(Tensor(np.array([1, 2], np.int8))) == "Tensor([1, 2], dtype=int8)"
    assert repr(Tensor(2.0)) == "Tensor(2.)"
    assert len(repr(Tensor(np.zeros(10_000)))) < 200
    assert len(repr(Tensor(np.zeros((100, 100)) + 1.0) * 2)) < 1000


# Items, iteration, transposition


def test_assigning_entries_raises_with_the_cure():
    t = Tensor([1.0, 2.0])
    with explained(DataError, "(2,)", "t = t.at[i].set(v)"):
        t[0] = 3.0
    with explained(DataError, "t.at[i].add(v)"):
        t[0] += 3.0
    assert t.tolist() == [1.0, 2.0]


def test_iteration_gives_nodes_that_lead_back():
    t = Tensor([[1.0, 2.0], [3.0, 4.0]])
    first, second = t
    assert type(first) is Tensor and second.tolist() == [3.0, 4.0]
    (first * second).sum().backward()
    assert t.grad.tolist() == [[3.0, 4.0], [1.0, 2.0]]
    x, y, z = Tensor([1.0, 2.0, 3.0])
    assert (x * y + z).item() == 5.0
    assert [int(n) for n in Tensor(np.array([1, 2]))] == [1, 2]


def test_iteration_makes_one_node_with_a_pick_for_each_row():
    """Not one index each, whose gradient has the whole tensor's shape: that would take quadratic time."""
    t = Tensor(np.ones(1000))
    entries = list(t)
    assert len({entry.inputs[0] for entry in entries}) == 1 and entries[0].inputs[0] is not t


def test_a_tensor_without_axes_has_no_length_and_no_rows():
    for f in (len, list, lambda t: t[0]):
        with explained((DataError, IndexingError)):
            f(Tensor(1.0))


def test_transposition_reverses_the_axes():
    a = np.arange(6.0).reshape(1, 2, 3)
    t = Tensor(a)
    assert t.T.shape == (3, 2, 1)
    (t.T * a.T).sum().backward()
    np.testing.assert_array_equal(t.grad, a)


# Values


def nested(tree, f):
    return [nested(part, f) for part in tree] if isinstance(tree, list) else f(tree)


def flattened(tree):
    leaves = []
    nested(tree, leaves.append)
    return leaves


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1, 2), (0,), (0, 3), (3, 0)])
def test_values_are_nested_lists_of_the_tensor_s_shape_that_lead_back(shape):
    data = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    t = Tensor(data)
    values = t.values()
    flat = flattened(values)
    assert all(type(v) is Value for v in flat)
    assert [v.item() for v in flat] == data.ravel().tolist()
    assert nested(values, Value.item) == data.tolist()
    if data.size:
        sum(v * v for v in flat).backward()
        np.testing.assert_array_equal(t.grad, 2 * data)


def test_values_share_one_node_and_take_linear_time():
    t = Tensor(np.ones(20_000), dtype=np.float32)
    values = t.values()
    assert values[0].inputs[0] is values[-1].inputs[0]
    sum(v * 3.0 for v in values).backward()
    assert t.grad.dtype == np.float32 and (t.grad == 3.0).all()


def test_values_of_some_entries_only_send_back_zeros_for_the_others():
    t = Tensor([1.0, 2.0, 3.0])
    (t.values()[1] ** 2).backward()
    assert t.grad.tolist() == [0.0, 4.0, 0.0]


# Indexing: what NumPy gives, and the gradient that numpy.add.at gives


def gradient_by_numpy(shape, index, weights):
    expected = np.zeros(shape)
    np.add.at(expected, index, weights)
    return expected


def check_indexing(t, index):
    data = t.data
    expected = data[index]
    part = t[index]
    assert type(part) is Tensor and part.shape == np.shape(expected)
    np.testing.assert_array_equal(part.data, expected)
    weights = 1.0 + np.arange(part.size, dtype=float).reshape(part.shape)
    (g,) = engine.gradients((part * part * weights).sum(), [t])
    np.testing.assert_allclose(g, gradient_by_numpy(data.shape, index, 2 * weights * expected), rtol=1e-15)


shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)


def filled(shape):
    return Tensor(1.0 + np.arange(np.prod(shape), dtype=float).reshape(shape))


@given(shapes, st.data())
def test_slices_integers_new_axes_and_ellipses_index_as_in_numpy(shape, data):
    check_indexing(filled(shape), data.draw(hnp.basic_indices(shape, allow_newaxis=True)))


@given(shapes, st.data())
def test_integer_arrays_index_as_in_numpy_also_when_they_repeat_places(shape, data):
    check_indexing(filled(shape), data.draw(hnp.integer_array_indices(shape)))


@given(shapes, st.data())
def test_boolean_arrays_index_as_in_numpy(shape, data):
    rank = data.draw(st.integers(1, len(shape)))
    check_indexing(filled(shape), data.draw(hnp.arrays(bool, shape[:rank])))


MIXED = [
    (slice(None), np.array([0, 2, 2])),
    (np.array([1, 0]), slice(1, None)),
    (np.array([[1, 0]]), ..., np.array([2, 2])),
    (0, np.array([2, 0]), slice(None, None, -1)),
    (np.array([True, False]), 1),
    ([0, 0], [1, 2]),
    ([[0], [1]], slice(None), [0, 1]),
    (None, [1, 1], 0),
    (np.int64(-1), ..., None),
    [True, False],
    np.array(1),
    True,
    (),
    ...,
]


@pytest.mark.parametrize("index", MIXED, ids=str)
def test_mixed_indices_are_numpy_s(index):
    check_indexing(filled((2, 3, 4)), index)


def test_recorded_indices_are_inputs_and_can_be_replaced():
    t = Tensor([1.0, 2.0, 3.0])
    index = Tensor(np.array([0, 0]))
    part = t[index]
    assert part.inputs == (t, index)
    assert engine.evaluate(part, {index: np.array([2, 1, 1])}).tolist() == [3.0, 2.0, 2.0]
    mask = engine.greater(t, 1.5)
    assert t[mask].tolist() == [2.0, 3.0]
    assert t[t.argmax()].item() == 3.0
    assert t[:2][1].item() == 2.0


def test_second_derivatives_flow_through_indexing():
    hessian = engine.hessian(lambda x: (x[[0, 0, 1]] ** 3).sum() * x[-1])(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(hessian, [[36.0, 0, 6], [0, 36.0, 12], [6, 12, 0]])


@pytest.mark.parametrize(
    ("index", "mentions"),
    [
        (5, ["(2, 3)", "5"]),
        (-3, ["(2, 3)", "-3"]),
        ([0, 7], ["(2, 3)", "7"]),
        ((0, 0, 0), ["(2, 3)", "3"]),
        (np.array([True, False, True]), ["(2, 3)", "3"]),
        ("a", ["'a'", "str"]),
        (1.5, ["1.5", "float"]),
        ([0.5], ["'f'"]),
        (np.array([0.0]), ["'f'"]),
        (Value(1.0), ["'f'"]),
        (Tensor([0.0]), ["'f'"]),
        ({0}, ["set"]),
        ([[1], [1, 0]], []),
        ((slice(0, "a"),), []),
    ],
    ids=str,
)
def test_wrong_indices_raise_in_three_sentences(index, mentions):
    t = filled((2, 3))
    for f in (lambda: t[index], lambda: t.at[index].set(1.0), lambda: t.at[index].add(1.0)):
        with explained((IndexingError, ShapeError, UnsupportedError), *mentions):
            f()


# New tensors with entries changed


INDICES = [0, -1, slice(1, None), (slice(None), 1), ([0, 1], [2, 0]), np.array([[True, False, True]] * 2), ..., (0, 0)]


@pytest.mark.parametrize("index", INDICES, ids=str)
@pytest.mark.parametrize("v", [5.0, Value(5.0), "array", "tensor"], ids=str)
def test_setting_and_adding_give_a_new_tensor_and_the_right_gradients(index, v):
    t = filled((2, 3))
    shape = t.data[index].shape
    array = 2.0 + np.arange(np.prod(shape), dtype=float).reshape(shape)
    v = {"array": array, "tensor": Tensor(array)}.get(v, v) if isinstance(v, str) else v
    raw = v.data if isinstance(v, Value | Tensor) else v
    before = t.tolist()
    was_set, was_added = t.at[index].set(v), t.at[index].add(v)
    assert t.tolist() == before

    expected = t.data.copy()
    expected[index] = raw
    np.testing.assert_array_equal(was_set.data, expected)
    expected = t.data.copy()
    expected[index] += raw
    np.testing.assert_array_equal(was_added.data, expected)

    weights = filled((2, 3)).data
    leaves = [t, v] if isinstance(v, Value | Tensor) else [t]
    by_set = engine.gradients((was_set * weights).sum(), leaves)
    by_add = engine.gradients((was_added * weights).sum(), leaves)
    kept = weights.copy()
    kept[index] = 0.0
    np.testing.assert_array_equal(by_set[0], kept)
    np.testing.assert_array_equal(by_add[0], weights)
    for g in (by_set[1:], by_add[1:]):
        if g:
            np.testing.assert_array_equal(g[0], weights[index] if np.ndim(raw) else weights[index].sum())


def test_a_place_named_twice_is_added_to_twice_and_set_to_the_last():
    t, v = Tensor([1.0, 2.0]), Tensor([10.0, 20.0, 30.0])
    added, was_set = t.at[[0, 0, 1]].add(v), t.at[[0, 0, 1]].set(v)
    assert added.tolist() == [31.0, 32.0] and was_set.tolist() == [20.0, 30.0]
    weights = np.array([3.0, 5.0])
    assert engine.gradients((added * weights).sum(), [v])[0].tolist() == [3.0, 3.0, 5.0]
    assert engine.gradients((was_set * weights).sum(), [v, t])[0].tolist() == [0.0, 3.0, 5.0]
    assert engine.gradients((was_set * weights).sum(), [t])[0].tolist() == [0.0, 0.0]


def test_setting_broadcasts_and_promotes_as_numpy_does():
    t = Tensor(np.ones((2, 3), np.float32))
    assert t.at[0].set([1.0, 2.0, 3.0]).shape == (2, 3)
    assert t.at[0].set(2.5).dtype == t.at[0].add(Value(2.5)).dtype == np.float32
    v = Tensor([[1.0]])
    t.at[:, 1:].set(v).sum().backward()
    assert v.grad.tolist() == [[4.0]] and t.grad.tolist() == [[1.0, 0.0, 0.0]] * 2
    n = Tensor(np.array([1, 2])).at[0].set(2.5)
    assert n.tolist() == [2.5, 2.0]


def test_second_derivatives_flow_through_setting_and_adding():
    f = lambda x: (x.at[0].set(x[1] ** 2) ** 2).sum() + (x.at[[0, 0]].add(x[1] ** 2) ** 2).sum()  # noqa: E731
    x = np.array([1.0, 2.0])
    # x1**4 + x1**2, and (x0 + 2 * x1**2)**2 + x1**2
    expected = np.array([[2.0, 8 * x[1]], [8 * x[1], 12 * x[1] ** 2 + 2 + 8 * x[0] + 48 * x[1] ** 2 + 2]])
    np.testing.assert_allclose(engine.hessian(f)(x), expected, rtol=1e-14)


def test_shapes_that_do_not_fit_are_named_when_setting():
    with explained((ShapeError, DataError), "(2, 3)", "(4,)"):
        filled((2, 3)).at[0].set(np.ones(4))
    with explained((ShapeError, DataError), "(2, 3)", "(4,)"):
        filled((2, 3)).at[0].add(np.ones(4))


def test_setting_needs_a_place():
    with explained(IndexingError, "t.at[i].set(v)"):
        Tensor([1.0]).at.set(1.0)


# The guards of a leaf


def test_integers_cannot_be_made_to_require_grad_later():
    t = Tensor(np.array([1, 2]))
    with explained(DataError, "int64"):
        t.requires_grad = True
    assert not t.requires_grad
    f = Tensor([1.0])
    f.requires_grad = False
    assert not (f * 2).requires_grad
    f.requires_grad = True
    assert (f * 2).requires_grad
