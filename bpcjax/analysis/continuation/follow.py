"""Pseudo-arclength continuation of equilibria, limit cycles and spike maps in a parameter."""

from collections.abc import Callable
from enum import Enum
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, PyTree

from ..._require import count as as_count, describe, function, instance, scalar
from ...system import AbstractSystem
from .._flow import as_floats, flow_of, known
from .branches import AbstractFollowed, Equilibria
from .corrector import Arc, Point
from .first_point import first_point
from .hopf_end import hopf_end, is_still, is_through
from .special import Bifurcation, Special, specials

FLEXIBLE = 0.95  # least cosine between the tangents at two successive points
FAR = 0.2  # most of a step that the corrector may go
SHORTEST = 2.0**-14  # of a step, before the branch is given up
_STEP: dict[str, Any] = dict(above=0, finite=True)
MULTIPLE = 1e-7  # a singular value as small as this is zero at a branch point


class Ending(Enum):
    """Reason why a branch ends: all points asked for; the parameter or the state at a bound; a
    guard past its threshold; cycles that shrink to a Hopf point; or no further solution found, at
    the shortest step."""

    COUNT = "count"
    HOPF = "Hopf"
    BOUNDS = "bounds"
    DOMAIN = "domain"
    STUCK = "stuck"


class Branch(eqx.Module):
    """Solution branch: its points in order, whether each is stable, and the special points on it.

    `eigenvalues` are those of the Jacobian for equilibria, multipliers for cycles and spike maps;
    `period` is there for cycles. `special` are in order too: tuples (kind, p, y); at each so many
    eigenvalues (or complex pairs) cross at once as `multiplicity` says, more than one where a
    symmetry makes them. `ending` says why there are no further points.

    `singular` are directions, stacked, in which the first point is not isolated, as on a ring of
    rests that a continuous symmetry makes. The branch goes across them, and `stable` leaves their
    zeros out. With none it is `None`.
    """

    p: Float[Array, " points"]
    y: PyTree[Float[Array, "points ..."]]
    eigenvalues: Complex[Array, "points n"]
    stable: Bool[Array, " points"]
    period: Float[Array, " points"] | None
    special: tuple[Special, ...]
    ending: Ending = eqx.field(static=True)
    multiplicity: tuple[int, ...] = eqx.field(static=True, default=())
    singular: PyTree = None


def follow(
    system: AbstractSystem,
    where: Callable[[Any], Any] | None,
    y0: PyTree,
    p0: Any,
    args: PyTree = None,
    *,
    step: float,
    count: int,
    of: AbstractFollowed | None = None,
    toward: Any = 1.0,
    bounds: tuple[Any, Any] = (-np.inf, np.inf),
) -> Branch:
    """Pseudo-arclength continuation: the branch of solutions through the guess (`y0`, `p0`), at
    most `count` points of it.

    `where` picks the parameter, a scalar, in the system: `lambda m: m.beta`; with `None` it is the
    drive `args` itself. Points are at most `step` apart, in the common length of parameter and
    unknowns; steps become shorter where the branch bends, and grow again. `of` says what is
    followed: `Equilibria()` (the default), `Cycles(period, dt)` or `SpikeMap(dt)`. `toward` is the
    side to which the parameter goes at first, +1 or -1, or a direction of the state in which to
    leave a branch point: see `switch`. The branch ends where the parameter leaves `bounds`, where
    a guard is past its threshold, or where no further point is found: see `ending`.

    Between two points folds, branch points, Hopf points and, of cycles and maps, period doublings
    and tori are located to the precision of the corrector. A neutral saddle, where two real
    eigenvalues sum to zero, is none of these. Two points of one kind within a step may be missed,
    and so may eigenvalues that cross zero at one point in opposite directions.

    **Raises:** `ValueError` if `where` does not give a scalar array, if there is no solution near
    the guess, and for bad numbers.

    Source: Keller (1977); Kuznetsov, *Elements of Applied Bifurcation Theory* (2004), ch. 10.
    """
    if not known(system, y0, p0, args):
        raise ValueError("follow works on the host: call it outside of jit, grad and vmap.")
    step, p0, count = scalar("step", step, **_STEP), scalar("p0", p0), as_count("count", count, 1)
    bounds = _bounds(bounds)
    if of is not None:
        instance("of", of, AbstractFollowed)
    arc, guess = _begin(system, where, y0, p0, args, Equilibria() if of is None else of)
    if not bounds[0] <= float(p0) <= bounds[1]:
        raise ValueError(f"p0={p0} is outside of bounds={bounds}.")
    arc, here = first_point(arc, guess, toward, step)
    points, bifurcations, ending = [here], [], Ending.COUNT
    length = step
    while len(points) < count:
        there = arc.next(here, length)
        bends = there is None or here.tangent @ there.tangent < FLEXIBLE
        if there is None or bends or np.linalg.norm(there.z - here.ahead(length)) > FAR * length:
            length /= 2
            if length >= SHORTEST * step:
                continue
            ending = Ending.STUCK if arc.is_inside(here.ahead(2 * length)) else Ending.DOMAIN
            end = hopf_end(arc, here, here, step)
            if end is not None:
                ending = Ending.HOPF
                bifurcations += [(end, 1)]
            break
        if not bounds[0] <= there.z[-1] <= bounds[1]:
            ending = Ending.BOUNDS
            break
        if not arc.is_inside(there.z):
            ending = Ending.DOMAIN
            break
        if is_through(arc, here, there):
            end = hopf_end(arc, here, there, step)
            if end is not None or is_still(arc, here, there):
                ending = Ending.STUCK if end is None else Ending.HOPF
                bifurcations += [] if end is None else [(end, 1)]
                break
        bifurcations += specials(arc, here, there)
        points.append(there)
        here, length = there, min(step, 1.5 * length)
    return _branch(arc, points, bifurcations, ending)


