"""The exact chance that one unit of a stored random pattern flips, at any size and power.

With `F(u) = u^k`, unit `i` of pattern `mu` keeps its sign if `h(n - 1)`, `h(u) = (u + 1)^k -
(u - 1)^k`, outweighs the sum of `x_i x'_i h(u')` over the `P - 1` other patterns `x'`, where `u'`
is their overlap with `mu` on the other `n - 1` units. Patterns are random: these terms are
independent, each with a random sign, and `u'` a sum of `n - 1` random signs. `capacity` has the
normal law with their variance; here the law itself.
"""

import numpy as np
from scipy.stats import binom

from ._require import require

_NODES = 4001
_END = 40.0  # in units of one over the standard deviation of the sum


def _signs(signal, others, each):
    """Chance that `others * each` random signs sum to less than `-signal`; a tie is no error."""
    number = others * each
    most = -(-(number - signal) // 2) - 1  # of signs that help
    return float(binom.cdf(most, number, 0.5))


def _inverted(gain, signal, others, n):
    """Chance that the sum of `others` terms `gain(u)` of random sign is below `-signal`.

    `u` is a sum of `n - 1` random signs. By inversion of the characteristic function (Gil-Pelaez
    1951, Biometrika 38:481), where steps of the lattice, much smaller than the standard
    deviation, are smoothed over.
    """
    ones = np.arange(n)
    weight = binom.pmf(ones, n - 1, 0.5)
    likely = weight > 1e-20
    weight, terms = weight[likely], gain(2.0 * ones[likely] - (n - 1))
    width = np.sqrt(others * (weight @ terms**2))
    x = np.linspace(0, _END, _NODES)[1:]
    # phi - 1 = -2 E sin^2(t h / 2), so that nothing cancels near t = 0.
    lost = -2 * np.sin(0.5 * np.outer(x / width, terms)) ** 2 @ weight
    size = others * np.log(np.maximum(np.abs(1 + lost), 1e-300))
    sign = np.where(1 + lost < 0, (-1.0) ** others, 1.0)
    integrand = np.sin(x * signal / width) / x * sign * np.exp(size)
    step = x[1] - x[0]
    area = step * (0.5 * signal / width + integrand.sum() - 0.5 * integrand[-1])
    return float(max(0.5 - area / np.pi, 0.0))


def _checked(count, n, power, least):
    require(count == int(count) and count >= 1, "count must be a whole number of 1 or more.")
    require(n == int(n) and n >= 2, "n must be a whole number of 2 or more.")
    require(
        power == int(power) and power >= least, f"power must be a whole number of {least} or more."
    )
    return int(count), int(n), int(power)


def flip_probability(count, n, power):
    """Chance that a unit of one of `count` stored patterns flips in the first step.

    For power 2 (Hebb's rule without diagonal) a sum of a binomial law.
    """
    count, n, power = _checked(count, n, power, 2)
    if count == 1:
        return 0.0
    if power == 2:
        return _signs(n - 1, count - 1, n - 1)

    def gain(u):
        return (u + 1.0) ** power - (u - 1.0) ** power

    return _inverted(gain, gain(n - 1.0), count - 1, n)


def transition_error(count, n, power):
    """Chance that a unit is wrong after one step of a chain of `count` patterns, `f(m) = m^power`.

    Each other pattern calls for its successor with `u^power`. Chaudhry et al. (2023,
    arXiv:2306.04532) have the normal law `erfc(sqrt(n^power / (2 (2 power - 1)!! count))) / 2`.
    """
    count, n, power = _checked(count, n, power, 1)
    if count == 1:
        return 0.0
    if power == 1:
        return _signs(n - 1, count - 1, n - 1)
    return _inverted(lambda u: u**power, (n - 1.0) ** power, count - 1, n)


def birthday_success(count, n):
    """Chance that `F = exp` keeps all of `count` random patterns of `n` units, when they are few.

    A pattern that differs from another in one unit alone pulls at it with the same weight: one of
    the two loses it. Of `count^2 / 2` pairs a share `n / 2^n` is so close, and further ones pull
    `exp(2)` times less: `exp(-count^2 n / 2^(n + 1))`, which is 1/2 near `2^(n / 2)`.
    """
    require(np.asarray(n) >= 2, "n must be 2 or more.")
    return np.exp(-(np.asarray(count, float) ** 2) * n / 2.0 ** (np.asarray(n, float) + 1))
