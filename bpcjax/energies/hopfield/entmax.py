"""Alpha-entmax, sparse relatives of softmax, and its convex conjugate.

`entmax(z) = argmax_p p . z - Omega(p)` over the simplex, with the negative entropy of Tsallis
`Omega(p) = sum (p^alpha - p) / (alpha (alpha - 1))` (Peters, Niculae & Martins 2019,
arXiv:1905.05702). Its entries are `((alpha - 1) z - tau)^(1 / (alpha - 1))` where that is
positive and exactly 0 elsewhere; the largest is exactly 1 if it leads by `1 / (alpha - 1)` or more.
Softmax is the limit `alpha = 1`, where no entry is ever 0.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ..._require import scalar


def check_order(alpha: ArrayLike) -> float:
    """Validate the order `alpha`: a number that is concrete, as it selects the algorithm.

    **Raises:** `ValueError` if it is not a finite number above 1.
    """
    order = scalar("alpha", alpha, finite=True)
    if not order > 1:
        raise ValueError(f"alpha must be above 1, got {alpha}: softmax is the limit alpha = 1.")
    return order


def _shifted(scores: Float[Array, " P"], alpha: float) -> Float[Array, " P"]:
    """`(alpha - 1) z` with largest entry 0; below -1 no entry has weight, and all are cut there."""
    lead = scores - jax.lax.stop_gradient(jnp.max(scores))
    return jnp.maximum((alpha - 1) * lead, -1.0)


def _sparsemax_threshold(z: Float[Array, " P"]) -> Float[Array, ""]:
    """`tau` for `alpha = 2`, from sorted scores (Martins & Astudillo 2016, ICML)."""
    z = jnp.sort(z, descending=True)
    size = jnp.arange(1, len(z) + 1, dtype=z.dtype)
    tau = (jnp.cumsum(z) - 1) / size
    return tau[jnp.sum((tau < z) & (z > -1)) - 1]


def _threshold_of_squares(z: Float[Array, " P"]) -> Float[Array, ""]:
    """`tau` for `alpha = 3 / 2`: a quadratic equation for each size of support."""
    z = jnp.sort(z, descending=True)
    size = jnp.arange(1, len(z) + 1, dtype=z.dtype)
    mean, square = jnp.cumsum(z) / size, jnp.cumsum(z * z) / size
    inside = 1 / size - (square - mean * mean)
    tau = jnp.where(inside >= 0, mean - jnp.sqrt(jnp.maximum(inside, 0)), jnp.inf)
    return tau[jnp.sum((tau < z) & (z > -1)) - 1]


def _bracketed_threshold(z: Float[Array, " P"], alpha: float) -> Float[Array, ""]:
    """`tau` by bisection: the sum of weights falls from 1 or more at -1 to 1 or less at `high`."""
    steps = jnp.finfo(z.dtype).nmant + 12
    power = 1 / (alpha - 1)

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        above = jnp.sum(jnp.maximum(z - middle, 0) ** power) >= 1
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    ends = -jnp.ones((), z.dtype), jnp.asarray(-(len(z) ** (1.0 - alpha)), z.dtype)
    return jax.lax.fori_loop(0, steps, halve, ends)[0]


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _entmax(scores: Float[Array, " P"], alpha: float) -> Float[Array, " P"]:
    z = _shifted(scores, alpha)
    if alpha == 2:
        weights = jnp.maximum(z - _sparsemax_threshold(z), 0)
    elif alpha == 1.5:
        weights = jnp.maximum(z - _threshold_of_squares(z), 0) ** 2
    else:
        weights = jnp.maximum(z - _bracketed_threshold(z, alpha), 0) ** (1 / (alpha - 1))
    # The compiler may round the same z in two ways: what is exact is decided by comparisons alone.
    near = z > -1
    weights = jnp.where(near, weights, 0)
    return jnp.where(jnp.sum(near) == 1, near.astype(z.dtype), weights / jnp.sum(weights))


@_entmax.defjvp
def _entmax_jvp(alpha, primals, tangents):
    # dp = s (dz - s . dz / sum s) with s = p^(2 - alpha) where p > 0: again a function of entmax.
    p = _entmax(*primals, alpha)
    s = jnp.where(p > 0, jnp.where(p > 0, p, 1) ** (2 - alpha), 0)
    return p, s * (tangents[0] - jnp.vdot(s, tangents[0]) / jnp.sum(s))


def entmax(scores: Float[Array, " P"], alpha: ArrayLike) -> Float[Array, " P"]:
    """Alpha-entmax: the sparse probabilities of `scores`; 2 is sparsemax, towards 1 they become
    softmax.

    `alpha` 1.5 and 2 are exact by sorting, others by bisection to the last digit. Derivatives of
    any order are exact inside a support.

    **Raises:** `ValueError` if `alpha` is not above 1.
    """
    return _entmax(scores, check_order(alpha))


def negentropy(p: Float[Array, " P"], alpha: float) -> Float[Array, ""]:
    """Tsallis negentropy `Omega(p)`, 0 where one entry is 1."""
    return jnp.sum(p**alpha - p) / (alpha * (alpha - 1))


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _conjugate(scores: Float[Array, " P"], alpha: float) -> Float[Array, ""]:
    p, top = _entmax(scores, alpha), jnp.max(scores)
    # Only scores of the support count, relative to the largest: no overflow, no 0 * inf.
    lead = jnp.where(p > 0, p * (scores - top), 0)
    return top + jnp.sum(lead) - negentropy(p, alpha)


@_conjugate.defjvp
def _conjugate_jvp(alpha, primals, tangents):
    return _conjugate(*primals, alpha), jnp.vdot(_entmax(*primals, alpha), tangents[0])


def entmax_conjugate(scores: Float[Array, " P"], alpha: ArrayLike) -> Float[Array, ""]:
    """Convex conjugate `max_p p . z - Omega(p)`, whose gradient is `entmax`; log-sum-exp in the
    limit `alpha = 1`.

    **Raises:** `ValueError` if `alpha` is not above 1.
    """
    return _conjugate(scores, check_order(alpha))
