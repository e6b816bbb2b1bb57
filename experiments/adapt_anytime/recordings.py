"""Recordings as counts of spikes in frames of 5 ms, and streams in which they come one after
another."""

from typing import NamedTuple

import numpy as np

import bpcjax as bpc

from ..common.recordings import amplitudes, event_counts, load, octaves, peak_normalise

FRAME = 5  # ms
LEAST = 10  # frames that a recording lasts at least
FOLDS = 5  # of the training recordings


class Recordings(NamedTuple):
    """Recordings: the `counts` [frames, ...] of each, and `labels` [n]; the last `official` ones
    are those of the official test, or none."""

    name: str
    counts: list[np.ndarray]
    labels: np.ndarray
    official: int

    @property
    def longest(self) -> int:
        """Frames of the longest one."""
        return max(map(len, self.counts))

    def split(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices to train on, and of the test: a fifth of the training recordings, or, for the
        fold 5, the official test."""
        count = len(self.labels) - self.official
        if fold == FOLDS:
            return np.arange(count), np.arange(count, len(self.labels))
        order = np.random.default_rng(5).permutation(count)
        test = order[fold * (count // FOLDS) : (fold + 1) * (count // FOLDS)]
        return np.setdiff1d(order, test), test


def digits(frames: int = 24) -> Recordings:
    """The embedded digits as Poisson spikes: white pixels flash, with up to 400 spikes a second."""
    images = bpc.data.load("digits", "all")
    assert isinstance(images, bpc.data.Images)
    flash = 0.4 * FRAME * np.sin(np.pi * np.arange(frames) / frames) ** 2
    white = images.pixels.reshape(len(images.labels), 1, -1) / images.pixels.max()
    counts = np.random.default_rng(0).poisson(flash[None, :, None] * white).astype(np.uint8)
    return Recordings("digits", list(counts[:1000]), images.labels[:1000], 0)


def camera(folder: str | None, frames: int = 62) -> Recordings:
    """N-MNIST: events of squares of 2 x 2 pixels, by sign, of the first 310 ms."""
    parts = [load("nmnist", split, folder) for split in ("train", "test")]
    counts = [event_counts(part, frames + 1, FRAME, dtype=np.uint8)[:, :frames] for part in parts]
    labels = np.concatenate([np.asarray(part.labels) for part in parts])
    return Recordings("nmnist", [one for part in counts for one in part], labels, len(parts[1]))


def spoken(folder: str | None, frames: int = 80) -> Recordings:
    """Spoken digits, as long as each is, at most 400 ms: each band of a cochlea sends a spike
    whenever its loudness, octaves of amplitude above a threshold, has added up to 40
    octave-milliseconds."""
    parts = [load("spoken_digits", split, folder) for split in ("train", "test")]
    counts = []
    for part in parts:
        size = round(FRAME * frames * part.rate / 1000)
        sounds = [peak_normalise(part[k], size).astype(np.float32) for k in range(len(part))]
        loud = np.clip(octaves(amplitudes(sounds, size, part.rate, frame=float(FRAME))), 0, 8)
        whole = np.diff(np.floor(np.cumsum(loud * FRAME / 40, axis=1)), axis=1, prepend=0)
        ends = [max(round(1000 * len(one) / part.rate / FRAME), LEAST + 1) for one in sounds]
        counts += [one[:end].astype(np.uint8) for one, end in zip(whole, ends, strict=True)]
    labels = np.concatenate([np.asarray(part.labels) for part in parts])
    return Recordings("spoken_digits", counts, labels, len(parts[1]))


SETS = {
    "digits": lambda folder: digits(),
    "nmnist": camera,
    "spoken_digits": spoken,
}  # by name, of the folder of their files


class Streams(NamedTuple):
    """Streams of recordings one after another.

    Each shows K recordings, of the index `which` [S, K] and so many frames, `length` [S, K]; half
    of them are broken off, the others `whole` [S, K]. `counts` [S, T, channels] of their frames,
    and the `label` [S, T] and `onset` [S, T], the frame at which it began, of the recording there:
    -1 after the end.
    """

    which: np.ndarray
    length: np.ndarray
    whole: np.ndarray
    counts: np.ndarray
    label: np.ndarray
    onset: np.ndarray

    @property
    def start(self) -> np.ndarray:
        """The frame [S, K] at which each recording begins."""
        return self.length.cumsum(axis=1) - self.length


def broken_off(rng: np.random.Generator, counts: list[np.ndarray]) -> np.ndarray:
    """Frames that recordings last: half of them to their end, half to a moment drawn uniformly."""
    ends = np.array([len(one) for one in counts])
    return np.where(rng.random(len(ends)) < 0.5, ends, rng.integers(LEAST, ends))


def draw(data: Recordings, members: np.ndarray, count: int, each: int, seed: int) -> Streams:
    """So many streams of `each` of the `members`, in random orders."""
    rng = np.random.default_rng(seed)
    rows, turns = [], np.array([], int)
    for _ in range(count):  # each recording comes about as often as any other
        if len(turns) < each:
            turns = np.append(turns, rng.permutation(np.setdiff1d(members, turns)))
        rows.append(turns[:each])
        turns = turns[each:]
    which = np.stack(rows)
    length = np.stack([broken_off(rng, [data.counts[k] for k in row]) for row in which])
    whole = length == np.array([[len(data.counts[k]) for k in row] for row in which])
    frames, channels = int(length.sum(axis=1).max()), data.counts[0][0].size
    counts = np.zeros((count, frames, channels), np.uint8)
    label, onset = np.full((2, count, frames), -1)
    for s, (row, sizes) in enumerate(zip(which, length, strict=True)):
        parts = [data.counts[k][:n].reshape(n, -1) for k, n in zip(row, sizes, strict=True)]
        counts[s, : sizes.sum()] = np.concatenate(parts)
        label[s, : sizes.sum()] = np.repeat(data.labels[row], sizes)
        onset[s, : sizes.sum()] = np.repeat(np.cumsum(sizes) - sizes, sizes)
    return Streams(which, length, whole, counts, label, onset)


def traces(counts: np.ndarray, taus: tuple[float, ...]) -> np.ndarray:
    """Traces [n, frames, channels of each constant] of spikes after each frame, that decay with
    `taus` (ms); each is scaled so that a steady rate drives all alike in 100 ms."""
    keep = np.exp(-FRAME / np.array(taus, np.float32))[:, None]
    gain = 100 / np.minimum(taus, 100).astype(np.float32)[:, None]
    now = np.zeros((len(counts), len(taus), counts.shape[2]), np.float32)
    result = np.empty((*counts.shape[:2], len(taus) * counts.shape[2]), np.float32)
    for k in range(counts.shape[1]):
        now = keep * now + gain * counts[:, None, k]
        result[:, k] = now.reshape(len(counts), -1)
    return result


def since(counts: np.ndarray, onset: np.ndarray, length: int, number: int) -> np.ndarray:
    """Counts [T, number, channels] of each frame of a stream [T, channels] since the `onset` [T]
    of its recording, in so many parts of `length` frames; what is later is in the last one."""
    total = np.concatenate([np.zeros((1, counts.shape[1]), np.float32), counts.cumsum(axis=0)])
    now = np.arange(1, len(counts) + 1)
    edges = [np.minimum(np.maximum(onset, 0) + k * length, now) for k in range(number)] + [now]
    return np.stack([total[b] - total[a] for a, b in zip(edges, edges[1:], strict=False)], axis=1)
