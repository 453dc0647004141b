"""The images that demos learn from, by name: for training, for validation and for the test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nn
from engine import errors

LOADERS: dict[str, Callable[..., nn.datasets.Dataset]] = {
    "digits": nn.datasets.load_digits,
    "mnist": nn.datasets.load_mnist,
    "fashion": nn.datasets.load_fashion_mnist,
    "cifar10": nn.datasets.load_cifar10,
    "patches": nn.datasets.load_patches,
}
PUBLISHED = ("mnist", "fashion", "cifar10")
TITLES = {
    "digits": "scikit-learn's scanned digits, 8 × 8 grey levels",
    "mnist": "MNIST's handwritten digits, 28 × 28 grey levels",
    "fashion": "Fashion-MNIST's clothes, 28 × 28 grey levels",
    "cifar10": "CIFAR-10's photographs, 32 × 32 pixels in three colours",
    "patches": "patches of two photographs, 32 × 32 pixels in three colours",
}


class Parts(NamedTuple):
    """Rows of numbers from 0 to 1, one for each image, and their labels; `shape` is that of an image."""

    x: np.ndarray
    y: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]
    shape: tuple[int, ...]

    @property
    def sizes(self) -> str:
        """How many images there are of each part, in words."""
        return f"{len(self.x):,} for training, {len(self.x_validation):,} for validation, {len(self.x_test):,} for test"


def beside_reported(data: str, reported: str) -> str:
    """What a report learned from, and what can be compared where the images here are others."""
    words = TITLES[reported]
    return words if data == reported else f"{words}: compare what a change does, not the figures of other images"


def load(
    data: str = "digits", data_dir: Path | None = None, *, at_most: tuple[int, int, int] | None = None, seed: int = 0
) -> Parts:
    """Return the images of a name, a fifth of those to learn from held out for validation, each class in proportion.

    What is published as files is read from `data_dir`, or fetched where there is none. `at_most` are numbers of images
    for training, validation and the test, in proportion where there are fewer; `seed` draws the parts.
    """
    if data_dir is not None and data not in PUBLISHED:
        raise nn.datasets.DatasetError(
            f"--data-dir was given with {data}, which needs no files; add --data mnist, say."
        )
    settings: dict[str, Any] = {"folder": data_dir} if data in PUBLISHED else {"seed": seed}
    try:
        found = LOADERS[data](**settings)
    except nn.datasets.DatasetError as error:
        if data_dir is None:
            raise nn.datasets.DatasetError(f"{str(error).removesuffix('.')} as --data-dir.") from error
        raise
    x, x_test = [images.reshape(len(images), -1) for images in (found.x_train, found.x_test)]
    try:
        parts = [*nn.split(x, found.y_train, sizes=(0.8, 0.2), stratify=found.y_train, seed=seed)]
        parts += [(x_test, found.y_test)]
        if at_most:
            parts = [fewer(part, most, seed) for part, most in zip(parts, at_most, strict=True)]
    except errors.DomainError as error:
        raise nn.datasets.DatasetError(
            f"{len(x):,} images of {data} are too few for training and validation. {error}"
        ) from error
    (x, y), (x_validation, y_validation), (x_test, y_test) = parts
    shape = found.x_train.shape[1:]
    return Parts(x, y, x_validation, y_validation, x_test, y_test, found.classes, shape)


def fewer(part: tuple[np.ndarray, ...], most: int, seed: int) -> tuple[np.ndarray, ...]:
    x, y = part
    return nn.split(x, y, sizes=(most, len(x) - most), stratify=y, seed=seed)[0] if most < len(x) else part


def hidden_layers(reported: list[int], pixels: int, least: int = 1) -> list[int]:
    """The report's layers for its images of 28 × 28 pixels; a quarter of the units, or `least`, for smaller ones."""
    return reported if pixels > 64 else [max(least, units // 4) for units in reported]
