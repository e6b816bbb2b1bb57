"""Jump processes unit by unit: every unit has a clock of its own, and the first to ring acts.

An oracle for engines that draw the time of the next jump from the total rate: here each unit's
spikes are thinned from a Poisson process of its own (Lewis & Shedler 1979), or drawn anew after
every jump (first reaction: Gillespie 1976, J. Comput. Phys. 22:403).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


def lattice(
    energy: Callable[[np.ndarray], float],
    y0: np.ndarray,
    quantum: float,
    rng: np.random.Generator,
    *,
    t1: float = np.inf,
    temperature: float = 0.0,
    cost: float = 0.0,
) -> tuple[np.ndarray, int]:
    """State at `t1` (or at rest) and number of spikes of units in steps of a quantum, each at the
    rate `1 / (1 + exp((dE + cost) / T))`, at T = 0 at rate 1 where that lowers the energy."""
    y, t, count = np.array(y0, float), 0.0, 0
    while True:
        before, rates = energy(y), np.empty((2, y.size))
        for side, by in enumerate((quantum, -quantum)):
            for unit in range(y.size):
                moved = y.copy()
                moved[unit] += by
                change = energy(moved) - before + cost
                if temperature:
                    rates[side, unit] = 1 / (1 + np.exp(change / temperature))
                else:
                    rates[side, unit] = change < 0
        with np.errstate(divide="ignore"):
            waits = rng.exponential(size=rates.shape) / rates
        t += waits.min()
        if not t < t1:
            return y, count
        side, unit = np.unravel_index(waits.argmin(), waits.shape)
        y[unit] += quantum if side == 0 else -quantum
        count += 1


class Path(NamedTuple):
    """Spikes of memories, the visible state at the end, and the number of visible spikes."""

    times: list[float]
    winners: list[int]
    x: np.ndarray
    heard: int


def memory(
    patterns: np.ndarray,
    beta: float,
    bias: np.ndarray,
    query: np.ndarray,
    rng: np.random.Generator,
    *,
    rate: float,
    t1: float,
    delay: float = 0.0,
    refractory: float = 0.0,
    visible: tuple[float, float] | None = None,
) -> Path:
    """Memory that holds its last winner, `x' = x_z - x` in units of tau: memory mu spikes at `rate`
    times the softmax of `beta (x_mu . x + bias_mu)`, which arrives after `delay`.

    `visible` is the rate of units at |x_i| = 1 and the time constant of their trace, which memories
    see in place of x.
    """
    fast, slow = visible if visible else (0.0, np.inf)
    x, held, trace = (np.array(v, float) for v in (query, query, 0 * query))
    last, heard = np.full(len(patterns), -np.inf), 0
    times, winners = [], []
    top = np.maximum(np.abs(patterns).max(axis=0), np.abs(query))  # no unit is ever larger
    speeds = np.concatenate([np.full(len(patterns), rate), top * fast if visible else []])
    clocks = [(rng.exponential() / speed, who, False) for who, speed in enumerate(speeds)]
    t = 0.0
    while True:
        when, who, arrives = min(clocks)
        clocks.remove((when, who, arrives))
        span = min(when, t1) - t
        x = held + (x - held) * np.exp(-span)
        trace = trace * np.exp(-span / slow)
        t = when
        if t > t1:
            return Path(times, winners, x, heard)
        if arrives:
            held = patterns[who]
            continue
        clocks.append((t + rng.exponential() / speeds[who], who, False))
        if who >= len(patterns):
            unit = who - len(patterns)
            if rng.random() * top[unit] < abs(x[unit]):
                trace[unit] += np.sign(x[unit]) / (fast * slow)
                heard += 1
            continue
        scores = beta * (patterns @ (trace if visible else x) + bias)
        share = np.exp(scores - scores.max())
        if rng.random() < share[who] / share.sum() and t - last[who] >= refractory:
            last[who] = t
            times.append(t)
            winners.append(who)
            clocks.append((t + delay, who, True))
