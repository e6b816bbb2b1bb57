"""Spiking memory of leaky integrate-and-fire neurons, with an inhibitory unit that only sees their
spikes."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from ..._require import instance
from ...energies import AbstractMemory
from ...networks.wrappers import EscapeRate, EscapeState
from ...system import AbstractSpikingSystem, parameter
from ...views import AbstractLayered
from .modes import AbstractMode, Hold, MemoryState, as_query, check_energy


class LIFMemoryState(NamedTuple):
    """State of a LIF memory: potentials `v` [P] of the memories, the inhibitory potential, and the
    visible units."""

    v: Float[Array, " P"]
    inhibition: Float[Array, ""]
    visible: MemoryState


class _LIFLayer(AbstractSpikingSystem):
    energy: AbstractMemory
    mode: AbstractMode
    rate: Float[Array, ""] = parameter(positive=True)
    tau: Float[Array, ""] = parameter(positive=True)
    membrane: Float[Array, ""] = parameter(positive=True)
    gain: Float[Array, ""] = parameter(positive=True)
    drop: Float[Array, ""] = parameter(nonnegative=True)

    def vector_field(self, t, y, args):
        x = y.visible
        rate_v = (self.energy.scores(x.x).ravel() - y.v) / self.membrane
        visible = MemoryState((x.held - x.x) / self.tau, jnp.zeros_like(x.held))
        return LIFMemoryState(rate_v, -self.gain * self.rate, visible)

    def guard(self, t, y, args):
        return jnp.log(self.rate) + y.v - y.inhibition

    def reset(self, t, y, args, fired):
        return y._replace(v=jnp.where(fired, y.v - self.drop, y.v))

    def kick(self, t, y, args, spikes):
        sent = self.energy.mixture(spikes)
        x, target = self.mode.jump(y.visible, sent, spikes.sum(), self.rate * self.tau)
        inhibition = self.gain * spikes.sum()
        return LIFMemoryState(jnp.zeros_like(y.v), inhibition, MemoryState(x, target))


class LIFMemory(AbstractLayered):
    """LIF memory: `SpikingHopfield` without its divisive inhibition, which the ideal leaves to
    circuits.

    Memory mu is a leaky neuron, `membrane v' = u_mu(x) - v`, with escape noise: it spikes at
    `rate * exp(v_mu - I)`, and its potential then falls by `drop`. One inhibitory unit feels each
    spike as `gain` and leaks at `gain * rate`, so that on average the total rate is `rate` and
    `I` follows the log of the summed rates. As `membrane` and `drop` vanish each spike is a draw
    from the posterior whatever `I` is; only the times of spikes depend on the inhibition.

    An approximation: its distance to the ideal is measured in the tests and in the study of
    posteriors.
    """

    energy: AbstractMemory
    rate: Float[Array, ""] = parameter(100.0, positive=True)  # spikes per unit of time
    tau: Float[Array, ""] = parameter(1.0, positive=True)  # in the unit of time
    membrane: Float[Array, ""] = parameter(0.01, positive=True)  # in the unit of time
    gain: Float[Array, ""] = parameter(0.2, positive=True)  # of one spike on the inhibition
    drop: Float[Array, ""] = parameter(0.0, nonnegative=True)
    mode: AbstractMode = Hold()
    key: Key[Array, ""] | Any | None = None

    def __check_init__(self) -> None:
        check_energy(self.energy)
        instance("mode", self.mode, AbstractMode)
        if self.mode.visible() is not None or self.mode.temperature() is not None:
            raise ValueError("mode: leaky memories take Hold() or Shot().")

    @property
    def layer(self) -> EscapeRate:
        """The memories as escape-rate neurons: this model is that system."""
        layer = _LIFLayer(
            self.energy, self.mode, self.rate, self.tau, self.membrane, self.gain, self.drop
        )
        return EscapeRate(neuron=layer, hazard=jnp.exp, key=self.key)

    def start(self, query: ArrayLike) -> EscapeState:
        """The state that a query [N] puts on the visible units, its potentials settled.

        **Raises:** `ValueError` if the query does not have the patterns' shape.
        """
        query = as_query(self.energy, query)
        scores = self.energy.scores(query).ravel()
        inhibition = scores[0] - self.energy.log_posterior(query).ravel()[0]
        state = LIFMemoryState(scores, inhibition, MemoryState(query, self.mode.held(query)))
        return self.layer.start(state, scores.shape)
