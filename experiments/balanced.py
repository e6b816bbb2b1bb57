"""Do large balanced networks fire at the rates, and as irregularly, as they should?

- CUBA, current-based and without input: its rate and the coefficient of variation (CV) of its
  intervals against those of another simulator;
- Brunel's, with delays and Poisson input: its rate against Siegert's formula. This takes the
  spikes of the network for Poisson's. They are more regular, so CVs lie far below those of white
  noise, and none is expected here.

Spikes fall on the grid of steps (`GridSpikes`).

    python -m experiments.balanced             # results/balanced.zarr, results/balanced/
    python -m experiments.balanced --quick     # Brunel's network at a tenth of its size

A run that was stopped goes on with the network that it was at.
"""

import dataclasses
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import tyro
import xarray as xr

import bpcjax as bpc
from theory.closed_forms import siegert

from .common import InputError
from .common.balanced_networks import brunel, cuba
from .common.results import Chunks, fingerprint, save

NAME = "balanced"
ROOM = 3  # times the spikes that are expected


@dataclasses.dataclass(frozen=True)
class Config:
    """Two balanced networks and their rates."""

    cuba: int = 4000
    """How many neurons the CUBA network has."""
    brunel: int = 12_500
    """How many neurons Brunel's network has; with fewer the weights grow."""
    t1: float = 1000.0
    """For how long spikes count, ms."""
    settle: float = 200.0
    """How long Brunel's network runs before that, ms."""
    dt: float = 0.1
    """Step, ms."""
    seed: int = 0
    """Seed of the connections, the start and the input."""
    shown: int = 200
    """Of how many neurons of each network to keep the spikes."""
    out: str = "results"
    """The folder for results."""
    figures: str = "figures/out"
    """The folder for the picture."""
    quick: bool = False
    """At most 1,250 neurons in Brunel's network."""
    gallery: bool = False
    """Write the small picture to figures/gallery too."""

    @property
    def weight(self) -> float:
        """Brunel's 0.1 mV, with the same noise from fewer sources."""
        return 0.1 * math.sqrt(12_500 / self.brunel)


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    for name, least in (("cuba", 100), ("brunel", 100), ("shown", 5), ("seed", 0)):
        if getattr(config, name) < least:
            raise InputError(f"{name} must be at least {least}, got {getattr(config, name)}.")
    if not 0 < config.dt <= 0.5:
        raise InputError(f"dt must be positive, and at most 0.5 ms, got {config.dt}.")
    for name, least in (("t1", 1.0), ("settle", 0.0)):
        if not least <= getattr(config, name) < math.inf:
            raise InputError(
                f"{name} must be finite, at least {least:g} ms, got {getattr(config, name)}."
            )
    if config.quick:
        config = dataclasses.replace(config, brunel=min(config.brunel, 1250))
    return config


def _spikes(name: str, config: Config, problem, t1: float, solver, rate: float) -> dict[str, Any]:
    """The spikes of a network; `rate` (Hz) is about what it fires at."""
    count = problem.start.neurons.neuron.v.size
    print(f"{name}: {count:,} neurons, {t1:g} ms")
    found = bpc.simulate(
        problem.network,
        problem.start,
        problem.drive,
        t1=t1,
        dt=config.dt,
        solver=solver,
        max_spikes=math.ceil(count * (1 + ROOM * rate * t1 / 1000)),
        progress_meter=dfx.TqdmProgressMeter(refresh_steps=100),
        throw=False,
    )
    if not found.ok:
        cause = bpc.RESULTS[found.result]
        raise InputError(f"{name}: the solve failed ({cause}) Pass a smaller dt or more neurons.")
    assert found.spikes is not None
    number = int(found.spikes.count)
    return {
        "spike_time": np.asarray(found.spikes.times[:number]),
        "spike_neuron": np.asarray(found.spikes.neurons[:number]),
    }


def _cuba(config: Config) -> dict[str, Any]:
    problem = cuba(jax.random.key(config.seed), config.cuba)
    # Brette et al. (2007), benchmark 2, in Brian2: of this size, others fire at other rates.
    rate, cv = (5.6, 0.53) if config.cuba == 4000 else (np.nan, np.nan)
    expected = {"expected_rate": rate, "expected_cv": cv}
    solver = bpc.GridSpikes(dfx.Heun())
    return _spikes("CUBA", config, problem, config.t1, solver, 6.0) | expected


def _brunel(config: Config) -> dict[str, Any]:
    key = jax.random.fold_in(jax.random.key(config.seed), 1)
    problem, inputs = brunel(key, config.brunel, config.weight)
    rate = 1e3 * siegert.brunel_rate(*inputs)
    expected = {"expected_rate": rate, "expected_cv": np.nan}
    t1 = config.settle + config.t1
    return _spikes("Brunel", config, problem, t1, bpc.GridSpikes(), rate) | expected


