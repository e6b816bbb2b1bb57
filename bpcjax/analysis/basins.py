"""Basin stability: the share of state space that each attractor draws in."""

from functools import partial
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Key, PyTree

from .._require import check_times, instance, key as one_key
from ..simulate import simulate
from ..system import AbstractSystem, bad_parameters
from ._flow import flow_of, known, ravel
from ._states import as_drive, as_radius, check_like, distance, stacked


class Basins(eqx.Module):
    """Basins of attraction: which attractor each start ends at, and the share of the starts that
    each one draws (its basin stability).

    Shares are of all starts, so they sum to less than 1 where some end elsewhere. `error` is the
    binomial standard error `sqrt(S (1 - S) / rows)`, which is 0 for shares of 0 and 1. Rows with
    `ok=False` (the start was not finite, or the solve failed) are in no basin.
    """

    fraction: Float[Array, " attractors"]
    error: Float[Array, " attractors"]
    label: Int[Array, " rows"]  # -1: at none of them
    ok: Bool[Array, " rows"]


def nearest(
    flat: Float[Array, " n"], attractors: Float[Array, "attractors n"], radius: Float[Array, " n"]
) -> Int[Array, ""]:
    """Index of the attractor within a radius of a flat state, -1 if there is none."""
    apart = jax.vmap(distance, (None, 0, None))(flat, attractors, radius)
    at = jnp.argmin(apart)
    return jnp.where(apart[at] <= 1, at, -1)


@eqx.filter_jit
def _apart(points: Float[Array, "attractors n"], radius: Float[Array, " n"]) -> Array:
    """Distances between attractors, infinite from one to itself."""
    apart = jax.vmap(lambda y: jax.vmap(lambda z: distance(y, z, radius))(points))(points)
    return apart + jnp.diag(jnp.full(len(points), jnp.inf))


def check_attractors(
    attractors: PyTree, radius: ArrayLike | PyTree
) -> tuple[PyTree, Float[Array, "attractors n"], Float[Array, " n"]]:
    """Validate attractors: one of them, all as rows, and the radius of each entry of a state.

    **Raises:** `ValueError` if they are not finite, or nearer to each other than two radii.
    """
    _, like, points = stacked(attractors, "attractors")
    radius = as_radius(radius, like)
    if known(points, radius):
        apart = _apart(points, radius)
        if apart.min() <= 2:
            pair = jnp.unravel_index(apart.argmin(), apart.shape)
            one, two = (int(k) for k in pair)
            raise ValueError(
                f"attractors {one} and {two} overlap, {float(apart.min()):.3g} radii apart: lower "
                "radius, or pass one row for each."
            )
    return like, points, radius


def label_at_end(
    system: AbstractSystem, y0: PyTree, args: PyTree, points, radius, t1, dt, solver, key
) -> tuple[Int[Array, ""], Bool[Array, ""]]:
    """Index of the attractor that the state is at, `t1` after `y0`, and whether the solve went
    well."""
    end = simulate(system, y0, args, t1=t1, dt=dt, solver=solver, key=key, throw=False)
    ok = end.ok & jnp.isfinite(ravel(y0)).all()
    last = ravel(jax.tree.map(lambda x: x[-1], end.ys))
    return jnp.where(ok, nearest(last, points, radius), -1), ok


@eqx.filter_jit
def _labels(system, starts, args, points, radius, t1, dt, solver, key):
    keys = None if key is None else jax.random.split(key, len(jax.tree.leaves(starts)[0]))
    label = partial(label_at_end, t1=t1, dt=dt, solver=solver)

    def one(y0, key):
        return label(system, y0, args, points, radius, key=key)

    return jax.vmap(one, (0, None if key is None else 0))(starts, keys)


def basin_fractions(
    system: AbstractSystem,
    starts: PyTree,
    attractors: PyTree,
    args: PyTree = None,
    *,
    t1: Any,
    dt: Any,
    radius: ArrayLike | PyTree,
    solver: dfx.AbstractSolver | None = None,
    key: Key[Array, ""] | Any | None = None,
) -> Basins:
    """Basin stability: run `system` from every one of `starts` at once, and tell which of
    `attractors` it is nearest to at `t1`, within `radius`.

    Starts and attractors are states stacked on a leading axis. Distances are euclidean, in radii:
    a number, or one for each entry of a state where these have different units (infinity leaves
    an entry out, such as a clock). A cycle or a chaotic set may be given as several points. The
    other arguments are those of `simulate`; a noisy system gets a fresh `key` for each start.
    All starts run in one program, which shows no progress: for a long run pass them in chunks of
    one size (it compiles once), or make each chunk a point of `bpcjax.sweep`.

    Source: Menck et al. (2013), Nature Physics 9:89.

    **Raises:** `ValueError` naming the argument for starts that are not finite, attractors that
    overlap, a radius that is not positive. Where values are traced, rows of `ok` tell instead.
    """
    check_times(0.0, t1, dt)
    bad_parameters(system)
    like, points, radius = check_attractors(attractors, radius)
    starts, first, flat = stacked(starts, "starts")
    flow_of(system, first, args, name="starts")
    if key is not None:
        one_key("key", key)
    if solver is not None:
        instance("solver", solver, dfx.AbstractSolver)
    check_like(first, like, "starts: each", "one of attractors")
    label, ok = _labels(system, starts, as_drive(args), points, radius, t1, dt, solver, key)
    fraction = jnp.mean(label[:, None] == jnp.arange(len(points))[None], axis=0, dtype=flat.dtype)
    error = jnp.sqrt(fraction * (1 - fraction) / len(label))
    return Basins(fraction, error, label, ok)
