"""The table, row by row: forwards against NumPy, rules against numerical derivatives, and what every row promises."""

import doctest
import math
import warnings
from math import inf, isnan, nan

import hypothesis
import naive_convolutions
import numpy as np
import pytest
from hypothesis import strategies as st

import engine
from engine.errors import GradientError
from engine.graph import Node
from engine.primitives import ROWS
from engine.row import Primitive
from engine.testing import check_gradients, strategies
from engine.testing.layouts import Layout, Shape, fill, kink_distance, layouts

# The rows that are not tried on layouts, and why. A new row is tried, or it stands here.
APART = {
    "hook": "its derivative is whatever the user's function makes of it; tests/test_backward.py",
    "pick": "it takes the results of another row; split and values bring it along",
    "standard_integers": "a draw has no inputs; tests/test_random.py",
    "standard_normal": "a draw has no inputs; tests/test_random.py",
    "standard_permutation": "a draw has no inputs; tests/test_random.py",
    "standard_uniform": "a draw has no inputs; tests/test_random.py",
}
WITHOUT_EXAMPLE = {
    "identity": "made by the engine for its own use",
    "pick": "made by the engine for its own use",
    "scatter": "made by the rule of getitem",
    "standard_integers": "shown in engine.random",
    "standard_normal": "shown in engine.random",
    "standard_permutation": "shown in engine.random",
    "standard_uniform": "shown in engine.random",
}

TRIED = {name: row for name, row in ROWS.items() if name not in APART}
DIFFERENTIABLE = {name: row for name, row in TRIED.items() if any(row.rules)}
ENTRYWISE = {
    name: row
    for name, row in TRIED.items()
    if not row.variadic and "axis" not in row.params and row.kind in ("elementwise", "selection", "comparison")
}
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, inf, -inf, nan, 5e-324, 1e-300, 1e300, -1e300, 1000.0, -1000.0]


def each(rows: dict[str, Primitive]):
    return pytest.mark.parametrize("row", rows.values(), ids=rows)


def each_layout(rows: dict[str, Primitive]):
    pairs = [(row, layout) for row in rows.values() for layout in layouts(row)]
    return pytest.mark.parametrize(("row", "layout"), pairs, ids=[_name(row, layout) for row, layout in pairs])


def _name(row: Primitive, layout: Layout) -> str:
    parts = [str(tuple(x)) if isinstance(x, Shape) else str(x.tolist()) for x in layout.inputs]
    return f"{row.name}: {' '.join(parts)} {dict(layout.params) or ''}".strip().replace("::", ":")


def data_for(row: Primitive, layout: Layout, dtype=float) -> list:
    return fill(row, layout, np.random.default_rng(5), dtype)


def single(layout: Layout) -> bool:
    """Whether all inputs are one number."""
    return all(isinstance(x, Shape) and x == () for x in layout.inputs)


def call(row: Primitive, inputs, params):
    """As users do: `stack([x, y])`, `add(x, y)`."""
    joins = row.variadic and len(row.inputs) == 1
    return row.call(list(inputs), **params) if joins else row.call(*inputs, **params)


def called(row: Primitive, layout: Layout):
    return lambda *inputs: call(row, inputs, layout.params)


def plain(result):
    """The data of a result, several in a tuple."""
    if isinstance(result, tuple):
        return tuple(plain(part) for part in result)
    return result._value if isinstance(result, Node) else result


def nodes(data) -> list[Node]:
    return [engine.Tensor(x) if isinstance(x, np.ndarray) else engine.Value(x) for x in data]


def floats(data) -> list:
    """The 0-d arrays of floats as numbers."""
    return [x.item() if x.ndim == 0 and x.dtype.kind == "f" else x for x in data]


def pulled(row: Primitive, layout: Layout, data, *, create_graph=False) -> list:
    """The gradients of all results together by each input that has a rule."""
    leaves = nodes(data)
    results = call(row, leaves, layout.params)
    wanted = [x for x, rule in zip(leaves, row.rules_for(tuple(leaves)), strict=True) if rule and x.requires_grad]
    parts = [y for y in (results if isinstance(results, tuple) else [results]) if y.requires_grad]
    total = engine.stack([engine.sum(part * 1.25) for part in parts]).sum()
    return engine.gradients(total, wanted, create_graph=create_graph)


