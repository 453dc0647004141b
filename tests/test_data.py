"""Mini-batches: every row once, rows stay together, a seed gives the order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
from engine import errors

counts, seeds = st.integers(1, 30), st.integers(0, 99)


def order(batches):
    return [int(i) for (rows,) in batches for i in rows]


@given(count=counts, size=st.integers(1, 40), seed=seeds)
def test_every_row_comes_once_and_rows_stay_together(count, size, seed):
    x = np.arange(count)
    batches = list(nn.batches(x, x[:, None] * [2, 3], batch_size=size, seed=seed))
    assert sorted(i for rows, _ in batches for i in rows) == list(x)
    assert all((pairs == rows[:, None] * [2, 3]).all() for rows, pairs in batches)
    sizes = [len(rows) for rows, _ in batches]
    assert sizes[:-1] == [size] * (len(sizes) - 1)
    assert 0 < sizes[-1] <= size


@given(counts, seeds)
def test_a_seed_gives_the_order(count, seed):
    first, again = (order(nn.batches(range(count), batch_size=4, seed=seed)) for _ in range(2))
    assert first == again
    assert order(nn.batches(range(count), batch_size=4, shuffle=False)) == list(range(count))


def test_one_generator_gives_every_epoch_another_order():
    rng = np.random.default_rng(0)
    first, second = (order(nn.batches(range(50), batch_size=7, seed=rng)) for _ in range(2))
    assert first != second
    assert first != list(range(50))


def test_a_batch_is_a_copy():
    x = np.zeros(3)
    for (batch,) in nn.batches(x, batch_size=2, shuffle=False):
        batch += 1
    assert not x.any()


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        (([1, 2], [1, 2, 3]), errors.ShapeError, r"shapes \(2,\), \(3,\).*equally long"),
        (([],), errors.ShapeError, "not empty"),
        ((3.0,), errors.ShapeError, r"shapes \(\)"),
        ((), errors.ShapeError, "equally long"),
        (([[1, 2], [3]],), errors.ShapeError, "Make all rows equally long"),
        ((["a", "b"],), errors.DataError, r"dtype <U1.*numpy\.unique"),
        (([None],), errors.DataError, "dtype object"),
        (([1j],), errors.DataError, "dtype complex128"),
    ],
)
def test_data_that_make_no_batches_are_refused_at_once(arrays, error, message):
    with pytest.raises(error, match=message):
        nn.batches(*arrays, batch_size=2)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "2"])
def test_a_batch_has_at_least_one_row(size):
    with pytest.raises(errors.DomainError, match=r"batch_size=.*whole number of at least 1"):
        nn.batches([1, 2], batch_size=size)
