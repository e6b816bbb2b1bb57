"""Learning without labels: the stepped circuit, what it learns from, votes, and the study small."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy.linalg import expm

import bpcjax as bpc
from bpcjax.learning import TriggeredSTDP, replay
from bpcjax.models import DiehlCook
from bpcjax.models.winner_take_all.diehl_cook import (
    _response,
    poisson_spikes,
    traces_at,
    unit_length,
)
from experiments import winner_take_all as study
from experiments.common import InputError
from experiments.common.data import Split, splits
from experiments.winner_take_all.training import (
    Soft,
    assign_classes,
    by_label,
    by_share,
    responses,
    soft,
)
from figures import winner_take_all as figure

pytestmark = pytest.mark.study

SMALL = study.Config(data="digits", neurons=30, epochs=4)


@pytest.mark.slow
def test_the_stepped_circuit_is_the_winner_take_all_of_the_engine():
    # Weak inhibition, so that all spike. Steps place spikes late by up to a step each: the first
    # spikes of each neuron differ from the exact ones by an error of first order.
    drive, thresholds, bins = jnp.array([60.0, 55.0, 50.0]), jnp.array([15.0, 14.0, 16.0]), 90
    options = {"tau": 50.0, "inhibition": 1.0, "excitation": 400.0, "partner_tau": 10.0}
    model = DiehlCook(**options)
    system = model.circuit(thresholds)
    solution = bpc.simulate(system, system.rest(), drive, t1=90.0, dt=0.1, max_spikes=200)
    spikes = solution.spikes
    times, neurons = np.asarray(spikes.times), np.asarray(spikes.neurons)
    exact = [times[neurons == k] for k in range(3)]
    assert all(len(x) >= 3 for x in exact) and (neurons >= 3).any()

    def error(substeps):
        fine = DiehlCook(**options, dt=1.0 / substeps, substeps=1)
        steps = jnp.broadcast_to(drive, (bins * substeps, 3))
        marks = np.asarray(jax.jit(lambda *args: fine.spikes(*args))(thresholds, steps))
        late = []
        for k in range(3):
            at = (np.flatnonzero(marks[:, k]) + 1) / substeps
            late.append(np.abs(at[:3] - exact[k][:3]).max())
        return max(late)

    errors = [error(n) for n in (4, 16, 64)]
    assert errors[2] < errors[1] < errors[0] and errors[2] < 3 / 64
    slope = np.polyfit(np.log([4, 16, 64]), np.log(errors), 1)[0]
    assert -1.5 < slope < -0.5


def test_the_winner_silences_the_others_until_inhibition_is_over():
    model, thresholds = DiehlCook(), jnp.full(4, 15.0)
    drive = jnp.broadcast_to(jnp.array([150.0, 140.0, 130.0, 120.0]), (30, 4))
    marks = np.asarray(model.spikes(thresholds, drive))
    # v = 150 (1 - exp(-t / 100)) is 15 at 10.54 ms: the spike is in the bin from 10 to 11 ms.
    assert np.flatnonzero(marks[:, 0])[0] == 10
    assert not marks[:, 1:].any()
    free = np.asarray(DiehlCook(inhibition=0.0).spikes(thresholds, drive))
    assert free.any(axis=0).all()


def test_traces_at_spikes_are_those_of_the_rule():
    # Input spikes at the starts of bins, circuit spikes at their ends: the rule's own replay, at
    # power 0 where changes add up.
    rng = np.random.default_rng(0)
    inputs, spikes = rng.random((40, 1, 5)) < 0.2, rng.random((40, 1, 3)) < 0.05
    rule = TriggeredSTDP(rate=1e-3, tau=12.0, target=0.3, power=0.0)
    weights = jnp.asarray(rng.uniform(0.4, 0.6, (3, 5)))
    seen = traces_at(jnp.asarray(inputs, float), jnp.asarray(spikes), np.exp(-1 / 12.0), 50)
    change = rule.change(weights, seen, jnp.asarray(spikes.sum((0, 1)), float))

    def train(marks, late):
        bins, _, neurons = np.nonzero(marks)
        return bpc.Spikes(jnp.asarray(bins + late, float), jnp.asarray(neurons))

    expected, _ = replay(rule, weights, train(inputs, 0.0), train(spikes, 1.0))
    assert float(jnp.abs(change).max()) > 1e-3
    np.testing.assert_allclose(weights + change, expected, atol=1e-13)


@pytest.mark.parametrize("equal", [dict(tau=10.0), dict(partner_tau=1.0)])
def test_equal_times_are_the_limit_of_unequal_ones(equal):
    # One neuron is driven over its threshold and answered: the others are inhibited all the same.
    thresholds, drive = jnp.full(4, 15.0), jnp.zeros((60, 4)).at[:, 0].set(150.0)
    spikes = DiehlCook(**equal).spikes(thresholds, drive)
    near = DiehlCook(**{name: value * (1 + 1e-7) for name, value in equal.items()})
    assert spikes.sum() > 1
    np.testing.assert_array_equal(spikes, near.spikes(thresholds, drive))


def test_the_response_is_the_solution_of_its_equation():
    # membrane v' = -v + s, tau s' = -s from v = 0, s = 1: a matrix exponential, any two times.
    for tau, membrane in ((10.0, 10.0), (10.0, 10.0 * (1 + 1e-9)), (1.0, 20.0), (10.0, 4.0)):
        flow = np.array([[-1 / membrane, 1 / membrane], [0.0, -1 / tau]])
        expected = expm(0.25 * flow)[0, 1]
        response = _response(*map(jnp.asarray, (0.25, tau, membrane)))
        np.testing.assert_allclose(response, expected, rtol=1e-13)


def test_a_drive_that_is_nan_and_spikes_without_room_are_no_silence():
    model, thresholds = DiehlCook(), jnp.full(2, 15.0)
    drive = jnp.full((5, 2), jnp.nan)
    with pytest.raises(ValueError, match="drive must be finite"):
        model.spikes(thresholds, drive)
    with pytest.raises(Exception, match="drive must be finite"):
        jax.block_until_ready(eqx.filter_jit(model.spikes)(thresholds, drive))
    inputs, spikes = jnp.ones((5, 1, 3)), jnp.ones((5, 1, 2), bool)
    with pytest.raises(ValueError, match="room: there are more spikes than 9"):
        traces_at(inputs, spikes, 0.9, 9)
    seen = jax.jit(traces_at, static_argnums=3)
    assert jnp.isnan(seen(inputs, spikes, 0.9, 9)).all()
    assert jnp.isfinite(seen(inputs, spikes, 0.9, 10)).all()


def test_poisson_bins_have_their_probability():
    rates = jnp.array([[0.0, 0.05, 0.25]])
    share = np.asarray(poisson_spikes(jax.random.key(0), rates, 40_000, 1.0))[:, 0].mean(0)
    expected = 1 - np.exp(-np.array([0.0, 0.05, 0.25]))
    assert share[0] == 0
    assert (np.abs(share - expected) < 4 * np.sqrt(expected / 40_000) + 1e-12).all()


def test_weights_keep_their_length():
    weights = jnp.asarray(np.random.default_rng(1).random((3, 7)))
    np.testing.assert_allclose((unit_length(weights, 2.5) ** 2).sum(axis=1), 2.5**2)


def test_votes_by_hand():
    # Neurons 0, 1 answer to class 0, neuron 2 to class 1, neuron 3 to none.
    counts, labels = np.array([[4, 2, 1, 0], [4, 2, 1, 0], [0, 1, 3, 0]]), np.array([0, 0, 1])
    table = responses(counts, labels, 2)
    np.testing.assert_allclose(table, [[4, 2, 1, 0], [0, 1, 3, 0]])
    neurons = assign_classes(table)
    np.testing.assert_array_equal(neurons, [0, 0, 1, -1])
    # Means over neurons: (3 + 0) / 2 against 2; the sums would say the other class.
    new = np.array([[3, 0, 2, 0], [0, 5, 2, 9]])
    np.testing.assert_array_equal(by_label(new, neurons, 2), [1, 0])
    # Shares of class 0: 1, 2/3, 1/4: 3 + 0.5 against 1.5, and 10/3 + 0.5 against 5/3 + 1.5.
    np.testing.assert_array_equal(by_share(new, table), [0, 0])


def test_a_spike_of_the_soft_circuit_moves_its_neuron_by_the_rule_of_mixtures():
    # One image, one window: the winner's probabilities are averages with what it saw.
    x = np.random.default_rng(2).random((20, 6)).astype(np.float32)
    settings = Soft(windows=1, step=(0.1, 0.1))
    network = soft(x, 4, settings)
    before = network.start(jax.random.key(0))
    key = jax.random.key(1)
    seen, won = network.show(before, jnp.asarray(x[:1]), key)
    after, counts = network.learn(before, jnp.asarray(x[:1]), key, jnp.asarray(0.0))
    k = int(won[0, 0].argmax())
    assert counts.sum() == 1 and int(counts[0, k]) == 1
    keep = np.exp(-0.1)  # the flow of the rule for the time 0.1
    expected = keep * np.exp(before.weights[k]) + (1 - keep) * np.asarray(seen[0, 0])
    np.testing.assert_allclose(np.exp(after.weights[k]), expected, rtol=1e-5)
    others = np.arange(4) != k
    np.testing.assert_array_equal(after.weights[others], before.weights[others])
    # Excitability: the winner's falls, all others' rise, the sum stays.
    assert after.log_prior[k] < 0 and (np.asarray(after.log_prior)[others] > 0).all()
    np.testing.assert_allclose(after.log_prior.sum(), 0.0, atol=1e-5)


@pytest.mark.slow
def test_the_study_small(tmp_path):
    dataset = study.STUDY(dataclasses.replace(SMALL, out=str(tmp_path), seeds=1))
    metrics = study.summary(dataset)
    for name in study.NETWORKS:
        for vote in study.VOTES:
            assert metrics[f"{name}: accuracy by {vote}"] > 0.6  # chance is 0.1
    # Thresholds bring about three spikes an image.
    assert 1.5 < metrics["Diehl & Cook: spikes an image"] < 6
    assert metrics["soft: spikes an image"] == 6
    count = dataset.attrs["test_images"]
    assert (dataset.confusion.sum(("label", "answer")) == count).all()
    right = dataset.confusion.values.trace(axis1=2, axis2=3)
    np.testing.assert_array_equal(right, dataset.right.sel(vote="labels"))
    figure.draw(dataset)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(study.NETWORKS))
def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, name):
    make, settings = study.NETWORKS[name]
    with jax.enable_x64(False):  # as the study runs
        images = study.rows(splits("digits")[0])
        images = images._replace(x=images.x[:64], labels=images.labels[:64])
        network = make(images.x, 10, settings)
        whole = study.train(network, images, 3, 0)
        first = study.train(network, images, 3, 0, folder=tmp_path, stop_after=1)
        rest = study.train(network, images, 3, 0, folder=tmp_path)
    for a, b in zip(whole.model, rest.model, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first.model[0] != rest.model[0]).any()
    np.testing.assert_array_equal(whole.history["online"], rest.history["online"])
    # Before the first part no neuron has a class.
    np.testing.assert_array_equal(np.isnan(rest.history["online"]), [True, False, False])


def test_seeds_do_not_multiply_the_images_of_the_test():
    right = np.array([9200, 9250, 9300])[None, :, None] * np.ones((1, 3, 2), int)
    dataset = xr.Dataset(
        {
            "right": (("network", "seed", "vote"), right),
            "spikes": (("network", "seed"), np.ones((1, 3))),
            "seconds": (("network", "seed"), np.ones((1, 3))),
            "class_of": (("network", "seed", "neuron"), np.zeros((1, 3, 4))),
        },
        {"network": ["soft"], "vote": list(study.VOTES)},
        {"test_images": 10_000},
    )
    metrics = study.summary(dataset)
    low, high = (metrics[f"soft: accuracy by labels, {end}"] for end in ("low", "high"))
    # Wilson's width is about 2 * 1.96 sqrt(p (1 - p) / n).
    assert metrics["soft: accuracy by labels"] == pytest.approx(0.925)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.925 * 0.075 / 10_000), rel=0.02)


def test_bad_images_are_refused():
    x, labels = np.full((200, 4), 0.5, np.float32), np.arange(200) % 10
    study.rows(Split(x, labels, 10))
    for wrong in (np.nan, 1.5, -0.1):
        bad = x.copy()
        bad[3, 1] = wrong
        with pytest.raises(InputError, match="pixels"):
            study.rows(Split(bad, labels, 10))
    with pytest.raises(InputError, match="less than a batch"):
        study.rows(Split(x[:10], labels[:10], 10))


def test_bad_parameters_are_named():
    with pytest.raises(ValueError, match="DiehlCook.tau must be positive"):
        DiehlCook(tau=-1.0)
    with pytest.raises(ValueError, match="substeps"):
        DiehlCook(substeps=0)
