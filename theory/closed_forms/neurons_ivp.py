"""Spikes of single neurons by `solve_ivp`, restarted at each event: slow and independent.

Each function writes its model out in numpy and returns the spike times up to `t1`. Between spikes
the method is DOP853 at a relative tolerance of 1e-12.
"""

import numpy as np
from scipy.integrate import solve_ivp

from . import hodgkin_huxley as squid

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
            solution = solve_ivp(field, (t, end), y, events=crossing, **TOLERANCE)
            t, y = solution.t[-1], solution.y[:, -1]
            if solution.status == 1:
                times.append(t)
                y = reset(y)
    return np.array(times)


def _adex_field(current, *, c, g_l, e_l, v_t, delta_t, tau_w, a):
    def field(t, y):
        v, w = y
        ion = g_l * (e_l - v) + g_l * delta_t * np.exp((v - v_t) / delta_t)
        return (ion - w + current) / c, (a * (v - e_l) - w) / tau_w

    return field


def adex(current, t1, *, e_l, b, v_reset, v_cut, **cell):
    """Brette & Gerstner (2005), from the leak's reversal and no adaptation."""
    field = _adex_field(current, e_l=e_l, **cell)
    return spike_times(field, v_cut, lambda y: np.array([v_reset, y[1] + b]), [e_l, 0.0], t1)


def adex_spike_map(current, w, *, b, v_reset, v_cut, **cell):
    """From one spike of the same neuron to the next: the adaptation just after it, its slope by `w`
    just after the last one, and the interval.

    A disturbance `(0, 1)` follows the flow's derivative up to the cut, which it meets at another
    time: `w` changes by its second entry less `w' / v'` times its first.
    """
    field = _adex_field(current, **cell)

    def both(t, y):
        # The second half is the derivative of the flow.
        p = cell
        steep = p["g_l"] * (np.exp((y[0] - p["v_t"]) / p["delta_t"]) - 1)
        dv = (steep * y[2] - y[3]) / p["c"]
        return *field(t, y[:2]), dv, (p["a"] * y[2] - y[3]) / p["tau_w"]

    def crossing(t, y):
        return y[0] - v_cut

    crossing.terminal, crossing.direction = True, 1
    start = [v_reset, w, 0.0, 1.0]
    solution = solve_ivp(both, (0, 1e4), start, events=crossing, **TOLERANCE)
    if solution.status != 1:
        raise ValueError("the neuron falls silent: there is no next spike.")
    end = solution.y[:, -1]
    dv, dw = field(0.0, end[:2])
    return end[1] + b, end[3] - dw / dv * end[2], solution.t[-1]


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


hodgkin_huxley_rest = squid.rest


def hodgkin_huxley(current, t1, e_l=squid.E_L):
    """The squid axon of Hodgkin & Huxley (1952) from rest: upward crossings of 0 mV."""

    def field(t, y):
        v, *gates = y
        rates = squid.rates(v)
        flux = [up * (1 - x) - down * x for x, (up, down) in zip(gates, rates, strict=True)]
        return [current - squid.ionic(v, *gates, e_l), *flux]

    def crossing(t, y):
        return y[0]

    crossing.direction = 1
    solution = solve_ivp(field, (0, t1), squid.rest(0.0, e_l), events=crossing, **TOLERANCE)
    return solution.t_events[0]
