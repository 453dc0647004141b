"""RNN, LSTM and GRU, beside loops over single numbers."""

import copy
from math import exp, tanh

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modules import as_function, filled, waves

import engine
import nn
from engine import errors
from engine.testing import check_gradients

LAYERS = [nn.RNN, nn.LSTM, nn.GRU]
each_layer = pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)


def sigmoid(x):
    return 1 / (1 + exp(-x))


def rows(weight, bias, x):
    """Weight @ x + bias, number by number."""
    return [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)]


def step(kind, x, h, c, w_ih, w_hh, b_ih, b_hh):
    """One time of one example: the new h and c."""
    n, a, b = len(h), rows(w_ih, b_ih, x), rows(w_hh, b_hh, h)
    if kind is nn.RNN:
        return [tanh(a[k] + b[k]) for k in range(n)], c
    if kind is nn.GRU:
        r, z = ([sigmoid(a[k + p * n] + b[k + p * n]) for k in range(n)] for p in (0, 1))
        new = [tanh(a[k + 2 * n] + r[k] * b[k + 2 * n]) for k in range(n)]
        return [(1 - z[k]) * new[k] + z[k] * h[k] for k in range(n)], c
    i, f, g, o = (
        [s(a[k + p * n] + b[k + p * n]) for k in range(n)] for p, s in enumerate([sigmoid] * 2 + [tanh] + [sigmoid])
    )
    c = [f[k] * c[k] + i[k] * g[k] for k in range(n)]
    return [o[k] * tanh(c[k]) for k in range(n)], c


def by_hand(layer, sequence, h0, c0):
    """One example `(time, features)`: the outputs, and the last h and c of each layer and direction."""
    named = {name: node.data.tolist() for name, node in layer.named_parameters()}
    x, ends = sequence.tolist(), []
    for number in range(layer.num_layers):
        ways = []
        for way in ("", "_reverse")[: 1 + layer.bidirectional]:
            h, c = h0[len(ends)].tolist(), c0[len(ends)].tolist()
            suffix = f"_l{number}{way}"
            zeros = [0.0] * len(named[f"weight_ih{suffix}"])
            w_ih, w_hh = (named[f"weight_{part}{suffix}"] for part in ("ih", "hh"))
            b_ih, b_hh = (named.get(f"bias_{part}{suffix}", zeros) for part in ("ih", "hh"))
            out = []
            for row in reversed(x) if way else x:
                h, c = step(type(layer), row, h, c, w_ih, w_hh, b_ih, b_hh)
                out.append(h)
            ways.append(out[::-1] if way else out)
            ends.append((h, c))
        x = [[number for part in parts for number in part] for parts in zip(*ways, strict=True)]
    return np.array(x), np.array([h for h, _ in ends]), np.array([c for _, c in ends])


