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

_FEWER, _FEWEST = 8, 16  # by how much the room for survivors shrinks, and the least of it


class Elimination(NamedTuple):
    """State of an elimination, of Q queries and the memories that there is room for (at the end,
    all P): their evidence `u` and who is `alive`; which queries are `going`; and what was spent.
    """

    t: Int[Array, ""]  # blocks
    u: Float[Array, "Q K"]
    alive: Bool[Array, "Q K"]
    going: Bool[Array, " Q"]
    common: Float[Array, " Q"]  # what entries say against all memories alike
    used: Int[Array, " Q"]  # entries
    events: Float[Array, " Q"]
    reached: Float[Array, " Q"]  # memories that an event reached, summed over events
    entries: Float[Array, " Q"]  # the same over entries, be they silent
    tests: Float[Array, " Q"]
    tested: Float[Array, " Q"]  # memories in a test, summed over tests


class Stored(NamedTuple):
    """Synapses of P memories, for entries in their order `rank`, `block` at a time; `sums` of the
    offsets of a block, where no entry is missing. Entries that fill the last block say nothing.
    """

    rank: Int[Array, " N"]
    weights: Float[Array, "blocks block P"]
    offsets: Float[Array, "blocks block P"]
    sums: Float[Array, "blocks P"]


def store(
    patterns: Float[Array, "P N"],
    likelihood: AbstractLikelihood,
    rank: Int[Array, " N"],
    block: int,
) -> Stored:
    """The synapses of input events on memories."""
    weights, offsets = (
        _in_blocks(array, rank, block).swapaxes(1, 2) for array in likelihood.synapses(patterns)
    )
    return Stored(rank, weights, offsets, offsets.sum(axis=1))


def _in_blocks(array: Shaped[Array, "rows N"], rank, block: int) -> Shaped[Array, "blocks rows b"]:
    short = -array.shape[1] % block
    array = jnp.pad(array[:, rank], ((0, 0), (0, short)))
    return array.reshape(len(array), -1, block).swapaxes(0, 1)


class _Block(NamedTuple):
    """A block of entries: values, which arrive, and their synapses. `offsets` is their sum where
    none is missing."""

    y: Float[Array, "Q block"]
    seen: Bool[Array, "Q block"]
    weights: Float[Array, "block P"]
    offsets: Float[Array, "*block P"]

    def gain(self, place: Int[Array, "Q K"] | None) -> Float[Array, "Q K"]:
        """What the block adds to the evidence of the memories at `place` (`None`: all)."""
        seen = self.seen.astype(self.y.dtype)
        whole = self.offsets.ndim == 1
        if place is None:
            return self.y @ self.weights + (self.offsets[None] if whole else seen @ self.offsets)
        own = self.offsets[..., place]
        own = own if whole else jnp.einsum("qb,bqk->qk", seen, own)
        return jnp.einsum("qb,bqk->qk", self.y, self.weights[:, place]) + own


def eliminate(
    stored: Stored,
    prior: Float[Array, "Q P"],
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
    queries, count = prior.shape
    block = stored.weights.shape[1]
    mask = jnp.ones(y.shape, bool) if seen is None else seen
    values, arrive = (_in_blocks(array, stored.rank, block) for array in (present(y, mask), mask))
    # blocks that all queries miss go last: nobody waits for them
    turn = jnp.argsort(~arrive.any(axis=(1, 2)), stable=True)
    left = jnp.minimum(mask.sum(axis=1), limit)
    zero = jnp.zeros(queries, y.dtype)
    state = Elimination(
        jnp.zeros((), jnp.int32),
        jnp.zeros((queries, count), y.dtype),
        jnp.ones((queries, count), bool),
        ok & (left > 0) & (count > 1),
        zero,
        jnp.zeros(queries, jnp.int32),
        *[zero] * 5,
    )

    def step(state: Elimination, prior, place) -> Elimination:
        at = turn[state.t]
        offsets = stored.sums if seen is None else stored.offsets
        now = _Block(values[at], arrive[at], stored.weights[at], offsets[at])
        alive, going = state.alive, state.going
        u = jnp.where(going[:, None] & alive, state.u + now.gain(place), state.u)
        common = likelihood.common(now.y).sum(axis=1)
        common = jnp.where(going, state.common + common, state.common)
        new = jnp.where(going, now.seen.sum(axis=1, dtype=jnp.int32), 0)
        used = state.used + new
        sums = u, common[:, None], used.astype(u.dtype)[:, None]
        evidence = jnp.where(alive, likelihood.evidence(*sums) + prior, -jnp.inf)
        top = evidence.max(axis=1)
        refuted = top[:, None] - likelihood.most(*sums) - prior > theta
        tested = going & (used > 0)  # of a query of which nothing has come nobody is refuted
        stays = alive & ~(refuted & tested[:, None])
        undecided = (stays.sum(axis=1) > 1) & (used < left)
        if lead is not None:
            first = jnp.arange(u.shape[1])[None] == evidence.argmax(axis=1)[:, None]
            second = jnp.where(stays & ~first, evidence, -jnp.inf).max(axis=1)
            undecided = undecided & ~(top - second >= lead)
        number = jnp.where(going, alive.sum(axis=1), 0).astype(u.dtype)
        events = jnp.where(now.seen, likelihood.events(now.y), 0).sum(axis=1)
        return Elimination(
            state.t + 1,
            u,
            stays,
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
    u, alive, place, target = state.u, state.alive, None, None
    for fewer in [*rooms[1:], 0]:  # 0: none, the last room
        own = prior if place is None else prior[rows, place]

        def crowded(state, fewer=fewer):
            return state.going.any() & (state.alive.sum(axis=1).max() > fewer)

        def body(state, own=own, place=place):
            return step(state, own, place)

        state = jax.lax.while_loop(crowded, body, state)
        if place is None:
            u, alive = state.u, state.alive
        else:
            u = u.at[rows, target].set(state.u, mode="drop")
            alive = alive.at[rows, target].set(state.alive, mode="drop")
        if fewer:
            # They fit, or no query is going and nothing below runs.
            target = jax.vmap(lambda a, k=fewer: jnp.nonzero(a, size=k, fill_value=count)[0])(alive)
            place = jnp.minimum(target, count - 1)
            state = state._replace(u=u[rows, place], alive=alive[rows, place] & (target < count))
    return state._replace(u=u, alive=alive)
