"""Recall of spike patterns by coincidence: two tails of binomial laws, with nothing to fit.

Patterns of `n` units that spike once in a window, at random times. The detector of a memory delays
each unit so that the spikes of its own pattern arrive together, and fires where at least
`threshold` units arrive within a half-width `w`. All times are in units of the window, and cyclic.

A unit of the pattern shown hits with the chance `hit`, a unit of any other with `false_hit`, about
`2 w`; units are independent, so the counts are binomial: exactly at a given instant. Where the
detector searches all shifts, misses are fewer, and false alarms up-crossings of the threshold.
"""

import numpy as np
from scipy.special import erf
from scipy.stats import binom

from ._require import require

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


def hit(width, jitter=0.0, deletion=0.0, insertion=0.0, warp=0.0):
    """Chance that a unit of the pattern shown arrives within `width` of its due time.

    Its spike is lost with the chance `deletion`, moved by Gaussian jitter, and by a warp of time:
    `warp` times its distance from the middle of the window. `insertion` is the mean number of
    further spikes of each unit (Poisson), any of which may hit.
    """
    require(0 < width < 0.5, "width must be between 0 and 1/2, in units of the window.")
    require(jitter >= 0 and 0 <= deletion <= 1, "jitter must not be negative, deletion in [0, 1].")
    require(insertion >= 0 and abs(warp) <= 1, "insertion must not be negative, warp in [-1, 1].")
    scale = np.sqrt(2) * jitter

    def within(shift):
        if jitter == 0:
            return (np.abs(shift) <= width).astype(float)
        return 0.5 * (erf((width - shift) / scale) + erf((width + shift) / scale))

    if warp == 0:
        chance = within(np.zeros(()))
    elif jitter == 0:
        chance = min(1.0, 2 * width / abs(warp))
    else:
        chance = 0.5 * _WEIGHTS @ within(0.5 * warp * _NODES)
    return float(1 - (1 - (1 - deletion) * chance) * np.exp(-2 * width * insertion))


def false_hit(width, deletion=0.0, insertion=0.0):
    """Chance that a unit of another pattern arrives by accident: uniform times."""
    require(0 < width < 0.5, "width must be between 0 and 1/2, in units of the window.")
    return float(1 - (1 - (1 - deletion) * 2 * width) * np.exp(-2 * width * insertion))


def miss(n, threshold, hit):
    """Chance that too few units of the pattern shown arrive together, at its own time."""
    return binom.cdf(threshold - 1, n, hit)


def false_alarm(n, threshold, false_hit):
    """Chance that another memory's detector is above threshold at a given instant."""
    return binom.sf(threshold - 1, n, false_hit)


def crossings(n, threshold, width):
    """Mean number of false alarms (up-crossings) of one memory in a window: exact.

    A unit enters at any time, and takes the count to the threshold if `threshold - 1` of the
    others are in: `n Pr[Bin(n - 1, 2 w) = threshold - 1] = threshold Pr[Bin(n, 2 w) = threshold] /
    (2 w)`. The chance of one or more is smaller, as alarms come in clumps.
    """
    return n * binom.pmf(threshold - 1, n - 1, 2 * width)


def clumps(n, threshold, width):
    """About how many clumps of false alarms of one memory there are in a window.

    Crossings less those that follow one at once: while the count is `threshold`, units leave at
    the rate `threshold / (2 w)` and enter at about `n`, so that a share `2 w n / threshold` of
    the falls is made good.
    """
    return crossings(n, threshold, width) * np.maximum(1 - 2 * width * n / threshold, 0)


def recall(count, n, threshold, width, hit):
    """About the chance that the right memory fires, at its time, and none of the others at all."""
    others = np.exp(-(np.asarray(count, float) - 1) * clumps(n, threshold, width))
    return (1 - miss(n, threshold, hit)) * others


def capacity(n, threshold, width):
    """Patterns at which one false alarm is expected in a window: exponentially many in `n`."""
    return 1 / crossings(n, threshold, width)
