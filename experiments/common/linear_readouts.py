"""Linear readouts of codes: multinomial logistic regression, and principal components; beside the
nearest neighbour."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from .data import Split

BATCH = 200
PENALTIES = 0.01, 0.03, 0.1, 0.3, 1.0  # of `baselines`: smaller is stronger


def minimise_cross_entropy(
    outputs: Callable[[Any, Any], Any],
    start: Any,
    x: np.ndarray,
    labels: np.ndarray,
    *,
    rate: float,
    epochs: int,
    decay: float,
) -> Any:
    """Weights that minimise the cross-entropy of `outputs(weights, x)` [n, classes] and of
    `labels` [n], and their decay: Adam along half a cosine."""
    count = len(x) // BATCH
    rule = optax.adamw(optax.cosine_decay_schedule(rate, epochs * count), weight_decay=decay)
    x, labels = jnp.asarray(x), jnp.asarray(labels)

    def loss(weights, x, labels):
        each = optax.softmax_cross_entropy_with_integer_labels(outputs(weights, x), labels)
        return each.mean()

    @eqx.filter_jit
    def epoch(carry, key, x, labels):
        order = jax.random.permutation(key, len(x))[: count * BATCH]

        def step(carry, batch):
            weights, state = carry
            slope = jax.grad(loss)(weights, x[batch], labels[batch])
            change, state = rule.update(slope, state, weights)
            return (optax.apply_updates(weights, change), state), None

        return jax.lax.scan(step, carry, order.reshape(count, BATCH))[0]

    carry = start, rule.init(start)
    for k in range(epochs):
        carry = epoch(carry, jax.random.key(k), x, labels)
    return carry[0]


def readout(
    codes: tuple[np.ndarray, np.ndarray],
    labels: tuple[np.ndarray, np.ndarray],
    classes: int,
    *,
    epochs: int = 30,
    decay: float = 0.05,
) -> float:
    """Test accuracy of multinomial logistic regression on codes [n, units] of (train, test)."""
    sample = codes[0][:5000].astype(np.float32)
    mean, scale = sample.mean(0), sample.std()

    def outputs(weights, x):
        return ((x - mean[None]) / scale) @ weights[0] + weights[1][None]

    start = jnp.zeros((codes[0].shape[1], classes)), jnp.zeros(classes)
    weights = minimise_cross_entropy(
        outputs, start, codes[0], labels[0], rate=2e-3, epochs=epochs, decay=decay
    )
    predict = jax.jit(lambda x: outputs(weights, x).argmax(1))
    batches = range(0, len(codes[1]), 5000)
    predicted = np.concatenate([np.asarray(predict(codes[1][k : k + 5000])) for k in batches])
    return float((predicted == labels[1]).mean())


def components(train: np.ndarray, test: np.ndarray, numbers: list[int]) -> np.ndarray:
    """Squared error an image [numbers] of `test` [n, N] rebuilt from so many principal components
    of `train` [m, N]."""
    mean = train.mean(0)
    axes = np.linalg.eigh(np.cov(train.T))[1][:, ::-1]
    centred = test - mean
    total = (centred**2).sum(1).mean()
    variance = ((centred @ axes) ** 2).mean(0)
    return np.array([total - variance[:number].sum() for number in numbers])


def baselines(train: Split, test: Split) -> tuple[np.ndarray, np.ndarray]:
    """Baselines: which recordings of the test [n] a linear readout (logistic regression) and the
    nearest neighbour get right. The readout's penalty is chosen on a fifth of the training set."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from threadpoolctl import threadpool_limits

    x, y = train.x.reshape(len(train.x), -1), train.labels
    new = test.x.reshape(len(test.x), -1)
    held = np.arange(len(x)) % 5 == 0  # callers have shuffled them

    def readout(penalty: float, x, y):
        return LogisticRegression(C=penalty, max_iter=1000, tol=1e-3).fit(x, y)

    with threadpool_limits(1):  # small products: many threads wait for each other
        best = max(PENALTIES, key=lambda c: readout(c, x[~held], y[~held]).score(x[held], y[held]))
        linear = readout(best, x, y).predict(new)
        nearest = KNeighborsClassifier(1).fit(x, y).predict(new)
    return linear == test.labels, nearest == test.labels
