"""Storage and retrieval of the modern Hopfield network (Ramsauer et al. 2020, arXiv:2008.02217).

Patterns are the rows of `x` [P, N], `M` the length of the longest.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import lambertw

from ._require import require


class Storage(NamedTuple):
    """The base `c` of the number of patterns, and that number, `sqrt(p) c^((d - 1) / 4)`."""

    base: float
    patterns: float
    holds: bool  # the theorem's condition on c


def storage(width, beta, scale, failure):
    """Theorem 3: random patterns of length `K sqrt(d - 1)` that are well separated, with
    probability `1 - p`: `c = b / W0(exp(a + ln b))`, `b = 2 K^2 beta / 5`,
    `a = 2 / (d - 1) (1 + ln(2 beta K^2 p (d - 1)))`.
    """
    require(0 < failure < 1, "failure must be in (0, 1).")
    a = 2 / (width - 1) * (1 + np.log(2 * beta * scale**2 * failure * (width - 1)))
    b = 2 * scale**2 * beta / 5
    c = float((b / lambertw(np.exp(a + np.log(b)))).real)
    holds = c >= (2 / np.sqrt(failure)) ** (4 / (width - 1))
    return Storage(c, float(np.sqrt(failure) * c ** ((width - 1) / 4)), bool(holds))


def separation(x):
    """`Delta_i = x_i . x_i - max_{j != i} x_i . x_j`."""
    overlaps = x @ x.T
    own = np.diag(overlaps).copy()
    np.fill_diagonal(overlaps, -np.inf)
    return own - overlaps.max(axis=1)


def least_separation(x, beta):
    """What `Delta_i` must reach for a fixed point within `1 / (beta P M)` of the pattern."""
    count, square = len(x), (x * x).sum(axis=1).max()
    return 2 / (beta * count) + np.log(2 * (count - 1) * count * beta * square) / beta


def error_bound(x, beta, distance):
    """Theorem 5: of the distance from the pattern after one update."""
    longest = np.sqrt((x * x).sum(axis=1).max())
    decay = np.exp(-beta * (separation(x) - 2 * distance * longest))
    return 2 * (len(x) - 1) * decay * longest
