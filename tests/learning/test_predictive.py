"""Learning of predictive coding: local products, phases, steps, and training that goes on."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bpcjax.energies import ConvolutionMap, DenseMap, PredictiveCoding
from bpcjax.learning import growing_step, hebbian, kolen_pollack, momentum
from bpcjax.models import Backpropagation, NudgedPhases, RatePhases
from experiments.common import InputError, predictive
from experiments.common.data import splits
from experiments.common.predictive import Training, train

SIZES = (5, 12, 9, 4)


def sample(seed=0):
    x = jax.random.uniform(jax.random.key(seed), (5,))
    return x, jax.nn.one_hot(1, 4)


def test_local_products_are_outer_products():
    predict = DenseMap(jnp.zeros((4, 5)))
    pre, post = jax.random.normal(jax.random.key(1), (7, 5)), jnp.ones((7, 4)).cumsum(0)
    result: Any = hebbian(predict, pre, post)
    np.testing.assert_allclose(result.weights, -np.einsum("bi,bj->ij", post, pre) / 7, atol=1e-12)
    np.testing.assert_allclose(result.bias, -np.asarray(post).mean(0), atol=1e-12)


def test_backpropagation_gives_the_gradient():
    energy, (x, y) = PredictiveCoding.mlp(jax.random.key(0), SIZES), sample()
    seen, spent = Backpropagation().learn(energy, x, y, jax.random.key(1))

    def loss(maps):  # ReLU network and cross-entropy, written out
        z = x
        for k, predict in enumerate(maps):
            z = predict.weights @ z + predict.bias
            z = jax.nn.relu(z) if k < 2 else z
        return jax.nn.logsumexp(z) - z @ y

    maps = tuple(a.predict for a in energy.arrows)
    slopes: Any = jax.grad(loss)(maps)
    for k, slope in enumerate(slopes):
        result: Any = hebbian(maps[k], seen.pre[k][None], seen.post[k][None])
        np.testing.assert_allclose(result.weights, slope.weights, atol=1e-12)
    np.testing.assert_allclose(spent.loss, loss(maps), atol=1e-12)


def test_weak_nudging_gives_the_gradient():
    # With one hidden layer the products tend to the gradient, less the step over the stiffness.
    energy, (x, y) = PredictiveCoding.mlp(jax.random.key(2), (5, 12, 4)), sample()
    exact = Backpropagation().learn(energy, x, y, jax.random.key(1))[0]
    gaps = []
    for strength in (1e-2, 1e-3):
        seen = RatePhases(jnp.asarray(strength), steps=1).learn(energy, x, y, jax.random.key(1))[0]
        pairs = zip(seen.post, exact.post, strict=True)
        gaps.append(max(float(jnp.abs(a - b).max()) for a, b in pairs))
    assert gaps[1] < 2e-3 and gaps[1] < 0.2 * gaps[0]  # first order in the strength


def test_fine_spikes_rest_at_their_rate_twin():
    energy, (x, _) = PredictiveCoding.mlp(jax.random.key(3), SIZES), sample()
    rate, gaps = RatePhases().values(energy, x)[1], []
    for quantum in (1e-2, 1e-4):
        fine = NudgedPhases(jnp.asarray(quantum)).values(energy, x)[1]
        gaps.append(float(jnp.abs(fine[-1] - rate[-1]).max()))
    assert gaps[0] < 0.05 and gaps[1] < 5e-4  # first order in the quantum: T2


@pytest.mark.slow
def test_three_layers_rest_without_chatter():
    energy, (x, _) = PredictiveCoding.mlp(jax.random.key(5), (5, 30, 30, 30, 4)), sample()
    phases = NudgedPhases(jnp.asarray(0.25))
    settled = phases.settle(energy, x, 60)
    values, predictions = phases.values(energy, x)
    assert int(settled.spikes[-20:].sum()) == 0  # silent
    np.testing.assert_allclose(settled.output[-1], predictions[-1], atol=1e-12)
    counts = np.array([float(v.sum()) / 0.25 for v in values[1:]])
    sent = np.asarray(settled.spikes).sum(0)
    assert sent[0] == counts[0] and (sent >= counts).all()  # deeper ones may take spikes back


def test_decay_makes_feedback_the_transposed():
    # Equal products and decay c a step: the difference of weights shrinks by (1 - c)^n exactly.
    rule = kolen_pollack(optax.chain(optax.add_decayed_weights(0.1), optax.scale(-0.5)))
    pair: Any = jnp.ones((3, 2)), -2 * jnp.ones((3, 2))
    state = rule.init(pair)
    for k in range(40):
        moved, state = rule.update(jnp.full((3, 2), float(k % 3 - 1)), state, pair)
        pair = optax.apply_updates(pair, moved)
    np.testing.assert_allclose(pair[0] - pair[1], 3 * 0.95**40 * np.ones((3, 2)), rtol=1e-12)


def test_the_step_of_the_recipe():
    # m -= a_t / h0 (v / (1 - .9^t) + delta m), v <- .9 v + .1 g; a_t as in `growing_step`
    schedule = growing_step(1.5, 100, growth=8.0, warm=10)
    rule, m, v = momentum(schedule), 1.0, 0.0
    w: Any = jnp.asarray(1.0)
    state = rule.init(w)
    for t in range(1, 30):
        g = np.sin(t)
        moved, state = rule.update(jnp.asarray(g), state, w)
        w = optax.apply_updates(w, moved)
        v = 0.9 * v + 0.1 * g
        a = (
            1.5
            * 8 ** (t / 100)
            * min(1, t / 10)
            * (0.02 + 0.98 * (1 + np.cos(np.pi * t / 100)) / 2)
        )
        m -= a * (v / (1 - 0.9**t) + 1e-4 * m)
    np.testing.assert_allclose(w, m, rtol=1e-6)


SMALL = Training(hidden=(64,), epochs=4, warm=10, rate=1.0)


@pytest.fixture(scope="module")
def digits():
    return splits("digits")


@pytest.mark.slow
def test_training_learns_digits_and_goes_on_to_the_same_numbers(digits, tmp_path):
    learned, asked = digits
    settings = dataclasses.replace(SMALL, epochs=15)
    whole = train(learned, settings)
    phases = NudgedPhases()
    outputs = jax.vmap(lambda x: phases.values(whole.energy, x)[1][-1])(
        jnp.asarray(asked.x.reshape(len(asked.x), -1))
    )
    assert (np.argmax(outputs, -1) == asked.labels).mean() > 0.85  # chance: 0.1
    train(learned, settings, folder=tmp_path, stop_after=7)
    again = train(learned, settings, folder=tmp_path)
    for a, b in zip(jax.tree.leaves(whole.energy), jax.tree.leaves(again.energy), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(whole.history["loss"], again.history["loss"])


@pytest.mark.slow
def test_weights_that_are_no_numbers_stop_with_the_layer_named(digits):
    with pytest.raises(InputError, match="0->1.*layer 1"):
        train(digits[0], dataclasses.replace(SMALL, rate=float("1e38"), epochs=2))


@pytest.mark.slow
def test_convolutions_and_learned_feedback_run(digits):
    settings = dataclasses.replace(SMALL, maps=(4,), hidden=(), epochs=2, feedback=True, rate=0.5)
    result = train(digits[0], settings)
    assert isinstance(result.energy.arrows[0].predict, ConvolutionMap)
    assert result.history["loss"][1] < result.history["loss"][0]
    assert -1 <= result.alignment.min() and result.alignment.max() < 1
    assert predictive.inputs_of(settings, jnp.zeros((3, 8, 8))).shape == (3, 1, 8, 8)
