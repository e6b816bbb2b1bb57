"""Losses of predictive coding: the energy of a layer under its prediction, and its mean where the
prediction itself is uncertain."""

import math
from abc import abstractmethod
from functools import singledispatch

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import xlogy
from jax.scipy.stats import norm
from jaxtyping import Array, ArrayLike, Float

from ...system import Module, as_parameter, is_traced, parameter


class AbstractMismatch(Module):
    """Loss: the energy of the value `z` of a layer under the prediction `mu` of it.

    The error that a layer sends back is `-dE/dmu`.
    """

    @abstractmethod
    def __call__(self, z: Float[Array, "..."], mu: Float[Array, "..."]) -> Float[Array, ""]:
        """The energy of one sample, a scalar, for `z` and `mu` of one shape."""

    @abstractmethod
    def mode(self, mu: Float[Array, "..."]) -> Float[Array, "..."]:
        """The value of least energy, in the shape of `mu`."""

    @abstractmethod
    def curvature(self, mu: Float[Array, "..."]) -> Float[Array, "..."]:
        """Bound of the second derivative in `mu`, and in `z`: one number a unit, or a matrix."""

    @property
    def nonnegative(self) -> bool:
        """Hook: whether values below 0 are impossible."""
        return False

    @property
    def free(self) -> bool:
        """Hook: whether the layer may be free, and not only clamped or left out."""
        return True


class Gaussian(AbstractMismatch):
    """Gaussian loss `-log N(z; mu, 1 / precision)`: a precision for all units, one for each, or a
    matrix."""

    precision: Float[Array, "..."] = parameter(1.0)

    def __init__(self, precision: ArrayLike = 1.0):
        self.precision = precision = as_parameter(precision, "precision")
        if is_traced(precision):
            return
        if precision.ndim == 2:
            known = np.asarray(precision)
            square = known.shape[0] == known.shape[1] and np.allclose(known, known.T)
            if not square or not (np.linalg.eigvalsh(known) > 0).all():
                raise ValueError("precision: the matrix must be symmetric and positive definite.")
        elif not (np.asarray(precision) > 0).all():
            raise ValueError(f"precision must be positive, got {precision}.")

    def __call__(self, z, mu):
        error, precision = (z - mu).ravel(), self.precision
        if precision.ndim == 2:
            square = error @ precision @ error
            log_det = 2 * jnp.log(jnp.diagonal(jnp.linalg.cholesky(precision))).sum()
        else:
            every = jnp.broadcast_to(precision, z.shape).ravel()
            square, log_det = jnp.sum(every * error**2), jnp.log(every).sum()
        return 0.5 * (square - log_det + z.size * math.log(2 * math.pi))

    def mode(self, mu):
        return mu

    def curvature(self, mu):
        if self.precision.ndim == 2:
            return self.precision
        return jnp.broadcast_to(self.precision, mu.shape)


class Rectified(AbstractMismatch):
    """Fenchel-Young loss of ReLU: `precision (z^2 / 2 + relu(mu)^2 / 2 - z mu)` for z >= 0.

    It is 0 where `z = relu(mu)` and positive elsewhere, infinite where z < 0; linear in `z mu`, so
    that no derivative of a non-linearity occurs (Blondel, Martins & Niculae 2020, JMLR 21:35;
    lifted networks: Wang & Benning 2022, arXiv:2208.08772).
    """

    precision: Float[Array, "..."] = parameter(1.0, positive=True)

    def __call__(self, z, mu):
        # the same, in a form without cancellation
        above, below = jax.nn.relu(mu), jax.nn.relu(-mu)
        each = self.precision * (0.5 * (z - above) ** 2 + z * below)
        return jnp.sum(jnp.where(z < 0, jnp.inf, each))

    def mode(self, mu):
        return jax.nn.relu(mu)

    def curvature(self, mu):
        return jnp.broadcast_to(self.precision, mu.shape)

    @property
    def nonnegative(self):
        return True


class Categorical(AbstractMismatch):
    """Cross-entropy `logsumexp(mu) - z . mu + z . log z` of the probabilities `z`, less their
    entropy (none for a class, one-hot). The layer is clamped or left out, never free."""

    def __call__(self, z, mu):
        return jax.nn.logsumexp(mu) - jnp.sum(z * mu) + jnp.sum(xlogy(z, z))

    def mode(self, mu):
        return jax.nn.softmax(mu)

    def curvature(self, mu):
        # along any w the second derivative is the variance of its entries, at most |w|^2 / 2
        return jnp.full_like(mu, 0.5)

    @property
    def free(self):
        return False


@singledispatch
def expected(
    mismatch: AbstractMismatch,
    z: Float[Array, " m"],
    mean: Float[Array, " m"],
    variance: Float[Array, " m"],
) -> Float[Array, ""]:
    """Expected loss `E[mismatch(z, mu)]` for independent `mu ~ N(mean, variance)`: exact for
    `Gaussian` and `Rectified`, a bound from above for `Categorical`; others register theirs.

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
    certain = variance <= 0
    std = jnp.sqrt(jnp.where(certain, 1.0, variance))
    ratio = mean / std
    square = (mean**2 + variance) * norm.cdf(ratio) + mean * std * norm.pdf(ratio)
    square = jnp.where(certain, jax.nn.relu(mean) ** 2, square)
    more = 0.5 * jnp.sum(mismatch.precision * (square - jax.nn.relu(mean) ** 2))
    return mismatch(z, mean) + more


@expected.register
def _categorical(mismatch: Categorical, z, mean, variance):
    # Jensen: E log sum exp <= log sum E exp
    return jax.nn.logsumexp(mean + 0.5 * variance) - jnp.sum(z * mean) + jnp.sum(xlogy(z, z))
