"""Where does an adapting neuron fire regularly, in bursts, or irregularly?

AdEx neurons over the injected current `I` and the jump `b` of the adaptation current at a spike,
each for a second; of each the rate, and the coefficient of variation (CV) of its intervals: 0 if
they are all the same, more if bursts alternate with pauses. Spikes are located inside the steps
(`LocalSpikes`); a stopped run goes on where it was.
"""

import contextlib
import dataclasses
import math
import shutil
import sys
import time
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import tyro
import xarray as xr
from jaxtyping import Array, Float

import bpcjax as bpc

from .common import InputError
from .common.results import fingerprint, save, writable

NAME = "adex_sweep"
REGULAR = 0.05  # a CV below which intervals count as all the same


@dataclasses.dataclass(frozen=True)
class Config:
    """A sweep of AdEx neurons over current and adaptation."""

    currents: int = 400
    """How many currents, from i_min to i_max."""
    i_min: float = 500.0
    """Least current, pA."""
    i_max: float = 2000.0
    """Largest current, pA."""
    jumps: int = 250
    """How many values of b, from 0 to b_max."""
    b_max: float = 350.0
    """Largest jump of the adaptation current at a spike, pA."""
    v_reset: float = -47.4
    """Potential after a spike, mV: above -50.4 (where the upstroke starts) bursts are possible."""
    t1: float = 1000.0
    """Length, ms."""
    settle: float = 300.0
    """Spikes before this time do not count, ms."""
    dt: float = 0.1
    """Step, ms."""
    chunk: int | None = None
    """Neurons to solve at a time, as one population."""
    out: str = "results"
    """The folder for results."""
    figures: str = "figures/out"
    """The folder for the picture."""
    quick: bool = False
    """At most 40 x 25 neurons."""
    gallery: bool = False
    """Write the small picture to figures/gallery too."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    for name in ("i_min", "i_max", "b_max", "v_reset"):
        if not math.isfinite(getattr(config, name)):
            raise InputError(f"{name} must be finite, got {getattr(config, name)}.")
    for name in ("currents", "jumps", "chunk"):
        if (value := getattr(config, name)) is not None and value < 1:
            raise InputError(f"{name} must be at least 1, got {value}.")
    if not 0 < config.dt <= 0.5:  # the upstroke takes about a millisecond
        raise InputError(f"dt must be positive, and at most 0.5 ms, got {config.dt}.")
    if not 0 <= config.settle < config.t1 < math.inf:
        raise InputError(f"settle must lie in 0 ... t1 = {config.t1}, got {config.settle}.")
    if config.quick:
        few = {"currents": min(config.currents, 40), "jumps": min(config.jumps, 25)}
        config = dataclasses.replace(config, **few)
    return config


class Counts(NamedTuple):
    """A neuron's state; its spikes and the time of the last; sums of intervals and squares."""

    neuron: NamedTuple
    spikes: Float[Array, "*n"]
    last: Float[Array, "*n"]  # ms; negative: none yet
    total: Float[Array, "*n"]  # ms
    squares: Float[Array, "*n"]  # ms^2


class Counted(bpc.AbstractSpikingSystem):
    """A neuron that keeps count of its spikes and intervals after `settle`, as it goes."""

    neuron: bpc.AbstractSpikingSystem
    settle: Float[Array, ""] = bpc.parameter(0.0)  # ms

    def rest(self, shape=()) -> Counts:
        """At rest, nothing counted."""
        zero = jnp.zeros(shape)
        return Counts(self.neuron.rest(shape), zero, zero - 1, zero, zero)

    def vector_field(self, t, y, args):
        """The neuron's own; counts stand still."""
        zero = jnp.zeros_like(y.spikes)
        return Counts(self.neuron.vector_field(t, y.neuron, args), zero, zero, zero, zero)

    def guard(self, t, y, args):
        """The neuron's own."""
        return self.neuron.guard(t, y.neuron, args)

    def reset(self, t, y, args, fired):
        """The neuron's own; an interval counts if it began after `settle`."""
        counts = fired & (t >= self.settle)
        interval = jnp.where(counts & (y.last >= 0), t - y.last, 0.0)
        return Counts(
            self.neuron.reset(t, y.neuron, args, fired),
            y.spikes + counts,
            jnp.where(counts, t, y.last),
            y.total + interval,
            y.squares + interval**2,
        )


