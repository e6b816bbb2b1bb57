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
from collections.abc import Callable
from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import bpcjax as bpc
from theory.closed_forms import siegert

from .common import InputError, study
from .common.balanced_networks import brunel, cuba
from .common.study import setting

ROOM = 3  # times the spikes that are expected


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Two balanced networks and their rates."""

    cuba: int = setting(4000, least=100)
    """How many neurons the CUBA network has."""
    brunel: int = setting(12_500, least=100, quick=1250)
    """How many neurons Brunel's network has; with fewer the weights grow."""
    t1: float = setting(1000.0, least=1)
    """For how long spikes count, ms."""
    settle: float = setting(200.0, least=0)
    """How long Brunel's network runs before that, ms."""
    dt: float = setting(0.1, above=0, most=0.5)
    """Step, ms."""
    seed: int = setting(0, least=0)
    """Seed of the connections, the start and the input."""
    shown: int = setting(200, least=5)
    """Of how many neurons of each network to keep the spikes."""

    @property
    def weight(self) -> float:
        """Brunel's 0.1 mV, with the same noise from fewer sources."""
        return 0.1 * math.sqrt(12_500 / self.brunel)


def _spikes(name: str, config: Config, problem, t1: float, solver, rate: float) -> dict[str, Any]:
    """Spikes of a network; `rate` (Hz) is about what it fires at."""
    count = problem.start.neurons.neuron.v.size
    solution = bpc.simulate(
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
    if not solution.ok:
        cause = bpc.RESULTS[solution.result]
        raise InputError(f"{name}: the solve failed ({cause}) Pass a smaller dt or more neurons.")
    assert solution.spikes is not None
    number = int(solution.spikes.count)
    return {
        "spike_time": np.asarray(solution.spikes.times[:number]),
        "spike_neuron": np.asarray(solution.spikes.neurons[:number]),
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


def as_dataset(config: Config, count: int, start: float, part: dict[str, Any]) -> xr.Dataset:
    """Data set of a network of `count` neurons: statistics of all spikes after `start`, and some
    spikes.
    """
    times, neurons = np.asarray(part["spike_time"], float), np.asarray(part["spike_neuron"])
    excitatory, end = round(0.8 * count), start + config.t1
    # Spikes are at the ends of steps: half a step later no rounding moves one over an edge.
    late = 0.5 * config.dt
    record = bpc.Spikes(jnp.asarray(times), jnp.asarray(neurons), jnp.array(len(times)))
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
            "expected_rate": float(part["expected_rate"]),
            "expected_cv": float(part["expected_cv"]),
        },
        coords={
            "neuron": np.arange(count),
            "spike": np.arange(own.sum()),
            "time": ("time", bins[:-1], {"unit": "ms"}),  # where a bin begins
            "group": list(groups),
        },
    )


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Both networks along `network`, the smaller padded with NaN (`spike_neuron` with -1)."""
    networks: dict[str, tuple[Callable[[Config], dict[str, Any]], int, float]] = {
        "CUBA": (_cuba, config.cuba, 0.0),
        "Brunel": (_brunel, config.brunel, config.settle),
    }
    sets = []
    for name, (solve, count, start) in networks.items():
        part = parts(f"{name}, {count:,} neurons", lambda solve=solve: solve(config))
        sets.append(as_dataset(config, count, start, part))
    names = xr.Variable("network", list(networks))
    empty: dict[Any, Any] = {name: np.nan for name in sets[0].data_vars} | {"spike_neuron": -1}
    dataset = xr.concat(sets, names, join="outer", fill_value=empty)
    settings = "cuba", "brunel", "t1", "settle", "dt", "seed", "weight"
    return dataset.assign_attrs({name: getattr(config, name) for name in settings})


def summary(dataset: xr.Dataset) -> list[dict[str, Any]]:
    """Record of each network: rates (Hz), mean CV, what is expected; `None` where nothing is."""
    records = []
    for name in map(str, dataset.network.values):
        one = dataset.sel(network=name)
        rate, expected = float(one.rate.mean()), float(one.expected_rate)
        border = int(one.excitatory)
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


STUDY = study.Study("balanced", Config, run, summary, double=False, table=table)

if __name__ == "__main__":
    STUDY.main()
