"""Posteriors over weights: evidence, predictives, divergences, and what is learned."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from bpcjax import energies as en, learning
from bpcjax.energies.predictive.losses import expected
from theory.closed_forms import bayesian_regression as br

M, K, N = 3, 4, 11
KINDS = [en.MatrixNormal.wishart, en.MatrixNormal.gammas]


def prior(kind):
    return kind(M, K, weight_std=0.7, noise_std=1.3, count=5.5)


def samples(seed=0, n=N):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, K))
    z = a @ rng.normal(size=(K, M)) + 0.5 * rng.normal(size=(n, M))
    return jnp.asarray(z), jnp.asarray(a)


def learned(p, z, a, rule=None):
    rule = learning.conjugate(p.natural()) if rule is None else rule
    eta = p.natural()
    moved, _ = rule.update(p.statistics(z, a), rule.init(eta), eta)
    return p.at(optax.apply_updates(eta, moved))


@pytest.mark.parametrize("kind", KINDS)
def test_mnw_triple_equality(kind):
    # F = -log evidence = -sum of Student predictives = a matrix t without weights (theory).
    p, (z, a) = prior(kind), samples()
    q = learned(p, z, a)
    free = jax.vmap(q.expected_energy)(z, a).sum() + q.kl(p)
    np.testing.assert_allclose(free, -q.log_evidence(p), rtol=1e-10)
    step, now, total = eqx.filter_jit(learned), p, 0.0
    for k in range(N):
        total += now.log_predictive(z[k], a[k])
        now = step(now, z[k : k + 1], a[k : k + 1])
    np.testing.assert_allclose(free, -total, rtol=1e-10)
    v = np.linalg.inv(p.precision)
    oracle = br.log_evidence_wishart if kind == KINDS[0] else br.log_evidence_gammas
    np.testing.assert_allclose(free, -oracle(z, a, v, p.noise.scatter, 5.5), rtol=1e-10)


@pytest.mark.slow
def test_the_posterior_is_the_least_free_energy():
    # No gradient at the exact posterior; elsewhere F is above minus the log evidence.
    p, (z, a) = prior(KINDS[0]), samples(1)
    q = learned(p, z, a)

    def free(eta):
        q = p.at(eta)
        return jax.vmap(q.expected_energy)(z, a).sum() + q.kl(p)

    eta = q.natural()
    for slope in jax.tree.leaves(jax.grad(free)(eta)):
        np.testing.assert_allclose(slope, 0, atol=1e-9)
    for part in (0.3, 0.9):
        away = jax.tree.map(lambda x, y, part=part: part * x + (1 - part) * y, eta, p.natural())
        assert free(away) > free(eta) + 1e-3


@pytest.mark.slow
def test_expectations_are_those_of_draws():
    p, (z, a) = prior(KINDS[0]), samples(2)
    for kind in KINDS:
        q = learned(prior(kind), z, a)

        def energy(key, q=q):
            weights, mismatch = q.sample(key)
            return mismatch(z[0], weights @ a[0])

        draws = jax.vmap(energy)(jax.random.split(jax.random.key(0), 40_000))
        error = draws.std() / 200
        assert abs(draws.mean() - q.expected_energy(z[0], a[0])) < 4 * error
        weights, mismatch = q.point()
        quadratic = mismatch(z[0], weights @ a[0])  # what the mean network leaves out
        assert q.expected_energy(z[0], a[0]) > quadratic + 0.5 * M * q.spread(a[0]) - 1e-12
    q = learned(p, z, a)
    result, error = br.kl_wishart(q.noise.scatter, 16.5, p.noise.scatter, 5.5, 0, 40_000)
    assert abs(q.noise.kl(p.noise) - result) < 4 * error


@pytest.mark.parametrize("kind", KINDS)
def test_variances_split_into_noise_and_weights(kind):
    p, (z, a) = prior(kind), samples(3)
    q = learned(p, z, a)
    total = q.aleatoric() + q.epistemic(a[0])
    # of Student's t: its scale squared times df / (df - 2), with the scale of the notes
    df = 16.5 - (M - 1 if kind == KINDS[0] else 0)
    scatter = q.noise.scatter if kind == KINDS[1] else jnp.diagonal(q.noise.scatter)
    scale = scatter * (1 + q.spread(a[0])) / df
    np.testing.assert_allclose(total, scale * df / (df - 2), rtol=1e-12)
    if kind == KINDS[1]:
        away = np.asarray(z[0] - q.mean @ a[0])
        t = br.log_student(away, df, np.sqrt(scale)).sum()
        np.testing.assert_allclose(q.log_predictive(z[0], a[0]), t, rtol=1e-12)


def test_rules_agree_where_they_must():
    p, (z, a) = prior(KINDS[0]), samples(4)
    exact = learned(p, z, a).natural()
    eta0 = p.natural()
    # the whole data in one step of the natural gradient, of any start
    start = jax.tree.map(lambda x: 1.7 * x, eta0)
    rule = learning.natural_gradient(eta0, 1.0, 1.0)
    moved, state = rule.update(p.statistics(z, a), rule.init(start), start)
    for x, y in zip(optax.apply_updates(start, moved), exact, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)
    assert state.count == 1
    # forgetting: weights keep^age
    keep, eta = 0.8, eta0
    rule = learning.conjugate(eta0, keep)
    for k in range(N):
        moved, _ = rule.update(p.statistics(z[k : k + 1], a[k : k + 1]), rule.init(eta), eta)
        eta = optax.apply_updates(eta, moved)
    weights = keep ** np.arange(N - 1, -1, -1.0)
    np.testing.assert_allclose(eta.count, 5.5 + weights.sum(), rtol=1e-12)
    np.testing.assert_allclose(eta.hebb, np.einsum("n,ni,nj", weights, z, a), atol=1e-12)
    # small batches: the mean over a Robbins-Monro run comes near
    rule, eta = learning.natural_gradient(eta0, N, learning.robbins_monro(1.0, 1.0)), eta0
    state = rule.init(eta)
    for k in range(N):  # at power 1 each sample has the weight 1 / N
        moved, state = rule.update(p.statistics(z[k : k + 1], a[k : k + 1]), state, eta)
        eta = optax.apply_updates(eta, moved)
    for x, y in zip(eta, exact, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-10)


@pytest.mark.slow
def test_expected_mismatches_are_integrals():
    z, mean, variance = 0.4, -0.3, 0.8
    one = [jnp.array([x]) for x in (z, mean, variance)]
    for mismatch in (en.Gaussian(2.0), en.Rectified(1.5)):

        def density(mu, mismatch=mismatch):
            return mismatch(one[0], jnp.array([mu])) * norm.pdf(mu, mean, variance**0.5)

        whole = quad(lambda mu: float(density(mu)), -6, 6, points=[0.0], epsabs=1e-11)[0]
        np.testing.assert_allclose(expected(mismatch, *one), whole, atol=1e-9)
        sure = expected(mismatch, one[0], one[1], jnp.zeros(1))
        np.testing.assert_allclose(sure, mismatch(one[0], one[1]), atol=1e-14)
    rng = np.random.default_rng(0)
    mean, variance = jnp.asarray(rng.normal(size=4)), jnp.asarray(rng.random(4))
    z, mismatch = jnp.eye(4)[1], en.Categorical()
    normal = jax.random.normal(jax.random.key(0), (20_000, 4))
    draws = mean[None] + jnp.sqrt(variance)[None] * normal
    mean_energy = jax.vmap(lambda mu: mismatch(z, mu))(draws).mean()
    bound = expected(mismatch, z, mean, variance)
    assert mean_energy + 0.01 < bound < mean_energy + 0.3


def test_synapses_find_the_mean_field_posterior():
    # Known noise: the best independent synapses have the mean of the exact posterior, and the
    # diagonal of its precision (Bishop 2006, section 10.1.2).
    z, a = samples(5)
    noise = jnp.array([2.0, 0.5, 1.0])
    p = en.SynapticNormal(jnp.zeros((M, K)), 1.5, en.Gaussian(noise))
    rule, q = learning.natural_gradient(p.natural(), 1.0, 0.3), p
    step = eqx.filter_jit(lambda q: learned_by(rule, q, z, a))
    for _ in range(400):
        q = step(q)
    for i in range(M):
        precision = 1.5 * np.eye(K) + float(noise[i]) * np.asarray(a.T @ a)
        mean = np.linalg.solve(precision, float(noise[i]) * np.asarray(a.T @ z[:, i]))
        np.testing.assert_allclose(q.mean[i], mean, atol=1e-9)
        np.testing.assert_allclose(q.precision[i], np.diag(precision), rtol=1e-9)


def learned_by(rule, q, z, a):
    eta = q.natural()
    moved, _ = rule.update(q.statistics(z, a), rule.init(eta), eta)
    return q.at(optax.apply_updates(eta, moved))


@pytest.mark.slow
@pytest.mark.parametrize("mismatch", [en.Rectified(), en.Categorical()])
def test_newton_by_synapses_lowers_the_free_energy(mismatch):
    z, a = samples(6, 60)
    z = jax.nn.relu(z) if mismatch.nonnegative else jax.nn.one_hot(z.argmax(axis=1), M)
    p = en.SynapticNormal(0.1 * jax.random.normal(jax.random.key(1), (M, K)), 1.0, mismatch)

    def free(q):
        return jax.vmap(q.expected_energy)(z, a).sum() + q.kl(p)

    rule, q, seen = learning.natural_gradient(p.natural(), 1.0, 0.2), p, [free(p)]
    step = eqx.filter_jit(lambda q: (learned_by(rule, q, z, a), free(q)))
    for _ in range(800):
        q, before = step(q)
        seen.append(before)
    assert (np.diff(seen[1:]) < 1e-9).all() and seen[-1] < seen[0] - 5
    slope = jax.grad(lambda m: free(eqx.tree_at(lambda q: q.mean, q, m)))(q.mean)
    np.testing.assert_allclose(slope, 0, atol=1e-3)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: en.Wishart(np.eye(3), 1.5), "count must be above 2"),
        (lambda: en.Wishart(-np.eye(3), 5.0), "positive definite"),
        (lambda: en.Gammas(np.array([1.0, -1.0]), 3.0), "scatter must be positive"),
        (lambda: learning.conjugate((), 0.0), "keep must be in"),
        (lambda: learning.robbins_monro(1.0, 0.5), "power must be in"),
        (lambda: en.MatrixNormal(np.ones((2, 3)), np.eye(2), en.Gammas(np.ones(2), 3.0)), "mean"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
