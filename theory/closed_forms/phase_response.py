"""Phase responses: how much sooner the next spike comes for each unit that a kick adds to `v`.

In one dimension the kick `dv` saves the time `dv / (dv/dt)`, so the response is `1 / f(v(t))` along
the cycle, in units of time per unit of `v`. `t` is the time since the last spike.
"""

import numpy as np

from ._require import require
from .fi import qif_period


def _within(t, period):
    require(np.isfinite(period), "the neuron does not fire at this drive.")
    require((np.asarray(t) >= 0) & (np.asarray(t) <= period), "t must be within one period.")


def lif(t, drive, tau, threshold=1.0, reset=0.0):
    """Of `tau dv/dt = drive - v`: `tau exp(t / tau) / (drive - reset)`, up to the spike."""
    drive = np.asarray(drive, float)
    require(drive > threshold, "drive must be above threshold, where the neuron fires.")
    require(np.asarray(threshold) > np.asarray(reset), "threshold must be above reset.")
    _within(t, tau * np.log((drive - reset) / (drive - threshold)) * (1 + 1e-12))
    return tau * np.exp(np.asarray(t) / tau) / (drive - reset)


def theta(t, drive, tau=1.0):
    """Of `tau dv/dt = v^2 + drive` from minus to plus infinity (type I: it never delays).

    With `v = -sqrt(I) cot(pi t / T)` it is `tau (1 - cos(2 pi t / T)) / (2 I)`
    (Ermentrout 1996, Neural Comput. 8:979): the peak is `tau / I`.
    """
    drive = np.asarray(drive, float)
    require(drive > 0, "drive must be positive, where the neuron fires.")
    period = tau * np.pi / np.sqrt(drive)
    _within(t, period * (1 + 1e-12))
    return tau * (1 - np.cos(2 * np.pi * np.asarray(t) / period)) / (2 * drive)


def qif(t, drive, low, high, tau=1.0):
    """Of the same equation between a finite reset `low` and cut `high`, for positive drive.

    With `v = sqrt(I) tan(x)`, `x = sqrt(I) t / tau + atan(low / sqrt(I))`, it is
    `tau cos(x)^2 / I`.
    """
    drive = np.asarray(drive, float)
    require(drive > 0, "drive must be positive here.")
    _within(t, qif_period(drive, low, high, tau) * (1 + 1e-12))
    root = np.sqrt(drive)
    return tau * np.cos(root * np.asarray(t) / tau + np.arctan(low / root)) ** 2 / drive
