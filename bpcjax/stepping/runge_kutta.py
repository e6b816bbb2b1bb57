"""Explicit Runge-Kutta steps of diffrax's tableaus, fast to run or fast to compile."""

from abc import abstractmethod
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from .base import AbstractAround


class AbstractExplicitSteps(AbstractAround):
    """Explicit Runge-Kutta solver after one of diffrax: same tableau, error estimate and
    interpolation, the same numbers to rounding, but nothing carried from step to step, so that a
    jump of the state needs no care, and no loop that one mode of differentiation cannot pass."""

    inner: dfx.AbstractERK

    @property
    def solver(self) -> dfx.AbstractSolver:
        """The solver whose tableau this is."""
        return self.inner

    @property
    def scan_kind(self) -> str:
        """For diffrax's adjoints, which would set the loop over stages of `inner`: not in use."""
        return "lax"

    @property
    def interpolation_cls(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.inner.interpolation_cls

    def init(self, terms, t0, t1, y0, args) -> None:
        return None

    @abstractmethod
    def advance(self, terms, t0: Any, t1: Any, y0, args) -> tuple[PyTree, PyTree, PyTree]:
        """The state at `t1`, the error estimate, and the increments of all stages, stacked."""

    def step(self, terms, t0: Any, t1: Any, y0, args, solver_state, made_jump):
        y1, error, stages = self.advance(terms, t0, t1, y0, args)
        return y1, error, dict(y0=y0, y1=y1, k=stages), None, dfx.RESULTS.successful


class Unrolled(AbstractExplicitSteps):
    """Unrolled Runge-Kutta solver, stages written out: for a large population up to ten times
    faster than a loop over them, whose buffers cost more than the arithmetic."""

    def advance(self, terms, t0: Any, t1: Any, y0, args):
        tableau: Any = self.inner.tableau
        control = terms.contr(t0, t1)
        increments = [terms.vf_prod(t0, y0, args, control)]
        for place, row in zip(tableau.c, tableau.a_lower, strict=True):
            t = t1 if place == 1 else t0 + float(place) * (t1 - t0)
            increments.append(terms.vf_prod(t, _combine(y0, row, increments), args, control))
        error = _combine(jax.tree.map(jnp.zeros_like, y0), tableau.b_error, increments)
        stages = jax.tree.map(lambda *k: jnp.stack(k), *increments)
        return _combine(y0, tableau.b_sol, increments), error, stages


class Looped(AbstractExplicitSteps):
    """Looped Runge-Kutta solver, stages in a `scan`: the equations stand in the program once, so
    that it compiles sooner."""

    def advance(self, terms, t0: Any, t1: Any, y0, args):
        tableau: Any = self.inner.tableau
        count = len(tableau.c) + 1
        rows = np.zeros((count, count))
        for i, row in enumerate(tableau.a_lower):
            rows[i + 1, : len(row)] = row
        places = np.concatenate([[0.0], tableau.c])
        control = terms.contr(t0, t1)

        def weigh(weights, stages):
            return jax.tree.map(lambda k: jnp.tensordot(weights.astype(k.dtype), k, 1), stages)

        def add(y, increment):
            return jax.tree.map(lambda a, b: a + b, y, increment)

        def stage(stages, at):
            index, place, row = at
            y = add(y0, weigh(row, stages))
            t = t0 + place.astype(t1.dtype) * (t1 - t0)
            k = terms.vf_prod(t, y, args, control)
            filled = jax.tree.map(
                lambda s, x: lax.dynamic_update_index_in_dim(s, x, index, 0), stages, k
            )
            return filled, None

        empty = jax.tree.map(lambda x: jnp.zeros((count, *jnp.shape(x)), x.dtype), y0)
        stages, _ = lax.scan(stage, empty, (jnp.arange(count), jnp.array(places), jnp.array(rows)))
        y1 = add(y0, weigh(jnp.array(tableau.b_sol), stages))
        return y1, weigh(jnp.array(tableau.b_error), stages), stages


def _combine(y: PyTree, weights: np.ndarray, increments: list[PyTree]) -> PyTree:
    used = [(float(w), k) for w, k in zip(weights, increments, strict=True) if w != 0]

    def add(leaf, *parts):
        return sum((w * part for (w, _), part in zip(used, parts, strict=True)), start=leaf)

    return jax.tree.map(add, y, *(k for _, k in used))


def unrolled(solver: Any) -> Any:
    """`solver` with its stages written out, if it is an explicit Runge-Kutta solver of diffrax."""
    # by class: `isinstance` sees through the wrappers of diffrax
    return Unrolled(solver) if issubclass(type(solver), dfx.AbstractERK) else solver


def looped(solver: Any) -> Any:
    """Looped solver with the same steps, if `solver` is `Unrolled`."""
    return Looped(solver.inner) if type(solver) is Unrolled else solver


def both_modes(solver: Any) -> Any:
    """`solver` in a form that allows both modes of differentiation, batched."""
    if issubclass(type(solver), dfx.AbstractRungeKutta) and not issubclass(
        type(solver), dfx.AbstractERK
    ):
        return eqx.tree_at(lambda s: s.scan_kind, solver, "bounded", is_leaf=lambda x: x is None)
    return unrolled(solver)
