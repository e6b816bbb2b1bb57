"""Likelihoods of a memory's inputs, as the synapses through which each input event is evidence."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from ...system import Module, is_traced, parameter

Patterns = Float[Array, "P N"]
Evidence = Float[Array, "..."]


class Synapses(NamedTuple):
    """Synapses of an input event: entry `i` with the value y adds `weights y + offsets` to the
    evidence of each memory; both [P, N]."""

    weights: Patterns
    offsets: Patterns


class AbstractLikelihood(Module):
    """Likelihood of the entries of a query, independent of each other given the memory.

    Every entry that arrives adds to the potential `u` of each memory, and to a sum `common` of all
    memories; from these and the `count` of entries follow the evidence for a memory and, what it
    takes to refute one, the most that any parameter could say for it. The ratio of an evidence to
    the likelihood of the true memory is a non-negative martingale of mean 1, whatever the order of
    the entries and the rule of stopping.
    """

    graded: ClassVar[bool]
    """Whether an event has a value that multiplies weights; else it selects them."""
    exponentials: ClassVar[int] = 0
    """Exponentials and logarithms of a test, of the neuron that broadcasts the largest evidence."""

    @abstractmethod
    def synapses(self, patterns: Patterns) -> Synapses:
        """Synapses of input events on memories with these patterns.

        **Raises:** `ValueError` if the patterns are none of this likelihood.
        """

    def common(self, y: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """Hook: what an entry says against all memories alike (default: nothing)."""
        return jnp.zeros_like(y)

    def evidence(self, u: Evidence, common: Evidence, count: Evidence) -> Evidence:
        """Hook: log marginal likelihood, up to a term that all memories share (default: `u`)."""
        return u

    def most(self, u: Evidence, common: Evidence, count: Evidence) -> Evidence:
        """Hook: log likelihood at the best parameter for it, up to the same term (default: `u`,
        there is no parameter)."""
        return u

    def events(self, y: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """Hook: how many events an entry sends (default: one, unless it is 0, which is silent)."""
        return (y != 0).astype(y.dtype)

    def allowed(self, y: Float[Array, "*n"]):
        """Hook: which entries have a likelihood (default: all finite ones)."""
        return jnp.isfinite(y)


def _check_number(name: str, value: Array) -> None:
    if value.ndim != 0:
        raise ValueError(
            f"{name} must be one number, got shape {value.shape}; if entries differ in scale, "
            "divide patterns and queries by it."
        )


class GaussianLikelihood(AbstractLikelihood):
    """Gaussian likelihood of known standard deviation `sigma`: weights `x / sigma^2`, offsets
    `-x^2 / (2 sigma^2)`."""

    graded: ClassVar[bool] = True
    sigma: Float[Array, ""] = parameter(positive=True)

    def __check_init__(self) -> None:
        _check_number("sigma", self.sigma)

    def synapses(self, patterns):
        precision = jnp.asarray(self.sigma, patterns.dtype) ** -2
        return Synapses(precision * patterns, -0.5 * precision * patterns**2)


class StudentLikelihood(AbstractLikelihood):
    """Gaussian likelihood of unknown precision, under the conjugate prior Gamma(`shape`, `rate`):
    Student-t evidence.

    `u` sums `x y - x^2 / 2` and `common` half the squares of y, so that half the squared distance
    is `common - u`. The evidence is the marginal likelihood; a memory is refuted only if that of
    another exceeds what any precision says for it (universal inference: Wasserman, Ramdas &
    Balakrishnan 2020, PNAS 117:16880), so that the bound holds at every precision, not just on
    average over the prior.
    """

    graded: ClassVar[bool] = True
    exponentials: ClassVar[int] = 2  # from the largest evidence to the largest distance, and back
    shape: Float[Array, ""] = parameter(0.5, positive=True)
    rate: Float[Array, ""] = parameter(0.5, positive=True)  # in squared units of the entries

    def __check_init__(self) -> None:
        _check_number("shape", self.shape)
        _check_number("rate", self.rate)

    def synapses(self, patterns):
        return Synapses(patterns, -0.5 * patterns**2)

    def common(self, y):
        return 0.5 * y * y

    def evidence(self, u, common, count):
        a, b = (jnp.asarray(p, u.dtype) for p in (self.shape, self.rate))
        after = a + 0.5 * count
        constant = gammaln(after) - gammaln(a) + a * jnp.log(b)
        return constant - after * jnp.log(b + jnp.maximum(common - u, 0))

    def most(self, u, common, count):
        # (2 pi)^(-n / 2) is left out, as in the evidence
        half = jnp.maximum(common - u, jnp.finfo(u.dtype).tiny)
        n = jnp.maximum(count, 1)
        return jnp.where(count > 0, -0.5 * n * (jnp.log(2 * half / n) + 1), 0.0)


class PoissonLikelihood(AbstractLikelihood):
    """Poisson likelihood of counts of events, whose means [P, N] are the patterns: each event adds
    the logarithm of its mean, and silence speaks through the offsets `-x`."""

    graded: ClassVar[bool] = False

    def synapses(self, patterns):
        if not is_traced(patterns) and not (np.asarray(patterns) > 0).all():
            raise ValueError(
                "patterns: means of Poisson counts must be positive; add the background rate of "
                "events, without which one event of the background refutes a memory for good."
            )
        known = jnp.where(patterns > 0, patterns, jnp.nan)  # traced ones are not checked
        return Synapses(jnp.log(known), -known)

    def events(self, y):
        return y

    def allowed(self, y):
        return jnp.isfinite(y) & (y >= 0) & (y == jnp.round(y))


class FlipLikelihood(AbstractLikelihood):
    """Bernoulli likelihood of signs, each of which is flipped with the probability `flip`."""

    graded: ClassVar[bool] = False
    flip: Float[Array, ""] = parameter(positive=True)

    def __check_init__(self) -> None:
        _check_number("flip", self.flip)
        if not is_traced(self.flip) and not (np.asarray(self.flip) < 0.5).all():
            raise ValueError(f"flip must be below 1/2, got {self.flip}; beyond it turn the signs.")

    def synapses(self, patterns):
        if not is_traced(patterns) and not (np.abs(patterns) == 1).all():
            raise ValueError("patterns: those of flipped signs must be -1 or 1.")
        flip = jnp.asarray(self.flip, patterns.dtype)
        odds = 0.5 * (jnp.log1p(-flip) - jnp.log(flip))
        signs = jnp.where(jnp.abs(patterns) == 1, patterns, jnp.nan)  # if traced, not checked
        return Synapses(odds * signs, jnp.zeros_like(patterns))

    def events(self, y):
        return jnp.ones_like(y)

    def allowed(self, y):
        return jnp.abs(y) == 1
