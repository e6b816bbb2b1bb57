"""The Curie-Weiss model: one memory in mean field, its pitchfork, wells and spinodals.

`m' = -m + tanh(beta (m + h))` descends `f(m) = m^2 / 2 - log(2 cosh(beta (m + h))) / beta`, which
at `h = 0` has one well for `beta <= 1` and two for `beta > 1`. Dimensionless.
"""

import numpy as np

from ._require import require


def magnetisation(beta):
    """The largest root of `m = tanh(beta m)`: 0 for `beta <= 1`.

    Newton's method from `m = 1`: to the right of the root `tanh(beta m) - m` is concave and
    negative, so that the steps never pass it. Near 1 the root is `sqrt(3 (beta - 1))`, with a
    relative error of about `1e-16 / (beta - 1)`.
    """
    beta = np.asarray(beta, float)
    require(beta > 0, "beta must be positive.")
    two = beta > 1
    b = np.where(two, beta, 2.0)
    m = np.ones_like(b)
    for _ in range(200):
        t = np.tanh(b * m)
        m = m - (t - m) / (b * (1 - t * t) - 1)
    return np.where(two, m, 0.0)


def free_energy(m, beta, field=0.0):
    """`m^2 / 2 - log(2 cosh(beta (m + field))) / beta`, without overflow."""
    m, beta = np.asarray(m, float), np.asarray(beta, float)
    require(beta > 0, "beta must be positive.")
    drive = beta * (m + field)
    return 0.5 * m * m - np.logaddexp(drive, -drive) / beta


def barrier(beta):
    """`f(0) - f(m*)`, what it costs to leave a well; 0 where there is one well."""
    return free_energy(0.0, beta) - free_energy(magnetisation(beta), beta)


def slope(m, beta):
    """The rate of return `beta (1 - m^2) - 1` at a rest state `m`: negative where it is stable.

    It is `beta - 1` at 0. At a rest state `tanh(beta (m + h)) = m`, whatever the field.
    """
    beta = np.asarray(beta, float)
    require(beta > 0, "beta must be positive.")
    return beta * (1 - np.square(m)) - 1


def spinodal(beta):
    """The field at which the well on the other side vanishes, and `m` there: `(h, m)`, h > 0.

    At a fold the slope is 0, so `m = -sqrt(1 - 1 / beta)`, and `h = atanh(m) / beta - m`. Both are
    0 at `beta = 1`, and NaN below.
    """
    beta = np.asarray(beta, float)
    require(beta > 0, "beta must be positive.")
    m = -np.sqrt(1 - 1 / np.where(beta >= 1, beta, np.nan))
    return np.arctanh(m) / beta - m, m
