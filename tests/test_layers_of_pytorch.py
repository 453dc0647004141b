"""Layers beside PyTorch's of the same weights: names, shapes, results and gradients.

The first numbers of each result were recorded with PyTorch 2.13 in float64; where PyTorch is installed they are
compared with it again.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from modules import filled, waves, weights

import engine
import nn


class Case(NamedTuple):
    """One architecture, written for both: `make(nn)` with our layers, or with PyTorch's."""

    make: Callable[[Any], Any]
    shape: tuple[int, ...]
    recorded: list[float]
    evaluate: bool = False


def attention(**masks):
    """PyTorch's returns a pair, takes its masks as tensors, and wants to be told that the batch comes first."""

    def make(library):
        if library is nn:
            layer = nn.MultiheadAttention(4, 2)
            forward = layer.forward
            layer.forward = lambda x: forward(x, **masks)
            return layer
        import torch

        layer = library.MultiheadAttention(4, 2, batch_first=True)
        theirs, forward = {name: torch.from_numpy(mask) for name, mask in masks.items()}, layer.forward
        layer.forward = lambda x: forward(x, x, x, **theirs)[0]
        return layer

    return make


def block(norm_first):
    def make(library):
        if library is nn:
            return nn.TransformerBlock(4, 2, 6, norm_first=norm_first)
        return library.TransformerEncoderLayer(4, 2, 6, 0.0, batch_first=True, norm_first=norm_first)

    return make


def recurrent(name, **settings):
    return lambda library: getattr(library, name)(3, 2, batch_first=True, **settings)


CASES = {
    "linear": Case(
        lambda library: library.Linear(3, 2),
        (4, 3),
        [1.3805220424372013, 1.854794675993348, -0.5016007318715998, 0.10210216195784999],
    ),
    "layer norm": Case(
        lambda library: library.LayerNorm((2, 3)),
        (4, 2, 3),
        [1.2360487936978597, -0.07847539294765431, 0.14055531096790533, -1.1472398370741343],
    ),
    "batch norm 1d": Case(
        lambda library: library.BatchNorm1d(3),
        (4, 3),
        [2.1400566963006415, -0.04822161078340953, 0.26316881264551534, 0.28978137071281873],
    ),
    "batch norm 2d": Case(
        lambda library: library.BatchNorm2d(3),
        (2, 3, 2, 2),
        [1.4096286564955371, 1.8335231275708568, -0.09389584134654305, -0.021115667730335387],
    ),
    "batch norm, evaluated": Case(
        lambda library: library.BatchNorm1d(3),
        (4, 3),
        [1.2749097390116395, 0.001961700413681352, -0.42451168091876584, 0.25586295196754677],
        evaluate=True,
    ),
    "convolution 1d": Case(
        lambda library: library.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2),
        (2, 4, 9),
        [-0.4501683306519182, 2.051124656851643, -0.08683653062367985, 1.0824479345671978],
    ),
    "convolution 2d": Case(
        lambda library: library.Conv2d(2, 3, (3, 2), padding="same"),
        (2, 2, 4, 5),
        [3.6538047250283268, -0.27036617014330266, -1.6843545634752126, 2.6041855706535983],
    ),
    "convolution 2d, without bias": Case(
        lambda library: library.Conv2d(2, 3, 2, bias=False),
        (2, 2, 4, 5),
        [1.6932306631385512, -0.11115728810031686, -1.6645866539934602, 0.5401029393900515],
    ),
    "maximum": Case(
        lambda library: library.MaxPool2d(3, stride=2, padding=1),
        (2, 3, 5, 6),
        [0.8084964038195901, 0.9993093887479176, 0.8504366206285644, 0.9826178773641395],
    ),
    "average": Case(
        lambda library: library.AvgPool2d((2, 3), padding=1),
        (2, 3, 5, 6),
        [0.2146536570706322, -0.07809936273795516, -0.13450121968928452, 0.08297201128100623],
    ),
    "average along time": Case(
        lambda library: library.AvgPool1d(2),
        (2, 3, 5),
        [0.6439609712118965, -0.6595163985281477, -0.2722582655142156, 0.4168526066498041],
    ),
    "maximum along time": Case(
        lambda library: library.MaxPool1d(2),
        (2, 3, 5),
        [0.8084964038195901, -0.6312666378723216, 0.4121184852417566, 0.9993093887479176],
    ),
    "flat": Case(
        lambda library: library.Flatten(),
        (2, 3, 2, 2),
        [0.479425538604203, 0.8084964038195901, -0.6877661591839738, -0.6312666378723216],
    ),
    "ELU": Case(
        lambda library: library.ELU(0.5),
        (2, 3),
        [0.479425538604203, 0.8084964038195901, -0.24865111873131737, -0.23404118644076044],
    ),
    "GELU": Case(
        lambda library: library.GELU(),
        (2, 3),
        [0.32801434093099885, 0.6391952859772391, -0.16905293908835364, -0.16661215970697973],
    ),
    "GELU, approximated": Case(
        lambda library: library.GELU("tanh"),
        (2, 3),
        [0.32799956955333637, 0.6391086102452386, -0.1691051533765082, -0.1666513648324889],
    ),
    "SiLU": Case(
        lambda library: library.SiLU(),
        (2, 3),
        [0.29609906877860925, 0.559308922382546, -0.2300785414007057, -0.21919054011259578],
    ),
    "RNN": Case(
        recurrent("RNN"), (2, 4, 3), [0.31366904377736293, -0.6024230371840912, 0.9922891477222829, -0.9370359407626849]
    ),
    "LSTM": Case(
        recurrent("LSTM", num_layers=2, bidirectional=True),
        (2, 4, 3),
        [0.054289180730973406, -0.22958516616105631, -0.17004936687208821, -0.240175020348484],
    ),
    "GRU": Case(
        recurrent("GRU", num_layers=2, bidirectional=True),
        (2, 4, 3),
        [-0.003296865523626526, -0.30848804766320403, 0.3482066160818716, -0.3224693009367235],
    ),
    "attention": Case(
        attention(), (2, 3, 4), [0.39567057625996027, -2.070761504920524, -1.9999695329941545, -1.6394640997195289]
    ),
    "attention, masked": Case(
        attention(attn_mask=np.eye(3, k=1, dtype=bool), key_padding_mask=np.array([[False, True, False]] * 2)),
        (2, 3, 4),
        [0.476759117202017, -2.0239574032701597, -1.999675336910402, -1.6857566546961218],
    ),
    "attention, shifted": Case(
        attention(attn_mask=waves((3, 3), 5.0)),
        (2, 3, 4),
        [0.8486213729463118, -1.651043181658136, -1.7231162158841924, -1.577791264801066],
    ),
    "block": Case(
        block(False), (2, 3, 4), [-0.7967411716395778, 0.48105426255508327, -1.8688824107466824, -0.6187462680044611]
    ),
    "block, norm first": Case(
        block(True), (2, 3, 4), [-2.657121602876043, -0.946486809478533, -3.293713648353236, -2.6048197177043595]
    ),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def parts(result):
    """All arrays of a result, the nested states of recurrent layers too."""
    return [part for each in result for part in parts(each)] if isinstance(result, tuple) else [result]


