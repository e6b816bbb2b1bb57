"""Posteriors over the weights by which one layer predicts another: matrix normal, and independent
synapses.

Each gives the expected energy of a sample, its divergence from a prior, and statistics: what a
sample adds to its natural parameters, products of what is before and behind a synapse.
"""

import math
from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, ArrayLike, Float, Key

from ..._require import count as as_count, floating, instance, number
from ...system import as_parameter, is_traced
from .losses import AbstractMismatch, Gaussian, expected
from .precision_posteriors import AbstractNoise, Gammas, Wishart

_POSITIVE: dict[str, Any] = dict(above=0, most=1e100)  # whose square is finite


class AbstractPosterior(eqx.Module):
    """Posterior over the weights [m, n] of `z = W a + noise`."""

    mean: eqx.AbstractVar[Array]

    @abstractmethod
    def expected_energy(self, z: Float[Array, " m"], a: Float[Array, " n"]) -> Float[Array, ""]:
        """Expected energy of one sample: the mean over weights (and precisions)."""

    @abstractmethod
    def kl(self, prior: Any) -> Float[Array, ""]:
        """Kullback-Leibler divergence from the prior, of the same kind."""

    @abstractmethod
    def natural(self) -> Any:
        """Natural parameters: sums, to which the statistics of samples add."""

    @abstractmethod
    def at(self, natural: Any) -> "AbstractPosterior":
        """The posterior of the same kind with these natural parameters."""

    @abstractmethod
    def statistics(self, z: Float[Array, "b m"], a: Float[Array, "b n"]) -> Any:
        """Sufficient statistics: what these samples add to the natural parameters."""

    @abstractmethod
    def point(self) -> tuple[Array, AbstractMismatch]:
        """Point estimate: the mean weights, and the mismatch with the mean precision."""

    @abstractmethod
    def sample(self, key: Key[Array, ""]) -> tuple[Array, AbstractMismatch]:
        """Posterior sample: weights and a mismatch drawn together."""

    @abstractmethod
    def epistemic(self, a: Float[Array, " n"]) -> Float[Array, " m"]:
        """Epistemic variance: the part of the variance of `z` that is due to the weights."""


def _sample(mean: Array, z: Any, a: Any) -> tuple[Array, Array]:
    """The values behind and before weights of that mean."""
    rows, columns = mean.shape
    return floating("z", z, (rows,)), floating("a", a, (columns,))


class Sums(NamedTuple):
    """Natural parameters of a matrix normal: `count`, the presynaptic products `pre` = V^-1, `hebb`
    = M V^-1, and the postsynaptic ones `post` = scatter + M V^-1 M^T (or its diagonal)."""

    count: Float[Array, ""]
    pre: Float[Array, "n n"]
    hebb: Float[Array, "m n"]
    post: Float[Array, "..."]


