"""Phase response curve: how much a push at each point of a cycle advances its rhythm."""

from typing import Any

import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from .._require import check_times, count as as_count, instance, scalar
from ..system import AbstractSystem
from ._flow import as_floats, known, ravel
from .cycles import Cycle, modes_among
from .flow_map import FlowMap, map_of

SIMPLE = 1e-9  # of the largest singular value: below it the multiplier 1 is not simple


class PhaseResponse(eqx.Module):
    """Phase response curve along one period of a cycle, from its start.

    `gradient` is the advance in time per unit of each variable for a small push at each of
    `times`; a push of the potential is its first leaf. `shift` is the advance measured after a
    finite push, where one was given. `ok` is false where the cycle is not, where the pushed state
    had not come back to the cycle, or where there is no phase, because differences other than a
    shift last as well (the multiplier 1 is not simple: NaN). Modes, coordinates that only events
    change, have no gradient: zero.
    """

    times: Float[Array, " count"]
    y: PyTree[Float[Array, "count ..."]]
    gradient: PyTree[Float[Array, "count ..."]]
    shift: Float[Array, " count"] | None
    ok: Bool[Array, ""]


def phase_response(
    system: AbstractSystem,
    cycle: Cycle,
    args: PyTree = None,
    *,
    dt: Any,
    count: int = 128,
    push: PyTree = None,
    periods: int = 10,
    tol: float = 1e-3,
    solver: Any = None,
) -> PhaseResponse:
    """Phase response curve of a `cycle` of `find_cycle` at `count` moments of its period.

    By the adjoint: the left eigenvector of the monodromy matrix for the multiplier of the shift,
    scaled to one unit of time per unit of time along the flow, carried back through the derivatives
    of the flow, spikes included. And, with a `push` (a change of the state), directly: each state
    of the cycle is pushed, left to itself for so many `periods`, and compared with the cycle. What
    then differs from it by more than `tol` of the cycle's size has not come back.

    **Raises:** `ValueError` for bad times, counts, or a push that does not fit the state.

    Source: Ermentrout & Terman, *Mathematical Foundations of Neuroscience* (2010), ch. 8;
    Govaerts & Sautois, Neural Comput 18, 817 (2006).
    """
    if not known(cycle, dt):
        raise ValueError("cycle and dt must be numbers: they fix the number of steps.")
    instance("cycle", cycle, Cycle)
    count, periods = as_count("count", count, 2), as_count("periods", periods, 1)
    tol = scalar("tol", tol, above=0)
    if not bool(cycle.ok):
        raise ValueError("cycle is not ok: find it first.")
    check_times(0.0, cycle.period, dt, "cycle: period")
    steps = max(1, round(float(cycle.period) / count / float(dt)))
    step_map, x = map_of(system, cycle.y, args, solver, steps, "cycle")
    times = jnp.arange(count) * cycle.period / count
    xs, back = _derivatives(step_map, x, cycle.period / count, count)
    modes = modes_among(step_map.flow, x, cycle.monodromy)
    rate = step_map.flow.rate(x)
    gradient = jnp.asarray(_adjoint(*map(np.asarray, (back, rate, modes))), x.dtype)
    shift, ok = None, jnp.isfinite(gradient).all()
    if push is not None:
        change = ravel(as_floats(push, "push"))
        if change.shape != x.shape:
            raise ValueError(f"push must be a change of the state: {change.shape}, {x.shape}.")
        again = FlowMap(step_map.flow, solver, steps * count)
        shift, near = _direct(again, xs, gradient, times, cycle.period, change, periods)
        ok = ok & (near <= tol).all()
    unravel = jax.vmap(step_map.flow.layout.unravel)
    return PhaseResponse(times, unravel(xs), unravel(gradient), shift, ok)


@eqx.filter_jit
def _derivatives(step_map: FlowMap, x, span, count: int):
    def advance(x, _):
        after, derivative, _ = step_map.along(x, 0.0, span, jnp.eye(x.size, dtype=x.dtype))
        return after, (x, derivative)

    return lax.scan(advance, x, length=count)[1]


def _adjoint(derivatives: np.ndarray, rate: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """The gradients of phase before each of the derivatives, which take it back. NaN where no
    phase can be told: the multiplier of the shift is not simple.
    """
    free = np.flatnonzero(~modes)
    gradients = np.zeros((len(derivatives), len(rate)))
    blocks = derivatives[:, free[:, None], free]
    gradient = _shift_covector(np.linalg.multi_dot([np.eye(len(free)), *blocks[::-1]]), rate[free])
    for k in reversed(range(len(blocks))):
        gradient = gradient @ blocks[k]
        gradients[k, free] = gradient
    return gradients


def _shift_covector(monodromy: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """The left eigenvector for the multiplier 1 whose product with the rate is 1.

    No eigenvalue is picked, for others may be as near to 1: the rate is the right eigenvector, so
    the left one solves the equations bordered by it.
    """
    size = len(rate)
    length = np.linalg.norm(rate)
    border = rate / np.where(length > 0, length, 1.0)
    miss = monodromy.T - np.eye(size)
    square = np.block([[miss, border[:, None]], [border[None], np.zeros((1, 1))]])
    ends = np.append(np.zeros(size), 1.0)
    if not (np.isfinite(square).all() and length > 0):
        return np.full(size, np.nan)
    sizes = np.linalg.svd(square, compute_uv=False)
    if sizes[-1] < SIMPLE * sizes[0]:
        return np.full(size, np.nan)
    return np.linalg.solve(square, ends)[:-1] / length


@eqx.filter_jit
def _direct(step_map: FlowMap, xs, gradient, times, period, change, periods: int):
    scale = xs.std(axis=0)
    scale = jnp.where(scale > 0, scale, jnp.inf)[None]  # what never moves has no say

    def one(x, t):
        after = lax.fori_loop(0, periods, lambda _, x: step_map(x, 0.0, period)[0], x + change)
        away = (((after[None] - xs) / scale) ** 2).mean(axis=1)
        k = jnp.argmin(away)
        at = times[k] + gradient[k] @ (after - xs[k])
        shift = (at - t + period / 2) % period - period / 2
        return shift, jnp.sqrt(away[k])

    shift, away = jax.vmap(one)(xs, times)
    spacing = jnp.sqrt((((xs - jnp.roll(xs, 1, axis=0)) / scale) ** 2).mean(axis=1)).max()
    return shift, away - spacing
