"""Readouts of the last layer of a network: after each step, a score for each class."""

from abc import abstractmethod

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...networks.layers import Layers, LayersState
from ...system import Module, parameter

Trace = Float[Array, "steps ... classes"]


class AbstractReadout(Module):
    """Readout: a number of each output neuron at each step, and the scores that they amount to."""

    @abstractmethod
    def look(self, y: LayersState) -> Float[Array, "... classes"]:
        """Observable of the state at a step, one number an output neuron."""

    @abstractmethod
    def scores(self, seen: Trace, dt: Float[Array, ""]) -> Trace:
        """Scores (log probabilities but for a constant) had the network stopped at each step."""

    def check(self, layers: Layers) -> None:
        """Raise `ValueError` if the last layer cannot be read so."""
        if not layers.layers[-1].fires:
            raise ValueError(f"readout: {type(self).__name__} counts spikes: the last layer must.")


def _so_far(trace: Trace) -> Float[Array, " steps ..."]:
    """The number of steps up to each, to broadcast against the trace."""
    return jnp.arange(1, len(trace) + 1, dtype=trace.dtype).reshape(-1, *(1,) * (trace.ndim - 1))


class MembraneReadout(AbstractReadout):
    """Membrane readout: `gain` times the potential of an output neuron, averaged over the steps so
    far."""

    gain: Float[Array, ""] = parameter(1.0, positive=True)

    def look(self, y):
        return jax.tree.leaves(y.neurons[-1])[0]

    def scores(self, seen, dt):
        return self.gain.astype(seen.dtype) * jnp.cumsum(seen, axis=0) / _so_far(seen)

    def check(self, layers):
        pass


class RateReadout(AbstractReadout):
    """Rate readout: `gain` times an output neuron's spikes per step so far."""

    gain: Float[Array, ""] = parameter(10.0, positive=True)

    def look(self, y):
        return y.counts[-1]

    def scores(self, seen, dt):
        return self.gain.astype(seen.dtype) * seen / _so_far(seen)


class FirstSpikeReadout(AbstractReadout):
    """First-spike readout: minus the time that an output neuron has been silent so far, over `tau`:
    the first to fire scores best. One that never fires scores as if it fired at the end."""

    tau: Float[Array, ""] = parameter(2.0, positive=True)  # ms

    def look(self, y):
        return y.counts[-1]

    def scores(self, seen, dt):
        silent = jnp.cumsum(1 - jnp.minimum(seen, 1.0), axis=0)
        return -silent * (dt / self.tau).astype(seen.dtype)
