"""Compositions: NumPy's answers, the rows' derivatives, and one name for Values, Tensors, arrays and numbers."""

import math
import sys

import numpy as np
import pytest
from messages import explained

import engine
from engine import Tensor, functions
from engine.errors import DataError, DomainError, IndexingError
from engine.primitives import elementwise
from engine.testing import check_gradients

X = np.array([[0.3, -1.2, 2.0], [1.5, 0.7, -0.4]])
Y = np.array([1.1, -0.6, 0.9])
Z = np.linspace(-1.0, 2.0, 12).reshape(3, 2, 2) ** 3
IMAGES = np.random.default_rng(3).permutation(48).reshape(2, 2, 3, 4) / 10.0
CALLS = {
    "square": [((X,), {}), ((1.5,), {})],
    "reciprocal": [((X,), {}), ((-0.5,), {})],
    "clip": [
        ((X, -1.0, 1.0), {}),
        ((X, None, 0.5), {}),
        ((X,), {"min": 0.5}),
        ((X, Y, Y + 1), {}),
        ((1.7, 0.0, 1.0), {}),
    ],
    "std": [((X,), {}), ((X,), {"axis": 0, "ddof": 1}), ((X,), {"axis": (0, 1), "keepdims": True})],
    "ravel": [((X,), {}), ((X.T,), {})],
    "swapaxes": [((X, 0, 1), {}), ((X[None], -1, 0), {})],
    "moveaxis": [((X[None], 0, -1), {}), ((X[None], (0, 1), (-1, 0)), {}), ((X[None], -2, -3), {})],
    "dot": [((X, Y), {}), ((Y, Y), {}), ((2.0, X), {}), ((X, X.T), {}), ((X, np.array(3.0)), {})],
    "outer": [((X, Y), {}), ((Y, Y), {})],
    "diagonal": [((X,), {}), ((X, 1), {}), ((X, -1), {}), ((X, 5), {}), ((X[None], 0, 2, 1), {}), ((Z, 0, 2, 0), {})],
    "trace": [((X,), {}), ((X, 1), {}), ((Z, 0, 0, 2), {})],
    "flip": [((X,), {}), ((X,), {"axis": 1}), ((Z,), {"axis": (0, -1)})],
    "roll": [((X, 2), {}), ((X, -1), {"axis": 1}), ((Z, (1, 4)), {"axis": (0, 2)}), ((Z, 1), {"axis": (0, 1)})],
    "tile": [((Y, 2), {}), ((X, (2, 1)), {}), ((X, (3, 1, 2)), {}), ((Z, 2), {})],
    "take": [
        ((X, [1, 1, 0]), {"axis": 0}),
        ((X, [[0, -1], [2, 0]]), {"axis": 1}),
        ((X, [5, 0, 5]), {}),
        ((X, 1), {"axis": -1}),
        ((X, (0, 1)), {"axis": 0}),
        ((Z, [[1, 0]]), {"axis": 1}),
        ((X, []), {"axis": 0}),
    ],
    "silu": [((X,), {}), ((1.5,), {})],
    "gelu": [((X,), {}), ((-1.5,), {}), ((X,), {"approximate": "tanh"})],
    "elu": [((X,), {}), ((-1.5,), {}), ((X, 0.3), {})],
    "log_sigmoid": [((X,), {}), ((1.5,), {})],
    "max_pool": [
        ((IMAGES, 2), {}),
        ((IMAGES, (2, 3)), {"stride": 1, "padding": (0, 1)}),
        ((IMAGES, 2), {"stride": 2, "dilation": (1, 2), "padding": 1}),
        ((IMAGES[:, :, 0], 3), {"stride": 1}),
        ((IMAGES[:, :, None], (1, 2, 2)), {}),
    ],
    "average_pool": [
        ((IMAGES, 2), {}),
        ((IMAGES, (2, 3)), {"stride": 1, "padding": (0, 1)}),
        ((IMAGES[:, :, 0], 3), {"stride": 1}),
        ((IMAGES[:, :, None], (1, 2, 2)), {}),
    ],
    "zeros_like": [((X,), {})],
    "ones_like": [((X,), {})],
}


