"""Convolution, pooling and Flatten, beside loops over places and windows."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modules import as_function, filled, waves

import engine
import nn
from engine import errors
from engine.testing import check_gradients


def windows(x, window, stride, padding, dilation, filling):
    """For each place, the numbers `(batch, channels, *window)` that the window meets."""
    widths = [(0, 0), (0, 0), *[(p, p) if isinstance(p, int) else p for p in padding]]
    x = np.pad(x, widths, constant_values=filling)
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, window, strict=True)]
    places = [(n - r) // s + 1 for n, r, s in zip(x.shape[2:], reach, stride, strict=True)]
    for place in np.ndindex(*places):
        starts = [i * s for i, s in zip(place, stride, strict=True)]
        cut = tuple(slice(a, a + r, d) for a, r, d in zip(starts, reach, dilation, strict=True))
        yield place, places, x[:, :, *cut]


def convolved(x, weight, bias, stride, padding, dilation, groups):
    result = None
    inputs, outputs = weight.shape[1], weight.shape[0] // groups
    for place, places, seen in windows(x, weight.shape[2:], stride, padding, dilation, 0.0):
        if result is None:
            result = np.zeros((len(x), len(weight), *places))
        for channel, (w, b) in enumerate(zip(weight, bias, strict=True)):
            first = channel // outputs * inputs
            for example in range(len(x)):
                result[example, channel, *place] = (seen[example, first : first + inputs] * w).sum() + b
    return result


@settings(max_examples=60)
@given(
    axes=st.sampled_from([1, 2]),
    groups=st.sampled_from([1, 2]),
    window=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 1)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    bias=st.booleans(),
    batch=st.integers(1, 2),
)
def test_a_convolution_is_its_sums(axes, groups, window, stride, padding, dilation, bias, batch):
    window, stride, padding, dilation = (each[:axes] for each in (window, stride, padding, dilation))
    make = nn.Conv1d if axes == 1 else nn.Conv2d
    layer = filled(make(2, 4, window, stride, padding, dilation, groups, bias))
    x = waves((batch, 2, *(5, 6)[:axes]), 0.5)
    offset = layer.bias.data if bias else np.zeros(4)
    expected = convolved(x, layer.weight.data, offset, stride, padding, dilation, groups)
    y = layer(x)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y.data, expected, rtol=1e-11, atol=1e-12)


@given(window=st.tuples(st.integers(1, 4), st.integers(1, 4)), dilation=st.integers(1, 2))
def test_same_padding_keeps_the_lengths(window, dilation):
    layer = filled(nn.Conv2d(2, 3, window, padding="same", dilation=dilation))
    x = waves((2, 2, 3, 4), 0.5)
    y = layer(x)
    assert y.shape == (2, 3, 3, 4)
    spare = [dilation * (k - 1) for k in window]
    padding = [(n // 2, n - n // 2) for n in spare]
    expected = convolved(x, layer.weight.data, layer.bias.data, (1, 1), padding, (dilation, dilation), 1)
    np.testing.assert_allclose(y.data, expected, rtol=1e-11, atol=1e-12)


def test_a_convolution_with_a_window_of_one_is_a_linear_layer():
    layer, linear = filled(nn.Conv1d(3, 2, 1)), filled(nn.Linear(3, 2))
    x = waves((4, 3, 5), 0)
    np.testing.assert_allclose(layer(x).data.swapaxes(1, 2), linear(x.swapaxes(1, 2)).data, rtol=1e-13)


def test_the_parts_of_a_convolution():
    layer = nn.Conv2d(4, 6, (3, 2), groups=2, seed=0)
    assert {name: node.shape for name, node in layer.named_parameters()} == {"weight": (6, 2, 3, 2), "bias": (6,)}
    assert layer.bias.tolist() == [0] * 6
    assert layer.weight.tolist() == nn.Conv2d(4, 6, (3, 2), groups=2, seed=0).weight.tolist()
    reprs = {
        "Conv2d(4, 6, (3, 2), groups=2)": layer,
        "Conv2d(1, 2, 3)": nn.Conv2d(1, 2, 3),
        "Conv1d(1, 2, 3, stride=2, padding=1, dilation=2, bias=False)": nn.Conv1d(1, 2, 3, 2, 1, 2, bias=False),
        "Conv2d(1, 2, 3, stride=(1, 2), padding=1)": nn.Conv2d(1, 2, 3, (1, 2), 1),
        "Conv2d(1, 2, 3, padding='same')": nn.Conv2d(1, 2, 3, padding="same"),
    }
    assert {repr(module): module for module in reprs.values()} == reprs
    assert nn.Conv1d(1, 1, 3, weight_init="zeros").weight.tolist() == [[[0, 0, 0]]]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv1d(2, 2, 2, 2, 1, groups=2), (2, 2, 4)),
        (nn.Conv1d(1, 2, 2, padding="same", dilation=1), (1, 1, 3)),
        (nn.Conv2d(1, 2, 2, bias=False), (2, 1, 3, 3)),
    ],
)
def test_the_derivatives_of_a_convolution_are_right(layer, shape):
    f, parameters = as_function(filled(copy.deepcopy(layer)))
    check_gradients(f, parameters, waves(shape, 7), order=2)


# Pooling

POOLS = {"maximum": (nn.MaxPool1d, nn.MaxPool2d, np.max, -np.inf), "mean": (nn.AvgPool1d, nn.AvgPool2d, np.mean, 0.0)}
each_pool = pytest.mark.parametrize("kind", POOLS)


@settings(max_examples=60)
@given(
    kind=st.sampled_from(sorted(POOLS)),
    axes=st.sampled_from([1, 2]),
    window=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.none() | st.tuples(st.integers(1, 3), st.integers(1, 2)),
    padded=st.booleans(),
)
def test_pooling_is_one_number_for_each_window(kind, axes, window, stride, padded):
    window, stride = window[:axes], stride and stride[:axes]
    padding = tuple(k // 2 * padded for k in window)
    *makes, reduce, filling = POOLS[kind]
    x = waves((2, 3, *(5, 6)[:axes]), 0.5)
    y = makes[axes - 1](window, stride, padding)(engine.Tensor(x))
    for place, places, seen in windows(x, window, stride or window, padding, (1,) * axes, filling):
        assert y.shape == (2, 3, *places)
        np.testing.assert_allclose(y.data[:, :, *place], reduce(seen.reshape(2, 3, -1), axis=-1), rtol=1e-12)


@each_pool
def test_the_derivatives_of_pooling_are_right(kind):
    one, two, *_ = POOLS[kind]
    check_gradients(one(2, 1, 1), waves((1, 2, 4), 0), order=2)
    check_gradients(two((2, 3)), waves((1, 2, 4, 3), 0), order=2)


def test_equal_numbers_share_the_gradient():
    x = engine.Tensor([[[1.0, 1.0, 0.0, 2.0]]])
    nn.MaxPool1d(2)(x).sum().backward()
    assert x.grad.tolist() == [[[0.5, 0.5, 0.0, 1.0]]]


# Flatten


@given(shape=st.lists(st.integers(0, 3), min_size=2, max_size=5))
def test_flatten_keeps_the_batch_and_the_order(shape):
    x = waves(tuple(shape), 0)
    y = nn.Flatten()(x)
    assert y.shape == (shape[0], np.prod(shape[1:]))
    np.testing.assert_array_equal(y.ravel(), x.ravel())


def test_flatten_between_other_axes():
    assert nn.Flatten(0, 1)(np.zeros((2, 3, 4))).shape == (6, 4)
    assert nn.Flatten(-2)(engine.Tensor(np.zeros((2, 3, 4)))).shape == (2, 12)
    for layer in (nn.Flatten(), nn.Flatten(2, 1), nn.Flatten(0, 3)):
        with pytest.raises(errors.ShapeError, match="has no axes from"):
            layer(np.zeros(3))


# Together


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_small_convolutional_network_keeps_its_dtype(dtype):
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, seed=0, dtype=dtype), nn.BatchNorm2d(4, dtype=dtype), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, padding="same", seed=1, dtype=dtype), nn.GELU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Dropout(0.2, seed=2), nn.Linear(16, 2, seed=3, dtype=dtype),
    )  # fmt: skip
    y = model(waves((3, 1, 8, 8), 0).astype(dtype))
    assert y.shape == (3, 2) and y.dtype == dtype
    nn.cross_entropy(y, [0, 1, 0]).backward()
    assert {node.grad.dtype for node in model.parameters()} == {np.dtype(dtype)}


def test_a_convolutional_network_learns_to_tell_lines_apart():
    """Horizontal from vertical ones, wherever they are."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(scale=0.1, size=(120, 1, 6, 6)), rng.integers(2, size=120)
    for image, label in zip(x[:, 0], y, strict=True):
        (image if label else image.T)[rng.integers(6)] += 1.0
    model = nn.Sequential(nn.Conv2d(1, 4, 3, seed=0), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(4, 2, seed=1))
    adam = nn.Adam(model.parameters(), learning_rate=0.05)
    nn.fit(model, x[:80], y[:80], loss=nn.cross_entropy, optimizer=adam, epochs=15, progress=False)
    assert nn.accuracy(model(x[80:]), y[80:]) > 0.9


