"""First-passage times out of an attractor under noise, measured by simulation."""

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, PyTree

from .._fit import brief
from .._require import check_times, count as as_count, function, instance, split_key
from ..simulate import simulate
from ..stepping import RESULTS
from ..system import AbstractSystem, bad_parameters
from ._flow import as_floats, flow_of, known
from ._states import as_drive


class EscapeTimes(eqx.Module):
    """Escape times: when each of the copies left, in the system's unit of time, and the mean time
    to leave.

    A copy with `ok=False` had not left at `t1`, its time (it is censored), or its solve failed and
    its time is NaN. `mean` is the estimate of maximum likelihood for exponential times, the time
    spent by all over the number of those that left, and `error` its standard error; infinite where
    nobody left, NaN where a solve failed.
    """

    times: Float[Array, " count"]
    ok: Bool[Array, " count"]
    mean: Float[Array, ""]
    error: Float[Array, ""]


def escape_times(
    system: AbstractSystem,
    y0: PyTree,
    left: Callable[[PyTree], Bool[Array, ""]],
    args: PyTree = None,
    *,
    count: int,
    t1: Any,
    dt: Any,
    key: Key[Array, ""] | Any,
    solver: dfx.AbstractSolver | None = None,
) -> EscapeTimes:
    """Escape times by simulation: run `count` independent copies of `system` from `y0` until
    `left(y)` holds, or until `t1`.

    `key` drives the noise of each copy and the spikes of an `EscapeRate`, so the same call measures
    Langevin and stochastic spiking dynamics. Departures are seen at the ends of steps only. That
    makes times late: by half a step for a smooth path or a spike; for a diffusion of amplitude `s`,
    as if the border were `0.58 s sqrt(dt)` further out (Broadie, Glasserman & Kou 1997, Math.
    Finance 7:325). All copies run until the last has left: for a long tail choose `t1` a few times
    the mean, which is estimated from the others as well, and for a large count run blocks of copies
    with `bpcjax.sweep`, over keys.

    **Raises:** `ValueError` naming the argument: no copies, a `left` that is no truth value or that
    holds at `y0`, and what `simulate` refuses.
    """
    check_times(0.0, t1, dt)
    bad_parameters(system)
    instance("system", system, AbstractSystem)
    function("left", left)
    count = as_count("count", count, 1)
    y0 = as_floats(y0, "y0")
    if solver is not None:
        instance("solver", solver, dfx.AbstractSolver)
    try:
        holds = jax.eval_shape(left, y0)
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(f"left does not take y0: {brief(error)}") from error
    if not (getattr(holds, "shape", None) == () and holds.dtype == bool):
        raise ValueError(f"left must give one truth value of one state, it gives {holds}.")
    flow_of(system, y0, args, name="y0")
    if known(y0) and bool(left(y0)):
        raise ValueError("left holds at y0 already. Start inside.")
    _, key = split_key(key)
    times, gone = _departures(system, y0, left, as_drive(args), count, t1, dt, key, solver)
    number = gone.sum()
    mean = times.sum() / number  # NaN where a solve failed, infinite where nobody left
    return EscapeTimes(times, gone, mean, mean / jnp.sqrt(jnp.maximum(number, 1)))


@eqx.filter_jit
def _departures(system, y0, left, args, count: int, t1, dt, key, solver):
    event = dfx.Event(lambda t, y, args, **_: left(y))

    def one(key):
        end = simulate(
            system, y0, args, t1=t1, dt=dt, key=key, solver=solver, event=event, throw=False
        )
        gone = end.ok & (end.result == RESULTS.event_occurred)
        return jnp.where(end.ok, jax.tree.leaves(end.ts)[0][-1], jnp.nan), gone

    return jax.vmap(one)(jax.random.split(key, count))
