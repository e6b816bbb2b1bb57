"""The neurons of the study `firing_rates`, each with the state that it starts from."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

import bpcjax as bpc
from bpcjax.neurons import (
    LIF,
    AdEx,
    HodgkinHuxley,
    HodgkinHuxleyState as SquidState,
    Izhikevich,
    IzhikevichState,
    LIFState,
    Theta,
)

from . import rate_curves as curves


class InNoise(bpc.AbstractSpikingSystem):
    """Leaky neurons with white noise on their potential: `tau dv = ... dt + sigma sqrt(tau) dW`."""

    neuron: LIF
    sigma: Float[Array, "*n"] = bpc.parameter(nonnegative=True)  # mV

    def rest(self, shape: tuple[int, ...] = ()) -> LIFState:
        """Rest of the neuron without noise."""
        return self.neuron.rest(shape)

    def vector_field(self, t, y, args):
        """Drift: the neuron's vector field."""
        return self.neuron.vector_field(t, y, args)

    def guard(self, t, y, args):
        """Guard: that of the neuron without noise."""
        return self.neuron.guard(t, y, args)

    def reset(self, t, y, args, fired):
        """Reset: that of the neuron without noise."""
        return self.neuron.reset(t, y, args, fired)

    def noise(self, t, y, args):
        """`sigma / sqrt(tau)`: the free potential has the variance `sigma^2 / 2`."""
        amplitude = self.sigma * jnp.sqrt(self.neuron.g_l / self.neuron.c)
        return LIFState(jnp.broadcast_to(amplitude, y.v.shape))


def lif(**parameters) -> LIF:
    """The leaky neuron of this study; its drive is the potential (mV) that it leads to."""
    cell = {"v_th": curves.THRESHOLD, "v_reset": curves.RESET} | parameters
    return LIF(c=curves.TAU, g_l=1.0, e_l=0.0, **cell)


def leaky(curve) -> tuple[Any, Any]:
    """Leaky neurons with different refractory periods, at rest."""
    hold = jnp.asarray([*curves.REFRACTORY.values()])[curve]
    system = bpc.Refractory(lif(), hold)
    return system, system.rest()


def theta(curve) -> tuple[Any, Any]:
    """The theta neuron with 1 ms as its unit of time, halfway round."""
    system = Theta(tau=1.0)
    return system, system.rest()


def quadratic(curve) -> tuple[Any, Any]:
    """Izhikevich neurons; with `b = d = 0` and `u = 0` they are quadratic ones."""
    cells = [curves.IZHIKEVICH, curves.QUADRATIC]
    cells = [cell for group in cells for cell in group.values()]
    cell = {name: jnp.asarray([own[name] for own in cells])[curve] for name in cells[0]}
    v, u = cell.pop("v0"), cell.pop("u0")
    return Izhikevich(**cell), IzhikevichState(v, u)


def adaptive(curve) -> tuple[Any, Any]:
    """AdEx neurons with and without adaptation, at rest."""
    cells = [*curves.ADEX.values()]
    system = AdEx(**{name: jnp.asarray([own[name] for own in cells])[curve] for name in cells[0]})
    return system, system.rest()


def squid(curve) -> tuple[Any, Any]:
    """The squid axon in the middle of a spike: it goes on if there is a stable cycle."""
    return HodgkinHuxley(), SquidState(*map(jnp.asarray, (0.0, 0.1, 0.4, 0.5, 1.0)))
