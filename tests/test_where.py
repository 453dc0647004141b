"""The promise of `where`: nothing leaks from the branch not taken, at any order; and functions exact far out.

Each case is written as people write it, and once more with every dangerous input replaced before it is used.
"""

from math import inf, isnan, nan

import hypothesis
import mpmath
import numpy as np
import pytest
from hypothesis import strategies as st

import engine
from engine import (
    clip,
    exp,
    greater,
    log,
    logsumexp,
    maximum,
    minimum,
    norm,
    not_equal,
    relu,
    sin,
    softmax,
    sqrt,
    where,
)
from engine.testing import check_gradients

MIXED = np.array([-1.0, 0.0, 0.5, 2.0])
ROWS = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
MASK = np.array([False, False, True, True])
UP = np.array([[-1.0, 0.0], [2.0, 3.0]])


def safe(x, condition=None):
    """The same entries where they are positive, or where the condition says, and ones elsewhere."""
    return where(greater(x, 0) if condition is None else condition, x, 1.0)


def total(x):
    return x.sum()


def lengths(x):
    """Rows of length zero have no direction, and sqrt has no derivative there."""
    return (x * x).sum(axis=1)


# name: (as written, made safe by hand, at)
CASES = {
    "logarithm": (lambda x: where(x > 0, log(x), 0.0), lambda x: where(x > 0, log(safe(x)), 0.0), MIXED),
    "recorded condition": (
        lambda x: where(greater(x, 0), log(x), 0.0),
        lambda x: where(greater(x, 0), log(safe(x)), 0.0),
        MIXED,
    ),
    "other branch": (lambda x: where(x <= 0, 0.0, log(x)), lambda x: where(x <= 0, 0.0, log(safe(x))), MIXED),
    "both branches": (
        lambda x: where(x > 0, log(x), log(-x)),
        lambda x: where(x > 0, log(safe(x)), log(safe(-x))),
        np.array([-1.0, 0.5, 2.0]),
    ),
    "square root": (lambda x: where(x > 0, sqrt(x), 0.0), lambda x: where(x > 0, sqrt(safe(x)), 0.0), MIXED),
    "division": (
        lambda x: where(not_equal(x, 0), 1 / x, 0.0),
        lambda x: where(not_equal(x, 0), 1 / safe(x, not_equal(x, 0)), 0.0),
        MIXED,
    ),
    "sin(x) / x": (
        lambda x: where(not_equal(x, 0), sin(x) / x, 1.0),
        lambda x: where(not_equal(x, 0), sin(x) / safe(x, not_equal(x, 0)), 1.0),
        MIXED,
    ),
    "power": (lambda x: where(x > 0, x**0.5, 0.0), lambda x: where(x > 0, safe(x) ** 0.5, 0.0), MIXED),
    "power by itself": (lambda x: where(x > 0, x**x, 0.0), lambda x: where(x > 0, safe(x) ** safe(x), 0.0), MIXED),
    "exponential overflow": (
        lambda x: where(x < 1, exp(1000 * x), x),
        lambda x: where(x < 1, exp(1000 * where(x < 1, x, 0.0)), x),
        np.array([-0.001, 2.0]),
    ),
    "long chain": (
        lambda x: where(x > 0, sin(exp(sqrt(log(1 / x) ** 2 + 1))), x),
        lambda x: where(x > 0, sin(exp(sqrt(log(1 / safe(x)) ** 2 + 1))), x),
        MIXED,
    ),
    "nested": (
        lambda x: where(x > 0, where(x > 1, log(x - 1), sqrt(x)), 0.0),
        lambda x: where(x > 0, where(x > 1, log(safe(x - 1)), sqrt(safe(x))), 0.0),
        np.array([-1.0, 0.0, 0.5, 1.0, 2.0]),
    ),
    "nested in the other branch": (
        lambda x: where(x > 1, log(x - 1), where(x > 0, sqrt(x), 0.0)),
        lambda x: where(x > 1, log(safe(x - 1)), where(x > 0, sqrt(safe(x)), 0.0)),
        np.array([-1.0, 0.0, 0.5, 1.0, 2.0]),
    ),
    "where of where": (
        lambda x: log(where(x > 0, where(x > 1, x, 1 / x), 1.0)),
        lambda x: log(where(x > 0, where(x > 1, x, 1 / safe(x)), 1.0)),
        MIXED,
    ),
    "reused": (
        lambda x: where(x > 0, (y := log(x)), 0.0) + where(x > 1, y * y, 0.0) * x,
        lambda x: where(x > 0, (y := log(safe(x))), 0.0) + where(x > 1, y * y, 0.0) * x,
        MIXED,
    ),
    "alive on one way only": (
        lambda x: where(x > 0, log(x), 0.0) + x**2 + where(x > 1, 1 / (x - 1), sin(x)),
        lambda x: where(x > 0, log(safe(x)), 0.0) + x**2 + where(x > 1, 1 / safe(x - 1), sin(x)),
        np.array([-1.0, 0.0, 0.5, 1.0, 2.0]),
    ),
    # Selections that are not called where.
    "relu in front of a root": (
        lambda x: sqrt(relu(x)),
        lambda x: where(x > 0, sqrt(safe(x)), 0.0),
        MIXED,
    ),
    "relu behind a logarithm": (
        lambda x: relu(log(x)),
        lambda x: relu(log(where(x > 0, x, 0.5))),
        np.array([0.0, 0.5, 2.0]),
    ),
    "maximum in front of a root": (
        lambda x: sqrt(maximum(x, 0.0)),
        lambda x: where(x > 0, sqrt(safe(x)), 0.0),
        np.array([-1.0, 2.0]),
    ),
    "maximum behind a logarithm": (
        lambda x: maximum(log(x), -5.0),
        lambda x: where(x > 0, maximum(log(safe(x)), -5.0), -5.0),
        np.array([0.0, 1e-3, 0.5]),
    ),
    "minimum behind a division": (
        lambda x: minimum(1 / x, 4.0),
        lambda x: where(x > 0.25, 1 / safe(x), 4.0),
        np.array([0.0, 0.1, 0.5]),
    ),
    "minimum in front of a logarithm": (
        lambda x: log(1 - minimum(x, 1.0)) * where(x < 1, 1.0, 0.0),
        lambda x: where(x < 1, log(1 - minimum(x, 0.75)), -inf) * where(x < 1, 1.0, 0.0),
        np.array([0.5, -3.0]),
    ),
    "clip behind a logarithm": (
        lambda x: clip(log(x), -5.0, 1.0),
        lambda x: where(x > 0, clip(log(safe(x)), -5.0, 1.0), -5.0),
        np.array([0.0, 0.5, 5.0]),
    ),
    "clip in front of a root": (
        lambda x: sqrt(clip(x, 0.0, 1.0)),
        lambda x: where(x > 0, sqrt(clip(safe(x), 0.25, 1.0)), 0.0),
        np.array([-1.0, 0.5, 2.0]),
    ),
    "largest of roots": (
        lambda x: sqrt(x).max(),
        lambda x: sqrt(where(x > 0, x, 0.25)).max(),
        np.array([0.0, 0.0, 4.0]),
    ),
    "root of a largest": (lambda x: sqrt(x.max()), lambda x: sqrt(where(x > 0, x, 0.25).max()), np.array([0.0, 4.0])),
    # Shapes and indexing.
    "mean": (lambda x: where(x > 0, log(x), 0.0).mean(), lambda x: where(x > 0, log(safe(x)), 0.0).mean(), MIXED),
    "mean of the chosen": (
        lambda x: (where(x > 0, log(x), 0.0).sum() / greater(x, 0).sum()) ** 2,
        lambda x: (where(x > 0, log(safe(x)), 0.0).sum() / greater(x, 0).sum()) ** 2,
        MIXED,
    ),
    "indexing": (lambda x: log(x)[2:] ** 2, lambda x: log(where(MASK, x, 1.0))[2:] ** 2, MIXED),
    "indexing by integers": (
        lambda x: log(x)[[3, 2, 3]] ** 2,
        lambda x: log(where(MASK, x, 1.0))[[3, 2, 3]] ** 2,
        MIXED,
    ),
    "indexing by booleans": (lambda x: log(x)[MASK] ** 2, lambda x: log(where(MASK, x, 1.0))[MASK] ** 2, MIXED),
    "where behind indexing": (
        lambda x: where(x[[0, 3, 3]] > 0, log(x[[0, 3, 3]]), x[1]),
        lambda x: where(x[[0, 3, 3]] > 0, log(safe(x)[[0, 3, 3]]), x[1]),
        MIXED,
    ),
    "set": (
        lambda x: log(x).at[:2].set(0.0) ** 2,
        lambda x: log(where(MASK, x, 1.0)).at[:2].set(0.0) ** 2,
        MIXED,
    ),
    "broadcasting": (
        lambda x: where(np.array([[True], [False]]) & (x.data > 0), log(x), x),
        lambda x: where(np.array([[True], [False]]) & (x.data > 0), log(safe(x)), x),
        MIXED,
    ),
    "broadcast condition": (
        lambda x: where(np.array([[False], [True]]), log(x), 0.0),
        lambda x: where(np.array([[False], [True]]), log(where(np.array([[False], [True]]), x, 1.0)), 0.0),
        UP,
    ),
    "a number repeated": (
        lambda x: where(MASK, log(x - 1), x) * 2,
        lambda x: where(MASK, log(x - 1), x) * 2,
        np.array(3.0),
    ),
    "a number never taken": (
        lambda x: where(np.zeros(3, bool), log(x), np.arange(3.0)) * x,
        lambda x: where(np.zeros(3, bool), 0.0, np.arange(3.0)) * x,
        np.array(0.0),
    ),
    "reshape and transpose": (
        lambda x: where(UP.T > 0, log(x).reshape(2, 2).T, 0.0) ** 2,
        lambda x: where(UP.T > 0, log(safe(x)).reshape(2, 2).T, 0.0) ** 2,
        UP.ravel(),
    ),
    "broadcast_to, expand_dims, squeeze": (
        lambda x: where(UP > 0, engine.broadcast_to(engine.expand_dims(log(x), 0), (1, 2, 2)).squeeze(), 0.0) ** 2,
        lambda x: (
            where(UP > 0, engine.broadcast_to(engine.expand_dims(log(safe(x)), 0), (1, 2, 2)).squeeze(), 0.0) ** 2
        ),
        UP,
    ),
    "concatenate": (
        lambda x: engine.concatenate([log(x), sqrt(x)])[[2, 3, 6, 7]] ** 2,
        lambda x: engine.concatenate([log(safe(x)), sqrt(safe(x))])[[2, 3, 6, 7]] ** 2,
        MIXED,
    ),
    "stack": (
        lambda x: where(np.stack([MASK, ~MASK]), engine.stack([log(x), x * x]), 0.0) ** 2,
        lambda x: where(np.stack([MASK, ~MASK]), engine.stack([log(where(MASK, x, 1.0)), x * x]), 0.0) ** 2,
        MIXED,
    ),
    "split": (
        lambda x: engine.split(log(x), 2)[1] ** 2,
        lambda x: engine.split(log(where(MASK, x, 1.0)), 2)[1] ** 2,
        MIXED,
    ),
    "where behind a split": (
        lambda x: where(MASK[1:3], engine.split(log(x), [1, 3])[1], 0.0) ** 2,
        lambda x: where(MASK[1:3], engine.split(log(where(MASK, x, 1.0)), [1, 3])[1], 0.0) ** 2,
        MIXED,
    ),
    "values": (
        lambda x: log(x).values()[3] ** 2 + where(False, log(x).values()[0], 0.0),
        lambda x: log(where(MASK, x, 1.0)).values()[3] ** 2,
        MIXED,
    ),
    "iteration": (
        lambda x: sum(where(bool(keep), part, 0.0) for keep, part in zip(MASK, log(x), strict=True)) ** 2,
        lambda x: sum(part for part in log(where(MASK, x, 1.0))) ** 2,
        MIXED,
    ),
    "astype": (
        lambda x: where(x > 0, log(x).astype("float64"), 0.0),
        lambda x: where(x > 0, log(safe(x)), 0.0),
        MIXED,
    ),
    "product with another": (
        lambda x: where(x > 0, log(x) * x[3], 0.0) * 2,
        lambda x: where(x > 0, log(safe(x)) * x[3], 0.0) * 2,
        MIXED,
    ),
    # Reductions.
    "safe norm": (
        lambda x: where(lengths(x) > 0, sqrt(lengths(x)), 0.0) ** 3,
        lambda x: where(lengths(x) > 0, sqrt(safe(lengths(x))), 0.0) ** 3,
        ROWS,
    ),
    "direction": (
        lambda x: (
            where(lengths(x)[:, None] > 0, x / norm(x, axis=1, keepdims=True), 0.0) * np.arange(6.0).reshape(3, 2)
        ),
        lambda x: (
            where(lengths(x)[:, None] > 0, x / sqrt(safe(lengths(x))).reshape(3, 1), 0.0) * np.arange(6.0).reshape(3, 2)
        ),
        ROWS,
    ),
    "norm not taken": (
        lambda x: where(lengths(x) > 0, 1 / norm(x, axis=1), 0.0),
        lambda x: where(lengths(x) > 0, 1 / sqrt(safe(lengths(x))), 0.0),
        ROWS,
    ),
    "norm of what was chosen": (
        lambda x: norm(where(x > 0, log(x), 0.5)),
        lambda x: norm(where(x > 0, log(safe(x)), 0.5)),
        MIXED,
    ),
    "standard deviation": (
        lambda x: where(np.array([False, True, False]), engine.std(x, axis=1), 0.0) ** 3,
        lambda x: where(np.array([False, True, False]), sqrt(safe(engine.var(x, axis=1))), 0.0) ** 3,
        ROWS,
    ),
    "product": (
        lambda x: where(np.array([False, True, False]), 1 / engine.prod(x, axis=1), 0.0),
        lambda x: where(np.array([False, True, False]), 1 / safe(engine.prod(x, axis=1)), 0.0),
        ROWS,
    ),
    "product of what was chosen": (
        lambda x: engine.prod(where(x > 0, log(x), 2.0)),
        lambda x: engine.prod(where(x > 0, log(safe(x)), 2.0)),
        MIXED,
    ),
    "mean not taken": (
        lambda x: where(np.array([False, True, False]), log(engine.mean(x, axis=1)), 0.0) ** 2,
        lambda x: where(np.array([False, True, False]), log(safe(engine.mean(x, axis=1))), 0.0) ** 2,
        ROWS,
    ),
    "mean of squares": (
        lambda x: where(np.array([False, True, False]), 1 / engine.mean_square(x, axis=1), 0.0) ** 2,
        lambda x: where(np.array([False, True, False]), 1 / safe(engine.mean(x * x, axis=1)), 0.0) ** 2,
        ROWS,
    ),
    "logsumexp": (
        lambda x: where(np.array([False, True, False]), logsumexp(log(x), axis=1), 0.0) ** 2,
        lambda x: where(np.array([False, True, False]), logsumexp(log(safe(x)), axis=1), 0.0) ** 2,
        ROWS,
    ),
    "logsumexp of what was chosen": (
        lambda x: logsumexp(where(x > 0, log(x), -inf)),
        lambda x: log(where(x > 0, x, 0.0).sum()),
        MIXED,
    ),
    "softmax": (
        lambda x: where(np.array([[False], [True], [False]]), softmax(log(x)), 0.5) ** 2,
        lambda x: where(np.array([[False], [True], [False]]), softmax(log(safe(x))), 0.5) ** 2,
        ROWS,
    ),
    "softmax of what was chosen": (
        lambda x: softmax(where(x > 0, log(x), -inf)) ** 2,
        lambda x: (where(x > 0, x, 0.0) / where(x > 0, x, 0.0).sum()) ** 2,
        MIXED,
    ),
    "log_softmax": (
        lambda x: where(MASK, engine.log_softmax(where(MASK, log(x), -inf)), 0.0) ** 2,
        lambda x: where(MASK, log(where(MASK, x, 1.0) / where(MASK, x, 0.0).sum()), 0.0) ** 2,
        MIXED,
    ),
    "softmax_cross_entropy": (
        lambda x: where(np.array([False, True, False]), engine.softmax_cross_entropy(log(x), [0, 1, 0]), 0.0) ** 2,
        lambda x: (
            where(np.array([False, True, False]), -engine.log_softmax(log(safe(x)))[[0, 1, 2], [0, 1, 0]], 0.0) ** 2
        ),
        ROWS,
    ),
    "sigmoid, softplus, tanh": (
        lambda x: where(x > 0, engine.softplus(engine.sigmoid(engine.tanh(log(x)))), 0.0),
        lambda x: where(x > 0, engine.softplus(engine.sigmoid(engine.tanh(log(safe(x))))), 0.0),
        MIXED,
    ),
}
each_case = pytest.mark.parametrize(("f", "by_hand", "at"), CASES.values(), ids=CASES)
ENTRYWISE = {
    name: case
    for name, case in CASES.items()
    if list(CASES).index(name) <= list(CASES).index("clip in front of a root")
}


