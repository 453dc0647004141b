"""fit: what it computes, what it reports, and what it leaves behind when it fails."""

import builtins
import math
import re
import subprocess
import sys
import time
import types
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import explained

import engine
import nn
from engine import errors

ROOT = Path(__file__).parent.parent
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


def stream(x, y, size=5):
    return [(x[start : start + size], y[start : start + size]) for start in range(0, len(x), size)]


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
    """In evaluation mode, so that they can try the model out."""
    model, optimizer = line()
    seen = []

    def watch(epoch, history):
        assert not model.training
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
    assert all(re.search(r"  loss \d[^/ ]*/\d\S*  \d+\.\d s$", text) for text in lines)


@pytest.mark.parametrize("epochs", [19, 21, 40, 200, 999])
def test_progress_is_about_twenty_lines(capsys, epochs):
    train(*line(), progress=True, epochs=epochs, batch_size=23)
    lines = lines_of(capsys)
    assert 10 <= len(lines) <= 22
    assert f"epoch {epochs}/{epochs}" in lines[-1]


def test_progress_is_a_bar_in_a_terminal(monkeypatch, capsys):
    shown = []

    class Bar:
        def __init__(self, total, initial, unit, bar_format):
            shown.append(f"{total} {unit}")

        def update(self):
            shown.append("+")

        def set_description(self, text, refresh):
            shown.append(text)

        def set_postfix_str(self, text, refresh):
            shown.append(text.split()[0])

        def close(self):
            shown.append("closed")

    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    train(*line(), progress=True, epochs=2, batch_size=12)
    assert shown == ["4 step", "+", "+", "epoch 1/2", "loss", "+", "+", "epoch 2/2", "loss", "closed"]
    assert lines_of(capsys) == []


def test_a_notebook_gets_a_bar(monkeypatch, capsys):
    shown = []

    class Bar:
        def __init__(self, **settings):
            shown.append(settings["total"])

        def __getattr__(self, name):
            return lambda *args, **settings: None

    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    train(*line(), progress=True, epochs=2, batch_size=12)
    train(*line(), progress=True, epochs=None, steps=3, batch_size=12)
    train(*line(), (batch for batch in stream(X, Y)), None, progress=True, epochs=1)
    assert shown == [4, 3, None]
    assert lines_of(capsys) == []


def test_the_last_line_is_that_of_the_last_epoch(capsys):
    """Also where training ends before it was to."""
    train(*line(), progress=True, epochs=100, callbacks=lambda epoch, history: epoch == 7)
    assert [text[:13] for text in lines_of(capsys)] == ["epoch   1/100", "epoch   5/100", "epoch   7/100"]


def test_the_bar_is_tqdms(monkeypatch, capsys):
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    train(*line(), progress=True)
    assert "epoch 3/3: 100%" in capsys.readouterr().err


def test_without_tqdm_a_terminal_gets_lines(monkeypatch, capsys):
    original = builtins.__import__

    def without(name, *rest, **named):
        if name.startswith("tqdm"):
            raise ImportError(name)
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    train(*line(), progress=True)
    assert len(lines_of(capsys)) == 3


def test_no_progress_is_silence(capsys):
    train(*line(), progress=False)
    assert lines_of(capsys) == []


# What else goes into a step


@settings(max_examples=25)
@given(
    rows=st.integers(1, 23), batch_size=st.integers(1, 8), accumulate=st.integers(1, 5), weighted=st.booleans(),
    clip_norm=st.sampled_from([None, 0.5]), seed=st.integers(0, 5),
)  # fmt: skip
def test_accumulated_batches_are_a_larger_batch(rows, batch_size, accumulate, weighted, clip_norm, seed):
    """The last batch of an epoch and the last group may be incomplete."""
    weights = np.random.default_rng(seed).integers(1, 4, rows) if weighted else None
    common = {"sample_weight": weights, "clip_norm": clip_norm, "seed": seed, "x": X[:rows], "y": Y[:rows]}
    model, optimizer = line()
    history = train(model, optimizer, batch_size=batch_size, accumulate=accumulate, **common)
    twin, other = line()
    expected = train(twin, other, batch_size=batch_size * accumulate, **common)
    assert optimizer.steps == other.steps
    np.testing.assert_allclose(model.weight.data, twin.weight.data, rtol=1e-9)
    np.testing.assert_allclose(model.bias.data, twin.bias.data, rtol=1e-9, atol=1e-12)
    assert history["loss"] == pytest.approx(expected["loss"], rel=1e-9)


