"""Rivals without a hidden layer, on the same counts: Poisson naive Bayes and logistic regression,
of leaky counts, or with change points."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.special import log_softmax

from ..common.linear_readouts import minimise_cross_entropy
from .networks import CLASSES, PART, Sample
from .recordings import FRAME, Recordings, broken_off, since, traces

LEAKS = 15.0, 30.0, 60.0, 120.0, 240.0  # ms, of naive Bayes
LINEAR_LEAKS = 30.0, 60.0, 120.0  # ms, of logistic regression
MOMENTS = 5  # of each recording, of leaky logistic regression
LEAST = 10.0  # recordings that the mean over classes counts for
EPOCHS, DECAY = 20, 0.1


def rates(data: Recordings, train: np.ndarray, span: int) -> np.ndarray:
    """Mean counts in a frame [classes, spans, channels], in spans of so many frames since the
    onset; of few recordings they are pulled to the mean over classes."""
    number = -(-data.longest // span)
    total = np.zeros((CLASSES, number, data.counts[0][0].size))
    shown = np.zeros((CLASSES, number, 1))
    for k in train:
        own = data.counts[k].reshape(len(data.counts[k]), -1)
        frame = np.arange(len(own)) // span
        np.add.at(total[data.labels[k]], frame, own)
        np.add.at(shown[data.labels[k]], frame, 1)
    mean = total.sum(axis=0) / np.maximum(shown.sum(axis=0), 1)
    return (total + LEAST * span * (mean[None] + 1e-3)) / (shown + LEAST * span)


def poisson_evidence(rate: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Log likelihoods [T, classes, spans] of counts in a frame [T, channels], but for what all
    share."""
    log = counts.astype(np.float32) @ np.log(rate).reshape(-1, rate.shape[2]).T.astype(np.float32)
    return log.reshape(len(counts), *rate.shape[:2]) - rate.sum(axis=2)[None]


def leaky_scores(rate: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Log likelihoods [leaks, S, T, classes] of leaky counts of streams [S, T, channels]: what each
    frame says for a class leaks."""
    each = np.stack([poisson_evidence(rate, one)[:, :, 0] for one in counts])
    keep = np.exp(-FRAME / np.array(LEAKS))[:, None, None]
    now, result = np.zeros((len(LEAKS), len(counts), CLASSES)), []
    for t in range(each.shape[1]):
        now = keep * now + each[None, :, t]
        result.append(now)
    return np.stack(result, axis=2)


class Linear(NamedTuple):
    """Logistic regression on square roots of inputs: `weights` [N, names], `bias` [names]."""

    weights: np.ndarray
    bias: np.ndarray

    @classmethod
    def learn(cls, sample: Sample) -> "Linear":
        """The regression that fits a sample."""
        x, names = cls._features(sample.inputs), len(sample.frequency)
        start = jnp.zeros((x.shape[1], names)), jnp.zeros(names)
        weights = minimise_cross_entropy(
            lambda w, x: x @ w[0] + w[1][None], start, x, sample.of, rate=3e-3, epochs=EPOCHS,
            decay=DECAY,
        )  # fmt: skip
        return cls(*map(np.asarray, weights))

    @staticmethod
    def _features(x: np.ndarray) -> np.ndarray:
        return np.sqrt(x.reshape(len(x), -1)).astype(np.float32)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Log probabilities [n, names]."""
        return log_softmax(self._features(x) @ self.weights + self.bias, axis=1)

    def since(self, counts: np.ndarray, onset: np.ndarray, number: int) -> np.ndarray:
        """Log probabilities [S, T, names] from all counts [S, T, channels] since the `onset`."""
        pairs = zip(counts, onset, strict=True)
        return np.stack([self(since(c, o, PART, number)) for c, o in pairs])


def leaky_linear(data: Recordings, train: np.ndarray, counts: np.ndarray, tau: float) -> np.ndarray:
    """Log probabilities [S, T, classes] of streams [S, T, channels] by logistic regression of leaky
    counts, learned at moments of recordings drawn uniformly, each after another one."""
    rng, keep = np.random.default_rng([8, len(train)]), np.exp(-FRAME / tau)
    inputs, labels = [], []
    for _ in range(MOMENTS):
        before = rng.permutation(train)
        ends = broken_off(rng, [data.counts[k] for k in before])
        for k, other, end in zip(train, before, ends, strict=True):
            now = int(rng.integers(0, len(data.counts[k])))
            both = np.concatenate([data.counts[other][:end], data.counts[k][: now + 1]])
            inputs.append(keep ** np.arange(len(both))[::-1] @ both.reshape(len(both), -1))
            labels.append(int(data.labels[k]))
    scale = np.float32(100 / min(tau, 100.0))  # as of `traces`
    x = scale * np.stack(inputs).astype(np.float32)
    model = Linear.learn(Sample(x, np.array(labels), np.ones(CLASSES), scale))
    return np.stack([model(traces(one[None], (tau,))[0]) for one in counts])
