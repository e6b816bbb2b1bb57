"""Perfect integrate-and-fire neuron: no leak."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._require import rising
from ..system import AbstractSpikingSystem, parameter


class IFState(NamedTuple):
    """State: membrane potential `v` (mV), one entry per neuron."""

    v: Float[Array, "*n"]


class IF(AbstractSpikingSystem):
    """Perfect integrate-and-fire neuron `c dv/dt = args`, drive in pA; a spike at `v_th` sets `v`
    to `v_reset`.

    The same as `tau dv/dt = R I` with `c = tau / R`. It has no leak: at a constant drive `I > 0`
    it fires every `c (v_th - v_reset) / I`, however small `I`, and between inputs it forgets
    nothing. Some texts call the leaky neuron by this name and give it `tau dv/dt = -v + R I`: that
    is `LIF`, which falls silent at small drives. Capacitance and potentials are those of `LIF`.

    Source: Gerstner & Kistler, *Spiking Neuron Models* (2002), section 4.1, without its leak.
    """

    c: Float[Array, "*n"] = parameter(200.0, positive=True)  # pF
    v_th: Float[Array, "*n"] = parameter(-50.0)  # mV
    v_reset: Float[Array, "*n"] = parameter(-60.0)  # mV

    def __check_init__(self) -> None:
        rising("v_reset", self.v_reset, "v_th", self.v_th)  # else a spike never ends

    def rest(self, shape: tuple[int, ...] = ()) -> IFState:
        """The potential after a spike: without a leak every potential is one of rest."""
        return IFState(jnp.broadcast_to(self.v_reset, shape))

    def vector_field(self, t, y, args):
        return IFState(jnp.broadcast_to(args / self.c, y.v.shape))

    def guard(self, t, y, args):
        return y.v - self.v_th

    def reset(self, t, y, args, fired):
        return IFState(jnp.where(fired, self.v_reset, y.v))
