"""Augmentation of inputs while a network is trained: random shifts, and dropout."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def shift(
    x: Float[Array, "n *maps rows columns"], pixels: int, key: Any
) -> Float[Array, "n *maps rows columns"]:
    """Images, each shifted by up to so many pixels at random, up and down, left and right, around
    the edge; as they are for 0."""
    if not pixels:
        return x
    steps = jax.random.randint(key, (len(x), 2), -pixels, pixels + 1)
    return jax.vmap(lambda image, step: jnp.roll(image, step, (-2, -1)))(x, steps)


def dropout(x: Float[Array, "*shape"], share: float, key: Any) -> Float[Array, "*shape"]:
    """Inputs of which a `share` fails at random, and the others are as much larger; as they are
    for 0."""
    if not share:
        return x
    alive = jax.random.uniform(key, x.shape, x.dtype) >= share
    return jnp.where(alive, x / (1 - share), 0)
