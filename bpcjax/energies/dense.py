"""The dense associative memory (Krotov & Hopfield 2016)."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..system import as_parameter, check_parameters, parameter


class DenseHopfield(eqx.Module):
    """`E(y) = -sum_mu F(x_mu . y)`, for patterns `X` [P, N] and a separation function `F`.

    `F(u) = u**2 / 2` is the classical memory with its diagonal, `u**n` stores of the order of
    `N**(n-1)` patterns (Krotov & Hopfield 2016, NeurIPS 29), `exp` exponentially many
    (Demircigil et al. 2017, J. Stat. Phys. 168:288).
    """

    separation: Callable[[Float[Array, "*P"]], Float[Array, "*P"]]
    patterns: Float[Array, "P N"] = parameter()

    def __init__(self, patterns: ArrayLike, separation: Callable):
        self.patterns = as_parameter(patterns)
        self.separation = separation
        if self.patterns.ndim != 2:
            raise ValueError(f"patterns must be a matrix [P, N], got shape {self.patterns.shape}.")
        if not callable(separation):
            raise ValueError(f"separation must be a function of overlaps, got {separation!r}.")

    def __check_init__(self) -> None:
        check_parameters(self)

    def terms(self, y: Float[Array, " N"], args: PyTree = None) -> dict[str, Float[Array, ""]]:
        """The energy split into its parts (here one)."""
        return {"alignment": -jnp.sum(self.separation(self.patterns @ y))}

    def __call__(self, y: Float[Array, " N"], args: PyTree = None) -> Float[Array, ""]:
        return sum(self.terms(y, args).values(), start=jnp.zeros(()))

    def update(self, spins: Float[Array, " N"]) -> Float[Array, " N"]:
        """All spins (+-1) aligned at once to lower the energy: the sign of its exact difference
        between `s_i = 1` and `s_i = -1` (Krotov & Hopfield 2016, eq. 4).
        """
        overlaps = (self.patterns @ spins)[:, None] - self.patterns * spins[None, :]
        gain = self.separation(overlaps + self.patterns) - self.separation(overlaps - self.patterns)
        return jnp.where(gain.sum(axis=0) >= 0, 1.0, -1.0)
