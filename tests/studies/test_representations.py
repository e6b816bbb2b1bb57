"""The study of representations, made small: spikes, training, drawn images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import representations as study
from experiments.common.data import splits
from experiments.common.linear_readouts import components, readout
from experiments.representations.code import (
    Settings,
    greedy_path,
    infer_features,
    init_from_images,
    init_weights,
    learn_features,
)
from experiments.representations.judge import distances, diversity
from experiments.representations.sampling import sample_images, store_memories

pytestmark = pytest.mark.study

SMALL = Settings(features=40, causes=4, sparsity=0.2, batch=32)


@pytest.fixture(scope="module")
def images():
    train, test = splits("digits")
    return train.x.reshape(len(train.x), -1), test.x.reshape(len(test.x), -1)


def test_no_single_spike_raises_F(images):
    # greedy, one at a time, features Gaussian and linear: exact (theorem 1 of the descent)
    synapses = init_from_images(images[0], SMALL, jax.random.key(0))
    path = jax.vmap(lambda x, k: greedy_path(synapses, x, SMALL, k, 200))(
        jnp.asarray(images[1][:3], float), jax.random.split(jax.random.key(1), 3)
    )
    assert bool(path.at_rest.all()) and int(path.count.min()) > 3
    assert float(jnp.diff(path.energy, axis=1).max()) < 1e-10


def test_learning_lowers_F_of_images_that_were_not_learned(images):
    start = init_weights(images[0], SMALL, jax.random.key(0))
    now = start
    for epoch in range(3):
        now = learn_features(now, images[0], SMALL, jax.random.key(epoch), (1.0, 0.5)).synapses
    np.testing.assert_allclose(jnp.linalg.norm(now.features.weights, axis=0), 1, rtol=1e-6)
    x, key = jnp.asarray(images[1][:100]), jax.random.key(9)
    before, after = (infer_features(s, x, SMALL, key).energy[:, -1] for s in (start, now))
    gain = np.asarray(before - after)
    assert gain.mean() > 5 * gain.std() / np.sqrt(gain.size) > 0


def test_labels_lead_to_their_own_causes():
    # two labels whose causes lie at +1 and -1 (sd 0.1): what is drawn lies there too
    rng = np.random.default_rng(0)
    labels = jnp.asarray(rng.integers(0, 2, 400))
    spread = jnp.asarray(rng.normal(size=(400, 4)) * 0.1 + np.where(labels == 0, 1, -1)[:, None])
    memories = store_memories(spread, labels, 2, 6, jax.random.key(0))
    synapses = init_weights(np.zeros((3, 9), np.float32), SMALL, jax.random.key(1))
    wanted = jnp.repeat(jnp.arange(2), 30)
    for temperature in (0.0, 0.5):
        samples = sample_images(
            synapses, SMALL, memories, spread, wanted, jnp.asarray(temperature), jax.random.key(2)
        )
        centre = np.asarray(samples.causes).reshape(2, 30, 4).mean(1)
        np.testing.assert_allclose(centre, [[1.0] * 4, [-1.0] * 4], atol=0.15)


def test_measures_of_known_images():
    x = np.array([[0.0, 0.0], [3.0, 4.0], [1.0, 1.0], [1.0, 1.0]])
    assert distances(x[:1], x[1:2])[0, 0] == pytest.approx(5)
    assert diversity(x, np.array([0, 0, 1, 1])) == pytest.approx(2.5)  # 5 and 0
    line = np.outer(np.linspace(-1, 1, 9), [3.0, 4.0])
    np.testing.assert_allclose(components(line, line, [1, 0])[0], 0, atol=1e-12)
    np.testing.assert_allclose(components(line, line, [0])[0], (line**2).sum(1).mean())
    codes = np.eye(2, dtype=np.uint8)[np.arange(400) % 2]
    right = np.arange(400) % 2
    assert readout((codes, codes), (right, right), 2) == 1


@pytest.mark.slow
def test_a_small_run_and_the_same_again_from_its_parts(tmp_path):
    config = study.Config(
        data="digits", seeds=1, features=80, causes=6, memories=30, epochs=4, drawn=8,
        out=str(tmp_path),
    )  # fmt: skip
    dataset = study.STUDY(config)
    table = study.summary(dataset)
    assert table["readout of learned"] > 0.8  # chance is 0.1
    assert table["readout of learned"] > table["readout of random"]
    assert table["F of the test, learned"] < table["F of the test, random"]
    assert table["one at a time: spikes that raised F"] == 0
    assert 0.3 < table["T = 0.25: judged right"] <= 1
    again = study.STUDY(config)  # every part is on disk
    assert study.summary(again) == table
    from figures import representations as figure

    assert len(figure.draw(dataset).axes) == 6
    assert jax.config.jax_enable_x64  # pyright: ignore
