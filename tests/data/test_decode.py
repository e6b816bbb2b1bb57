"""Spikes to numbers: closed forms, and the record of a solve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax import encode

TIMES = jnp.array([1.0, 2.5, 2.5, 4.0, 9.0, jnp.inf, jnp.inf])
CHANNELS = jnp.array([1, 0, 1, 1, 0, -1, -1])
SPIKES = bpc.Spikes(TIMES, CHANNELS)


def test_rate_and_first_spike():
    np.testing.assert_allclose(encode.rate(SPIKES, 3, t0=1.0, t1=9.0), [1 / 8, 3 / 8, 0])
    np.testing.assert_allclose(encode.first_spike(SPIKES, 3), [2.5, 1.0, np.inf])
    backwards = encode.first_spike(bpc.Spikes(TIMES[::-1], CHANNELS[::-1]), 3)
    np.testing.assert_allclose(backwards, [2.5, 1.0, np.inf])
    slope = jax.jacrev(lambda t: encode.first_spike(bpc.Spikes(t, CHANNELS), 3)[:2])(TIMES)
    np.testing.assert_array_equal(slope, np.eye(7)[[1, 0]])


def test_trace_is_the_sum_of_its_exponentials():
    ts, tau = np.array([0.5, 2.5, 2.6, 7.0, 20.0]), 3.0
    got = encode.trace(SPIKES, 2, ts, tau)
    t, c = np.asarray(TIMES)[:5], np.asarray(CHANNELS)[:5]
    past = t[None] <= ts[:, None]
    terms = np.where(past, np.exp(-(ts[:, None] - np.where(past, t[None], 0)) / tau), 0)
    expected = np.stack([terms[:, c == i].sum(1) for i in range(2)], 1)
    np.testing.assert_allclose(got, expected, rtol=1e-13)
    np.testing.assert_allclose(encode.trace(SPIKES, 2, ts, jnp.inf)[-1], [2, 3])
    weights = jnp.array([[1.0, 0.0, -2.0], [0.5, 3.0, 1.0]])
    potential = encode.potential(SPIKES, weights, ts, tau)
    np.testing.assert_allclose(potential, expected @ np.asarray(weights), rtol=1e-13)
    # d/dt_k exp(-(t - t_k) / tau) = the term / tau
    slope = jax.jacrev(lambda t: encode.trace(bpc.Spikes(t, CHANNELS), 2, ts, tau).sum(1))(TIMES)
    np.testing.assert_allclose(slope[:, :5], terms / tau, rtol=1e-12)
    assert (slope[:, 5:] == 0).all()


@pytest.mark.slow
def test_decoders_read_the_record_of_a_solve():
    neuron = bpc.neurons.LIF()  # tau dv/dt = e_l - v + I / g_l
    drives = jnp.array([90.0, 130.0, 160.0])  # pA; 100 is the least that makes it spike
    solution = bpc.simulate(neuron, neuron.rest((3,)), drives, t1=100.0, dt=0.1, max_spikes=40)
    times, channels = solution.spikes.times, solution.spikes.neurons
    counts = np.bincount(channels[: solution.spikes.count], minlength=3)
    np.testing.assert_allclose(encode.rate(bpc.Spikes(times, channels), 3, t1=100.0) * 100, counts)
    curve = encode.Charging(neuron.c / neuron.g_l, neuron.g_l * (neuron.v_th - neuron.e_l))
    coded = encode.latency(drives, curve)
    np.testing.assert_allclose(
        encode.first_spike(bpc.Spikes(times, channels), 3),
        encode.first_spike(coded, 3),
        atol=1e-8,
    )


def test_what_makes_no_sense_is_refused_or_nan():
    with pytest.raises(ValueError, match="size: there are only 1 channels"):
        encode.rate(SPIKES, 1, t1=10.0)
    with pytest.raises(ValueError, match="times are NaN: an encoder had too little room"):
        encode.first_spike(bpc.Spikes(TIMES * jnp.nan, CHANNELS), 2)
    with pytest.raises(ValueError, match="t1 must be later"):
        encode.rate(SPIKES, 2, t1=0.0)
    with pytest.raises(ValueError, match="tau must be positive"):
        encode.trace(SPIKES, 2, np.array([1.0, 2.0]), 0.0)
    with pytest.raises(ValueError, match="ts must rise"):
        encode.trace(SPIKES, 2, np.array([2.0, 1.0]), 1.0)
    for decode in (
        lambda t, c: encode.rate(bpc.Spikes(t, c), 1, t1=10.0),
        lambda t, c: encode.first_spike(bpc.Spikes(t, c), 1),
        lambda t, c: encode.trace(bpc.Spikes(t, c), 1, np.array([1.0, 2.0]), 1.0),
    ):
        assert jnp.isnan(jax.jit(decode)(TIMES, CHANNELS)).all()
    assert jnp.isnan(
        jax.jit(lambda t: encode.first_spike(bpc.Spikes(t, CHANNELS), 2))(TIMES * jnp.nan)
    ).all()
