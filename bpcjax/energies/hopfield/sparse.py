"""Sparse modern Hopfield network: alpha-entmax in place of softmax, exact beyond a margin."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..._require import number
from ...system import as_floating, parameter
from ..base import AbstractEnergy, as_bias, as_patterns, as_state
from .entmax import check_order, entmax, entmax_conjugate


class SparseHopfield(AbstractEnergy):
    """Sparse Hopfield energy `E(y) = |y|^2 / 2 - Omega*(beta (X y + a)) / beta`, patterns `X` [P,
    N], biases `a` [P].

    `Omega*` is the conjugate of Tsallis' negative entropy of order `alpha`: 2 is sparsemax (Hu et
    al. 2023, arXiv:2309.12673), 1.5 and others lie between it and softmax (Santos et al. 2024,
    arXiv:2402.13725). `update` gives pattern mu exactly, not only nearly, where
    `beta (x_mu . y + a_mu)` leads the others by `1 / (alpha - 1)`.
    """

    alpha: float = eqx.field(static=True)
    patterns: Float[Array, "P N"] = parameter()
    beta: Float[Array, ""] = parameter(positive=True)
    bias: Float[Array, " P"] = parameter()

    def __init__(
        self,
        patterns: ArrayLike,
        beta: ArrayLike,
        alpha: ArrayLike = 2.0,
        bias: ArrayLike | None = None,
    ):
        self.patterns = as_patterns(patterns)
        self.beta = number("beta", beta)
        self.bias = as_bias(bias, self.patterns.shape[0], self.patterns.dtype)
        self.alpha = check_order(alpha)

    def scores(self, y: Float[Array, " N"]) -> Float[Array, " P"]:
        """Scores [P]: `beta (X y + a)`.

        **Raises:** `ValueError` if `y` has not the patterns' length.
        """
        y = as_state(y, self.patterns.shape[1:])
        return self.beta * (self.patterns @ y + self.bias)

    def posterior(self, y: Float[Array, " N"]) -> Float[Array, " P"]:
        """Weights [P] of the memories given `y`, most of them exactly 0: `entmax(scores)`."""
        return entmax(self.scores(y), self.alpha)

    def terms(self, y: Float[Array, " N"], args: PyTree = None) -> dict[str, Float[Array, ""]]:
        evidence = entmax_conjugate(self.scores(y), self.alpha) / self.beta
        y = as_floating(y)
        return {"confinement": 0.5 * jnp.sum(y * y), "evidence": -evidence}

    def update(self, y: Float[Array, " N"]) -> Float[Array, " N"]:
        """One step of sparse attention: `X.T posterior(y) = y - grad E(y)`.

        It is computed as the former, which is a pattern to the last digit where recall is exact.
        """
        return self.posterior(y) @ self.patterns
