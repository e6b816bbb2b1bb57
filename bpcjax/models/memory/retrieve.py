"""Retrieval from the spiking memory in kernel form: a spike costs P operations, whatever N is."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Key

from ..._require import count as as_count, floating, instance, key as one_key
from ...energies import ModernHopfield
from ...system import bad_parameters
from .modes import Hold, of_kind
from .spiking_hopfield import SpikingHopfield


class Retrieval(eqx.Module):
    """Retrieval of Q queries: the memory `recalled` [Q], the most frequent of its last half of
    `winners` [Q, S] (ties: the first); `weights` [Q, S + 1], with which the query and the patterns
    of the winners make up the visible state at the last spike; the `scores` [Q, P] there; `ok` [Q].
    """

    recalled: Int[Array, " Q"]
    winners: Int[Array, "Q S"]
    weights: Float[Array, "Q S+1"]
    scores: Float[Array, "Q P"]
    ok: Bool[Array, " Q"]

    def states(
        self, patterns: Float[Array, "P N"], queries: Float[ArrayLike, "Q N"]
    ) -> Float[Array, "Q N"]:
        """Visible states [Q, N] at the last spikes, from the patterns and queries of the
        retrieval."""
        queries = jnp.asarray(queries)
        rows = jnp.arange(len(queries))[:, None]
        share = jnp.zeros((len(queries), len(patterns)), self.weights.dtype)
        share = share.at[rows, self.winners].add(self.weights[:, 1:])
        return self.weights[:, :1] * queries + share @ patterns


def gram(memory: SpikingHopfield) -> Float[Array, "P P"]:
    """Gram matrix `beta X X.T` [P, P]: how each memory's spike shifts all scores, for
    `retrieve`."""
    instance("memory", memory, SpikingHopfield)
    energy = _stored(memory)
    return energy.beta * energy.patterns @ energy.patterns.T


def retrieve(
    memory: SpikingHopfield,
    queries: ArrayLike,  # [Q, N]
    key: Key[Array, ""],
    *,
    spikes: int,
    kernel: Float[Array, "P P"] | None = None,
) -> Retrieval:
    """Retrieval in kernel form: `spikes` draws from the posterior that follows them, for each
    query, by the memory in `Hold`.

    The scores `u = beta (X x + a)` themselves relax, `u <- k_z + (u - k_z) exp(-d / tau)` with a
    row of the `kernel` (of `gram(memory)`, computed here if it is not given) plus `beta a`, so
    that the visible units are not needed. Each draw inverts the cumulated probabilities, first
    of blocks, then within one. It is the process of `event_path`, to which a test holds it, with a
    loop of its own: all queries draw from one key, and a rate that is constant needs no thinning.

    **Raises:** `ValueError` for another mode or energy, delays, refractory periods, or queries that
    do not fit.
    """
    _check(memory)
    size, count = memory.energy.patterns.shape[1], memory.energy.patterns.shape[0]
    queries = floating("queries", queries, ("Q", size), like="memory")
    if kernel is not None:
        kernel = floating("kernel", kernel, (count, count), like="gram(memory)")
    return _retrieve(memory, queries, one_key("key", key), as_count("spikes", spikes, 1), kernel)


@eqx.filter_jit
def _retrieve(memory: SpikingHopfield, queries, key, spikes: int, kernel) -> Retrieval:
    bad, memory = bad_parameters(memory), of_kind(memory, memory.energy.patterns.dtype)
    energy = _stored(memory)
    queries = queries.astype(energy.patterns.dtype)
    offset = energy.beta * energy.bias
    kernel = gram(memory) if kernel is None else kernel
    count = energy.patterns.shape[0]
    scores = jax.vmap(energy.scores)(queries)

    def spike(carry, key):
        scores, target = carry
        wait_key, draw_key = jax.random.split(key)
        # exp(-d / tau) of an exponential wait at `rate` is a uniform number to this power
        wait = jax.random.exponential(wait_key, (len(queries), 1), scores.dtype)
        decay = jnp.exp(-wait / (memory.rate * memory.tau))
        scores = target + (scores - target) * decay
        winner = _draw(scores, jax.random.uniform(draw_key, (len(queries),), scores.dtype))
        return (scores, kernel[winner] + offset[None]), (winner, decay[:, 0])

    keys = jax.random.split(key, spikes)
    (scores, _), (winners, decays) = jax.lax.scan(spike, (scores, scores), keys)
    winners, decays = winners.T, decays.T
    late = winners[:, spikes // 2 :]
    rows = jnp.arange(len(queries))[:, None]
    votes = jnp.zeros((len(queries), count), jnp.int32).at[rows, late].add(1)
    ok = jnp.isfinite(scores).all(1) & ~bad
    return Retrieval(votes.argmax(axis=1), winners, _weights(decays), scores, ok)


def _weights(decays: Float[Array, "Q S"]) -> Float[Array, "Q S+1"]:
    """Weights of the query and of each winner's pattern in the state at the last spike.

    The query is held up to the first spike; winner k gains `1 - decay` of the next interval and
    then decays with all others; the last winner has not acted yet.
    """
    after = jnp.cumprod(decays[:, :0:-1], axis=1)[:, ::-1]  # of intervals 2..S to the end
    ones, zeros = jnp.ones_like(decays[:, :1]), jnp.zeros_like(decays[:, :1])
    after = jnp.concatenate([after, ones], axis=1)  # from the start of interval k + 1
    gained = (1 - decays[:, 1:]) * after[:, 1:]
    return jnp.concatenate([after[:, :1], gained, zeros], axis=1)


def _draw(scores: Float[Array, "Q P"], uniform: Float[Array, " Q"]) -> Int[Array, " Q"]:
    """A draw from each row's softmax, by inverting its cumulated probabilities in two levels."""
    rows, count = scores.shape
    width = max(1, round(count**0.5))
    blocks = -(-count // width)
    weight = jnp.exp(scores - scores.max(axis=1, keepdims=True))
    weight = jnp.pad(weight, ((0, 0), (0, blocks * width - count)))
    weight = weight.reshape(rows, blocks, width)
    cumulated = jnp.cumsum(weight.sum(axis=2), axis=1)
    # below the last sum also where rounding would reach it, so that there always is a block
    target = jnp.minimum(uniform, 1 - jnp.finfo(scores.dtype).eps) * cumulated[:, -1]
    block = (cumulated <= target[:, None]).sum(axis=1)
    before = jnp.take_along_axis(cumulated, jnp.maximum(block - 1, 0)[:, None], axis=1)[:, 0]
    remainder = target - jnp.where(block > 0, before, 0.0)
    inside = jnp.take_along_axis(weight, block[:, None, None], axis=1)[:, 0]
    within = jnp.cumsum(inside, axis=1)
    # rounding may leave the remainder at the block's sum: then its last memory with weight
    remainder = jnp.minimum(remainder, jnp.nextafter(within[:, -1], jnp.zeros((), scores.dtype)))
    place = (within <= remainder[:, None]).sum(axis=1)
    return (block * width + place).astype(jnp.int32)


def _stored(memory: SpikingHopfield) -> ModernHopfield:
    """The memory's energy, if its patterns are rows whose overlaps make a kernel.

    **Raises:** `ValueError` if it is another, whose kernel would hold each shift of each pattern.
    """
    if not isinstance(memory.energy, ModernHopfield):
        kind = type(memory.energy).__name__
        raise ValueError(f"memory: kernels are for ModernHopfield, got {kind}. Use event_path.")
    return memory.energy


def _check(memory: SpikingHopfield) -> None:
    instance("memory", memory, SpikingHopfield)
    if not isinstance(memory.mode, Hold):
        raise ValueError(f"memory: retrieve is for Hold(), got {memory.mode}. Use event_path.")
    if memory.delay is not None or memory.refractory is not None:
        raise ValueError("memory: retrieve knows no delay or refractory. Use event_path.")
    _stored(memory)