@settings(max_examples=20)
@given(counts=st.lists(st.integers(0, 3), min_size=23, max_size=23).filter(any))
def test_weights_of_rows_say_how_often_each_is_there(counts):
    """A row of weight 0 is not there at all; in one batch a row of weight 2 is two rows."""
    counts = np.array(counts)
    model, optimizer = line()
    history = train(
        model,
        optimizer,
        sample_weight=counts,
        batch_size=None,
        validation=(X, Y, counts),
        metrics={"error": nn.mse_loss},
    )
    twin, other = line()
    x, y = np.repeat(X, counts, axis=0), np.repeat(Y, counts, axis=0)
    expected = train(twin, other, x, y, batch_size=None, validation=(x, y))
    np.testing.assert_allclose(model.weight.data, twin.weight.data, rtol=1e-9)
    assert history["loss"] == pytest.approx(expected["loss"], rel=1e-9)
    assert history["validation_loss"] == pytest.approx(expected["validation_loss"], rel=1e-9)
    kept, third = line()
    some = counts > 0
    train(kept, third, X[some], Y[some], sample_weight=counts[some], batch_size=4)
    model, optimizer = line()
    train(model, optimizer, sample_weight=counts, batch_size=4)
    np.testing.assert_array_equal(model.weight.data, kept.weight.data)


def test_gradients_are_shortened():
    model, optimizer = line()
    optimizer.learning_rate = 1.0
    before = model.state_dict()
    train(model, optimizer, clip_norm=0.01, epochs=1, batch_size=23)
    change = np.concatenate([(before[name] - after).ravel() for name, after in model.state_dict().items()])
    assert np.linalg.norm(change) == pytest.approx(0.01)


@pytest.mark.parametrize("unit", ["epoch", "step"])
def test_schedules_move_by_their_unit(unit):
    model, optimizer = line()
    rates = []
    schedule = nn.ExponentialDecay(optimizer, 0.5, unit=unit)

    def loss(prediction, targets):
        rates.append(optimizer.learning_rate)
        return nn.mse_loss(prediction, targets)

    train(model, optimizer, loss=loss, schedule=schedule, epochs=3, batch_size=12)
    assert rates == [0.1 * 0.5**k for k in ((0, 0, 1, 1, 2, 2) if unit == "epoch" else range(6))]


def test_a_plateau_is_one_of_the_validation_loss():
    model, optimizer = line()
    seen = []

    class Watching(nn.ReduceOnPlateau):
        def step(self, metric=None):
            seen.append(metric)
            super().step(metric)

    schedule = Watching(optimizer, factor=0.5, patience=1)
    history = train(model, optimizer, schedule=schedule, validation=(X[:9], Y[:9]), epochs=5)
    assert seen == history["validation_loss"]
    seen.clear()
    history = train(model, optimizer, schedule=schedule)
    assert seen == history["loss"]


@pytest.mark.parametrize("monitor", ["loss", "error", "validation_error"])
@pytest.mark.parametrize("warm_up", [False, True])
def test_a_plateau_is_one_of_the_figure_that_the_schedule_monitors(monitor, warm_up):
    """And not of the one that early stopping does."""
    model, optimizer = line()
    seen = []

    class Watching(nn.ReduceOnPlateau):
        def step(self, metric=None):
            seen.append(metric)
            super().step(metric)

    schedule = Watching(optimizer, mode="max", monitor=monitor)
    if warm_up:
        schedule = nn.WarmUp(optimizer, 2, then=schedule)
    history = train(
        model, optimizer, schedule=schedule, validation=(X[:9], Y[:9]), metrics={"error": nn.mse_loss}, epochs=5,
        early_stopping=nn.EarlyStopping(monitor="validation_loss"),
    )  # fmt: skip
    assert seen == history[monitor][2 if warm_up else 0 :]


def test_an_optimizer_that_searches_for_itself_gets_all_rows():
    """The figures are those where a step begins; what the line search tries out after that is none."""
    model, _ = line()
    lbfgs = nn.LBFGS(model.parameters())
    history = train(model, lbfgs, batch_size=None, epochs=2, metrics={"error": nn.mse_loss})
    assert history["loss"] == history["error"]
    twin, other = line()
    train(twin, other, epochs=0)
    assert history["loss"][0] == pytest.approx(nn.evaluate(twin, X, Y, loss=nn.mse_loss)["loss"])
    assert history["loss"][1] < 1e-8
    np.testing.assert_allclose(model.weight.data, [[2, -1]], atol=1e-6)
    with pytest.raises(errors.DomainError, match=r"5 batches.*batch_size=None"):
        train(model, lbfgs)
    with pytest.raises(errors.DomainError, match=r"clip_norm=1\.0 was given with LBFGS"):
        train(model, lbfgs, batch_size=None, clip_norm=1.0)


