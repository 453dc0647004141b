"""MultiheadAttention and TransformerBlock, beside loops over heads and positions."""

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


def by_hand(layer, query, key, value, allowed, added):
    """One example, `(positions, embed_dim)` each: for each head and target, a weighted mean of the values."""
    E, H = layer.embed_dim, layer.num_heads
    w, d = layer.in_proj_weight.data, E // H
    b = np.zeros(3 * E) if layer.in_proj_bias is None else layer.in_proj_bias.data
    q, k, v = (x @ w[i * E : (i + 1) * E].T + b[i * E : (i + 1) * E] for i, x in enumerate((query, key, value)))
    mixed, weights = np.zeros((len(q), E)), np.zeros((H, len(q), len(k)))
    for h in range(H):
        part = slice(h * d, (h + 1) * d)
        for t in range(len(q)):
            score = [np.exp(q[t, part] @ k[s, part] / d**0.5 + added[t, s]) * allowed[t, s] for s in range(len(k))]
            if sum(score):
                weights[h, t] = np.array(score) / sum(score)
            mixed[t, part] = sum(weights[h, t, s] * v[s, part] for s in range(len(k)))
    out = layer.out_proj
    return mixed @ out.weight.data.T + (0.0 if out.bias is None else out.bias.data), weights


@settings(max_examples=60)
@given(
    heads=st.sampled_from([1, 2, 4]),
    bias=st.booleans(),
    batch=st.sampled_from([(), (3,), (2, 2)]),
    targets=st.integers(1, 4),
    sources=st.integers(1, 4),
    causal=st.booleans(),
    mask=st.sampled_from([None, bool, float]),
    padding=st.booleans(),
    data=st.data(),
)
def test_attention_is_its_formula(heads, bias, batch, targets, sources, causal, mask, padding, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    layer = filled(nn.MultiheadAttention(4, heads, bias=bias, is_causal=causal))
    query, key, value = (waves((*batch, n, 4), n + k) for k, n in enumerate((targets, sources, sources)))
    allowed, added = np.ones((targets, sources), bool), np.zeros((targets, sources))
    masks = {}
    if causal:
        allowed &= np.arange(sources) <= np.arange(targets)[:, None]
    if mask is not None:
        masks["attn_mask"] = rng.random((targets, sources)) < 0.4 if mask is bool else rng.normal(size=added.shape)
        allowed, added = (allowed & ~masks["attn_mask"], added) if mask is bool else (allowed, masks["attn_mask"])
    pad = rng.random((*batch, sources)) < 0.3
    if padding:
        masks["key_padding_mask"] = pad
    output, weights = layer(query, key, value, need_weights=True, **masks)
    assert output.shape == query.shape and weights.shape == (*batch, heads, targets, sources)
    for example in np.ndindex(batch):
        seen = allowed & ~pad[example] if padding else allowed
        expected, expected_weights = by_hand(layer, query[example], key[example], value[example], seen, added)
        np.testing.assert_allclose(output.data[example], expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(weights.data[example], expected_weights, rtol=1e-10, atol=1e-12)


def test_what_is_left_out_is_the_query_and_the_key():
    layer = filled(nn.MultiheadAttention(4, 2))
    x, memory = waves((3, 2, 4), 0), waves((3, 5, 4), 1)
    np.testing.assert_array_equal(layer(x).data, layer(x, x, x).data)
    np.testing.assert_array_equal(layer(x, memory).data, layer(x, memory, memory).data)


def test_masks_broadcast_over_batch_and_heads():
    layer, causal = (filled(nn.MultiheadAttention(4, 2, is_causal=causal)) for causal in (False, True))
    x = waves((3, 2, 4), 0)
    mask = np.array([[[[False, True], [False, False]]]] * 3)  # (batch, 1, targets, sources)
    np.testing.assert_array_equal(layer(x, attn_mask=mask).data, layer(x, attn_mask=mask[0, 0]).data)
    np.testing.assert_array_equal(layer(x, attn_mask=mask).data, causal(x).data)
    np.testing.assert_array_equal(layer(x, attn_mask=engine.Tensor(mask)).data, causal(x).data)


def test_the_future_has_no_influence_and_no_gradient():
    block = filled(nn.TransformerBlock(4, 2, is_causal=True))
    x = engine.Tensor(waves((1, 4, 4), 0))
    y = block(x)
    other = x.data.copy()
    other[:, 2:] += 1.0
    np.testing.assert_array_equal(block(other).data[:, :2], y.data[:, :2])
    y[:, :2].sum().backward()
    assert (x.grad[:, :2] != 0).all() and (x.grad[:, 2:] == 0).all()


def test_a_causal_model_learns_a_label_at_each_time():
    """Whether a 3 came so far."""
    tokens = np.random.default_rng(0).integers(6, size=(60, 6))
    labels = np.maximum.accumulate(tokens == 3, axis=1).astype(int)
    model = nn.Sequential(
        nn.Embedding(6, 8, seed=0), nn.TransformerBlock(8, 2, 8, is_causal=True, seed=1), nn.Linear(8, 2, seed=2)
    )
    adam = nn.Adam(model.parameters(), learning_rate=0.02)
    settings = {"loss": nn.cross_entropy, "metrics": [nn.accuracy]}
    nn.fit(model, tokens, labels, optimizer=adam, epochs=20, progress=False, **settings)
    assert nn.evaluate(model, tokens, labels, **settings)["accuracy"] > 0.95


def test_a_target_that_may_look_nowhere_gets_zeros_and_gives_finite_gradients():
    layer = filled(nn.MultiheadAttention(4, 2))
    x = engine.Tensor(waves((2, 3, 4), 0))
    output, weights = layer(x, key_padding_mask=np.array([[True] * 3, [False] * 3]), need_weights=True)
    assert (weights.data[0] == 0).all()
    np.testing.assert_array_equal(output.data[0], np.tile(layer.out_proj.bias.data, (3, 1)))
    engine.sum(output**2).backward()
    assert (x.grad[0] == 0).all() and all(np.isfinite(node.grad).all() for node in [x, *layer.parameters()])


def test_padding_has_no_influence():
    block = filled(nn.TransformerBlock(4, 2, norm_first=True))
    x = waves((2, 3, 4), 0)
    longer = np.concatenate([x, 9 * waves((2, 2, 4), 1)], axis=1)
    padding = np.array([[False] * 3 + [True] * 2] * 2)
    np.testing.assert_allclose(block(longer, key_padding_mask=padding).data[:, :3], block(x).data, rtol=1e-12)


def test_positions_are_told_apart_by_their_content_alone():
    block, order = filled(nn.TransformerBlock(4, 2)), [2, 0, 1]
    x = waves((2, 3, 4), 0)
    np.testing.assert_allclose(block(x[:, order]).data, block(x).data[:, order], rtol=1e-12)


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_block_is_its_parts(norm_first):
    block = filled(nn.TransformerBlock(4, 2, 6, activation="tanh", norm_first=norm_first))
    x = waves((2, 3, 4), 0)

    def feed(x):
        return block.linear2(np.tanh(block.linear1(x).data)).data

    if norm_first:
        y = x + block.self_attn(block.norm1(x)).data
        expected = y + feed(block.norm2(y))
    else:
        y = block.norm1(x + block.self_attn(x).data).data
        expected = block.norm2(y + feed(y)).data
    np.testing.assert_allclose(block(x).data, expected, rtol=1e-13)


def test_parameters_have_pytorchs_names_and_shapes():
    shapes = {name: node.shape for name, node in nn.TransformerBlock(4, 2).named_parameters()}
    assert shapes == {
        "self_attn.in_proj_weight": (12, 4), "self_attn.in_proj_bias": (12,),
        "self_attn.out_proj.weight": (4, 4), "self_attn.out_proj.bias": (4,),
        "linear1.weight": (16, 4), "linear1.bias": (16,), "linear2.weight": (4, 16), "linear2.bias": (4,),
        "norm1.weight": (4,), "norm1.bias": (4,), "norm2.weight": (4,), "norm2.bias": (4,),
    }  # fmt: skip
    assert not [name for name, _ in nn.TransformerBlock(4, 2, bias=False).named_parameters() if "bias" in name]
    assert repr(nn.MultiheadAttention(4, 2)) == "MultiheadAttention(4, 2)"


def test_dropout_acts_while_training_only_and_seeds_decide():
    x = waves((2, 3, 4), 0)

    def outputs(seed):
        block = nn.TransformerBlock(4, 2, dropout=0.5, seed=seed)
        return block(x).data, block(x).data, block.eval()(x).data, block(x).data

    first, second, third, fourth = outputs(0)
    assert (first != second).any() and (third == fourth).all()
    assert all((one == other).all() for one, other in zip(outputs(0), (first, second, third, fourth), strict=True))
    assert (outputs(1)[2] != third).any()


def test_dropout_acts_on_the_attention_weights():
    layer, x = nn.MultiheadAttention(4, 2, dropout=0.5, seed=0), waves((3, 4), 0)
    first, second = (layer(x, need_weights=True) for _ in range(2))
    assert (first[0].data != second[0].data).any()
    np.testing.assert_array_equal(first[1].data, second[1].data)
    np.testing.assert_array_equal(layer.eval()(x).data, layer(x).data)


def test_float32_stays_float32():
    block = nn.TransformerBlock(4, 2, dropout=0.5, is_causal=True, dtype="float32", seed=0)
    y = block(waves((2, 3, 4), 0).astype("float32"))
    assert y.dtype == np.float32
    y.sum().backward()
    assert {node.grad.dtype for node in block.parameters()} == {np.dtype("float32")}


def test_derivatives_of_attention_are_right():
    f, parameters = as_function(filled(nn.MultiheadAttention(2, 2)))
    # The bias of the keys has no influence, so that some derivatives are 0, which rounds.
    inputs = waves((1, 2, 2), 0), waves((1, 3, 2), 1), waves((1, 3, 2), 2)
    check_gradients(f, parameters, *inputs, order=2, atol=1e-10)


@pytest.mark.parametrize("norm_first", [False, True])
def test_derivatives_of_a_block_are_right(norm_first):
    block = nn.TransformerBlock(4, 2, 3, activation="tanh", norm_first=norm_first, is_causal=True)
    f, parameters = as_function(filled(copy.deepcopy(block)))
    check_gradients(f, parameters, waves((2, 3, 4), 0), order=2, fast=True, atol=1e-10)


def test_drawings_and_origins_name_the_parts():
    model = nn.Sequential(nn.TransformerBlock(4, 2, seed=0))
    y = model(engine.Tensor(waves((1, 2, 4), 0)))
    origins = {node.origin for node in engine.topological_order(y) if node.op is not None}
    assert "Sequential/TransformerBlock 0/self_attn/out_proj" in origins
    assert "self_attn" in engine.draw(y.sum()).source


# What is refused


@pytest.mark.parametrize(("embed_dim", "num_heads"), [(4, 3), (2, 4)])
def test_heads_must_share_the_features(embed_dim, num_heads):
    with pytest.raises(errors.ShapeError, match=rf"{num_heads} heads were to share {embed_dim} features"):
        nn.MultiheadAttention(embed_dim, num_heads)


@pytest.mark.parametrize("wrong", [0, -1, 2.0, "2", True, None])
def test_sizes_are_whole_numbers(wrong):
    for sizes in ((wrong, 2), (4, wrong)):
        for kind in (nn.MultiheadAttention, nn.TransformerBlock):
            with pytest.raises(errors.ShapeError, match="Give a whole number of at least 1"):
                kind(*sizes)


@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 3, 5), ()])
def test_other_shapes_are_refused(shape):
    layer, good = nn.MultiheadAttention(4, 2), np.zeros((3, 4))
    for inputs in ((np.zeros(shape),), (good, np.zeros(shape)), (good, good, np.zeros(shape))):
        with pytest.raises(errors.ShapeError, match=r"MultiheadAttention\(4, 2\) takes the shape \(\.\.\., "):
            layer(*inputs)


