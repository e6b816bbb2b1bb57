"""Bayesian linear regression with noise that is not known: the evidence, by Student's t.

`z = A a + noise`, of which either the covariance has an inverse Wishart prior (its inverse:
Wishart of `count` and mean `count scatter^-1`), or each unit's variance an inverse Gamma prior;
`A`, given the noise, is normal about 0 with columns of covariance `v` and rows of the noise's. Then
all samples together are a matrix t, whose logarithm is a ratio of determinants (Dickey 1967, Ann.
Math. Stat. 38:511): no weight and no posterior occurs.
"""

import numpy as np
from scipy.special import gammaln, multigammaln
from scipy.stats import multivariate_t

from ._require import require


def log_evidence_wishart(z, a, v, scatter, count):
    """`log p(Z | A)` of samples in rows, `z` [n, m] and `a` [n, k], for `v` [k, k] and a prior of
    `scatter` [m, m] and `count`."""
    z, a = np.asarray(z, float), np.asarray(a, float)
    require(len(z) == len(a), "give as many rows of z as of a.")
    n, m = z.shape
    k = np.eye(n) + a @ v @ a.T
    inner = scatter + z.T @ np.linalg.solve(k, z)
    dets = [np.linalg.slogdet(x)[1] for x in (k, scatter, inner)]
    return (
        multigammaln((count + n) / 2, m)
        - multigammaln(count / 2, m)
        - n * m / 2 * np.log(np.pi)
        - m / 2 * dets[0]
        + count / 2 * dets[1]
        - (count + n) / 2 * dets[2]
    )


def log_evidence_gammas(z, a, v, scatter, count):
    """The same for units with variances of their own: `scatter` [m], and each a multivariate t."""
    z, a = np.asarray(z, float), np.asarray(a, float)
    shape = np.eye(len(z)) + a @ v @ a.T
    return sum(
        multivariate_t(np.zeros(len(z)), shape * s / count, count).logpdf(column)
        for column, s in zip(z.T, scatter, strict=True)
    )


def kl_wishart(scatter, count, scatter0, count0, rng, draws):
    """A Monte Carlo mean of the log ratio of the densities of two Wisharts, and its error."""
    from scipy.stats import wishart

    q = wishart(count, np.linalg.inv(scatter))
    p = wishart(count0, np.linalg.inv(scatter0))
    x = np.moveaxis(q.rvs(draws, random_state=rng), 0, -1)
    ratio = q.logpdf(x) - p.logpdf(x)
    return ratio.mean(), ratio.std() / np.sqrt(draws)


def log_student(x, degrees, scale):
    """The density of Student's t of one variable."""
    half = 0.5 * (degrees + 1)
    constant = gammaln(half) - gammaln(0.5 * degrees) - 0.5 * np.log(np.pi * degrees * scale**2)
    return constant - half * np.log1p((x / scale) ** 2 / degrees)