@each_case
def test_the_gradient_is_that_of_the_careful_spelling(f, by_hand, at):
    value, gradient = engine.value_and_grad(lambda x: f(x).sum())(at)
    expected, careful = engine.value_and_grad(lambda x: by_hand(x).sum())(at)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(gradient, careful, rtol=1e-13, atol=1e-15)


@each_case
def test_so_is_the_second_derivative(f, by_hand, at):
    second, careful = [engine.hessian(lambda x, g=g: g(x).sum())(at) for g in (f, by_hand)]
    assert np.isfinite(second).all()
    np.testing.assert_allclose(second, careful, rtol=1e-12, atol=1e-13)


@each_case
def test_so_is_the_third(f, by_hand, at):
    weights = np.linspace(0.5, 1.5, at.size).reshape(at.shape)

    def third(g):
        return engine.hessian(lambda x: (engine.grad(lambda y: g(y).sum())(x) * weights).sum())(at)

    assert np.isfinite(third(f)).all()
    np.testing.assert_allclose(third(f), third(by_hand), rtol=1e-10, atol=1e-11)


@each_case
def test_the_careful_spelling_is_right(f, by_hand, at):
    # Smooth around the point: what is compared with has no kink on its own.
    check_gradients(by_hand, np.where(at % 1 == 0, at + 0.125, at) if at.ndim and at.shape != (3, 2) else at + 0.5)


