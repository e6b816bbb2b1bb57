"""Poisson spikes: laws of Poisson processes, bounds, room."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bpcjax import encode
from tests.support.records import real

RATES = jnp.array([0.02, 0.0, 0.05, 0.11])  # per ms


@pytest.fixture(scope="module")
def trials():
    """Counts [4000, 4] of independent trials of 100 ms."""

    def counts(key):
        spikes = encode.poisson(key, RATES, t1=100.0, room=80)
        return encode.rate(spikes, 4, t1=100.0) * 100.0, spikes.ok

    counts, ok = jax.jit(jax.vmap(counts))(jax.random.split(jax.random.key(0), 4000))
    assert ok.all()  # mean 18: more than 80 has a probability below 1e-25
    return np.round(np.asarray(counts))


@pytest.mark.slow
def test_poisson_counts_have_the_law_of_poisson(trials):
    mean = np.asarray(RATES) * 100.0
    n = len(trials)
    assert (trials[:, 1] == 0).all()
    for i in (0, 2, 3):
        # Standard errors of a Poisson sample's mean and variance: sqrt(m/n), sqrt((m + 2m^2)/n).
        m = mean[i]
        assert abs(trials[:, i].mean() - m) < 3.5 * np.sqrt(m / n)
        assert abs(trials[:, i].var(ddof=1) - m) < 3.5 * np.sqrt((m + 2 * m**2) / n)
        edges = np.array([-1, *stats.poisson.ppf([0.1, 0.25, 0.5, 0.75, 0.9], m), np.inf])
        got = np.diff([(trials[:, i] <= edge).sum() for edge in edges])
        assert stats.chisquare(got, n * np.diff(stats.poisson.cdf(edges, m))).pvalue > 1e-3
    correlation = np.corrcoef(trials[:, [0, 2, 3]].T) - np.eye(3)
    assert np.abs(correlation).max() < 3.5 / np.sqrt(n)  # independent channels


traces = []


@jax.jit
def draw_of_100(key, rates, t1):
    traces.append(1)
    return encode.poisson(key, rates, t1=t1, room=100)


def test_poisson_intervals_are_exponential():
    times, channels = real(encode.poisson(jax.random.key(1), RATES, t1=50_000.0))
    assert (np.diff(times) >= 0).all() and 0 <= times[0] and times[-1] < 50_000.0
    for i in (0, 2, 3):
        intervals = np.diff(times[channels == i])
        assert stats.kstest(intervals, "expon", args=(0, 1 / float(RATES[i]))).pvalue > 1e-3
        rank = stats.spearmanr(intervals[:-1], intervals[1:])  # without memory
        assert rank.pvalue > 1e-3  # pyright: ignore[reportAttributeAccessIssue]


def test_varying_rates_are_exponential_in_the_integral_of_the_rate():
    edges = np.array([0.0, 300.0, 500.0, 1700.0, 2000.0]) * 10
    rates = np.array([[0.05, 0.2], [0.0, 0.0], [0.01, 0.0], [0.3, 0.1]])
    times, channels = real(encode.poisson_bins(jax.random.key(2), rates, edges))
    assert not ((times > edges[1]) & (times < edges[2])).any()
    assert not ((channels == 1) & (times > edges[2]) & (times < edges[3])).any()
    for i in range(2):  # time rescaling: Brown et al. (2002)
        integral = np.concatenate([[0], np.cumsum(rates[:, i] * np.diff(edges))])
        rescaled = np.diff(np.interp(times[channels == i], edges, integral))
        assert stats.kstest(rescaled, "expon").pvalue > 1e-3
        in_bins = np.histogram(times[channels == i], edges)[0]
        mean = rates[:, i] * np.diff(edges)
        assert (np.abs(in_bins - mean) <= 3.5 * np.sqrt(mean)).all()


@pytest.mark.slow
def test_many_channels_and_a_shape():
    rates = np.linspace(0, 0.1, 28 * 28, dtype=np.float32).reshape(28, 28)
    spikes = encode.poisson(jax.random.key(3), rates, t0=5.0, t1=1005.0)
    assert spikes.times.dtype == np.float32
    got = encode.rate(spikes, 784, t0=5.0, t1=1005.0) * 1000
    mean = rates.ravel() * 1000
    statistic = ((np.asarray(got) - mean)[1:] ** 2 / mean[1:]).sum()
    assert 1e-3 < stats.chi2.cdf(statistic, 783) < 0.999


@pytest.mark.slow
def test_poisson_without_room_is_refused_or_marked():
    def draw(key):
        return encode.poisson(key, RATES, t1=100.0, room=18)  # 18 is the mean number

    keys = jax.random.split(jax.random.key(4), 100)
    batch = jax.vmap(draw)(keys)
    count = np.asarray(batch.count)
    assert count.max() == 19  # which stands for more than 18
    np.testing.assert_array_equal(batch.ok, count <= 18)
    np.testing.assert_array_equal(jnp.isnan(batch.times).all(1), count > 18)
    just, over = keys[np.argmax(count == 18)], keys[np.argmax(count == 19)]
    alone = draw(just)
    assert alone.ok and jnp.isfinite(alone.times).all()
    np.testing.assert_array_equal(alone.times, batch.times[np.argmax(count == 18)])
    with pytest.raises(ValueError, match="room: at least 19 spikes, room 18. Pass more room"):
        draw(over)
    with pytest.raises(ValueError, match="room: rates are not known under jit"):
        jax.jit(lambda r: encode.poisson(just, r, t1=100.0))(RATES)


@pytest.mark.parametrize("bad, why", [(-0.1, "negative"), (np.nan, "finite"), (np.inf, "finite")])
def test_bad_rates(bad, why):
    rates = jnp.array([0.1, 0.2, 0.3, bad])
    with pytest.raises(ValueError, match=f"rates must .*{why}"):
        encode.poisson(jax.random.key(0), rates, t1=10.0, room=100)
    traced = draw_of_100(jax.random.key(0), rates, 10.0)
    assert not traced.ok and jnp.isnan(traced.times).all()


def test_bad_edges():
    with pytest.raises(ValueError, match="t1 must be later"):
        encode.poisson(jax.random.key(0), RATES, t1=-1.0)
    with pytest.raises(ValueError, match="edges must be one more"):
        encode.poisson_bins(jax.random.key(0), jnp.ones((3, 2)), jnp.arange(3.0))


@pytest.mark.slow
@pytest.mark.parametrize("channels, t1", [(1000, 100.0), (1000, 1000.0)])
def test_long_trains_in_single_precision(channels, t1):
    # Rising, within [0, t1), and as many as the decoder finds there: 1e5 and 1e6 on average.
    with jax.enable_x64(False):
        spikes = encode.poisson(jax.random.key(0), jnp.ones(channels), t1=t1)
        times, _ = real(spikes)
        assert times.dtype == np.float32 and len(times) == spikes.count and spikes.ok
        assert (np.diff(times) >= 0).all() and times[0] >= 0 and times[-1] < t1
        rates = encode.rate(spikes, channels, t1=t1)
        assert round(float((rates * t1).sum())) == len(times)
        assert abs(len(times) - channels * t1) < 4 * np.sqrt(channels * t1)


@pytest.mark.slow
def test_no_spike_falls_out_of_its_bin_by_rounding():
    # Single precision's steps at 1e6 are 1/16: a sixteenth of all spikes would round to an end.
    edges = jnp.array([0.0, 1.0, 2.0, 3.0, 4.0], jnp.float32) + 1e6
    rates = jnp.array([[1e5], [0.0], [1e5], [0.0]], jnp.float32)
    times, _ = real(encode.poisson_bins(jax.random.key(0), rates, edges))
    counts = np.histogram(times, np.append(edges[:-1], np.nextafter(edges[-1], np.inf)))[0]
    assert (counts[[1, 3]] == 0).all() and len(times) == counts.sum()
    times, _ = real(encode.poisson(jax.random.key(0), jnp.full(1, 1e5), t0=-1e-3, t1=0.0))
    assert -1e-3 <= times[0] and times[-1] < 0


@pytest.mark.slow
def test_silent_channels_stay_silent():
    # A parallel sum of rates rises at some zeros by rounding, in double precision as in single.
    rng = np.random.default_rng(0)
    rates = rng.random(1000) * (rng.random(1000) < 0.5)
    for kind in (np.float32, np.float64):
        spikes = encode.poisson(jax.random.key(0), rates.astype(kind), t1=2000.0)
        _, channels = real(spikes)
        assert (rates[channels] > 0).all()


def test_half_precision_rates_are_summed_in_single():
    # 30000 spikes: a sum of them ends at 2048 in float16.
    spikes = encode.poisson(jax.random.key(0), np.full(10, 1.0, np.float16), t1=3000.0)
    assert spikes.times.dtype == np.float32
    assert abs(int(spikes.count) - 30_000) < 4 * np.sqrt(30_000)


def test_ticks_of_a_clock_as_ends():
    with jax.enable_x64(False):
        count = encode.poisson(jax.random.key(0), jnp.full(1, 1e-6), t1=np.int64(4 * 10**9)).count
    assert abs(int(count) - 4000) < 4 * np.sqrt(4000)


def test_new_values_compile_nothing():
    assert draw_of_100(jax.random.key(0), RATES, 100.0).ok
    before = len(traces)
    assert draw_of_100(jax.random.key(1), 2 * RATES, 150.0).ok
    assert len(traces) == before
