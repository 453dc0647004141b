"""Embedding: rows of a table, and gradients that go to them alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modules import as_function, waves

import engine
import nn
from engine import errors
from engine.testing import check_gradients


@given(shape=st.lists(st.integers(0, 3), max_size=3), dtype=st.sampled_from([int, np.int32, np.uint8]), data=st.data())
def test_each_token_gets_its_row_and_its_gradient(shape, dtype, data):
    layer = nn.Embedding(5, 2, seed=0)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    tokens = rng.integers(5, size=shape).astype(dtype)
    y = layer(tokens)
    assert y.shape == (*shape, 2)
    expected = np.zeros((5, 2))
    g = rng.normal(size=y.shape)
    for place in np.ndindex(*shape):
        np.testing.assert_array_equal(y.data[place], layer.weight.data[tokens[place]])
        expected[tokens[place]] += g[place]
    y.backward(g)
    np.testing.assert_allclose(layer.weight.grad, expected, atol=1e-14)


def test_tokens_of_every_kind():
    layer = nn.Embedding(5, 2, seed=0)
    rows = layer.weight.data[[1, 4]]
    for tokens in ([1, 4], (1, 4), np.array([1, 4]), engine.Tensor(np.array([1, 4]))):
        np.testing.assert_array_equal(layer(tokens).data, rows)
    np.testing.assert_array_equal(layer(4).data, rows[1])


def test_the_table_is_that_of_pytorch():
    layer = nn.Embedding(200, 50, seed=0, dtype="float32")
    assert {name: node.shape for name, node in layer.named_parameters()} == {"weight": (200, 50)}
    assert layer.weight.dtype == layer([1]).dtype == np.float32
    assert layer.weight.data.mean() == pytest.approx(0, abs=0.05) and layer.weight.data.std() == pytest.approx(
        1, abs=0.05
    )
    assert layer.weight.tolist() == nn.Embedding(200, 50, seed=0, dtype="float32").weight.tolist()


def test_padding_starts_at_zero_and_is_not_trained():
    layer = nn.Embedding(3, 2, padding_idx=1, seed=0)
    assert layer.weight.data[1].tolist() == [0, 0] and (layer.weight.data[[0, 2]] != 0).all()
    y = layer([[0, 1], [1, 2]])
    assert y.data[0, 1].tolist() == y.data[1, 0].tolist() == [0, 0]
    y.sum().backward()
    assert layer.weight.grad.tolist() == [[1, 1], [0, 0], [1, 1]]


@pytest.mark.parametrize("padding", [None, 1])
def test_derivatives_are_right(padding):
    f, parameters = as_function(nn.Embedding(3, 2, padding, seed=0))
    tokens = np.array([[2, 0], [2, 2]])
    check_gradients(lambda parameters, x: f(parameters, tokens) * x, parameters, waves((2, 2, 2), 0), order=2)


def test_a_model_of_sequences_learns_from_tokens():
    """Whether a 3 is among the tokens."""

    class Model(nn.Module):
        def __init__(self):
            self.embedding = nn.Embedding(6, 4, seed=0)
            self.block = nn.TransformerBlock(4, 2, 8, seed=1)
            self.head = nn.Linear(4, 2, seed=2)

        def forward(self, tokens):
            return self.head(engine.mean(self.block(self.embedding(tokens)), axis=-2))

    tokens = np.random.default_rng(0).integers(6, size=(80, 5))
    y = (tokens == 3).any(axis=1).astype(int)
    model = Model()
    adam = nn.Adam(model.parameters(), learning_rate=0.02)
    nn.fit(model, tokens, y, loss=nn.cross_entropy, optimizer=adam, epochs=25, progress=False)
    assert nn.accuracy(model(tokens), y) > 0.95


@pytest.mark.parametrize("wrong", [[0.0, 1.0], 1.0, [True, False], ["1"], [], None])
def test_tokens_that_are_no_integers_are_refused(wrong):
    with pytest.raises(errors.DataError, match=r"Embedding\(3, 2\)\. They choose rows"):
        nn.Embedding(3, 2)(wrong)


@pytest.mark.parametrize(("wrong", "token"), [([0, 3], 3), ([[-1, 0]], -1), (99, 99)])
def test_tokens_outside_the_table_are_refused(wrong, token):
    with pytest.raises(errors.IndexingError, match=rf"token {token} was given to Embedding\(3, 2\).* are 0, \.\.\., 2"):
        nn.Embedding(3, 2)(wrong)


@pytest.mark.parametrize("wrong", [0, -1, 2.0, "2", True, None])
def test_sizes_are_whole_numbers(wrong):
    for sizes in ((wrong, 2), (3, wrong)):
        with pytest.raises(errors.ShapeError, match="Give a whole number of at least 1"):
            nn.Embedding(*sizes)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [((1,), errors.ShapeError), (3, errors.IndexingError), (-1, errors.IndexingError), (0.5, errors.DataError)],
)
def test_padding_is_a_token(wrong, error):
    with pytest.raises(error, match=r"Embedding\(3, 2\)"):
        nn.Embedding(3, 2, padding_idx=wrong)
