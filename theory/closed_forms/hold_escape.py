"""Two memories that hold each other up by spikes: exact density, barrier and time of escape.

Two patterns x_1, x_2 are the memories. Between spikes `tau x' = x_z - x`; at the rate R a new
winner z is drawn with the probabilities `q_1, q_2 = logistic(+-2 kappa m)`, where the state is
`x = (x_1 + x_2) / 2 + m (x_1 - x_2) / 2` and `kappa = beta |x_1 - x_2|^2 / 4`. So m in (-1, 1) is
a velocity-jump process: `tau m' = +-1 - m`. Times are in units of tau, `rate` is R tau.

Derivation. In the stationary state no probability flows: with densities p_+, p_- of the two
winners and velocities v_+ = 1 - m, v_- = -1 - m, J = v_+ p_+ = -v_- p_-, and of p_+:
J' = R (p_- q_1 - p_+ q_2) = R J (q_1 / (1 + m) - q_2 / (1 - m)). Hence J = exp(-R V) with
`V' = q_2 / (1 - m) - q_1 / (1 + m)`, and the density p_+ + p_- = 2 J / (1 - m^2). V plays the part
of a free energy at the temperature 1 / R: V''(0) = 1 - kappa, so that its minima are born where
those of the energy are; the density has its maximum at 0 only if R (1 - kappa) > 2. The mean
first passage times follow from the backward equations (Gardiner, Handbook of Stochastic Methods,
ch. 5 and 9): with D = T_+ - T_-, D' = -1 / v_+ + 1 / v_- + R V' D, regular at m = 1.
"""

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit

from ._require import require


def _slope(s, kappa):
    """`dV/ds` at `m = tanh s`, where the poles of V' are gone."""
    m = np.tanh(s)
    return expit(-2 * kappa * m) * (1 + m) - expit(2 * kappa * m) * (1 - m)


def potential(m: float, kappa: float) -> float:
    """`V(m) - V(0)`: minus the logarithm of J over J(0), per spike in a time constant."""
    return quad(_slope, 0, np.arctanh(m), args=(kappa,), epsabs=1e-13, epsrel=1e-12)[0]


def rest(kappa: float) -> float:
    """The largest m with `m = tanh(kappa m)`: the memory, 0 up to kappa = 1."""
    if kappa <= 1:
        return 0.0
    return float(brentq(lambda m: np.tanh(kappa * m) - m, 1e-9, 1 - 1e-16, xtol=1e-15))


def barrier(kappa: float) -> float:
    """`V(0) - V(m*)`: the slope of the logarithm of the time of escape against R tau."""
    return -potential(rest(kappa), kappa)


def density(m, kappa: float, rate: float) -> np.ndarray:
    """The stationary density of m at `rate` = R tau, over (-1, 1)."""
    require(kappa >= 0 and rate > 0, f"kappa, rate must be >= 0, > 0: {kappa}, {rate}.")
    # over s, with dm / (1 - m^2) = ds, the integrand falls as exp(-2 R q_2 |s|)
    reach = 40 / (rate * min(1, 2 * expit(-2 * kappa)))
    total = (
        2
        * quad(lambda s: 2 * np.exp(-rate * _grown(s, kappa)), 0, reach, limit=500, epsrel=1e-11)[0]
    )
    own = np.array([potential(x, kappa) for x in np.atleast_1d(m)])
    return 2 * np.exp(-rate * own) / (1 - np.atleast_1d(m) ** 2) / total


def critical_rate(kappa: float) -> float:
    """R tau below which the density has no maximum at the mixture; infinite from kappa = 1 on.

    At kappa = 0 the density is (1 - m^2)^(R tau / 2 - 1), which turns over at R tau = 2.
    """
    return 2 / (1 - kappa) if kappa < 1 else np.inf


def passage_times(kappa: float, rate: float, m: float) -> tuple[float, float]:
    """Mean times, in tau, from `m` > 0 to the mixture m = 0, with winner 1 held, and winner 2.

    `rate` is R tau. By the trapezium rule on 40,000 points of s = artanh m.
    """
    require(0 < m < 1, f"m must lie between 0 and 1, got {m}.")
    s, ds = np.linspace(0, max(18.0, 2 * np.arctanh(m)), 40_001, retstep=True)
    at = np.tanh(s)
    v = _summed(_slope(s, kappa), ds)
    # D(m) = 2 integral of exp(R (V(m) - V)) over s from there on, summed in the log domain; the
    # rest, beyond the last point, is exponential
    piece = np.log(ds) - rate * v
    piece[-1] = np.log(0.5 * ds + 1 / (rate * _slope(s[-1], kappa))) - rate * v[-1]
    tail = np.logaddexp.accumulate(piece[::-1])[::-1]
    first = np.log(0.5 * ds) - rate * v  # each sum's first point has half the weight
    tail[:-1] = tail[:-1] + np.log1p(-np.exp(first[:-1] - tail[:-1]))
    difference = 2 * np.exp(np.minimum(rate * v + tail, 690.0))
    # T_-' = (1 + R q_1 D) / (1 + m), T_-(0) = 0; dm = (1 - m)(1 + m) ds
    lower = _summed((1 + rate * expit(2 * kappa * at) * difference) * (1 - at), ds)
    winner_2, gap = (np.interp(np.arctanh(m), s, y) for y in (lower, difference))
    return float(winner_2 + gap), float(winner_2)


def escape_time(kappa: float, rate: float) -> float:
    """The mean time, in tau, from a query at the memory m* to the mixture m = 0: the query is
    held until the first spike. `rate` is R tau.
    """
    require(kappa > 1, f"kappa: there is a memory to escape from above 1 only, got {kappa}.")
    m = rest(kappa)
    first, second = passage_times(kappa, rate, m)
    q = expit(2 * kappa * m)
    return 1 / rate + q * first + (1 - q) * second


def _summed(y, step):
    """The running integral of samples, by the trapezium rule."""
    return np.concatenate([[0], np.cumsum(0.5 * (y[1:] + y[:-1]) * step)])


def _grown(s: float, kappa: float) -> float:
    """V at m = tanh s, past where tanh is 1 in floating point."""
    end = 15.0
    if s <= end:
        return quad(_slope, 0, s, args=(kappa,), epsabs=1e-12)[0]
    return _grown(end, kappa) + (s - end) * 2 * expit(-2 * kappa)
