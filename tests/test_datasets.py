"""Data sets: what they hold, that files are read as published, and that wrong ones are named."""

import gzip
import pickle
import struct
import sys
import types
import urllib.error

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import nn
from engine import errors
from nn import datasets
from nn.datasets import DatasetError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array):
    """The bytes of an IDX file."""
    array = np.asarray(array)
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[array.dtype.str[1:]], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def mnist(folder, ending="", train=5, test=3):
    """A folder as MNIST is published, with few images; and what is in it."""
    folder.mkdir(exist_ok=True)
    rng, content = np.random.default_rng(0), []
    for name, count in (("train", train), ("t10k", test)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        labels = rng.integers(0, 10, count, np.uint8)
        for part, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            data = gzip.compress(idx(array)) if ending else idx(array)
            (folder / f"{name}-{part}{ending}").write_bytes(data)
            content.append(array)
    return content


CIFAR_FILES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]


def cifar(folder, count=4):
    """A folder as the binary version of CIFAR-10 is published, with few images; and the records in it."""
    rng, content = np.random.default_rng(0), []
    for name in CIFAR_FILES:
        records = rng.integers(0, 256, (count, 3073), np.uint8)
        records[:, 0] %= 10
        (folder / name).write_bytes(records.tobytes())
        content.append(records)
    return content


# What scikit-learn brings


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    data = datasets.load_digits()
    x, y = np.concatenate([data.x_train, data.x_test]), np.concatenate([data.y_train, data.y_test])
    assert x.dtype == np.float32
    assert y.dtype.kind == "i"
    found, expected = np.column_stack([x.reshape(-1, 64) * 16, y]), np.column_stack([images, labels])
    assert sorted(found.tolist()) == sorted(expected.tolist())
    assert abs(np.bincount(data.y_test) / np.bincount(y) - 0.2).max() < 0.01
    assert data.classes == tuple("0123456789")


def test_digits_without_scale_are_integers():
    data, scaled = datasets.load_digits(scale=False), datasets.load_digits()
    assert data.x_train.dtype == np.uint8
    assert data.x_train.max() == 16
    assert (data.x_train == scaled.x_train * 16).all()
    assert scaled.x_train.max() == 1


def shown(place):
    """The pixels of a place on its photograph."""
    photograph, top, bottom, left, right = place
    return {(photograph, row, column) for row in range(top, bottom) for column in range(left, right)}


def test_no_two_places_share_a_pixel_unless_class_and_part_are_the_same():
    pixels = [set().union(*map(shown, places)) for parts in datasets.PATCHES.values() for places in parts]
    assert sum(map(len, pixels)) == len(set().union(*pixels))


def test_patches_are_cut_where_their_class_is_and_each_once():
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    data = datasets.load_patches(train=200, test=100, scale=False)
    assert data.x_train.shape == (200, 3, 32, 32)
    assert data.classes == tuple(datasets.PATCHES)
    for part, (x, y) in enumerate([(data.x_train, data.y_train), (data.x_test, data.y_test)]):
        assert (np.bincount(y) == len(y) / 10).all()
        assert len({patch.tobytes() for patch in x[y == 3]}) == len(x) / 10
        for label, name in enumerate(data.classes):
            corners = datasets._corners(datasets.PATCHES[name][part])
            possible = {
                photographs[photograph][top : top + 32, left : left + 32].transpose(2, 0, 1).tobytes()
                for photograph, top, left in corners
            }
            assert {patch.tobytes() for patch in x[y == label]} <= possible


def test_a_seed_gives_the_patches():
    first, again, other = (datasets.load_patches(train=50, test=10, seed=seed) for seed in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(first[:4], again[:4]))
    assert (first.x_train != other.x_train).any()
    assert (first.y_train != other.y_train).any()
    assert first.x_train.dtype == np.float32
    assert 0 <= first.x_train.min() < first.x_train.max() <= 1


def test_a_small_network_learns_the_patches():
    """Over three seeds a larger one reads 74 to 80 % of the test patches; by chance it would be 10 %."""
    data = datasets.load_patches(train=1000, test=300)
    x, x_test = (images.reshape(len(images), -1) for images in (data.x_train, data.x_test))
    model = nn.MLP([3072, 32, 10], seed=0, dtype="float32")
    adam = nn.Adam(model.parameters(), learning_rate=1e-3)
    nn.fit(model, x, data.y_train, loss=nn.cross_entropy, optimizer=adam, epochs=6, progress=False)
    assert nn.accuracy(model(x_test), data.y_test) > 0.6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train": 0}, "train=0"),
        ({"test": 2.5}, r"test=2\.5"),
        ({"train": 10**6}, r"train=1000000 patches.*100000 of the class 'sky'.*Ask for at most \d+"),
    ],
)
def test_patches_that_there_are_not_are_refused(settings, message):
    with pytest.raises(errors.DomainError, match=message):
        datasets.load_patches(**settings)