# What is refused


@pytest.mark.parametrize("wrong", [0, -1, 2.0, "2", True, None])
def test_sizes_are_whole_numbers(wrong):
    for sizes in ((wrong, 2, 3), (2, wrong, 3), (2, 2, wrong), (2, 2, 3, wrong), (2, 2, 3, 1, 0, wrong)):
        for make in (nn.Conv1d, nn.Conv2d):
            with pytest.raises(errors.ShapeError, match=r"whole numbers? of at least 1"):
                make(*sizes)
    with pytest.raises(errors.ShapeError, match="whole number of at least 1"):
        nn.Conv1d(2, 2, 3, groups=wrong)
    for make in (nn.MaxPool1d, nn.AvgPool2d):
        with pytest.raises(errors.ShapeError, match=r"kernel_size=.*whole numbers of at least 1"):
            make(wrong)


@pytest.mark.parametrize("wrong", [-1, 1.0, "valid", True, None, (1, 2, 3), []])
def test_padding_is_of_whole_numbers(wrong):
    for make in (lambda: nn.Conv2d(2, 2, 3, padding=wrong), lambda: nn.MaxPool2d(9, padding=wrong)):
        with pytest.raises(errors.ShapeError, match=r"padding=.*at least 0, as in padding=0 or padding=\(0, 0\)"):
            make()


