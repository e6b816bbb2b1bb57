"""Posteriors over the precision of a layer's noise: Wishart, and independent Gammas."""

import math
from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import digamma, gammaln, multigammaln
from jaxtyping import Array, ArrayLike, Float, Key

from ..._require import floating, number
from ...system import as_parameter, is_traced


class AbstractNoise(eqx.Module):
    """Posterior over the precision of Gaussian noise: `scatter` is the sum of squared errors,
    `count` how many samples that is worth."""

    scatter: eqx.AbstractVar[Array]
    count: eqx.AbstractVar[Array]

    @property
    def size(self) -> int:
        """The number of units m of the layer."""
        return self.scatter.shape[0]

    @abstractmethod
    def square(self, error: Float[Array, " m"]) -> Float[Array, ""]:
        """Expected squared error `error . E[precision] error`."""

    @abstractmethod
    def log_det(self) -> Float[Array, ""]:
        """Expected log determinant `E[log det precision]`."""

    @abstractmethod
    def outer(self, left: Float[Array, "b m"], right: Float[Array, "b m"]) -> Array:
        """The sum of the products of rows, in the shape of `scatter`."""

    @abstractmethod
    def log_normaliser(self) -> Float[Array, ""]:
        """The logarithm of the integral of the density, up to what `log_evidence` adds."""

    @abstractmethod
    def kl(self, prior: Any) -> Float[Array, ""]:
        """Kullback-Leibler divergence from the prior, of the same kind."""

    @abstractmethod
    def variance(self) -> Array:
        """Mean covariance of the noise (its diagonal, where that is all there is)."""

    @abstractmethod
    def log_student(self, error: Float[Array, " m"], spread: Float[Array, ""]) -> Float[Array, ""]:
        """The log density of a sample at `error` from its location, whose scale is that of the
        noise times the square root of `spread`."""

    @abstractmethod
    def draw(self, key: Key[Array, ""]) -> tuple[Array, Array]:
        """Sample of a precision, and a root `R` of the covariance: `R @ normal` is noise (`R *
        normal`, where it is diagonal)."""


def _checked(
    scatter: ArrayLike, size: ArrayLike, axes: tuple[str, ...], spare: int
) -> tuple[Array, Array]:
    """Scatter of these axes, and a count above `spare` (1: the number of units) less 1."""
    array = as_parameter(floating("scatter", scatter, axes, finite=True))
    least = len(array) - 1 if spare else 0
    return array, as_parameter(number("count", size, above=least, finite=True))


