"""Sequence memories: cycles stored in delays, which have an energy, and chains without one."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..._require import count, function
from ...system import Module, as_parameter, is_traced, parameter
from ..base import AbstractEnergy, as_patterns, as_state


class CycleHopfield(AbstractEnergy):
    """Hopfield network with delays: cycles [P, D, N] of D spin patterns, in synapses with all
    delays 0 ... D - 1.

    `J(tau) = eps(tau) / N sum_{mu, a} x_mu(a + 1) x_mu(a - tau)^T` drives `S(t + 1) =
    sign(sum_tau J(tau) S(t - tau))`. The state is the history [D, N], the present first. Its
    energy is the functional

        H = -1/2 sum_{a, tau} S(t - a) . J(tau) S(t - (a + tau + 1 mod D)),

    which the parallel dynamics never raises if `eps(tau) = eps(D - 2 - tau mod D)`: then
    `J_ij(tau) = J_ji(D - 2 - tau)` (Herz, Li & van Hemmen 1991, Phys. Rev. Lett. 66:1370). `J` is
    not formed: overlaps with the patterns of the cycles do.
    """

    cycles: Float[Array, "P D N"] = parameter()
    efficacy: Float[Array, " D"] = parameter()

    def __init__(self, cycles: ArrayLike, efficacy: ArrayLike | None = None):
        self.cycles = as_patterns(cycles, "P D N", name="cycles")
        length = self.cycles.shape[1]
        ones = jnp.ones(length, self.cycles.dtype)
        self.efficacy = ones if efficacy is None else as_parameter(efficacy, "efficacy")
        if self.efficacy.shape != (length,):
            raise ValueError(f"efficacy must have shape ({length},), got {self.efficacy.shape}.")

    @property
    def symmetric(self) -> bool:
        """Whether the efficacies of the delays are such that `H` is a Lyapunov function.

        **Raises:** `ValueError` if they are not known, under a transformation.
        """
        if is_traced(self.efficacy):
            raise ValueError("symmetric: ask before jit or vmap, where efficacy is known.")
        length = self.efficacy.shape[0]
        mirrored = self.efficacy[(length - 2 - jnp.arange(length)) % length]
        return bool(jnp.allclose(self.efficacy, mirrored))

    def history(self, cycle: int, phase: int = 0) -> Float[Array, "D N"]:
        """The history in the middle of a stored cycle, its pattern `phase` the present."""
        length = self.cycles.shape[1]
        return self.cycles[cycle][(phase - jnp.arange(length)) % length]

    def _drive(self, history: Float[Array, "D N"]) -> Float[Array, "P D"]:
        """How much each pattern of each cycle is called for next, by all delays."""
        size, length = history.shape[1], history.shape[0]
        overlap = jnp.einsum("pan,dn->pad", self.cycles, history) / size  # pattern a, d steps ago
        steps = jnp.arange(length)
        before = (steps[:, None] - 1 - steps[None, :]) % length  # of pattern a: a - 1 - tau
        return overlap[:, before, steps[None, :]] @ self.efficacy

    def field(self, history: Float[Array, "D N"]) -> Float[Array, " N"]:
        """Fields [N]: `sum_tau J(tau) S(t - tau)`.

        **Raises:** `ValueError` if the history has not the shape of a cycle.
        """
        history = as_state(history, self.cycles.shape[1:], "history")
        return jnp.einsum("pa,pan->n", self._drive(history), self.cycles)

    def terms(self, y: Float[Array, "D N"], args: PyTree = None) -> dict[str, Float[Array, ""]]:
        """Terms of the energy, one a delay, which sum to it."""
        y = as_state(y, self.cycles.shape[1:])
        length, size = y.shape
        overlap = jnp.einsum("pan,dn->pad", self.cycles, y) / size
        ago = jnp.arange(length)
        parts = {}
        for tau in range(length):
            after = jnp.roll(overlap, -1, axis=1)  # of pattern a + 1, at present - ago
            before = jnp.roll(overlap, tau, axis=1)[:, :, (ago + tau + 1) % length]
            parts[f"delay {tau}"] = -0.5 * size * self.efficacy[tau] * jnp.sum(after * before)
        return parts

    def update(self, y: Float[Array, "D N"]) -> Float[Array, "D N"]:
        """One time step of all spins: signs of their fields, the oldest of the history for 0.

        The oldest, at `t - D + 1`, is where the cycle is due to return to.
        """
        field = self.field(y)
        new = jnp.where(field == 0, y[-1], jnp.sign(field))
        return jnp.concatenate([new[None], y[:-1]])


class SequenceMemory(Module):
    """Sequence memory of chains of spin patterns [P, N]: each one calls for the next, the last for
    the first.

    `S_i <- sign(sum_mu x^{mu+1}_i f(m^mu_i))`, `m^mu_i = sum_{j != i} x^mu_j S_j / (N - 1)` with
    a separation `f` (Chaudhry et al. 2023, arXiv:2306.04532). No energy: its weights are not
    symmetric.
    """

    separation: Callable[[Float[Array, "*n"]], Float[Array, "*n"]]
    patterns: Float[Array, "P N"] = parameter()

    def __init__(self, patterns: ArrayLike, separation: Callable):
        self.patterns = as_patterns(patterns)
        self.separation = function("separation", separation, "a function of overlaps")

    @classmethod
    def polynomial(cls, patterns: ArrayLike, power: int) -> "SequenceMemory":
        """Polynomial memory: `f(m) = m^power`, of the order of `N^power` transitions.

        **Raises:** `ValueError` if `power` is not a whole number of 1 or more.
        """
        power = count("power", power, 1)
        return cls(patterns, lambda m: m**power)

    @classmethod
    def exponential(cls, patterns: ArrayLike) -> "SequenceMemory":
        """Exponential memory: `f(m) = exp((N - 1) (m - 1))`, exponentially many transitions."""
        size = as_patterns(patterns).shape[1]
        return cls(patterns, lambda m: jnp.exp((size - 1) * (m - 1)))

    def update(self, spins: Float[Array, " N"]) -> Float[Array, " N"]:
        """Synchronous update to the next pattern: all spins at once; where the field is 0, as
        before.

        **Raises:** `ValueError` if there is not one spin a unit.
        """
        spins = as_state(spins, self.patterns.shape[1:], "spins")
        size = self.patterns.shape[1]
        own = self.patterns * spins[None, :]
        overlaps = (jnp.sum(own, axis=1, keepdims=True) - own) / max(size - 1, 1)
        following = jnp.roll(self.patterns, -1, axis=0)
        field = jnp.sum(following * self.separation(overlaps), axis=0)
        return jnp.where(field == 0, spins, jnp.sign(field))
