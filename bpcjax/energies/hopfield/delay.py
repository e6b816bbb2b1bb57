"""Delay-line Hopfield memory: spatiotemporal patterns, recalled at whatever time they come."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from ...system import parameter
from ..base import AbstractMemory, as_bias, as_number, as_patterns, check_state


class Match(NamedTuple):
    """Best match: the likeliest memory, by how many steps it comes later than stored, and how
    likely it is."""

    memory: Int[Array, ""]
    shift: Int[Array, ""]
    probability: Float[Array, ""]


class DelayHopfield(AbstractMemory):
    """Delay-line Hopfield energy `E(Y) = |Y|^2 / 2 - lse_{mu, s}(beta (<T_s X_mu, Y> + a_mu)) /
    beta`, `T_s` a cyclic shift.

    `Y` [N, D] is what delay lines of N units hold, D steps long, and each memory a raster [N, D]
    (spike trains, smoothed by `bpcjax.encode` or a kernel). The modern Hopfield energy with all D
    shifts of each of the P patterns stored, which are never made: their scores are circular
    correlations, by FFT. So `E` does not change as `Y` is shifted, and everything known of
    `ModernHopfield` holds.
    """

    patterns: Float[Array, "P N D"] = parameter()
    beta: Float[Array, ""] = parameter(positive=True)
    bias: Float[Array, " P"] = parameter()

    def __init__(self, patterns: ArrayLike, beta: ArrayLike, bias: ArrayLike | None = None):
        self.patterns = as_patterns(patterns, "P N D")
        self.beta = as_number("beta", beta)
        self.bias = as_bias(bias, self.patterns.shape[0], self.patterns.dtype)

    def scores(self, y: Float[Array, "N D"]) -> Float[Array, "P D"]:
        """Scores [P, D]: `beta (<T_s X_mu, Y> + a_mu)` for each memory and each shift."""
        check_state(y, self.patterns.shape[1:])
        spectrum = jnp.fft.rfft(y)
        stored = jnp.fft.rfft(self.patterns)
        products = jnp.einsum("pnf,nf->pf", stored.conj(), spectrum)
        overlaps = jnp.fft.irfft(products, n=y.shape[-1])
        return self.beta * (overlaps.astype(y.dtype) + self.bias[:, None])

    def match(self, y: Float[Array, "N D"]) -> Match:
        """Best match of a raster: which memory, and when, by the largest entry of the posterior."""
        log_posterior = self.log_posterior(y)
        best = jnp.argmax(log_posterior)
        memory, shift = jnp.divmod(best, y.shape[-1])
        return Match(memory, shift, jnp.exp(jnp.max(log_posterior)))