def assert_within(x, y, ulps=2.0):
    """Equal shapes and dtypes, and entries that differ by so many units in the last place; NaN equals NaN."""
    x, y = np.asarray(x), np.asarray(y)
    assert (x.shape, x.dtype) == (y.shape, y.dtype)
    if x.dtype.kind != "f":
        np.testing.assert_array_equal(x, y)
        return
    with np.errstate(all="ignore"):
        near = abs(x - y) <= ulps * np.spacing(np.maximum(abs(x), abs(y)))
    fine = near | (x == y) | (np.isnan(x) & np.isnan(y))
    assert fine.all(), f"{x[~fine]} and {y[~fine]} are more than {ulps} ulp apart"


# What a row is.


def test_every_row_is_tried_or_says_why_not():
    assert APART.keys() <= ROWS.keys()
    for row in TRIED.values():
        assert layouts(row)


def test_rows_have_the_name_of_their_public_function():
    for name, row in ROWS.items():
        assert row.name == row.call.__name__ == name


@each(ROWS)
def test_the_docstring_is_a_sentence_with_an_example(row):
    text = row.call.__doc__
    assert text.split("\n\n")[0].strip().endswith((".", ":")) or "." in text
    assert bool(doctest.DocTestParser().get_examples(text)) != (row.name in WITHOUT_EXAMPLE)


@each(ROWS)
def test_the_metadata_name_the_inputs(row):
    assert row.domain.keys() <= set(row.inputs)
    assert row.derivatives.keys() <= set(row.inputs)
    assert all(low < high for low, high in row.domain.values())


# Forwards.


@each(ENTRYWISE)
def test_floats_and_arrays_agree(row):
    """Also at the edges: the scalar namespace gives NumPy's answers there."""

    def agree(inputs, params):
        if row.name == "power" and inputs == [-inf, 0.5]:
            return  # NumPy gives inf or NaN, depending on the shape of the exponent
        alone = row.call(*[engine.Value(x) for x in inputs], **params)
        array = row.call(*[engine.Tensor(np.asarray(x)) for x in inputs], **params)
        assert isinstance(alone, engine.Value)
        assert isinstance(array, engine.Tensor)
        if params.get("dtype") == "float32":
            return
        assert_within(np.asarray(alone._value), array._value)

    settings = [dict(layout.params) for layout in layouts(row) if single(layout)] or [{}]
    for params in settings:
        for x in EDGES:
            for y in EDGES if len(row.inputs) > 1 else [0.0]:
                agree([x, y, 1.0][: len(row.inputs)], params)

        @hypothesis.given(st.tuples(*[st.floats() for _ in row.inputs]).map(list))
        @hypothesis.settings(max_examples=60)
        def anywhere(params, inputs):
            agree(inputs, params)

        anywhere(params)


@each({name: row for name, row in ENTRYWISE.items() if name in DIFFERENTIABLE})
def test_gradients_of_floats_and_arrays_agree_at_the_edges(row):
    """To second order, infinities and NaN included: code with a Value may be moved to a Tensor."""
    params = {"dtype": "float64"} if row.name == "astype" else {}
    kinds = (engine.Value, lambda x: engine.Tensor(np.asarray(x)))
    for x in EDGES:
        for y in EDGES if len(row.inputs) > 1 else [0.0]:
            found = []
            for kind in kinds:
                leaves = [kind(one) for one in [x, y, 1.5][: len(row.inputs)]]
                wanted = [leaf for leaf, rule in zip(leaves, row.rules, strict=True) if rule]
                first = engine.gradients(row.call(*leaves, **params), wanted, create_graph=True)
                second = [engine.gradients(g, wanted) for g in first if g.requires_grad]
                found.append([g.item() for g in first] + [float(g) for row in second for g in row])
            np.testing.assert_allclose(*found, rtol=1e-12, err_msg=f"at {x}, {y}")


@each_layout(TRIED)
def test_the_forward_is_numpys(row, layout):
    data = data_for(row, layout)
    result = plain(call(row, nodes(data), layout.params))
    np.testing.assert_equal(result, plain(call(row, data, layout.params)))
    function = getattr(np, row.name, None)
    if function is None or row.name in OTHER_NAMES:
        return
    data = [data] if row.variadic else data
    params = dict(layout.params)
    settings = [params.pop(name) for name in row.params if name not in row.defaults]
    expected = function(*data, *settings, **params)
    for mine, numpys in zip(*[x if isinstance(x, list | tuple) else [x] for x in (result, expected)], strict=True):
        assert_within(mine, numpys)


