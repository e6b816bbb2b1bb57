"""Parallel spike descent: many spikes at a time, thinned, at a corrected threshold."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from .._require import count, instance, key as one_key, state as as_state
from ..system import Module, is_traced, parameter
from .lattice import AbstractDescent, DescentState


class Thinned(Module):
    """Thinning of parallel steps: each unit that may fire does so with probability `share`, all at
    once.

    With `coupling`, a bound of the largest eigenvalue of `D^-1/2 H D^-1/2` (D the diagonal of the
    Hessian H), thresholds grow by `1 + share (coupling - 1)`, so that the energy falls on average
    also where many fire; the network then rests that much coarser.
    """

    share: Float[Array, ""] = parameter(0.5, positive=True)
    coupling: Float[Array, ""] = parameter(1.0, positive=True)

    def __check_init__(self) -> None:
        super().__check_init__()
        if not is_traced(self.share) and not (np.asarray(self.share) <= 1).all():
            raise ValueError(f"share is a probability, got {self.share}.")


class Parallel(eqx.Module):
    """Trajectory in parallel steps: the `energy` [S] before each, how many `spikes` [S] it sent,
    the final `value`, and whether nothing can fire any more (`at_rest`)."""

    energy: Float[Array, " S"]
    spikes: Int[Array, " S"]
    value: PyTree
    at_rest: Bool[Array, ""]


def descend_in_parallel(
    system: AbstractDescent,
    y0: PyTree,
    args: PyTree = None,
    *,
    key: Key[Array, ""],
    steps: int,
    thinned: Thinned | None = None,
) -> Parallel:
    """Parallel descent, an approximation: many spikes at once, thinned, at the corrected threshold.

    A unit's change of energy is `s d g + d^2 H / 2` to second order; the correction adds
    `d^2 H share (coupling - 1) / 2` (`system.bend`).

    **Raises:** `ValueError` for less than one step.
    """
    instance("system", system, AbstractDescent)
    key, steps = one_key("key", key), count("steps", steps, 1)
    y0 = as_state("y0", y0, real=True)
    if not ravel_pytree(y0)[0].size:
        raise ValueError("y0 has no units in it: pass a state.")
    thin = instance("thinned", Thinned() if thinned is None else thinned, Thinned)
    size = ravel_pytree(y0)[0].size

    def chances(value):
        bend = jnp.maximum(system.bend(value, args), 0.0)
        extra = thin.share * (thin.coupling - 1) * bend
        logs = system.log_rates(value, args, extra[None]) - jnp.log(system.rate)
        return jnp.minimum(thin.share * jnp.exp(logs), 1.0)

    def step(state, key):
        value = system.value(state)
        up, down = chances(value)
        draw = jax.random.uniform(key, up.shape)
        rises, falls = draw < up, (draw >= up) & (draw < up + down)
        change = rises.astype(state.moves.dtype) - falls.astype(state.moves.dtype)
        record = system.energy_of(value, args), (rises | falls).sum(dtype=jnp.int32)
        return DescentState(state.origin, state.moves + change), record

    start = DescentState(y0, jnp.zeros(size))
    state, (energy, spikes) = jax.lax.scan(step, start, jax.random.split(key, steps))
    value = system.value(state)
    return Parallel(energy, spikes, value, chances(value).sum() == 0)
