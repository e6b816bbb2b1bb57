"""The study of capacity: its fast memories are the energies', its counts follow exact laws."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.energies import ClassicalHopfield, DenseHopfield, ThresholdPhasor
from experiments import capacity as study
from experiments.capacity import memories as memories
from experiments.common.memories import power, spins
from experiments.common.settings import prepared
from experiments.common.thresholds import crossing
from figures import capacity as figure
from theory.closed_forms import capacity, crosstalk

pytestmark = pytest.mark.study


@pytest.mark.parametrize("order", [2, 3, 4])
def test_the_fields_are_the_updates_of_the_energies(order):
    rng = np.random.default_rng(0)
    patterns, states = spins(rng, 30, 21), spins(rng, 5, 21)
    fields = memories.fields(patterns, states, power(order))
    energy = DenseHopfield.polynomial(patterns, order)
    for field, one in zip(fields, states, strict=True):
        np.testing.assert_array_equal(np.where(field >= 0, 1, -1), energy.update(jnp.asarray(one)))
    if order == 2:  # 4 times Hebb's field
        weights = np.asarray(ClassicalHopfield.hebb(patterns).weights)
        np.testing.assert_allclose(fields, 4 * 21 * states @ weights, atol=1e-3)
    exponential = memories.fields(patterns, states, memories.exponential(21))
    expected = DenseHopfield.exponential(patterns).update(jnp.asarray(states[0]))
    np.testing.assert_array_equal(np.where(exponential[0] >= 0, 1, -1), expected)


def test_settled_overlaps_are_those_of_the_phasor_energy():
    overlaps = memories.settled_overlaps(np.random.default_rng(1), 4, 60, 4, 30, phases=True)
    x = np.exp(2j * np.pi * np.random.default_rng(1).random((4, 60))).astype(np.complex64)
    energy, z = ThresholdPhasor.hebb(x), jnp.asarray(x[2])
    for _ in range(30):
        z = energy.update(z)
    np.testing.assert_allclose(overlaps[2], np.abs(np.mean(x[2].conj() * np.asarray(z))), atol=1e-3)


@pytest.mark.parametrize("order, count, size", [(2, 9, 30), (3, 150, 30), (4, 700, 20)])
def test_units_flip_as_often_as_the_exact_law_says(order, count, size):
    rng, wrong, bits = np.random.default_rng(2), 0, 0
    for _ in range(150):
        each = min(count, 40)
        wrong += memories.errors(spins(rng, count, size), each, power(order)).sum()
        bits += each * size
    expected = crosstalk.flip_probability(count, size, order)
    # Units of one memory are not independent: 5 standard errors of independent ones.
    assert abs(wrong / bits - expected) < 5 * np.sqrt(expected / bits)
    # The normal law of the same crosstalk is off at these sizes.
    assert abs(capacity.dense_error(count, size, order) - expected) > 2 * np.sqrt(expected / bits)


def test_the_exact_law_becomes_the_normal_one():
    for order, count in ((2, 2000), (3, 200_000)):
        normal = capacity.dense_error(count, 1001, order)
        exact = crosstalk.flip_probability(count, 1001, order)
        np.testing.assert_allclose(exact, normal, rtol=0.02)
    assert crosstalk.flip_probability(1, 10, 3) == 0
    # Two patterns of two units: lost if u' and its sign are against it, never beyond a tie.
    assert crosstalk.flip_probability(2, 2, 2) == 0


def test_close_pairs_end_the_exponential_memory():
    rng = np.random.default_rng(3)
    for count in (12, 22, 30):
        successes, trials = memories.all_patterns(rng, count, 12, memories.exponential(12), 400)
        expected = crosstalk.birthday_success(count, 12)
        # exp(-pairs) leaves out pairs at distance two: a few per cent at 12 units.
        assert abs(successes / trials - expected) < 4 * np.sqrt(0.25 / trials) + 0.04


def test_a_crossing_is_found_with_its_error():
    rng, loads = np.random.default_rng(4), np.geomspace(50, 200, 7)
    success = np.exp(-np.exp(3 * np.log(loads / 100) - 0.5))
    true = np.log(100) + (0.5 + np.log(np.log(2))) / 3
    places = []
    for _ in range(200):
        successes = rng.binomial(400, success)
        place, error = crossing(loads, successes, np.full(7, 400), 0.5)
        places.append((place - true) / error)
    assert abs(np.mean(places)) < 0.3 and 0.8 < np.std(places) < 1.2
    assert np.isnan(crossing(loads, rng.binomial(400, success), np.full(7, 400), 0.999).place)


TINY = study.Config(
    hebb=(100, 200), cubic=(40,), quartic=(24,), exponential=(10, 12), modern=(6, 8),
    sparse=(12, 16), phasor=(100,), saturation=100, asked=256, memories=60,
)  # fmt: skip


def test_the_study_measures_what_the_laws_say(tmp_path):
    config = dataclasses.replace(TINY, out=str(tmp_path))
    dataset = study.STUDY(config)
    ratio = (dataset.capacity / dataset.law).values
    kinds = dataset.kind.values
    assert (np.abs(ratio[kinds == "hebb"] - 1) < 0.25).all()
    for kind in ("modern", "sparse", "exponential"):  # laws that hold at every size
        own = kinds == kind
        assert (np.abs(np.log(ratio[own])) < 4 * dataset.log_error[own] + 0.1).all()
    share = dataset.successes / dataset.trials
    away = np.abs(share - dataset.expected).sel(curve=np.isin(kinds, ["modern", "sparse"]))
    assert away.max() < 5 * np.sqrt(0.25 / 256)
    numbers = study.summary(dataset)
    assert all(np.isfinite(value) for value in numbers.values())
    assert abs(numbers["modern: d log P / dN"] - numbers["modern: d log P / dN by law"]) < 0.1
    # What is drawn of theory ends where retrieval does.
    for name, end in (("spins", 0.138), ("phases", 0.038)):
        assert abs(dataset[f"{name}_curve_load"].max() - end) < 1e-3
    assert len(figure.draw(dataset).axes) == 4


def test_a_quick_run_asks_for_whole_chunks():
    assert prepared(study.Config(quick=True)).queries == 512
    assert study.Config(asked=700).queries == 640
