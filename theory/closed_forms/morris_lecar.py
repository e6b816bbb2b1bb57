"""Special points of the Morris-Lecar neuron (1981), from its steady current-voltage curve.

    C v' = I - g_ca m(v) (v - v_ca) - g_k w (v - v_k) - g_l (v - v_l)
    w' = phi (W(v) - w) cosh((v - v3) / (2 v4))
    m(v) = (1 + tanh((v - v1) / v2)) / 2,   W(v) = (1 + tanh((v - v3) / v4)) / 2

Each potential is the rest state of one drive `I(v)`. The Jacobian's determinant is
`phi cosh(...) I'(v) / C`, so folds are where `I'` vanishes; where the trace vanishes there is a
Hopf point if the determinant is positive, and a neutral saddle if it is negative.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from ._require import require
from .folds import Point


class Cell(NamedTuple):
    """Parameters; defaults: the set of Rinzel & Ermentrout (1998) with type I excitability."""

    c: float = 20.0  # uF/cm2
    g_ca: float = 4.0  # mS/cm2
    g_k: float = 8.0  # mS/cm2
    g_l: float = 2.0  # mS/cm2
    v_ca: float = 120.0  # mV
    v_k: float = -84.0  # mV
    v_l: float = -60.0  # mV
    v1: float = -1.2  # mV
    v2: float = 18.0  # mV
    v3: float = 12.0  # mV
    v4: float = 17.4  # mV
    phi: float = 1 / 15  # 1/ms


def _gate(v, middle, width):
    """A gate's steady value and its slope."""
    t = np.tanh((v - middle) / width)
    return 0.5 * (1 + t), 0.5 * (1 - t * t) / width


def drive(v, cell=None):
    """The steady drive (uA/cm2) that holds `v` (mV)."""
    p = Cell() if cell is None else cell
    m, w = _gate(v, p.v1, p.v2)[0], _gate(v, p.v3, p.v4)[0]
    return p.g_ca * m * (v - p.v_ca) + p.g_k * w * (v - p.v_k) + p.g_l * (v - p.v_l)


def jacobian(v, cell=None):
    """Jacobian [2, 2] of (v, w) at the rest state of potential `v` (mV)."""
    p = Cell() if cell is None else cell
    m, dm = _gate(v, p.v1, p.v2)
    w, dw = _gate(v, p.v3, p.v4)
    speed = p.phi * np.cosh((v - p.v3) / (2 * p.v4))
    slope = p.g_ca * (m + dm * (v - p.v_ca)) + p.g_k * w + p.g_l
    return np.array([[-slope / p.c, -p.g_k * (v - p.v_k) / p.c], [speed * dw, -speed]])


def _roots(function, low, high, points=4001):
    """All sign changes on a grid of potentials, refined."""
    grid = np.linspace(low, high, points)
    signs = np.sign([function(v) for v in grid])
    return [
        brentq(function, grid[k], grid[k + 1], xtol=1e-13)
        for k in np.flatnonzero(signs[:-1] != signs[1:])
    ]


def folds(cell=None, low=-80.0, high=60.0):
    """Folds between two potentials, in the order of `v`."""
    _checked(cell)
    potentials = _roots(lambda v: np.linalg.det(jacobian(v, cell)), low, high)
    return [Point(drive(v, cell), v, 0.0) for v in potentials]


def _traceless(cell, low, high):
    _checked(cell)
    potentials = _roots(lambda v: np.trace(jacobian(v, cell)), low, high)
    return [(v, np.linalg.det(jacobian(v, cell))) for v in potentials]


def hopf_points(cell=None, low=-80.0, high=60.0):
    """Hopf points, with their angular frequency (rad/ms)."""
    points = _traceless(cell, low, high)
    return [Point(drive(v, cell), v, np.sqrt(det)) for v, det in points if det > 0]


def neutral_saddles(cell=None, low=-80.0, high=60.0):
    """Saddles whose eigenvalues are opposite: the trace vanishes, but no cycle is born there."""
    points = _traceless(cell, low, high)
    return [Point(drive(v, cell), v, np.nan) for v, det in points if det < 0]


def _checked(cell):
    p = Cell() if cell is None else cell
    for name in ("c", "phi", "v2", "v4"):
        require(getattr(p, name) > 0, f"{name} must be positive.")
