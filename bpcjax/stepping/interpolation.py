"""Piecewise interpolation: dense output of a step that events cut into pieces."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from .._layout import Layout
from .base import AbstractAroundInterpolation


class PiecewiseInterpolation(AbstractAroundInterpolation):
    """Piecewise interpolation, the inner solver's on each piece; right-continuous at the events.

    The last piece is the one after all events; those before it are padded with `inf` starts.
    """

    t0: Any
    t1: Any
    starts: Float[Array, " pieces"]
    ends: Float[Array, " pieces"]
    infos: PyTree[Array]
    like: PyTree[Array]  # a state, for its structure
    interpolation_cls: Callable[..., Any] = eqx.field(static=True)

    def at(self, t):
        earlier = jnp.maximum(jnp.sum(self.starts[:-1] <= t) - 1, 0)
        # Without earlier pieces the last is the whole step, whose start rounding may put after t.
        last = (t >= self.starts[-1]) | jnp.isinf(self.starts[0])
        index = jnp.where(last, self.starts.shape[0] - 1, earlier)
        info = jax.tree.map(lambda leaf: leaf[index], self.infos)
        piece = self.interpolation_cls(t0=self.starts[index], t1=self.ends[index], **info)
        return Layout.of(self.like).unravel(piece.evaluate(t))


class Piece(eqx.Module):
    """Piece of a step without events: its ends and the inner solver's dense information."""

    start: Any  # a time, or stacked times
    end: Any
    info: PyTree[Array]

    def after(self, earlier: "Piece") -> "Piece":
        """The pieces `earlier`, stacked, and then this one."""

        def join(head, tail):
            return jnp.concatenate([head, jnp.asarray(tail, head.dtype)[None]])

        return jax.tree.map(join, earlier, self)

    def never(self, count: int) -> "Piece":
        """`count` pieces like this one that no time falls in."""
        starts = jnp.full(count, jnp.inf, jnp.result_type(self.start))

        def blank(x):
            return jnp.zeros((count, *jnp.shape(x)), jnp.result_type(x))

        return Piece(starts, starts, jax.tree.map(blank, self.info))
