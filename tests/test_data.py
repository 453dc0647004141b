"""Mini-batches: every row once, rows stay together, a seed gives the order."""

import itertools
import json
import math
import tracemalloc

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


# Epochs


def test_every_epoch_has_another_order_and_all_come_from_the_seed():
    data = nn.batches(range(50), batch_size=7, seed=0)
    first, second = order(data), order(data)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    again = nn.batches(range(50), batch_size=7, seed=0)
    assert [order(again), order(again)] == [first, second]
    rng = np.random.default_rng(0)
    assert [order(nn.batches(range(50), batch_size=7, seed=rng)) for _ in range(2)] == [first, second]


def numbers(count):
    """A source of so many examples, for `nn.batches`."""
    return lambda: iter(range(count))


SOURCES = {"arrays": range, "rows": lambda count: np.arange(2 * count), "a function": numbers}


def made(kind, count, seed, **settings):
    """Batches of the numbers below `count`, from any kind of source."""
    rows = range(count) if kind == "rows" else None
    return nn.batches(SOURCES[kind](count), rows=rows, seed=seed, **settings)


@pytest.mark.parametrize("kind", SOURCES)
@given(count=counts, size=st.integers(1, 40), seed=seeds, shuffle=st.booleans(), data=st.data())
def test_batches_go_on_where_their_state_was_saved(kind, count, size, seed, shuffle, data):
    settings = {"batch_size": size, "shuffle": shuffle, "buffer_size": data.draw(st.integers(1, 40))}
    whole = made(kind, count, seed, **settings)
    before = data.draw(st.integers(0, 2))
    for _ in range(before):
        order(whole)
    left, stop = [], data.draw(st.integers(0, math.ceil(count / size)))
    state = whole.state_dict()
    for number, (rows,) in enumerate(whole, start=1):
        left += list(rows) if number > stop else []
        if number == stop:
            state = whole.state_dict()
    resumed = made(kind, count, seed + 1, **settings)
    resumed.load_state_dict(json.loads(json.dumps(state)))
    assert resumed.state_dict() == state
    assert order(resumed) == left
    assert order(resumed) == order(whole)
    assert resumed.state_dict() == whole.state_dict()


def test_an_epoch_that_was_left_is_not_gone_on_with():
    data = nn.batches(range(10), batch_size=2, seed=0)
    for _ in data:
        break
    assert len(order(data)) == 10


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (None, errors.DataError, "from a NoneType.*state_dict"),
        ({"batch": None, "seed": 1}, errors.DataError, r"from \['batch', 'generator', 'seed'\]"),
        ({"batch": -1}, errors.DomainError, "batch=-1"),
        ({"batch": 6}, errors.DomainError, "6 batches.*only 5.*same batch_size"),
        ({"generator": 3}, errors.DataError, "draw from PCG64"),
        ({"generator": {}}, errors.DataError, "draw from PCG64"),
        ({"generator": {"bit_generator": "PCG64", "state": {"state": 1, "inc": 3}}}, errors.DataError, "PCG64"),
        ({"generator": np.random.Generator(np.random.MT19937(0)).bit_generator.state}, errors.DataError, "PCG64"),
    ],
)
def test_a_wrong_state_is_refused_and_changes_nothing(change, error, message):
    data = nn.batches(range(10), batch_size=2, seed=0)
    before = data.state_dict()
    with pytest.raises(error, match=message):
        data.load_state_dict(change if change is None else before | change)
    assert data.state_dict() == before


@given(count=counts, size=st.integers(1, 40))
def test_the_length_is_the_number_of_batches(count, size):
    for drop_last in [False, True][: 1 + (count >= size)]:
        data = nn.batches(range(count), batch_size=size, drop_last=drop_last)
        lengths = [len(rows) for (rows,) in data]
        assert len(data) == len(lengths)
        assert sum(lengths) == (count - count % size if drop_last else count)
        assert not drop_last or set(lengths) == {size}


def test_at_least_one_batch_is_left():
    with pytest.raises(errors.ShapeError, match=r"3 rows.*batch_size=4.*smaller batch_size"):
        nn.batches(range(3), batch_size=4, drop_last=True)


