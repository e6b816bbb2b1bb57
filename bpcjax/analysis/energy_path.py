"""Minimum energy path between two minima of an energy, over its saddle: the string method."""

from typing import Any, NamedTuple

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from .._require import count, function, scalar
from ..flows import Energy, GradientFlow, Langevin
from ..simulate import simulate
from ..system import AbstractSystem
from ._flow import Flow, Matrix, Vector, as_floats, flow_of, known, ravel
from ._states import as_drive, check_like, stacked
from .fixed_points import FixedPoints, fixed_points
from .landscape import energy_of

STILL = 1e-6  # of the path's length: a leg that moves no image further ends the descent
CLIMB = 100  # legs that the highest image climbs
FLAT = 1e-9  # of the largest curvature: one that is smaller has no sign
SAME = 1e-6  # minima that are nearer, in units of one plus their size, are one


class EnergyPath(eqx.Module):
    """Minimum energy path between two minima, and the highest saddle on it.

    `path` runs from minimum to minimum, its images at equal distances but for the one at the
    `saddle`. `barrier` is the saddle's energy above that of the first image; from the other side
    it is `energies.max() - energies[-1]`. `eigenvalues` are those of the Hessian at the saddle,
    `residual` is the largest entry of the gradient there. `ok` tells that both ends are minima and
    differ, that the saddle is next to the highest image, that it has one falling direction and no
    flat one, and that nothing on the path is higher; else `barrier` is NaN.
    """

    path: PyTree[Float[Array, "images ..."]]
    energies: Float[Array, " images"]
    saddle: PyTree[Float[Array, "..."]]
    barrier: Float[Array, ""]
    eigenvalues: Float[Array, " n"]
    residual: Float[Array, ""]
    ok: Bool[Array, ""]


class _Climb(AbstractSystem):
    """Descent of an energy, but for the direction `tangent`, along which it is ascent."""

    flow: Flow
    tangent: Vector  # of unit length, or zero

    def vector_field(self, t, y, args):
        rate = self.flow.rate(y)
        return rate - 2 * (rate @ self.tangent) * self.tangent


class _String(NamedTuple):
    """Images that descend together, then one of them that climbs, in the direction of its row."""

    at: Float[Array, "images n"]
    tangents: Float[Array, "images n"]  # zero for those that do not climb
    leg: Int[Array, ""]
    done: Bool[Array, ""]


def energy_path(
    energy: Energy | GradientFlow | Langevin,
    a: PyTree,
    b: PyTree,
    args: PyTree = None,
    *,
    through: PyTree | None = None,
    images: int = 31,
    legs: int = 2000,
    tol: float = 1e-10,
) -> EnergyPath:
    """Minimum energy path between the minima next to the states `a` and `b`: the string method,
    then a climbing image, then Newton's method on the gradient for the saddle.

    The first guess is the straight line, or a line through the stacked states `through`, which
    choose among several paths (and lead around a summit that lies on the straight one, where
    descent would stay). Images descend the energy together, at equal distances, for up to `legs`
    legs of half the shortest time scale, until they rest. `tol` is the largest entry of the
    gradient at saddle and minima.

    Sources: E, Ren & Vanden-Eijnden (2007), J. Chem. Phys. 126:164103; Henkelman, Uberuaga &
    Jonsson (2000), J. Chem. Phys. 113:9901 (the climbing image).

    **Raises:** `ValueError` naming the argument for states that are not finite or not alike, and if
    both descend to one minimum; where values are traced `ok` tells.
    """
    function("energy", energy_of(energy))
    scalar("tol", tol, above=0)
    images, legs = count("images", images, 3), count("legs", legs, 1)
    a, b = as_floats(a, "a"), as_floats(b, "b")
    check_like(b, a, "b", "a")
    line = [jax.tree.map(lambda x: x[None], y) for y in (a, b)]
    if through is not None:
        through, first, _ = stacked(through, "through")
        check_like(first, a, "through: each", "a")
        line.insert(1, through)
    _, _, corners = stacked(jax.tree.map(lambda *x: jnp.concatenate(x), *line), "a, b")
    args = as_drive(args)
    flow = flow_of(GradientFlow(energy_of(energy)), a, args, name="a")
    string, top = _string(flow, corners, images, legs)
    guesses = jax.vmap(flow.layout.unravel)(jnp.stack([string[0], string[-1], string[top]]))
    equilibria = fixed_points(flow.system, guesses, args, tol=tol)
    path, apart = _report(flow, string, top, equilibria)
    if known(apart) and apart <= SAME * (1 + jnp.abs(ravel(a)).max()):
        raise ValueError("a and b descend to one minimum: there is nothing in between. Pass two.")
    return path


