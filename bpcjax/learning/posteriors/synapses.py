"""Synaptic filter: a mean and a variance of each weight, learned from the same local products.

`synaptic_filter` is assumed-density filtering with forgetting in optax's shape. What a batch says
of a synapse is a `SlopeCurvature` of two products: `slope`, error times activity (`hebbian`), and
`curvature`, their squares (`squared_products`, Fisher's information) or anything else that stands
for the second derivative.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from ..._require import (
    counts,
    floating,
    function,
    instance,
    key as one_key,
    number,
    split_key,
    state as as_state,
)
from ...energies.predictive.maps import AbstractMap, DenseMap
from ..predictive import hebbian

Scalar = float | Float[Array, ""]
Noise = Callable[[Key[Array, ""], tuple[int, ...], Any], Array]


class SlopeCurvature(NamedTuple):
    """Mean first and second derivatives of the negative log likelihood of a sample in each weight,
    as pytrees of the weights' structure."""

    slope: PyTree
    curvature: PyTree


class SynapticState(NamedTuple):
    """State of `synaptic_filter`: the inverse variance of each weight."""

    precision: PyTree

    @property
    def deviation(self) -> PyTree:
        """Standard deviation of each weight."""
        return jax.tree.map(lambda p: 1 / jnp.sqrt(p), self.precision)


class SynapticFilter(NamedTuple):
    """Learning rule of `synaptic_filter`: `init(mean)` gives the state, `update(seen, state, mean)`
    the change of the mean and the next state."""

    init: Callable[[PyTree], SynapticState]
    update: Callable[..., tuple[PyTree, SynapticState]]


def squared_products(
    predict: AbstractMap, pre: Float[Array, "batch ..."], post: Float[Array, "batch ..."]
) -> AbstractMap:
    """Empirical Fisher information: the mean over a batch of `(post_i pre_j)^2`, as a map.

    **Raises:** `TypeError` for other maps than `DenseMap`: a weight that is used in several places
    has the square of a sum.
    """
    if not isinstance(predict, DenseMap):
        raise TypeError(f"predict: squares are those of DenseMap, got {type(predict).__name__}.")
    pre, post = floating("pre", pre), floating("post", post)
    return hebbian(predict, pre**2, -(post**2))


def synaptic_filter(
    deviation: Scalar,
    *,
    window: Scalar,
    count: Scalar = 1.0,
    rate: Scalar = 1.0,
    center: Scalar = 0.0,
) -> SynapticFilter:
    """Synaptic filter with forgetting: each weight is normal, by itself, of mean m and precision p.

        p <- p + (p0 - p) / window + count h
        m <- m - rate [count g + (p0 / window) (m - m0)] / p

    with slope g and curvature h of the mean sample, `p0 = 1 / deviation^2` and `m0 = center` of the
    prior, from which synapses start in precision. The variance is the step size of its synapse;
    without data both go back to the prior, over `window` updates (`inf`: never). `count` is how
    many samples an update stands for.

    At a `rate` of 1, with the size of the batch as `count` and the exact curvature of a quadratic
    likelihood it is Bayes' rule, that is `conjugate(prior, 1 - 1 / window)` in natural parameters.
    A larger `count` with a smaller `rate` protects what is known (metaplasticity); the variance is
    then a step size, too small for a posterior's. Sources: Jegminat, Surace & Pfister (2022, PLoS
    Comput. Biol. 18:e1009721); Bonnet et al. (2025, Nat. Commun., arXiv:2504.13569), to which it
    agrees to first order in the change of p; Zeno, Golan, Hoffer & Soudry (2021, Neural Comput.
    33:3139), without forgetting.

    **Raises:** `ValueError` for arguments that are not positive, or a `window` below 1.
    """
    deviation = number("deviation", deviation, above=0, finite=True)
    count = number("count", count, above=0, finite=True)
    rate = number("rate", rate, above=0, finite=True)
    window, center = number("window", window, least=1), number("center", center, finite=True)
    prior, share = deviation**-2, 1 / window

    def init(mean: PyTree) -> SynapticState:
        return SynapticState(jax.tree.map(lambda m: jnp.full_like(m, prior), mean))

    def update(
        seen: SlopeCurvature, state: SynapticState, mean: PyTree = None
    ) -> tuple[PyTree, SynapticState]:
        if mean is None:
            raise ValueError("mean: pass the weights' means, as update(seen, state, mean).")
        precision = jax.tree.map(
            lambda p, h: p + share * (prior - p) + count * h, state.precision, seen.curvature
        )
        change = jax.tree.map(
            lambda m, p, g: -rate * (count * g + share * prior * (m - center)) / p,
            mean,
            precision,
            seen.slope,
        )
        return change, SynapticState(precision)

    return SynapticFilter(init, update)


def coins(key: Key[Array, ""], shape: tuple[int, ...], dtype: Any = float) -> Array:
    """Signs of synapses [post, ...] as products of a coin of the neuron after and one of what is
    before each: as many draws as neurons; of mean 0, variance 1, and uncorrelated, not independent.
    """
    one, other = split_key(key)
    shape = counts("shape", shape, least=0)
    if len(shape) < 2:
        return jax.random.rademacher(one, shape, dtype)
    post = jax.random.rademacher(one, (shape[0], *(1 for _ in shape[1:])), dtype)
    return post * jax.random.rademacher(other, (1, *shape[1:]), dtype)


def draw_synapses(
    key: Key[Array, ""], mean: PyTree, state: SynapticState, noise: Noise = jax.random.normal
) -> PyTree:
    """Weights drawn from normal weights: `mean + deviation * noise(key, shape, dtype)`, the noise
    normal, or `coins`, cheaper where every batch has its own draw."""
    instance("state", state, SynapticState)
    function("noise", noise)
    mean = as_state("mean", mean, real=True)
    state = SynapticState(as_state("state", state.precision, real=True))
    sizes, own = (jax.tree.map(jnp.shape, tree) for tree in (mean, state.precision))
    if sizes != own:
        raise ValueError(f"state must have the shapes of mean, {sizes}, got {own}.")
    leaves, tree = jax.tree.flatten(mean)
    keys = jax.random.split(one_key("key", key), len(leaves))
    spread = jax.tree.leaves(state.deviation)
    drawn = [
        m + s * noise(k, m.shape, m.dtype) for k, m, s in zip(keys, leaves, spread, strict=True)
    ]
    return jax.tree.unflatten(tree, drawn)