@pytest.mark.parametrize(("f", "by_hand", "at"), ENTRYWISE.values(), ids=ENTRYWISE)
def test_values_keep_the_promise(f, by_hand, at):
    for x in at:
        results = []
        for g in (f, by_hand):
            leaf = engine.Value(x)
            first = engine.gradients(g(leaf), [leaf], create_graph=True)[0]
            second = engine.gradients(first, [leaf], create_graph=True)[0] if first.requires_grad else engine.Value(0.0)
            third = engine.gradients(second, [leaf])[0] if second.requires_grad else 0.0
            results.append([first.item(), second.item(), third])
        assert np.isfinite(results[0]).all()
        np.testing.assert_allclose(results[0], results[1], rtol=1e-12, atol=1e-13)


@each_case
def test_float32_keeps_the_promise(f, by_hand, at):
    x = engine.Tensor(at, dtype=np.float32)
    f(x).sum().backward()
    assert x.grad.dtype == np.float32
    assert np.isfinite(x.grad).all()


@each_case
def test_backward_and_a_recorded_sweep_agree(f, by_hand, at):
    x = engine.Tensor(at)
    y = f(x).sum()
    (recorded,) = engine.gradients(y, [x], create_graph=True)
    y.backward()
    np.testing.assert_allclose(recorded.data, x.grad, rtol=1e-13)


