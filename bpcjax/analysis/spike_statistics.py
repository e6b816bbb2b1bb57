"""Spike train statistics: rates, irregularity, variability, synchrony."""

from typing import Any

import equinox as eqx
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from .._require import count
from ..spikes import Spikes
from ._trains import arrays, bins, check_size, counts, places, trains


class SpikeStatistics(eqx.Module):
    """Spike train statistics of each neuron, and of all together; `spike_statistics` says what each
    is, and where it is NaN."""

    count: Int[Array, " size"]
    rate: Float[Array, " size"]  # per unit of time; if that is ms, times 1000 is Hz
    interval_mean: Float[Array, " size"]
    cv: Float[Array, " size"]
    local_variation: Float[Array, " size"]
    enough: Bool[Array, " size"]  # there are enough intervals for `cv`, `local_variation`
    fano: Float[Array, " size"]
    synchrony: Float[Array, ""]
    ok: Bool[Array, ""]


def spike_statistics(
    spikes: Spikes,
    size: int,
    *,
    t0: Any,
    t1: Any,
    window: Any,
    min_intervals: int = 2,
) -> SpikeStatistics:
    """Spike train statistics of `size` neurons from `t0` to before `t1`.

    - `rate`: spikes per unit of the system's time.
    - `interval_mean`: NaN below two spikes.
    - `cv`: standard deviation of a neuron's intervals over their mean. Poisson: 1; regular: 0.
    - `local_variation`: the mean of 3 ((a - b) / (a + b))^2 over successive intervals a, b, which
      slow changes of the rate leave alone (Shinomoto, Shima & Tanji 2003, Neural Comput. 15:2823).
      Poisson: 1; gamma of order k: 3 / (2 k + 1).
    - `enough`: where there are `min_intervals` intervals, not all of length zero; elsewhere `cv`
      and `local_variation` are NaN.
    - `fano`: variance of a neuron's counts in windows over their mean. Poisson: 1. NaN without
      spikes in the windows.
    - `synchrony`: variance over the windows of the mean count, over the mean of the neurons'
      variances: chi^2 of Golomb & Rinzel (1994, Physica D 72:259), on counts. 1 if all neurons
      do the same, 1 / size if they are independent, NaN if no count varies.
    - `ok`: every spike found room in the record, belongs to one of `size` neurons, and has a time.
      Otherwise all but `count` is NaN.

    `window` is the length of the windows, laid from `t0` on; what is left before `t1` is in none.
    Spikes on a grid of steps stay clear of the edges if `t0` and `t1` are half a step late.
    Works under `jit` and `vmap`, where `size` and the times are static.

    **Raises:** `ValueError` naming the argument: no neurons, times that are not finite or do not
    rise, fewer than two windows, a batch of records.
    """
    check_size(size)
    windows = bins(t0, t1, window, "window")
    if windows < 2:
        raise ValueError(f"window: {window} fits less than twice between t0={t0} and t1={t1}.")
    size, min_intervals = count("size", size, 1), count("min_intervals", min_intervals, 2)
    return _statistics(spikes, size, windows, min_intervals, *arrays(spikes, t0, t1, window))


@eqx.filter_jit
def _statistics(spikes, size, windows, min_intervals, t0, t1, window) -> SpikeStatistics:
    times, neurons, ok = trains(spikes, size, t0, t1)
    dtype = times.dtype

    def total(x, of):
        return jnp.zeros(size, dtype).at[of].add(x, mode="drop")

    count = jnp.zeros(size, int).at[neurons].add(1, mode="drop")
    intervals = jnp.maximum(count - 1, 0)

    paired = (neurons[1:] == neurons[:-1]) & (neurons[1:] < size)
    gaps = jnp.where(paired, times[1:] - times[:-1], 0.0)
    mean = total(gaps, neurons[1:]) / jnp.where(intervals > 0, intervals, jnp.nan)
    off = jnp.where(paired, gaps - mean.at[neurons[1:]].get(mode="fill", fill_value=0.0), 0.0)
    variance = total(off**2, neurons[1:]) / jnp.maximum(intervals, 1)

    triple = paired[1:] & paired[:-1]
    both = jnp.where(triple, gaps[1:] + gaps[:-1], 1.0)
    change = jnp.where(triple, 3 * ((gaps[1:] - gaps[:-1]) / both) ** 2, 0.0)
    local = total(change, neurons[2:]) / jnp.maximum(intervals - 1, 1)

    enough = (intervals >= min_intervals) & (mean > 0) & ~jnp.isnan(local)
    spread = jnp.where(enough & (variance > 0), variance, 1.0)  # keeps derivatives of 0 finite
    cv = jnp.where(variance > 0, jnp.sqrt(spread), 0.0) / mean

    place = places(times, t0, window)
    where = jnp.where(place < windows, neurons, size)
    inside = total(1.0, where)
    squares = total(2.0 * _ranks(where, place) + 1, where)  # 1 + 3 + ... + (2 c - 1) = c^2
    variances = (windows * squares - inside**2) / (windows * (windows - 1))
    fano = variances / jnp.where(inside > 0, inside / windows, jnp.nan)
    activity = counts(place, where < size, windows, dtype)
    single = variances.mean()
    synchrony = jnp.var(activity / size, ddof=1) / jnp.where(single > 0, single, jnp.nan)

    def known(x, there: ArrayLike = True):
        return jnp.where(ok & there, x, jnp.nan)

    return SpikeStatistics(
        count,
        known(count / (t1 - t0)),
        known(mean),
        known(cv, enough),
        known(local, enough),
        enough & ok,
        known(fano),
        known(synchrony),
        ok,
    )


def _ranks(neurons: Array, place: Array) -> Array:
    """Rank of each spike among those of the same neuron in the same window."""
    index = jnp.arange(neurons.shape[0])
    old = (neurons[1:] == neurons[:-1]) & (place[1:] == place[:-1])
    old = jnp.pad(old, (1, 0))[: neurons.shape[0]]
    return index - lax.cummax(jnp.where(old, 0, index))
