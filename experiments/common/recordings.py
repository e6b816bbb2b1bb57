"""Recordings of events as counts of spikes: N-MNIST in squares of pixels, spoken digits through a
cochlea."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import bpcjax as bpc

from . import InputError
from .data import Split

QUANTUM = 0.25  # what one spike of the input adds
SIDE = 34  # pixels of N-MNIST


def load(name: str, split: str, folder: Any) -> Any:
    """The recordings `name` of `bpcjax.data.load`.

    **Raises:** `InputError` for missing or damaged files.
    """
    try:
        return bpc.data.load(name, split, folder)
    except (bpc.data.DataError, ImportError) as error:
        raise InputError(str(error)) from error


def event_counts(
    events: bpc.data.Events,
    frames: int = 1,
    length: float = np.inf,
    *,
    mask: np.ndarray | bool = True,
    place: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None,
    dtype: Any = np.float32,
) -> np.ndarray:
    """Counts [n, frames, 2, 17, 17] of the events of N-MNIST by sign, in squares of 2 x 2 pixels.

    A frame is `length` ms long; the last takes all that come later. Only events in the `mask`
    count, at `place(row, column)` if that is a pixel.
    """
    sign, row, column = np.unravel_index(events.channels, events.shape)
    which = np.repeat(np.arange(len(events)), events.counts)
    frame = np.minimum(events.times / length, frames - 1).astype(int)
    if place is not None:
        row, column = place(row, column)
    inside = mask & (row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE)
    index = which, frame, sign, row.astype(int) // 2, column.astype(int) // 2
    counts = np.zeros((len(events), frames, 2, SIDE // 2, SIDE // 2), dtype)
    np.add.at(counts, tuple(axis[inside] for axis in index), 1)
    return counts


def pool_trace(events: bpc.data.Events, steps: int) -> np.ndarray:
    """Trace [steps, 35] of the first of these recordings: its events in 7 x 5 pools of pixels, of
    which each step keeps 98 %; scaled to a standard deviation of 1."""
    times, channels = events[0]
    *_, row, column = np.unravel_index(channels, events.shape)
    return _trace(times, np.asarray(column), np.asarray(row), steps)


def bar_trace(steps: int) -> np.ndarray:
    """The same trace [steps, 35] of a bar that moves from side to side: it needs no files."""
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 1, 4000))
    column = SIDE * np.abs(np.sin(2 * np.pi * times))
    return _trace(times, column, rng.uniform(0, SIDE, 4000), steps)


def _trace(times: np.ndarray, column: np.ndarray, row: np.ndarray, steps: int) -> np.ndarray:
    share = (times - times.min()) / (np.ptp(times) + 1e-9)
    step = np.minimum((steps * share).astype(int), steps - 1)
    pool = np.minimum(column // 5, 6).astype(int) * 5 + np.minimum(row // 7, 4).astype(int)
    trace = np.zeros((steps, 35))
    np.add.at(trace, (step, pool), 1.0)
    for k in range(1, steps):
        trace[k] += 0.98 * trace[k - 1]
    return trace / trace.std()


def amplitudes(
    sounds: list[np.ndarray], size: int, rate: float, *args: Any, frame: float
) -> np.ndarray:
    """Amplitudes [n, frames, bands] of a cochlea, of sounds padded to `size` samples; `args` are
    further ones of `bpcjax.encode.cochlea`."""
    whole = np.stack([np.pad(sound, (0, size - len(sound))) for sound in sounds])
    hear = jax.jit(jax.vmap(lambda sound: bpc.encode.cochlea(sound, rate, *args, frame=frame)))
    return np.concatenate([hear(whole[k : k + 100]) for k in range(0, len(whole), 100)])


def octaves(amplitude: np.ndarray) -> np.ndarray:
    """Loudness: octaves of amplitude above the threshold of a thousandth."""
    return np.log2(np.maximum(amplitude, 1e-9) / 1e-3)


def peak_normalise(sound: np.ndarray, size: int | None = None) -> np.ndarray:
    """The first `size` samples of a sound, over the largest amplitude of all of it."""
    return sound[:size] / max(float(np.abs(sound).max()), 1e-6)


def camera(folder: str | None, every: int = 1, bins: int = 3) -> tuple[Split, Split]:
    """N-MNIST, train and test: counts in squares of 2 x 2 pixels, by sign and third of the
    recording (a saccade each); a channel sends at most 8 spikes. One recording of `every`."""

    def split(name: str) -> Split:
        events = load("nmnist", name, folder)[::every]
        counts = event_counts(events, bins, 105.0)  # 315 ms in all
        x = (np.minimum(counts, 8) * QUANTUM).astype(np.float32)
        return Split(x, np.asarray(events.labels), 10)

    return split("train"), split("test")


def spoken(
    folder: str | None, every: int = 1, bins: int = 16, bands: int = 32
) -> tuple[Split, Split]:
    """Spoken digits, train and test: a cochlea of 32 bands, its loudness in sixteenths of the
    recording, as a number of spikes: one for each half octave of amplitude above the threshold, at
    most 8. One recording of `every`."""

    def split(name: str) -> Split:
        sounds = load("spoken_digits", name, folder)
        numbers = range(0, len(sounds), every)
        x = np.array([_loudness(sounds[k], sounds.rate, bins, bands) for k in numbers])
        return Split(x, np.asarray(sounds.labels)[::every], 10)

    return split("train"), split("test")


def _loudness(sound: np.ndarray, rate: float, bins: int, bands: int) -> np.ndarray:
    """Spikes [bins, bands]; sounds are padded to whole tenths of a second to compile little."""
    length = int(np.ceil(len(sound) / (0.1 * rate)) * 0.1 * rate)
    whole = np.zeros(length, np.float32)
    whole[: len(sound)] = peak_normalise(sound)
    amplitude = np.asarray(bpc.encode.cochlea(whole, rate, frame=5.0))
    amplitude = amplitude[: max(len(sound) // round(rate * 0.005), 1)]
    edges = np.linspace(0, len(amplitude), bins + 1).astype(int)
    pairs = zip(edges, edges[1:], strict=False)
    mean = np.array([amplitude[a : max(b, a + 1)].mean(axis=0) for a, b in pairs])
    spikes = np.clip(2 * octaves(mean), 0, 8).round()
    return (QUANTUM * spikes[:, :bands]).astype(np.float32)


def fold(official: tuple[Split, Split], number: int) -> tuple[Split, Split]:
    """Training set, shuffled, and test set of a fold: 0 is the official one."""
    train, test = official
    count = len(test.x)
    x, labels = np.concatenate([test.x, train.x]), np.concatenate([test.labels, train.labels])
    order = np.random.default_rng(0).permutation(np.arange(count, len(x)))
    order = np.concatenate([np.arange(count), order])  # the official test set comes first
    part = slice(number * count, (number + 1) * count)
    others = np.delete(order, part)
    return Split(x[others], labels[others], 10), Split(x[order[part]], labels[order[part]], 10)


SETS = {"N-MNIST": camera, "spoken digits": spoken}
