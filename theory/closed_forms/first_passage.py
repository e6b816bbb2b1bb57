"""Escape of `dx = -U'(x) dt + sqrt(2 D) dW` from a well: exact integrals, spectrum, Kramers' rate.

`U` is a function of arrays, in the unit of `D`; times come in the unit of x^2 / D.
"""

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.linalg import eigh_tridiagonal
from scipy.special import logsumexp

from ._require import require

NODES, WEIGHTS = leggauss(16)
# Integrals from -1 to each node of the polynomial through the values at the nodes.
_POWERS = np.arange(16)
PARTIAL = (
    (np.subtract.outer(NODES, [0.0]) ** (_POWERS + 1) - (-1.0) ** (_POWERS + 1)) / (_POWERS + 1)
) @ np.linalg.inv(np.vander(NODES, increasing=True))


def double_well(x):
    """`x^4 / 4 - x^2 / 2`: wells at -1 and 1, a barrier of 1/4 at 0."""
    return np.square(x) * (np.square(x) / 4 - 0.5)


def log_mean_time(potential, diffusion, start, target, wall, panels=400):
    """The logarithm of the mean time from `start` to `target`, reflected at `wall` behind it.

    `T = int_start^target dy exp(U(y) / D) int_wall^y dz exp(-U(z) / D) / D` (Gardiner 2009,
    Stochastic Methods, sec. 5.5.2), for `wall <= start < target` or the mirror image: Gauss'
    rule of 16 nodes on each panel, sums of logarithms, so that no barrier overflows. Put the wall
    where `U` is some `40 D` above the well if there is none.
    """
    require(diffusion > 0, "diffusion must be positive.")
    sign = 1.0 if target > start else -1.0
    start, target, wall = sign * start, sign * target, sign * wall
    require(wall <= start < target, "start must be between wall and target.")
    before = max(1, round(panels * (start - wall) / (target - wall))) if start > wall else 0
    edges = np.concatenate(
        [
            np.linspace(wall, start, before, endpoint=False),
            np.linspace(start, target, max(2, panels - before)),
        ]
    )
    half = 0.5 * np.diff(edges)[:, None]
    y = edges[:-1, None] + half * (1 + NODES)
    u = np.asarray(potential(sign * y), float) / diffusion
    require(u.shape == y.shape, "potential must keep the shape of its input.")
    require(np.isfinite(u), "potential must be finite between wall and target.")
    floor = u.min(axis=1, keepdims=True)
    steep = np.max(u - floor, axis=1)
    fine = np.all(steep[before:] < 5) and np.all(steep[:before] < 20)
    require(fine, "the potential is too steep: take more panels, or a wall nearer to the well.")
    density = np.exp(floor - u)
    own = np.log(half[:, 0] * (density @ WEIGHTS)) - floor[:, 0]
    left = np.concatenate([[-np.inf], np.logaddexp.accumulate(own)[:-1]])[:, None]
    inside = np.maximum(half * (density @ PARTIAL.T), 1e-300)  # used beyond the start alone
    inner = np.logaddexp(left, np.log(inside) - floor)[before:]
    return logsumexp(u[before:] + inner, b=(half * WEIGHTS)[before:]) - np.log(diffusion)


def mean_time(potential, diffusion, start, target, wall, panels=400):
    """The mean first passage time itself; see `log_mean_time`."""
    return np.exp(log_mean_time(potential, diffusion, start, target, wall, panels))


def relaxation_rates(potential, diffusion, low, high, count=1, points=1000):
    """The `count` smallest nonzero eigenvalues of the Fokker-Planck operator between two walls.

    Jumps between cells at the rates `D / h^2 exp(-(U_face - U_cell) / D)` keep detailed balance,
    so their matrix is similar to a symmetric one. Its error is of the second order in `h`, and two
    grids give the fourth. In a double well the first is the sum of both rates of escape.
    """
    require(diffusion > 0, "diffusion must be positive.")
    require(low < high, "low must be below high.")

    def spectrum(cells):
        faces, h = np.linspace(low, high, cells + 1, retstep=True)
        u, top = potential(0.5 * (faces[1:] + faces[:-1])), potential(faces[1:-1])
        right = np.exp(-(top - u[:-1]) / diffusion)
        left = np.exp(-(top - u[1:]) / diffusion)
        out = np.append(right, 0) + np.insert(left, 0, 0)
        scale = diffusion / h**2
        return eigh_tridiagonal(
            scale * out,
            -scale * np.sqrt(right * left),
            select="i",
            select_range=(1, count),
            eigvals_only=True,
        )

    return (4 * spectrum(2 * points) - spectrum(points)) / 3


def kramers_rate(well, saddle, barrier, diffusion):
    """Escape over a saddle in the limit of weak noise, from the Hessians there.

    `|l| / (2 pi) sqrt(det well / |det saddle|) exp(-barrier / D)`, `l` the negative eigenvalue at
    the saddle (Kramers 1940; Langer 1969; Haenggi, Talkner & Borkovec 1990, Rev. Mod. Phys. 62:251,
    sec. IV.C). In one dimension, with numbers: `sqrt(U''(well) |U''(saddle)|) / (2 pi)` times that.
    """
    well, saddle = (np.linalg.eigvalsh(np.atleast_2d(hessian)) for hessian in (well, saddle))
    require(well > 0, "well must be positive definite: the Hessian at a minimum.")
    falls = (saddle < 0).sum() == 1 and np.all(saddle != 0)
    require(falls, "saddle must have one falling direction, and no flat one.")
    require(np.asarray(diffusion) > 0, "diffusion must be positive.")
    ratio = np.sqrt(np.exp(np.log(well).sum() - np.log(np.abs(saddle)).sum()))
    return -saddle[0] / (2 * np.pi) * ratio * np.exp(-np.asarray(barrier) / diffusion)
