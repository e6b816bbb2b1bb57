"""Tasks one after another: images whose pixels are permuted, each task by an order of its own."""

from typing import NamedTuple

import numpy as np

from ..common import InputError
from ..common.data import Split, splits

OUT = {"mnist": "fashion_mnist", "fashion_mnist": "mnist"}


class Images(NamedTuple):
    """Images of a set, flat, in three parts: to learn, to choose settings by, and to test on; and
    images [n, pixels] of another set, of the same size."""

    learned: Split
    chosen: Split
    test: Split
    other: np.ndarray


class Tasks(NamedTuple):
    """Tasks in their order: `order` [task, pixels] of pixels, and the images of each batch `index`
    [task, batch, n]."""

    order: np.ndarray
    index: np.ndarray


def load(name: str, folder: str | None, held: int, tests: int) -> Images:
    """Images called `name`, so many `held` out of those to learn to choose settings by, and so many
    to test on; beside them test images of the other set (of digits: the same, pixels shuffled).

    The mean pixel of the training set is taken off all: images of mean zero under two permutations
    have next to nothing in common.

    **Raises:** `InputError` for missing or damaged files, and more images than there are.
    """
    official = splits(name, folder)
    mean = np.float32(official[0].x.mean(dtype=float))
    train, test = (_flat(split, mean) for split in official)
    if held >= len(train.x):
        raise InputError(f"held: {held} images, but there are {len(train.x)}. Pass fewer.")
    if name in OUT:
        other = _flat(splits(OUT[name], folder)[1], mean).x[:tests]
    else:
        other = np.random.default_rng(1).permuted(test.x[:tests], axis=1)
    order = np.random.default_rng(0).permutation(len(train.x))
    chosen, rest = _part(train, order[:held]), _part(train, order[held:])
    return Images(rest, chosen, first(test, tests), other)


def _flat(split: Split, mean: np.float32) -> Split:
    x = np.asarray(split.x, np.float32).reshape(len(split.x), -1) - mean
    return Split(x, np.asarray(split.labels, np.int32), split.classes)


def _part(split: Split, which) -> Split:
    return Split(split.x[which], split.labels[which], split.classes)


def draw(count: int, images: int, batch: int, split: Split, seed: int) -> Tasks:
    """So many tasks: for each a permutation of pixels, and `images` different images in a random
    order, in whole batches.

    **Raises:** `InputError` for less images than a batch, or more than there are.
    """
    if not batch <= images <= len(split.x):
        raise InputError(
            f"images: {images} a task, but a batch has {batch} and the set {len(split.x)}."
        )
    rng, size = np.random.default_rng([seed, 11]), images // batch * batch
    order = np.stack([rng.permutation(split.x.shape[1]) for _ in range(count)])
    index = np.stack([rng.permutation(len(split.x))[:size] for _ in range(count)])
    return Tasks(order, index.reshape(count, -1, batch).astype(np.int32))


def first(split: Split, count: int) -> Split:
    """The first images of a split, as many as there are at most."""
    return _part(split, slice(count))
