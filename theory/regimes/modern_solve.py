"""Fixed points, branches, slow loop and barriers of a modern Hopfield network, by the engine: for
the study `modern_memory`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
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

from ..closed_forms import modern_hopfield as exact
from .modern_states import HIGH, LOW, kinds

EXTRA = 2  # dimensions outside of the span of the patterns
BESIDE = 1e-2  # of P: how far from the mean's bifurcation branches begin
KICK = 1e-3  # towards a memory, before each step of the slow loop
WIDTHS = 0.1, 0.5, 3.0, 30.0  # of the Dirichlet laws of guesses: from corners to the middle


class Memory(NamedTuple):
    """Orthonormal patterns [P, N], and the network at any beta."""

    patterns: Float[Array, "P N"]

    @classmethod
    def of(cls, seed: int, count: int) -> "Memory":
        """Memory of `count` random orthonormal patterns."""
        key = jax.random.key(seed)
        return cls(jnp.linalg.qr(jax.random.normal(key, (count + EXTRA, count)))[0].T)

    def at(self, beta) -> bpc.GradientFlow:
        """Gradient flow of the memory at the inverse temperature `beta`."""
        return bpc.GradientFlow(bpc.energies.ModernHopfield(self.patterns, beta))

    def weights(self, y, beta) -> Float[Array, " P"]:
        """Weight of each pattern in the state `y`."""
        return self.at(beta).energy.posterior(y)

    def state(self, shared: int, weight) -> Float[Array, " N"]:
        """State in which the first patterns share this weight."""
        return jnp.asarray(exact.weights(weight, len(self.patterns), shared)) @ self.patterns


def census(config: Any) -> dict[str, np.ndarray]:
    """Census of all fixed points at each beta: by unstable directions, against closed forms."""
    memory, count = Memory.of(config.seed, config.patterns), config.patterns
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
        "number": np.zeros((len(betas), count), int),
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
        exact_kinds = kinds(float(beta), count, EXTRA)
        apart = np.array([[np.abs(w - own.weights).max() for own in exact_kinds] for w in weights])
        nearest = apart.argmin(axis=1)
        of = [exact_kinds[k] for k in nearest]
        numbers = np.bincount(nearest, minlength=len(exact_kinds))
        places = min(len(energy), shape[1])
        result["energy"][row, :places] = energy[:places]
        result["unstable"][row, :places] = unstable[:places]
        np.add.at(result["number"][row], unstable, 1)
        np.add.at(
            result["expected"][row],
            [k.unstable for k in exact_kinds],
            [k.number for k in exact_kinds],
        )
        result["missed"][row] = np.abs(numbers - [k.number for k in exact_kinds]).sum()
        result["state_off"][row] = apart.min(axis=1).max()
        result["energy_off"][row] = np.abs(energy - [k.energy for k in of]).max()
        curvatures = np.sort(-np.asarray(values.real), axis=1)
        result["curvature_off"][row] = np.abs(curvatures - [k.curvatures for k in of]).max()
    return result


def _named(memory: Memory, branch: Branch, shared: int) -> dict[str, np.ndarray]:
    """Arrays of a branch: beta, the weight of the first patterns, the least curvature."""
    weights = jax.vmap(memory.weights)(branch.y, branch.p)
    return {
        "p": np.asarray(branch.p),
        "weight": np.asarray(weights[:, :shared].sum(axis=1)),
        "curvature": -np.asarray(branch.eigenvalues.real).max(axis=1),
        "stable": np.asarray(branch.stable),
    }


def _where(flow: bpc.GradientFlow):
    return flow.energy.beta


def branches(config: Any) -> dict[str, np.ndarray]:
    """Branches of the mean, and of the states of `k` patterns for each `k` up to half of them: from
    the largest beta down, round the fold, and up again. At the mean's bifurcation several
    directions vanish at once, so branches are followed on either side of it.
    """
    memory, count = Memory.of(config.seed, config.patterns), config.patterns
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
    result["fold"] = np.array([p[0] if len(p) == 1 else np.nan for p in folds])
    return result


def slow_loop(config: Any) -> dict[str, np.ndarray]:
    """Hysteresis of the largest weight: beta goes up from the mean and down again in steps."""
    memory, count = Memory.of(config.seed, config.patterns), config.patterns
    betas = jnp.linspace(0.55, 1.25, config.loop) * count

    def step(y, beta):
        y = y + KICK * memory.patterns[0]
        solution = bpc.simulate(memory.at(beta), y, t1=config.settle, dt=0.2, throw=False)
        y = jnp.where(solution.ok, jnp.asarray(solution.ys)[-1], jnp.nan)
        return y, memory.weights(y, beta).max()

    @jax.jit
    def there_and_back(betas):
        y, up = jax.lax.scan(step, memory.patterns.mean(axis=0), betas)
        return up, jax.lax.scan(step, y, betas[::-1])[1][::-1]

    up, down = there_and_back(betas)
    return {"loop_beta": np.asarray(betas), "up": np.asarray(up), "down": np.asarray(down)}


def barriers(config: Any) -> dict[str, np.ndarray]:
    """Barriers on paths of least energy: memory and mean below the mean's bifurcation, two
    memories above it.
    """
    memory, count = Memory.of(config.seed, config.patterns), config.patterns
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
