"""Posterior of class and run length by enumeration of all sets of change points (Adams & MacKay
2007, arXiv:0710.3742, eq. 3 written out), and the log odds of two classes (Glaze, Kable & Gold
2015, eLife 4:e08825, eqs. 1 and 2)."""

import itertools

import numpy as np
from numpy.typing import ArrayLike

from ._require import require


def posterior(
    evidence: ArrayLike, prior: ArrayLike, hazard: ArrayLike, phase: ArrayLike, after: int = -1
) -> tuple[np.ndarray, float]:
    """Posterior [C, T] of the class and the run length at the last of T frames, and the probability
    that its recording began after the frame `after`.

    `evidence` [T, C, K] are log likelihoods of class and phase; run lengths of R - 1 and more, of
    the R of `phase`, have the last phase and the last entry of `hazard` (a number, or [R]).

    **Raises:** `ValueError` for more than 16 frames: there are 2^(T - 1) sets of change points.
    """
    log, share = np.asarray(evidence, float), np.asarray(prior, float)
    count, last = len(log), len(np.asarray(phase)) - 1
    require(count <= 16, f"evidence: at most 16 frames can be enumerated, got {count}.")
    chance = np.broadcast_to(np.asarray(hazard, float), (last + 1,))
    of = np.minimum(np.arange(count), last)  # run length by frames since the onset
    total = np.zeros((log.shape[1], count))
    for cuts in itertools.product([False, True], repeat=count - 1):
        onsets = [0, *(t + 1 for t in range(count - 1) if cuts[t])]
        weight, classes = 1.0, np.ones(log.shape[1])
        for first, stop in itertools.pairwise([*onsets, count]):
            weight *= np.prod(1 - chance[of[: stop - first - 1]])
            weight *= chance[of[stop - first - 1]] if stop < count else 1.0
            rows = [log[t, :, np.asarray(phase)[of[t - first]]] for t in range(first, stop)]
            classes = share * np.exp(np.sum(rows, axis=0))
            weight *= classes.sum() if stop < count else 1.0
        total[:, count - 1 - onsets[-1]] += weight * classes
    total /= total.sum()
    return total, float(total[:, : count - 1 - after].sum())


def log_odds(evidence: ArrayLike, switch: float) -> np.ndarray:
    """Log odds [T] of two classes that change places with the probability `switch` between frames
    with the log likelihood ratios `evidence` [T]: `L' = psi(L) + evidence`."""
    result, odds = [], 0.0
    keep = np.log((1 - switch) / switch)
    for row in np.asarray(evidence, float):
        odds += np.logaddexp(keep, -odds) - np.logaddexp(keep, odds) if result else 0.0
        odds += row
        result.append(odds)
    return np.array(result)
