"""The shape of an energy: its values on a plane, and its curvatures along a path."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from ..flows import Energy, GradientFlow, Langevin
from ._flow import known, ravel
from ._states import as_drive, stacked
from .plane import Plane
from .spectrum import hessian


class EnergySlice(eqx.Module):
    """An energy on a grid over a plane: at the coordinates `along` its first direction and
    `across` to it, in the unit of the state.
    """

    plane: Plane
    along: Float[Array, " columns"]
    across: Float[Array, " rows"]
    energy: Float[Array, "rows columns"]


def energy_of(energy: Energy | GradientFlow | Langevin) -> Energy:
    """The energy itself, where a flow that descends it is given."""
    return energy.energy if isinstance(energy, GradientFlow | Langevin) else energy


def energy_slice(
    energy: Energy | GradientFlow | Langevin,
    plane: Plane,
    args: PyTree = None,
    *,
    count: int = 81,
    margin: float = 0.2,
    points: PyTree | None = None,
) -> EnergySlice:
    """`energy(y, args)`, or that of a flow, on a grid of `count` by `count` states of `plane`.

    The grid reaches beyond `points`, stacked states (those that span the plane unless given), by
    the `margin`, a share of the longer side.

    **Raises:** `ValueError` naming the argument: points that are not finite, a grid of fewer than
    two points, a margin that is not positive, an energy that is finite nowhere on the plane.
    """
    if count < 2:
        raise ValueError(f"count must be at least 2, got {count}.")
    if not 0 < margin < np.inf:
        raise ValueError(f"margin must be positive and finite, got {margin}.")
    corners = plane.corners
    if points is not None:
        at = plane.coordinates(stacked(points, "points")[0])
        corners = jnp.stack([at.min(axis=0), at.max(axis=0)])
    low, high = corners
    side = (high - low).max()
    wider = jnp.where(side > 0, margin * side, 1.0)  # one state alone: a unit each way
    along, across = (jnp.linspace(low[k] - wider, high[k] + wider, count) for k in (0, 1))
    values = _on_grid(energy_of(energy), plane, as_drive(args), along, across)
    if known(values) and not jnp.isfinite(values).any():
        raise ValueError("energy is finite nowhere on the plane. Check its parameters.")
    return EnergySlice(plane, along, across, values)


@eqx.filter_jit
def _on_grid(energy: Energy, plane: Plane, args, along, across):
    def row(across):
        at = jnp.stack([along, jnp.full_like(along, across)], axis=-1)
        return jax.vmap(lambda y: energy(y, args))(plane.points(at))

    return jax.lax.map(row, across)  # row by row: one needs little memory


def hessian_path(
    energy: Energy | GradientFlow | Langevin,
    path: PyTree,
    args: PyTree = None,
) -> Float[Array, "points n"]:
    """The curvatures of an energy along a `path` of stacked states: the eigenvalues of its second
    derivative at each of them, rising. A point that is not finite has NaN.

    **Raises:** `ValueError` if the path is no stack of states.
    """
    path, _, _ = stacked(path, "path", finite=False)
    return _curvatures(energy_of(energy), path, as_drive(args))


@eqx.filter_jit
def _curvatures(energy: Energy, path, args):
    def curvatures(y):
        matrix = hessian(energy, y, args)
        ok = jnp.isfinite(matrix).all() & jnp.isfinite(ravel(y)).all()
        return jnp.where(ok, jnp.linalg.eigvalsh(jnp.where(ok, matrix, 0.0)), jnp.nan)

    return jax.lax.map(curvatures, path)
