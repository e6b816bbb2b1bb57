"""The forms of attention against one another, against loops in numpy, and in their limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bpcjax.energies import ModernHopfield
from bpcjax.models import (
    LinearMemory,
    RandomFeatures,
    attention,
    elu_features,
    hard_attention,
    linear_attention,
    sparse_attention,
)


def case(seed, count=7, width=5, out=3):
    rng = np.random.default_rng(seed)
    draw = [rng.normal(size=shape) for shape in (width, (count, width), (count, out), count)]
    return [jnp.asarray(x) for x in draw]


def by_hand(query, keys, values, beta, bias=0.0):
    scores = beta * (np.asarray(keys) @ query + bias)
    weight = np.exp(scores - scores.max())
    return (weight[:, None] * values).sum(axis=0) / weight.sum()


@given(seed=st.integers(0, 2**31), beta=st.floats(0.01, 50.0))
@settings(deadline=None, max_examples=30)
def test_attention_is_the_formula_and_the_update_of_the_energy(seed, beta):
    query, keys, values, bias = case(seed)
    result = attention(query, keys, values, beta, bias=bias)
    np.testing.assert_allclose(result, by_hand(query, keys, values, beta, bias), atol=1e-12)
    energy = ModernHopfield(keys, beta, bias)
    np.testing.assert_allclose(
        attention(query, keys, keys, beta, bias=bias), energy.update(query), atol=1e-10
    )
    thrice = energy.update(energy.update(energy.update(query)))
    np.testing.assert_allclose(
        attention(query, keys, keys, beta, bias=bias, steps=3), thrice, atol=1e-8
    )


def test_in_the_limit_of_beta_attention_is_hard_or_uniform():
    query, keys, values, bias = case(3)
    for beta in (1e6, 1e300):
        np.testing.assert_array_equal(
            attention(query, keys, values, beta, bias=bias),
            hard_attention(query, keys, values, bias=bias),
        )
    flat = attention(query, keys, values, 1e-12)
    np.testing.assert_allclose(flat, values.mean(axis=0), atol=1e-11)
    # In single precision too, where exp(1e6) is not a number.
    few = [jnp.asarray(x, jnp.float32) for x in (query, keys, values)]
    result = attention(*few, jnp.float32(1e6))
    assert result.dtype == jnp.float32
    np.testing.assert_array_equal(result, hard_attention(*few))


@given(seed=st.integers(0, 2**31), beta=st.floats(0.1, 5.0))
@settings(deadline=None, max_examples=20)
def test_linear_attention_is_the_kernel_of_its_features(seed, beta):
    query, keys, values, _ = case(seed)
    feature = lambda x: np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))  # noqa: E731
    root = np.sqrt(beta)
    weight = np.array([feature(root * np.asarray(query)) @ feature(root * k) for k in keys])
    expected = (weight[:, None] * np.asarray(values)).sum(axis=0) / weight.sum()
    np.testing.assert_allclose(linear_attention(query, keys, values, beta), expected, rtol=1e-9)
    memory = LinearMemory.store(keys, values, beta)
    # What it keeps does not grow with the number of memories.
    more = LinearMemory.store(jnp.tile(keys, (9, 1)), jnp.tile(values, (9, 1)), beta)
    assert memory.values.shape == more.values.shape == (5, 3)
    np.testing.assert_allclose(more(query), memory(query), rtol=1e-9)


@pytest.mark.slow
def test_random_features_approach_softmax_at_one_over_the_root_of_their_number():
    query, keys, values, _ = case(4)
    query, keys = 0.2 * query, 0.2 * keys
    exact = attention(query, keys, values, 1.0)
    counts = np.array([16, 64, 256, 1024])

    def error(count):
        def one(key):
            features = RandomFeatures.draw(key, int(count), 5)
            return linear_attention(query, keys, values, 1.0, features) - exact

        off = jax.vmap(one)(jax.random.split(jax.random.key(0), 200))
        return jnp.sqrt(jnp.mean(off**2))

    slope = np.polyfit(np.log(counts), np.log([error(n) for n in counts]), 1)[0]
    assert abs(slope + 0.5) < 0.05, slope
    # A product of features is exp(q . k) on average: 50,000 draws, five standard errors.
    rows = RandomFeatures.draw(jax.random.key(1), 50_000, 5)
    draws = len(rows.directions) * rows(query) * rows(keys[0])
    apart = abs(draws.mean() - jnp.exp(query @ keys[0]))
    assert apart < 5 * draws.std() / np.sqrt(len(draws))


def test_linear_attention_with_its_features_cannot_be_sharp():
    # One of 50 random keys is the query: softmax returns its value, elu + 1 a broad mean.
    rng = np.random.default_rng(5)
    keys = jnp.asarray(rng.normal(size=(50, 16)))
    values = jnp.eye(50)
    query = keys[7]
    assert attention(query, keys, values, 4.0)[7] > 0.999
    for beta in (0.1, 1.0, 10.0, 1000.0):
        assert linear_attention(query, keys, values, beta)[7] < 0.1
    assert elu_features(jnp.array([-1e9, 0.0, 2.0])).tolist() == [0.0, 1.0, 3.0]


def test_sparse_attention_is_exact_where_softmax_is_not():
    # The best score leads by 2.5 (float rounding apart): 1.5-entmax needs 1 / (1.5 - 1) = 2.
    keys = jnp.eye(4)
    query = jnp.array([2.5, 0.0, -1.0, 0.0])
    values = jnp.asarray(np.random.default_rng(6).normal(size=(4, 3)))
    np.testing.assert_array_equal(sparse_attention(query, keys, values, 1.0), values[0])
    assert (attention(query, keys, values, 1.0) != values[0]).any()
    near = sparse_attention(query, keys, values, 0.7)  # leads by 1.75: a mixture
    assert (near != values[0]).any()
    # Towards alpha = 1 it is softmax.
    soft = sparse_attention(query, keys, values, 1.0, alpha=1.0001)
    np.testing.assert_allclose(soft, attention(query, keys, values, 1.0), atol=1e-3)


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(query=jnp.zeros(4)), "query must have shape"),
        (dict(keys=jnp.zeros((0, 5)), values=jnp.zeros((0, 3))), "keys must be a matrix"),
        (dict(values=jnp.zeros((6, 3))), r"values must have shape \[7, M\]"),
        (dict(bias=jnp.zeros(6)), "bias must have shape"),
        (dict(steps=0), "steps must be at least 1"),
        (dict(steps=2), "values must have the shape"),
    ],
)
def test_what_does_not_fit_is_named(change, words):
    query, keys, values, bias = case(0)
    options = dict(query=query, keys=keys, values=values, bias=bias) | change
    with pytest.raises(ValueError, match=words):
        attention(options.pop("query"), options.pop("keys"), options.pop("values"), 1.0, **options)