def test_the_other_factor_gets_nothing_from_the_dead():
    """Elementwise rows keep their NaNs from every input, also one that is repeated."""
    x, w = engine.Tensor(MIXED), engine.Tensor(3.0)
    where(x > 0, log(x) * w, 0.0).sum().backward()
    assert w.grad == pytest.approx(np.log(0.5) + np.log(2.0))
    v = engine.Value(3.0)
    where(x > 0, log(x) * v, 0.0).sum().backward()
    assert v.grad == pytest.approx(np.log(0.5) + np.log(2.0))


def test_a_contraction_lets_nan_through_and_cleaning_its_input_cures_it():
    """As the docstring of where says."""
    w = engine.Tensor(np.ones((2, 1)))
    hidden = log(engine.Tensor(UP))
    where(np.array([[False], [True]]), hidden @ w, 0.0).sum().backward()
    assert np.isnan(w.grad).all()

    w.grad = None
    x = engine.Tensor(UP)
    hidden = where(engine.isfinite(log(x)), log(x), 0.0)
    where(np.array([[False], [True]]), hidden @ w, 0.0).sum().backward()
    np.testing.assert_allclose(w.grad, np.log(UP[1])[:, None])
    assert np.isfinite(x.grad).all()
    assert "contraction" in engine.where.__doc__