OTHER_NAMES = {
    "mean_square": lambda x, axis=None, keepdims=False: np.mean(x**2, axis=axis, keepdims=keepdims),
    "norm": lambda x, axis=None, keepdims=False: np.sqrt(np.sum(x**2, axis=axis, keepdims=keepdims)),
    "relu": lambda x: np.maximum(x, 0.0),
    "leaky_relu": lambda x, slope=0.01: np.where(x > 0, x, slope * x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "softmax": lambda x, axis=-1: np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True),
    "log_softmax": lambda x, axis=-1: x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True)),
    "logsumexp": lambda x, axis=None, keepdims=False: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims)),
    "softmax_cross_entropy": lambda x, labels, axis=-1: np.sum(
        np.where(
            np.moveaxis(np.eye(x.shape[axis], dtype=bool)[labels], -1, axis),
            np.log(np.sum(np.exp(x), axis, keepdims=True)) - x,
            0.0,
        ),
        axis,
    ),
    "linear": lambda x, weight, bias: x @ weight.T + bias,
    "getitem": lambda x, *arrays, key: x[_filled(key, arrays)],
    "scatter": lambda g, *arrays, key, shape: _changed(np.zeros(shape), _filled(key, arrays), g, add=True),
    "set_at": lambda x, v, *arrays, key: _changed(x, _filled(key, arrays), v, add=False),
    "last_set": lambda *arrays, key, shape: _last(_places(np.zeros(shape), _filled(key, arrays))),
    "add_at": lambda x, v, *arrays, key: _changed(x, _filled(key, arrays), v, add=True),
    "erf": lambda x: np.array([math.erf(one) for one in np.ravel(x)]).reshape(np.shape(x)),
    "erfc": lambda x: np.array([math.erfc(one) for one in np.ravel(x)]).reshape(np.shape(x)),
    **{
        name: getattr(naive_convolutions, name)
        for name in (
            "convolution",
            "overlap_add",
            "sliding_window_view",
            "transposed_convolution",
            "window_correlation",
        )
    },
    "identity": lambda x: x,
    "detach": lambda x: x,
    "astype": lambda x, dtype: x.astype(dtype),
    "values": lambda x: tuple(x.ravel()),
}


def _filled(key, arrays):
    remaining = list(arrays)
    return tuple([remaining.pop(0) if type(part).__name__ == "Array" else part for part in key])


def _places(x, index):
    return np.arange(x.size).reshape(x.shape)[index]


def _changed(x, index, v, add):
    out, places = x.copy(), _places(x, index)
    for place, one in zip(places.flat, np.broadcast_to(v, places.shape).flat, strict=True):
        out.flat[place] = out.flat[place] + one if add else one
    return out


def _last(places):
    flat = places.ravel().tolist()
    return np.array([place not in flat[i + 1 :] for i, place in enumerate(flat)], bool).reshape(places.shape)


@each_layout({name: TRIED[name] for name in OTHER_NAMES})
def test_the_forward_is_its_formula(row, layout):
    data = data_for(row, layout)
    result, expected = plain(call(row, nodes(data), layout.params)), OTHER_NAMES[row.name](*data, **layout.params)
    for mine, formulas in zip(*[x if isinstance(x, tuple) else [x] for x in (result, expected)], strict=True):
        np.testing.assert_allclose(mine, formulas, rtol=1e-12, atol=1e-15)
        assert np.shape(mine) == np.shape(formulas)


def test_every_row_that_is_tried_has_a_reference():
    assert not [name for name in TRIED if name not in OTHER_NAMES and not hasattr(np, name)]


# Rules.


@each_layout(DIFFERENTIABLE)
def test_the_rules_are_the_derivatives_to_second_order(row, layout):
    if row.name == "detach":
        return
    data = data_for(row, layout)
    check_gradients(called(row, layout), *data, order=2)
    if row.name != "scatter" and any(x.ndim == 0 and x.dtype.kind == "f" for x in data):
        check_gradients(called(row, layout), *floats(data), order=2)


