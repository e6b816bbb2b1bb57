"""Recordings whose law changes: features before and after a drift, and streams of their batches."""

from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

import bpcjax as bpc

from .recordings import SIDE, amplitudes, event_counts, load

BATCH = 10
CLASSES = 10


class Task(NamedTuple):
    """Task: features [n, k] before and after the drift, of the same recordings, and `labels`."""

    name: str
    before: np.ndarray
    after: np.ndarray
    labels: np.ndarray


def camera(folder: Path | str | None) -> list[Task]:
    """N-MNIST, roots of counts on a grid of 17 x 17: rotated by 60 degrees, or with one spike in
    four."""
    events = load("nmnist", "all", folder)
    angle, centre = np.deg2rad(60), (SIDE - 1) / 2

    def rotate(row, column):
        y, x = row - centre, column - centre
        return (
            np.round(centre + np.cos(angle) * y - np.sin(angle) * x),
            np.round(centre + np.sin(angle) * y + np.cos(angle) * x),
        )

    def roots(**options):
        counts = event_counts(events, dtype=float, **options).sum(axis=(1, 2))
        return np.sqrt(counts.reshape(len(counts), -1))

    rare = np.random.default_rng(0).random(len(events.times)) < 0.25
    plain = roots()
    return [
        Task("N-MNIST, rotation", plain, roots(place=rotate), events.labels),
        Task("N-MNIST, gain", plain, roots(mask=rare), events.labels),
    ]


def sound(folder: Path | str | None) -> list[Task]:
    """Spoken digits, roots of Poisson counts of 18 bands in eight parts of each recording: moved by
    two bands, or at an eighth of the rate."""
    speech = load("spoken_digits", "all", folder)
    longest, parts = 8000, 8
    sounds = [speech[k][:longest] for k in range(len(speech))]
    centres = jnp.asarray(bpc.encode.erb_centres(100.0, 3600.0, 18))
    amplitude = amplitudes(sounds, longest, 8000.0, centres, frame=10.0)
    rate = np.zeros((len(amplitude), parts, amplitude.shape[2]))
    for k, (bands, wave) in enumerate(zip(amplitude, sounds, strict=True)):
        ends = np.linspace(0, max(len(wave) // 80, parts), parts + 1).astype(int)
        rate[k] = np.add.reduceat(bands[: ends[-1]], ends[:-1], axis=0)
    rate *= 1500 / rate.sum(axis=(1, 2)).mean()  # spikes a recording
    rng = np.random.default_rng(0)

    def roots(rate):
        return np.sqrt(rng.poisson(rate).reshape(len(rate), -1).astype(float))

    plain = roots(rate[:, :, :16])
    return [
        Task("spoken digits, pitch", plain, roots(rate[:, :, 2:]), speech.labels),
        Task("spoken digits, gain", plain, roots(rate[:, :, :16] / 8), speech.labels),
    ]


SETS = {"nmnist": camera, "spoken_digits": sound}


def tasks(folder: Path | str | None, names: tuple[str, ...]) -> list[Task]:
    """The tasks of these sets.

    **Raises:** `InputError` for missing or damaged files.
    """
    return [task for name in names for task in SETS[name](folder)]


def task_key(name: str) -> str:
    """Prefix of a task's variables in a data set."""
    return name.replace(" ", "_").replace(",", "").replace("-", "_")


def held_out(rng: np.random.Generator, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices to train on, as many as fill batches, and of a quarter to test on."""
    order = rng.permutation(len(labels))
    test, train = np.split(order, [len(order) // 4])
    return train[: len(train) // BATCH * BATCH], test


def batched(x: np.ndarray, labels: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Batches [T, b, n] of the features `x` in the order of `index`, and their one-hot labels
    [T, b, classes]."""
    one_hot = np.eye(CLASSES, dtype=x.dtype)[labels[index]]
    return x[index].reshape(-1, BATCH, x.shape[1]), one_hot.reshape(-1, BATCH, CLASSES)


def passes(rng: np.random.Generator, train: np.ndarray, count: int) -> np.ndarray:
    """Indices of so many passes over a training set, each in an order of its own."""
    return np.concatenate([rng.permutation(train) for _ in range(count)])