def test_a_search_may_come_where_the_loss_is_nan():
    model, seen = nn.Linear(2, 1, seed=0), []

    def loss(prediction, targets):
        error = engine.sqrt(100 - 5 * nn.mse_loss(prediction, targets))
        seen.append(error.item())
        return error

    lbfgs = nn.LBFGS(model.parameters(), learning_rate=1e3)
    history = train(model, lbfgs, batch_size=None, epochs=1, loss=loss)
    assert np.isnan(seen).any()
    assert history["loss"] == seen[:1]
    assert np.isfinite(model.weight.data).all()


# The data


def test_batches_may_come_from_anywhere():
    """A list of them, nn.batches of arrays and of a function; floats in the dtype of the model."""
    expected = train(*line(), stream(X, Y), None, validation=stream(X, Y, 23))
    for x in (
        nn.batches(X, Y, batch_size=5, shuffle=False),
        nn.batches(lambda: zip(X, Y, strict=True), batch_size=5, shuffle=False),
    ):
        assert train(*line(), x, None, validation=(X, Y)) == expected
    ordinary = train(*line(dtype="float32"))
    assert train(*line(dtype="float32"), nn.batches(X, Y, batch_size=5, seed=0), None) == ordinary
    weights = np.arange(1.0, 24)
    triples = [(x, y, weights[5 * k : 5 * k + 5]) for k, (x, y) in enumerate(stream(X, Y))]
    assert train(*line(), triples, None) != expected


def test_a_generator_is_enough_for_one_epoch_or_some_steps():
    assert train(*line(), (batch for batch in stream(X, Y)), None, epochs=1) == train(
        *line(), stream(X, Y), None, epochs=1
    )

    def endless():
        while True:
            yield from stream(X, Y)

    model, optimizer = line()
    history = train(model, optimizer, endless(), None, epochs=None, steps=12)
    assert (history.epochs, optimizer.steps) == ([1], [12, 12])
    with pytest.raises(errors.DataError, match="gave no batches"):
        train(model, optimizer, iter(stream(X, Y)), None, epochs=None, steps=12)
    assert optimizer.steps == [12, 12]


def test_memory_mapped_arrays_are_read_batch_by_batch(tmp_path):
    for name, array in (("x", X), ("y", Y)):
        np.save(tmp_path / f"{name}.npy", array.astype("float32"))
    x, y = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy")
    plain = train(*line(), X.astype("float32"), Y.astype("float32"), validation=0.3)
    assert train(*line(), x, y, validation=0.3) == plain


@given(share=st.floats(0.05, 0.95), seed=st.integers(0, 9))
@settings(max_examples=20)
def test_a_share_of_the_rows_is_held_out(share, seed):
    """Every row is on one side, and the seed decides on which."""
    sides = {True: set(), False: set()}

    class Watching(nn.Linear):
        def forward(self, x):
            sides[self.training].update(x[:, 0].tolist())
            return super().forward(x)

    model = Watching(2, 1, seed=0)
    train(model, nn.SGD(model.parameters()), validation=share, seed=seed)
    assert not sides[True] & sides[False]
    assert sides[True] | sides[False] == set(X[:, 0].tolist())
    assert len(sides[False]) == round(share * 23)


def test_figures_of_batches_are_means_over_their_rows():
    model, _ = line()
    whole = nn.evaluate(model, X, Y, loss=nn.mse_loss, metrics={"error": nn.mse_loss})
    parts = nn.evaluate(model, stream(X, Y, 7), loss=nn.mse_loss, metrics={"error": nn.mse_loss})
    assert parts == pytest.approx(whole)
    weights = np.arange(23.0)
    weighted = nn.evaluate(model, X, Y, loss=nn.mse_loss, sample_weight=weights)["loss"]
    assert weighted == pytest.approx(np.average((model(X).data - Y)[:, 0] ** 2, weights=weights))


# Checkpoints


def network(seed=0):
    """With everything that a resumed run must know of: momentum, a schedule, dropped entries, buffers."""

    class Noisy(nn.MLP):
        def __init__(self):
            super().__init__([2, 4, 1], activation="tanh", seed=seed)
            self.generator, self.calls = np.random.default_rng(7), np.zeros(1)

        def forward(self, x):
            self.calls += self.training
            return super().forward(x + 0.1 * self.generator.normal(size=x.shape) if self.training else x)

    model = Noisy()
    optimizer = nn.Adam(model.parameters(), learning_rate=0.05)
    return model, optimizer


