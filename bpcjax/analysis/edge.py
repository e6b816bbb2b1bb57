"""Edge state on the border between two basins: bisection, and edge tracking."""

from functools import partial
from typing import Any, NamedTuple

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PyTree

from .._require import check_times, count, scalar
from ..simulate import simulate
from ..system import AbstractSystem, bad_parameters
from ._flow import Flow, Vector, as_floats, flow_of, known, ravel
from ._states import as_drive, check_like, distance, stacked
from .basins import check_attractors, label_at_end

HALVINGS = 64  # more than the digits of a double
SAVES = 32  # states of a leg at which the pair may be halved again


class EdgeState(eqx.Module):
    """Edge state: where tracking the border of a basin came to rest, `y`, and the largest rate of
    change there.

    `track` holds a state of the border for each leg, infinite after the last. `ok` tells that the
    border was found and kept, and that the rates at `y` are at most the tolerance: where the edge
    state is a cycle or chaotic, `ok` is false and the track shows it. `y` is NaN where there was
    no border to follow.
    """

    y: PyTree[Float[Array, "..."]]
    residual: Float[Array, ""]
    track: PyTree[Float[Array, "legs ..."]]
    ok: Bool[Array, ""]


class _Pair(NamedTuple):
    """States on both sides of the border: `a` in the basin it started from, `b` not."""

    a: Vector
    b: Vector
    y: Vector  # in between
    leg: Int[Array, ""]
    track: Float[Array, "legs n"]
    residual: Float[Array, ""]
    lost: Bool[Array, ""]


def edge_state(
    system: AbstractSystem,
    a: PyTree,
    b: PyTree,
    attractors: PyTree,
    args: PyTree = None,
    *,
    t1: Any,
    dt: Any,
    radius: ArrayLike | PyTree,
    leg: Any = None,
    legs: int = 50,
    close: float = 1e-8,
    apart: float = 1e-6,
    tol: float = 1e-6,
    solver: dfx.AbstractSolver | None = None,
) -> EdgeState:
    """Edge tracking: the saddle on the border between the basin of the state `a` and that of the
    state `b`.

    The line between them is halved until two states `close` to each other end at different
    attractors; both then run until they are `apart`, or for a time `leg` (default: `t1 / 10`), are
    halved again, and so on: the pair follows the border to its attractor, until the rates there are
    at most `tol`, for `legs` legs at most. Basins are labelled as by `basin_fractions`, with its
    arguments; `close` and `apart` are in radii, and `t1` must let a state that starts `close` to
    the border reach its attractor. A state that ends at a third attractor is on the side of `b`.

    Source: Skufca, Yorke & Eckhardt (2006), Phys. Rev. Lett. 96:174101.

    **Raises:** `ValueError` naming the argument: states that are not finite or not alike, a noisy
    system, and `a` and `b` that do not end at two of the attractors; where values are traced,
    `ok=False` tells.
    """
    check_times(0.0, t1, dt)
    bad_parameters(system)
    leg = t1 / 10 if leg is None else leg
    check_times(0.0, leg, dt, "leg")
    legs, tol = count("legs", legs, 1), scalar("tol", tol, above=0)
    close, apart = scalar("close", close, above=0), scalar("apart", apart, above=0)
    if not close < apart:
        raise ValueError(f"close must be below apart, got {close} and {apart}.")
    like, points, radius = check_attractors(attractors, radius)
    a, b = as_floats(a, "a"), as_floats(b, "b")
    for name, y in (("a", a), ("b", b)):
        check_like(y, like, name, "one of attractors")
        stacked(jax.tree.map(lambda x: x[None], y), name)
    args = as_drive(args)
    flow = flow_of(system, a, args, name="a")
    if jax.eval_shape(lambda: system.noise(flow.t, a, args)) is not None:
        raise ValueError(f"system: {type(system).__name__} has noise, so its basins have no edge.")
    options = (leg, close, apart, tol)
    edge, ends = _track(flow, ravel(a), ravel(b), points, radius, t1, dt, legs, options, solver)
    if known(ends) and (ends[0] == ends[1] or ends.min() < 0):
        raise ValueError(
            f"a and b must end at different attractors within t1={t1}, they end at "
            f"{ends.tolist()} (-1: at none). Pass others, or raise t1 or radius."
        )
    return edge


@eqx.filter_jit
def _track(flow: Flow, a, b, points, radius, t1, dt, legs, options, solver):
    leg, close, apart, tol = options
    label = partial(_label, flow, points=points, radius=radius, t1=t1, dt=dt, solver=solver)
    ends = jax.vmap(label)(jnp.stack([a, b]))
    home, other = ends
    saves = jnp.linspace(0, leg, SAVES + 1)[1:]

    def halve(a, b):
        """The two states moved to within `close` of each other, or as near as `t1` tells."""

        def go_on(now):
            a, b, count, blind = now
            return (distance(a, b, radius) > close) & (count < HALVINGS) & ~blind

        def half(now):
            a, b, count, _ = now
            middle = 0.5 * (a + b)
            at = label(middle)
            return (
                jnp.where(at == home, middle, a),
                jnp.where((at != home) & (at >= 0), middle, b),
                count + 1,
                at < 0,
            )

        return jax.lax.while_loop(go_on, half, (a, b, 0, jnp.array(False)))[:2]

    def advance(y):
        at = flow.layout.unravel(y)
        end = simulate(
            flow.system, at, flow.args, t1=leg, dt=dt, solver=solver,
            saveat=dfx.SaveAt(ts=saves), throw=False,
        )  # fmt: skip
        return jax.vmap(flow.layout.ravel)(end.ys)

    def run(pair: _Pair) -> _Pair:
        """The border between the two, and both later: as late as they are not `apart`."""
        a, b = halve(pair.a, pair.b)
        y = 0.5 * (a + b)
        later_a, later_b = jax.vmap(advance)(jnp.stack([a, b]))
        far = jax.vmap(distance, (0, 0, None))(later_a, later_b, radius) > apart
        last = jnp.where(far.any(), jnp.maximum(jnp.argmax(far) - 1, 0), SAVES - 1)
        return _Pair(
            a=later_a[last],
            b=later_b[last],
            y=y,
            leg=pair.leg + 1,
            track=pair.track.at[pair.leg].set(y),
            residual=jnp.abs(flow.rate(y)).max(),
            lost=~(distance(a, b, radius) <= apart),
        )

    def moving(pair: _Pair):
        return (pair.leg < legs) & ~(pair.residual <= tol) & ~pair.lost

    start = (home != other) & (home >= 0) & (other >= 0)
    track = jnp.full((legs, a.size), jnp.inf, a.dtype)
    none = jnp.full(a.shape, jnp.nan, a.dtype)
    first = _Pair(a, b, none, jnp.zeros((), jnp.int32), track, none[0], ~start)
    end = jax.lax.while_loop(moving, run, first)
    ok = start & ~end.lost & (end.residual <= tol)
    to_states = jax.vmap(flow.layout.unravel)
    return EdgeState(flow.layout.unravel(end.y), end.residual, to_states(end.track), ok), ends


def _label(flow: Flow, y: Vector, points, radius, t1, dt, solver) -> Int[Array, ""]:
    at = flow.layout.unravel(y)
    return label_at_end(flow.system, at, flow.args, points, radius, t1, dt, solver, None)[0]
