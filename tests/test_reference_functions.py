"""Neither a false alarm nor a miss on the table of reference functions; and the table itself, tested."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from reference_functions import GROUPS, Ruled, Written, arguments, check, mistaken, rows

from engine.testing import GradientError

ENTRIES = [entry for entries in GROUPS.values() for entry in entries]
WRITTEN = [entry for entry in ENTRIES if isinstance(entry, Written)]
RULED = [entry for entry in ENTRIES if isinstance(entry, Ruled)]
AT_KINKS = [entry for entry in ENTRIES if entry.kinks != "raise"]
SMOOTH = [entry for group, entries in GROUPS.items() if group not in ("kinks", "float32") for entry in entries]


def each(entries):
    return pytest.mark.parametrize("entry", entries, ids=lambda entry: entry.name)


def each_mistake(entries):
    """Each wrong gradient at each point."""
    cases = [(entry, mistake, point) for entry in entries for mistake in entry.wrong for point in entry.at]
    names = [
        f"{entry.name}: {mistake}, at {number}"
        for entry in entries
        for mistake in entry.wrong
        for number, _ in enumerate(entry.at)
    ]
    return pytest.mark.parametrize(("entry", "mistake", "point"), cases, ids=names)


def assert_refused(entry, mistake, point, **options):
    """The check raises; where the mistake does not show, it passes."""
    if not mistaken(entry, mistake, point):
        assert check(entry, mistake, point, **options).excess <= 1
        return
    with pytest.raises(GradientError) as caught:
        check(entry, mistake, point, **options)
    assert not caught.value.worst.excess <= 1


# The checkers.


@each(ENTRIES)
def test_a_right_gradient_is_no_false_alarm(entry):
    for point in entry.at:
        assert check(entry, None, point).excess <= 1


@each_mistake(ENTRIES)
def test_a_wrong_gradient_is_not_missed(entry, mistake, point):
    assert_refused(entry, mistake, point)


@each(ENTRIES)
def test_random_projections_find_the_same(entry):
    assert check(entry, None, entry.at[0], fast=True).excess <= 1
    for mistake in entry.wrong:
        assert_refused(entry, mistake, entry.at[0], fast=True)


@pytest.mark.parametrize("mode", ["forward", "both"])
@each(RULED)
def test_forward_mode_finds_the_same(entry, mode):
    assert check(entry, None, entry.at[0], mode=mode).excess <= 1
    for mistake in entry.wrong:
        assert_refused(entry, mistake, entry.at[0], mode=mode)


@each(AT_KINKS)
def test_kinks_are_reported_or_left_out_as_asked(entry):
    for point in entry.at:
        with pytest.raises(GradientError, match="kink"):
            check(entry, None, point, kinks="raise")
        assert check(entry, None, point, kinks="skip").skipped > 0


def test_beside_a_kink_that_is_left_out_mistakes_are_found():
    (entry,) = [entry for entry in ENTRIES if entry.name == "rectifier, at its kink"]
    with pytest.raises(GradientError):
        check(entry, "beside the kink", entry.at[0], kinks="skip")
    check(entry, "2 at the kink", entry.at[0], kinks="skip")


@each([entry for entry in RULED if entry.order == 2])
def test_a_mistake_of_second_order_is_none_at_first(entry):
    for point in entry.at:
        for mistake in entry.wrong:
            check(entry, mistake, point, order=1)


@pytest.mark.slow
@each([entry for entry in ENTRIES if entry.kinks == "raise"])
def test_neither_false_alarms_nor_misses_nearby(entry):
    """Each number of each point moved by up to a tenth of itself, which crosses no kink, within the domain."""

    @hypothesis.given(st.data())
    @hypothesis.settings(max_examples=25)
    def nearby(data):
        args = []
        for x in arguments(data.draw(st.sampled_from(entry.at))):
            steps = data.draw(st.lists(st.integers(-64, 64), min_size=np.size(x), max_size=np.size(x)))
            moved = x * (1 + np.reshape(steps, np.shape(x)) / 640)
            args.append(moved.astype(x.dtype) if isinstance(x, np.ndarray) else float(moved))
        if isinstance(entry, Written):
            with np.errstate(all="ignore"):
                hypothesis.assume(all(np.isfinite(part).all() for part in rows(entry.right(*args))))
        assert check(entry, None, tuple(args)).excess <= 1
        for mistake in entry.wrong:
            if clearly_wrong(entry, mistake, args):
                with pytest.raises(GradientError):
                    check(entry, mistake, tuple(args))

    nearby()


# The table.


def clearly_wrong(entry, mistake, args, *, beside=np.max) -> bool:
    """Some entry is off by 0.09 % of the largest one of the same argument; of rules nothing is known."""
    if isinstance(entry, Ruled):
        return False
    pairs = zip(rows(entry.right(*args)), rows(entry.wrong[mistake](*args)), strict=True)
    return any(not (abs(wrong - right) <= 9e-4 * beside(abs(right))).all() for right, wrong in pairs)


def test_the_table_is_large_and_its_names_are_different():
    assert len(ENTRIES) >= 60
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)
    assert all(entry.wrong for entry in ENTRIES)


@each(WRITTEN)
def test_each_mistake_shows_somewhere(entry):
    """By a thousandth of the derivative itself, which a checker must see."""
    for mistake in entry.wrong:
        assert any(clearly_wrong(entry, mistake, arguments(point), beside=np.positive) for point in entry.at)


@each(WRITTEN)
def test_gradients_have_the_shape_of_result_and_argument(entry):
    for point in entry.at:
        args = arguments(point)
        shapes = [np.shape(entry.function(*args)) + np.shape(x) for x in args]
        for gradient in (entry.right, *entry.wrong.values()):
            assert [part.shape for part in rows(gradient(*args))] == shapes


@each([entry for entry in SMOOTH if isinstance(entry, Written)])
def test_the_right_gradient_is_that_by_complex_steps(entry):
    """Computed here and not by the kit, whose judge the table is."""
    for point in entry.at:
        args = [np.asarray(x, complex) for x in arguments(point)]
        for k, right in enumerate(rows(entry.right(*arguments(point)))):
            columns = []
            for place in np.ndindex(args[k].shape):
                moved = [x.copy() for x in args]
                moved[k][place] += 1e-100j
                columns.append(np.ravel(entry.function(*moved)).imag / 1e-100)
            numerical = np.stack(columns, axis=-1).reshape(right.shape)
            np.testing.assert_allclose(numerical, right, rtol=1e-9, atol=1e-9 * abs(right).max())
