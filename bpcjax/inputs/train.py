"""Spike train input: external spikes at given times."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import equinox.internal as eqxi
import jax.lax as lax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from .._arrays import as_indices, as_size, as_times
from .._instant import rounding
from .._require import instance
from ..spikes import Spikes
from ..system import is_traced, parameter
from .base import AbstractTrain, Landing

Due = Callable[[Float[Array, " some"]], Bool[Array, " some"]]
Weights = Callable[[Float[Array, " some"]], tuple[Float[Array, " some"], ...]]


class SpikeTrain(AbstractTrain):
    """Spike train input: external events, delivered at their own times.

    `times` [events] and `neurons` [events], the channel of each; padded with `inf` and -1 as spike
    records are, so a record of one solve is the input of another. `channels` is their number
    (`None`: up to the highest in `neurons`, which must then be known). A run from t0 to t1 takes
    the events in [t0, t1), in any order; those of an instant arrive together. Exact with
    `OrderedSpikes`, where times also carry derivatives; with `GridSpikes` an event arrives as the
    step begins that it falls in. Up to `per_step` events of a step come from a short window; more
    cost a look at the whole train.

    **Raises:** `ValueError` if the arrays do not match, a time is NaN, or a channel is not one.
    """

    times: Float[Array, " events"] = parameter()
    neurons: Int[Array, " events"]  # pyright: ignore[reportGeneralTypeIssues]
    channels: int = eqx.field(static=True)  # pyright: ignore[reportGeneralTypeIssues]
    per_step: int = eqx.field(static=True)  # pyright: ignore[reportGeneralTypeIssues]

    def __init__(
        self,
        times: ArrayLike | Any,
        neurons: ArrayLike | Any,
        channels: int | None = None,
        per_step: int = 64,
    ):
        times, neurons = as_times(times), as_indices(neurons, "neurons")
        if channels is None:
            if is_traced(neurons):
                raise ValueError("channels: pass their number, under `jit` neurons are not known.")
            channels = max(int(neurons.max(initial=0)) + 1, 1)
        if times.ndim != 1 or times.shape != neurons.shape:
            raise ValueError(
                f"times and neurons must be two arrays of one length, got shapes {times.shape} "
                f"and {neurons.shape}; under vmap give one train a row."
            )
        channels, per_step = as_size(channels, "channels", 1), as_size(per_step, "per_step", 1)
        if not is_traced(times, neurons):
            _check(np.asarray(times), np.asarray(neurons), channels)
        real = jnp.isfinite(times) & (neurons >= 0) & (neurons < channels)
        broken = jnp.isnan(times) | (jnp.isfinite(times) & ~real)
        times = jnp.where(broken, jnp.nan, jnp.where(real, times, jnp.inf))
        self.times, self.neurons = _sorted(times, jnp.where(real, neurons, channels))
        self.channels, self.per_step = channels, per_step

    @classmethod
    def of(cls, spikes: Spikes, channels: int | None = None, per_step: int = 64) -> "SpikeTrain":
        """The train of a row of spikes: those of a solve, an encoder or a data set.

        **Raises:** `ValueError` as the constructor, and where it is known that spikes were lost.
        """
        instance("spikes", spikes, Spikes)
        spikes.check_complete()
        times = jnp.where(jnp.asarray(spikes.ok)[..., None], spikes.times, jnp.nan)
        return cls(times, spikes.neurons, channels, per_step)

    def ready(self):
        """The train in the order of its times, which an update of them may have changed."""
        return eqx.tree_at(lambda s: (s.times, s.neurons), self, _sorted(self.times, self.neurons))

    def _window(self, place, room: int):
        """Times and channels of the `room` events from `place` on."""
        at = place + jnp.arange(room, dtype=jnp.int32)
        times = self.times.at[at].get(mode="fill", fill_value=jnp.inf)
        return times, self.neurons.at[at].get(mode="fill", fill_value=self.channels)

    def _sums(self, times, neurons, now, weigh: Weights):
        """For each channel, the sums of what its events `now` weigh."""

        def count(amounts):
            amounts = jnp.where(now, amounts, 0.0)
            return jnp.zeros(self.channels, amounts.dtype).at[neurons].add(amounts, mode="drop")

        return tuple(count(amounts) for amounts in weigh(jnp.where(now, times, 0.0)))

    def _while(self, due: Due, place, weigh: Weights):
        """Those sums over the events from `place` on that are due; and the place after them."""
        times, neurons = self._window(place, self.per_step + 1)
        now = due(times)

        def few():
            return self._sums(times, neurons, now, weigh), place + now.sum(dtype=jnp.int32)

        def many():
            number = jnp.arange(self.times.shape[0], dtype=jnp.int32)
            now = (number >= place) & due(self.times)
            sums = self._sums(self.times, self.neurons, now, weigh)
            return sums, place + now.sum(dtype=jnp.int32)

        return lax.cond(eqxi.unvmap_any(now[-1]), many, few)

    def _first(self, t0):
        times = lax.stop_gradient(self.times)
        return jnp.searchsorted(times, t0 - rounding(t0)).astype(jnp.int32)

    def wait(self, t0, neurons, room):
        return self._first(t0)

    def due(self, state):
        return self._window(state, 1)[0][0]

    def take(self, state, t):
        def weigh(times):
            lead = times - t
            return jnp.ones_like(times), lead - lax.stop_gradient(lead)

        (counts, leads), state = self._while(lambda times: times <= t + rounding(t), state, weigh)
        return counts.astype(t.dtype), leads, state

    def begin(self, t0, neurons, room, dtype):
        return self._first(t0)

    def _within(self, step) -> Due:
        """Before the instant at which the step ends."""
        end = step.t0 + step.span
        return lambda times: times < end - jnp.minimum(rounding(end), 0.5 * step.span)

    def land(self, state, step, places, spiked):
        def weigh(times):
            left = jnp.clip(step.span - (times - step.t0), 0.0, step.span)
            return jnp.ones_like(left), left, 0.5 * left * left

        moments, state = self._while(self._within(step), state, weigh)
        return Landing(moments, jnp.array(True)), state

    def open(self, state, step):
        (counts,), state = self._while(self._within(step), state, lambda t: (jnp.ones_like(t),))
        return counts, jnp.array(True), state


def _sorted(times, neurons):
    order = jnp.argsort(lax.stop_gradient(times), stable=True)
    return times[order], neurons[order]


def _check(times: np.ndarray, neurons: np.ndarray, channels: int) -> None:
    if np.isnan(times).any():
        raise ValueError("times must not be NaN; pad with inf.")
    real = np.isfinite(times)
    if (neurons[real] < 0).any() or (neurons[real] >= channels).any():
        raise ValueError(
            f"neurons of events at finite times must be in 0..{channels - 1}; pad with time inf "
            "and neuron -1."
        )