class Wishart(AbstractNoise):
    """Wishart posterior for noise of any covariance: precision ~ Wishart(`scatter`^-1, `count`), of
    mean `count scatter^-1`. `count` must be above m - 1."""

    scatter: Float[Array, "m m"]
    count: Float[Array, ""]
    root: Float[Array, "m m"]

    def __init__(self, scatter: ArrayLike, count: ArrayLike):
        self.scatter, self.count = _checked(scatter, count, ("m", "m"), 1)
        if self.scatter.shape[0] != self.scatter.shape[1]:
            raise ValueError(f"scatter must be square [m, m], got shape {self.scatter.shape}.")
        if not is_traced(self.scatter):
            known = np.asarray(self.scatter)
            if not np.allclose(known, known.T):
                raise ValueError("scatter must be symmetric: pass (scatter + scatter.T) / 2.")
        self.root = jnp.linalg.cholesky(0.5 * (self.scatter + self.scatter.T))
        if not is_traced(self.root) and bool(jnp.isnan(self.root).any()):
            raise ValueError(
                "scatter must be positive definite. Learned from data it loses digits: use float64."
            )

    def _whitened(self, error: Array) -> Array:
        return solve_triangular(self.root, error, lower=True)

    def _log_det_scatter(self) -> Float[Array, ""]:
        return 2 * jnp.log(jnp.diagonal(self.root)).sum()

    def square(self, error):
        return self.count * jnp.sum(self._whitened(error) ** 2)

    def log_det(self):
        halves = 0.5 * (self.count - jnp.arange(self.size))
        return digamma(halves).sum() + self.size * math.log(2) - self._log_det_scatter()

    def outer(self, left, right):
        return left.T @ right

    def log_normaliser(self):
        half = 0.5 * self.count
        return multigammaln(half, self.size) - half * self._log_det_scatter()

    def kl(self, prior):
        half, half0 = 0.5 * self.count, 0.5 * prior.count
        halves = 0.5 * (self.count - jnp.arange(self.size))
        trace = jnp.sum(self._whitened(prior.root) ** 2)
        return (
            half0 * (self._log_det_scatter() - prior._log_det_scatter())
            + half * (trace - self.size)
            + multigammaln(half0, self.size)
            - multigammaln(half, self.size)
            + (half - half0) * digamma(halves).sum()
        )

    def variance(self):
        return self.scatter / (self.count - self.size - 1)

    def log_student(self, error, spread):
        df, m = self.count - self.size + 1, self.size
        square = jnp.sum(self._whitened(error) ** 2) / spread
        log_det = self._log_det_scatter() + m * jnp.log(spread)
        constant = gammaln(0.5 * (df + m)) - gammaln(0.5 * df) - 0.5 * m * math.log(math.pi)
        return constant - 0.5 * log_det - 0.5 * (df + m) * jnp.log1p(square)

    def draw(self, key):
        # Bartlett (1933): a triangular root with chi and normal entries
        k1, k2 = jax.random.split(key)
        index = jnp.arange(self.size)
        chi = jnp.sqrt(2 * jax.random.gamma(k1, 0.5 * (self.count - index)))
        below = jnp.tril(jax.random.normal(k2, (self.size, self.size)), -1)
        bartlett = below + jnp.diag(chi)
        half = solve_triangular(self.root, bartlett, lower=True, trans="T")
        covariance_root = jnp.linalg.inv(half).T
        return half @ half.T, covariance_root


class Gammas(AbstractNoise):
    """Gamma posteriors for noise of its own variance at each unit: precision ~ Gamma(`count / 2`,
    rate `scatter / 2`), of mean `count / scatter`. `count` must be positive."""

    scatter: Float[Array, " m"]
    count: Float[Array, ""]

    def __init__(self, scatter: ArrayLike, count: ArrayLike):
        self.scatter, self.count = _checked(scatter, count, ("m",), 0)
        if not is_traced(self.scatter) and not (np.asarray(self.scatter) > 0).all():
            raise ValueError("scatter must be positive. Learned from data: use float64.")

    def square(self, error):
        return self.count * jnp.sum(error**2 / self.scatter)

    def log_det(self):
        return jnp.sum(digamma(0.5 * self.count) + math.log(2) - jnp.log(self.scatter))

    def outer(self, left, right):
        return jnp.sum(left * right, axis=0)

    def log_normaliser(self):
        half = 0.5 * self.count
        return jnp.sum(gammaln(half) - half * jnp.log(self.scatter))

    def kl(self, prior):
        half, half0 = 0.5 * self.count, 0.5 * prior.count
        ratio = prior.scatter / self.scatter
        each = -half0 * jnp.log(ratio) + half * (ratio - 1) + (half - half0) * digamma(half)
        return jnp.sum(each + gammaln(half0) - gammaln(half))

    def variance(self):
        return self.scatter / (self.count - 2)

    def log_student(self, error, spread):
        df, width = self.count, self.scatter * spread
        constant = gammaln(0.5 * (df + 1)) - gammaln(0.5 * df) - 0.5 * math.log(math.pi)
        each = constant - 0.5 * jnp.log(width) - 0.5 * (df + 1) * jnp.log1p(error**2 / width)
        return jnp.sum(each)

    def draw(self, key):
        half = jnp.broadcast_to(0.5 * self.count, self.scatter.shape)
        precision = 2 * jax.random.gamma(key, half) / self.scatter
        return precision, 1 / jnp.sqrt(precision)
