"""How do the neurons of the catalogue fire?

- the rate of each model over a constant drive, against closed forms where there are some;
- the published firing patterns: potential, recovery and spikes under a step of current;
- the vector field of some of them in the plane of those two variables.

Spikes fall at their true times (`OrderedSpikes`); rates with constant steps, patterns with
adaptive ones.

    python -m experiments.catalogue             # results/catalogue.zarr, results/catalogue/
    python -m experiments.catalogue --quick     # does it run at all?
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import xarray as xr

import bpcjax as bpc
from bpcjax import neurons as cells

from ..common import InputError, study
from ..common.study import setting
from .report import as_dataset, summary, table

ROOM = 1024  # spikes


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Rates, firing patterns and phase planes of the neurons of the catalogue."""

    drives: int = setting(41, least=2, quick=5)
    """How many drives to a curve of rates."""
    t1: float = setting(1000.0, quick=300.0)
    """How long a drive lasts, ms."""
    settle: float = setting(300.0, least=0, quick=100.0)
    """Intervals that begin before this time do not count in a rate, ms."""
    dt: float = setting(0.1, above=0, most=0.1)
    """Step of the rates, ms: an upstroke takes less than a millisecond."""
    samples: int = setting(2400, least=2, quick=300)
    """How many times to keep the state of a pattern at."""
    grid: int = setting(201, least=2, quick=41)
    """How many points to a side of a phase plane."""

    def verify(self) -> None:
        """Intervals count for some time."""
        if not self.settle < self.t1:
            raise InputError(f"settle must lie in 0 ... t1 = {self.t1}, got {self.settle}.")


def curves() -> dict[str, tuple[bpc.AbstractSystem, str, float]]:
    """Neurons to take rates of: the neuron, the unit of its drive, and the largest drive."""
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
    """Published firing patterns, each with its family before its name."""
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
    """Rates (Hz) at each drive, of the intervals that begin after `settle`; whether it ran."""

    def rate(drive):
        solution = bpc.simulate(
            neuron, neuron.rest(), drive, t1=t1, dt=dt, max_spikes=ROOM, throw=False
        )
        times = solution.spikes.times
        late = (times >= settle) & jnp.isfinite(times)
        count = late.sum()
        first = jnp.min(jnp.where(late, times, jnp.inf))
        last = jnp.max(jnp.where(late, times, -jnp.inf))
        span = jnp.where(count > 1, last - first, 1.0)
        return jnp.where(count > 1, 1000 * (count - 1) / span, 0.0), solution.ok

    return jax.lax.map(rate, drives)


@eqx.filter_jit
def trace(pattern, ts, edges):
    """Trace of a pattern: state and drive at `ts`, its spikes, and whether it ran."""
    control: Any = dfx.PIDController(rtol=1e-8, atol=1e-8)
    if edges is not None:
        control = dfx.ClipStepSizeController(control, jump_ts=edges)
    solution = bpc.simulate(
        pattern.neuron, pattern.y0, pattern.drive, t1=pattern.t1, dt=0.1, max_spikes=ROOM,
        saveat=dfx.SaveAt(ts=ts), stepsize_controller=control, max_steps=131072, throw=False,
    )  # fmt: skip
    v, recovery = solution.ys
    step, times = pattern.drive, solution.spikes.times
    drive = jax.vmap(step)(ts) if callable(step) else jnp.broadcast_to(step, ts.shape)
    spikes = jnp.where(jnp.isfinite(times), times, jnp.nan)
    peak = pattern.y0.v - pattern.neuron.guard(ts[0], pattern.y0, step)  # where spikes are cut
    return {"time": ts, "v": v, "recovery": recovery, "drive": drive, "spike": spikes,
            "peak": peak, "ok": solution.ok}  # fmt: skip


def jobs(config: Config) -> dict[str, Callable[[], dict[str, Any]]]:
    """Parts of the study by name."""
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

        def field(name=name, ranges=ranges):
            pattern = patterns()[name]
            plane = bpc.analysis.field(
                pattern.neuron, pattern.y0, pattern.drive, grid=config.grid, **ranges
            )
            return {k: getattr(plane, k) for k in ("x", "y", "dx", "dy")}

        made[f"plane of {name}"] = field
    return made


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Rates, patterns and planes, part by part."""
    arrays = {name: parts(name, job) for name, job in jobs(config).items()}
    units = {name: unit for name, (_, unit, _) in curves().items()}
    attrs = {name: getattr(config, name) for name in ("t1", "settle", "dt")}
    return as_dataset(arrays, units, [*patterns()], [*PLANES], attrs)


STUDY = study.Study("catalogue", Config, run, summary, table=table)
