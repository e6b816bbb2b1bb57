"""A bounded, ordered, differentiable record of spikes."""

from typing import Any

import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .. import _bits
from .._instant import rounding
from ..system import Scalar

_SMALL = 256  # neurons: put down all at once
_FEW, _MANY = 8, 64  # spikes of a step: put down one by one, or so many together


class SpikeRecord(eqx.Module):
    """Spikes in the order of their times; `count` may exceed the room, `ok` says if it does.

    `times` is padded with `inf`, `neurons` (index into the flattened guard) with -1. `steps`, from
    a solve in whole steps: how many of these had begun and ended before each spike since the run
    began at its first `t0`, which single precision can hold where it cannot hold the time (padded
    with -1).
    """

    times: Float[Array, " room"]
    neurons: Int[Array, " room"]
    count: Int[Array, ""]
    steps: Int[Array, " room"] | None = None

    @property
    def ok(self) -> Bool[Array, ""]:
        """Whether every spike found room."""
        return self.count <= self.times.shape[-1]

    def append(
        self,
        times: Float[Array, " n"],
        spiked: Bool[Array, " n"],
        steps: Int[Array, " n"] | None = None,
    ) -> "SpikeRecord":
        """The record with one entry per marked neuron, in the order of their indices."""
        rank = jnp.cumsum(spiked, dtype=self.count.dtype)
        place = jnp.where(spiked, self.count + rank - 1, self.times.shape[0])
        index = jnp.arange(spiked.shape[0], dtype=self.neurons.dtype)
        return SpikeRecord(
            self.times.at[place].set(times, mode="drop"),
            self.neurons.at[place].set(index, mode="drop"),
            self.count + rank[-1],
            None if self.steps is None else self.steps.at[place].set(steps, mode="drop"),
        )

    def extend(
        self, times: Float[Array, " n"], spiked: Bool[Array, " n"], steps: Int[Array, " n"]
    ) -> "SpikeRecord":
        """The same entries in any order: for large populations of which few spike at a time."""
        if spiked.shape[0] <= _SMALL or not self.times.size:
            return self.append(times, spiked, steps)
        written = _write(self.times, self.neurons, self.steps, self.count, times, spiked, steps)
        return SpikeRecord(written[0], written[1], written[3], written[2])

    def until(self, end: Scalar) -> "SpikeRecord":
        """The record without what is later than `end`."""
        late = jnp.isfinite(self.times) & (self.times > end + rounding(end))
        steps = None if self.steps is None else jnp.where(late, -1, self.steps)
        return SpikeRecord(
            jnp.where(late, jnp.inf, self.times),
            jnp.where(late, -1, self.neurons),
            self.count - late.sum(dtype=self.count.dtype),
            steps,
        )

    def sorted(self) -> "SpikeRecord":
        """The record in the order of times, ties in that of steps, then of neurons."""
        steps = jnp.zeros_like(self.neurons) if self.steps is None else self.steps
        order = jnp.lexsort((self.neurons, steps, lax.stop_gradient(self.times)))
        steps = None if self.steps is None else self.steps[order]
        return SpikeRecord(self.times[order], self.neurons[order], self.count, steps)


def empty_record(room: int, dtype, in_steps: bool = False) -> SpikeRecord:
    """A record with `room` free places for times of the given dtype, and for steps if so asked."""
    nobody = jnp.full(room, -1, jnp.int32)
    steps = nobody if in_steps else None
    return SpikeRecord(jnp.full(room, jnp.inf, dtype), nobody, jnp.array(0, jnp.int32), steps)


@jax.custom_jvp
def _write(record, neurons, steps, count, times, spiked, now):
    """A record with an entry for each marked neuron, written in place one after another."""

    n, room = spiked.shape[0], record.shape[0]
    words = _bits.pack(spiked)
    number = _bits.count(words)

    def put(written, place, index):
        record, neurons, steps = written
        here = jnp.minimum(index, n - 1)
        record = record.at[place].set(times[here], mode="drop")
        steps = steps.at[place].set(now[here], mode="drop")
        return record, neurons.at[place].set(index, mode="drop"), steps

    def put_one(index, carry):
        place, written = carry
        return place + 1, put(written, place, index)

    def put_many(carry):
        done, written = carry
        index = _bits.indices(words, _MANY, n, done)
        place = jnp.where(index < n, count + done + jnp.arange(_MANY), room)
        return done + _MANY, put(written, place, index)

    few = jnp.where(number <= _FEW, words, jnp.uint32(0))
    _, written = _bits.for_each(few, put_one, (count, (record, neurons, steps)))
    start = jnp.where(number <= _FEW, number, 0), written
    _, written = lax.while_loop(lambda c: c[0] < number, put_many, start)
    return *written, count + number


@_write.defjvp
def _write_jvp(primals, tangents):
    record, neurons, steps, count = _write(*primals)
    place = jnp.arange(record.shape[0])
    new = (place >= primals[3]) & (place < count)
    tangent = jnp.where(new, tangents[4][jnp.maximum(neurons, 0)], tangents[0])
    still: Any = [np.zeros(x.shape, jax.dtypes.float0) for x in (neurons, steps, count)]
    return (record, neurons, steps, count), (tangent, *still)
