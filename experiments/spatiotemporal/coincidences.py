"""Patterns of one spike a unit, damage to them, and detectors that wait for coincidences.

Times are in units of the window, and cyclic; a spike that is not there is NaN.
"""

import numpy as np


def spoil(
    rng: np.random.Generator,
    times: np.ndarray,
    *,
    jitter: float = 0.0,
    deletion: float = 0.0,
    warp: float = 0.0,
    shift: float = 0.0,
) -> np.ndarray:
    """The spikes of `times` [..., N], warped about the middle, jittered, shifted, some deleted."""
    moved = times + warp * (times - 0.5) + jitter * rng.normal(size=times.shape) + shift
    return np.where(rng.random(times.shape) < deletion, np.nan, moved % 1.0)


def inserted(rng: np.random.Generator, shape: tuple[int, ...], mean: float) -> np.ndarray:
    """Further spikes, `mean` of them a unit (Poisson), on a new last axis."""
    counts = rng.poisson(mean, shape)
    room = max(int(counts.max(initial=0)), 1)
    times = rng.random((*shape, room))
    return np.where(np.arange(room) < counts[..., None], times, np.nan)


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Between two times, the short way round."""
    return np.abs((a - b + 0.5) % 1.0 - 0.5)


def hits(spikes: np.ndarray, due: np.ndarray, width: float) -> np.ndarray:
    """Units that have a spike [..., N, K] within `width` of their due time [..., N], counted."""
    return (distance(spikes, due[..., None]) <= width).any(axis=-1).sum(axis=-1)


def entries(offsets: np.ndarray, width: float) -> np.ndarray:
    """The count of a detector just after each unit enters its window [..., N]; 0 for no spike.

    `offsets` [..., N] are the times from due to actual: unit j is in as i enters if it entered
    less than the window's full width before.
    """
    since = (offsets[..., :, None] - offsets[..., None, :]) % 1.0
    return np.where(np.isnan(offsets), 0, (since <= 2 * width).sum(axis=-1))


def sorted_entries(offsets: np.ndarray, width: float) -> np.ndarray:
    """`entries` of many detectors [P, N] that all have their spikes, each row in order of time."""
    rows, size = offsets.shape
    late = np.sort(offsets, axis=1)
    apart = 4.0 * np.arange(rows)[:, None]  # one line of time for all rows
    line = np.concatenate([late - 1, late], axis=1) + apart  # this window and that before
    before = np.searchsorted(line.ravel(), (late - 2 * width + apart).ravel()).reshape(rows, size)
    return 2 * size * np.arange(rows)[:, None] + size + np.arange(size) + 1 - before


def searched(
    rng: np.random.Generator, spikes: np.ndarray, count: int, width: float, threshold: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of `count` fresh patterns, which are above threshold at any shift, and how often they rise.

    `spikes` [N] are those of the pattern shown.
    """
    above, rises = np.zeros(count, bool), np.zeros(count, int)
    for start in range(0, count, 2000):
        due = rng.random((min(2000, count - start), len(spikes)))
        counts = sorted_entries((spikes - due) % 1.0, width)
        above[start : start + len(due)] = counts.max(axis=-1) >= threshold
        rises[start : start + len(due)] = (counts == threshold).sum(axis=-1)
    return above, rises


def trace(spikes: np.ndarray, due: np.ndarray, width: float, at: np.ndarray) -> np.ndarray:
    """Units of each detector `due` [P, N] that have spikes [N, K] in its window, over shifts `at`
    [T]: [P, T]."""
    moved = spikes[None, None] - at[None, :, None, None]
    return hits(moved, due[:, None, :], width)


def raster(times: np.ndarray, steps: int, spread: float) -> np.ndarray:
    """Spikes [..., N, K] as rasters [..., N, steps], smoothed by a Gaussian of `spread` windows."""
    centres = (np.arange(steps) + 0.5) / steps
    away = distance(centres, times[..., None])
    kernel = np.exp(-0.5 * (away / spread) ** 2)
    return np.nan_to_num(kernel).sum(axis=-2)
