"""Errors handed down while no value moves: straight-through backpropagation, to first order."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bpcjax.energies import Arrow, Categorical, DenseMap, PredictiveCoding, Rectified, ResidualMap
from bpcjax.learning import feedback_alignment, momentum
from bpcjax.models import Backpropagation, NudgedPhases, unit_stiffness


def residual_network(key):
    """Network 5-6-6-6-3, whose second and third hidden layer add to what they hear."""
    arrows, sizes = [], (5, 6, 6, 6, 3)
    for k, (n, m) in enumerate(zip(sizes, sizes[1:], strict=False)):
        weights = jax.random.normal(jax.random.fold_in(key, k), (m, n)) / jnp.sqrt(n)
        dense = DenseMap(weights, 0.3 + jnp.zeros(m))
        predict = ResidualMap(dense) if 0 < k < 3 else dense
        arrows.append(Arrow(k, k + 1, predict, Categorical() if k == 3 else Rectified()))
    return PredictiveCoding(arrows)


def sample():
    x = jax.random.uniform(jax.random.key(7), (5,))
    return x, jnp.array([0.0, 1.0, 0.0])


@pytest.mark.parametrize("quantum", [0.5, 0.1])
def test_they_are_the_straight_through_gradient_as_the_strength_vanishes(quantum):
    energy, (x, y) = residual_network(jax.random.key(1)), sample()
    exact, _ = Backpropagation(jnp.asarray(quantum)).learn(energy, x, y, jax.random.key(0))
    fine = jnp.asarray(1e-9)
    gaps = []
    for strength in (1e-2, 1e-3):
        phases = NudgedPhases(
            jnp.asarray(quantum), fine, fine, jnp.asarray(strength), 0, unit_stiffness
        )
        seen, _ = phases.learn(energy, x, y, jax.random.key(2))
        for a, b in zip(seen.pre, exact.pre, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)  # the same quantised values
        pairs = zip(seen.post, exact.post, strict=True)
        gaps.append(max(float(jnp.abs(a - b).max()) for a, b in pairs))
    # piecewise linear: equal but for the rounding of errors where no unit crosses its threshold
    assert gaps[1] < 1e-5 and max(map(float, map(jnp.linalg.norm, exact.post))) > 0.1


def test_straight_through_derivatives_are_those_of_the_graded_network_at_fine_quanta():
    energy, (x, y) = residual_network(jax.random.key(1)), sample()
    graded, _ = Backpropagation().learn(energy, x, y, jax.random.key(0))
    fine, spent = Backpropagation(jnp.asarray(1e-6)).learn(energy, x, y, jax.random.key(0))
    for a, b in zip(jax.tree.leaves(fine), jax.tree.leaves(graded), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    # a value z is sent in z / quantum spikes
    assert float(spent.free) == pytest.approx(sum(float(z.sum()) for z in graded.pre[1:]) / 1e-6)


def test_without_moves_nothing_is_sent_but_errors():
    energy, (x, y) = residual_network(jax.random.key(1)), sample()
    phases = NudgedPhases(jnp.asarray(0.5), steps=0)
    _, spent = phases.learn(energy, x, y, jax.random.key(3))
    assert float(spent.values) == 0 and float(spent.errors) > 0
    # one layer: the errors of the classes alone, (y - softmax) in quanta of 1/20
    shallow = PredictiveCoding.mlp(jax.random.key(5), (5, 6, 3))
    _, spent = phases.learn(shallow, x, y, jax.random.key(3))
    output = phases.values(shallow, x)[1][-1]
    expected = float(jnp.abs(jnp.round((y - jax.nn.softmax(output)) / 0.05)).sum())
    assert float(spent.errors) == expected > 0


def test_moves_add_to_the_errors_that_are_sent():
    # each change of a sent error is a spike, so more steps never send fewer
    energy, (x, y) = residual_network(jax.random.key(1)), sample()
    sent = []
    for steps in range(4):
        phases = NudgedPhases(jnp.asarray(0.5), steps=steps)
        sent.append(float(phases.learn(energy, x, y, jax.random.key(3))[1].errors))
    assert sent == sorted(sent)


def test_a_residual_map_adds_to_its_layer_and_errors_return_both_ways():
    weights = jax.random.normal(jax.random.key(0), (4, 4))
    z, error = jnp.arange(4.0), jnp.array([1.0, -2.0, 0.0, 3.0])
    arrow = Arrow(0, 1, ResidualMap(DenseMap(weights)), Rectified())
    np.testing.assert_allclose(arrow.predict(z), z + weights @ z, rtol=1e-12)
    np.testing.assert_allclose(arrow.sent_back(z, error), error + weights.T @ error, rtol=1e-12)
    by = jnp.array([1.0, 2.0, 0.5, 0.0])
    slope = np.eye(4) + np.asarray(weights)
    np.testing.assert_allclose(arrow.predict.squared(z, by), by @ slope**2, rtol=1e-12)


def test_a_residual_map_of_another_size_is_refused():
    predict = ResidualMap(DenseMap(jnp.ones((3, 4))))
    with pytest.raises(ValueError, match="inner gives 3 units, its layer has 4"):
        predict(jnp.ones(4))


def test_feedback_alignment_moves_the_way_up_alone():
    plain = momentum(optax.constant_schedule(0.1))
    rule = feedback_alignment(plain)
    pair: Any = jnp.ones((2, 3)), 2 * jnp.ones((2, 3))
    state, own = rule.init(pair), plain.init(pair[0])
    forward: Any = pair[0]
    for k in range(5):
        product = jnp.full((2, 3), np.cos(k))
        change, state = rule.update(product, state, pair)
        pair = optax.apply_updates(pair, change)
        change, own = plain.update(product, own, forward)
        forward = optax.apply_updates(forward, change)
    np.testing.assert_array_equal(pair[0], forward)
    np.testing.assert_array_equal(pair[1], 2 * np.ones((2, 3)))


def test_stiffness_of_one_for_each_free_unit():
    y = (None, jnp.zeros(3), jnp.zeros((2, 2)), None)
    ones = unit_stiffness(residual_network(jax.random.key(0)), y)
    assert ones[0] is None and ones[3] is None
    np.testing.assert_array_equal(ones[1], np.ones(3))
    np.testing.assert_array_equal(ones[2], np.ones((2, 2)))


def test_steps_below_zero_are_refused():
    with pytest.raises(ValueError, match="steps"):
        dataclasses.replace(NudgedPhases(), steps=-1)


def test_values_stay_on_the_lattice_in_single_precision():
    # sums of .02 leave it, some end below 0, where F is infinite
    weights = jnp.zeros((60, 1), jnp.float32)
    first = Arrow(0, 1, DenseMap(weights, -jnp.ones(60, jnp.float32)), Rectified())
    last = Arrow(1, 2, DenseMap(jnp.zeros((2, 60), jnp.float32)), Categorical())
    energy, x = PredictiveCoding([first, last]), jnp.ones(1, jnp.float32)
    phases = NudgedPhases(jnp.asarray(0.02, jnp.float32))
    z = (phases.quantum * jnp.arange(1, 61, dtype=jnp.float32),)
    for _ in range(60):  # one spike down a step
        z, _, _ = phases.step(energy, x, z)
    np.testing.assert_array_equal(z[0], np.zeros(60))
