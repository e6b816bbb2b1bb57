"""What a code is measured by: linear readouts, principal components, a judge of drawn digits."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

BATCH = 200


def _train(
    score, start: Any, x: np.ndarray, labels: np.ndarray, rate, epochs: int, decay: float
) -> Any:
    """Weights that minimise the cross-entropy of `score(weights, x)` and their decay: Adam."""
    number = len(x) // BATCH
    rule = optax.adamw(optax.cosine_decay_schedule(rate, epochs * number), weight_decay=decay)
    everything, wanted = jnp.asarray(x), jnp.asarray(labels)

    def loss(weights, x, labels):
        outputs = score(weights, x)
        return optax.softmax_cross_entropy_with_integer_labels(outputs, labels).mean()

    @eqx.filter_jit
    def epoch(carry, key, everything, wanted):
        order = jax.random.permutation(key, len(everything))[: number * BATCH]

        def step(carry, chosen):
            weights, kept = carry
            slope = jax.grad(loss)(weights, everything[chosen], wanted[chosen])
            moved, kept = rule.update(slope, kept, weights)
            after: Any = optax.apply_updates(weights, moved)
            return (after, kept), None

        return jax.lax.scan(step, carry, order.reshape(number, BATCH))[0]

    carry = start, rule.init(start)
    for k in range(epochs):
        carry = epoch(carry, jax.random.key(k), everything, wanted)
    return carry[0]


def readout(
    codes: tuple[np.ndarray, np.ndarray],
    labels: tuple[np.ndarray, np.ndarray],
    classes: int,
    *,
    epochs: int = 30,
    decay: float = 0.05,
) -> float:
    """Test accuracy of multinomial logistic regression on codes (to learn from, to test)."""
    sample = codes[0][:5000].astype(np.float32)
    mean, scale = sample.mean(0), sample.std()

    def score(weights, x):
        return ((x - mean[None]) / scale) @ weights[0] + weights[1][None]

    start = jnp.zeros((codes[0].shape[1], classes)), jnp.zeros(classes)
    weights = _train(score, start, codes[0], labels[0], 2e-3, epochs, decay)
    run = jax.jit(lambda x: score(weights, x).argmax(1))
    said = np.concatenate(
        [np.asarray(run(codes[1][k : k + 5000])) for k in range(0, len(codes[1]), 5000)]
    )
    return float((said == labels[1]).mean())


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
    return _train(_judged, start, x, labels, 2e-3, epochs, 1e-4)


def _judged(weights, x):
    inside = jax.nn.relu(x @ weights["up"] + weights["base"][None])
    return inside @ weights["down"] + weights["bias"][None]


def says(weights: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """The labels that a judge gives images."""
    return np.asarray(_judged(weights, jnp.asarray(x)).argmax(1))


def components(x: np.ndarray, asked: np.ndarray, numbers: list[int]) -> np.ndarray:
    """The squared error of `asked` rebuilt from so many principal components of x, an image."""
    mean = x.mean(0)
    values = np.linalg.eigh(np.cov(x.T))[1][:, ::-1]
    away = asked - mean
    total = (away**2).sum(1).mean()
    kept = ((away @ values) ** 2).mean(0)
    return np.array([total - kept[:number].sum() for number in numbers])


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
