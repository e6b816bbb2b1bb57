"""The ways of recall that `experiments.recall` compares, and the queries they get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc

from ..common.data import draw_balanced, load, standardise
from .corruptions import CORRUPTIONS

if TYPE_CHECKING:
    from . import Config

STEPS = 5  # of attention, where it is repeated
METHODS = "spiking", "attention", f"attention x{STEPS}", "nearest"


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


def present(config: Config, energy, query, key, save=None) -> bpc.models.EventPath:
    """The spiking memory on one query [N], from time 0 to `t1`, spike by spike; look at `ok`."""
    memory = bpc.models.SpikingHopfield(energy, config.rate, config.tau, bpc.models.Hold())
    return bpc.models.event_path(memory, query, key, spikes=config.room, t1=config.t1, save=save)


def vote(times: jax.Array, winners: jax.Array, since: float, patterns: int) -> jax.Array:
    """The memory with most spikes from the time `since` on (ties: the first); -1 if none spiked."""
    late = (times >= since) & (winners >= 0)
    votes = jnp.zeros(patterns, int).at[winners].add(late)
    return jnp.where(votes.max() > 0, votes.argmax(), -1)


@eqx.filter_jit
def recall(config: Config, energy, queries: jax.Array, keys: jax.Array) -> dict[str, jax.Array]:
    """Every method's answer to `queries` [chunk, N]: `recalled` [chunk, 4] in the order of
    METHODS, and of the spiking memory its number of `spikes`, the `first` one, `ok` of the path.
    """
    patterns, beta, bias = energy.patterns, energy.beta, energy.bias

    def one(query, key):
        found = present(config, energy, query, key)

        def attend(steps):
            return bpc.models.attention(query, patterns, patterns, beta, bias=bias, steps=steps)

        answers = (
            vote(found.times, found.winners, config.t1 / 2, len(patterns)),
            nearest(energy, attend(1)),
            nearest(energy, attend(STEPS)),
            nearest(energy, query),
        )
        recalled = jnp.stack([jnp.asarray(answer, jnp.int32) for answer in answers])
        return dict(recalled=recalled, spikes=found.count, first=found.winners[0], ok=found.ok)

    return jax.vmap(one)(queries, keys)


@eqx.filter_jit
def _path(config: Config, energy, query: jax.Array, key: jax.Array):
    """A path, and the visible state at 401 times: between spikes it relaxes in closed form."""
    found = present(config, energy, query, key, save=lambda y: y.x)
    ts = jnp.linspace(0.0, config.t1, 401)
    before = jnp.searchsorted(found.times, ts, side="right")  # spikes up to each time
    began = jnp.concatenate([jnp.zeros(1), found.times])[before]
    x = jnp.concatenate([query[None], found.saved])[before]
    held = jnp.concatenate([query[None], energy.patterns[found.winners]])[before]
    decay = jnp.exp(-(ts - began) / config.tau)[:, None]
    return found, ts, held + (x - held) * decay


def trace(config: Config, energy, query: jax.Array, key: jax.Array) -> dict[str, Any]:
    """One query again, with its path: states and energies at 401 times, and its spikes."""
    found, ts, states = _path(config, energy, query, key)
    kept = np.asarray(found.winners) >= 0
    return dict(
        time=np.asarray(ts),
        state=np.asarray(states),
        energy=np.asarray(jax.vmap(energy)(states)),
        spike_time=np.asarray(found.times)[kept],
        spike_neuron=np.asarray(found.winners)[kept],
    )
