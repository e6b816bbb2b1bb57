"""Spike-driven learning of mixtures: its fixed points, its gradient, its ascent."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings, strategies as st
from scipy.optimize import linear_sum_assignment

from bpcjax import learning
from bpcjax.energies import ModernHopfield
from bpcjax.learning import Mixture, Observation


def causes(rng, count=3, columns=6, units=3):
    """Probabilities [P, H, M] of the units of each column, and a prior."""
    return rng.dirichlet(np.full(units, 0.5), (count, columns)), rng.dirichlet(np.full(count, 5.0))


def draw(rng, probabilities, prior, number):
    """Inputs [T, H M] coded in columns, and what caused them."""
    cause = rng.choice(len(prior), number, p=prior)
    edges = probabilities[cause].cumsum(axis=-1)
    active = (rng.random((*edges.shape[:2], 1)) > edges).sum(axis=-1)
    return np.eye(edges.shape[-1])[active].reshape(number, -1), cause


def test_stdp_rests_at_the_log_probabilities():
    # Sum over causes and inputs of the joint law, here by all of two columns' inputs.
    rng = np.random.default_rng(0)
    p, prior = causes(rng, columns=2)
    mixture = Mixture(jnp.log(p.reshape(3, -1)), jnp.log(prior))
    rule = learning.spike_em()
    mean = Mixture(jnp.zeros((3, 6)), jnp.zeros(3))
    for i in range(3):
        for j in range(3):
            y = jnp.concatenate([jnp.eye(3)[i], jnp.eye(3)[j]])
            joint = prior * p[:, 0, i] * p[:, 1, j]
            share = learning.categorical(mixture).posterior(y)
            np.testing.assert_allclose(share, joint / joint.sum(), atol=1e-12)
            change, _ = rule.update(Observation(y, share), rule.init(mixture), mixture)
            weight = joint.sum()
            mean = jax.tree.map(lambda m, c, w=weight: m + w * c, mean, change)
    np.testing.assert_allclose(mean.weights, 0, atol=1e-12)
    np.testing.assert_allclose(mean.log_prior, 0, atol=1e-12)


def test_stdp_with_known_causes_finds_them():
    # A teacher gives the share; in the stationary state exp(w) has the mean p and, of an
    # exponential window of 1 / rate of a memory's own events, a variance p (1 - p) rate / 2.
    rng = np.random.default_rng(1)
    p, prior = causes(rng)
    p = 0.8 * p + 0.2 / 3  # not too near 0, where the plain rule overshoots
    inputs, cause = draw(rng, p, prior, 30_000)
    start = Mixture(jnp.full((3, 18), -jnp.log(3.0)), jnp.full(3, -jnp.log(3.0)))

    def run(rule):
        def step(mixture, seen):
            change, _ = rule.update(Observation(*seen), rule.init(mixture), mixture)
            return optax.apply_updates(mixture, change), None

        return jax.lax.scan(step, start, (jnp.asarray(inputs), jnp.eye(3)[cause]))[0]

    rate = 0.004
    off = 4 * np.sqrt(p * (1 - p) * rate / 2).reshape(3, -1)
    for rule in (optax.chain(learning.spike_em(), optax.scale(rate)), learning.averages(rate)):
        end = jax.jit(run, static_argnums=0)(rule)
        assert (np.abs(np.exp(end.weights) - p.reshape(3, -1)) < off + 0.01).all()
        prior_off = 4 * np.sqrt(prior * (1 - prior) * rate / 2)
        assert (np.abs(np.exp(end.log_prior) - prior) < prior_off + 0.005).all()


def test_averages_is_the_flow_of_stdp():
    # Many small plain steps against one closed form: the error of Euler's method, first order.
    rng = np.random.default_rng(2)
    mixture = Mixture(jnp.log(jnp.asarray(rng.random((2, 4)))), jnp.log(jnp.array([0.3, 0.7])))
    seen = Observation(jnp.array([0.0, 1.0, 1.0, 0.0]), jnp.array([0.0, 1.0]))
    whole, _ = learning.averages(0.5).update(seen, optax.EmptyState(), mixture)
    errors = []
    for steps in (1000, 2000):
        rule = optax.chain(learning.spike_em(), optax.scale(0.5 / steps))

        def step(_, mixture, rule=rule):
            return optax.apply_updates(mixture, rule.update(seen, rule.init(mixture), mixture)[0])

        end = jax.lax.fori_loop(0, steps, step, mixture)
        errors.append(np.abs(end.weights - mixture.weights - whole.weights).max())
    np.testing.assert_allclose(errors[0] / errors[1], 2, atol=0.05)
    assert errors[1] < 5e-3
    np.testing.assert_array_equal(whole.weights[0], 0)  # who does not spike does not learn
    # exp(w) moves to y by 1 - exp(-rate).
    moved = np.exp(mixture.weights[1]) * np.exp(-0.5) + (1 - np.exp(-0.5)) * np.asarray(seen.y)
    np.testing.assert_allclose(np.exp(mixture.weights + whole.weights)[1], moved, rtol=1e-12)


@given(seed=st.integers(0, 2**31), beta=st.floats(0.1, 10.0))
@settings(deadline=None, max_examples=15)
def test_the_delta_rule_follows_the_gradient_of_the_energy(seed, beta):
    rng = np.random.default_rng(seed)
    patterns, y = jnp.asarray(rng.normal(size=(4, 3))), jnp.asarray(rng.normal(size=3))
    mixture = Mixture(patterns, jnp.log(jnp.asarray(rng.dirichlet(np.ones(4)))))
    share = learning.gaussian(beta)(mixture).posterior(y)
    change, _ = learning.delta_rule().update(Observation(y, share), optax.EmptyState(), mixture)

    def energy(patterns):
        return ModernHopfield.from_prior(patterns, beta, mixture.log_prior)(y)

    np.testing.assert_allclose(change.weights, -jax.grad(energy)(patterns), atol=1e-10)
    # The prior: the gradient p - pi of the log evidence, over pi.
    pi = np.exp(mixture.log_prior)
    np.testing.assert_allclose(change.log_prior, (np.asarray(share) - pi) / pi, rtol=1e-8)


def test_the_log_evidence_is_minus_beta_times_the_energy():
    rng = np.random.default_rng(3)
    x, y, pi = rng.normal(size=(5, 4)), rng.normal(size=4), rng.dirichlet(np.ones(5))
    memory = learning.gaussian(1.7)(Mixture(jnp.asarray(x), jnp.log(pi)))
    density = np.log(pi @ np.exp(-0.5 * 1.7 * ((y - x) ** 2).sum(axis=1)))  # mixture, by hand
    result = learning.log_evidence(memory, jnp.asarray(y)) - 0.5 * 1.7 * y @ y
    np.testing.assert_allclose(result, density, rtol=1e-12)
    np.testing.assert_allclose(-1.7 * memory(jnp.asarray(y)), density, rtol=1e-12)


@pytest.mark.slow
def test_evidence_rises_along_the_mean_change_of_stdp():
    # Mean over inputs: the first-order change of the log evidence is positive away from rest.
    rng = np.random.default_rng(4)
    p, prior = causes(rng, columns=3)
    inputs = jnp.asarray(draw(rng, p, prior, 400)[0])
    for _ in range(10):
        guess, pi = causes(rng, columns=3)
        mixture = Mixture(jnp.log(0.9 * guess + 0.1 / 3).reshape(3, -1), jnp.log(pi))
        rule = optax.chain(learning.spike_em(), optax.scale(1e-4))

        def change(y, mixture=mixture, rule=rule):
            share = learning.categorical(mixture).posterior(y)
            return rule.update(Observation(y, share), rule.init(mixture), mixture)[0]

        def evidence(mixture):
            memory = learning.categorical(mixture)
            seen = jax.vmap(lambda y: learning.log_evidence(memory, y))(inputs).mean()
            columns = jax.nn.logsumexp(mixture.weights.reshape(3, 3, 3), axis=-1).sum(axis=1)
            return seen - jax.nn.logsumexp(mixture.log_prior + columns)  # of a normalised law

        mean = jax.tree.map(lambda c: c.mean(axis=0), jax.vmap(change)(inputs))
        assert evidence(optax.apply_updates(mixture, mean)) > evidence(mixture)


def test_spikes_learn_a_mixture_without_a_teacher():
    rng = np.random.default_rng(5)
    true = 3 * np.eye(3)
    inputs = true[rng.integers(0, 3, 6000)] + 0.5 * rng.normal(size=(6000, 3))
    start = Mixture(jnp.asarray(1 + 0.3 * rng.normal(size=(3, 3))), jnp.full(3, -jnp.log(3.0)))
    rule = optax.chain(learning.delta_rule(), optax.scale(0.02))
    energy = learning.gaussian(4.0)
    end, evidence = jax.jit(lambda: learning.learn(
        rule, energy, start, jnp.asarray(inputs), jax.random.key(0)
    ))()  # fmt: skip
    early, late = evidence[:300].mean(), evidence[-1000:].mean()
    assert late > early + 1
    # Each cause has a memory; standard error of an average over 1 / 0.02 events: 0.5 sqrt(0.01).
    nearest = np.abs(np.asarray(end.weights)[:, None] - true[None]).max(axis=-1)
    assert sorted(nearest.argmin(axis=1)) == [0, 1, 2]
    assert nearest.min(axis=1).max() < 4 * 0.5 * np.sqrt(0.01)
    np.testing.assert_allclose(np.exp(end.log_prior), 1 / 3, atol=0.2)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="rate must be positive"):
        learning.averages(0.0)
    with pytest.raises(ValueError, match="params"):
        learning.spike_em().update(Observation(jnp.ones(2), jnp.ones(1)), optax.EmptyState())


# A winner-take-all of spiking neurons finds the causes of its inputs (spike-based EM)

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
    result = np.exp(end.weights)
    em, em_prior = expectation_maximisation(inputs, start, equal, 60)
    truth = np.concatenate([active, 1 - active], axis=1)
    for wanted, share in ((truth, prior), (em, em_prior)):
        gaps = np.abs(result[:, None] - wanted[None]).mean(axis=2)
        rows, columns = linear_sum_assignment(gaps)
        p = wanted[columns]
        noise = 4 * np.sqrt(p * (1 - p) * rate / 2)
        # draws of the winner mix causes that are alike: a bias of the first order in the rate
        assert (np.abs(result[rows] - p) < noise + 0.03).all()
        assert (np.abs(np.exp(end.log_prior)[rows] - share[columns]) < 0.12).all()
    score = inputs @ np.log(truth).T + np.log(prior)
    best = np.log(np.exp(score).sum(axis=1))[-5000:].mean()
    assert evidence[-5000:].mean() > best - 0.1 > evidence[:100].mean()
