"""Linear, Sequential, activations and MLP, beside NumPy by hand and PyTorch."""

import copy
import pickle
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import explained
from modules import as_function

import engine
import nn
from engine import errors
from engine.testing import check_gradients
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
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "gelu": lambda x: x * np.vectorize(NormalDist().cdf)(x),
    "silu": lambda x: x / (1 + np.exp(-x)),
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


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_derivatives_of_an_activation_are_right(name):
    check_gradients(ACTIVATIONS[name](), np.array([[-2.0, -0.3, 0.4], [1.5, 3.0, -1.0]]), order=2)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_finite_far_out_and_keeps_float32(name):
    x = engine.Tensor(np.array([-1000.0, -30.0, 0.0, 30.0, 1000.0], "float32"))
    y = ACTIVATIONS[name]()(x)
    assert y.dtype == np.float32 and np.isfinite(y.data).all()
    y.sum().backward()
    assert np.isfinite(x.grad).all()


def test_settings_of_activations():
    assert nn.LeakyReLU(0.2)(engine.Value(-1.0)).data == -0.2
    assert nn.ELU(2.0)(engine.Value(-1.0)).data == pytest.approx(2 * (np.exp(-1) - 1))
    assert nn.GELU("tanh")(engine.Value(1.0)).data == pytest.approx(0.8411919906)
    with pytest.raises(errors.DomainError, match=r"'tan' was given as approximate.*Did you mean 'tanh'"):
        nn.GELU("tan")
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
    assert isinstance(nn.MLP([2, 2, 1], nn.Tanh)[1], nn.Tanh)
    assert isinstance(nn.MLP([2, 1], output_activation="sigmoid")[-1], nn.Sigmoid)
    assert repr(nn.MLP([2, 2, 1], engine.sin)) == "MLP(\n  0: Linear(2, 2)\n  1: sin\n  2: Linear(2, 1)\n)"


def test_every_place_has_an_activation_of_its_own():
    given = nn.LeakyReLU(0.3)
    model = nn.MLP([2, 2, 2, 1], given)
    assert model[1] is not model[3] and given not in (model[1], model[3])
    model[1].slope = 0.5
    assert (model[3].slope, given.slope) == (0.3, 0.3)
    assert nn.TransformerBlock(2, 1, activation=given).activation is not given


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_name_a_class_a_module_and_a_function_draw_the_same_weights(name):
    kind = ACTIVATIONS[name]
    choices = [name, kind, kind(), getattr(engine, name, kind)]
    drawn = [nn.MLP([3, 2, 1], choice, seed=0)[0].weight.tolist() for choice in choices]
    assert drawn == [drawn[0]] * 4
    draw = "glorot_uniform" if name in ("identity", "sigmoid", "tanh", "softplus", "softmax") else "he_uniform"
    assert drawn[0] == nn.MLP([3, 2, 1], name, weight_init=draw, seed=0)[0].weight.tolist()


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


@pytest.mark.parametrize("dtype", [int, bool, complex, "float23", object])
def test_a_dtype_that_cannot_be_trained_is_refused(dtype):
    with pytest.raises(errors.DataError, match="dtype='float32'"):
        nn.Linear(2, 3, dtype=dtype)


def test_an_unknown_activation_is_answered_with_the_closest():
    with pytest.raises(errors.DomainError, match=r"'sigmoyd' was given as an activation.*Did you mean 'sigmoid'"):
        nn.MLP([2, 2, 1], "sigmoyd")


def test_a_wrong_input_names_the_shapes_and_the_layer():
    with pytest.raises(errors.ShapeError, match=r"\(5, 4\) and \(3, 2\).*MLP/Linear 0"):
        nn.MLP([2, 3, 1])(np.ones((5, 4)))


# Residual


@given(rank=st.integers(0, 2), seed=st.integers(0, 99))
def test_residual_adds_its_input(rank, seed):
    x = np.random.default_rng(seed).normal(size=(*range(2, 2 + rank), 3))
    model = nn.Residual(nn.Linear(3, 4, seed=0), nn.Tanh(), nn.Linear(4, 3, seed=1))
    np.testing.assert_array_equal(model(x).data, x + model[2](np.tanh(model[0](x).data)).data)


def test_residual_is_a_sequential():
    model = nn.Residual(nn.Linear(3, 3), nn.ReLU())
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias"]
    assert repr(model) == "Residual(\n  0: Linear(3, 3)\n  1: ReLU()\n)"
    assert nn.Residual(nn.Tanh())(engine.Value(0.0)).data == 0.0
    f, parameters = as_function(nn.Residual(nn.Linear(2, 2, seed=0), nn.Tanh()))
    check_gradients(f, parameters, np.ones((3, 2)), order=2)