@each({name: row for name, row in DIFFERENTIABLE.items() if name != "detach"})
def test_the_rules_are_the_derivatives_anywhere(row):
    @hypothesis.given(strategies.inputs(row))
    @hypothesis.settings(max_examples=8)
    def anywhere(drawn):
        data, params = drawn
        check_gradients(lambda *inputs: call(row, inputs, params), *data, order=2)

    anywhere()


@pytest.mark.slow
@each({name: row for name, row in DIFFERENTIABLE.items() if name != "detach"})
def test_the_rules_are_the_derivatives_to_third_order(row):
    @hypothesis.given(strategies.inputs(row))
    @hypothesis.settings(max_examples=25)
    def anywhere(drawn):
        data, params = drawn
        check_gradients(lambda *inputs: call(row, inputs, params), *data, order=3)

    anywhere()


@each({name: row for name, row in DIFFERENTIABLE.items() if name in ENTRYWISE and len(row.inputs) > 1})
def test_broadcasting_is_undone(row):
    @hypothesis.given(st.data())
    @hypothesis.settings(max_examples=15)
    def anywhere(data):
        found = data.draw(strategies.broadcastable_shapes(len(row.inputs), max_dims=3, max_side=2))
        inputs = []
        for name, shape in zip(row.inputs, found, strict=True):
            domain = row.domain.get(name, (-inf, inf))
            inputs.append(data.draw(strategies.arrays(shape, domain=domain)))
        if row.name == "where":
            inputs[0] = inputs[0] > 0
        hypothesis.assume(kink_distance(row, inputs, {}) > 0.05)
        check_gradients(row.call, *inputs, order=2)

    anywhere()


def scaled(rule, recorded_only):
    """A rule wrong by 0.1 %, everywhere or only where it is recorded."""

    def wrong(xp, g, *rest, **params):
        c = rule(xp, g, *rest, **params)
        if recorded_only and xp in (np, engine.scalars):
            return c
        return tuple(part * 1.001 for part in c) if isinstance(c, tuple) else c * 1.001

    return wrong


def is_refused(row: Primitive, layout: Layout, order: int) -> bool:
    try:
        check_gradients(called(row, layout), *data_for(row, layout), order=order)
    except GradientError:
        return True
    return False


@pytest.mark.parametrize("recorded_only", [False, True])
@each({name: row for name, row in DIFFERENTIABLE.items() if name not in ("sign", "floor", "round", "detach")})
def test_a_rule_wrong_by_a_thousandth_is_noticed(row, recorded_only, monkeypatch):
    """Each rule of each row, at first order or at second order only: the tests above would fail."""
    for i, rule in enumerate(row.rules):
        if rule is None:
            continue
        rules = [scaled(rule, recorded_only) if i == k else other for k, other in enumerate(row.rules)]
        with monkeypatch.context() as patch:
            patch.setattr(row, "rules", tuple(rules))
            assert any(is_refused(row, layout, order=1 + recorded_only) for layout in layouts(row)[:6])


@each_layout(DIFFERENTIABLE)
def test_a_recorded_gradient_is_the_raw_gradient(row, layout):
    data = data_for(row, layout)
    recorded = pulled(row, layout, data, create_graph=True) if row.name != "detach" else []
    for mine, raw in zip(recorded, pulled(row, layout, data) if recorded else [], strict=True):
        assert_within(mine._value, raw, ulps=8)


@each_layout({name: row for name, row in DIFFERENTIABLE.items() if name != "detach"})
def test_the_gradient_has_the_leafs_shape_and_dtype(row, layout):
    for dtype in (np.float64, np.float32, np.float16):
        data = data_for(row, layout, dtype)
        wanted = [x for x in data if x.dtype.kind == "f"]
        got = pulled(row, layout, data)
        assert [(g.shape, g.dtype) for g in got] == [(x.shape, x.dtype) for x in wanted]
        assert all(type(g) is np.ndarray for g in got)


