"""Which states does a modern Hopfield network have besides its memories, and when do they go?

Patterns are orthogonal and of length 1: then all fixed points are known in closed form, as states
in which `k` of `P` patterns share one weight equally and the others the rest. Over `beta`:

- all fixed points, by the number of their unstable directions, from a cloud of guesses;
- the branches of the mean, the memories and the mixtures, with their folds;
- the weight of a memory as `beta` slowly goes up and down;
- energies, curvatures, and the barriers between metastable states.

    python -m theory.regimes.modern_memory             # results/theory/modern_memory.zarr
    python -m theory.regimes.modern_memory --quick     # fewer values of beta
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

import bpcjax as bpc
from bpcjax.analysis import (
    Bifurcation,
    Branch,
    classify,
    energy_path,
    fixed_points,
    follow,
    spectrum,
    unique,
)
from experiments.common import InputError

from ..closed_forms import modern_hopfield as exact
from . import study
from .modern_states import exact_barriers, kinds

NAME = "modern_memory"
LOW = 0.4  # of P: the least beta, under which only the mean is there
HIGH = 1.4  # of P: the largest
EXTRA = 2  # dimensions outside of the span of the patterns
BESIDE = 1e-2  # of P: how far from the mean's bifurcation branches begin
KICK = 1e-3  # towards a memory, before each step of the slow loop
WIDTHS = 0.1, 0.5, 3.0, 30.0  # of the Dirichlet laws of guesses: from corners to the middle


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Fixed points of a modern Hopfield network."""

    patterns: int = 6
    """How many patterns, P."""
    betas: int = 23
    """At how many values of beta all fixed points are looked for."""
    guesses: int = 400
    """How many guesses, of each of four kinds."""
    step: float = 0.05
    """Between two points of a branch at most."""
    loop: int = 121
    """How many values of beta the slow loop has each way."""
    settle: float = 400.0
    """The time at each of them, in the unit of the flow's tau."""
    paths: int = 12
    """At how many values of beta barriers are measured, of each kind."""
    seed: int = 0
    """Of patterns and guesses."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    if not 4 <= config.patterns <= 8:  # there are 2^P - 1 fixed points; folds from 3 on
        raise InputError(f"patterns must be in 4 ... 8, got {config.patterns}.")
    for name, least in (("betas", 2), ("guesses", 1), ("loop", 10), ("paths", 1)):
        if getattr(config, name) < least:
            raise InputError(f"{name} must be at least {least}, got {getattr(config, name)}.")
    for name in ("step", "settle"):
        if not 0 < getattr(config, name) < np.inf:
            raise InputError(f"{name} must be positive, got {getattr(config, name)}.")
    if config.quick:
        few = {"betas": 8, "guesses": 250, "loop": 41, "paths": 3}
        fewer = {name: min(getattr(config, name), most) for name, most in few.items()}
        config = dataclasses.replace(config, **fewer, step=max(config.step, 0.1))
    return config


class Memory(NamedTuple):
    """The patterns [P, N], and the network at any beta."""

    patterns: Float[Array, "P N"]

    @classmethod
    def of(cls, config: Config) -> "Memory":
        """Random ones."""
        key, count = jax.random.key(config.seed), config.patterns
        return cls(jnp.linalg.qr(jax.random.normal(key, (count + EXTRA, count)))[0].T)

    def at(self, beta) -> bpc.GradientFlow:
        """The flow at `beta`."""
        return bpc.GradientFlow(bpc.energies.ModernHopfield(self.patterns, beta))

    def weights(self, y, beta) -> Float[Array, " P"]:
        """The share of each pattern in the state `y`."""
        return self.at(beta).energy.posterior(y)

    def state(self, shared: int, weight) -> Float[Array, " N"]:
        """The state in which the first patterns share this weight."""
        return jnp.asarray(exact.weights(weight, len(self.patterns), shared)) @ self.patterns


def census(config: Config) -> dict[str, np.ndarray]:
    """All fixed points at each beta: by unstable directions, and against the closed forms."""
    memory, count = Memory.of(config), config.patterns
    betas = np.linspace(LOW, HIGH, config.betas) * count
    betas[np.abs(betas - count) < BESIDE] += 0.1  # there the mean is degenerate
    keys = jax.random.split(jax.random.key(config.seed + 1), len(WIDTHS) + 1)
    cloud = [
        jax.random.dirichlet(key, jnp.full(count, width), (config.guesses,))
        for key, width in zip(keys, WIDTHS, strict=False)
    ]
    guesses = jnp.concatenate(cloud) @ memory.patterns
    guesses += 0.05 * jax.random.normal(keys[-1], guesses.shape)

    @jax.jit
    def everywhere(betas):
        return jax.lax.map(lambda beta: fixed_points(memory.at(beta), guesses), betas)

    reached = jax.device_get(everywhere(jnp.asarray(betas)))
    shape = len(betas), 2**count - 1
    result = {
        "beta": betas,
        "found": np.zeros((len(betas), count), int),
        "expected": np.zeros((len(betas), count), int),
        "energy": np.full(shape, np.nan),
        "unstable": np.full(shape, -1),
        "missed": np.zeros(len(betas), int),
        **{f"{name}_off": np.zeros(len(betas)) for name in ("state", "energy", "curvature")},
    }
    for row, beta in enumerate(betas):
        points = unique(jax.tree.map(lambda x, row=row: jnp.asarray(x[row]), reached))
        values = spectrum(points.jacobian)
        unstable = np.asarray(classify(values).unstable)
        flow = memory.at(beta)
        energy = np.asarray(jax.vmap(lambda y, flow=flow: flow.energy(y, None))(points.y))
        weights = np.sort(jax.vmap(memory.weights, (0, None))(points.y, beta), axis=1)
        known = kinds(float(beta), count, EXTRA)
        apart = np.array([[np.abs(w - own.weights).max() for own in known] for w in weights])
        nearest = apart.argmin(axis=1)
        of = [known[k] for k in nearest]
        numbers = np.bincount(nearest, minlength=len(known))
        places = min(len(energy), shape[1])
        result["energy"][row, :places] = energy[:places]
        result["unstable"][row, :places] = unstable[:places]
        np.add.at(result["found"][row], unstable, 1)
        np.add.at(result["expected"][row], [k.unstable for k in known], [k.number for k in known])
        result["missed"][row] = np.abs(numbers - [k.number for k in known]).sum()
        result["state_off"][row] = apart.min(axis=1).max()
        result["energy_off"][row] = np.abs(energy - [k.energy for k in of]).max()
        curvatures = np.sort(-np.asarray(values.real), axis=1)
        result["curvature_off"][row] = np.abs(curvatures - [k.curvatures for k in of]).max()
    return result


def _named(memory: Memory, branch: Branch, shared: int) -> dict[str, np.ndarray]:
    """A branch as arrays: beta, the weight of the first patterns, the least curvature."""
    weights = jax.vmap(memory.weights)(branch.y, branch.p)
    return {
        "p": np.asarray(branch.p),
        "weight": np.asarray(weights[:, :shared].sum(axis=1)),
        "curvature": -np.asarray(branch.eigenvalues.real).max(axis=1),
        "stable": np.asarray(branch.stable),
    }


def _where(flow: bpc.GradientFlow):
    return flow.energy.beta


def branches(config: Config) -> dict[str, np.ndarray]:
    """The mean, and the states of `k` patterns for each `k` up to half of them: from the largest
    beta down, round the fold, and up again. At the mean's bifurcation several directions vanish
    at once, so branches are followed on either side of it.
    """
    memory, count = Memory.of(config), config.patterns
    below, above = (1 - BESIDE) * count, (1 + BESIDE) * count
    bounds = LOW * count, HIGH * count

    def along(shared, weight, beta, toward, bounds):
        return follow(
            memory.at(beta), _where, memory.state(shared, weight), beta,
            step=config.step, count=2000, toward=toward, bounds=bounds,
        )  # fmt: skip

    means = [
        _named(memory, along(1, 1 / count, start, 1.0, (start, end)), 1)
        for start, end in ((bounds[0], below), (above, bounds[1]))
    ]
    result = {f"mean_{key}": np.concatenate([part[key] for part in means]) for key in means[0]}
    least = result["mean_curvature"]  # falls along a line: 1 - beta / P
    result["mean_crossing"] = np.array([np.interp(0.0, -least, result["mean_p"])])
    folds = []
    for shared in range(1, count // 2 + 1):
        pieces = []
        if 2 * shared < count:
            high = float(exact.branches(below, count, shared)[1])
            up = along(shared, high, below, 1.0, bounds)
            down = along(shared, high, below, -1.0, (bounds[0], below))
            low = float(exact.branches(above, count, shared)[0])
            pieces = [(up, -1), (down, 1), (along(shared, low, above, 1.0, bounds), 1)]
            folds.append([s.p for s in down.special if s.kind is Bifurcation.FOLD])
        else:  # half of them: the branch leaves the mean
            high = float(exact.branches(above, count, shared)[1])
            pieces = [(along(shared, high, above, 1.0, bounds), -1)]
        named = [
            {key: x[::order] for key, x in _named(memory, piece, shared).items()}
            for piece, order in pieces
        ]
        for key in named[0]:
            result[f"k{shared}_{key}"] = np.concatenate([part[key] for part in named])
    result["fold"] = np.array([found[0] if len(found) == 1 else np.nan for found in folds])
    return result


def slow_loop(config: Config) -> dict[str, np.ndarray]:
    """The largest weight as beta goes up from the mean and down again, step by step."""
    memory, count = Memory.of(config), config.patterns
    betas = jnp.linspace(0.55, 1.25, config.loop) * count

    def step(y, beta):
        y = y + KICK * memory.patterns[0]
        found = bpc.simulate(memory.at(beta), y, t1=config.settle, dt=0.2, throw=False)
        y = jnp.where(found.ok, jnp.asarray(found.ys)[-1], jnp.nan)
        return y, memory.weights(y, beta).max()

    @jax.jit
    def there_and_back(betas):
        y, up = jax.lax.scan(step, memory.patterns.mean(axis=0), betas)
        return up, jax.lax.scan(step, y, betas[::-1])[1][::-1]

    up, down = there_and_back(betas)
    return {"loop_beta": np.asarray(betas), "up": np.asarray(up), "down": np.asarray(down)}


def barriers(config: Config) -> dict[str, np.ndarray]:
    """Barriers on paths of least energy: memory and mean below the mean's bifurcation, two
    memories above it.
    """
    memory, count = Memory.of(config), config.patterns
    start = exact.spinodal(count).b
    spread = (np.arange(config.paths) + 0.5) / config.paths
    lower = start + (0.05 + 0.9 * spread) * (count - start)
    upper = count * (1.02 + (HIGH - 1.02) * spread)
    mean = memory.patterns.mean(axis=0)
    rows = {"out": [], "back": [], "swap": []}
    for beta in lower:
        path = energy_path(memory.at(beta), memory.patterns[0], mean)
        rows["out"].append(path.barrier)
        rows["back"].append(path.energies.max() - path.energies[-1] + 0 * path.barrier)
    for beta in upper:
        path = energy_path(memory.at(beta), memory.patterns[0], memory.patterns[1])
        rows["swap"].append(path.barrier)
    measured = {f"barrier_{name}": np.asarray(row) for name, row in rows.items()}
    return {"barrier_beta": lower, "swap_beta": upper} | measured


_DIMS = {"found": ("beta", "directions"), "expected": ("beta", "directions")}
_DIMS |= {"energy": ("beta", "state"), "unstable": ("beta", "state")}
_DIMS |= {name: ("loop_beta",) for name in ("up", "down")}
_DIMS |= {f"barrier_{name}": ("barrier_beta",) for name in ("out", "back")}
_DIMS |= {f"{name}_off": ("beta",) for name in ("state", "energy", "curvature")}
_DIMS |= {"missed": ("beta",), "barrier_swap": ("swap_beta",), "fold": ("shared",)}


def _dims(name: str) -> tuple[str, ...]:
    if name in _DIMS:
        return _DIMS[name]
    family = name.split("_")[0]
    grid = name in ("beta", "loop_beta", "barrier_beta", "swap_beta", "mean_crossing")
    return (name,) if grid else (f"{family}_point",)


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """The study, part by part.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    config = check(config)
    found = parts("all fixed points", lambda: census(config))
    found |= parts("branches", lambda: branches(config))
    found |= parts("slow loop", lambda: slow_loop(config))
    found |= parts("barriers", lambda: barriers(config))
    data = {name: (_dims(name), np.asarray(values)) for name, values in found.items()}
    return xr.Dataset(data, attrs={"patterns": config.patterns, "settle": config.settle})


