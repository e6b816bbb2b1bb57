"""Decoders: from spikes of an encoder, a solve or a data set to numbers, a row for each channel.

Padding (`inf`, -1) counts for nothing. Where times are NaN, as those of an encoder that had no
room, or a channel does not exist, an error says so; under a transformation the answer is NaN.
"""

import functools
import warnings
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Real

from .._arrays import as_indices, as_times, is_traced
from .._require import count, floating, instance, number, require
from ..spikes import Spikes
from .spikes import require_all

P = ParamSpec("P")
T = TypeVar("T")


def _of_spikes(decoder: Callable[Concatenate[Spikes, P], T]) -> Callable[..., T]:
    """A decoder that takes times and channels, too, as two arguments, as all did once."""

    @functools.wraps(decoder)
    def decode(spikes: Any, *arguments: Any, **options: Any) -> T:
        if not isinstance(spikes, Spikes) and len(arguments) > 1:
            name = f"bpcjax.encode.{decoder.__name__}"
            message = f"{name}(times, channels, ...) is now {name}(bpcjax.Spikes(...), ...)"
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            spikes, arguments = Spikes(spikes, arguments[0], 0), arguments[1:]
        return decoder(spikes, *arguments, **options)  # pyright: ignore[reportCallIssue]

    return decode


def _checked(
    spikes: Spikes, size: int
) -> tuple[Float[Array, " room"], Int[Array, " room"], Bool[Array, ""]]:
    """Times and channels, with `size` as the channel of padding, and whether all is well."""
    instance("spikes", spikes, Spikes)
    times, channels = as_times(spikes.times), as_indices(spikes.neurons, "neurons")
    if times.ndim != 1 or times.shape != channels.shape:
        raise ValueError(
            f"times and neurons must be of one length, got shapes {times.shape} and "
            f"{channels.shape}; use vmap for batches."
        )
    times, channels, good = _padding_away(times, channels, size)
    good = (*good, spikes.count <= times.shape[0])
    return (
        times,
        channels,
        require_all(
            good,
            (
                "times are NaN: an encoder had too little room.",
                f"size: there are only {size} channels, a spike is of another.",
                f"spikes: {spikes.count} were sent, more than the room of {times.shape[0]} holds.",
            ),
        ),
    )


@eqx.filter_jit
def _padding_away(times: Array, channels: Array, size: int) -> tuple[Array, Array, tuple]:
    real = jnp.isfinite(times) & (channels >= 0)
    good = (~jnp.isnan(times)).all(), (~real | (channels < size)).all()
    return jnp.where(real, times, 0.0), jnp.where(real, channels, size), good


@_of_spikes
def rate(
    spikes: Spikes,
    size: int,
    *,
    t1: ArrayLike,
    t0: ArrayLike = 0.0,
) -> Float[Array, " size"]:
    """Rate decoder: spikes per ms of each of `size` channels, in [t0, t1)."""
    size = count("size", size)
    times, channels, good = _checked(spikes, size)
    begin, end = number("t0", t0, finite=True), number("t1", t1, finite=True)
    good &= require(end > begin, f"t1 must be later than t0, got {t0} and {t1}.")
    inside = (times >= begin) & (times < end)
    # whole numbers, as floating ones stop counting at the end of their digits
    counts = jnp.zeros(size, jnp.int32).at[channels].add(inside, mode="drop")
    return jnp.where(good, counts / (end - begin), jnp.nan).astype(times.dtype)


@_of_spikes
def first_spike(spikes: Spikes, size: int) -> Float[Array, " size"]:
    """First-spike decoder: the time of each channel's first spike, `inf` if it has none; it carries
    derivatives."""
    size = count("size", size)
    times, channels, good = _checked(spikes, size)
    return jnp.where(good, _earliest(times, channels, size), jnp.nan)


