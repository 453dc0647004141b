"""fit: what it computes, what it reports, and what it leaves behind when it fails."""

import builtins
import math
import re
import sys
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
import nn
from engine import errors

RNG = np.random.default_rng(0)
X = RNG.normal(size=(23, 2))
Y = X @ [[2.0], [-1.0]] + 0.5
LABELS = (X[:, 0] > X[:, 1]).astype(int)


def line(seed=0, **settings):
    model = nn.Linear(2, 1, seed=seed, **settings)
    return model, nn.SGD(model.parameters(), learning_rate=0.1)


def train(model, optimizer, x=X, y=Y, **settings):
    settings = {"loss": nn.mse_loss, "epochs": 3, "batch_size": 5, "progress": False, **settings}
    return nn.fit(model, x, y, optimizer=optimizer, **settings)


def state(model, optimizer):
    return repr([(p.tolist(), p.grad) for p in model.parameters()]), repr((optimizer.states, optimizer.steps))


# What it computes


@settings(max_examples=20)
@given(
    epochs=st.integers(0, 3),
    batch_size=st.integers(1, 30),
    seed=st.integers(0, 9),
    momentum=st.sampled_from([0.0, 0.9]),
)
def test_fit_is_the_loop_one_would_write(epochs, batch_size, seed, momentum):
    """Beside stochastic gradient descent on the squared error, in NumPy by hand."""
    model, _ = line()
    w, b = model.weight.data[0].copy(), model.bias.data[0]
    velocity_w, velocity_b = np.zeros(2), 0.0
    optimizer = nn.SGD(model.parameters(), learning_rate=0.05, momentum=momentum)
    history = train(model, optimizer, epochs=epochs, batch_size=batch_size, seed=seed)

    rng, losses = np.random.default_rng(seed), []
    for _ in range(epochs):
        order, total = rng.permutation(len(X)), 0.0
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            difference = X[rows] @ w + b - Y[rows, 0]
            total += (difference**2).sum()
            velocity_w = momentum * velocity_w + 2 * difference @ X[rows] / len(rows)
            velocity_b = momentum * velocity_b + 2 * difference.mean()
            w, b = w - 0.05 * velocity_w, b - 0.05 * velocity_b
        losses.append(total / len(X))

    np.testing.assert_allclose(model.weight.data[0], w, rtol=1e-9)
    np.testing.assert_allclose(model.bias.data[0], b, rtol=1e-9)
    assert history.epochs == list(range(1, epochs + 1))
    assert history.get("loss", []) == pytest.approx(losses, rel=1e-9)


def test_a_line_is_found():
    model, optimizer = line()
    history = train(model, optimizer, epochs=60)
    np.testing.assert_allclose(model.weight.data, [[2, -1]], atol=1e-6)
    np.testing.assert_allclose(model.bias.data, [0.5], atol=1e-6)
    assert history["loss"][-1] < 1e-10


