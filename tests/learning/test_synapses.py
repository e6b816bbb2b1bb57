"""The synaptic filter: exact Bayes where the likelihood is a normal one, forgetting, draws."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bpcjax.energies import ConvolutionMap, DenseMap
from bpcjax.learning import (
    Post,
    Pre,
    SlopeCurvature,
    Synapse,
    SynapticState,
    certificate,
    coins,
    conjugate,
    draw_synapses,
    hebbian,
    squared_products,
    synaptic_filter,
)

NOISE = 0.7  # standard deviation of what a synapse predicts


def regression(count=40, seed=0):
    """Inputs and noisy outputs of a synapse of weight 1.3."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=count)
    return x, 1.3 * x + NOISE * rng.normal(size=count)


def derivatives(mean, x, y):
    """Of the negative log likelihood of a linear-Gaussian synapse, by its definition."""
    return SlopeCurvature((mean * x - y) * x / NOISE**2, x**2 / NOISE**2)


def learned(rule, mean, state, xs, ys):
    for x, y in zip(xs, ys, strict=True):
        change, state = rule.update(derivatives(mean, x, y), state, mean)
        mean = mean + change
    return mean, state


def test_a_linear_gaussian_synapse_is_ridge_regression():
    x, y = regression()
    rule, start = synaptic_filter(0.5, window=jnp.inf), jnp.zeros(())
    mean, state = learned(rule, start, rule.init(start), x, y)
    precision = 4 + (x**2).sum() / NOISE**2  # the batch posterior, prior precision 1 / .5^2
    np.testing.assert_allclose(state.precision, precision, rtol=1e-10)
    np.testing.assert_allclose(mean, (x @ y) / NOISE**2 / precision, rtol=1e-10)
    np.testing.assert_allclose(state.deviation, precision**-0.5, rtol=1e-10)


def test_a_step_is_that_of_the_kalman_filter():
    # gain P x / (x P x + R), for a state that stays; P' = (1 - K x) P
    rule, mean = synaptic_filter(0.5, window=jnp.inf), jnp.asarray(0.4)
    change, state = rule.update(derivatives(mean, 1.5, 2.0), rule.init(mean), mean)
    gain = 0.25 * 1.5 / (1.5 * 0.25 * 1.5 + NOISE**2)
    np.testing.assert_allclose(change, gain * (2.0 - 0.4 * 1.5), rtol=1e-10)
    np.testing.assert_allclose(1 / state.precision, (1 - gain * 1.5) * 0.25, rtol=1e-10)