@eqx.filter_jit
def _earliest(times: Array, channels: Array, size: int) -> Array:
    room = times.shape[0]
    order = jnp.argsort(times, stable=True).astype(jnp.int32)
    rank = jnp.zeros(room, jnp.int32).at[order].set(jnp.arange(room, dtype=jnp.int32))
    first = jnp.full(size, room, jnp.int32).at[channels].min(rank, mode="drop")
    return times[order].at[first].get(mode="fill", fill_value=jnp.inf)


@_of_spikes
def trace(
    spikes: Spikes,
    size: int,
    ts: Real[ArrayLike, " samples"],
    tau: ArrayLike,
) -> Float[Array, "samples size"]:
    """Exponential filter of spikes, at the rising times `ts`: a spike adds 1, which decays with the
    time constant `tau` (ms); with `tau=inf` it counts the spikes so far.

    Over tau it is a running rate per ms. Exact at any spacing of `ts`: one pass from one to the
    next, in time and memory samples x size.
    """
    size = count("size", size)
    times, channels, good = _checked(spikes, size)
    decay, ts = number("tau", tau, above=0), as_times(ts, "ts")
    if ts.ndim != 1 or not ts.size:
        raise ValueError(f"ts must be times in a row, got shape {ts.shape}.")
    known = ts if is_traced(ts) else np.asarray(ts)
    good &= require(known[1:] > known[:-1], "ts must rise.") & require(known == known, "ts: NaN.")
    good &= decay > 0
    return jnp.where(good, _decaying(times, channels, size, ts, decay), jnp.nan)


@eqx.filter_jit
def _decaying(times: Array, channels: Array, size: int, ts: Array, tau: Array) -> Array:
    place = jnp.searchsorted(ts, times, side="left")  # the next of ts
    wait = ts.at[place].get(mode="fill", fill_value=0.0) - times
    added = jnp.exp(-jnp.where(place < ts.shape[0], wait, 0.0) / tau)
    jumps = jnp.zeros((ts.shape[0], size), times.dtype)
    jumps = jumps.at[place, channels].add(added, mode="drop")
    decay = jnp.exp(-jnp.diff(ts, prepend=ts[:1]) / tau)

    def step(before, row):
        after = before * row[0] + row[1]
        return after, after

    return jax.lax.scan(step, jnp.zeros_like(jumps[0]), (decay, jumps))[1]


@_of_spikes
def potential(
    spikes: Spikes,
    weights: Float[Array, "size out"],
    ts: Real[ArrayLike, " samples"],
    tau: ArrayLike,
) -> Float[Array, "samples out"]:
    """Membrane readout: the potentials, at `ts`, of leaky neurons that do not spike: a spike of
    channel i adds `weights[i]`, and potentials decay to 0 with the time constant `tau` (ms).

    Read out its last row, its largest or its mean along the first axis.
    """
    instance("spikes", spikes, Spikes)
    weights = floating("weights", weights, ("size", "out"))
    if not len(weights):
        raise ValueError("weights must have a row for each channel, got none.")
    return trace(spikes, weights.shape[0], ts, tau) @ weights


@_of_spikes
def staircase(
    spikes: Spikes,
    ts: Real[ArrayLike, " samples"],
    start: Float[ArrayLike, " n"],
    threshold: ArrayLike,
) -> Float[Array, "samples n"]:
    """Delta decoder: the stream that `delta` encoded, from `start`, a step of `threshold` up for an
    event of channel i, down for one of channel n + i. It differs from the stream by less than a
    threshold.

    After `sigma_delta`, with `start` 0, it is the integral; its increments are the stream's.
    """
    instance("spikes", spikes, Spikes)
    start, threshold = floating("start", start, ("n",)), number("threshold", threshold, above=0)
    if not start.size:
        raise ValueError("start must have a number for each stream, got none.")
    size = start.shape[0]
    counts = trace(spikes, 2 * size, ts, jnp.inf)
    return start[None] + threshold * (counts[:, :size] - counts[:, size:])
