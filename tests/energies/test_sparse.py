"""alpha-entmax and the sparse memory: exact zeros, exact recall, derivatives, descent."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.optimize import brentq

from bpcjax.energies import ModernHopfield, SparseHopfield
from bpcjax.energies.hopfield.entmax import entmax, entmax_conjugate

ALPHAS = 1.2, 1.5, 2.0, 3.0
fast_entmax = jax.jit(entmax, static_argnums=1)


def by_root(z, alpha):
    """Another route: the threshold by scipy's root finder."""

    def weights(tau):
        return np.maximum((alpha - 1) * (z - z.max()) - tau, 0) ** (1 / (alpha - 1))

    tau = brentq(lambda tau: weights(tau).sum() - 1, -1 - 1e-12, 0, xtol=1e-15, rtol=1e-14)
    return weights(tau)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_entmax_is_the_root_of_its_normalisation(alpha):
    rng = np.random.default_rng(0)
    for scale in (0.01, 1.0):
        z = scale * rng.normal(size=30)
        p = entmax(jnp.asarray(z), alpha)
        np.testing.assert_allclose(p, by_root(z, alpha), atol=1e-10)
        np.testing.assert_allclose(p.sum(), 1, atol=1e-12)


@given(
    z=st.lists(st.floats(-1e6, 1e6), min_size=9, max_size=9),
    alpha=st.sampled_from([1.5, 2.0, 3.0]),
    shift=st.floats(-1e3, 1e3),
)
@settings(deadline=None, max_examples=60)
def test_entmax_is_a_distribution_that_keeps_the_order(z, alpha, shift):
    p = np.asarray(fast_entmax(jnp.asarray(z), alpha))
    assert (p >= 0).all() and abs(p.sum() - 1) < 1e-9
    order = np.argsort(z)
    assert (np.diff(p[order]) >= -1e-12).all()
    moved = fast_entmax(jnp.asarray(z) + shift, alpha)
    np.testing.assert_allclose(moved, p, atol=1e-4 if alpha == 3 else 1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_margin_is_where_the_weight_becomes_exactly_one(alpha, dtype):
    # Hu et al. (2023), Santos et al. (2024): a lead of 1 / (alpha - 1), neither more nor less.
    margin = 1 / (alpha - 1)
    for lead, exact in ((1.001 * margin, True), (0.98 * margin, False)):
        z = jnp.zeros(50, dtype).at[7].set(lead)
        p = entmax(z, alpha)
        assert bool(p[7] == 1.0) == exact
        assert p.dtype == dtype
        if exact:
            assert (p.at[7].set(0) == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("alpha", ALPHAS)
def test_derivatives_of_first_and_second_order(alpha):
    z = jnp.asarray([0.3, 0.1, -0.2, -9.0, 0.25])  # the fourth has no weight
    np.testing.assert_allclose(jax.grad(entmax_conjugate)(z, alpha), entmax(z, alpha), atol=1e-12)
    step = 1e-5 * np.eye(5)

    def differences(f):
        return np.stack([(f(z + e) - f(z - e)) / 2e-5 for e in step], axis=-1)

    jacobian = jax.jacobian(lambda z: entmax(z, alpha))
    np.testing.assert_allclose(jacobian(z), differences(lambda z: entmax(z, alpha)), atol=2e-6)
    np.testing.assert_allclose(jax.jacobian(jacobian)(z), differences(jacobian), atol=2e-6)
    assert (jacobian(z)[3] == 0).all()


def test_near_one_it_is_softmax_and_log_sum_exp():
    z = jnp.asarray([0.5, -1.0, 0.2, 3.0])
    # First order in alpha - 1.
    np.testing.assert_allclose(entmax(z, 1.0001), jax.nn.softmax(z), atol=3e-4)
    np.testing.assert_allclose(entmax_conjugate(z, 1.0001), jax.nn.logsumexp(z), atol=3e-4)


@eqx.filter_jit
def step(energy, y):
    new = energy.update(y)
    return energy(y), y, energy(new), new, jax.grad(energy)(y)


@given(
    seed=st.integers(0, 2**31),
    beta=st.floats(0.01, 20.0),
    scale=st.floats(0.1, 5.0),
    alpha=st.sampled_from([1.5, 2.0]),
)
@settings(deadline=None, max_examples=60)
def test_one_update_descends_by_at_least_half_its_square(seed, beta, scale, alpha):
    # The lemma of the convex-concave procedure holds for any convex conjugate.
    rng = np.random.default_rng(seed)
    energy = SparseHopfield(rng.normal(size=(7, 5)), beta, alpha, rng.normal(size=7))
    before, y, after, new, slope = step(energy, jnp.asarray(scale * rng.normal(size=5)))
    assert before - after >= 0.5 * jnp.sum((new - y) ** 2) - 1e-9
    np.testing.assert_allclose(new, y - slope, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [1.5, 2.0])
def test_hessian_is_that_of_finite_differences(alpha):
    rng = np.random.default_rng(1)
    energy = SparseHopfield(rng.normal(size=(8, 4)), 0.6, alpha, 0.1 * rng.normal(size=8))
    y, step = jnp.asarray(0.3 * rng.normal(size=4)), 1e-5
    slope = jax.grad(energy)
    columns = [(slope(y + e) - slope(y - e)) / (2 * step) for e in step * np.eye(4)]
    np.testing.assert_allclose(jax.hessian(energy)(y), np.stack(columns, -1), atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [1.5, 1.25, 2.0])
def test_recall_is_exact_under_the_sufficient_condition(alpha):
    # beta (Delta - 2 M |y - x|) >= 1 / (alpha - 1), with Delta = x.x - max x.x', M = max |x|.
    rng = np.random.default_rng(2)
    patterns = rng.choice([-1.0, 1.0], size=(40, 64))
    gram = patterns @ patterns.T
    delta = 64 - np.max(gram - 1e9 * np.eye(40), axis=1)
    noise = rng.normal(size=64)
    away = 0.5
    y = jnp.asarray(patterns[3] + away * noise / np.linalg.norm(noise))
    beta = 1.01 / (alpha - 1) / (delta[3] - 2 * 8 * away)
    energy = SparseHopfield(patterns, beta, alpha)
    assert energy.posterior(y)[3] == 1.0
    np.testing.assert_allclose(sum(energy.terms(y).values()), energy(y), rtol=1e-14)
    np.testing.assert_array_equal(energy.update(y), patterns[3])
    softmax = ModernHopfield(patterns, beta)
    assert softmax.posterior(y)[3] < 1.0
    compiled = eqx.filter_jit(lambda energy, y: energy.update(y))  # products fused with sums
    np.testing.assert_array_equal(compiled(energy, y), patterns[3])
    real = rng.normal(size=(60, 12))
    lengths = np.linalg.norm(real, axis=1)
    beta = 0.3 / (alpha - 1)
    energy = SparseHopfield(real, beta, alpha, -0.5 * lengths**2)
    weights = eqx.filter_jit(eqx.filter_vmap(energy.posterior))(jnp.asarray(real))
    leads = np.sort(real @ real.T - 0.5 * lengths**2, axis=1)
    exact = beta * (leads[:, -1] - leads[:, -2]) >= 1.0001 / (alpha - 1)
    assert exact.sum() > 10
    assert (np.diagonal(weights)[exact] == 1.0).all()


@pytest.mark.slow
def test_one_pattern_duplicates_and_extreme_precision():
    rng = np.random.default_rng(3)
    patterns = rng.normal(size=(5, 6)).astype(np.float32)
    y = jnp.asarray(rng.normal(size=6), jnp.float32)
    one = SparseHopfield(patterns[:1], jnp.float32(3.0))
    np.testing.assert_array_equal(one.update(y), patterns[0])
    twice = SparseHopfield(patterns[[0, 0]], jnp.float32(3.0))
    np.testing.assert_array_equal(twice.posterior(y), [0.5, 0.5])
    for alpha in (1.5, 1.7, 2.0):
        flat = SparseHopfield(patterns, jnp.float32(1e-6), alpha)
        np.testing.assert_allclose(flat.posterior(y), 0.2, atol=1e-5)
        sharp = SparseHopfield(patterns, jnp.float32(1e6), alpha)
        best = int(np.argmax(patterns @ np.asarray(y)))
        np.testing.assert_array_equal(sharp.update(y), patterns[best])
        assert sharp.update(y).dtype == jnp.float32
        # E is |y|^2 / 2 - max score there, to single precision.
        expected = 0.5 * float(y @ y) - np.max(patterns @ np.asarray(y))
        np.testing.assert_allclose(sharp(y), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: SparseHopfield(np.ones((0, 3)), 1.0), "one pattern or more"),
        (lambda: SparseHopfield(np.ones((2, 0)), 1.0), "one pattern or more"),
        (lambda: SparseHopfield(np.ones(3), 1.0), "patterns must be an array"),
        (lambda: SparseHopfield(np.ones((2, 3)), 0.0), "SparseHopfield.beta must be positive"),
        (lambda: SparseHopfield(np.ones((2, 3)), np.ones(2)), "beta must be a number"),
        (lambda: SparseHopfield(np.full((2, 3), np.nan), 1.0), "patterns must be finite"),
        (lambda: SparseHopfield(np.ones((2, 3)), 1.0, alpha=1.0), "alpha must be above 1"),
        (lambda: SparseHopfield(np.ones((2, 3)), 1.0, bias=np.ones(3)), "bias must have shape"),
        (lambda: SparseHopfield(np.ones((2, 3)), 1.0).update(jnp.ones(4)), "y must have the shape"),
        (lambda: jax.jit(entmax)(jnp.ones(3), 2.0), "alpha must be one known number"),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()
