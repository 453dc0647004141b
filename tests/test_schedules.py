"""Schedules: pure functions of the step, one after the other, watched metrics, and states.

Their trajectories beside PyTorch's are among those of test_optimizers.py.
"""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
import nn
from engine import errors


def sgd(*rates, **settings):
    groups = [{"parameters": [engine.Value(1.0)], "learning_rate": rate} for rate in rates or (0.1,)]
    return nn.SGD(groups, **settings)


SCHEDULES = {
    "StepDecay": lambda optimizer: nn.StepDecay(optimizer, every=2, factor=0.5),
    "ExponentialDecay": lambda optimizer: nn.ExponentialDecay(optimizer, factor=0.9),
    "CosineAnnealing": lambda optimizer: nn.CosineAnnealing(optimizer, duration=6, minimum_rate=0.01),
    "WarmUp": lambda optimizer: nn.WarmUp(optimizer, duration=3),
    "WarmUp, StepDecay": lambda o: nn.WarmUp(o, duration=3, start=0.0, then=nn.StepDecay(o, every=2, unit="step")),
    "WarmUp, plateau": lambda o: nn.WarmUp(o, 2, then=nn.ReduceOnPlateau(o, patience=1, factor=0.5)),
    "WarmUp, WarmUp": lambda o: nn.WarmUp(o, 2, then=nn.WarmUp(o, 3, then=nn.ExponentialDecay(o, 0.5))),
    "ReduceOnPlateau": lambda optimizer: nn.ReduceOnPlateau(optimizer, patience=1, factor=0.5, cooldown=1),
    "OneCycle": lambda optimizer: nn.OneCycle(optimizer, duration=8),
    "OneCycle, momentum": lambda optimizer: nn.OneCycle(optimizer, duration=8, anneal="linear", cycle_momentum=True),
}
every_schedule = pytest.mark.parametrize("make", SCHEDULES.values(), ids=list(SCHEDULES))

PURE = ["StepDecay", "ExponentialDecay", "CosineAnnealing", "WarmUp", "OneCycle", "OneCycle, momentum"]
rates = st.floats(1e-6, 1e3)


def rates_of(optimizer):
    return [group.learning_rate for group in optimizer.groups]


# Pure functions


@pytest.mark.parametrize("name", PURE)
@given(bases=st.lists(rates, min_size=1, max_size=3), steps=st.integers(0, 20))
def test_the_rate_is_a_function_of_the_base_and_the_step(name, bases, steps):
    optimizer = sgd(*bases, momentum=0.9)
    schedule = SCHEDULES[name](optimizer)
    for _ in range(steps):
        schedule.step()
    assert rates_of(optimizer) == [schedule.rate(base, steps) for base in bases]
    assert schedule.steps == steps


@pytest.mark.parametrize("name", ["StepDecay", "ExponentialDecay", "WarmUp", "OneCycle"])
@given(base=rates, scale=st.sampled_from([0.5, 2.0, 8.0]), step=st.integers(0, 20))
def test_the_rate_is_a_multiple_of_the_base(name, base, scale, step):
    schedule = SCHEDULES[name](sgd())
    assert schedule.rate(base * scale, step) == schedule.rate(base, step) * scale


@given(base=st.floats(0.01, 10), low=st.floats(0, 0.01), duration=st.integers(1, 50))
def test_a_cosine_falls_to_its_minimum_and_comes_back(base, low, duration):
    cosine = nn.CosineAnnealing(sgd(), duration, minimum_rate=low)
    down = [cosine.rate(base, step) for step in range(duration + 1)]
    assert (down[0], down[-1]) == (base, low)
    assert (np.diff(down) <= 1e-15 * base).all()
    assert down[::-1] == pytest.approx([cosine.rate(base, step) for step in range(duration, 2 * duration + 1)])


@given(
    base=rates, duration=st.integers(2, 60), warm_up=st.floats(0, 0.99), anneal=st.sampled_from(["cosine", "linear"])
)
def test_one_cycle_goes_up_once_and_down_once(base, duration, warm_up, anneal):
    cycle = nn.OneCycle(sgd(), duration, warm_up=warm_up, anneal=anneal)
    found = [cycle.rate(base, step) for step in range(duration)]
    top = found.index(max(found))
    assert (np.diff(found[: top + 1]) >= -1e-15 * base).all()
    assert (np.diff(found[top:]) <= 1e-15 * base).all()
    assert max(found) <= base * (1 + 1e-9)
    assert found[-1] == pytest.approx(base / 25e4)
    assert cycle.rate(base, duration + 10) == found[-1]
    if warm_up * duration > 1:
        assert found[0] == pytest.approx(base / 25)


