"""Recorded draws: NumPy's own numbers, gradients to what they are scaled by, and new ones in every evaluation."""

import numpy as np
import pytest

import engine
from engine.errors import DomainError
from engine.testing import check_gradients

DRAWS = {
    "standard_normal": lambda rng: rng.standard_normal(3),
    "normal": lambda rng: rng.normal(2.0, 0.5, (2, 3)),
    "normal of nothing": lambda rng: rng.normal(size=(0,)),
    "normal, a number": lambda rng: rng.normal(),
    "normal for each mean": lambda rng: rng.normal(np.array([1.0, 2.0, 3.0]), 0.1),
    "normal for each deviation": lambda rng: rng.normal(np.zeros((2, 1)), np.ones(3)),
    "random": lambda rng: rng.random((2, 2)),
    "uniform": lambda rng: rng.uniform(-1.0, 3.0, 4),
    "uniform for each bound": lambda rng: rng.uniform(np.zeros(3), np.arange(1.0, 4.0)),
    "integers": lambda rng: rng.integers(2, 9, (2, 3)),
    "permutation": lambda rng: rng.permutation(7),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_draws_are_numpys(draw):
    ours, numpys = engine.random.default_rng(7), np.random.default_rng(7)
    for _ in range(2):
        mine, expected = draw(ours), np.asarray(draw(numpys))
        mine = mine.data if isinstance(mine, engine.Tensor | engine.Value) else np.asarray(mine)
        assert (np.shape(mine), np.asarray(mine).dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(mine, expected, rtol=1e-15)


@pytest.mark.parametrize("name", ["normal", "uniform"])
def test_gradients_flow_to_the_settings(name):
    def draw(first, second):
        return getattr(engine.random.default_rng(3), name)(first, second, 4) ** 2

    check_gradients(draw, 1.0, 2.0, order=2)
    check_gradients(draw, np.array(1.0), np.array(2.0), order=2)
    check_gradients(draw, np.linspace(0, 1, 4), np.linspace(1, 2, 4), order=2)


def test_each_mean_gets_a_draw_of_its_own():
    mean = engine.Tensor(np.zeros(3))
    drawn = engine.random.default_rng(0).normal(mean, 1.0)
    assert len(set(drawn.tolist())) == 3
    drawn.sum().backward()
    assert mean.grad.tolist() == [1.0, 1.0, 1.0]


def test_draws_by_themselves_require_no_grad():
    rng = engine.random.default_rng(0)
    assert not rng.standard_normal(3).requires_grad
    assert not rng.normal(1.0, 2.0, 3).requires_grad
    assert not rng.permutation(3).requires_grad


def test_an_evaluation_draws_anew_from_the_same_generator():
    numpys = np.random.default_rng(1)
    y = engine.Tensor(np.ones(3)) + engine.random.default_rng(1).normal(size=3)
    np.testing.assert_array_equal(y.data, 1.0 + numpys.normal(size=3))
    for _ in range(2):
        np.testing.assert_array_equal(engine.evaluate(y), 1.0 + numpys.normal(size=3))
    np.testing.assert_array_equal(y.data, 1.0 + np.random.default_rng(1).normal(size=3))


def test_settings_that_do_not_fit_the_size_are_refused():
    with pytest.raises(ValueError, match="3"):
        engine.random.default_rng(0).normal(np.zeros(3), 1.0, size=2)


def test_a_mask_holds_as_often_as_asked_and_is_drawn_anew():
    rng = engine.random.default_rng(0)
    mask = rng.bernoulli(0.8, (100, 100))
    assert mask.dtype == bool and not mask.requires_grad
    assert abs(mask.data.mean() - 0.8) < 0.02
    assert rng.bernoulli([0.0, 1.0]).tolist() == [False, True]
    x = engine.Tensor(np.ones(50))
    y = engine.where(rng.bernoulli(0.5, 50), x, 0.0)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, y.data)
    assert engine.evaluate(y).tolist() != y.tolist()


@pytest.mark.parametrize("p", [np.nan, 2.0, -0.5, [0.5, 1.5]])
def test_a_probability_lies_between_0_and_1(p):
    with pytest.raises(DomainError, match="from 0 to 1"):
        engine.random.default_rng(0).bernoulli(p, 2)