@settings(max_examples=60)
@given(
    kind=st.sampled_from(LAYERS),
    num_layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    bias=st.booleans(),
    batch=st.sampled_from([(), (3,), (1,), (2, 2)]),
    time=st.integers(1, 4),
    begin=st.booleans(),
)
def test_a_recurrent_layer_is_its_formula(kind, num_layers, bidirectional, bias, batch, time, begin):
    layer = filled(kind(2, 3, num_layers, bias=bias, bidirectional=bidirectional))
    rows_of_state = num_layers * (1 + bidirectional)
    x = waves((*batch, time, 2), 0.5)
    first = [
        waves((rows_of_state, *batch, 3), start) if begin else np.zeros((rows_of_state, *batch, 3)) for start in (1, 2)
    ]
    given = (tuple(first) if kind is nn.LSTM else first[0]) if begin else None
    output, last = layer(x, given)
    h, c = last if kind is nn.LSTM else (last, None)
    assert output.shape == (*batch, time, 3 * (1 + bidirectional)) and h.shape == (rows_of_state, *batch, 3)
    for example in np.ndindex(batch):
        pick = (slice(None), *example)
        expected, last_h, last_c = by_hand(layer, x[example], first[0][pick], first[1][pick])
        np.testing.assert_allclose(output.data[example], expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(h.data[pick], last_h, rtol=1e-10, atol=1e-12)
        if c is not None:
            np.testing.assert_allclose(c.data[pick], last_c, rtol=1e-10, atol=1e-12)


@each_layer
def test_time_may_come_first(kind):
    layer, other = (filled(kind(2, 3, 2, bidirectional=True, batch_first=first)) for first in (True, False))
    x = waves((4, 5, 2), 0)
    output, last = layer(x)
    swapped, same = other(x.swapaxes(0, 1))
    np.testing.assert_array_equal(swapped.data.swapaxes(0, 1), output.data)
    np.testing.assert_array_equal(
        np.array(engine.detach(engine.stack(same))), np.array(engine.detach(engine.stack(last)))
    )
    assert repr(other) == f"{kind.__name__}(2, 3, num_layers=2, batch_first=False, bidirectional=True)"


@each_layer
def test_a_sequence_may_be_given_in_parts(kind):
    layer = filled(kind(2, 3, 2))
    x = waves((4, 6, 2), 0)
    whole, end = layer(x)
    first, state = layer(x[:, :2])
    second, last = layer(x[:, 2:], state)
    np.testing.assert_allclose(np.concatenate([first.data, second.data], axis=1), whole.data, rtol=1e-14)
    for one, other in zip(engine.stack(end).data, engine.stack(last).data, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_rectified_states():
    layer = filled(nn.RNN(2, 3, nonlinearity="relu"))
    output, _ = layer(waves((1, 2), 0))
    h = np.maximum(0, layer.weight_ih_l0.data @ waves((2,), 0) + layer.bias_ih_l0.data + layer.bias_hh_l0.data)
    np.testing.assert_allclose(output.data[0], h)
    with pytest.raises(errors.DomainError, match=r"'tahn' was given as nonlinearity.*Did you mean 'tanh'"):
        nn.RNN(2, 3, nonlinearity="tahn")


@each_layer
def test_parameters_have_pytorchs_names_shapes_and_range(kind):
    layer = kind(2, 4, num_layers=2, bidirectional=True, seed=0)
    gates = {nn.RNN: 4, nn.LSTM: 16, nn.GRU: 12}[kind]
    expected = {}
    for number, inputs in ((0, 2), (1, 8)):
        for way in ("", "_reverse"):
            expected |= {f"weight_ih_l{number}{way}": (gates, inputs), f"weight_hh_l{number}{way}": (gates, 4)}
            expected |= {f"bias_{part}_l{number}{way}": (gates,) for part in ("ih", "hh")}
    shapes = {name: node.shape for name, node in layer.named_parameters()}
    assert shapes == expected and list(shapes) == list(expected)
    numbers = np.concatenate([node.data.ravel() for node in layer.parameters()])
    assert 0.45 < abs(numbers).max() <= 0.5 and abs(numbers.mean()) < 0.05
    assert all("bias" not in name for name, _ in kind(2, 4, bias=False).named_parameters())
    again = kind(2, 4, num_layers=2, bidirectional=True, seed=0)
    assert [node.tolist() for node in layer.parameters()] == [node.tolist() for node in again.parameters()]


@each_layer
def test_float32_stays_float32(kind):
    layer = kind(2, 3, 2, bidirectional=True, dtype="float32", seed=0)
    output, last = layer(waves((2, 3, 2), 0).astype("float32"))
    assert output.dtype == np.float32 and engine.stack(last).dtype == np.float32
    output.sum().backward()
    assert {node.grad.dtype for node in layer.parameters()} == {np.dtype("float32")}


@each_layer
def test_dropout_stands_between_the_layers_while_training(kind):
    layer = kind(2, 4, 2, dropout=0.5, seed=0)
    x = waves((3, 5, 2), 0)
    assert (layer(x)[0].data != layer(x)[0].data).any()
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].data, layer(x)[0].data)
    single = kind(2, 4, dropout=0.5, seed=0)
    np.testing.assert_array_equal(single(x)[0].data, single(x)[0].data)


