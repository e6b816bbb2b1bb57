"""The softmax memory at its limits: one pattern, none, twice the same, extreme precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.energies import ClassicalHopfield, DenseHopfield, ModernHopfield


def patterns_and_query():
    rng = np.random.default_rng(0)
    return rng.normal(size=(5, 6)).astype(np.float32), jnp.asarray(rng.normal(size=6), jnp.float32)


@pytest.mark.slow
def test_extreme_precision_in_single_precision():
    patterns, y = patterns_and_query()
    scores = patterns.astype(float) @ np.asarray(y, float)
    half = 0.5 * np.asarray(y, float) @ np.asarray(y, float)
    sharp = ModernHopfield(patterns, jnp.float32(1e6))
    np.testing.assert_allclose(sharp.update(y), patterns[np.argmax(scores)], atol=1e-6)
    np.testing.assert_allclose(sharp(y), half - scores.max(), rtol=1e-5)
    flat = ModernHopfield(patterns, jnp.float32(1e-6))
    np.testing.assert_allclose(flat.update(y), patterns.mean(axis=0), atol=1e-5)
    # log(5) / beta, to single precision: the rest is lost beside it, its gradient is not.
    np.testing.assert_allclose(flat(y), -np.log(5) / 1e-6, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(flat)(y), y - patterns.mean(axis=0), atol=1e-5)


def test_log_posteriors_far_below_the_smallest_number():
    memory = ModernHopfield(np.diag(np.array([30.0, 1.0, 1.0], np.float32)), jnp.float32(10.0))
    y = jnp.array([30.0, 0.0, 0.0], jnp.float32)
    np.testing.assert_allclose(memory.log_posterior(y), [0, -9000, -9000], rtol=1e-6)
    np.testing.assert_array_equal(memory.posterior(y), [1, 0, 0])


@pytest.mark.slow
def test_one_pattern_and_duplicates():
    patterns, y = patterns_and_query()
    one = ModernHopfield(patterns[:1], jnp.float32(2.0))
    np.testing.assert_allclose(one.update(y), patterns[0], rtol=1e-6)
    twice = ModernHopfield(patterns[[0, 0, 1]], jnp.float32(2.0))
    weights = np.asarray(twice.posterior(y))
    assert weights[0] == weights[1] and abs(weights.sum() - 1) < 1e-6
    # As one pattern with the logarithm of 2 in its prior.
    bias = np.array([np.log(2.0), 0.0]) / 2.0
    merged = ModernHopfield(patterns[:2], 2.0, bias)
    np.testing.assert_allclose(twice(y), merged(y), rtol=1e-5)
    dense = DenseHopfield.polynomial(patterns[:1], 3)
    np.testing.assert_allclose(dense(y), -(float(patterns[0] @ np.asarray(y)) ** 3), rtol=1e-4)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: ModernHopfield(np.ones((0, 3)), 1.0), "one pattern or more"),
        (lambda: ModernHopfield(np.ones((2, 3)), 0.0), "ModernHopfield.beta must be positive"),
        (lambda: ModernHopfield(np.ones((2, 3)), -np.inf), "ModernHopfield.beta must be positive"),
        (lambda: ModernHopfield(np.ones((2, 3)), 1.0)(jnp.ones(2)), "y must have the shape"),
        (lambda: ModernHopfield(np.ones((2, 3)), 1.0).update(jnp.ones(4)), "y must have the shape"),
        (lambda: ClassicalHopfield.pseudo_inverse(np.ones((0, 3))), "one pattern or more"),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()