def test_as_many_patches_as_are_said_to_be_can_be_had():
    with pytest.raises(errors.DomainError) as caught:
        datasets.load_patches(train=1, test=10**6)
    most = int(str(caught.value).rpartition(" at most ")[2].rstrip("."))
    assert most >= 2000
    data = datasets.load_patches(train=1, test=most)
    assert len(data.x_test) == most
    hearts = data.x_test[data.y_test == data.classes.index("heart")]
    assert len({patch.tobytes() for patch in hearts}) == most / 10
    with pytest.raises(errors.DomainError):
        datasets.load_patches(train=1, test=most + 10)


@pytest.mark.parametrize("make", [datasets.make_circles, datasets.make_moons])
def test_points_come_from_the_seed(make):
    (x, y), (again, _), (other, _) = (make(100, seed=seed) for seed in (0, 0, np.random.default_rng(1)))
    assert x.shape == (100, 2)
    assert np.bincount(y).tolist() == [50, 50]
    assert (x == again).all()
    assert (x != other).any()
    exact, _ = make(100, noise=0.0)
    assert len(np.unique(np.hypot(*exact.T).round(9))) >= 2


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (datasets.make_moons, {"n_samples": 1}, "n_samples=1"),
        (datasets.make_moons, {"noise": -0.1}, r"noise=-0\.1.*from 0 that is finite"),
        (datasets.make_moons, {"noise": float("nan")}, "noise=nan"),
        (datasets.make_circles, {"noise": "much"}, "noise='much'"),
        (datasets.make_circles, {"factor": 1.0}, r"factor=1\.0.*less than 1"),
        (datasets.load_digits, {"test_size": 1.0}, r"test_size=1\.0"),
        (datasets.load_digits, {"test_size": "half"}, "test_size='half'"),
        (datasets.load_digits, {"test_size": 0.001}, "10 classes"),
    ],
)
def test_settings_out_of_range_are_refused(make, settings, message):
    with pytest.raises(errors.DomainError, match=message):
        make(**settings)


