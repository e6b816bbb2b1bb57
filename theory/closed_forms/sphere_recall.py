"""How often the nearest of random patterns on a sphere is the right one: exact, at any size.

`count` patterns are uniform on the sphere in `size` dimensions, of length `sqrt(size)`; one of
them is spoilt and asked for. If the query has the cosine `c` with its own pattern, each other
pattern, independent of it, is nearer with the chance of a cap, `t(c) = I_{1 - c^2}((size - 1) / 2,
1 / 2) / 2` for `c >= 0`, so that

    accuracy = E[(1 - t(c))^(count - 1)]

over the law of `c`, which each kind of damage has. All patterns have one length: the nearest is
that of largest overlap, and softmax attention favours the same one.
"""

import numpy as np
from scipy.special import betainc
from scipy.stats import beta, chi2, norm

from ._require import require

NODES = 240  # of Gauss-Legendre, over quantiles


def cap(cosine, size):
    """The chance that a random direction has a larger cosine with a given one."""
    require(size >= 2, "size must be 2 or more.")
    c = np.asarray(cosine, float)
    half = 0.5 * betainc((size - 1) / 2, 0.5, np.clip(1 - c * c, 0, 1))
    return np.where(c >= 0, half, 1 - half)


def given_cosine(cosine, count, size):
    """The accuracy where the cosine of query and pattern is known."""
    require(count >= 1, "count must be 1 or more.")
    with np.errstate(divide="ignore"):
        return np.exp((count - 1) * np.log1p(-cap(cosine, size))) if count > 1 else 1.0 + 0 * cosine


def _quantiles():
    x, weight = np.polynomial.legendre.leggauss(NODES)
    return 0.5 * (x + 1), 0.5 * weight


def gaussian(level, count, size):
    """With independent Gaussian noise of standard deviation `level` on every entry.

    Along the pattern the query has the length `sqrt(size) + level g`, across it `level sqrt(h)`,
    `g` normal and `h` of the chi-squared law of `size - 1` degrees of freedom.
    """
    require(level >= 0, "level must not be negative.")
    u, weight = _quantiles()
    along = np.sqrt(size) + level * norm.ppf(u)[:, None]
    across = level * np.sqrt(chi2.ppf(u, size - 1))[None, :]
    cosine = along / np.sqrt(along**2 + across**2)
    return float(weight @ given_cosine(cosine, count, size) @ weight)


def erased(number, count, size):
    """With `number` of the entries set to 0, whichever: the cosine squared is what is left of the
    squared length, of the law Beta(`(size - number) / 2`, `number / 2`)."""
    require(0 <= number < size, "number must be in 0 ... size - 1.")
    if number == 0:
        return 1.0
    u, weight = _quantiles()
    square = beta.ppf(u, (size - number) / 2, number / 2)
    return float(weight @ given_cosine(np.sqrt(square), count, size))


def flipped(number, count, size):
    """With the sign of `number` entries changed: the cosine is 1 - 2 b, `b` the share of the
    squared length in them, of the law Beta(`number / 2`, `(size - number) / 2`)."""
    require(0 <= number <= size, "number must be in 0 ... size.")
    if number in (0, size):
        return 1.0 if number == 0 or count == 1 else 0.0
    u, weight = _quantiles()
    share = beta.ppf(u, number / 2, (size - number) / 2)
    return float(weight @ given_cosine(1 - 2 * share, count, size))
