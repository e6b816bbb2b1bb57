"""Flattened system: a state as one vector, with fewer and larger operations, so solves compile and
run faster."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree, Shaped

from .._layout import Layout, Vector
from ..inputs import AbstractInput
from ..system import AbstractSpikingSystem, Scalar


class FlatTerm(dfx.AbstractTerm):
    """Flattened diffrax term, over the vector of a state."""

    term: dfx.AbstractTerm
    layout: Layout = eqx.field(static=True)
    is_flow: bool = eqx.field(static=True)  # its vector field has the structure of the state

    def vf(self, t, y, args):
        field = self.term.vf(t, self.layout.unravel(y), args)
        return self.layout.ravel(field) if self.is_flow else field

    def contr(self, t0, t1, **kwargs):
        return self.term.contr(t0, t1, **kwargs)

    def prod(self, vf, control):
        return vf * control if self.is_flow else self.layout.ravel(self.term.prod(vf, control))


def flat_terms(terms: PyTree, layout: Layout) -> PyTree:
    """The terms of a solve over the vector of a state."""
    if isinstance(terms, dfx.MultiTerm):
        flow, *others = terms.terms
        diffusions = (FlatTerm(term, layout, False) for term in others)
        return dfx.MultiTerm(FlatTerm(flow, layout, True), *diffusions)
    return FlatTerm(terms, layout, True)


class FlatSystem(eqx.Module):
    """Flattened spiking system, with its drive, over the vector of its state."""

    system: AbstractSpikingSystem
    args: PyTree
    layout: Layout = eqx.field(static=True)

    def rate(self, t: Scalar, y: Vector) -> Vector:
        """The vector field dy/dt [n] at the vector `y` [n]."""
        return self.layout.ravel(self.system.vector_field(t, self.layout.unravel(y), self.args))

    def guard(self, t: Scalar, y: Vector) -> Float[Array, " n"]:
        """The guards as a vector [neurons]."""
        return jnp.ravel(self.system.guard(t, self.layout.unravel(y), self.args))

    def slope(self, t: Scalar, y: Vector) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """The guards and their rates of change along the flow."""
        return jax.jvp(self.guard, (t, y), (jnp.ones_like(t), self.rate(t, y)))

    def _shaped(self, hit: Shaped[Array, " n"], t, y) -> Shaped[Array, "..."]:
        guard = jax.eval_shape(
            lambda t, y: self.system.guard(t, self.layout.unravel(y), self.args), t, y
        )
        return hit.reshape(guard.shape)

    def emits(self, t: Scalar, y: Vector, hit: Bool[Array, " n"]) -> Bool[Array, "..."]:
        """Mask of the guards that were hit and are spikes."""
        return self.system.emits(self.layout.unravel(y), self._shaped(hit, t, y))

    def reset(self, t: Scalar, y: Vector, hit: Bool[Array, " n"]) -> Vector:
        """The state after the guards in `hit` fired."""
        fired = self._shaped(hit, t, y)
        return self.layout.ravel(self.system.reset(t, self.layout.unravel(y), self.args, fired))

    def kick(self, t: Scalar, y: Vector, spikes: Float[Array, "*n"]) -> Vector | None:
        """Increment of the state [n] by the spikes."""
        kick = self.system.kick(t, self.layout.unravel(y), self.args, spikes)
        return None if kick is None else self.layout.ravel(kick)

    @property
    def inputs(self) -> tuple[AbstractInput, ...]:
        """The sources of events that reach the system."""
        return self.system.inputs()

    def arrive(self, t: Scalar, y: Vector, arrivals: tuple[Array, ...]) -> Vector:
        """Increment of the state [n] by arrivals from the inputs."""
        return self.layout.ravel(self.system.arrive(t, self.layout.unravel(y), self.args, arrivals))

    def per_neuron(self, values: Float[Array, " n"], t, y) -> Vector:
        """`values`, one a guard, in every leaf that carries the guards on its last axes; else 0."""
        values = self._shaped(values, t, y)

        def spread(leaf):
            own = leaf.shape[len(leaf.shape) - values.ndim :] == values.shape
            return values if own else jnp.zeros((), values.dtype)

        return self.layout.ravel(jax.tree.map(spread, self.layout.unravel(y)))
