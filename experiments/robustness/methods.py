"""The memories that `experiments.robustness` compares: each names the pattern it recalls."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

import bpcjax as bpc

METHODS = "nearest", "of seen", "attention", "spiking", "pseudo-inverse", "Hebb", "BCPNN"
STEPS = 10  # of the networks of signs, all at once
SWEEPS = 3  # of the BCPNN

Patterns = Float[Array, "P N"]
Queries = Float[Array, "Q N"]
Answers = Int[Array, " Q"]


def memory(patterns: Patterns, beta: float) -> bpc.energies.ModernHopfield:
    """The energy of the first three methods: a flat prior, noise of variance `1 / beta`."""
    beta_like = jnp.asarray(beta, patterns.dtype)
    flat = jnp.zeros(len(patterns), patterns.dtype)
    return bpc.energies.ModernHopfield.from_prior(patterns, beta_like, flat)


def nearest(patterns: Patterns, queries: Queries) -> Answers:
    """The pattern at the least Euclidean distance."""
    half = 0.5 * jnp.sum(patterns**2, axis=1)
    return (queries @ patterns.T - half[None]).argmax(axis=1)


def nearest_of_seen(patterns: Patterns, queries: Queries) -> Answers:
    """The pattern at the least distance over the entries of a query that are not 0: Bayes' answer
    where it is known which ones are missing."""
    seen = (queries != 0).astype(patterns.dtype)
    return (queries @ patterns.T - 0.5 * seen @ (patterns**2).T).argmax(axis=1)


def spiking(
    patterns: Patterns,
    queries: Queries,
    key: Key[Array, ""],
    *,
    beta: float,
    spikes: int,
    rate: float,
) -> tuple[Answers, Int[Array, " Q"]]:
    """The memory of most spikes in the last half of them, and that of the first one."""
    rate_like, tau = (jnp.asarray(value, patterns.dtype) for value in (rate, 1.0))
    layer = bpc.models.SpikingHopfield(memory(patterns, beta), rate_like, tau)
    found = bpc.models.retrieve(layer, queries, key, spikes=spikes)
    failed = ~found.ok
    return jnp.where(failed, -1, found.recalled), jnp.where(failed, -1, found.winners[:, 0])


def signs(x: Array) -> Array:
    """+1 above the mean, -1 elsewhere."""
    return jnp.where(x > 0, 1.0, -1.0).astype(x.dtype)


def classical(patterns: Patterns, queries: Queries, *, projection: bool) -> Answers:
    """A network of signs, by Hebb's rule or by the `projection` on the patterns' span; entries of
    a query that are 0 are unknown. Its weights have no diagonal, or that of the projection."""
    stored = signs(patterns)
    size = stored.shape[1]
    basis = jnp.linalg.svd(stored, full_matrices=False)[2] if projection else stored

    def step(_, s):
        field = (s @ basis.T) @ basis
        if not projection:
            field = field / size - len(stored) / size * s
        return jnp.where(field == 0, s, jnp.sign(field))

    end = jax.lax.fori_loop(0, STEPS, step, jnp.sign(queries))
    return (end @ stored.T).argmax(axis=1)


def confidence(patterns: Patterns, queries: Queries) -> Answers:
    """The BCPNN with a column of two units, on and off, for each entry; 0 is unknown."""
    stored = signs(patterns)
    bits = (stored > 0).astype(jnp.int32)
    network = bpc.energies.BCPNN.from_patterns(bits, 2)
    network = jax.tree.map(lambda leaf: leaf.astype(patterns.dtype), network)
    start = 0.5 * (1 + jnp.stack([-jnp.sign(queries), jnp.sign(queries)], axis=-1))

    def recall(y):
        return jax.lax.fori_loop(0, SWEEPS, lambda _, y: network.sweep(y), y)

    end = jax.vmap(recall)(start)
    return ((end[..., 1] - end[..., 0]) @ stored.T).argmax(axis=1)


@eqx.filter_jit
def answers(
    patterns: Patterns,
    queries: Queries,
    key: Key[Array, ""],
    *,
    beta: float,
    spikes: int,
    rate: float,
) -> tuple[Int[Array, "methods Q"], Answers]:
    """What every method recalls, in the order of METHODS, and the first spike's memory."""
    energy = memory(patterns, beta)
    voted, first = spiking(patterns, queries, key, beta=beta, spikes=spikes, rate=rate)
    found = (
        nearest(patterns, queries),
        nearest_of_seen(patterns, queries),
        nearest(patterns, jax.vmap(energy.update)(queries)),
        voted,
        classical(patterns, queries, projection=True),
        classical(patterns, queries, projection=False),
        confidence(patterns, queries),
    )
    return jnp.stack([jnp.asarray(each, jnp.int32) for each in found]), first
