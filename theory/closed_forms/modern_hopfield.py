"""Modern Hopfield networks with equidistant patterns: every fixed point in closed form.

`E(x) = |x|^2 / 2 - log(sum_mu exp(beta x_mu . x)) / beta` with `P` patterns of length 1 and equal
mutual overlap `c`. At a fixed point `x = X.T p`, `p = softmax(beta X x) = softmax(b p)` with
`b = beta (1 - c)`: the mean field of a Potts model with P states. Each entry solves
`p exp(-b p) = const`, which has at most two roots: so `k` patterns share a weight `w` equally, the
other `P - k` share `1 - w`, and with `d` the logarithm of the ratio of single weights

    b = d / (w / k - (1 - w) / (P - k)) = d (k + (P - k) exp(-d)) / (1 - exp(-d)).

The mean of all patterns is `d = 0`; it is stable below `b = P`. States with `k = 1` are the
memories: they appear in a saddle-node at the least `b`, and the one with the larger weight is
stable from there on. Where two or more patterns share the larger weight, `b` times that weight is
`d / (1 - exp(-d)) > 1`, and the difference between them grows: mixtures are never stable
(Koulischer et al. 2023, arXiv:2311.18434, study the same setting).
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import comb, logsumexp

from ._require import require


def _checked(count, shared):
    require(count >= 2 and count == int(count), "count must be a whole number of 2 or more.")
    require(1 <= shared < count and shared == int(shared), "shared must be in 1 ... count - 1.")


def _inverse_temperature(d, count, shared):
    small = np.exp(-np.abs(d))
    near, far = (shared, count - shared) if d > 0 else (count - shared, shared)
    return (near + far * small) * (abs(d) / -np.expm1(-abs(d)) if d else 1.0)


def _weight(d, count, shared):
    return shared / (shared + (count - shared) * np.exp(-d))


def inverse_temperature(weight, count, shared=1):
    """`b` at which `shared` patterns of `count` with that weight in all are a fixed point.

    At `weight = shared / count` it is the limit `count`, where this branch meets the mean.
    """
    _checked(count, shared)
    weight = np.asarray(weight, float)
    require((weight > 0) & (weight < 1), "weight must be between 0 and 1.")
    d = np.log(weight * (count - shared) / ((1 - weight) * shared))
    return np.vectorize(_inverse_temperature, otypes=[float])(d, count, shared)


class Spinodal(NamedTuple):
    """Where a pair of fixed points appears: `b`, and the weight there."""

    b: float
    weight: float


def _turn(count, shared):
    """`d` at the spinodal, where `db / dd = 0`: `(k + (P - k) exp(-d)) (exp(d) - 1) = P d`.

    The difference of the sides is `(2 k - P) d^2 / 2 + P d^3 / 6 + ...`: it has one root above 0.
    """
    if 2 * shared == count:
        return 0.0

    def excess(d):
        return (shared + (count - shared) * np.exp(-d)) * np.expm1(d) - count * d

    return brentq(excess, 1 / count, 5 + 2 * np.log(count), xtol=1e-15)


def spinodal(count, shared=1):
    """The least `b` at which `shared <= count / 2` patterns together are a fixed point.

    For `shared = count / 2` (one of two patterns, say) the branch leaves the mean in a pitchfork,
    and that is the point.
    """
    _checked(count, shared)
    require(2 * shared <= count, "shared must be half of count at most: else count the others.")
    d = _turn(count, shared)
    return Spinodal(float(_inverse_temperature(d, count, shared)), float(_weight(d, count, shared)))


def branches(b, count, shared=1):
    """The two weights at `b`, the smaller first; NaN below the spinodal.

    The larger one is the memory (for `shared = 1`), the smaller one the saddle between it and the
    mean, whose weight passes that of the mean at `b = count`. (Roots in `d`: as `b > k d` and
    `b > -(P - k) d`, they are between `-b / (P - k)` and `b / k`.)
    """
    start, turn = spinodal(count, shared), _turn(count, shared)

    def roots(b):
        if not b >= start.b:
            return np.nan, np.nan
        ends = -b / (count - shared), b / shared
        if b == start.b:
            return start.weight, start.weight
        offsets = (
            brentq(lambda d: _inverse_temperature(d, count, shared) - b, end, turn, xtol=1e-15)
            for end in ends
        )
        return tuple(_weight(d, count, shared) for d in offsets)

    return np.vectorize(roots, otypes=[float, float])(np.asarray(b, float))


def weights(weight, count, shared=1):
    """The whole vector `p`, the favoured patterns first."""
    _checked(count, shared)
    others = count - shared
    return np.append(np.full(shared, weight / shared), np.full(others, (1 - weight) / others))


def energy(weight, b, count, shared=1, overlap=0.0):
    """`E` at that state: `(1 - c) (|p|^2 / 2 - log(sum exp(b p)) / b) - c / 2`, `c` the overlap."""
    require(-1 / (count - 1) <= overlap < 1, "overlap must be in [-1 / (count - 1), 1).")
    p = weights(weight, count, shared)
    return (1 - overlap) * (p @ p / 2 - logsumexp(b * p) / b) - overlap / 2


def eigenvalues(weight, b, count, shared=1):
    """Of the update's Jacobian `beta Cov_p(X)`, with their multiplicities: `[(value, times)]`.

    Differences among the favoured patterns, among the others, and between the two groups; 0 in
    all further directions. A state is stable if all are below 1; the Hessian is 1 minus them.
    """
    _checked(count, shared)
    others = count - shared
    between = b * weight * (1 - weight) * (1 / shared + 1 / others)
    among = [(b * weight / shared, shared - 1), (b * (1 - weight) / others, others - 1)]
    return [pair for pair in [*among, (between, 1)] if pair[1] > 0]


def equal_energy(count):
    """`b` at which memory and mean have the same energy: `2 (P - 1) log(P - 1) / (P - 2)`.

    The weight of the memory is `(P - 1) / P` there. For `P = 2` it is the limit 2.
    """
    _checked(count, 1)
    return 2.0 * (count - 1) * (np.log1p(count - 2) / (count - 2) if count > 2 else 1.0)


def census(b, count):
    """How many fixed points there are, by the number of patterns that share the larger weight.

    Entry `k - 1` counts those of `k`; the mean is not among them. Above `b = count` they are
    `2^count - 2` in all. At the bifurcations themselves `b` is refused.
    """
    _checked(count, 1)
    counts = np.zeros(count - 1, int)
    require(b > 0 and b != count, "b must be positive, and not that of the mean's bifurcation.")
    for k in range(1, count):
        if b > count:
            states = 1
        else:
            states = 2 if 2 * k < count and b > spinodal(count, k).b else 0
        counts[k - 1] = states * comb(count, k, exact=True)
    return counts
