"""Hodgkin-Huxley neuron: the squid's giant axon (1952)."""

from typing import NamedTuple

import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..system import AbstractSpikingSystem, parameter

Values = Float[Array, "*n"]


class HodgkinHuxleyState(NamedTuple):
    """State: potential `v` (mV), gates `m`, `h`, `n`, and the mode `above` (1 after an upward
    crossing of `v_spike`, until `v` has fallen by `drop` below it; else 0), one entry per neuron.
    """

    v: Values
    m: Values
    h: Values
    n: Values
    above: Values


def _ramp(x: Values) -> Values:
    """`x / (1 - exp(-x))`, by its series near the removable singularity at 0."""
    near = jnp.abs(x) < 1e-2
    safe = jnp.where(near, 1.0, x)
    series = 1.0 + x / 2 + x**2 / 12 - x**4 / 720
    return jnp.where(near, series, safe / -jnp.expm1(-safe))


def _gates(v: Values) -> tuple[tuple[Values, Values], ...]:
    """The opening and the closing rate (1/ms) of `m`, `h` and `n`."""
    return (
        (_ramp((v + 40) / 10), 4 * jnp.exp(-(v + 65) / 18)),
        (0.07 * jnp.exp(-(v + 65) / 20), 1 / (1 + jnp.exp(-(v + 35) / 10))),
        (0.1 * _ramp((v + 55) / 10), 0.125 * jnp.exp(-(v + 65) / 80)),
    )


class HodgkinHuxley(AbstractSpikingSystem):
    """Hodgkin-Huxley neuron: sodium, potassium and leak currents with gates `m^3 h` and `n^4`;
    drive in uA/cm2.

    Spikes are smooth: one is counted where `v` rises through `v_spike`, and nothing is reset. The
    next counts once `v` has fallen by `drop` below `v_spike`: an event too, which is not reported.
    A neuron that starts above `v_spike` with `above = 0` spikes at once. `Refractory` is not for
    this neuron: it has its own refractory period.

    Source: Hodgkin & Huxley (1952), J. Physiol. 117:500, with potentials as measured today (at
    rest -65 mV, opening upward), and `e_l` such that rest is at -65 mV.
    """

    c: Values = parameter(1.0, positive=True)  # uF/cm2
    g_na: Values = parameter(120.0, nonnegative=True)  # mS/cm2
    g_k: Values = parameter(36.0, nonnegative=True)  # mS/cm2
    g_l: Values = parameter(0.3, positive=True)  # mS/cm2
    e_na: Values = parameter(50.0)  # mV
    e_k: Values = parameter(-77.0)  # mV
    e_l: Values = parameter(-54.387)  # mV
    v_spike: Values = parameter(0.0)  # mV
    drop: Values = parameter(1.0, positive=True)  # mV

    def _ion(self, v: Values, m: Values, h: Values, n: Values) -> Values:
        """The current (uA/cm2) out of the membrane."""
        sodium = self.g_na * m**3 * h * (v - self.e_na)
        return sodium + self.g_k * n**4 * (v - self.e_k) + self.g_l * (v - self.e_l)

    def rest(self, shape: tuple[int, ...] = ()) -> HodgkinHuxleyState:
        """The state at rest without drive: between the reversal potentials by bisection.

        Where there are several such states it is one of them. Derivatives by the parameters are
        those of the implicit function.
        """

        def steady(v):
            m, h, n = (opening / (opening + closing) for opening, closing in _gates(v))
            return m, h, n

        def flow(v):
            return self._ion(v, *steady(v))

        def halve(_, bracket):
            low, high = bracket
            middle = 0.5 * (low + high)
            outward = flow(middle) > 0
            return jnp.where(outward, low, middle), jnp.where(outward, middle, high)

        ends = jnp.stack(jnp.broadcast_arrays(self.e_na, self.e_k, self.e_l))
        low, high = (jnp.broadcast_to(end, shape) for end in (ends.min(axis=0), ends.max(axis=0)))
        v = lax.stop_gradient(sum(lax.fori_loop(0, 60, halve, (low, high))) / 2)
        # One step of Newton's method: its derivative is that of the root.
        slope = jax.jvp(flow, (v,), (jnp.ones_like(v),))[1]
        v = v - flow(v) / lax.stop_gradient(slope)
        return HodgkinHuxleyState(v, *steady(v), jnp.zeros_like(v))

    def vector_field(self, t, y, args):
        dv = (args - self._ion(y.v, y.m, y.h, y.n)) / self.c
        pairs = zip(_gates(y.v), (y.m, y.h, y.n), strict=True)
        dm, dh, dn = (opening * (1 - x) - closing * x for (opening, closing), x in pairs)
        return HodgkinHuxleyState(dv, dm, dh, dn, jnp.zeros_like(y.above))

    def guard(self, t, y, args):
        past = y.v - self.v_spike
        return jnp.where(y.above > 0.5, -self.drop - past, past)

    def reset(self, t, y, args, fired):
        return y._replace(above=jnp.where(fired, 1.0 - y.above, y.above))

    def emits(self, y, fired):
        return fired & (y.above < 0.5)
