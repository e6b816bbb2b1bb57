"""How numbers reach a network that is stepped: as a current, or as spikes in bins of time."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ..encode import Linear
from ..inputs.poisson import poisson_counts
from ..system import check_parameters, parameter

Inputs = Float[Array, "... pre"]
Drawn = Key[Array, ""] | Any | None


class AbstractCode(eqx.Module):
    """What a batch of inputs becomes: a drive that stays, or spikes in each bin."""

    def __check_init__(self) -> None:
        check_parameters(self)

    def drive(self, x: Inputs) -> Inputs | None:
        """Hook: the constant drive by each input; `None` where there are spikes."""
        return None

    def bins(self, x: Inputs, steps: int, dt: Any, key: Drawn) -> Float[Array, "steps ... pre"]:
        """Hook: the spikes in each of `steps` bins of `dt` (ms).

        **Raises:** `NotImplementedError` where there is a drive instead.
        """
        raise NotImplementedError(f"{type(self).__name__} is a drive: it has no spikes.")


class CurrentCode(AbstractCode):
    """Each input is a constant current, `gain` times its value."""

    gain: Float[Array, ""] = parameter(1.0)

    def drive(self, x):
        return self.gain.astype(x.dtype) * x


class AbstractSpikeCode(AbstractCode):
    """A code in spikes."""

    @abstractmethod
    def bins(self, x, steps, dt, key):
        pass


class RateCode(AbstractSpikeCode):
    """Poisson spikes at `rate` times the value of each input (1/ms), drawn for each bin.

    **Raises:** `ValueError` without a key.
    """

    rate: Float[Array, ""] = parameter(0.1, positive=True)  # 1/ms

    def bins(self, x, steps, dt, key):
        if key is None:
            raise ValueError("key: spikes at a rate are drawn: pass `key=jax.random.key(...)`.")
        mean = (self.rate * dt).astype(x.dtype) * x
        return poisson_counts(key, jnp.broadcast_to(mean, (steps, *x.shape)))


class LatencyCode(AbstractSpikeCode):
    """One spike an input, at the time `curve(value)` (ms; `encode.Linear`, `encode.Charging`):
    larger values come first, in the bin that holds the time."""

    curve: Callable[[Array], Array] = eqx.field(default_factory=Linear)

    def bins(self, x, steps, dt, key):
        bin_of = jnp.floor(jax.lax.stop_gradient(self.curve(x)) / dt)
        count = jnp.arange(steps).reshape(steps, *(1,) * x.ndim)
        return (bin_of[None] == count).astype(x.dtype)


class DeltaCode(AbstractSpikeCode):
    """A spike for each `quantum` that the integral of an input has risen by (value x ms): regular
    spikes, the first of a brighter input earlier (`encode.sigma_delta`, in bins)."""

    quantum: Float[Array, ""] = parameter(4.0, positive=True)  # value x ms

    def bins(self, x, steps, dt, key):
        ends = jnp.arange(steps + 1, dtype=x.dtype).reshape(-1, *(1,) * x.ndim)
        quantum = self.quantum.astype(x.dtype)
        return jnp.diff(jnp.floor(jax.lax.stop_gradient(x)[None] * ends * dt / quantum), axis=0)


class EventCode(AbstractSpikeCode):
    """Inputs that are counts of events in bins already: [..., steps, pre]."""

    def bins(self, x, steps, dt, key):
        if x.ndim < 2 or x.shape[-2] != steps:
            raise ValueError(f"x: events must be [..., {steps} bins, pre], got shape {x.shape}.")
        return jnp.moveaxis(x, -2, 0)
