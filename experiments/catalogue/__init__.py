"""How do the neurons of the catalogue fire?

- the rate of each model over a constant drive, against closed forms where there are some;
- the published firing patterns: potential, recovery and spikes under a step of current;
- the vector field of some of them in the plane of those two variables.

Spikes fall at their true times (`OrderedSpikes`); rates with constant steps, patterns with
adaptive ones.

    python -m experiments.catalogue             # results/catalogue.zarr, results/catalogue/
    python -m experiments.catalogue --quick     # does it run at all?

A run that was stopped goes on where it was when it is started again.
"""

import dataclasses
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import tyro
import xarray as xr
from tqdm import tqdm

import bpcjax as bpc
from bpcjax import neurons as cells

from ..common import InputError
from ..common.results import Chunks, fingerprint, save
from .report import as_dataset, measure, table

NAME = "catalogue"
ROOM = 1024  # spikes


@dataclasses.dataclass(frozen=True)
class Config:
    """Rates, firing patterns and phase planes of the neurons of the catalogue."""

    drives: int = 41
    """How many drives to a curve of rates."""
    t1: float = 1000.0
    """How long a drive lasts, ms."""
    settle: float = 300.0
    """Intervals that begin before this time do not count in a rate, ms."""
    dt: float = 0.1
    """Step of the rates, ms."""
    samples: int = 2400
    """How many times to keep the state of a pattern at."""
    grid: int = 201
    """How many points to a side of a phase plane."""
    out: str = "results"
    """The folder for results."""
    figures: str = "figures/out"
    """The folder for the picture."""
    quick: bool = False
    """At most 5 drives for 300 ms, 300 samples, planes of 41 points a side."""
    gallery: bool = False
    """Write the small picture to figures/gallery too."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    for name in ("drives", "samples", "grid"):
        if getattr(config, name) < 2:
            raise InputError(f"{name} must be at least 2, got {getattr(config, name)}.")
    if not (0 < config.dt <= 0.1):  # an upstroke takes less than a millisecond
        raise InputError(f"dt must be positive, and at most 0.1 ms, got {config.dt}.")
    if not 0 <= config.settle < config.t1 < math.inf:
        raise InputError(f"settle must lie in 0 ... t1 = {config.t1}, got {config.settle}.")
    if config.quick:
        limits = {"drives": 5, "samples": 300, "grid": 41, "t1": 300.0, "settle": 100.0}
        few = {name: min(getattr(config, name), most) for name, most in limits.items()}
        config = dataclasses.replace(config, **few)
    return config


def curves() -> dict[str, tuple[bpc.AbstractSystem, str, float]]:
    """What to take rates of: the neuron, the unit of its drive, and the largest drive."""
    adex = cells.adex_patterns(v_cut=-30.0)
    simple, cortical = cells.izhikevich_classes(), cells.izhikevich2007_cells()
    return {
        "IF": (cells.IF(), "pA", 500.0),
        "LIF": (cells.LIF(), "pA", 500.0),
        "AdEx tonic": (adex["tonic"].neuron, "pA", 500.0),
        "AdEx adaptation": (adex["adaptation"].neuron, "pA", 500.0),
        "Izhikevich 2007 RS": (cortical["RS"].neuron, "pA", 500.0),
        "Izhikevich RS": (simple["RS"].neuron, "mV/ms", 20.0),
        "Izhikevich FS": (simple["FS"].neuron, "mV/ms", 20.0),
        "Izhikevich LTS": (simple["LTS"].neuron, "mV/ms", 20.0),
        "Hodgkin-Huxley": (cells.HodgkinHuxley(), "µA/cm²", 40.0),
        "theta": (cells.Theta(tau=10.0), "no unit", 4.0),
    }


def patterns() -> dict[str, cells.Pattern]:
    """Every published pattern, its family before its name."""
    families = {
        "AdEx": cells.adex_patterns(),
        "Izhikevich": cells.izhikevich_classes(),
        "Izhikevich 2007": cells.izhikevich2007_cells(),
    }
    return {f"{family}: {name}": p for family, own in families.items() for name, p in own.items()}


# Planes to draw some of those patterns in: ranges of the potential and of the recovery.
PLANES = {
    "AdEx: adaptation": {"v": (-75.0, -40.0), "w": (-50.0, 450.0)},
    "AdEx: regular bursting": {"v": (-75.0, -40.0), "w": (-50.0, 450.0)},
    "Izhikevich: CH": {"v": (-80.0, -30.0), "u": (-20.0, 8.0)},
}


@eqx.filter_jit
def rates(neuron, drives, t1, settle, dt):
    """The rate (Hz) at each drive, of the intervals that begin after `settle`; whether it ran."""

    def rate(drive):
        found = bpc.simulate(
            neuron, neuron.rest(), drive, t1=t1, dt=dt, max_spikes=ROOM, throw=False
        )
        times = found.spikes.times
        late = (times >= settle) & jnp.isfinite(times)
        count = late.sum()
        first = jnp.min(jnp.where(late, times, jnp.inf))
        last = jnp.max(jnp.where(late, times, -jnp.inf))
        span = jnp.where(count > 1, last - first, 1.0)
        return jnp.where(count > 1, 1000 * (count - 1) / span, 0.0), found.ok

    return jax.lax.map(rate, drives)


@eqx.filter_jit
def trace(pattern, ts, edges):
    """A pattern's state and drive at `ts`, its spikes, and whether it ran."""
    control: Any = dfx.PIDController(rtol=1e-8, atol=1e-8)
    if edges is not None:
        control = dfx.ClipStepSizeController(control, jump_ts=edges)
    found = bpc.simulate(
        pattern.neuron, pattern.y0, pattern.drive, t1=pattern.t1, dt=0.1, max_spikes=ROOM,
        saveat=dfx.SaveAt(ts=ts), stepsize_controller=control, max_steps=131072, throw=False,
    )  # fmt: skip
    v, recovery = found.ys
    given = pattern.drive
    drive = jax.vmap(given)(ts) if callable(given) else jnp.broadcast_to(given, ts.shape)
    spikes = jnp.where(jnp.isfinite(found.spikes.times), found.spikes.times, jnp.nan)
    peak = pattern.y0.v - pattern.neuron.guard(ts[0], pattern.y0, given)  # where spikes are cut
    return {"time": ts, "v": v, "recovery": recovery, "drive": drive, "spike": spikes,
            "peak": peak, "ok": found.ok}  # fmt: skip


