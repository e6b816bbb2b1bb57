"""Images for the jobs: which split of which set, standardised pixels, balanced draws."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

import bpcjax as bpc

from . import InputError

SPLITS = {"digits": "all", "mnist": "train", "fashion_mnist": "train"}


def load(name: str, folder: Path | str | None = None) -> bpc.data.Images:
    """The images called `name`: all the digits, or the training set of another.

    `folder` is where its files are, as `data_dir` of `bpcjax.data.load`.

    **Raises:** `InputError` for an unknown name, and for missing or damaged files.
    """
    if name not in SPLITS:
        raise InputError(f"data: {name!r} is unknown. Choose one of: {', '.join(SPLITS)}.")
    try:
        return bpc.data.load(name, SPLITS[name], folder)
    except (bpc.data.DataError, ImportError) as error:
        raise InputError(str(error)) from error


class Standardised(NamedTuple):
    """Images as `values` [n, N]: `pixels = mean + scale * values`, with the mean image [N]."""

    values: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


def standardise(pixels: np.ndarray) -> Standardised:
    """Pixels [n, N] less their mean image, over the standard deviation of what is left.

    So 0 is the mean of the data, and 1 a pixel's typical departure from it.
    """
    mean = pixels.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = pixels - mean
    scale = centred.std(dtype=np.float64).astype(np.float32)
    return Standardised(centred / scale, mean, scale)


def draw_balanced(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices [count] of different images, drawn so that the classes' numbers differ by one at
    most (while every class has images left).

    **Raises:** `InputError` if there are not so many images.
    """
    if count > len(labels):
        raise InputError(f"patterns: the data set has {len(labels)} images, asked for {count}.")
    order = rng.permutation(len(labels))
    rank = np.zeros(len(labels), int)  # the how-manieth of its class each image is, in that order
    for label in np.unique(labels):
        rank[labels[order] == label] = np.arange((labels == label).sum())
    return order[np.argsort(rank, kind="stable")[:count]]


class Split(NamedTuple):
    """Inputs `x` [n, ...] with `labels` [n] of so many `classes`."""

    x: np.ndarray
    labels: np.ndarray
    classes: int


def splits(
    name: str, folder: Path | str | None = None, *, validation: bool = False
) -> tuple[Split, Split]:
    """What to learn from and what to test on, of images: the official split, or a fifth of the
    embedded digits; while settings are chosen (`validation`), a sixth of what else is learned.

    **Raises:** `InputError` for an unknown name, and for missing or damaged files.
    """
    train, classes = load(name, folder), 10
    x, labels = train.pixels, train.labels
    order = np.random.default_rng(0).permutation(len(x))
    if name == "digits" or validation:
        held = len(x) // 5 if name == "digits" else 0
        rest, last = order[held:], order[:held]
        if validation:
            count = len(rest) // 6
            rest, last = rest[count:], rest[:count]
        train, test = (Split(x[part], labels[part], classes) for part in (rest, last))
        return train, test
    try:
        test = bpc.data.load(name, "test", folder)
    except (bpc.data.DataError, ImportError) as error:
        raise InputError(str(error)) from error
    return Split(x, labels, classes), Split(test.pixels, test.labels, classes)


def check(train: Split, test: Split) -> None:
    """Raise `InputError` if two sets are not what a classifier can learn from and be tested on:
    finite images of one size, each with its label in 0..classes-1, and some of every class."""
    if train.x.shape[1:] != test.x.shape[1:]:
        raise InputError(
            f"data: images to learn from are {train.x.shape[1:]}, those to test on "
            f"{test.x.shape[1:]}. Give them one size."
        )
    for what, aim, split in (("train", "learn from", train), ("test", "test on", test)):
        labels = np.asarray(split.labels)
        if not len(split.x):
            raise InputError(f"data: there are no {what} images to {aim}.")
        if labels.shape != (len(split.x),):
            raise InputError(
                f"data: {len(split.x)} {what} images and labels {labels.shape}. Give each one."
            )
        if not np.issubdtype(labels.dtype, np.integer):
            raise InputError(f"data: {what} labels are {labels.dtype}. Give whole numbers.")
        if not np.isfinite(split.x).all():
            bad = int(np.argwhere(~np.isfinite(split.x))[0, 0])
            raise InputError(f"data: {what} image {bad} has pixels that are not numbers.")
        outside = (labels < 0) | (labels >= split.classes)
        if outside.any():
            raise InputError(
                f"data: {what} label {labels[outside][0]} is out of 0..{split.classes - 1}."
            )
        missing = set(range(split.classes)) - set(np.unique(labels).tolist())
        if missing:
            raise InputError(f"data: no image of class {min(missing)} to {aim}.")
