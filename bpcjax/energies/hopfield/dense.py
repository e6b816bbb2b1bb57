"""Dense associative memory (Krotov & Hopfield 2016)."""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..._require import count, function
from ...system import parameter
from ..base import AbstractEnergy, as_patterns, as_state


def _power(power: int, u: Float[Array, "*P"]) -> Float[Array, "*P"]:
    return u**power


def _exponential(size: int, u: Float[Array, "*P"]) -> Float[Array, "*P"]:
    return jnp.exp(u - size)


class DenseHopfield(AbstractEnergy):
    """Dense associative memory `E(y) = -sum_mu F(x_mu . y)`, for patterns `X` [P, N] and a
    separation function `F`.

    `F(u) = u**2 / 2` is the classical memory with its diagonal, `u**n` stores of the order of
    `N**(n-1)` patterns (Krotov & Hopfield 2016, NeurIPS 29), `exp` exponentially many
    (Demircigil et al. 2017, J. Stat. Phys. 168:288).
    """

    separation: Callable[[Float[Array, "*P"]], Float[Array, "*P"]]
    patterns: Float[Array, "P N"] = parameter()

    def __init__(self, patterns: ArrayLike, separation: Callable):
        self.patterns = as_patterns(patterns)
        self.separation = function("separation", separation, "a function of overlaps")

    @classmethod
    def polynomial(cls, patterns: ArrayLike, power: int) -> "DenseHopfield":
        """Polynomial memory: `F(u) = u^power`.

        **Raises:** `ValueError` if `power` is not a whole number of 2 or more.
        """
        return cls(patterns, partial(_power, count("power", power, 2)))

    @classmethod
    def exponential(cls, patterns: ArrayLike) -> "DenseHopfield":
        """Exponential memory: `F(u) = exp(u - N)`, over spins at most 1 a pattern, so nothing
        overflows."""
        patterns = as_patterns(patterns)
        return cls(patterns, partial(_exponential, patterns.shape[1]))

    def terms(self, y: Float[Array, " N"], args: PyTree = None) -> dict[str, Float[Array, ""]]:
        """Terms of the energy (here one), by name."""
        y = as_state(y, self.patterns.shape[1:])
        return {"alignment": -jnp.sum(self.separation(self.patterns @ y))}

    def update(self, spins: Float[Array, " N"]) -> Float[Array, " N"]:
        """Synchronous update: all spins (+-1) at once to lower the energy, the sign of its exact
        difference between `s_i = 1` and `s_i = -1` (Krotov & Hopfield 2016, eq. 4).

        **Raises:** `ValueError` if there is not one spin a unit.
        """
        spins = as_state(spins, self.patterns.shape[1:], "spins")
        overlaps = (self.patterns @ spins)[:, None] - self.patterns * spins[None, :]
        gain = self.separation(overlaps + self.patterns) - self.separation(overlaps - self.patterns)
        return jnp.where(gain.sum(axis=0) >= 0, 1.0, -1.0)
