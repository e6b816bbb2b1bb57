"""White noise by absolute time: the same path whatever run asks for it, and in what steps."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Int, Key, PyTree

from ..instant import rounding
from ..system import AbstractSystem, Scalar


class _Amplitude(eqx.Module):
    """The amplitude of a system's noise, as the vector field of a control term."""

    system: AbstractSystem

    def __call__(self, t, y, args):
        return lx.DiagonalLinearOperator(self.system.noise(t, y, args))


class BrownianCells(dfx.AbstractBrownianPath):
    """A Brownian path in cells of `width`, each drawn from `key` and its number alone.

    A step over one cell, as constant steps of that width are, costs one draw; inside a cell the
    path is a bridge, resolved down to `depth` halvings (Brownian tree of diffrax).
    """

    key: Key[Array, ""] | Any
    width: Scalar
    shape: PyTree[jax.ShapeDtypeStruct] = eqx.field(static=True)
    depth: int = eqx.field(static=True)
    levy_area: Any = eqx.field(default=dfx.BrownianIncrement, static=True)

    @property
    def t0(self):
        """There is no first time."""
        return -jnp.inf

    @property
    def t1(self):
        """There is no last time."""
        return jnp.inf

    def evaluate(self, t0, t1=None, left: bool = True, use_levy: bool = False):
        if t1 is None:
            t0, t1 = jnp.zeros_like(jnp.asarray(t0)), t0
        t0, t1 = (lax.stop_gradient(jnp.asarray(t)) for t in (t0, t1))
        close = jnp.minimum(rounding(t0) + rounding(t1), 0.25 * self.width) / self.width
        first = jnp.round(t0 / self.width).astype(jnp.int32)
        cell = jnp.abs(t0 / self.width - first) <= close
        cell = cell & (jnp.abs(t1 / self.width - (first + 1)) <= close)
        change = lax.cond(cell, lambda: self._cell(first), lambda: self._between(t0, t1, close))
        return dfx.BrownianIncrement(dt=t1 - t0, W=change) if use_levy else change

    def _normal(self, key) -> PyTree[Array]:
        leaves, treedef = jax.tree.flatten(self.shape)
        keys = jax.random.split(key, len(leaves))
        draws = [jax.random.normal(k, x.shape, x.dtype) for k, x in zip(keys, leaves, strict=True)]
        return jax.tree.unflatten(treedef, draws)

    def _cell(self, number: Int[Array, ""]) -> PyTree[Array]:
        """The increment over a cell."""
        scale = jnp.sqrt(self.width)
        drawn = self._normal(jax.random.fold_in(self.key, number))
        return jax.tree.map(lambda x: x * scale.astype(x.dtype), drawn)

    def _inside(self, number: Int[Array, ""], part: Scalar) -> PyTree[Array]:
        """The path in a cell, at a part of its width, from the cell's start: its increment in
        proportion, and a bridge."""
        whole, key = self._cell(number), jax.random.fold_in(self.key, number)
        one = jnp.ones_like(part)
        # Another key than that of the increment: what `split` gives is never `fold_in`'s.
        tree = dfx.VirtualBrownianTree(
            0.0, 1.0, tol=2.0**-self.depth, shape=self.shape, key=jax.random.fold_in(key, 1)
        )
        at, end = tree.evaluate(0 * one, part), tree.evaluate(0 * one, one)
        scale = jnp.sqrt(self.width)

        def bridged(whole, at, end):
            s = part.astype(whole.dtype)
            return s * whole + scale.astype(whole.dtype) * (at - s * end)

        return jax.tree.map(bridged, whole, at, end)

    def _between(self, t0, t1, close) -> PyTree[Array]:
        """The increment between any two times: over the cells that they touch."""
        a, b = t0 / self.width, t1 / self.width
        first = jnp.floor(a + close).astype(jnp.int32)
        last = jnp.ceil(b - close).astype(jnp.int32)  # the first cell beyond

        def turn(carry):
            number, total = carry
            start = jnp.clip(a - number, 0.0, 1.0)
            stop = jnp.clip(b - number, 0.0, 1.0)
            whole = (start <= close) & (stop >= 1 - close)
            change = lax.cond(
                whole,
                lambda: self._cell(number),
                lambda: jax.tree.map(
                    jnp.subtract, self._inside(number, stop), self._inside(number, start)
                ),
            )
            return number + 1, jax.tree.map(jnp.add, total, change)

        zero = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), self.shape)
        return lax.while_loop(lambda c: c[0] < last, turn, (first, zero))[1]


def noise_term(system: AbstractSystem, y0: PyTree, key: Any, dt: Scalar, fixed: bool) -> Any:
    """The noise of a system as a term of diffrax, in cells of `dt`. `fixed` steps are about as
    long; adaptive ones may become much shorter, and get a finer path.
    """
    shape = jax.tree.map(lambda x: jax.ShapeDtypeStruct(jnp.shape(x), jnp.result_type(x)), y0)
    path = BrownianCells(key, dt, shape, depth=2 if fixed else 20)
    return dfx.ControlTerm(_Amplitude(system), path)