SCHEDULES = {
    "none": lambda optimizer: None,
    "plateau": lambda optimizer: nn.ReduceOnPlateau(optimizer, factor=0.5, patience=0),
    "steps": lambda optimizer: nn.CosineAnnealing(optimizer, duration=40, unit="step"),
}


@settings(max_examples=25)
@given(
    epochs=st.integers(1, 6), stop=st.integers(0, 6), schedule=st.sampled_from(sorted(SCHEDULES)),
    averaging=st.sampled_from([None, 0.9, 1.0]), patience=st.sampled_from([None, 1, 3]),
    accumulate=st.integers(1, 3), validation=st.sampled_from([None, 0.3]), steps=st.booleans(),
)  # fmt: skip
def test_a_resumed_run_is_the_uninterrupted_one(
    tmp_path_factory, epochs, stop, schedule, averaging, patience, accumulate, validation, steps
):
    """Bit for bit: weights, buffers, optimiser, schedule, order, noise, history, early stopping and averages."""
    path = tmp_path_factory.getbasetemp() / "run.safetensors"

    def run(epochs, **more):
        model, optimizer = network()
        planned = SCHEDULES[schedule](optimizer)
        length = {"epochs": None, "steps": 3 * epochs + 1} if steps else {"epochs": epochs}
        history = train(
            model, optimizer, schedule=planned, averaging=averaging, early_stopping=patience, accumulate=accumulate,
            validation=validation, **length, **more,
        )  # fmt: skip
        learned = repr((model.state_dict(), optimizer.state_dict(), planned and planned.state_dict()))
        return learned, dict(history), history.best_epoch, model.generator.bit_generator.state

    whole = run(epochs)
    run(min(stop, epochs), checkpoint=path)
    assert run(epochs, resume=path, checkpoint=path) == whole
    assert run(epochs, resume=path) == whole  # of which nothing is left to be done


def test_checkpoints_are_written_every_so_often(tmp_path):
    path, seen = tmp_path / "run.safetensors", []

    def look(epoch, history):
        seen.append(nn.load_checkpoint(path)["run"]["epoch"])
        return epoch == 8

    train(*line(), epochs=9, checkpoint=path, checkpoint_every=3, callbacks=look)
    assert seen == [0, 0, 0, 3, 3, 3, 6, 6]
    assert nn.load_checkpoint(path)["run"]["epoch"] == 8
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_of_something_else_is_refused_and_changes_nothing(tmp_path):
    path = tmp_path / "run.safetensors"
    train(*line(), checkpoint=path)
    model, optimizer = network()
    before = repr(model.state_dict())
    with pytest.raises(nn.CheckpointError, match="not loaded into 'model'"):
        train(model, optimizer, resume=path)
    model, optimizer = line()
    with pytest.raises(nn.CheckpointError, match="and not 'early_stopping'"):
        train(model, optimizer, resume=path, early_stopping=3)
    with pytest.raises(OSError, match="nowhere"):
        train(model, optimizer, resume=tmp_path / "nowhere")
    assert optimizer.steps == [0, 0]
    assert repr(network()[0].state_dict()) == before


def test_a_resumed_run_that_diverges_at_once_leaves_what_it_began_with(tmp_path):
    path = tmp_path / "run.safetensors"
    twin, other = line()
    train(twin, other, checkpoint=path)
    model, optimizer = line()
    with pytest.raises(nn.DivergenceError, match="those of the end of epoch 3"):
        train(model, optimizer, resume=path, epochs=5, loss=lambda p, t: nn.mse_loss(p, t) * math.inf)
    assert state(model, optimizer)[1] == state(twin, other)[1]
    np.testing.assert_array_equal(model.weight.data, twin.weight.data)


def test_a_checkpoint_that_cannot_be_written_is_known_before_the_first_epoch(tmp_path):
    model, optimizer = line()
    with pytest.raises(OSError, match="folder"):
        train(model, optimizer, checkpoint=tmp_path / "nowhere" / "run.safetensors", callbacks=[raises(Later)])


