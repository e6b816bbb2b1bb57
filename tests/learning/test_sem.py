"""A winner-take-all of spiking neurons finds the causes of its inputs (spike-based EM)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from bpcjax import learning
from bpcjax.learning import Mixture

CAUSES, COLUMNS = 3, 16


def expectation_maximisation(inputs, weights, prior, steps):
    """The batch algorithm: probabilities of units for each cause, and of causes."""
    for _ in range(steps):
        score = inputs @ np.log(weights).T + np.log(prior)
        share = np.exp(score - score.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        weights = (share.T @ inputs + 1e-3) / (share.sum(axis=0)[:, None] + 2e-3)
        prior = share.mean(axis=0)
    return weights, prior


@pytest.mark.slow
def test_sem_recovers_mixture():
    # Unsupervised, one spike an input: what the synapses say ends where batch EM does on the same
    # inputs, within the noise of a window of 1 / rate, and where the inputs came from. EM finds a
    # local optimum: of the draws 0 to 3, three end at the causes and the first does not.
    rng = np.random.default_rng(3)
    active = np.where(rng.random((CAUSES, COLUMNS)) < 0.5, 0.1, 0.9)
    prior = np.array([0.4, 0.35, 0.25])
    cause = rng.choice(CAUSES, 20_000, p=prior)
    on = rng.random((len(cause), COLUMNS)) < active[cause]
    inputs = np.concatenate([on, ~on], axis=1).astype(float)  # one of two units in each column
    start = 0.5 + 0.3 * (inputs[[0, 1, 2], :COLUMNS] - 0.5)  # a hint of three inputs
    start = np.concatenate([start, 1 - start], axis=1)
    equal = np.full(CAUSES, 1 / CAUSES)
    mixture = Mixture(jnp.log(start), jnp.log(equal))
    rate = 0.005

    def run(mixture, key):
        rule = learning.averages(rate)
        return learning.learn(rule, learning.categorical, mixture, jnp.asarray(inputs), key)

    end, evidence = jax.jit(run)(mixture, jax.random.key(0))
    found = np.exp(end.weights)
    em, em_prior = expectation_maximisation(inputs, start, equal, 60)
    truth = np.concatenate([active, 1 - active], axis=1)
    for wanted, share in ((truth, prior), (em, em_prior)):
        gaps = np.abs(found[:, None] - wanted[None]).mean(axis=2)
        rows, columns = linear_sum_assignment(gaps)
        p = wanted[columns]
        noise = 4 * np.sqrt(p * (1 - p) * rate / 2)
        # draws of the winner mix causes that are alike: a bias of the first order in the rate
        assert (np.abs(found[rows] - p) < noise + 0.03).all()
        assert (np.abs(np.exp(end.log_prior)[rows] - share[columns]) < 0.12).all()
    score = inputs @ np.log(truth).T + np.log(prior)
    best = np.log(np.exp(score).sum(axis=1))[-5000:].mean()
    assert evidence[-5000:].mean() > best - 0.1 > evidence[:100].mean()