@pytest.mark.parametrize("leaf", [engine.Value, engine.Tensor])
def test_arithmetic_zeros_are_no_structure(leaf):
    """Only selections stop a NaN; a zero that was computed does not."""
    for f in (lambda x: sqrt(x) ** 2, lambda x: 0.0 * log(x), lambda x: sqrt(x) * 0.0):
        x = leaf(0.0)
        f(x).backward()
        assert isnan(x.grad)


def test_the_branch_that_is_taken_keeps_its_infinity():
    x = engine.Tensor([0.0, 4.0])
    where(x >= 0, sqrt(x), 0.0).sum().backward()
    assert x.grad.tolist() == [inf, 0.25]
    y = engine.Tensor([nan, 1.0])
    where(np.array([True, False]), y * y, 0.0).sum().backward()
    np.testing.assert_array_equal(y.grad, [nan, 0.0])


# Any chain of rows: entries of a matrix stay in their own line, and some lines are not taken.

EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 3.0, inf, -inf, nan, 1e-320, 1e300, -1e300, 1000.0, -1000.0]
ENTRIES = [
    "exp", "log", "log1p", "expm1", "sqrt", "sin", "cos", "tan", "tanh", "sigmoid", "relu", "leaky_relu", "softplus",
    "absolute", "sign", "negative", "square", "reciprocal", "identity",
]  # fmt: skip
LINES = {
    **{name: getattr(engine.primitives, name, None) or getattr(engine, name) for name in ENTRIES},
    "power": lambda x: x**1.5,
    "power of": lambda x: 2.0**x,
    "power by itself": lambda x: x**x,
    "divide": lambda x: x / (x - 1.0),
    "clip": lambda x: clip(x, -0.5, 0.5),
    "maximum": lambda x: maximum(x, 1 / x),
    "minimum": lambda x: minimum(log(x), x),
    "where": lambda x: where(x > 0.25, 1 / x, log(x)),
    "softmax": lambda x: softmax(x),
    "log_softmax": lambda x: engine.log_softmax(x),
    "normalised": lambda x: (x - x.mean(axis=1, keepdims=True)) / engine.std(x, axis=1, keepdims=True),
    "direction": lambda x: x / norm(x, axis=1, keepdims=True),
    "product": lambda x: x * engine.prod(x, axis=1, keepdims=True),
    "largest": lambda x: x / x.max(axis=1, keepdims=True),
    "smallest": lambda x: x - x.min(axis=1, keepdims=True),
    "logsumexp": lambda x: x - logsumexp(x, axis=1, keepdims=True),
    "mean of squares": lambda x: x / engine.mean_square(x, axis=1, keepdims=True),
    "sum": lambda x: x / engine.sum(x, axis=1, keepdims=True),
    "turned": lambda x: x.T.reshape(1, *x.T.shape)[0].T,
    "backwards": lambda x: x[:, ::-1],
    "picked": lambda x: x[:, [0, 0, 1]],
    "set": lambda x: x.at[:, 0].set(log(x[:, 1])),
    "added": lambda x: x.at[:, 0].add(sqrt(x[:, 1])),
    "joined": lambda x: engine.concatenate([x, log(x)], axis=1),
    "split": lambda x: engine.concatenate(engine.split(log(x), [1], axis=1)[::-1], axis=1),
    "repeated": lambda x: engine.broadcast_to(engine.expand_dims(x, 2), (*x.shape, 2)).max(axis=2),
    "astype": lambda x: engine.astype(x, dtype="float64"),
}


