"""Modern continuous Hopfield network (Ramsauer et al. 2020), with a prior over memories."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from ..._require import floating, number
from ...system import as_parameter, parameter
from ..base import AbstractMemory, as_bias, as_patterns, as_state, present


class ModernHopfield(AbstractMemory):
    """Modern Hopfield energy `E(y) = |y|^2 / 2 - lse(beta (X y + a)) / beta`, for patterns `X` [P,
    N] and biases `a` [P].

    Its descent at `dt = tau` is `update`, one step of softmax attention (Ramsauer et al. 2020,
    arXiv:2008.02217, without their additive constants). Read as Bayes: with `from_prior`,
    `exp(-beta E)` is proportional to the mixture of Gaussians of variance `1 / beta` at the
    patterns, so `posterior` is the posterior over memories and `beta` the precision.
    """

    patterns: Float[Array, "P N"] = parameter()
    beta: Float[Array, ""] = parameter(positive=True)
    bias: Float[Array, " P"] = parameter()

    def __init__(self, patterns: ArrayLike, beta: ArrayLike, bias: ArrayLike | None = None):
        self.patterns = as_patterns(patterns)
        self.beta = number("beta", beta)
        self.bias = as_bias(bias, self.patterns.shape[0], self.patterns.dtype)

    @classmethod
    def from_prior(
        cls, patterns: ArrayLike, beta: ArrayLike, log_prior: ArrayLike
    ) -> "ModernHopfield":
        """The energy whose posterior is Bayes' for Gaussian noise of variance `1 / beta`."""
        patterns = as_patterns(patterns)
        beta = as_parameter(number("beta", beta, above=0))
        log_prior = as_parameter(floating("log_prior", log_prior, most=jnp.inf))  # no NaN
        half_square = 0.5 * jnp.sum(patterns * patterns, axis=-1)
        if log_prior.shape not in ((), half_square.shape):
            raise ValueError(
                f"log_prior must have shape {half_square.shape}, one a pattern, got "
                f"{log_prior.shape}."
            )
        return cls(patterns, beta, log_prior / beta - half_square)

    def scores(
        self, y: Float[Array, " N"], seen: Bool[ArrayLike, " N"] | None = None
    ) -> Float[Array, " P"]:
        """Scores [P], `beta (X y + a)`: the log posterior, up to normalisation.

        Of what is `seen`: `X y` over it, and `|x|^2 / 2` over the rest taken back from the bias,
        where it stands for the missing entries.
        """
        y = as_state(y, self.patterns.shape[1:])
        if seen is None:
            return self.beta * (self.patterns @ y + self.bias)
        there = present(y, seen)
        absent = jnp.where(jnp.asarray(seen), 0.0, 1.0).astype(self.patterns.dtype)
        missing = 0.5 * (self.patterns**2 @ absent)
        return self.beta * (self.patterns @ there + missing + self.bias)

    @property
    def log_prior(self) -> Float[Array, " P"]:
        """Log prior [P] of the memories, up to normalisation: `beta (a + |x|^2 / 2)`, what the
        scores are of a query of which nothing is seen."""
        return self.beta * (self.bias + 0.5 * jnp.sum(self.patterns**2, axis=-1))

    @property
    def hypotheses(self) -> int:
        """Number of hypotheses: one a pattern."""
        return self.patterns.shape[0]

    def pattern(self, hypothesis: int | Int[Array, ""]) -> Float[Array, " N"]:
        return self.patterns[hypothesis]

    def mixture(self, weights: Float[Array, " P"]) -> Float[Array, " N"]:
        return weights @ self.patterns