def as_dataset(config: Config, count: int, start: float, found: dict[str, Any]) -> xr.Dataset:
    """One network of `count` neurons: statistics of all spikes after `start`, and some spikes."""
    times, neurons = np.asarray(found["spike_time"], float), np.asarray(found["spike_neuron"])
    excitatory, end = round(0.8 * count), start + config.t1
    # Spikes are at the ends of steps: half a step later no rounding moves one over an edge.
    late = 0.5 * config.dt
    record = bpc.SpikeRecord(jnp.asarray(times), jnp.asarray(neurons), jnp.array(len(times)))
    trains = bpc.analysis.spike_statistics(
        record, count, t0=start + late, t1=end + late, window=config.t1 / 2, min_intervals=3
    )
    bins = np.arange(math.floor(end) + 1.0)  # of 1 ms
    groups = {"excitatory": (0, excitatory), "inhibitory": (excitatory, count)}
    activity = [
        1e3 * np.histogram(times[(neurons >= a) & (neurons < b)], bins + late)[0] / (b - a)
        for a, b in groups.values()
    ]
    shown = min(config.shown, count)
    first = round(0.8 * shown)  # the first of each group: the wiring is random
    own = (neurons < first) | ((neurons >= excitatory) & (neurons < excitatory + shown - first))
    return xr.Dataset(
        {
            "rate": ("neuron", 1e3 * np.asarray(trains.rate), {"unit": "Hz"}),
            "cv": ("neuron", np.asarray(trains.cv)),
            "activity": (("group", "time"), np.array(activity), {"unit": "Hz"}),
            "spike_time": ("spike", times[own], {"unit": "ms"}),
            "spike_neuron": ("spike", neurons[own].astype(np.int32)),
            "neurons": count,
            "excitatory": excitatory,
            "shown_excitatory": first,
            "start": start,
            "spikes": len(times),
            "expected_rate": float(found["expected_rate"]),
            "expected_cv": float(found["expected_cv"]),
        },
        coords={
            "neuron": np.arange(count),
            "spike": np.arange(own.sum()),
            "time": ("time", bins[:-1], {"unit": "ms"}),  # where a bin begins
            "group": list(groups),
        },
    )


def run(config: Config) -> xr.Dataset:
    """Both networks along `network`, the smaller padded with NaN (`spike_neuron` with -1).

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    config = check(config)
    settings = dataclasses.asdict(config)
    for name in ("shown", "out", "figures", "quick", "gallery"):  # they change no spike
        settings.pop(name)
    mark = fingerprint(settings)
    chunks = Chunks(NAME, config.out, mark)
    solves: dict[str, tuple[Callable[[Config], dict[str, Any]], int, float]] = {
        "CUBA": (_cuba, config.cuba, 0.0),
        "Brunel": (_brunel, config.brunel, config.settle),
    }
    parts = []
    for k, (solve, count, start) in enumerate(solves.values()):
        found = chunks.get(k)
        if found is None:
            found = solve(config)
            chunks.put(k, found)
        parts.append(as_dataset(config, count, start, found))
    names = xr.Variable("network", list(solves))
    empty: dict[Any, Any] = {name: np.nan for name in parts[0].data_vars} | {"spike_neuron": -1}
    dataset = xr.concat(parts, names, join="outer", fill_value=empty)
    return dataset.assign_attrs(settings | {"fingerprint": mark, "weight": config.weight})


def measure(dataset: xr.Dataset) -> list[dict[str, Any]]:
    """One record a network: rates (Hz), mean CV, what is expected; `None` where nothing is."""
    records = []
    for name in map(str, dataset.network.values):
        one = dataset.sel(network=name)
        rate, expected, border = (
            float(one.rate.mean()),
            float(one.expected_rate),
            int(one.excitatory),
        )
        numbers = {
            "rate": rate,
            "rate_excitatory": float(one.rate[:border].mean()),
            "rate_inhibitory": float(one.rate[border:].mean()),
            "expected_rate": expected,
            "difference": rate / expected - 1,
            "cv": float(one.cv.mean()),
            "expected_cv": float(one.expected_cv),
        }
        known = {key: x if math.isfinite(x) else None for key, x in numbers.items()}
        counts = {"neurons": int(one.neurons), "spikes": int(one.spikes)}
        records.append({"network": name} | counts | known)
    return records


def table(records: list[dict[str, Any]]) -> str:
    """The records as text, one line each."""

    def show(x: float | None, form: str) -> str:
        return "-" if x is None else format(x, form)

    head = ("network", "neurons", "rate (Hz)", "expected", "difference", "CV", "expected")
    lines = ["{:<9}{:>8}{:>11}{:>10}{:>12}{:>8}{:>10}".format(*head)]
    for r in records:
        lines.append(
            f"{r['network']:<9}{r['neurons']:>8,}{show(r['rate'], '.2f'):>11}"
            f"{show(r['expected_rate'], '.2f'):>10}{show(r['difference'], '+.2%'):>12}"
            f"{show(r['cv'], '.3f'):>8}{show(r['expected_cv'], '.2f'):>10}"
        )
    return "\n".join(lines)


def main() -> None:
    """The command line: run, save, print the table, draw."""
    config = tyro.cli(Config, description=__doc__)
    began = time.perf_counter()
    try:
        config = check(config)
        dataset = run(config)
        records = measure(dataset)
        save(NAME, dataset, records, config, config.out)
        Chunks(NAME, config.out, dataset.fingerprint).remove()
    except InputError as error:
        sys.exit(f"{NAME}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{NAME}: stopped. The same command goes on from here.")
    print(table(records))
    from figures import balanced as figure, style

    paths = style.save(figure.draw(dataset), figure.NAME, config.figures, gallery=config.gallery)
    print(f"{time.perf_counter() - began:.0f} s; {config.out}/{NAME}.zarr, {paths[-1]}")


if __name__ == "__main__":
    main()
