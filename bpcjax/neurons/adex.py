"""Adaptive exponential integrate-and-fire neuron (Brette & Gerstner 2005)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._require import rising
from ..system import AbstractSpikingSystem, parameter


class AdExState(NamedTuple):
    """State: membrane potential `v` (mV) and adaptation current `w` (pA), one entry per neuron."""

    v: Float[Array, "*n"]
    w: Float[Array, "*n"]


class AdEx(AbstractSpikingSystem):
    """Adaptive exponential integrate-and-fire neuron: leak, exponential upstroke and adaptation;
    drive `args` in pA.

    A spike, where `v` reaches `v_cut`, sets `v` to `v_reset` and adds `b` to `w`. Where it is cut
    off matters little: 10 `delta_t` above `v_t` the rest of the upstroke takes a microsecond. Cut
    off much higher it grows so steep that only adaptive steps in float64 follow it.

    Defaults: Brette & Gerstner (2005), J. Neurophysiol. 94:3637.
    """

    c: Float[Array, "*n"] = parameter(281.0, positive=True)  # pF
    g_l: Float[Array, "*n"] = parameter(30.0, positive=True)  # nS
    e_l: Float[Array, "*n"] = parameter(-70.6)  # mV
    v_t: Float[Array, "*n"] = parameter(-50.4)  # mV, where the upstroke starts
    delta_t: Float[Array, "*n"] = parameter(2.0, positive=True)  # mV
    tau_w: Float[Array, "*n"] = parameter(144.0, positive=True)  # ms
    a: Float[Array, "*n"] = parameter(4.0)  # nS
    b: Float[Array, "*n"] = parameter(80.5)  # pA
    v_reset: Float[Array, "*n"] = parameter(-70.6)  # mV
    v_cut: Float[Array, "*n"] = parameter(-40.4)  # mV, where the upstroke is cut off

    def __check_init__(self) -> None:
        rising("v_reset", self.v_reset, "v_cut", self.v_cut)  # else a spike never ends

    def rest(self, shape: tuple[int, ...] = ()) -> AdExState:
        """The potential at the leak's reversal, no adaptation."""
        v = jnp.broadcast_to(self.e_l, shape)
        return AdExState(v, jnp.zeros_like(v))

    def vector_field(self, t, y, args):
        # Stages of a step may overshoot the cut, by far: go no further than a little beyond it.
        v = jnp.minimum(y.v, self.v_cut + self.delta_t)
        upstroke = self.g_l * self.delta_t * jnp.exp((v - self.v_t) / self.delta_t)
        dv = (-self.g_l * (v - self.e_l) + upstroke - y.w + args) / self.c
        return AdExState(dv, (self.a * (v - self.e_l) - y.w) / self.tau_w)

    def guard(self, t, y, args):
        return y.v - self.v_cut

    def reset(self, t, y, args, fired):
        return AdExState(jnp.where(fired, self.v_reset, y.v), jnp.where(fired, y.w + self.b, y.w))
