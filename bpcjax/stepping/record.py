"""A bounded, ordered, differentiable record of spikes."""

from typing import Any

import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .. import bits

_SMALL = 256  # neurons: put down all at once
_FEW, _MANY = 8, 64  # spikes of a step: put down one by one, or so many together


class SpikeRecord(eqx.Module):
    """Spikes in the order of their times; `count` may exceed the room, `ok` says if it does.

    `times` is padded with `inf`, `neurons` (index into the flattened guard) with -1.
    """

    times: Float[Array, " room"]
    neurons: Int[Array, " room"]
    count: Int[Array, ""]

    @property
    def ok(self) -> Bool[Array, ""]:
        """Whether every spike found room."""
        return self.count <= self.times.shape[-1]

    def append(self, times: Float[Array, " n"], spiked: Bool[Array, " n"]) -> "SpikeRecord":
        """The record with one entry per marked neuron, in the order of their indices."""
        rank = jnp.cumsum(spiked, dtype=self.count.dtype)
        place = jnp.where(spiked, self.count + rank - 1, self.times.shape[0])
        index = jnp.arange(spiked.shape[0], dtype=self.neurons.dtype)
        return SpikeRecord(
            self.times.at[place].set(times, mode="drop"),
            self.neurons.at[place].set(index, mode="drop"),
            self.count + rank[-1],
        )

    def extend(self, times: Float[Array, " n"], spiked: Bool[Array, " n"]) -> "SpikeRecord":
        """The same entries in any order: for large populations of which few spike at a time."""
        if spiked.shape[0] <= _SMALL:
            return self.append(times, spiked)
        written = _write(self.times, self.neurons, self.count, times, spiked)
        return SpikeRecord(*written)

    def sorted(self) -> "SpikeRecord":
        """The record in the order of times, ties in that of neurons."""
        order = jnp.lexsort((self.neurons, lax.stop_gradient(self.times)))
        return SpikeRecord(self.times[order], self.neurons[order], self.count)


def empty_record(room: int, dtype) -> SpikeRecord:
    """A record with `room` free places for times of the given dtype."""
    return SpikeRecord(
        jnp.full(room, jnp.inf, dtype), jnp.full(room, -1, jnp.int32), jnp.array(0, jnp.int32)
    )


@jax.custom_jvp
def _write(record, neurons, count, times, spiked):
    """A record with an entry for each marked neuron, written in place one after another."""

    n, room = spiked.shape[0], record.shape[0]
    words = bits.pack(spiked)
    number = bits.count(words)

    def put_one(index, written):
        record, neurons, place = written
        record = record.at[place].set(times[index], mode="drop")
        return record, neurons.at[place].set(index, mode="drop"), place + 1

    def put_many(carry):
        done, record, neurons = carry
        index = bits.indices(words, _MANY, n, done)
        place = jnp.where(index < n, count + done + jnp.arange(_MANY), room)
        record = record.at[place].set(times[jnp.minimum(index, n - 1)], mode="drop")
        return done + _MANY, record, neurons.at[place].set(index, mode="drop")

    few = jnp.where(number <= _FEW, words, jnp.uint32(0))
    record, neurons, _ = bits.for_each(few, put_one, (record, neurons, count))
    start = jnp.where(number <= _FEW, number, 0), record, neurons
    _, record, neurons = lax.while_loop(lambda c: c[0] < number, put_many, start)
    return record, neurons, count + number


@_write.defjvp
def _write_jvp(primals, tangents):
    record, neurons, count = _write(*primals)
    place = jnp.arange(record.shape[0])
    new = (place >= primals[2]) & (place < count)
    tangent = jnp.where(new, tangents[3][jnp.maximum(neurons, 0)], tangents[0])
    still: Any = [np.zeros(x.shape, jax.dtypes.float0) for x in (neurons, count)]
    return (record, neurons, count), (tangent, still[0], still[1])
