"""The comparison with attention: its counts, its trained layer's gradient, a tiny run of it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.cost import FP32, Ledger
from experiments import attention_comparison as comparison
from experiments.attention_comparison import (
    ambiguity as ambiguity,
    energies as energies,
    report as report,
    tasks as tasks,
    training as training,
)
from figures import attention_comparison as figure
from theory.closed_forms import sphere_recall

pytestmark = pytest.mark.study


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """One tiny run."""
    config = comparison.Config(
        patterns=32, queries=50, seeds=3, layer_seeds=1, steps=2,
        out=str(tmp_path_factory.mktemp("comparison")),
    )  # fmt: skip
    return comparison.STUDY(config)


def test_the_tasks_are_what_they_say():
    rng = np.random.default_rng(0)
    auto = tasks.auto(rng, 40, 2000)
    np.testing.assert_allclose((auto.keys**2).sum(axis=1), tasks.SIZE)
    noise = (auto.queries.reshape(3, 2000, -1) - auto.keys[auto.target]).std(axis=(1, 2))
    np.testing.assert_allclose(noise, tasks.LEVELS["auto"], rtol=0.02)
    pairs = tasks.key_to_value(rng, 256, 10)
    assert len(np.unique(pairs.tokens)) == tasks.TOKENS  # 256 keys share 32 values
    spikes = tasks.raster(rng, 40, 2000)
    assert set(np.unique(spikes.queries)) == {0.0, 1.0}
    np.testing.assert_array_equal(spikes.keys.sum(axis=1), 3 * tasks.UNITS)
    # Kept, less those moved by two bins or more (|z| > 1.5 / 0.7: 3.2 %); inserted in a share of
    # 0.3 / 16 of the good bins, three a unit but for the one that is taken.
    hit = (spikes.queries.reshape(3, 2000, -1) * spikes.keys[spikes.target]).sum(axis=2).mean(1)
    left = (1 - np.array(tasks.LEVELS["raster"])) * 0.968
    expected = tasks.UNITS * (left + (3 - left) * 0.3 / tasks.BINS)
    np.testing.assert_allclose(hit, expected, rtol=0.01)
    rounded = tasks.as_int8(auto.keys)
    assert len(np.unique(np.rint(rounded / np.abs(rounded).max() * 127))) <= 255
    assert np.abs(rounded - auto.keys).max() <= np.abs(auto.keys).max() / 254 * (1 + 1e-9)


def test_what_is_counted():
    # By hand, 10 memories; 64 graded inputs; 20 input spikes of rasters of 512 numbers.
    dense = tasks.counts("auto", "attention", 10, 64.0)
    assert (dense.macs, dense.synaptic, dense.exps) == (2 * 640, 0, 10)
    silent = tasks.counts("raster", "attention", 10, 20.0)
    assert (silent.macs, silent.synaptic) == (5120, 200)  # silent inputs cost attention nothing
    assert tasks.counts("raster", "argmax", 10, 20.0).synaptic == 200
    spikes = tasks.counts("raster", "spiking 4", 10, 20.0)
    assert (spikes.macs, spikes.synaptic, spikes.updates) == (0, 200 + 4 * 522, 4 * 522)
    value = tasks.counts("key to value", "spiking 4", 10, 64.0)
    assert (value.macs, value.synaptic) == (640, 4 * (tasks.TOKENS + 10))
    # Five steps: four in the space of keys, then the values.
    five = tasks.counts("key to value", "attention x5", 10, 64.0)
    assert (five.macs, five.exps) == (9 * 640 + 10 * tasks.TOKENS, 50)
    assert tasks.counts("auto", "attention x5", 10, 64.0).macs == 10 * 640
    assert tasks.counts("auto", "Hebb", 10, 64.0).synaptic == tasks.STEPS * 64**2


def test_the_score_function_has_the_gradient_of_the_expected_loss(monkeypatch):
    # Three tokens, two draws: all nine outcomes against the average of 40,000 samples.
    monkeypatch.setattr(training, "DRAWS", 2)
    layer = training.start(jax.random.key(0), 5)
    layer = layer._replace(log_beta=jnp.asarray(0.7), bias=jnp.asarray(0.2))
    images, label = jax.random.normal(jax.random.key(1), (3, 5)), jnp.asarray(1.0)

    def expected(layer):
        tokens = training._tokens(layer, images)
        p = jax.nn.softmax(training._scores(layer, tokens))
        total = jnp.zeros(())
        for pair in itertools.product(range(3), repeat=2):
            pooled = tokens[jnp.array(pair)].mean(axis=0)
            loss = training._loss(pooled @ layer.readout + layer.bias, label)
            total = total + p[pair[0]] * p[pair[1]] * loss
        return total

    known = jax.grad(expected)(layer)
    keys = jax.random.split(jax.random.key(2), 40_000)
    grad = jax.jit(jax.vmap(jax.grad(training.sampled_loss), (None, None, None, 0)))
    drawn = grad(layer, images, label, keys)
    for name, exact, sample in zip(layer._fields, known, drawn, strict=True):
        error = np.asarray(sample).std(axis=0) / 200 + 1e-12
        assert np.max(np.abs(sample.mean(axis=0) - exact) / error) < 4.5, name
    assert abs(float(known.log_beta)) > 1e-4


def test_bags_hold_a_nine_or_none():
    bags = training.make_bags(0, 60, test=True)
    labels = training.load("digits").labels[bags.members]
    nines = (labels == training.NEEDLE).sum(axis=1)
    np.testing.assert_array_equal(nines > 0, bags.labels > 0)
    assert nines.max() <= 2 and (bags.members % 3 == 0).all()
    assert (training.make_bags(0, 60, test=False).members % 3 != 0).all()


@pytest.mark.slow
def test_naming_follows_the_law_of_the_sphere(dataset):
    # The nearest of 32 patterns in 64 dimensions, 150 queries: within four standard errors.
    for damage, noise in enumerate(tasks.LEVELS["auto"]):
        law = float(sphere_recall.gaussian(noise, 32, tasks.SIZE))
        share = dataset.accuracy.sel(task="auto", memory="fp32", model="argmax")[damage]
        assert abs(share.mean() - law) < 4 * np.sqrt(law * (1 - law) / 150) + 1e-9
    first = dataset.accuracy.sel(task="auto", memory="fp32", model="attention").mean("seed")
    assert first[0] > 0.95  # a chosen beta, noise 1


@pytest.mark.slow
def test_means_of_spikes_follow_theorem_2(dataset):
    # Their square error is attention's plus tr Cov_p / S, on average over queries.
    for noise in (2.0, 3.0):
        own = dataset.sel(noise=noise)
        for count in (1, 4, 64):
            law = own.query_attention + own.query_ambiguity / count
            gap = (own.query_spiking.sel(draws=count) - law).values.ravel()
            assert abs(gap.mean()) < 4.5 * gap.std() / np.sqrt(gap.size)
    easy, hard = (dataset.query_decision.sel(noise=noise).mean() for noise in (0.5, 3.0))
    assert easy < 3.1 < 4 < hard  # three spikes are the least that can lead by three
    assert report.correlation(dataset) > 0.4
    needed = dataset.query_ambiguity / ambiguity.ERROR
    assert (dataset.query_many >= np.minimum(needed, ambiguity.LONGEST) - 1e-9).all()


@pytest.mark.slow
def test_energies_and_verdict(dataset):
    energy = float(dataset.energy.sel(task="auto", model="attention", price="fp32")[0])
    by_hand = 2 * 64 * 32 * 4.6 + 32 * (41.4 + 0.9 + 4 * 4.6 + 3.7)
    np.testing.assert_allclose(energy, by_hand / 1e3)
    crossing = float(dataset.even.sel(case="100 input spikes"))
    ratio = dataset.ratio.sel(case="100 input spikes")
    np.testing.assert_allclose(ratio.interp(example_spikes=crossing), 1.0, rtol=2e-3)
    chip = Ledger(FP32).energy(energies.layer_counts(training.POOLINGS[0], 1.0))
    assert chip > Ledger(FP32).energy(energies.layer_counts(training.POOLINGS[2], 1.0))
    numbers = comparison.summary(dataset)
    assert all(isinstance(value, float) for value in numbers.values())
    text = report.verdict(numbers)
    assert len(text.splitlines()) == 7 and report.text(numbers).startswith(text)
    assert "attention's square error" in text and "none (100 input spikes, DRAM, batch" in text
    assert dataset.trained.shape == (4, 1, 7)
    assert len(figure.draw(dataset).axes) == 7
