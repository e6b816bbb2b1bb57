"""Elimination: blocks of entries reach the memories that are alive, and a test refutes some.

Survivors are moved together as they become few, so that the work of a processor falls with their
number, too.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from ...energies.base import present
from .likelihoods import AbstractLikelihood

# By how much the room for survivors shrinks, and the least of it: to gather their synapses
# pays from there on (measured on two cores, with 10,000 memories).
_FEWER, _FEWEST = 16, 16


class Elimination(NamedTuple):
    """State of an elimination, of Q queries and the memories that there is room for (at the end,
    all P): their evidence `u`, `-inf` of the silent ones; which queries are `going`; and what was
    spent.
    """

    t: Int[Array, ""]  # blocks
    u: Float[Array, "Q K"]
    survivors: Int[Array, " Q"]
    going: Bool[Array, " Q"]
    common: Float[Array, " Q"]  # what entries say against all memories alike
    used: Int[Array, " Q"]  # entries
    events: Float[Array, " Q"]  # in single precision or better, as all that is counted
    reached: Float[Array, " Q"]  # memories that an event reached, summed over events
    entries: Float[Array, " Q"]  # the same over entries, be they silent
    tests: Float[Array, " Q"]
    tested: Float[Array, " Q"]  # memories in a test, summed over tests

    @property
    def alive(self) -> Bool[Array, "Q K"]:
        """Who was never silenced."""
        return self.u > -jnp.inf


class Stored(NamedTuple):
    """Synapses of P memories, for entries in their order `rank`, `block` at a time; `sums` of the
    offsets of a block, where no entry is missing. Entries that fill the last block say nothing.
    """

    rank: Int[Array, " N"]
    weights: Float[Array, "blocks P block"]
    offsets: Float[Array, "blocks P block"]
    sums: Float[Array, "blocks P"]


def store(
    patterns: Float[Array, "P N"],
    likelihood: AbstractLikelihood,
    rank: Int[Array, " N"],
    block: int,
) -> Stored:
    """The synapses of input events on memories."""
    weights, offsets = (_in_blocks(a, rank, block) for a in likelihood.synapses(patterns))
    return Stored(rank, weights, offsets, offsets.sum(axis=2))


def _in_blocks(array: Shaped[Array, "rows N"], rank, block: int) -> Shaped[Array, "blocks rows b"]:
    short = -array.shape[1] % block
    array = jnp.pad(array[:, rank], ((0, 0), (0, short)))
    return array.reshape(len(array), array.shape[1] // block, block).swapaxes(0, 1)


class _Block(NamedTuple):
    """A block of entries: values, which arrive, and their synapses. `offsets` is their sum where
    none is missing."""

    y: Float[Array, "Q block"]
    seen: Bool[Array, "Q block"]
    weights: Float[Array, "P block"]
    offsets: Float[Array, "P *block"]

    def gain(self, place: Int[Array, "Q K"] | None) -> Float[Array, "Q K"]:
        """What the block adds to the evidence of the memories at `place` (`None`: all)."""
        weights, offsets = (
            array if place is None else array[place] for array in (self.weights, self.offsets)
        )
        each = "qb,pb->qp" if place is None else "qb,qpb->qp"
        gain = jnp.einsum(each, self.y, weights)
        if self.offsets.ndim == 1:
            return gain + (offsets[None] if place is None else offsets)
        return gain + jnp.einsum(each, self.seen.astype(gain.dtype), offsets)


def eliminate(
    stored: Stored,
    prior: Float[Array, " P"],
    y: Float[Array, "Q N"],
    ok: Bool[Array, " Q"],
    likelihood: AbstractLikelihood,
    seen: Bool[Array, "Q N"] | None,
    theta: Float[Array, ""],
    lead: Float[Array, ""] | None,
    limit: Int[Array, ""],
) -> Elimination:
    """Elimination of `stored` memories by what is `seen` of the queries `y` that are `ok`; log
    `prior`."""
    queries, count = len(y), len(prior)
    block = stored.weights.shape[2]
    mask = jnp.ones(y.shape, bool) if seen is None else seen
    values, arrive = (_in_blocks(array, stored.rank, block) for array in (present(y, mask), mask))
    # blocks that all queries miss go last: nobody waits for them
    turn = jnp.argsort(~arrive.any(axis=(1, 2)), stable=True)
    left = jnp.minimum(mask.sum(axis=1), limit)
    zero = jnp.zeros(queries, y.dtype)
    none = zero.astype(jnp.promote_types(y.dtype, jnp.float32))  # half precision would not count
    state = Elimination(
        jnp.zeros((), jnp.int32),
        jnp.zeros((queries, count), y.dtype),
        jnp.full(queries, count),
        ok & (left > 0) & (count > 1),
        zero,
        jnp.zeros(queries, jnp.int32),
        *[none] * 5,
    )

    def step(state: Elimination, prior, place) -> Elimination:
        at = turn[state.t]
        offsets = stored.sums if seen is None else stored.offsets
        now = _Block(values[at], arrive[at], stored.weights[at], offsets[at])
        going = state.going
        u = jnp.where(going[:, None], state.u + now.gain(place), state.u)
        common = likelihood.common(now.y).sum(axis=1)
        common = jnp.where(going, state.common + common, state.common)
        new = jnp.where(going, now.seen.sum(axis=1, dtype=jnp.int32), 0)
        used = state.used + new
        sums = u, common[:, None], used.astype(u.dtype)[:, None]
        evidence = likelihood.evidence(*sums) + prior
        top = evidence.max(axis=1)
        refuted = top[:, None] - likelihood.most(*sums) - prior > theta
        tested = going & (used > 0)  # of a query of which nothing has come nobody is refuted
        u = jnp.where(refuted & tested[:, None], -jnp.inf, u)
        survivors = (u > -jnp.inf).sum(axis=1)
        undecided = (survivors > 1) & (used < left)
        if lead is not None:
            first = jnp.arange(u.shape[1])[None] == evidence.argmax(axis=1)[:, None]
            second = jnp.where((u > -jnp.inf) & ~first, evidence, -jnp.inf).max(axis=1)
            undecided = undecided & ~(top - second >= lead)
        number = jnp.where(going, state.survivors, 0).astype(none.dtype)
        events = jnp.where(now.seen, likelihood.events(now.y), 0).sum(axis=1, dtype=none.dtype)
        return Elimination(
            state.t + 1,
            u,
            survivors,
            going & undecided,
            common,
            used,
            state.events + jnp.where(going, events, 0),
            state.reached + number * events,
            state.entries + number * new,
            state.tests + going,
            state.tested + number,
        )

    rooms = [count]
    while rooms[-1] > _FEWEST:
        rooms.append(max(rooms[-1] // _FEWER, _FEWEST))
    rows = jnp.arange(queries)[:, None]
    u, place, target = state.u, None, None
    for fewer in [*rooms[1:], 0]:  # 0: none, the last room
        own = prior[None] if place is None else prior[place]

        def crowded(state, fewer=fewer):
            return state.going.any() & ((state.survivors > fewer).any())

        def body(state, own=own, place=place):
            return step(state, own, place)

        state = jax.lax.while_loop(crowded, body, state)
        u = state.u if place is None else u.at[rows, target].set(state.u, mode="drop")
        if fewer:
            # They fit, or no query is going and nothing below runs.
            target = jax.vmap(
                lambda own, k=fewer: jnp.nonzero(own > -jnp.inf, size=k, fill_value=count)[0]
            )(u)
            place = jnp.minimum(target, count - 1)
            state = state._replace(u=jnp.where(target < count, u[rows, place], -jnp.inf))
    return state._replace(u=u)
