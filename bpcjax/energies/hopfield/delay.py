"""Delay-line Hopfield memory: spatiotemporal patterns, recalled at whatever time they come."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from ..._require import number
from ...system import parameter
from ..base import AbstractMemory, as_bias, as_patterns, as_state, present
from .modern import ModernHopfield


class Match(NamedTuple):
    """Best match: the likeliest memory, by how many steps it comes later than stored, and how
    likely it is."""

    memory: Int[Array, ""]
    shift: Int[Array, ""]
    probability: Float[Array, ""]


class Shifted(NamedTuple):
    """A memory and by how many steps it comes later than stored: one hypothesis."""

    memory: Int[Array, "*rows"]
    shift: Int[Array, "*rows"]


class DelayHopfield(AbstractMemory):
    """Delay-line Hopfield energy `E(Y) = |Y|^2 / 2 - lse_{mu, s}(beta (<T_s X_mu, Y> + a_mu)) /
    beta`, `T_s` a cyclic shift.

    `Y` [N, D] is what delay lines of N units hold, D steps long, and each memory a raster [N, D]
    (spike trains, smoothed by `bpcjax.encode` or a kernel). The modern Hopfield energy with all D
    shifts of each of the P patterns stored, which are never made: their scores are circular
    correlations, by FFT. So `E` does not change as `Y` is shifted, and everything known of
    `ModernHopfield` holds.

    Its hypotheses are the P D pairs of a memory and a shift, the shifts of a memory in a row:
    `hypothesis` reads which one a number means.
    """

    patterns: Float[Array, "P N D"] = parameter()
    beta: Float[Array, ""] = parameter(positive=True)
    bias: Float[Array, " P"] = parameter()

    def __init__(self, patterns: ArrayLike, beta: ArrayLike, bias: ArrayLike | None = None):
        self.patterns = as_patterns(patterns, "P N D")
        self.beta = number("beta", beta)
        self.bias = as_bias(bias, self.patterns.shape[0], self.patterns.dtype)

    def scores(
        self, y: Float[Array, "N D"], seen: Bool[ArrayLike, "N D"] | None = None
    ) -> Float[Array, "P D"]:
        """Scores [P, D]: `beta (<T_s X_mu, Y> + a_mu)` for each memory and each shift; of what is
        `seen` as in `ModernHopfield`."""
        y = as_state(y, self.patterns.shape[1:])
        if seen is None:
            return self.beta * (_correlations(self.patterns, y) + self.bias[:, None])
        there = present(y, seen)
        absent = jnp.where(jnp.asarray(seen), 0.0, 0.5).astype(y.dtype)
        missing = _correlations(self.patterns**2, absent)
        return self.beta * (_correlations(self.patterns, there) + missing + self.bias[:, None])

    @property
    def hypotheses(self) -> int:
        """Number of hypotheses: one for each memory and each shift."""
        return self.patterns.shape[0] * self.patterns.shape[-1]

    def hypothesis(self, number: int | Int[ArrayLike, "*rows"]) -> Shifted:
        """Memory and shift of a hypothesis, or of many, as winners are counted by spiking
        memories; no spike (-1) stays -1 as a memory."""
        return Shifted(*jnp.divmod(jnp.asarray(number), self.patterns.shape[-1]))

    def pattern(self, hypothesis: int | Int[Array, ""]) -> Float[Array, "N D"]:
        memory, shift = self.hypothesis(hypothesis)
        return jnp.roll(self.patterns[memory], shift, axis=-1)

    def mixture(self, weights: Float[Array, "..."]) -> Float[Array, "N D"]:
        count, _, steps = self.patterns.shape
        share = jnp.fft.rfft(weights.reshape(count, steps))
        spectrum = jnp.einsum("pf,pnf->nf", share, jnp.fft.rfft(self.patterns))
        return jnp.fft.irfft(spectrum, n=steps).astype(self.patterns.dtype)

    def log_marginal(self, y: Float[Array, "N D"]) -> Float[Array, " P"]:
        """Log marginal posterior [P]: the log probability of each memory, whatever its shift."""
        return jax.nn.logsumexp(self.log_posterior(y), axis=-1)

    def unrolled(self) -> ModernHopfield:
        """The same memory with all P D shifted rasters stored, each flat [N D], in the order of the
        hypotheses: for what needs patterns one by one, at D times the room."""
        count, units, steps = self.patterns.shape
        shifted = jnp.stack([jnp.roll(self.patterns, s, axis=-1) for s in range(steps)], axis=1)
        patterns = shifted.reshape(count * steps, units * steps)
        return ModernHopfield(patterns, self.beta, jnp.repeat(self.bias, steps))

    def match(self, y: Float[Array, "N D"]) -> Match:
        """Best match of a raster: which memory, and when, by the largest entry of the posterior."""
        log_posterior = self.log_posterior(y)
        best = jnp.argmax(log_posterior)
        return Match(*self.hypothesis(best), jnp.exp(jnp.max(log_posterior)))


def _correlations(patterns: Float[Array, "P N D"], y: Float[Array, "N D"]) -> Float[Array, "P D"]:
    """Circular correlations `<T_s X_mu, Y>`, summed over units."""
    products = jnp.einsum("pnf,nf->pf", jnp.fft.rfft(patterns).conj(), jnp.fft.rfft(y))
    return jnp.fft.irfft(products, n=y.shape[-1]).astype(y.dtype)
