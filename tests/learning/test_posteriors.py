"""Conjugate posteriors against their batch formulas and scipy; storage in one shot."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from scipy import stats
from scipy.special import erfc

from bpcjax import learning
from bpcjax.energies import ClassicalHopfield, ModernHopfield


def stream(rule, seen, ys, shares):
    step = jax.jit(lambda seen, y, share: rule.update(seen, y, share))
    for y, share in zip(ys, shares, strict=True):
        seen = step(seen, jnp.asarray(y), jnp.asarray(share))
    return seen


def test_dirichlet_is_the_batch_posterior():
    rng = np.random.default_rng(0)
    ys = np.eye(3)[rng.integers(0, 3, (40, 5))]
    shares = rng.dirichlet(np.ones(2), 40)
    prior = rng.uniform(0.2, 2, (5, 3))
    rule = learning.Dirichlet(prior)
    seen = stream(rule, rule.init(2, 5, 3), ys, shares)
    alpha = prior + np.einsum("tp,thm->phm", shares, ys)
    expected = alpha / alpha.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(rule.mean(seen), expected, atol=1e-10)
    y = ys[0]
    by_hand = [
        sum(np.log(stats.dirichlet.mean(alpha[p, h])[y[h].argmax()]) for h in range(5))
        for p in range(2)
    ]
    np.testing.assert_allclose(rule.log_predictive(seen, jnp.asarray(y)), by_hand, atol=1e-10)


def test_normal_is_the_batch_posterior():
    rng = np.random.default_rng(1)
    ys, shares = 1e3 + rng.normal(size=(30, 4)), rng.dirichlet(np.ones(3), 30)
    mean0 = rng.normal(size=4)
    rule = learning.Normal(2.5, mean0, 0.7)
    seen = stream(rule, rule.init(3, 4), ys, shares)
    count = 0.7 + shares.sum(axis=0)
    mean = (0.7 * mean0 + shares.T @ ys) / count[:, None]
    np.testing.assert_allclose(rule.mean(seen), mean, rtol=1e-10)
    # Predictive: noise plus what is not known of the pattern.
    spread = np.sqrt((1 + 1 / count) / 2.5)
    expected = [stats.norm.logpdf(ys[0], mean[p], spread[p]).sum() for p in range(3)]
    np.testing.assert_allclose(rule.log_predictive(seen, jnp.asarray(ys[0])), expected, rtol=1e-10)
    memory = rule.energy(seen, jnp.zeros(3))
    np.testing.assert_allclose(memory.patterns, mean, rtol=1e-10)


def test_normal_gamma_is_the_batch_posterior():
    rng = np.random.default_rng(2)
    ys, shares = 50 + 3 * rng.normal(size=(30, 4)), rng.dirichlet(np.ones(3), 30)
    rule = learning.NormalGamma(48.0, 0.5, 2.0, 3.0)
    seen = stream(rule, rule.init(3, 4), ys, shares)
    mean, count, shape, scale = (np.asarray(x) for x in rule.posterior(seen))
    n = shares.sum(axis=0)[:, None]
    average = shares.T @ ys / n
    scatter = shares.T @ ys**2 - n * average**2
    np.testing.assert_allclose(count, 0.5 + n, rtol=1e-10)
    np.testing.assert_allclose(mean, (0.5 * 48 + n * average) / (0.5 + n), rtol=1e-10)
    np.testing.assert_allclose(shape, 2 + n / 2, rtol=1e-10)
    expected = 3 + scatter / 2 + 0.5 * n * (average - 48) ** 2 / (2 * (0.5 + n))
    np.testing.assert_allclose(scale, expected, rtol=1e-10)
    y = ys[0]
    width = np.sqrt(scale * (count + 1) / (shape * count))
    t = stats.t.logpdf(y, 2 * shape, mean, width).sum(axis=1)
    np.testing.assert_allclose(rule.log_predictive(seen, jnp.asarray(y)), t, rtol=1e-10)


UPDATE = jax.jit(
    lambda keep, seen, y, share: learning.NormalGamma(keep=keep).update(seen, y, share)
)


@given(
    seed=st.integers(0, 2**31),
    scale=st.sampled_from([1e-100, 1e-6, 1.0, 1e6, 1e100]),
    keep=st.sampled_from([1e-6, 0.5, 0.999, 1.0]),
    silent=st.booleans(),
)
@example(seed=1, scale=1e-100, keep=1e-6, silent=False)  # a scatter of -2.4e-222
@settings(deadline=None, max_examples=40)
def test_evidence_stays_sound(seed, scale, keep, silent):
    # Means within the range of what was shown, no negative scatter, whatever the scale; a memory
    # that has no share learns nothing.
    rng = np.random.default_rng(seed)
    ys = scale * (rng.normal() + rng.normal(size=(12, 3)))
    seen = learning.NormalGamma().init(2, 3)
    for y in ys:
        share = np.array([0.0 if silent else rng.choice([0.0, 1e-12, 1.0]), 1.0])
        seen = UPDATE(keep, seen, jnp.asarray(y), jnp.asarray(share))
    assert (np.asarray(seen.scatter) >= 0).all() and np.isfinite(seen.scatter).all()
    tiny = 1e-9 * np.abs(ys).max()
    assert (seen.mean[1] >= ys.min(axis=0) - tiny).all()
    assert (seen.mean[1] <= ys.max(axis=0) + tiny).all()
    if silent:
        assert seen.count[0] == 0 and not np.any(seen.mean[0]) and not np.any(seen.scatter[0])
    weights = keep ** np.arange(11, -1, -1.0)
    np.testing.assert_allclose(seen.count[1], weights.sum(), rtol=1e-10)
    mean = weights @ ys / weights.sum()
    np.testing.assert_allclose(seen.mean[1], mean, rtol=1e-9, atol=tiny)
    scatter = weights @ (ys - mean) ** 2
    np.testing.assert_allclose(seen.scatter[1], scatter, rtol=1e-6, atol=tiny**2)


@pytest.mark.parametrize(
    "kind, scales",
    [
        (np.float32, [1e-44, 1e-30, 1.0, 1e18]),
        (np.float64, [1e-320, 1e-200, 1.0, 1e150]),
    ],
)
@pytest.mark.parametrize("keep", [1e-30, 1e-6, 0.5, 1.0])
def test_scatter_is_never_negative(kind, scales, keep):
    # Subnormal scales and nearly the largest ones whose squares are finite, in both precisions.
    rng = np.random.default_rng(0)
    for scale in scales:
        ys = (scale * (rng.normal() + rng.normal(size=(60, 20)))).astype(kind)
        seen = jax.tree.map(lambda x: x.astype(kind), learning.NormalGamma().init(2, 20))
        for y in ys:
            share = jnp.asarray([rng.choice([0.0, 1e-12, 1.0]), 1.0], kind)
            seen = UPDATE(jnp.asarray(keep, kind), seen, jnp.asarray(y), share)
        assert seen.scatter.dtype == kind
        assert (np.asarray(seen.scatter) >= 0).all() and np.isfinite(seen.scatter).all()


def test_forgetting_leaves_a_window():
    # Evidence of a memory that is always shown tends to 1 / (1 - keep); the response to a step of
    # the input is 1 - keep^n; and what is no longer shown goes back to the prior.
    keep = 0.95
    rule = learning.Normal(1.0, 0.0, 1e-9, keep)
    seen = stream(rule, rule.init(1, 1), np.zeros((600, 1)), np.ones((600, 1)))
    np.testing.assert_allclose(seen.count, [1 / (1 - keep)], rtol=1e-10)
    for n in (1, 20):
        later = stream(rule, seen, np.ones((n, 1)), np.ones((n, 1)))
        np.testing.assert_allclose(rule.mean(later)[0], 1 - keep**n, rtol=1e-7)
    rule = learning.Normal(1.0, 5.0, 2.0, keep)
    seen = stream(rule, rule.init(2, 1), np.zeros((50, 1)), np.tile([1.0, 0.0], (50, 1)))
    away = stream(rule, seen, np.zeros((40, 1)), np.tile([0.0, 1.0], (40, 1)))
    np.testing.assert_allclose(away.count[0], seen.count[0] * keep**40, rtol=1e-10)
    expected = 5 * 2 / (2 + float(away.count[0]))
    np.testing.assert_allclose(rule.mean(away)[0], expected, rtol=1e-10)
    # Averages of noise with weights keep^k have the variance (1 - keep) / (1 + keep).
    rng = np.random.default_rng(3)
    rule = learning.Normal(1.0, 0.0, 1e-9, keep)
    noise = rng.normal(size=(300, 4000))
    seen = stream(rule, rule.init(1, 4000), noise, np.ones((300, 1)))
    np.testing.assert_allclose(np.var(rule.mean(seen)), (1 - keep) / (1 + keep), rtol=0.1)


def test_dirichlet_with_forgetting_is_the_running_average_of_stdp():
    # One memory: at its full window, a rule that keeps exp(-rate) moves as `averages(rate)` does.
    rng = np.random.default_rng(4)
    rate = 0.1
    rule = learning.Dirichlet(1e-12, np.exp(-rate))
    y = np.eye(2)[rng.integers(0, 2, (300, 3))]
    seen = stream(rule, rule.init(1, 3, 2), y, np.ones((300, 1)))
    new = np.eye(2)[[0, 1, 1]]
    after = rule.mean(rule.update(seen, jnp.asarray(new), jnp.ones(1)))
    mixture = learning.Mixture(jnp.log(rule.mean(seen)).reshape(1, -1), jnp.zeros(1))
    observed = learning.Observation(jnp.asarray(new).ravel(), jnp.ones(1))
    change, _ = learning.averages(rate).update(observed, None, mixture)
    np.testing.assert_allclose(
        np.exp(mixture.weights + change.weights).reshape(1, 3, 2), after, atol=1e-9
    )


def test_new_patterns_go_to_a_memory_that_is_free():
    rule = learning.Normal(4.0, 0.0, 0.25)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(2, 60))
    seen = rule.update(rule.init(3, 60), jnp.asarray(x[0]), jnp.eye(3)[1])
    known = rule.log_predictive(seen, jnp.asarray(x[0]))
    novel = rule.log_predictive(seen, jnp.asarray(x[1]))
    assert known.argmax() == 1 and known[1] > known[0] + 10
    assert novel.argmax() != 1 and novel[0] > novel[1] + 10


def test_storage_is_that_of_the_whole_set():
    rng = np.random.default_rng(6)
    x, log_prior = rng.normal(size=(4, 3)), np.log(rng.dirichlet(np.ones(4)))
    whole = ModernHopfield.from_prior(x, 1.3, log_prior)
    grown = ModernHopfield.from_prior(x[:3], 1.3, log_prior[:3])
    grown = learning.append(grown, x[3], log_prior[3])
    other = ModernHopfield.from_prior(np.roll(x, 1, axis=0), 1.3, np.zeros(4))
    for row in range(4):
        other = learning.overwrite(other, row, x[row], log_prior[row])
    for memory in (grown, other):
        np.testing.assert_allclose(memory.patterns, whole.patterns, atol=1e-14)
        np.testing.assert_allclose(memory.bias, whole.bias, atol=1e-14)
    traced = jax.jit(lambda row: learning.overwrite(other, row, x[0]).patterns[2])(2)
    np.testing.assert_allclose(traced, x[0])


def test_hebb_online():
    rng = np.random.default_rng(7)
    x = jnp.asarray(rng.choice([-1.0, 1.0], (5, 40)))
    weights = jnp.zeros((40, 40))
    for pattern in x:
        weights = learning.hebb(weights, pattern)
    np.testing.assert_allclose(weights, ClassicalHopfield.hebb(x).weights, atol=1e-14)


@pytest.mark.slow
def test_a_palimpsest_forgets_at_the_rate_known():
    # Age k: signal keep^k against crosstalk of variance sum_j keep^(2 j) / N, j over the others.
    size, keep, shown = 500, 0.95, 120
    ages = np.array([0, 10, 25, 40])
    wrong = []
    for seed in range(12):
        x = jnp.asarray(np.random.default_rng(seed).choice([-1.0, 1.0], (shown, size)))
        weights = jax.lax.scan(
            lambda w, pattern: (learning.hebb(w, pattern, keep), None), jnp.zeros((size, size)), x
        )[0]
        asked = x[shown - 1 - ages]
        wrong.append(((asked @ weights) * asked < 0).mean(axis=1))
    signal = keep**ages
    noise = ((1 - keep ** (2 * shown)) / (1 - keep**2) - signal**2) / size
    expected = 0.5 * erfc(signal / np.sqrt(2 * noise))
    error = np.sqrt(expected * (1 - expected) / (12 * size)) + 1 / (12 * size)
    assert (np.abs(np.mean(wrong, axis=0) - expected) < 4 * error + 0.03 * expected).all()


def test_the_pseudo_inverse_holds_what_hebb_cannot():
    rng = np.random.default_rng(8)
    common = rng.choice([-1.0, 1.0], 60)
    x = np.where(rng.random((20, 60)) < 0.8, common, -common)  # correlated
    memory = learning.projection(x)
    np.testing.assert_allclose(x @ np.asarray(memory.weights), x, atol=1e-10)
    values = np.linalg.eigvalsh(memory.weights)
    np.testing.assert_allclose(values[-20:], 1, atol=1e-10)
    np.testing.assert_allclose(values[:-20], 0, atol=1e-10)
    assert (np.sign(x @ np.asarray(ClassicalHopfield.hebb(x).weights)) != x).any()


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: learning.Normal(1.0, keep=0.0), "keep must be in"),
        (lambda: learning.Dirichlet(keep=1.1), "keep must be in"),
        (lambda: learning.NormalGamma(shape=-1.0), "shape must be positive"),
        (lambda: learning.append(ModernHopfield(np.eye(2), 1.0), np.ones(3)), "pattern must have"),
        (lambda: learning.projection(np.ones(3)), "patterns must be an array"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
    with pytest.raises(IndexError, match="row must be in"):
        learning.overwrite(ModernHopfield(np.eye(2), 1.0), 2, np.ones(2))
