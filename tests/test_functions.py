"""Compositions: NumPy's answers, the rows' derivatives, and one name for Values, Tensors, arrays and numbers."""

import numpy as np
import pytest

import engine
from engine import functions
from engine.testing import check_gradients

X = np.array([[0.3, -1.2, 2.0], [1.5, 0.7, -0.4]])
Y = np.array([1.1, -0.6, 0.9])
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
    "zeros_like": [((X,), {})],
    "ones_like": [((X,), {})],
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
    f, expected = getattr(engine, name), getattr(np, name)(*args, **params)
    for given in (
        [engine.Tensor(x) if isinstance(x, np.ndarray) else engine.Value(x) for x in free],
        free,
    ):
        result = f(*full(given), **params)
        result = result.data if isinstance(result, engine.Tensor | engine.Value) else result
        np.testing.assert_allclose(result, expected, rtol=1e-14)
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
