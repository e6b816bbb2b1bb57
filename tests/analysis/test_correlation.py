"""Cross-correlograms: Poisson trains, common input, shifts, sums over pairs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bpcjax.analysis import cross_correlation
from tests.support.records import common, record, trains_of


@pytest.mark.slow
@pytest.mark.parametrize("keep", [0.3, 1.0])
def test_common_input_shows_at_lag_0(keep):
    # Counts in a bin T have means p m T and covariances p^2 m T: 1 + 1 / (m T) at lag 0.
    size, mother, t1, bin = 10, 0.5, 20_000.0, 2.0
    spikes = record(common(np.random.default_rng(1), size, keep, mother, t1))
    correlogram = cross_correlation(
        spikes, size, slice(0, 5), range(3, 10), t0=0.0, t1=t1, lag=20.0, bin=bin
    )
    assert correlogram.ok and correlogram.value.shape == correlogram.lag.shape == (21,)
    np.testing.assert_allclose(correlogram.value[10], 1 + 1 / (mother * bin), rtol=0.05)
    # The populations fluctuate at least as much as the one train that they share.
    off = np.delete(correlogram.value, 10)
    np.testing.assert_allclose(off, 1.0, atol=5 / np.sqrt(mother**2 * bin * t1) / keep)


def test_independent_poisson_trains_are_uncorrelated():
    size, t1 = 30, 2000.0
    rates = np.linspace(0.1, 1.0, size)
    rng = np.random.default_rng(2)
    spikes = record([np.sort(rng.uniform(0, t1, rng.poisson(rate * t1))) for rate in rates])
    where = dict(t0=0.0, t1=t1, lag=50.0, bin=1.0)
    for first, second in ((slice(0, 10), slice(10, None)), (slice(None), slice(None))):
        flat = cross_correlation(spikes, size, first, second, **where)
        z = (flat.value - 1) * np.sqrt(flat.expected)
        # Lag 0 of one population holds each pair in both orders: twice the variance.
        assert flat.ok and np.abs(z).max() < 5 and 0.7 < np.std(z) < 1.4


def test_a_shift_shows_at_its_lag_and_sign():
    t1, rate, delay = 5000.0, 0.2, 7.5
    first = np.sort(np.random.default_rng(3).uniform(0.0, t1 - delay, int(rate * t1)))
    spikes = record([first, first + delay])
    correlogram = cross_correlation(spikes, 2, [0], [1], t0=0.0, t1=t1, lag=20.0, bin=2.5)
    peak = int(np.argmax(correlogram.value))
    assert correlogram.lag[peak] == delay
    assert correlogram.pairs[peak] >= len(first)
    np.testing.assert_allclose(correlogram.value[peak], 1 + 1 / (rate * 2.5), rtol=0.05)
    back = cross_correlation(spikes, 2, [1], [0], t0=0.0, t1=t1, lag=20.0, bin=2.5)
    np.testing.assert_allclose(back.value, correlogram.value[::-1], rtol=1e-12)


@given(
    trains=trains_of(st.integers(0, 63).map(lambda n: n / 4)),
    first=st.sets(st.integers(0, 3), min_size=1),
    second=st.sets(st.integers(0, 3), min_size=1),
)
@settings(max_examples=40, deadline=None)
def test_correlograms_are_sums_over_pairs_of_neurons(trains, first, second):
    trains = [*trains, [], [], []][:4]
    first, second = sorted(first), sorted(second)
    correlogram = cross_correlation(
        record(trains, 50), 4, first, second, t0=0.0, t1=16.0, lag=4.0, bin=1.0
    )
    counts = np.array([np.histogram(train, np.arange(17.0))[0] for train in trains], float)
    pairs = np.zeros(9)
    for i in first:
        for j in second:
            if i != j:
                full = np.correlate(np.pad(counts[j], 4), counts[i], "valid")
                pairs += full
    np.testing.assert_allclose(correlogram.pairs, pairs)
    mean = counts.mean(axis=1)
    chance = sum(mean[i] * mean[j] for i in first for j in second if i != j)
    np.testing.assert_allclose(
        correlogram.expected, chance * (16 - np.abs(np.arange(-4, 5))), atol=1e-12
    )
    assert correlogram.ok == (chance > 0)
    if correlogram.ok:
        np.testing.assert_allclose(correlogram.value, pairs / correlogram.expected)
    else:
        assert np.isnan(correlogram.value).all()


@pytest.mark.parametrize(
    "options, named",
    [
        (dict(size=0), "size"),
        (dict(first=[]), "first is an empty"),
        (dict(second=slice(2, 5)), "second is an empty"),
        (dict(second=[2]), "second must be a slice or indices of 2"),
        (dict(first=np.array([0.5])), "first must be"),
        (dict(bin=0.0), "bin"),
        (dict(lag=-1.0), "lag"),
        (dict(lag=10.0), "lag"),
        (dict(lag=np.inf), "lag"),
    ],
)
def test_correlograms_name_what_makes_no_sense(options, named):
    options = dict(size=2, first=[0], second=[1], t0=0.0, t1=10.0, lag=3.0, bin=1.0) | options
    with pytest.raises(ValueError, match=named):
        cross_correlation(record([[1.0], [2.0]]), **options)


# --- records that hold too little --------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 1, 4])
def test_silence_has_no_correlogram(room):
    options = dict(t0=0, t1=10, lag=2, bin=1)
    correlogram = cross_correlation(record([[], []], room), 2, [0], [1], **options)
    assert not correlogram.ok and np.isnan(correlogram.value).all() and not correlogram.pairs.any()
    half = cross_correlation(record([[1.0, 2.0], []]), 2, [0], [1], **options)
    assert not half.ok and np.isnan(half.value).all()
    alone = cross_correlation(record([[1.0, 2.0], [3.0]]), 2, [0], [0], **options)
    assert not alone.ok and np.isnan(alone.value).all()


def test_an_overflow_and_a_batch():
    spikes = record([[1.0, 3.0], [2.0, 4.0]], room=3)
    options = dict(first=[0], second=[1], t0=0.0, t1=10.0, lag=2.0, bin=1.0)
    correlogram = cross_correlation(spikes, 2, **options)
    assert not correlogram.ok and np.isnan(correlogram.value).all()
    whole = record([[1.0, 3.0], [2.0, 4.0]])
    both = jax.vmap(
        lambda late: cross_correlation(
            eqx.tree_at(lambda r: r.times, whole, whole.times + late), 2, **options
        )
    )(jnp.array([0.0, 1.0]))
    # 1 -> 2, 3 -> 4 at +1; 3 -> 2 at -1, whenever they start.
    np.testing.assert_array_equal(both.pairs, [[0, 1, 0, 2, 0]] * 2)
    np.testing.assert_allclose(both.value[:, 3], 2 / (9 * 0.2 * 0.2))
