"""Leaky integrate-and-fire neuron (Lapicque 1907)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._require import rising
from ..system import AbstractSpikingSystem, parameter


class LIFState(NamedTuple):
    """State: membrane potential `v` (mV), one entry per neuron."""

    v: Float[Array, "*n"]


class LIF(AbstractSpikingSystem):
    """Leaky integrate-and-fire neuron `c dv/dt = -g_l (v - e_l) + args`, drive in pA; a spike at
    `v_th` sets `v` to `v_reset`.

    Its time constant is `c / g_l`. Defaults: the neuron of Vogels & Abbott (2005), 20 ms.
    """

    c: Float[Array, "*n"] = parameter(200.0, positive=True)  # pF
    g_l: Float[Array, "*n"] = parameter(10.0, positive=True)  # nS
    e_l: Float[Array, "*n"] = parameter(-60.0)  # mV
    v_th: Float[Array, "*n"] = parameter(-50.0)  # mV
    v_reset: Float[Array, "*n"] = parameter(-60.0)  # mV

    def __check_init__(self) -> None:
        rising("v_reset", self.v_reset, "v_th", self.v_th)  # else a spike never ends

    def rest(self, shape: tuple[int, ...] = ()) -> LIFState:
        """The potential at the leak's reversal."""
        return LIFState(jnp.broadcast_to(self.e_l, shape))

    def vector_field(self, t, y, args):
        return LIFState((-self.g_l * (y.v - self.e_l) + args) / self.c)

    def guard(self, t, y, args):
        return y.v - self.v_th

    def reset(self, t, y, args, fired):
        return LIFState(jnp.where(fired, self.v_reset, y.v))
