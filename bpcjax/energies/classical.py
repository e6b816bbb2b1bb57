"""The classical Hopfield energy (Hopfield 1982), over real states."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..system import as_parameter, check_parameters, is_traced, parameter


class ClassicalHopfield(eqx.Module):
    """`E(y) = -y W y / 2 - b y` with symmetric weights `W` [N, N] and biases `b` [N].

    Over spins `y = +-1`, asynchronous signs of `-grad E` never raise it (Hopfield 1982, PNAS
    79:2554). A flow of it needs saturation: see `DenseHopfield` and `ModernHopfield`.
    """

    weights: Float[Array, "N N"] = parameter()
    bias: Float[Array, " N"] = parameter()

    def __init__(self, weights: ArrayLike, bias: ArrayLike | None = None):
        self.weights = as_parameter(weights)
        if self.weights.ndim != 2 or self.weights.shape[0] != self.weights.shape[1]:
            raise ValueError(f"weights must be square [N, N], got shape {self.weights.shape}.")
        if not is_traced(self.weights) and not jnp.allclose(self.weights, self.weights.T):
            raise ValueError("weights must be symmetric: pass (weights + weights.T) / 2.")
        size = self.weights.shape[0]
        self.bias = jnp.zeros(size, self.weights.dtype) if bias is None else as_parameter(bias)
        if self.bias.shape != (size,):
            raise ValueError(f"bias must have shape ({size},), got {self.bias.shape}.")

    def __check_init__(self) -> None:
        check_parameters(self)

    @classmethod
    def hebb(cls, patterns: ArrayLike) -> "ClassicalHopfield":
        """Hebb's rule for patterns [P, N] of +-1: `W = X.T X / N` with an empty diagonal."""
        patterns = as_parameter(patterns)
        size = patterns.shape[-1]
        weights = patterns.T @ patterns / size
        return cls(weights * (1 - jnp.eye(size, dtype=weights.dtype)))

    def terms(self, y: Float[Array, " N"], args: PyTree = None) -> dict[str, Float[Array, ""]]:
        """The energy split into its parts, which sum to it."""
        return {"coupling": -0.5 * y @ (self.weights @ y), "bias": -self.bias @ y}

    def __call__(self, y: Float[Array, " N"], args: PyTree = None) -> Float[Array, ""]:
        return sum(self.terms(y, args).values(), start=jnp.zeros(()))