def pooled(reduce, filling):
    """Pooling in plain loops over the places."""

    def pool(x, window, stride=None, padding=0, dilation=1):
        count = x.ndim - 2
        window, padding, dilation = [np.broadcast_to(each, count).tolist() for each in (window, padding, dilation)]
        stride = window if stride is None else np.broadcast_to(stride, count).tolist()
        x = np.pad(x, [(0, 0), (0, 0), *zip(padding, padding, strict=True)], constant_values=filling)
        reach = [d * (k - 1) + 1 for k, d in zip(window, dilation, strict=True)]
        places = [(n - r) // s + 1 for n, r, s in zip(x.shape[2:], reach, stride, strict=True)]
        out = np.zeros((*x.shape[:2], *places))
        for at in np.ndindex(*out.shape):
            steps = zip(at[2:], stride, reach, dilation, strict=True)
            out[at] = reduce(x[(*at[:2], *[slice(m * s, m * s + r, d) for m, s, r, d in steps])])
        return out

    return pool


normal_cdf = np.vectorize(lambda x: (1 + math.erf(x / math.sqrt(2))) / 2)
OTHER_NAMES = {
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x, approximate="none": (
        x * normal_cdf(x)
        if approximate == "none"
        else x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    ),
    "elu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * (np.exp(x) - 1)),
    "log_sigmoid": lambda x: -np.log(1 + np.exp(-x)),
    "max_pool": pooled(np.max, -np.inf),
    "average_pool": pooled(np.mean, 0.0),
}
each_call = pytest.mark.parametrize(
    ("name", "args", "params"),
    [(name, args, params) for name, calls in CALLS.items() for args, params in calls],
    ids=[f"{name}-{i}" for name, calls in CALLS.items() for i, _ in enumerate(calls)],
)


def split(args):
    """The arguments to differentiate by, and a function that puts them back among the others."""
    free = [i for i, x in enumerate(args) if isinstance(x, np.ndarray) or (i == 0 and isinstance(x, float))]

    def full(given):
        return [given[free.index(i)] if i in free else x for i, x in enumerate(args)]

    return [args[i] for i in free], full


def test_every_function_is_called_here():
    own = {name for name, f in vars(functions).items() if getattr(f, "__module__", "") == functions.__name__}
    assert {name for name in own if not name.startswith("_")} <= CALLS.keys()


@each_call
def test_they_give_numpys_answers(name, args, params):
    free, full = split(args)
    f, expected = getattr(engine, name), (OTHER_NAMES.get(name) or getattr(np, name))(*args, **params)
    for given in (
        [engine.Tensor(x) if isinstance(x, np.ndarray) else engine.Value(x) for x in free],
        free,
    ):
        result = f(*full(given), **params)
        result = result.data if isinstance(result, engine.Tensor | engine.Value) else result
        np.testing.assert_allclose(result, expected, rtol=1e-14, atol=1e-15)
        assert np.shape(result) == np.shape(expected)


@each_call
def test_their_derivatives_are_right(name, args, params):
    free, full = split(args)
    if not name.endswith("_like"):
        check_gradients(lambda *given: getattr(engine, name)(*full(given), **params), *free, order=2)


@each_call
def test_they_keep_float32(name, args, params):
    free, full = split(args)
    tensors = [engine.Tensor(np.asarray(x, np.float32)) for x in free]
    assert getattr(engine, name)(*full(tensors), **params).dtype == np.float32


def test_a_place_that_is_taken_twice_gets_the_sum():
    table = engine.Tensor(np.zeros((4, 3)))
    g = np.random.default_rng(0).normal(size=(2, 3, 3))
    engine.take(table, [[1, -1, 1], [0, 1, 3]], axis=0).backward(g)
    expected = np.zeros((4, 3))
    np.add.at(expected, np.array([[1, 3, 1], [0, 1, 3]]), g)
    np.testing.assert_allclose(table.grad, expected, rtol=1e-15)


@pytest.mark.parametrize("indices", [[4], [-5], [True, False], [0.5]])
def test_indices_that_name_no_entry_are_refused(indices):
    with explained(IndexingError):
        engine.take(engine.Tensor(np.zeros((4, 3))), indices, axis=0)


def test_gelu_names_its_approximations():
    with explained(DomainError, "approximate='sigmoid'"):
        engine.gelu(engine.Value(1.0), approximate="sigmoid")


def test_activations_are_finite_far_out():
    x = engine.Tensor([-1000.0, -30.0, 0.0, 30.0, 1000.0])
    for name in ("elu", "gelu", "log_sigmoid", "silu"):
        y = getattr(engine, name)(x)
        assert np.isfinite(y.data).all()
        (first,) = engine.gradients(y.sum(), [x], create_graph=True)
        assert np.isfinite([first.data, *engine.gradients(first.sum(), [x])]).all()


def test_the_error_functions_need_no_scipy(monkeypatch):
    x = np.linspace(-6.0, 6.0, 97).reshape(1, 97)
    installed = {name: getattr(engine, name)(engine.Tensor(x)).data for name in ("erf", "erfc")}
    monkeypatch.setitem(sys.modules, "scipy", None)
    elementwise._error_function.cache_clear()
    try:
        for name, scipys in installed.items():
            own = getattr(engine, name)
            np.testing.assert_allclose(own(engine.Tensor(x)).data, scipys, rtol=1e-13)
            assert own(engine.Tensor(x.astype(np.float32))).dtype == np.float32
            assert own(engine.Value(0.5)).data == getattr(math, name)(0.5)
        check_gradients(engine.gelu, x[0, ::20], order=2)
    finally:
        elementwise._error_function.cache_clear()


@pytest.mark.parametrize("name", ["silu", "gelu", "elu", "log_sigmoid", "sigmoid", "softplus"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, bool])
def test_small_integers_do_not_wrap_around(name, dtype):
    x, function = np.array([0, 1, 5, 100], dtype), getattr(engine, name)
    np.testing.assert_array_equal(function(x), function(x.astype(float)))
    np.testing.assert_array_equal(function(Tensor(x)).data, function(x.astype(float)))


@pytest.mark.parametrize("indices", [None, ..., slice(0, 1), [True], 0.0, "a"])
def test_take_takes_integers(indices):
    with pytest.raises((IndexingError, DataError)):
        engine.take(Tensor([1.0, 2.0]), indices)