@given(st.floats(1.5, 1e3), st.floats(0.05, 3), st.floats(-2, 2), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_it_is_the_conjugate_update_with_forgetting(window, deviation, center, seed):
    x, y = regression(12, seed)
    rule = synaptic_filter(deviation, window=window, center=center)
    start = jnp.asarray(center)
    mean, state = learned(rule, start, rule.init(start), x, y)
    # natural parameters: precision, and precision times mean; a sample adds x^2 / R and x y / R
    prior = (jnp.asarray(deviation**-2), jnp.asarray(center * deviation**-2))
    exact, natural = conjugate(prior, 1 - 1 / window), prior
    for a, b in zip(x, y, strict=True):
        added = jnp.asarray(a * a / NOISE**2), jnp.asarray(a * b / NOISE**2)
        change, _ = exact.update(added, exact.init(natural), natural)
        natural = tuple(n + c for n, c in zip(natural, change, strict=True))
    np.testing.assert_allclose(state.precision, natural[0], rtol=1e-9)
    np.testing.assert_allclose(mean, natural[1] / natural[0], rtol=1e-9, atol=1e-12)


def test_a_count_stands_for_so_many_samples_of_one_kind():
    # of a batch of the same sample: the conjugate sum, at once or one by one
    mean = jnp.asarray(0.2)
    one, all_ = (synaptic_filter(0.5, window=jnp.inf, count=c) for c in (1.0, 7.0))
    change, state = all_.update(derivatives(mean, 0.8, 1.0), all_.init(mean), mean)
    by_one, after = learned(one, mean, one.init(mean), [0.8] * 7, [1.0] * 7)
    np.testing.assert_allclose(mean + change, by_one, rtol=1e-10)
    np.testing.assert_allclose(state.precision, after.precision, rtol=1e-10)


def test_without_data_weights_go_back_to_the_prior():
    window, mean, precision, prior = 20.0, jnp.asarray(3.0), 50.0, 4.0
    rule, state = synaptic_filter(0.5, window=window, center=1.0), SynapticState(jnp.asarray(50.0))
    nothing = SlopeCurvature(jnp.zeros(()), jnp.zeros(()))
    for k in range(1, 200):
        change, state = rule.update(nothing, state, mean)
        mean, keep = mean + change, (1 - 1 / window) ** k
        # natural parameters fade by 1 - 1 / window a step
        np.testing.assert_allclose(state.precision, prior + keep * (precision - prior), rtol=1e-9)
        shift = prior * 1.0 + keep * (precision * 3.0 - prior * 1.0)
        np.testing.assert_allclose(mean, shift / state.precision, rtol=1e-9)
    assert abs(float(mean) - 1) < 1e-2 and abs(float(state.deviation) - 0.5) < 1e-3


def test_the_variance_is_the_size_of_the_step():
    rule = synaptic_filter(1.0, window=jnp.inf, count=3.0, rate=0.5)
    state = SynapticState(jnp.asarray([1.0, 4.0, 100.0]))
    seen = SlopeCurvature(jnp.full(3, 2.0), jnp.zeros(3))
    change, after = rule.update(seen, state, jnp.zeros(3))
    np.testing.assert_allclose(change, -0.5 * 3.0 * 2.0 * np.asarray(after.deviation) ** 2)


def test_squared_products_are_sums_of_squares():
    predict = DenseMap(jnp.zeros((4, 5)))
    pre, post = jax.random.normal(jax.random.key(1), (7, 5)), jnp.ones((7, 4)).cumsum(0)
    result: Any = squared_products(predict, pre, post)
    exact = np.einsum("bi,bj->bij", post, pre) ** 2
    np.testing.assert_allclose(result.weights, exact.mean(0), atol=1e-12)
    np.testing.assert_allclose(result.bias, (np.asarray(post) ** 2).mean(0), atol=1e-12)
    with pytest.raises(TypeError, match="DenseMap, got ConvolutionMap"):
        squared_products(ConvolutionMap(jnp.zeros((1, 1, 3, 3))), pre, post)


def test_coins_are_signs_without_correlation():
    signs = jax.vmap(lambda k: coins(k, (3, 4), jnp.float64))(
        jax.random.split(jax.random.key(0), 20_000)
    )
    flat = np.asarray(signs).reshape(len(signs), -1)
    np.testing.assert_array_equal(np.abs(flat), 1)
    # 12 means and 66 products of two, each of deviation 1 / sqrt(20,000): five of them
    np.testing.assert_allclose(flat.mean(0), 0, atol=5 / np.sqrt(len(flat)))
    np.testing.assert_allclose(flat.T @ flat / len(flat), np.eye(12), atol=5 / np.sqrt(len(flat)))
    assert np.linalg.matrix_rank(np.asarray(signs[0])) == 1
    assert coins(jax.random.key(1), (5,), jnp.float32).dtype == jnp.float32


def test_draws_have_the_moments_of_the_weights():
    mean = {"w": jnp.asarray([[1.0, -2.0]]), "b": jnp.asarray([0.5])}
    state = SynapticState({"w": jnp.asarray([[4.0, 100.0]]), "b": jnp.asarray([1.0])})
    for noise in (jax.random.normal, coins):
        draws = jax.vmap(lambda k, noise=noise: draw_synapses(k, mean, state, noise))(
            jax.random.split(jax.random.key(2), 20_000)
        )
        for name in mean:
            deviation = np.asarray(state.deviation[name])
            off = (np.asarray(draws[name]).mean(0) - mean[name]) / deviation
            assert np.abs(off).max() < 5 / np.sqrt(20_000)
            np.testing.assert_allclose(np.asarray(draws[name]).std(0), deviation, rtol=0.03)


def test_a_step_is_local():
    # what a synapse keeps and the factors of its two neurons; draws are products of their coins
    rule = synaptic_filter(0.5, window=100.0, count=8.0, rate=0.5)

    def step(pre, post, mean, precision):
        predict = DenseMap(mean)
        slope: Any = hebbian(predict, pre, post)
        square: Any = squared_products(predict, pre, post)
        seen = SlopeCurvature(slope.weights, square.weights)
        change, state = rule.update(seen, SynapticState(precision), mean)
        return change, state.precision

    rng = np.random.default_rng(0)
    arrays = [jnp.asarray(rng.random(shape)) for shape in ((2, 4), (2, 3), (3, 4), (3, 4))]
    report = certificate(step, tuple(arrays), (Pre(), Post(), Synapse(), Synapse()))
    assert report.local and report.causal and not report.opaque


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({"deviation": 0.0}, "deviation must be positive"),
        ({"deviation": np.inf}, "deviation must be positive and finite"),
        ({"window": 0.5}, "window must be at least 1"),
        ({"window": np.nan}, "window must be at least 1"),
        ({"count": -1.0}, "count must be positive"),
        ({"rate": np.nan}, "rate must be positive"),
        ({"center": np.nan}, "center must be finite"),
    ],
)
def test_arguments_that_make_no_sense(arguments, text):
    with pytest.raises(ValueError, match=text):
        synaptic_filter(**{"deviation": 1.0, "window": 10.0} | arguments)


def test_the_means_must_be_passed():
    rule = synaptic_filter(1.0, window=10.0)
    with pytest.raises(ValueError, match="mean: pass the weights' means"):
        rule.update(SlopeCurvature(jnp.zeros(()), jnp.zeros(())), rule.init(jnp.zeros(())))
