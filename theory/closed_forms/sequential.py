"""Sequential recall on the sphere: how long a memory lives, and how often the true one dies.

Patterns are uniform on the sphere of radius `sqrt(size)`, so that their entries are independent
normal numbers but for terms of 1 / size; one of them is seen through noise of standard deviation
`sigma`, entry by entry. With the difference d of two patterns in an entry, of the law N(0, 2), and
the noise e, the log odds of the true memory against another grow by

    X = (d^2 / 2 + d e) / sigma^2,    E X = 1 / sigma^2,    Var X = 2 / sigma^2 + 2 / sigma^4,

the second term because d^2 varies. A memory is silent from the first entry on after which the odds
against it exceed `theta`: a random walk over a barrier, by Wald's identity after
`(theta + overshoot) sigma^2` entries in the mean, whatever its variance. Brownian motion of the
same drift and variance passes at a time T of the inverse Gaussian law. The share of the work
`size * count` that is done is E min(T, size) / size.

Left out: the likeliest memory may be another than the true one at first. It then speaks for
fewer: with `count` rivals, independent of each other given the query, their largest odds against
the true memory are near `sqrt(2 s log(count)) - s` after `s sigma^2` entries, so that the law is
that of `theta` well above `2 log(count)`, below which fewer entries do.
"""

import numpy as np
from scipy.special import log_ndtr, ndtr

from ._require import require

TERMS = 100_000  # of Spitzer's sum; its terms fall as exp(-k / (4 (sigma^2 + 1)))


def moments(sigma):
    """Mean and variance of the growth of the log odds by an entry."""
    require(sigma > 0, "sigma must be positive.")
    return sigma**-2.0, 2 * sigma**-2.0 + 2 * sigma**-4.0


def overshoot(sigma):
    """Mean excess of the walk over a high barrier, `E X^2 / (2 E X) - sum_k E max(-S_k, 0) / k`
    (Woodroofe 1982, Nonlinear Renewal Theory, sec. 2.2), with sums S_k of k entries taken as
    normal."""
    drift, variance = moments(sigma)
    require(sigma <= 60, "sigma must be 60 or less, for the sum to converge.")
    k = np.arange(1.0, TERMS)
    mean, sd = k * drift, np.sqrt(k * variance)
    below = sd * np.exp(-0.5 * (mean / sd) ** 2) / np.sqrt(2 * np.pi) - mean * ndtr(-mean / sd)
    return (variance + drift**2) / (2 * drift) - float((below / k).sum())


def simple_share(theta, sigma, size):
    """`min(1, theta sigma^2 / size)`: the limit of `share` for `theta sigma^2` far below `size`,
    and for it far above."""
    require(np.minimum(np.minimum(theta, sigma), size) > 0, "all must be positive.")
    return np.minimum(1.0, theta * sigma**2 / size)


def share(theta, sigma, size, excess=0.0):
    """`E min(T, size) / size` for the first passage T of `theta + excess`, of the inverse Gaussian
    law of mean m = barrier / drift and shape q = barrier^2 / variance:

        E min(T, n) = m (A - B) + n (1 - A - B),  A = Phi(sqrt(q / n) (n / m - 1)),
                                                  B = e^(2 q / m) Phi(-sqrt(q / n) (n / m + 1)).
    """
    require(np.minimum(theta, size) > 0, "theta and size must be positive.")
    (drift, variance), barrier = moments(sigma), theta + excess
    m, q = barrier / drift, barrier**2 / variance
    root = np.sqrt(q / size)
    below = ndtr(root * (size / m - 1))
    image = np.exp(2 * q / m + log_ndtr(-root * (size / m + 1)))
    return m / size * (below - image) + 1 - below - image


def silenced(theta, count):
    """Ville's bound on the probability that the true memory is ever silenced, of so many memories:
    its odds against each of the others are 1 over a martingale of mean 1."""
    require(theta >= 0, "theta must not be negative.")
    return np.minimum(1.0, (count - 1) * np.exp(-theta))
