"""A memory among P held up by its own spikes: barrier, time of escape, capacity at finite rate.

In hold mode (`tau x' = x_z - x`, a winner z drawn at the rate R from the posterior at x) the state
is a mean of patterns, and the weight m of the own pattern x_1 is a leaky count of own spikes:
`tau m' = 1 - m` while it holds, `-m` while another one does. It is 1 at the start; the memory is
lost when it is below 1/2. Times are in units of tau, `rate` is R tau. If the log odds `a` against
the own pattern are a function of m, with `q = 1 / (1 + exp(a))`, m is a velocity-jump process, and
as in `hold_escape` its flux is `exp(-R V)`, `V' = (1 - q) / (1 - m) - q / m`; of the mean times
T_+, T_- to the level, by the winner that is held, `D = T_+ - T_-` has `D' = R V' D - 1 / (m (1 -
m))`, regular at 1, and `T_-' = (1 + R q D) / m`.

Equidistant patterns, `b = beta |x_mu - x_nu|^2 / 2`: with weights w_mu of the others, of sum 1 - m,
`a = log sum exp(b (w_mu - m))`. This is convex in w, so least where the rest is spread evenly
(`spread`) and greatest where one rival has all of it (`rival`). Paths that share their times and
uniform numbers keep the order of their q, which rise with m: at every rate the time of escape lies
between those of the two. For P = 2 they are one, and that of `hold_escape`, where `kappa = b / 2`
and its m is `2 m - 1`. The saddle of `spread` is the flow's (`modern_hopfield`).

Given patterns: the rest is where its own posterior has its mean (`given`), which is exact at the
flow's fixed points, so at infinite rate, and `spread` if they are equidistant. Random patterns on a
sphere, many of them (`on_sphere`): the mean over patterns.

Near the fold: with `a = L + shape(m)`, L the logarithm of the load, m = q where `L = -shape(m) -
logit(m) = F(m)`, and memories end at the maximum L_0 of F. Below it memory and saddle are `2
sqrt(2 (L_0 - L) / |F''|)` apart and V rises by `C (L_0 - L)^(3/2)`, `C = 4 sqrt(2 / |F''|) / 3`.
So if a memory is to last for a time of logarithm l, up to a factor, its capacity falls short of
that of the flow by

    ln P(infinity) - ln P(R) = (l / (C R tau))^(2/3).

Where spikes are few, one wrong spike does it if no other follows within ln 2: the time is `2^R / (R
exp(a))` with `a` at m = 1, so that the capacity is least at `R tau = 1 / ln 2`.

With refractory periods the own memory may be silent when a wrong spike comes. The rest of its
interval, the mean over intervals and not the exponential one, is the wait for the next own spike:
`longer` below, an approximation that keeps that mean.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import expit, gammaln, ive, logsumexp

from ._require import require

Odds = Callable[[np.ndarray], np.ndarray]
END = 36.0  # logit of m: 1 in floating point
POINTS = 33  # of tables of log odds over m, from 1/2 to 1


def spread(b: float, count: float) -> Odds:
    """Log odds against the own one of `count` equidistant patterns, the others all alike."""
    require(b > 0 and count > 1, f"b, count must be > 0, > 1: {b}, {count}.")
    return lambda m: np.log(count - 1) - b * (count * m - 1) / (count - 1)


def rival(b: float, count: float) -> Odds:
    """Log odds against the own one of `count` equidistant patterns, one other has all the rest."""
    require(b > 0 and count >= 2, f"b, count must be > 0, >= 2: {b}, {count}.")
    others = np.log(count - 2) if count > 2 else -np.inf
    return lambda m: np.logaddexp(-b * (2 * m - 1), others - b * m)


def on_sphere(beta: float, size: int, count: float) -> Odds:
    """Log odds against the own one of `count` random patterns of length sqrt(size).

    With the overlap `M = m + (1 - m) c` of state and pattern the others sum to `(count - 1)
    E exp(beta size M u)`, u a coordinate of a random unit vector, and c is its mean under that
    weight: Bessel functions of `size / 2 - 1` and `size / 2`.
    """
    require(beta > 0 and size >= 3 and count > 1, "beta, size, count must be > 0, >= 3, > 1.")
    order, b = size / 2 - 1, beta * size
    m = np.linspace(0.5, 1.0, POINTS)
    overlap = m
    for _ in range(60):
        k = b * overlap
        overlap = m + (1 - m) * ive(order + 1, k) / ive(order, k)
    k = b * overlap
    mean = gammaln(order + 1) + order * np.log(2 / k) + np.log(ive(order, k)) + k
    return CubicSpline(m, np.log(count - 1) + mean - k)


def given(patterns: np.ndarray, beta: float) -> Odds:
    """Log odds against the first of these patterns [P, N], of one length; from a table over m."""
    patterns = np.asarray(patterns, float)
    require(len(patterns) >= 2, "patterns: pass two or more.")
    m = np.linspace(0.5, 1.0, POINTS)[:, None]
    own, others = patterns[0], patterns[1:]
    state = np.repeat(own[None], POINTS, axis=0)
    for _ in range(200):
        scores = beta * state @ others.T
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        after = m * own + (1 - m) * (weights / weights.sum(axis=1, keepdims=True)) @ others
        moved, state = np.abs(after - state).max(), after
        if moved < 1e-9 * np.sqrt(own @ own):
            break
    values = logsumexp(beta * state @ others.T, axis=1) - beta * state @ own
    return CubicSpline(m[:, 0], values)


def wait(silence: float) -> float:
    """How much longer the next own spike is waited for, with refractory periods of `silence` mean
    intervals 1 / R: the mean rest of an interval of `silence` and an exponential one, times R."""
    require(silence >= 0, f"silence must be >= 0, got {silence}.")
    return (1 + silence + silence**2 / 2) / (1 + silence)


def _grid(odds: Odds, level: float, points: int, longer: float = 1.0):
    require(0 < level < 1, f"level must lie between 0 and 1, got {level}.")
    s, step = np.linspace(np.log(level / (1 - level)), END, points, retstep=True)
    against = odds(expit(s))
    own = expit(-against) / longer
    # dV / ds = m (1 - q) - (1 - m) own, with dm = m (1 - m) ds: m - q if own = q
    return s, step, own, expit(s) * expit(against) - expit(-s) * own


def _summed(y: np.ndarray, step: float) -> np.ndarray:
    """The running integral of samples, by the trapezium rule."""
    return np.concatenate([[0], np.cumsum(0.5 * (y[1:] + y[:-1]) * step)])


def barrier(odds: Odds, level: float = 0.5, points: int = 4001) -> float:
    """The largest rise of V on the way from 1 to `level`: the slope of the logarithm of the time
    of escape against R tau, where the rate is large. 0 if the flow holds no memory."""
    _, step, _, slope = _grid(odds, level, points)
    v = _summed(slope, step)
    return float(np.max(v - np.minimum.accumulate(v[::-1])[::-1]))


def escape_time(
    odds: Odds, rate: float, level: float = 0.5, points: int = 4001, longer: float = 1.0
) -> float:
    """Mean time, in tau, from m = 1, the own winner held, until m is below `level`; infinity where
    it is above e^600. By the trapezium rule on that many points of the logit of m.

    `longer`: the rate of own spikes after a wrong one is `R q / longer` (`wait`).
    """
    require(rate > 0, f"rate must be > 0, got {rate}.")
    s, step, own, slope = _grid(odds, level, points, longer)
    v = _summed(slope, step)
    if not slope[-1] > 0:
        return np.inf  # no other winner is left in floating point
    # D = integral of exp(R (V - V(s'))) over s' from s on, summed in the log domain; beyond the
    # last point it is exponential
    piece = np.log(step) - rate * v
    piece[-1] = np.log(0.5 * step + 1 / (rate * slope[-1])) - rate * v[-1]
    tail = np.logaddexp.accumulate(piece[::-1])[::-1]
    first = np.log(0.5 * step) - rate * v  # each sum's first point has half the weight
    tail[:-1] = tail[:-1] + np.log1p(-np.exp(first[:-1] - tail[:-1]))
    grown = rate * v + tail
    if grown.max() > 600:
        return np.inf
    difference = np.exp(grown)
    lower = _summed((1 + rate * own * difference) * expit(-s), step)
    return float(lower[-1] + difference[-1])


def flow_time(odds: Odds, level: float = 0.5, points: int = 4001) -> float:
    """The limit of infinite rate: how long the flow `m' = q - m` takes from 1 to `level`, in tau;
    infinity if it rests before."""
    require(0 < level < 1, f"level must lie between 0 and 1, got {level}.")
    m, step = np.linspace(level, 1.0, points, retstep=True)
    speed = m - expit(-odds(m))
    return float(_summed(1 / speed, step)[-1]) if (speed > 0).all() else np.inf


def capacity(odds: Callable[[float], Odds], time: float, rate: float, most: float) -> float:
    """Logarithm of the largest load `count` up to `exp(most)`, of which `odds(count)` are the log
    odds, whose mean time of escape is at least `time`; NaN if that of 2 is shorter.

    An infinite rate stands for the flow.
    """

    def excess(log_count):
        own = odds(np.exp(log_count))
        found = flow_time(own) if np.isinf(rate) else escape_time(own, rate)
        return np.log(min(found, 1e300) / time)

    low = np.log(2.0)
    if excess(low) < 0:
        return np.nan
    return float(brentq(excess, low, most, xtol=1e-6)) if excess(most) < 0 else np.inf


class Fold(NamedTuple):
    """Where memories end: the logarithm of the load, m there, and `coefficient` C of the barrier;
    NaN where F rises up to m = 1/2, so that no fold ends them."""

    load: float
    m: float
    coefficient: float


def fold(shape: Odds) -> Fold:
    """The end of memories with the log odds `L + shape(m)`, over L."""

    def ends(m):
        return -shape(m) - np.log(m / (1 - m))

    m = expit(np.linspace(0, 20, 20_001))
    best = m[np.argmax(ends(m))]
    if best <= 0.5:
        return Fold(float(ends(m[:1])[0]), 0.5, np.nan)
    h = 1e-3 * min(1 - best, best - 0.5)
    near = best + h * np.array([-1.0, 0.0, 1.0])
    bend = -(ends(near) @ np.array([1.0, -2.0, 1.0])) / h**2
    return Fold(float(ends(near)[1]), float(best), float(4 / 3 * np.sqrt(2 / bend)))


def shortfall(coefficient: float, rate: float, log_time: float) -> float:
    """How far below the fold `ln P` is for a barrier of `log_time / rate`, near the fold."""
    require(coefficient > 0 and rate > 0, "coefficient and rate must be positive.")
    return float((log_time / (coefficient * rate)) ** (2 / 3))
