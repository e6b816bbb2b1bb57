"""The mean of a mismatch where the prediction itself is uncertain, and normal."""

from functools import singledispatch

import jax
import jax.numpy as jnp
from jax.scipy.special import xlogy
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from .losses import AbstractMismatch, Categorical, Gaussian, Rectified


@singledispatch
def expected(
    mismatch: AbstractMismatch,
    z: Float[Array, " m"],
    mean: Float[Array, " m"],
    variance: Float[Array, " m"],
) -> Float[Array, ""]:
    """`E[mismatch(z, mu)]` for independent `mu ~ N(mean, variance)`: exact for `Gaussian` and
    `Rectified`, a bound from above for `Categorical`; others register theirs.

    **Raises:** `NotImplementedError` for a mismatch that has not registered one.
    """
    raise NotImplementedError(f"mismatch: {type(mismatch).__name__} has no expected energy yet.")


@expected.register
def _gaussian(mismatch: Gaussian, z, mean, variance):
    precision = mismatch.precision
    each = jnp.diagonal(precision) if precision.ndim == 2 else precision
    return mismatch(z, mean) + 0.5 * jnp.sum(each * variance)


@expected.register
def _rectified(mismatch: Rectified, z, mean, variance):
    # E[relu(mu)^2] = (m^2 + v) Phi(m / s) + m s phi(m / s)
    known = variance <= 0
    std = jnp.sqrt(jnp.where(known, 1.0, variance))
    ratio = mean / std
    square = (mean**2 + variance) * norm.cdf(ratio) + mean * std * norm.pdf(ratio)
    square = jnp.where(known, jax.nn.relu(mean) ** 2, square)
    more = 0.5 * jnp.sum(mismatch.precision * (square - jax.nn.relu(mean) ** 2))
    return mismatch(z, mean) + more


@expected.register
def _categorical(mismatch: Categorical, z, mean, variance):
    # Jensen: E log sum exp <= log sum E exp
    return jax.nn.logsumexp(mean + 0.5 * variance) - jnp.sum(z * mean) + jnp.sum(xlogy(z, z))
