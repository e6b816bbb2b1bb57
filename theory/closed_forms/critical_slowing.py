"""How return slows near bifurcations, and what noise makes of it.

Normal forms: near a fold `x' = r + x^2`, near a pitchfork `x' = r x - x^3`. Around a rest state of
slope `f'(x) < 0`, weak noise gives an Ornstein-Uhlenbeck process,
`dx = slope x dt + sqrt(2 D) dW` (Gardiner 2009, Stochastic Methods, sec. 3.8.4).
"""

import numpy as np

from ._require import require


def fold_slope(r):
    """Of `x' = r + x^2` at its stable rest `-sqrt(-r)`: `-2 sqrt(-r)`, for `r <= 0`."""
    r = np.asarray(r, float)
    require(r <= 0, "r must not be positive: beyond the fold nothing rests.")
    return -2 * np.sqrt(-r)


def pitchfork_slope(r):
    """Of `x' = r x - x^3` at its stable rest: `r` before the pitchfork, `-2 r` after it."""
    r = np.asarray(r, float)
    require(np.isfinite(r), "r must be finite.")
    return np.where(r < 0, r, -2 * r)


def variance(slope, diffusion):
    """Stationary variance `D / |slope|`, which diverges where the slope vanishes."""
    slope = np.asarray(slope, float)
    require(slope < 0, "slope must be negative: the rest state must be stable.")
    require(np.asarray(diffusion) >= 0, "diffusion must not be negative.")
    return diffusion / -slope


def autocorrelation(slope, lag):
    """Correlation `exp(slope lag)` of values that far apart: AR(1) at the sampling interval."""
    slope, lag = np.asarray(slope, float), np.asarray(lag, float)
    require(slope < 0, "slope must be negative: the rest state must be stable.")
    require(lag >= 0, "lag must not be negative.")
    return np.exp(slope * lag)
