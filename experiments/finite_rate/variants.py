"""What refractory periods, delays and a circuit of leaky neurons do to the capacity."""

from typing import NamedTuple

import numpy as np

from theory.closed_forms import finite_rate

from . import paths
from .curves import Curve, capacity, copies, escape, log_odds, sets_of, survival

CURVE = Curve(24, 0.3, 20.0)
SPELLS = 0.0, 0.5, 2.0  # refractory periods, in mean intervals of spikes; without: the ideal
DELAYS = 0.1, 0.5, 2.0  # tau
MEMBRANE = 0.05  # of circuits, tau


class Group(NamedTuple):
    """Variants of one `kind` at one R tau: a refractory period (in mean intervals of spikes), a
    delay (tau), or the gain of a circuit's inhibitory unit, of each of `values`."""

    kind: str
    rate: float
    values: tuple[float, ...]

    @property
    def label(self) -> str:
        """Its name in what is printed."""
        return f"{self.kind}, R tau = {self.rate:g}"


def groups(rates: tuple[float, ...], gains: tuple[float, ...]) -> list[Group]:
    """All groups; the first of each rate has the ideal memory. Circuits at the first rate."""
    ideal = [Group("refractory", rate, SPELLS) for rate in rates]
    late = [Group("delay", rate, DELAYS) for rate in rates]
    return [*ideal, *late, Group("circuit", rates[0], gains)]


def loads_of(rates: tuple[float, ...], time: float, number: int) -> np.ndarray:
    """Loads from 2 to more than the law's capacity of the ideal memory."""
    high = max(CURVE.capacity(time, rate) for rate in rates)
    return np.unique(np.round(np.geomspace(2, 2.5 * np.exp(high), number)).astype(int))


def _paths(group: Group, time: float):
    """A path of the group, and the values it takes."""
    values = np.asarray(group.values)
    if group.kind == "refractory":
        return paths.by_refractory(group.rate, time), values / group.rate
    if group.kind == "delay":
        return paths.by_late_spikes(group.rate, time), values
    return paths.by_circuit(group.rate, time, MEMBRANE), values


def measure(
    group: Group, loads: np.ndarray, sets: int, time: float, seed: int
) -> dict[str, np.ndarray]:
    """Capacities (ln P) [value, resampled], measured and by the law, which knows of refractory
    periods only: it is that of the ideal memory else."""
    patterns = sets_of(CURVE, 1000, loads, sets, seed)
    one, values = _paths(group, time)
    each = 1 if group.kind == "circuit" else copies(group.rate)
    found = paths.swept(patterns, CURVE.beta, loads, each, seed + 1000, one, values)
    odds = log_odds(patterns, CURVE.beta, loads)
    both = []
    for value, lost in zip(group.values, found["lost"], strict=True):
        longer = finite_rate.wait(value if group.kind == "refractory" else 0.0)
        times = escape(odds, group.rate, longer)
        law = survival(times, time, group.rate)
        both.append(capacity(loads, ~lost, law, seed, window=np.inf))
    measured, by_law = (np.array(column) for column in zip(*both, strict=True))
    return {"measured": measured, "law": by_law, "ok": found["ok"]}
