"""Explicit Runge-Kutta steps with their stages written out."""

from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree


class Unrolled(dfx.AbstractWrappedSolver):
    """The steps of an explicit Runge-Kutta solver of diffrax, its stages written out.

    Same tableau, error estimate and interpolation, the same numbers to rounding; but no loop over
    stages, whose buffers cost up to ten times the arithmetic of a large population, and nothing
    carried from step to step, so that a jump of the state needs no care.
    """

    inner: dfx.AbstractERK

    @property
    def solver(self) -> dfx.AbstractSolver:
        """The solver whose tableau this is."""
        return self.inner

    @property
    def scan_kind(self) -> str:
        """For diffrax's adjoints, which would set the loop over the stages: there is none."""
        return "lax"

    @property
    def term_structure(self):
        return self.inner.term_structure

    @property
    def interpolation_cls(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.inner.interpolation_cls

    def order(self, terms):
        return self.inner.order(terms)

    def strong_order(self, terms):
        return self.inner.strong_order(terms)

    def error_order(self, terms):
        return self.inner.error_order(terms)

    def func(self, terms, t0, y0, args):
        return self.inner.func(terms, t0, y0, args)

    def init(self, terms, t0, t1, y0, args) -> None:
        return None

    def step(self, terms, t0: Any, t1: Any, y0, args, solver_state, made_jump):
        tableau: Any = self.inner.tableau
        control = terms.contr(t0, t1)
        increments = [terms.vf_prod(t0, y0, args, control)]
        for place, row in zip(tableau.c, tableau.a_lower, strict=True):
            t = t1 if place == 1 else t0 + float(place) * (t1 - t0)
            increments.append(terms.vf_prod(t, _combine(y0, row, increments), args, control))
        y1 = _combine(y0, tableau.b_sol, increments)
        error = _combine(jax.tree.map(jnp.zeros_like, y0), tableau.b_error, increments)
        stages = jax.tree.map(lambda *k: jnp.stack(k), *increments)
        return y1, error, dict(y0=y0, y1=y1, k=stages), None, dfx.RESULTS.successful


def _combine(y: PyTree, weights: np.ndarray, increments: list[PyTree]) -> PyTree:
    used = [(float(w), k) for w, k in zip(weights, increments, strict=True) if w != 0]

    def add(leaf, *parts):
        return sum((w * part for (w, _), part in zip(used, parts, strict=True)), start=leaf)

    return jax.tree.map(add, y, *(k for _, k in used))


def unrolled(solver: Any) -> Any:
    """`solver` with its stages written out, if it is an explicit Runge-Kutta solver of diffrax."""
    # by class: `isinstance` sees through the wrappers of diffrax
    return Unrolled(solver) if issubclass(type(solver), dfx.AbstractERK) else solver
