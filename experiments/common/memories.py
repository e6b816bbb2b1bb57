"""Patterns for memories to hold, and memories that several studies ask for the same patterns."""

import math
from collections.abc import Callable
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

import bpcjax as bpc

STEPS = 10  # synchronous steps of a classical network
SWEEPS = 3  # of a BCPNN, unit by unit

Patterns = Float[Array, "P N"]
Queries = Float[Array, "Q N"]
Answers = Int[Array, " Q"]
Separation = Callable[[np.ndarray], np.ndarray]


def spins(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """Random patterns of +-1 [count, size], in single precision: overlaps are exact."""
    bits = np.unpackbits(rng.integers(0, 256, (count, -(-size // 8)), np.uint8), axis=1)
    return bits[:, :size].astype(np.float32) * 2 - 1


def on_sphere(
    rng: np.random.Generator, *shape: int, length: float | None = None
) -> Float[np.ndarray, "... N"]:
    """Random directions [..., N] of that length, `sqrt(N)` unless it is said."""
    x = rng.standard_normal(shape)
    length = math.sqrt(shape[-1]) if length is None else length
    return x * (length / np.linalg.norm(x, axis=-1, keepdims=True))


def power(order: int) -> Separation:
    """Polynomial separation function `F(u) = u^order`."""
    return lambda u: reduce(np.multiply, [u] * order)


def room(mean: float) -> int:
    """Room for a Poisson number of spikes: eight standard deviations above its mean."""
    return math.ceil(mean + 8 * math.sqrt(mean) + 16)


def with_flat_prior(patterns: Patterns, beta: float | Array) -> bpc.energies.ModernHopfield:
    """Modern Hopfield energy whose posterior is Bayes' for patterns [P, N] that are equally likely
    and Gaussian noise of variance `1 / beta`."""
    patterns = jnp.asarray(patterns)
    flat = jnp.full(len(patterns), -math.log(len(patterns)), patterns.dtype)
    return bpc.energies.ModernHopfield.from_prior(patterns, jnp.asarray(beta, flat.dtype), flat)


def nearest(patterns: Patterns, queries: Queries) -> Answers:
    """Nearest pattern of each query (Euclid)."""
    half = 0.5 * jnp.sum(patterns**2, axis=1)
    return (queries @ patterns.T - half[None]).argmax(axis=1)


def signs(x: Array) -> Array:
    """+1 above the mean, 0, and -1 elsewhere."""
    return jnp.where(x > 0, 1.0, -1.0).astype(x.dtype)


def classical(patterns: Patterns, queries: Queries, *, projection: bool) -> Answers:
    """Classical Hopfield network of signs, by Hebb's rule or by the `projection` on the patterns'
    span; entries of a query that are 0 are unknown.

    A second `ClassicalHopfield.update` for all queries at once, without the weights [N, N]: the
    field goes by way of the patterns. Tests hold it equal to that of `ClassicalHopfield.hebb`,
    whose diagonal is empty, and to the sign of `bpcjax.learning.projection`, whose is full.
    """
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


def bcpnn(patterns: Patterns, queries: Queries) -> Answers:
    """BCPNN with a column of two units, on and off, for each entry; 0 is unknown."""
    stored = signs(patterns)
    bits = (stored > 0).astype(jnp.int32)
    network = bpc.energies.BCPNN.from_patterns(bits, 2)
    network = jax.tree.map(lambda leaf: leaf.astype(patterns.dtype), network)
    start = 0.5 * (1 + jnp.stack([-jnp.sign(queries), jnp.sign(queries)], axis=-1))

    def recall(y):
        return jax.lax.fori_loop(0, SWEEPS, lambda _, y: network.sweep(y), y)

    end = jax.vmap(recall)(start)
    return ((end[..., 1] - end[..., 0]) @ stored.T).argmax(axis=1)
