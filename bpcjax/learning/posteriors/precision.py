"""Precision learning: how sure a layer is of its prediction, from its own errors, unit by unit.

The error `eps = z - mu` of a unit has the variance `1 / pi`. Both rules see the mean of `eps^2` of
that unit and what it keeps itself: `conjugate_precision` is exact Bayes of a Gamma posterior for
`bpcjax.learning.conjugate`, `precision_slope` the gradient of F, for any optimiser of optax.

Where values are free, `eps^2` is to be its mean under the posterior over values: the square at the
energy's minimum plus the posterior's variance, or the mean over time of a network that samples at
temperature 1. At the minimum alone errors are too small, and precisions grow without bound.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float

from ..._require import floating


class GammaPrecision(NamedTuple):
    """Gamma posterior over the precision of each unit, `shape` and `rate`, or what is added to it:
    its natural parameters, up to constants."""

    shape: Float[Array, "..."]
    rate: Float[Array, "..."]

    @property
    def mean(self) -> Float[Array, "..."]:
        """Mean precision of each unit, as the energy takes it."""
        return self.shape / self.rate

    @property
    def deviation(self) -> Float[Array, "..."]:
        """Standard deviation of the posterior of each unit."""
        return jnp.sqrt(self.shape) / self.rate


def conjugate_precision(
    error: Float[Array, "batch *units"], variance: ArrayLike = 0.0
) -> GammaPrecision:
    """Sufficient statistics of errors, what a batch adds to a `GammaPrecision`: `batch / 2` and
    `sum eps^2 / 2`.

    With `variance`, that of the error under the posterior over values (in the shape of `error`, or
    one for all samples), the mean of `eps^2` is taken. Learn with `conjugate(prior, keep)`, the
    prior a `GammaPrecision` too.
    """
    error = floating("error", error)
    if error.ndim < 1 or not len(error):
        raise ValueError(f"error must be a batch of samples, got shape {error.shape}.")
    variance = floating("variance", variance, least=0)
    if variance.shape not in ((), error.shape[1:], error.shape):
        raise ValueError(
            f"variance must be a number, or of the shape of error, {error.shape}, or of a sample, "
            f"got {variance.shape}."
        )
    square = (error**2 + jnp.broadcast_to(variance, error.shape)).sum(axis=0)
    return GammaPrecision(jnp.full_like(square, len(error) / 2), square / 2)


def precision_slope() -> optax.GradientTransformation:
    """Gradient of F in the log precision, from the mean of `eps^2` of each unit: `dF / d log pi =
    (pi eps^2 - 1) / 2`.

    The parameters are `log pi`. Chain it with any step of optax, which descends:
    `optax.chain(precision_slope(), optax.sgd(0.1))`.
    """

    def update(updates, state, params=None):
        if params is None:
            raise ValueError("params: pass log precisions, as update(squares, state, log_pi).")
        slopes = jax.tree.map(lambda square, log: (jnp.exp(log) * square - 1) / 2, updates, params)
        return slopes, state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)  # pyright: ignore
