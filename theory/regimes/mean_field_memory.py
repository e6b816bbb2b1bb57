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
from experiments.common import InputError

from ..closed_forms import first_passage, mean_field
from . import study

NAME = "mean_field_memory"
LOW, HIGH = 0.5, 2.5  # beta, of the pitchfork
COLD = 2.0  # beta, of the escape
FIELDS = 1.2, 1.5, 2.0, 3.0  # beta, of the branches in the field
SMALL = 1e-5  # push, of the state at rest
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

    step: float = 0.02
    """Between two points of a branch at most."""
    rates: int = 41
    """At how many values of beta the return to rest is measured."""
    paths: int = 12
    """At how many values of beta the barrier is measured."""
    copies: int = 1000
    """How many copies run until noise has driven them out, at each temperature."""
    temperatures: tuple[float, ...] = (0.04, 0.05, 0.06, 0.08)
    """Of the noise."""
    dt: float = 0.1
    """Step of the noisy runs, in the unit of the flow's tau."""
    seed: int = 0
    """Of the noise."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    for name, least in (("rates", 2), ("paths", 1), ("copies", 2)):
        if getattr(config, name) < least:
            raise InputError(f"{name} must be at least {least}, got {getattr(config, name)}.")
    for name, most in (("step", 0.2), ("dt", 0.5)):
        if not 0 < getattr(config, name) <= most:
            value = getattr(config, name)
            raise InputError(f"{name} must be positive, and at most {most}, got {value}.")
    least = 0.02  # one waits exp(8) times there
    if len(config.temperatures) < 2 or not all(least <= t < 0.2 for t in config.temperatures):
        raise InputError(
            f"temperatures must be two or more, from {least} to 0.2, got {config.temperatures}."
        )
    if config.quick:
        few = {"rates": 13, "paths": 4, "copies": 300}
        fewer = {name: min(getattr(config, name), most) for name, most in few.items()}
        warm = config.temperatures[-3:]
        config = dataclasses.replace(
            config, **fewer, temperatures=warm, step=max(config.step, 0.05)
        )
    return config


def at(beta) -> bpc.GradientFlow:
    """The flow without noise."""
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
    """The branch of no memory over beta, and those that leave it."""
    options: Any = dict(step=config.step, count=1000, bounds=(LOW, HIGH))
    none = follow(at(LOW), _beta, jnp.array(0.0), LOW, 0.0, **options)
    (special,) = (s for s in none.special if s.kind is Bifurcation.BRANCH)
    plus, minus = switch(at(LOW), _beta, special, 0.0, **options)
    if plus.y[-1] < 0:
        plus, minus = minus, plus
    found = _arrays(none, "none") | _arrays(plus, "plus") | _arrays(minus, "minus")
    return found | {"pitchfork": np.array([special.p])}


def in_field(config: Config) -> dict[str, np.ndarray]:
    """At some values of beta, the branch from a strong field against the memory to one for it."""
    found, folds = {}, []
    for k, beta in enumerate(FIELDS):
        start, h = jnp.array(-1.0), -0.6
        branch = follow(at(beta), None, start, h, step=config.step, count=2000, bounds=(h, -h))
        found |= _arrays(branch, f"field{k}")
        turns = [s for s in branch.special if s.kind is Bifurcation.FOLD]
        pairs = [(s.p, float(s.y)) for s in turns]
        folds.append(pairs if len(pairs) == 2 else [(np.nan, np.nan)] * 2)
    return found | {"folds": np.array(folds)}


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
        found = bpc.simulate(
            at(beta), rest + SMALL, 0.0, t1=times[1], dt=0.02 / guess,
            saveat=dfx.SaveAt(ts=times), max_steps=128, throw=False,
        )  # fmt: skip
        away = jnp.log(found.ys - rest)
        rate = (away[0] - away[1]) / (times[1] - times[0])
        return jnp.where(found.ok, rate, jnp.nan), recovery_rate(at(beta), rest, 0.0)

    measured, linear = measure(jnp.asarray(betas), jnp.asarray(rest), jnp.asarray(expected))
    return {"beta": betas, "measured": measured, "linear": linear, "expected": expected}


def barriers(config: Config) -> dict[str, np.ndarray]:
    """The barrier between both signs of the memory, on the path of least energy."""
    betas = np.linspace(1.1, HIGH, config.paths)
    found = [
        energy_path(FreeEnergy(beta), jnp.array(-1.0), jnp.array(1.0), 0.0).barrier
        for beta in betas
    ]
    return {"barrier_beta": betas, "barrier": np.asarray(found)}


def potential(m):
    """The free energy that noise has to climb."""
    return mean_field.free_energy(m, COLD)


def mean_time(temperature: float, dt: float = 0.0) -> float:
    """The exact mean time from one memory to its mirror image, seen at each `dt`: as if the border
    were further out by `BORDER` amplitudes of a step.
    """
    rest = float(mean_field.magnetisation(COLD))
    border = -rest - BORDER * np.sqrt(2 * temperature * dt)
    wall = rest + 12 * np.sqrt(temperature)  # some 40 temperatures above the well
    return float(first_passage.mean_time(potential, temperature, rest, border, wall))


def escape(config: Config) -> dict[str, np.ndarray]:
    """How long noise takes from one memory to its mirror image."""
    rest = float(mean_field.magnetisation(COLD))

    def left(m):
        return m < -rest

    cold, rows = FreeEnergy(jnp.asarray(COLD)), []
    for k, temperature in enumerate(config.temperatures):
        exact, seen = mean_time(temperature), mean_time(temperature, config.dt)
        found = escape_times(
            bpc.Langevin(cold, jnp.asarray(temperature)), jnp.array(rest), left, 0.0,
            count=config.copies, t1=jnp.asarray(3 * exact), dt=config.dt,
            key=jax.random.fold_in(jax.random.key(config.seed), k), solver=dfx.Heun(),
        )  # fmt: skip
        law = kramers_rate(cold, jnp.array(rest), jnp.array(0.0), temperature, 0.0)
        rows.append((found.mean, found.error, exact, seen, 1 / law))
    columns = np.array(rows, float).T
    names = "time", "time_error", "time_exact", "time_seen", "time_kramers"
    return {"temperature": np.array(config.temperatures)} | dict(zip(names, columns, strict=True))


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """The study, part by part.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    config = check(config)
    found = parts("pitchfork", lambda: pitchfork(config))
    found |= parts("branches in the field", lambda: in_field(config))
    found |= parts("critical slowing", lambda: slowing(config))
    found |= parts("barriers", lambda: barriers(config))
    found |= parts("escape", lambda: escape(config))
    data = {name: (_dims(name), np.asarray(values)) for name, values in found.items()}
    return xr.Dataset(data, {"field_beta": list(FIELDS)}, {"dt": config.dt, "cold": COLD})


