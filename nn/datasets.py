"""Data sets: small ones that scikit-learn brings, and MNIST, Fashion-MNIST and CIFAR-10 from their published files.

Images have the shape `(examples, channels, height, width)`, as convolutions take them; for an MLP write
`x.reshape(len(x), -1)`. With `scale` they are float32 from 0 to 1, without it the integers of the files. Labels are
integers from 0, which index `classes`.
"""

from __future__ import annotations

import gzip
import importlib.util
import itertools
import math
import sys
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from engine import errors

from .data import as_generator, check_count, split

__all__ = [
    "Dataset", "DatasetError", "load_cifar10", "load_digits", "load_fashion_mnist", "load_mnist", "load_patches",
    "make_circles", "make_moons", "read_idx",
]  # fmt: skip

Seed = int | np.random.Generator | None


class DatasetError(errors.EngineError, OSError):
    """A data set that is missing, cannot be fetched, or has a file that is not what its name says."""


class Dataset(NamedTuple):
    """Images and labels to learn from, others to test with, and the names of the classes.

    >>> data = load_digits()
    >>> data
    Dataset(x_train=(1438, 1, 8, 8), y_train=(1438,), x_test=(359, 1, 8, 8), y_test=(359,), 10 classes)
    >>> x_train, y_train, x_test, y_test, classes = data
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}={array.shape}" for name, array in zip(self._fields, self[:4]))
        return f"Dataset({shapes}, {len(self.classes)} classes)"


DIGITS = tuple("0123456789")

FASHION = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


# What scikit-learn brings.


def load_digits(*, test_size: float = 0.2, seed: Seed = 0, scale: bool = True) -> Dataset:
    """Return the 1797 scanned digits of scikit-learn, 8 × 8 grey levels, split by `seed` with each digit in proportion.

    Alpaydin and Kaynak (1998), "Optical Recognition of Handwritten Digits"; the levels are 0, ..., 16 without `scale`.

    Raises MissingExtraError without scikit-learn, DomainError where a part would have some digit not even once.

    >>> load_digits(test_size=0.5).x_test.shape
    (898, 1, 8, 8)
    """
    _check_between("test_size", test_size, 0, 1, "the share of the digits that are for the test")
    digits = _scikit_learn("load_digits")
    images, labels = digits.images.astype("uint8")[:, None], digits.target.astype(int)
    (x, y), (x_test, y_test) = split(images, labels, sizes=(1 - test_size, test_size), seed=seed, stratify=labels)
    return Dataset(_scaled(x, scale, 16), y, _scaled(x_test, scale, 16), y_test, DIGITS)


SIZE = 32
"""The height and the width of a patch."""

CHINA, FLOWER = 0, 1

# For each class where its patches are cut: (photograph, top, bottom, left, right), to learn from and for the test.
PATCHES: dict[str, tuple[list[tuple[int, ...]], list[tuple[int, ...]]]] = {
    "sky": (
        [(CHINA, 0, 190, 350, 470), (CHINA, 0, 160, 0, 80)],
        [(CHINA, 0, 190, 475, 555), (CHINA, 0, 130, 560, 640)],
    ),
    "lake": ([(CHINA, 242, 300, 350, 420), (CHINA, 225, 273, 486, 545)], [(CHINA, 242, 300, 422, 484)]),
    "roof": (
        [(CHINA, 78, 120, 120, 285), (CHINA, 155, 189, 95, 310), (CHINA, 354, 388, 208, 305)],
        [(CHINA, 249, 284, 75, 335)],
    ),
    "gallery": ([(CHINA, 287, 333, 85, 335)], [(CHINA, 190, 231, 105, 318)]),
    "green tree": ([(CHINA, 360, 427, 62, 200)], [(CHINA, 340, 427, 0, 60), (CHINA, 393, 427, 205, 285)]),
    "grey tree": ([(CHINA, 320, 427, 420, 555)], [(CHINA, 352, 427, 345, 417)]),
    "dark tree": ([(CHINA, 180, 427, 603, 640)], [(CHINA, 225, 427, 566, 602)]),
    "petals": (
        [(FLOWER, 120, 290, 180, 250), (FLOWER, 100, 150, 235, 380), (FLOWER, 285, 345, 240, 375)],
        [(FLOWER, 130, 290, 385, 435), (FLOWER, 392, 427, 300, 430)],
    ),
    "heart": ([(FLOWER, 165, 221, 260, 358)], [(FLOWER, 223, 272, 260, 358)]),
    "leaves": ([(FLOWER, 0, 390, 460, 640)], [(FLOWER, 0, 427, 0, 160)]),
}


def load_patches(*, train: int = 2000, test: int = 500, seed: Seed = 0, scale: bool = True) -> Dataset:
    """Return patches of 32 × 32 pixels in three colours, cut from the two photographs that scikit-learn brings.

    The ten classes are what a patch shows: sky, lake, roof, gallery and three kinds of tree in the photograph of a
    palace; petals, heart and leaves in that of a flower. `PATCHES` says where each is cut. The places are drawn from
    `seed`, each once, as many for each class as for every other (or one more). Patches to learn from and patches for
    the test come from different parts of the photographs and share no pixel; among themselves they overlap, so that
    validation patches taken from `x_train` say little.

    Raises MissingExtraError without scikit-learn and Pillow, DomainError for more patches than there are places.

    >>> data = load_patches(train=50, test=20)
    >>> data.x_train.shape, data.classes[data.y_train[0]]
    ((50, 3, 32, 32), 'heart')
    """
    check_count(train, 1, "train", "the patches to learn from")
    check_count(test, 1, "test", "the patches for the test")
    photographs = [np.moveaxis(image, -1, 0) for image in _scikit_learn("load_sample_images").images]
    rng = as_generator(seed)
    parts: list[np.ndarray] = []
    for part, count in enumerate((train, test)):
        labels = rng.permutation(np.arange(count) % len(PATCHES))
        images = np.empty((count, 3, SIZE, SIZE), np.uint8)
        for label, (name, places) in enumerate(PATCHES.items()):
            rows = np.flatnonzero(labels == label)
            corners = _corners(places[part])
            if len(rows) > len(corners):
                raise errors.DomainError(
                    f"{('train', 'test')[part]}={count} patches were asked for, {len(rows)} of the class {name!r}. "
                    f"The photographs have {len(corners)} places for it. "
                    f"Ask for at most {len(PATCHES) * min(len(_corners(each[part])) for each in PATCHES.values())}."
                )
            for row, choice in zip(rows, rng.choice(len(corners), len(rows), replace=False)):
                photograph, top, left = corners[choice]
                images[row] = photographs[photograph][:, top : top + SIZE, left : left + SIZE]
        parts += [_scaled(images, scale), labels]
    x, y, x_test, y_test = parts
    return Dataset(x, y, x_test, y_test, tuple(PATCHES))


def _corners(places: Sequence[tuple[int, ...]]) -> list[tuple[int, int, int]]:
    """The photograph and the upper left corner of every patch that lies inside one of the places, each once."""
    found: dict[tuple[int, int, int], None] = {}
    for photograph, top, bottom, left, right in places:
        rows, columns = range(top, bottom - SIZE + 1), range(left, right - SIZE + 1)
        found |= dict.fromkeys((photograph, row, column) for row, column in itertools.product(rows, columns))
    return list(found)


def make_circles(
    n_samples: int = 200, *, noise: float = 0.05, factor: float = 0.5, seed: Seed = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return points `(n_samples, 2)` on a circle and on one inside it, `factor` as large, and which each is on.

    `noise` is the standard deviation of what is added to the points.

    Raises MissingExtraError without scikit-learn, DomainError for settings out of range.

    >>> x, y = make_circles(4, noise=0.0)
    >>> sorted(zip(y.tolist(), np.hypot(*x.T).round(6).tolist()))
    [(0, 1.0), (0, 1.0), (1, 0.5), (1, 0.5)]
    """
    check_count(n_samples, 2, "n_samples", "the points")
    _check_between("factor", factor, 0, 1, "how large the inner circle is, as a share of the outer one")
    return _points("make_circles", n_samples, noise, seed, factor=factor)


