"""Energies against their theorems and against independent numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import bpcjax as bpc
from bpcjax.energies import ClassicalHopfield, DenseHopfield, ModernHopfield


def softmax(u):
    e = np.exp(u - u.max())
    return e / e.sum()


@pytest.mark.slow
@given(seed=st.integers(0, 2**31), beta=st.floats(0.01, 20.0), scale=st.floats(0.1, 5.0))
@settings(deadline=None, max_examples=60)
def test_one_update_descends_by_at_least_half_its_square(seed, beta, scale):
    # Descent lemma of the convex-concave procedure: E(y) - E(f(y)) >= |f(y) - y|^2 / 2.
    rng = np.random.default_rng(seed)
    energy = ModernHopfield(rng.normal(size=(7, 5)), beta, rng.normal(size=7))
    y = jnp.asarray(scale * rng.normal(size=5))
    new = energy.update(y)
    assert energy(y) - energy(new) >= 0.5 * jnp.sum((new - y) ** 2) - 1e-9


def test_update_is_softmax_attention_with_keys_and_values_the_patterns():
    rng = np.random.default_rng(0)
    patterns, y = rng.normal(size=(9, 4)), rng.normal(size=4)
    energy = ModernHopfield(patterns, 1.7)
    attention = patterns.T @ softmax(1.7 * patterns @ y)  # numpy, independent
    np.testing.assert_allclose(energy.update(jnp.asarray(y)), attention, atol=1e-12)
    np.testing.assert_allclose(
        energy.posterior(jnp.asarray(y)), softmax(1.7 * patterns @ y), atol=1e-14
    )


@pytest.mark.slow
def test_hessian_is_one_minus_beta_times_the_posterior_covariance():
    # Ramsauer et al. (2020), lemma A15: the Jacobian of the update is beta Cov_p(X).
    rng = np.random.default_rng(1)
    patterns, y, beta = rng.normal(size=(6, 4)), rng.normal(size=4), 0.8
    energy = ModernHopfield(patterns, beta)
    p = softmax(beta * patterns @ y)
    covariance = patterns.T @ (np.diag(p) - np.outer(p, p)) @ patterns
    expected = np.eye(4) - beta * covariance
    np.testing.assert_allclose(jax.hessian(energy)(jnp.asarray(y)), expected, atol=1e-12)


def test_with_a_prior_the_energy_is_the_log_evidence_of_a_gaussian_mixture():
    rng = np.random.default_rng(2)
    patterns, beta = 3 * rng.normal(size=(5, 3)), 1.3
    prior = softmax(rng.normal(size=5))
    energy = ModernHopfield.from_prior(patterns, beta, np.log(prior))

    def log_density(y):  # up to the constant of the Gaussian
        return np.log(prior @ np.exp(-0.5 * beta * ((y - patterns) ** 2).sum(1)))

    for y in rng.normal(size=(4, 3)):
        np.testing.assert_allclose(-beta * energy(jnp.asarray(y)), log_density(y), atol=1e-10)
        bayes = prior * np.exp(-0.5 * beta * ((y - patterns) ** 2).sum(1))
        np.testing.assert_allclose(
            energy.posterior(jnp.asarray(y)), bayes / bayes.sum(), atol=1e-12
        )


@pytest.mark.slow
def test_equidistant_patterns_lose_their_mean_at_b_equal_p():
    # Potts: with unit patterns at mutual overlap c the mean is marginal at beta (1 - c) = P.
    count, overlap = 4, 0.2
    gram = (1 - overlap) * np.eye(count) + overlap
    patterns = np.linalg.cholesky(gram)
    for beta, sign in ((0.99 * count / (1 - overlap), 1), (1.01 * count / (1 - overlap), -1)):
        energy = ModernHopfield(patterns, beta)
        lowest = np.linalg.eigvalsh(jax.hessian(energy)(jnp.asarray(patterns.mean(0))))[0]
        np.testing.assert_allclose(lowest, 1 - beta * (1 - overlap) / count, atol=1e-10)
        assert np.sign(lowest) == sign


def test_asynchronous_signs_never_raise_the_classical_energy():
    rng = np.random.default_rng(3)
    energy = ClassicalHopfield.hebb(rng.choice([-1.0, 1.0], size=(5, 40)))
    spins = jnp.asarray(rng.choice([-1.0, 1.0], size=40))
    for index in rng.integers(0, 40, size=80):
        before = energy(spins)
        field = -jax.grad(energy)(spins)[index]
        spins = spins.at[index].set(jnp.where(field >= 0, 1.0, -1.0))
        assert energy(spins) <= before + 1e-12


@pytest.mark.parametrize("power", [2, 3])
def test_dense_memory_recalls_and_its_sign_update_is_the_energy_difference(power):
    rng = np.random.default_rng(4)
    patterns = rng.choice([-1.0, 1.0], size=(6, 60))
    energy = DenseHopfield(patterns, lambda u: u**power / power)
    query = patterns[2] * np.where(rng.random(60) < 0.15, -1, 1)
    new = energy.update(jnp.asarray(query))
    for i in range(60):  # two routes: the vectorised sign, and the energy itself
        up, down = (jnp.asarray(query).at[i].set(s) for s in (1.0, -1.0))
        assert new[i] == (1.0 if energy(down) >= energy(up) else -1.0)
    for _ in range(3):
        new = energy.update(new)
    np.testing.assert_array_equal(new, patterns[2])


def test_terms_sum_to_the_energy():
    rng = np.random.default_rng(5)
    patterns, y = rng.normal(size=(4, 3)), jnp.asarray(rng.normal(size=3))
    weights = rng.normal(size=(3, 3))
    for energy in (
        ModernHopfield(patterns, 2.0),
        ClassicalHopfield(weights + weights.T, rng.normal(size=3)),
        DenseHopfield(patterns, jnp.exp),
    ):
        np.testing.assert_allclose(sum(energy.terms(y).values()), energy(y), rtol=1e-14)


@pytest.mark.slow
def test_a_gradient_flow_never_raises_its_energy_and_ends_where_the_update_rests():
    rng = np.random.default_rng(6)
    energy = ModernHopfield(2 * rng.normal(size=(5, 8)), 1.0)
    import diffrax as dfx

    times = jnp.linspace(0, 40, 60)
    solution = bpc.simulate(
        bpc.GradientFlow(energy, tau=2.0), jnp.asarray(rng.normal(size=8)),
        t1=40.0, dt=0.05, saveat=dfx.SaveAt(ts=times),
    )  # fmt: skip
    energies = jax.vmap(energy)(solution.ys)
    assert (jnp.diff(energies) <= 1e-12).all()
    rest = solution.ys[-1]
    np.testing.assert_allclose(energy.update(rest), rest, atol=1e-6)


@pytest.mark.slow
def test_langevin_samples_the_boltzmann_law():
    # In a quadratic well E = k y^2 / 2 the variance is T / k (Ornstein-Uhlenbeck), mean 0.
    stiffness, temperature = 2.0, 0.6
    flow = bpc.Langevin(lambda y, args: 0.5 * stiffness * y**2, temperature, tau=1.0)
    keys = jax.random.split(jax.random.key(0), 4000)
    ends = jax.vmap(
        lambda key: bpc.simulate(flow, jnp.zeros(()), t1=4.0, dt=0.02, key=key, throw=False).ys[0]
    )(keys)
    variance = temperature / stiffness
    error = variance * np.sqrt(2 / len(keys))  # standard error of a variance
    assert abs(float(ends.var()) - variance) < 4 * error + 0.01 * variance
    assert abs(float(ends.mean())) < 4 * np.sqrt(variance / len(keys))


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: ModernHopfield(jnp.ones((3, 2)), -1.0), "ModernHopfield.beta"),
        (lambda: ModernHopfield(jnp.ones((3, 2)), jnp.nan), "ModernHopfield.beta"),
        (lambda: ModernHopfield(jnp.full((3, 2), jnp.nan), 1.0), "patterns must be finite"),
        (lambda: ModernHopfield(jnp.ones(3), 1.0), "patterns"),
        (lambda: ModernHopfield(jnp.ones((3, 2)), 1.0, jnp.ones(2)), "bias"),
        (lambda: ClassicalHopfield(jnp.ones((3, 2))), "weights"),
        (lambda: ClassicalHopfield(jnp.triu(jnp.ones((3, 3)))), "symmetric"),
        (lambda: ModernHopfield(jnp.ones((3, 2)), jnp.ones(3)), "beta"),
        (lambda: DenseHopfield(jnp.ones((3, 2)), "cube"), "separation"),
        (lambda: bpc.Langevin(lambda y, a: y, -1.0), "Langevin.temperature"),
        (lambda: bpc.GradientFlow(lambda y, a: y, tau=0.0), "GradientFlow.tau"),
    ],
)
def test_bad_energies_are_named(make, name):
    with pytest.raises((ValueError, TypeError), match=name):
        make()