class MatrixNormal(AbstractPosterior):
    """Matrix normal posterior: weights ~ MN(`mean`, rows 1 / precision of the noise, columns V =
    `precision`^-1), with a posterior over the `noise`: `Wishart`, or `Gammas` for each unit.

    Conjugate to `z = W a + noise`. In its expected energy stands `m a . V a / 2`: inference avoids
    what it knows little of. Sources: Minka (2000), "Bayesian linear regression"; Tschantz et al.
    (2025, arXiv:2503.24016).
    """

    mean: Float[Array, "m n"]
    precision: Float[Array, "n n"]
    noise: AbstractNoise
    root: Float[Array, "n n"]
    covariance: Float[Array, "n n"]

    def __init__(self, mean: ArrayLike, precision: ArrayLike, noise: AbstractNoise):
        self.mean = as_parameter(floating("mean", mean, ("m", "n")))
        rows, columns = self.mean.shape
        self.precision = as_parameter(
            floating("precision", precision, (columns, columns), like="mean")
        )
        instance("noise", noise, AbstractNoise)
        if noise.size != rows:
            raise ValueError(f"mean is {self.mean.shape}, but the noise of {noise.size} units.")
        self.noise = noise
        self.root = jnp.linalg.cholesky(0.5 * (self.precision + self.precision.T))
        if not is_traced(self.root) and np.isnan(np.asarray(self.root)).any():
            raise ValueError("precision: the matrix must be symmetric and positive definite.")
        self.covariance = cho_solve((self.root, True), jnp.eye(columns, dtype=self.mean.dtype))

    @classmethod
    def wishart(
        cls,
        rows: int,
        columns: int,
        *,
        weight_std: ArrayLike = 1.0,
        noise_std: ArrayLike = 1.0,
        count: ArrayLike | None = None,
    ) -> "MatrixNormal":
        """Prior with Wishart noise: weights of standard deviation `weight_std` about 0, noise of
        `noise_std` (the mean precision is `noise_std^-2`), worth `count` samples (m + 2 by
        default)."""
        rows, columns = as_count("rows", rows, 1), as_count("columns", columns, 1)
        count = number("count", rows + 2 if count is None else count, above=rows - 1, finite=True)
        count, variance = as_parameter(count), number("noise_std", noise_std, **_POSITIVE) ** 2
        return cls._prior(columns, Wishart(count * variance * jnp.eye(rows), count),
                          weight_std, noise_std)  # fmt: skip

    @classmethod
    def gammas(
        cls,
        rows: int,
        columns: int,
        *,
        weight_std: ArrayLike = 1.0,
        noise_std: ArrayLike = 1.0,
        count: ArrayLike = 3.0,
    ) -> "MatrixNormal":
        """Prior with noise that is independent at each unit; arguments as `wishart`."""
        rows, columns = as_count("rows", rows, 1), as_count("columns", columns, 1)
        count = as_parameter(number("count", count, **_POSITIVE))
        variance = jnp.broadcast_to(number("noise_std", noise_std, **_POSITIVE) ** 2, (rows,))
        return cls._prior(columns, Gammas(count * variance, count),
                          weight_std, noise_std)  # fmt: skip

    @classmethod
    def _prior(cls, columns, noise, weight_std, noise_std):
        weight_std = number("weight_std", weight_std, **_POSITIVE)
        ratio = (number("noise_std", noise_std) / weight_std) ** 2
        return cls(jnp.zeros((noise.size, columns)), ratio * jnp.eye(columns), noise)

    def spread(self, a: Float[Array, " n"]) -> Float[Array, ""]:
        """Uncertainty of what `a` predicts, `a . V a`, in units of the noise."""
        return a @ self.covariance @ a

    def expected_energy(self, z, a):
        noise = self.noise
        z, a = _sample(self.mean, z, a)
        square = noise.square(z - self.mean @ a) + noise.size * self.spread(a)
        return 0.5 * (square - noise.log_det() + noise.size * math.log(2 * math.pi))

    def _log_det(self) -> Float[Array, ""]:
        return 2 * jnp.log(jnp.diagonal(self.root)).sum()

    def kl(self, prior):
        rows, columns = self.mean.shape
        away = jnp.sum(jax.vmap(self.noise.square)(((self.mean - prior.mean) @ prior.root).T))
        trace = jnp.sum(prior.precision * self.covariance)
        dets = self._log_det() - prior._log_det()
        return 0.5 * (rows * (trace - columns + dets) + away) + self.noise.kl(prior.noise)

    def natural(self):
        hebb = self.mean @ self.precision
        post = self.noise.scatter + self.noise.outer(hebb.T, self.mean.T)
        return Sums(self.noise.count, self.precision, hebb, post)

    def at(self, natural):
        root = jnp.linalg.cholesky(0.5 * (natural.pre + natural.pre.T))
        mean = cho_solve((root, True), natural.hebb.T).T
        scatter = natural.post - self.noise.outer(natural.hebb.T, mean.T)
        if scatter.ndim == 2:
            scatter = 0.5 * (scatter + scatter.T)
        return MatrixNormal(mean, natural.pre, type(self.noise)(scatter, natural.count))

    def statistics(self, z, a):
        count = jnp.asarray(len(z), z.dtype)
        return Sums(count, a.T @ a, z.T @ a, self.noise.outer(z, z))

    def log_evidence(self, prior: "MatrixNormal") -> Float[Array, ""]:
        """Log evidence of all the samples that took the `prior` to this posterior."""
        half_count = 0.5 * (self.noise.count - prior.noise.count)
        dets = 0.5 * self.noise.size * (self._log_det() - prior._log_det())
        normaliser = self.noise.log_normaliser() - prior.noise.log_normaliser()
        return normaliser - dets - self.noise.size * half_count * math.log(math.pi)

    def log_predictive(self, z: Float[Array, " m"], a: Float[Array, " n"]) -> Float[Array, ""]:
        """Log posterior predictive: the log density of the next sample, Student's t of `count - m +
        1` degrees of freedom (`Gammas`: `count`, each unit), about `mean @ a`."""
        z, a = _sample(self.mean, z, a)
        return self.noise.log_student(z - self.mean @ a, 1 + self.spread(a))

    def aleatoric(self) -> Float[Array, " m"]:
        """Aleatoric variance: the part of the variance of `z` that is due to the noise."""
        variance = self.noise.variance()
        return jnp.diagonal(variance) if variance.ndim == 2 else variance

    def epistemic(self, a):
        return self.aleatoric() * self.spread(a)

    def point(self):
        noise = self.noise
        if isinstance(noise, Wishart):
            inverse = cho_solve((noise.root, True), jnp.eye(noise.size, dtype=self.mean.dtype))
            return self.mean, Gaussian(noise.count * 0.5 * (inverse + inverse.T))
        return self.mean, Gaussian(noise.count / noise.scatter)

    def sample(self, key):
        k1, k2 = jax.random.split(key)
        precision, rows = self.noise.draw(k1)
        normal = jax.random.normal(k2, self.mean.shape)
        columns = jax.scipy.linalg.solve_triangular(self.root, normal.T, lower=True, trans="T").T
        weights = self.mean + (rows @ columns if rows.ndim == 2 else rows[:, None] * columns)
        return weights, Gaussian(precision)


