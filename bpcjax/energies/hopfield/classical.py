"""Classical Hopfield network (Hopfield 1982), its energy over real states."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..._require import at_least_single, require
from ...system import is_traced, parameter
from ..base import AbstractEnergy, as_bias, as_couplings, as_patterns, as_state


class ClassicalHopfield(AbstractEnergy):
    """Classical Hopfield energy `E(y) = -y W y / 2 - b y` with symmetric weights `W` [N, N] and
    biases `b` [N].

    Over spins `y = +-1`, asynchronous signs of `-grad E` never raise it (Hopfield 1982, PNAS
    79:2554). A flow of it needs saturation: see `DenseHopfield` and `ModernHopfield`.
    """

    weights: Float[Array, "N N"] = parameter()
    bias: Float[Array, " N"] = parameter()

    def __init__(self, weights: ArrayLike, bias: ArrayLike | None = None):
        self.weights = as_couplings(weights)
        self.bias = as_bias(bias, self.weights.shape[0], self.weights.dtype, "unit")

    @classmethod
    def hebb(cls, patterns: ArrayLike) -> "ClassicalHopfield":
        """Hebb's rule for patterns [P, N] of +-1: `W = X.T X / N` with an empty diagonal."""
        patterns = as_patterns(patterns)
        size = patterns.shape[-1]
        weights = patterns.T @ patterns / size
        return cls(within_range(weights) * (1 - jnp.eye(size, dtype=weights.dtype)))

    @classmethod
    def pseudo_inverse(cls, patterns: ArrayLike) -> "ClassicalHopfield":
        """Pseudo-inverse rule: the projection on the patterns [P, N], with an empty diagonal: each
        of them is fixed.

        `W = X^+ X` gives `W x = x` for any pattern however alike they are, and without its
        diagonal `(1 - W_ii) x_i`, of the same sign (Personnaz et al. 1985, J. Phys. Lett. 46:359;
        Kanter & Sompolinsky 1987, Phys. Rev. A 35:380). A unit with `W_ii = 1` has no field left:
        that of two patterns that differ there alone, or all units of N independent patterns.
        """
        patterns = at_least_single(as_patterns(patterns))
        size = patterns.shape[-1]
        weights = jnp.linalg.pinv(patterns) @ patterns
        weights = 0.5 * (weights + weights.T) * (1 - jnp.eye(size, dtype=weights.dtype))
        return cls(within_range(weights))

    def terms(self, y: Float[Array, " N"], args: PyTree = None) -> dict[str, Float[Array, ""]]:
        y = as_state(y, self.bias.shape)
        return {"coupling": -0.5 * y @ (self.weights @ y), "bias": -self.bias @ y}

    def update(self, spins: Float[Array, " N"]) -> Float[Array, " N"]:
        """Synchronous update: all spins (+-1) aligned at once with their fields `W s + b`; where
        that is 0, as before.

        Unlike one spin at a time, this may raise the energy, and ends in a cycle of two at most.

        **Raises:** `ValueError` if there is not one spin a unit.
        """
        spins = as_state(spins, self.bias.shape, "spins")
        field = self.weights @ spins + self.bias
        return jnp.where(field == 0, spins, jnp.sign(field))


def within_range(weights: Float[Array, "N N"]) -> Float[Array, "N N"]:
    """`weights` that patterns made.

    **Raises:** `ValueError` naming the patterns where it is known that their products overflow.
    """
    require(is_traced(weights) or np.isfinite(weights), "patterns are too large: scale them.")
    return weights
