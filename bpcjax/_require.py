"""Validation of arguments: each error names the argument and the remedy."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, PyTree

from .system import AbstractSpikingSystem, AbstractSystem, is_traced


def require(good: Any, message: str) -> Bool[Array, ""]:
    """Whether `good` holds throughout.

    What is known goes through numpy: that compiles nothing, and stays known within `jit`.

    **Raises:** `ValueError` with the message where it is known not to.
    """
    if is_traced(good):
        return jnp.all(good)
    good = np.asarray(good).all()
    if not good:
        raise ValueError(message)
    return jnp.asarray(good)


def check_times(t0: Any, t1: Any, dt: Any) -> Bool[Array, ""]:
    """Validate times: where they are traced, whether they make no sense.

    **Raises:** `ValueError` naming the argument where they are known.
    """
    for name, value in (("t0", t0), ("t1", t1), ("dt", dt)):
        if np.shape(value) != ():
            raise ValueError(f"{name} must be a number, got an array of shape {np.shape(value)}.")
        if not is_traced(value) and not jnp.issubdtype(np.asarray(value).dtype, jnp.number):
            raise ValueError(f"{name} must be a number, got {value!r}.")
        if not is_traced(value) and not np.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}.")
    # through numpy: what jnp makes of known values is traced, too, where `simulate` is
    if not is_traced(dt) and not np.asarray(dt) > 0:
        raise ValueError(f"dt must be positive, got {dt}. Pass the step in the system's time unit.")
    if not is_traced(t0, t1) and not np.asarray(t1) > np.asarray(t0):
        raise ValueError(f"t1 must be later than t0, got t0={t0} and t1={t1}.")
    t0, t1, dt = map(jnp.asarray, (t0, t1, dt))
    good = (dt > 0) & (t1 > t0) & jnp.isfinite(t0) & jnp.isfinite(t1) & jnp.isfinite(dt)
    return ~good


def unresolved(t0: Any, t1: Any, dt: Any, dtype: Any) -> Bool[Array, ""]:
    """Whether `dtype` cannot resolve steps of `dt` near `t0` or `t1`, where they are traced.

    **Raises:** `ValueError` naming `dt` where they are known.
    """
    if not is_traced(t0, t1, dt):
        times = np.abs(np.asarray([t0, t1], dtype))
        if np.spacing(times.max()) > np.asarray(dt, dtype):
            raise ValueError(
                f"dt={dt} is finer than {jnp.dtype(dtype).name} tells times near {times.max()} "
                "apart. Use double precision, a larger dt, or a run that starts nearer to time 0."
            )
        return jnp.array(False)
    t0, t1, dt = (jax.lax.stop_gradient(jnp.asarray(x, dtype)) for x in (t0, t1, dt))
    largest = jnp.maximum(jnp.abs(t0), jnp.abs(t1))
    return jnp.nextafter(largest, jnp.inf) - largest > dt


def split_key(key: Any) -> Array:
    """Two keys from one.

    **Raises:** `ValueError` if `key` is not one key.
    """
    try:
        return jax.random.split(key)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"key must be one key, jax.random.key(seed), and under vmap one a row: {error}"
        ) from error


def _describe(tree: PyTree) -> str:
    return str(jax.tree.map(lambda x: tuple(jnp.shape(x)) if not callable(x) else x, tree))


def check_shapes(system: AbstractSystem, t0: Any, y0: PyTree, args: PyTree) -> None:
    """Raise `ValueError` if `y0`, `args` and the system do not fit together."""
    name = type(system).__name__
    if not jax.tree.leaves(y0):
        raise ValueError("y0 has no arrays in it: pass the initial state.")
    try:
        rate = jax.eval_shape(lambda: system.vector_field(t0, y0, args))
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"args or y0 does not fit the vector field of {name}: {error} "
            f"(y0 has shapes {_describe(y0)}, args {_describe(args)})."
        ) from error
    structure, got = jax.tree.structure(y0), jax.tree.structure(rate)
    if structure != got:
        raise ValueError(f"y0 must have the structure of the vector field: {got}, got {structure}.")
    for x, f in zip(jax.tree.leaves(y0), jax.tree.leaves(rate), strict=True):
        if jnp.broadcast_shapes(jnp.shape(x), f.shape) != jnp.shape(x):
            raise ValueError(
                f"args or y0 has the wrong shape for {name}: a state of shape {jnp.shape(x)} gets "
                f"a rate of shape {f.shape}; args has shapes {_describe(args)}. Give the drive "
                "one entry, or one per neuron on the last axis, and y0 one row per neuron."
            )
    if not isinstance(system, AbstractSpikingSystem):
        return
    guard = jax.eval_shape(lambda: system.guard(t0, y0, args))
    if math.prod(guard.shape) == 0:
        raise ValueError(f"y0 has no neurons in it: the guard of {name} has shape {guard.shape}.")
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
            if jnp.broadcast_shapes(jnp.shape(x), z.shape) != jnp.shape(x):
                raise ValueError(
                    f"the {what} of {name} gives shape {z.shape} for a state of shape "
                    f"{jnp.shape(x)}; check the shapes of y0 and of the parameters."
                )
