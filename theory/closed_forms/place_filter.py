"""Forward filter of a hidden Markov model of places: recordings that are followed, or left.

Rabiner (1989), Proc. IEEE 77:257, eqs. 19-21, scaled at each frame, for the chain whose state stays
at its place, moves on to the next one, or, by a hazard, jumps to any.
"""

import numpy as np
from numpy.typing import ArrayLike

from ._require import require


def transition(prior: ArrayLike, successor: ArrayLike, *, stay: float, hazard: float) -> np.ndarray:
    """Transition matrix [P, P], from the row to the column: with the probability `hazard` to a
    place drawn from `prior` [P], else with `stay` to itself, else to its `successor` [P]; one of
    -1 is the end of a recording, after which any place may follow.

    **Raises:** `ValueError` for a probability that is none.
    """
    require(0 <= stay <= 1, f"stay must lie in 0 ... 1, got {stay}.")
    require(0 <= hazard <= 1, f"hazard must lie in 0 ... 1, got {hazard}.")
    share, following = np.asarray(prior, float), np.asarray(successor)
    share = share / share.sum()
    same = np.eye(len(share))
    moved = np.where((following < 0)[:, None], share, same[following])
    return (1 - hazard) * (stay * same + (1 - stay) * moved) + hazard * share


def posterior(log_likelihood: ArrayLike, prior: ArrayLike, matrix: ArrayLike) -> np.ndarray:
    """Posterior [T, P] of the place at each frame given the frames up to it, from the log
    likelihood [T, P] of frames at places, the `prior` [P] of the first place, and the transition
    `matrix` [P, P]."""
    log_likelihood = np.asarray(log_likelihood, float)
    ahead = np.asarray(prior, float) / np.sum(prior)
    result = np.empty_like(log_likelihood)
    for t, row in enumerate(log_likelihood):
        weight = ahead * np.exp(row - row.max())
        result[t] = weight / weight.sum()
        ahead = result[t] @ np.asarray(matrix)
    return result
