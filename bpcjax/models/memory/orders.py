"""Orders in which a sequential memory takes the entries of its queries."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ..._require import count, indices, instance, number
from ...energies import ModernHopfield
from ...system import Scalar, is_traced

Order = Int[Array, " N"]


def as_order(order: ArrayLike | Any, size: int) -> Order:
    """`order` as an array that holds each of so many entries once.

    **Raises:** `ValueError` if it is known not to.
    """
    rank: Any = order if is_traced(order) else indices("order", order)
    if rank.shape != (size,) or not jnp.issubdtype(rank.dtype, jnp.integer):
        raise ValueError(
            f"order must be integers of shape ({size},), got {rank.dtype} of shape {rank.shape}."
        )
    if not is_traced(rank) and (np.sort(np.asarray(rank)) != np.arange(size)).any():
        raise ValueError(f"order must hold each of the entries 0 to {size - 1} once.")
    return jnp.asarray(rank)


def by_variance(energy: ModernHopfield) -> Order:
    """Order [N] of the entries by their variance over the memories, the largest first: where two
    random memories differ most."""
    instance("energy", energy, ModernHopfield)
    return jnp.argsort(-jnp.var(energy.patterns, axis=0), stable=True).astype(jnp.int32)


def by_information(
    energy: ModernHopfield, sigma: Scalar | float, *, levels: int = 129, points: int = 257
) -> Order:
    """Order [N] of the entries by their expected information about the memory, under Gaussian noise
    of standard deviation `sigma` and the prior of the energy, the largest first.

    The information of an entry is the entropy of its mixture over the memories less that of the
    noise, by quadrature at so many `points`, with the memories' values in so many `levels`.
    """
    return jnp.argsort(-information(energy, sigma, levels, points), stable=True).astype(jnp.int32)


def information(
    energy: ModernHopfield, sigma: Scalar | float, levels: int = 129, points: int = 257
) -> Float[Array, " N"]:
    """Mutual information (nat) of each entry and the memory, under Gaussian noise."""
    instance("energy", energy, ModernHopfield)
    levels, points = count("levels", levels, 2), count("points", points, 3)
    x = energy.patterns
    sigma = number("sigma", sigma, above=0, finite=True).astype(x.dtype)
    prior = jnp.exp(energy.log_prior - energy.log_prior.max())
    low, high = x.min(), x.max()
    width = jnp.maximum(high - low, jnp.finfo(x.dtype).tiny)
    level = jnp.clip(jnp.round((x - low) / width * (levels - 1)), 0, levels - 1).astype(jnp.int32)
    entry = jnp.broadcast_to(jnp.arange(x.shape[1]), x.shape)
    weight = jnp.broadcast_to(prior[:, None] / prior.sum(), x.shape)
    share = jnp.zeros((x.shape[1], levels), x.dtype).at[entry, level].add(weight)
    values = low + width * jnp.linspace(0.0, 1.0, levels, dtype=x.dtype)
    at = jnp.linspace(low - 6 * sigma, high + 6 * sigma, points, dtype=x.dtype)

    def integral(density):
        return jnp.trapezoid(density, dx=at[1] - at[0], axis=-1)

    kernel = jnp.exp(-0.5 * ((at[None] - values[:, None]) / sigma) ** 2)
    kernel = kernel / integral(kernel)[:, None]

    def entropy(density):
        return -integral(density * jnp.log(jnp.maximum(density, jnp.finfo(x.dtype).tiny)))

    noise = (share * entropy(kernel)[None]).sum(axis=1)
    return entropy(share @ kernel) - noise
