"""How well are patterns of spikes in space and time recalled, and how many of them?

Units spike once in a window, at random times. Three memories of such patterns:

- detectors: each memory delays its units so that they coincide, and fires where enough of them
  do. Jitter, deletion, insertion and a warp of time against two binomial tails, with nothing
  fitted; false alarms at one instant and over a window; how many patterns can be told apart;
- the delay-lifted modern memory over smoothed rasters: which memory, and when;
- the same memory with spikes: each one a draw of a memory and of its time, replayed.

And sequences of spin patterns: the chance that a unit of a transition is wrong, against Chaudhry's
normal law and the exact one; and the functional of Herz, Li & van Hemmen over time, with delays
that are symmetric and with delays that are not.

    python -m experiments.spatiotemporal             # results/spatiotemporal.zarr and a picture
    python -m experiments.spatiotemporal --quick     # fewer trials and patterns
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.stats import norm

from bpcjax.energies import DelayHopfield
from theory.closed_forms import coincidence

from ..common import InputError, study
from ..common.statistics import wilson
from ..common.study import Parts
from ..common.thresholds import crossing
from . import chains, coincidences as events
from .replay import SHOWN, replay

NAME = "spatiotemporal"
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
class Config(study.Config):
    """Recall of patterns of spikes in space and time."""

    units: int = 30
    """Of the patterns whose damage is measured."""
    share: float = 0.4
    """Of the units, that have to coincide."""
    trials: int = 4000
    """At each level of damage."""
    sizes: tuple[int, ...] = (20, 30, 40)
    """Units, where patterns are counted."""
    patterns: int = 20_000
    """At most."""
    shown: int = 200
    """Patterns shown to them, for each size."""
    rasters: int = 64
    """Patterns in the delay-lifted memory."""
    steps: int = 50
    """Of its delay lines."""
    spread: float = 0.02
    """Of the smoothed spikes, in windows."""
    beta: float = 2.0
    """Of the delay-lifted memory."""
    recalls: int = 400
    """Rasters shown to it, at each level."""
    transitions: int = 400_000
    """Units of transitions of sequences, at each load, at least."""
    wholes: int = 600
    """Sequences at each load, of which every transition is asked for."""
    seed: int = 0
    """Of everything."""

    @property
    def threshold(self) -> int:
        """Units that have to coincide."""
        return round(self.share * self.units)


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    for name, least in (
        ("units", 5), ("trials", 100), ("patterns", 100), ("shown", 10), ("rasters", 2),
        ("steps", 4), ("recalls", 20), ("transitions", 1000), ("wholes", 10),
    ):  # fmt: skip
        if getattr(config, name) < least:
            raise InputError(f"{name} must be at least {least}, got {getattr(config, name)}.")
    if not config.sizes or min(config.sizes) < 5:
        raise InputError(f"sizes must be numbers of units of 5 or more, got {config.sizes}.")
    if not 2.5 * WIDTH < config.share < 1:
        raise InputError(f"share must be between {2.5 * WIDTH} and 1, got {config.share}.")
    for name in ("spread", "beta"):
        if not 0 < getattr(config, name) < np.inf:
            raise InputError(f"{name} must be positive, got {getattr(config, name)}.")
    if config.quick:
        small = {
            "trials": 1000, "patterns": 2000, "shown": 60, "recalls": 100, "transitions": 40_000,
            "wholes": 60, "rasters": 32,
        }  # fmt: skip
        fewer = {name: min(getattr(config, name), most) for name, most in small.items()}
        config = dataclasses.replace(config, **fewer)
    return config


def _damaged(config: Config, rng, times, kind: str, level: float):
    """Spikes [..., N, K] of patterns [..., N], at that level of one kind of damage."""
    rest = {**DAMAGE[kind][1], kind: level}
    extra = rest.pop("insertion", 0.0)
    own = events.spoil(rng, times, **rest)[..., None]
    if extra == 0:
        return own
    return np.concatenate([own, events.inserted(rng, times.shape, extra)], axis=-1)


def misses(config: Config) -> dict[str, np.ndarray]:
    """Trials in which too few units come together at the pattern's own time, and in which too
    many of another pattern do; the exact chances of both."""
    shape = len(DAMAGE), 7
    found = {name: np.zeros(shape) for name in ("missed", "miss_law", "alarms", "alarm_law")}
    for row, (kind, (levels, rest)) in enumerate(DAMAGE.items()):
        for column, level in enumerate(levels):
            rng = np.random.default_rng([config.seed, row, column])
            times = rng.random((config.trials, config.units))
            spikes = _damaged(config, rng, times, kind, level)
            due, other = times, rng.random(times.shape)
            full = {**rest, kind: level}
            for name, target in (("missed", due), ("alarms", other)):
                count = events.hits(spikes, target, WIDTH)
                wrong = count < config.threshold if name == "missed" else count >= ALARM
                found[name][row, column] = wrong.sum()
            chance = coincidence.hit(WIDTH, **full)
            found["miss_law"][row, column] = coincidence.miss(
                config.units, config.threshold, chance
            )
            by_accident = coincidence.false_hit(
                WIDTH, full.get("deletion", 0.0), full.get("insertion", 0.0)
            )
            found["alarm_law"][row, column] = coincidence.false_alarm(
                config.units, ALARM, by_accident
            )
    return found


def counted(config: Config, size: int) -> dict[str, np.ndarray]:
    """Patterns shown, jittered and late, to their own detectors and to those of ever more others,
    at all shifts: how many were named rightly, and all false alarms."""
    rng = np.random.default_rng([config.seed, 100, size])
    threshold = round(config.share * size)
    most = int(min(config.patterns, 8 * coincidence.capacity(size, threshold, WIDTH)))
    loads = np.unique(np.geomspace(2, most, LOADS).astype(int))
    right, rises, alarmed = np.zeros(len(loads), int), 0, 0
    for _ in range(config.shown):
        own = rng.random(size)
        spikes = events.spoil(rng, own, jitter=JITTER, shift=rng.random())
        above, up = events.searched(rng, spikes, most - 1, WIDTH, threshold)
        rises, alarmed = rises + int(up.sum()), alarmed + int(above.sum())
        first = int(np.argmax(above)) if above.any() else most
        hit = events.entries((spikes - own) % 1.0, WIDTH).max() >= threshold
        right += hit & (loads - 1 <= first)
    law = coincidence.recall(loads, size, threshold, WIDTH, coincidence.hit(WIDTH, JITTER))
    found = np.full((3, LOADS), np.nan)
    found[:, : len(loads)] = loads, right, law
    numbers = {"rises": rises, "alarmed": alarmed, "searched": config.shown * (most - 1)}
    numbers |= {"crossings": coincidence.crossings(size, threshold, WIDTH)}
    numbers |= {"clumps": coincidence.clumps(size, threshold, WIDTH)}
    named = dict(zip(("stored", "right", "recall_law"), found, strict=True))
    return named | {name: np.array(float(value)) for name, value in numbers.items()}


def lifted(config: Config) -> dict[str, np.ndarray]:
    """Rasters, damaged and late, of which the delay-lifted memory names the memory, and the shift
    within one step, too; by kind and level of damage."""
    rng = np.random.default_rng([config.seed, 400])
    stored = rng.random((config.rasters, config.units))
    memory = DelayHopfield(
        events.raster(stored[..., None], config.steps, config.spread), config.beta
    )

    @eqx.filter_jit
    def match(memory, queries):
        return jax.vmap(memory.match)(queries)

    found = {name: np.zeros((len(DAMAGE), 7)) for name in ("named", "timed")}
    for row, (kind, (levels, _)) in enumerate(DAMAGE.items()):
        for column, level in enumerate(levels):
            target = rng.integers(0, config.rasters, config.recalls)
            late = rng.integers(0, config.steps, config.recalls)
            spikes = _damaged(config, rng, stored[target], kind, level)
            spikes = (spikes + late[:, None, None] / config.steps) % 1.0
            rasters = events.raster(spikes, config.steps, config.spread)
            got = match(memory, jnp.asarray(rasters))
            right = np.asarray(got.memory) == target
            off = events.distance(np.asarray(got.shift) / config.steps, late / config.steps)
            found["named"][row, column] = right.sum()
            found["timed"][row, column] = (right & (off < 1.5 / config.steps)).sum()
    return found


def sequences(config: Config, chain: chains.Chain) -> dict[str, np.ndarray]:
    """Wrong units and right transitions over the length of the sequence, and the laws."""
    rng = np.random.default_rng([config.seed, 500, chain.order, chain.size])
    loads = chain.loads(LOADS)
    rows = []
    for n in loads:
        if chain.whole:
            nothing = np.nan, np.nan
            seen = *nothing, *chains.whole_sequences(rng, chain, int(n), config.wholes)
        else:
            seen = chains.transitions(rng, chain, int(n), config.transitions)
        rows.append((*seen, *chains.laws(chain, int(n))))
    names = "wrong", "wrong_error", "right_chain", "tried", "unit_law", "unit_normal"
    found = dict(zip(names, np.array(rows, float).T, strict=True))
    place = crossing(loads, found["right_chain"], found["tried"], chain.level)
    return found | {
        "length": loads.astype(float), "chain_law": np.array(chain.law),
        "chain_capacity": np.array(np.exp(place.place)), "chain_error": np.array(place.error),
    }  # fmt: skip


def _named(order: int, size: int, whole: bool) -> str:
    return f"power {order}, {size} units" + (", whole" if whole else "")


def run(config: Config, parts: Parts) -> xr.Dataset:
    """Counts of every part, with the laws they are held against.

    **Raises:** `InputError` naming an argument that makes no sense.
    """
    config = check(config)
    damage = parts("detectors, damaged patterns", lambda: misses(config))
    number = [parts(f"detectors, {n} units", lambda n=n: counted(config, n)) for n in config.sizes]
    rasters = parts("delay-lifted memory", lambda: lifted(config))
    every = [
        chains.Chain(order, n, whole)
        for whole in (False, True)
        for order, sizes in chains.ORDERS.items()
        for n in sizes
    ]
    steps = [
        parts(f"sequences, {_named(c.order, c.size, c.whole)}", lambda c=c: sequences(config, c))
        for c in every
    ]
    cycles = parts("cycles with delays", lambda: chains.functional(config.seed))
    shown = parts("replay", lambda: replay(config.seed, WIDTH))
    cell = "damage", "level"
    variables: dict[str, tuple] = {name: (cell, value) for name, value in damage.items()}
    variables |= {name: (cell, value) for name, value in rasters.items()}
    variables["strength"] = cell, np.array([levels for levels, _ in DAMAGE.values()])
    for name in number[0]:
        value = np.array([part[name] for part in number])
        variables[name] = ("size", "load_step")[: value.ndim], value
    for name in steps[0]:
        value = np.array([part[name] for part in steps])
        variables[name] = ("chain", "length_step")[: value.ndim], value
    variables |= {name: (("start", "time"), value) for name, value in cycles.items()}
    for name, value in shown.items():
        variables[f"replay_{name}"] = [f"replay_{name}_{k}" for k in range(value.ndim)], value
    coords = {
        "damage": list(DAMAGE), "size": list(config.sizes),
        "order": ("chain", [c.order for c in every]), "units": ("chain", [c.size for c in every]),
        "whole": ("chain", [c.whole for c in every]),
    }  # fmt: skip
    attrs = {
        "trials": config.trials, "units_damaged": config.units, "threshold": config.threshold,
        "alarm": ALARM, "shown": config.shown, "recalls": config.recalls, "width": WIDTH,
        "rasters": config.rasters,
    }  # fmt: skip
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def simultaneous(points: int) -> float:
    """The normal quantile of intervals that all hold at once with 95 %, by Bonferroni."""
    return float(norm.isf(0.025 / points))


def inside(counts: np.ndarray, trials: np.ndarray, law: np.ndarray, z: float) -> int:
    """At how many points the law lies in Wilson's interval of the counts."""
    good = 0
    for k, n, value in zip(*map(np.ravel, np.broadcast_arrays(counts, trials, law)), strict=True):
        low, high = wilson(int(k), int(n), z)
        good += bool(low - 1e-12 <= value <= high + 1e-12)
    return good


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The laws against the counts, and what the memories achieve."""
    result: dict[str, float] = {}
    exact = {
        "misses": (dataset.missed, dataset.attrs["trials"], dataset.miss_law),
        "false alarms at an instant": (dataset.alarms, dataset.attrs["trials"], dataset.alarm_law),
    }
    for name, (counts, trials, law) in exact.items():
        points = counts.size
        seen, tried, known = (np.asarray(x, float) for x in (counts, trials, law))
        for label, z in (("95 %", 1.959963984540054), ("joint 95 %", simultaneous(points))):
            result[f"{name}: law in {label} interval"] = float(inside(seen, tried, known, z))
        result[f"{name}: points"] = float(points)
    wrong = dataset.wrong * dataset.tried * dataset.units
    away = (np.abs(dataset.wrong - dataset.unit_law) / dataset.wrong_error).where(wrong >= 30)
    result["wrong units of transitions: points with 30 or more"] = float((away >= 0).sum())
    result["wrong units of transitions: exact law within 3 errors"] = float((away < 3).sum())
    for k, n in enumerate(dataset["size"].values):
        one = dataset.isel(size=k)
        result[f"{n} units: false alarms over the exact mean"] = float(
            one.rises / (one.searched * one.crossings)
        )
        result[f"{n} units: memories alarmed over the bound"] = float(
            one.alarmed / (one.searched * one.crossings)
        )
        result[f"{n} units: false alarms expected"] = float(one.searched * one.crossings)
    for k in range(dataset.sizes["chain"]):
        one = dataset.isel(chain=k)
        name = _named(int(one.order), int(one.units), bool(one.whole))
        label = f"sequences, {name}"
        result[f"{label}: capacity over law"] = float(one.chain_capacity / one.chain_law)
        result[f"{label}: standard error"] = float(
            one.chain_error * one.chain_capacity / one.chain_law
        )
    for order in dict.fromkeys(dataset.order.values):
        own = dataset.isel(chain=np.flatnonzero((dataset.order.values == order) & ~dataset.whole))
        for name in ("chain_capacity", "chain_law"):
            slope = np.polyfit(np.log(own.units), np.log(own[name]), 1)[0]
            result[f"sequences, power {order}: slope of {name}"] = float(slope)
    for name in ("symmetric", "unsymmetric"):
        rise = dataset[name].diff("time").max()
        result[f"cycles, {name} delays: largest rise of the functional"] = float(rise)
    last = dataset.replay_spike_memory.values[len(dataset.replay_spike_memory) // 2 :]
    result["replay: late spikes of the memory shown"] = float((last == SHOWN).mean())
    for damage in dataset.damage.values:
        share = dataset.named.sel(damage=damage) / dataset.attrs["recalls"]
        result[f"delay-lifted, {damage}: named, least damage"] = float(share[0])
        result[f"delay-lifted, {damage}: named, most damage"] = float(share[-1])
    return {name: value for name, value in result.items() if np.isfinite(value)}


def _figure():
    from figures import spatiotemporal

    return spatiotemporal


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)