def switch(
    system: AbstractSystem,
    where: Callable[[Any], Any] | None,
    special: Special,
    args: PyTree = None,
    *,
    step: float,
    count: int,
    of: AbstractFollowed | None = None,
    bounds: tuple[Any, Any] = (-np.inf, np.inf),
) -> tuple[Branch, Branch]:
    """Branch switching: the two halves of the branch that crosses another at a branch point, or
    that begins at a period doubling (with twice the period).

    `of` is that of the branch on which the point was found.

    **Raises:** `ValueError` if the point is of another kind, or if several branches cross there (a
    multiple branch point: follow each in its direction), and as `follow`.
    """
    of = Equilibria() if of is None else of
    instance("of", of, AbstractFollowed)
    instance("special", special, Special)
    step, count = scalar("step", step, **_STEP), as_count("count", count, 1)
    bounds = _bounds(bounds)
    if special.kind is Bifurcation.PERIOD_DOUBLING:
        of = of.doubled()
    elif special.kind is not Bifurcation.BRANCH:
        raise ValueError(f"special: no branch crosses another at a {special.kind.name}.")
    arc, z = _begin(system, where, special.y, special.p, args, of)
    _, sizes, right = np.linalg.svd(arc.derivative(z)[:, :-1])
    direction = right[-1]  # in which nothing changes, to first order
    many = int((sizes <= 10 * max(sizes[-1], MULTIPLE)).sum())
    if many > 1:
        raise ValueError(
            f"special: {many} eigenvalues are zero there, so several branches cross. Leave along "
            "one of them: follow(..., toward=direction)."
        )
    size = len(of.state(z[:-1]))
    away = arc.unravel(direction[:size])

    def half(sign):
        toward = jax.tree.map(lambda x: sign * x, away)
        return follow(
            system, where, special.y, special.p, args,
            step=step, count=count, of=of, toward=toward, bounds=bounds,
        )  # fmt: skip

    return half(1.0), half(-1.0)


def _bounds(bounds: Any) -> tuple[float, float]:
    """Two ends of the parameter."""
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise ValueError(f"bounds must be two numbers, got {describe(bounds)}.")
    low, high = (scalar("bounds", end) for end in bounds)
    return low, high


def _begin(system, where, y0, p0, args, of: AbstractFollowed) -> tuple[Arc, np.ndarray]:
    instance("system", system, AbstractSystem)
    y0, p0 = as_floats(y0, "y0"), jnp.asarray(scalar("p0", p0, finite=True), float)
    if where is not None:
        value = function("where", where)(system)
        if not (isinstance(value, jax.Array) and value.shape == ()):
            raise ValueError(
                "where must pick one scalar parameter of the system, an array of shape (); got "
                f"{value.shape if isinstance(value, jax.Array) else type(value).__name__}."
            )
    arc = Arc(system, where, args, of)
    start, args = arc.at(p0)
    flow = flow_of(start, y0, args, name="y0")
    ready, unknowns = of.start(flow, flow.layout.ravel(y0))
    if not np.isfinite(np.asarray(unknowns)).all():
        raise ValueError("y0 must be finite.")
    arc = Arc(system, where, arc.args, ready, flow.layout)
    return arc, np.append(np.asarray(unknowns), float(p0))


def _branch(arc: Arc, points: list[Point], bifurcations: list, ending: Ending) -> Branch:
    z = np.stack([point.z for point in points])
    periods = [arc.of.period(x[:-1]) for x in z]
    states = jnp.asarray(np.stack([arc.of.state(x[:-1]) for x in z]))
    stable = [(arc.growth(point).real < 0).all() for point in points]
    singular = None
    if arc.neutral:
        rows = arc.borders(points[0])[1][:, :-1]
        singular = jax.vmap(arc.layout.unravel)(jnp.stack([arc.of.state(row) for row in rows]))
    return Branch(
        jnp.asarray(z[:, -1]),
        jax.vmap(arc.layout.unravel)(states),
        jnp.stack([point.eigenvalues for point in points]),
        jnp.asarray(stable),
        None if periods[0] is None else jnp.asarray(periods),
        tuple(special for special, _ in bifurcations),
        ending,
        tuple(count for _, count in bifurcations),
        singular,
    )
