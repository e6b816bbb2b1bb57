"""What ambiguous queries cost: how good the mean of spikes is, and how long a decision takes."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from bpcjax.models import attention, hard_attention

from ..common.memories import with_flat_prior
from .tasks import MAKERS, SIZE

NOISE = (0.5, 1.0, 1.5, 2.0, 3.0)  # of queries, as patterns vary by 1
DRAWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ERROR = 0.05  # mean square distance per entry from attention's answer that is to be reached
LEAD = 3  # votes ahead at which a decision is made
LONGEST = 256  # spikes


class Ambiguous(NamedTuple):
    """What each query costs: `ambiguity` tr Cov_p / N; square errors per entry of attention,
    argmax, and of means of DRAWS spikes; how `many` spikes bring their mean within ERROR of
    attention, tr Cov_p / (N ERROR), and its square distance from there; spikes up to the decision;
    whether the decision, attention's and the first spike are `right`.
    """

    ambiguity: Float[Array, " Q"]
    attention: Float[Array, " Q"]
    argmax: Float[Array, " Q"]
    spiking: Float[Array, "Q draws"]
    apart: Float[Array, " Q"]
    many: Int[Array, " Q"]
    decision: Int[Array, " Q"]
    right: Int[Array, "Q 3"]


@eqx.filter_jit
def _measure(keys, queries, targets, noise, key) -> Ambiguous:
    """All queries [Q, N] at that noise, by the posterior that is right for it: beta = 1 / noise^2,
    at the query as it stands (the draws are independent, and their mean is attention's answer).
    """
    beta, count = 1 / noise**2, len(keys)
    energy = with_flat_prior(keys, beta)

    def one(query, target, key):
        answer = attention(query, keys, keys, beta, bias=energy.bias)
        best = hard_attention(query, keys, keys, bias=energy.bias)
        p = energy.posterior(query)
        variance = p @ jnp.sum((keys - answer[None]) ** 2, axis=1)
        drawn = jax.random.categorical(key, energy.scores(query), shape=(LONGEST,))
        means = jnp.cumsum(keys[drawn], axis=0) / jnp.arange(1, LONGEST + 1)[:, None]
        square = jnp.mean((means - keys[target][None]) ** 2, axis=1)
        many = jnp.clip(jnp.ceil(variance / (SIZE * ERROR)), 1, LONGEST).astype(int)
        votes = jnp.cumsum(jax.nn.one_hot(drawn, count, dtype=jnp.int32), axis=0)
        top = jax.lax.top_k(votes, 2)[0]
        ends = top[:, 0] - top[:, 1] >= LEAD
        decision = jnp.where(ends.any(), ends.argmax(), LONGEST - 1)
        named = jnp.stack([votes[decision].argmax(), p.argmax(), drawn[0]])
        return Ambiguous(
            variance / SIZE,
            jnp.mean((answer - keys[target]) ** 2),
            jnp.mean((best - keys[target]) ** 2),
            square[jnp.array(DRAWS) - 1],
            jnp.mean((means[many - 1] - answer) ** 2),
            many,
            decision + 1,
            (named == target).astype(int),
        )

    rows = queries, targets, jax.random.split(key, len(queries))
    return jax.lax.map(lambda row: one(*row), rows, batch_size=25)


def measure(patterns: int, queries: int, seeds: int, seed: int) -> dict[str, np.ndarray]:
    """Arrays [noise, seeds, Q, ...] of every query, by name."""
    rows = []
    for level, noise in enumerate(NOISE):
        sets = []
        for k in range(seeds):
            rng = np.random.default_rng([seed, k, level, 7])
            problem = MAKERS["auto"](rng, patterns, queries)
            spoilt = problem.keys[problem.target] + noise * rng.standard_normal((queries, SIZE))
            key = jax.random.fold_in(jax.random.key(seed + 1000 * level), k)
            arrays = (jnp.asarray(x) for x in (problem.keys, spoilt, problem.target))
            sets.append(jax.device_get(_measure(*arrays, jnp.asarray(noise), key)))
        rows.append(jax.tree.map(lambda *x: np.stack(x), *sets))
    return jax.tree.map(lambda *x: np.stack(x), *rows)._asdict()
