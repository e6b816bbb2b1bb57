"""Measures of convergence, on networks of a few dozen units: orders, budget, dither, errors."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array
from scipy.stats import t as student

from bpcjax.analysis import hessian
from bpcjax.energies import Arrow, DenseMap, Gaussian, PredictiveCoding, Rectified
from bpcjax.jumps import AbstractJumps, SpikeDescent, descend, jump_path
from bpcjax.models import PredictiveCodingNetwork, settle

from ..common import InputError

PRECISIONS = 1.0, 2.0, 4.0


def network(seed: int, sizes: tuple[int, ...], rectified: bool = False) -> tuple[Any, Any, Any]:
    """An energy of linear or rectified layers, a state of zeros, and clamped first and last."""
    rng = np.random.default_rng(seed)
    arrows = []
    for k, (n, m) in enumerate(zip(sizes, sizes[1:], strict=False)):
        weights = rng.normal(size=(m, n)) / np.sqrt(n)
        hidden = rectified and k < len(sizes) - 2
        mismatch = Rectified() if hidden else Gaussian(PRECISIONS[k % 3])
        arrows.append(Arrow(k, k + 1, DenseMap(weights), mismatch))
    free = [jnp.zeros(n) for n in sizes[1:-1]]
    ends = [jnp.asarray(rng.normal(size=n)) for n in (sizes[0], sizes[-1])]
    blank = (None,) * len(free)
    return PredictiveCoding(arrows), (None, *free, None), (ends[0], *blank, ends[1])


def stack(items: list) -> Any:
    """Stacked trees: one, with a leading axis."""
    return jax.tree.map(lambda *x: jnp.stack(x), *items)


def minimum(energy: PredictiveCoding, y: Any, args: Any) -> Any:
    """Minimum of the (convex) energy: its rate network at rest; NaN where it did not rest."""
    solution = settle(PredictiveCodingNetwork(energy), y, args, tol=1e-9)
    return jax.tree.map(lambda z: jnp.where(solution.ok, z, jnp.nan), solution.z)


@eqx.filter_jit
def _greedy(net, key, quantum, cost, room):
    energy, y, args = net
    best = minimum(energy, y, args)
    descent = descend(SpikeDescent(energy, quantum, cost=cost), y, args, key=key, spikes=room)
    off = ravel_pytree(descent.value)[0] - ravel_pytree(best)[0]
    matrix = hessian(energy, best, args)
    least = jnp.linalg.eigvalsh(matrix)[0]
    bound = jnp.sqrt(off.size) * (0.5 * quantum * jnp.diagonal(matrix).max() + cost / quantum)
    return {
        "rms": jnp.sqrt(jnp.mean(off**2)),
        "excess": energy(descent.value, args) - energy(best, args),
        "spikes": descent.count,
        "rest": descent.at_rest,
        "rises": (jnp.diff(descent.energy) > 1e-12).sum(),
        "bound": bound / least / jnp.sqrt(off.size),
        "budget": energy(y, args) - energy(best, args),
    }


def orders(quanta, seeds: int, sizes, rectified: bool, cost: float = 0.0) -> dict[str, np.ndarray]:
    """Greedy descent at rest: distance, excess of F, spikes, budget, bound [quantum, seed]."""
    nets = stack([network(seed, sizes, rectified) for seed in range(seeds)])
    keys = jax.random.split(jax.random.key(0), seeds)
    room = int(60 / min(quanta))

    def one(quantum, net, key):
        return _greedy(net, key, quantum, jnp.asarray(cost), room)

    every = jax.vmap(jax.vmap(one, (None, 0, 0)), (0, None, None))
    return jax.device_get(every(jnp.asarray(quanta), nets, keys))


def slope(x: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Log-log slope of `values` [x, seed]: the mean over seeds, and half its 95 % interval.

    **Raises:** `InputError` where a value is not positive: no distance to a minimum is.
    """
    if not (values > 0).all():
        raise InputError("quanta: rest lies below the minimum, or no minimum was found.")
    each = np.polyfit(np.log(x), np.log(values), 1)[0]
    half = student.ppf(0.975, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each))
    return float(each.mean()), float(half)