def make_moons(n_samples: int = 200, *, noise: float = 0.1, seed: Seed = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return points `(n_samples, 2)` on two half circles that reach into each other, and which each is on.

    `noise` is the standard deviation of what is added to the points.

    Raises MissingExtraError without scikit-learn, DomainError for settings out of range.

    >>> x, y = make_moons(6)
    >>> x.shape, sorted(y.tolist())
    ((6, 2), [0, 0, 0, 1, 1, 1])
    """
    check_count(n_samples, 2, "n_samples", "the points")
    return _points("make_moons", n_samples, noise, seed)


def _points(name: str, count: int, noise: float, seed: Seed, **settings: float) -> tuple[np.ndarray, np.ndarray]:
    _check_between("noise", noise, 0, math.inf, "the standard deviation of what is added to the points")
    state = int(as_generator(seed).integers(2**32))  # scikit-learn does not take NumPy's generators
    x, y = _scikit_learn(name, n_samples=count, noise=noise or None, random_state=state, **settings)
    return x, y.astype(int)


def _check_between(name: str, value: Any, low: float, high: float, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not low <= value < high:
        bound = "finite" if high == math.inf else f"less than {high}"
        raise errors.DomainError(f"{name}={value!r} was given. It is {what}. Give a number from {low} that is {bound}.")


def _scikit_learn(name: str, /, **settings: Any) -> Any:
    """What a function of sklearn.datasets returns; photographs need Pillow as well, which matplotlib brings."""
    try:
        from sklearn import datasets

        return getattr(datasets, name)(**settings)
    except ImportError as error:
        raise errors.MissingExtraError(
            f"{name} of scikit-learn was called, and something is not installed: {error}. It is not among what nn "
            f"always needs. Run pip install 'chainrule[{'demos' if 'image' in name else 'estimators'}]'."
        ) from error


# What is published as files.


def load_mnist(folder: str | Path | None = None, *, scale: bool = True, progress: bool = True) -> Dataset:
    """Return the handwritten digits of MNIST: 60,000 to learn from and 10,000 for the test, 28 × 28 grey levels.

    LeCun, Cortes and Burges (1998). `folder` holds the four published files, `train-images-idx3-ubyte` and so on, as
    they are or with `.gz`. Without a folder scikit-learn fetches them from openml.org once, and keeps them;
    `progress` says so.

    Raises DatasetError where a file is missing, truncated or something else, or nothing can be fetched.
    """
    return _idx_dataset(folder, "MNIST", "mnist_784", DIGITS, scale, progress)


def load_fashion_mnist(folder: str | Path | None = None, *, scale: bool = True, progress: bool = True) -> Dataset:
    """Return the clothes of Fashion-MNIST: 60,000 to learn from and 10,000 for the test, 28 × 28 grey levels.

    Xiao, Rasul and Vollgraf (2017). Its files have the names and the form of MNIST's: see `load_mnist`.

    Raises DatasetError where a file is missing, truncated or something else, or nothing can be fetched.
    """
    return _idx_dataset(folder, "Fashion-MNIST", "Fashion-MNIST", FASHION, scale, progress)


IDX_FILES = [f"{part}-{what}" for part in ("train", "t10k") for what in ("images-idx3-ubyte", "labels-idx1-ubyte")]


def _idx_dataset(
    folder: str | Path | None, title: str, name: str, classes: tuple[str, ...], scale: bool, progress: bool
) -> Dataset:
    if folder is None:
        return _fetched(title, name, IDX_FILES, (1, 28, 28), 60_000, classes, scale, progress)
    arrays = []
    paths = _found(folder, title, IDX_FILES, ["", ".gz"])
    for images, labels in zip(paths[::2], paths[1::2]):
        x, y = read_idx(images), read_idx(labels)
        if x.dtype != np.uint8 or x.shape[1:] != (28, 28) or not len(x):
            raise _wrong(images, f"it holds {x.dtype} of shape {x.shape}", "uint8 of shape (images, 28, 28)")
        if y.dtype != np.uint8 or y.shape != x.shape[:1]:
            raise _wrong(labels, f"it holds {y.dtype} of shape {y.shape}", f"uint8 of shape {x.shape[:1]}, as images")
        arrays += [_scaled(x[:, None], scale), _checked_labels(y, labels)]
    x, y, x_test, y_test = arrays
    return Dataset(x, y, x_test, y_test, classes)


CIFAR_FILES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
RECORD = 1 + 3 * 32 * 32  # a label, then the red, the green and the blue values, row by row


def load_cifar10(folder: str | Path | None = None, *, scale: bool = True, progress: bool = True) -> Dataset:
    """Return the photographs of CIFAR-10: 50,000 to learn from and 10,000 for the test, 32 × 32 pixels in 3 colours.

    Krizhevsky (2009). `folder` holds the files of the binary version, `data_batch_1.bin` to `data_batch_5.bin` and
    `test_batch.bin`; the Python version is pickled, and nothing is ever unpickled here. Without a folder scikit-learn
    fetches them from openml.org once, and keeps them; `progress` says so.

    Raises DatasetError where a file is missing, truncated or something else, or nothing can be fetched.
    """
    if folder is None:
        return _fetched("CIFAR-10", "CIFAR_10", CIFAR_FILES, (3, 32, 32), 50_000, CIFAR, scale, progress)
    if Path(folder, "data_batch_1").exists() and not Path(folder, "data_batch_1.bin").exists():
        raise DatasetError(
            f"{str(folder)!r} holds the Python version of CIFAR-10, such as 'data_batch_1'. It is pickled, and reading "
            "a pickle can run any program. Get the binary version, cifar-10-binary.tar.gz, with data_batch_1.bin."
        )
    images: list[np.ndarray] = []
    labels = []
    for path in _found(folder, "CIFAR-10", CIFAR_FILES, [""]):
        size = path.stat().st_size
        if not size or size % RECORD:
            raise _wrong(path, f"it has {size:,} bytes", f"records of {RECORD} bytes each, 10,000 as published")
        if images and size != len(images[0]) * RECORD:
            raise _wrong(path, f"it has {size // RECORD:,} records", f"{len(images[0]):,}, as the files before it")
        records = np.fromfile(path, np.uint8).reshape(-1, RECORD)
        labels.append(_checked_labels(records[:, 0], path))
        images.append(records[:, 1:].reshape(-1, 3, 32, 32))
    x, x_test = np.concatenate(images[:-1]), images[-1].copy()
    return Dataset(_scaled(x, scale), np.concatenate(labels[:-1]), _scaled(x_test, scale), labels[-1], CIFAR)


KINDS = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The dtypes of IDX files by the third byte of their magic number."""


def read_idx(path: str | Path) -> np.ndarray:
    """Return the array in an IDX file, the form in which MNIST is published; it may be compressed with gzip.

    The file begins with two zeros, one byte for the dtype and one for the number of axes; then come the length of each
    axis, four bytes each, and the entries; all with the most significant byte first.

    Raises DatasetError where the file is not of this form, or is shorter or longer than it says.
    """
    path = Path(path)
    with path.open("rb") as plain:
        compressed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        try:
            return _read_idx(gzip.GzipFile(fileobj=plain) if compressed else plain, path)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise _wrong(path, f"it cannot be decompressed: {error}", "a whole gzip file") from error


def _read_idx(file: Any, path: Path) -> np.ndarray:
    magic = _read(file, 4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in KINDS or not magic[3]:
        known = ", ".join(f"{kind:02x}" for kind in KINDS)
        raise _wrong(path, f"it begins with the bytes {magic.hex(' ') or 'of nothing'}", f"00 00, one of {known}, axes")
    header = _read(file, 4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise _wrong(path, f"it ends after {4 + len(header)} bytes", f"a header of {4 + 4 * magic[3]} bytes")
    shape = [int(length) for length in np.frombuffer(header, ">u4")]
    dtype = np.dtype(KINDS[magic[2]])
    size = math.prod(shape) * dtype.itemsize
    body = _read(file, size)
    if len(body) != size or file.read(1):
        found = f"only {len(body):,}" if len(body) < size else "more"
        raise _wrong(path, f"{found} bytes follow its header", f"{size:,} for an array of shape {tuple(shape)}")
    try:
        return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
    except ValueError as error:  # zeros among hundreds or billions
        raise _wrong(path, f"its header says {len(shape)} axes, {error}", "lengths that an array can have") from error


def _read(file: BinaryIO, size: int) -> bytearray:
    """At most so many bytes, without trusting a header that promises more than there are."""
    content = bytearray()
    while len(content) < size and (piece := file.read(min(size - len(content), 1 << 20))):
        content += piece
    return content


def _found(folder: str | Path, title: str, names: Sequence[str], endings: Sequence[str]) -> list[Path]:
    """The path of each file, under the first ending that it has; an error that lists what was looked for."""
    folder = Path(folder)
    found, missing = [], []
    for name in names:
        present = [path for ending in endings if (path := folder / f"{name}{ending}").is_file()]
        found += present[:1]
        missing += [] if present else [name]
    if missing:
        state = "which is a file" if folder.is_file() else "which is no folder"
        if folder.is_dir():
            others = sorted(path.name for path in folder.iterdir())
            more = f" and {len(others) - 6} more" if len(others) > 6 else ""
            state = f"which holds {', '.join(others[:6])}{more}" if others else "which is empty"
        also = f" (or with {endings[-1]})" if len(endings) > 1 else ""
        raise DatasetError(
            f"{title} was to be read from {str(folder)!r}, {state}. Missing there: {', '.join(missing)}{also}. "
            "Give the folder that has these files themselves, or none, to fetch them from openml.org."
        )
    return found


def _wrong(path: Path, found: str, expected: str) -> DatasetError:
    return DatasetError(
        f"{str(path)!r} is not what its name says: {found}. Expected: {expected}. "
        "It may be truncated, or another file under this name: get it again."
    )


def _checked_labels(labels: np.ndarray, path: Path) -> np.ndarray:
    if labels.max() > 9:
        row = int(np.argmax(labels > 9))
        raise _wrong(path, f"it has the label {labels[row]} in row {row}", "labels 0, ..., 9")
    return labels.astype(int)


def _scaled(images: np.ndarray, scale: bool, largest: int = 255) -> np.ndarray:
    return np.divide(images, np.float32(largest), dtype=np.float32) if scale else images


def _fetched(
    title: str,
    name: str,
    files: Sequence[str],
    shape: tuple[int, ...],
    train: int,
    classes: tuple[str, ...],
    scale: bool,
    progress: bool,
) -> Dataset:
    """A data set from openml.org, where the images for the test come last."""
    if progress:
        note = "this takes minutes the first time, and scikit-learn keeps what it fetched"
        print(f"Fetching {title} from openml.org: {note}.", file=sys.stderr, flush=True)
    parser = "pandas" if importlib.util.find_spec("pandas") else "liac-arff"  # the latter is many times slower
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it warns of each attempt; the last one raises
            found = _scikit_learn("fetch_openml", name=name, version=1, as_frame=False, parser=parser)
    except errors.MissingExtraError:
        raise
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{title} could not be fetched from openml.org: {' '.join(str(error).split())[:200]}. There may be no "
            f"network. Get the published files where there is one, put {', '.join(files)} into a folder, and give it."
        ) from error
    images, labels = np.asarray(found.data), np.asarray(found.target)
    count = train + 10_000
    if images.shape != (count, math.prod(shape)) or labels.shape != (count,):
        raise DatasetError(
            f"{title} was fetched from openml.org as arrays of shapes {images.shape} and {labels.shape}. Expected: "
            f"{(count, math.prod(shape))} and {(count,)}. Get the published files, and give their folder."
        )
    x = images.astype(np.uint8).reshape(-1, *shape)
    y = _checked_labels(labels.astype(int), Path(f"openml.org/{name}"))
    return Dataset(_scaled(x[:train], scale), y[:train], _scaled(x[train:], scale), y[train:], classes)
