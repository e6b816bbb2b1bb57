"""How fast do neurons fire at a constant drive, and does the engine say what theory says?

- Leaky neurons without noise: closed form. In white noise: Siegert's formula.
- Theta and quadratic neurons: closed form.
- AdEx neurons: the fixed point of the map from spike to spike, by an independent solver.
- Izhikevich neurons: spikes of an independent solver.
- The squid axon: its cycles by Newton's method, one period after another.

    python -m theory.regimes.firing_rates             # results/theory/firing_rates.zarr
    python -m theory.regimes.firing_rates --quick     # fewer points, larger steps
"""

import dataclasses
import math
from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import bpcjax as bpc
from bpcjax.neurons import LIFState
from experiments.common import InputError, study
from experiments.common.study import setting

from ..closed_forms import siegert
from . import rate_curves as curves, rate_neurons as neurons
from .rate_curves import Curve

ROOM = 2048  # spikes of a neuron


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Firing rates over the drive, of five models and in noise."""

    points: int = setting(24, least=3, quick=6)
    """How many drives for each curve, one of them too small to fire."""
    means: int = setting(10, least=2, quick=4)
    """How many mean drives for each strength of the noise."""
    neurons: int = setting(200, least=2, quick=60)
    """How many neurons for each mean drive in noise."""
    t1: float = setting(1000.0, quick=400.0)
    """For how long their spikes count, ms."""
    dt: float = setting(0.1, above=0, most=0.5)
    """Step in noise, ms."""
    seed: int = setting(0, least=0)
    """Seed of the noise."""

    def verify(self) -> None:
        """Spikes in noise count for some steps."""
        if not 10 * self.dt <= self.t1:
            raise InputError(f"t1 must be at least ten steps of {self.dt} ms, got {self.t1}.")


MODELS = {  # what builds the neurons and their start, how long they run (ms), their curves
    "LIF": (neurons.leaky, 1000.0, curves.leaky),
    "theta": (neurons.theta, 400.0, curves.theta),
    "quadratic": (neurons.quadratic, 600.0, curves.quadratic),
    "AdEx": (neurons.adaptive, 4000.0, curves.adaptive),
    "squid axon": (neurons.squid, 1000.0, curves.squid),
}


def measure(make, drives: np.ndarray, t1: float, quick: bool) -> np.ndarray:
    """The rates (Hz) [curve, point] from the last interval of each neuron, 0 where it is silent.

    By the exact solver with adaptive steps; quick ones are by `LocalSpikes` at 0.05 ms.
    """
    solver: Any = bpc.LocalSpikes() if quick else bpc.OrderedSpikes(dfx.Tsit5())
    control = None if quick else dfx.PIDController(rtol=1e-9, atol=1e-9)
    table = jnp.asarray(drives)

    def run(curve, point):
        system, start = make(curve)
        solution = bpc.simulate(
            system, start, table[curve, point],
            t1=t1, dt=0.05, solver=solver, stepsize_controller=control, max_spikes=ROOM,
            throw=False,
        )  # fmt: skip
        assert solution.spikes is not None
        times, count = solution.spikes.times, solution.spikes.count
        last = times[jnp.maximum(count - 1, 0)]
        gap = last - times[jnp.maximum(count - 2, 0)]
        fires = (count > 2) & (t1 - last < 2 * gap)
        return {"rate": jnp.where(fires, 1e3 / gap, 0.0), "ok": solution.ok}

    half = -(-drives.size // 2)  # small solves are faster together, as long as no core waits
    return _swept(run, drives.shape, half, "a smaller drive")["rate"]


def measure_in_noise(
    config: Config, means: np.ndarray, sigmas: np.ndarray, threshold: float | None = None
) -> dict[str, np.ndarray]:
    """Mean rates (Hz) and their standard errors [sigma, mean] of leaky neurons in white noise.

    A noisy path that crosses the threshold between two ends of steps, and returns, goes unseen:
    as if the threshold were `0.5826 sigma sqrt(dt / tau)` higher, `0.5826 = -zeta(1/2) /
    sqrt(2 pi)` (Broadie, Glasserman & Kou 1997, Math. Finance 7:325). It is lowered by as much,
    unless there is a `threshold`.
    """
    settle, key = 10 * curves.TAU, jax.random.key(config.seed)
    shift = -siegert.ZETA_HALF / math.sqrt(2 * math.pi) * math.sqrt(config.dt / curves.TAU)
    drives, strengths = jnp.asarray(means), jnp.asarray(sigmas)
    size, end = config.neurons, settle + config.t1

    def run(curve, point):
        sigma = strengths[curve]
        level = curves.THRESHOLD - shift * sigma if threshold is None else threshold
        system = neurons.InNoise(neurons.lif(v_th=level), sigma)
        start = LIFState(jnp.full(size, curves.RESET))
        solution = bpc.simulate(
            system, start, drives[curve, point],
            t1=end, dt=config.dt, solver=bpc.GridSpikes(), throw=False,
            max_spikes=math.ceil(0.2 * end) * size,
            key=jax.random.fold_in(jax.random.fold_in(key, curve), point),
        )  # fmt: skip
        assert solution.spikes is not None
        late = 0.5 * config.dt  # spikes are at the ends of steps
        trains = bpc.analysis.spike_statistics(
            solution.spikes, size, t0=settle + late, t1=end + late, window=config.t1 / 2
        )
        rates = 1e3 * trains.rate
        error = rates.std(ddof=1) / math.sqrt(size)
        return {"rate": rates.mean(), "error": error, "ok": solution.ok & trains.ok}

    return _swept(run, means.shape, 1, "a smaller dt")


def _swept(run, shape: tuple[int, int], chunk: int, remedy: str) -> dict[str, np.ndarray]:
    """`run(curve, point)` for all points of all curves.

    **Raises:** `InputError` if one fails.
    """
    axes = {"curve": np.arange(shape[0]), "point": np.arange(shape[1])}
    swept = bpc.sweep(run, axes, chunk=chunk, progress=False)
    if not swept.ok.all():
        raise InputError(f"{int((~swept.ok).sum())} solves failed. Pass {remedy}.")
    return {name: swept[name].values for name in swept.data_vars}


def _stacked(family: list[Curve]) -> dict[str, np.ndarray]:
    """Arrays of each field of the curves; shorter lines are padded with NaN."""

    def padded(x):
        x = np.asarray(x)
        return np.pad(x, (0, most - x.size), constant_values=np.nan) if x.ndim else x

    table = {}
    for name in Curve._fields:
        values = [getattr(curve, name) for curve in family]
        most = max(np.size(x) for x in values)
        table[name] = np.array([padded(x) for x in values])
    return table


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """All curves, measured and by theory, model by model."""
    tables = []
    for name, (make, t1, theory) in MODELS.items():
        expected = parts(f"{name}, theory", lambda theory=theory: _stacked(theory(config.points)))
        rate = parts(
            f"{name}, measured",
            lambda make=make, t1=t1, drives=expected["drive"]: {
                "rate": measure(make, drives, t1, config.quick)
            },
        )["rate"]
        tables.append(expected | {"rate": rate, "error": np.zeros_like(rate)})
    expected = _stacked(curves.in_noise(config.means))
    sigmas = np.array([*curves.NOISE.values()])
    noisy = parts("LIF in noise", lambda: measure_in_noise(config, expected["drive"], sigmas))
    tables.append(expected | {name: noisy[name] for name in ("rate", "error")})
    return _dataset(tables).assign_attrs(
        {"dt": config.dt, "t1": config.t1, "neurons": config.neurons, "seed": config.seed}
    )


def _dataset(tables: list[dict[str, np.ndarray]]) -> xr.Dataset:
    """All curves one after another, the shorter ones padded with NaN; quadratic neurons at the
    drives of their normal form.
    """
    dims = {name: ("curve",) for name in ("panel", "label", "onset")}
    dims |= {name: ("curve", "point") for name in ("drive", "theory", "rate", "error")}
    dims |= {name: ("curve", "line") for name in ("line_drive", "line_rate")}
    sets = [xr.Dataset({name: (dims[name], x) for name, x in own.items()}) for own in tables]
    sizes = {dim: max(one.sizes[dim] for one in sets) for dim in ("point", "line")}
    padded = [
        one.pad({dim: (0, size - one.sizes[dim]) for dim, size in sizes.items()}) for one in sets
    ]
    dataset = xr.concat(padded, "curve")
    quadratic = dataset.label.isin([*curves.RESETS])
    for name in ("onset", "drive", "line_drive"):
        drive = dataset[name]
        dataset[name] = drive.where(~quadratic, curves.as_quadratic(drive))
    for name in ("theory", "rate", "error", "line_rate"):
        dataset[name].attrs["unit"] = "Hz"
    return dataset


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The largest relative deviation of each model's rates from theory, where both fire; in noise
    only above 1 Hz, and in standard errors as well; in how many points only one of both fires.
    """
    noise = dataset.panel.str.contains("noise")
    fires = (dataset.theory > 0) & (dataset.rate > 0)
    off = (dataset.rate / dataset.theory - 1).where(fires)
    table = {}
    for panel in dict.fromkeys(dataset.panel.values[~noise].tolist()):
        largest = abs(off).where(dataset.panel == panel).max()
        table[f"{panel}: largest relative deviation"] = float(largest)
    noisy = off.where(noise & (dataset.theory > 1))
    scores = ((dataset.rate - dataset.theory) / dataset.error).where(noisy.notnull())
    table["in noise, above 1 Hz: largest deviation"] = float(abs(noisy).max())
    table["in noise, above 1 Hz: mean deviation"] = float(noisy.mean())
    table["in noise, above 1 Hz: r.m.s. in standard errors"] = float((scores**2).mean() ** 0.5)
    differ = ~noise & dataset.theory.notnull() & ((dataset.theory > 0) != (dataset.rate > 0))
    table["without noise: points where only one fires"] = int(differ.sum())
    return table


STUDY = study.Study("firing_rates", Config, run, summary, folder="theory")

if __name__ == "__main__":
    STUDY.main()
