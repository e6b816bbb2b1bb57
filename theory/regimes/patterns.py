"""Maps of firing patterns: neurons under a step of current, labelled by their spike trains.

All neurons of a study are one sweep of one population. A neuron of two variables that is reset at
each spike fires as its spike map says: a fixed point of the map is tonic firing, an orbit of n
points are bursts of n spikes, a chaotic one is irregular (Touboul & Brette 2008, Biol. Cybern.
99:319). Here the orbits are read from the intervals.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int

import bpcjax as bpc
from bpcjax.analysis import spike_statistics

PATTERNS = (
    "silent",
    "transient",  # spikes at first only
    "tonic",
    "adapting",  # tonic in the end, faster at first
    "bursts of 2",
    "bursts of 3",
    "longer bursts",
    "irregular",  # or not settled, or of bursts longer than the longest
)
LONGEST = 12  # spikes of a burst
SAME = 0.03  # of the mean interval: intervals that differ less are the same
SLOWER = 1.3  # times the first interval: a mean one beyond is adaptation
ROOM = 0.6  # spikes per ms and neuron, in the mean over a chunk


@eqx.filter_jit
def statistics(spikes: bpc.Spikes, size: int, settle: Any, t1: Any) -> dict[str, Array]:
    """Statistics of the trains of `size` neurons [size]: number of spikes; first interval (ms);
    from `settle` to `t1` (ms) the rate (Hz), mean interval (ms) and CV; and the period of the
    intervals, up to `LONGEST` of them, 0 where they do not come again.
    """
    late = spike_statistics(spikes, size, t0=settle, t1=t1, window=(t1 - settle) / 2)
    neurons = jnp.where(spikes.neurons >= 0, spikes.neurons, size)
    order = jnp.lexsort((spikes.times, neurons))
    times, neurons = spikes.times[order], neurons[order]
    before, own = neurons[:-1], neurons[1:]
    paired = (before == own) & (own < size)
    gaps = jnp.where(paired, times[1:] - times[:-1], 0.0)
    starts = jnp.pad(before != own, (1, 0), constant_values=True)[:-1]
    first = jnp.zeros(size).at[own].add(jnp.where(paired & starts, gaps, 0.0), mode="drop")

    counts = paired & (times[:-1] >= settle)
    number = jnp.zeros(size, int).at[own].add(counts, mode="drop")
    scale = late.interval_mean.at[own].get(mode="fill", fill_value=1.0)

    def repeats(period: int) -> Array:
        """Whether each interval is the one so many before, and there are twice as many."""
        both = counts[:-period] & counts[period:] & (own[:-period] == own[period:])
        off = jnp.abs(gaps[period:] - gaps[:-period]) / scale[period:]
        worst = jnp.zeros(size).at[own[period:]].max(jnp.where(both, off, 0.0), mode="drop")
        return (worst < SAME) & (number >= 2 * period)

    periodic = jnp.stack([repeats(period) for period in range(1, LONGEST + 1)])
    return {
        "spikes": jnp.zeros(size, int).at[neurons].add(1, mode="drop"),
        "first": first,
        "rate": 1000 * late.rate,
        "mean": late.interval_mean,
        "cv": late.cv,
        "period": jnp.where(periodic.any(axis=0), 1 + jnp.argmax(periodic, axis=0), 0),
    }


def label(trains: Mapping[str, Any]) -> np.ndarray:
    """Pattern of each neuron, as its place in `PATTERNS`; -1 where the solve failed."""
    slower = trains["mean"] > SLOWER * trains["first"]
    period = trains["period"]
    cases = {
        "silent": trains["spikes"] == 0,
        "transient": trains["rate"] == 0,
        "adapting": (period == 1) & slower,
        "tonic": period == 1,
        "bursts of 2": period == 2,
        "bursts of 3": period == 3,
        "longer bursts": period > 3,
    }
    places = [PATTERNS.index(name) for name in cases]
    labels = np.select([*cases.values()], places, PATTERNS.index("irregular"))
    return np.where(trains["ok"], labels, -1)


class _Neurons(eqx.Module):
    """Population by the neurons' numbers: statistics of each under its drive, from rest."""

    make: Callable[..., tuple[bpc.AbstractSpikingSystem, Array]] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    values: tuple[Float[Array, " points"], ...]
    t1: float = eqx.field(static=True)
    settle: float = eqx.field(static=True)
    dt: float = eqx.field(static=True)

    def __call__(self, point: Int[Array, " n"]) -> dict[str, Array]:
        neuron, drive = self.make(
            **{name: x[point] for name, x in zip(self.names, self.values, strict=True)}
        )
        size = point.shape[0]
        solution = bpc.simulate(
            neuron,
            neuron.rest((size,)),
            drive,
            t1=self.t1,
            dt=self.dt,
            solver=bpc.LocalSpikes(),
            max_spikes=round(ROOM * self.t1 * size),
            throw=False,
        )
        result = statistics(solution.spikes, size, self.settle, self.t1)
        return result | {"ok": jnp.broadcast_to(solution.ok & solution.spikes.ok, (size,))}