@hypothesis.given(
    st.lists(st.sampled_from(sorted(LINES)), min_size=1, max_size=4),
    st.lists(
        st.tuples(st.booleans(), st.lists(st.sampled_from(EDGES), min_size=2, max_size=2)), min_size=1, max_size=4
    ),
)
@hypothesis.settings(max_examples=400)
def test_lines_that_are_not_taken_send_back_zeros(names, lines):
    """At first, second and third order, whatever is done to them and whatever they hold."""
    taken = np.array([one for one, _ in lines])
    x = engine.Tensor(np.array([data for _, data in lines]))
    alone = engine.Tensor(x.data[taken])

    def through(x):
        for name in names:
            x = LINES[name](x)
        return x

    results = []
    for leaf, keep in ((x, taken[:, None]), (alone, True)):
        orders, y = [], where(keep, through(leaf), 0.0)
        for _ in range(3):
            (g,) = engine.gradients(y.sum(), [leaf], create_graph=True)
            orders.append(g.data)
            if not g.requires_grad:
                break
            y = g
        results.append(orders)
    for together, expected in zip(*results, strict=False):
        assert (together[~taken] == 0.0).all()
        if np.isfinite(expected).all():  # else rounding may decide between NaN and infinity
            np.testing.assert_allclose(together[taken], expected, rtol=1e-6, atol=1e-9 * abs(expected).max(initial=1.0))


