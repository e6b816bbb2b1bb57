"""The study `classify`: it learns digits, goes on where it was stopped, and names bad input."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import classify
from experiments.common import InputError
from experiments.common.classifier_training import ClassifierConfig, examine, train
from experiments.common.classifiers import dense, trainable
from experiments.common.data import Split, check, splits
from figures import classify as figure

pytestmark = pytest.mark.study

CONFIG = ClassifierConfig(epochs=2, batch=32, rate=5e-3)


def some(count=320):
    train_set, test = splits("digits")
    return train_set._replace(x=train_set.x[:count], labels=train_set.labels[:count]), test


def network(hidden=24):
    return dense(jax.random.key(0), (64, hidden, 10), steps=4)


@pytest.mark.slow
def test_it_learns_digits_and_says_what_it_spends():
    train_set, test = splits("digits")
    trained = train(network(64), train_set, dataclasses.replace(CONFIG, epochs=6), test=test)
    metrics = examine(trained.model, test)
    # A tenth is chance; logistic regression gets about 96 % of these images.
    assert metrics["accuracy"] > 0.92
    assert metrics["confusion"].sum() == len(test.labels)
    assert np.trace(metrics["confusion"]) / len(test.labels) == pytest.approx(metrics["accuracy"])
    assert metrics["by_step"][-1] == pytest.approx(metrics["accuracy"])
    assert metrics["macs"] == 64 * 64 and metrics["parameters"] == 64 * 64 + 64 + 640 + 10
    assert metrics["synaptic"] == pytest.approx(10 * metrics["spikes"])
    assert trained.history["loss"][-1].mean() < 0.3 * trained.history["loss"][0].mean()


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_numbers(tmp_path):
    train_set, test = some()
    whole = train(network(), train_set, CONFIG, test=test)
    half = dict(test=test, folder=tmp_path)
    first = train(network(), train_set, CONFIG, stop_after=1, **half)
    assert np.isnan(first.history["loss"][1]).all()
    rest = train(network(), train_set, CONFIG, **half)
    for a, b in zip(jax.tree.leaves(whole.model), jax.tree.leaves(rest.model), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("loss", "accuracy", "test"):
        np.testing.assert_array_equal(whole.history[name], rest.history[name])
    assert rest.seconds > first.seconds > 0


@pytest.mark.slow
def test_a_rate_that_diverges_stops_with_epoch_and_weights():
    train_set, _ = some(320)
    with pytest.raises(InputError, match=r"epoch [12]: the loss is .*layers\[\d\].*smaller rate"):
        train(network(), train_set, dataclasses.replace(CONFIG, rate=1e3))
    # Images that sum up to more than single precision holds: the first weights go.
    with pytest.raises(InputError, match=r"epoch 1: .*Pass a smaller rate"):
        train(network(), train_set._replace(x=train_set.x * 1e38), CONFIG)


@pytest.mark.parametrize("rate", [0.0, -0.01, float("nan"), float("inf")])
def test_a_rate_is_positive(rate):
    with pytest.raises(InputError, match="rate must be positive"):
        dataclasses.replace(CONFIG, rate=rate)


@pytest.mark.slow
def test_what_is_kept_belongs_to_its_settings(tmp_path):
    train_set, _ = some(64)
    config = dataclasses.replace(CONFIG, epochs=1)
    slower = eqx.tree_at(lambda m: m.layers.layers[0].neuron.c, network(), jnp.float32(9.0))
    for model, hyper in (
        (network(), config),
        (slower, config),  # a leaf that is not trained
        (dense(jax.random.key(0), (64, 24, 10), steps=3), config),  # of the same weights
        (network(), dataclasses.replace(config, anytime=True)),
        (network(), dataclasses.replace(config, dropout=0.1)),
    ):
        first = train(model, train_set, hyper, folder=tmp_path)
        fresh = train(model, train_set, hyper)
        for a, b in zip(jax.tree.leaves(first.model), jax.tree.leaves(fresh.model), strict=True):
            np.testing.assert_array_equal(a, b)
    assert len(list(tmp_path.iterdir())) == 5


def test_neurons_keep_their_parameters():
    model = network()
    mask = trainable(model)
    first = mask.layers.layers[0]
    assert first.weights.weights is True and first.bias is True
    assert not any(jax.tree.leaves((first.neuron, first.synapse, mask.dt, mask.code)))


def test_bad_data_is_named():
    x, labels = np.zeros((20, 4, 4), np.float32), np.arange(20) % 10
    good = Split(x, labels, 10)
    check(good, good)
    with pytest.raises(InputError, match="one size"):
        check(good, Split(np.zeros((5, 5, 4)), labels[:5], 10))
    with pytest.raises(InputError, match="train image 3 has pixels"):
        broken = x.copy()
        broken[3, 1, 1] = np.nan
        check(good._replace(x=broken), good)
    with pytest.raises(InputError, match="label 10 is out of"):
        check(good, good._replace(labels=labels + 2))
    with pytest.raises(InputError, match="no image of class 7"):
        others = labels != 7
        check(Split(x[others], labels[others], 10), good)
    with pytest.raises(InputError, match="less than a batch"):
        train(network(), some(16)[0], CONFIG)


def test_weights_are_in_single_precision():
    assert {a.dtype for a in jax.tree.leaves(network()) if hasattr(a, "dtype")} == {
        jnp.dtype("float32")
    }


@pytest.mark.slow
def test_the_study_small(tmp_path):
    config = classify.Config(
        data="digits", epochs=3, hidden=24, steps=3, latency_steps=4, seeds=1, batch=32,
        rate=1e-2, shift=0, others=False, out=str(tmp_path),
    )  # fmt: skip
    dataset = classify.STUDY(config)
    metrics = classify.summary(dataset)
    for name in ("current", "any of the steps"):
        assert metrics[f"{name}: accuracy (%)"] > 80  # chance is 10
    assert metrics["accuracy after 4 steps (%)"] == metrics["any of the steps: accuracy (%)"]
    assert float(dataset.test[0, -1]) == pytest.approx(metrics["current: accuracy (%)"] / 100)
    assert dataset.batch_loss.shape == (1, 3, 1438 // 32)
    # The spikes drawn are those of the first image, of hidden neurons, at the end of a step.
    times, neurons = dataset.raster.values
    assert set(times) <= {1.0, 2.0, 3.0} and neurons.max() < 24
    figure.draw(dataset)
