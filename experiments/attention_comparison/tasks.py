"""Three tasks of recall for `experiments.attention_comparison`, and every method's answers."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from bpcjax import cost
from bpcjax.cost import Counts
from bpcjax.models import LinearMemory, attention, hard_attention, sparse_attention

from ..common.memories import STEPS, SWEEPS, bcpnn, classical, on_sphere, with_flat_prior
from ..common.precision import as_int8 as as_int8

LEVELS = {  # what spoils a query: noise (entries vary by 1), or the share of spikes deleted
    "auto": (1.0, 2.0, 3.0),
    "key to value": (1.0, 2.0, 3.0),
    "raster": (0.3, 0.6, 0.8),
}
TOKENS = 32  # different values that the keys of one context may have
SIZE = 64  # of patterns and keys
UNITS, BINS = 32, 16  # of a raster
REPEATS = 5  # steps of attention, where it is repeated
SPIKES = (1, 2, 4, 8, 16, 32, 64)
TUNED = "attention", f"attention x{REPEATS}", "entmax 1.5", "linear"  # have a beta to choose
FREE = "argmax", "Hebb", "BCPNN"  # have none
METHODS = (*TUNED, *FREE, *(f"spiking {s}" for s in SPIKES))


class Problem(NamedTuple):
    """Memories and queries: `keys` [P, N], `tokens` [P] to be named, `queries` [L Q, N], one level
    of damage after another, and the tokens [Q] that are the `target` at each.
    """

    keys: np.ndarray
    tokens: np.ndarray
    queries: np.ndarray
    target: np.ndarray


def _noisy(rng, keys, own, levels):
    normal = rng.standard_normal((len(own), keys.shape[1]))
    return np.concatenate([keys[own] + level * normal for level in levels])


def auto(rng: np.random.Generator, patterns: int, queries: int) -> Problem:
    """Name the pattern, on a sphere, that was spoilt by Gaussian noise."""
    keys, own = on_sphere(rng, patterns, SIZE), rng.integers(patterns, size=queries)
    return Problem(keys, np.arange(patterns), _noisy(rng, keys, own, LEVELS["auto"]), own)


def key_to_value(rng: np.random.Generator, patterns: int, queries: int) -> Problem:
    """Name the value of a noisy key: multi-query associative recall. Values repeat."""
    keys, own = on_sphere(rng, patterns, SIZE), rng.integers(patterns, size=queries)
    tokens = rng.integers(TOKENS, size=patterns)
    return Problem(keys, tokens, _noisy(rng, keys, own, LEVELS["key to value"]), tokens[own])


def raster(rng: np.random.Generator, patterns: int, queries: int) -> Problem:
    """Name the raster, of one spike a unit, from one with spikes jittered, deleted, inserted.

    Memories are smoothed over three bins. Jitter is of 0.7 bins; 0.3 spikes a unit are inserted.
    """
    times = rng.integers(BINS, size=(patterns, UNITS))
    stored = np.zeros((patterns, UNITS, BINS))
    rows, units = np.meshgrid(np.arange(patterns), np.arange(UNITS), indexing="ij")
    for shift in (-1, 0, 1):
        stored[rows, units, (times + shift) % BINS] = 1
    own = rng.integers(patterns, size=queries)
    moved = (times[own] + np.rint(0.7 * rng.standard_normal((queries, UNITS))).astype(int)) % BINS
    chance, extra = rng.random((queries, UNITS)), rng.random((queries, UNITS, BINS)) < 0.3 / BINS
    spoilt = []
    for level in LEVELS["raster"]:
        spikes = extra.copy()
        each, unit = np.nonzero(chance >= level)
        spikes[each, unit, moved[each, unit]] = True
        spoilt.append(spikes.reshape(queries, -1).astype(float))
    keys = stored.reshape(patterns, -1)
    return Problem(keys, np.arange(patterns), np.concatenate(spoilt), own)


MAKERS = {"auto": auto, "key to value": key_to_value, "raster": raster}


@eqx.filter_jit
def tuned_answers(keys, tokens, queries, beta) -> jax.Array:
    """The tokens [TUNED, queries] that methods with a beta name."""
    bias = -0.5 * jnp.sum(keys**2, axis=1)
    values = jax.nn.one_hot(tokens, len(keys), dtype=keys.dtype)
    linear = LinearMemory.store(keys, values, beta)

    def one(query):
        settled = attention(query, keys, keys, beta, bias=bias, steps=REPEATS - 1)
        mixed = (
            attention(query, keys, values, beta, bias=bias),
            attention(settled, keys, values, beta, bias=bias),
            sparse_attention(query, keys, values, beta, bias=bias),
            linear(query),
        )
        return jnp.stack([each.argmax() for each in mixed])

    return jax.vmap(one)(queries).T


@eqx.filter_jit
def free_answers(keys, tokens, queries) -> jax.Array:
    """The tokens [FREE, queries] that methods without a beta name; -1 where they do not apply."""
    bias, numbers = -0.5 * jnp.sum(keys**2, axis=1), jnp.asarray(tokens, keys.dtype)[:, None]
    best = jax.vmap(lambda query: hard_attention(query, keys, numbers, bias=bias)[0])(queries)
    if keys.shape[1] != SIZE:
        return jnp.stack([best, -jnp.ones_like(best), -jnp.ones_like(best)])
    signs = classical(keys, queries, projection=False), bcpnn(keys, queries)
    return jnp.stack([best, *(numbers[:, 0][own] for own in signs)])


@eqx.filter_jit
def spiking_winners(keys, queries, beta, rate, key) -> jax.Array:
    """The memories [queries, S] that spike one after another, `rate` of them in a time constant."""
    memory = bpc.models.SpikingHopfield(with_flat_prior(keys, beta), rate, 1.0)
    return bpc.models.retrieve(memory, queries, key, spikes=max(SPIKES)).winners


@eqx.filter_jit
def voted(winners, tokens) -> jax.Array:
    """The token [SPIKES, queries] of most spikes in the last half of the first S (ties: any)."""
    named = jnp.asarray(tokens)[winners]
    return jnp.stack([_majority(named[:, s // 2 : s]) for s in SPIKES])


def _majority(named):
    same = (named[:, :, None] == named[:, None, :]).sum(axis=2)
    return jnp.take_along_axis(named, same.argmax(axis=1)[:, None], axis=1)[:, 0]


def counts(task: str, method: str, patterns: int, inputs, support: float = 8.0) -> Counts:
    """Operations of a query whose `inputs` are not 0.

    Spikes as inputs are added, never multiplied, by every method: silent ones cost nobody. Values
    have as many numbers as keys in the first task and the last, `TOKENS` in the second.
    """
    spikes_in = task == "raster"
    width = UNITS * BINS if spikes_in else SIZE
    out = TOKENS if task == "key to value" else width
    if method.startswith("spiking"):
        sent = float(method.split()[1])
        return cost.spiking(inputs, sent, out, patterns, graded=not spikes_in)
    arriving = inputs * patterns
    scores = Counts(words=arriving, **({"synaptic" if spikes_in else "macs": arriving}))
    moved = Counts(words=2.0 * (width + patterns))
    if method == "argmax":
        return scores + moved + Counts(adds=patterns, words=out)
    if method == "linear":
        return cost.linear_attention_counts(width, out)
    if method == "Hebb":
        return cost.classical(width, sweeps=STEPS)
    if method == "BCPNN":  # two units an entry; a softmax of two, an exponential, a unit
        sweep = Counts(synaptic=4 * width**2, exps=2 * width, adds=width, divides=width)
        return (sweep + Counts(words=4 * width**2)) * SWEEPS
    mixture = Counts(macs=patterns * out, words=patterns * out)
    softmax = Counts(adds=patterns, exps=patterns, divides=patterns)
    if method == "entmax 1.5":
        sort = Counts(adds=patterns * np.ceil(np.log2(patterns)), divides=support)
        return scores + moved + sort + Counts(macs=support * out, words=support * out)
    if method == "attention":
        return scores + moved + softmax + mixture
    settle = cost.attention_counts(
        width, patterns, steps=REPEATS - 2
    )  # between the first and the last
    back = cost.attention_counts(width, patterns) + Counts(macs=(out - width) * patterns)
    return scores + softmax + Counts(macs=patterns * width, words=patterns * width) + settle + back
