"""Conjugate posteriors over the pattern of each memory, with exponential forgetting.

Evidence is kept apart from the prior: it decays by `keep` at each observation, so that the last `1
/ (1 - keep)` observations count, and what does not recur goes back to the prior.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from ..._require import floating, instance, require, sizes
from ...energies import ModernHopfield
from ...system import Module, parameter


class AbstractPosterior(Module):
    """Base class of posteriors whose evidence decays by `keep`, in (0, 1], at each observation."""

    keep: eqx.AbstractVar[Float[Array, ""]]

    def __check_init__(self) -> None:
        super().__check_init__()
        good = (self.keep > 0) & (self.keep <= 1)
        require(good, f"keep must be in (0, 1], got {self.keep}. 1 forgets nothing.")


class Dirichlet(AbstractPosterior):
    """Dirichlet posterior over probabilities of units in columns (of two units: Bernoulli inputs).

    Evidence is the number of times [P, H, M] that each unit of a column was active for a memory.
    """

    concentration: Float[Array, "*HM"] = parameter(1.0, positive=True)  # of the prior, per unit
    keep: Float[Array, ""] = parameter(1.0)

    def init(self, memories: int, columns: int, units: int) -> Float[Array, "P H M"]:
        """Evidence before any observation: zero counts [P, H, M]."""
        shape = sizes(1, memories=memories, columns=columns, units=units)
        return jnp.zeros(shape)

    def update(
        self, seen: Float[Array, "P H M"], y: Float[Array, "H M"], share: Float[Array, " P"]
    ) -> Float[Array, "P H M"]:
        """Bayesian update: the evidence after the observation `y`, of which each memory takes its
        share."""
        seen = floating("seen", seen, ("P", "H", "M"), least=0)
        y = floating("y", y, seen.shape[1:], like="seen", least=0)
        share = floating("share", share, seen.shape[:1], like="seen", least=0)
        return self.keep * seen + share[:, None, None] * y[None]

    def mean(self, seen: Float[Array, "P H M"]) -> Float[Array, "P H M"]:
        """Posterior mean [P, H, M]: the probability of each unit at the next input."""
        seen = floating("seen", seen, ("P", "H", "M"), least=0)
        active = seen + jnp.broadcast_to(self.concentration, seen.shape[1:])[None]
        return active / active.sum(axis=-1, keepdims=True)

    def log_predictive(
        self, seen: Float[Array, "P H M"], y: Float[Array, "H M"]
    ) -> Float[Array, " P"]:
        """Log predictive [P]: the log probability of an input, one unit of each column active,
        under each memory."""
        mean = self.mean(seen)
        y = floating("y", y, mean.shape[1:], like="seen", least=0)
        return jnp.sum(y[None] * jnp.log(mean), axis=(1, 2))


class NormalEvidence(NamedTuple):
    """Sufficient statistics of normal observations: the number `count` [P], the `mean` [P, N], and
    the `scatter` [P, N], the sum of squared departures from that mean."""

    count: Float[Array, " P"]
    mean: Float[Array, "P N"]
    scatter: Float[Array, "P N"]


def _checked(seen: NormalEvidence) -> NormalEvidence:
    """Evidence of floating arrays that fit together."""
    instance("seen", seen, NormalEvidence)
    mean = floating("seen: mean", seen.mean, ("P", "N"))
    scatter = floating("seen: scatter", seen.scatter, mean.shape)
    return NormalEvidence(floating("seen: count", seen.count, mean.shape[:1]), mean, scatter)


class AbstractNormal(AbstractPosterior):
    """Base class of posteriors whose evidence is that of normal observations."""

    def init(self, memories: int, size: int) -> NormalEvidence:
        """Evidence before any observation: zero statistics."""
        memories, size = sizes(memories=memories, size=size)
        empty = jnp.zeros((memories, size))
        return NormalEvidence(jnp.zeros(memories), empty, empty)

    def update(
        self, seen: NormalEvidence, y: Float[Array, " N"], share: Float[Array, " P"]
    ) -> NormalEvidence:
        """Bayesian update: the evidence after the observation `y`, of which each memory takes its
        share.

        Welford's recursion (1962, Technometrics 4:419), with weights that decay. The scatter grows
        by `share * keep * count / new_count * away^2`, which rounding cannot make negative, as it
        can the product of the departures from the old mean and from the new.
        """
        seen = _checked(seen)
        y = floating("y", y, seen.mean.shape[1:], like="seen")
        share = floating("share", share, seen.count.shape, like="seen", least=0)
        left = self.keep * seen.count
        count = left + share
        some = jnp.where(count > 0, count, 1.0)
        away = y[None] - seen.mean
        mean = seen.mean + (share / some)[:, None] * away
        scatter = self.keep * seen.scatter + (share * (left / some))[:, None] * away * away
        return NormalEvidence(count, mean, scatter)


class Normal(AbstractNormal):
    """Normal posterior over patterns whose observations have Gaussian noise of variance `1 / beta`.

    The prior is worth `prior_count` observations of `prior_mean`.
    """

    beta: Float[Array, ""] = parameter(positive=True)
    prior_mean: Float[Array, "*N"] = parameter(0.0)
    prior_count: Float[Array, ""] = parameter(1.0, positive=True)
    keep: Float[Array, ""] = parameter(1.0)

    def count(self, seen: NormalEvidence) -> Float[Array, " P"]:
        """Posterior count [P]: how many observations the posterior is worth; its variance is `1 /
        (beta count)`."""
        return self.prior_count + seen.count

    def mean(self, seen: NormalEvidence) -> Float[Array, "P N"]:
        """Posterior mean [P, N] of each pattern."""
        prior = jnp.broadcast_to(self.prior_mean, seen.mean.shape[1:])[None]
        gain = (seen.count / self.count(seen))[:, None]
        return prior + gain * (seen.mean - prior)

    def log_predictive(self, seen: NormalEvidence, y: Float[Array, " N"]) -> Float[Array, " P"]:
        """Log predictive [P]: the log density of the next observation under each memory, wide where
        little is known, so that what is new goes to a memory that is free."""
        seen = _checked(seen)
        y = floating("y", y, seen.mean.shape[1:], like="seen")
        precision = self.beta / (1 + 1 / self.count(seen))
        square = jnp.sum((y[None] - self.mean(seen)) ** 2, axis=-1)
        return 0.5 * (y.size * jnp.log(precision / (2 * jnp.pi)) - precision * square)

    def energy(self, seen: NormalEvidence, log_prior: Float[Array, " P"]) -> ModernHopfield:
        """Hopfield memory of the posterior means, with the given log prior."""
        return ModernHopfield.from_prior(self.mean(seen), self.beta, log_prior)


class NormalGamma(AbstractNormal):
    """Normal-gamma posterior over patterns and over the precision of each of their units.

    The prior: precision Gamma(`shape`, rate `scale`), pattern Normal about `prior_mean` with
    `prior_count` times that precision (Bernardo & Smith 1994, Bayesian Theory, section 5.2).
    """

    prior_mean: Float[Array, "*N"] = parameter(0.0)
    prior_count: Float[Array, ""] = parameter(1.0, positive=True)
    shape: Float[Array, ""] = parameter(1.0, positive=True)
    scale: Float[Array, ""] = parameter(1.0, positive=True)
    keep: Float[Array, ""] = parameter(1.0)

    def posterior(self, seen: NormalEvidence) -> tuple[Array, Array, Array, Array]:
        """Posterior parameters: mean [P, N], count [P, 1], shape [P, 1] and scale [P, N]."""
        prior = jnp.broadcast_to(self.prior_mean, seen.mean.shape[1:])[None]
        seen_count = seen.count[:, None]
        count = self.prior_count + seen_count
        away = seen.mean - prior
        mean = prior + seen_count / count * away
        spread = self.prior_count * seen_count / count * away**2
        scale = self.scale + 0.5 * (seen.scatter + spread)
        return mean, count, self.shape + 0.5 * seen_count, scale

    def mean(self, seen: NormalEvidence) -> Float[Array, "P N"]:
        """Posterior mean [P, N] of each pattern."""
        return self.posterior(seen)[0]

    def log_predictive(self, seen: NormalEvidence, y: Float[Array, " N"]) -> Float[Array, " P"]:
        """Log predictive [P]: the log density of the next observation, Student's t of `2 shape`
        degrees of freedom."""
        seen = _checked(seen)
        y = floating("y", y, seen.mean.shape[1:], like="seen")
        mean, count, shape, scale = self.posterior(seen)
        width = scale * (1 + 1 / count)  # shape times the squared scale of the t
        tail = -(shape + 0.5) * jnp.log1p((y[None] - mean) ** 2 / (2 * width))
        start = gammaln(shape + 0.5) - gammaln(shape) - 0.5 * jnp.log(2 * jnp.pi * width)
        return jnp.sum(start + tail, axis=-1)
