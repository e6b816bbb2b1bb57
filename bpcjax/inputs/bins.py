"""Binned input: arrivals in each of many bins of time, fixed beforehand."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._instant import rounding
from ..system import parameter
from .base import AbstractInput, Landing


class Bins(AbstractInput):
    """Binned input: `amounts` [bins, ...], spikes or what weights made of them; bin k arrives as
    its last moment ends, just before `(k + 1) dt`.

    So a run from t0 to t1 has the bins that end in (t0, t1]. Whole-step solvers must take steps
    of `dt` on the grid of the bins, which starts at time 0 (else their result says that arrivals
    were lost). Amounts carry derivatives. Nothing arrives after the last bin.
    """

    amounts: Float[Array, "bins ..."] = parameter()
    dt: Float[Array, ""] = parameter(1.0, positive=True)  # ms

    def __check_init__(self) -> None:
        super().__check_init__()
        if self.amounts.ndim < 1 or not self.amounts.shape[0]:
            raise ValueError(f"amounts must be [bins, ...], got shape {self.amounts.shape}.")

    def _at(self, index: Array) -> Float[Array, "..."]:
        there = jnp.where(index < 0, self.amounts.shape[0], index)
        return self.amounts.at[there].get(mode="fill", fill_value=0.0)

    def wait(self, t0, neurons, room):
        first = jnp.floor((t0 + rounding(t0)) / self.dt).astype(jnp.int32)
        return jnp.maximum(first, 0)

    def due(self, state):
        end = (state + 1).astype(self.dt.dtype) * self.dt
        return jnp.where(state < self.amounts.shape[0], end - 2.5 * rounding(end), jnp.inf)

    def take(self, state, t):
        now = self._at(state)
        return now, jnp.zeros_like(now), state + 1

    def begin(self, t0, neurons, room, dtype: Any):
        return None

    def _last(self, step):
        """Arrivals as the step ends, and whether steps are bins."""
        dt = self.dt.astype(jnp.result_type(step.span))
        start = step.number.astype(dt.dtype) * dt
        slack = 1e-3 * dt + rounding(start)
        fits = (jnp.abs(step.t0 - start) <= slack) & (jnp.abs(step.span - dt) <= rounding(dt))
        return self._at(step.number), fits

    def land(self, state, step, places, spiked):
        now, fits = self._last(step)
        zero = jnp.zeros_like(now)
        return Landing((now, zero, zero), fits), state

    def close(self, state, step, spikes):
        now, fits = self._last(step)
        return now, fits, state
