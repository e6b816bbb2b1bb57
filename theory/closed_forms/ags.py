"""Hopfield's network of binary units near saturation: the theory of Amit, Gutfreund & Sompolinsky.

`P = alpha N` random patterns, `J = X.T X / N` without its diagonal, temperature `T = 1 / beta`.
Replica-symmetric overlap `m`, order `q` and noise `r` of the retrieval state
(Phys. Rev. Lett. 55:1530, 1985; Ann. Phys. 173:30, 1987):

    m = E tanh(beta (m + s z)),  q = E tanh(beta (m + s z))^2,  z ~ N(0, 1),  s^2 = alpha r,
    r = q / (1 - C)^2,  C = beta (1 - q).

For a given width `s` of the crosstalk the first equation has one root `m > 0` (its right side is
concave), the others then give `alpha = s^2 / r`: the whole branch is explicit in `s`. At `T = 0`
the averages are `erf(m / (sqrt(2) s))` and `C = sqrt(2 / pi) exp(-m^2 / (2 s^2)) / s`, and with
`y = m / (sqrt(2) s)` the curve is `alpha(y) = (erf(y) / y - 2 / sqrt(pi) exp(-y^2))^2 / 2`.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import erf, erfc

from ._require import require

GRID = np.linspace(-20.0, 20.0, 801)


class Retrieval(NamedTuple):
    """The retrieval state: load, overlap, order, noise and susceptibility `C`."""

    alpha: float
    m: float
    q: float
    r: float
    c: float


def averages(m, s, temperature):
    """`E tanh(beta (m + s z))` and `C = beta E sech(beta (m + s z))^2`, for `s > 0`.

    The trapezoidal rule converges exponentially for both integrands used: over `z` where the tanh
    is the wider of the two, else over the tanh's own argument, after integration by parts.
    """
    if temperature > s:
        weight = np.exp(-0.5 * GRID**2) / np.sqrt(2 * np.pi) * (GRID[1] - GRID[0])
        t = np.tanh((m + s * GRID) / temperature)
        return weight @ t, weight @ (1 - t * t) / temperature
    weight = 0.5 / np.cosh(GRID) ** 2 * (GRID[1] - GRID[0])
    y = (m - temperature * GRID) / (np.sqrt(2) * s)
    return weight @ erf(y), weight @ np.exp(-y * y) * np.sqrt(2 / np.pi) / s


def _at(s, temperature):
    """The state with crosstalk of width `s`; its load is 0 where there is none."""

    def excess(m):
        return averages(m, s, temperature)[0] - m

    low = 1e-9
    if excess(low) <= 0:
        return Retrieval(0.0, 0.0, 0.0, 0.0, np.nan)
    m = brentq(excess, low, 1.0 + 1e-9, xtol=1e-15)
    c = averages(m, s, temperature)[1]
    q = 1 - temperature * c
    if c >= 1:
        return Retrieval(0.0, m, q, np.inf, c)
    r = q / (1 - c) ** 2
    return Retrieval(s * s / r, m, q, r, c)


def capacity(temperature=0.0):
    """The spinodal: the state with the largest load at that temperature, where retrieval ends.

    0.137906 at `T = 0`, a little more up to `T = 0.045` (an artefact of replica symmetry), then
    falling to 0 at `T = 1`.
    """
    require(0 <= temperature < 1, "temperature must be in [0, 1): above 1 nothing is retrieved.")
    widths = np.geomspace(1e-6, 2.0, 120)
    loads = [_at(s, temperature).alpha for s in widths]
    best = int(np.argmax(loads))
    low, high = widths[max(best - 1, 0)], widths[min(best + 1, 119)]
    optimum = minimize_scalar(
        lambda s: -_at(s, temperature).alpha,
        bounds=(low, high),
        method="bounded",
        options=dict(xatol=1e-10),
    )
    return _at(optimum.x, temperature)


def retrieval(alpha, temperature=0.0):
    """The retrieval state at that load: on the branch that starts at the pattern."""
    top = capacity(temperature)
    require(0 < alpha <= top.alpha, f"alpha must be in (0, {top.alpha:.6g}] at this temperature.")
    end = np.sqrt(top.alpha * top.r)
    if alpha == top.alpha:
        return top
    start = np.sqrt(alpha) * 1e-3
    s = brentq(lambda s: _at(s, temperature).alpha - alpha, start, end, xtol=1e-15)
    return _at(s, temperature)


def energy(state):
    """Per unit, of a retrieval state at `T = 0`: `-m^2 / 2 + alpha (1 - r) / 2`."""
    return -0.5 * state.m**2 + 0.5 * state.alpha * (1 - state.r)


def glass_energy(alpha):
    """Per unit, of the spin glass at `T = 0`: `-1 / pi - sqrt(2 alpha / pi)`.

    Retrieval is the ground state below `alpha = 0.0519`, where the two energies cross (often
    quoted as 0.051).
    """
    require(np.asarray(alpha) > 0, "alpha must be positive.")
    return -1 / np.pi - np.sqrt(2 * np.asarray(alpha) / np.pi)


def glass_temperature(alpha):
    """Where the paramagnet freezes into the spin glass: `1 + sqrt(alpha)`."""
    require(np.asarray(alpha) >= 0, "alpha must not be negative.")
    return 1 + np.sqrt(alpha)


def one_step_error(alpha):
    """Chance that a unit of a stored pattern flips in the first step: `Q(1 / sqrt(alpha))`."""
    require(np.asarray(alpha) > 0, "alpha must be positive.")
    return 0.5 * erfc(1 / np.sqrt(2 * np.asarray(alpha)))


def one_step_overlap(overlap, alpha):
    """Overlap after one parallel step from a state drawn at `overlap`: `erf(m / sqrt(2 alpha))`."""
    require(np.abs(overlap) <= 1, "overlap must be in [-1, 1].")
    require(np.asarray(alpha) > 0, "alpha must be positive.")
    return erf(np.asarray(overlap) / np.sqrt(2 * np.asarray(alpha)))