# Exact and silent far out.

FAR = [
    0.0,
    1.0,
    -1.0,
    30.0,
    -30.0,
    37.0,
    -37.0,
    709.0,
    -709.0,
    745.0,
    -745.0,
    1000.0,
    -1000.0,
    1e300,
    -1e300,
    inf,
    -inf,
]
FINITE = [x for x in FAR if np.isfinite(x)]
BOTH = pytest.mark.parametrize("leaf", [engine.Value, lambda x: engine.Tensor(x)], ids=["Value", "Tensor"])


def exactly(f, *xs) -> float:
    """The value of a formula at a thousand digits, rounded once."""
    with mpmath.workdps(1000):
        return float(f(*[mpmath.mpf(x) for x in xs]))


def assert_exact(mine, expected, rtol=1e-15):
    """A few units in the last place; what is too small for a normal number may round to one that is subnormal, or 0."""
    np.testing.assert_allclose(mine, expected, rtol=rtol, atol=1e-307)


def derivatives(f, x):
    y = f(x)
    (first,) = engine.gradients(y, [x], create_graph=True)
    second = engine.gradients(first, [x])[0] if first.requires_grad else 0.0
    return y.item(), first.item(), second


@BOTH
@pytest.mark.parametrize("x", FAR)
def test_sigmoid_far_out(leaf, x):
    if abs(x) < 1e4:
        s = exactly(lambda x: 1 / (1 + mpmath.exp(-x)), x)
        first = exactly(lambda x: 1 / (2 + mpmath.exp(-x) + mpmath.exp(x)), x)
        second = exactly(lambda x: -mpmath.tanh(x / 2) / (2 + mpmath.exp(-x) + mpmath.exp(x)), x)
    else:
        s, first, second = float(x > 0), 0.0, 0.0
    mine = derivatives(engine.sigmoid, leaf(x))
    assert_exact(mine[0], s)
    np.testing.assert_allclose(mine[1:], [first, second], rtol=1e-15, atol=2e-16)


@BOTH
@pytest.mark.parametrize("x", FAR)
def test_softplus_far_out(leaf, x):
    if abs(x) < 1e4:
        value = exactly(lambda x: mpmath.log(1 + mpmath.exp(x)), x)
        first = exactly(lambda x: 1 / (1 + mpmath.exp(-x)), x)
    else:
        value, first = max(x, 0.0), float(x > 0)
    mine = derivatives(engine.softplus, leaf(x))
    assert_exact(mine[:2], [value, first])
    assert np.isfinite(mine[2])