@pytest.mark.parametrize("load", [datasets.load_digits, datasets.make_moons, datasets.load_mnist])
def test_without_scikit_learn_the_extra_is_named(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(errors.MissingExtraError, match=r"chainrule\[estimators\]"):
        load()


@pytest.mark.parametrize("package", ["sklearn", "PIL"])
def test_without_pillow_the_extra_is_named(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(errors.MissingExtraError, match=r"load_sample_images.*chainrule\[demos\]"):
        datasets.load_patches()


# IDX files


@given(
    array=st.sampled_from(sorted(CODES)).flatmap(
        lambda dtype: arrays.arrays(dtype, arrays.array_shapes(max_dims=4, min_side=0, max_side=4))
    ),
    compressed=st.booleans(),
)
def test_an_idx_file_is_read_as_it_was_written(array, compressed, tmp_path_factory):
    path = tmp_path_factory.mktemp("idx") / "array"
    path.write_bytes(gzip.compress(idx(array)) if compressed else idx(array))
    found = datasets.read_idx(path)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    assert found.flags.writeable


@given(cut=st.integers(0, 100), more=st.booleans(), compressed=st.booleans())
def test_a_file_of_another_length_is_named(cut, more, compressed, tmp_path_factory):
    whole = idx(np.ones((5, 19), "u1"))
    path = tmp_path_factory.mktemp("idx") / "array"
    data = whole + b"\0" * (cut + 1) if more else whole[:cut]
    path.write_bytes(gzip.compress(data) if compressed else data)
    with pytest.raises(
        DatasetError, match=r"array' is not what its name says: it (begins|ends)|bytes follow its header"
    ):
        datasets.read_idx(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with the bytes of nothing"),
        (b"\0\0\x08", "begins with the bytes 00 00 08"),
        (b"PK\3\4rest", "begins with the bytes 50 4b 03 04.*Expected: 00 00, one of 08, 09, 0b, 0c, 0d, 0e"),
        (b"\0\0\x0a\1\0\0\0\1", "00 00 0a 01"),
        (b"\0\0\x08\0", "00 00 08 00"),
        (b"\0\0\x08\3\0\0", "ends after 6 bytes.*a header of 16 bytes"),
        (b"\0\0\x08\2\0\0\0\3\0\0\0\2abcde", r"only 5 bytes follow.*6 for an array of shape \(3, 2\)"),
        (b"\0\0\x08\2\0\0\0\3\0\0\0\2abcdefg", r"more bytes follow.*6 for an array of shape \(3, 2\)"),
        (b"\0\0\x0e\4" + b"\xff" * 16 + b"rest", "only 4 bytes follow"),
        (b"\0\0\x08\xff" + b"\xff" * 1020, "only 0 bytes follow"),
        (b"\0\0\x08\xff" + b"\0" * 1020, "its header says 255 axes"),
        (b"\0\0\x08\4\0\0\0\0" + b"\xff" * 12, "its header says 4 axes"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_no_idx_file_is_named(content, message, compressed, tmp_path):
    path = tmp_path / "train-images"
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(DatasetError, match=message) as caught:
        datasets.read_idx(path)
    assert "train-images" in str(caught.value)


@pytest.mark.parametrize(
    "spoil",
    [lambda data: data[:-10], lambda data: data[:15], lambda data: data[:12] + b"\xff" * 9 + data[21:],
     lambda data: data[:-6] + bytes(2) + data[-4:]],
    ids=["cut", "header", "middle", "checksum"],
)  # fmt: skip
def test_a_corrupt_gzip_file_is_named(spoil, tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(spoil(gzip.compress(idx(np.arange(250, dtype="u1")))))
    with pytest.raises(DatasetError, match=r"images\.gz.*decompressed.*Expected: a whole gzip file"):
        datasets.read_idx(path)


# MNIST and Fashion-MNIST


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("load", [datasets.load_mnist, datasets.load_fashion_mnist])
def test_mnist_is_read_from_its_files(load, ending, tmp_path):
    x, y, x_test, y_test = mnist(tmp_path, ending)
    data = load(tmp_path, scale=False)
    for found, expected in zip(data[:4], (x[:, None], y, x_test[:, None], y_test)):
        np.testing.assert_array_equal(found, expected)
    scaled = load(str(tmp_path))
    assert scaled.x_train.dtype == np.float32
    np.testing.assert_allclose(scaled.x_train, x[:, None] / 255, rtol=1e-6)
    assert len(set(scaled.classes)) == 10


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("train-images-idx3-ubyte", np.zeros((5, 28, 27), "u1"), r"shape \(5, 28, 27\).*\(images, 28, 28\)"),
        ("train-images-idx3-ubyte", np.zeros((5, 28, 28), "f4"), "float32"),
        ("t10k-images-idx3-ubyte", np.zeros((0, 28, 28), "u1"), r"\(0, 28, 28\)"),
        ("train-labels-idx1-ubyte", np.zeros(4, "u1"), r"shape \(4,\).*\(5,\)"),
        ("train-labels-idx1-ubyte", np.zeros((5, 28, 28), "u1"), r"\(5, 28, 28\)"),
        ("t10k-labels-idx1-ubyte", np.array([1, 10, 2], "u1"), r"label 10 in row 1.*0, \.\.\., 9"),
        ("t10k-labels-idx1-ubyte", np.zeros(3, "i4"), "int32"),
    ],
)
def test_a_file_with_something_else_is_named(name, array, message, tmp_path):
    mnist(tmp_path)
    (tmp_path / name).write_bytes(idx(array))
    with pytest.raises(DatasetError, match=message) as caught:
        datasets.load_mnist(tmp_path)
    assert name in str(caught.value)


def test_missing_files_are_listed(tmp_path):
    with pytest.raises(DatasetError, match=r"empty\. Missing there: train-images-idx3-ubyte, .*with \.gz"):
        datasets.load_mnist(tmp_path)
    mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DatasetError, match=r"holds t10k-images-idx3-ubyte, .*Missing there: t10k-labels-idx1-ubyte \("):
        datasets.load_fashion_mnist(tmp_path)
    with pytest.raises(DatasetError, match="which is a file"):
        datasets.load_mnist(tmp_path / "t10k-images-idx3-ubyte")
    with pytest.raises(OSError, match="which is no folder"):
        datasets.load_mnist(tmp_path / "nowhere")


# CIFAR-10


def test_cifar_is_read_from_its_files(tmp_path):
    records = cifar(tmp_path)
    data = datasets.load_cifar10(tmp_path, scale=False)
    train = np.concatenate(records[:5])
    np.testing.assert_array_equal(data.y_train, train[:, 0])
    np.testing.assert_array_equal(data.y_test, records[5][:, 0])
    assert data.x_train.shape == (20, 3, 32, 32)
    assert data.x_train[7, 2, 5, 9] == train[7, 1 + 2 * 1024 + 5 * 32 + 9]
    np.testing.assert_array_equal(data.x_test.reshape(4, -1), records[5][:, 1:])
    scaled = datasets.load_cifar10(tmp_path).x_test
    np.testing.assert_allclose(scaled, data.x_test / 255, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("data_batch_1.bin", lambda data: data[:-1], "12,291 bytes.*records of 3073 bytes each"),
        ("data_batch_2.bin", lambda data: data + b"\0", "12,293 bytes"),
        ("data_batch_3.bin", lambda data: data[:3073], "1 records.*Expected: 4, as the files before"),
        ("data_batch_4.bin", lambda data: b"", "0 bytes"),
        ("test_batch.bin", lambda data: data[:3073] + b"\x0a" + data[3074:], "label 10 in row 1"),
        ("data_batch_5.bin", pickle.dumps, "bytes"),
    ],
)
def test_a_wrong_cifar_file_is_named(name, spoil, message, tmp_path):
    cifar(tmp_path)
    (tmp_path / name).write_bytes(spoil((tmp_path / name).read_bytes()))
    with pytest.raises(DatasetError, match=message) as caught:
        datasets.load_cifar10(tmp_path)
    assert name in str(caught.value)


def test_missing_cifar_files_are_listed(tmp_path):
    cifar(tmp_path)
    (tmp_path / "test_batch.bin").unlink()
    with pytest.raises(DatasetError, match=r"Missing there: test_batch\.bin\. "):
        datasets.load_cifar10(tmp_path)


class Trap:
    """What a pickle can do to whoever reads it."""

    def __reduce__(self):
        return (pytest.fail, ("A pickle was read.",))


def test_the_pickled_version_of_cifar_is_never_read(tmp_path):
    for name in CIFAR_FILES:
        (tmp_path / name.removesuffix(".bin")).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DatasetError, match=r"Python version.*pickled.*binary version"):
        datasets.load_cifar10(tmp_path)


