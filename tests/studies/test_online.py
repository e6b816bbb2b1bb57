"""The study of learning on line: streams, inference and its limits, rivals, recovery."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.models.predictive.bidirectional import accelerate
from experiments import online as study
from experiments.common import predictive
from experiments.common.precision import single
from experiments.online import learners, phases, report, streams
from experiments.online.settings import ARMS, COUNT, NEIGHBOUR, candidates

pytestmark = pytest.mark.study


def _network(size=12, hidden=20, seed=0):
    shape = predictive.Training(hidden=(hidden,))
    return predictive.network(jax.random.key(seed), (size,), 10, shape)


def _sample(size=12, seed=3):
    x = jax.random.uniform(jax.random.key(seed), (size,), jnp.float32)
    return x, jax.nn.one_hot(4, 10, dtype=jnp.float32)


def _features(count=80, size=12):
    rng = np.random.default_rng(0)
    labels = np.arange(count, dtype=np.int32) % 10
    plain = (rng.random((10, size))[labels] + 0.1 * rng.random((count, size))).astype(np.float32)
    return streams.Features(plain, plain[:, ::-1].copy(), labels)


def test_streams_change_as_said():
    features = _features()
    drawn = streams.draw(features, 60, 6, 0)
    orders = {tuple(law[60::60]) for law in drawn.law}
    assert len(orders) == 6 and (drawn.law[:, :60] == 0).all()  # all orders of three changes
    for x, labels, law in zip(*drawn, strict=True):
        lost = (x[law == 3] == 0).all(axis=0)
        assert lost.sum() == x.shape[1] // 3 and not (x[law != 3] == 0).any()

        def place(rows, table):
            return np.array([np.flatnonzero((table == row).all(1))[0] for row in rows])

        index = place(x[law == 0], features.plain)
        assert len(set(index)) == 60  # no recording twice
        np.testing.assert_array_equal(labels[law == 0], features.labels[index])
        moved = place(x[law == 2], features.moved)
        np.testing.assert_array_equal(labels[law == 2], features.labels[moved])
        old = features.labels[place(x[law == 1], features.plain)]
        pairs = set(zip(old, labels[law == 1], strict=True))
        swapped = {(a, b) for a, b in pairs if a != b}
        assert len({a for a, _ in swapped}) == 4 and all((b, a) in swapped for a, b in swapped)


def test_recordings_to_choose_by_are_none_of_the_test():
    one, other = streams.halves(_features()._replace(labels=np.arange(80, dtype=np.int32)))
    assert set(one.labels) | set(other.labels) == set(range(80)) and len(one.labels) == 27


def test_weak_labels_give_the_gradient():
    # at strength s hidden values move by O(s), so that the factors differ from it by O(s)
    energy, (x, y) = _network(), _sample()
    plain, _ = phases.NoInference().learn(energy, x, y)
    away = []
    for strength in (0.02, 0.01):
        clamped = single(phases.Clamped(strength, steps=200))
        factors, account = clamped.learn(energy, x, y)
        away.append(float(jnp.abs(factors.post[0] - plain.post[0]).max()))
        assert account.cosine == pytest.approx(1, abs=1e-3)
    assert away[1] / away[0] == pytest.approx(0.5, abs=0.1)


def test_inference_ends_where_moves_are_corrections():
    # at a minimum of F, z = relu(mu + s W^T (y - p)): the slope of F vanishes where z > 0
    energy, (x, y) = _network(), _sample()
    clamped = single(phases.Clamped(4.0, steps=400))
    above = clamped.above(energy, x)
    start, sizes = (
        (clamped.hidden(energy, x), None),
        (clamped.size(energy), jnp.zeros((), jnp.float32)),
    )
    z = accelerate(above, start, (None, y), sizes=sizes, steps=400)[0]
    first, last = energy.arrows
    sent = 4 * last.predict.weights.T @ (y - jax.nn.softmax(last.predict(z)))
    np.testing.assert_allclose(z, jax.nn.relu(first.predict(x) + sent), atol=2e-3)
    factors, account = clamped.learn(energy, x, y)
    assert account.after > account.before and account.moved > 0
    both = (z > 0) & (first.predict(x) > 0)  # a silent unit's error is that of its move alone
    np.testing.assert_allclose(factors.post[0][both], sent[both] / 4, atol=1e-3)


def test_spikes_of_small_quanta_infer_what_rates_do():
    energy, (x, y) = _network(), _sample()
    rates, _ = single(phases.Clamped(4.0, steps=100)).learn(energy, x, y)
    spikes, account = single(phases.Clamped(4.0, 1e-3, 1e-3, steps=100)).learn(energy, x, y)
    np.testing.assert_allclose(spikes.pre[1], rates.pre[1], atol=0.01)
    first = tuple(energy.arrows)[0]
    sum_of_values = float(first.mismatch.mode(first.predict(x)).sum())
    assert account.values == pytest.approx(sum_of_values / 1e-3, rel=0.2)
    assert account.moves > 0 and account.errors > 0


def test_least_squares_is_ridge_regression():
    energy = single(_network())
    x = jax.random.uniform(jax.random.key(1), (30, 12), jnp.float32)
    y = jax.nn.one_hot(jnp.arange(30) % 10, 10, dtype=jnp.float32)
    learner = single(learners.LeastSquares(1.0, 2.0))
    state = learner.start(energy)
    for a, b in zip(x, y, strict=True):
        state, _ = learner.step(energy, state, a, b)
    first = tuple(energy.arrows)[0]
    z = np.stack([np.append(first.mismatch.mode(first.predict(a)), 1.0) for a in x]).astype(float)
    exact = np.linalg.solve(z.T @ z + 2 * np.eye(z.shape[1]), z.T @ np.asarray(y, float)).T
    np.testing.assert_allclose(state[0], exact, atol=2e-3)


def test_the_nearest_neighbour_looks_back_so_far():
    x = np.array([[[0.0], [1.0], [0.1], [0.0]]], np.float32)
    labels = np.array([[3, 1, 3, 3]])
    right = learners.neighbours(x, labels, (1, 3))
    np.testing.assert_array_equal(right[:, 0], [[0, 0, 0, 1], [0, 0, 1, 1]])


def test_samples_are_named_before_they_are_learned():
    drawn = streams.draw(_features(), 20, 2, 0)
    config = study.Config(hidden=16)
    energies = study.networks(config, 2, 12, 0)
    learner = single(learners.Network(phases.NoInference(), 2.0))
    x, labels = jnp.asarray(drawn.x), jnp.asarray(drawn.labels)
    told = learners.prequential(learner, energies, x, labels)
    other = learners.prequential(learner, energies, x, labels.at[:, -1].set(0))
    np.testing.assert_array_equal(told.loss[:, :-1], other.loss[:, :-1])
    names = jax.vmap(lambda e, x: tuple(e.arrows)[0].predict(x))(energies, x[:, 0])
    assert names.shape == (2, 16) and np.isfinite(told.loss).all()


def test_every_learner_has_as_many_settings():
    for arm in ARMS:
        choice = candidates(arm, 8, 0.25, 400)
        assert choice.values.shape == (COUNT, 2)
        assert (choice.learners is None) == (arm == NEIGHBOUR)
        for leaf in jax.tree.leaves(choice.learners):
            assert len(leaf) == COUNT and leaf.dtype == jnp.float32


def test_recovery_and_ranges_of_known_curves():
    right = np.concatenate([np.ones(100), np.zeros(40), np.ones(60), np.zeros(100)])
    # means of 10 samples reach .9 at the 49th sample; the last 20 before are all right
    np.testing.assert_array_equal(report.recovery(right, 100), [49, 100])
    rates = np.exp(np.arange(5.0))
    error = np.array([0.6, 0.5, 0.4, 0.5, 0.6])  # 10 % above .4: .4 of a step on either side
    assert report.rate_range(rates, error) == pytest.approx(np.exp(0.8))
    mean, half = report.mean_and_half(np.array([1.0, 3.0]))
    assert mean == 2 and half == pytest.approx(12.706, rel=1e-3)  # Student, one degree


@pytest.mark.slow
def test_a_quick_run_its_summary_and_figure(tmp_path, monkeypatch):
    from figures import online as figure

    monkeypatch.setattr(study.streams, "load", lambda folder, name: _features())
    config = study.Config(quick=True, each=20, hidden=16, steps=4, out=str(tmp_path))
    dataset = study.STUDY(config)
    metrics = study.summary(dataset)
    assert np.isfinite(list(metrics.values())).all()
    assert dataset.right.shape == (1, len(ARMS), 2, 80)
    assert metrics["N-MNIST, inference, spikes: error spikes"] > 0
    assert len(figure.draw(dataset).axes) == 4