def test_floats_are_converted_and_integers_stay():
    x, y = np.ones(4), np.arange(4, dtype="uint8")
    ((a, b),) = nn.batches(x, y, batch_size=4, dtype="float32")
    assert (a.dtype, b.dtype) == (np.float32, np.uint8)
    ((a, b),) = nn.batches(lambda: zip(x, y), batch_size=4, dtype=np.float32)
    assert (a.dtype, b.dtype) == (np.float32, np.uint8)
    for dtype in ("int64", "words", 3):
        with pytest.raises(errors.DataError, match='Give "float32"'):
            nn.batches(x, batch_size=2, dtype=dtype)


def test_only_the_rows_asked_for_come():
    x = np.arange(20) * 10
    assert order(nn.batches(x, batch_size=2, rows=[7, 3, 5], shuffle=False)) == [70, 30, 50]
    assert sorted(order(nn.batches(x, batch_size=2, rows=[7, 3, 5], seed=0))) == [30, 50, 70]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([], errors.DataError, "at least one"),
        ([True, False, True], errors.DataError, r"dtype bool.*flatnonzero"),
        ([[0]], errors.DataError, r"shape \(1, 1\)"),
        ([0.0], errors.DataError, "dtype float64"),
        ([0, 3], errors.DomainError, "the row 3 .*0, ..., 2"),
        ([0, -1], errors.DomainError, "the row -1"),
    ],
)
def test_wrong_rows_are_refused(rows, error, message):
    with pytest.raises(error, match=message):
        nn.batches([1, 2, 3], batch_size=2, rows=rows)


def test_frames_are_data():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": [3, 4]}, index=[7, 9])
    ((x, y),) = nn.batches(frame, frame["b"], batch_size=2, shuffle=False)
    assert (x.tolist(), y.tolist()) == ([[1, 3], [2, 4]], [3, 4])


# Data larger than memory


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_memory_mapped_file_is_read_batch_by_batch(tmp_path, shuffle):
    count, width, path = 1000, 2000, tmp_path / "x.npy"
    np.save(path, np.arange(count * width, dtype=float).reshape(count, width))
    x = np.load(path, mmap_mode="r")
    data = nn.batches(x, range(count), batch_size=10, shuffle=shuffle, dtype="float32", seed=0)
    tracemalloc.start()
    try:
        seen = sum(int((rows[:, 0] == y * width).sum()) for rows, y in data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen == count
    assert peak < x.nbytes / 20


def test_a_function_is_asked_for_no_more_than_the_buffer_and_a_batch():
    asked = 0

    def source():
        nonlocal asked
        for asked in itertools.count(1):
            yield asked, 2 * asked

    data = iter(nn.batches(source, batch_size=4, buffer_size=10, seed=0))
    for batch in range(1, 6):
        x, y = next(data)
        assert (y == 2 * x).all()
        assert x.max() <= asked <= 10 + 4 * batch


@given(count=counts, size=st.integers(1, 40), buffer_size=st.integers(1, 40), seed=seeds)
def test_every_example_of_a_function_comes_once(count, size, buffer_size, seed):
    data = nn.batches(numbers(count), batch_size=size, buffer_size=buffer_size, seed=seed)
    first, second = order(data), order(data)
    assert sorted(first) == sorted(second) == list(range(count))
    assert all(example < place + buffer_size for place, example in enumerate(first))
    again = nn.batches(numbers(count), batch_size=size, buffer_size=buffer_size, seed=seed)
    assert [order(again), order(again)] == [first, second]
    plain = nn.batches(numbers(count), batch_size=size, shuffle=False)
    assert order(plain) == list(range(count))


def test_a_buffer_that_holds_everything_makes_every_order_equally_likely():
    data = nn.batches(numbers(3), batch_size=3, seed=0)
    found = [tuple(order(data)) for _ in range(1200)]
    shares = [found.count(each) / 1200 for each in itertools.permutations(range(3))]
    assert shares == pytest.approx([1 / 6] * 6, abs=0.04)


def test_a_buffer_is_shuffled():
    first, second = (order(nn.batches(numbers(50), batch_size=7, buffer_size=10, seed=seed)) for seed in (0, 1))
    assert first != second
    assert list(range(50)) not in (first, second)
    assert first[1:40] != sorted(first[1:40]), "also while it is full"


def test_examples_become_arrays():
    examples = [(np.full((2, 2), i), i % 2 == 0, i) for i in range(3)]
    ((images, flags, labels),) = nn.batches(lambda: examples, batch_size=3, shuffle=False)
    assert images.shape == (3, 2, 2)
    assert flags.tolist() == [True, False, True]
    assert labels.tolist() == [0, 1, 2]


def test_generators_share_their_seed_with_others():
    """However much is drawn from the buffer: what else uses the generator is not moved."""
    rngs = [np.random.default_rng(0) for _ in range(2)]
    for rng, count in zip(rngs, (5, 50)):
        order(nn.batches(numbers(count), batch_size=2, seed=rng))
    assert rngs[0].random() == rngs[1].random()


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (lambda: 3, errors.DataError, "returned 3 of type int.*yield"),
        (lambda: [], errors.ShapeError, "0 examples.*anew each time"),
        (lambda: ["a"], errors.DataError, r"dtype <U1"),
        (lambda: [(1, 2), (1,)], errors.ShapeError, "examples of 1, 2 entries"),
        (lambda: [()], errors.ShapeError, "examples of 0 entries"),
        (lambda: [[1, 2], [1]], errors.ShapeError, "Make all rows equally long"),
    ],
)
def test_examples_that_make_no_batch_are_refused(source, error, message):
    with pytest.raises(error, match=message):
        list(nn.batches(source, batch_size=2))


