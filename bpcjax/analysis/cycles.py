"""Periodic orbits by the shooting method, through spikes as well, and their Floquet multipliers."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, Bool, Complex, Float, PyTree

from .._require import check_times, scalar
from ..system import AbstractSystem, Scalar, bad_parameters
from ._flow import Flow, Matrix, Vector, known, structural
from .flow_map import FlowMap, map_of

STEPS = 50  # of Newton's method


class Cycle(eqx.Module):
    """Periodic orbit: a state on it, its period, and its Floquet multipliers by falling size.

    One multiplier is 1, that of a shift along the orbit. `monodromy` is the derivative of the
    flow over one period (of which the modes, coordinates that only events change, have no
    multiplier); `residual` how far the orbit misses its start. Where `ok` is false there
    is no such orbit near the guess, and the numbers are NaN.
    """

    y: PyTree
    period: Scalar
    multipliers: Complex[Array, " m"]
    monodromy: Matrix
    residual: Scalar
    ok: Bool[Array, ""]

    @property
    def stable(self) -> Bool[Array, ""]:
        """Whether every multiplier but that of the shift is inside the unit circle."""
        return self.ok & (jnp.abs(drop_shift(self.multipliers)) < 1).all()


def find_cycle(
    system: AbstractSystem,
    y0: PyTree,
    period: Any,
    args: PyTree = None,
    *,
    dt: Any,
    solver: Any = None,
    tol: float = 1e-9,
) -> Cycle:
    """Single shooting: the periodic orbit next to a guess of a state on it and of its period, by
    Newton's method on the flow over one period, from steps of about `dt`.

    It may be unstable, if not so much that a period cannot be integrated. Spikes may fall anywhere
    on it but at its start. The drive must not depend on time. An equilibrium, which returns to
    itself after any time, is no cycle: `ok=False`, as if none is found.

    **Raises:** `ValueError` for bad times, noise, delays, a solver that does not fit, or a drive
    that depends on time.
    """
    if not known(period, dt):
        raise ValueError("period and dt must be numbers: they fix the number of steps.")
    check_times(0.0, period, dt, "period")
    tol = scalar("tol", tol, above=0)
    if bool(bad_parameters(system)):
        raise ValueError("system: a parameter is out of its range.")
    steps = max(4, round(float(period) / float(dt)))
    step_map, x = map_of(system, y0, args, solver, steps)
    check_autonomous(step_map, x)
    period = jnp.asarray(period, x.dtype)
    modes = modes_of(step_map, x, period)
    x, period, monodromy, residual, ok = _shoot(step_map, x, period, modes, tol)
    shown = jnp.where(ok, x, jnp.nan)
    monodromy = jnp.where(ok, monodromy, jnp.nan)
    return Cycle(
        step_map.flow.layout.unravel(shown),
        jnp.where(ok, period, jnp.nan),
        multipliers_of(monodromy, modes),
        monodromy,
        residual,
        ok,
    )


def check_autonomous(step_map: FlowMap, x: Vector) -> None:
    """Raise `ValueError` if the vector field depends on time at `x`."""
    flow = step_map.flow

    def rate(t):
        return eqx.tree_at(lambda flow: flow.t, flow, t).rate(x)

    times = jnp.asarray([0.0, 1.0, np.e, 10 * np.pi], x.dtype)
    if bool((jax.vmap(rate)(times) != rate(times[0])[None]).any()):
        raise ValueError("args or system depends on time: a cycle needs a drive that does not.")


@eqx.filter_jit
def _shoot(step_map: FlowMap, x0, period, modes, tol):
    def miss(z, _):
        return shooting(step_map, z[None, :-1], z[-1], x0, modes)[0]

    start = jnp.append(x0, period)
    newton = optx.Newton(rtol=1e-12, atol=1e-2 * tol)
    root = optx.root_find(miss, newton, start, max_steps=STEPS, throw=False)
    x, period = root.value[:-1], root.value[-1]
    period = jnp.where(period > 0, period, jnp.nan)
    end, monodromy, fine = step_map.along(x, 0.0, period, jnp.eye(x.size))
    residual = jnp.abs(end - x).max()
    moves = jnp.abs(step_map.flow.rate(x)).max() * period
    ok = fine & (residual <= tol * (1 + jnp.abs(x).max())) & (moves > 1e-6 * (1 + jnp.abs(x).max()))
    return x, period, monodromy, residual, ok


def shooting(
    step_map: FlowMap, x: Float[Array, "legs n"], period: Scalar, before: Vector, modes
) -> tuple[Float[Array, " m"], Bool[Array, ""]]:
    """Residual of multiple shooting: by how much the flow over each leg of a period misses the
    start of the next, and how much later (in time) the first starts than the state `before`; with
    whether the solves succeeded."""
    span = period / len(x)
    ends, ok = jax.vmap(lambda x: step_map(x, 0.0, span))(x)
    rate = jax.lax.stop_gradient(step_map.flow.rate(before))
    size = jnp.where((rate**2).sum() > 0, (rate**2).sum(), 1.0)
    constant = jax.lax.stop_gradient(x)
    misses = jnp.where(modes, x - constant, ends - jnp.roll(x, -1, axis=0))
    return jnp.append(misses.ravel(), rate @ (x[0] - before) / size), ok.all()


@eqx.filter_jit
def modes_of(step_map: FlowMap, x: Vector, period: Scalar) -> Bool[Array, " n"]:
    """The modes of a cycle through `x`: see `modes_among`."""
    _, monodromy, _ = step_map.along(x, 0.0, period, jnp.eye(x.size, dtype=x.dtype))
    return modes_among(step_map.flow, x, monodromy)


def modes_among(flow: Flow, x: Vector, monodromy: Matrix) -> Bool[Array, " n"]:
    """The coordinates that the flow never moves, and that events bring back as they were: a
    period is right whatever they are.
    """
    as_it_was = (monodromy == jnp.eye(x.size, dtype=x.dtype)).all(axis=1)
    return as_it_was & structural(flow, x[None])


def multipliers_of(
    monodromy: Matrix, modes: Bool[Array, " n"] | None = None
) -> Complex[Array, " m"]:
    """Floquet multipliers: the eigenvalues of a monodromy matrix, by falling size, without those of
    modes."""
    host = np.asarray(monodromy)
    if modes is not None:
        free = np.flatnonzero(~np.asarray(modes))
        host = host[np.ix_(free, free)]
    if not np.isfinite(host).all():
        return jnp.full(host.shape[0], jnp.nan, complex)
    values: Any = np.linalg.eigvals(host).astype(complex)
    return jnp.asarray(values[np.lexsort((-values.imag, -np.abs(values)))])


def drop_shift(multipliers: Complex[Array, " m"]) -> Complex[Array, " l"]:
    """The multipliers without the one next to 1, that of a shift along the orbit."""
    return jnp.delete(multipliers, jnp.argmin(jnp.abs(multipliers - 1)), assume_unique_indices=True)
