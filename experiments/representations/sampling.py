"""Digits drawn from labels: memories of causes and labels on top of a hierarchy, and the way down.

A memory fires for each image (one spike, a draw from the posterior over memories, the label being
one more thing seen) and changes its own posterior by what it saw. To draw an image of a label a
memory of that label fires, causes spike around what it predicts at a temperature, and predictions
go down to pixels.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

import bpcjax as bpc
from bpcjax.energies import Arrow, Constant, Gaussian, PredictiveCoding
from bpcjax.learning import Dirichlet, NormalEvidence, NormalGamma
from bpcjax.models import Populations, SpikingPredictiveCoding

from .code import Settings, Synapses, hierarchy

QUANTUM = 0.05  # of causes
STEPS = 600


class Memories(NamedTuple):
    """Memories: evidence of each from the causes it fired for, and from their labels [P, 1, C]."""

    causes: NormalEvidence
    labels: Float[Array, "P 1 C"]


def _posteriors(causes: Float[Array, "n N"], keep: float) -> tuple[NormalGamma, Dirichlet]:
    spread = jnp.mean(jnp.var(causes, axis=0))
    # before anything is seen: narrower than all there is, worth few images
    normal = NormalGamma(
        prior_mean=jnp.zeros(()), prior_count=jnp.asarray(0.2), shape=jnp.asarray(3.0),
        scale=0.75 * spread, keep=jnp.asarray(keep),
    )  # fmt: skip
    return normal, Dirichlet(jnp.asarray(0.01), jnp.asarray(keep))


def _log_prior(memories: Memories) -> Float[Array, " P"]:
    count = memories.causes.count
    return jnp.log(count + 1) - jnp.log(count.sum() + count.size)


@eqx.filter_jit
def store_memories(
    causes: Float[Array, "n N"],
    labels: Int[Array, " n"],
    classes: int,
    size: int,
    key: Key[Array, ""],
    passes: int = 2,
) -> Memories:
    """Memories after `passes` over causes [n, N] and labels [n], at random, one spike each."""
    count = len(causes)
    normal, dirichlet = _posteriors(causes, 1 - 1 / count)
    orders, keys = jax.random.split(key)
    order = jnp.concatenate(
        [jax.random.permutation(k, count) for k in jax.random.split(orders, passes)]
    )

    def step(memories, item):
        k, key = item
        label = jax.nn.one_hot(labels[k], classes)[None]
        scores = _log_prior(memories) + normal.log_predictive(memories.causes, causes[k])
        scores = scores + dirichlet.log_predictive(memories.labels, label)
        fired = jax.nn.one_hot(jax.random.categorical(key, scores), size)
        return Memories(
            normal.update(memories.causes, causes[k], fired),
            dirichlet.update(memories.labels, label, fired),
        ), None

    start = Memories(normal.init(size, causes.shape[1]), dirichlet.init(size, 1, classes))
    return jax.lax.scan(step, start, (order, jax.random.split(keys, len(order))))[0]


class Samples(NamedTuple):
    """Sampled images [n, m], the causes [n, N] behind them, and spikes of those."""

    images: Float[Array, "n m"]
    causes: Float[Array, "n N"]
    spikes: Float[Array, " n"]


def _around(
    synapses: Synapses, settings: Settings, mean: Array, precision: Array
) -> PredictiveCoding:
    """The hierarchy whose causes are expected where a memory has them."""
    below = hierarchy(synapses, settings).arrows[:3]
    return PredictiveCoding([*below, Arrow(None, 2, Constant(mean), Gaussian(precision))])


@eqx.filter_jit
def sample_images(
    synapses: Synapses,
    settings: Settings,
    memories: Memories,
    spread: Float[Array, "n N"],
    labels: Int[Array, " n"],
    temperature: Float[Array, ""],
    key: Key[Array, ""],
) -> Samples:
    """Sampled images, one for each of `labels`.

    At temperature 1 causes are drawn from the posterior of the memory that fired (units are
    independent, so that parallel steps have the exact law), at 0 they rest where it is largest.
    `spread` are causes that the prior of `store_memories` was made of.
    """
    normal, dirichlet = _posteriors(spread, 1.0)
    mean, count, shape, scale = normal.posterior(memories.causes)
    precision = shape / scale / (1 + 1 / count)
    log_label = jnp.log(dirichlet.mean(memories.labels)[:, 0])  # [P, C]
    # a memory that never fired has nothing to show
    prior = jnp.where(memories.causes.count > 1, _log_prior(memories), -jnp.inf)

    def one(label, key):
        which, key = jax.random.split(key)
        fired = jax.random.categorical(which, prior + log_label[:, label])
        energy = _around(synapses, settings, mean[fired], precision[fired])
        system = SpikingPredictiveCoding(
            energy=energy, quantum=jnp.asarray(QUANTUM), error_quantum=jnp.asarray(1.0),
            temperature=temperature,
        )  # fmt: skip
        silence = Populations((None, None, jnp.zeros(settings.causes)), {})
        descent = bpc.descend_in_parallel(
            system, silence, None, key=key, steps=STEPS, thinned=bpc.Thinned(jnp.asarray(0.5))
        )
        causes = descent.value.values[2]
        return Samples(energy.forward((None, None, causes))[0], causes, descent.spikes.sum())

    samples = jax.vmap(one)(labels, jax.random.split(key, len(labels)))
    return samples._replace(images=jnp.clip(samples.images, 0, 1))