@BOTH
@pytest.mark.parametrize("x", FAR)
def test_tanh_and_expm1_far_out(leaf, x):
    mine = derivatives(engine.tanh, leaf(x))
    assert_exact(mine[0], np.tanh(x))
    assert np.isfinite(mine).all()
    if x <= 709:
        assert_exact(derivatives(engine.expm1, leaf(x))[:2], [np.expm1(x), np.exp(x)])


VECTORS = [
    [1000.0, 1000.0],
    [1000.0, -1000.0],
    [-1000.0, -1000.0],
    [1000.0, 999.0, 0.0],
    [1e300, -1e300],
    [0.0, 1.0, 2.0],
    [0.0, -inf],
    [1000.0, -inf, 1000.0],
    [-1000.0],
    [5.0, -inf, -inf],
]


def shares(xs):
    """The softmax of a list, at a thousand digits."""
    with mpmath.workdps(1000):
        if max(map(abs, (x for x in xs if x != -inf))) > 1e5:
            return [float(x == max(xs)) for x in xs]
        powers = [mpmath.mpf(0) if x == -inf else mpmath.exp(mpmath.mpf(x)) for x in xs]
        return [float(p / sum(powers)) for p in powers]


@pytest.mark.parametrize("xs", VECTORS, ids=str)
def test_softmax_and_logsumexp_far_out(xs):
    x = engine.Tensor(xs)
    expected = np.array(shares(xs))
    assert_exact(softmax(x).data, expected)
    with mpmath.workdps(1000):
        finite = [mpmath.mpf(one) for one in xs if one != -inf]
        top = max(finite)
        log_total = top + mpmath.log(sum(mpmath.exp(one - top) for one in finite if one - top > -1e5))
        logs = [-inf if one == -inf else float(mpmath.mpf(one) - log_total) for one in xs]
        log_total = float(log_total)
    assert_exact(logsumexp(x).item(), log_total)
    assert_exact(engine.log_softmax(x).data, logs)

    logsumexp(x).backward()
    np.testing.assert_allclose(x.grad, expected, rtol=1e-12, atol=1e-307)
    for k in range(len(xs)):
        one = np.eye(len(xs))[k]
        np.testing.assert_allclose(
            engine.gradients(softmax(x), [x], one)[0], expected * (one - expected[k]), rtol=1e-14, atol=1e-16
        )
        np.testing.assert_allclose(
            engine.gradients(engine.log_softmax(x), [x], one)[0], one - expected, rtol=1e-14, atol=1e-16
        )
    jacobian = np.diag(expected) - np.outer(expected, expected)
    np.testing.assert_allclose(engine.hessian(logsumexp)(np.array(xs)), jacobian, rtol=1e-12, atol=1e-16)


def test_logsumexp_of_infinities():
    for xs, value, gradient in [
        ([-inf, -inf], -inf, [0.0, 0.0]),
        ([inf, 0.0], inf, [nan, 0.0]),
        ([-inf], -inf, [0.0]),
    ]:
        x = engine.Tensor(xs)
        logsumexp(x).backward()
        assert logsumexp(x).item() == value
        if not np.isnan(gradient).any():
            np.testing.assert_array_equal(x.grad, gradient)


@pytest.mark.parametrize("value", [1000.0, -1000.0, inf, -inf])
def test_a_number_by_itself_is_its_own_logsumexp(value):
    x = engine.Value(value)
    y = logsumexp(x)
    y.backward()
    assert y.item() == value
    assert x.grad == 1.0


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_low_precision_is_exact_and_silent_far_out(dtype):
    for x in (1000.0, -1000.0, 60000.0, -60000.0):
        leaf = engine.Tensor(np.array(x, dtype))
        assert engine.sigmoid(leaf).item() == float(x > 0)
        assert engine.softplus(leaf).item() == max(float(dtype(x)), 0.0)
    x = engine.Tensor(np.array([1000.0, 1000.0, -1000.0], dtype))
    assert softmax(x).tolist() == [0.5, 0.5, 0.0]
    np.testing.assert_allclose(logsumexp(x).item(), 1000.0 + np.log(2), rtol=float(np.finfo(dtype).eps))