def test_a_generator_that_is_used_up_is_explained():
    generator = iter(range(5))
    with pytest.raises(errors.DataError, match=r"'range_iterator' was given as data.*a function that returns it"):
        nn.batches(generator, batch_size=2)
    data = nn.batches(lambda: generator, batch_size=2)
    assert len(order(data)) == 5
    with pytest.raises(errors.ShapeError, match=r"0 examples.*gone through only once"):
        order(data)
    with pytest.raises(errors.ShapeError, match=r"3 examples.*drop_last"):
        order(nn.batches(numbers(3), batch_size=4, drop_last=True))


def test_what_a_function_raises_comes_through_and_rows_are_refused():
    def source():
        yield 1
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        order(nn.batches(source, batch_size=2))
    with pytest.raises(errors.DataError, match=r"rows=.*with a function"):
        nn.batches(source, batch_size=2, rows=[0])
    with pytest.raises(errors.DomainError, match="buffer_size=0"):
        nn.batches(source, batch_size=2, buffer_size=0)


# Parts


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5), seed=seeds, shuffle=st.booleans())
def test_parts_have_their_sizes_and_every_row_is_in_one(sizes, seed, shuffle):
    x = np.arange(sum(sizes))
    parts = nn.split(x, x * 2, sizes=sizes, seed=seed, shuffle=shuffle)
    assert [len(rows) for rows, _ in parts] == sizes
    assert all((double == 2 * rows).all() for rows, double in parts)
    together = [int(i) for rows, _ in parts for i in rows]
    assert sorted(together) == list(x)
    assert shuffle or together == list(x)
    shares = [size / len(x) for size in sizes]
    again = nn.split(x, x * 2, sizes=shares, seed=seed, shuffle=shuffle)
    assert [rows.tolist() for rows, _ in again] == [rows.tolist() for rows, _ in parts]


@given(count=st.integers(1, 300), shares=st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_shares_are_rounded_to_whole_rows(count, shares):
    shares = np.array(shares) / sum(shares)
    if (np.floor(shares * count) >= 1).all():
        sizes = [len(rows) for (rows,) in nn.split(range(count), sizes=shares.tolist())]
        assert sum(sizes) == count
        assert (abs(shares * count - sizes) < 1).all()


@given(
    numbers=st.lists(st.integers(4, 60), min_size=1, max_size=4),
    shares=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    seed=seeds,
)
def test_every_part_has_every_class_in_proportion(numbers, shares, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(numbers)), numbers))
    shares = np.array(shares) / sum(shares)
    if (shares * len(labels) >= len(numbers)).all():
        parts = nn.split(labels, range(len(labels)), sizes=shares.tolist(), stratify=labels, seed=seed)
        assert sorted(int(i) for _, rows in parts for i in rows) == list(range(len(labels)))
        found = np.array([np.bincount(part, minlength=len(numbers)) for part, _ in parts])
        sizes = [len(part) for (part,) in nn.split(labels, sizes=shares.tolist(), seed=seed)]
        assert found.sum(axis=1).tolist() == sizes
        assert found.min() >= 1
        ideal = np.outer(sizes, numbers) / len(labels)
        if ideal.min() >= 1 and len(sizes) == 2:
            assert (abs(found - ideal) < 1).all()
        elif ideal.min() >= 1:
            assert (abs(found - ideal) < 2).all()


