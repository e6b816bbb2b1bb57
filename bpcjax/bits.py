"""Which few of many neurons spiked: found through machine words, faster than a cumulative sum.

Bit k of word w stands for neuron `k * words + w`: a layout that packs contiguous rows. Marks are
hence found in an order of their own.
"""

from collections.abc import Callable
from typing import TypeVar

import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Int, UInt32

_WORD = 32
_GROUP = 32  # words whose counts are summed up together
_FEW = 16
Words = UInt32[Array, " words"]
Carry = TypeVar("Carry")


def pack(marks: Bool[Array, " n"]) -> Words:
    """The marks, 32 to a word."""
    rows = jnp.pad(marks, (0, -marks.shape[0] % (_WORD * _GROUP))).reshape(_WORD, -1)
    bits = jnp.left_shift(jnp.uint32(1), jnp.arange(_WORD, dtype=jnp.uint32))
    return jnp.where(rows, bits[:, None], jnp.uint32(0)).sum(0, dtype=jnp.uint32)


def count(words: Words) -> Int[Array, ""]:
    """How many marks there are."""
    return lax.population_count(words).sum(dtype=jnp.int32)


def for_some(
    words: Words, body: Callable[[Int[Array, " few"], Int[Array, ""], Carry], Carry], start: Carry
) -> Carry:
    """`body(indices, number, carry)` for a few marks after another, until all had their turn."""

    def pop(carry):
        words, number, found = carry
        place = jnp.argmax(words != 0).astype(jnp.int32)
        word = words[place]
        lowest = word & -word
        bit = lax.population_count(lowest - jnp.uint32(1)).astype(jnp.int32)
        found = found.at[number].set(bit * words.shape[0] + place, mode="drop")
        return words.at[place].set(word ^ lowest), number + 1, found

    def turn(carry):
        words, inner = carry
        none = jnp.int32(0), jnp.zeros(_FEW, jnp.int32)
        words, number, found = lax.while_loop(
            lambda c: (c[0] != 0).any() & (c[1] < _FEW), pop, (words, *none)
        )
        return words, body(found, number, inner)

    return lax.while_loop(lambda c: (c[0] != 0).any(), turn, (words, start))[1]


def indices(words: Words, room: int, pad: int, first: ArrayLike = 0) -> Int[Array, " room"]:
    """The indices of `room` marks from number `first` on, then `pad`: best for many."""
    words = words.reshape(-1, _GROUP)
    groups = words.shape[0]
    sums = _running(lax.population_count(words).astype(jnp.int32))
    totals = _running(sums[:, -1])
    rank = jnp.arange(room, dtype=jnp.int32) + first
    there = rank < totals[-1]
    group = (totals[None] <= rank[:, None]).sum(1, dtype=jnp.int32)
    group = jnp.minimum(group, groups - 1)
    own = sums[group]
    rank = rank - (totals[group] - own[:, -1])
    inside = jnp.minimum((own <= rank[:, None]).sum(1, dtype=jnp.int32), _GROUP - 1)
    word = words[group, inside]
    before = own[jnp.arange(room), inside] - lax.population_count(word).astype(jnp.int32)
    index = _select(word, rank - before) * (groups * _GROUP) + group * _GROUP + inside
    return jnp.where(there, index, pad)


def _running(x: Int[Array, "*n"]) -> Int[Array, "*n"]:
    """The running sum along the last axis, by the triangle: short axes only."""
    n = x.shape[-1]
    upper = jnp.broadcast_to(jnp.triu(jnp.ones((n, n), bool)), (*x.shape[:-1], n, n))
    return jnp.where(upper, x[..., :, None], 0).sum(-2, dtype=jnp.int32)


def _select(word: UInt32[Array, "*n"], rank: Int[Array, "*n"]) -> Int[Array, "*n"]:
    """The place of the bit before which `rank` others are set."""
    place = jnp.zeros_like(rank)
    for width in (16, 8, 4, 2, 1):
        low = word & jnp.uint32((1 << width) - 1)
        inside = lax.population_count(low).astype(jnp.int32)
        beyond = rank >= inside
        place = place + jnp.where(beyond, width, 0)
        rank = rank - jnp.where(beyond, inside, 0)
        word = jnp.where(beyond, word >> width, low)
    return place