def off_branch(dataset: xr.Dataset, shared: int) -> tuple[float, float]:
    """The largest difference of the branch of `shared` patterns from the closed form: of the
    weight, and of the least curvature.
    """
    count = dataset.attrs["patterns"]
    p, weight, curvature = (
        dataset[f"k{shared}_{key}"].values for key in ("p", "weight", "curvature")
    )
    known = np.stack(exact.branches(p, count, shared))
    nearest = np.abs(known - weight).argmin(axis=0)
    known = np.take_along_axis(known, nearest[None], axis=0)[0]
    least = [
        1 - max(value for value, _ in exact.eigenvalues(w, b, count, shared))
        for w, b in zip(known, p, strict=True)
    ]
    return float(np.abs(weight - known).max()), float(np.abs(curvature - least).max())


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """How far all of it is from the closed forms."""
    count = dataset.attrs["patterns"]
    half = count // 2
    off = [off_branch(dataset, shared) for shared in range(1, half + 1)]
    spinodals = [exact.spinodal(count, shared).b for shared in range(1, 1 + dataset.fold.size)]
    result = {
        "fixed points at the largest beta": int(dataset.found[-1].sum()),
        "fixed points missed or too many": int(dataset.missed.sum()),
        "with a wrong number of unstable directions": int(
            np.abs(dataset.found - dataset.expected).sum()
        ),
        "fixed points: error of the weights": float(dataset.state_off.max()),
        "fixed points: error of the energy": float(dataset.energy_off.max()),
        "fixed points: error of the curvatures": float(dataset.curvature_off.max()),
        "branches: error of the weight": max(weight for weight, _ in off),
        "branches: error of the least curvature": max(curvature for _, curvature in off),
        "folds: error of beta": float(np.abs(dataset.fold.values - spinodals).max()),
    }
    crossing = abs(float(dataset.mean_crossing[0]) - count)
    result["the mean's bifurcation: error of beta"] = crossing
    shares = dataset.mean_weight.values
    result["the mean: error of its weight"] = float(np.abs(shares - 1 / count).max())
    result |= _loop_summary(dataset, count)
    lower = exact_barriers(dataset.barrier_beta.values, count)
    upper = exact_barriers(dataset.swap_beta.values, count)
    for name, known in (("out", lower), ("back", lower), ("swap", upper)):
        error = np.abs(dataset[f"barrier_{name}"].values - known[name])
        result[f"barrier {name}: error"] = float(error.max())
    return result


def _loop_summary(dataset: xr.Dataset, count: int) -> dict[str, float]:
    """Where the loop jumps, in units of its spacing; how far it is from the stable states."""
    beta = dataset.loop_beta.values
    spacing = beta[1] - beta[0]
    memory = exact.branches(beta, count)[1]
    start = exact.spinodal(count).b
    result = {}
    for name, jump in (("up", float(count)), ("down", start)):
        weight = dataset[name].values
        expected = np.where(beta > jump, memory, 1 / count)
        away = np.abs(beta - jump) > 1.5 * spacing
        at = beta[np.argmax(weight > 0.5)] - spacing / 2
        result[f"loop {name}: jump at beta"] = float(at)
        result[f"loop {name}: jump off by (spacings)"] = float(abs(at - jump) / spacing)
        result[f"loop {name}: error of the weight"] = float(np.abs(weight - expected)[away].max())
    return result


def _figure():
    from figures.theory import modern_memory

    return modern_memory


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)


if __name__ == "__main__":
    main()
