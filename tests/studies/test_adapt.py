"""The study of adaptation: exact filters by other routes, and a small run."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from experiments import adapt
from experiments.adapt.readouts import gradient, learn, nearest
from experiments.adapt.streams import (
    change_points,
    forgetting,
    kalman,
    oracle,
    prior,
    switching,
    tracking,
)
from theory.closed_forms import bayesian_regression as br

pytestmark = pytest.mark.study


def test_the_filter_of_change_points_is_the_sum_over_all_times_of_change():
    # Five samples, all 2^4 sets of changes, each segment's evidence a matrix t without weights.
    rng, hazard, length = np.random.default_rng(0), 0.2, 5
    stream = switching(rng, length, 0.3)
    p = prior()
    v, scatter, count = np.linalg.inv(p.precision), p.noise.scatter, float(p.noise.count)
    total = -np.inf
    for cuts in itertools.product([False, True], repeat=length - 1):
        ends = [0, *(k + 1 for k in range(length - 1) if cuts[k]), length]
        value = sum(
            br.log_evidence_wishart(stream.z[i:j], stream.a[i:j], v, scatter, count)
            for i, j in itertools.pairwise(ends)
        )
        number = sum(cuts)
        value += number * np.log(hazard) + (length - 1 - number) * np.log1p(-hazard)
        total = np.logaddexp(total, value)
    z, a = jnp.asarray(stream.z), jnp.asarray(stream.a)
    exact = change_points(z, a, hazard, length + 1)
    np.testing.assert_allclose(exact.sum(), total, rtol=1e-10)
    # what is certain never to change is one posterior that forgets nothing
    same = change_points(z, a, 1e-300, length + 1)
    np.testing.assert_allclose(same, forgetting(z, a, 1.0), rtol=1e-10)


def test_few_places_cost_little_and_forgetting_costs_more():
    ratio = []
    for seed in range(3):
        stream = switching(np.random.default_rng(seed), 300, 0.02)
        z, a, best = jnp.asarray(stream.z), jnp.asarray(stream.a), oracle(stream).sum()
        exact = best - change_points(z, a, 0.02, 301).sum()
        few = best - change_points(z, a, 0.02, 8).sum()
        one = best - forgetting(z, a, 0.9).sum()
        ratio.append([few / exact, one / exact])
    few, one = np.mean(ratio, axis=0)
    assert 0.99 < few < 1.1 < one


def test_kalman_is_the_density_of_all_that_is_seen():
    # All samples together are normal: their covariance by the law of the states, no filter.
    model, y, _ = tracking(np.random.default_rng(1), 12)
    result = kalman(model, jnp.asarray(y), None)[0].sum()
    turn, look, drive, noise = map(np.asarray, model)
    state, cov = [], np.eye(4)
    for _ in range(12):
        cov = turn @ cov @ turn.T + drive
        state.append(cov)
    whole = np.zeros((12, 2, 12, 2))
    for i in range(12):
        for j in range(i, 12):
            lag = np.linalg.matrix_power(turn, j - i)
            block = look[j] @ lag @ state[i] @ look[i].T + (noise if i == j else 0)
            whole[j, :, i], whole[i, :, j] = block, block.T
    whole, flat = whole.reshape(24, 24), y.ravel()
    density = -0.5 * (
        flat @ np.linalg.solve(whole, flat) + np.linalg.slogdet(whole)[1] + 24 * np.log(2 * np.pi)
    )
    np.testing.assert_allclose(result, density, rtol=1e-10)


def test_spikes_come_to_the_estimate_as_the_quantum_falls():
    model, y, _ = tracking(np.random.default_rng(2), 60)
    y = jnp.asarray(y)
    _, exact, _ = kalman(model, y, None)
    off, spikes = [], []
    for quantum in (0.1, 0.05, 0.025, 0.0125):
        _, result, count = kalman(model, y, jnp.asarray(quantum))
        off.append(float(jnp.sqrt(jnp.mean((result - exact) ** 2))))
        spikes.append(float(count.mean()))
    slope = np.polyfit(np.log([0.1, 0.05, 0.025, 0.0125]), np.log(off), 1)[0]
    assert 0.6 < slope < 1.5  # first order
    assert spikes[-1] > 4 * spikes[0]


def test_a_readout_that_forgets_nothing_does_not_mind_the_order():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, 10, 5))
    labels = np.eye(10)[rng.integers(0, 10, (6, 10))]
    tests, probe = jnp.asarray(rng.normal(size=(1, 50, 5))), jnp.array([-1, -1, -1, -1, -1, 0])
    order = rng.permutation(6)
    one, two = (
        learn(jnp.asarray(x[k]), jnp.asarray(labels[k]), 1.0, tests, probe)
        for k in (np.arange(6), order)
    )
    assert (one[-1] == two[-1]).all() and (one[0] == -1).all()
    assert gradient(jnp.asarray(x), jnp.asarray(labels), tests[0], 0.1).shape == (6, 50)
    train = rng.normal(size=(20, 5))
    near = nearest(train, np.arange(20), train + 1e-3)
    assert (near == np.arange(20)).all()


@pytest.mark.slow
def test_a_small_run(tmp_path):
    config = adapt.Config(quick=True, length=120, streams=2, seeds=1, out=str(tmp_path))
    dataset = adapt.STUDY(config)
    table = adapt.summary(dataset)
    assert 0.98 < table["switching: 16 side by side, regret over exact"] < 1.02
    assert table["classes one after another: keep 1"] == pytest.approx(
        table["classes mixed: keep 1"], abs=0.01
    )
    assert table["classes one after another: keep 1"] > 0.9
    from figures import adapt as figure

    assert len(figure.draw(dataset).axes) == 3
