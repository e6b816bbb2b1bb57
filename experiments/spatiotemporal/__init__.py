"""How well are patterns of spikes in space and time recalled, and how many of them?

Units spike once in a window, at random times. Three memories of such patterns:

- detectors: each memory delays its units so that they coincide, and fires where enough of them
  do. Jitter, deletion, insertion and a warp of time against two binomial tails, with nothing
  fitted; false alarms at one instant and over a window; how many patterns can be told apart;
- the delay-lifted modern memory over smoothed rasters: which memory, and when;
- the same memory with spikes: each one a draw of a memory and of its time, replayed.

And sequences of spin patterns: the chance that a unit of a transition is wrong, against Chaudhry's
normal law and the exact one; and the functional of Herz, Li & van Hemmen over time, with delays
that are symmetric and with delays that are not. The law of whole sequences is one of large N and of
normal crosstalk: at power 2, up to 200 units, it promises a fifth to a half more than they hold.

    python -m experiments.spatiotemporal             # results/spatiotemporal.zarr and a picture
    python -m experiments.spatiotemporal --quick     # fewer trials and patterns
"""

import dataclasses

import numpy as np
import xarray as xr

from ..common import study
from ..common.statistics import inside, joint_level
from ..common.study import Parts, setting
from ..common.thresholds import crossing
from . import chains
from .recognition import ALARM, DAMAGE, WIDTH, Detectors, Lifted, count_patterns, misses, recognise
from .replay import SHOWN, replay

LOADS = 8  # where sequences are counted


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Recall of patterns of spikes in space and time."""

    units: int = setting(30, least=5)
    """Of the patterns whose damage is measured."""
    share: float = setting(0.4, above=2.5 * WIDTH, below=1)
    """Of the units, that have to coincide."""
    trials: int = setting(4000, least=100, quick=1000)
    """At each level of damage."""
    sizes: tuple[int, ...] = setting((20, 30, 40), least=5)
    """Units, where patterns are counted."""
    patterns: int = setting(20_000, least=100, quick=2000)
    """At most."""
    shown: int = setting(200, least=10, quick=60)
    """Patterns shown to them, for each size."""
    rasters: int = setting(64, least=2, quick=32)
    """Patterns in the delay-lifted memory."""
    steps: int = setting(50, least=4)
    """Of its delay lines."""
    spread: float = setting(0.02, above=0)
    """Of the smoothed spikes, in windows."""
    beta: float = setting(2.0, above=0)
    """Of the delay-lifted memory."""
    recalls: int = setting(400, least=20, quick=100)
    """Rasters shown to it, at each level."""
    transitions: int = setting(400_000, least=1000, quick=40_000)
    """Units of transitions of sequences, at each load, at least."""
    wholes: int = setting(600, least=10, quick=60)
    """Sequences at each load, of which every transition is asked for."""
    seed: int = 0
    """Of everything."""

    @property
    def detectors(self) -> Detectors:
        """What coincidences are looked for."""
        return Detectors(self.units, self.share)

    @property
    def lifted(self) -> Lifted:
        """The delay-lifted memory."""
        return Lifted(self.rasters, self.units, self.steps, self.spread, self.beta)


def sequences(config: Config, chain: chains.Chain) -> dict[str, np.ndarray]:
    """Wrong units and right transitions over the length of the sequence, and the laws."""
    rng = np.random.default_rng([config.seed, 500, chain.order, chain.size])
    loads = chain.loads(LOADS)
    rows = []
    for n in map(int, loads):
        if chain.whole:
            counts = np.nan, np.nan, *chains.whole_sequences(rng, chain, n, config.wholes)
        else:
            counts = chains.transitions(rng, chain, n, config.transitions)
        rows.append((*counts, *chains.laws(chain, n)))
    names = "wrong", "wrong_error", "right_chain", "chain_trials", "unit_law", "unit_normal"
    columns = dict(zip(names, np.array(rows, float).T, strict=True))
    place = crossing(loads, columns["right_chain"], columns["chain_trials"], chain.level)
    return columns | {
        "length": loads.astype(float), "chain_law": np.array(chain.law),
        "chain_capacity": np.array(np.exp(place.place)), "chain_error": np.array(place.error),
    }  # fmt: skip


def _columns(rows: list[dict[str, np.ndarray]], *dims: str) -> dict[str, tuple]:
    """Variables of parts that are stacked on the first dimension."""
    stacks = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {name: (dims[: values.ndim], values) for name, values in stacks.items()}


def run(config: Config, parts: Parts) -> xr.Dataset:
    """Counts of every part, with the laws they are held against."""
    seed, detectors, lifted = config.seed, config.detectors, config.lifted
    damage = parts("detectors, damaged patterns", lambda: misses(detectors, config.trials, seed))
    number = [
        parts(
            f"detectors, {own.units} units",
            lambda own=own: count_patterns(own, config.patterns, config.shown, seed),
        )
        for own in (Detectors(n, config.share) for n in config.sizes)
    ]
    rasters = parts("delay-lifted memory", lambda: recognise(lifted, config.recalls, seed))
    every = [
        chains.Chain(order, n, whole)
        for whole in (False, True)
        for order, sizes in chains.ORDERS.items()
        for n in sizes
    ]
    steps = [parts(f"sequences, {c.name}", lambda c=c: sequences(config, c)) for c in every]
    cycles = parts("cycles with delays", lambda: chains.functional(seed))
    example = parts("replay", lambda: replay(seed, WIDTH))
    cell = "damage", "level"
    variables: dict[str, tuple] = {name: (cell, x) for name, x in (damage | rasters).items()}
    variables["strength"] = cell, np.array([levels for levels, _ in DAMAGE.values()])
    variables |= _columns(number, "size", "load_step") | _columns(steps, "chain", "length_step")
    variables |= {name: (("start", "time"), value) for name, value in cycles.items()}
    for name, value in example.items():
        variables[f"replay_{name}"] = [f"replay_{name}_{k}" for k in range(value.ndim)], value
    coords = {
        "damage": list(DAMAGE), "size": list(config.sizes),
        "order": ("chain", [c.order for c in every]), "units": ("chain", [c.size for c in every]),
        "whole": ("chain", [c.whole for c in every]),
    }  # fmt: skip
    attrs = {
        "trials": config.trials, "units_damaged": config.units, "threshold": detectors.threshold,
        "alarm": ALARM, "shown": config.shown, "recalls": config.recalls, "width": WIDTH,
        "rasters": config.rasters,
    }  # fmt: skip
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The laws against the counts, and what the memories achieve."""
    result = {
        **_instants(dataset),
        **_transitions(dataset),
        **_windows(dataset),
        **_sequences(dataset),
        **_recalls(dataset),
    }
    return {name: value for name, value in result.items() if np.isfinite(value)}


