"""The study `ann_vs_snn`: the perceptron rule's theorem, operations counted by hand, small runs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax import cost
from bpcjax.learning import Post, Pre, Synapse, certificate
from experiments import ann_vs_snn as study
from experiments.ann_vs_snn.perceptron import correction, start, sweep, teach
from experiments.ann_vs_snn.work import with_spikes
from experiments.common import InputError
from experiments.common.classifier_training import ClassifierConfig, counts_by_step, surrogate
from experiments.common.classifiers import dense
from experiments.common.data import splits
from experiments.common.operations import energies, price_lists, relu_operations, spiking_operations
from experiments.common.relu_networks import relu
from figures import ann_vs_snn as figure

pytestmark = pytest.mark.study

SMALL = study.Config(
    data="digits", hidden=32, epochs=4, steps=3, latest=4, others=(), rate=1e-2, batch=32, shift=0,
    seeds=1,
)  # fmt: skip


def separable(count=120, margin=0.15, seed=0):
    """Points and the classes of a line through them with a margin; the line last."""
    rng = np.random.default_rng(seed)
    line = np.array([0.6, -0.7, 0.2, 0.1])
    x = rng.uniform(-1, 1, (4 * count, 3))
    away = (x @ line[:3] + line[3]) / np.linalg.norm(line)
    apart = np.abs(away) > margin
    return x[apart][:count].astype(np.float32), (away[apart][:count] > 0), line


def test_errors_stay_below_novikoffs_bound_and_are_those_of_the_textbook():
    x, above, line = separable()
    targets = jnp.asarray(above[:, None], jnp.float32)
    model, errors = start(jax.random.key(0), jnp.asarray(x), 1, 0, 0.5), []
    for _ in range(200):
        model, wrong, _ = sweep(model, jnp.asarray(x), targets)
        errors.append(int(wrong.sum()))
        if not errors[-1]:
            break
    assert errors[-1] == 0 and errors[0] > 0
    # Novikoff (1962): (R / margin)^2 errors at most, with the constant 1 as an input.
    inputs = np.concatenate([x.astype(float), np.ones((len(x), 1))], axis=1)
    sign = np.where(above, 1.0, -1.0)
    margin = (sign * (inputs @ line)).min() / np.linalg.norm(line)
    bound = (np.linalg.norm(inputs, axis=1).max() / margin) ** 2
    assert sum(errors) <= bound
    # The rule in plain numpy, where a sum of exactly 0 is active.
    weights, made = np.zeros(4, np.float32), []
    for _ in errors:
        made.append(0)
        for row, one in zip(inputs.astype(np.float32), above, strict=True):
            if (row @ weights >= 0) != one:
                weights = weights + (1 if one else -1) * row
                made[-1] += 1
    assert made == errors
    np.testing.assert_allclose(model.weights[:, 0], weights, atol=1e-5)


def test_the_rule_is_local_and_gradients_of_two_layers_are_not():
    key = jax.random.key(1)
    pre, post, targets = (jax.random.uniform(k, (n,)) for k, n in zip(
        jax.random.split(key, 3), (4, 3, 3), strict=True
    ))  # fmt: skip
    owners = Pre(), Post(), Post()
    synapses = Synapse(post=-1, pre=-2)
    proof = certificate(correction, (pre, post, targets), owners, synapses)
    assert proof.local and not proof.opaque, str(proof)
    # Divided by the length of the whole error, as a step of unit length, it is not.
    far = certificate(
        lambda a, b, c: correction(a, b, c) / jnp.sum((c - b) ** 2), (pre, post, targets), owners,
        synapses,
    )  # fmt: skip
    assert not far.local


def test_random_units_are_active_for_their_share():
    x = jnp.asarray(np.random.default_rng(0).random((1000, 20)), jnp.float32)
    inputs = start(jax.random.key(0), x, 3, 8, 0.2).inputs(x)
    assert inputs.shape == (1000, 9) and set(np.unique(inputs)) == {0.0, 1.0}
    np.testing.assert_allclose(inputs[:, :-1].mean(0), 0.2, atol=2e-3)


def test_operations_of_tiny_networks_by_hand():
    # 3-2-2: 6 + 4 products, 2 comparisons; 10 weights, 3 inputs, 2 numbers both ways, 2 outputs.
    numbers = relu_operations((3, 2, 2))
    assert (numbers.macs, numbers.adds, numbers.words) == (10, 2, 10 + 3 + 4 + 2)
    # Zeros spared: a third of the inputs and 1.5 of the hidden numbers are not zero.
    assert relu_operations((3, 2, 2), 1 / 3, [1.5]).macs == pytest.approx(2 + 3)
    model = dense(jax.random.key(0), (3, 2, 2), steps=4)
    # 5 spikes reach 2 neurons each; 4 steps of 4 neurons; 6 products of the current.
    spikes = spiking_operations(model, 3, [0.0, 5.0], 4)
    assert (spikes.macs, spikes.synaptic, spikes.updates, spikes.spikes) == (6, 10, 16, 5)
    assert spikes.words == 6 + 3 + 3 * 10 + 2 * 16
    assert with_spikes((3, 2, 2), 4)(5.0) == spikes
    assert spiking_operations(model, 3, [0.0, 5.0], 4, 0.5).macs == 3
    # Horowitz: 4.6 and 0.9 pJ; 17 numbers of 4 bytes fit the smallest memory, 1.25 pJ a byte.
    by_name = dict(zip(price_lists(17), energies(spikes, 17), strict=True))
    assert by_name["fp32"] == pytest.approx(6 * 4.6 + 10 * 0.9 + 16 * 4.6)
    assert by_name["fp32+memory"] - by_name["fp32"] == pytest.approx(71 * 4 * 1.25)
    # Loihi multiplies no currents; without them 23.6 pJ an addition, 81 an update, 1.7 a spike.
    assert np.isnan(by_name["Loihi"])
    alone = dataclasses.replace(spikes, macs=0.0)
    by_name = dict(zip(price_lists(17), energies(alone, 17), strict=True))
    assert by_name["Loihi"] == pytest.approx(10 * 23.6 + 16 * 81 + 5 * 1.7)


def test_break_even_by_hand():
    # 784-512-10, 6 steps: (5120 * 4.6 + 512 * 0.9 - 6 * 522 * 4.6) / (10 * 0.9) spikes.
    lists = price_lists(407_050)
    even = study._even(lists["fp32"], (784, 512, 10), 6)
    assert even == pytest.approx((23_552 + 460.8 - 14_407.2) / 9 / 512)
    assert study._even(lists["fp32"], (784, 512, 10), 10) == pytest.approx(0.0001, abs=0.005)
    assert study._even(lists["int8"], (784, 512, 10), 1) < 0
    assert lists["fp32+memory"].memory == cost.MEMORIES[-1]  # 1.6 MB: more than 1 MB
    assert np.isnan(study._even(lists["Loihi"], (784, 512, 10), 6))


@pytest.mark.slow
def test_spikes_up_to_a_step_are_those_of_a_shorter_solve():
    x = jax.random.uniform(jax.random.key(3), (5, 12), jnp.float32)
    model = dense(jax.random.key(0), (12, 9, 4), steps=6)
    counts = np.asarray(counts_by_step(model, x, lambda counts: counts[0]))
    assert counts.shape == (5, 6, 9) and counts[:, -1].sum() > 10
    for steps in (2, 6):
        result = dense(jax.random.key(0), (12, 9, 4), steps=steps)(x, solver=surrogate())
        np.testing.assert_array_equal(result.spikes[0], counts[:, steps - 1].sum(-1))


def test_rectified_numbers_are_those_of_numpy():
    model = relu(jax.random.key(0), (5, 4, 3))
    x = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    (a, b), (c, d) = model.weights, model.biases
    expected = np.maximum(x @ np.asarray(a) + np.asarray(c), 0) @ np.asarray(b) + np.asarray(d)
    np.testing.assert_allclose(model(jnp.asarray(x)), expected, atol=1e-5)


def test_perceptrons_learn_digits_and_go_on_where_they_were_stopped(tmp_path):
    train_set, test = splits("digits")
    x = jnp.asarray(train_set.x.reshape(len(train_set.x), -1), jnp.float32)
    model = start(jax.random.key(0), x, 10, 0, 0.2)
    config = ClassifierConfig(epochs=5, batch=32)
    trained = teach(model, train_set, test, config)
    history = trained.history
    # A tenth is chance; logistic regression gets about 96 % of these images.
    assert history["test"][-1] > 0.93 and history["accuracy"].shape == (5, 44)
    assert history["wrong"][-1] < 0.5 * history["wrong"][0]
    teach(model, train_set, test, config, folder=tmp_path, stop_after=2)
    rest = teach(model, train_set, test, config, folder=tmp_path)
    np.testing.assert_array_equal(rest.model.weights, trained.model.weights)
    np.testing.assert_array_equal(rest.history["accuracy"], history["accuracy"])


def test_unknown_data_are_named(tmp_path):
    with pytest.raises(InputError, match="'letters' is unknown"):
        study.STUDY(dataclasses.replace(SMALL, data="letters", out=str(tmp_path)))


@pytest.mark.slow
def test_the_study_small(tmp_path):
    config = dataclasses.replace(SMALL, out=str(tmp_path))
    dataset = study.STUDY(config)
    metrics = study.summary(dataset)
    for name, least in (
        ("perceptron", 85), ("perceptron, random layer", 60), ("MLP", 80), ("SNN", 80),
    ):  # fmt: skip
        assert metrics[f"{name}: accuracy (%)"] > least, name  # a tenth is chance
    assert metrics["MLP: MACs"] == 64 * 32 + 320 and metrics["SNN: MACs"] == 64 * 32
    assert metrics["SNN: parameters"] == metrics["MLP: parameters"] == 64 * 32 + 32 + 320 + 10
    assert metrics["SNN: SynOps"] == pytest.approx(10 * metrics["SNN: spikes"])
    assert metrics["SNN, latency code: MACs"] == 0 and "SNN: nJ, Loihi" not in metrics
    row = dataset.sel(network="SNN, any step").isel(seed=0)
    assert float(dataset.by_step[-1]) == pytest.approx(float(row.accuracy))
    assert float(dataset.spikes_by_step[-1]) == pytest.approx(float(row.spikes), rel=1e-5)
    assert (dataset.spared <= dataset.picojoules).where(dataset.spared.notnull(), True).all()
    figure.draw(dataset)
