"""Theta neuron: the quadratic integrate-and-fire neuron as a phase (Ermentrout & Kopell 1986)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..system import AbstractSpikingSystem, parameter


class ThetaState(NamedTuple):
    """State: the phase `theta`, in radians from -pi to pi, one entry per neuron."""

    theta: Float[Array, "*n"]

    @property
    def v(self) -> Float[Array, "*n"]:
        """The potential of the quadratic neuron, `tan(theta / 2)`: infinite at the spike."""
        return jnp.tan(self.theta / 2)


class Theta(AbstractSpikingSystem):
    """Theta neuron: `tau dv/dt = v^2 + args` from minus to plus infinity, as the phase `theta = 2
    atan(v)`: `tau dtheta/dt = 1 - cos(theta) + (1 + cos(theta)) args`. Without units, but for
    `tau`.

    A spike, where `theta` passes pi, takes 2 pi off it: in phase nothing diverges and nothing
    jumps. Every neuron near a saddle-node on a circle has this form. At a constant drive `I > 0`
    its period is `tau pi / sqrt(I)`.

    Source: Ermentrout & Kopell (1986), SIAM J. Appl. Math. 46:233.
    """

    tau: Float[Array, "*n"] = parameter(1.0, positive=True)  # in the unit of time

    def start(self, v: Float[Array, "*n"]) -> ThetaState:
        """The state at the potential `v` of the quadratic neuron."""
        return ThetaState(2 * jnp.arctan(v))

    def rest(self, shape: tuple[int, ...] = ()) -> ThetaState:
        """The phase 0, where nothing moves without drive."""
        return ThetaState(jnp.zeros(shape, self.tau.dtype))

    def vector_field(self, t, y, args):
        c = jnp.cos(y.theta)
        return ThetaState((1 - c + (1 + c) * args) / self.tau)

    def guard(self, t, y, args):
        return y.theta - jnp.pi

    def reset(self, t, y, args, fired):
        return ThetaState(jnp.where(fired, y.theta - 2 * jnp.pi, y.theta))

    def push(self, y, dv):
        raise ValueError(
            "neurons: a jump of the potential is no jump of the phase that is linear in it. Use "
            "synapses whose spikes are currents (Exponential) with Theta neurons."
        )