LONG_RUN = """
import sys, numpy as np, nn
x = np.random.default_rng(0).normal(size=(40, 3))
model = nn.MLP([3, 50, 1], seed=0)
adam = nn.Adam(model.parameters())
resume, path = sys.argv[2] or None, sys.argv[1]
history = nn.fit(model, x, x[:, :1], loss=nn.mse_loss, optimizer=adam, epochs=30, averaging=0.9, validation=0.2,
                 early_stopping=50, checkpoint=path, resume=resume, progress=False)
print(repr(history), sum(float(np.sum(array)) for array in model.state_dict().values()).hex())
"""


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(tmp_path):
    """Killed at any moment after its checkpoint was written for the second time, mostly while it writes the next."""

    def start(path):
        command = [sys.executable, "-c", LONG_RUN, str(path), str(path) if path.exists() else ""]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def written(path):
        return path.stat().st_mtime_ns if path.exists() else None

    whole = start(tmp_path / "whole.safetensors").communicate()[0]
    path, rng, killed = tmp_path / "run.safetensors", np.random.default_rng(0), 0
    while True:
        times, process = {written(path)}, start(path)
        while len(times) < 3 and process.poll() is None:
            times.add(written(path))
        time.sleep(rng.uniform(0, 0.01))
        process.kill()
        done = process.communicate()[0]
        if process.returncode == 0:
            break
        killed += 1
    assert done == whole
    assert killed > 3


# When it fails


def test_a_loss_that_is_nan_names_the_place_and_changes_nothing():
    """Arrays are looked at before; batches from elsewhere can bring NaN at any time."""
    model, optimizer = line()
    model.layer_norm = nn.Identity().eval()
    optimizer = nn.SGD(model.parameters(), learning_rate=0.1, momentum=0.9)
    train(model, optimizer)
    model.train()
    before = state(model, optimizer)
    x = X.copy()
    x[9, 0] = np.nan
    with pytest.raises(nn.DivergenceError, match=r"became nan in epoch 1, batch 2, as inputs of this batch") as caught:
        train(model, optimizer, stream(x, Y), None)
    assert state(model, optimizer) == before
    assert model.training
    assert caught.value.anomaly.index == (4, 0)


def test_a_loss_that_diverges_leaves_the_last_good_epoch():
    """Which the message names, with what the engine says of the loss."""
    model, optimizer = line()
    optimizer.learning_rate = 1e6
    message = r"epoch (\d+), batch \d, from finite inputs\. 'mean_square' made inf of .* those of the end of epoch"
    with pytest.raises(ArithmeticError, match=message + r" (\d+)\. Lower the learning rate") as caught:
        train(model, optimizer, epochs=100)
    epoch = int(re.search(r"epoch (\d+), batch", str(caught.value))[1])
    twin, other = line()
    other.learning_rate = 1e6
    train(twin, other, epochs=epoch - 1)
    assert state(model, optimizer)[1] == state(twin, other)[1]
    np.testing.assert_array_equal(model.weight.data, twin.weight.data)


def test_a_gradient_that_is_infinite_under_a_finite_loss_is_explained():
    class Root(nn.Linear):
        def forward(self, x):
            return engine.sqrt(0 * super().forward(x))  # infinite slope

    model = Root(2, 1, seed=0)
    sgd = nn.SGD(model.parameters())
    before = state(model, sgd)
    with pytest.raises(
        nn.DivergenceError, match=r"gradient of 'weight' became NaN .* epoch 1, batch 1, .*where\("
    ) as caught:
        train(model, sgd, batch_size=99, epochs=1)
    assert state(model, sgd) == before
    assert (caught.value.anomaly.op, caught.value.anomaly.direction) == ("sqrt", "backward")


def test_parameters_that_become_infinite_under_a_finite_gradient_are_named():
    model, optimizer = line(dtype="float32")
    optimizer.learning_rate = 1e38
    before = state(model, optimizer)
    with pytest.raises(nn.DivergenceError, match=r"parameter '\w+' became NaN .* epoch 1"):
        train(model, optimizer, y=100 * Y, batch_size=99, epochs=1)
    assert state(model, optimizer) == before


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
    fail = fail_after(1 if where in ("callback", "metric") else 7)

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


def test_an_optimizer_that_writes_into_its_arrays_is_undone_too():
    class InPlace(nn.SGD):
        def step(self, closure=None):
            closure()
            for parameter in self.parameters:
                parameter.data -= 0.1 * parameter.grad

    model, _ = line()
    optimizer = InPlace(model.parameters())
    before = state(model, optimizer)
    with pytest.raises(Later):
        train(model, optimizer, callbacks=raises(Later))
    assert state(model, optimizer) == before


def test_an_interrupt_keeps_what_was_learned():
    model, optimizer = line()
    before = state(model, optimizer)
    with pytest.raises(KeyboardInterrupt):
        train(model, optimizer, callbacks=[raises(KeyboardInterrupt)])
    assert state(model, optimizer) != before
    assert np.isfinite(model.weight.data).all()
    assert not model.training
    with pytest.raises(KeyboardInterrupt):
        train(model, optimizer, loss=lambda prediction, targets: raises(KeyboardInterrupt)(1, None))
    assert not model.training