def test_a_warm_up_is_a_line_to_exactly_the_rate():
    optimizer = sgd(0.3)
    schedule = nn.WarmUp(optimizer, duration=7, start=0.1)
    found = [schedule.rate(0.3, step) for step in range(9)]
    assert np.diff(found[:8]) == pytest.approx(0.27 / 7)
    assert (found[0], found[7], found[8]) == (pytest.approx(0.03), 0.3, 0.3)


# One after the other


@given(duration=st.integers(1, 5), steps=st.integers(0, 12))
def test_what_follows_a_warm_up_begins_when_it_is_over(duration, steps):
    optimizer, alone = sgd(0.1, 0.7), sgd(0.1, 0.7)
    follower = nn.CosineAnnealing(alone, 10)
    schedule = nn.WarmUp(optimizer, duration, then=nn.CosineAnnealing(optimizer, 10))
    for step in range(1, steps + 1):
        schedule.step()
        if step > duration:
            follower.step()
        if step >= duration:
            assert rates_of(optimizer) == rates_of(alone)
        else:
            assert all(a < b for a, b in zip(rates_of(optimizer), rates_of(alone), strict=True))
    assert schedule.steps == steps


def test_a_warm_up_leads_to_where_the_next_begins():
    optimizer = sgd(1.0)
    schedule = nn.WarmUp(optimizer, 2, start=0.0, then=nn.OneCycle(optimizer, 100, unit="epoch"))
    found = []
    for _ in range(3):
        found.append(optimizer.learning_rate)
        schedule.step()
    assert found == [0.0, 0.02, 0.04]
    assert optimizer.learning_rate > 0.04


def test_the_unit_is_what_fit_reads():
    optimizer = sgd()
    assert nn.StepDecay(optimizer, 2).unit == "epoch"
    assert nn.OneCycle(optimizer, 2).unit == "step"
    assert nn.WarmUp(optimizer, 2).unit == "epoch"
    assert nn.WarmUp(optimizer, 2, then=nn.OneCycle(optimizer, 2)).unit == "step"
    assert nn.ReduceOnPlateau(optimizer, unit="step").unit == "step"
    with pytest.raises(errors.DomainError, match="unit='epoch' and a schedule with unit='step'"):
        nn.WarmUp(optimizer, 2, then=nn.OneCycle(optimizer, 2), unit="epoch")


def test_who_needs_a_metric_says_so():
    optimizer = sgd()
    plateau = nn.ReduceOnPlateau(optimizer)
    assert plateau.needs_metric
    assert nn.WarmUp(optimizer, 2, then=plateau).needs_metric
    assert not nn.WarmUp(optimizer, 2, then=nn.StepDecay(optimizer, 2)).needs_metric
    assert not nn.WarmUp(optimizer, 2).needs_metric


# Plateaus


def reductions(metrics, **settings):
    """The steps after which the rate was smaller than before."""
    optimizer = sgd(1.0)
    schedule = nn.ReduceOnPlateau(optimizer, factor=0.5, **settings)
    found = [1.0]
    for metric in metrics:
        schedule.step(metric)
        found.append(optimizer.learning_rate)
    return [step for step, (a, b) in enumerate(itertools.pairwise(found), start=1) if b < a]


def test_a_plateau_is_waited_for():
    assert reductions([1.0] * 8, patience=2) == [4, 7]
    assert reductions([1.0] * 8, patience=2, cooldown=2) == [4]
    assert reductions([1.0] * 9, patience=2, cooldown=2) == [4, 9]
    assert reductions([1.0] * 3, patience=0) == [2, 3]
    assert reductions([3.0, 2.0, 1.0, 0.0, -1.0, -2.0], patience=0) == []
    assert reductions([3.0, 2.0, 1.0], mode="max", patience=0) == [2, 3]
    assert reductions([1.0, 1.05, 1.2], mode="max", patience=0, threshold=0.1) == [2]
    assert reductions([1.0, 0.95, 0.85], patience=0, threshold=0.1, threshold_mode="absolute") == [2]
    assert reductions([math.nan, math.nan, 1.0, math.nan], patience=0) == [1, 2, 4]


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20), st.integers(0, 3))
def test_the_smallest_is_best_as_the_negated_is_largest(metrics, patience):
    absolute = {"patience": patience, "threshold_mode": "absolute"}
    assert reductions(metrics, **absolute) == reductions([-m for m in metrics], mode="max", **absolute)


