"""Rest and Hopf points of the squid axon (Hodgkin & Huxley 1952), by its steady current.

Each potential is the rest state of one drive `I(v)`, with the gates at their steady values. The
quartic `s^4 + a1 s^3 + a2 s^2 + a3 s + a4` of the Jacobian has a pair of opposite roots where the
Routh-Hurwitz determinant `a1 a2 a3 - a3^2 - a1^2 a4` vanishes, with the square `-a3 / a1`: a Hopf
point if `a3 / a1 > 0`, a neutral saddle if not. Potentials are today's (rest near -65 mV); uA/cm2,
mS/cm2, uF/cm2, ms. The conductances are 120, 36 and 0.3, the reversals 50, -77 and `e_l`.
"""

import numpy as np
from scipy.optimize import brentq

from ._require import require
from .folds import Point

E_L = -54.387  # rest at -65 mV


def _ramp(x):
    """`x / (1 - exp(-x))`, also for complex arguments near 0."""
    near = abs(x) < 1e-3
    if near is np.False_:  # a scalar, and the usual case
        return -x / np.expm1(-x)
    safe = np.where(near, 1.0, x)
    return np.where(near, 1 + x / 2 + x * x / 12, safe / -np.expm1(-safe))


def rates(v):
    """Opening and closing rates of m, h, n (per ms)."""
    return (
        (_ramp((v + 40) / 10), 4 * np.exp(-(v + 65) / 18)),
        (0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))),
        (0.1 * _ramp((v + 55) / 10), 0.125 * np.exp(-(v + 65) / 80)),
    )


def ionic(v, m, h, n, e_l=E_L):
    """The current out of the membrane."""
    return 120 * m**3 * h * (v - 50) + 36 * n**4 * (v + 77) + 0.3 * (v - e_l)


def steady_gates(v):
    """`m, h, n` where they do not move."""
    return [opening / (opening + closing) for opening, closing in rates(v)]


def drive(v, e_l=E_L):
    """The steady drive that holds `v`."""
    return ionic(v, *steady_gates(v), e_l)


def rest(current=0.0, e_l=E_L):
    """`v, m, h, n` where nothing moves: unique, as `drive` rises with `v`."""
    require(np.isfinite(current) and np.isfinite(e_l), "current and e_l must be finite.")
    reach = 20 + abs(current) / 0.3
    v = brentq(lambda v: drive(v, e_l) - current, -80 - reach, 50 + reach, xtol=1e-13, rtol=1e-14)
    return np.array([v, *steady_gates(v)])


def jacobian(v, e_l=E_L):
    """Of (v, m, h, n) at that rest state, for 1 uF/cm2; slopes by complex steps, exact to rounding.

    At `v + i e`, `e` tiny, the imaginary part of an analytic function is `e` times its slope.
    """
    gates, tiny = steady_gates(v), 1e-30
    matrix = np.empty((4, 4))
    state = np.array([v, *gates], complex)
    for k, step in enumerate(1j * tiny * np.eye(4)):
        potential, *x = state + step
        fluxes = [
            up * (1 - g) - down * g for g, (up, down) in zip(x, rates(potential), strict=True)
        ]
        matrix[:, k] = np.imag([-ionic(potential, *x, e_l), *fluxes]) / tiny
    return matrix


def _routh_hurwitz(v, e_l):
    _, a1, a2, a3, a4 = np.poly(jacobian(v, e_l))
    return a1 * a2 * a3 - a3**2 - a1**2 * a4, a3 / a1


def hopf_points(e_l=E_L, low=-75.0, high=-20.0, points=111):
    """Hopf points between two potentials, in the order of `v`; angular frequency in rad/ms."""
    require(low < high, "low must be below high.")
    grid = np.linspace(low, high, points)
    signs = np.sign([_routh_hurwitz(v, e_l)[0] for v in grid])
    potentials = [
        brentq(lambda v: _routh_hurwitz(v, e_l)[0], grid[k], grid[k + 1], xtol=1e-13)
        for k in np.flatnonzero(signs[:-1] != signs[1:])
    ]
    squares = [_routh_hurwitz(v, e_l)[1] for v in potentials]
    return [
        Point(float(drive(v, e_l)), v, np.sqrt(square))
        for v, square in zip(potentials, squares, strict=True)
        if square > 0
    ]
