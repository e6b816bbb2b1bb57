"""Rest states of the Izhikevich and AdEx neurons, and where they are lost.

Both are `v' = F(v) - w + I`, `w' = a (b v - w)` up to constants, with F convex. Rest states come in
pairs, a stable one (or a focus) below a saddle, and the pair meets at the minimum of
`F(v) - w_rest(v)`: a fold. Where adaptation is fast and strong enough, the lower one has lost its
stability before, at a Hopf point: there the trace of the Jacobian vanishes and its determinant is
the square of the angular frequency (Izhikevich 2007, Dynamical Systems in Neuroscience, ch. 4;
Touboul & Brette 2008, Biol. Cybern. 99:319).
"""

from typing import NamedTuple

import numpy as np
from scipy.special import lambertw

from ._require import require


class Point(NamedTuple):
    """A bifurcation: drive, potential, and angular frequency (per unit of time; 0 at a fold).

    NaN in all three where there is no such point.
    """

    drive: np.ndarray
    v: np.ndarray
    omega: np.ndarray


def _point(exists, drive, v, omega):
    return Point(*(np.where(exists, x, np.nan) for x in (drive, v, omega)))


def izhikevich_rest(drive, b):
    """Lower and upper root of `0.04 v^2 + (5 - b) v + 140 + drive`; NaN above the fold."""
    fold = izhikevich_fold(b)
    half = np.sqrt(np.where(fold.drive >= drive, fold.drive - np.asarray(drive), np.nan) / 0.04)
    return fold.v - half, fold.v + half


def izhikevich_fold(b):
    """Of the model of 2003, where the roots meet: `v = (b - 5) / 0.08`."""
    b = np.asarray(b, float)
    require(np.isfinite(b), "b must be finite.")
    return _point(True, (5 - b) ** 2 / 0.16 - 140, (b - 5) / 0.08, 0.0)


def izhikevich_hopf(a, b):
    """Where the trace `0.08 v + 5 - a` vanishes: a Hopf point if `b > a`.

    The determinant there is `a (b - a)`. For `b < a` that point is a neutral saddle.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    require(a > 0, "a must be positive.")
    v = (a - 5) / 0.08
    drive = -(0.04 * v**2 + (5 - b) * v + 140)
    return _point(b > a, drive, v, np.sqrt(np.maximum(a * (b - a), 0)))


class AdExCell(NamedTuple):
    """Parameters of the AdEx neuron (pF, nS, mV, ms, nS); the jump of `w` plays no part at rest."""

    c: float = 281.0
    g_l: float = 30.0
    e_l: float = -70.6
    v_t: float = -50.4
    delta_t: float = 2.0
    tau_w: float = 144.0
    a: float = 4.0

    def checked(self):
        """The same with arrays, all of them in range."""
        cell = AdExCell(*(np.asarray(x, float) for x in self))
        for name in ("c", "g_l", "delta_t", "tau_w"):
            require(getattr(cell, name) > 0, f"{name} must be positive.")
        require(cell.a > -cell.g_l, "a must be above -g_l: below, rest states are not a pair.")
        return cell


def _adex_drive(cell, z):
    """The drive (pA) at which `v_t + delta_t z` is a rest state."""
    linear = (cell.g_l + cell.a) * (cell.v_t + cell.delta_t * z - cell.e_l)
    return linear - cell.g_l * cell.delta_t * np.exp(z)


def adex_rest(drive, cell):
    """Lower and upper rest potential (mV) at `drive` (pA); NaN above the fold.

    `(g_l + a)(v - e_l) - g_l delta_t exp((v - v_t) / delta_t) = I` is `z + d = k exp(z)` in
    `z = (v - v_t) / delta_t`, with `k = g_l / (g_l + a)`,
    `d = (v_t - e_l - I / (g_l + a)) / delta_t`, so `z = -d - W(-k exp(-d))`: the principal branch
    of Lambert's W gives the lower rest, the other real one the upper.
    """
    cell = cell.checked()
    d = (cell.v_t - cell.e_l - np.asarray(drive) / (cell.g_l + cell.a)) / cell.delta_t
    require(d < 650, "drive is so low that the upper rest leaves the floats.")
    k = cell.g_l / (cell.g_l + cell.a)
    argument = -k * np.exp(-np.maximum(d, -1.0))
    real = (d > -1) & (argument >= -np.exp(-1))
    low, high = (-d - lambertw(np.where(real, argument, -0.1), branch).real for branch in (0, -1))
    return tuple(np.where(real, cell.v_t + cell.delta_t * z, np.nan) for z in (low, high))


def adex_fold(cell):
    """Where `exp(z) = 1 + a / g_l`: the slope of the steady current vanishes."""
    cell = cell.checked()
    z = np.log1p(cell.a / cell.g_l)
    return _point(True, _adex_drive(cell, z), cell.v_t + cell.delta_t * z, 0.0)


def adex_hopf(cell):
    """Where `exp(z) = 1 + tau_m / tau_w`, `tau_m = c / g_l`: the trace vanishes.

    The determinant there is `a / (c tau_w) - 1 / tau_w^2`: it is a Hopf point, and comes before the
    fold, if `a / g_l > tau_m / tau_w`.
    """
    cell = cell.checked()
    z = np.log1p(cell.c / cell.g_l / cell.tau_w)
    square = cell.a / (cell.c * cell.tau_w) - cell.tau_w**-2
    omega = np.sqrt(np.maximum(square, 0))
    return _point(square > 0, _adex_drive(cell, z), cell.v_t + cell.delta_t * z, omega)


def excitability(hopf):
    """2 where rest is lost at that Hopf point (a resonator), 1 at the fold (an integrator)."""
    return np.where(np.isnan(hopf.drive), 1, 2)
