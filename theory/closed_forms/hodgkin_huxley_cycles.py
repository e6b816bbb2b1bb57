"""Spiking cycles of the squid axon at a given period, and the fold where they begin.

A cycle through `v = 0` is a root of `flow(T, (0, m, h, n)) - (0, m, h, n)` in `m, h, n` and the
drive: Newton's method, with the flow's derivatives from the variational equation. Following the
period rather than the drive passes the fold, where the drive is stationary.
"""

from typing import NamedTuple

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from . import hodgkin_huxley as squid
from ._require import require

OPTIONS = dict(method="DOP853", rtol=1e-11, atol=1e-12)


class Cycle(NamedTuple):
    """Drive (uA/cm2), period (ms), state at the upward crossing of 0 mV, multipliers (complex, the
    one nearest to 1 first), and the slopes of `m, h, n` and the drive by the period.
    """

    drive: float
    period: float
    state: np.ndarray
    multipliers: np.ndarray
    tangent: np.ndarray


def _field(state, drive, e_l):
    v, *gates = state
    flux = [up * (1 - x) - down * x for x, (up, down) in zip(gates, squid.rates(v), strict=True)]
    return np.array([drive - squid.ionic(v, *gates, e_l), *flux])


def _jacobian(state):
    """Of the field, in closed form but for the slopes of the rates (a complex step)."""
    v, *gates = state
    m, h, n = gates
    matrix = np.zeros((4, 4))
    matrix[0] = [
        -(120 * m**3 * h + 36 * n**4 + 0.3),
        -360 * m**2 * h * (v - 50),
        -120 * m**3 * (v - 50),
        -144 * n**3 * (v + 77),
    ]
    pairs = zip(gates, squid.rates(v + 1e-30j), strict=True)
    for k, (x, (up, down)) in enumerate(pairs, start=1):
        matrix[k, 0] = (up.imag * (1 - x) - down.imag * x) / 1e-30
        matrix[k, k] = -(up.real + down.real)
    return matrix


def _flow(state, drive, time, e_l):
    """The end of the path and its derivatives: [4, 4] by the state, [4] by the drive."""

    def both(t, y):
        slopes = _jacobian(y[:4]) @ y[4:].reshape(4, 5)
        slopes[0, 4] += 1.0
        return np.concatenate([_field(y[:4], drive, e_l), slopes.ravel()])

    start = np.concatenate([state, np.eye(4, 5).ravel()])
    end = solve_ivp(both, (0, time), start, **OPTIONS).y[:, -1]
    slopes = end[4:].reshape(4, 5)
    return end[:4], slopes[:, :4], slopes[:, 4]


def cycle(period, start, e_l=squid.E_L):
    """The cycle of that period (ms) near `start`, another `Cycle` at `e_l`."""
    require(period > 0, "period must be positive.")
    unknown = np.append(start.state[1:], start.drive) + start.tangent * (period - start.period)
    for _ in range(8):
        state = np.append(0.0, unknown[:3])
        end, by_state, by_drive = _flow(state, unknown[3], period, e_l)
        matrix = np.column_stack([by_state[:, 1:] - np.eye(4)[:, 1:], by_drive])
        step = np.linalg.solve(matrix, state - end)
        unknown = unknown + step
        if np.abs(step).max() < 1e-8:  # it is squared by the next one
            break
    else:
        raise ValueError("no cycle of that period was found from this start.")
    # Along the family, matrix @ d(m, h, n, drive) + field d(period) = 0.
    tangent = np.linalg.solve(matrix, -_field(end, unknown[3], e_l))
    multipliers = np.linalg.eigvals(by_state)
    order = np.argsort(np.abs(multipliers - 1))
    return Cycle(unknown[3], period, np.append(0.0, unknown[:3]), multipliers[order], tangent)


def settled(drive, e_l=squid.E_L, time=300.0):
    """The stable cycle at that drive, from a long path: its last full period, then Newton."""

    def crossing(t, y):
        return y[0]

    crossing.direction = 1
    solution = solve_ivp(
        lambda t, y: _field(y, drive, e_l), (0, time), [0.0, 0.05, 0.5, 0.4], events=crossing,
        rtol=1e-9, atol=1e-9, method="DOP853",
    )  # fmt: skip
    times, states = solution.t_events[0], solution.y_events[0]
    require(times.size > 2 and times[-1] > time - 60, "the axon does not spike on at this drive.")
    period = times[-1] - times[-2]
    return cycle(period, Cycle(drive, period, states[-1], np.ones(4), np.zeros(4)), e_l)


def fold(e_l=squid.E_L):
    """The least drive with a cycle: a stable and an unstable one meet there.

    The search starts a little above, at 6.3 for `e_l = -54.4`; as the leak is linear, another
    `e_l` shifts all drives by 0.3 times the difference.
    """
    last = settled(6.3 - 0.3 * (e_l + 54.4), e_l)
    while last.tangent[3] < 0:
        before, last = last, cycle(last.period + 0.25, last, e_l)
        require(last.period < 25, "the drive does not turn.")

    def slope(period):
        return cycle(period, before, e_l).tangent[3]

    period = brentq(slope, before.period, last.period, xtol=1e-7)
    return cycle(period, before, e_l)
