"""The study of tasks one after another: permutations, rivals' rules, the filter, the numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.models import Backpropagation, NudgedPhases, RatePhases
from experiments import continual as study
from experiments.common import InputError, predictive
from experiments.common.data import Split
from experiments.common.precision import single
from experiments.continual import learners, measures, report, tasks, training
from experiments.continual.settings import ARMS, COUNT, DEVIATION, FILTER, PLAIN, arm, values

pytestmark = pytest.mark.study

SIZE, CLASSES = 12, 4
KEY = jax.random.key(7)


def _split(count=80, seed=0):
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % CLASSES).astype(np.int32)
    centres = np.random.default_rng(1).random((CLASSES, SIZE))
    x = centres[labels] + 0.1 * rng.normal(size=(count, SIZE))
    return Split(x.astype(np.float32), labels, CLASSES)


def _network(seed=0):
    shape = predictive.Training(hidden=(20,))
    return predictive.network(jax.random.key(seed), (SIZE,), CLASSES, shape)


def _batch(count=6):
    split = _split(count)
    return jnp.asarray(split.x), jax.nn.one_hot(split.labels, CLASSES, dtype=jnp.float32)


def _stepped(learner, steps=1, phases=None):
    energy, (x, y) = _network(), _batch()
    phases = single(Backpropagation() if phases is None else phases)
    state = learner.start(tuple(a.predict for a in energy.arrows))
    for k in range(steps):
        state, _ = learner.step(energy, phases, state, x, y, jax.random.fold_in(KEY, k))
    return energy, state


def _loss(maps):
    """Mean cross-entropy of the batch, written out."""
    x, y = _batch()
    hidden = jax.nn.relu(x @ maps[0].weights.T + maps[0].bias[None])
    out = hidden @ maps[1].weights.T + maps[1].bias[None]
    return -(y * jax.nn.log_softmax(out)).sum(1).mean()


_gradient = jax.grad(_loss)


def test_tasks_are_permutations_of_images_each_seen_once():
    split = _split()
    drawn = tasks.draw(5, 50, 8, split, 0)
    assert drawn.order.shape == (5, SIZE) and drawn.index.shape == (5, 6, 8)
    assert all(sorted(order) == list(range(SIZE)) for order in drawn.order)
    assert all(len(set(index.ravel())) == 48 for index in drawn.index)
    assert len({tuple(order) for order in drawn.order}) == 5
    other = tasks.draw(5, 50, 8, split, 1000)  # those to choose settings by
    assert not {tuple(o) for o in drawn.order} & {tuple(o) for o in other.order}
    with pytest.raises(InputError, match="images: 7 a task, but a batch has 8"):
        tasks.draw(5, 7, 8, split, 0)


def test_images_have_mean_zero_and_parts_share_none():
    images = tasks.load("digits", None, 200, 100)
    assert len(images.chosen.x) == 200 and len(images.test.x) == len(images.other) == 100
    together = np.concatenate([images.learned.x, images.chosen.x])
    np.testing.assert_allclose(together.mean(dtype=float), 0, atol=1e-6)
    rows = {part.x[k].tobytes() for part in (images.chosen, images.test) for k in range(100)}
    assert not rows & {x.tobytes() for x in images.learned.x}
    with pytest.raises(InputError, match="held: 5000 images, but there are"):
        tasks.load("digits", None, 5000, 100)


def test_the_plain_step_is_gradient_descent():
    # without rounding and by backpropagation
    energy, state = _stepped(single(learners.Plain(0.3)))
    before = tuple(a.predict for a in energy.arrows)
    for w, new, slope in zip(before, state.weights, _gradient(before), strict=True):
        np.testing.assert_allclose(new.weights, w.weights - 0.3 * slope.weights, atol=1e-5)


def test_elastic_weights_end_where_slope_and_spring_balance():
    # a step's end w' obeys w' = w - r g - r p F (w' - a)
    learner = single(learners.ElasticWeights(0.3, 50.0, 0.9))
    energy, state = _stepped(learner, 3)
    state = learner.boundary(state)
    moved = jax.tree.map(lambda w: w + 0.1, state.weights)
    state = state._replace(weights=moved)
    x, y = _batch()
    after, _ = learner.step(energy, single(Backpropagation()), state, x, y, KEY)
    slope = _gradient(moved)
    spring = jax.tree.map(
        lambda f, w, a: 50 * f * (w - a), state.importance, after.weights, state.anchor
    )
    for w, new, g, s in zip(*map(jax.tree.leaves, (moved, after.weights, slope, spring)),
                            strict=True):  # fmt: skip
        np.testing.assert_allclose(new, w - 0.3 * (g + s), atol=1e-5)
    # importance: the filter of three batches' squares, whose gradient is that of the loss here
    assert float(state.importance[1].weights.max()) > 0


def test_synaptic_intelligence_sums_to_the_fall_of_the_loss():
    # in the limit of small steps the work of all synapses is what the loss has lost
    learner = single(learners.SynapticIntelligence(0.002, 0.0, 0.1))
    energy, state = _stepped(learner, 50)
    work = sum(float(leaf.sum()) for leaf in jax.tree.leaves(state.gathered))
    lost = float(_loss(tuple(a.predict for a in energy.arrows)) - _loss(state.weights))
    assert lost > 0.01 and work == pytest.approx(lost, rel=0.02)
    after = learner.boundary(state)
    assert all(float(jnp.abs(leaf).max()) == 0 for leaf in jax.tree.leaves(after.gathered))
    way = state.weights[0].weights - state.anchor[0].weights
    exact = jnp.maximum(state.gathered[0].weights, 0) / (way**2 + 0.1)
    np.testing.assert_allclose(after.importance[0].weights, exact, rtol=1e-5)


def test_the_filter_steps_by_its_variance_from_weights_that_are_drawn():
    learner = single(learners.Filter(1e-4, 1e6, 1e6, 0.5))  # so narrow that draws are the mean
    energy, state = _stepped(learner)
    before = tuple(a.predict for a in energy.arrows)
    slope = _gradient(before)
    variance = jax.tree.map(lambda s: s**2, state.own.deviation)
    for w, new, g, v in zip(*map(jax.tree.leaves, (before, state.weights, slope, variance)),
                            strict=True):  # fmt: skip
        np.testing.assert_allclose(new - w, -0.5 * 1e6 * v * g, rtol=0.1, atol=3e-5)
    wide = single(learners.Filter(0.3, 1e6, 1.0, 0.5))
    drawn = wide.draw(wide.start(before), KEY)
    assert float((drawn[0].weights - before[0].weights).std()) == pytest.approx(0.3, rel=0.1)


def test_spikes_and_rates_learn_the_first_task():
    split, energy = _split(400), _network()
    drawn = tasks.draw(2, 400, 4, split, 0)
    for phases in (NudgedPhases(), RatePhases()):
        for learner in (learners.Plain(0.3), learners.Filter(0.06, 1e5, 3e4, 0.05)):
            state, matrix, costs = training.learn(
                single(learner), energy, single(phases), drawn, split, _split(40, 3), 0
            )
            assert matrix[0, 0] > 0.9 and np.isnan(matrix[0, 1]) and np.isfinite(matrix[1]).all()
            assert (costs[:, 2] > 0).all() == isinstance(phases, NudgedPhases)
    fewer = training.learn(
        single(learner), energy, single(phases), drawn, split, _split(40, 3), 0, every=False
    )
    np.testing.assert_array_equal(np.diag(fewer[1]), np.diag(matrix))
    np.testing.assert_array_equal(fewer[1][-1], matrix[-1])


def test_every_learner_has_as_many_settings():
    for name in ARMS:
        offered = arm(name, 0.5)
        assert len(offered.learners) == COUNT
        rows = {tuple(values(name, learner)) for learner in offered.learners}
        assert len(rows) == COUNT
    step = [(b.rate * b.count * DEVIATION**2).item() for b in arm(FILTER, 0.5).learners]
    assert step == pytest.approx(sorted(step))


def test_a_choice_that_diverges_is_the_worst():
    split = _split()
    images = tasks.Images(split, _split(40, 3), _split(40, 4), split.x)
    config = study.Config(tasks=2, images=80, batch=4, hidden=20)
    wild, tame = (single(learners.Plain(rate)) for rate in (1e30, 0.3))
    offered = arm(PLAIN, 0.5)._replace(learners=(wild, tame))
    found = study.choose(config, images, offered)
    assert (found[0] == 0).all() and (found[1] > 0.5).all()


def test_scores_of_many_tasks_are_those_of_their_samples():
    split = _split(40)
    rng = np.random.default_rng(0)
    out = rng.normal(size=(1, 3 * 40, CLASSES))
    found = measures._score(out, split.labels, 1.0)
    right = out[0].argmax(1) == np.tile(split.labels, 3)
    assert found["accuracy"] == pytest.approx(right.mean())


@pytest.mark.slow
def test_a_quick_run_its_summary_and_figure(tmp_path):
    from figures import continual as figure

    config = study.Config(quick=True, tasks=2, images=80, out=str(tmp_path))
    dataset = study.STUDY(config)
    metrics = report.summary(dataset)
    assert np.isfinite(list(metrics.values())).all()
    assert dataset.final.shape == (len(ARMS), 1, 2)
    assert dataset.matrix.sel(arm=FILTER).values[0, 0, 0] > 0.3  # 2 tasks of few digits: chance .1
    assert len(figure.draw(dataset).axes) == 7
