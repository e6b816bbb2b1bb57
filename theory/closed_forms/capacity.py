"""How many random patterns associative memories hold: signal against Gaussian crosstalk.

Binary patterns of `n` units unless said otherwise. Finite memories scatter around these estimates;
the saturated Hopfield network has a theory of its own in `ags`.
"""

import numpy as np
from scipy.special import erf, erfc, factorial2

from ._require import require


def hebb_capacity(n, everywhere=False):
    """Patterns that Hebb's rule holds without error: one pattern, or all of them `everywhere`.

    `n / (2 log n)` and `n / (4 log n)` (McEliece et al. 1987, IEEE Trans. Inf. Theory 33:461).
    """
    n = np.asarray(n, float)
    require(n > 1, "n must be above 1.")
    return n / ((4 if everywhere else 2) * np.log(n))


def dense_noise(count, n, power):
    """Crosstalk variance over signal squared with `F(u) = u^power`: `(2 k - 3)!! K / n^(k - 1)`.

    Krotov & Hopfield (2016), NeurIPS 29: a flip changes `F(x . s)` by about `2 k n^(k - 1)` for
    the pattern itself and by `2 k u^(k - 1)` for each of the `count` others, with `u` normal of
    variance `n`, whose moment of order `2 (k - 1)` is `(2 k - 3)!! n^(k - 1)`.
    """
    power = np.asarray(power)
    require((power >= 2) & (power == power.astype(int)), "power must be a whole number, 2 or more.")
    require((np.asarray(n) > 1) & (np.asarray(count) > 0), "n must be above 1, count positive.")
    moments = factorial2(2 * power.astype(int) - 3)
    return moments * count / np.asarray(n, float) ** (power - 1)


def dense_error(count, n, power):
    """Chance that one unit of a stored pattern flips."""
    return 0.5 * erfc(1 / np.sqrt(2 * dense_noise(count, n, power)))


def dense_capacity(n, power):
    """Patterns held without error: `n^(k - 1) / (2 (2 k - 3)!! log n)`."""
    return 1 / (2 * np.log(n) * dense_noise(1.0, n, power))


def dense_step(overlap, count, n, power):
    """Overlap after one parallel step: `erf(m^(k - 1) / sqrt(2 noise))`."""
    require(np.abs(overlap) <= 1, "overlap must be in [-1, 1].")
    drive = np.asarray(overlap, float) ** (np.asarray(power) - 1)
    return erf(drive / np.sqrt(2 * dense_noise(count, n, power)))


def exponential_capacity(flipped=0.0):
    """`alpha` such that `exp(alpha n)` patterns are found in one step from that share of errors.

    `F = exp`: `alpha = I(1 - 2 rho) / 2`, `I(a) = ((1 + a) log(1 + a) + (1 - a) log(1 - a)) / 2`,
    the rate function of a coin (Demircigil et al. 2017, J. Stat. Phys. 168:288). `log(2) / 2` at 0.
    """
    rho = np.asarray(flipped, float)
    require((rho >= 0) & (rho < 0.5), "flipped must be in [0, 1/2).")
    inside = np.where(rho == 0, 1.0, rho)
    return 0.5 * (np.log(2) + (1 - rho) * np.log1p(-rho) + rho * np.log(inside))


def sphere_capacity(strength):
    """`alpha` such that softmax retrieval is typical for `exp(alpha n)` patterns on a sphere.

    `n` real units, patterns of length `sqrt(n)`, `beta x . xi = strength n q` at overlap `q`. The
    others number `exp(n (alpha + log(1 - q^2) / 2))` at overlap `q` with the pattern, and weigh
    `exp(n strength q)` each: the sum is taken at `q = (sqrt(1 + 4 s^2) - 1) / (2 s)`, and has to
    stay below the pattern's own `exp(n strength)`: a random energy model, as in Lucibello & Mezard
    (2024, Phys. Rev. Lett. 132:077301).
    """
    s = np.asarray(strength, float)
    require(s > 0, "strength must be positive.")
    q = 2 * s / (1 + np.sqrt(1 + 4 * s * s))
    return s * (1 - q) - 0.5 * np.log1p(-q * q)
