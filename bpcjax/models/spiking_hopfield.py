"""The spiking Bayesian Hopfield memory: hypotheses that spike at the rate of their posterior."""

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ..energies import ModernHopfield
from ..system import AbstractKeyed, AbstractSpikingSystem, parameter
from ..wrappers import EscapeRate, EscapeState


class MemoryState(NamedTuple):
    """The visible state `x` [N] and what the memory layer sends to it, `held` [N]."""

    x: Float[Array, " N"]
    held: Float[Array, " N"]


class AbstractMode(eqx.Module):
    """What a spike of a memory does to the visible units."""

    @abstractmethod
    def start(self, query: Float[Array, " N"]) -> Float[Array, " N"]:
        """What is held before the first spike."""

    @abstractmethod
    def hold(
        self, y: MemoryState, winner: Float[Array, " N"], any_fired: Bool[Array, ""]
    ) -> Float[Array, " N"]:
        """What is held after a spike of the memory whose pattern is `winner`."""

    @abstractmethod
    def shot(
        self, sent: Float[Array, " N"], events_per_tau: Float[Array, ""]
    ) -> Float[Array, " N"]:
        """What the spikes, as a sum `sent` of their patterns, add to the visible state."""


class Hold(AbstractMode):
    """The last winner drives the visible units until the next spike: `tau x' = x_z - x`."""

    def start(self, query):
        return query

    def hold(self, y, winner, any_fired):
        return jnp.where(any_fired, winner, y.held)

    def shot(self, sent, events_per_tau):
        return jnp.zeros_like(sent)


class Shot(AbstractMode):
    """Each spike adds its pattern over `rate * tau` to a leaky trace: `tau x' = -x`."""

    def start(self, query):
        return jnp.zeros_like(query)

    def hold(self, y, winner, any_fired):
        return y.held

    def shot(self, sent, events_per_tau):
        return sent / events_per_tau


class _Hypotheses(AbstractSpikingSystem):
    """The memory layer: its guard is each hypothesis' log posterior, which the energy gives."""

    energy: ModernHopfield
    mode: AbstractMode
    rate: Float[Array, ""] = parameter(positive=True)
    tau: Float[Array, ""] = parameter(positive=True)

    def vector_field(self, t, y, args):
        return MemoryState((y.held - y.x) / self.tau, jnp.zeros_like(y.held))

    def guard(self, t, y, args):
        return self.energy.log_posterior(y.x)

    def reset(self, t, y, args, fired):
        # Spikes at one instant have probability zero; their mean keeps the sum well defined.
        winner = fired @ self.energy.patterns / jnp.maximum(fired.sum(), 1)
        return MemoryState(y.x, self.mode.hold(y, winner, fired.any()))

    def kick(self, t, y, args, spikes):
        sent = spikes @ self.energy.patterns
        return MemoryState(self.mode.shot(sent, self.rate * self.tau), jnp.zeros_like(y.held))


class SpikingHopfield(AbstractKeyed):
    """A memory whose neuron mu fires at the escape rate `rate * posterior_mu(x)`.

    The total rate is constant and each spike is an exact draw from the posterior over memories
    at that time. As `rate * tau` grows the visible state follows `tau x' = -grad E(x)` of the
    same energy, with an error of order `1 / sqrt(rate * tau)`, in both modes: `Hold()` (its noise
    vanishes at a sure memory) and `Shot()`. Soft winner-take-all as in Nessler et al. (2013,
    PLoS Comput. Biol. 9:e1003037).
    """

    energy: ModernHopfield
    rate: Float[Array, ""] = parameter(100.0, positive=True)  # spikes per unit of time
    tau: Float[Array, ""] = parameter(1.0, positive=True)  # in the unit of time
    mode: AbstractMode = Hold()
    key: Key[Array, ""] | Any | None = None

    def _hazard(self, log_posterior: Float[Array, " P"]) -> Float[Array, " P"]:
        return self.rate * jnp.exp(log_posterior)

    @property
    def layer(self) -> EscapeRate:
        """The hypotheses as escape-rate neurons: this model is that system."""
        hypotheses = _Hypotheses(self.energy, self.mode, self.rate, self.tau)
        return EscapeRate(neuron=hypotheses, hazard=self._hazard, key=self.key)

    def start(self, query: Float[Array, " N"]) -> EscapeState:
        """The state that a query [N] puts on the visible units, before any spike.

        **Raises:** `ValueError` if the query does not have the patterns' length.
        """
        if jnp.shape(query) != self.energy.patterns.shape[1:]:
            raise ValueError(
                f"query must have shape {self.energy.patterns.shape[1:]}, got {jnp.shape(query)}."
            )
        query = jnp.asarray(query, self.energy.patterns.dtype)
        state = MemoryState(query, self.mode.start(query))
        return self.layer.start(state, self.energy.patterns.shape[:1])

    def vector_field(self, t, y, args):
        return self.layer.vector_field(t, y, args)

    def guard(self, t, y, args):
        return self.layer.guard(t, y, args)

    def reset(self, t, y, args, fired):
        return self.layer.reset(t, y, args, fired)

    def kick(self, t, y, args, spikes):
        return self.layer.kick(t, y, args, spikes)