def test_residual_refuses_another_shape():
    """Shapes that broadcast as well."""
    for outputs in (1, 2):
        with pytest.raises(errors.ShapeError, match=rf"made shape \(5, {outputs}\) of shape \(5, 3\)"):
            nn.Residual(nn.Linear(3, outputs))(np.zeros((5, 3)))


# Dropout


@given(p=st.floats(0, 0.9), shape=st.sampled_from([(), (7,), (2, 3), (2, 3, 4)]), seed=st.integers(0, 99))
def test_dropout_keeps_an_entry_enlarged_or_drops_it(p, shape, seed):
    layer, x = nn.Dropout(p, seed=seed), engine.Tensor(np.ones(shape))
    y = layer(x)
    assert y.shape == shape
    assert (np.isclose(y.data, 0) | np.isclose(y.data, 1 / (1 - p))).all()
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, y.data)
    assert layer.eval()(x) is x


def test_dropout_drops_as_many_as_it_says_and_keeps_the_mean():
    y = nn.Dropout(0.3, seed=0)(np.ones((200, 200)))
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert y.mean() == pytest.approx(1.0, abs=0.02)


def test_the_seed_decides_the_masks():
    def masks(seed):
        layer = nn.Dropout(0.5, seed=seed)
        return [engine.detach(layer(engine.Tensor(np.ones(20)))).tolist() for _ in range(2)]

    assert masks(0) == masks(0) == masks(np.random.default_rng(0)) != masks(1)
    assert masks(0)[0] != masks(0)[1]


def test_a_graph_that_is_evaluated_again_drops_other_entries():
    x = engine.Tensor(np.ones(50))
    y = nn.Dropout(0.5, seed=0)(x)
    again = engine.evaluate(y, {x: np.full(50, 3.0)})
    assert set(again.tolist()) == {0.0, 6.0}
    assert ((again == 0) != (y.data == 0)).any()


def test_a_dropped_nan_is_gone():
    x = engine.Tensor(np.full(20, np.nan))
    y = nn.Dropout(0.5, seed=0)(engine.sqrt(x))
    dropped = y.data == 0
    assert 0 < dropped.sum() < 20
    y.sum().backward()
    assert (x.grad[dropped] == 0).all()


def test_dropout_keeps_float32_and_takes_values():
    assert nn.Dropout(0.5, seed=0)(np.ones(3, "float32")).dtype == np.float32
    assert nn.Dropout(0.5, seed=0)(engine.Tensor(np.ones(3, "float32"))).dtype == np.float32
    assert nn.Dropout(0.5, seed=0)(engine.Value(1.0)).data in (0.0, 2.0)


@pytest.mark.parametrize("wrong", [-0.1, 1.0, 1.5, float("nan"), "0.5", None, True])
def test_probabilities_lie_between_0_and_1(wrong):
    with pytest.raises(errors.DomainError, match=r"p=.* was given.*0 <= p < 1"):
        nn.Dropout(wrong)


def test_a_model_with_its_dropout_is_copied_with_its_generator():
    layer = nn.Dropout(0.5, seed=0)
    layer(np.ones(3))
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(other(np.ones(9)), copy.deepcopy(layer)(np.ones(9)))


# Every layer

WRITTEN = [
    "Linear(3, 2)", "Linear(3, 2, bias=False, dtype='float32')", "ReLU()", "LeakyReLU()", "LeakyReLU(slope=0.2)",
    "ELU(alpha=2.0)", "GELU()", "GELU(approximate='tanh')", "SiLU()", "Softmax()", "Softmax(axis=0)",
    "Dropout()", "Dropout(p=0.2)", "Flatten()", "Flatten(start_dim=0, end_dim=1)",
    "LayerNorm(2)", "LayerNorm((2, 2), eps=1)", "LayerNorm(2, elementwise_affine=False)", "LayerNorm(2, bias=False)",
    "BatchNorm(2, momentum=None)", "BatchNorm1d(2, eps=0.1)", "BatchNorm2d(2, affine=False, dtype='float32')",
    "Conv1d(2, 4, 3, stride=2, groups=2)", "Conv2d(1, 1, (2, 3), padding='same', dilation=(1, 2), bias=False)",
    "MaxPool1d(3, stride=2)", "AvgPool2d((2, 3), stride=1, padding=1)", "MaxPool2d(2)", "AvgPool1d(2)",
    "Embedding(3, 2)", "Embedding(3, 2, padding_idx=0, dtype='float32')",
    "RNN(1, 2)", "RNN(1, 2, nonlinearity='relu', bias=False, dropout=0.5)",
    "LSTM(1, 2, num_layers=2, batch_first=False)", "GRU(1, 2, bidirectional=True, dtype='float32')",
    "MultiheadAttention(4, 2)", "MultiheadAttention(4, 2, dropout=0.1, bias=False, is_causal=True)",
]  # fmt: skip