@each_layout(TRIED)
def test_float32_stays_float32(row, layout):
    if row.name == "astype":
        return
    for dtype, rtol in ((np.float32, 1e-4), (np.float16, 0.05)):
        data = data_for(row, layout, dtype)
        mine = plain(call(row, nodes(data), layout.params))
        exact = plain(call(row, [x.astype(float) if x.dtype.kind == "f" else x for x in data], layout.params))
        for one, other in zip(*[x if isinstance(x, tuple) else [x] for x in (mine, exact)], strict=True):
            if isinstance(one, np.ndarray) and np.asarray(other).dtype.kind == "f":
                assert one.dtype == dtype
                np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


@each_layout({name: row for name, row in DIFFERENTIABLE.items() if name not in ("detach", "astype")})
def test_float32_gradients_are_right(row, layout):
    check_gradients(called(row, layout), *data_for(row, layout, np.float32), order=2)


@each({name: row for name, row in TRIED.items() if any(map(single, layouts(row))) and name != "scatter"})
def test_a_value_is_a_tensor_without_axes(row):
    for layout in layouts(row):
        if not single(layout):
            continue
        data = data_for(row, layout)
        alone, array = [plain(call(row, nodes(x), layout.params)) for x in (floats(data), data)]
        for one, other in zip(*[x if isinstance(x, tuple) else [x] for x in (alone, array)], strict=True):
            assert np.shape(one) == np.shape(other)
            np.testing.assert_allclose(one, other, rtol=1e-15)
        if row.name in DIFFERENTIABLE and row.name != "detach":
            for one, other in zip(pulled(row, layout, floats(data)), pulled(row, layout, data), strict=True):
                assert type(one) is float
                np.testing.assert_allclose(one, other, rtol=1e-13)


# Promises.


@each(ENTRYWISE)
def test_rows_are_silent_at_the_edges(row):
    """No floating-point warning at any edge, forward and backward; pytest turns warnings into errors."""
    params = {"dtype": "float32"} if row.name == "astype" else {}
    grid = np.array(EDGES)
    inputs = [grid, grid[:, None], 1.0][: len(row.inputs)]
    if row.name == "where":
        inputs = [grid > 0, grid, grid[:, None]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = row.call(*[engine.Tensor(x) for x in inputs], **params)
        if result.requires_grad:
            leaves = [x for x in engine.topological_order(result) if not x.inputs and x.requires_grad]
            first = engine.gradients(result.sum(), leaves, create_graph=True)
            second = [g.sum() for g in first if g.requires_grad]
            if second:
                engine.gradients(engine.stack(second).sum(), leaves)
        for x in EDGES:
            values = [engine.Value(x) for _ in row.inputs]
            result = row.call(*values, **params)
            if result.requires_grad:
                result.backward()


@each_layout({name: row for name, row in TRIED.items() if not any(row.rules)})
def test_rows_without_rules_are_constants(row, layout):
    result = call(row, nodes(data_for(row, layout)), layout.params)
    assert result.op is row
    assert not result.requires_grad


@each_layout(TRIED)
def test_evaluating_the_graph_gives_the_same_bits(row, layout):
    result = call(row, nodes(data_for(row, layout)), layout.params)
    np.testing.assert_equal(plain(engine.evaluate(result)), plain(result))


@each_layout(TRIED)
def test_inputs_are_left_alone(row, layout):
    """No forward and no rule writes into what it is given."""
    data = data_for(row, layout)
    leaves = nodes(data)
    before = [x._value.copy() for x in leaves]
    result = call(row, leaves, layout.params)
    for part in result if isinstance(result, tuple) else [result]:
        if part.requires_grad:
            arriving = np.ones(np.shape(part._value)) if isinstance(part._value, np.ndarray) else 1.0
            kept = part._value.copy() if isinstance(part._value, np.ndarray) else part._value
            part.backward(arriving)
            np.testing.assert_equal(arriving, np.ones(np.shape(arriving)))
            np.testing.assert_equal(part._value, kept)
    np.testing.assert_equal([x._value for x in leaves], before)


FLOATING = {
    name: row
    for name, row in TRIED.items()
    if row.kind in ("elementwise", "selection", "reduction")
    and len(row.inputs) == 1
    and row.params == tuple(row.defaults)
    and not hasattr(np, name)  # NumPy computes the exponential of a byte in float16, and so does the engine
    and row.call(engine.Tensor(np.ones(2, int))).dtype.kind == "f"
}


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64, np.int32, np.bool_])
@each(FLOATING)
def test_integers_do_not_wrap(row, dtype):
    """What turns integers into floats computes in floats: images come as bytes."""
    x = np.array([0, 1, 100, 127]).astype(dtype)
    mine, exact = row.call(engine.Tensor(x)), row.call(engine.Tensor(x.astype(float)))
    precision = 4 * float(np.finfo(mine.dtype).eps)
    np.testing.assert_allclose(mine.data, exact.data, rtol=precision, atol=precision)


