"""Initial weights: bounds, variances, orthogonality, shapes, seeds, settings and names."""

from functools import partial

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
    "lecun_uniform": lambda inputs, outputs: 1 / inputs,
    "lecun_normal": lambda inputs, outputs: 1 / inputs,
    "orthogonal": lambda inputs, outputs: 1 / max(inputs, outputs),
    "normal": lambda inputs, outputs: 0.01**2,
    "truncated_normal": lambda inputs, outputs: (
        0.02**2 * 0.7737
    ),  # what is left of the variance within two of its roots
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
    variance = VARIANCES[name](fans[0], shape[0] if name == "orthogonal" else fans[1])  # a matrix (out, in·window)
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


@given(shapes, st.integers(0, 2**32), st.sampled_from([1.0, 0.5, -2.0]))
def test_orthogonal_rows_or_columns(shape, seed, gain):
    w = initializers.orthogonal(shape, seed, gain=gain).reshape(shape[0], -1)
    small = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(small, gain**2 * np.eye(len(small)), atol=1e-13)


def test_orthogonal_matrices_are_evenly_distributed():
    """The traces of Haar's matrices have mean 0 and variance 1; QR's own signs would give neither."""
    rng = np.random.default_rng(0)
    draws = np.array([initializers.orthogonal((3, 3), rng) for _ in range(4000)])
    traces = np.trace(draws, axis1=1, axis2=2)
    assert abs(traces.mean()) < 0.05
    assert traces.var() == pytest.approx(1, abs=0.06)
    assert 0.47 < (np.linalg.det(draws) > 0).mean() < 0.53


@given(shapes, st.integers(0, 2**32), st.floats(-5, 5), st.floats(0, 3))
def test_a_truncated_normal_ends_at_two_standard_deviations(shape, seed, mean, std):
    weights = initializers.truncated_normal(shape, seed, mean=mean, std=std)
    assert (abs(weights - mean) <= 2 * std + 1e-14).all()


def test_a_truncated_normal_is_scipys():
    stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed")
    weights = initializers.truncated_normal((20000,), 0, std=1.0)
    assert stats.kstest(weights, stats.truncnorm(-2, 2).cdf).pvalue > 0.01
    assert weights.std() == pytest.approx(stats.truncnorm(-2, 2).std(), rel=0.01)


def test_constants():
    assert initializers.zeros((2, 1)).tolist() == [[0.0], [0.0]]
    assert initializers.ones((2, 1)).tolist() == [[1.0], [1.0]]
    assert initializers.constant((2, 1), value=0.5).tolist() == [[0.5], [0.5]]
    layer = nn.Linear(2, 3, weight_init=partial(initializers.constant, value=-1))
    assert layer.weight.tolist() == [[-1.0, -1.0]] * 3


FANS = [name for name in INITIALIZERS if name.startswith(("glorot", "he_", "lecun"))] + ["orthogonal"]


@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (3, 0), (-1, 3), (2.0, 3)])
@pytest.mark.parametrize("name", FANS)
def test_a_shape_without_fans_is_refused(name, shape):
    with pytest.raises(errors.ShapeError, match=r"weight of shape .* need a shape \(out, in"):
        INITIALIZERS[name](shape, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("constant", {"value": np.nan}, "value=nan was given. It is a setting of constant. Give a finite number"),
        ("constant", {"value": "0"}, "value='0'"),
        ("uniform", {"low": 1.0, "high": 0.0}, "low=1.0 and high=0.0"),
        ("uniform", {"low": -np.inf}, "low=-inf"),
        ("normal", {"std": -1.0}, "std=-1.0 .*of at least 0"),
        ("truncated_normal", {"std": -1.0}, "std=-1.0"),
        ("truncated_normal", {"mean": None}, "mean=None"),
        ("glorot_uniform", {"gain": np.inf}, "gain=inf"),
        ("glorot_normal", {"gain": np.nan}, "gain=nan"),
        ("he_uniform", {"slope": np.nan}, "slope=nan"),
        ("he_normal", {"slope": "leaky"}, "slope='leaky'"),
        ("orthogonal", {"gain": True}, "gain=True"),
    ],
)
def test_settings_that_give_no_weights_are_refused(name, settings, message):
    with pytest.raises(errors.DomainError, match=message):
        INITIALIZERS[name]((3, 2), 0, **settings)


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
