"""Corrector of pseudo-arclength continuation: points of a branch, and tangents."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from ...system import AbstractSystem
from ...views import bind
from .._flow import Flow
from .branches import AbstractFollowed, Equilibria

STEPS = 12  # of Newton's method
TOL = 1e-9
SINGULAR = 1e-10  # of the largest singular value of the equations' derivative
ASIDE = 0.1  # of a step: how far away a singular direction must last


@dataclass(frozen=True)
class Point:
    """A point of a branch: unknowns and parameter in one vector, the tangent there, the derivative
    of the equations, and the eigenvalues that tell stability.
    """

    z: np.ndarray
    tangent: np.ndarray
    derivative: np.ndarray
    eigenvalues: Any

    def ahead(self, length: float) -> np.ndarray:
        """Predictor: the point at this length along the tangent."""
        return self.z + length * self.tangent


@dataclass(frozen=True)
class Arc:
    """Equations of a branch, as functions of unknowns and parameter."""

    system: AbstractSystem
    where: Callable[[Any], Any] | None
    args: PyTree
    of: AbstractFollowed
    layout: Any = None  # of the state
    neutral: int = 0  # directions in which solutions are not isolated: a continuous symmetry

    def at(self, p: Any) -> tuple[AbstractSystem, PyTree]:
        """The system and the drive at a value of the parameter."""
        return _at(self.system, self.where, self.args, p)

    def unravel(self, x: np.ndarray) -> PyTree:
        """A vector of unknowns as a state of the system."""
        return self.layout.unravel(jnp.asarray(x))

    def derivative(self, z: np.ndarray) -> np.ndarray:
        """Jacobian [m, m + 1] of the equations at a point, by unknowns and parameter."""
        return np.asarray(_derivative(self._parts, jnp.asarray(z), jnp.asarray(z)))

    def correct(
        self, guess: np.ndarray, normal: np.ndarray, before: np.ndarray, near: Point | None = None
    ) -> Point | None:
        """Corrector: the point next to a guess on the plane through it with this normal, if there
        is one.

        Neutral directions, in which it must not move, are those at the point `near`.
        """
        derivative = self.derivative(guess) if near is None and self.neutral else None
        borders = _borders(near.derivative if near else derivative, normal, self.neutral)
        result = _correct(self._parts, *map(jnp.asarray, (*borders, guess, normal, before)))
        z, derivative, ok = map(np.asarray, result)
        if not ok:
            return None
        tangent = _tangent(derivative, normal, *borders)
        if not np.isfinite(tangent).all():
            return None
        return Point(z, tangent, derivative, self.of.eigenvalues(derivative[:, :-1]))

    def next(self, here: Point, length: float) -> Point | None:
        """The point at this length along the tangent."""
        return self.correct(here.ahead(length), here.tangent, here.z, here)

    def between(self, here: Point, there: Point, part: float) -> Point | None:
        """The point at this part of the way between two."""
        chord = there.z - here.z
        return self.correct(here.z + part * chord, chord / np.linalg.norm(chord), here.z, here)

    def growth(self, point: Point) -> Any:
        """The exponents of small differences, but for those along neutral directions."""
        growth = self.of.growth(point.eigenvalues)
        return np.delete(growth, np.argsort(np.abs(growth))[: self.neutral])

    def rate(self, point: Point) -> np.ndarray:
        """The vector field [n] at the state of a point."""
        return np.asarray(_rate(self._parts, jnp.asarray(point.z)))

    def borders(self, point: Point) -> tuple[np.ndarray, np.ndarray]:
        """Null vectors of the derivative, from the left (columns) and from the right (rows), other
        than the tangent: the neutral directions."""
        return _borders(point.derivative, point.tangent, self.neutral)

    def lasting(self, point: Point, step: float) -> int:
        """Number of singular directions at a point, and at its neighbours in one of them. At a
        branch point they are singular there alone."""
        count = _singular(point.derivative)
        if not count:
            return 0
        along = _borders(point.derivative, point.tangent, count)[1][0]
        aside = replace(self, neutral=count)
        there = aside.correct(point.z + ASIDE * step * along, along, point.z, point)
        return 0 if there is None else min(count, _singular(there.derivative))

    def is_inside(self, z: np.ndarray) -> bool:
        """Whether no guard is past its threshold at a rest."""
        if not isinstance(self.of, Equilibria):
            return True
        return bool(_inside(self._parts, jnp.asarray(z)))

    @property
    def _parts(self):
        return self.system, self.where, self.args, self.of, self.layout


def _at(system, where, args, p):
    if where is None:
        return system, p
    value = where(system)
    return eqx.tree_at(where, system, jnp.asarray(p, value.dtype)), args


def _flow(parts, p) -> Flow:
    system, where, args, _, layout = parts
    system, args = _at(system, where, args, p)
    return Flow(bind(system, args), args, jnp.zeros((), p.dtype), layout)


def _equations(parts, z, before):
    of: AbstractFollowed = parts[3]
    return of.equations(_flow(parts, z[-1]), z[:-1], before[:-1])


@eqx.filter_jit
def _derivative(parts, z, before):
    return jax.jacfwd(lambda z: _equations(parts, z, before))(z)


@eqx.filter_jit
def _rate(parts, z):
    of: AbstractFollowed = parts[3]
    return _flow(parts, z[-1]).rate(of.state(z[:-1]))


@eqx.filter_jit
def _inside(parts, z):
    return _flow(parts, z[-1]).inside(z[:-1])


@eqx.filter_jit
def _correct(parts, left, right, guess, normal, before):
    """Newton's method, written out: the equations and their derivative are traced together, once.
    They are by far the most of what there is to compile.
    """

    def both(z):
        value = _equations(parts, z, before)
        return value, value

    def newton(carry):
        z, *_, k, _ = carry
        derivative, value = jax.jacfwd(both, has_aux=True)(z)
        miss = jnp.append(value, normal @ (z - guess))
        matrix = bordered(jnp.vstack([derivative, normal[None]]), left, right)
        change = jnp.linalg.solve(matrix, jnp.append(miss, jnp.zeros(len(right), miss.dtype)))
        change = change[: len(z)]
        # At a branch point these equations are singular, and the guess may be the point itself.
        there = (k == 0) & (jnp.abs(miss).max() <= 1e-3 * TOL)
        tiny = jnp.abs(change).max() <= 1e-3 * TOL + 1e-13 * jnp.abs(z).max()
        stop = there | tiny | ~jnp.isfinite(change).all() | (k == STEPS)
        return jnp.where(stop, z, z - change), jnp.abs(miss).max(), derivative, k + 1, stop

    size = guess.shape[0]
    empty = jnp.full((size - 1, size), jnp.nan, guess.dtype)
    start = guess, jnp.full((), jnp.inf, guess.dtype), empty, jnp.array(0), jnp.array(False)
    z, miss, derivative, _, _ = jax.lax.while_loop(lambda carry: ~carry[-1], newton, start)
    ok = miss <= TOL * (1 + jnp.abs(z).max())
    return z, derivative, ok & jnp.isfinite(derivative).all()


def bordered(square, left, right):
    """Bordered matrix: a matrix without its neutral directions, which the borders fix."""
    count = len(right)
    below = jnp.zeros((len(square) - len(left), count), square.dtype)
    corner = jnp.zeros((count, count), square.dtype)
    return jnp.block([[square, jnp.concatenate([left, below])], [right, corner]])


def _borders(derivative: Any, along: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    size = len(along)
    if not count:
        return np.zeros((size - 1, 0)), np.zeros((0, size))
    left, _, right = np.linalg.svd(derivative)
    null = right[size - 1 - count :]
    rotation = np.linalg.svd((null @ along)[None])[2]
    return left[:, size - 1 - count :], rotation[1:] @ null


def _singular(derivative: np.ndarray) -> int:
    """Number of null directions of the unknowns, other than the branch's own."""
    sizes = np.linalg.svd(derivative, compute_uv=False)
    return int((sizes <= SINGULAR * sizes[0]).sum())


def _tangent(
    derivative: np.ndarray, along: np.ndarray, left: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """The unit vector that the derivative takes to zero, on the side of another one, and across
    the neutral directions.
    """
    tangent = np.linalg.svd(derivative)[2][-1]
    if len(right):
        matrix = np.asarray(bordered(np.vstack([derivative, along]), left, right))
        tangent = np.linalg.lstsq(matrix, np.eye(len(matrix))[len(along) - 1], rcond=None)[0]
        tangent = tangent[: len(along)] / np.linalg.norm(tangent[: len(along)])
    return tangent if tangent @ along >= 0 else -tangent
