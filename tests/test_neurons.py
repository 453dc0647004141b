"""micrograd's networks on our Values: the same draws, the same figures, the same names."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine import errors
from nn import neurons

# What micrograd gives for random.seed(1337), MLP(2, [3, 2]) and x = [1.0, -2.0], with out = a, b and
# (a * b + a).backward().
# fmt: off
WEIGHTS = [
    0.23550571390294128, 0.06653114721000164, 0, -0.26830328150124894, 0.1715747078045431, 0, -0.6686254326224383,
    0.6487474938152629, 0, -0.23259038277158273, 0.5792256498313748, 0.8434530197925192, 0, -0.3847332240409951,
    0.9844941451716409, -0.5901079958448365, 0,
]
OUTPUTS = [-0.023827354149966364, -0.039413387059454824]
GRADIENTS = [
    -0.21425603320661643, 0.42851206641323286, -0.21425603320661643, 0, 0, 0, 0, 0, 0, 0.09840577733916286, 0, 0,
    0.9605866129405451, -0.002440955636353528, 0, 0, -0.023827354149966364,
]
# fmt: on


def test_a_seed_gives_micrograds_recorded_figures():
    random.seed(1337)
    model = neurons.MLP(2, [3, 2])
    assert [p.data for p in model.parameters()] == WEIGHTS
    a, b = model([1.0, -2.0])
    assert [a.data, b.data] == OUTPUTS
    (a * b + a).backward()
    assert [p.grad for p in model.parameters()] == pytest.approx(GRADIENTS, rel=1e-15)
    assert repr(model) == (
        "MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(3), LinearNeuron(3)]]"
    )


def test_the_network_of_micrograds_demo():
    random.seed(1337)
    model = neurons.MLP(2, [16, 16, 1])
    assert len(model.parameters()) == 337
    assert sum(p.data for p in model.parameters()) == 6.8621742082939665
    score = model([1.0, -2.0])
    assert score.data == -1.3324313779586294
    score.backward()
    assert sum(p.grad for p in model.parameters()) == pytest.approx(4.2923599531224035, rel=1e-14)


@given(
    hidden=st.lists(st.integers(2, 4), max_size=2),  # a hidden layer of one neuron fails there
    outputs=st.integers(1, 3),
    x=st.lists(st.floats(-5, 5), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_a_seed_gives_what_the_installed_micrograd_gives(hidden, outputs, x, seed):
    micrograd = pytest.importorskip("micrograd.nn", reason="micrograd is not installed")
    figures = []
    for library in (neurons, micrograd):
        random.seed(seed)
        model = library.MLP(len(x), [*hidden, outputs])
        out = model(x)
        results = out if isinstance(out, list) else [out]
        model.zero_grad()
        sum(y * y for y in results).backward()
        weights, gradients = zip(*[(p.data, p.grad) for p in model.parameters()], strict=True)
        figures.append((repr(model), weights, [y.data for y in results], gradients))
    ours, theirs = figures
    assert ours[:3] == theirs[:3]
    assert ours[3] == pytest.approx(theirs[3], rel=1e-12, abs=1e-12)


def test_code_written_for_micrograd_trains():
    """Its demo's loop, with a class of its own."""

    class Model(neurons.Module):
        def __init__(self):
            self.layer = neurons.Layer(2, 1, nonlin=False)

        def __call__(self, x):
            return self.layer(x).tanh()

        def parameters(self):
            return self.layer.parameters()

    random.seed(0)
    model = Model()
    points, labels = [[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [1.0, 3.0]], [1, -1, -1, 1]
    for step in range(50):
        scores = [model(list(map(engine.Value, point))) for point in points]
        losses = [(1 + -label * score).relu() for label, score in zip(labels, scores, strict=True)]
        loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * step / 50) * p.grad
    assert all((score.data > 0) == (label > 0) for score, label in zip(scores, labels, strict=True))


def test_zero_grad_leaves_zeros_that_can_be_used():
    neuron = neurons.Neuron(2)
    neuron.zero_grad()
    assert [(p.grad, type(p.grad)) for p in neuron.parameters()] == [(0.0, float)] * 3
    neuron.w[0].data -= 0.1 * neuron.w[0].grad
    neuron(engine.Tensor([1.0, 2.0])).backward()


def test_parameters_are_weights_then_bias_of_one_neuron_after_the_other():
    layer = neurons.Layer(2, 2)
    first, second = layer.neurons
    assert layer.parameters() == [*first.w, first.b, *second.w, second.b]
    assert isinstance(layer.parameters(), list)


def test_one_output_is_no_list():
    assert isinstance(neurons.MLP(2, [3, 1])([1, 2]), engine.Value)
    assert [type(y) for y in neurons.MLP(2, [3, 2])([1, 2])] == [engine.Value] * 2


def test_a_hidden_layer_may_have_one_neuron():
    model = neurons.MLP(1, [1, 1, 2])
    w, _, v, _, *_ = [p.data for p in model.parameters()]
    first, _ = model([3.0])
    assert first.data == max(max(3.0 * w, 0) * v, 0) * model.layers[2].neurons[0].w[0].data


def test_a_node_knows_its_neuron():
    assert neurons.MLP(1, [2, 1])([1.0]).origin == "MLP/layers.1/neurons.0"


def test_a_wrong_number_of_inputs_is_refused():
    """Where micrograd drops what is too much."""
    for x in ([1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(errors.ShapeError, match=rf"ReLUNeuron\(2\) was given {len(x)} inputs"):
            neurons.MLP(2, [2, 1])(x)
