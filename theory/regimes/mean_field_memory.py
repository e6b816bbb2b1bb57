"""How does one memory appear in mean field, how slowly does it forget near there, and how long
does it last in noise?

The Curie-Weiss model: `m' = tanh(beta (m + h)) - m` descends the free energy
`m^2 / 2 - log(2 cosh(beta (m + h))) / beta`, with `m` the overlap with the memory, `h` a field.

- The pitchfork at `beta = 1`, followed, with both branches that begin there.
- The folds in the field, where the memory of the other sign goes.
- Critical slowing: rates of return, measured, from the Jacobian, and in closed form.
- The barrier between both signs, and how long noise takes over it: measured times, the exact mean
  of first passage, Kramers' law.

    python -m theory.regimes.mean_field_memory             # results/theory/mean_field_memory.zarr
    python -m theory.regimes.mean_field_memory --quick     # fewer points, fewer copies
"""

import dataclasses
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

import bpcjax as bpc
from bpcjax.analysis import (
    Bifurcation,
    Branch,
    energy_path,
    escape_times,
    follow,
    kramers_rate,
    recovery_rate,
    switch,
)
from experiments.common import InputError, study
from experiments.common.study import setting

from ..closed_forms import first_passage, mean_field

LOW, HIGH = 0.5, 2.5  # beta, of the pitchfork
COLD = 2.0  # beta, of the escape
FIELDS = 1.2, 1.5, 2.0, 3.0  # beta, of the branches in the field
SMALL = 1e-5  # push, of the state at rest
LINE = np.arange(100, 641) / 200  # beta, of closed forms: 0.5 ... 3.2, with 1
BORDER = 0.5826  # -zeta(1/2) / sqrt(2 pi): Broadie, Glasserman & Kou (1997)


class FreeEnergy(eqx.Module):
    """The free energy per spin; the drive is the field."""

    beta: Float[Array, ""] = bpc.parameter(positive=True)

    def __call__(self, m: Float[Array, ""], args: Any = 0.0) -> Float[Array, ""]:
        """The free energy at `m` in the field `args`."""
        drive = self.beta * (m + args)
        return 0.5 * m * m - jnp.logaddexp(drive, -drive) / self.beta


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Pitchfork, critical slowing and escape of the Curie-Weiss model."""

    step: float = setting(0.02, above=0, most=0.2, quick=lambda x: max(x, 0.05))
    """Between two points of a branch at most."""
    rates: int = setting(41, least=2, quick=13)
    """At how many values of beta the return to rest is measured."""
    paths: int = setting(12, least=1, quick=4)
    """At how many values of beta the barrier is measured."""
    copies: int = setting(1000, least=2, quick=300)
    """How many copies run until noise has driven them out, at each temperature."""
    temperatures: tuple[float, ...] = setting(
        (0.04, 0.05, 0.06, 0.08), least=0.02, below=0.2, quick=lambda x: x[-3:]
    )
    """Of the noise; at the least one waits exp(8) times."""
    dt: float = setting(0.1, above=0, most=0.5)
    """Step of the noisy runs, in the unit of the flow's tau."""
    seed: int = 0
    """Of the noise."""

    def verify(self) -> None:
        """A slope over temperatures needs two of them."""
        if len(self.temperatures) < 2:
            raise InputError(f"temperatures must be two or more, got {self.temperatures}.")


def at(beta) -> bpc.GradientFlow:
    """Gradient flow of the mean-field memory at `beta`, without noise."""
    return bpc.GradientFlow(FreeEnergy(beta))


def _beta(flow: bpc.GradientFlow):
    return flow.energy.beta


def _arrays(branch: Branch, name: str) -> dict[str, np.ndarray]:
    return {
        f"{name}_p": np.asarray(branch.p),
        f"{name}_m": np.asarray(branch.y),
        f"{name}_stable": np.asarray(branch.stable),
    }


def pitchfork(config: Config) -> dict[str, np.ndarray]:
    """Branch of no memory over beta, and those that leave it."""
    options: Any = dict(step=config.step, count=1000, bounds=(LOW, HIGH))
    none = follow(at(LOW), _beta, jnp.array(0.0), LOW, 0.0, **options)
    (special,) = (s for s in none.special if s.kind is Bifurcation.BRANCH)
    plus, minus = switch(at(LOW), _beta, special, 0.0, **options)
    if plus.y[-1] < 0:
        plus, minus = minus, plus
    arrays = _arrays(none, "none") | _arrays(plus, "plus") | _arrays(minus, "minus")
    return arrays | {"pitchfork": np.array([special.p])}


