"""Poisson rate coding: rates as independent Poisson spikes."""

import math

import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Key, Real

from .._arrays import as_times, is_traced
from .._require import count, floating, key as one_key, number, require
from .spikes import Spikes, fit, require_all


def _room(mean: Array) -> int:
    """Room that is too small less than once in 10^14 times: eight standard deviations and more."""
    if is_traced(mean):
        raise ValueError(
            "room: rates are not known under jit, so pass the room for all spikes: their mean "
            "number and eight times its square root, and 16 more."
        )
    return math.ceil(float(mean) + 8 * math.sqrt(float(mean)) + 16)


def _search(
    table: Float[Array, "rows n"], rows: Int[Array, " m"], values: Float[Array, " m"]
) -> Int[Array, " m"]:
    """Binary search: how many entries of the given row, rising, are at most the value."""
    low = jnp.zeros_like(rows)
    high = jnp.full_like(rows, table.shape[1])
    for _ in range(table.shape[1].bit_length()):
        middle = (low + high) // 2
        beyond = (low < high) & (table[rows, jnp.minimum(middle, table.shape[1] - 1)] <= values)
        low, high = jnp.where(beyond, middle + 1, low), jnp.where(beyond, high, middle)
    return low


@eqx.filter_jit
def _sums(
    rates: Float[Array, "bins n"], edges: Float[Array, " ends"]
) -> tuple[Float[Array, "bins n"], Float[Array, " ends"], tuple[Bool[Array, ""], ...]]:
    """Rates summed over channels, one after another; their integral over time; what must hold."""
    # A sum in parallel may fall by rounding, and rise at a rate of 0: its maximum so far does not.
    by_channel = lax.cummax(jnp.where(rates > 0, jnp.cumsum(rates, axis=1), 0.0), axis=1)
    steps = lax.cummax(jnp.cumsum(by_channel[:, -1] * jnp.diff(edges)))
    good = (
        jnp.isfinite(rates).all(),
        (rates >= 0).all(),
        jnp.isfinite(edges).all() & (jnp.diff(edges) > 0).all(),
    )
    return by_channel, jnp.concatenate([jnp.zeros(1, steps.dtype), steps]), good


def _just_before(end: Float[Array, " m"], start: Float[Array, " m"]) -> Float[Array, " m"]:
    """The last time before the end of a bin: bins hold their start, not their end."""
    end, start = lax.stop_gradient((end, start))
    tiny = jnp.finfo(end.dtype).tiny  # what is nearer to zero is zero on some machines
    return jnp.where(end == 0, jnp.maximum(-tiny, start), jnp.nextafter(end, start))


@eqx.filter_jit
def _draw(
    key: Key[Array, ""],
    by_channel: Float[Array, "bins n"],
    integral: Float[Array, " ends"],
    edges: Float[Array, " ends"],
    room: int,
) -> Spikes:
    gaps, choice = jax.random.split(key)
    bins, size = by_channel.shape
    # One more than there is room for, to know whether it was enough.
    reached = lax.cummax(jnp.cumsum(jax.random.exponential(gaps, (room + 1,), integral.dtype)))
    due = reached < integral[-1]
    row = jnp.clip(jnp.searchsorted(integral, reached, side="right") - 1, 0, bins - 1)
    rate = jnp.where(due, by_channel[row, -1], 1.0)
    times = edges[row] + (reached - integral[row]) / rate
    times = jnp.minimum(times, _just_before(edges[row + 1], edges[row]))
    share = jax.random.uniform(choice, (room + 1,), integral.dtype) * by_channel[row, -1]
    channels = _search(by_channel, row.astype(jnp.int32), share)
    channels = jnp.minimum(channels, size - 1)  # where a share was rounded up to the whole
    return Spikes(
        jnp.where(due, times, jnp.inf)[:room],
        jnp.where(due, channels, -1)[:room].astype(jnp.int32),
        due.sum(dtype=jnp.int32),
    )


def poisson_bins(
    key: Key[Array, ""],
    rates: Float[ArrayLike, "bins *n"],
    edges: Real[ArrayLike, " ends"],
    *,
    room: int | None = None,
) -> Spikes:
    """Inhomogeneous Poisson spikes at rates that are constant between the times `edges` (ms, one
    more than bins).

    Rates are per ms: 20 Hz is 0.02. Exact: the channels' processes are drawn as one, whose spikes
    are at the times where the integral of the summed rates reaches the sums of unit exponentials,
    and each spike is a channel's with a probability in proportion to its rate (Kingman 1993,
    Poisson Processes, sections 2.2 and 4.1). Channels are places in a row of `rates` in C order.

    `room` bounds the spikes of all channels together; by default it is ample, where rates are
    known. `count` is room + 1 where more than that were due.

    **Raises:** `ValueError` if a rate is negative or not finite, edges do not rise, or there is no
    room (under a transformation: times are NaN and `ok` is False).
    """
    one_key("key", key)
    room = None if room is None else count("room", room)
    rates = floating("rates", rates)
    rates = rates.astype(jnp.promote_types(rates.dtype, jnp.float32))  # sums need its digits
    edges = as_times(edges, "edges").astype(rates.dtype)
    if edges.ndim != 1 or rates.ndim < 1 or edges.shape[0] != rates.shape[0] + 1 or not rates.size:
        raise ValueError(
            f"edges must be one more than the rows of rates, got shapes {edges.shape} and "
            f"{rates.shape}."
        )
    by_channel, integral, good = _sums(rates.reshape(rates.shape[0], -1), edges)
    well = require_all(
        good,
        (
            "rates must be finite, per ms.",
            "rates must not be negative, per ms.",
            "edges must rise, and be finite: t1 later than t0.",
        ),
    )
    room = _room(integral[-1]) if room is None else room
    spikes = _draw(key, by_channel, integral, edges, room)
    return fit(spikes, well, "Pass more room, or leave it out where rates are known.")


def poisson(
    key: Key[Array, ""],
    rates: Float[ArrayLike, "*n"],
    *,
    t1: ArrayLike,
    t0: ArrayLike = 0.0,
    room: int | None = None,
) -> Spikes:
    """Homogeneous Poisson spikes from `t0` to `t1` (ms), each channel at its constant rate.

    Rates are per ms: 20 Hz is 0.02; pixels in 0..1 at up to 100 Hz are `0.1 * pixels`. All else is
    as in `poisson_bins`.
    """
    start, end = number("t0", t0, finite=True), number("t1", t1, finite=True)
    require(end > start, f"t1 must be later than t0, got {t0} and {t1}.")
    return poisson_bins(key, floating("rates", rates)[None], jnp.stack([start, end]), room=room)
