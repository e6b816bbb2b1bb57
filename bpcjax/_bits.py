"""Bit mask of the neurons that spiked: a few of many are found through machine words, faster than
by a cumulative sum.

Bit k of word w stands for neuron `k * words + w`: a layout that packs contiguous rows.
"""

from collections.abc import Callable
from typing import TypeVar

import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Int, UInt32

_WORD = 32
_GROUP = 32  # words whose counts are summed up together
_NONE = 2**31 - 1
Words = UInt32[Array, " words"]
Carry = TypeVar("Carry")


def pack(marks: Bool[Array, " n"]) -> Words:
    """Pack a mask [neurons] into words of 32 bits."""
    rows = jnp.pad(marks, (0, -marks.shape[0] % (_WORD * _GROUP))).reshape(_WORD, -1)
    bits = jnp.left_shift(jnp.uint32(1), jnp.arange(_WORD, dtype=jnp.uint32))
    return jnp.where(rows, bits[:, None], jnp.uint32(0)).sum(0, dtype=jnp.uint32)


def count(words: Words) -> Int[Array, ""]:
    """The number of marks that are set."""
    return lax.population_count(words).sum(dtype=jnp.int32)


def for_each(words: Words, body: Callable[[Int[Array, ""], Carry], Carry], start: Carry) -> Carry:
    """`body(index, carry)` for every mark, one after another: best for a few."""

    def turn(carry):
        index, inner = carry
        return _after(words, index), body(index, inner)

    return lax.while_loop(lambda c: c[0] < _NONE, turn, (_after(words, jnp.int32(-1)), start))[1]


def _after(words: Words, index: Int[Array, ""]) -> Int[Array, ""]:
    """The index of the first mark after `index`, found in one pass over the words."""
    size, place = words.shape[0], jnp.arange(words.shape[0], dtype=jnp.int32)
    passed = jnp.clip((index - place) // size + 1, 0, _WORD)  # bits of each word not after it
    shifted = words >> jnp.minimum(passed, _WORD - 1).astype(jnp.uint32)
    left = jnp.where(passed < _WORD, shifted, jnp.uint32(0))
    bit = lax.population_count((left & -left) - jnp.uint32(1)).astype(jnp.int32)
    return jnp.where(left != 0, (passed + bit) * size + place, _NONE).min()


def indices(words: Words, room: int, pad: int, first: ArrayLike = 0) -> Int[Array, " room"]:
    """The indices of `room` marks from number `first` on, then `pad`: best for many.

    They come in an order of their own.
    """
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
