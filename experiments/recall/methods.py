"""The ways of recall that `experiments.recall` compares, and the queries they get."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc

from ..common.data import draw_balanced, load, standardise
from ..common.memories import nearest, room
from .corruptions import CORRUPTIONS

STEPS = 5  # of attention, where it is repeated
METHODS = "spiking", "attention", f"attention x{STEPS}", "nearest"


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
class Presentation:
    """How the spiking memory gets a query: its `rate` of spikes, `tau` of its visible units, and
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
def recall(
    present: Presentation, energy, queries: jax.Array, keys: jax.Array
) -> dict[str, jax.Array]:
    """Every method's answer to `queries` [chunk, N]: `recalled` [chunk, 4] in the order of
    METHODS, and of the spiking memory its number of `spikes`, the `first` one, `ok` of the path.
    """
    patterns, beta, bias = energy.patterns, energy.beta, energy.bias

    def spiking(query, key):
        path = present(energy, query, key)
        voted = vote(path.times, path.winners, present.t1 / 2, len(patterns))
        return voted, dict(spikes=path.count, first=path.winners[0], ok=path.ok)

    def attention(steps):
        def one(query):
            return bpc.models.attention(query, patterns, patterns, beta, bias=bias, steps=steps)

        return nearest(patterns, jax.vmap(one)(queries))

    voted, path = jax.vmap(spiking)(queries, keys)
    named = voted, attention(1), attention(STEPS), nearest(patterns, queries)
    return path | dict(recalled=jnp.stack(named, axis=1).astype(jnp.int32))