def in_field(config: Config) -> dict[str, np.ndarray]:
    """Branches at some values of beta, from a strong field against the memory to one for it."""
    arrays, folds = {}, []
    for k, beta in enumerate(FIELDS):
        start, h = jnp.array(-1.0), -0.6
        branch = follow(at(beta), None, start, h, step=config.step, count=2000, bounds=(h, -h))
        arrays |= _arrays(branch, f"field{k}")
        turns = [s for s in branch.special if s.kind is Bifurcation.FOLD]
        pairs = [(s.p, float(s.y)) for s in turns]
        folds.append(pairs if len(pairs) == 2 else [(np.nan, np.nan)] * 2)
    return arrays | {"folds": np.array(folds)}


def slowing(config: Config) -> dict[str, np.ndarray]:
    """Rates of return to the stable rest: after a small push, and by the Jacobian there."""
    betas = np.concatenate(
        [
            1 - np.geomspace(0.5, 5e-3, config.rates // 2),
            1 + np.geomspace(5e-3, 1.0, config.rates - config.rates // 2),
        ]
    )
    rest = mean_field.magnetisation(betas)
    expected = -mean_field.slope(rest, betas)

    @jax.jit
    @jax.vmap
    def measure(beta, rest, guess):
        times = jnp.array([1.0, 2.0]) / guess
        solution = bpc.simulate(
            at(beta), rest + SMALL, 0.0, t1=times[1], dt=0.02 / guess,
            saveat=dfx.SaveAt(ts=times), max_steps=128, throw=False,
        )  # fmt: skip
        away = jnp.log(solution.ys - rest)
        rate = (away[0] - away[1]) / (times[1] - times[0])
        return jnp.where(solution.ok, rate, jnp.nan), recovery_rate(at(beta), rest, 0.0)

    measured, linear = measure(jnp.asarray(betas), jnp.asarray(rest), jnp.asarray(expected))
    return {"beta": betas, "measured": measured, "linear": linear, "expected": expected}


def barriers(config: Config) -> dict[str, np.ndarray]:
    """Barrier between both signs of the memory, on the path of least energy."""
    betas = np.linspace(1.1, HIGH, config.paths)
    heights = [
        energy_path(FreeEnergy(beta), jnp.array(-1.0), jnp.array(1.0), 0.0).barrier
        for beta in betas
    ]
    return {"barrier_beta": betas, "barrier": np.asarray(heights)}


def potential(m):
    """The free energy that noise has to climb."""
    return mean_field.free_energy(m, COLD)


def mean_time(temperature: float, dt: float = 0.0) -> float:
    """Exact mean time from one memory to its mirror image, seen at each `dt`: as if the border
    were further out by `BORDER` amplitudes of a step.
    """
    rest = float(mean_field.magnetisation(COLD))
    border = -rest - BORDER * np.sqrt(2 * temperature * dt)
    wall = rest + 12 * np.sqrt(temperature)  # some 40 temperatures above the well
    return float(first_passage.mean_time(potential, temperature, rest, border, wall))


def escape(config: Config) -> dict[str, np.ndarray]:
    """Mean times that noise takes from one memory to its mirror image."""
    rest = float(mean_field.magnetisation(COLD))

    def left(m):
        return m < -rest

    cold, rows = FreeEnergy(jnp.asarray(COLD)), []
    for k, temperature in enumerate(config.temperatures):
        exact, stepped = mean_time(temperature), mean_time(temperature, config.dt)
        times = escape_times(
            bpc.Langevin(cold, jnp.asarray(temperature)), jnp.array(rest), left, 0.0,
            count=config.copies, t1=jnp.asarray(3 * exact), dt=config.dt,
            key=jax.random.fold_in(jax.random.key(config.seed), k), solver=dfx.Heun(),
        )  # fmt: skip
        law = kramers_rate(cold, jnp.array(rest), jnp.array(0.0), temperature, 0.0)
        rows.append((times.mean, times.error, exact, stepped, 1 / law))
    columns = np.array(rows, float).T
    names = "time", "time_error", "time_exact", "time_seen", "time_kramers"
    return {"temperature": np.array(config.temperatures)} | dict(zip(names, columns, strict=True))


def closed_forms() -> dict[str, tuple]:
    """Closed forms as variables: the folds in the field, and over `line_beta` the overlap, the rate
    of return, the field of the fold and the barrier.
    """
    beta = LINE
    m, (h, _) = mean_field.magnetisation(beta), mean_field.spinodal(beta)
    curves = {"m": m, "rate": -mean_field.slope(m, beta), "h": h}
    curves |= {"barrier": mean_field.barrier(beta)}
    folds = ("field_beta", "side", "h_and_m"), exact_folds(FIELDS)
    return {"exact_folds": folds} | {f"line_{k}": ("line_beta", x) for k, x in curves.items()}


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Run the study part by part: the pitchfork, branches, slowing, barriers and escape."""
    arrays = parts("pitchfork", lambda: pitchfork(config))
    arrays |= parts("branches in the field", lambda: in_field(config))
    arrays |= parts("critical slowing", lambda: slowing(config))
    arrays |= parts("barriers", lambda: barriers(config))
    arrays |= parts("escape", lambda: escape(config))
    data: dict = {name: (_dims(name), np.asarray(values)) for name, values in arrays.items()}
    coords = {"field_beta": list(FIELDS), "line_beta": LINE}
    return xr.Dataset(data | closed_forms(), coords, {"dt": config.dt, "cold": COLD})


def _dims(name: str) -> tuple[str, ...]:
    if name == "folds":
        return "field_beta", "side", "h_and_m"
    if name.startswith("time"):
        return ("temperature",)
    dims = {"measured": "beta", "linear": "beta", "expected": "beta", "barrier": "barrier_beta"}
    if name in dims or name in (*dims.values(), "temperature", "pitchfork"):
        return (dims.get(name, name),)
    return (f"{name.split('_')[0]}_point",)


def exact_folds(beta) -> np.ndarray:
    """Folds [beta, side, (h, m)] in closed form, in the order along the branch."""
    h, m = mean_field.spinodal(np.asarray(beta, float))
    return np.stack([np.stack([h, m], axis=-1), np.stack([-h, -m], axis=-1)], axis=1)


def slopes(dataset: xr.Dataset) -> dict[str, float]:
    """The slope of the logarithm of times over `1 / T`: measured, with its error, and exact."""
    x = 1 / dataset.temperature.values
    error = (dataset.time_error / dataset.time).values
    weight = 1 / error**2
    centred = x - (weight * x).sum() / weight.sum()
    over = weight * centred / (weight * centred**2).sum()
    names = {"measured": "time", "seen": "time_seen", "exact": "time_exact", "law": "time_kramers"}
    slope = {key: float(over @ np.log(dataset[name].values)) for key, name in names.items()}
    return slope | {"error": float(np.sqrt((over**2 * error**2).sum()))}


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """How far all of it is from the closed forms."""

    def off(measured, exact) -> float:
        return float(np.abs(np.asarray(measured) - np.asarray(exact)).max())

    wrong = sum(
        int((dataset[f"{name}_stable"] != stable(dataset[f"{name}_p"])).sum())
        for name, stable in (("none", lambda p: p < 1), ("plus", lambda p: p > 1))
    )
    near = np.abs(dataset.beta.values - 1) < 0.02
    leading = np.where(dataset.beta < 1, 1 - dataset.beta, 2 * (dataset.beta - 1))
    away = (dataset.time - dataset.time_seen) / dataset.time_error
    slope = slopes(dataset)
    return {
        "pitchfork: error of beta": off(dataset.pitchfork, 1.0),
        "branches: error of m": max(
            off(sign * dataset[f"{name}_m"], mean_field.magnetisation(dataset[f"{name}_p"]))
            for name, sign in (("plus", 1), ("minus", -1))
        ),
        "points of wrong stability": wrong,
        "folds: error of h": off(dataset.folds[..., 0], exact_folds(FIELDS)[..., 0]),
        "folds: error of m": off(dataset.folds[..., 1], exact_folds(FIELDS)[..., 1]),
        "return: relative error, measured": off(dataset.measured / dataset.expected, 1.0),
        "return: relative error, Jacobian": off(dataset.linear / dataset.expected, 1.0),
        "return near 1: off the leading law by (share)": off(
            (dataset.measured / leading)[near], 1.0
        ),
        "barrier: error": off(dataset.barrier, mean_field.barrier(dataset.barrier_beta.values)),
        "escape: largest difference (standard errors)": off(away, 0.0),
        "escape: relative difference": off(dataset.time / dataset.time_seen, 1.0),
        "escape: mean of differences (standard errors)": float(away.mean()),
        "Kramers' time over the exact one, coldest": float(
            (dataset.time_kramers / dataset.time_exact).values[dataset.temperature.values.argmin()]
        ),
        "slope of log time over 1 / T, measured": slope["measured"],
        "its standard error": slope["error"],
        "slope, exact (seen at each step)": slope["seen"],
        "slope, Kramers (the barrier)": slope["law"],
    }


STUDY = study.Study("mean_field_memory", Config, run, summary, folder="theory")

if __name__ == "__main__":
    STUDY.main()