def test_a_window_of_other_axes_is_refused():
    with pytest.raises(errors.ShapeError, match=r"kernel_size=\(3, 3, 3\).*kernel_size=1 or kernel_size=\(1, 1\)"):
        nn.Conv2d(1, 1, (3, 3, 3))
    with pytest.raises(errors.ShapeError, match=r"stride=\(1, 1\)"):
        nn.MaxPool1d(2, (1, 1))


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(errors.ShapeError, match="3 and 4 channels were to fall into 2 groups"):
        nn.Conv1d(3, 4, 1, groups=2)
    with pytest.raises(errors.DomainError, match='padding="same" was given with stride=2'):
        nn.Conv1d(1, 1, 3, 2, "same")
    for wrong in (nn.MaxPool2d(2, padding=(1, 2)), nn.AvgPool2d(2, padding=(1, 2))):
        with pytest.raises(errors.DomainError, match="More than half of some windows"):
            wrong(np.zeros((1, 1, 4, 4)))
    with pytest.raises(errors.DomainError, match=r"weight_init.*Did you mean 'he_normal'"):
        nn.Conv1d(1, 1, 3, weight_init="he_norml")
    with pytest.raises(errors.DataError, match="dtype='float32'"):
        nn.Conv1d(1, 1, 3, dtype=int)


@pytest.mark.parametrize("shape", [(), (2,), (2, 3), (4, 2, 6, 6, 6), (4, 3, 6, 6), (2, 6, 6)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(errors.ShapeError, match=r"Conv2d\(2, 1, 3\) takes the shape \(batch, 2, height, width\)"):
        nn.Conv2d(2, 1, 3)(np.zeros(shape))


@each_pool
def test_pooling_refuses_other_shapes(kind):
    one, two, *_ = POOLS[kind]
    with pytest.raises(errors.ShapeError, match=r"takes the shape \(batch, channels, length\)"):
        one(2)(np.zeros((2, 3, 4, 4)))
    with pytest.raises(errors.ShapeError, match=r"takes the shape \(batch, channels, height, width\)"):
        two(2)(np.zeros((3, 4, 4)))


def test_a_window_larger_than_the_image_names_the_layer():
    model = nn.Sequential(nn.Conv2d(1, 1, 5), nn.MaxPool2d(2))
    with pytest.raises(errors.ShapeError, match="Sequential/Conv2d 0"):
        model(np.zeros((1, 1, 4, 4)))
    with pytest.raises(errors.ShapeError, match="Sequential/MaxPool2d 1"):
        model(np.zeros((1, 1, 5, 5)))
