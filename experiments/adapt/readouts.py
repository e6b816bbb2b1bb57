"""A readout of features that goes on learning: through a drift, and class after class."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

import bpcjax as bpc
from bpcjax import energies as en, learning

from ..common.drifts import BATCH, CLASSES, Task, batched, held_out, passes


def readout(features: int) -> en.BayesianPredictiveCoding:
    """Bayesian linear readout: one arrow from features to the classes, one-hot."""
    prior = en.MatrixNormal.gammas(CLASSES, features + 1, weight_std=0.05, noise_std=0.3)
    return en.BayesianPredictiveCoding([en.BayesianArrow(0, 1, prior, prior)])


@partial(jax.jit, static_argnums=2)
def learn(
    x: Float[Array, "T b n"], labels: Float[Array, "T b c"], keep: float, tests: Array, probe: Array
) -> Array:
    """Online learning: the classes [T, q] that a readout names of `tests` [P, q, n] after each of
    those batches that `probe` [T] marks, of the set of that number (-1: of none, and -1 is named).
    """
    net = readout(x.shape[2])
    rule = learning.conjugate(net.prior(), keep)

    def step(eta, batch):
        x, labels, which = batch
        change, _ = rule.update(net.statistics((None, None), (x, labels)), optax.EmptyState(), eta)
        eta = optax.apply_updates(eta, change)

        def name(eta):
            mean = net.at(eta).arrows[0].posterior.mean
            return (tests[which] @ mean[:, :-1].T + mean[:, -1][None]).argmax(axis=1)

        def none(eta):
            return jnp.full(tests.shape[1], -1)

        return eta, jax.lax.cond(which >= 0, name, none, eta)

    return jax.lax.scan(step, net.natural(), (x, labels, probe))[1]


@jax.jit
def gradient(
    x: Float[Array, "T b n"], labels: Float[Array, "T b c"], tests: Float[Array, "q n"], rate: float
) -> Array:
    """Gradient rule: the classes [T, q] that the same readout names after each batch, trained by
    steps of the gradient of its squared error, each divided by the mean square of the features."""

    def step(weights, batch):
        x, labels = batch
        error = labels - x @ weights.T
        weights = weights + rate * error.T @ x / jnp.sum(x**2)
        return weights, (tests @ weights.T).argmax(axis=1)

    return jax.lax.scan(step, jnp.zeros((labels.shape[2], x.shape[2])), (x, labels))[1]


def nearest(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Nearest neighbour: the label of the nearest row of `train` [n, k] for each of `test`."""
    square = (train**2).sum(axis=1) - 2 * test @ train.T
    return labels[square.argmin(axis=1)]


def drift(task: Task, keeps: tuple[float, ...], count: int, seed: int, k: int) -> dict:
    """How many recordings of the test are right through a drift with `count` passes after it:
    `right` [keep, probe] at each `point` (in passes), `stationary` [keep] of readouts that have
    seen nothing but the new law, `neighbour` [law]."""
    rng = np.random.default_rng([seed, 2, k])
    train, test = held_out(rng, task.labels)
    first = batched(task.before, task.labels, passes(rng, train, 1))
    last = batched(task.after, task.labels, passes(rng, train, count))
    x, labels = (np.concatenate(pair) for pair in zip(first, last, strict=True))
    change, half = len(first[0]), 10
    before = np.unique(np.linspace(4, change - 1, half).astype(int))
    after = np.unique(np.linspace(change, len(x) - 1, half * count).astype(int))
    probe = np.full(len(x), -1)
    probe[before], probe[after] = 0, 1
    end = np.full(len(last[0]), -1)
    end[-1] = 1
    tests = jnp.asarray(np.stack([task.before[test], task.after[test]]))
    right, stationary = [], []
    for keep in keeps:
        classes = learn(jnp.asarray(x), jnp.asarray(labels), keep, tests, jnp.asarray(probe))
        right.append((np.asarray(classes)[probe >= 0] == task.labels[test]).sum(axis=1))
        classes = learn(*map(jnp.asarray, last), keep, tests, jnp.asarray(end))
        stationary.append((np.asarray(classes)[-1] == task.labels[test]).sum())
    neighbour = [
        (nearest(f[train], task.labels[train], f[test]) == task.labels[test]).sum()
        for f in (task.before, task.after)
    ]
    return {
        "right": np.array(right),
        "stationary": np.array(stationary),
        "neighbour": np.array(neighbour),
        "test": np.array(len(test)),
        "point": (np.append(before, after) + 1.0) / change,
    }


def class_by_class(keeps: tuple[float, ...], seed: int, k: int) -> dict[str, np.ndarray]:
    """Continual learning of the embedded digits: accuracy on all of them [rule, classes seen],
    shown one class after another, and `joint`, where they are mixed."""
    rng = np.random.default_rng([seed, 3, k])
    digits = bpc.data.load("digits", "all")
    assert isinstance(digits, bpc.data.Images)
    hidden = rng.normal(size=(64, 200)) / 8
    pixels = digits.pixels.reshape(len(digits.labels), -1)
    features = np.maximum((pixels - pixels.mean(axis=0)) @ hidden, 0.0)
    features = features / features.std()
    order = rng.permutation(len(features))
    test, train = order[:400], order[400:]
    sequence = [train[digits.labels[train] == c] for c in rng.permutation(10)]
    sequence = [part[: len(part) // BATCH * BATCH] for part in sequence]
    index = np.concatenate(sequence)
    ends = np.cumsum([len(part) // BATCH for part in sequence]) - 1
    probe = np.full(len(index) // BATCH, -1)
    probe[ends] = 0
    tests, probe = jnp.asarray(features[test][None]), jnp.asarray(probe)
    stream = [jnp.asarray(part) for part in batched(features, digits.labels, index)]
    answers = [learn(*stream, keep, tests, probe) for keep in keeps]
    answers.append(gradient(*stream, tests[0], 0.1))
    right = [(np.asarray(a)[ends] == digits.labels[test]).mean(axis=1) for a in answers]
    mixed = batched(features, digits.labels, rng.permutation(index))
    joint = learn(*map(jnp.asarray, mixed), 1.0, tests, probe)
    return {
        "classes": np.array(right),
        "joint": np.array((np.asarray(joint)[-1] == digits.labels[test]).mean()),
    }
