"""Simple model of spiking neurons (Izhikevich 2003)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._require import rising
from ..system import AbstractSpikingSystem, parameter


class IzhikevichState(NamedTuple):
    """State: membrane potential `v` (mV) and recovery `u` (mV/ms), one entry per neuron."""

    v: Float[Array, "*n"]
    u: Float[Array, "*n"]


class Izhikevich(AbstractSpikingSystem):
    """Izhikevich's simple model `dv/dt = 0.04 v^2 + 5 v + 140 - u + args`, `du/dt = a (b v - u)`;
    drive in mV/ms.

    A spike, where `v` reaches `v_peak`, sets `v` to `c` and adds `d` to `u`. Defaults: the regular
    spiking cell of Izhikevich (2003), IEEE Trans. Neural Networks 14:1569, whose printed program
    makes half-steps of Euler's method at 1 ms and does not follow its own equations.
    """

    a: Float[Array, "*n"] = parameter(0.02, positive=True)  # 1/ms
    b: Float[Array, "*n"] = parameter(0.2)  # 1/ms
    c: Float[Array, "*n"] = parameter(-65.0)  # mV
    d: Float[Array, "*n"] = parameter(8.0)  # mV/ms
    v_peak: Float[Array, "*n"] = parameter(30.0)  # mV

    def __check_init__(self) -> None:
        rising("c", self.c, "v_peak", self.v_peak)  # else a spike never ends

    def rest(self, shape: tuple[int, ...] = ()) -> IzhikevichState:
        """The lower equilibrium without drive; where there is none, where `dv/dt` is least."""
        linear = 5.0 - self.b
        square = linear**2 - 4 * 0.04 * 140.0
        spread = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)
        v = jnp.broadcast_to(-(linear + spread) / 0.08, shape)
        return IzhikevichState(v, self.b * v)

    def vector_field(self, t, y, args):
        # Stages of a step may overshoot the peak: hold the upstroke a little beyond it.
        v = jnp.minimum(y.v, self.v_peak + 10.0)
        dv = (0.04 * v + 5.0) * v + 140.0 - y.u + args
        return IzhikevichState(dv, self.a * (self.b * v - y.u))

    def guard(self, t, y, args):
        return y.v - self.v_peak

    def reset(self, t, y, args, fired):
        u = jnp.where(fired, y.u + self.d, y.u)
        return IzhikevichState(jnp.where(fired, self.c, y.v), u)
