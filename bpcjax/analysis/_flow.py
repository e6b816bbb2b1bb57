"""Vector field of a system as a function of one vector, as analysis needs it."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from .._fit import check_shapes
from .._layout import Layout
from .._require import number, state
from ..system import AbstractSpikingSystem, AbstractSystem, Scalar, is_traced
from ..views import bind

Vector = Float[Array, " n"]
Matrix = Float[Array, "n n"]


def as_floats(y: PyTree, name: str = "y") -> PyTree:
    """`y` with floating arrays for leaves.

    **Raises:** `ValueError` with the name where one holds no numbers.
    """
    return state(name, y, real=True)


class Flow(eqx.Module):
    """Flow of a system over the vector of its state, its drive taken at time `t`."""

    system: AbstractSystem
    args: PyTree
    t: Scalar
    layout: Layout = eqx.field(static=True)

    def rate(self, x: Vector) -> Vector:
        """The vector field dx/dt [n] at the vector `x` [n]."""
        y = self.layout.unravel(x)
        return self.layout.ravel(self.system.vector_field(self.t, y, self.args))

    def jacobian(self, x: Vector) -> Matrix:
        """The Jacobian [n, n] of the vector field at `x` [n]."""
        return jax.jacfwd(self.rate)(x)

    def inside(self, x: Vector) -> Bool[Array, ""]:
        """Whether no guard is past its threshold at `x`, where the flow is the system's."""
        if not isinstance(self.system, AbstractSpikingSystem):
            return jnp.array(True)
        return (self.system.guard(self.t, self.layout.unravel(x), self.args) < 0).all()


def flow_of(
    system: AbstractSystem, like: PyTree, args: PyTree, t: Any = 0.0, name: str = "y"
) -> Flow:
    """The flow of `system` on states like `like`, of which its drive must allow one.

    **Raises:** `ValueError` if the state, the drive and the vector field do not fit together.
    """
    like, t = as_floats(like, name), number("t", t, finite=True)
    system = bind(system, args)
    check_shapes(system, t, like, args, name)
    return Flow(system, args, t.astype(jnp.result_type(float)), Layout.of(like))


def first_row(rows: PyTree, name: str) -> tuple[PyTree, int]:
    """The first of the stacked states in `rows`, and how many they are.

    **Raises:** `ValueError` if the leaves have no common leading axis, or no rows.
    """
    rows = as_floats(rows, name)
    shapes = [jnp.shape(x) for x in jax.tree.leaves(rows)]
    counts = {shape[0] if shape else None for shape in shapes}
    if len(counts) != 1 or None in counts or 0 in counts:
        raise ValueError(
            f"{name} must be stacked states, one a row on the leading axis of every leaf; "
            f"got shapes {shapes}."
        )
    return jax.tree.map(lambda x: jnp.asarray(x)[0], rows), shapes[0][0]


def ravel(y: PyTree) -> Vector:
    """A state as a vector [n], in the order of `ravel_pytree`."""
    y = as_floats(y)
    return Layout.of(y).ravel(y)


def ravel_rows(rows: PyTree, name: str = "rows") -> Float[Array, "rows n"]:
    """Stacked states as stacked vectors."""
    return jax.vmap(ravel)(as_floats(rows, name))


@eqx.filter_jit
def structural(flow: Flow, x: Float[Array, "rows n"]) -> Bool[Array, " n"]:
    """Structural zeros: the coordinates that the flow never moves by itself, which are modes, and
    clocks that only modes move.

    Their rows of the Jacobian are zero everywhere (it is looked at around some of the points `x`),
    or are so once such coordinates are constant.
    """
    few = jnp.where(jnp.isfinite(x[:8]), x[:8], 0.0)
    jitter = jnp.sin(1.0 + 7.0 * jnp.arange(few.size, dtype=x.dtype)).reshape(few.shape)
    around = jnp.concatenate([few, few + 1e-3 * (1 + jnp.abs(few)) * jitter])
    moves = (jax.vmap(flow.jacobian)(around) != 0).any(axis=0)

    def hold(constant, _):
        return ~(moves & ~constant[None, :]).any(axis=1), None

    depth = min(4, x.shape[1])
    return jax.lax.scan(hold, jnp.zeros(x.shape[1], bool), length=depth)[0]


def known(*trees: PyTree) -> bool:
    """Whether all arrays are concrete: no JAX transformation traces them."""
    return not is_traced(*jax.tree.leaves(trees))


def padded(run: Callable, flow: Flow, rows: np.ndarray, *options: Any) -> tuple[np.ndarray, ...]:
    """`run` over rows, padded to a power of two in number, so that few programs are compiled."""
    room = 1 << (len(rows) - 1).bit_length()
    filled = np.resize(rows, (room, rows.shape[1]))
    return tuple(np.asarray(part)[: len(rows)] for part in run(flow, filled, *options))
