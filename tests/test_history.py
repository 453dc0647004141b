"""History: lists of figures, a table that reads back exactly, and a picture."""

import builtins
import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nn
from engine import errors

FIGURES = st.floats(allow_nan=False, width=64)


@settings(max_examples=50)
@given(columns=st.dictionaries(st.text(min_size=1, max_size=9), st.lists(FIGURES, max_size=5), max_size=4))
def test_a_saved_history_reads_back_exactly(tmp_path_factory, columns):
    history, path = nn.History(columns), tmp_path_factory.getbasetemp() / "history.csv"
    history.save(path)
    with open(path, newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["epoch", *columns]
    assert [int(row[0]) for row in rows] == history.epochs
    for place, figures in enumerate(columns.values(), start=1):
        assert [float(row[place]) for row in rows if row[place]] == figures


def test_figures_that_begin_late_are_lists_too():
    history = nn.History()
    history.record({"loss": 0.5})
    history.record({"loss": 0.25, "late": 1.0})
    assert history == {"loss": [0.5, 0.25], "late": [1.0]}
    assert history.epochs == [1, 2]
    assert math.fsum(history["loss"]) == 0.75
    assert nn.History().epochs == []


def test_the_watched_figure_is_the_validation_loss_where_there_is_one():
    history = nn.History(loss=[3.0, 2.0], accuracy=[0.1, 0.2])
    assert history.watched() == 2.0
    assert history.watched("accuracy") == 0.2
    assert nn.History(history, validation_loss=[9.0]).watched() == 9.0


@pytest.mark.parametrize("name", ["history.txt", "history", "csv"])
def test_other_forms_are_refused(tmp_path, name):
    with pytest.raises(errors.DataError, match=r"Give it a name like \w+\.csv"):
        nn.History(loss=[1.0]).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_stays_until_the_new_one_is_written(tmp_path):
    path = tmp_path / "history.CSV"
    nn.History(loss=[1.0]).save(path)
    before = path.read_bytes()
    with pytest.raises(UnicodeEncodeError):
        nn.History({"\ud800": [1.0]}).save(path)
    assert path.read_bytes() == before == b"epoch,loss\r\n1,1.0\r\n"
    with pytest.raises(OSError, match="folder"):
        nn.History(loss=[1.0]).save(tmp_path / "nowhere" / "history.csv")


def drawn(history):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    try:
        return history.plot()
    finally:
        pyplot.close("all")


def test_the_picture_has_an_axis_for_each_figure_and_a_line_for_training_and_validation():
    history = nn.History(
        loss=[3, 2, 1.5], accuracy=[0.1, 0.5, 0.6], validation_loss=[4, 2, 3], validation_accuracy=[0, 1, 0]
    )
    history.best_epoch = 2
    axes = drawn(history)
    assert [axis.get_ylabel() for axis in axes] == ["loss", "accuracy"]
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        training, validation, best = axis.lines
        assert list(training.get_ydata()) == history[name]
        assert list(validation.get_ydata()) == history[f"validation_{name}"]
        assert list(training.get_xdata()) == history.epochs == list(validation.get_xdata())
        assert list(best.get_xdata()) == [2, 2]
        assert [text.get_text() for text in axis.get_legend().get_texts()] == [
            "training",
            "validation",
            "best epoch: 2",
        ]


def test_one_figure_needs_no_legend():
    (axis,) = drawn(nn.History(loss=list(np.linspace(1, 0, 50))))
    assert len(axis.lines) == 1
    assert axis.get_legend() is None


def test_a_figure_that_only_validation_has_is_drawn():
    (axis,) = drawn(nn.History(validation_loss=[1.0]))
    assert axis.get_ylabel() == "loss"
    assert [line.get_label() for line in axis.lines] == ["validation"]


def test_three_figures_stand_in_a_row():
    axes = drawn(nn.History({name: [1.0, 0.5] for name in "abcde"}))
    assert [axis.get_ylabel() for axis in axes] == list("abcde")
    places = [axis.get_position().bounds[:2] for axis in axes]
    assert len({x for x, _ in places}) == 3
    assert len({y for _, y in places}) == 2
    assert axes[0].figure.axes == list(axes)


@pytest.mark.parametrize(
    ("epochs", "ticks"),
    [(1, [1]), (3, [1, 2, 3]), (13, [1, 5, 10]), (30, [1, 5, 10, 15, 20, 25, 30]), (999, [1, 200, 400, 600, 800])],
)
def test_the_first_tick_is_the_first_epoch(epochs, ticks):
    (axis,) = drawn(nn.History(loss=[0.5] * epochs))
    assert axis.get_xticks().tolist() == ticks


@pytest.mark.parametrize(
    ("figures", "scale"),
    [
        ({"loss": [1.0, 1e-4]}, "log"),
        ({"loss": [1.0, 0.1], "validation_loss": [1.0, 9e-4]}, "log"),
        ({"loss": [1.0, 2e-3]}, "linear"),
        ({"loss": [1.0, -1e-4]}, "linear"),
        ({"loss": [1.0, math.nan]}, "linear"),
        ({"loss": []}, "linear"),
        ({"accuracy": [1e-4, 1.0]}, "linear"),
    ],
)
def test_a_loss_of_more_than_three_decades_has_a_logarithmic_axis(figures, scale):
    (axis,) = drawn(nn.History(figures))
    assert axis.get_yscale() == scale


def test_nothing_can_not_be_drawn():
    pytest.importorskip("matplotlib")
    with pytest.raises(errors.DataError, match="No epoch was recorded"):
        nn.History().plot()


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    original = builtins.__import__

    def without(name, *rest, **named):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(errors.MissingExtraError, match=r"chainrule\[demos\]"):
        nn.History(loss=[1.0]).plot()
