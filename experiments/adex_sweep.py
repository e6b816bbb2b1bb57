"""Where does an adapting neuron fire regularly, in bursts, or irregularly?

AdEx neurons over the injected current `I` and the jump `b` of the adaptation current at a spike,
each for a second; of each the rate, and the coefficient of variation (CV) of its intervals: 0 if
they are all the same, more if bursts alternate with pauses. Spikes are located inside the steps
(`LocalSpikes`); a stopped run goes on where it was.
"""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

import bpcjax as bpc

from .common import InputError, study
from .common.study import setting

REGULAR = 0.05  # a CV below which intervals count as all the same


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """A sweep of AdEx neurons over current and adaptation."""

    currents: int = setting(400, least=1, quick=40)
    """How many currents, from i_min to i_max."""
    i_min: float = setting(500.0)
    """Least current, pA."""
    i_max: float = setting(2000.0)
    """Largest current, pA."""
    jumps: int = setting(250, least=1, quick=25)
    """How many values of b, from 0 to b_max."""
    b_max: float = setting(350.0)
    """Largest jump of the adaptation current at a spike, pA."""
    v_reset: float = setting(-47.4)
    """Potential after a spike, mV: above -50.4 (where the upstroke starts) bursts are possible."""
    t1: float = setting(1000.0)
    """Length, ms."""
    settle: float = setting(300.0, least=0)
    """Spikes before this time do not count, ms."""
    dt: float = setting(0.1, above=0, most=0.5)
    """Step, ms: the upstroke takes about a millisecond."""
    chunk: int | None = setting(None, least=1)
    """Neurons to solve at a time, as one population."""

    def verify(self) -> None:
        """Spikes count for some time."""
        if not self.settle < self.t1:
            raise InputError(f"settle must lie in 0 ... t1 = {self.t1}, got {self.settle}.")


class Counts(NamedTuple):
    """State of a neuron; its spikes and the time of the last; sums of intervals and squares."""

    neuron: NamedTuple
    spikes: Float[Array, "*n"]
    last: Float[Array, "*n"]  # ms; negative: none yet
    total: Float[Array, "*n"]  # ms
    squares: Float[Array, "*n"]  # ms^2


class Counted(bpc.AbstractSpikingSystem):
    """Neuron with counters of its spikes and intervals after `settle`."""

    neuron: bpc.AbstractSpikingSystem
    settle: Float[Array, ""] = bpc.parameter(0.0)  # ms

    def rest(self, shape=()) -> Counts:
        """Rest, with all counts 0."""
        zero = jnp.zeros(shape)
        return Counts(self.neuron.rest(shape), zero, zero - 1, zero, zero)

    def vector_field(self, t, y, args):
        """Vector field of the neuron; counts stand still."""
        zero = jnp.zeros_like(y.spikes)
        return Counts(self.neuron.vector_field(t, y.neuron, args), zero, zero, zero, zero)

    def guard(self, t, y, args):
        """Guard of the neuron."""
        return self.neuron.guard(t, y.neuron, args)

    def reset(self, t, y, args, fired):
        """Reset of the neuron; an interval counts if it began after `settle`."""
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
    """Function to sweep: rate (Hz) and CV of neurons with currents `I` and jumps `b`."""

    def run(I, b):  # noqa: E741
        system = Counted(bpc.neurons.AdEx(b=b, v_reset=config.v_reset), config.settle)
        solution = bpc.simulate(
            system,
            system.rest(jnp.shape(I)),
            I,
            t1=config.t1,
            dt=config.dt,
            solver=bpc.LocalSpikes(),
            throw=False,
        )
        end = solution.ys
        spikes, total, squares = end.spikes[-1], end.total[-1], end.squares[-1]
        intervals = jnp.maximum(spikes - 1, 1)
        mean = total / intervals
        spread = jnp.sqrt(jnp.maximum(squares / intervals - mean**2, 0.0))
        return {
            "rate": 1000 * spikes / (config.t1 - config.settle),
            "cv": jnp.where(spikes >= 4, spread / jnp.maximum(mean, config.dt), jnp.nan),
            "ok": solution.ok,
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


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """The sweep; a stopped one goes on from the chunks that it has stored."""
    axes = {
        "I": np.linspace(config.i_min, config.i_max, config.currents),
        "b": np.linspace(0.0, config.b_max, config.jumps),
    }
    store = parts.chunks.folder / "sweep.zarr"
    dataset = bpc.sweep(
        population(config), axes, store=store, chunk=config.chunk, batch=bpc.population
    )
    names = "v_reset", "t1", "settle", "dt"
    return dataset.assign_attrs({name: getattr(config, name) for name in names})


STUDY = study.Study("adex_sweep", Config, run, summary, double=False)

if __name__ == "__main__":
    STUDY.main()
