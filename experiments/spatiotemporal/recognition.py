"""Patterns of spikes recognised: by detectors of coincidences, and by the delay-lifted memory."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from bpcjax.energies import DelayHopfield
from theory.closed_forms import coincidence

from . import coincidences as events

WIDTH = 0.05  # of the coincidence window, half, in windows
DAMAGE = {  # levels of each kind; the fixed rest of the damage
    "jitter": (np.array([0.0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08]), {"deletion": 0.2}),
    "deletion": (np.array([0.0, 0.15, 0.3, 0.4, 0.5, 0.6, 0.7]), {"jitter": 0.02}),
    "insertion": (
        np.array([0.0, 0.5, 1.0, 2.0, 4.0, 6.0, 8.0]), {"jitter": 0.05, "deletion": 0.4}
    ),
    "warp": (np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]), {"jitter": 0.01}),
}  # fmt: skip
ALARM = 6  # units, of the false alarms at one instant: with more there are few to be counted
LOADS, JITTER = 8, 0.03  # where patterns are counted


@dataclasses.dataclass(frozen=True)
class Detectors:
    """Detectors of patterns of so many units, a `share` of which has to coincide."""

    units: int
    share: float

    @property
    def threshold(self) -> int:
        """Units that have to coincide."""
        return round(self.share * self.units)


@dataclasses.dataclass(frozen=True)
class Lifted:
    """Delay-lifted memory of so many rasters, of `units` with delay lines of so many `steps`, their
    spikes smoothed by a Gaussian of `spread` windows."""

    rasters: int
    units: int
    steps: int
    spread: float
    beta: float

    def energy(self, stored: np.ndarray) -> DelayHopfield:
        """The memory of patterns [P, N]."""
        rasters = events.raster(stored[..., None], self.steps, self.spread)
        return DelayHopfield(rasters, self.beta)


def _damaged(rng, times, kind: str, level: float) -> np.ndarray:
    """Spikes [..., N, K] of patterns [..., N], at that level of one kind of damage."""
    damage = {**DAMAGE[kind][1], kind: level}
    extra = damage.pop("insertion", 0.0)
    own = events.spoil(rng, times, **damage)[..., None]
    if extra == 0:
        return own
    return np.concatenate([own, events.inserted(rng, times.shape, extra)], axis=-1)


def misses(detectors: Detectors, trials: int, seed: int) -> dict[str, np.ndarray]:
    """Trials in which too few units come together at the pattern's own time, and in which too
    many of another pattern do; the exact chances of both."""
    units, threshold = detectors.units, detectors.threshold
    names = "missed", "miss_law", "alarms", "alarm_law"
    result = {name: np.zeros((len(DAMAGE), 7)) for name in names}
    for row, (kind, (levels, fixed)) in enumerate(DAMAGE.items()):
        for column, level in enumerate(levels):
            rng = np.random.default_rng([seed, row, column])
            times = rng.random((trials, units))
            spikes = _damaged(rng, times, kind, level)
            other = rng.random(times.shape)
            own, false = (events.hits(spikes, target, WIDTH) for target in (times, other))
            damage = {**fixed, kind: level}
            deletion, insertion = (damage.get(name, 0.0) for name in ("deletion", "insertion"))
            chance = coincidence.hit(WIDTH, **damage)
            by_accident = coincidence.false_hit(WIDTH, deletion, insertion)
            cells = (
                (own < threshold).sum(),
                coincidence.miss(units, threshold, chance),
                (false >= ALARM).sum(),
                coincidence.false_alarm(units, ALARM, by_accident),
            )
            for name, value in zip(names, cells, strict=True):
                result[name][row, column] = value
    return result


def count_patterns(
    detectors: Detectors, patterns: int, shown: int, seed: int
) -> dict[str, np.ndarray]:
    """Patterns shown, jittered and late, to their own detectors and to those of ever more others,
    at all shifts: how many were named rightly, and all false alarms."""
    size, threshold = detectors.units, detectors.threshold
    rng = np.random.default_rng([seed, 100, size])
    most = int(min(patterns, 8 * coincidence.capacity(size, threshold, WIDTH)))
    loads = np.unique(np.geomspace(2, most, LOADS).astype(int))
    right, rises, alarmed = np.zeros(len(loads), int), 0, 0
    for _ in range(shown):
        own = rng.random(size)
        spikes = events.spoil(rng, own, jitter=JITTER, shift=rng.random())
        above, up = events.searched(rng, spikes, most - 1, WIDTH, threshold)
        rises, alarmed = rises + int(up.sum()), alarmed + int(above.sum())
        first = int(np.argmax(above)) if above.any() else most
        hit = events.entries((spikes - own) % 1.0, WIDTH).max() >= threshold
        right += hit & (loads - 1 <= first)
    law = coincidence.recall(loads, size, threshold, WIDTH, coincidence.hit(WIDTH, JITTER))
    columns = np.full((3, LOADS), np.nan)
    columns[:, : len(loads)] = loads, right, law
    numbers = {
        "rises": rises,
        "alarmed": alarmed,
        "searched": shown * (most - 1),
        "crossings": coincidence.crossings(size, threshold, WIDTH),
        "clumps": coincidence.clumps(size, threshold, WIDTH),
    }
    result = dict(zip(("stored", "right", "recall_law"), columns, strict=True))
    return result | {name: np.array(float(value)) for name, value in numbers.items()}


@eqx.filter_jit
def _match(memory: DelayHopfield, queries: jax.Array):
    return jax.vmap(memory.match)(queries)


def recognise(lifted: Lifted, recalls: int, seed: int) -> dict[str, np.ndarray]:
    """Rasters, damaged and late, of which the delay-lifted memory names the memory, and the shift
    within one step, too; by kind and level of damage."""
    steps = lifted.steps
    rng = np.random.default_rng([seed, 400])
    stored = rng.random((lifted.rasters, lifted.units))
    memory = lifted.energy(stored)
    result = {name: np.zeros((len(DAMAGE), 7)) for name in ("named", "timed")}
    for row, (kind, (levels, _)) in enumerate(DAMAGE.items()):
        for column, level in enumerate(levels):
            target = rng.integers(0, lifted.rasters, recalls)
            late = rng.integers(0, steps, recalls)
            spikes = _damaged(rng, stored[target], kind, level)
            spikes = (spikes + late[:, None, None] / steps) % 1.0
            match = _match(memory, jnp.asarray(events.raster(spikes, steps, lifted.spread)))
            right = np.asarray(match.memory) == target
            off = events.distance(np.asarray(match.shift) / steps, late / steps)
            result["named"][row, column] = right.sum()
            result["timed"][row, column] = (right & (off < 1.5 / steps)).sum()
    return result
