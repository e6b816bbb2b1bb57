"""Distance between states, in radii, and checks of stacked states."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from .._fit import brief
from ._flow import Vector, as_floats, first_row, known, ravel, ravel_rows


def stacked(
    tree: PyTree, name: str, *, finite: bool = True
) -> tuple[PyTree, PyTree, Float[Array, "rows n"]]:
    """Stacked states as floating arrays, the first of them, and all as rows of a matrix.

    **Raises:** `ValueError` naming the argument if there are none, or if concrete ones are not
    `finite`.
    """
    tree = as_floats(tree, name)
    like, _ = first_row(tree, name)
    rows = ravel_rows(tree)
    if finite and known(rows):
        bad = np.flatnonzero(~np.isfinite(np.asarray(rows)).all(axis=1))
        if len(bad):
            raise ValueError(f"{name} must be finite; rows {bad[:8].tolist()} are not.")
    return tree, like, rows


def as_drive(args: PyTree) -> PyTree:
    """`args` with arrays for its numbers, which would be static under `jit`."""
    return jax.tree.map(lambda x: jnp.asarray(x) if isinstance(x, float | int) else x, args)


def check_like(y: PyTree, like: PyTree, name: str, model: str) -> None:
    """Raise `ValueError` if the state `y` has not the structure and the shapes of `like`."""
    shapes, like_shapes = (jax.tree.map(jnp.shape, tree) for tree in (y, like))
    if jax.tree.structure(y) != jax.tree.structure(like) or shapes != like_shapes:
        raise ValueError(f"{name} must be like {model}, of shapes {like_shapes}, got {shapes}.")


def as_radius(radius: ArrayLike | PyTree, like: PyTree) -> Vector:
    """Radius for each entry of a state `like`: from a number, a flat vector, or a pytree whose
    leaves broadcast against those of the state; infinity leaves an entry out.

    **Raises:** `ValueError` if it fits no state, is not positive, or is infinite everywhere.
    """
    radius = as_floats(radius, "radius")
    flat = ravel(like)
    same = jax.tree.structure(radius) == jax.tree.structure(like)
    try:
        if same:
            radius = jax.tree.map(lambda r, x: jnp.broadcast_to(r, x.shape), radius, like)
            radius = ravel(radius)
        radius = jnp.broadcast_to(jnp.asarray(radius, flat.dtype), flat.shape)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"radius must be a number, a vector of {flat.size}, or a pytree like one state: "
            f"{brief(error)}"
        ) from error
    if known(radius) and not ((radius > 0).all() and jnp.isfinite(radius).any()):
        raise ValueError(f"radius must be positive, and finite for some entry, got {radius}.")
    return radius


def distance(y: Vector, z: Vector, radius: Vector) -> Float[Array, ""]:
    """Euclidean distance of two states, in radii."""
    return jnp.sqrt(jnp.sum(jnp.where(jnp.isinf(radius), 0.0, (y - z) / radius) ** 2))
