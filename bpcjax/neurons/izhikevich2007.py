"""Simple model in biophysical units (Izhikevich 2007)."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._require import rising
from ..system import AbstractSpikingSystem, parameter

Values = Float[Array, "*n"]


class Izhikevich2007State(NamedTuple):
    """State: membrane potential `v` (mV) and recovery current `u` (pA), one entry per neuron."""

    v: Values
    u: Values


class LinearRecovery(eqx.Module):
    """Linear recovery `x`: in proportion to the distance from rest."""

    def __call__(self, x: Values) -> Values:
        return x


class CubicRecovery(eqx.Module):
    """Cubic recovery `x^3` above rest, none below it: that of the fast-spiking cell."""

    def __call__(self, x: Values) -> Values:
        return jnp.maximum(x, 0.0) ** 3


class Izhikevich2007(AbstractSpikingSystem):
    """Izhikevich's simple model in biophysical units: `capacitance dv/dt = k (v - v_r) (v - v_t) -
    u + args`, drive in pA, and `du/dt = a (b recovery(v - v_r) - u)`, with `LinearRecovery()` or a
    function of your own.

    A spike, where `v` reaches `v_peak`, sets `v` to `c` and adds `d` to `u`. Defaults: the regular
    spiking cell of Izhikevich (2007), *Dynamical Systems in Neuroscience*, section 8.3.1.
    """

    capacitance: Values = parameter(100.0, positive=True)  # pF
    k: Values = parameter(0.7, positive=True)  # nS/mV
    v_r: Values = parameter(-60.0)  # mV, of rest
    v_t: Values = parameter(-40.0)  # mV, where the upstroke starts
    a: Values = parameter(0.03, positive=True)  # 1/ms
    b: Values = parameter(-2.0)  # nS if linear, pA/mV^3 if cubic
    c: Values = parameter(-50.0)  # mV, after a spike
    d: Values = parameter(100.0)  # pA
    v_peak: Values = parameter(35.0)  # mV
    recovery: Callable[[Values], Values] = LinearRecovery()

    def __check_init__(self) -> None:
        rising("c", self.c, "v_peak", self.v_peak)  # else a spike never ends

    def rest(self, shape: tuple[int, ...] = ()) -> Izhikevich2007State:
        """The state at rest: potential `v_r`, no recovery current."""
        v = jnp.broadcast_to(self.v_r, shape)
        return Izhikevich2007State(v, jnp.zeros_like(v))

    def vector_field(self, t, y, args):
        # Stages of a step may overshoot the peak: hold the upstroke a little beyond it.
        v = jnp.minimum(y.v, self.v_peak + 10.0)
        dv = (self.k * (v - self.v_r) * (v - self.v_t) - y.u + args) / self.capacitance
        du = self.a * (self.b * self.recovery(v - self.v_r) - y.u)
        return Izhikevich2007State(dv, du)

    def guard(self, t, y, args):
        return y.v - self.v_peak

    def reset(self, t, y, args, fired):
        u = jnp.where(fired, y.u + self.d, y.u)
        return Izhikevich2007State(jnp.where(fired, self.c, y.v), u)
