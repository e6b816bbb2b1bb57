"""Delta encoders of streams: send on delta, and asynchronous sigma-delta, its integral form."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Real

from .._arrays import as_times, is_traced
from .._require import count as as_count, floating, require
from .spikes import Spikes, fit, padded, require_all


class _Stream(NamedTuple):
    """Streams between their samples: linear from `before` at `since` to `signal` at `ts`. The
    first piece has no duration, and makes up for a start that is off the first sample."""

    ts: Float[Array, " samples"]
    signal: Float[Array, "samples n"]
    start: Float[Array, " n"]
    quantum: Float[Array, " n"]

    @property
    def since(self) -> Float[Array, " samples"]:
        return jnp.concatenate([self.ts[:1], self.ts[:-1]])

    @property
    def before(self) -> Float[Array, "samples n"]:
        return jnp.concatenate([self.start[None], self.signal[:-1]])


@eqx.filter_jit
def _moves(stream: _Stream) -> tuple[Array, Array, Array, tuple[Bool[Array, ""], ...]]:
    """How many quanta the level is from its start before each sample; how many it moves there;
    how many in all; and what must hold.

    With hysteresis: it moves towards the signal as long as a whole quantum is between them.
    """

    def step(level, sample):
        off = sample - stream.start - level * stream.quantum
        move = jnp.trunc(off / stream.quantum).astype(jnp.int32)
        return level + move, (level, move)

    none = jnp.zeros(stream.signal.shape[1], jnp.int32)
    level, move = jax.lax.scan(step, none, stream.signal)[1]
    way = (jnp.abs(stream.signal - stream.before) / stream.quantum[None]).sum()
    good = (
        jnp.isfinite(stream.before).all() & jnp.isfinite(stream.signal).all(),
        (stream.quantum > 0).all(),
        jnp.isfinite(stream.ts).all() & (jnp.diff(stream.ts) > 0).all(),
        way < 2**30,
    )
    return level, move, jnp.abs(move).sum(dtype=jnp.int32), good


@eqx.filter_jit
def _crossings(
    stream: _Stream, level: Int[Array, "samples n"], move: Int[Array, "samples n"], room: int
) -> Spikes:
    """The events of all moves, at the times where the streams cross the levels."""
    size = stream.signal.shape[1]
    due = jnp.abs(move).ravel()
    ends = jnp.cumsum(due, dtype=jnp.int32)
    slot = jnp.arange(room, dtype=jnp.int32)
    cell = jnp.repeat(jnp.arange(due.size), due, total_repeat_length=room)
    row, own = cell // size, cell % size
    sign = jnp.sign(move[row, own])
    steps = level[row, own] + sign * (slot - (ends - due)[cell] + 1)
    old, new = stream.before[row, own], stream.signal[row, own]
    target = stream.start[own] + steps * stream.quantum[own]
    part = (target - old) / jnp.where(new == old, 1.0, new - old)
    since = stream.since[row]
    times = since + jnp.clip(part, 0.0, 1.0) * (stream.ts[row] - since)
    times = jnp.where(slot < ends[-1], times, jnp.inf)
    return padded(times, jnp.where(sign > 0, own, size + own))


def delta(
    ts: Real[ArrayLike, " samples"],
    signal: Float[ArrayLike, "samples *n"],
    threshold: ArrayLike,
    *,
    start: ArrayLike | None = None,
    room: int | None = None,
) -> Spikes:
    """Send-on-delta encoder: an event each time a stream has moved by `threshold` since its last
    event.

    The stream is linear between its samples at the times `ts` (ms), and events fall at the true
    times of crossing. Of n streams (places in a row of `signal` in C order), stream i rises on
    channel i and falls on channel n + i. Moves are counted from `start`, by default the first
    sample; `staircase` gives the stream back to within one threshold, at all times (Miskowicz
    2006, Sensors 6, 49). `threshold` is positive, one for all or one a stream.

    `room` bounds the events of all streams; by default it is their number, where that is known.
    Times carry derivatives with respect to `ts`, `signal`, `threshold` and `start`, at a fixed
    number of events.

    **Raises:** `ValueError` if the stream is not finite, times do not rise, or there is no room
    (under a transformation: times are NaN and `ok` is False).
    """
    ts, signal = _samples(ts, signal)
    room = None if room is None else as_count("room", room)
    start = signal[0] if start is None else _each("start", start, signal)
    quantum = _each("threshold", threshold, signal)
    stream = _Stream(ts, signal, start, quantum)
    level, move, count, good = _moves(jax.lax.stop_gradient(stream))
    well = require_all(
        good,
        (
            "signal must be finite, and its start.",
            f"threshold must be positive, got {threshold}.",
            "ts must rise, and be finite.",
            "threshold: more than 10^9 events of signal from its start; raise it.",
        ),
    )
    if room is None:
        if is_traced(count):
            raise ValueError("room: not known under jit; pass the room for all events.")
        room = int(count)
    spikes = _crossings(stream, level, move, room)
    spikes = Spikes(spikes.times, spikes.neurons, count)
    return fit(spikes, well, "Pass that room, or raise threshold.")


def _each(name: str, value: ArrayLike, signal: Array) -> Array:
    """A number for each stream, or one for all."""
    array, size = floating(name, value).ravel(), signal.shape[1]
    if array.size not in (1, size):
        raise ValueError(f"{name} must be one number, or one for each of {size} streams of signal.")
    return jnp.broadcast_to(array, (size,))


def _samples(ts: ArrayLike, signal: ArrayLike) -> tuple[Array, Array]:
    """Times, and a row of values for each."""
    ts, signal = as_times(ts, "ts"), floating("signal", signal)
    if ts.ndim != 1 or signal.ndim < 1 or ts.shape[0] != signal.shape[0] or not signal.size:
        raise ValueError(
            f"signal must have a row for each of ts, got shapes {signal.shape} and {ts.shape}."
        )
    require(is_traced(ts) or np.isfinite(ts), "ts must rise, and be finite.")
    return ts, signal.reshape(signal.shape[0], -1)


def sigma_delta(
    ts: Real[ArrayLike, " samples"],
    signal: Float[ArrayLike, "samples *n"],
    quantum: ArrayLike,
    *,
    room: int | None = None,
) -> Spikes:
    """Asynchronous sigma-delta encoder: an event for each `quantum` of a stream's integral (signal
    x ms).

    Rising and falling channels, room and errors are as in `delta`, of which this is the integral
    form: `quantum` times the net number of events in a window is the stream's integral there to
    within two quanta, so their filtered `trace` follows the stream and its noise averages out. The
    integral is taken by trapezia, and is linear between samples.
    """
    ts, signal = _samples(ts, signal)
    _each("quantum", quantum, signal)
    areas = 0.5 * (signal[1:] + signal[:-1]) * jnp.diff(ts)[:, None]
    integral = jnp.concatenate([jnp.zeros_like(signal[:1]), jnp.cumsum(areas, axis=0)])
    try:
        return delta(ts, integral, quantum, start=0.0, room=room)
    except ValueError as error:
        raise ValueError(str(error).replace("threshold", "quantum")) from error
