"""Leaky integrate-and-fire neurons under white noise, alone and in Brunel's network.

Diffusion approximation: the input of many small jumps J at total rates nu has
`mean = tau sum J nu` and `sigma^2 = tau sum J^2 nu`, twice the variance of the free potential. The
mean time between spikes is (Siegert 1951; Brunel 2000, J. Comput. Neurosci. 8:183, eq. 21)

    T = refractory + tau sqrt(pi) A,    A = int_a^b exp(u^2) (1 + erf u) du,
    a = (reset - mean) / sigma,  b = (threshold - mean) / sigma.

The integrand is `erfcx(-u)`: for u < 0 it is of order 1, for u > 0 it is `2 exp(u^2) - erfcx(u)`,
and the integral of `exp(u^2)` from 0 to b is `exp(b^2) dawsn(b)`. So A is a sum of terms of order 1
and one whose logarithm is known (the split of Layer et al. 2022, Front. Neuroinform. 16:835657,
appendix A.1), and nothing overflows however far the mean is from the threshold.

Times in one unit (say ms), potentials in another (say mV); all functions take arrays.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import dawsn, erfc, erfcx

from ._require import require

ZETA_HALF = -1.4603545088095868  # Riemann's zeta function at 1/2 (OEIS A059750)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(96)


def _below(low, high):
    """`int_low^high erfcx(v) dv` for `0 <= low <= high`, with `v = exp(s) - 1`."""
    start, end = np.log1p(low)[..., None], np.log1p(high)[..., None]
    s = 0.5 * (end + start + (end - start) * NODES)
    return 0.5 * (end - start)[..., 0] * np.sum(WEIGHTS * erfcx(np.expm1(s)) * np.exp(s), axis=-1)


def log_area(low, high):
    """The logarithm of `A = int_low^high exp(u^2) (1 + erf u) du`."""
    low, high = np.broadcast_arrays(np.asarray(low, float), np.asarray(high, float))
    require(low < high, "the lower end must be below the upper one.")
    top, bottom = np.maximum(high, 0.0), np.maximum(low, 0.0)
    # exp(-top^2) A
    steep = 2 * (dawsn(top) - np.exp((bottom - top) * (bottom + top)) * dawsn(bottom))
    flat = _below(np.maximum(-high, 0.0), np.maximum(-low, 0.0)) - _below(bottom, top)
    return top**2 + np.log(steep + np.exp(-(top**2)) * flat)


def _boundaries(mean, sigma, tau, threshold, reset, refractory, tau_s):
    require(np.asarray(tau) > 0, "tau must be positive.")
    require(np.asarray(threshold) > np.asarray(reset), "threshold must be above reset.")
    require(np.asarray(refractory) >= 0, "refractory must not be negative.")
    require(np.asarray(sigma) >= 0, "sigma must not be negative.")
    require(np.asarray(tau_s) >= 0, "tau_s must not be negative.")
    require(np.isfinite(mean), "mean must be finite.")
    shift = colour_shift(tau_s / np.asarray(tau, float))
    noise = np.where(np.asarray(sigma) == 0, 1.0, sigma)
    low, high = (reset - np.asarray(mean)) / noise, (threshold - np.asarray(mean)) / noise
    return low + shift, high + shift


def colour_shift(ratio):
    """By how much both ends of the integral move up for synapses of `ratio = tau_s / tau`.

    White noise that an exponential synapse of time constant `tau_s` has filtered acts, to first
    order in `sqrt(ratio)`, as white noise with threshold and reset moved by
    `sigma (alpha / 2) sqrt(ratio)`, `alpha = sqrt(2) |zeta(1/2)|`
    (Fourcaud & Brunel 2002, Neural Comput. 14:2057).
    """
    require(np.asarray(ratio) >= 0, "ratio must not be negative.")
    return math.sqrt(0.5) * abs(ZETA_HALF) * np.sqrt(ratio)


def rate(mean, sigma, tau, threshold, reset, refractory=0.0, tau_s=0.0):
    """Spikes per unit of time; at `sigma = 0` that of the constant drive `mean`.

    `tau_s > 0`: the noise comes through exponential synapses (see `colour_shift`). A rate too
    small for a float is 0.
    """
    low, high = _boundaries(mean, sigma, tau, threshold, reset, refractory, tau_s)
    quiet, drives = np.asarray(sigma) == 0, np.asarray(mean) > threshold
    with np.errstate(over="ignore", divide="ignore"):
        noisy = math.sqrt(math.pi) * np.exp(log_area(low, high))
        span = np.where(quiet & drives, (mean - np.asarray(threshold)), 1.0)
        still = np.where(drives, np.log1p((threshold - np.asarray(reset)) / span), np.inf)
        return 1 / (refractory + tau * np.where(quiet, still, noisy))


def _spread(low, high):
    """`exp(-2 max(high, 0)^2)` times `K = int_low^high exp(x^2) int_-inf^x exp(u^2) (1 + erf u)^2`.

    With the order of the integrals changed, the inner one is `F(high) - F(max(low, u))`,
    `F(x) = exp(x^2) dawsn(x)`. Each exponent below is negative or bounded.
    """

    def gap(x, y):  # x^2 - y^2
        return (x - y) * (x + y)

    def density(u):
        lower, scale, right = np.maximum(low, u), 2 * max(high, 0.0) ** 2, u > 0
        upper = np.where(right, gap(u, high), gap(high, u) - scale)
        under = np.where(right, gap(u, high) + gap(lower, high), gap(lower, u) - scale)
        square = np.where(right, erfc(-u), erfcx(np.maximum(-u, 0))) ** 2
        return square * (np.exp(upper) * dawsn(high) - np.exp(under) * dawsn(lower))

    # It falls away from `high` and, below `low`, from `low` like exp(-|u^2 - x^2|), then like a
    # power: pieces that double in length see both.
    doubling = 2.0 ** np.arange(-2.0, 64.0)
    start = low - min(27.0, 373 / abs(low)) if low < 0 else -27.0
    ends = high - doubling / max(1.0, abs(high)), low - doubling / max(1.0, abs(low))
    marks = np.array(
        [start, *sorted(ends[1][ends[1] > start]), low, *sorted(ends[0][ends[0] > low]), high]
    )
    half = 0.5 * np.diff(marks)[:, None]
    u = marks[:-1, None] + half * (1 + NODES)
    return float(np.sum(half * WEIGHTS * density(u)))


def cv(mean, sigma, tau, threshold, reset, refractory=0.0, tau_s=0.0):
    """Standard deviation of the intervals over their mean (Brunel 2000, appendix A.1).

    `var T = 2 pi tau^2 K`, `K = int_a^b exp(x^2) dx int_-inf^x exp(u^2) (1 + erf u)^2 du`. At
    `sigma = 0` it is 0 where the neuron fires and NaN where it does not.
    """
    low, high = _boundaries(mean, sigma, tau, threshold, reset, refractory, tau_s)
    top = np.maximum(high, 0.0) ** 2
    spread = np.vectorize(_spread, otypes=[float])(low, high)
    interval = refractory * np.exp(-top) + tau * np.sqrt(np.pi) * np.exp(log_area(low, high) - top)
    noisy = tau * np.sqrt(2 * np.pi * spread) / interval
    still = np.where(np.asarray(mean) > threshold, 0.0, np.nan)
    return np.where(np.asarray(sigma) == 0, still, noisy)


class BrunelState(NamedTuple):
    """A rate (per unit of time) that the network sustains, its input, and the CV of intervals."""

    rate: float
    mean: float
    sigma: float
    cv: float


def brunel_states(
    excitatory, inhibitory, weight, ratio, external, tau=20.0, threshold=20.0, reset=0.0, ref=2.0
):
    """Every asynchronous state of Brunel's network (2000) of sparse random connections.

    A neuron has `excitatory` and `inhibitory` sources in the network with jumps `weight` and
    `-ratio * weight` (mV), and external spikes of `weight` at the rate `external` (per ms). The
    rate gives the mean and the noise of the input, and these give the rate: the roots are
    bracketed on a grid of rates up to the largest, `1 / ref`, in ratios of 1.05 (of 10 below
    1e-12 of it). A state below 1e-300 of it is given the rate 0.
    """
    require(excitatory >= 0 and inhibitory >= 0, "counts of sources must not be negative.")
    require(weight > 0 and ratio >= 0, "weight must be positive and ratio not negative.")
    require(external > 0, "external must be positive.")
    require(ref > 0, "ref must be positive: it bounds the rate.")
    jumps = np.array([weight, -ratio * weight, weight])

    def moments(nu):
        rates = np.stack(np.broadcast_arrays(excitatory * nu, inhibitory * nu, external))
        return tau * jumps @ rates, np.sqrt(tau * jumps**2 @ rates)

    def excess(nu):
        return rate(*moments(nu), tau, threshold, reset, ref) - nu

    low, high = np.geomspace(1e-300, 1e-12, 289), np.geomspace(1e-12, 1.0, 567)
    grid = np.concatenate([low[:-1], high]) / ref
    signs = np.sign(excess(grid))
    roots = [] if signs[0] > 0 else [0.0]
    roots += [
        brentq(excess, grid[k], grid[k + 1], xtol=1e-300, rtol=1e-14)
        for k in np.flatnonzero(signs[:-1] != signs[1:])
    ]
    return [
        BrunelState(nu, *map(float, m), float(cv(*m, tau, threshold, reset, ref)))
        for nu, m in ((nu, moments(nu)) for nu in roots)
    ]


def brunel_rate(
    excitatory, inhibitory, weight, ratio, external, tau=20.0, threshold=20.0, reset=0.0, ref=2.0
):
    """The one rate (per ms) at which all neurons of that network sustain it."""
    states = brunel_states(
        excitatory, inhibitory, weight, ratio, external, tau, threshold, reset, ref
    )
    require(len(states) == 1, f"the network has {len(states)} states: see `brunel_states`.")
    return states[0].rate