def raises(error, at=1):
    def callback(epoch, history):
        if epoch == at:
            raise error

    return callback


# How long


@given(steps=st.integers(0, 12), batch_size=st.integers(4, 30), accumulate=st.integers(1, 3))
@settings(max_examples=20)
def test_steps_are_those_of_the_optimiser(steps, batch_size, accumulate):
    model, optimizer = line()
    history = train(model, optimizer, epochs=None, steps=steps, batch_size=batch_size, accumulate=accumulate)
    assert optimizer.steps == [steps, steps]
    each = math.ceil(math.ceil(len(X) / batch_size) / accumulate)
    assert len(history.epochs) == math.ceil(steps / each)
    if steps and steps % each == 0:
        twin, other = line()
        assert history == train(twin, other, epochs=steps // each, batch_size=batch_size, accumulate=accumulate)


def test_ten_epochs_are_the_default():
    assert train(*line(), epochs=None).epochs == list(range(1, 11))


@pytest.mark.parametrize("monitor", [None, "error", "validation_error"])
def test_early_stopping_ends_training_and_brings_the_best_weights_back(monitor):
    """Weights that were as good as they would be, and grow worse from then on."""
    seen = []

    def loss(prediction, targets):
        return nn.mse_loss(prediction, targets)

    model, optimizer = line()
    optimizer.learning_rate = 0.05

    def worse(epoch, history):
        seen.append(model.weight.data.copy())
        optimizer.learning_rate = 0.05 if epoch < 3 else 1.2

    stopping = nn.EarlyStopping(4, monitor=monitor, mode="min")
    metrics = {"error": nn.mse_loss}
    history = train(
        model,
        optimizer,
        loss=loss,
        metrics=metrics,
        validation=(X, Y),
        early_stopping=stopping,
        epochs=50,
        callbacks=worse,
    )
    figures = history[monitor or "validation_loss"]
    assert history.best_epoch == stopping.best_epoch == 1 + int(np.argmin(figures))
    assert stopping.best == min(figures)
    assert len(history.epochs) == history.best_epoch + 4 < 50
    np.testing.assert_array_equal(model.weight.data, seen[history.best_epoch - 1])


class Counting(nn.Linear):
    """Which has a buffer: how many rows it has seen."""

    def __init__(self):
        super().__init__(2, 1, seed=0)
        self.rows = np.zeros(1)

    def forward(self, x):
        self.rows += len(x) * self.training
        return super().forward(x)


def failing(error):
    """A loss, or batches, that fail in the sixth epoch."""

    def loss(model, prediction, targets):
        if model.rows[0] > 5 * len(X):
            if error is None:
                return nn.mse_loss(prediction, targets) * math.inf
            raise error
        return nn.mse_loss(prediction, targets)

    return loss


ENDS = {
    "the last epoch": ({"epochs": 6}, None),
    "steps": ({"epochs": None, "steps": 28}, None),
    "a callback": ({"callbacks": lambda epoch, history: epoch == 6}, None),
    "patience": ({"early_stopping": 2}, None),
    "an error in a callback": ({"callbacks": raises(Later, at=6)}, Later),
    "Ctrl-C in a callback": ({"callbacks": raises(KeyboardInterrupt, at=6)}, KeyboardInterrupt),
    "an error in the loss": ({"loss": failing(Later)}, Later),
    "Ctrl-C in the loss": ({"loss": failing(KeyboardInterrupt)}, KeyboardInterrupt),
    "a loss that is infinite": ({"loss": failing(None)}, nn.DivergenceError),
    "an error in the data": ({"data": Later}, Later),
    "Ctrl-C in the data": ({"data": KeyboardInterrupt}, KeyboardInterrupt),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_best_weights_and_buffers_come_back_at_every_end(end):
    model, seen, losses = Counting(), [], []
    optimizer = nn.SGD(model.parameters(), learning_rate=0.05)
    given, error = ENDS[end]
    given = {"epochs": 20, "early_stopping": 9, "loss": None, **given}
    loss, data, last = given.pop("loss"), given.pop("data", None), given.pop("callbacks", lambda epoch, history: None)

    def watch(epoch, history):
        seen.append(model.state_dict())
        losses.append(history["validation_loss"][-1])
        optimizer.learning_rate = 0.05 if epoch < 3 else 0.9  # too large: it grows worse

    class Batches:
        def __iter__(self):
            yield from stream(X, Y)
            if data and model.rows[0] > 5 * len(X):
                raise data

    def run():
        return nn.fit(
            model,
            Batches(),
            loss=partial(loss, model) if loss else nn.mse_loss,
            optimizer=optimizer,
            validation=(X, Y),
            callbacks=[watch, last],
            progress=False,
            **given,
        )

    if error is None:
        assert run().best_epoch == 3
    else:
        with pytest.raises(error):
            run()
    assert int(np.argmin(losses)) == 2 < len(losses) - 1
    assert repr(model.state_dict()) == repr(seen[2])
    assert model.rows[0] == 3 * len(X)


@pytest.mark.parametrize("early_stopping", [None, 9])
@pytest.mark.parametrize("averaging", [None, 0.9])
@pytest.mark.parametrize("end", ["loss", "divergence", "metric", "schedule", "callback"])
def test_an_error_leaves_what_there_was_or_what_a_shorter_training_leaves(end, averaging, early_stopping):
    """The latter where the loss diverges and with early stopping: weights, modes, optimiser and schedule alike."""

    def run(epochs, end=None):
        class Schedule(nn.StepDecay):
            def step(self, metric=None):
                fail(self.steps + 1, None) if end == "schedule" else None
                super().step(metric)

        def metric(prediction, targets):
            fail(next(calls), None) if end == "metric" else None
            return 0

        def left():
            modes = [module.training for module in model.modules()]
            return repr((model.state_dict(), modes, optimizer.state_dict(), schedule.state_dict()))

        model, fail, calls = Counting(), raises(Later, at=6), iter(range(1, 99))
        optimizer = nn.SGD(model.parameters(), learning_rate=0.05, momentum=0.9)
        schedule = Schedule(optimizer, every=2, factor=0.5)
        losses = {"loss": partial(failing(Later), model), "divergence": partial(failing(None), model)}
        before = left()
        with pytest.raises((Later, nn.DivergenceError)) if end else nullcontext():
            train(
                model, optimizer, epochs=epochs, loss=losses.get(end, nn.mse_loss), metrics=metric, schedule=schedule,
                averaging=averaging, early_stopping=early_stopping, callbacks=fail if end == "callback" else (),
            )  # fmt: skip
        return before, left()

    before, shorter = run(epochs=6 if end == "callback" else 5)
    same, found = run(epochs=9, end=end)
    assert same == before != shorter
    assert found == (shorter if early_stopping or end == "divergence" else before)


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
    (
        {"x": np.where(X > 1, np.nan, X)},
        errors.DomainError,
        r"fit was given x of shape \(23, 2\) with nan at \(\d+, \d\)",
    ),
    ({"y": np.where(Y > 2, np.inf, Y)}, errors.DomainError, r"fit was given y .* with inf at"),
    ({"validation": (X * np.nan, Y)}, errors.DomainError, r"validation= was given x .* with nan"),
    ({"steps": 3}, errors.DomainError, "epochs=3 and steps=3"),
    ({"epochs": None, "steps": -1}, errors.DomainError, "steps=-1"),
    ({"epochs": True}, errors.DomainError, "epochs=True"),
    ({"batch_size": 2.5}, errors.DomainError, r"batch_size=2\.5"),
    ({"y": None}, errors.DataError, r"given a ndarray of shape \(23, 2\) and no y"),
    ({"x": 3, "y": None}, errors.DataError, "given a int and no y"),
    ({"x": [1.0, 2.0], "y": None}, errors.DataError, "gave a float as batch 1"),
    ({"x": [(X, Y, Y, Y)], "y": None}, errors.DataError, "gave 4 parts as batch 1"),
    ({"x": [(X, Y[:3])], "y": None}, errors.ShapeError, r"x, batch 1, was given arrays of shapes"),
    ({"x": [], "y": None}, errors.DataError, "x gave no batches"),
    ({"x": iter([(X, Y)]), "y": None}, errors.DataError, "list_iterator.*only once"),
    ({"validation": iter([(X, Y)])}, errors.DataError, "validation= was given an iterator"),
    ({"validation": 0.0}, errors.DomainError, r"validation=0\.0"),
    ({"validation": 1.5}, errors.DomainError, "between 0 and 1"),
    ({"validation": 0.001}, errors.DomainError, "which is 0 rows"),
    ({"validation": 0.5, "x": stream(X, Y), "y": None}, errors.DomainError, "without y"),
    ({"validation": X}, errors.DataError, r"validation= was given a ndarray"),
    ({"validation": [X, Y]}, errors.DataError, r"gave a ndarray as batch 1.*validation=\(x, y\)"),
    ({"validation": (X,)}, errors.DataError, "tuple of 1 parts"),
    ({"validation": "some"}, errors.DataError, "validation= was given a str"),
    ({"sample_weight": np.ones(5)}, errors.ShapeError, r"sample_weight of shape \(5,\) for 23 rows"),
    ({"sample_weight": -np.ones(23)}, errors.DomainError, "not negative and not all 0"),
    ({"sample_weight": np.zeros(23)}, errors.DomainError, "not all 0"),
    ({"sample_weight": np.full(23, np.nan)}, errors.DomainError, "finite"),
    ({"sample_weight": np.ones(23), "x": stream(X, Y), "y": None}, errors.DataError, "sample_weight= and no y"),
    ({"sample_weight": np.ones(23), "loss": lambda p, t: p.sum()}, errors.DataError, "no argument of that name"),
    ({"accumulate": 0}, errors.DomainError, "accumulate=0"),
    ({"clip_norm": 0}, errors.DomainError, "clip_norm=0"),
    ({"clip_norm": -1.0}, errors.DomainError, r"clip_norm=-1\.0"),
    ({"clip_norm": "big"}, errors.DomainError, "clip_norm='big'"),
    ({"checkpoint_every": 0}, errors.DomainError, "checkpoint_every=0"),
    ({"averaging": 0.0}, errors.DomainError, r"0\.0 was given as the decay"),
    ({"averaging": True}, errors.DomainError, "True was given as the decay"),
    ({"averaging": "ema"}, errors.DomainError, "'ema' was given as the decay"),
    ({"early_stopping": 0}, errors.DomainError, "patience=0"),
    ({"early_stopping": True}, errors.DomainError, "patience=True"),
    (
        {"early_stopping": nn.EarlyStopping(monitor="valid_loss")},
        errors.DomainError,
        "'loss'.*names are 'loss'$|'loss'",
    ),
    (
        {"early_stopping": nn.EarlyStopping(monitor="validaton_loss"), "validation": (X, Y)},
        errors.DomainError,
        "Did you mean 'validation_loss'",
    ),
    ({"callbacks": [3]}, errors.DataError, "3 was given as a callback"),
    ({"loss": "mse"}, errors.DataError, "'mse' was given as the loss"),
    ({"metrics": {"loss": nn.accuracy}}, errors.DataError, '"loss" is taken'),
    ({"metrics": "accuracy"}, errors.DataError, "function with a name"),
    ({"schedule": 0.1}, errors.DataError, "0.1 was given as schedule="),
    ({"schedule": nn.StepDecay(line()[1], 1)}, errors.GraphError, "StepDecay.*another optimiser"),
]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda o: nn.ReduceOnPlateau(o, unit="step"), r"ReduceOnPlateau.*only after an epoch.*unit=\"epoch\""),
        (lambda o: nn.WarmUp(o, 2, then=nn.ReduceOnPlateau(o, unit="step")), "WarmUp.*only after an epoch"),
        (lambda o: nn.ReduceOnPlateau(o, monitor="validation_loss"), "'validation_loss' was given as monitor=.*'loss'"),
        (lambda o: nn.WarmUp(o, 2, then=nn.ReduceOnPlateau(o, monitor="lass", mode="min")), "Did you mean 'loss'"),
    ],
)
def test_a_plateau_that_fit_cannot_watch_is_refused(make, message):
    model, optimizer = line()
    schedule = make(optimizer)
    before = state(model, optimizer)
    with pytest.raises(errors.DomainError, match=message):
        train(model, optimizer, schedule=schedule)
    assert state(model, optimizer) == before


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": None}, {"optimizer": "adam"}, {"callbacks": 5}, {"metrics": 8}, {"seed": "a"}, {"seed": -1},
        {"loss": lambda prediction, targets: (prediction - targets) ** 2},
        {"x": [(np.ones((2, 1)), None)], "y": None}, {"x": [(None, np.ones((2, 1)))], "y": None},
    ],
    ids=lambda wrong: next(iter(wrong)),
)  # fmt: skip
def test_what_is_of_another_kind_is_told_before_anything_changes(wrong):
    model = nn.Linear(1, 1, seed=0)
    before = model.state_dict()
    given = {"model": model, "x": np.ones((4, 1)), "y": np.ones((4, 1)), "loss": nn.mse_loss, "progress": False}
    with explained((errors.DataError, errors.ShapeError)):
        nn.fit(**{"optimizer": nn.SGD(model.parameters()), **given, **wrong})
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())