def _dims(name: str) -> tuple[str, ...]:
    if name == "folds":
        return "field_beta", "side", "h_and_m"
    if name.startswith("time"):
        return ("temperature",)
    known = {"measured": "beta", "linear": "beta", "expected": "beta", "barrier": "barrier_beta"}
    if name in known or name in (*known.values(), "temperature", "pitchfork"):
        return (known.get(name, name),)
    return (f"{name.split('_')[0]}_point",)


def exact_folds(beta) -> np.ndarray:
    """The folds [beta, side, (h, m)] in closed form, in the order in which they are met."""
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
    found = {key: float(over @ np.log(dataset[name].values)) for key, name in names.items()}
    return found | {"error": float(np.sqrt((over**2 * error**2).sum()))}


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """How far all of it is from the closed forms."""

    def off(found, known) -> float:
        return float(np.abs(np.asarray(found) - np.asarray(known)).max())

    wrong = sum(
        int((dataset[f"{name}_stable"] != stable(dataset[f"{name}_p"])).sum())
        for name, stable in (("none", lambda p: p < 1), ("plus", lambda p: p > 1))
    )
    near = np.abs(dataset.beta.values - 1) < 0.02
    leading = np.where(dataset.beta < 1, 1 - dataset.beta, 2 * (dataset.beta - 1))
    away = (dataset.time - dataset.time_seen) / dataset.time_error
    found = slopes(dataset)
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
        "slope of log time over 1 / T, measured": found["measured"],
        "its standard error": found["error"],
        "slope, exact (seen at each step)": found["seen"],
        "slope, Kramers (the barrier)": found["law"],
    }


def _figure():
    from figures.theory import mean_field_memory

    return mean_field_memory


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)


if __name__ == "__main__":
    main()
