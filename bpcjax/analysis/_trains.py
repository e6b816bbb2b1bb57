"""Spike trains of a record: one train a neuron, in windows of time."""

import math
from typing import Any

import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array

from .._require import count, instance, scalar
from ..spikes import Spikes
from ..system import is_traced


def check_size(size: int) -> None:
    """Raise `ValueError` if there are no neurons."""
    count("size", size, 1)


def bins(t0: Any, t1: Any, width: Any, name: str) -> int:
    """The number of bins of `width` that fit between the times.

    **Raises:** `ValueError` naming the argument that makes no sense, `width` as `name`.
    """
    if is_traced(t0, t1, width):
        raise ValueError(f"t0, t1 and {name} are static under `jit`: pass numbers, no arrays.")
    t0, t1 = scalar("t0", t0, finite=True), scalar("t1", t1, finite=True)
    width = scalar(name, width)
    if not t0 < t1:
        raise ValueError(f"t0 and t1: t1 must be the later, got {t0} and {t1}.")
    if not 0 < width <= t1 - t0:
        raise ValueError(f"{name} must be positive, at most t1 - t0 = {t1 - t0}, got {width}.")
    return math.floor((t1 - t0) / width * (1 + 1e-9))  # rounding shall lose no bin


def arrays(spikes: Spikes, *times: Any) -> tuple[Array, ...]:
    """The times as arrays: as numbers they would be static, and new ones compile anew.

    **Raises:** `ValueError` for a batch of records.
    """
    instance("spikes", spikes, Spikes)
    if jnp.ndim(spikes.times) != 1:
        raise ValueError(f"spikes: a batch {spikes.times.shape[:-1]} of records. Use `jax.vmap`.")
    return tuple(jnp.asarray(x, spikes.times.dtype) for x in times)


def trains(spikes: Spikes, size: int, t0: Array, t1: Array) -> tuple[Array, Array, Array]:
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


def places(times: Array, t0: Array, width: Array) -> Array:
    """The index of the window in which each spike falls."""
    return jnp.floor((lax.stop_gradient(times) - t0) / width).astype(int)


def counts(place: Array, marked: Array, number: int, dtype: Any) -> Array:
    """Histogram: how many marked spikes each of `number` windows has."""
    return jnp.zeros(number, dtype).at[jnp.where(marked, place, number)].add(1, mode="drop")
