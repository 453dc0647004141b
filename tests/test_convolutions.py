"""Convolutions and windows: against loops, SciPy and PyTorch, to second order, and what does not fit is explained."""

import hypothesis
import naive_convolutions as naive
import numpy as np
import pytest
from hypothesis import strategies as st
from messages import explained

import engine
from engine.errors import DomainError, ShapeError
from engine.primitives import convolutions
from engine.testing import check_gradients

signal = pytest.importorskip("scipy.signal")


@st.composite
def layers(draw):
    """The shapes of images and of windows that fit into them, and settings."""
    axes, groups = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    window = draw(st.lists(st.integers(1, 3), min_size=axes, max_size=axes))
    settings = {
        name: draw(st.integers(low, high) | st.tuples(*[st.integers(low, high)] * axes))
        for name, low, high in (("stride", 1, 3), ("padding", 0, 2), ("dilation", 1, 2))
    }
    padding, dilation = [np.broadcast_to(settings[name], axes).tolist() for name in ("padding", "dilation")]
    least = [max(1, d * (k - 1) + 1 - 2 * p) for k, p, d in zip(window, padding, dilation, strict=True)]
    spatial = [draw(st.integers(n, n + 3)) for n in least]
    channels, out = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    images = (draw(st.integers(0, 2)), channels, *spatial)
    return images, (out, channels // groups, *window), settings | {"groups": groups}


def filled(*shapes):
    rng = np.random.default_rng(11)
    return [rng.normal(size=shape) for shape in shapes]


@hypothesis.given(layers())
@hypothesis.settings(max_examples=40, deadline=None)
def test_the_three_products_are_sums_of_the_same_terms(layer):
    images, weights, settings = layer
    x, weight = filled(images, weights)
    y = engine.convolution(x, weight, **settings)
    np.testing.assert_allclose(y, naive.convolution(x, weight, **settings), rtol=1e-12, atol=1e-12)
    window = engine.window_correlation(x, y, window=weights[2:], **settings)
    np.testing.assert_allclose(
        window, naive.window_correlation(x, y, window=weights[2:], **settings), rtol=1e-11, atol=1e-11
    )
    ends = convolutions._left_over(
        x, weights[2:], **{name: settings[name] for name in ("stride", "padding", "dilation")}
    )
    back = engine.transposed_convolution(y, weight, output_padding=ends, **settings)
    np.testing.assert_allclose(
        back, naive.transposed_convolution(y, weight, output_padding=ends, **settings), rtol=1e-11, atol=1e-11
    )
    assert back.shape == images


@hypothesis.given(layers())
@hypothesis.settings(max_examples=40, deadline=None)
def test_the_rules_are_the_transposes(layer):
    """<convolution(x, w), g> = <x, rule by x> = <w, rule by w>, because it is linear in each."""
    images, weights, settings = layer
    x, weight = map(engine.Tensor, filled(images, weights))
    y = engine.convolution(x, weight, **settings)
    (g,) = filled(y.shape)
    y.backward(g)
    product = np.vdot(y.data, g)
    np.testing.assert_allclose(np.vdot(x.data, x.grad), product, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.vdot(weight.data, weight.grad), product, rtol=1e-9, atol=1e-9)
    assert (x.grad.shape, weight.grad.shape) == (images, weights)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_scipy_correlates_the_same(axes):
    x, weight = filled((7, 6, 5)[:axes], (3, 2, 2)[:axes])
    expected = signal.correlate(x, weight, mode="valid")
    mine = engine.convolution(x[None, None], weight[None, None])
    np.testing.assert_allclose(mine[0, 0], expected, rtol=1e-12, atol=1e-12)
    full = signal.convolve(x, weight, mode="full")
    np.testing.assert_allclose(engine.transposed_convolution(x[None, None], weight[None, None])[0, 0], full, rtol=1e-12)


SETTINGS = [
    {},
    {"stride": 2, "padding": 1},
    {"padding": 2, "dilation": 2},
    {"stride": 3, "padding": 1, "dilation": 2, "groups": 2},
    {"groups": 4},
]


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_pytorch_computes_the_same_forward_and_backward(axes, settings):
    torch = pytest.importorskip("torch")
    groups = settings.get("groups", 1)
    for name, weights, more in (
        ("conv", (8, 4 // groups, *(3, 2, 2)[:axes]), {}),
        ("conv_transpose", (4, 8 // groups, *(3, 2, 2)[:axes]), {"output_padding": settings.get("stride", 1) - 1}),
    ):
        arrays = filled((2, 4, *(7, 6, 5)[:axes]), weights)
        row = engine.convolution if name == "conv" else engine.transposed_convolution
        mine = [engine.Tensor(array) for array in arrays]
        theirs = [torch.from_numpy(array).requires_grad_() for array in arrays]
        y = row(*mine, **settings, **more)
        z = getattr(torch.nn.functional, f"{name}{axes}d")(*theirs, **settings, **more)
        (g,) = filled(y.shape)
        y.backward(g)
        z.backward(torch.from_numpy(g))
        for ours, torchs in [(y.data, z.detach()), *[(x.grad, t.grad) for x, t in zip(mine, theirs, strict=True)]]:
            np.testing.assert_allclose(ours, torchs.numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["max_pool", "average_pool"])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_pytorch_pools_the_same(name, axes):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn.functional, f"{name.replace('average', 'avg')}{axes}d")
    for settings in [{}, {"stride": 1, "padding": 1}, {"stride": 3}] + [{"dilation": 2}] * (name == "max_pool"):
        (array,) = filled((2, 2, *(7, 6, 5)[:axes]))
        x, t = engine.Tensor(array), torch.from_numpy(array).requires_grad_()
        y, z = getattr(engine, name)(x, 2, **settings), theirs(t, 2, **settings)
        np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-12)
        (g,) = filled(y.shape)
        y.backward(g)
        z.backward(torch.from_numpy(g))
        np.testing.assert_allclose(x.grad, t.grad.numpy(), rtol=1e-12, atol=1e-15)


def test_a_few_images_at_a_time_are_as_good_as_all(monkeypatch):
    x, weight = filled((5, 4, 6, 6), (6, 2, 3, 3))

    def both():
        leaves = engine.Tensor(x), engine.Tensor(weight)
        y = engine.convolution(*leaves, padding=1, groups=2)
        return [y.data, *engine.gradients((y * y).sum(), leaves)]

    whole = both()
    for many in (1, 1500):
        monkeypatch.setattr(convolutions, "MANY", many)
        for part, all_at_once in zip(both(), whole, strict=True):
            np.testing.assert_allclose(part, all_at_once, rtol=1e-12, atol=1e-12)


def test_the_third_derivative_of_a_network_of_windows():
    x, weight = filled((1, 1, 5), (2, 1, 2))
    check_gradients(
        lambda x, w: engine.sum(engine.tanh(engine.convolution(x, w, stride=2, padding=1))), x, weight, order=3
    )


def test_a_tie_in_a_window_is_split_evenly():
    x = engine.Tensor([[[2.0, 2.0, 2.0, 1.0]]])
    engine.max_pool(x, 3, stride=1).sum().backward()
    np.testing.assert_allclose(x.grad, [[[1 / 3, 5 / 6, 5 / 6, 0.0]]])


def test_no_padding_is_ever_the_largest():
    x = engine.Tensor(-np.ones((1, 1, 3)))
    with engine.detect_anomaly():
        y = engine.max_pool(x, 3, stride=1, padding=1)
        y.sum().backward()
    assert y.tolist() == [[[-1.0, -1.0, -1.0]]]
    np.testing.assert_allclose(x.grad, [[[5 / 6, 8 / 6, 5 / 6]]])
    assert engine.max_pool(np.array([[[-3, -2]]]), 2, padding=1).tolist() == [[[-3.0, -2.0]]]
    assert engine.max_pool(engine.Tensor(np.ones((1, 1, 3), np.float32)), 2, padding=1).dtype == np.float32


def test_what_no_window_takes_sends_back_an_exact_zero():
    x = engine.Tensor([[[0.0, 4.0, 0.0, 9.0]]])
    y = engine.max_pool(engine.sqrt(x), 2)  # sqrt'(0) is infinite
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [[[0.0, 0.25, 0.0, 1 / 6]]])
    x = engine.Tensor([0.0, 4.0, 0.0, 9.0])
    engine.sliding_window_view(engine.sqrt(x), 1, stride=3).sum().backward()
    np.testing.assert_array_equal(x.grad, [np.inf, 0.0, 0.0, 1 / 6])
    x = engine.Tensor([0.0, 4.0, 0.0])
    engine.pad(engine.sqrt(x), 1)[2:3].sum().backward()
    np.testing.assert_array_equal(x.grad, [0.0, 0.25, 0.0])
    x = engine.Tensor([4.0, 0.0])
    engine.cumsum(engine.sqrt(x))[0].backward()
    np.testing.assert_array_equal(x.grad, [0.25, 0.0])


def test_images_of_bytes_meet_weights_of_floats():
    x = np.full((1, 1, 3), 200, np.uint8)
    y = engine.convolution(x, engine.Tensor(np.ones((1, 1, 2))))
    assert y.tolist() == [[[400.0, 400.0]]]


X, WEIGHT = np.zeros((2, 4, 5)), np.zeros((6, 4, 3))


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: engine.convolution(X, np.zeros((6, 3, 3))), ShapeError, ["4 channels", "meets 3", "(2, 4, 5)"]),
        (lambda: engine.convolution(X[0], WEIGHT[0]), ShapeError, ["(batch, in_channels, *spatial)"]),
        (lambda: engine.convolution(X, WEIGHT[..., None]), ShapeError, ["(6, 4, 3, 1)"]),
        (lambda: engine.convolution(X, WEIGHT, dilation=3), ShapeError, ["(7,)", "does not fit into (5,)"]),
        (lambda: engine.convolution(X, WEIGHT[..., :0]), ShapeError, ["does not fit"]),
        (lambda: engine.convolution(X, WEIGHT, groups=4), ShapeError, ["groups=4"]),
        (lambda: engine.convolution(X, WEIGHT, groups=2), ShapeError, ["meets 8"]),
        (lambda: engine.convolution(X, WEIGHT, stride=0), DomainError, ["stride=0"]),
        (lambda: engine.convolution(X, WEIGHT, stride=(1, 1)), DomainError, ["stride=(1, 1)", "1 axes"]),
        (lambda: engine.convolution(X, WEIGHT, padding="same"), DomainError, ["padding='same'"]),
        (lambda: engine.convolution(X, WEIGHT, padding=-1), DomainError, ["padding=-1"]),
        (lambda: engine.convolution(X, WEIGHT, dilation=1.0), DomainError, ["dilation=1.0"]),
        (lambda: engine.convolution(X, WEIGHT, groups=True / 2), DomainError, ["groups=0.5"]),
        (lambda: engine.transposed_convolution(X, WEIGHT), ShapeError, ["4 channels", "meets 6"]),
        (lambda: engine.transposed_convolution(X, np.zeros((4, 1, 2)), output_padding=1), ShapeError, ["stride"]),
        (lambda: engine.transposed_convolution(X, np.zeros((4, 1, 2)), padding=3), ShapeError, ["no entries"]),
        (lambda: engine.window_correlation(X, X, window=2), ShapeError, ["(4,)"]),
        (lambda: engine.window_correlation(X, X[:1], window=2), ShapeError, ["(batch, out_channels, *places)"]),
        (lambda: engine.sliding_window_view(X, 6), ShapeError, ["(6, 6, 6)", "(2, 4, 5)"]),
        (lambda: engine.sliding_window_view(X, 2, axis=3), ShapeError, ["axis=3"]),
        (lambda: engine.overlap_add(X[0], shape=(9,)), ShapeError, ["(4, 5)", "(5, 5)"]),
        (lambda: engine.max_pool(X[0], 2), ShapeError, ["(4, 5)", "(batch, channels, *spatial)"]),
        (lambda: engine.max_pool(X, 2, padding=2), DomainError, ["padding=2", "half"]),
        (lambda: engine.average_pool(X, (2, 2)), DomainError, ["window=(2, 2)"]),
        (lambda: engine.pad(X, -1), DomainError, ["less than 0"]),
    ],
)
def test_what_does_not_fit_is_explained(call, kind, words):
    with explained(kind, *words):
        call()