def jobs(config: Config) -> dict[str, Callable[[], dict[str, Any]]]:
    """What is to be computed, by name."""
    made: dict[str, Callable[[], dict[str, Any]]] = {}
    for name, (neuron, _, most) in curves().items():

        def curve(neuron=neuron, most=most):
            drives = jnp.linspace(0.0, most, config.drives)
            times = (jnp.asarray(x) for x in (config.t1, config.settle, config.dt))
            rate, ok = rates(neuron, drives, *times)
            return {"drive": drives, "rate": rate, "ok": ok}

        made[f"rates of {name}"] = curve
    for name, pattern in patterns().items():

        def follow(pattern=pattern):
            edges = getattr(pattern.drive, "edges", None)
            return trace(pattern, jnp.linspace(0.0, pattern.t1, config.samples), edges)

        made[name] = follow
    for name, ranges in PLANES.items():

        def plane(name=name, ranges=ranges):
            pattern = patterns()[name]
            found = bpc.analysis.field(
                pattern.neuron, pattern.y0, pattern.drive, grid=config.grid, **ranges
            )
            return {k: getattr(found, k) for k in ("x", "y", "dx", "dy")}

        made[f"plane of {name}"] = plane
    return made


def run(config: Config) -> xr.Dataset:
    """Everything, job by job; finished jobs are kept.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    config = check(config)
    settings = dataclasses.asdict(config)
    for name in ("out", "figures", "quick", "gallery"):  # they change no number
        settings.pop(name)
    mark = fingerprint(settings)
    chunks, found = Chunks(NAME, config.out, mark), {}
    bar = tqdm(jobs(config).items(), desc=NAME, unit="job")
    for k, (name, job) in enumerate(bar):
        bar.set_postfix_str(name)
        part = chunks.get(k)
        if part is None:
            part = {key: np.asarray(x) for key, x in job().items()}
            chunks.put(k, part)
        found[name] = part
    units = {name: unit for name, (_, unit, _) in curves().items()}
    return as_dataset(found, units, [*patterns()], [*PLANES], settings | {"fingerprint": mark})


def main() -> None:
    """The command line: run, save, print the table, draw."""
    config = tyro.cli(Config, description=__doc__)
    jax.config.update("jax_enable_x64", True)  # the upstroke of AdEx to 0 mV needs it
    began = time.perf_counter()
    try:
        config = check(config)
        dataset = run(config)
        found = measure(dataset)
        save(NAME, dataset, found, config, config.out)
        Chunks(NAME, config.out, dataset.fingerprint).remove()
    except InputError as error:
        sys.exit(f"{NAME}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{NAME}: stopped. The same command goes on from here.")
    print(table(found))
    from figures import catalogue as figure, style

    paths = style.save(figure.draw(dataset), figure.NAME, config.figures, gallery=config.gallery)
    print(f"{time.perf_counter() - began:.0f} s; {config.out}/{NAME}.zarr, {paths[-1]}")