def test_rates_stay_above_the_minimum_and_tiny_changes_are_not_made():
    optimizer = sgd(1.0, 0.3, 2e-8)
    schedule = nn.ReduceOnPlateau(optimizer, patience=0, factor=0.1, minimum_rate=0.05)
    for _ in range(4):
        schedule.step(1.0)
    assert rates_of(optimizer) == [0.05, 0.05, 2e-8]
    assert schedule.rate(0.5, 3) == 0.5


@pytest.mark.parametrize("metric", [engine.Value(0.5), np.float32(0.5), np.array(0.5), engine.Tensor(0.5), 1, True])
def test_a_metric_is_any_number(metric):
    schedule = nn.ReduceOnPlateau(sgd())
    schedule.step(metric)
    assert type(schedule.best) is float


def test_a_monitor_is_the_name_of_a_figure():
    schedule = nn.ReduceOnPlateau(sgd(), monitor="accuracy", mode="max")
    assert (schedule.monitor, schedule.mode) == ("accuracy", "max")
    assert "monitor='accuracy'" in repr(schedule)
    assert nn.WarmUp(schedule.optimizer, 2, then=schedule).monitor == "accuracy"
    assert "monitor" not in repr(nn.ReduceOnPlateau(sgd(), monitor=None))
    assert nn.ReduceOnPlateau(sgd(), monitor="validation_loss").mode == nn.ReduceOnPlateau(sgd()).mode == "min"
    with pytest.raises(errors.DataError, match="monitor=3"):
        nn.ReduceOnPlateau(sgd(), monitor=3)


@pytest.mark.parametrize("metric", [None, "low", np.ones(2), [0.1]])
def test_a_metric_that_is_none_is_refused(metric):
    schedule = nn.ReduceOnPlateau(sgd())
    with pytest.raises(errors.DataError, match=r"ReduceOnPlateau.step was given.*schedule\.step\(loss\)"):
        schedule.step(metric)
    assert schedule.steps == 0


# States


