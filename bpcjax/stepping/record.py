"""Spike record within a solve: bounded, ordered, differentiable."""

from typing import Any

import jax
import jax.lax as lax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .. import _bits
from .._instant import rounding
from ..spikes import Spikes
from ..system import Scalar

_SMALL = 256  # neurons: put down all at once
_FEW, _MANY = 8, 64  # spikes of a step: put down one by one, or so many together


def append(
    record: Spikes,
    times: Float[Array, " n"],
    spiked: Bool[Array, " n"],
    steps: Int[Array, " n"] | None = None,
) -> Spikes:
    """Append one entry per marked neuron to a record, in the order of their indices."""
    rank = jnp.cumsum(spiked, dtype=record.count.dtype)
    place = jnp.where(spiked, record.count + rank - 1, record.times.shape[0])
    index = jnp.arange(spiked.shape[0], dtype=record.neurons.dtype)
    return Spikes(
        record.times.at[place].set(times, mode="drop"),
        record.neurons.at[place].set(index, mode="drop"),
        record.count + rank[-1],
        None if record.steps is None else record.steps.at[place].set(steps, mode="drop"),
    )


def extend(
    record: Spikes, times: Float[Array, " n"], spiked: Bool[Array, " n"], steps: Int[Array, " n"]
) -> Spikes:
    """Extend a record by marked neurons in any order: for large populations of which few spike at a
    time."""
    if spiked.shape[0] <= _SMALL or not record.times.size:
        return append(record, times, spiked, steps)
    written = _write(record.times, record.neurons, record.steps, record.count, times, spiked, steps)
    return Spikes(written[0], written[1], written[3], written[2])


def until(record: Spikes, end: Scalar) -> Spikes:
    """Truncated record, without what is later than `end`."""
    late = jnp.isfinite(record.times) & (record.times > end + rounding(end))
    steps = None if record.steps is None else jnp.where(late, -1, record.steps)
    return Spikes(
        jnp.where(late, jnp.inf, record.times),
        jnp.where(late, -1, record.neurons),
        record.count - late.sum(dtype=record.count.dtype),
        steps,
    )


def empty_record(room: int, dtype, in_steps: bool = False) -> Spikes:
    """Empty record with `room` free places for times of the given dtype, and with `in_steps` for
    steps."""
    nobody = jnp.full(room, -1, jnp.int32)
    steps = nobody if in_steps else None
    return Spikes(jnp.full(room, jnp.inf, dtype), nobody, jnp.array(0, jnp.int32), steps)


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
