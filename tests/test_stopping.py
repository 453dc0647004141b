"""EarlyStopping: which epoch is the best one, and when patience runs out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
from engine import errors

FIGURES = st.lists(st.one_of(st.just(math.nan), st.integers(-5, 5).map(float)), min_size=1, max_size=20)


def seen(stopping, figures, name="loss"):
    """Show the figures one by one, to a model whose only weight is the number of the epoch, until it is over."""
    model, history = nn.Linear(1, 1, bias=False), nn.History()
    for epoch, figure in enumerate(figures, start=1):
        model.weight.data = np.array([[float(epoch)]])
        history.record({name: figure})
        stopping.see(epoch, history, model)
        if stopping.over:
            break
    stopping.put(model)
    return model.weight.item(), history


@given(figures=FIGURES, patience=st.integers(1, 5), mode=st.sampled_from(["min", "max"]), delta=st.integers(0, 2))
def test_it_is_the_first_best_epoch_before_patience_ran_out(figures, patience, mode, delta):
    """NaN is never better, and less than min_delta does not help patience."""
    stopping = nn.EarlyStopping(patience, monitor="figure", min_delta=delta, mode=mode)
    weight, history = seen(stopping, figures, "figure")
    sign = 1 if mode == "min" else -1
    best, best_epoch, waited, epoch = math.inf, 0, 0, 0
    for epoch, figure in enumerate(figures, start=1):
        waited = 0 if sign * figure < best - delta else waited + 1
        if sign * figure < best:
            best, best_epoch = sign * figure, epoch
        if waited == patience:
            break
    assert len(history.epochs) == epoch
    assert stopping.over == (waited == patience)
    assert stopping.best_epoch == (history.best_epoch or 0) == best_epoch
    assert weight == (best_epoch or epoch)
    if best_epoch:
        assert stopping.best == sign * best


@given(figures=FIGURES, cut=st.integers(0, 20))
def test_a_state_is_all_that_is_needed_to_go_on(figures, cut):
    whole, parts = nn.EarlyStopping(3), nn.EarlyStopping(3)
    seen(whole, figures)
    seen(parts, figures[:cut])
    resumed = nn.EarlyStopping(3)
    resumed.load_state_dict(parts.state_dict())
    assert repr(vars(resumed)) == repr(vars(parts))
    if not resumed.over:
        model, history = nn.Linear(1, 1, bias=False), nn.History(loss=figures[:cut])
        for epoch, figure in list(enumerate(figures, start=1))[cut:]:
            model.weight.data = np.array([[float(epoch)]])
            history.record({"loss": figure})
            resumed.see(epoch, history, model)
            if resumed.over:
                break
        assert repr(vars(resumed)) == repr(vars(whole))


def test_the_weights_are_copies():
    stopping, model = nn.EarlyStopping(), nn.Linear(1, 1, seed=0)
    before = model.state_dict()
    stopping.see(1, nn.History(loss=[1.0]), model)
    model.weight.data[...] = 7
    stopping.put(model)
    assert repr(model.state_dict()) == repr(before)


def test_beginning_again_forgets_all():
    stopping = nn.EarlyStopping(2)
    before = repr(vars(stopping))
    seen(stopping, [1.0, 2.0, 3.0])
    assert stopping.over
    stopping.begin()
    assert repr(vars(stopping)) == before
    assert repr(stopping) == "EarlyStopping(patience=2, monitor=None, min_delta=0.0, mode='min')"


WRONG = [
    ({"patience": 0}, r"patience=0 was given"),
    ({"patience": 2.5}, r"patience=2\.5"),
    ({"min_delta": -1}, r"min_delta=-1"),
    ({"min_delta": math.nan}, r"min_delta=nan"),
    ({"min_delta": "small"}, r"min_delta='small'"),
    ({"mode": "least"}, r"'least' was given as mode.*'min', 'max'"),
    ({"monitor": "accuracy"}, r"monitor='accuracy' and no mode.*mode=\"min\" or mode=\"max\""),
]


@pytest.mark.parametrize(("given_settings", "message"), WRONG)
def test_settings_that_cannot_be_are_refused(given_settings, message):
    with pytest.raises(errors.DomainError, match=message):
        nn.EarlyStopping(**given_settings)


def test_an_unknown_figure_is_refused_with_the_closest_one():
    stopping = nn.EarlyStopping(monitor="validation_los_loss")
    with pytest.raises(errors.DomainError, match="Did you mean 'validation_loss'"):
        stopping.begin(["loss", "validation_loss"])
