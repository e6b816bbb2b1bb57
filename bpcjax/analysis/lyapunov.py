"""Lyapunov exponents: the growth rates of small differences, in every direction."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from .._require import check_times, count as as_count, scalar
from ..system import AbstractSystem, bad_parameters
from ._flow import known
from .flow_map import FlowMap, map_of

STEPS = 10  # of the solver between two orthonormalisations, by default
BLOCKS = 16  # of which the error is the scatter


class Lyapunov(eqx.Module):
    """Lyapunov exponents, per unit of time, with their standard errors and dimension.

    `error` is the standard error of each mean, from the scatter of 16 stretches of the run (NaN
    if it is too short for them). `structural` marks directions that the flow destroys (the mode
    of a refractory neuron, or its clock while the potential moves): their exponent is minus
    infinity. `running` holds each mean up to each of `times`. `dimension` is that of Kaplan and
    Yorke; NaN if more exponents than were computed are needed for it.
    """

    exponents: Float[Array, " count"]
    error: Float[Array, " count"]
    dimension: Float[Array, ""]
    structural: Bool[Array, " count"]
    times: Float[Array, " legs"]
    running: Float[Array, "legs count"]
    ok: Bool[Array, ""]


def lyapunov(
    system: AbstractSystem,
    y0: PyTree,
    args: PyTree = None,
    *,
    t1: Any,
    dt: Any,
    burn_in: Any = 0.0,
    count: int | None = None,
    leg: Any = None,
    solver: Any = None,
) -> Lyapunov:
    """Lyapunov exponents: the `count` largest (default: all) along the path from `y0` to `t1`, of
    which the part before `burn_in` only aligns the directions.

    Directions pass through `simulate` with steps `dt`, and are made orthonormal by QR after each
    `leg` of time (default: ten steps). Through spikes they pass exactly, with `OrderedSpikes`;
    other solvers are refused: where spikes come together their exponents are wrong. A leg must be
    short enough that no direction shrinks to rounding within it, since what does is taken as
    destroyed. Of a system with escape noise these are the exponents at fixed draws. A failed solve
    gives `ok=False` and NaN.

    **Raises:** `ValueError` for bad times, a `count` out of range, noise, delays, a solver that
    does not fit.

    Source: Benettin et al., Meccanica 15, 9 (1980); with events Müller, Chaos, Solitons &
    Fractals 5, 1671 (1995); Monteforte & Wolf, PRL 105, 268104 (2010).
    """
    if not known(t1, dt, burn_in, leg):
        raise ValueError("t1, dt, burn_in and leg must be numbers: they fix the number of steps.")
    check_times(0.0, t1, dt)
    leg = STEPS * dt if leg is None else scalar("leg", leg, above=0)
    burn_in = scalar("burn_in", burn_in, least=0)
    if not (leg > 0 and 0 <= burn_in < t1 and leg <= t1 - burn_in):
        raise ValueError(
            f"leg and burn_in must fit into t1: got leg={leg}, burn_in={burn_in}, t1={t1}."
        )
    if bool(bad_parameters(system)):
        raise ValueError("system: a parameter is out of its range.")
    steps = max(1, round(float(leg) / float(dt)))
    step_map, x = map_of(system, y0, args, solver, steps)
    count = x.size if count is None else as_count("count", count)
    if not 1 <= count <= x.size:
        raise ValueError(f"count must be 1 to {x.size}, the size of the state, got {count}.")
    skip = math.ceil(round(float(burn_in) / float(leg), 9))
    legs = math.floor(round(float(t1) / float(leg), 9)) - skip
    return _exponents(step_map, x, jnp.asarray(leg, x.dtype), count, skip, legs)


@eqx.filter_jit
def _exponents(step_map: FlowMap, x, leg, count: int, skip: int, legs: int) -> Lyapunov:
    eps = 8 * x.size * jnp.finfo(x.dtype).eps

    def advance(now, k):
        x, directions, ok = now
        x, images, fine = step_map.along(x, k * leg, leg, directions)
        directions, r = jnp.linalg.qr(images)
        size = jnp.abs(jnp.diagonal(r))
        alive = size > eps * jnp.linalg.norm(images, axis=0).max()
        growth = jnp.log(jnp.where(alive, size, 0.0))
        return (x, directions, ok & fine & jnp.isfinite(images).all()), growth

    # No coordinate axes: one that the flow keeps to itself would come first, however it shrinks.
    generic = jax.random.normal(jax.random.key(0), (x.size, count), x.dtype)
    start = x, jnp.linalg.qr(generic)[0], jnp.array(True)
    now, _ = lax.scan(advance, start, jnp.arange(skip))
    (_, _, ok), growth = lax.scan(advance, now, skip + jnp.arange(legs))
    growth = jnp.where(ok, growth / leg, jnp.nan)
    running = jnp.cumsum(growth, axis=0) / (1 + jnp.arange(legs))[:, None]
    means = growth.mean(axis=0)
    order = jnp.argsort(-means)
    exponents = means[order]
    return Lyapunov(
        exponents,
        scatter(growth)[order],
        _dimension(exponents, count == x.size),
        jnp.isneginf(exponents),
        leg * (skip + 1 + jnp.arange(legs)),
        running[:, order],
        ok,
    )


def scatter(growth: Float[Array, "legs count"]) -> Float[Array, " count"]:
    """Standard error by blocks: the standard error of the mean, from means of blocks, within which
    growth is correlated."""
    length = growth.shape[0] // BLOCKS
    if length < 1:
        return jnp.full(growth.shape[1], jnp.nan)
    blocks = growth[: BLOCKS * length].reshape(BLOCKS, length, -1).mean(axis=1)
    return blocks.std(axis=0, ddof=1) / BLOCKS**0.5


def _dimension(exponents: Float[Array, " count"], complete: bool) -> Float[Array, ""]:
    """The dimension at which volumes neither grow nor shrink (Kaplan & Yorke 1979)."""
    sums = jnp.cumsum(exponents)
    keep = (sums >= 0).cumprod()
    whole = keep.sum()
    last = jnp.where(whole > 0, sums[whole - 1], 0.0)
    size = exponents.shape[0]
    part = last / jnp.abs(exponents[jnp.minimum(whole, size - 1)])
    beyond = jnp.where(complete, float(size), jnp.nan)
    dimension = jnp.where(whole == size, beyond, whole + part)
    return jnp.where(jnp.isnan(exponents).any(), jnp.nan, dimension)