@every_schedule
@given(before=st.integers(0, 9), after=st.integers(1, 9))
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(make, before, after):
    optimizer = sgd(0.1, 0.7, momentum=0.9)
    schedule = make(optimizer)
    for step in range(before):
        schedule.step(1 / (1 + step // 3))
    states = optimizer.state_dict(), schedule.state_dict()
    assert {type(value) for value in states[1].values()} <= {int, float, bool, str}
    resumed = sgd(0.5, 0.5, momentum=0.5)  # whatever it was made with
    other = make(resumed)
    resumed.load_state_dict(states[0])
    other.load_state_dict(json.loads(json.dumps(states[1])))
    for step in range(before, before + after):
        for each in (schedule, other):
            each.step(1 / (1 + step // 3))
        assert resumed.state_dict() == optimizer.state_dict()
        assert other.state_dict() == schedule.state_dict()


@every_schedule
def test_the_order_of_loading_does_not_matter(make):
    optimizer = sgd(0.1, momentum=0.9)
    schedule = make(optimizer)
    for _ in range(4):
        schedule.step(1.0)
    resumed = sgd(0.3, momentum=0.9)
    resumed.load_state_dict(optimizer.state_dict())
    other = make(resumed)  # sees a rate that has been scheduled already
    other.load_state_dict(schedule.state_dict())
    assert other.state_dict() == schedule.state_dict()
    assert rates_of(resumed) == rates_of(optimizer)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda s: None, errors.DataError, "state of type NoneType"),
        (lambda s: {}, errors.DomainError, "the state of 'something else'"),
        (lambda s: nn.StepDecay(sgd(), 2).state_dict(), errors.DomainError, "the state of 'StepDecay'"),
        (lambda s: s | {"then.schedule": "OneCycle"}, errors.DomainError, "ReduceOnPlateau.*the state of 'OneCycle'"),
        (lambda s: {k: v for k, v in s.items() if k != "then.best"}, errors.DomainError, "1 missing .'best'"),
        (lambda s: {k: v for k, v in s.items() if k != "duration"}, errors.DomainError, "1 missing .'duration'"),
        (lambda s: s | {1: 1}, errors.DomainError, "1 unexpected .1"),
        (lambda s: s | {"spare": 1}, errors.DomainError, "1 unexpected .'spare'"),
        (lambda s: s | {"then.spare": 1}, errors.DomainError, "1 unexpected .'spare'"),
        (lambda s: s | {"groups.1.rate": 0.1}, errors.DomainError, "1 unexpected .'groups.1.rate'"),
        (lambda s: s | {"duration": 0}, errors.DomainError, "duration=0"),
        (lambda s: s | {"steps": -1}, errors.DataError, "needs one like 0"),
        (lambda s: s | {"steps": 1.5}, errors.DataError, "needs one like 0"),
        (lambda s: s | {"unit": "day"}, errors.DomainError, "unit='day'.*'epoch' or 'step'"),
        (lambda s: s | {"groups.0.rate": math.nan}, errors.DomainError, "learning_rate=nan"),
        (lambda s: s | {"then.groups.0.base_rate": -1.0}, errors.DomainError, "learning_rate=-1.0"),
        (lambda s: s | {"then.best": "low"}, errors.DataError, "'best' of the state is 'low'"),
        (lambda s: s | {"then.patience": -1}, errors.DomainError, "patience=-1.*ReduceOnPlateau"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, kind, message):
    def make():
        optimizer = sgd(0.1)
        return nn.WarmUp(optimizer, 2, then=nn.ReduceOnPlateau(optimizer))

    schedule, saved = make(), make()
    saved.step()
    before = schedule.state_dict(), schedule.optimizer.state_dict()
    with pytest.raises(kind, match=message):
        schedule.load_state_dict(change(saved.state_dict()))
    assert (schedule.state_dict(), schedule.optimizer.state_dict()) == before


# Settings


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda o: nn.StepDecay(o, 0), "every=0.*StepDecay.*whole number of at least 1"),
        (lambda o: nn.StepDecay(o, 2.0), "every=2.0"),
        (lambda o: nn.StepDecay(o, 2, factor=-0.1), "factor=-0.1"),
        (lambda o: nn.ExponentialDecay(o, math.nan), "factor=nan.*ExponentialDecay"),
        (lambda o: nn.CosineAnnealing(o, -1), "duration=-1"),
        (lambda o: nn.CosineAnnealing(o, 5, minimum_rate=math.inf), "minimum_rate=inf"),
        (lambda o: nn.WarmUp(o, 5, start=1.5), r"start=1.5.*in \[0, 1\)"),
        (lambda o: nn.WarmUp(o, True), "duration=True"),
        (lambda o: nn.ReduceOnPlateau(o, "minimum"), "'minimum' was given as mode.*Did you mean 'min'"),
        (lambda o: nn.ReduceOnPlateau(o, threshold_mode="rel"), "threshold_mode='rel'.*'relative' or 'absolute'"),
        (lambda o: nn.ReduceOnPlateau(o, monitor="accuracy"), "monitor='accuracy' and no mode.*mode=\"min\" or"),
        (lambda o: nn.ReduceOnPlateau(o, patience=-1), "patience=-1"),
        (lambda o: nn.ReduceOnPlateau(o, patience=False), "patience=False"),
        (lambda o: nn.ReduceOnPlateau(o, cooldown=0.5), "cooldown=0.5"),
        (lambda o: nn.OneCycle(o, 10, warm_up=1.0), "warm_up=1.0"),
        (lambda o: nn.OneCycle(o, 10, start_divisor=0), "start_divisor=0"),
        (lambda o: nn.OneCycle(o, 10, anneal="cos"), "anneal='cos'.*'cosine' or 'linear'"),
        (lambda o: nn.OneCycle(o, 10, cycle_momentum="yes"), "cycle_momentum='yes'"),
        (lambda o: nn.OneCycle(o, 10, cycle_momentum=True), "no momentum to cycle.*momentum=0.9"),
        (lambda o: nn.StepDecay(o, 2, unit="epochs"), "unit='epochs'.*'epoch' or 'step'"),
        (lambda o: nn.StepDecay(o, 2, unit=None), "unit=None"),
    ],
)
def test_settings_out_of_range_are_refused_and_leave_the_optimizer_alone(make, message):
    optimizer = sgd(0.1, 0.2)
    with pytest.raises(errors.DomainError, match=message):
        make(optimizer)
    assert rates_of(optimizer) == [0.1, 0.2]


