"""Judge of drawn digits, a network trained on real images alone; how far apart images lie."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..common.linear_readouts import minimise_cross_entropy


def train_judge(
    x: np.ndarray, labels: np.ndarray, classes: int, *, hidden: int = 256, epochs: int = 12
) -> dict[str, Any]:
    """Weights of the judge: two layers trained by backpropagation on real images [n, N], and on
    nothing else."""
    up, down = jax.random.split(jax.random.key(2))
    size = x.shape[1]
    start = {
        "up": jnp.sqrt(2 / size) * jax.random.normal(up, (size, hidden)),
        "base": jnp.zeros(hidden),
        "down": jnp.sqrt(1 / hidden) * jax.random.normal(down, (hidden, classes)),
        "bias": jnp.zeros(classes),
    }
    return minimise_cross_entropy(_outputs, start, x, labels, rate=2e-3, epochs=epochs, decay=1e-4)


def _outputs(weights, x):
    inside = jax.nn.relu(x @ weights["up"] + weights["base"][None])
    return inside @ weights["down"] + weights["bias"][None]


def judge(weights: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """Labels [n] that the judge gives images [n, N]."""
    return np.asarray(_outputs(weights, jnp.asarray(x)).argmax(1))


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances [n, k] between images [n, N] and [k, N]."""
    square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(square, 0))


def diversity(images: np.ndarray, labels: np.ndarray) -> float:
    """Diversity: the mean distance of two images [n, N] of a label."""
    means = []
    for label in np.unique(labels):
        same = images[labels == label]
        means.append(distances(same, same).sum() / (len(same) * (len(same) - 1)))
    return float(np.mean(means))
