"""Places in recordings, and streams that follow one recording and jump to another."""

from typing import NamedTuple

import numpy as np

from .recordings import Counts

WINDOW = 8  # frames whose events a frame counts


class Noise(NamedTuple):
    """Noise of a stream: the share of events that are lost, that are a frame early or late, that
    are added (of the mean rate), and the standard deviation of white noise on top of frames."""

    deletion: float = 0.3
    jitter: float = 0.3
    insertion: float = 0.1
    white: float = 0.0

    def spoil(self, counts: np.ndarray, mean: float, rng: np.random.Generator) -> np.ndarray:
        """Counts [frames, channels] with other events."""
        kept = rng.binomial(counts, 1 - self.deletion)
        moved = rng.binomial(kept, self.jitter)
        early = rng.binomial(moved, 0.5)
        late, result = moved - early, kept - moved
        result[:-1] += early[1:]
        result[1:] += late[:-1]
        return result + rng.poisson(self.insertion * mean, counts.shape)


class Places(NamedTuple):
    """The memories: P places of recordings, each the mean of so many frames one after another.

    `patterns` [P, N], the `recording` [P] each belongs to, its `successor` [P], and the `first`
    place of each recording; recordings are `counts` in whole places, played in a loop.
    """

    patterns: np.ndarray
    recording: np.ndarray
    successor: np.ndarray
    first: np.ndarray
    counts: Counts
    dwell: int
    windows: int


def framed(counts: np.ndarray, windows: int) -> np.ndarray:
    """Frames [n, windows x channels] of counts [n + windows x WINDOW - 1, channels]: square roots
    of the numbers of events in the windows that end there, whose noise hardly depends on them."""
    total = np.cumsum(np.pad(counts, ((1, 0), (0, 0))), axis=0)
    sums = np.sqrt(total[WINDOW:] - total[:-WINDOW])
    length = len(counts) - windows * WINDOW + 1
    parts = [sums[len(sums) - length - k * WINDOW :][:length] for k in range(windows)]
    return np.concatenate(parts, axis=1)


def around(counts: np.ndarray, start: int, length: int, windows: int) -> np.ndarray:
    """The counts that frames need from `start` on, in a loop."""
    return counts[np.arange(start - windows * WINDOW + 1, start + length) % len(counts)]


def places(recordings: Counts, dwell: int, windows: int, deletion: float) -> Places:
    """Places of recordings; patterns are scaled to what is left after deletion."""
    counts = [one[: len(one) // dwell * dwell] for one in recordings]
    patterns, recording, successor, first = [], [], [], []
    for k, one in enumerate(counts):
        frames = framed(around(one, 0, len(one), windows), windows)
        own = frames.reshape(len(one) // dwell, dwell, -1).mean(axis=1)
        start = len(recording)
        patterns.append(np.sqrt(1 - deletion) * own)
        first.append(start)
        recording += [k] * len(own)
        successor += list(start + (np.arange(len(own)) + 1) % len(own))
    return Places(
        np.concatenate(patterns), np.array(recording), np.array(successor), np.array(first), counts,
        dwell, windows,
    )  # fmt: skip


def draw(
    here: Places, noise: Noise, hazard: float, streams: int, frames: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Streams: frames [S, T, N], their places [S, T], and where they jumped [S, T]. At each frame,
    by the `hazard`, to any place of any recording; all noise is new after a jump."""
    rows = [_one(here, noise, hazard, frames, rng) for _ in range(streams)]
    y, path, jumps = (np.stack(column) for column in zip(*rows, strict=True))
    return y + noise.white * rng.standard_normal(y.shape), path, jumps


def _one(here: Places, noise: Noise, hazard: float, frames: int, rng: np.random.Generator):
    mean = float(np.mean([one.mean() for one in here.counts]))
    y, path, jumps = [], [], np.zeros(frames, bool)
    left = frames
    while left > 0:
        place = int(rng.integers(len(here.recording)))
        which = here.recording[place]
        own = here.counts[which]
        start = int((place - here.first[which]) * here.dwell + rng.integers(here.dwell))
        length = min(rng.geometric(hazard), left) if hazard > 0 else left
        jumps[frames - left] = left < frames
        spoilt = noise.spoil(around(own, start, length, here.windows), mean, rng)
        y.append(framed(spoilt, here.windows))
        path.append(here.first[which] + np.arange(start, start + length) % len(own) // here.dwell)
        left -= length
    return np.concatenate(y), np.concatenate(path), jumps


def scores_of(here: Places, path: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """Shares of frames [S, 3] whose place is right, whose place is right or next to it, and whose
    recording is right."""
    exact = decision == path
    near = exact | (here.successor[decision] == path) | (here.successor[path] == decision)
    same = here.recording[decision] == here.recording[path]
    return np.stack([exact.mean(1), near.mean(1), same.mean(1)], axis=1)