@each_layer
def test_derivatives_are_right(kind):
    layer = filled(kind(2, 2, 2, bidirectional=True))
    f, parameters = as_function(copy.deepcopy(layer))
    state = [waves((4, 2, 2), 3)] * layer.states

    def g(parameters, x, state):
        output, last = f(parameters, x, tuple(state) if layer.states > 1 else state[0])
        return [output, last] if layer.states == 1 else [output, *last]

    check_gradients(g, parameters, waves((2, 2, 2), 0), state)
    check_gradients(g, parameters, waves((2, 2, 2), 0), state, order=2, fast=True)


@each_layer
def test_the_graph_is_enough_to_run_it_again_on_a_larger_batch(kind):
    layer = filled(kind(2, 3))
    x = engine.Tensor(waves((1, 4, 2), 0))
    output, _ = layer(x)
    other = waves((5, 4, 2), 5)
    np.testing.assert_allclose(engine.evaluate(output, {x: other}), layer(other)[0].data, rtol=1e-14)


def test_a_recurrent_network_learns_to_remember():
    """Whether the first number of a sequence was positive."""

    class Last(nn.Module):
        def __init__(self):
            self.lstm, self.head = nn.LSTM(1, 8, seed=0), nn.Linear(8, 2, seed=1)

        def forward(self, x):
            output, _ = self.lstm(x)
            return self.head(output[:, -1])

    x = np.random.default_rng(0).normal(size=(100, 6, 1))
    y = (x[:, 0, 0] > 0).astype(int)
    model = Last()
    adam = nn.Adam(model.parameters(), learning_rate=0.05)
    nn.fit(model, x, y, loss=nn.cross_entropy, optimizer=adam, epochs=25, progress=False)
    assert nn.accuracy(model(x), y) > 0.95


# What is refused


@each_layer
@pytest.mark.parametrize("shape", [(), (2,), (4, 3), (5, 4, 3)])
def test_other_shapes_are_refused(kind, shape):
    with pytest.raises(errors.ShapeError, match=rf"{kind.__name__}\(2, 3\) takes the shape \(\.\.\., time, 2\)"):
        kind(2, 3)(np.zeros(shape))
    with pytest.raises(errors.ShapeError, match=r"batch_first=False\) takes the shape \(time, \.\.\., 2\)"):
        kind(2, 3, batch_first=False)(np.zeros(shape))


@each_layer
def test_a_sequence_without_times_is_refused(kind):
    with pytest.raises(errors.ShapeError, match="no times"):
        kind(2, 3)(np.zeros((5, 0, 2)))


@each_layer
def test_a_first_state_of_another_shape_is_refused(kind):
    layer = kind(2, 3, num_layers=2)
    for wrong in (np.zeros((1, 5, 3)), np.zeros((2, 4, 3)), np.zeros((2, 5, 2)), (np.zeros((2, 5, 3)),), 0.0):
        with pytest.raises(errors.ShapeError, match=r"first state .* here \(2, 5, 3\)"):
            layer(np.zeros((5, 4, 2)), wrong)


@each_layer
@pytest.mark.parametrize("wrong", [0, -1, 2.0, "2", True, None])
def test_sizes_are_whole_numbers(kind, wrong):
    for sizes in ((wrong, 3), (2, wrong), (2, 3, wrong)):
        with pytest.raises(errors.ShapeError, match="Give a whole number of at least 1"):
            kind(*sizes)


@each_layer
def test_settings_out_of_range_are_refused(kind):
    for wrong in (-0.1, 1.0, "0.5", None, float("nan")):
        with pytest.raises(errors.DomainError, match="dropout="):
            kind(2, 3, dropout=wrong)
    with pytest.raises(errors.DataError, match="dtype='float32'"):
        kind(2, 3, dtype=int)


def test_a_new_cell_is_only_its_step():
    class Sum(nn.layers.recurrent.Recurrent):
        def step(self, x, state, weight, bias):
            return (state[0] + x,)

    layer = Sum(1, 1, bias=False)
    layer.weight_ih_l0.data = [[1.0]]
    assert layer(np.ones((3, 1)))[0].tolist() == [[1.0], [2.0], [3.0]]
    with pytest.raises(NotImplementedError, match=r"Recurrent has no step\(\)"):
        nn.layers.recurrent.Recurrent(1, 1)(np.ones((3, 1)))