class Synapses(NamedTuple):
    """Natural parameters of independent synapses: `precision`, and `shift` = precision mean."""

    precision: Float[Array, "m n"]
    shift: Float[Array, "m n"]


class SynapticNormal(AbstractPosterior):
    """Mean-field normal posterior: weights ~ N(`mean`, 1 / `precision`), each by itself, under any
    `mismatch`.

    What a synapse needs is at the synapse. `statistics` are those of variational online Newton
    (Khan & Rue 2023, JMLR 24:281): with E the expected energy and v the variances, `2 dE/dv` for
    the precision and `-dE/dm + 2 m dE/dv` for the shift. They depend on the posterior, so that they
    are to be used in steps (`learning.natural_gradient`), not added up.
    """

    mean: Float[Array, "m n"]
    precision: Float[Array, "m n"]
    mismatch: AbstractMismatch

    def __init__(self, mean: ArrayLike, precision: ArrayLike, mismatch: AbstractMismatch):
        self.mean = as_parameter(floating("mean", mean, ("m", "n")))
        precision = as_parameter(floating("precision", precision, above=0))
        if precision.shape not in ((), self.mean.shape):
            raise ValueError(
                f"precision must be a number or of the shape of mean, {self.mean.shape}, got "
                f"{precision.shape}."
            )
        self.precision = jnp.broadcast_to(precision, self.mean.shape)
        self.mismatch = instance("mismatch", mismatch, AbstractMismatch)

    def _energy(self, mean: Array, variance: Array, z: Array, a: Array) -> Float[Array, ""]:
        return expected(self.mismatch, z, mean @ a, variance @ a**2)

    def expected_energy(self, z, a):
        z, a = _sample(self.mean, z, a)
        return self._energy(self.mean, 1 / self.precision, z, a)

    def kl(self, prior):
        ratio = prior.precision / self.precision
        away = prior.precision * (self.mean - prior.mean) ** 2
        return 0.5 * jnp.sum(ratio - 1 - jnp.log(ratio) + away)

    def natural(self):
        return Synapses(self.precision, self.precision * self.mean)

    def at(self, natural):
        mean = natural.shift / natural.precision
        return SynapticNormal(mean, natural.precision, self.mismatch)

    def statistics(self, z, a):
        def total(mean, variance):
            return jax.vmap(lambda z, a: self._energy(mean, variance, z, a))(z, a).sum()

        by_mean, by_variance = jax.grad(total, (0, 1))(self.mean, 1 / self.precision)
        curvature = 2 * by_variance
        return Synapses(curvature, curvature * self.mean - by_mean)

    def epistemic(self, a):
        return a**2 @ (1 / self.precision).T

    def point(self):
        return self.mean, self.mismatch

    def sample(self, key):
        normal = jax.random.normal(key, self.mean.shape)
        return self.mean + normal / jnp.sqrt(self.precision), self.mismatch
