"""Input codes of a network that is stepped: a current, or spikes in bins of time."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, Shaped

from ..._arrays import as_floating, is_traced
from ..._require import require
from ...encode import Linear
from ...inputs.poisson import poisson_counts
from ...system import Module, parameter

Inputs = Shaped[Array, "... pre"]
Drawn = Key[Array, ""] | Any | None


def _countable(x: Float[Array, "..."]) -> Bool[Array, "..."]:
    """Which inputs spikes can stand for.

    **Raises:** `ValueError` where it is known that some cannot.
    """
    good = (x >= 0) & (x < jnp.inf)
    require(good, "x must be finite and not negative for spikes; rescale it.")
    return good


class AbstractCode(Module):
    """Input code: a batch of inputs becomes a drive that stays, or spikes in each bin.

    Integers and truths are taken as numbers. Inputs that have no code, as NaN, are refused with a
    `ValueError` where they are known; where they are traced, what they become is not finite.
    """

    def check(self, steps: int, dt: Any) -> Bool[Array, ""]:
        """Hook: whether `steps` bins of `dt` (ms) have room for the code.

        **Raises:** `ValueError` where it is known that they do not.
        """
        return jnp.array(True)

    def drive(self, x: Inputs) -> Float[Array, "... pre"] | None:
        """Hook: the constant drive by each input; `None` where there are spikes."""
        return None

    def bins(self, x: Inputs, steps: int, dt: Any, key: Drawn) -> Float[Array, "steps ... pre"]:
        """Hook: the spikes in each of `steps` bins of `dt` (ms).

        **Raises:** `NotImplementedError` where there is a drive instead.
        """
        raise NotImplementedError(f"{type(self).__name__} is a drive: it has no spikes.")


class CurrentCode(AbstractCode):
    """Current code: each input is a constant current, `gain` times its value."""

    gain: Float[Array, ""] = parameter(1.0)

    def drive(self, x):
        x = as_floating(x)
        good = jnp.isfinite(x)
        require(good, "x must be finite for a current; mend or leave out such inputs.")
        # Infinity times no slope would be NaN in the gain's derivative.
        return jnp.where(good, self.gain.astype(x.dtype) * jnp.where(good, x, 0.0), jnp.nan)


class AbstractSpikeCode(AbstractCode):
    """Base class of codes whose inputs become spikes in bins."""

    @abstractmethod
    def bins(self, x, steps, dt, key):
        pass


class RateCode(AbstractSpikeCode):
    """Rate code: Poisson spikes at `rate` times the value of each input (1/ms), drawn for each bin.

    **Raises:** `ValueError` without a key.
    """

    rate: Float[Array, ""] = parameter(0.1, positive=True)  # 1/ms

    def bins(self, x, steps, dt, key):
        if key is None:
            raise ValueError("key: spikes at a rate are drawn: pass `key=jax.random.key(...)`.")
        good = _countable(x := as_floating(x))
        mean = (self.rate * dt).astype(x.dtype) * jnp.where(good, x, 0.0)
        counts = poisson_counts(key, jnp.broadcast_to(mean, (steps, *x.shape)))
        return jnp.where(good[None], counts, jnp.nan)


class LatencyCode(AbstractSpikeCode):
    """Latency code: one spike an input, at the time `curve(value)` (ms; `encode.Linear`,
    `encode.Charging`): larger values come first, in the bin that holds the time.

    A curve without a last time, as `Charging`, may be later than the last bin: such inputs send
    nothing, and do not count among the spikes.

    **Raises:** `ValueError` if the span of `Linear` is longer than all bins.
    """

    curve: Callable[[Array], Array] = eqx.field(default_factory=Linear)

    def check(self, steps, dt):
        if not isinstance(self.curve, Linear):
            return jnp.array(True)
        span, end = self.curve.span, steps * dt
        # Single precision may say a little less than a product of whole numbers.
        return require(
            span <= end * (1 + 1e-5),
            f"curve: its spikes come until {span} ms, and {steps} steps end at {end} ms. Pass a "
            "shorter span or more steps.",
        )

    def bins(self, x, steps, dt, key):
        fits, good = self.check(steps, dt), _countable(x := as_floating(x))
        # One image after another where they are traced: a curve may refuse a whole batch.
        rows = x.reshape(-1, x.shape[-1])
        times = jax.vmap(self.curve)(rows) if is_traced(x) else self.curve(rows)
        times = jax.lax.stop_gradient(times.reshape(x.shape))
        good = good & ~jnp.isnan(times) & fits
        require(good, "curve: gives NaN for some inputs; pass one that takes them all.")
        # The end belongs to the last bin: the times of the least values are rounded to it.
        bin_of = jnp.floor(times / dt)
        bin_of = jnp.where(times <= steps * dt, jnp.minimum(bin_of, steps - 1), bin_of)
        count = jnp.arange(steps).reshape(steps, *(1,) * x.ndim)
        return jnp.where(good[None], (bin_of[None] == count).astype(x.dtype), jnp.nan)


class DeltaCode(AbstractSpikeCode):
    """Sigma-delta code: a spike for each `quantum` that the integral of an input has risen by
    (value x ms): regular spikes, the first of a brighter input earlier (`encode.sigma_delta`, in
    bins)."""

    quantum: Float[Array, ""] = parameter(4.0, positive=True)  # value x ms

    def bins(self, x, steps, dt, key):
        good = _countable(x := as_floating(x))
        ends = jnp.arange(steps + 1, dtype=x.dtype).reshape(-1, *(1,) * x.ndim)
        quantum = self.quantum.astype(x.dtype)
        safe = jax.lax.stop_gradient(jnp.where(good, x, 0.0))
        sent = jnp.diff(jnp.floor(safe[None] * ends * dt / quantum), axis=0)
        return jnp.where(good[None], sent, jnp.nan)


class EventCode(AbstractSpikeCode):
    """Event code: inputs that are counts of events in bins already, [..., steps, pre]."""

    def bins(self, x, steps, dt, key):
        if x.ndim < 2 or x.shape[-2] != steps:
            raise ValueError(f"x: events must be [..., {steps} bins, pre], got shape {x.shape}.")
        good = _countable(x := as_floating(x))
        return jnp.moveaxis(jnp.where(good, x, jnp.nan), -2, 0)
