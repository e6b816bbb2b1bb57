"""Early-warning signs of a bifurcation: slow recovery, growing variance and autocorrelation."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from .._require import count as as_count, scalar
from ..system import AbstractSystem
from ._flow import Flow, Matrix, Vector, as_floats, first_row, flow_of, known, ravel, structural
from .spectrum import spectrum

LARGEST = 100  # entries of a state: the covariance solves a system of their square


def recovery_rate(
    system: AbstractSystem, y: PyTree, args: PyTree = None, *, t: Any = 0.0, tol: float = 1e-6
) -> Float[Array, ""]:
    """Recovery rate: how fast the slowest small deviation from the rest state `y` dies out, per
    unit of time: minus the largest real part of the Jacobian's eigenvalues; negative where one
    grows.

    It goes to zero at a fold, a pitchfork, a Hopf point. Coordinates that the flow never moves do
    not count. `args` is the drive, taken at time `t`.

    **Raises:** `ValueError` if a rate of change at `y` is above `tol`: it is no rest state. Where
    values are traced the result is NaN.
    """
    flow, x, at_rest = _rest(system, y, args, t, tol)
    matrix, _ = _free(flow, x)
    return jnp.where(at_rest, -spectrum(matrix)[0].real, jnp.nan)


def stationary_covariance(
    system: AbstractSystem, y: PyTree, args: PyTree = None, *, t: Any = 0.0, tol: float = 1e-6
) -> Matrix:
    """Stationary covariance [n, n] of small fluctuations about the stable rest state `y`, in the
    order of `ravel_pytree`: with the Jacobian `J` and the amplitudes `B` of the system's noise hook
    it solves the Lyapunov equation `J C + C J.T + B B.T = 0` (Gardiner 2009, Stochastic Methods,
    sec. 4.5.6).

    Coordinates that the flow never moves have none. For states of up to 100 entries.

    **Raises:** `ValueError` naming the argument: a system without noise, a state that is too large,
    that is no rest state (see `recovery_rate`), or not stable. Where values are traced the result
    is NaN.
    """
    flow, x, at_rest = _rest(system, y, args, t, tol)
    noise = flow.system.noise(flow.t, flow.layout.unravel(x), args)
    if noise is None:
        raise ValueError(f"system: {type(system).__name__} has no noise.")
    if x.size > LARGEST:
        raise ValueError(f"y: the covariance of {x.size} entries; it takes at most {LARGEST}.")
    matrix, free = _free(flow, x)
    slowest = spectrum(matrix)[0].real
    if known(slowest) and not slowest < 0:
        raise ValueError(f"y is not stable: small deviations grow at the rate {slowest:.3g}.")
    amplitude = jnp.where(free, flow.layout.ravel(noise), 0.0)
    one = jnp.eye(x.size, dtype=x.dtype)
    both = jnp.kron(matrix, one) + jnp.kron(one, matrix)
    covariance = jnp.linalg.solve(both, -jnp.diag(amplitude**2).ravel()).reshape(one.shape)
    return jnp.where(at_rest & (slowest < 0), 0.5 * (covariance + covariance.T), jnp.nan)


def _rest(system: AbstractSystem, y: PyTree, args: PyTree, t: Any, tol: float):
    """The flow, its state as a vector, and whether it rests there."""
    tol = scalar("tol", tol, above=0)
    flow = flow_of(system, y, args, t)
    x = ravel(y)
    rate = jnp.abs(flow.rate(x)).max()
    if known(rate) and not rate <= tol:
        raise ValueError(f"y is no rest state: its rate of change is {rate:.3g}, above tol={tol}.")
    return flow, x, rate <= tol


def _free(flow: Flow, x: Vector) -> tuple[Matrix, Bool[Array, " n"]]:
    """The Jacobian, where coordinates that the flow never moves fall fast, by themselves."""
    free = ~structural(flow, x[None])
    matrix = jnp.where(free[:, None] & free[None, :], flow.jacobian(x), 0.0)
    return matrix - jnp.diag(jnp.where(free, 0.0, 1 + jnp.linalg.norm(matrix))), free


class WarningSigns(eqx.Module):
    """Early-warning signs: the variance of a recorded path and its autocorrelation, each in the
    structure of a state.

    Entries with `ok=False` (samples that are not finite, or that never change) have no
    autocorrelation.
    """

    variance: PyTree[Float[Array, "..."]]
    autocorrelation: PyTree[Float[Array, "..."]]
    ok: PyTree[Bool[Array, "..."]]


def warning_signs(samples: PyTree, lag: int = 1) -> WarningSigns:
    """Early-warning signs: the variance of stationary `samples` [times, ...], recorded at equal
    intervals, and the correlation of those that are `lag` samples apart (AR(1) at `lag=1`).

    Both grow as a rest state loses its stability: about one with recovery rate `r`, in noise of
    diffusion `D`, they are `D / r` and `exp(-r dt)` (Scheffer et al. 2009, Nature 461:53). From
    `N` samples each is uncertain by about `sqrt(2 / (N r dt))` of itself where `r dt` is small;
    remove a trend and cut the approach to the rest state beforehand.

    **Raises:** `ValueError` if there are no more samples than `lag + 1`, or `lag` is below 1.
    """
    samples, lag = as_floats(samples, "samples"), as_count("lag", lag, 1)
    _, count = first_row(samples, "samples")
    if lag < 1 or count < lag + 2:
        raise ValueError(f"lag must be from 1 to the number of samples less 2, got {lag}, {count}.")

    def signs(x):
        ok = jnp.isfinite(x).all(axis=0) & (x.max(axis=0) > x.min(axis=0))
        away = x - x.mean(axis=0, keepdims=True)
        variance = jnp.sum(away**2, axis=0) / (count - 1)
        together = jnp.sum(away[lag:] * away[:-lag], axis=0) / (count - lag)
        correlation = together / jnp.where(ok, variance * (count - 1) / count, 1.0)
        return variance, jnp.where(ok, correlation, jnp.nan), ok

    leaves, treedef = jax.tree.flatten(samples)
    variance, correlation, ok = zip(*map(signs, leaves), strict=True)
    return WarningSigns(*(jax.tree.unflatten(treedef, x) for x in (variance, correlation, ok)))