@pytest.mark.parametrize(("sizes", "small"), [((90, 10), 1), ((10, 90), 0)])
def test_large_classes_make_room_for_small_ones_in_proportion(sizes, small):
    labels = np.repeat(range(5), [2, 2, 2, 40, 54])
    parts = nn.split(labels, sizes=sizes, stratify=labels, seed=0)
    assert np.bincount(parts[small][0]).tolist() == [1, 1, 1, 3, 4]


def test_two_parts_are_those_of_scikit_learn():
    model_selection = pytest.importorskip("sklearn.model_selection")
    labels = np.repeat([0, 1, 2], [50, 31, 19])
    ours = nn.split(labels, sizes=(75, 25), stratify=labels, seed=0)
    theirs = model_selection.train_test_split(labels, test_size=25, stratify=labels, random_state=0)
    assert [np.bincount(part).tolist() for (part,) in ours] == [np.bincount(part).tolist() for part in theirs]


def test_a_seed_gives_the_parts_and_rows_are_mixed():
    labels = np.repeat([0, 1], 50)

    def parts(seed, **settings):
        return [rows.tolist() for (rows,) in nn.split(range(100), sizes=(0.5, 0.5), seed=seed, **settings)]

    for settings in ({}, {"stratify": labels}):
        assert parts(0, **settings) == parts(0, **settings) != parts(1, **settings)
        assert parts(0, **settings)[0] != sorted(parts(0, **settings)[0])
    assert parts(0, shuffle=False, stratify=labels) == [
        [*range(25), *range(50, 75)],
        [*range(25, 50), *range(75, 100)],
    ]


def test_classes_may_have_names():
    ((train,), (test,)) = nn.split(range(6), sizes=(4, 2), stratify=["cat", "dog"] * 3, seed=0)
    assert sorted(test % 2) == [0, 1]
    assert len(train) == 4


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"sizes": (0.8, 0.1)}, errors.DomainError, "add up to 0.9"),
        ({"sizes": (5, 4)}, errors.DomainError, r"for 10 rows.*\[5, 4\]"),
        ({"sizes": (10, 0)}, errors.DomainError, "positive"),
        ({"sizes": (1.5, -0.5)}, errors.DomainError, "positive"),
        ({"sizes": (0.99, 0.01)}, errors.DomainError, r"\[10, 0\].*at least one row"),
        ({"sizes": ()}, errors.DomainError, "positive"),
        ({"sizes": 0.2}, errors.DomainError, r"sizes=0\.2"),
        ({"sizes": "ab"}, errors.DomainError, "sizes='ab'"),
        ({"sizes": [float("nan"), 1.0]}, errors.DomainError, "positive"),
        ({"sizes": [True]}, errors.DomainError, "positive"),
        ({"sizes": [[0.5], [0.5]]}, errors.DomainError, "positive"),
        ({"stratify": [0] * 9}, errors.ShapeError, r"\(9,\) for 10 rows"),
        ({"stratify": [0] * 9 + [None]}, errors.DataError, "several kinds"),
        ({"stratify": [0] * 9 + [7]}, errors.DomainError, "class 7 .*only 1.*join it"),
        ({"sizes": (8, 2), "stratify": [0, 1, 2, 3, 4] * 2}, errors.DomainError, r"\[8, 2\] rows.*5 classes"),
    ],
)
def test_parts_that_cannot_be_made_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        nn.split(range(10), **({"sizes": (0.5, 0.5)} | settings))
