"""The memories that `experiments.robustness` compares: each names the pattern it recalls."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key

import bpcjax as bpc

from ..common.memories import Answers, Patterns, Queries, bcpnn, classical, nearest, with_flat_prior

METHODS = "nearest", "of seen", "attention", "spiking", "pseudo-inverse", "Hebb", "BCPNN"


def nearest_of_seen(patterns: Patterns, queries: Queries) -> Answers:
    """Nearest pattern over the entries of a query that are not 0: Bayes' answer where it is known
    which ones are missing."""
    present = (queries != 0).astype(patterns.dtype)
    return (queries @ patterns.T - 0.5 * present @ (patterns**2).T).argmax(axis=1)


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
    layer = bpc.models.SpikingHopfield(with_flat_prior(patterns, beta), rate_like, tau)
    path = bpc.models.retrieve(layer, queries, key, spikes=spikes)
    first = path.winners[:, 0]
    return tuple(jnp.where(path.ok, named, -1) for named in (path.recalled, first))


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
    energy = with_flat_prior(patterns, beta)
    voted, first = spiking(patterns, queries, key, beta=beta, spikes=spikes, rate=rate)
    named = (
        nearest(patterns, queries),
        nearest_of_seen(patterns, queries),
        nearest(patterns, jax.vmap(energy.update)(queries)),
        voted,
        classical(patterns, queries, projection=True),
        classical(patterns, queries, projection=False),
        bcpnn(patterns, queries),
    )
    return jnp.stack([jnp.asarray(each, jnp.int32) for each in named]), first
