"""The study `classify`: it learns digits, goes on where it was stopped, and names bad input."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import ann_vs_snn, autoencode, classify, reinforce, spike_times, winner_take_all
from experiments.common import InputError
from experiments.common.classifier_training import Lessons, examine, train
from experiments.common.classifiers import dense, learned
from experiments.common.data import Split, check, splits
from figures import classify as figure

pytestmark = pytest.mark.study

LESSONS = Lessons(epochs=2, batch=32, rate=5e-3)


def some(count=320):
    learn, asked = splits("digits")
    return learn._replace(x=learn.x[:count], labels=learn.labels[:count]), asked


def network(hidden=24):
    return dense(jax.random.key(0), (64, hidden, 10), steps=4)


@pytest.mark.slow
def test_it_learns_digits_and_says_what_it_spends():
    learn, asked = splits("digits")
    done = train(network(64), learn, dataclasses.replace(LESSONS, epochs=6), asked=asked)
    found = examine(done.model, asked)
    # A tenth is chance; logistic regression gets about 96 % of these images.
    assert found["accuracy"] > 0.92
    assert found["confusion"].sum() == len(asked.labels)
    assert np.trace(found["confusion"]) / len(asked.labels) == pytest.approx(found["accuracy"])
    assert found["by_step"][-1] == pytest.approx(found["accuracy"])
    assert found["macs"] == 64 * 64 and found["parameters"] == 64 * 64 + 64 + 640 + 10
    assert found["synaptic"] == pytest.approx(10 * found["spikes"])
    assert done.batches["loss"][-1].mean() < 0.3 * done.batches["loss"][0].mean()


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_numbers(tmp_path):
    learn, asked = some()
    whole = train(network(), learn, LESSONS, asked=asked)
    half = dict(asked=asked, folder=tmp_path)
    first = train(network(), learn, LESSONS, stop_after=1, **half)
    assert np.isnan(first.batches["loss"][1]).all()
    rest = train(network(), learn, LESSONS, **half)
    for a, b in zip(jax.tree.leaves(whole.model), jax.tree.leaves(rest.model), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(whole.batches["loss"], rest.batches["loss"])
    np.testing.assert_array_equal(whole.after["test"], rest.after["test"])


@pytest.mark.slow
def test_a_rate_that_diverges_stops_with_epoch_and_weights():
    learn, _ = some(320)
    with pytest.raises(InputError, match=r"epoch [12]: the loss is .*layers\[\d\].*smaller rate"):
        train(network(), learn, dataclasses.replace(LESSONS, rate=1e3))
    # Images that sum up to more than single precision holds: the first weights go.
    with pytest.raises(InputError, match=r"epoch 1: .*Pass a smaller rate"):
        train(network(), learn._replace(x=learn.x * 1e38), LESSONS)


@pytest.mark.parametrize("rate", [0.0, -0.01, float("nan"), float("inf")])
def test_a_rate_is_positive(rate):
    with pytest.raises(InputError, match="rate must be positive"):
        dataclasses.replace(LESSONS, rate=rate)


@pytest.mark.slow
def test_what_is_kept_belongs_to_its_settings(tmp_path):
    learn, _ = some(64)
    lessons = dataclasses.replace(LESSONS, epochs=1)
    slower = eqx.tree_at(lambda m: m.layers.layers[0].neuron.c, network(), jnp.float32(9.0))
    for model, given in (
        (network(), lessons),
        (slower, lessons),  # a leaf that is not learned
        (dense(jax.random.key(0), (64, 24, 10), steps=3), lessons),  # of the same weights
        (network(), dataclasses.replace(lessons, anytime=True)),
        (network(), dataclasses.replace(lessons, silent=0.1)),
    ):
        found = train(model, learn, given, folder=tmp_path)
        fresh = train(model, learn, given)
        for a, b in zip(jax.tree.leaves(found.model), jax.tree.leaves(fresh.model), strict=True):
            np.testing.assert_array_equal(a, b)
    assert len(list(tmp_path.iterdir())) == 5


def test_neurons_keep_their_parameters():
    model = network()
    chosen = learned(model)
    first = chosen.layers.layers[0]
    assert first.weights.weights is True and first.bias is True
    assert not any(jax.tree.leaves((first.neuron, first.synapse, chosen.dt, chosen.code)))


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
        kept = labels != 7
        check(Split(x[kept], labels[kept], 10), good)
    with pytest.raises(InputError, match="less than a batch"):
        train(network(), some(16)[0], LESSONS)


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
    found = classify.run(config, classify.study.Parts("classify", config))
    told = classify.summary(found)
    for name in ("current", "any of the steps"):
        assert told[f"{name}: accuracy (%)"] > 80  # chance is 10
    assert told["accuracy after 4 steps (%)"] == told["any of the steps: accuracy (%)"]
    assert float(found.test[0, -1]) == pytest.approx(told["current: accuracy (%)"] / 100)
    assert found.batch_loss.shape == (1, 3, 1438 // 32)
    # The spikes drawn are those of the first image, of hidden neurons, at the end of a step.
    times, neurons = found.raster.values
    assert set(times) <= {1.0, 2.0, 3.0} and neurons.max() < 24
    figure.draw(found)


@pytest.mark.parametrize(
    ("module", "cut", "name"),
    [
        (classify, classify.smaller, "hidden"),
        (classify, classify.smaller, "seeds"),
        (spike_times, spike_times.smaller, "points"),
        (spike_times, spike_times.smaller, "or_seeds"),
        (reinforce, reinforce.smaller, "epochs"),
        (ann_vs_snn, ann_vs_snn.checked, "latest"),
        (autoencode, autoencode.checked, "batch"),
        (winner_take_all, winner_take_all.check, "labelled"),
    ],
)
def test_settings_without_sense_are_named(module, cut, name):
    with pytest.raises(InputError, match=f"{name} must be at least"):
        cut(module.Config(**{name: 0}))
