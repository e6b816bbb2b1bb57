"""Whether a system, a state and a drive fit together."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from ._require import describe, instance
from .system import AbstractSpikingSystem, AbstractSystem


def _describe(tree: PyTree) -> str:
    def shape(x: Any) -> Any:
        known = hasattr(x, "shape") or isinstance(x, bool | int | float | complex)
        return tuple(jnp.shape(x)) if known else describe(x)

    return str(jax.tree.map(shape, tree))


def _fits(shape: tuple[int, ...], into: tuple[int, ...]) -> bool:
    """Whether an array of that shape broadcasts into another."""
    try:
        return jnp.broadcast_shapes(into, shape) == into
    except ValueError:
        return False


def brief(error: Exception) -> str:
    """The first line of an error."""
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def check_shapes(
    system: AbstractSystem, t0: Any, y0: PyTree, args: PyTree, start: str = "y0"
) -> None:
    """Raise `ValueError` if the state, by the name of `start`, `args` and the system do not fit."""
    instance("system", system, AbstractSystem)
    name = type(system).__name__
    if not jax.tree.leaves(y0):
        raise ValueError(f"{start} has no arrays in it: pass the initial state.")
    try:
        rate = jax.eval_shape(lambda: system.vector_field(t0, y0, args))
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"args or {start} does not fit the vector field of {name}: {brief(error)} "
            f"({start} has shapes {_describe(y0)}, args {_describe(args)})."
        ) from error
    structure, got = jax.tree.structure(y0), jax.tree.structure(rate)
    if structure != got:
        raise ValueError(
            f"{start} must have the structure of the vector field: {got}, got {structure}."
        )
    for x, f in zip(jax.tree.leaves(y0), jax.tree.leaves(rate), strict=True):
        if jnp.issubdtype(f.dtype, jnp.complexfloating) and not jnp.iscomplexobj(x):
            raise ValueError(
                f"args must be real for {name}: a real state gets a complex rate, half of which "
                "would be lost."
            )
        if not _fits(f.shape, jnp.shape(x)):
            raise ValueError(
                f"args or {start} has the wrong shape for {name}: a state of shape {jnp.shape(x)} "
                f"gets a rate of shape {f.shape}; args has shapes {_describe(args)}. Give the "
                f"drive one entry, or one per neuron on the last axis, and {start} one row per "
                "neuron."
            )
    if not isinstance(system, AbstractSpikingSystem):
        return
    try:
        guard = jax.eval_shape(lambda: system.guard(t0, y0, args))
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"args or {start} does not fit the guard of {name}: {brief(error)}"
        ) from error
    if math.prod(guard.shape) == 0:
        raise ValueError(
            f"{start} has no neurons in it: the guard of {name} has shape {guard.shape}."
        )
    fired = jnp.zeros(guard.shape, bool)
    after = jax.eval_shape(lambda: system.reset(t0, y0, args, fired))
    spikes = jax.eval_shape(lambda: system.emits(y0, fired))
    if spikes.shape != guard.shape:
        raise ValueError(f"emits of {name} must keep the shape {guard.shape} of the guard.")
    try:
        kick = jax.eval_shape(
            lambda: system.kick(t0, y0, args, jnp.zeros(spikes.shape, jnp.result_type(t0)))
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the kick of {name} does not fit {spikes.shape} spikes: {error}"
        ) from error
    for what, tree in (("reset", after), ("kick", kick)):
        if tree is not None and jax.tree.structure(tree) != structure:
            raise ValueError(f"the {what} of {name} must return the structure of y0, {structure}.")
        for x, z in zip(jax.tree.leaves(y0), jax.tree.leaves(tree), strict=False):
            if not _fits(z.shape, jnp.shape(x)):
                raise ValueError(
                    f"the {what} of {name} gives shape {z.shape} for a state of shape "
                    f"{jnp.shape(x)}; check the shapes of y0 and of the parameters."
                )
