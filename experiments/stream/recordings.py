"""Recordings as counts of events: of a smooth random rate, of an event camera, of a cochlea."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..common.recordings import amplitudes, event_counts, load, octaves, peak_normalise

FRAME = 5.0  # ms
GAIN = 1.0  # events a frame for each octave of loudness above the threshold
SHORTEST, LONGEST = 0.3, 0.6  # s, of spoken digits

Counts = list[np.ndarray]  # [frames, channels] of each recording


def events_of(rates: np.ndarray) -> np.ndarray:
    """Counts [frames, channels] of integrate-and-fire neurons with these rates (events a frame):
    one event each time that the integral passes a whole number."""
    return np.diff(np.floor(np.cumsum(rates, axis=0)), axis=0, prepend=0).astype(int)


def synthetic(folder: str | None, number: int, rng: np.random.Generator) -> Counts:
    """Recordings of 60 frames and 64 channels whose logarithms of rates are Gaussian, with a
    correlation over four frames; they close to a loop."""
    frequency = np.fft.rfftfreq(60, 1 / 60)
    keep = np.exp(-0.5 * (2 * np.pi * frequency * 4 / 60) ** 2)
    white = np.fft.rfft(rng.standard_normal((number, 60, 64)), axis=1)
    log = np.fft.irfft(white * keep[None, :, None], 60, axis=1)
    return [events_of(np.exp(one - 1.0)) for one in log / log.std()]


def camera(folder: str | None, number: int, rng: np.random.Generator) -> Counts:
    """Recordings of N-MNIST of 60 frames (315 ms), by sign, in squares of 4 x 4 pixels."""
    events = load("nmnist", "train", folder)
    events = events[rng.choice(len(events), number, replace=False)]
    counts = event_counts(events, 60, 315 / 60, dtype=int)
    counts = np.pad(counts, ((0, 0), (0, 0), (0, 0), (0, 1), (0, 1)))  # 17 to 18
    counts = counts.reshape(number, 60, 2, 9, 2, 9, 2).sum(axis=(4, 6))
    return list(counts.reshape(number, 60, -1))


def spoken(folder: str | None, number: int, rng: np.random.Generator) -> Counts:
    """Spoken digits of middle length: 32 neurons that integrate the loudness of a cochlea."""
    sounds = load("spoken_digits", "train", folder)
    size, frame = round(LONGEST * sounds.rate), round(FRAME * sounds.rate / 1000)
    lengths = np.array([len(sounds[k]) for k in range(len(sounds))])
    middle = np.flatnonzero((lengths >= SHORTEST * sounds.rate) & (lengths <= size))
    drawn = rng.choice(middle, number, replace=False)
    heard = amplitudes([peak_normalise(sounds[k]) for k in drawn], size, sounds.rate, frame=FRAME)
    rates = GAIN * np.maximum(octaves(heard), 0)
    return [events_of(r[: lengths[k] // frame]) for k, r in zip(drawn, rates, strict=True)]


class Source(NamedTuple):
    """Where recordings come from, and how many `windows`, one after another, a frame shows."""

    draw: Callable[[Any, int, np.random.Generator], Counts]
    windows: int
    needs_files: bool


SOURCES = {
    "synthetic": Source(synthetic, 1, False),
    "N-MNIST": Source(camera, 1, True),
    "spoken digits": Source(spoken, 2, True),
}
