"""Brownian motion by absolute time: the same path whatever run asks for it, and in what steps."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.lax as lax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Int, Key, PyTree

from .._instant import rounding
from .._layout import Layout, Vector
from ..system import AbstractSystem, Scalar


class _Amplitude(eqx.Module):
    """The amplitude of a system's noise, as the vector field of a control term."""

    system: AbstractSystem

    def __call__(self, t, y, args):
        return lx.DiagonalLinearOperator(self.system.noise(t, y, args))


class BrownianCells(dfx.AbstractBrownianPath):
    """Brownian path in cells of `width`, each drawn from `key` and its number alone.

    A step over one cell, as constant steps of that width are, costs one draw; inside a cell the
    path is a bridge, resolved down to `depth` halvings (the Brownian tree of diffrax).
    """

    key: Key[Array, ""] | Any
    width: Scalar
    layout: Layout = eqx.field(static=True)  # of the state
    depth: int = eqx.field(static=True)
    levy_area: Any = eqx.field(default=dfx.BrownianIncrement, static=True)

    @property
    def t0(self):
        """Start of the path's domain: minus infinity, as there is no first time."""
        return -jnp.inf

    @property
    def t1(self):
        """End of the path's domain: infinity, as there is no last time."""
        return jnp.inf

    def evaluate(self, t0, t1=None, left: bool = True, use_levy: bool = False):
        if t1 is None:
            t0, t1 = jnp.zeros_like(jnp.asarray(t0)), t0
        # A path has no derivative in time: who asks for one is refused.
        t0, t1 = (eqxi.nondifferentiable(jnp.asarray(t), name="t of white noise") for t in (t0, t1))
        close = jnp.minimum(rounding(t0) + rounding(t1), 0.25 * self.width) / self.width
        a, b = t0 / self.width, t1 / self.width
        first = jnp.round(a)
        cell = (jnp.abs(a - first) <= close) & (jnp.abs(b - first - 1) <= close)
        change = lax.cond(
            cell,
            lambda: self._cell(first.astype(jnp.int32)),
            lambda: self._between(a, b, close),
        )
        change = self.layout.unravel(change)
        return dfx.BrownianIncrement(dt=t1 - t0, W=change) if use_levy else change

    def _cell(self, number: Int[Array, ""]) -> Vector:
        """Brownian increment [n] over the cell of this `number`."""
        dtype = self.layout.dtype
        normal = jax.random.normal(jax.random.fold_in(self.key, number), (self.layout.size,), dtype)
        return normal * jnp.sqrt(self.width).astype(dtype)

    def _inside(self, number: Int[Array, ""], start: Scalar, stop: Scalar) -> Vector:
        """The increment between two parts of a cell: in proportion, and that of a bridge."""
        key = jax.random.fold_in(jax.random.fold_in(self.key, number), 1)
        shape = jax.ShapeDtypeStruct((self.layout.size,), self.layout.dtype)
        tree = dfx.VirtualBrownianTree(0.0, 1.0, tol=2.0**-self.depth, shape=shape, key=key)
        parts = jnp.stack([start, stop, jnp.ones_like(start)])
        values: Any = jax.vmap(lambda part: tree.evaluate(jnp.zeros_like(part), part))(parts)
        at, until, end = values
        share = (stop - start).astype(shape.dtype)
        bridge = jnp.sqrt(self.width).astype(shape.dtype) * (until - at - share * end)
        return share * self._cell(number) + bridge

    def _between(self, a, b, close) -> Vector:
        """The increment between any two times, in cells: over those that they touch."""
        first = jnp.floor(a + close).astype(jnp.int32)
        last = jnp.ceil(b - close).astype(jnp.int32)  # the first cell beyond

        def turn(carry):
            number, total = carry
            start, stop = (jnp.clip(x - number.astype(x.dtype), 0.0, 1.0) for x in (a, b))
            change = lax.cond(
                (start <= close) & (stop >= 1 - close),
                lambda: self._cell(number),
                lambda: self._inside(number, start, stop),
            )
            return number + 1, total + change

        nothing = jnp.zeros(self.layout.size, self.layout.dtype)
        return lax.while_loop(lambda c: c[0] < last, turn, (first, nothing))[1]


def noise_term(system: AbstractSystem, y0: PyTree, key: Any, dt: Scalar, fixed: bool) -> Any:
    """The noise of a system as a term of diffrax, in cells of `dt`. `fixed` steps are about as
    long; adaptive ones may become much shorter, and get a finer path.
    """
    path = BrownianCells(key=key, width=dt, layout=Layout.of(y0), depth=2 if fixed else 20)
    return dfx.ControlTerm(_Amplitude(system), path)
