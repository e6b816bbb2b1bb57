"""What spike trains are like: rates, irregularity, variability, synchrony, correlation."""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.lax as lax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from ..stepping import SpikeRecord
from ..system import is_traced


class SpikeStatistics(eqx.Module):
    """Statistics of each neuron's spikes, and of all together; `spike_statistics` says what each
    is, and where it is NaN.
    """

    count: Int[Array, " size"]
    rate: Float[Array, " size"]  # per unit of time; if that is ms, times 1000 is Hz
    interval_mean: Float[Array, " size"]
    cv: Float[Array, " size"]
    local_variation: Float[Array, " size"]
    enough: Bool[Array, " size"]  # there are enough intervals for `cv`, `local_variation`
    fano: Float[Array, " size"]
    synchrony: Float[Array, ""]
    ok: Bool[Array, ""]


class Correlogram(eqx.Module):
    """Pairs of spikes by how much later the second is: found, expected, and the ratio `value`."""

    lag: Float[Array, " lags"]  # the middle of each bin
    value: Float[Array, " lags"]
    pairs: Float[Array, " lags"]
    expected: Float[Array, " lags"]
    ok: Bool[Array, ""]


def spike_statistics(
    spikes: SpikeRecord,
    size: int,
    *,
    t0: Any,
    t1: Any,
    window: Any,
    min_intervals: int = 2,
) -> SpikeStatistics:
    """Statistics of the spikes of `size` neurons from `t0` to before `t1`.

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
    _check_size(size)
    windows = _bins(t0, t1, window, "window")
    if windows < 2:
        raise ValueError(f"window: {window} fits less than twice between t0={t0} and t1={t1}.")
    if min_intervals < 2:
        raise ValueError(f"min_intervals must be at least 2, got {min_intervals}.")
    return _statistics(spikes, size, windows, min_intervals, *_arrays(spikes, t0, t1, window))


@eqx.filter_jit
def _statistics(spikes, size, windows, min_intervals, t0, t1, window) -> SpikeStatistics:
    times, neurons, ok = _trains(spikes, size, t0, t1)
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

    place = _places(times, t0, window)
    where = jnp.where(place < windows, neurons, size)
    inside = total(1.0, where)
    squares = total(2.0 * _ranks(where, place) + 1, where)  # 1 + 3 + ... + (2 c - 1) = c^2
    variances = (windows * squares - inside**2) / (windows * (windows - 1))
    fano = variances / jnp.where(inside > 0, inside / windows, jnp.nan)
    activity = _counts(place, where < size, windows, dtype)
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


def cross_correlation(
    spikes: SpikeRecord,
    size: int,
    first: slice | Sequence[int] | ArrayLike,
    second: slice | Sequence[int] | ArrayLike,
    *,
    t0: Any,
    t1: Any,
    lag: Any,
    bin: Any,
) -> Correlogram:
    """How often a neuron of `second` spikes a while after one of `first`, over what independent
    stationary trains of their rates would give: 1 everywhere for Poisson trains.

    With counts x_i(n) in W bins of length `bin` from `t0` to `t1`, at a lag of k bins,
    `pairs` = sum over i in `first`, j != i in `second`, and n of x_i(n) x_j(n + k), and
    `expected` = (W - |k|) sum over the same i, j of their mean counts a bin; the cross-intensity
    of Perkel, Gerstein & Moore (1967, Biophys. J. 7:419) over its value at long lags. A neuron in
    both populations is not paired with itself. For independent Poisson trains the standard error
    of `value` is 1 / sqrt(`expected`).

    `first` and `second` are slices or indices of the `size` neurons. `lag`, the largest on each
    side, is rounded to whole bins. Times as in `spike_statistics`. `ok` as there, and False, with
    `value` NaN, if there are no two neurons, one of each population, that spiked. Works under
    `jit` and `vmap`, where all but `spikes` is static.

    **Raises:** `ValueError` naming the argument: populations that are empty or reach beyond
    `size`, lags that do not fit between `t0` and `t1`, times that make no sense.
    """
    _check_size(size)
    bins = _bins(t0, t1, bin, "bin")
    if not (math.isfinite(lag) and lag >= 0 and round(lag / bin) < bins):
        raise ValueError(f"lag must lie in 0 ... t1 - t0 = {t1 - t0} by whole bins, got {lag}.")
    reach = round(lag / bin)
    one, two = (_members(x, size, name) for x, name in ((first, "first"), (second, "second")))
    of = jnp.pad(jnp.array([one, two, one & two]), ((0, 0), (0, 1)))
    return _correlate(spikes, of, bins, reach, *_arrays(spikes, t0, t1, bin))


@eqx.filter_jit
def _correlate(spikes, of, bins, reach, t0, t1, bin) -> Correlogram:
    size = of.shape[1] - 1
    times, neurons, ok = _trains(spikes, size, t0, t1)
    place = _places(times, t0, bin)
    counted = (neurons < size) & (place < bins)
    neurons = jnp.where(counted, neurons, size)
    place = jnp.where(counted, place, bins)

    one, two, own = of[:, neurons]
    x, y = (_counts(place, marked, bins, times.dtype) for marked in (one, two))
    ahead = jnp.pad(y, reach)
    shifts = jnp.arange(-reach, reach + 1)
    pairs = lax.map(lambda k: x @ lax.dynamic_slice(ahead, (k + reach,), (bins,)), shifts)
    pairs = pairs - _own_pairs(neurons, place, own, reach, times.dtype)

    selves = jnp.zeros(size, times.dtype).at[neurons].add(own, mode="drop")
    chance = (x.sum() * y.sum() - (selves**2).sum()) / bins**2
    expected = (bins - jnp.abs(shifts)) * chance
    ok = ok & (chance > 0)
    value = jnp.where(ok, pairs / jnp.where(chance > 0, expected, 1.0), jnp.nan)
    return Correlogram(shifts * bin, value, pairs, expected, ok)


def _check_size(size: int) -> None:
    if size < 1:
        raise ValueError(f"size must be at least 1, the number of neurons, got {size}.")


def _bins(t0: Any, t1: Any, width: Any, name: str) -> int:
    """How many bins of `width` fit between the times."""
    if is_traced(t0, t1, width):
        raise ValueError(f"t0, t1 and {name} are static under `jit`: pass numbers, no arrays.")
    if not (math.isfinite(t0) and math.isfinite(t1) and t0 < t1):
        raise ValueError(f"t0 and t1 must be finite, t1 the later, got {t0} and {t1}.")
    if not 0 < width <= t1 - t0:
        raise ValueError(f"{name} must be positive, at most t1 - t0 = {t1 - t0}, got {width}.")
    return math.floor((t1 - t0) / width * (1 + 1e-9))  # rounding shall lose no bin


def _arrays(spikes: SpikeRecord, *times: Any) -> tuple[Array, ...]:
    """The times as arrays: as numbers they would be static, and new ones compile anew.

    **Raises:** `ValueError` for a batch of records.
    """
    if spikes.times.ndim != 1:
        raise ValueError(f"spikes: a batch {spikes.times.shape[:-1]} of records. Use `jax.vmap`.")
    return tuple(jnp.asarray(x, spikes.times.dtype) for x in times)


def _members(of: Any, size: int, name: str) -> np.ndarray:
    """Which neurons a slice or indices mean: [size] bool."""
    mask = np.zeros(size, bool)
    try:
        mask[of if isinstance(of, slice) else np.asarray(of, None if np.size(of) else int)] = True
    except IndexError as error:
        raise ValueError(f"{name} must be a slice or indices of {size} neurons: {error}") from error
    if not mask.any():
        raise ValueError(f"{name} is an empty population.")
    return mask


def _trains(spikes: SpikeRecord, size: int, t0: Any, t1: Any):
    """Times and neurons of the spikes between the times, train by train, others at the end with
    neuron `size` and time `t1`; and whether the record is as it should be.
    """
    there = spikes.neurons >= 0
    ok = spikes.ok & ~(there & (jnp.isnan(spikes.times) | (spikes.neurons >= size))).any()
    inside = there & (spikes.neurons < size) & (spikes.times >= t0) & (spikes.times < t1)
    neurons = jnp.where(inside, spikes.neurons, size)
    times = jnp.where(inside, spikes.times, t1)
    order = jnp.lexsort((lax.stop_gradient(times), neurons))
    return times[order], neurons[order], ok


def _places(times: Array, t0: Any, width: Any) -> Array:
    """The window of each spike."""
    return jnp.floor((lax.stop_gradient(times) - t0) / width).astype(int)


def _counts(place: Array, of: Array, number: int, dtype: Any) -> Array:
    """How many marked spikes each window has."""
    return jnp.zeros(number, dtype).at[jnp.where(of, place, number)].add(1, mode="drop")


def _ranks(neurons: Array, place: Array) -> Array:
    """How many spikes of the same neuron in the same window come before each."""
    index = jnp.arange(neurons.shape[0])
    old = (neurons[1:] == neurons[:-1]) & (place[1:] == place[:-1])
    old = jnp.pad(old, (1, 0))[: neurons.shape[0]]
    return index - lax.cummax(jnp.where(old, 0, index))


def _own_pairs(neurons: Array, place: Array, own: Array, reach: int, dtype: Any) -> Array:
    """Pairs of spikes of one marked neuron, by lag: the terms i = j of the sum."""

    def later(carry):
        step, found, _ = carry
        other = jnp.arange(neurons.shape[0]) + step
        same = own & (neurons == neurons.at[other].get(mode="fill", fill_value=-1))
        apart = place.at[other].get(mode="fill", fill_value=0) - place
        near = same & (apart <= reach)
        found = found.at[jnp.where(near, apart, reach + 1)].add(1, mode="drop")
        return step + 1, found, near.any()

    itself = jnp.zeros(reach + 1, dtype).at[0].add(own.sum())
    start = jnp.array(1), jnp.zeros(reach + 1, dtype), own.any()
    _, found, _ = lax.while_loop(lambda carry: carry[2], later, start)
    # Pairs in one bin count in both orders.
    return jnp.concatenate([found[:0:-1], (itself + 2 * found)[:1], found[1:]])
