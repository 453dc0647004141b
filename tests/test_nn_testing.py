"""Random networks: data and targets fit them, what is printed makes them again, and they shrink to a single layer."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import engine
import nn
import nn.testing
from engine.testing import check_gradient, strategies
from nn.testing import Network, networks

QUIET = settings(database=None, derandomize=True)
LOSSES = [nn.mse_loss, nn.cross_entropy]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)


def loss_of(network, loss):
    return loss(network.module(network.data), network.targets)


@each_loss
@given(data=st.data())
def test_data_and_targets_fit_the_loss(loss, data):
    network = data.draw(networks(loss))
    module, inputs, targets = network
    result = module(inputs)
    assert result.shape[0] == inputs.shape[0] == targets.shape[0]
    value = loss_of(network, loss)
    assert value.shape == () and np.isfinite(value.data) and value.data >= 0
    value.backward()
    assert all(parameter.grad.shape == parameter.shape for parameter in module.parameters())


@each_loss
@settings(max_examples=30)
@given(data=st.data(), seed=st.integers(0, 99))
def test_gradients_by_the_parameters_are_right(loss, data, seed):
    """Along a random direction, by differences of the recorded graph: nothing that is drawn lies at a kink."""
    network = data.draw(networks(loss))
    value, rng = loss_of(network, loss), np.random.default_rng(seed)
    parameters = network.module.parameters()
    directions = [rng.normal(size=parameter.shape) for parameter in parameters]
    gradients = engine.gradients(value, parameters)

    def moved(t):
        return engine.evaluate(value, {p: p.data + t * v for p, v in zip(parameters, directions, strict=True)})

    slope = sum(np.sum(g * v) for g, v in zip(gradients, directions, strict=True))
    check_gradient(moved, lambda t: slope, 0.0)


@each_loss
@given(data=st.data())
def test_what_is_printed_makes_the_network_again(loss, data):
    network = data.draw(networks(loss, dtype=data.draw(st.sampled_from([np.float64, np.float32]))))
    namespace = {}
    exec(repr(network), namespace)
    again = Network(namespace["module"], namespace["data"], namespace["targets"])
    assert repr(again.module) == repr(network.module)
    np.testing.assert_array_equal(again.targets, network.targets, strict=True)
    first, second = loss_of(network, loss), loss_of(again, loss)
    assert first.data == second.data
    for one, other in zip(network.module.parameters(), again.module.parameters(), strict=True):
        np.testing.assert_array_equal(one.data, other.data, strict=True)


@given(networks(width=2, batch=2, blocks=1, layers=[nn.Tanh], dtype=np.float32))
def test_networks_are_no_larger_than_asked_for(network):
    module, data, _ = network
    assert len(module) <= 2 and data.shape[0] <= 2 and data.shape[1] <= 2
    assert all(p.dtype == np.float32 and max(p.shape) <= 2 for p in module.parameters())
    assert {type(layer) for layer in module} <= {nn.Tanh, nn.Linear, nn.Residual}


FEATURES = {
    "a residual block": lambda n: any(isinstance(layer, nn.Residual) for layer in n.module),
    "a layer in two places": lambda n: len({*map(id, n.module)}) < len(n.module),
    "a kink": lambda n: any(isinstance(layer, nn.ReLU) for layer in n.module),
    "no bias": lambda n: any(isinstance(layer, nn.Linear) and layer.bias is None for layer in n.module),
    "rows with a single 1": lambda n: n.targets.ndim == 2,
    "labels": lambda n: n.targets.ndim == 1 and n.targets.max() == 2,
}


@pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)
def test_networks_have_every_feature(feature):
    find(networks(nn.cross_entropy), feature, settings=settings(QUIET, max_examples=2000, phases=["generate"]))


# What is wrong shrinks.


@engine.primitive(
    x=lambda xp, g, out, x: g * (1.0 - out * out) * xp.where(xp.less(x, 0.0), 1.01, 1.0), kind="elementwise"
)
def wrong_tanh(xp, x):
    return xp.tanh(x)


class Wrong(nn.Module):
    def forward(self, x):
        return wrong_tanh(x)


def is_wrong(network):
    """Whether the gradient by the data is another one than with the right function in place of the wrong."""
    x = engine.Tensor(network.data)
    result = network.module(x)
    right = Network(nn.Sequential(*[nn.Tanh() if type(layer) is Wrong else layer for layer in network.module]), x, None)
    other = right.module(x)
    return not np.allclose(*[engine.gradients((y * y).sum(), [x])[0] for y in (result, other)], rtol=1e-6, atol=0)


def test_a_wrong_layer_shrinks_to_a_network_of_it_alone():
    network = find(networks(layers=[nn.Tanh, Wrong]), is_wrong, settings=settings(QUIET, max_examples=2000))
    wrong, last = network.module
    assert type(wrong) is Wrong and (last.in_features, last.out_features) == (1, 1)
    assert network.data.shape == (1, 1) and -1 <= network.data.item() < 0
    assert "nn.Sequential(Wrong(), nn.Linear(1, 1))" in repr(network)


def test_networks_shrink_to_a_single_layer():
    network = find(networks(), lambda network: True, settings=QUIET)
    assert repr(network.module) == repr(nn.Sequential(nn.Linear(1, 1)))
    assert network.data.tolist() == network.targets.tolist() == [[0.0]]


# Without Hypothesis

WITHOUT = """
import sys
sys.modules["hypothesis"] = None
import nn
try:
    import nn.testing
except ImportError as error:
    print(error)
"""


def test_networks_say_which_extra_they_need():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert "pip install 'chainrule[test]'" in done.stdout


def test_the_strategies_are_the_engines():
    assert nn.testing.strategies is strategies
