"""Winner-take-all circuits: by an explicit inhibitory population, and by divisive inhibition."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ..._arrays import sized
from ...networks.network import Network, NetworkState
from ...networks.projection import Projection
from ...networks.synapses import Exponential
from ...networks.weights import Lateral, OneToOne
from ...networks.wrappers import EscapeRate, EscapeState
from ...system import AbstractSpikingSystem, parameter
from ...views import AbstractLayered, AbstractSameState


class WinnerTakeAll(AbstractSameState):
    """Winner-take-all circuit: excitatory neurons, each with an inhibitory partner that silences
    all others.

    Neurons 0..size-1 are excitatory, the next `size` inhibitory; all are of the kind `neuron`. A
    spike of an excitatory neuron drives its partner by `excitation`, a spike of a partner takes
    `inhibition` from every other excitatory neuron (both pA; decays `tau_e`, `tau_i`, ms). `args`
    is the current [size] into the excitatory ones. The circuit of Diehl & Cook (2015, Front.
    Comput. Neurosci. 9:99).
    """

    neuron: AbstractSpikingSystem
    size: int = eqx.field(static=True, converter=sized("size", 1))
    excitation: Float[Array, ""] = parameter(3000.0, nonnegative=True)  # pA
    inhibition: Float[Array, ""] = parameter(400.0, nonnegative=True)  # pA
    tau_e: Float[Array, ""] = parameter(1.0, positive=True)  # ms
    tau_i: Float[Array, ""] = parameter(20.0, positive=True)  # ms

    @property
    def network(self) -> Network:
        """Network of both populations with their projections."""
        n = self.size
        excitatory, inhibitory = slice(0, n), slice(n, 2 * n)
        to_partner = Projection(
            OneToOne(self.excitation), Exponential(self.tau_e), pre=excitatory, post=inhibitory
        )
        to_others = Projection(
            Lateral(-self.inhibition), Exponential(self.tau_i), pre=inhibitory, post=excitatory
        )
        return Network(self.neuron, [to_partner, to_others])

    @property
    def inner(self) -> AbstractSpikingSystem:
        """The network that this view forwards to."""
        return self.network

    def rest(self, shape: tuple[int, ...] = ()) -> NetworkState:
        """All neurons at rest.

        **Raises:** `ValueError` if a shape other than that of the circuit is passed.
        """
        if shape not in ((), (2 * self.size,)):
            raise ValueError(f"shape: the circuit has {2 * self.size} neurons, got {shape}.")
        return self.network.rest(2 * self.size)

    def drive(self, t, y, args):
        drive = jnp.zeros(()) if args is None else jnp.asarray(args)
        drive = jnp.broadcast_to(drive, (self.size,))
        return jnp.concatenate([drive, jnp.zeros_like(drive)])


class Divided(NamedTuple):
    """State of a soft winner-take-all: the potential `u` of each neuron, before inhibition."""

    u: Float[Array, "*n"]


class _Divisive(AbstractSpikingSystem):
    """Leaky potentials of which inhibition takes the logarithm of the summed exponentials."""

    tau: Float[Array, ""] = parameter(positive=True)

    def rest(self, shape: tuple[int, ...] = ()) -> Divided:
        return Divided(jnp.zeros(shape))

    def vector_field(self, t, y, args):
        return Divided((args - y.u) / self.tau)

    def guard(self, t, y, args):
        return jax.nn.log_softmax(y.u)

    def reset(self, t, y, args, fired):
        return y


class SoftWinnerTakeAll(AbstractLayered):
    """Soft winner-take-all by divisive inhibition: neurons share a constant total `rate` in
    proportion to `exp(u)`.

    `tau du/dt = -u + args`; neuron k spikes at the rate `rate * softmax(u)_k`, so each spike is a
    draw from that distribution: divisive inhibition (Nessler, Pfeiffer, Buesing & Maass 2013,
    PLoS Comput. Biol. 9:e1003037). It depends on all neurons at every instant: for
    `OrderedSpikes` and `GridSpikes`.
    """

    rate: Float[Array, ""] = parameter(0.1, positive=True)  # 1/ms, of all together
    tau: Float[Array, ""] = parameter(10.0, positive=True)  # ms
    key: Key[Array, ""] | Any | None = None

    def _hazard(self, share: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return self.rate * jnp.exp(share)

    @property
    def layer(self) -> EscapeRate:
        """Escape-rate neurons whose hazards are the shares of the total rate."""
        return EscapeRate(neuron=_Divisive(self.tau), hazard=self._hazard, key=self.key)

    def rest(self, shape: tuple[int, ...] = ()) -> EscapeState:
        """The state at rest: no drive yet, so all neurons are equal."""
        return self.layer.rest(shape)
