"""Numbers to spikes and back: laws of Poisson processes, closed forms, bounds, independent code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import signal as scipy_signal, stats

import bpcjax as bpc
from bpcjax import encode


def real(spikes):
    """Times and channels without the padding."""
    kept = np.asarray(spikes.channels) >= 0
    return np.asarray(spikes.times)[kept], np.asarray(spikes.channels)[kept]


# Poisson

RATES = jnp.array([0.02, 0.0, 0.05, 0.11])  # per ms


@pytest.fixture(scope="module")
def trials():
    """Counts [4000, 4] of independent trials of 100 ms."""

    def counts(key):
        spikes = encode.poisson(key, RATES, t1=100.0, room=80)
        return encode.rate(spikes.times, spikes.channels, 4, t1=100.0) * 100.0, spikes.ok

    counts, ok = jax.jit(jax.vmap(counts))(jax.random.split(jax.random.key(0), 4000))
    assert ok.all()  # mean 18: more than 80 has a probability below 1e-25
    return np.round(np.asarray(counts))


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


def test_many_channels_and_a_shape():
    rates = np.linspace(0, 0.1, 28 * 28, dtype=np.float32).reshape(28, 28)
    spikes = encode.poisson(jax.random.key(3), rates, t0=5.0, t1=1005.0)
    assert spikes.times.dtype == np.float32
    got = encode.rate(spikes.times, spikes.channels, 784, t0=5.0, t1=1005.0) * 1000
    mean = rates.ravel() * 1000
    statistic = ((np.asarray(got) - mean)[1:] ** 2 / mean[1:]).sum()
    assert 1e-3 < stats.chi2.cdf(statistic, 783) < 0.999


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
    with pytest.raises(ValueError, match="edges must rise"):
        encode.poisson(jax.random.key(0), RATES, t1=-1.0)
    with pytest.raises(ValueError, match="edges must be one more"):
        encode.poisson_bins(jax.random.key(0), jnp.ones((3, 2)), jnp.arange(3.0))


def test_new_values_compile_nothing():
    assert draw_of_100(jax.random.key(0), RATES, 100.0).ok
    before = len(traces)
    assert draw_of_100(jax.random.key(1), 2 * RATES, 150.0).ok
    assert len(traces) == before


# Latency

VALUES = jnp.array([0.9, 0.1, 0.25, 0.2, 0.5])


def test_latency_is_that_of_a_charging_membrane():
    spikes = encode.latency(VALUES, encode.Charging(tau=12.0, threshold=0.2), t0=3.0)
    kept = [0, 4, 2]  # by time; 0.1 and 0.2 do not exceed the threshold
    x = np.asarray(VALUES)[kept]
    np.testing.assert_array_equal(spikes.channels, [*kept, -1, -1])
    np.testing.assert_allclose(spikes.times[:3], 3 + 12 * np.log(x / (x - 0.2)), rtol=1e-14)
    assert spikes.count == 3 and spikes.ok and np.isinf(spikes.times[3:]).all()


def test_derivative_of_latency():
    def times(x, tau):
        spikes = encode.latency(x, encode.Charging(tau, 0.2))
        return encode.first_spike(spikes.times, spikes.channels, 5)

    by_value, by_tau = jax.jacrev(times, (0, 1))(VALUES, 12.0)
    x = np.asarray(VALUES)
    reached = x > 0.2
    with np.errstate(all="ignore"):
        expected = np.where(reached, 12 * (1 / x - 1 / (x - 0.2)), 0)
    np.testing.assert_allclose(by_value, np.diag(expected), rtol=1e-12)
    np.testing.assert_allclose(by_tau[reached], np.log(x[reached] / (x[reached] - 0.2)), rtol=1e-12)
    np.testing.assert_allclose(jax.jacfwd(times)(VALUES, 12.0), by_value, rtol=1e-12)


def test_other_curves_and_bad_values():
    spikes = encode.latency(jnp.array([[1.0, 0.0], [0.25, 0.5]]), encode.Linear(8.0))
    np.testing.assert_allclose(spikes.times, [0.0, 4.0, 6.0, np.inf])
    np.testing.assert_array_equal(spikes.channels, [0, 3, 2, -1])
    assert encode.latency(jnp.array([2.0, 4.0]), lambda x: 1 / x).times.tolist() == [0.25, 0.5]
    with pytest.raises(ValueError, match="values must be in 0..1 for Linear"):
        encode.latency(jnp.array([1.2]), encode.Linear())
    with pytest.raises(ValueError, match="values must not be NaN"):
        encode.latency(jnp.array([np.nan, 1.0]))
    assert not jax.jit(encode.latency)(jnp.array([np.nan, 1.0])).ok
    with pytest.raises(ValueError, match="tau must be positive"):
        encode.Charging(tau=0.0)


def test_current():
    x = np.array([0.0, 0.5, 1.0])
    np.testing.assert_allclose(encode.current(x, 100.0, 300.0), [100, 200, 300])


# Delta


def events_one_by_one(ts, x, threshold, start):
    """Send on delta of one piecewise linear stream, event after event, in plain Python."""
    level, found = start, []
    old_t, old = ts[0], start
    for i, (t, value) in enumerate(zip(ts, x, strict=True)):
        while abs(value - level) >= threshold * (1 - 1e-12):
            sign = 1 if value > level else -1
            level += sign * threshold
            at = t if i == 0 else old_t + (level - old) / (value - old) * (t - old_t)
            found.append((at, sign))
        old_t, old = t, value
    return found


def smooth(seed, samples=200):
    rng = np.random.default_rng(seed)
    ts = np.cumsum(rng.uniform(0.2, 1.8, samples))
    return ts, np.cumsum(rng.standard_normal((samples, 3)), axis=0)


def test_delta_is_as_one_by_one():
    ts, x = smooth(0)
    start = x[0] + np.array([0.0, 2.1, -0.9])
    spikes = encode.delta(ts, x, jnp.array([0.3, 0.5, 0.7]), start=start)
    times, channels = real(spikes)
    assert (np.diff(times) >= 0).all() and spikes.count == len(times) == spikes.times.shape[0]
    for i, threshold in enumerate((0.3, 0.5, 0.7)):
        expected = events_one_by_one(ts, x[:, i], threshold, start[i])
        up, own = channels == i, (channels == i) | (channels == i + 3)
        np.testing.assert_allclose(times[own], [t for t, _ in expected], atol=1e-9)
        np.testing.assert_array_equal(up[own], [sign > 0 for _, sign in expected])


@jax.jit
def sent_and_received(x, threshold, fine):
    spikes = encode.delta(np.arange(20.0), x, threshold, room=8000)
    return spikes.ok, encode.staircase(spikes.times, spikes.channels, fine, x[:1], threshold)


@given(
    x=st.lists(st.floats(-100, 100, width=32), min_size=20, max_size=20),
    threshold=st.floats(0.5, 50),
)
@settings(max_examples=40, deadline=None)
def test_staircase_is_within_a_threshold_at_all_times(x, threshold):
    fine = np.linspace(0, 19, 19 * 7 + 1)
    ok, back = sent_and_received(np.array(x), threshold, fine)
    assert ok
    assert np.abs(np.interp(fine, np.arange(20.0), x) - back[:, 0]).max() < threshold * (1 + 1e-9)


def test_delta_of_a_ramp_and_its_derivatives():
    # x = slope t crosses k h at t = k h / slope.
    ts = jnp.linspace(0.0, 10.0, 21)

    def times(slope, threshold):
        return encode.delta(ts, slope * ts, threshold, room=12).times

    k = np.arange(1, 12)
    np.testing.assert_allclose(times(0.57, 0.5)[:11], k * 0.5 / 0.57, rtol=1e-12)
    by_slope, by_threshold = jax.jacfwd(times, (0, 1))(0.57, 0.5)
    np.testing.assert_allclose(by_slope[:11], -k * 0.5 / 0.57**2, rtol=1e-10)
    np.testing.assert_allclose(by_threshold[:11], k / 0.57, rtol=1e-10)
    assert by_slope[11] == 0 and by_threshold[11] == 0
    np.testing.assert_allclose(jax.jacrev(times)(0.57, 0.5), by_slope, rtol=1e-12)


def test_sigma_delta_of_a_constant_is_regular_and_follows_the_integral():
    ts = jnp.linspace(0.0, 40.0, 81)
    times, channels = real(encode.sigma_delta(ts, jnp.full(81, -0.3), 1.9))
    np.testing.assert_allclose(times, np.arange(1, 7) * 1.9 / 0.3, rtol=1e-12)
    assert (channels == 1).all()
    x = jnp.stack([jnp.sin(ts), 1 + jnp.cos(ts / 3)], 1)
    spikes = encode.sigma_delta(ts, x, 0.2)
    back = encode.staircase(spikes.times, spikes.channels, ts, jnp.zeros(2), 0.2)
    integral = np.stack([1 - np.cos(ts), ts + 3 * np.sin(ts / 3)], 1)
    # One quantum, and the trapezia: at most h^2 / 12 max|x''| T.
    assert np.abs(back - integral).max() < 0.2 + 0.5**2 / 12 * 40


def test_delta_without_room_and_bad_streams():
    ts, x = smooth(1)
    count = int(encode.delta(ts, x, 0.5).count)
    with pytest.raises(ValueError, match=f"room: at least {count} spikes, room 10"):
        encode.delta(ts, x, 0.5, room=10)
    traced = jax.jit(lambda x: encode.delta(ts, x, 0.5, room=count - 1))
    short = traced(x)
    assert not short.ok and short.count == count and jnp.isnan(short.times).all()
    assert traced(0.5 * x).ok and not traced(x * jnp.nan).ok
    with pytest.raises(ValueError, match="room: not known under jit"):
        jax.jit(lambda x: encode.delta(ts, x, 0.5))(x)
    with pytest.raises(ValueError, match="threshold must be positive"):
        encode.delta(ts, x, 0.0)
    with pytest.raises(ValueError, match="signal must be finite"):
        encode.delta(ts, np.full(200, np.nan), 0.5)
    with pytest.raises(ValueError, match="ts must rise"):
        encode.delta(ts[::-1], x, 0.5)


def test_encoders_run_in_batches():
    ts, _ = smooth(0)
    x = np.stack([smooth(seed)[1] for seed in range(3)])
    batch = jax.vmap(lambda x: encode.delta(ts, x, 0.5, room=2000))(x)
    assert batch.ok.shape == (3,) and batch.ok.all()
    for row, alone in enumerate(encode.delta(ts, one, 0.5, room=2000) for one in x):
        np.testing.assert_allclose(batch.times[row], alone.times, rtol=1e-12)
        np.testing.assert_array_equal(batch.channels[row], alone.channels)


# Decoders

TIMES = jnp.array([1.0, 2.5, 2.5, 4.0, 9.0, jnp.inf, jnp.inf])
CHANNELS = jnp.array([1, 0, 1, 1, 0, -1, -1])


def test_rate_and_first_spike():
    np.testing.assert_allclose(encode.rate(TIMES, CHANNELS, 3, t0=1.0, t1=9.0), [1 / 8, 3 / 8, 0])
    np.testing.assert_allclose(encode.first_spike(TIMES, CHANNELS, 3), [2.5, 1.0, np.inf])
    backwards = encode.first_spike(TIMES[::-1], CHANNELS[::-1], 3)
    np.testing.assert_allclose(backwards, [2.5, 1.0, np.inf])
    slope = jax.jacrev(lambda t: encode.first_spike(t, CHANNELS, 3)[:2])(TIMES)
    np.testing.assert_array_equal(slope, np.eye(7)[[1, 0]])


def test_trace_is_the_sum_of_its_exponentials():
    ts, tau = np.array([0.5, 2.5, 2.6, 7.0, 20.0]), 3.0
    got = encode.trace(TIMES, CHANNELS, 2, ts, tau)
    t, c = np.asarray(TIMES)[:5], np.asarray(CHANNELS)[:5]
    past = t[None] <= ts[:, None]
    terms = np.where(past, np.exp(-(ts[:, None] - np.where(past, t[None], 0)) / tau), 0)
    expected = np.stack([terms[:, c == i].sum(1) for i in range(2)], 1)
    np.testing.assert_allclose(got, expected, rtol=1e-13)
    np.testing.assert_allclose(encode.trace(TIMES, CHANNELS, 2, ts, jnp.inf)[-1], [2, 3])
    weights = jnp.array([[1.0, 0.0, -2.0], [0.5, 3.0, 1.0]])
    potential = encode.potential(TIMES, CHANNELS, weights, ts, tau)
    np.testing.assert_allclose(potential, expected @ np.asarray(weights), rtol=1e-13)
    # d/dt_k exp(-(t - t_k) / tau) = the term / tau
    slope = jax.jacrev(lambda t: encode.trace(t, CHANNELS, 2, ts, tau).sum(1))(TIMES)
    np.testing.assert_allclose(slope[:, :5], terms / tau, rtol=1e-12)
    assert (slope[:, 5:] == 0).all()


def test_decoders_read_the_record_of_a_solve():
    neuron = bpc.neurons.LIF()  # tau dv/dt = e_l - v + I / g_l
    drives = jnp.array([90.0, 130.0, 160.0])  # pA; 100 is the least that makes it spike
    found = bpc.simulate(neuron, neuron.rest((3,)), drives, t1=100.0, dt=0.1, max_spikes=40)
    times, channels = found.spikes.times, found.spikes.neurons
    counts = np.bincount(channels[: found.spikes.count], minlength=3)
    np.testing.assert_allclose(encode.rate(times, channels, 3, t1=100.0) * 100, counts)
    curve = encode.Charging(neuron.c / neuron.g_l, neuron.g_l * (neuron.v_th - neuron.e_l))
    coded = encode.latency(drives, curve)
    np.testing.assert_allclose(
        encode.first_spike(times, channels, 3),
        encode.first_spike(coded.times, coded.channels, 3),
        atol=1e-8,
    )


def test_what_makes_no_sense_is_refused_or_nan():
    with pytest.raises(ValueError, match="size: there are only 1 channels"):
        encode.rate(TIMES, CHANNELS, 1, t1=10.0)
    with pytest.raises(ValueError, match="times are NaN: an encoder had too little room"):
        encode.first_spike(TIMES * jnp.nan, CHANNELS, 2)
    with pytest.raises(ValueError, match="t1 must be later"):
        encode.rate(TIMES, CHANNELS, 2, t1=0.0)
    with pytest.raises(ValueError, match="tau must be positive"):
        encode.trace(TIMES, CHANNELS, 2, np.array([1.0, 2.0]), 0.0)
    with pytest.raises(ValueError, match="ts must rise"):
        encode.trace(TIMES, CHANNELS, 2, np.array([2.0, 1.0]), 1.0)
    for decode in (
        lambda t, c: encode.rate(t, c, 1, t1=10.0),
        lambda t, c: encode.first_spike(t, c, 1),
        lambda t, c: encode.trace(t, c, 1, np.array([1.0, 2.0]), 1.0),
    ):
        assert jnp.isnan(jax.jit(decode)(TIMES, CHANNELS)).all()
    assert jnp.isnan(jax.jit(lambda t: encode.first_spike(t, CHANNELS, 2))(TIMES * jnp.nan)).all()


# Cochlea


@pytest.mark.parametrize("centre", [150.0, 1000.0, 3100.0])
def test_filters_are_scipys_gammatones(centre):
    b, _ = scipy_signal.gammatone(centre, "fir", order=4, numtaps=300, fs=8000)
    (response,) = encode.gammatone(np.array([centre]), 8000.0, 300)
    # Up to a factor: here the gain at the centre is 1, there about 1. Scipy has f / 9.26449 + 24.7
    # for the ERB (Slaney 1993), here it is 24.7 (0.00437 f + 1): equal to 1e-4.
    scaled = b * (b @ response) / (b @ b)
    np.testing.assert_allclose(response, scaled, atol=2e-4 * np.abs(response).max())
    _, gain = scipy_signal.freqz(response, worN=[centre], fs=8000)
    np.testing.assert_allclose(np.abs(gain), 1.0, rtol=1e-12)


def test_a_tone_is_heard_at_its_place_with_its_amplitude():
    tone = 0.7 * np.sin(2 * np.pi * 997.0 * np.arange(16000) / 8000.0)
    centres = jnp.array([400.0, 997.0, 2000.0])
    heard = jax.jit(lambda s: encode.cochlea(s, 8000.0, centres, frame=10.0))(tone)
    assert heard.shape == (200, 3)
    # A half-wave rectified sine of amplitude A has the mean A / pi.
    np.testing.assert_allclose(heard[10:].mean(0)[1], 0.7 / np.pi, rtol=1e-3)
    assert heard[10:, [0, 2]].max() < 0.02 * 0.7
    assert (heard >= 0).all()


def test_centres_are_equally_spaced_in_erb_numbers():
    f = np.asarray(encode.erb_centres(100.0, 3600.0, 9))
    np.testing.assert_allclose(f[[0, -1]], [100.0, 3600.0], rtol=1e-12)
    # The number of ERBs between two frequencies is the integral of df / ERB(f).
    fine = np.linspace(100.0, 3600.0, 200_001)
    middle = (fine[1:] + fine[:-1]) / 2
    numbers = np.concatenate([[0], np.cumsum(1 / (24.7 * (0.00437 * middle + 1)))])
    np.testing.assert_allclose(np.diff(np.interp(f, fine, numbers), 2), 0, atol=1e-6 * numbers[-1])


@pytest.mark.parametrize(
    "sound, options, why",
    [
        (np.zeros(3), {}, "at least a frame"),
        (np.zeros(100), {"centres": np.array([5000.0])}, "centres must be between 0 and 4000"),
        (np.full(100, np.nan), {}, "sound must be finite"),
        (np.zeros(100), {"frame": 0.3}, "whole number of samples"),
    ],
)
def test_bad_sounds(sound, options, why):
    with pytest.raises(ValueError, match=why):
        encode.cochlea(sound, 8000.0, **options)
