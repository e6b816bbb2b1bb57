"""Spikes as a value: what solves record, encoders give, data hold, decoders and replays read."""

import warnings
from typing import Any

import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ._arrays import as_size, is_traced

_VALUES = (np.ndarray, np.generic, list, str, float, int, complex)


class Spikes(eqx.Module):
    """Spike train record: times in order, and the neurons (or channels) that sent them.

    `times` (ms) is padded with `inf`, `neurons` with -1: of a network, the place in the flattened
    guard. `count` is how many spikes there were, by default those at finite times; where it
    exceeds the room, or a time is NaN, `ok` is False. Leading axes are batch axes. `steps`, from a
    solve in whole steps: how many of these had begun and ended before each spike since the run
    began at its first `t0`, which single precision can hold where it cannot hold the time (padded
    with -1).
    """

    times: Float[Array, "*batch room"]
    neurons: Int[Array, "*batch room"]
    count: Int[Array, "*batch"]
    steps: Int[Array, "*batch room"] | None = None

    def __init__(self, times: Any, neurons: Any, count: Any = None, steps: Any = None):
        self.times, self.neurons = _as_row("times", times, False), _as_row("neurons", neurons, True)
        self.steps = None if steps is None else _as_row("steps", steps, True)
        self.count = _finite(self.times) if count is None else _as_row("count", count, True)

    @property
    def ok(self) -> Bool[Array, "*batch"]:
        """Whether every spike found room, and no time is NaN."""
        times = jnp.asarray(self.times)
        return (jnp.asarray(self.count) <= times.shape[-1]) & ~jnp.isnan(times).any(axis=-1)

    def check_complete(self) -> None:
        """Refusal of lost spikes.

        **Raises:** `ValueError` where it is known that one found no room, or that a time is NaN.
        """
        if not is_traced(self.count, self.times) and not bool(np.all(self.ok)):
            raise ValueError(
                f"spikes: {self.count} in a room of {np.shape(self.times)[-1]}, or NaN times; give "
                "the solve (max_spikes) or the encoder (room) more room."
            )

    @property
    def channels(self) -> Int[Array, "*batch room"]:
        """Deprecated name of `neurons`, with a `DeprecationWarning`."""
        warnings.warn("Spikes.channels is now Spikes.neurons", DeprecationWarning, stacklevel=2)
        return self.neurons

    def trim(self) -> tuple[np.ndarray, np.ndarray]:
        """Times and neurons without padding, as arrays of numpy.

        **Raises:** `ValueError` under a transformation, for a batch, and where spikes were lost.
        """
        if is_traced(self.times, self.neurons, self.count):
            raise ValueError("trim: under a transformation the number of spikes is not known.")
        if np.ndim(self.times) != 1:
            raise ValueError(
                f"trim: spikes are a batch, times have shape {np.shape(self.times)}; take a row "
                "by `jax.tree.map(lambda x: x[i], spikes)`."
            )
        self.check_complete()
        count = int(self.count)
        real = np.isfinite(np.asarray(self.times))  # padding may lie between
        return np.asarray(self.times)[real][:count], np.asarray(self.neurons)[real][:count]

    def in_order(self) -> "Spikes":
        """The same spikes of one row sorted by time, ties by step, then by neuron; padding last."""
        steps = jnp.zeros_like(self.neurons) if self.steps is None else self.steps
        order = jnp.lexsort((self.neurons, steps, lax.stop_gradient(self.times)))
        steps = None if self.steps is None else self.steps[order]
        return Spikes(self.times[order], self.neurons[order], self.count, steps)

    def of(self, part: slice = slice(None)) -> "Spikes":
        """The spikes of the neurons in `part`, a slice without a step, counted from its start.

        Where spikes had found no room, `times` is NaN throughout: some of them may be lost.

        **Raises:** `ValueError` for a slice with a step, or bounds that are negative.
        """
        if not isinstance(part, slice) or part.step not in (None, 1):
            raise ValueError(f"part must be a slice without a step, got {part!r}.")
        start = as_size(part.start or 0, "part: its start")
        if part.stop is not None:
            as_size(part.stop, "part: its end")
        own = self.neurons >= start
        if part.stop is not None:
            own = own & (self.neurons < part.stop)
        times = jnp.where(own, self.times, jnp.inf)
        order = jnp.argsort(times, axis=-1, stable=True)

        def take(x, empty):
            return jnp.take_along_axis(jnp.where(own, x, empty), order, axis=-1)

        times = jnp.take_along_axis(times, order, axis=-1)
        times = jnp.where(self.ok[..., None], times, jnp.nan)
        steps = None if self.steps is None else take(self.steps, -1)
        return Spikes(times, take(self.neurons - start, -1), own.sum(-1, dtype=jnp.int32), steps)


def _as_row(name: str, value: Any, whole: bool) -> Any:
    """`value`, lists and numbers as arrays of numpy's; placeholders of transformations as they are.

    **Raises:** `ValueError` with the name where it holds no real numbers, or none that are `whole`.
    """
    if isinstance(value, jax.Array) or not isinstance(value, _VALUES):
        return value
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be one row of numbers.") from error
    if np.ma.is_masked(value):
        raise ValueError(f"{name} must be numbers, got masked entries: leave them out.")
    if array.size and array.dtype.kind not in ("iu" if whole else "fiu"):
        what = "whole numbers" if whole else "real numbers"
        raise ValueError(f"{name} must be {what}, got {array.dtype}.")
    if name == "count" and (array < 0).any():
        raise ValueError(f"count must not be negative, got {array.min()}.")
    return array


def _finite(times: Any) -> Any:
    if is_traced(times):
        return jnp.isfinite(times).sum(axis=-1, dtype=jnp.int32)
    return np.isfinite(np.asarray(times)).sum(axis=-1, dtype=np.int32)
