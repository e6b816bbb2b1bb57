"""Spikes of single neurons by `solve_ivp`, restarted at each event: slow and independent.

Each function writes its model out in numpy and returns the spike times up to `t1`. Between spikes
the method is DOP853 at a relative tolerance of 1e-12.
"""

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

TOLERANCE = dict(method="DOP853", rtol=1e-12, atol=1e-12)


def spike_times(field, level, reset, y0, t1, jumps=()):
    """When the first entry of the state rises through `level`, where `reset(y)` replaces it.

    `field(t, y)` may jump at the times `jumps`.
    """
    t, y, times = 0.0, np.array(y0, float), []

    def crossing(t, y):
        return y[0] - level

    crossing.terminal, crossing.direction = True, 1
    for end in [*(x for x in jumps if x < t1), t1]:
        while t < end:
            found = solve_ivp(field, (t, end), y, events=crossing, **TOLERANCE)
            t, y = found.t[-1], found.y[:, -1]
            if found.status == 1:
                times.append(t)
                y = reset(y)
    return np.array(times)


def adex(current, t1, *, c, g_l, e_l, v_t, delta_t, tau_w, a, b, v_reset, v_cut):
    """Brette & Gerstner (2005), from the leak's reversal and no adaptation."""

    def field(t, y):
        v, w = y
        ion = g_l * (e_l - v) + g_l * delta_t * np.exp((v - v_t) / delta_t)
        return (ion - w + current) / c, (a * (v - e_l) - w) / tau_w

    return spike_times(field, v_cut, lambda y: np.array([v_reset, y[1] + b]), [e_l, 0.0], t1)


def izhikevich(current, t1, *, a, b, c, d, v0, u0, v_peak=30.0, jumps=()):
    """Izhikevich (2003); `current` is a function of the time that jumps at `jumps`."""

    def field(t, y):
        v, u = y
        return (0.04 * v + 5) * v + 140 - u + current(t), a * (b * v - u)

    return spike_times(field, v_peak, lambda y: np.array([c, y[1] + d]), [v0, u0], t1, jumps)


def izhikevich2007(current, t1, *, capacitance, k, v_r, v_t, a, recovery, c, d, v_peak):
    """Izhikevich (2007), from rest; `recovery(v)` is what `u` relaxes to."""

    def field(t, y):
        v, u = y
        dv = (k * (v - v_r) * (v - v_t) - u + current) / capacitance
        return dv, a * (recovery(v) - u)

    return spike_times(field, v_peak, lambda y: np.array([c, y[1] + d]), [v_r, 0.0], t1)


def _gates(v):
    """Opening and closing rates of m, h, n (per ms)."""
    return (
        (0.1 * (v + 40) / (1 - np.exp(-(v + 40) / 10)), 4 * np.exp(-(v + 65) / 18)),
        (0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))),
        (0.01 * (v + 55) / (1 - np.exp(-(v + 55) / 10)), 0.125 * np.exp(-(v + 65) / 80)),
    )


def _membrane(v, m, h, n):
    """The ionic current (uA/cm2)."""
    return 120 * m**3 * h * (v - 50) + 36 * n**4 * (v + 77) + 0.3 * (v + 54.387)


def hodgkin_huxley_rest():
    """`v, m, h, n` where nothing moves, without current."""

    def steady(v):
        return [opening / (opening + closing) for opening, closing in _gates(v)]

    v = brentq(lambda v: _membrane(v, *steady(v)), -70.0, -60.0, xtol=1e-13, rtol=1e-14)
    return np.array([v, *steady(v)])


def hodgkin_huxley(current, t1):
    """The squid axon of Hodgkin & Huxley (1952) from rest: upward crossings of 0 mV."""

    def field(t, y):
        v, *gates = y
        rates = [up * (1 - x) - down * x for x, (up, down) in zip(gates, _gates(v), strict=True)]
        return [current - _membrane(v, *gates), *rates]

    def crossing(t, y):
        return y[0]

    crossing.direction = 1
    found = solve_ivp(field, (0, t1), hodgkin_huxley_rest(), events=crossing, **TOLERANCE)
    return found.t_events[0]
