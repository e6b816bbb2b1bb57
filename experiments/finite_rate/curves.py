"""Capacities over the rate: what is measured at one size of memory, the law of the same patterns,
and intervals by resampling these patterns."""

from typing import NamedTuple

import numpy as np

from theory.closed_forms import finite_rate

from ..common.memories import on_sphere
from ..common.thresholds import crossing
from . import paths

LEVEL = float(np.exp(-1))  # survival at a time of the mean dwell, if dwells are exponential
WINDOW = 1.2  # of ln P around the law, within which a capacity is fitted
MOST = 9.0  # the largest ln P
COPIES = 4  # paths of a set, where the rate is low
RESAMPLED = 100  # sets of patterns


class Curve(NamedTuple):
    """One kind of memory: `size` units, `beta`, and the largest R tau that is simulated."""

    size: int
    beta: float
    fastest: float

    @property
    def b(self) -> float:
        """The gap of the scores at a pattern."""
        return self.beta * self.size

    @property
    def label(self) -> str:
        """Its name in tables."""
        return f"N = {self.size}, beta = {self.beta:g}"

    def capacity(self, time: float, rate: float) -> float:
        """ln P of the law in the mean over patterns."""
        load = lambda count: finite_rate.on_sphere(self.beta, self.size, count)  # noqa: E731
        return finite_rate.capacity(load, time, rate, MOST)


CURVES = (
    Curve(16, 0.5, 100.0),
    Curve(24, 0.3, 100.0),
    Curve(32, 0.3, 100.0),
    Curve(36, 0.3, 10.0),
    Curve(64, 0.14, 20.0),
)


def loads_of(curve: Curve, rates: np.ndarray, time: float, number: int) -> np.ndarray:
    """Loads that enclose the capacities of the law at all rates."""
    places = np.array([curve.capacity(time, rate) for rate in rates])
    places = places[np.isfinite(places)]
    low = places.min() if len(places) else np.log(2)
    high = places.max() if len(places) else np.log(4)
    loads = np.geomspace(max(2, 0.45 * np.exp(low)), max(6, 1.8 * np.exp(high)), number)
    return np.unique(np.round(loads).astype(int))


def log_odds(patterns: np.ndarray, beta: float, loads: np.ndarray) -> list[list[finite_rate.Odds]]:
    """Log odds [load, set] against the first pattern of each set [set, P, N]."""
    return [[finite_rate.given(own[:n], beta) for own in patterns] for n in loads]


def escape(odds: list[list[finite_rate.Odds]], rate: float, longer: float = 1.0) -> np.ndarray:
    """Mean times of escape [load, set] by the law, in tau, where own spikes take that much longer
    to come; those of the flow at infinite rate."""
    time = (
        finite_rate.flow_time
        if np.isinf(rate)
        else lambda own: finite_rate.escape_time(own, rate, points=3001, longer=longer)
    )
    return np.array([[time(own) for own in row] for row in odds])


def survival(times: np.ndarray, time: float, rate: float) -> np.ndarray:
    """The chance to hold that long, of each mean time of escape; dwells are exponential, but in
    the flow."""
    return (times >= time).astype(float) if np.isinf(rate) else np.exp(-time / times)


def copies(rate: float) -> int:
    """Paths of each set: more where they are short in spikes."""
    return COPIES if rate <= 5 else 1


def measure(
    curve: Curve, number: int, rate: float, loads: np.ndarray, sets: int, time: float, seed: int
) -> dict[str, np.ndarray]:
    """Dwell times and whether the memory was lost [load, set, copy], at one rate."""
    one = paths.by_flow(time) if np.isinf(rate) else paths.by_spikes(rate, time)
    patterns = sets_of(curve, number, loads, sets, seed)
    return paths.swept(patterns, curve.beta, loads, copies(rate), seed + number, one)


def sets_of(curve: Curve, number: int, loads: np.ndarray, sets: int, seed: int) -> np.ndarray:
    """Patterns [set, P, N]: the first ones are those of smaller loads."""
    rng = np.random.default_rng([seed, number])
    return on_sphere(rng, sets, int(loads.max()), curve.size)


class Capacity(NamedTuple):
    """ln P at which a memory holds for the time asked for, `measured` and by `law`, each with
    `RESAMPLED` values of resampled sets."""

    measured: np.ndarray  # [1 + resampled], the first of all sets
    law: np.ndarray


def fitted(loads: np.ndarray, held: np.ndarray, paths_each: int) -> float:
    """ln P where survival, as a power of P in its exponent, is `LEVEL`, from shares `held` [load,
    set] of so many paths, at loads near that. Half a path is added to both outcomes, so that none
    is sure."""
    trials = np.full(len(held), held.shape[1] * paths_each + 1.0)
    try:
        return crossing(loads, held.sum(axis=1) * paths_each + 0.5, trials, LEVEL).place
    except np.linalg.LinAlgError:
        return np.nan


def near(loads: np.ndarray, law: np.ndarray, window: float = WINDOW) -> np.ndarray:
    """Which loads are near the capacity by expected shares [load, set]; none if that is at an end
    of them."""
    best = np.argmin(np.abs(law.mean(axis=1) - LEVEL))
    inside = 0 < best < len(loads) - 1
    return inside & (np.abs(np.log(loads / loads[best])) < window)


def capacity(
    loads: np.ndarray, held: np.ndarray, law: np.ndarray, seed: int, window: float = WINDOW
) -> Capacity:
    """Capacity of measured shares [load, set, copy] and of those expected [load, set], by the same
    fit, near the law's."""
    within = near(loads, law, window)
    if within.sum() < 3:
        nothing = np.full(1 + RESAMPLED, np.nan)
        return Capacity(nothing, nothing)
    rng, (_, sets, each) = np.random.default_rng(seed), held.shape
    rows = [np.arange(sets), *rng.integers(0, sets, (RESAMPLED, sets))]
    measured, by_law = (
        np.array([fitted(loads[within], table[within][:, row], each) for row in rows])
        for table in (held.mean(axis=-1), law)
    )
    return Capacity(measured, by_law)


def law_capacity(loads: np.ndarray, law: np.ndarray) -> float:
    """ln P of expected shares [load, set], by the same fit."""
    within = near(loads, law)
    return fitted(loads[within], law[within], 1) if within.sum() >= 3 else np.nan


def interval(values: np.ndarray) -> np.ndarray:
    """95 % interval of resampled values [..., resampled]; NaN if a tenth of them is not finite."""
    few = np.mean(np.isfinite(values), axis=-1) < 0.9
    with np.errstate(invalid="ignore"):
        ends = np.nanpercentile(np.where(few[..., None], 0.0, values), [2.5, 97.5], axis=-1)
    return np.where(few, np.nan, ends)