@pytest.mark.parametrize(
    ("name", "shape", "params", "expected"),
    [
        ("sum", (0,), {}, 0.0),
        ("sum", (2, 0), {"axis": 1}, [0.0, 0.0]),
        ("prod", (0,), {}, 1.0),
        ("prod", (0, 2), {"axis": 0}, [1.0, 1.0]),
        ("mean", (0,), {}, nan),
        ("var", (0,), {}, nan),
        ("norm", (0,), {}, 0.0),
        ("norm", (2, 0), {"axis": 1}, [0.0, 0.0]),
        ("softmax", (2, 0), {"axis": 0}, np.zeros((2, 0))),
        ("log_softmax", (2, 0), {"axis": 0}, np.zeros((2, 0))),
    ],
)
def test_reductions_of_nothing(name, shape, params, expected):
    x = engine.Tensor(np.zeros(shape))
    result = ROWS[name].call(x, **params)
    np.testing.assert_array_equal(result._value, expected)
    result.sum().backward()
    assert x.grad.shape == shape


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [1, 32, 33, 4096, 4097])
def test_rows_of_every_width_have_the_same_softmax(width, dtype):
    """Short and middling rows are reduced in quicker ways."""
    x = np.random.default_rng(5).normal(scale=10.0, size=(3, width)).astype(dtype)
    wide = x.astype(np.longdouble)
    logs = wide - wide.max(axis=1, keepdims=True)
    logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
    labels, tolerance = np.array([0, width - 1, width // 2]), 100 * float(np.finfo(dtype).eps)
    for axis in (1, -1):
        for found, expected in (
            (engine.softmax(x, axis=axis), np.exp(logs)),
            (engine.log_softmax(x, axis=axis), logs),
            (engine.softmax_cross_entropy(x, labels, axis=axis), -logs[range(3), labels]),
        ):
            assert found.dtype == dtype
            np.testing.assert_allclose(found, expected.astype(float), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("labels", "words"),
    [([0, 3], "index 3 is out of bounds"), ([0.0, 1.0], "labels are integers"), ([0], "without the axis")],
)
def test_labels_are_classes(labels, words):
    with pytest.raises((ValueError, IndexError), match=rf"'softmax_cross_entropy'.*{words}"):
        engine.softmax_cross_entropy(engine.Tensor(np.zeros((2, 3))), np.array(labels))


def test_negative_labels_count_from_the_last_class():
    x = engine.Tensor([[1.0, 2.0, 4.0]])
    for create_graph in (False, True):
        last, same = [
            engine.gradients(engine.softmax_cross_entropy(x, [label]), [x], np.ones(1), create_graph=create_graph)[0]
            for label in (-1, 2)
        ]
        np.testing.assert_array_equal(np.asarray(plain(last)), np.asarray(plain(same)))


def test_a_label_that_is_ruled_out_still_has_a_gradient():
    x = engine.Tensor([[-inf, 0.0, 0.0], [1000.0, -1000.0, 0.0]])
    losses = engine.softmax_cross_entropy(x, [0, 1])
    assert losses.tolist() == [inf, 2000.0]
    losses.backward(np.ones(2))
    assert x.grad.tolist() == [[-1.0, 0.5, 0.5], [1.0, -1.0, 0.0]]


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
def test_nothing_has_no_extreme(name):
    with pytest.raises(ValueError, match=rf"'{name}'.*\(2, 0\), axis=1"):
        ROWS[name].call(engine.Tensor(np.zeros((2, 0))), axis=1)


def test_the_helper_counts_units_in_the_last_place():
    assert_within(1.0, 1.0 + 2 * np.spacing(1.0))
    with pytest.raises(AssertionError):
        assert_within(1.0, 1.0 + 4 * np.spacing(1.0))
    with pytest.raises(AssertionError):
        assert_within(nan, 1.0)
    assert isnan(nan)
