"""The study of patterns in space and time: its laws by simulation, its parts by other routes."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.energies import SequenceMemory
from experiments import spatiotemporal as study
from experiments.common.memories import spins
from experiments.spatiotemporal import chains, coincidences as events
from figures import spatiotemporal as figure
from theory.closed_forms import capacity, coincidence, crosstalk

pytestmark = pytest.mark.study


@pytest.mark.parametrize(
    "damage",
    [
        {},
        {"jitter": 0.04, "deletion": 0.3},
        {"insertion": 2.0, "deletion": 0.5},
        {"warp": 0.3},
        {"warp": -0.2, "jitter": 0.03, "deletion": 0.1, "insertion": 0.7},
    ],
    ids=str,
)
def test_a_unit_hits_as_often_as_the_law_says(damage):
    rng, trials = np.random.default_rng(0), 40_000
    times = rng.random((trials, 1))
    rest = dict(damage)
    extra = rest.pop("insertion", 0.0)
    spikes = events.spoil(rng, times, **rest)[..., None]
    spikes = np.concatenate([spikes, events.inserted(rng, times.shape, extra)], axis=-1)
    seen = events.hits(spikes, times, 0.06).mean()
    law = coincidence.hit(0.06, **damage)
    assert abs(seen - law) < 4 * np.sqrt(law * (1 - law) / trials) + 1e-12
    other = events.hits(spikes, rng.random(times.shape), 0.06).mean()
    chance = coincidence.false_hit(0.06, damage.get("deletion", 0.0), extra)
    assert abs(other - chance) < 4 * np.sqrt(chance / trials)


def test_entries_are_the_counts_on_a_fine_grid():
    rng = np.random.default_rng(1)
    offsets = rng.random((20, 9))
    offsets[3, 2] = np.nan
    width = 0.08
    entries = events.entries(offsets, width)
    for row, counts in zip(offsets, entries, strict=True):
        for offset, count in zip(row, counts, strict=True):
            # The window that this unit just entered ends there: centre a width before.
            centre = offset + width * (1 - 1e-9) if np.isfinite(offset) else np.nan
            inside = events.distance(row, centre - 2 * width * (1 - 1e-9)) <= width
            assert count == (inside.sum() if np.isfinite(offset) else 0)


def test_entries_of_many_are_those_of_each():
    offsets = np.random.default_rng(6).random((300, 12))
    entries = np.sort(events.entries(offsets, 0.07), axis=1)
    np.testing.assert_array_equal(np.sort(events.sorted_entries(offsets, 0.07), axis=1), entries)


def test_false_alarms_rise_as_often_as_the_exact_mean():
    rng, n, threshold, width = np.random.default_rng(2), 20, 8, 0.05
    above, rises = events.searched(rng, rng.random(n), 20_000, width, threshold)
    mean = coincidence.crossings(n, threshold, width)
    # By hand: theta Pr[Bin(N, 2 w) = theta] / (2 w).
    from scipy.stats import binom

    np.testing.assert_allclose(mean, threshold * binom.pmf(threshold, n, 0.1) / 0.1, rtol=1e-12)
    assert abs(rises.mean() - mean) < 4 * rises.std() / np.sqrt(len(rises))
    assert above.mean() <= rises.mean()  # a bound
    clumped = -np.expm1(-coincidence.clumps(n, threshold, width))
    np.testing.assert_allclose(above.mean(), clumped, rtol=0.2)
    np.testing.assert_allclose(coincidence.capacity(n, threshold, width), 1 / mean)


def test_capacity_grows_exponentially_as_the_divergence_says():
    # (1 / N) log P tends to KL(theta / N || 2 w).
    share, q = 0.4, 0.1
    sizes = np.array([200, 400])
    logs = np.log([coincidence.capacity(n, round(share * n), q / 2) for n in sizes])
    divergence = share * np.log(share / q) + (1 - share) * np.log((1 - share) / (1 - q))
    np.testing.assert_allclose((logs[1] - logs[0]) / 200, divergence, rtol=0.01)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_transitions_are_the_updates_of_the_sequence_memory(order):
    rng = np.random.default_rng(3)
    patterns = spins(rng, 25, 18)
    fields = chains.fields(patterns, np.arange(6), order)
    memory = SequenceMemory.polynomial(patterns, order)
    for field, start in zip(fields, patterns, strict=False):
        new = memory.update(jnp.asarray(start))
        some = np.abs(field) > 1e-3  # a tie keeps the unit
        np.testing.assert_array_equal(np.sign(field)[some], np.asarray(new)[some])


@pytest.mark.parametrize("order, size, count", [(1, 40, 12), (2, 24, 60)])
def test_units_of_transitions_fail_as_the_exact_law_says(order, size, count):
    rng = np.random.default_rng(4)
    wrong, error, _, _ = chains.transitions(rng, chains.Chain(order, size), count, 400_000)
    law = crosstalk.transition_error(count, size, order)
    assert abs(wrong - law) < 4 * error
    normal = capacity.dense_error(count - 1, size - 1, order + 1)
    assert abs(law - normal) > 4 * error  # which the normal law is not


TINY = study.Config(
    units=20, trials=400, sizes=(10, 14), patterns=300, shown=40, rasters=8, steps=20, recalls=20,
    transitions=4000,
)  # fmt: skip


def test_the_laws_hold_in_the_study(tmp_path, monkeypatch):
    monkeypatch.setattr(chains, "ORDERS", {1: (60, 120), 2: (30, 50)})
    config = dataclasses.replace(TINY, out=str(tmp_path))
    dataset = study.STUDY(config)
    numbers = study.summary(dataset)
    for name in ("misses", "false alarms at an instant"):
        assert numbers[f"{name}: law in joint 95 % interval"] == numbers[f"{name}: points"] == 28
    for n in (10, 14):
        expected = numbers[f"{n} units: false alarms expected"]
        away = numbers[f"{n} units: false alarms over the exact mean"] - 1
        assert abs(away) < 6 / np.sqrt(expected)
    whole = numbers["sequences, power 1, 120 units, whole: capacity over law"]
    assert abs(whole - 1) < 0.3
    assert numbers["cycles, symmetric delays: largest rise of the functional"] < 1e-9
    assert numbers["cycles, unsymmetric delays: largest rise of the functional"] > 1
    assert numbers["replay: late spikes of the memory shown"] > 0.8
    assert numbers["delay-lifted, jitter: named, least damage"] > 0.9
    assert len(figure.draw(dataset).axes) == 12  # eleven panels, and an axis on the right


def test_bad_arguments_of_the_laws_are_named():
    with pytest.raises(ValueError, match="width must be"):
        coincidence.hit(0.6)
    with pytest.raises(ValueError, match="deletion in"):
        coincidence.hit(0.1, deletion=2.0)
