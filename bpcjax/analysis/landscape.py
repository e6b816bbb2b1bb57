"""Energy landscapes: planes through states, values on them, Hessian eigenvalues along a path."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from .._require import at_least_single, count as as_count, function, instance, scalar
from ..flows import Energy, GradientFlow, Langevin
from ._flow import Layout, as_floats, known, ravel
from ._states import as_drive, check_like, stacked
from .spectrum import hessian


class Plane(eqx.Module):
    """Plane through the state `origin`, spanned by orthonormal `directions` in the order of
    `ravel_pytree`; `corners` are the lowest and highest coordinates of the states that span it."""

    origin: PyTree[Float[Array, "..."]]
    directions: Float[Array, "2 n"]
    corners: Float[Array, "2 2"]

    def coordinates(self, states: PyTree) -> Float[Array, "... 2"]:
        """Orthogonal projection: the coordinates [..., 2] of states on any leading axes."""
        origin, states = jax.tree.leaves(self.origin), jax.tree.leaves(as_floats(states))
        lead = states[0].shape[: states[0].ndim - origin[0].ndim]
        pairs = zip(states, origin, strict=True)
        rows = jnp.concatenate([x.reshape(math.prod(lead), o.size) for x, o in pairs], axis=1)
        return ((rows - ravel(self.origin)[None]) @ self.directions.T).reshape(*lead, 2)

    def points(self, coordinates: ArrayLike) -> PyTree[Float[Array, "..."]]:
        """The states at coordinates [..., 2] of the plane, stacked on the same leading axes."""
        at = jnp.asarray(coordinates, self.directions.dtype)
        rows = at.reshape(-1, 2) @ self.directions + ravel(self.origin)[None]
        states = jax.vmap(Layout.of(self.origin).unravel)(rows)
        return jax.tree.map(lambda x: x.reshape(*at.shape[:-1], *x.shape[1:]), states)


def plane(origin: PyTree, a: PyTree, b: PyTree) -> Plane:
    """The plane through three states; its first axis runs from `origin` to `a`.

    **Raises:** `ValueError` if they are not finite states alike, or lie on one line.
    """
    names = "origin", "a", "b"
    states = [as_floats(y, name) for y, name in zip((origin, a, b), names, strict=True)]
    for y, name in zip(states, names, strict=True):
        check_like(y, states[0], name, "the origin")
    _, like, rows = stacked(jax.tree.map(lambda *x: jnp.stack(x), *states), "origin, a, b")
    first, second = rows[1] - rows[0], rows[2] - rows[0]
    length = jnp.linalg.norm(first)
    along = first / length
    across = second - (second @ along) * along
    left, scale = jnp.linalg.norm(across), jnp.linalg.norm(second)
    if known(rows) and not (length > 0 and left > 1e-6 * scale):
        raise ValueError("origin, a, b lie on one line. Pass three states that span a plane.")
    return _through(like, jnp.stack([along, across / left]), rows)


def principal_plane(states: PyTree) -> Plane:
    """Principal plane: through the mean of stacked `states`, along their first two principal
    components, each direction with its largest entry positive.

    **Raises:** `ValueError` if they are not finite, or lie on one line.
    """
    _, like, rows = stacked(states, "states")
    rows = at_least_single(rows)
    if rows.shape[0] < 3 or rows.shape[1] < 2:
        raise ValueError(f"states: {rows.shape} rows and entries do not span a plane.")
    mean = rows.mean(axis=0)
    _, spread, directions = jnp.linalg.svd(rows - mean[None], full_matrices=False)
    if known(spread) and not spread[1] > 1e-6 * spread[0]:
        raise ValueError("states lie on one line. Pass states that span a plane.")
    largest = jnp.abs(directions).argmax(axis=1, keepdims=True)
    upright = directions * jnp.sign(jnp.take_along_axis(directions, largest, axis=1))
    return _through(Layout.of(like).unravel(mean), upright[:2], rows)


def _through(origin: PyTree, directions: Float[Array, "2 n"], rows: Float[Array, "r n"]) -> Plane:
    at = (rows - ravel(origin)[None]) @ directions.T
    return Plane(origin, directions, jnp.stack([at.min(axis=0), at.max(axis=0)]))


class EnergySlice(eqx.Module):
    """Energy on a grid over a plane: at the coordinates `along` its first direction and `across` to
    it, in the unit of the state."""

    plane: Plane
    along: Float[Array, " columns"]
    across: Float[Array, " rows"]
    energy: Float[Array, "rows columns"]


def energy_of(energy: Energy | GradientFlow | Langevin) -> Energy:
    """The energy itself, or that which a flow descends."""
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
    function("energy", energy_of(energy))
    instance("plane", plane, Plane)
    count = as_count("count", count, 2, 10**5)
    margin = scalar("margin", margin, above=0, finite=True)
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
    """Hessian eigenvalues of an energy along a `path` of stacked states, rising. A point that is
    not finite has NaN.

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
