"""Clipping: the norm and the entries of gradients, and gradients that are no numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
import nn
from engine import errors

numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


def parameters_with(*gradients):
    found = []
    for g in gradients:
        found.append(engine.Value(1.0) if isinstance(g, float) else engine.Tensor(np.ones_like(g)))
        found[-1].grad = g
    return found


def flat(parameters):
    return np.concatenate([np.ravel(parameter.grad) for parameter in parameters])


@given(g=st.lists(numbers, min_size=1, max_size=5), value=numbers, max_norm=st.floats(1e-3, 1e3))
def test_the_direction_stays_and_the_norm_is_at_most_the_limit(g, value, max_norm):
    parameters = parameters_with(np.array(g), value, np.zeros((0, 2)), np.array(0.5))
    before = flat(parameters)
    norm = nn.clip_grad_norm(iter(parameters), max_norm)
    after = flat(parameters)
    assert norm == pytest.approx(np.linalg.norm(before))
    if norm <= max_norm:
        np.testing.assert_array_equal(after, before)
    else:
        assert np.linalg.norm(after) == pytest.approx(max_norm)
        np.testing.assert_allclose(after * norm, before * max_norm, rtol=1e-12, atol=1e-300)


@given(g=st.lists(st.floats(allow_nan=False), min_size=1, max_size=5), limit=st.floats(1e-3, 1e3))
def test_every_entry_is_at_most_the_limit(g, limit):
    parameters = parameters_with(np.array(g), g[0])
    nn.clip_grad_value(parameters, limit)
    np.testing.assert_array_equal(parameters[0].grad, np.clip(g, -limit, limit))
    assert parameters[1].grad == parameters[0].grad[0]


@pytest.mark.parametrize("clip", [lambda p: nn.clip_grad_norm(p, 0.5), lambda p: nn.clip_grad_value(p, 0.25)])
def test_gradients_keep_their_kind_and_share_nothing(clip):
    parameters = parameters_with(3.0, np.array(3.0), np.ones((2, 2), "float32"), np.ones(3))
    old = [parameter.grad for parameter in parameters]
    parameters.append(engine.Value(1.0))  # without a gradient
    clip(parameters)
    assert type(parameters[0].grad) is float
    assert [type(p.grad) for p in parameters[1:4]] == [np.ndarray] * 3
    assert [p.grad.dtype for p in parameters[1:4]] == [float, np.float32, float]
    assert [p.grad.shape for p in parameters[1:4]] == [(), (2, 2), (3,)]
    assert all(p.grad.flags.writeable for p in parameters[1:4])
    assert (old[3] == 1).all()  # what someone kept is as it was
    assert parameters[4].grad is None


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_norms_whose_squares_are_no_floats(size):
    parameters = parameters_with(np.array([3.0, 0.0]) * size, 4 * size)
    assert nn.clip_grad_norm(parameters, size) == pytest.approx(5 * size)
    assert flat(parameters) == pytest.approx(np.array([0.6, 0.0, 0.8]) * size)


def test_limits_far_from_the_norm():
    parameters = parameters_with(np.array([3e200, 4e200]))
    nn.clip_grad_norm(parameters, 1e-200)
    assert flat(parameters) == pytest.approx([0.6e-200, 0.8e-200], rel=1e-12, abs=0)


def test_without_gradients_the_norm_is_zero():
    assert nn.clip_grad_norm([engine.Value(1.0)], 1.0) == 0.0
    nn.clip_grad_value([engine.Value(1.0)], 1.0)


def test_pytorch_does_the_same():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    gradients = [np.sin(np.arange(6.0)).reshape(2, 3), np.array([5.0, -7.0])]
    theirs = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in gradients]
    for p, g in zip(theirs, gradients, strict=True):
        p.grad = torch.from_numpy(g.copy())
    ours = parameters_with(*gradients)
    assert nn.clip_grad_norm(ours, 2.0) == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, 2.0).item())
    assert flat(ours) == pytest.approx(np.concatenate([p.grad.numpy().ravel() for p in theirs]), rel=1e-6)
    nn.clip_grad_value(ours, 0.5)
    torch.nn.utils.clip_grad_value_(theirs, 0.5)
    assert flat(ours) == pytest.approx(np.concatenate([p.grad.numpy().ravel() for p in theirs]), rel=1e-6)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("clip", [nn.clip_grad_norm, nn.clip_grad_value])
def test_a_gradient_that_is_no_number_is_named_and_nothing_is_changed(clip, wrong):
    parameters = parameters_with(np.array([3.0, 4.0]), np.array([1.0, wrong]), 9.0)
    if clip is nn.clip_grad_value and math.isinf(wrong):
        clip(parameters, 1.0)
        assert flat(parameters).tolist() == [1.0, 1.0, 1.0, math.copysign(1.0, wrong), 1.0]
        return
    with pytest.raises(errors.DomainError, match=r"gradient of parameter 1 .*NaN or infinite.*has changed nothing"):
        clip(parameters, 1.0)
    np.testing.assert_array_equal(flat(parameters), [3.0, 4.0, 1.0, wrong, 9.0])


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf, None, "small"])
@pytest.mark.parametrize("clip", [nn.clip_grad_norm, nn.clip_grad_value])
def test_a_limit_that_is_none_is_refused(clip, wrong):
    with pytest.raises(errors.DomainError, match=r"(max_norm|limit)=.*setting of clip_grad_.*in \(0, inf\)"):
        clip([engine.Value(1.0)], wrong)


@pytest.mark.parametrize("wrong", [None, [], [1.0], engine.Tensor([1.0])])
@pytest.mark.parametrize("clip", [nn.clip_grad_norm, nn.clip_grad_value])
def test_what_cannot_be_a_parameter_is_refused(clip, wrong):
    with pytest.raises(errors.DataError, match=r"clip_grad_\w+"):
        clip(wrong, 1.0)
