"""BCPNN: the Bayesian confidence propagation neural network, with its free energy."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import xlogy
from jaxtyping import Array, ArrayLike, Float, Int, PyTree

from ..._require import count, floating, indices, number
from ...system import as_parameter, is_traced, parameter
from ..base import AbstractEnergy


def randomised(
    p: Float[Array, "H M"], joint: Float[Array, "H M H M"], prior: ArrayLike
) -> tuple[Float[Array, "H M"], Float[Array, "H M H M"]]:
    """Probabilities of units and of pairs if each column is redrawn with probability `prior`.

    Both change together, so that the pairs' sums remain the units' probabilities, and a unit that
    was never active is independent of all others.
    """
    prior = jnp.asarray(prior)
    chance = 1 / p.shape[-1]  # of each unit in a column that is redrawn
    one, other = p[:, :, None, None], p[None, None]
    both = (1 - prior) ** 2 * joint + (1 - prior) * prior * chance * (one + other)
    return (1 - prior) * p + prior * chance, both + (prior * chance) ** 2


class BCPNN(AbstractEnergy):
    """BCPNN, with the free energy `F(s) = -s W s / 2 - b s + T sum s log s`, for columns `s` [H, M]
    that sum to 1 each.

    `W` [H, M, H, M] is symmetric and empty within columns, so that `F` falls whenever a column is
    set to its exact minimiser, the softmax of its drive. With `w = log(p_ij / (p_i p_j))` and `b =
    log p` the softmax is the posterior of a naive Bayes classifier (Lansner & Ekeberg 1989, Int. J.
    Neural Syst. 1:77; Sandberg et al. 2002, Network 13:179).
    """

    weights: Float[Array, "H M H M"] = parameter()
    bias: Float[Array, "H M"] = parameter()
    temperature: Float[Array, ""] = parameter(1.0, positive=True)

    def __init__(self, weights: ArrayLike, bias: ArrayLike, temperature: ArrayLike = 1.0):
        self.weights, self.bias = as_parameter(weights, "weights"), as_parameter(bias, "bias")
        self.temperature = number("temperature", temperature)
        if self.bias.ndim != 2 or self.weights.shape != self.bias.shape * 2:
            raise ValueError(
                "weights must have shape [H, M, H, M] and bias [H, M], got "
                f"{self.weights.shape} and {self.bias.shape}."
            )
        if is_traced(self.weights):
            return
        known = np.asarray(self.weights)
        if not np.allclose(known, known.transpose(2, 3, 0, 1), equal_nan=True):
            raise ValueError("weights must be symmetric in their two pairs of axes.")
        if np.einsum("hmhn->hmn", known).any():
            raise ValueError("weights must be zero within a column: units there exclude another.")

    @classmethod
    def from_probabilities(
        cls, p: ArrayLike, joint: ArrayLike, *, prior: ArrayLike, temperature: ArrayLike = 1.0
    ) -> "BCPNN":
        """BCPNN from probabilities of units [H, M] and of pairs [H, M, H, M]; `prior` is how often
        a column is taken to be redrawn by chance (see `randomised`), in (0, 1].

        **Raises:** `ValueError` for a prior outside of it: the logarithm of a pair that never
        occurred.
        """
        p = as_parameter(floating("p", p, ("H", "M"), least=0, most=1))
        joint = as_parameter(floating("joint", joint, p.shape * 2, like="p", least=0, most=1))
        prior = number("prior", prior, above=0, most=1)
        unit, pair = randomised(p, joint, prior)
        weights = jnp.log(pair / (unit[:, :, None, None] * unit[None, None]))
        other = 1 - jnp.eye(len(p), dtype=p.dtype)
        return cls(weights * other[:, None, :, None], jnp.log(unit), temperature)

    @classmethod
    def from_patterns(
        cls,
        patterns: Int[ArrayLike, "P H"],
        units: int,
        *,
        prior: ArrayLike | None = None,
        temperature: ArrayLike = 1.0,
    ) -> "BCPNN":
        """BCPNN from patterns [P, H] that name the active one of `units` in each column; `prior` is
        `1 / P` unless given."""
        units = count("units", units, 1)
        known = indices("patterns", patterns, units, ("P", "H"))
        if not known.size:
            raise ValueError(f"patterns must hold one pattern or more, got shape {known.shape}.")
        active = jax.nn.one_hot(known, units, dtype=jnp.result_type(float))
        joint = jnp.einsum("phm,pkn->hmkn", active, active) / len(active)
        prior = 1 / len(active) if prior is None else prior
        return cls.from_probabilities(
            active.mean(axis=0), joint, prior=prior, temperature=temperature
        )

    def terms(self, y: Float[Array, "H M"], args: PyTree = None) -> dict[str, Float[Array, ""]]:
        """Terms of the free energy, by name, which sum to it."""
        coupling = -0.5 * jnp.vdot(y, self._field(y))
        entropy = self.temperature * jnp.sum(xlogy(y, y))
        return {"coupling": coupling, "bias": -jnp.vdot(y, self.bias), "entropy": entropy}

    def _field(self, y: Float[Array, "H M"]) -> Float[Array, "H M"]:
        matrix = self.weights.reshape(self.bias.size, self.bias.size)
        return (matrix @ y.ravel()).reshape(y.shape)

    def log_posterior(self, y: Float[Array, "H M"]) -> Float[Array, "H M"]:
        """Log posterior [H, M]: the log probability of each unit of a column, given the other
        columns."""
        drive = (self._field(y) + self.bias) / self.temperature
        return jax.nn.log_softmax(drive, axis=-1)

    def update(self, y: Float[Array, "H M"]) -> Float[Array, "H M"]:
        """Synchronous update: all columns at once to the softmax of their drives. This may raise
        `F`; moving towards it in small steps, `dy/dt = update(y) - y`, does not."""
        return jnp.exp(self.log_posterior(y))

    def column(self, y: Float[Array, "H M"], column: int | Int[Array, ""]) -> Float[Array, "H M"]:
        """Update of one column, to the minimum of `F` over it."""
        matrix = self.weights.reshape(*self.bias.shape, -1)
        drive = (matrix[column] @ y.ravel() + self.bias[column]) / self.temperature
        return y.at[column].set(jax.nn.softmax(drive))

    def sweep(self, y: Float[Array, "H M"]) -> Float[Array, "H M"]:
        """Asynchronous sweep: every column once, in order; it never raises `F`."""
        columns = jnp.arange(len(self.bias))
        return jax.lax.scan(lambda y, h: (self.column(y, h), None), y, columns)[0]