def dither(ratios, quantum: float, events: int) -> dict[str, np.ndarray]:
    """Bias of the mean of the lattice law in two dimensions, in units of the quantum: exact sums,
    the law's leading term, and time averages of spikes [chain]."""
    matrix = np.array([[2.0, 0.6], [0.6, 1.0]])
    cov = np.linalg.inv(matrix)
    best = np.array([0.13, -0.07])  # not where the leading wave vanishes
    axis = quantum * np.arange(-120, 121)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    level = 0.5 * np.einsum("ni,ij,nj->n", grid - best, matrix, grid - best)
    waves = np.array([(i, j) for i in range(-6, 7) for j in range(-6, 7) if i or j])
    exact, law = [], []
    for ratio in ratios:
        heat = ratio * quantum**2
        weight = np.exp(-(level - level.min()) / heat)
        exact.append(weight @ grid / weight.sum() - best)
        # Poisson's sum: the mean moves by the gradient of the log of the sum over waves.
        size = np.exp(-2 * np.pi**2 * ratio * np.einsum("ki,ij,kj->k", waves, cov, waves))
        angle = 2 * np.pi * waves @ best / quantum
        whole = 1 + size @ np.cos(angle)
        law.append(-2 * np.pi * ratio * quantum * (size * np.sin(angle)) @ waves @ cov / whole)

    def energy(y, args=None):
        return 0.5 * jnp.dot(y - best, matrix @ (y - best))

    def sample(heat, key):
        spike = SpikeDescent(energy=energy, quantum=jnp.asarray(quantum), temperature=heat)
        path = descend(spike, jnp.zeros(2), key=key, spikes=events, save=lambda y: y)
        weight = jnp.where(jnp.arange(events) < events // 10, 0.0, path.dwell)
        return weight @ path.saved / weight.sum() - best

    heats = jnp.asarray(ratios) * quantum**2
    keys = jax.random.split(jax.random.key(0), (len(heats), 16))
    sampled = jax.jit(jax.vmap(jax.vmap(sample, (None, 0))))(heats, keys)
    return {name: np.array(x) / quantum
            for name, x in (("exact", exact), ("law", law), ("sampled", sampled))}  # fmt: skip


class _Coded(AbstractJumps):
    """Greedy spikes on membranes that hear errors rounded to multiples of `gamma`: channels are
    spikes up, then down. The state: values, and the errors heard."""

    energy: PredictiveCoding
    args: Any
    quantum: Array
    gamma: Array
    threshold: Array

    def heard(self, y, before):
        """The state at values y, after errors that were heard before."""
        true = self.energy.errors(y, self.args)
        return y, jax.tree.map(
            lambda h, e: h + self.gamma * jnp.round((e - h) / self.gamma), before, true
        )

    def log_rates(self, y, args):
        drive = ravel_pytree(self.energy.membrane(y[0], self.args, y[1]))[0]
        return jnp.where(jnp.stack([drive, -drive]) > self.threshold[None], 0.0, -jnp.inf).ravel()

    def jump(self, y, channel):
        flat, unravel = ravel_pytree(y[0])
        by = self.quantum * jnp.where(channel < flat.size, 1, -1)
        return self.heard(unravel(flat.at[channel % flat.size].add(by)), y[1])


@eqx.filter_jit
def _coded(net, key, quantum, gamma, room):
    energy, y, args = net
    best = minimum(energy, y, args)
    threshold = 0.5 * quantum * ravel_pytree(energy.stiffness(y, args))[0]
    process = _Coded(energy, args, quantum, gamma, threshold)
    silent = jax.tree.map(jnp.zeros_like, energy.errors(y, args))
    path = jump_path(process, process.heard(y, silent), key=key, jumps=room)
    off = ravel_pytree(path.y[0])[0] - ravel_pytree(best)[0]
    return jnp.sqrt(jnp.mean(off**2)), path.at_rest


def coded(quanta, shares, seeds: int, sizes) -> dict[str, np.ndarray]:
    """Errors in spikes of the size share * quantum: rms and rest, [share, quantum, seed]."""
    nets = stack([network(seed, sizes) for seed in range(seeds)])
    keys = jax.random.split(jax.random.key(1), seeds)
    room = int(60 / min(quanta))

    def one(share, quantum, net, key):
        return _coded(net, key, quantum, share * quantum, room)

    each = jax.vmap(one, (None, None, 0, 0))
    every = jax.vmap(jax.vmap(each, (None, 0, None, None)), (0, None, None, None))
    rms, rest = every(jnp.asarray(shares), jnp.asarray(quanta), nets, keys)
    return {"rms": np.asarray(rms), "rest": np.asarray(rest)}
