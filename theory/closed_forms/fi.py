"""Periods and rates of single neurons at constant drive.

Under white noise see `siegert`; the perfect integrator and the uncut theta neuron are in `neurons`.
"""

import numpy as np

from . import lif_events
from ._require import require

lif_rate = lif_events.rate  # 1 / (refractory + tau log((drive - reset) / (drive - threshold)))


def lif_drive(rate, tau, threshold=1.0, reset=0.0, refractory=0.0):
    """The drive (as a potential) at which the leaky neuron fires at `rate`: the inverse of its f-I.

    From `exp(T / tau) = (drive - reset) / (drive - threshold)`, `T = 1 / rate - refractory`.
    """
    rate = np.asarray(rate, float)
    require((rate > 0) & (rate * refractory < 1), "rate must be between 0 and 1 / refractory.")
    require(np.asarray(tau) > 0, "tau must be positive.")
    return reset - (np.asarray(threshold) - reset) / np.expm1(-(1 / rate - refractory) / tau)


def lif_period_slope(drive, tau, threshold=1.0, reset=0.0):
    """`dT / d drive` of the leaky neuron: `tau (1 / (drive - reset) - 1 / (drive - threshold))`."""
    drive = np.asarray(drive, float)
    require(np.asarray(threshold) > np.asarray(reset), "threshold must be above reset.")
    require(drive > threshold, "drive must be above threshold, where the neuron fires.")
    return tau * (1 / (drive - reset) - 1 / (drive - threshold))


def qif_period(drive, low, high, tau=1.0):
    """Of `tau dv/dt = v^2 + drive` from the reset `low` to the cut `high`; `inf` where it rests.

    The integral of `dv / (v^2 + I)` is `atan(v / s) / s` with `s = sqrt(I)` for I > 0, `-1 / v` at
    0 and `log((v - s) / (v + s)) / (2 s)` with `s = sqrt(-I)` for I < 0: there the neuron fires
    for ever if the reset is above the unstable rest `s`.
    """
    drive, low, high = np.broadcast_arrays(
        *(np.asarray(x, float) for x in (drive, low, high))  # one shape
    )
    require(low < high, "the reset must be below the cut.")
    require(np.isfinite(drive), "drive must be finite.")
    require(np.asarray(tau) > 0, "tau must be positive.")
    s = np.sqrt(np.abs(drive))
    span, product = high - low, low * high
    with np.errstate(divide="ignore", invalid="ignore"):
        # Differences of arctangents, by their addition theorem: exact also for small drive.
        above = np.arctan2(s * span, product + drive) / s
        below = np.arctanh(s * span / (product + drive)) / s
        period = np.where(drive > 0, above, np.where(drive == 0, span / product, below))
    return tau * np.where((drive > 0) | (low > s), period, np.inf)


def qif_rate(drive, low, high, tau=1.0, refractory=0.0):
    """Spikes per unit of time of that neuron; 0 where it rests."""
    require(np.asarray(refractory) >= 0, "refractory must not be negative.")
    return 1 / (refractory + qif_period(drive, low, high, tau))