def test_a_classifier_on_circles_learns():
    """What no straight line can do."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    y = ((x**2).sum(axis=1) > 1.4).astype(int)
    model = nn.MLP([2, 16, 2], seed=0)
    adam = nn.Adam(model.parameters(), learning_rate=0.02)
    history = train(model, adam, x, y, loss=nn.cross_entropy, metrics=[nn.accuracy], epochs=40, batch_size=20)
    assert history["accuracy"][-1] > 0.95
    assert nn.accuracy(model(x), y) > 0.95


def test_the_seed_decides_the_order():
    def trained(**settings):
        model, optimizer = line()
        return train(model, optimizer, **settings)["loss"]

    assert trained() == trained(seed=0) == trained(seed=np.random.default_rng(0)) != trained(seed=1)


def test_values_can_be_parameters():
    class Line(nn.Module):
        def __init__(self):
            self.slope, self.offset = engine.Value(0.0), engine.Value(0.0)

        def forward(self, x):
            return self.slope * x + self.offset

    model, x = Line(), np.linspace(-1, 1, 20)
    train(model, nn.SGD(model.parameters(), 0.3), x, 3 * x - 1, epochs=40)
    assert [model.slope.data, model.offset.data] == pytest.approx([3, -1], abs=1e-6)


def test_data_are_computed_in_the_models_dtype():
    seen = set()

    def loss(prediction, targets):
        seen.update([prediction.dtype, targets.dtype])
        return nn.mse_loss(prediction, targets)

    model, optimizer = line(dtype="float32")
    train(model, optimizer, loss=loss, validation=(X, Y))
    assert seen == {np.dtype("float32")}
    assert model.weight.dtype == np.float32


def test_lists_are_data():
    model, optimizer = line()
    other, same = line()
    assert train(model, optimizer, X.tolist(), Y.tolist()) == train(other, same)


# What it reports


def test_the_figures_are_means_over_the_rows():
    """The last batch is smaller than the others and must not weigh more."""
    model, optimizer = line()
    optimizer.learning_rate = 0.0
    named = {"largest": lambda prediction, targets: 7, "error": nn.mse_loss}
    history = train(model, optimizer, metrics=named, validation=(X, Y), epochs=2)
    expected = np.mean((model(X).data - Y) ** 2)
    for name in ("loss", "error", "validation_loss", "validation_error"):
        assert history[name] == pytest.approx([expected, expected])
    assert history["largest"] == history["validation_largest"] == [7.0, 7.0]
    assert {type(figure) for figures in history.values() for figure in figures} == {float}


def test_metrics_have_the_names_of_their_functions():
    model = nn.MLP([2, 2], seed=0)
    adam = nn.Adam(model.parameters())
    history = train(model, adam, X, LABELS, loss=nn.cross_entropy, metrics=[nn.accuracy], validation=(X, LABELS))
    assert list(history) == ["loss", "accuracy", "validation_loss", "validation_accuracy"]
    assert all(len(figures) == 3 for figures in history.values())
    assert nn.History().epochs == []


def test_training_and_validation_have_their_modes():
    seen = []

    class Watching(nn.Linear):
        def forward(self, x):
            y = super().forward(x)
            seen.append((self.training, y.requires_grad, len(x)))
            return y

    model = Watching(2, 1, seed=0)
    train(model, nn.SGD(model.parameters()), validation=(X[:7], Y[:7]), epochs=2, batch_size=20)
    assert seen == [(True, True, 20), (True, True, 3), (False, False, 7)] * 2
    assert not model.training


def test_evaluate_leaves_the_modes_alone():
    model = nn.Sequential(nn.Linear(2, 1, seed=0), nn.Identity())
    model.layers[1].eval()
    figures = nn.evaluate(model, X, Y, loss=nn.mse_loss, metrics={"one": lambda p, t: 1})
    assert figures == {"loss": pytest.approx(np.mean((model(X).data - Y) ** 2)), "one": 1.0}
    assert [module.training for module in model.modules()] == [True, True, False]
    with pytest.raises(errors.ShapeError):
        nn.evaluate(model, X[:, :1], Y)
    assert [module.training for module in model.modules()] == [True, True, False]


def test_callbacks_see_every_epoch_and_may_end_it():
    model, optimizer = line()
    seen = []

    def watch(epoch, history):
        seen.append((epoch, len(history["loss"])))

    for stop in (True, np.True_):
        seen.clear()
        enough = {1: "go on", 2: stop}
        history = train(model, optimizer, epochs=9, callbacks=[lambda epoch, _, a=enough: a[epoch], watch])
        assert seen == [(1, 1), (2, 2)]
        assert history.epochs == [1, 2]


def lines_of(capsys):
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_progress_is_plain_lines_without_a_terminal(capsys):
    train(*line(), progress=True, validation=(X, Y))
    lines = lines_of(capsys)
    assert [text.split("  ")[0] for text in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all(re.search(r"  loss \d\S*  validation_loss \d\S*  \d+\.\d s$", text) for text in lines)


@pytest.mark.parametrize("epochs", [19, 21, 40, 200, 999])
def test_progress_is_about_twenty_lines(capsys, epochs):
    train(*line(), progress=True, epochs=epochs, batch_size=23)
    lines = lines_of(capsys)
    assert 10 <= len(lines) <= 22
    assert f"epoch {epochs}/{epochs}" in lines[-1]


def test_progress_is_a_bar_in_a_terminal(monkeypatch, capsys):
    shown = []

    class Bar:
        def __init__(self, total, unit, bar_format):
            shown.append(f"{total} {unit}")

        def update(self):
            shown.append("+")

        def set_description(self, text, refresh):
            shown.append(text)

        def set_postfix_str(self, text, refresh):
            shown.append(text.split()[0])

        def close(self):
            shown.append("closed")

    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=Bar))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    train(*line(), progress=True, epochs=2, batch_size=12)
    assert shown == ["4 batch", "+", "+", "epoch 1/2", "loss", "+", "+", "epoch 2/2", "loss", "closed"]
    assert lines_of(capsys) == []


def test_the_bar_is_tqdms(monkeypatch, capsys):
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    train(*line(), progress=True)
    assert "epoch 3/3: 100%" in capsys.readouterr().err


def test_without_tqdm_a_terminal_gets_lines(monkeypatch, capsys):
    original = builtins.__import__

    def without(name, *rest, **named):
        if name == "tqdm":
            raise ImportError(name)
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    train(*line(), progress=True)
    assert len(lines_of(capsys)) == 3


def test_no_progress_is_silence(capsys):
    train(*line(), progress=False)
    assert lines_of(capsys) == []


# When it fails


def test_a_loss_that_is_nan_names_the_place_and_changes_nothing():
    model, optimizer = line()
    model.layer_norm = nn.Identity().eval()
    optimizer = nn.SGD(model.parameters(), learning_rate=0.1, momentum=0.9)
    train(model, optimizer)
    model.train()
    before = state(model, optimizer)
    x = X.copy()
    x[9, 0] = np.nan
    epoch_order = np.random.default_rng(0).permutation(23)
    batch = int(np.flatnonzero(epoch_order == 9)[0]) // 5 + 1
    with pytest.raises(nn.DivergenceError, match=rf"became nan in epoch 1, batch {batch}, as inputs of this batch"):
        train(model, optimizer, x)
    assert state(model, optimizer) == before
    assert model.training


def test_a_learning_rate_too_high_is_named(capsys):
    model, optimizer = line()
    optimizer.learning_rate = 1e6
    before = state(model, optimizer)
    with pytest.raises(ArithmeticError, match=r"epoch \d+, batch \d, from finite inputs.*Lower the learning rate"):
        train(model, optimizer, epochs=100)
    assert state(model, optimizer) == before


def test_parameters_that_become_nan_under_a_finite_loss_are_named():
    class Root(nn.Linear):
        def forward(self, x):
            return engine.sqrt(0 * super().forward(x))  # infinite slope

    model = Root(2, 1, seed=0)
    sgd = nn.SGD(model.parameters())
    before = state(model, sgd)
    with pytest.raises(nn.DivergenceError, match=r"parameter 'weight' became NaN .* epoch 1"):
        train(model, sgd, batch_size=99, epochs=1)
    assert state(model, sgd) == before


class Later(Exception):
    pass


def fail_after(count):
    def count_down(*args):
        nonlocal count
        count -= 1
        if count < 0:
            raise Later

    return count_down


@pytest.mark.parametrize("where", ["loss", "metric", "callback", "model"])
def test_whatever_fails_leaves_parameters_and_optimizer_as_they_were(where):
    model = nn.MLP([2, 3, 1], seed=0)
    optimizer = nn.Adam(model.parameters())
    train(model, optimizer)
    model.train()
    before = state(model, optimizer)
    fail = fail_after(7 if where != "callback" else 1)

    def loss(prediction, targets):
        fail() if where == "loss" else None
        return nn.mse_loss(prediction, targets)

    if where == "model":
        model.layers.append(lambda x: fail() or x)
    settings = {"metrics": {"m": lambda p, t: fail() or 0}} if where == "metric" else {}
    if where == "callback":
        settings["callbacks"] = [fail]
    with pytest.raises(Later):
        train(model, optimizer, loss=loss, **settings)
    assert state(model, optimizer) == before
    assert model.training
    again = nn.MLP([2, 3, 1], seed=0)
    adam = nn.Adam(again.parameters())
    train(again, adam)
    model.layers = model.layers[:3]
    assert train(model, optimizer) == train(again, adam)  # as if nothing had happened


def test_an_interrupt_keeps_what_was_learned():
    model, optimizer = line()
    before = state(model, optimizer)

    def interrupt(epoch, history):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(model, optimizer, callbacks=[interrupt])
    assert state(model, optimizer) != before
    assert np.isfinite(model.weight.data).all()


WRONG = [
    ({"y": Y[:5]}, errors.ShapeError, r"fit was given arrays of shapes \(23, 2\), \(5, 1\)"),
    ({"x": X[:0], "y": Y[:0]}, errors.ShapeError, "not empty"),
    ({"y": Y[:, 0]}, errors.ShapeError, "mse_loss was given predictions"),
    ({"x": X[:, :1]}, errors.ShapeError, "Linear"),
    ({"y": ["a"] * 23}, errors.DataError, r"numpy\.unique"),
    ({"x": [[1, 2], [3]]}, errors.ShapeError, "equally long"),
    ({"validation": (X, Y[:5])}, errors.ShapeError, "validation= was given"),
    ({"epochs": -1}, errors.DomainError, "epochs=-1"),
    ({"epochs": 2.5}, errors.DomainError, r"epochs=2\.5"),
    ({"batch_size": 0}, errors.DomainError, "batch_size=0"),
    ({"loss": lambda p, t: 1.0}, errors.DataError, r"loss returned 1\.0 of type float in epoch 1, batch 1"),
    ({"loss": lambda p, t: p}, errors.ShapeError, "item|sum"),
]


@pytest.mark.parametrize(("settings", "error", "message"), WRONG)
def test_wrong_input_is_refused_and_changes_nothing(settings, error, message):
    model, optimizer = line()
    before = state(model, optimizer)
    with pytest.raises(error, match=message):
        train(model, optimizer, **settings)
    assert state(model, optimizer) == before


def test_an_optimizer_of_another_model_is_refused():
    model, _ = line()
    _, foreign = line()
    with pytest.raises(errors.GraphError, match=r"updates none of the 2 parameters"):
        train(model, foreign)


def test_the_figures_of_a_history_are_lists():
    history = nn.History()
    history.record({"loss": 0.5})
    history.record({"loss": 0.25, "late": 1.0})
    assert history == {"loss": [0.5, 0.25], "late": [1.0]}
    assert history.epochs == [1, 2]
    assert math.fsum(history["loss"]) == 0.75
