"""First-spike latency of memories without inhibition between them: it tells the energy."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ..._require import key as one_key, number
from ...energies import AbstractMemory
from ...system import Scalar
from .modes import as_query, check_energy


def sample_first_spike(
    energy: AbstractMemory,
    query: Float[Array, "*N"],
    key: Key[Array, ""],
    *,
    rate: Scalar | float = 1.0,
) -> tuple[Float[Array, ""], Int[Array, ""]]:
    """Sample of the first spike: the logarithm of its time, and the memory that sends it.

    Memory mu spikes at `rate * exp(u_mu)` with the scores `u` of the query, without divisive
    inhibition. The time is exponential with the mean of `log_mean_latency`, whoever wins; the
    winner is a draw from the posterior. In the log domain, so that no rate overflows, as
    the times of `jump_path` would.
    """
    check_energy(energy)
    rate, key = number("rate", rate, above=0), one_key("key", key)
    scores = energy.scores(as_query(energy, query)).ravel()
    waits = jnp.log(jax.random.exponential(key, scores.shape, scores.dtype)) - scores
    winner = waits.argmin()
    return waits[winner] - jnp.log(rate), winner


def log_mean_latency(
    energy: AbstractMemory, query: Float[Array, "*N"], rate: Scalar | float = 1.0
) -> Float[Array, ""]:
    """Log mean latency of the first spike, `ln E[T] = -ln rate - beta (|x|^2 / 2 - E(x))`: it reads
    out the energy."""
    check_energy(energy)
    query, rate = as_query(energy, query), number("rate", rate, above=0)
    return -jnp.log(rate) - energy.beta * (0.5 * jnp.sum(query * query) - energy(query))
