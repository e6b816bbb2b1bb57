"""Fixed points of a system: Newton's method from a cloud of guesses."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, Bool, Float, PyTree

from .._require import instance, scalar
from ..system import AbstractSystem
from ._flow import Flow, first_row, flow_of, known, padded, ravel_rows, structural
from .continuation.multiple import sharpen

STAGES = (6, 10, 64)  # steps of Newton's method: most rows end in the first ones

FINER = 1e-6  # of the tolerance: for roots that are uncertain


class FixedPoints(eqx.Module):
    """Fixed points, one a row of the leading axis, with the residual and the Jacobian at each.

    `residual` is the largest rate of change at the point. A row is `ok` if that is at most the
    tolerance and no guard is past its threshold. A row that is `slow` is no fixed point: there the
    speed has a local minimum above zero, as next to a fold that has just passed. `structural` marks
    the coordinates that the flow never moves: their rows of the Jacobian are zero by construction.
    """

    y: PyTree[Float[Array, "rows ..."]]
    jacobian: Float[Array, "rows n n"]
    residual: Float[Array, " rows"]
    ok: Bool[Array, " rows"]
    slow: Bool[Array, " rows"]
    structural: Bool[Array, " n"]


def fixed_points(
    system: AbstractSystem,
    guesses: PyTree,
    args: PyTree = None,
    *,
    tol: float = 1e-10,
    t: Any = 0.0,
) -> FixedPoints:
    """Newton's method for fixed points, from each row of `guesses`: roots of every kind (stable or
    not), and the local minima of the speed that it ends on where there is none.

    `guesses` has the structure of a state, with one more leading axis; `args` is the drive, taken
    at time `t`. Coordinates that the flow never moves (the mode and the clock of a refractory
    neuron) stay as guessed. Where the equations are too flat to tell a root from a point next to it
    with a singular Jacobian (a fold, a branch point), the row is that point. Rows fail alone: NaN,
    or no root found, is `ok=False`. Points are as many as guesses: see `unique`. Differentiable in
    the parameters, by the implicit function theorem, where `ok`; traced, all rows take as long as
    the slowest, and neither `slow` nor singular points are looked for.

    **Raises:** `ValueError` if guesses, drive and vector field do not fit together, or if `tol` is
    beyond the precision of the guesses' dtype.
    """
    like, _ = first_row(guesses, "guesses")
    flow = flow_of(system, like, args, t, "guesses")
    tol = scalar("tol", tol)
    x = ravel_rows(guesses)
    if not tol >= 100 * float(jnp.finfo(x.dtype).eps):
        raise ValueError(
            f"tol={tol} cannot be reached in {x.dtype}. Pass a larger one, or enable x64."
        )
    constant = structural(flow, x)
    if known(flow, x):
        points, least = _in_stages(flow, x, constant, tol)
        return _report(flow, points, least, constant, tol)
    arrays, static = eqx.partition((flow, x, constant, tol), eqx.is_array)
    still, begin, fixed, small = eqx.combine(jax.lax.stop_gradient(arrays), static)
    points, _ = _newton(still, begin, fixed, small, sum(STAGES))
    points = _implicit(flow, jax.lax.stop_gradient(points), x, constant)
    return _report(flow, points, jnp.zeros(len(x), bool), constant, tol)


def _rest(flow: Flow, start, constant):
    """The equations: no change, and what the flow never moves stays as it was."""
    return lambda x, _: jnp.where(constant, x - start, flow.rate(x))


@eqx.filter_jit
def _newton(flow: Flow, x, constant, tol, steps: int):
    solver = optx.Newton(rtol=1e-12, atol=0.1 * tol)

    def one(start):
        root = optx.root_find(
            _rest(flow, start, constant), solver, start, max_steps=steps, throw=False
        )
        return root.value, jnp.abs(flow.rate(root.value)).max() <= tol

    return jax.vmap(one)(x)


@eqx.filter_jit
def _least_speed(flow: Flow, x, constant):
    solver = optx.BFGS(rtol=1e-8, atol=1e-8)

    def one(start):
        def speed(x, _):
            return 0.5 * (flow.rate(jnp.where(constant, start, x)) ** 2).sum()

        minimum = optx.minimise(speed, solver, start, max_steps=4 * STAGES[-1], throw=False)
        return jnp.where(constant, start, minimum.value), minimum.result == optx.RESULTS.successful

    return jax.vmap(one)(x)


def _in_stages(flow: Flow, guesses, constant, tol) -> Any:
    """The points, and which are minima of the speed. Rows that a stage has settled do not wait
    for the others in the next.
    """

    def again(rows):
        return padded(_newton, flow, rows, constant, FINER * tol, STAGES[0])[0]

    points, least = np.array(guesses), np.zeros(len(guesses), bool)
    left = np.flatnonzero(np.isfinite(points).all(axis=1))
    for steps in STAGES:
        if len(left):
            points[left], settled = padded(_newton, flow, points[left], constant, tol, steps)
            left = left[~settled]
    roots = np.setdiff1d(np.flatnonzero(np.isfinite(points).all(axis=1)), left)
    if len(left):
        guesses = np.asarray(guesses)[left]
        points[left], least[left] = padded(_least_speed, flow, guesses, constant)
    if len(roots):
        points[roots] = sharpen(flow, points[roots], np.asarray(constant), again)
    return jnp.asarray(points), jnp.asarray(least)


def _implicit(flow: Flow, x, start, constant):
    """The points `x`, with the derivatives of the implicit function."""

    def one(x, start):
        equations = _rest(flow, start, constant)
        matrix = jax.lax.stop_gradient(jax.jacfwd(lambda x: equations(x, None))(x))
        miss = jnp.linalg.solve(matrix, equations(x, None))
        return x - jnp.where(jnp.isfinite(miss), miss - jax.lax.stop_gradient(miss), 0.0)

    return jax.vmap(one)(x, start)


@eqx.filter_jit
def _report(flow: Flow, x, least, constant, tol) -> FixedPoints:
    residual = jnp.abs(jax.vmap(flow.rate)(x)).max(axis=1)
    inside = jax.vmap(flow.inside)(x)
    return FixedPoints(
        jax.vmap(flow.layout.unravel)(x),
        jax.vmap(flow.jacobian)(x),
        residual,
        (residual <= tol) & inside,
        (residual > tol) & least & inside,
        constant,
    )


def unique(points: FixedPoints, tol: float = 1e-6) -> FixedPoints:
    """The distinct fixed points among the rows that are `ok`, in the order of the guesses.

    Two rows are one point if no coordinate differs by more than `tol`, in units of one plus its
    size. For use outside of `jit`: how many rows remain depends on values. There may be none.

    **Raises:** `ValueError` if `tol` is not positive, or if the points are traced.
    """
    instance("points", points, FixedPoints)
    tol = scalar("tol", tol, above=0)
    if not known(points):
        raise ValueError("points are traced: unique has no fixed shape. Call it outside of jit.")
    x, residual = np.asarray(ravel_rows(points.y)), np.asarray(points.residual)
    left = np.flatnonzero(np.asarray(points.ok))
    left = left[np.argsort(residual[left], kind="stable")]
    chosen = []
    while len(left):
        best, left = left[0], left[1:]
        chosen.append(best)
        size = 1 + np.abs(x[best])
        left = left[(np.abs(x[left] - x[best]) > tol * size).any(axis=1)]
    rows = np.sort(np.array(chosen, int))
    fields = points.y, points.jacobian, points.residual, points.ok, points.slow
    y, jacobian, residual, ok, slow = jax.tree.map(lambda leaf: leaf[rows], fields)
    return FixedPoints(y, jacobian, residual, ok, slow, points.structural)