@pytest.mark.parametrize("call", WRITTEN)
def test_a_layer_is_written_as_the_call_that_makes_it(call):
    assert repr(eval(call, dict(vars(nn)))) == call


def test_a_layer_of_ones_own_is_written_with_its_name():
    class Doubled(nn.Linear):
        def __init__(self, size):
            super().__init__(size, 2 * size)
            self.size = size

    class Any(nn.Linear):
        def __init__(self, *sizes):
            super().__init__(*sizes)

    class Masked(nn.Linear):
        def __init__(self, size, mask=None, scale=1.0):
            super().__init__(size, size)
            self.size, self.mask, self.scale = size, mask, engine.Tensor(scale)

    assert [repr(Doubled(3)), repr(Any(3, 2))] == ["Doubled(3)", "Any()"]
    assert repr(Masked(2, np.array([True, False]))) == "Masked(2, mask=array([ True, False]), scale=Tensor(1.))"


DRAWN = {
    "Linear": (lambda **s: nn.Linear(4, 2, **s), ["weight"]),
    "Conv1d": (lambda **s: nn.Conv1d(3, 2, 2, **s), ["weight"]),
    "Conv2d": (lambda **s: nn.Conv2d(1, 2, 2, **s), ["weight"]),
    "Embedding": (lambda **s: nn.Embedding(4, 2, **s), ["weight"]),
    "RNN": (lambda **s: nn.RNN(4, 2, **s), ["weight_ih_l0", "weight_hh_l0"]),
    "LSTM": (lambda **s: nn.LSTM(4, 2, **s), ["weight_ih_l0", "weight_hh_l0"]),
    "GRU": (lambda **s: nn.GRU(4, 2, **s), ["weight_ih_l0", "weight_hh_l0"]),
    "MultiheadAttention": (lambda **s: nn.MultiheadAttention(4, 2, **s), ["in_proj_weight", "out_proj.weight"]),
    "TransformerBlock": (
        lambda **s: nn.TransformerBlock(4, 2, **s),
        ["self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight", "linear2.weight"],
    ),
    "MLP": (lambda **s: nn.MLP([4, 2, 1], **s), ["0.weight", "2.weight"]),
}
each_drawn = pytest.mark.parametrize(("make", "names"), DRAWN.values(), ids=DRAWN)


@each_drawn
def test_weights_are_drawn_as_the_layer_is_told(make, names):
    shapes = []

    def sevens(shape, rng):
        shapes.append(shape)
        return np.full(shape, 7.0)

    for choice, number in ((sevens, 7.0), ("ones", 1.0)):
        parameters = dict(make(weight_init=choice).named_parameters())
        assert all((parameters[name].data == number).all() for name in names)
        assert not any((parameters[name].data == 7.0).any() for name in parameters if name not in names)
    assert shapes == [parameters[name].shape for name in names]


@each_drawn
def test_weights_of_another_shape_are_refused(make, names):
    """Also those that could be reshaped."""
    with explained(errors.ShapeError, "initialises a weight of", "Return an array of the shape that it is given"):
        make(weight_init=lambda shape, rng: np.zeros(shape).T[None])
    with pytest.raises(errors.DomainError, match="Did you mean 'he_normal'"):
        make(weight_init="he_norml")


X34 = np.ones((3, 4))
LAYERS = {
    "Linear": (lambda **s: nn.Linear(4, 2, **s), X34),
    "LayerNorm": (lambda **s: nn.LayerNorm(4, **s), X34),
    "BatchNorm": (lambda **s: nn.BatchNorm(4, **s), X34),
    "Embedding": (lambda **s: nn.Embedding(4, 2, **s), np.array([1, 2])),
    "Conv1d": (lambda **s: nn.Conv1d(3, 2, 2, **s), X34[None]),
    "Conv2d": (lambda **s: nn.Conv2d(1, 2, 2, **s), X34[None, None]),
    "RNN": (lambda **s: nn.RNN(4, 2, **s), X34),
    "LSTM": (lambda **s: nn.LSTM(4, 2, **s), X34),
    "GRU": (lambda **s: nn.GRU(4, 2, **s), X34),
    "MultiheadAttention": (lambda **s: nn.MultiheadAttention(4, 2, **s), X34),
    "TransformerBlock": (lambda **s: nn.TransformerBlock(4, 2, dropout=0.5, **s), X34),
}
each_kind = pytest.mark.parametrize(("make", "x"), LAYERS.values(), ids=LAYERS)