def ours(case):
    """The layer, its input and what it returns; it has seen one batch, so that buffers are not as they began."""
    layer = filled(case.make(nn))
    layer(waves(case.shape, 2.0))
    x = engine.Tensor(waves(case.shape, 0.5))
    return layer, x, parts(layer.train(not case.evaluate)(x))


@each_case
def test_a_layer_gives_pytorchs_recorded_figures(case):
    _, _, (first, *_) = ours(case)
    np.testing.assert_allclose(first.data.ravel()[:4], case.recorded, rtol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@each_case
def test_a_layer_is_pytorchs(case):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    layer, x, results = ours(case)
    theirs = case.make(torch.nn).double()
    named = dict(theirs.named_parameters())
    for name, array in weights((name, tuple(parameter.shape)) for name, parameter in named.items()).items():
        named[name].data = torch.from_numpy(array)
    theirs(torch.from_numpy(waves(case.shape, 2.0)))
    x_theirs = torch.from_numpy(waves(case.shape, 0.5)).requires_grad_()
    expected = parts(theirs.train(not case.evaluate)(x_theirs))

    shapes = {name: np.shape(part) for name, part in [*layer.named_parameters(), *layer.named_buffers()]}
    state = theirs.state_dict()
    assert shapes == {name: tuple(part.shape) for name, part in state.items()}
    for name, buffer in layer.named_buffers():
        np.testing.assert_allclose(buffer, state[name].numpy(), rtol=1e-12, atol=1e-14)

    assert [result.shape for result in results] == [tuple(result.shape) for result in expected]
    for result, other in zip(results, expected, strict=True):
        np.testing.assert_allclose(result.data, other.detach().numpy(), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(expected[0].detach().numpy().ravel()[:4], case.recorded, rtol=1e-12)

    engine.sum(engine.stack([engine.sum(result**3) for result in results])).backward()
    sum((other**3).sum() for other in expected).backward()
    np.testing.assert_allclose(x.grad, x_theirs.grad.numpy(), rtol=1e-9, atol=1e-12)
    for name, node in layer.named_parameters():
        np.testing.assert_allclose(node.grad, named[name].grad.numpy(), rtol=1e-9, atol=1e-12, err_msg=name)
