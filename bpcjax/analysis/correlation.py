"""Cross-correlogram of two populations of spiking neurons."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.lax as lax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from .._require import indices, scalar
from ..spikes import Spikes
from ._trains import arrays, bins, check_size, counts, places, trains


class Correlogram(eqx.Module):
    """Cross-correlogram: pairs of spikes by how much later the second is: counted, expected, and
    the ratio `value`."""

    lag: Float[Array, " lags"]  # the middle of each bin
    value: Float[Array, " lags"]
    pairs: Float[Array, " lags"]
    expected: Float[Array, " lags"]
    ok: Bool[Array, ""]


def cross_correlation(
    spikes: Spikes,
    size: int,
    first: slice | Sequence[int] | ArrayLike,
    second: slice | Sequence[int] | ArrayLike,
    *,
    t0: Any,
    t1: Any,
    lag: Any,
    bin: Any,
) -> Correlogram:
    """Cross-correlogram: how often a neuron of `second` spikes a while after one of `first`, over
    what independent stationary trains of their rates would give: 1 everywhere for Poisson trains.

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
    check_size(size)
    number = bins(t0, t1, bin, "bin")
    lag = scalar("lag", lag, least=0, finite=True)
    if not (round(lag / bin) < number):
        raise ValueError(f"lag must lie in 0 ... t1 - t0 = {t1 - t0} by whole bins, got {lag}.")
    reach = round(lag / bin)
    one, two = (_members(x, size, name) for x, name in ((first, "first"), (second, "second")))
    of = jnp.pad(jnp.array([one, two, one & two]), ((0, 0), (0, 1)))
    return _correlate(spikes, of, number, reach, *arrays(spikes, t0, t1, bin))


@eqx.filter_jit
def _correlate(spikes, of, number, reach, t0, t1, bin) -> Correlogram:
    size = of.shape[1] - 1
    times, neurons, ok = trains(spikes, size, t0, t1)
    place = places(times, t0, bin)
    counted = (neurons < size) & (place < number)
    neurons = jnp.where(counted, neurons, size)
    place = jnp.where(counted, place, number)

    one, two, own = of[:, neurons]
    x, y = (counts(place, marked, number, times.dtype) for marked in (one, two))
    ahead = jnp.pad(y, reach)
    shifts = jnp.arange(-reach, reach + 1)
    pairs = lax.map(lambda k: x @ lax.dynamic_slice(ahead, (k + reach,), (number,)), shifts)
    pairs = pairs - _own_pairs(neurons, place, own, reach, times.dtype)

    selves = jnp.zeros(size, times.dtype).at[neurons].add(own, mode="drop")
    chance = (x.sum() * y.sum() - (selves**2).sum()) / number**2
    expected = (number - jnp.abs(shifts)) * chance
    ok = ok & (chance > 0)
    value = jnp.where(ok, pairs / jnp.where(chance > 0, expected, 1.0), jnp.nan)
    return Correlogram(shifts * bin, value, pairs, expected, ok)


def _members(of: Any, size: int, name: str) -> np.ndarray:
    """Which neurons a slice or indices mean: [size] bool."""
    mask = np.zeros(size, bool)
    if not isinstance(of, slice):
        of = np.asarray(indices(name, of))
        if of.size and not (0 <= of.min() and of.max() < size):
            raise ValueError(f"{name} must be a slice or indices of {size} neurons, got {of}.")
    try:
        mask[of] = True
    except (IndexError, TypeError) as error:
        raise ValueError(f"{name} must be a slice or indices of {size} neurons: {error}") from error
    if not mask.any():
        raise ValueError(f"{name} is an empty population.")
    return mask


def _own_pairs(neurons: Array, place: Array, own: Array, reach: int, dtype: Any) -> Array:
    """Pairs of spikes of one marked neuron, by lag: the terms i = j of the sum."""

    def later(carry):
        step, counts, _ = carry
        other = jnp.arange(neurons.shape[0]) + step
        same = own & (neurons == neurons.at[other].get(mode="fill", fill_value=-1))
        apart = place.at[other].get(mode="fill", fill_value=0) - place
        near = same & (apart <= reach)
        counts = counts.at[jnp.where(near, apart, reach + 1)].add(1, mode="drop")
        return step + 1, counts, near.any()

    itself = jnp.zeros(reach + 1, dtype).at[0].add(own.sum())
    start = jnp.array(1), jnp.zeros(reach + 1, dtype), own.any()
    _, counts, _ = lax.while_loop(lambda carry: carry[2], later, start)
    # Pairs in one bin count in both orders.
    return jnp.concatenate([counts[:0:-1], (itself + 2 * counts)[:1], counts[1:]])