def test_a_setting_of_ones_own_may_be_whatever_can_be_saved():
    """Whatever its name is in other classes."""

    class Late(nn.Schedule):
        def __init__(self, optimizer, start, shape="linear"):
            super().__init__(optimizer, start=start, shape=shape)

        def rate(self, base, step):
            return base if step < self.start else base / 2

    schedule = Late(sgd(0.5), start=5)
    for _ in range(5):
        schedule.step()
    assert (schedule.start, schedule.optimizer.learning_rate) == (5, 0.25)
    other = Late(sgd(0.5), start=-0.5, shape="cosine")
    other.load_state_dict(json.loads(json.dumps(schedule.state_dict())))
    assert other.state_dict() == schedule.state_dict()
    with pytest.raises(errors.DomainError, match=r"start=\[5\].*setting of Late.*can be saved"):
        Late(sgd(), start=[5])


@pytest.mark.parametrize("wrong", [None, 0.1, engine.Value(1.0), nn.SGD])
def test_a_schedule_is_of_an_optimizer(wrong):
    with pytest.raises(errors.DataError, match=r"ExponentialDecay was given.*ExponentialDecay\(optimizer, \.\.\.\)"):
        nn.ExponentialDecay(wrong, 0.9)


def test_what_cannot_follow_a_warm_up_is_refused():
    optimizer = sgd()
    begun = nn.StepDecay(optimizer, 2)
    begun.step()
    for wrong in (nn.StepDecay(sgd(), 2), begun, optimizer, "cosine"):
        with pytest.raises(errors.DataError, match=r"then=.*a schedule of the same optimiser that has not begun"):
            nn.WarmUp(optimizer, 2, then=wrong)


def test_a_rate_must_be_written():
    with pytest.raises(NotImplementedError, match="Write def rate"):
        nn.Schedule(sgd())


def test_a_rate_that_is_none_changes_nothing():
    class Broken(nn.Schedule):
        def rate(self, base, step):
            return base if step < 2 or base == 0.1 else math.nan

    optimizer = sgd(0.1, 0.2)
    schedule = Broken(optimizer)
    schedule.step()
    with pytest.raises(errors.DomainError, match=r"learning_rate=nan.*setting of Broken"):
        schedule.step()
    assert (rates_of(optimizer), schedule.steps) == ([0.1, 0.2], 1)


def test_beta1_is_adams_momentum():
    adam = nn.Adam([engine.Value(1.0)], learning_rate=0.1)
    schedule = nn.OneCycle(adam, 10, cycle_momentum=True)
    assert (adam.beta1, adam.learning_rate) == (0.95, 0.004)
    schedule.step()
    schedule.step()
    assert (adam.beta1, adam.learning_rate) == (0.85, 0.1)
    assert schedule.momentum(9) == 0.95


def test_momentum_may_be_zero_in_between():
    optimizer = sgd(0.1, momentum=0.9)
    schedule = nn.OneCycle(optimizer, 10, cycle_momentum=True, base_momentum=0.0)
    for _ in range(2):
        schedule.step()
    assert optimizer.groups[0].momentum == 0.0
    resumed = sgd(0.1, momentum=0.9)
    resumed.load_state_dict(optimizer.state_dict())
    schedule.step()
    assert optimizer.groups[0].momentum > resumed.groups[0].momentum == 0.0


def test_every_optimizer_can_be_scheduled():
    for make in (nn.SGD, nn.Adagrad, nn.RMSprop, nn.Adam, nn.AdamW, nn.Lion, nn.LBFGS):
        optimizer = make([engine.Value(1.0)], learning_rate=1.0)
        nn.ExponentialDecay(optimizer, 0.5).step()
        assert optimizer.learning_rate == 0.5


def test_the_repr_shows_the_settings():
    assert repr(nn.StepDecay(sgd(), 2)) == "StepDecay(unit='epoch', every=2, factor=0.1)"
    optimizer = sgd()
    assert repr(nn.WarmUp(optimizer, 5, start=0.5, then=nn.StepDecay(optimizer, 2))) == (
        "WarmUp(unit='epoch', duration=5, start=0.5, then=StepDecay(unit='epoch', every=2, factor=0.1))"
    )


def test_a_rate_that_grows_without_end_is_told():
    schedule = nn.ExponentialDecay(nn.SGD([engine.Value(1.0)], learning_rate=0.1), factor=10.0)
    with pytest.raises(errors.DomainError, match="learning_rate=inf"):
        for _ in range(400):
            schedule.step()
