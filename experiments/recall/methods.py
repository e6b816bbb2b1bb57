"""The ways of recall that `experiments.recall` compares, and the queries they get."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from bpcjax import cost

from ..common.data import draw_balanced, load, standardise
from ..common.memories import nearest, room, with_flat_prior
from .corruptions import CORRUPTIONS

STEPS = 5  # of attention, where it is repeated
SPIKING, UNKNOWN, DRAWS = "spiking", "spiking, sigma unknown", "draws from the posterior"
ATTENTION, AGAIN = "attention", f"attention x{STEPS}"
NEAREST, OF_SEEN, PARTIAL = "nearest", "nearest of what is seen", "partial distance"
METHODS = SPIKING, UNKNOWN, DRAWS, ATTENTION, AGAIN, NEAREST, OF_SEEN, PARTIAL
COUNTS = tuple(field.name for field in dataclasses.fields(cost.Counts))


def make_queries(
    data: str, data_dir: str | None, patterns: int, queries: int, seed: int
) -> dict[str, np.ndarray]:
    """`patterns` [P, N], their `labels` [P], the `target` [Q] of each query, and `query` [C, Q, N];
    `shape`, `mean` and `scale` turn a state back into an image.

    One draw of the noise serves every level, so that levels are paired, as methods are.
    """
    images = load(data, data_dir)
    rng = np.random.default_rng(seed)
    chosen = draw_balanced(images.labels, patterns, rng)
    shape = images.pixels.shape[1:]
    values, mean, scale = standardise(images.pixels.reshape(len(images.pixels), -1))
    stored = values[chosen]
    target = rng.permutation(patterns)[:queries]
    normal = rng.standard_normal((queries, stored.shape[1])).astype(np.float32)
    query = np.stack([spoil(stored[target], normal, shape) for spoil in CORRUPTIONS])
    return dict(
        patterns=stored,
        labels=images.labels[chosen],
        target=target,
        query=query,
        shape=np.array(shape),
        mean=mean,
        scale=scale,
    )


@dataclasses.dataclass(frozen=True)
class Sequential:
    """How the sequential memory takes a query: the `theta` (nat) that refutes, the entries between
    tests, and the noise that it assumes where there is none."""

    theta: float
    block: int
    floor: float

    def sigma(self, spoil) -> float:
        """The standard deviation of the noise that it is told of."""
        return max(spoil.sigma, self.floor)


@dataclasses.dataclass(frozen=True)
class Presentation:
    """How the memory that draws gets a query: its `rate` of spikes, `tau` of its visible units, and
    for how long, `t1`."""

    rate: float
    tau: float
    t1: float

    def __call__(self, energy, query, key, save=None) -> bpc.models.EventPath:
        """The path from one query [N], from time 0 to `t1`, spike by spike; look at `ok`."""
        memory = bpc.models.SpikingHopfield(energy, self.rate, self.tau, bpc.models.Hold())
        spikes = room(self.rate * self.t1)
        return bpc.models.event_path(memory, query, key, spikes=spikes, t1=self.t1, save=save)


def vote(times: jax.Array, winners: jax.Array, since: float, patterns: int) -> jax.Array:
    """The memory with most spikes from the time `since` on (ties: the first); -1 if none spiked."""
    late = (times >= since) & (winners >= 0)
    votes = jnp.zeros(patterns, int).at[winners].add(late)
    return jnp.where(votes.max() > 0, votes.argmax(), -1)


@eqx.filter_jit
def _by_scores(present: Presentation, energy, queries: jax.Array, seen: jax.Array, keys: jax.Array):
    """Answers of those that take every score: the votes of draws, attention, nearest patterns."""
    patterns, beta, bias = energy.patterns, energy.beta, energy.bias

    def draws(query, key):
        path = present(energy, query, key)
        voted = vote(path.times, path.winners, present.t1 / 2, len(patterns))
        return voted, path.count, path.ok

    def attention(steps):
        def one(query):
            return bpc.models.attention(query, patterns, patterns, beta, bias=bias, steps=steps)

        return nearest(patterns, jax.vmap(one)(queries))

    voted, spikes, ok = jax.vmap(draws)(queries, keys)
    of_seen = nearest(patterns * seen[None], queries * seen[None])
    return {
        DRAWS: voted,
        ATTENTION: attention(1),
        AGAIN: attention(STEPS),
        NEAREST: nearest(patterns, queries),
        OF_SEEN: of_seen,
    }, dict(spikes=spikes, ok=ok)


def recall(
    sequential: Sequential, present: Presentation, spoil, task: dict[str, np.ndarray], rows, keys
) -> dict[str, np.ndarray]:
    """Every method's answers to `rows` [Q, N]: `recalled` [Q, M] and `operations` [Q, M, K] in the
    orders of METHODS and COUNTS; of the sequential memory `used` entries, the `survivors` and
    whether the true one is `silenced` (with its target in `task`), and `ok` of all paths.
    """
    patterns = jnp.asarray(task["patterns"])
    count, size = patterns.shape
    rows = jnp.asarray(rows, patterns.dtype)
    seen = spoil.seen(tuple(task["shape"]))
    sigma = sequential.sigma(spoil)
    energy = with_flat_prior(patterns, 1 / sigma**2)
    plain = with_flat_prior(patterns, 1.0)  # of whoever does not know the noise
    some = None if seen.all() else seen
    options: dict[str, Any] = dict(theta=sequential.theta, block=sequential.block, seen=some)
    known, unknown = (
        bpc.models.sequential_recall(e, rows, sigma=s, order=bpc.models.by_variance, **options)
        for e, s in ((energy, sigma), (plain, None))
    )
    answers, path = _by_scores(present, energy, rows, jnp.asarray(seen, rows.dtype), keys)
    some_x, some_y = patterns[:, seen], rows[:, seen]
    order = bpc.models.by_variance(with_flat_prior(some_x, 1.0))
    partial = bpc.models.partial_distance_search(
        some_x, some_y, order=order, block=sequential.block
    )
    answers |= {SPIKING: known.decision, UNKNOWN: unknown.decision, PARTIAL: partial.decision}
    nonzero = np.asarray(rows) != 0
    inputs, lit = nonzero.sum(axis=1), (nonzero & seen).sum(axis=1)
    taken = cost.hard_attention_counts(lit, count)
    operations = {
        SPIKING: known.operations,
        UNKNOWN: unknown.operations,
        DRAWS: cost.spiking(inputs, path["spikes"], size, count, graded=True),
        ATTENTION: cost.attention_counts(size, count),
        AGAIN: cost.attention_counts(size, count, steps=STEPS),
        NEAREST: cost.hard_attention_counts(inputs, count),
        # half the squares of what is seen differ from query to query where some is missing
        OF_SEEN: taken if some is None else taken + cost.Counts(adds=lit * count),
        PARTIAL: partial.operations,
    }
    table = [
        [np.broadcast_to(getattr(operations[m], k), len(rows)) for k in COUNTS] for m in METHODS
    ]
    return dict(
        recalled=np.stack([np.asarray(answers[m], np.int32) for m in METHODS], axis=1),
        operations=np.moveaxis(np.asarray(table, float), 2, 0),
        used=np.stack([known.used, unknown.used], axis=1),
        survivors=np.stack([known.alive.sum(1), unknown.alive.sum(1)], axis=1),
        alive=np.stack([known.alive, unknown.alive], axis=1),
        spikes=np.asarray(path["spikes"]),
        ok=np.stack([known.ok, unknown.ok, path["ok"]], axis=1),
    )
