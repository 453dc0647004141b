"""Initial weights: bounds, variances, shapes, seeds and names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
from engine import errors
from nn import initializers
from nn.initializers import INITIALIZERS

shapes = st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple)

# The variance that each rule promises for the fans (in, out), from the papers.
VARIANCES = {
    "glorot_uniform": lambda inputs, outputs: 2 / (inputs + outputs),
    "glorot_normal": lambda inputs, outputs: 2 / (inputs + outputs),
    "he_uniform": lambda inputs, outputs: 2 / inputs,
    "he_normal": lambda inputs, outputs: 2 / inputs,
    "normal": lambda inputs, outputs: 0.01**2,
    "uniform": lambda inputs, outputs: 0.1**2 / 12,
}


@pytest.mark.parametrize("name", INITIALIZERS)
@given(shape=shapes, seed=st.integers(0, 2**32))
def test_a_seed_gives_the_same_array_of_the_shape(name, shape, seed):
    first, again = (INITIALIZERS[name](shape, np.random.default_rng(seed)) for _ in range(2))
    assert first.shape == shape
    assert first.dtype == float
    assert (first == again).all()


@pytest.mark.parametrize("name", VARIANCES)
@pytest.mark.parametrize(("shape", "fans"), [((300, 200), (200, 300)), ((50, 40, 3, 5), (600, 750))])
def test_the_variance_is_that_of_the_paper(name, shape, fans):
    weights = INITIALIZERS[name](shape, np.random.default_rng(0))
    variance = VARIANCES[name](*fans)
    assert weights.var() == pytest.approx(variance, rel=0.03)
    assert abs(weights.mean()) < 5 * (variance / weights.size) ** 0.5
    if name.endswith("uniform"):
        assert abs(weights).max() == pytest.approx((3 * variance) ** 0.5, rel=1e-3)


def test_the_settings_change_the_spread():
    def spread(initializer, **settings):
        return initializer((200, 300), np.random.default_rng(0), **settings).std()

    for glorot in (initializers.glorot_normal, initializers.glorot_uniform):
        assert spread(glorot, gain=3.0) == pytest.approx(3 * spread(glorot))
    for he in (initializers.he_normal, initializers.he_uniform):
        assert spread(he, slope=1.0) == pytest.approx(spread(he) / 2**0.5)
    assert spread(initializers.normal, std=2.0) == pytest.approx(2.0, rel=0.02)


def test_signals_keep_their_size_through_a_deep_network():
    """What He's and Glorot's rules are for."""
    x = np.random.default_rng(0).normal(size=(100, 256))
    deep = nn.MLP([256] * 21, activation="relu", seed=1)
    assert 0.2 < deep(x).data.std() / x.std() < 5
    x = 0.01 * x  # where tanh is nearly the identity
    deep = nn.MLP([256] * 21, activation="tanh", seed=1)
    assert 0.2 < deep(x).data.std() / x.std() < 5


@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (3, 0)])
@pytest.mark.parametrize("name", ["glorot_uniform", "glorot_normal", "he_uniform", "he_normal"])
def test_a_shape_without_fans_is_refused(name, shape):
    with pytest.raises(errors.ShapeError, match=r"weight of shape .* needs? a shape \(out, in"):
        INITIALIZERS[name](shape, np.random.default_rng(0))


def test_a_wrong_name_is_answered_with_the_closest():
    with pytest.raises(errors.DomainError, match=r"'he_normall' was given as weight_init.*Did you mean 'he_normal'"):
        nn.Linear(2, 3, weight_init="he_normall")
    with pytest.raises(errors.DomainError, match="neither a known name nor a function"):
        nn.Linear(2, 3, weight_init=None)


def test_a_function_may_be_given():
    layer = nn.Linear(2, 3, weight_init=lambda shape, rng: np.full(shape, 7))
    assert layer.weight.tolist() == [[7.0, 7.0]] * 3
    with pytest.raises(errors.ShapeError, match=r"returned an array of shape \(2, 3\).*here \(3, 2\)"):
        nn.Linear(2, 3, weight_init=lambda shape, rng: np.zeros((2, 3)))
