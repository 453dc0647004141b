"""Linear, Sequential, activations and MLP, beside NumPy by hand and PyTorch."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
import nn
from engine import errors
from nn.layers import ACTIVATIONS

sizes = st.integers(1, 5)


@given(inputs=sizes, outputs=sizes, rank=st.integers(0, 3), bias=st.booleans(), seed=st.integers(0, 99))
def test_linear_is_the_affine_map(inputs, outputs, rank, bias, seed):
    rng = np.random.default_rng(seed)
    layer = nn.Linear(inputs, outputs, bias, seed=rng)
    if bias:
        layer.bias.data = rng.normal(size=outputs)
    x = engine.Tensor(rng.normal(size=(*range(2, 2 + rank), inputs)))
    y = layer(x)
    offset = layer.bias.data if bias else 0.0
    expected = np.einsum("...i,oi->...o", x.data, layer.weight.data) + offset
    assert y.shape == expected.shape
    np.testing.assert_allclose(y.data, expected, rtol=1e-12, atol=1e-12)
    # The gradients of sum(g * y), by hand.
    g = rng.normal(size=y.shape)
    y.backward(g)
    np.testing.assert_allclose(x.grad, np.einsum("...o,oi->...i", g, layer.weight.data), atol=1e-12)
    np.testing.assert_allclose(layer.weight.grad, g.reshape(-1, outputs).T @ x.data.reshape(-1, inputs), atol=1e-12)
    if bias:
        np.testing.assert_allclose(layer.bias.grad, g.reshape(-1, outputs).sum(axis=0), atol=1e-12)


def test_linear_has_pytorchs_names_and_shapes():
    layer = nn.Linear(3, 2)
    assert {name: node.shape for name, node in layer.named_parameters()} == {"weight": (2, 3), "bias": (2,)}
    assert (layer.in_features, layer.out_features) == (3, 2)
    assert nn.Linear(3, 2, bias=False).bias is None
    assert [name for name, _ in nn.Linear(3, 2, bias=False).named_parameters()] == ["weight"]
    assert repr(nn.Linear(3, 2, bias=False, dtype="float32")) == "Linear(3, 2, bias=False, dtype='float32')"


def test_the_seed_decides_the_weights():
    def weights(seed):
        return nn.MLP([4, 3, 2], seed=seed)[0].weight.tolist()

    assert weights(0) == weights(0) == weights(np.random.default_rng(0)) != weights(1)
    assert weights(None) != weights(None)
    layers = nn.MLP([3, 3, 3, 3], seed=0)
    assert layers[0].weight.tolist() != layers[2].weight.tolist()


def test_float32_layers_start_from_the_same_draws_and_stay_float32():
    model, double = nn.MLP([3, 4, 2], seed=0, dtype="float32"), nn.MLP([3, 4, 2], seed=0)
    for single, parameter in zip(model.parameters(), double.parameters(), strict=True):
        assert single.dtype == np.float32
        assert (single.data == parameter.data.astype("float32")).all()
    y = model(np.ones((5, 3), "float32"))
    assert y.dtype == np.float32
    y.sum().backward()
    assert {parameter.grad.dtype for parameter in model.parameters()} == {np.dtype("float32")}


def test_float64_inputs_of_a_float32_layer_are_computed_as_numpy_does():
    model = nn.Linear(3, 2, dtype="float32", seed=0)
    y = model(np.ones((5, 3)))
    assert y.dtype == float
    y.sum().backward()
    assert model.weight.grad.dtype == np.float32


CLOSED_FORMS = {
    "identity": lambda x: x,
    "relu": lambda x: np.where(x > 0, x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": lambda x: 1 - 2 / (1 + np.exp(2 * x)),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_its_closed_form(name):
    x = np.linspace(-3, 3, 12).reshape(3, 4)
    np.testing.assert_allclose(ACTIVATIONS[name]()(engine.Tensor(x)).data, CLOSED_FORMS[name](x), atol=1e-12)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "softmax"])
def test_an_activation_works_on_values(name):
    module = ACTIVATIONS[name]()
    for number in (-2.0, 0.5):
        y = module(engine.Value(number))
        assert isinstance(y, engine.Value)
        assert y.data == pytest.approx(float(CLOSED_FORMS[name](np.array(number))), abs=1e-12)


def test_settings_of_activations():
    assert nn.LeakyReLU(0.2)(engine.Value(-1.0)).data == -0.2
    assert repr(nn.LeakyReLU(0.2)) == "LeakyReLU(0.2)"
    columns = nn.Softmax(axis=0)(engine.Tensor([[0.0, 5.0], [0.0, 5.0]]))
    assert columns.tolist() == [[0.5, 0.5], [0.5, 0.5]]


# Sequential and MLP


def test_sequential_calls_its_layers_in_turn():
    model = nn.Sequential(nn.Linear(2, 3, seed=0), engine.tanh, nn.Linear(3, 1, seed=1))
    x = np.ones((4, 2))
    np.testing.assert_array_equal(model(x).data, model[2](np.tanh(model[0](x).data)).data)
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(model) == 3
    assert list(model) == model.layers
    first = model[:2]
    assert isinstance(first, nn.Sequential)
    assert first.parameters() == model.parameters()[:2]
    assert nn.Sequential()(5) == 5


def test_a_subclass_of_sequential_may_hold_more():
    class Scaled(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(2, 1))
            self.scale = engine.Value(2.0)

    assert [name for name, _ in Scaled().named_parameters()] == ["0.weight", "0.bias", "scale"]


def test_sequential_refuses_what_it_cannot_call():
    for wrong in ([nn.ReLU()], nn.ReLU, "relu", None):
        with pytest.raises(errors.DataError, match=r"Sequential was given .*Sequential\(Linear\(2, 1\), ReLU\(\)\)"):
            nn.Sequential(wrong)


@given(st.lists(sizes, min_size=2, max_size=5), st.sampled_from(sorted(ACTIVATIONS)))
def test_mlp_has_the_sizes_and_ends_with_logits(sizes, activation):
    model = nn.MLP(sizes, activation=activation, seed=0)
    linear = [layer for layer in model if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == list(pairwise(sizes))
    assert [type(layer) for layer in model[1::2]] == [ACTIVATIONS[activation]] * (len(sizes) - 2)
    assert model(np.ones((3, sizes[0]))).shape == (3, sizes[-1])


def test_mlp_takes_activations_of_every_kind():
    sin = nn.MLP([2, 2, 2, 1], engine.sin)
    assert [layer for layer in sin if not isinstance(layer, nn.Linear)] == [engine.sin, engine.sin]
    shared = nn.LeakyReLU(0.3)
    assert nn.MLP([2, 2, 1], shared)[1] is shared
    assert isinstance(nn.MLP([2, 2, 1], nn.Tanh)[1], nn.Tanh)
    assert isinstance(nn.MLP([2, 1], output_activation="sigmoid")[-1], nn.Sigmoid)
    assert repr(nn.MLP([2, 2, 1], engine.sin)) == "MLP(\n  0: Linear(2, 2)\n  1: sin\n  2: Linear(2, 1)\n)"


def test_mlp_draws_for_its_activation():
    def spread(layer):
        return layer.weight.data.std()

    relu, tanh = (nn.MLP([400, 100, 100], name, seed=0) for name in ("relu", "tanh"))
    assert spread(relu[0]) == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    assert spread(tanh[0]) == pytest.approx((2 / 500) ** 0.5, rel=0.02)
    assert spread(relu[2]) == pytest.approx((2 / 200) ** 0.5, rel=0.02)
    assert spread(nn.MLP([400, 100, 100], weight_init="normal", seed=0)[0]) == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("wrong", [[3], [], "32", 3, None])
def test_mlp_needs_a_list_of_sizes(wrong):
    with pytest.raises(errors.ShapeError, match=r"MLP was given the sizes .* MLP\(\[784, 128, 10\]\)"):
        nn.MLP(wrong)


@pytest.mark.parametrize("wrong", [0, -1, 2.0, "2", True])
def test_sizes_are_whole_numbers(wrong):
    for make in (lambda: nn.MLP([2, wrong, 1]), lambda: nn.Linear(wrong, 2), lambda: nn.Linear(2, wrong)):
        with pytest.raises(errors.ShapeError, match="Give a whole number of at least 1"):
            make()


@pytest.mark.parametrize("dtype", [int, bool, complex])
def test_a_dtype_that_cannot_be_trained_is_refused(dtype):
    with pytest.raises(errors.DataError, match="dtype='float32'"):
        nn.Linear(2, 3, dtype=dtype)


def test_an_unknown_activation_is_answered_with_the_closest():
    with pytest.raises(errors.DomainError, match=r"'sigmoyd' was given as an activation.*Did you mean 'sigmoid'"):
        nn.MLP([2, 2, 1], "sigmoyd")


def test_a_wrong_input_names_the_shapes_and_the_layer():
    with pytest.raises(errors.ShapeError, match=r"\(5, 4\) and \(3, 2\).*MLP/Linear 0"):
        nn.MLP([2, 3, 1])(np.ones((5, 4)))


# PyTorch


def reference_network(linear, tanh, sequential, put):
    """3-5-4 with tanh; its weights are sines and cosines, so that no generator has to agree."""
    layers = []
    for k, (before, after) in enumerate([(3, 5), (5, 4)]):
        layer = linear(before, after)
        put(layer.weight, np.sin(np.arange(after * before) + k + 1.0).reshape(after, before))
        put(layer.bias, np.cos(np.arange(after) + k + 1.0))
        layers += [layer, tanh()]
    return sequential(*layers[:-1])


def assign(parameter, array):
    parameter.data = array


X = np.sin(0.7 * np.arange(18.0)).reshape(6, 3)


def test_a_network_gives_pytorchs_recorded_figures():
    model = reference_network(nn.Linear, nn.Tanh, nn.Sequential, assign)
    expected = [0.8512168516026253, -1.6620877547077224, -2.302303328521742, 0.020432612051565158]
    np.testing.assert_allclose(model(X).data[0], expected, rtol=1e-13)


def test_a_network_gives_what_pytorch_gives():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    def put(parameter, array):
        parameter.data = torch.from_numpy(array)

    ours = reference_network(nn.Linear, nn.Tanh, nn.Sequential, assign)
    theirs = reference_network(torch.nn.Linear, torch.nn.Tanh, torch.nn.Sequential, put)
    assert [name for name, _ in ours.named_parameters()] == list(theirs.state_dict())
    y = theirs(torch.from_numpy(X))
    np.testing.assert_allclose(ours(X).data, y.detach().numpy(), rtol=1e-12)
    y.square().sum().backward()
    engine.sum(ours(X) ** 2).backward()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad, other.grad.numpy(), rtol=1e-11, atol=1e-13)
