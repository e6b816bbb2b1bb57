"""Rectified networks (MLPs), which spiking ones of the same sizes are compared with."""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Relu(eqx.Module):
    """Multilayer perceptron `x -> max(0, x @ w + b)`; the last layer is not rectified."""

    weights: tuple[Float[Array, "pre post"], ...]
    biases: tuple[Float[Array, " post"], ...]

    def layers(self, x: Float[Array, "batch pre"]) -> list[Float[Array, "batch post"]]:
        """The values of each layer."""
        values = []
        for k, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ weights + bias[None]
            x = jax.nn.relu(x) if k + 1 < len(self.weights) else x
            values.append(x)
        return values

    def __call__(self, x: Float[Array, "batch pre"]) -> Float[Array, "batch post"]:
        """The values of the last layer."""
        return self.layers(x)[-1]


def relu(key: Any, sizes: Sequence[int]) -> Relu:
    """Weights of He et al. (2015), ICCV, 1026-1034; no biases yet."""
    keys = jax.random.split(key, len(sizes))
    weights = tuple(
        math.sqrt(2 / n) * jax.random.normal(k, (n, m), jnp.float32)
        for k, n, m in zip(keys, sizes, sizes[1:], strict=False)
    )
    return Relu(weights, tuple(jnp.zeros(m, jnp.float32) for m in sizes[1:]))