def _instants(dataset: xr.Dataset) -> dict[str, float]:
    result: dict[str, float] = {}
    exact = {
        "misses": (dataset.missed, dataset.miss_law),
        "false alarms at an instant": (dataset.alarms, dataset.alarm_law),
    }
    for name, (counts, law) in exact.items():
        for label, level in (("95 %", 0.95), ("joint 95 %", joint_level(counts.size))):
            holds = inside(counts.values, dataset.attrs["trials"], law.values, level)
            result[f"{name}: law in {label} interval"] = float(holds)
        result[f"{name}: points"] = float(counts.size)
    return result


def _transitions(dataset: xr.Dataset) -> dict[str, float]:
    wrong = dataset.wrong * dataset.chain_trials * dataset.units
    away = (np.abs(dataset.wrong - dataset.unit_law) / dataset.wrong_error).where(wrong >= 30)
    return {
        "wrong units of transitions: points with 30 or more": float((away >= 0).sum()),
        "wrong units of transitions: exact law within 3 errors": float((away < 3).sum()),
    }


def _windows(dataset: xr.Dataset) -> dict[str, float]:
    """False alarms of detectors at any shift."""
    result: dict[str, float] = {}
    for k, n in enumerate(dataset["size"].values):
        one = dataset.isel(size=k)
        expected = float(one.searched * one.crossings)
        result[f"{n} units: false alarms over the exact mean"] = float(one.rises) / expected
        result[f"{n} units: memories alarmed over the bound"] = float(one.alarmed) / expected
        result[f"{n} units: false alarms expected"] = expected
    return result


def _sequences(dataset: xr.Dataset) -> dict[str, float]:
    result: dict[str, float] = {}
    for k in range(dataset.sizes["chain"]):
        one = dataset.isel(chain=k)
        chain = chains.Chain(int(one.order), int(one.units), bool(one.whole))
        ratio = float(one.chain_capacity / one.chain_law)
        result[f"sequences, {chain.name}: capacity over law"] = ratio
        result[f"sequences, {chain.name}: standard error"] = float(one.chain_error) * ratio
    for order in dict.fromkeys(dataset.order.values):
        own = dataset.isel(chain=np.flatnonzero((dataset.order.values == order) & ~dataset.whole))
        for name in ("chain_capacity", "chain_law"):
            slope = np.polyfit(np.log(own.units), np.log(own[name]), 1)[0]
            result[f"sequences, power {order}: slope of {name}"] = float(slope)
    for name in ("symmetric", "unsymmetric"):
        rise = dataset[name].diff("time").max()
        result[f"cycles, {name} delays: largest rise of the functional"] = float(rise)
    return result


def _recalls(dataset: xr.Dataset) -> dict[str, float]:
    """The memories that name a pattern: by replayed spikes, and by the delay-lifted energy."""
    last = dataset.replay_spike_memory.values[len(dataset.replay_spike_memory) // 2 :]
    result = {"replay: late spikes of the memory shown": float((last == SHOWN).mean())}
    for damage in dataset.damage.values:
        share = dataset.named.sel(damage=damage) / dataset.attrs["recalls"]
        result[f"delay-lifted, {damage}: named, least damage"] = float(share[0])
        result[f"delay-lifted, {damage}: named, most damage"] = float(share[-1])
    return result


STUDY = study.Study("spatiotemporal", Config, run, summary)