def population(config: Config):
    """The function to sweep: rate (Hz) and CV of neurons with currents `I` and jumps `b`."""

    def run(I, b):  # noqa: E741
        system = Counted(bpc.neurons.AdEx(b=b, v_reset=config.v_reset), config.settle)
        found = bpc.simulate(
            system,
            system.rest(jnp.shape(I)),
            I,
            t1=config.t1,
            dt=config.dt,
            solver=bpc.LocalSpikes(),
            throw=False,
        )
        end = found.ys
        spikes, total, squares = end.spikes[-1], end.total[-1], end.squares[-1]
        intervals = jnp.maximum(spikes - 1, 1)
        mean = total / intervals
        spread = jnp.sqrt(jnp.maximum(squares / intervals - mean**2, 0.0))
        return {
            "rate": 1000 * spikes / (config.t1 - config.settle),
            "cv": jnp.where(spikes >= 4, spread / jnp.maximum(mean, config.dt), jnp.nan),
            "ok": found.ok,
        }

    return run


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Shares of neurons by how they fire, the highest rate, and how many solves failed."""
    few, regular = dataset.cv.isnull(), dataset.cv < REGULAR
    return {
        "neurons": dataset.rate.size,
        "fewer than four spikes": float(few.mean()),
        "regular": float(regular.mean()),
        "bursts or irregular": float((~few & ~regular).mean()),
        "highest rate (Hz)": float(dataset.rate.max()),
        "failed": int((~dataset.ok).sum()),
    }


def run(config: Config) -> xr.Dataset:
    """The sweep; what is done of it is in `out/adex_sweep.work` until it is whole.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    config = check(config)
    axes = {
        "I": np.linspace(config.i_min, config.i_max, config.currents),
        "b": np.linspace(0.0, config.b_max, config.jumps),
    }
    try:
        dataset = bpc.sweep(
            population(config), axes, store=_work(config), chunk=config.chunk, batch=bpc.population
        )
    except OSError as error:  # a full disk
        raise InputError(str(error)) from error
    return dataset.assign_attrs(_settings(config))


def _settings(config: Config) -> dict:
    settings = dataclasses.asdict(config)
    for name in ("out", "figures", "quick", "gallery"):  # they change no number
        settings.pop(name)
    return settings


def _work(config: Config) -> Path:
    """Where this sweep is kept on the way; sweeps with other settings have other places."""
    folder = writable(config.out) / f"{NAME}.work"
    return folder / f"{fingerprint(_settings(config))}.zarr"


def main() -> None:
    """The command line: run, save, print the table, draw."""
    config = tyro.cli(Config, description=__doc__)
    began = time.perf_counter()
    try:
        config = check(config)
        dataset = run(config)
        found = summary(dataset)
        save(NAME, dataset, found, config, config.out)
        work = _work(config)
        shutil.rmtree(work, ignore_errors=True)
        with contextlib.suppress(OSError):  # other sweeps are there, to be gone on with
            work.parent.rmdir()
    except (InputError, bpc.SweepError) as error:
        sys.exit(f"{NAME}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{NAME}: stopped. The same command goes on from here.")
    for name, value in found.items():
        print(f"{name:24s} {value:.6g}")
    from figures import adex_sweep as figure, style

    paths = style.save(figure.draw(dataset), figure.NAME, config.figures, gallery=config.gallery)
    print(f"{time.perf_counter() - began:.0f} s; {config.out}/{NAME}.zarr, {paths[-1]}")


if __name__ == "__main__":
    main()
