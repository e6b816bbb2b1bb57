"""Attention mechanisms on the memory matrix that the spiking memory uses: softmax, hard, sparse,
linear.

Each function answers one query [N]; `vmap` it. `keys` [P, N] are matched, `values` [P, M] mixed; an
auto-associative memory has `values = keys`. `bias` [P] is that of `ModernHopfield`: scores are
`beta (K q + a)`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from ..._require import count, floating, function, key as one_key, number, sizes
from ...energies.hopfield.entmax import entmax

Features = Callable[[Float[Array, " N"]], Float[Array, " F"]]


class _Stored(NamedTuple):
    """Arrays of one call, which fit together."""

    query: Array
    keys: Array
    values: Array
    bias: Array | None


def _checked(query: Any, keys: Any, values: Any, bias: Any = None) -> _Stored:
    """Query, keys, values and biases as floating arrays.

    **Raises:** `ValueError` naming the argument that does not fit.
    """
    keys = floating("keys", keys)
    if keys.ndim != 2 or not keys.size:
        raise ValueError(f"keys must be a matrix [P, N] with P > 0, got {keys.shape}.")
    query = floating("query", query, keys.shape[1:], like="keys")
    values = floating("values", values, (keys.shape[0], "M"), like="keys")
    bias = None if bias is None else floating("bias", bias, keys.shape[:1], like="keys")
    return _Stored(query, keys, values, bias)


def _beta(beta: Any) -> Array:
    return number("beta", beta, above=0)


def _scores(query, keys, beta, bias):
    products = keys @ query
    return beta * (products if bias is None else products + bias)


def attention(
    query: Array,
    keys: Array,
    values: Array,
    beta: ArrayLike,
    *,
    bias: Array | None = None,
    steps: int = 1,
) -> Float[Array, " M"]:
    """Softmax attention `V.T softmax(beta (K q + a))` [M], with the answer as the next query if
    there are more `steps`.

    With `values = keys` it is `ModernHopfield.update`, `steps` times.

    **Raises:** `ValueError` naming the argument whose shape does not fit; for several steps
    values must be as wide as keys.
    """
    steps, beta = count("steps", steps, 1, 10**4), _beta(beta)
    query, keys, values, bias = _checked(query, keys, values, bias)
    if steps > 1 and values.shape != keys.shape:
        raise ValueError(f"values must have the shape {keys.shape} of keys for several steps.")
    for _ in range(steps):
        query = jax.nn.softmax(_scores(query, keys, beta, bias)) @ values
    return query


def hard_attention(
    query: Array,
    keys: Array,
    values: Array,
    *,
    bias: Array | None = None,
) -> Float[Array, " M"]:
    """Hard attention: the value of the key with the largest score (ties: the first), attention as
    beta grows."""
    query, keys, values, bias = _checked(query, keys, values, bias)
    scores = _scores(query, keys, 1.0, bias)
    return jnp.where(jnp.isnan(scores).any(), jnp.nan, values[jnp.argmax(scores)])


def sparse_attention(
    query: Array,
    keys: Array,
    values: Array,
    beta: ArrayLike,
    *,
    alpha: float = 1.5,
    bias: Array | None = None,
) -> Float[Array, " M"]:
    """Sparse attention `V.T entmax(beta (K q + a))`: most weights are exactly 0 (2 is sparsemax, 1
    were softmax).

    **Raises:** `ValueError` naming the argument whose shape does not fit, or `alpha <= 1`.
    """
    query, keys, values, bias = _checked(query, keys, values, bias)
    return entmax(_scores(query, keys, _beta(beta), bias), alpha) @ values


def elu_features(x: Float[Array, " N"]) -> Float[Array, " N"]:
    """ELU feature map `elu(x) + 1`, positive (Katharopoulos et al. 2020, ICML)."""
    return jax.nn.elu(floating("x", x)) + 1


class RandomFeatures(eqx.Module):
    """Random features, positive, whose product is `exp(q . k)` on average (Choromanski et al. 2021,
    ICLR).

    `directions` [F, N] are standard normal draws. The variance of one feature's product grows as
    `exp(|q + k|^2)`: for long queries it takes very many.
    """

    directions: Float[Array, "F N"]

    @classmethod
    def draw(cls, key: Key[Array, ""], count: int, width: int) -> "RandomFeatures":
        """`count` features of queries and keys of that `width`."""
        shape = sizes(1, count=count, width=width)
        return cls(jax.random.normal(one_key("key", key), shape))

    def __call__(self, x: Float[Array, " N"]) -> Float[Array, " F"]:
        projected = self.directions @ x - 0.5 * jnp.sum(x * x)
        return jnp.exp(projected) / jnp.sqrt(self.directions.shape[0])


class LinearMemory(eqx.Module):
    """State of linear attention: sums over keys and values that do not grow with P."""

    values: Float[Array, "F M"]
    total: Float[Array, " F"]
    root: Float[Array, ""]  # of beta
    features: Features

    @classmethod
    def store(
        cls,
        keys: Array,
        values: Array,
        beta: ArrayLike,
        features: Features = elu_features,
    ) -> "LinearMemory":
        """The sums over memories of `features(sqrt(beta) k)`, alone and times the value."""
        keys = floating("keys", keys)
        _, keys, values, _ = _checked(keys[0] if keys.size else keys, keys, values)
        function("features", features)
        root = jnp.sqrt(_beta(beta))
        rows = jax.vmap(lambda key: features(root * key))(keys)
        return cls(rows.T @ values, rows.sum(axis=0), root, features)

    def __call__(self, query: Float[Array, " N"]) -> Float[Array, " M"]:
        """The answer to a query [N]: the values, weighted by the products of features."""
        query = floating("query", query)
        row = self.features(self.root * query)
        return row @ self.values / (row @ self.total)


def linear_attention(
    query: Array,
    keys: Array,
    values: Array,
    beta: ArrayLike,
    features: Features = elu_features,
) -> Float[Array, " M"]:
    """Linear attention: the kernel `exp(beta q . k)` is a product of `features` of both."""
    query, keys, values, _ = _checked(query, keys, values)
    return LinearMemory.store(keys, values, beta, features)(query)