def test_key_and_value_are_equally_long():
    with pytest.raises(errors.ShapeError, match=r"takes the shape \(\.\.\., 5, 4\)"):
        nn.MultiheadAttention(4, 2)(np.zeros((3, 4)), np.zeros((5, 4)), np.zeros((6, 4)))


def test_masks_of_other_shapes_and_kinds_are_refused():
    layer, x = nn.MultiheadAttention(4, 2), np.zeros((5, 3, 4))
    for wrong in (np.zeros((3, 2), bool), np.zeros((2, 5, 2, 3, 3), bool), np.zeros((5, 3, 3))):
        with pytest.raises(errors.ShapeError, match=r"attn_mask .* broadcasts to \(5, 2, 3, 3\)"):
            layer(x, attn_mask=wrong)
    with pytest.raises(errors.ShapeError, match=r"key_padding_mask .* broadcasts to \(5, 3\)"):
        layer(x, key_padding_mask=np.zeros((5, 4), bool))
    with pytest.raises(errors.DataError, match=r"attn_mask .* dtype int64"):
        layer(x, attn_mask=np.ones((3, 3), int))
    with pytest.raises(errors.DataError, match=r"key_padding_mask .* dtype float64"):
        layer(x, key_padding_mask=np.ones((5, 3)))


def test_an_unknown_activation_is_answered_with_the_closest():
    with pytest.raises(errors.DomainError, match=r"Did you mean 'relu'"):
        nn.TransformerBlock(4, 2, activation="rely")