def pattern_maps(
    make: Callable[..., tuple[bpc.AbstractSpikingSystem, Array]],
    maps: Mapping[str, Mapping[str, Any]],
    store: Path,
    *,
    t1: float,
    settle: float,
    dt: float,
) -> dict[str, np.ndarray]:
    """Patterns (`NAME_pattern`) and rates (`NAME_rate`, Hz) of each map by name, with the axes
    of the map in their order.

    Each map gives every argument of `make` a number, or the values of an axis; `make` returns the
    neurons and their drive. The sweep is kept in `store` on its way.
    """
    tables, shapes = [], {}
    for name, settings in maps.items():
        axes = {key: value for key, value in settings.items() if np.ndim(value)}
        mesh = np.meshgrid(*axes.values(), indexing="ij")
        shapes[name] = mesh[0].shape
        spread = dict(zip(axes, mesh, strict=True))
        tables.append(
            {key: np.broadcast_to(spread.get(key, x), shapes[name]) for key, x in settings.items()}
        )
    names = tuple(tables[0])
    columns = [np.concatenate([np.ravel(table[name]) for table in tables]) for name in names]
    (count,) = {len(column) for column in columns}
    values = tuple(jnp.asarray(column, float) for column in columns)
    swept = bpc.sweep(
        _Neurons(make, names, values, t1, settle, dt),
        {"point": np.arange(count)},
        store=store,
        batch=bpc.population,
    )
    labels = label({name: swept[name].values for name in swept})
    result, at = {}, 0
    for name, shape in shapes.items():
        own = slice(at, at := at + int(np.prod(shape)))
        result[f"{name}_pattern"] = labels[own].reshape(shape)
        result[f"{name}_rate"] = swept.rate.values[own].reshape(shape)
    return result


def shares(patterns: Any) -> dict[str, float]:
    """Share of each pattern on a map, and of failed solves."""
    patterns = np.asarray(patterns)
    result = {name: float((patterns == k).mean()) for k, name in enumerate(PATTERNS)}
    return result | {"failed": float((patterns < 0).mean())}


def map_summary(dataset: xr.Dataset, beyond: np.ndarray) -> dict[str, float]:
    """Shares of both maps, and firing on the map over the drive against the loss of rest:
    `beyond` [like the map] is where there is no stable rest.
    """
    fires = dataset.drive_pattern.values > PATTERNS.index("transient")
    result = {
        "without rest, and not firing": int((beyond & ~fires).sum()),
        "firing on, though there is a rest (share)": float(fires[~beyond].mean()),
    }
    for name in ("drive", "reset"):
        for key, value in shares(dataset[f"{name}_pattern"]).items():
            result[f"map of {name}: {key}"] = value
    return result
