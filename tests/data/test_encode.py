"""Graded values to spikes: closed forms, bounds, independent code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bpcjax import encode
from tests.support.records import real

# --- latency ----------------------------------------------------------------------------------

VALUES = jnp.array([0.9, 0.1, 0.25, 0.2, 0.5])


def test_latency_is_that_of_a_charging_membrane():
    spikes = encode.latency(VALUES, encode.Charging(tau=12.0, threshold=0.2), t0=3.0)
    kept = [0, 4, 2]  # by time; 0.1 and 0.2 do not exceed the threshold
    x = np.asarray(VALUES)[kept]
    np.testing.assert_array_equal(spikes.neurons, [*kept, -1, -1])
    np.testing.assert_allclose(spikes.times[:3], 3 + 12 * np.log(x / (x - 0.2)), rtol=1e-14)
    assert spikes.count == 3 and spikes.ok and np.isinf(spikes.times[3:]).all()


@pytest.mark.slow
def test_derivative_of_latency():
    def times(x, tau):
        spikes = encode.latency(x, encode.Charging(tau, 0.2))
        return encode.first_spike(spikes, 5)

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
    np.testing.assert_array_equal(spikes.neurons, [0, 3, 2, -1])
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


# --- delta ------------------------------------------------------------------------------------


def events_one_by_one(ts, x, threshold, start):
    """Send on delta of one piecewise linear stream, event after event, in plain Python."""
    level, result = start, []
    old_t, old = ts[0], start
    for i, (t, value) in enumerate(zip(ts, x, strict=True)):
        while abs(value - level) >= threshold * (1 - 1e-12):
            sign = 1 if value > level else -1
            level += sign * threshold
            at = t if i == 0 else old_t + (level - old) / (value - old) * (t - old_t)
            result.append((at, sign))
        old_t, old = t, value
    return result


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
    return spikes.ok, encode.staircase(spikes, fine, x[:1], threshold)


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_sigma_delta_of_a_constant_is_regular_and_follows_the_integral():
    ts = jnp.linspace(0.0, 40.0, 81)
    times, channels = real(encode.sigma_delta(ts, jnp.full(81, -0.3), 1.9))
    np.testing.assert_allclose(times, np.arange(1, 7) * 1.9 / 0.3, rtol=1e-12)
    assert (channels == 1).all()
    x = jnp.stack([jnp.sin(ts), 1 + jnp.cos(ts / 3)], 1)
    spikes = encode.sigma_delta(ts, x, 0.2)
    back = encode.staircase(spikes, ts, jnp.zeros(2), 0.2)
    integral = np.stack([1 - np.cos(ts), ts + 3 * np.sin(ts / 3)], 1)
    # One quantum, and the trapezia: at most h^2 / 12 max|x''| T.
    assert np.abs(back - integral).max() < 0.2 + 0.5**2 / 12 * 40


@pytest.mark.slow
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


@pytest.mark.slow
def test_encoders_run_in_batches():
    ts, _ = smooth(0)
    x = np.stack([smooth(seed)[1] for seed in range(3)])
    batch = jax.vmap(lambda x: encode.delta(ts, x, 0.5, room=2000))(x)
    assert batch.ok.shape == (3,) and batch.ok.all()
    for row, alone in enumerate(encode.delta(ts, one, 0.5, room=2000) for one in x):
        np.testing.assert_allclose(batch.times[row], alone.times, rtol=1e-12)
        np.testing.assert_array_equal(batch.neurons[row], alone.neurons)
