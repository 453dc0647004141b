"""Averaging: means of weights beside NumPy's, and what fit does with them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
import nn
from engine import errors

X = np.random.default_rng(0).normal(size=(20, 2))
Y = X @ [[1.0], [2.0]]


class Mixed(nn.Linear):
    """With a Value among its parameters, and buffers of floats, integers and booleans."""

    def __init__(self):
        super().__init__(2, 1, seed=0)
        self.scale = engine.Value(1.0)
        self.mean, self.count, self.flag = np.zeros(2), np.array(0), np.array(False)

    def forward(self, x):
        if self.training:
            self.count += 1
            self.flag[...] = self.count % 2 == 1
            self.mean += x.mean(axis=0)
        return self.scale * super().forward(x)


def trained(averaging, seed=0, **given_settings):
    """The model after training, and its states after each step."""
    model, states = Mixed(), []

    class Watching(nn.SGD):
        def step(self, closure=None):
            loss = super().step(closure)
            states.append(model.state_dict())
            return loss

    given_settings = {"epochs": 3, "batch_size": 6, "progress": False, "seed": seed, **given_settings}
    optimizer = Watching(model.parameters(), learning_rate=0.05)
    history = nn.fit(model, X, Y, loss=nn.mse_loss, optimizer=optimizer, averaging=averaging, **given_settings)
    return model, states, history


@settings(max_examples=25)
@given(
    decay=st.floats(0.01, 1.0), unit=st.sampled_from(["step", "epoch"]),
    start=st.integers(0, 13), seed=st.integers(0, 5),
)  # fmt: skip
def test_the_mean_is_that_of_the_weights_one_by_one(decay, unit, start, seed):
    model, states, _ = trained(nn.Averaging(decay, unit, start), seed)
    taken = (states if unit == "step" else states[3::4])[start:]
    for name, found in model.state_dict().items():
        if not taken or found.dtype.kind != "f":
            np.testing.assert_array_equal(found, states[-1][name])
            continue
        shares = decay ** np.arange(len(taken) - 1, -1, -1.0)
        expected = np.average([state[name] for state in taken], axis=0, weights=shares)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_a_number_is_the_decay_of_steps():
    plain, states, _ = trained(0.9)
    assert repr(plain.state_dict()) == repr(trained(nn.Averaging(0.9, "step", 0))[0].state_dict())
    last = trained(None)[1]
    assert repr(states[-1]) == repr(last[-1])  # training itself goes on with its own weights


def test_validation_sees_the_mean():
    model, _, history = trained(nn.Averaging(1.0), validation=(X, Y))
    expected = nn.evaluate(model, X, Y, loss=nn.mse_loss)["loss"]
    assert history["validation_loss"][-1] == pytest.approx(expected, rel=1e-12)
    assert history["validation_loss"] != trained(None, validation=(X, Y))[2]["validation_loss"]


def test_early_stopping_keeps_the_best_mean():
    model, _, history = trained(0.5, epochs=8, validation=(X, Y), early_stopping=3)
    best = min(history["validation_loss"])
    assert nn.evaluate(model, X, Y, loss=nn.mse_loss)["loss"] == pytest.approx(best, rel=1e-12)


def test_an_interrupt_leaves_the_mean():
    def interrupt(epoch, history):
        raise KeyboardInterrupt

    model = Mixed()
    sgd, average = nn.SGD(model.parameters(), 0.05), nn.Averaging(0.9)
    with pytest.raises(KeyboardInterrupt):
        nn.fit(model, X, Y, loss=nn.mse_loss, optimizer=sgd, averaging=average, callbacks=interrupt, progress=False)
    assert repr(model.state_dict()) == repr(average.mean)


def test_batch_normalisation_is_averaged_with_its_layer():
    if not hasattr(nn, "BatchNorm"):
        pytest.skip("no BatchNorm yet")
    model = nn.Sequential(nn.Linear(2, 4, seed=0), nn.BatchNorm(4), nn.Linear(4, 1, seed=1))
    sgd = nn.SGD(model.parameters(), 0.05)
    nn.fit(model, X, Y, loss=nn.mse_loss, optimizer=sgd, averaging=1.0, epochs=3, batch_size=5, progress=False)
    assert np.isfinite(model(X).data).all()
    assert (model.state_dict()["1.running_var"] > 0).all()


@pytest.mark.parametrize("decay", [0, -0.1, 1.5, np.nan, True, "ema", None])
def test_decays_that_cannot_be_are_refused(decay):
    with pytest.raises(errors.DomainError, match="as the decay of averaged weights"):
        nn.Averaging(decay)


def test_units_and_starts_that_cannot_be_are_refused():
    with pytest.raises(errors.DomainError, match="unit='batch'"):
        nn.Averaging(0.9, unit="batch")
    with pytest.raises(errors.DomainError, match="start=-1"):
        nn.Averaging(0.9, start=-1)
    assert repr(nn.Averaging(1, "epoch", 3)) == "Averaging(1.0, unit='epoch', start=3)"
