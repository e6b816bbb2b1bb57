"""Flows of an energy: gradient flow, and Langevin dynamics with thermal noise."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from .system import AbstractSystem, Scalar, parameter

Energy = Callable[[PyTree, PyTree], Scalar]


def _descent(energy: Energy, tau: Float[Array, ""], y: PyTree, args: PyTree) -> PyTree:
    # of a complex state `jax.grad` gives the conjugate of the direction of steepest ascent
    return jax.tree.map(lambda slope: -jnp.conj(slope) / tau, jax.grad(energy)(y, args))


class GradientFlow(AbstractSystem):
    """Gradient flow `tau dy/dt = -grad E(y, args)`: the rate model of an energy, which it never
    raises."""

    energy: Energy
    tau: Float[Array, ""] = parameter(1.0, positive=True)  # in the unit of time

    def vector_field(self, t, y, args):
        return _descent(self.energy, self.tau, y, args)


class Langevin(AbstractSystem):
    """Langevin dynamics `tau dy = -grad E dt + sqrt(2 T tau) dW`: it samples `exp(-E / T)`."""

    energy: Energy
    temperature: Float[Array, ""] = parameter(nonnegative=True)  # in the unit of the energy
    tau: Float[Array, ""] = parameter(1.0, positive=True)  # in the unit of time

    def vector_field(self, t, y, args):
        return _descent(self.energy, self.tau, y, args)

    def noise(self, t, y, args):
        amplitude = jnp.sqrt(2 / self.tau) * jnp.sqrt(self.temperature)
        return jax.tree.map(lambda x: jnp.broadcast_to(amplitude, jnp.shape(x)), y)
