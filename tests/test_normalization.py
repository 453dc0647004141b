"""LayerNorm and BatchNorm, beside NumPy by hand."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modules import as_function, filled, waves

import engine
import nn
from engine import errors
from engine.testing import check_gradients


def normalized(row, eps=1e-5):
    """One set of numbers, by the formula."""
    mean = sum(row) / len(row)
    return [(x - mean) / (sum((y - mean) ** 2 for y in row) / len(row) + eps) ** 0.5 for x in row]


# LayerNorm


@given(rank=st.integers(0, 3), sizes=st.lists(st.integers(1, 4), min_size=1, max_size=2), seed=st.integers(0, 99))
def test_layer_norm_is_the_formula_example_by_example(rank, sizes, seed):
    rng = np.random.default_rng(seed)
    layer = filled(nn.LayerNorm(sizes))
    x = rng.normal(3.0, 5.0, size=(*range(2, 2 + rank), *sizes))
    expected = np.array([normalized(row) for row in x.reshape(-1, np.prod(sizes)).tolist()]).reshape(x.shape)
    y = layer(engine.Tensor(x))
    np.testing.assert_allclose(y.data, expected * layer.weight.data + layer.bias.data, rtol=1e-9, atol=1e-9)


def test_layer_norm_keeps_its_digits_far_from_zero():
    x = np.array([1.0, 2.0, 3.0, 4.0])
    near, far = nn.LayerNorm(4)(x).data, nn.LayerNorm(4)(x + 1e9).data
    np.testing.assert_allclose(far, near, rtol=1e-6)


def test_the_parts_of_layer_norm():
    assert [name for name, _ in nn.LayerNorm(3).named_parameters()] == ["weight", "bias"]
    assert [name for name, _ in nn.LayerNorm(3, bias=False).named_parameters()] == ["weight"]
    plain = nn.LayerNorm((2, 3), elementwise_affine=False)
    assert plain.parameters() == []
    np.testing.assert_allclose(plain(waves((5, 2, 3), 0)).mean(axis=(1, 2)), 0, atol=1e-12)


@pytest.mark.parametrize("wrong", [0, -1, 2.0, "2", True, None, [], [2, 0], [3, None]])
def test_layer_norm_refuses_sizes_that_are_none(wrong):
    with pytest.raises(errors.ShapeError, match="Give a whole number of at least 1"):
        nn.LayerNorm(wrong)


@pytest.mark.parametrize("shape", [(), (2,), (3, 2), (3, 3), (2, 3, 1)])
def test_layer_norm_names_the_shape_that_it_takes(shape):
    with pytest.raises(errors.ShapeError, match=r"LayerNorm\(\(2, 3\)\) takes the shape \(\.\.\., 2, 3\)"):
        nn.LayerNorm((2, 3))(np.zeros(shape))


# BatchNorm

shapes = st.sampled_from([(4, 3), (2, 3, 2), (1, 3, 2, 2), (2, 3, 1, 2, 2), (5, 1)])


def statistics(x):
    """For each feature, all its numbers."""
    return [np.moveaxis(x, 1, 0)[feature].ravel().tolist() for feature in range(x.shape[1])]


@given(shape=shapes, seed=st.integers(0, 99))
def test_batch_norm_is_the_formula_feature_by_feature(shape, seed):
    x = np.random.default_rng(seed).normal(3.0, 5.0, shape)
    layer = filled(nn.BatchNorm(shape[1]))
    y = layer(engine.Tensor(x)).data
    for feature, numbers in enumerate(statistics(x)):
        expected = np.array(normalized(numbers)) * layer.weight.data[feature] + layer.bias.data[feature]
        np.testing.assert_allclose(np.moveaxis(y, 1, 0)[feature].ravel(), expected, rtol=1e-9, atol=1e-9)


@given(momentum=st.sampled_from([0.0, 0.1, 1.0, None]), shape=shapes, batches=st.integers(1, 4))
def test_the_buffers_follow_the_batches(momentum, shape, batches):
    layer = nn.BatchNorm(shape[1], momentum=momentum)
    mean, var = np.zeros(shape[1]), np.ones(shape[1])
    for batch in range(batches):
        x = waves(shape, batch)
        layer(x)
        rate = 1 / (batch + 1) if momentum is None else momentum
        for feature, numbers in enumerate(statistics(x)):
            mean[feature] += rate * (np.mean(numbers) - mean[feature])
            var[feature] += rate * (np.var(numbers, ddof=1) - var[feature])
    np.testing.assert_allclose(layer.running_mean, mean, atol=1e-12)
    np.testing.assert_allclose(layer.running_var, var, atol=1e-12)
    assert layer.num_batches_tracked == batches
    before = [buffer.copy() for buffer in layer.buffers()]
    y = layer.eval()(waves(shape, 9))
    assert [buffer.tolist() for buffer in layer.buffers()] == [buffer.tolist() for buffer in before]
    columns = (1, -1, *[1] * (len(shape) - 2))
    expected = (waves(shape, 9) - mean.reshape(columns)) / np.sqrt(var.reshape(columns) + 1e-5)
    np.testing.assert_allclose(y.data, expected, rtol=1e-9, atol=1e-9)


def test_examples_do_not_depend_on_each_other_in_evaluation_mode():
    layer = nn.BatchNorm1d(3)
    layer(waves((4, 3), 0))
    x = waves((4, 3), 1)
    together = layer.eval()(x).data
    np.testing.assert_array_equal(together, [layer(row[None]).data[0] for row in x])


def test_the_parts_of_batch_norm():
    layer = nn.BatchNorm2d(3, dtype="float32")
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    assert [name for name, _ in layer.named_buffers()] == ["running_mean", "running_var", "num_batches_tracked"]
    assert {array.dtype for array in layer.buffers()[:2]} == {np.dtype("float32")}
    assert nn.BatchNorm(3, affine=False).parameters() == []


def test_float32_stays_float32():
    for layer in (nn.LayerNorm(3, dtype="float32"), nn.BatchNorm(3, dtype="float32")):
        x = waves((4, 3), 0).astype("float32")
        for mode in (True, False):
            y = layer.train(mode)(x)
            assert y.dtype == np.float32
            y.sum().backward()
        assert {node.grad.dtype for node in layer.parameters()} == {np.dtype("float32")}
        assert {buffer.dtype.name for buffer in layer.buffers()} <= {"float32", "int64"}


def test_training_does_not_change_what_evaluation_recorded():
    layer = nn.BatchNorm(2)
    x = engine.Tensor(waves((3, 2), 0))
    y = layer.eval()(x).sum()
    layer.train()(5 * waves((3, 2), 1) + 3)
    np.testing.assert_array_equal(engine.evaluate(y), y.data)


def test_a_batch_of_one_number_has_no_variance():
    for shape in ((1, 3), (1, 3, 1, 1), (0, 3), (2, 3, 0)):
        layer = nn.BatchNorm(3)
        with pytest.raises(
            errors.ShapeError, match=r"in training mode\. Fewer than two numbers.* or call eval\(\) first"
        ):
            layer(np.zeros(shape))
        assert layer.running_mean.tolist() == [0, 0, 0] and layer.num_batches_tracked == 0
        assert layer.eval()(np.zeros(shape)).shape == shape


@pytest.mark.parametrize(("kind", "shape"), [("1d", (2, 3, 4, 4)), ("1d", (3,)), ("2d", (2, 3)), ("2d", (2, 4, 5, 5))])
def test_batch_norm_refuses_other_shapes(kind, shape):
    layer = getattr(nn, f"BatchNorm{kind}")(3)
    with pytest.raises(errors.ShapeError, match=rf"{shape}".replace("(", r"\(").replace(")", r"\)")):
        layer(np.zeros(shape))
    assert layer.num_batches_tracked == 0


@pytest.mark.parametrize(
    "settings", [{"momentum": -0.1}, {"momentum": 1.5}, {"momentum": "0.1"}, {"eps": -1e-5}, {"eps": float("nan")}]
)
def test_batch_norm_refuses_settings_out_of_range(settings):
    with pytest.raises(errors.DomainError, match=rf"{next(iter(settings))}=.*BatchNorm"):
        nn.BatchNorm(3, **settings)


def test_sizes_and_dtypes_are_checked():
    with pytest.raises(errors.ShapeError, match=r"num_features.*BatchNorm2d\(0\)"):
        nn.BatchNorm2d(0)
    for make in (nn.BatchNorm, nn.LayerNorm):
        with pytest.raises(errors.DataError, match="dtype='float32'"):
            make(3, dtype=int)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.LayerNorm(3), (2, 3)),
        (nn.LayerNorm((2, 2)), (3, 2, 2)),
        (nn.BatchNorm(2), (3, 2)),
        (nn.BatchNorm(2), (2, 2, 2)),
    ],
)
def test_derivatives_are_right(layer, shape):
    f, parameters = as_function(filled(copy.deepcopy(layer)))
    check_gradients(f, parameters, waves(shape, 7), order=2)


def test_a_network_with_normalization_learns_and_fit_restores_the_buffers():
    x = waves((40, 2), 0) * [1.0, 100.0]
    model = nn.Sequential(nn.BatchNorm(2), nn.Linear(2, 1, seed=0))
    sgd = nn.SGD(model.parameters(), learning_rate=0.1)
    history = nn.fit(model, x, x @ [[1.0], [0.01]], loss=nn.mse_loss, optimizer=sgd, epochs=30, progress=False)
    assert history["loss"][-1] < 1e-2 * history["loss"][0]
    before = [buffer.copy() for buffer in model.buffers()]
    sgd.learning_rate = 1e300
    with pytest.raises(nn.DivergenceError):
        nn.fit(model, x, x @ [[1.0], [0.01]], loss=nn.mse_loss, optimizer=sgd, epochs=30, progress=False)
    assert [buffer.tolist() for buffer in model.buffers()] == [buffer.tolist() for buffer in before]
