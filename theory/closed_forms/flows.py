"""Special points of small flows from textbooks, by algebra or by quadrature of one half-cycle."""

from typing import NamedTuple

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from ._require import require


class Cycle(NamedTuple):
    """A periodic orbit: period, largest `x`, and its Floquet multipliers besides 1."""

    period: float
    amplitude: float
    multiplier: float


# --- Lorenz: x' = sigma (y - x), y' = x (rho - z) - y, z' = x y - beta z --------------------------


def lorenz_rests(rho, sigma=10.0, beta=8 / 3):
    """Rows: the origin and, for `rho > 1`, the pair `(x, x, rho - 1)`, `x^2 = beta (rho - 1)`."""
    _lorenz_checked(rho, sigma, beta)
    if rho <= 1:
        return np.zeros((1, 3))
    x = np.sqrt(beta * (rho - 1))
    return np.array([[0, 0, 0], [x, x, rho - 1], [-x, -x, rho - 1]])


def lorenz_origin_eigenvalues(rho, sigma=10.0, beta=8 / 3):
    """`(-(sigma + 1) +- sqrt((sigma - 1)^2 + 4 sigma rho)) / 2` and `-beta`, descending."""
    _lorenz_checked(rho, sigma, beta)
    root = np.sqrt((sigma - 1) ** 2 + 4 * sigma * rho)
    return np.sort([(-(sigma + 1) + root) / 2, -(sigma + 1 + root) / 2, -beta])[::-1]


def lorenz_pair_eigenvalues(rho, sigma=10.0, beta=8 / 3):
    """At both rests of the pair: the roots of
    `s^3 + (sigma + beta + 1) s^2 + beta (sigma + rho) s + 2 sigma beta (rho - 1)`.
    """
    _lorenz_checked(rho, sigma, beta)
    require(rho > 1, "rho must be above 1, where the pair exists.")
    linear, last = beta * (sigma + rho), 2 * sigma * beta * (rho - 1)
    return np.sort_complex(np.roots([1.0, sigma + beta + 1, linear, last]))


def lorenz_hopf(sigma=10.0, beta=8 / 3):
    """`rho` and the angular frequency of the (subcritical) Hopf point of the pair.

    The cubic has roots `+-i omega` if the product of its two middle coefficients is the last:
    `rho = sigma (sigma + beta + 3) / (sigma - beta - 1)`, `omega^2 = beta (sigma + rho)`.
    """
    _lorenz_checked(1.0, sigma, beta)
    require(sigma > beta + 1, "sigma must be above beta + 1: else the pair stays stable.")
    rho = sigma * (sigma + beta + 3) / (sigma - beta - 1)
    return rho, np.sqrt(beta * (sigma + rho))


def lorenz_divergence(sigma=10.0, beta=8 / 3):
    """The sum of the Lyapunov exponents on every orbit: `-(sigma + 1 + beta)`."""
    _lorenz_checked(1.0, sigma, beta)
    return -(sigma + 1 + beta)


def _lorenz_checked(rho, sigma, beta):
    require(min(sigma, beta) > 0, "sigma and beta must be positive.")
    require(rho >= 0, "rho must not be negative.")


# --- Stuart-Landau: z' = (r + i nu) z - |z|^2 z ---------------------------------------------------


def stuart_landau(r, nu):
    """Its cycle: radius `sqrt(r)`, period `2 pi / |nu|`, multiplier `exp(-4 pi r / |nu|)`.

    The radius obeys `a' = r a - a^3`, whose slope at the cycle is `-2 r`; that and 0 are the
    Lyapunov exponents.
    """
    require(r > 0, "r must be positive, where the cycle exists.")
    require(nu != 0, "nu must not be 0: nothing turns.")
    period = 2 * np.pi / abs(nu)
    return Cycle(period, np.sqrt(r), np.exp(-2 * r * period))


# --- van der Pol: x'' = mu (1 - x^2) x' - x -------------------------------------------------------


def van_der_pol(mu):
    """Its cycle, from the orbit between two turning points.

    The field is odd, so half a period leads from `(a, 0)` to `(-a, 0)`: one equation for `a`, which
    is between 2 and 2.0235 for every `mu`. The multiplier is `exp` of the integral of the
    divergence `mu (1 - x^2)` (Liouville). DOP853 at 1e-13: not for relaxation, `mu` above 30.
    """
    require(0 < mu <= 30, "mu must be in (0, 30].")

    def field(t, y):
        x, v, _ = y
        return v, mu * (1 - x * x) * v - x, mu * (1 - x * x)

    def turning(t, y):
        return y[1]

    turning.terminal, turning.direction = True, 1

    def half(a):
        # The first step leaves the turning point downward; no event is seen at the start.
        solution = solve_ivp(
            field, (0, 50 + 2 * mu), [a, 0, 0], "DOP853", events=turning, rtol=1e-13, atol=1e-13
        )
        return solution.t_events[0][0], solution.y_events[0][0]

    amplitude = brentq(lambda a: a + half(a)[1][0], 1.99, 2.03, xtol=1e-14)
    time, end = half(amplitude)
    return Cycle(2 * time, amplitude, np.exp(2 * end[2]))


# --- FitzHugh-Nagumo in its symmetric form: u' = 10 (u - u^3 - w), w' = u - 3 w -------------------


def fitzhugh_nagumo_rests(slope=3.0):
    """Of `u' = c (u - u^3 - w)`, `w' = u - slope w`, for any `c`: rows (u, w), the origin first.

    `w = u / slope`, so `u^2 = 1 - 1 / slope`: `+-(sqrt(2/3), sqrt(2/27))` at 3, with the origin as
    the saddle between them.
    """
    require(slope > 0, "slope must be positive.")
    if slope <= 1:
        return np.zeros((1, 2))
    u = np.sqrt(1 - 1 / slope)
    return np.array([[0, 0], [u, u / slope], [-u, -u / slope]])
