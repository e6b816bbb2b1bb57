"""Spiking Hopfield memory: hypotheses that spike at the rate of their posterior."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from ...energies import AbstractMemory
from ...inputs.delayed import Late
from ...networks.wrappers import EscapeRate, EscapeState
from ...system import AbstractSpikingSystem, parameter
from ...views import AbstractLayered
from .modes import AbstractMode, Hold, MemoryState, as_query, check_energy


class _Layer(AbstractSpikingSystem):
    """Memories [P] and, where they spike, visible units [N]: the guard is the log of their rates,
    that of the memories from the log posterior that the energy gives.
    """

    energy: AbstractMemory
    mode: AbstractMode
    rate: Float[Array, ""] = parameter(positive=True)
    tau: Float[Array, ""] = parameter(positive=True)
    delay: Float[Array, ""] | None = parameter(optional=True, nonnegative=True)

    def vector_field(self, t, y, args):
        visible = self.mode.visible()
        trace = None if visible is None else -y.seen / visible.tau
        return MemoryState((y.held - y.x) / self.tau, jnp.zeros_like(y.held), trace)

    def noise(self, t, y, args):
        temperature = self.mode.temperature()
        if temperature is None:
            return None
        still = None if y.seen is None else jnp.zeros_like(y.seen)
        amplitude = jnp.sqrt(2 * temperature / self.tau)
        return MemoryState(jnp.full_like(y.x, amplitude), jnp.zeros_like(y.held), still)

    def guard(self, t, y, args):
        visible = self.mode.visible()
        signal = y.x if visible is None else y.seen
        memories = jnp.log(self.rate) + self.energy.log_posterior(signal).ravel()
        if visible is None:
            return memories
        smallest = jnp.finfo(y.x.dtype).tiny
        units = jnp.log(visible.rate) + jnp.log(jnp.maximum(jnp.abs(y.x), smallest)).ravel()
        return jnp.concatenate([memories, units])

    def reset(self, t, y, args, fired):
        return y

    def _driven(self, y: MemoryState, memories: Float[Array, " P"]) -> MemoryState:
        sent = self.energy.mixture(memories)
        x, target = self.mode.jump(y, sent, memories.sum(), self.rate * self.tau)
        return MemoryState(x, target, None if y.seen is None else jnp.zeros_like(y.seen))

    def kick(self, t, y, args, spikes):
        count, visible = self.energy.hypotheses, self.mode.visible()
        memories = spikes[:count] if self.delay is None else jnp.zeros_like(spikes[:count])
        state = self._driven(y, memories)
        if visible is None:
            return state if self.delay is None else None
        return state._replace(seen=visible.heard(y, spikes[count:].reshape(y.x.shape)))

    def inputs(self):
        if self.delay is None:
            return ()
        return (Late(self.delay, (0, self.energy.hypotheses)),)

    def arrive(self, t, y, args, arrivals):
        return self._driven(y, arrivals[0][:, 0])


class SpikingHopfield(AbstractLayered):
    """Spiking Hopfield memory: neuron mu fires at the escape rate `rate * posterior_mu(x)`.

    The total rate is constant and each spike is an exact draw from the posterior over memories
    at that time. As `rate * tau` grows the visible state follows `tau x' = -grad E(x)` of the
    same energy, with an error of order `1 / sqrt(rate * tau)`. What a spike does is the `mode`:
    `Hold()`, `Shot()`, `Thermal(...)` or `VisibleSpikes(...)`. Soft winner-take-all as in Nessler
    et al. (2013, PLoS Comput. Biol. 9:e1003037).

    Spikes of memories arrive after `delay`; a memory that fired stays silent for `refractory`,
    and nothing else changes: the total rate then falls by the share of the silent ones. This
    system solves the first in time steps; `event_path` takes both, without time steps.

    Over `DelayHopfield` each of P D neurons stands for a memory at one shift, a spike sends its
    raster so shifted, and the visible state is a raster [N, D]: what delay lines held as they
    were read, relaxing in place. They do not move on meanwhile.

    **Raises:** `ValueError` if `energy` is no memory with a posterior over hypotheses.
    """

    energy: AbstractMemory
    rate: Float[Array, ""] = parameter(100.0, positive=True)  # spikes per unit of time
    tau: Float[Array, ""] = parameter(1.0, positive=True)  # in the unit of time
    mode: AbstractMode = Hold()
    key: Key[Array, ""] | Any | None = None
    delay: Float[Array, ""] | None = parameter(
        optional=True, nonnegative=True
    )  # in the unit of time
    refractory: Float[Array, ""] | None = parameter(optional=True, nonnegative=True)  # likewise

    def __check_init__(self) -> None:
        check_energy(self.energy)

    @property
    def layer(self) -> EscapeRate:
        """The memories as escape-rate neurons: this model is that system.

        **Raises:** `ValueError` if there is a refractory period.
        """
        if self.refractory is not None:
            raise ValueError("refractory: solve a memory with silent spells by `event_path`.")
        layer = _Layer(self.energy, self.mode, self.rate, self.tau, self.delay)
        return EscapeRate(neuron=layer, hazard=jnp.exp, key=self.key)

    def start(self, query: ArrayLike) -> EscapeState:
        """Initial state: the query [N] (a raster: [N, D]) on the visible units, before any spike.

        **Raises:** `ValueError` if the query does not have the patterns' shape.
        """
        query = as_query(self.energy, query)
        trace = None if self.mode.visible() is None else jnp.zeros_like(query)
        state = MemoryState(query, self.mode.held(query), trace)
        visible = 0 if trace is None else trace.size
        return self.layer.start(state, (self.energy.hypotheses + visible,))
