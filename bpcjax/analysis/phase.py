"""Phase response: how much a push at each point of a cycle moves the rhythm."""

from typing import Any

import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from ..checks import check_times
from ..system import AbstractSystem
from .cycles import Cycle
from .flow_map import FlowMap, map_of
from .vector import known, ravel


class PhaseResponse(eqx.Module):
    """The response along one period of a cycle, from its start.

    `gradient` is the advance in time per unit of each variable for a small push at each of
    `times`; a push of the potential is its first leaf. `shift` is the advance measured after a
    finite push, where one was given. `ok` is false where the cycle is not, or where the pushed
    state had not come back to the cycle.
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
    """The phase response of a `cycle` of `find_cycle` at `count` moments of its period.

    By the adjoint: the left eigenvector of the monodromy matrix for the multiplier 1, scaled to
    one unit of time per unit of time along the flow, carried back through the derivatives of the
    flow, spikes included. And, with a `push` (a change of the state), directly: each state of the
    cycle is pushed, left to itself for so many `periods`, and compared with the cycle. What then
    differs from it by more than `tol` of the cycle's size has not come back.

    **Raises:** `ValueError` for bad times, counts, or a push that does not fit the state.

    Source: Ermentrout & Terman, *Mathematical Foundations of Neuroscience* (2010), ch. 8;
    Govaerts & Sautois, Neural Comput 18, 817 (2006).
    """
    if not known(cycle, dt):
        raise ValueError("cycle and dt must be numbers: they fix the number of steps.")
    if count < 2 or periods < 1:
        raise ValueError(f"count must be at least 2 and periods 1: got {count}, {periods}.")
    if not bool(cycle.ok):
        raise ValueError("cycle is not ok: find it first.")
    check_times(0.0, cycle.period, dt)
    steps = max(1, round(float(cycle.period) / count / float(dt)))
    step_map, x = map_of(system, cycle.y, args, solver, steps)
    times = jnp.arange(count) * cycle.period / count
    xs, back = _derivatives(step_map, x, cycle.period / count, count)
    gradient = jnp.asarray(_adjoint(np.asarray(back), np.asarray(step_map.flow.rate(x))))
    shift, ok = None, jnp.isfinite(gradient).all()
    if push is not None:
        change = ravel(push)
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
        after, moved, _ = step_map.along(x, 0.0, span, jnp.eye(x.size, dtype=x.dtype))
        return after, (x, moved)

    return lax.scan(advance, x, length=count)[1]


def _adjoint(derivatives: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """The gradients of phase before each of the derivatives, which take it back."""
    monodromy = (
        np.linalg.multi_dot([*derivatives[::-1]]) if len(derivatives) > 1 else derivatives[0]
    )
    values, vectors = np.linalg.eig(monodromy.T)
    gradient = np.real(vectors[:, np.argmin(np.abs(values - 1))])
    gradient = gradient / (gradient @ rate)
    found = []
    for derivative in derivatives[::-1]:
        gradient = gradient @ derivative
        found.append(gradient)
    return np.array(found[::-1])


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
