"""Graded Hopfield network (Hopfield 1984): activities between -1 and 1."""

import jax.numpy as jnp
from jax.scipy.special import xlogy
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..._require import number
from ...system import parameter
from ..base import AbstractEnergy, as_bias, as_couplings, as_state


class GradedHopfield(AbstractEnergy):
    """Graded Hopfield energy `E(V) = -V W V / 2 - b V + sum_i G(V_i) / beta`, activities `V` in
    [-1, 1], `G' = artanh`.

    With potentials `u = artanh(V) / beta` the gradient in `V` is `u - W V - b`: the network
    `tau u' = -u + W tanh(beta u) + b` (Hopfield 1984, PNAS 81:3088) has `dV_i/dt` of the sign of
    `-dE/dV_i`, and never raises `E`. It is no gradient flow in `V`, nor in `u`: its descent is
    `drive(u)`. `-G` is the entropy of a spin of mean `V`, less log 2: `E` is the mean-field free
    energy of the binary memory at temperature `1 / beta`.
    """

    weights: Float[Array, "N N"] = parameter()
    beta: Float[Array, ""] = parameter(positive=True)
    bias: Float[Array, " N"] = parameter()

    def __init__(self, weights: ArrayLike, beta: ArrayLike, bias: ArrayLike | None = None):
        self.weights = as_couplings(weights)
        self.beta = number("beta", beta)
        if self.weights.size == 0:
            raise ValueError("weights must be square [N, N] with N at least 1.")
        self.bias = as_bias(bias, self.weights.shape[0], self.weights.dtype, "unit")

    def activity(self, potentials: Float[Array, " N"]) -> Float[Array, " N"]:
        """Activities `V = tanh(beta u)` [N] of the potentials."""
        return jnp.tanh(self.beta * potentials)

    def potential(self, activities: Float[Array, " N"]) -> Float[Array, " N"]:
        """Potentials `u = artanh(V) / beta` [N], infinite at the corners of the cube."""
        return jnp.arctanh(activities) / self.beta

    def terms(self, y: Float[Array, " N"], args: PyTree = None) -> dict[str, Float[Array, ""]]:
        """Terms of the energy, by name, which sum to it; NaN outside [-1, 1].

        **Raises:** `ValueError` if there is not one activity a unit.
        """
        y = as_state(y, self.bias.shape)
        entropy = 0.5 * jnp.sum(xlogy(1 + y, 1 + y) + xlogy(1 - y, 1 - y))
        return {
            "coupling": -0.5 * y @ (self.weights @ y),
            "bias": -self.bias @ y,
            "entropy": entropy / self.beta,
        }

    def drive(self, potentials: Float[Array, " N"]) -> Float[Array, " N"]:
        """Drive `tau u' = -u + W V + b = -dE/dV`, at `V = activity(u)`."""
        return self.weights @ self.activity(potentials) + self.bias - potentials

    def update(self, y: Float[Array, " N"]) -> Float[Array, " N"]:
        """Mean-field update `tanh(beta (W V + b))`: where the gradient in each unit alone vanishes.

        Without self-coupling, each entry is the exact minimiser of `E` over its unit: taken one
        at a time it never raises `E`; taken together they may.
        """
        y = as_state(y, self.bias.shape)
        return self.activity(self.weights @ y + self.bias)
