"""The Bayesian neuron: its likelihood, a teacher's weights, the coverage of what it claims."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import binom, norm

from bpcjax.learning import BayesianNeuron, Belief

DT, TRAINS = 1.0, 60
NEURON = BayesianNeuron(rate=0.03, threshold=0.3, width=0.8, tau=10.0)
N = 6


def teacher(key, bins, n=N, prior_std=0.5):
    """Weights from the prior, the potentials of Poisson inputs, the spikes."""
    k1, k2, k3 = jax.random.split(key, 3)
    weights = prior_std * jax.random.normal(k1, (n,))
    inputs = jax.random.bernoulli(k2, 0.04, (bins, n)).astype(float)
    x = NEURON.potentials(inputs, DT)
    return weights, x, NEURON.fire(weights, x, DT, k3)


def test_potentials_are_sums_of_exponentials():
    inputs = np.zeros((8, 1))
    inputs[[1, 4]] = 1.0
    x = NEURON.potentials(jnp.asarray(inputs), 2.0)[:, 0]
    by_hand = [sum(np.exp(-2.0 * (t - s) / 10) for s in (1, 4) if s < t) for t in range(8)]
    np.testing.assert_allclose(x, by_hand, atol=1e-14)


def test_one_update_is_bayes_for_a_short_bin():
    # The posterior's moments by quadrature over w . x: equal to first order in the bin.
    mean, variance, x = 0.2, 0.3, 1.4
    grid = np.linspace(-5, 5, 40_001)
    errors = []
    for dt in (0.2, 0.1):
        off = []
        for spikes in (0.0, 1.0):
            rho = 0.03 * np.exp((grid * x - 0.3) / 0.8)
            density = norm.pdf(grid, mean, variance**0.5) * rho**spikes * np.exp(-rho * dt)
            density /= density.sum()
            exact = (grid * density).sum()
            result = NEURON.update(
                Belief(jnp.array([mean]), jnp.array([[variance]])), jnp.array([x]),
                jnp.array(spikes), dt,
            )  # fmt: skip
            off.append(float(result.mean[0] - exact))
            if not spikes:
                spread = ((grid - exact) ** 2 * density).sum()
                np.testing.assert_allclose(result.covariance[0, 0], spread, rtol=2e-4 * dt / 0.1)
        errors.append(off)
    (silent, fired), (silent2, fired2) = errors
    assert abs(silent) < 5e-5 and 3.5 < silent / silent2 < 4.5  # second order in dt
    assert abs(fired2) < 2e-3 and 1.7 < fired / fired2 < 2.3  # a spike: first order


@pytest.mark.slow
def test_a_teacher_is_found_and_the_intervals_hold():
    # Weights drawn from the prior: 90 % intervals hold them in 90 % of cases, and so they do
    # half way. Synapses that know of themselves alone claim too much where inputs overlap in time.
    keys = jax.random.split(jax.random.key(1), TRAINS)

    def case(key, bins, wide):
        weights, x, spikes = teacher(key, bins)
        start = 0.25 * (jnp.eye(N) if wide else jnp.ones(N))
        belief, _ = NEURON.learn(Belief(jnp.zeros(N), start), x, spikes, DT)
        variance = jnp.diagonal(belief.covariance) if wide else belief.covariance
        return weights, belief.mean, jnp.sqrt(variance)

    run = jax.jit(jax.vmap(case, (0, None, None)), static_argnums=(1, 2))
    spreads = []
    for bins in (1_000, 8_000):
        w, mean, std = run(keys, bins, True)
        inside = np.abs(w - mean) < norm.isf(0.05) * std
        low, high = binom.ppf([0.001, 0.999], inside.size, 0.9)
        assert low <= inside.sum() <= high, inside.mean()
        spreads.append(float(std.mean()))
        assert np.mean((w - mean) ** 2) < 1.3 * np.mean(std**2)
    assert spreads[1] < 0.5 * spreads[0]
    # errors shrink as 1 / sqrt(T); local synapses find the teacher too
    best = np.corrcoef(np.ravel(w), np.ravel(mean))[0, 1]
    w, mean, std = run(keys, 8_000, False)
    assert np.corrcoef(np.ravel(w), np.ravel(mean))[0, 1] > best - 0.02 > 0.9
    assert (np.abs(w - mean) < norm.isf(0.05) * std).mean() < 0.9


@pytest.mark.slow
def test_the_filter_ends_where_the_batch_posterior_is():
    weights, x, spikes = teacher(jax.random.key(5), 20_000)
    belief, surprise = NEURON.learn(Belief(jnp.zeros(N), 0.25 * jnp.eye(N)), x, spikes, DT)

    def loss(w):
        return 0.5 * w @ w / 0.25 - NEURON.log_likelihood(w, x, spikes, DT)

    slope = jax.jit(jax.grad(loss))
    best = minimize(jax.jit(loss), np.zeros(N), jac=slope, method="BFGS").x
    covariance = np.linalg.inv(jax.hessian(loss)(jnp.asarray(best)))  # Laplace
    std = np.sqrt(np.diag(covariance))
    assert (np.abs(belief.mean - best) < 0.5 * std).all()
    np.testing.assert_allclose(np.sqrt(np.diag(belief.covariance)), std, rtol=0.1)
    # what it has learned makes spikes less surprising, nearly as little as to who knows the teacher
    known = dt_surprise(weights, x, spikes)
    half = len(spikes) // 2
    assert abs(surprise[half:].sum() - known[half:].sum()) < 25
    assert surprise.sum() < dt_surprise(jnp.zeros(N), x, spikes).sum() - 50


def dt_surprise(weights, x, spikes):
    log_rate = jax.vmap(lambda x: NEURON.log_rate(weights, x))(x)
    return DT * jnp.exp(log_rate) - spikes * (jnp.log(DT) + log_rate)


@pytest.mark.slow
def test_the_slope_of_the_likelihood_is_surprise_times_potential():
    weights, x, spikes = teacher(jax.random.key(2), 300)
    slope = jax.grad(NEURON.log_likelihood)(weights, x, spikes, DT)
    rho = 0.03 * np.exp((np.asarray(x @ weights) - 0.3) / 0.8)
    np.testing.assert_allclose(slope, (np.asarray(spikes) - rho * DT) @ x / 0.8, rtol=1e-10)


def test_an_unsound_parameter_is_named():
    with pytest.raises(ValueError, match="width must be positive"):
        BayesianNeuron(width=0.0)
