"""A memory of few rows that learns a stream of patterns by its spikes, and forgets."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from bpcjax.learning import Normal, NormalEvidence


@dataclasses.dataclass(frozen=True)
class Stream:
    """What is shown: patterns on a sphere of length `sqrt(size)`, each `repeats` times with fresh
    noise, then never again. `rows` memories have to do for all of them."""

    rows: int = 16
    size: int = 24
    patterns: int = 64
    repeats: int = 3
    noise: float = 0.8
    queries: int = 4  # of each pattern, at the end


def posterior(beta: Array, forget: Array) -> Normal:
    """Known noise of variance `1 / beta`, patterns of unit variance before anything is seen."""
    beta = jnp.asarray(beta)
    return Normal(beta, 0.0, 1 / beta, 1 - jnp.asarray(forget))


def shares(
    log_predictive: Float[Array, " P"], key: Key[Array, ""], spikes: int
) -> Float[Array, " P"]:
    """The share of each memory in `spikes` draws of the posterior over them."""
    below = jnp.cumsum(jax.nn.softmax(log_predictive))
    drawn = below[-1] * jax.random.uniform(key, (spikes,), below.dtype)
    winners = (below[None, :-1] <= drawn[:, None]).sum(axis=1)  # the distribution's inverse
    return jax.nn.one_hot(winners, len(log_predictive), dtype=below.dtype).mean(axis=0)


def draw_patterns(stream: Stream, key: Key[Array, ""]) -> Float[Array, "T N"]:
    """The patterns of the stream, the oldest first."""
    x = jax.random.normal(key, (stream.patterns, stream.size))
    return x * jnp.sqrt(stream.size / jnp.sum(x * x, axis=1, keepdims=True))


def train(
    stream: Stream,
    rule: Normal,
    patterns: Float[Array, "T N"],
    key: Key[Array, ""],
    spikes: int,
) -> NormalEvidence:
    """Evidence of the memories after the stream: each observation is divided among the memories in
    proportion to their spikes, and all evidence decays by `keep`."""
    noise_key, spike_key = jax.random.split(key)
    y = jnp.repeat(patterns, stream.repeats, axis=0)
    y = y + stream.noise * jax.random.normal(noise_key, y.shape)

    def present(evidence, now):
        y, key = now
        weights = shares(rule.log_predictive(evidence, y), key, spikes)
        return rule.update(evidence, y, weights), None

    keys = jax.random.split(spike_key, len(y))
    return jax.lax.scan(present, rule.init(stream.rows, stream.size), (y, keys))[0]


def recall(
    stream: Stream,
    rule: Normal,
    evidence: NormalEvidence,
    patterns: Float[Array, "T N"],
    key: Key[Array, ""],
    spikes: int,
) -> Float[Array, " T"]:
    """How often a noisy query is answered by a memory that is closest to its own pattern."""
    mean = rule.mean(evidence)
    # Direction only: a memory on its way out is shorter, and still of its pattern.
    stands_for = (mean @ patterns.T).argmax(axis=1)
    noise_key, spike_key = jax.random.split(key)
    noise = jax.random.normal(noise_key, (stream.queries, *patterns.shape))
    queries = (patterns[None] + stream.noise * noise).reshape(-1, stream.size)

    def answer(y, key):
        return stands_for[shares(rule.log_predictive(evidence, y), key, spikes).argmax()]

    named = jax.vmap(answer)(queries, jax.random.split(spike_key, len(queries)))
    right = named.reshape(stream.queries, -1) == jnp.arange(stream.patterns)[None]
    return right.astype(patterns.dtype).mean(axis=0)


def live(
    stream: Stream, forget: Array, beta: Array, key: Key[Array, ""], spikes: int
) -> Float[Array, " T"]:
    """Recall by age at the end of a stream, the newest pattern first."""
    rule = posterior(beta, forget)
    pattern_key, learn_key, recall_key = jax.random.split(key, 3)
    patterns = draw_patterns(stream, pattern_key)
    evidence = train(stream, rule, patterns, learn_key, spikes)
    return recall(stream, rule, evidence, patterns, recall_key, spikes)[::-1]
