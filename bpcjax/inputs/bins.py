"""What arrives in each of many bins of time, known beforehand."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..system import parameter
from .base import AbstractInput, Landing


class Bins(AbstractInput):
    """`amounts` [bins, ...], spikes or what weights made of them; bin k arrives at `(k + 1) dt`.

    Whole-step solvers must take steps of `dt`, from time 0 (else their result says that arrivals
    were lost). Amounts carry derivatives. Nothing arrives after the last bin.
    """

    amounts: Float[Array, "bins ..."] = parameter()
    dt: Float[Array, ""] = parameter(1.0, positive=True)  # ms

    def __check_init__(self) -> None:
        super().__check_init__()
        if self.amounts.ndim < 1 or not self.amounts.shape[0]:
            raise ValueError(f"amounts must be [bins, ...], got shape {self.amounts.shape}.")

    def _at(self, index: Array) -> Float[Array, "..."]:
        return self.amounts.at[index].get(mode="fill", fill_value=0.0)

    def wait(self, t0, neurons, room):
        return jnp.floor(t0 / self.dt + 1e-3).astype(jnp.int32)

    def due(self, state):
        return jnp.where(state < self.amounts.shape[0], (state + 1) * self.dt, jnp.inf)

    def take(self, state, t):
        now = self._at(state)
        return now, jnp.zeros_like(now), state + 1

    def begin(self, t0, neurons, room, dtype: Any):
        return None

    def land(self, state, step, places, spiked):
        return self.snap(state, step, places)

    def snap(self, state, step, spikes):
        index = jnp.round(step.t0 / self.dt)
        fits = jnp.abs(step.t0 - index * self.dt) + jnp.abs(step.span - self.dt) < 1e-3 * self.dt
        now = self._at(index.astype(jnp.int32))
        zero = jnp.zeros_like(now)
        return Landing((now, zero, zero), fits), state