def _even(corners: Float[Array, "corners n"], images: int) -> Float[Array, "images n"]:
    """Points at equal distances on the line through `corners`."""
    steps = jnp.linalg.norm(jnp.diff(corners, axis=0), axis=1)
    along = jnp.concatenate([jnp.zeros(1, steps.dtype), jnp.cumsum(steps)])
    at = jnp.linspace(0, along[-1], images)
    return jax.vmap(lambda column: jnp.interp(at, along, column), 1, 1)(corners)


def _length(string: Float[Array, "images n"]) -> Float[Array, ""]:
    return jnp.linalg.norm(jnp.diff(string, axis=0), axis=1).sum()


def energies_at(flow: Flow, string: Float[Array, "images n"]) -> Float[Array, " images"]:
    """The energies of states along a descent of an energy."""
    energy: Any = flow.system
    return jax.vmap(lambda x: energy.energy(flow.layout.unravel(x), flow.args))(string)


@eqx.filter_jit
def _string(flow: Flow, corners, images: int, legs: int):
    """The string at rest, its highest image climbed to where it rests, and which one that is."""
    start = _even(corners, images)
    fastest = jax.vmap(lambda x: jnp.abs(jnp.linalg.eigvalsh(flow.jacobian(x))).max())
    leg = 0.5 / fastest(start[jnp.array([0, images // 2, images - 1])]).max()

    def move(x, tangent, size) -> Vector:
        end: Any = simulate(
            _Climb(flow, tangent), x, t1=leg, dt=leg, solver=dfx.Bosh3(), max_steps=4096,
            stepsize_controller=dfx.PIDController(rtol=1e-3, atol=1e-3 * size), throw=False,
        )  # fmt: skip
        return end.ys[-1]

    def step(now: _String) -> _String:
        own = (now.tangents != 0).any(axis=1)
        climbing = own.any()
        length = _length(now.at)
        ends = jax.vmap(move, (0, 0, None))(now.at, now.tangents, length / images)
        climbed = jnp.where(own[:, None], ends, now.at)
        after = jnp.where(climbing, climbed, _even(ends, images))
        far = jnp.linalg.norm(after - now.at, axis=1).max()
        last = now.leg + 1 >= jnp.where(climbing, CLIMB, legs)
        still = (far <= STILL * length) | last
        tangents = jnp.where(still & ~climbing, _uphill(flow, after), now.tangents)
        return _String(after, tangents, jnp.where(still, 0, now.leg + 1), still & climbing)

    zero = jnp.zeros((), jnp.int32)
    first = _String(start, jnp.zeros_like(start), zero, jnp.array(False))
    end = jax.lax.while_loop(lambda now: ~now.done, step, first)
    return end.at, jnp.argmax((end.tangents != 0).any(axis=1))


def _uphill(flow: Flow, string: Float[Array, "images n"]) -> Float[Array, "images n"]:
    """The direction of the string at its highest image, in the row of this image."""
    top = 1 + jnp.argmax(energies_at(flow, string)[1:-1])
    tangent = string[top + 1] - string[top - 1]
    length = jnp.linalg.norm(tangent)
    tangent = jnp.where(length > 0, tangent / length, 1.0)  # no string: any direction will do
    return jnp.zeros_like(string).at[top].set(tangent)


@eqx.filter_jit
def _report(flow: Flow, string, top, equilibria: FixedPoints):
    """The path with its ends and its saddle in place, and how far apart the two minima are."""
    a, b, saddle = jax.vmap(flow.layout.ravel)(equilibria.y)
    apart = jnp.linalg.norm(b - a)
    spacing = _length(string) / (string.shape[0] - 1)
    path = string.at[0].set(a).at[-1].set(b).at[top].set(saddle)
    energies = energies_at(flow, path)
    falling, rising, own = jax.vmap(curvatures)(-equilibria.jacobian)
    minima = (rising[:2] == a.size).all()
    near = jnp.linalg.norm(saddle - 0.5 * (string[top - 1] + string[top + 1])) <= 2 * spacing
    highest = energies[top] >= energies.max()
    index_one = (falling[2] == 1) & (rising[2] == a.size - 1)
    ok = equilibria.ok.all() & minima & index_one & near & highest
    barrier = jnp.where(ok, energies[top] - energies[0], jnp.nan)
    to_states = jax.vmap(flow.layout.unravel)
    result = EnergyPath(
        to_states(path),
        energies,
        flow.layout.unravel(saddle),
        barrier,
        own[2],
        equilibria.residual[2],
        ok,
    )
    return result, apart


def curvatures(matrix: Matrix):
    """Index of a symmetric matrix: how many curvatures fall, how many rise, and what they are; flat
    ones do neither."""
    safe = jnp.where(jnp.isfinite(matrix).all(), 0.5 * (matrix + matrix.T), 0.0)
    own = jnp.linalg.eigvalsh(safe)
    flat = FLAT * jnp.abs(own).max()
    return (own < -flat).sum(), (own > flat).sum(), own
