"""Streams of recordings, one after another, whose law changes: labels swapped, features moved,
sensors lost."""

from typing import NamedTuple

import numpy as np

from ..common import InputError, drifts

PLAIN, SWAP, MOVED, LOSS = "plain", "label swap", "moved", "sensor loss"
CHANGES = SWAP, MOVED, LOSS
LAWS = PLAIN, *CHANGES
TASKS = {"N-MNIST": "N-MNIST, rotation", "spoken digits": "spoken digits, pitch"}
FILES = {"N-MNIST": "nmnist", "spoken digits": "spoken_digits"}


class Features(NamedTuple):
    """Features [n, k] of a set's recordings, `plain` and `moved` (rotated, or of another pitch),
    with a mean square of 1; and labels [n]."""

    plain: np.ndarray
    moved: np.ndarray
    labels: np.ndarray

    def part(self, index: np.ndarray) -> "Features":
        """These recordings only."""
        return Features(*(values[index] for values in self))


class Streams(NamedTuple):
    """Samples `x` [stream, T, k], `labels` [stream, T], and the `law` [stream, T] each is of (the
    index in `LAWS`)."""

    x: np.ndarray
    labels: np.ndarray
    law: np.ndarray


def load(folder: str | None, name: str) -> Features:
    """The recordings of a set.

    **Raises:** `InputError` for missing or damaged files.
    """
    tasks = {task.name: task for task in drifts.tasks(folder, (FILES[name],))}
    task = tasks[TASKS[name]]
    scale = np.sqrt((task.before**2).mean())
    return Features(
        (task.before / scale).astype(np.float32),
        (task.after / scale).astype(np.float32),
        np.asarray(task.labels, np.int32),
    )


def halves(features: Features, share: float = 1 / 3) -> tuple[Features, Features]:
    """Recordings to choose settings by, and those of the test streams: none is in both."""
    order = np.random.default_rng(0).permutation(len(features.labels))
    cut = round(share * len(order))
    return features.part(order[:cut]), features.part(order[cut:])


def draw(features: Features, each: int, count: int, seed: int) -> Streams:
    """Streams of `each` samples of the plain law, then as many of each changed law, in an order of
    its own; between two changes the law goes straight from one to the other.

    Recordings come in a random order; where a stream is longer than the set, in passes. Each stream
    draws its own two pairs of classes that swap their names, and its own third of lost sensors.

    **Raises:** `InputError` for less than two recordings.
    """
    if len(features.labels) < 2:
        raise InputError(f"recordings: two at least, got {len(features.labels)}.")
    rng = np.random.default_rng([seed, 5])
    rows = [_draw(features, each, k, rng) for k in range(count)]
    return Streams(*(np.stack(column) for column in zip(*rows, strict=True)))


def _draw(features: Features, each: int, k: int, rng: np.random.Generator) -> tuple:
    length, size = len(LAWS) * each, len(features.labels)
    passes = [rng.permutation(size) for _ in range(-(-length // size))]
    index = np.concatenate(passes)[:length]
    # orders of three changes: all six, in turn
    turn = np.roll([1, 2, 3] if k % 2 else [3, 2, 1], k // 2)
    law = np.repeat(np.concatenate([[0], turn]), each)
    name = np.arange(drifts.CLASSES)
    a, b, c, d = rng.permutation(drifts.CLASSES)[:4]
    name[[a, b, c, d]] = name[[b, a, d, c]]
    labels, x = features.labels[index].copy(), features.plain[index].copy()
    labels[law == 1] = name[labels[law == 1]]
    x[law == 2] = features.moved[index[law == 2]]
    lost = rng.permutation(x.shape[1])[: x.shape[1] // 3]
    x[np.ix_(law == 3, lost)] = 0.0
    return x, labels, law
