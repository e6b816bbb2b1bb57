"""What a code is measured by: linear readouts, principal components, a judge of drawn digits."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..common.linear_readouts import (
    components as components,
    minimise_cross_entropy,
    readout as readout,
)


def judge(
    x: np.ndarray, labels: np.ndarray, classes: int, *, hidden: int = 256, epochs: int = 12
) -> dict[str, Any]:
    """The weights of a network trained by backpropagation on real images, and on nothing else."""
    up, down = jax.random.split(jax.random.key(2))
    size = x.shape[1]
    start = {
        "up": jnp.sqrt(2 / size) * jax.random.normal(up, (size, hidden)),
        "base": jnp.zeros(hidden),
        "down": jnp.sqrt(1 / hidden) * jax.random.normal(down, (hidden, classes)),
        "bias": jnp.zeros(classes),
    }
    return minimise_cross_entropy(_judged, start, x, labels, rate=2e-3, epochs=epochs, decay=1e-4)


def _judged(weights, x):
    inside = jax.nn.relu(x @ weights["up"] + weights["base"][None])
    return inside @ weights["down"] + weights["bias"][None]


def says(weights: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """The labels that a judge gives images."""
    return np.asarray(_judged(weights, jnp.asarray(x)).argmax(1))


def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances [n, k] between images."""
    square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(square, 0))


def diversity(images: np.ndarray, labels: np.ndarray) -> float:
    """The mean distance of two images of a label."""
    found = []
    for label in np.unique(labels):
        own = images[labels == label]
        square = apart(own, own)
        found.append(square.sum() / (len(own) * (len(own) - 1)))
    return float(np.mean(found))