def first_of(result):
    return result[0] if isinstance(result, tuple) else result


@each_kind
def test_every_layer_is_drawn_explained_and_named(make, x):
    layer = make()
    total = engine.sum(first_of(layer(x)))
    made = [node for node in engine.topological_order(total) if node.op is not None and node is not total]
    assert made and all(node.origin.split("/")[0] == type(layer).__name__ for node in made)
    assert type(layer).__name__ in engine.draw(total).source
    parameter = layer.parameters()[0]
    total.backward()
    assert engine.evaluate(engine.sum(first_of(layer.eval()(x)))).shape == ()
    assert str(engine.explain(total, parameter))


@each_kind
def test_every_layer_is_pickled_and_copied(make, x):
    layer = make().eval()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(first_of(other(x)).data, first_of(layer(x)).data)


@each_kind
def test_every_layer_keeps_its_dtype_and_its_seed(make, x):
    seeded = {} if isinstance(make(), nn.LayerNorm | nn.BatchNorm) else {"seed": 0}
    layer, other, double = make(dtype="float32", **seeded), make(dtype="float32", **seeded), make(**seeded)
    x = x.astype("float32") if x.dtype.kind == "f" else x
    y = first_of(layer(x))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y.data, first_of(other(x)).data)
    for single, parameter in zip(layer.parameters(), double.parameters(), strict=True):
        assert (single.data == parameter.data.astype("float32")).all()
    assert first_of(layer(x.astype(float) if x.dtype.kind == "f" else x)).dtype == (
        y.dtype if x.dtype.kind == "i" else float
    )


COMPLAINTS = {
    "seed": lambda: nn.Linear(2, 3, seed="x"),
    "seed of a mask": lambda: nn.Dropout(0.5, seed=-1),
    "axis": lambda: nn.Softmax(1.0),
    "axes in one": lambda: nn.Flatten("first"),
    "slope": lambda: nn.LeakyReLU("0.1"),
    "alpha": lambda: nn.ELU(float("inf")),
    "rows": lambda: nn.BatchNorm(2)([[1.0, 2.0], [3.0]]),
    "rows of tokens": lambda: nn.Embedding(3, 2)([[1, 2], [0]]),
    "padding of tokens": lambda: nn.Embedding(3, 2, padding_idx=(1,)),
    "size": lambda: nn.LSTM(0, 2),
    "sizes": lambda: nn.Conv2d(1, 2, (3, 0)),
    "number": lambda: nn.Dropout(1.0),
    "momentum": lambda: nn.BatchNorm(3, momentum=2.0),
    "eps": lambda: nn.LayerNorm(3, eps=-1.0),
    "dtype": lambda: nn.GRU(2, 2, dtype=int),
    "shape": lambda: nn.BatchNorm(3)(X34),
    "axes": lambda: nn.BatchNorm2d(4)(X34),
    "single row": lambda: nn.BatchNorm(4)(X34[:1]),
    "groups": lambda: nn.Conv1d(3, 4, 1, groups=2),
    "same": lambda: nn.Conv1d(3, 4, 1, 2, "same"),
    "half a window": lambda: nn.MaxPool1d(2, padding=2)(np.ones((1, 1, 4))),
    "flat": lambda: nn.Flatten()(np.ones(3)),
    "tokens": lambda: nn.Embedding(3, 2)([0.5]),
    "token": lambda: nn.Embedding(3, 2)([7]),
    "heads": lambda: nn.MultiheadAttention(4, 3),
    "mask": lambda: nn.MultiheadAttention(4, 2)(X34, attn_mask=np.ones((2, 2), bool)),
    "padding": lambda: nn.MultiheadAttention(4, 2)(X34, key_padding_mask=np.ones(3)),
    "no times": lambda: nn.RNN(4, 2)(X34[:0]),
    "state": lambda: nn.LSTM(4, 2)(X34, X34),
    "residual": lambda: nn.Residual(nn.Linear(4, 2))(X34),
}


@pytest.mark.parametrize("wrong", COMPLAINTS.values(), ids=COMPLAINTS)
def test_every_complaint_has_three_sentences(wrong):
    with explained((ValueError, TypeError, IndexError)):
        wrong()


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
