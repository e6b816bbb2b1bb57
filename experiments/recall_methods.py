"""The three ways of recall that `experiments.recall` compares, and the queries they get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc

from .corruptions import CORRUPTIONS
from .data import draw_balanced, load, standardise

if TYPE_CHECKING:
    from .recall import Config

METHODS = "spiking", "attention", "nearest"


def make_queries(config: Config) -> dict[str, np.ndarray]:
    """`patterns` [P, N], their `labels` [P], the `target` [Q] of each query, and `query` [C, Q, N];
    `shape`, `mean` and `scale` turn a state back into an image.

    One draw of the noise serves every level, so that levels are paired, as methods are.
    """
    images = load(config.data, config.data_dir)
    rng = np.random.default_rng(config.seed)
    chosen = draw_balanced(images.labels, config.patterns, rng)
    shape = images.pixels.shape[1:]
    values, mean, scale = standardise(images.pixels.reshape(len(images.pixels), -1))
    patterns = values[chosen]
    target = rng.permutation(config.patterns)[: config.queries]
    normal = rng.standard_normal((config.queries, patterns.shape[1])).astype(np.float32)
    query = np.stack([spoil(patterns[target], normal, shape) for spoil in CORRUPTIONS])
    return dict(
        patterns=patterns,
        labels=images.labels[chosen],
        target=target,
        query=query,
        shape=np.array(shape),
        mean=mean,
        scale=scale,
    )


def memory_energy(patterns: np.ndarray, beta: float) -> bpc.energies.ModernHopfield:
    """The one energy of the job: patterns [P, N] under a flat prior, noise of variance 1 / beta."""
    count = len(patterns)
    patterns = jnp.asarray(patterns, jnp.result_type(float))
    return bpc.energies.ModernHopfield.from_prior(patterns, beta, jnp.full(count, -np.log(count)))


def nearest(energy: bpc.energies.ModernHopfield, y: jax.Array) -> jax.Array:
    """The index of the pattern nearest to `y` [N] (Euclid)."""
    return jnp.argmin(jnp.sum((energy.patterns - y[None]) ** 2, axis=-1))


def present(config: Config, energy, query, key, saveat=None) -> bpc.Solution:
    """The spiking memory on one query [N], from time 0 to `t1`; look at `ok`."""
    memory = bpc.models.SpikingHopfield(energy, config.rate, config.tau, bpc.models.Hold())
    return bpc.simulate(
        memory,
        memory.start(query),
        t1=config.t1,
        dt=config.dt,
        solver=bpc.OrderedSpikes(dfx.Heun()),
        saveat=saveat,
        max_spikes=config.room,
        key=key,
        throw=False,
    )


def vote(spikes: bpc.SpikeRecord, since: float, patterns: int) -> jax.Array:
    """The memory with most spikes from the time `since` on (ties: the first); -1 if none spiked."""
    late = (spikes.times >= since) & (spikes.neurons >= 0)
    votes = jnp.zeros(patterns, int).at[spikes.neurons].add(late)
    return jnp.where(votes.max() > 0, votes.argmax(), -1)


@eqx.filter_jit
def recall(config: Config, energy, queries: jax.Array, keys: jax.Array) -> dict[str, jax.Array]:
    """Every method's answer to `queries` [chunk, N]: `recalled` [chunk, 3] in the order of
    METHODS, and of the spiking memory its number of `spikes`, the `first` one, `ok` of the solve.
    """

    def one(query, key):
        found = present(config, energy, query, key)
        spikes = found.spikes
        answers = (
            vote(spikes, config.t1 / 2, len(energy.patterns)),
            nearest(energy, energy.update(query)),
            nearest(energy, query),
        )
        recalled = jnp.stack([jnp.asarray(answer, jnp.int32) for answer in answers])
        return dict(recalled=recalled, spikes=spikes.count, first=spikes.neurons[0], ok=found.ok)

    return jax.vmap(one)(queries, keys)


@eqx.filter_jit
def _path(config: Config, energy, query: jax.Array, key: jax.Array) -> bpc.Solution:
    saveat = dfx.SaveAt(ts=jnp.linspace(0.0, config.t1, 401), fn=lambda t, y, args: y.neuron.x)
    return present(config, energy, query, key, saveat)


def trace(config: Config, energy, query: jax.Array, key: jax.Array) -> dict[str, Any]:
    """One query again, with its path: states and energies at 401 times, and its spikes."""
    found = _path(config, energy, query, key)
    kept = np.asarray(found.spikes.neurons) >= 0
    return dict(
        time=np.asarray(found.ts),
        state=np.asarray(found.ys),
        energy=np.asarray(jax.vmap(energy)(found.ys)),
        spike_time=np.asarray(found.spikes.times)[kept],
        spike_neuron=np.asarray(found.spikes.neurons)[kept],
    )
