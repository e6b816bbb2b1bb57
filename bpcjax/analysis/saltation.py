"""Saltation matrix: the derivative of a state across an event, by its formula."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from .._require import count
from ..system import AbstractSpikingSystem, AbstractSystem
from ._flow import Matrix, as_floats, flow_of


class Saltation(eqx.Module):
    """Saltation matrix at an event, with the state just after it.

    `slope` is the rate at which the guard rises through zero; where it is not positive there is no
    crossing, and the matrix is NaN.
    """

    y: PyTree
    matrix: Matrix
    slope: Float[Array, ""]


def saltation(
    system: AbstractSystem, y: PyTree, args: PyTree = None, *, neuron: int = 0, t: Any = 0.0
) -> Saltation:
    """Saltation matrix [n, n] at the event of one `neuron`, whose guard rises through zero at `y`,
    in the order of `ravel_pytree`; resets and kicks are those of the system.

    `S = R_y + (f_after - R_y f_before - R_t) (grad g)^T / (g_t + grad g . f_before)`. The product
    of these and of the derivatives of the flow between events is the derivative of the flow
    through them: the second route to what `jax.jvp` through `simulate` gives.

    **Raises:** `ValueError` for a system without spikes, or a neuron that it has not.

    Source: Bizzarri, Brambilla & Storti Gajani, J Comput Neurosci 35, 201 (2013).
    """
    flow = flow_of(system, y, args, t)
    spiking = flow.system
    if not isinstance(spiking, AbstractSpikingSystem):
        raise ValueError(f"system: {type(system).__name__} has no spikes, so no saltation.")
    like = as_floats(y)
    x, t = flow.layout.ravel(like), flow.t
    shape = jax.eval_shape(lambda: spiking.guard(t, like, args)).shape
    fired = jnp.zeros(shape, bool).ravel()
    neuron = count("neuron", neuron)
    if not 0 <= neuron < fired.size:
        raise ValueError(f"neuron must be 0 to {fired.size - 1}, got {neuron}.")
    fired = fired.at[neuron].set(True).reshape(shape)

    def guard(t, x):
        return spiking.guard(t, flow.layout.unravel(x), args).ravel()[neuron]

    def after(t, x):
        y = flow.layout.unravel(x)
        spikes = spiking.emits(y, fired).astype(x.dtype)
        y = spiking.reset(t, y, args, fired)
        kick = spiking.kick(t, y, args, spikes)
        x = flow.layout.ravel(y)
        return x if kick is None else x + flow.layout.ravel(kick)

    rate = flow.rate(x)
    _, slope = jax.jvp(guard, (t, x), (jnp.ones_like(t), rate))
    x_after, drift = jax.jvp(after, (t, x), (jnp.ones_like(t), rate))
    lag = flow.rate(x_after) - drift
    matrix = jax.jacfwd(after, 1)(t, x) + jnp.outer(lag, jax.grad(guard, 1)(t, x)) / slope
    return Saltation(flow.layout.unravel(x_after), jnp.where(slope > 0, matrix, jnp.nan), slope)
