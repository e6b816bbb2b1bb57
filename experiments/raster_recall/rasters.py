"""Recordings as rasters: counts of events on lines and in steps of time."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..common.data import Split
from ..common.recordings import QUANTUM, event_counts, load, spoken

CLASSES, UNITS, TRAIN, TEST = 10, 40, 400, 50  # of the patterns made here
JITTER, DELETED, INSERTED = 0.03, 0.4, 1.0  # windows; share; spikes a unit
LENGTH = 336.0  # ms, of a recording of N-MNIST


def made(folder: str | None, steps: int, seed: int) -> tuple[Split, Split]:
    """Damaged copies of ten random patterns in which every unit spikes once: jittered, most spikes
    deleted, others inserted (Poisson). Counts [n, units, steps] in a window that is cyclic."""
    rng = np.random.default_rng([seed, 600])
    patterns = rng.random((CLASSES, UNITS))

    def split(count: int) -> Split:
        labels = rng.permutation(np.arange(count) % CLASSES)
        counts = rng.poisson(INSERTED / steps, (count, UNITS, steps)).astype(np.float32)
        times = (patterns[labels] + JITTER * rng.normal(size=(count, UNITS))) % 1.0
        row, unit = np.nonzero(rng.random(times.shape) >= DELETED)
        step = np.minimum(times[row, unit] * steps, steps - 1).astype(int)
        np.add.at(counts, (row, unit, step), 1)
        return Split(counts, labels, CLASSES)

    return split(TRAIN), split(TEST)


def camera(folder: str | None, steps: int, seed: int) -> tuple[Split, Split]:
    """N-MNIST: events by sign in squares of 2 x 2 pixels, of the 336 ms of a recording."""

    def split(name: str) -> Split:
        events = load("nmnist", name, folder)
        counts = event_counts(events, steps, LENGTH / steps)
        lines = np.moveaxis(counts.reshape(len(counts), steps, -1), 1, 2)
        return Split(lines, np.asarray(events.labels), 10)

    return split("train"), split("test")


def digits(folder: str | None, steps: int, seed: int) -> tuple[Split, Split]:
    """Spoken digits: spikes of a cochlea of 32 bands, in steps of the recording's own length."""

    def lines(split: Split) -> Split:
        counts = np.round(np.moveaxis(split.x, 1, 2) / QUANTUM).astype(np.float32)
        return split._replace(x=counts)

    train, test = spoken(folder, bins=steps)
    return lines(train), lines(test)


SETS: dict[str, Callable[[str | None, int, int], tuple[Split, Split]]] = {
    "patterns": made,
    "nmnist": camera,
    "spoken_digits": digits,
}


def raster(counts: np.ndarray) -> np.ndarray:
    """Square roots of counts: of Poisson counts, whose variance is then about one number."""
    return np.sqrt(counts)


def shifted(split: Split, rng: np.random.Generator, copies: int = 1) -> Split:
    """Recordings [copies n, N, D] that come at unknown times: each moved by a random number of
    steps, cyclically."""
    steps = split.x.shape[-1]
    late = rng.integers(0, steps, copies * len(split.x))
    place = (np.arange(steps)[None] - late[:, None]) % steps
    x = np.take_along_axis(np.concatenate([split.x] * copies), place[:, None, :], axis=-1)
    return split._replace(x=x, labels=np.concatenate([split.labels] * copies))


def rotated(train: Split, test: Split) -> tuple[Split, Split]:
    """Rasters in coordinates of the training set's span [n, at most n]: what a linear readout
    with a quadratic penalty, or the nearest neighbour, reads of them is unchanged."""
    x, new = (part.x.reshape(len(part.x), -1).astype(np.float64) for part in (train, test))
    if x.shape[1] <= len(x):
        return _flat(train, x), _flat(test, new)
    values, vectors = np.linalg.eigh(x @ x.T)
    kept = values > 1e-10 * values[-1]
    scale = np.sqrt(values[kept])
    return (
        _flat(train, vectors[:, kept] * scale),
        _flat(test, new @ (x.T @ (vectors[:, kept] / scale))),
    )


def _flat(split: Split, x: Any) -> Split:
    return split._replace(x=x.astype(np.float32))
