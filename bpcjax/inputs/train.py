"""External spikes at given times."""

import equinox as eqx
import jax.lax as lax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ..system import as_parameter, is_traced, parameter
from .base import AbstractTrain, Landing

_AT_ONCE = 16  # events that one turn of an exact solver takes; more take more turns
_SOON = 1e-3  # of a step


class SpikeTrain(AbstractTrain):
    """External input events, delivered at their own times.

    `times` [events] and `neurons` [events], the channel of each; padded with `inf` and -1 as spike
    records are, so a record of one solve is the input of another. `channels` is their number
    (`None`: up to the highest in `neurons`, which must then be known). Exact with `OrderedSpikes`,
    where times also carry derivatives; events before the start of a solve are not delivered.
    Solvers that take whole steps have room for `per_step` events in one.

    **Raises:** `ValueError` if the arrays do not match, a time is NaN, or a channel is not one.
    """

    times: Float[Array, " events"] = parameter()
    neurons: Int[Array, " events"]  # pyright: ignore[reportGeneralTypeIssues]
    channels: int = eqx.field(static=True)  # pyright: ignore[reportGeneralTypeIssues]
    per_step: int = eqx.field(static=True)  # pyright: ignore[reportGeneralTypeIssues]

    def __init__(
        self,
        times: ArrayLike,
        neurons: ArrayLike,
        channels: int | None = None,
        per_step: int = 64,
    ):
        times, neurons = as_parameter(times), jnp.asarray(neurons)
        if channels is None:
            if is_traced(neurons):
                raise ValueError("channels: pass their number, under `jit` neurons are not known.")
            channels = max(int(neurons.max(initial=0)) + 1, 1)
        if times.ndim != 1 or times.shape != neurons.shape:
            raise ValueError(
                f"times and neurons must be two arrays of one length, got shapes {times.shape} "
                f"and {neurons.shape}; under vmap give one train a row."
            )
        for name, value in (("channels", channels), ("per_step", per_step)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}.")
        if not jnp.issubdtype(neurons.dtype, jnp.integer) and neurons.size:
            raise ValueError(f"neurons must be whole numbers, got {neurons.dtype}.")
        neurons = neurons.astype(jnp.int32)
        if not is_traced(times, neurons):
            _check(np.asarray(times), np.asarray(neurons), channels)
        real = jnp.isfinite(times) & (neurons >= 0) & (neurons < channels)
        broken = jnp.isnan(times) | (jnp.isfinite(times) & ~real)
        times = jnp.where(broken, jnp.nan, jnp.where(real, times, jnp.inf))
        order = jnp.argsort(times, stable=True)
        self.times, self.neurons = times[order], jnp.where(real, neurons, channels)[order]
        self.channels, self.per_step = channels, per_step

    def _window(self, place, room: int):
        """Times and channels of the `room` events from `place` on."""
        at = place + jnp.arange(room, dtype=jnp.int32)
        times = self.times.at[at].get(mode="fill", fill_value=jnp.inf)
        return times, self.neurons.at[at].get(mode="fill", fill_value=self.channels)

    def _count(self, neurons, amounts):
        return jnp.zeros(self.channels, amounts.dtype).at[neurons].add(amounts, mode="drop")

    def _first(self, t0):
        return jnp.searchsorted(lax.stop_gradient(self.times), t0).astype(jnp.int32)

    def wait(self, t0, neurons, room):
        return self._first(t0)

    def due(self, state):
        return self._window(state, 1)[0][0]

    def take(self, state, t):
        times, neurons = self._window(state, _AT_ONCE)
        now = times <= t
        lead = jnp.where(now, times - t, 0.0)
        state = state + now.sum(dtype=jnp.int32)
        return self._count(neurons, now.astype(t.dtype)), self._count(neurons, lead), state

    def begin(self, t0, neurons, room, dtype):
        return self._first(t0)

    def _step(self, state, due_before, right: bool):
        times, neurons = self._window(state, self.per_step + 1)
        now = (times <= due_before) if right else (times < due_before)
        return times, neurons, now, ~now[-1], state + now.sum(dtype=jnp.int32)

    def land(self, state, step, places, spiked):
        times, neurons, now, ok, state = self._step(state, step.t1, False)
        left = jnp.where(now, step.t1 - jnp.where(now, times, 0.0), 0.0)
        one = now.astype(step.t1.dtype)
        first, second, third = (self._count(neurons, m) for m in (one, left, 0.5 * left * left))
        return Landing((first, second, third), ok), state

    def snap(self, state, step, spikes):
        # An event at the end of a step, but for rounding, does not wait for the next.
        soon = step.t1 + _SOON * (step.t1 - step.t0)
        _, neurons, now, ok, state = self._step(state, soon, True)
        whole = self._count(neurons, now.astype(spikes.dtype))
        return Landing((whole, jnp.zeros_like(whole), jnp.zeros_like(whole)), ok), state


def _check(times: np.ndarray, neurons: np.ndarray, channels: int) -> None:
    if np.isnan(times).any():
        raise ValueError("times must not be NaN; pad with inf.")
    real = np.isfinite(times)
    if (neurons[real] < 0).any() or (neurons[real] >= channels).any():
        raise ValueError(
            f"neurons of events at finite times must be in 0..{channels - 1}; pad with time inf "
            "and neuron -1."
        )
