"""Leaky integrate-and-fire neurons event by event: closed form between spikes, roots by bisection.

The network: `tau dv/dt = -v + drive + s`, `tau_s ds/dt = -s`; where `v` rises through `threshold`
it is set to `reset` and held for `refractory`, and `s` of every target jumps by the weight, at
once or after the connection's delay.
"""

from typing import NamedTuple

import numpy as np


class Events(NamedTuple):
    """Spikes in the order of their times, and the state at the end."""

    times: np.ndarray
    neurons: np.ndarray
    v: np.ndarray
    s: np.ndarray


def rate(drive, tau, threshold=1.0, reset=0.0, refractory=0.0):
    """Spikes per unit of time of one neuron at constant drive: 0 where the drive is too small."""
    drive = np.asarray(drive, float)
    fires = drive > threshold
    safe = np.where(fires, drive, threshold + 1.0)
    period = refractory + tau * np.log((safe - reset) / (safe - threshold))
    return np.where(fires, 1 / period, 0.0)


def _ramp(t, k):
    """`(exp(k t) - 1) / k`, and its limit `t` where `k` vanishes."""
    x = k * t
    small = np.abs(x) < 1e-300
    return t * np.where(small, 1.0, np.expm1(x) / np.where(small, 1.0, x))


def potential(t, v, s, drive, tau, tau_s):
    """The potential a time `t` after it was `v` and the synaptic current `s`, without a spike."""
    k = 1 / tau - 1 / tau_s  # zero at equal time constants, where the current adds s t / tau
    return drive + np.exp(-t / tau) * (v - drive + s / tau * _ramp(t, k))


def _turning_point(v, s, drive, tau, tau_s):
    """When the potential is stationary; `inf` where it never is. There is one such time at most."""
    k = 1 / tau - 1 / tau_s
    with np.errstate(divide="ignore", invalid="ignore"):
        ramp = np.where(s != 0, tau_s * (s + drive - v) / s, np.inf)  # _ramp(t, k) there
        flat = np.abs(k) * np.abs(ramp) < 1e-300
        when = np.where(flat, ramp, np.log1p(k * ramp) / np.where(k == 0, 1.0, k))
    return np.where(np.isfinite(when) & (when > 0), when, np.inf)


def _bisect(value, low, high):
    """Where `value`, negative at `low` and not at `high`, changes sign: to the last bit."""
    while True:
        middle = low + 0.5 * (high - low)
        inside = (middle > low) & (middle < high)
        if not inside.any():
            return high
        above = value(middle) >= 0
        low = np.where(inside & ~above, middle, low)
        high = np.where(inside & above, middle, high)


def _next_spikes(span, v, s, drive, tau, tau_s, threshold, active):
    """The time of each neuron's first crossing within `span`; `inf` where there is none.

    The potential is monotone on each side of its turning point, so the signs at that point and
    at the ends of the span say whether it crosses and bracket the root.
    """

    def excess(t, who=slice(None)):
        return potential(t, v[who], s[who], drive[who], tau[who], tau_s[who]) - threshold[who]

    turn = np.minimum(_turning_point(v, s, drive, tau, tau_s), span)
    low, high, end = np.zeros_like(v), turn, np.full_like(v, span)
    late = (excess(turn) < 0) & (excess(end) >= 0)
    low, high = np.where(late, turn, low), np.where(late, end, high)
    times = np.full_like(v, np.inf)
    who = np.flatnonzero(active & ((excess(turn) >= 0) | late))
    if who.size:
        times[who] = _bisect(lambda t: excess(t, who), low[who], high[who])
    return np.where(active & (v >= threshold), 0.0, times)


def simulate(
    weights,
    drive,
    v0,
    *,
    t1,
    tau,
    tau_s,
    threshold=1.0,
    reset=0.0,
    refractory=0.0,
    s0=0.0,
    delays=None,
    external=(),
):
    """Every spike up to `t1` of the network with `weights` [pre, post], from `v0` and `s0` at 0.

    `delays` [pre, post] of its connections; `external`: (time, jumps of `s` [post]) pairs.
    """
    v = np.array(v0, float)
    drive, tau, tau_s, threshold, reset, refractory, s = (
        np.broadcast_to(np.asarray(x, float), v.shape)
        for x in (drive, tau, tau_s, threshold, reset, refractory, s0)
    )
    now, held_until = 0.0, np.full(v.shape, -np.inf)
    times, neurons = [], []
    arrivals = sorted(((t, tuple(jump)) for t, jump in external), reverse=True)
    while True:
        active = held_until <= now
        release = held_until[~active].min(initial=np.inf)
        arrival = arrivals[-1][0] if arrivals else np.inf
        span = min(t1, release, arrival) - now
        due = _next_spikes(span, v, s, drive, tau, tau_s, threshold, active)
        step = min(span, due.min())
        v = np.where(active, potential(step, v, s, drive, tau, tau_s), v)
        s = s * np.exp(-step / tau_s)
        if step < due.min():
            if t1 <= min(release, arrival):
                return Events(np.array(times), np.array(neurons, int), v, s)
            now = min(release, arrival)
            if arrival <= release:
                s = s + np.array(arrivals.pop()[1])
            continue
        now = now + step
        fired = due == step  # exact ties fire together
        who = np.flatnonzero(fired)
        times += [now] * who.size
        neurons += who.tolist()
        v = np.where(fired, reset, v)
        if delays is None:
            s = s + fired.astype(float) @ weights
        else:
            for pre in who:
                for post in range(v.size):
                    jump = np.zeros(v.size)
                    jump[post] = weights[pre, post]
                    arrivals.append((now + delays[pre, post], tuple(jump)))
            arrivals.sort(reverse=True)
        held_until = np.where(fired & (refractory > 0), now + refractory, held_until)
