"""Vector field of a system on a grid over two of its variables, for phase planes."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from .._require import count, describe, scalar
from ..system import AbstractSystem
from ._flow import as_floats, flow_of, ravel


class Field(eqx.Module):
    """Vector field on a grid: the rates `dx` and `dy` of two variables, and their names."""

    x: Float[Array, " across"] = eqx.field(converter=jnp.asarray)
    y: Float[Array, " up"] = eqx.field(converter=jnp.asarray)
    dx: Float[Array, "up across"] = eqx.field(converter=jnp.asarray)
    dy: Float[Array, "up across"] = eqx.field(converter=jnp.asarray)
    names: tuple[str, str] = eqx.field(static=True)


def field(
    system: AbstractSystem,
    like: PyTree,
    args: PyTree = None,
    *,
    grid: int = 201,
    t: Any = 0.0,
    **ranges: tuple[float | int, float | int],
) -> Field:
    """The vector field of `system` on a grid over two numbers of its state, the first of them
    across: `field(neuron, neuron.rest(), 500.0, v=(-80.0, -40.0), w=(0.0, 400.0))`.

    The other numbers are those of the state `like`. Numbers without a name of their own, as those
    of an array, are called `y0`, `y1`, ... in the order of `ravel_pytree`.

    **Raises:** `ValueError` for ranges that are not two, of unknown names, or empty; for a grid
    of fewer than two points; for a drive that does not fit.
    """
    like = as_floats(like, "like")
    variables, names = _names(like), tuple(ranges)
    if len(names) != 2 or not set(names) <= set(variables):
        raise ValueError(f"ranges: give two of the variables of like, {variables}, got {names}.")
    for name, ends in ranges.items():
        if not isinstance(ends, tuple | list) or len(ends) != 2:
            raise ValueError(f"{name}: the range must be two numbers, got {describe(ends)}.")
        low, high = (scalar(name, end) for end in ends)
        if not (np.isfinite([low, high]).all() and low < high):
            raise ValueError(f"{name}: the range must be finite and rise, got {(low, high)}.")
    grid = count("grid", grid, 2, 10**5)
    flow, base = flow_of(system, like, args, t, "like"), ravel(like)
    at = np.array([variables.index(name) for name in names])
    x, y = (jnp.linspace(*ranges[name], grid, dtype=base.dtype) for name in names)
    dx, dy = _rates(flow, base, at, x, y)
    return Field(x, y, dx, dy, (names[0], names[1]))


@eqx.filter_jit
def _rates(flow, base, at, x, y):
    def rate(x, y):
        return flow.rate(base.at[at].set(jnp.stack([x, y])))[at]

    return jnp.moveaxis(jax.vmap(jax.vmap(rate, (0, None)), (None, 0))(x, y), -1, 0)


def _names(like: PyTree) -> tuple[str, ...]:
    """Names of the numbers of a state, in the order of `ravel_pytree`."""
    names: list[str] = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(like):
        own = jax.tree_util.keystr(path[-1:], simple=True)
        named = np.shape(leaf) == () and own.isidentifier()
        names += [own if named else ""] * np.size(leaf)
    return tuple(
        name if name and names.count(name) == 1 else f"y{k}" for k, name in enumerate(names)
    )