# From openml.org


LOADERS = [
    (datasets.load_mnist, "mnist_784", (1, 28, 28), 60_000),
    (datasets.load_fashion_mnist, "Fashion-MNIST", (1, 28, 28), 60_000),
    (datasets.load_cifar10, "CIFAR_10", (3, 32, 32), 50_000),
]


def serve(monkeypatch, answer):
    monkeypatch.setattr("sklearn.datasets.fetch_openml", answer)


@pytest.mark.parametrize(("load", "name", "shape", "train"), LOADERS)
def test_without_a_folder_the_images_are_fetched(load, name, shape, train, monkeypatch, capsys):
    count, size = train + 10_000, int(np.prod(shape))
    images = np.broadcast_to(np.arange(size, dtype=np.uint8), (count, size))
    labels = (np.arange(count) % 10).astype(str).astype(object)
    asked = {}

    def answer(**settings):
        asked.update(settings)
        return types.SimpleNamespace(data=images, target=labels)

    serve(monkeypatch, answer)
    data = load(scale=False)
    assert (asked["name"], asked["version"], asked["as_frame"]) == (name, 1, False)
    assert data.x_train.shape == (train, *shape)
    assert data.x_test.shape == (10_000, *shape)
    assert (data.x_test[0].ravel() == images[0]).all()
    assert data.y_test[:3].tolist() == [0, 1, 2]
    assert "from openml.org: this takes minutes" in capsys.readouterr().err
    load(scale=False, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "error", [urllib.error.URLError("no route to host"), TimeoutError("timed out"), ValueError("md5")]
)
def test_without_a_network_one_is_told_what_to_do(error, monkeypatch):
    def answer(**settings):
        raise error

    serve(monkeypatch, answer)
    with pytest.raises(
        DatasetError,
        match=r"MNIST could not be fetched from openml.org: .*network.*put train-images.* into a folder, and give it",
    ):
        datasets.load_mnist(progress=False)


@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [((70_000, 3), 70_000, r"\(70000, 784\)"), ((10, 784), 10, "70000"), ((70_000, 784), 3, r"\(3,\)")],
)
def test_other_images_than_expected_are_refused(shape, labels, message, monkeypatch):
    found = types.SimpleNamespace(data=np.broadcast_to(np.uint8(0), shape), target=np.zeros(labels, int))
    serve(monkeypatch, lambda **settings: found)
    with pytest.raises(DatasetError, match=message):
        datasets.load_mnist(progress=False)
