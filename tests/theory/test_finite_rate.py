"""Escape from one memory among many: the closed form against others, and against spikes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.energies import ModernHopfield
from bpcjax.models import SpikingHopfield, event_path
from experiments.common.memories import on_sphere
from theory.closed_forms import finite_rate, hold_escape, modern_hopfield


@pytest.mark.parametrize("kappa, rate", [(1.6, 5.0), (2.5, 1.0), (1.2, 20.0)])
def test_of_two_memories_it_is_that_of_the_pair(kappa, rate):
    for odds in (finite_rate.spread(2 * kappa, 2), finite_rate.rival(2 * kappa, 2)):
        found = finite_rate.escape_time(odds, rate, points=20_001)
        # the pair's m is 2 m - 1: from its pattern to its mixture, winner 1 held
        exact = hold_escape.passage_times(kappa, rate, 1 - 1e-12)[0]
        assert found == pytest.approx(exact, rel=1e-4)
        assert finite_rate.barrier(odds) == pytest.approx(hold_escape.barrier(kappa), abs=1e-5)


@pytest.mark.parametrize("count", [3, 10, 200])
def test_the_flow_has_memories_from_the_spinodal_on(count):
    turn = modern_hopfield.spinodal(count).b
    below, above = (finite_rate.spread(turn * (1 + e), count) for e in (-1e-3, 1e-3))
    assert np.isfinite(finite_rate.flow_time(below)) and np.isinf(finite_rate.flow_time(above))
    assert finite_rate.barrier(below) < 1e-12 < finite_rate.barrier(above)
    # The flow's time is the limit of those of fast spikes.
    odds = finite_rate.spread(0.8 * turn, count)
    fast = finite_rate.escape_time(odds, 500.0, points=40_001)
    assert fast == pytest.approx(finite_rate.flow_time(odds), rel=0.02)  # of order 1 / R


def test_slow_spikes_need_one_wrong_draw():
    # 2^R / (R exp(a)): a wrong winner, and none other for ln 2 of time; the own one held else
    b, count = 12.0, 3
    for rate in (0.5, 1.0, 3.0):
        odds = finite_rate.spread(b, count)
        wrong = np.exp(odds(np.array(1.0)))
        found = finite_rate.escape_time(odds, rate)
        assert found == pytest.approx(2**rate / (rate * wrong), rel=0.06)


def test_the_shortfall_is_that_of_the_integral_near_the_fold():
    b, log_time = 9.6, 2.0
    found = finite_rate.fold(lambda m: -b * m)
    # F = b m - logit(m): b m (1 - m) = 1, F'' = -b^2 (2 m - 1)
    m = 0.5 * (1 + np.sqrt(1 - 4 / b))
    assert found.m == pytest.approx(m, abs=1e-3)
    assert found.load == pytest.approx(b * m - np.log(m / (1 - m)), abs=1e-6)
    assert found.coefficient == pytest.approx(4 / 3 * np.sqrt(2 / (2 * m - 1)) / b, rel=1e-2)
    for rate, tolerance in ((1e5, 0.02), (1e3, 0.1)):
        load = found.load - finite_rate.shortfall(found.coefficient, rate, log_time)
        top = finite_rate.barrier(lambda m, load=load: load - b * m, points=200_001)
        assert rate * top == pytest.approx(log_time, rel=tolerance)
    # the fold of many equidistant patterns: b (P m - 1) / (P - 1) -> b m
    count = 1 + np.exp(finite_rate.fold(lambda m: -12.0 * m).load)
    assert modern_hopfield.spinodal(round(count)).b == pytest.approx(12.0, rel=1e-3)
    assert np.isnan(finite_rate.fold(lambda m: -3.0 * m).coefficient)  # none below b = 4


def test_given_patterns_reduce_to_equidistant_ones_and_to_the_sphere():
    m = np.array([0.5, 0.7, 0.9, 1.0])
    odds = finite_rate.given(np.eye(7), 6.0)
    np.testing.assert_allclose(odds(m), finite_rate.spread(6.0, 7)(m), atol=1e-6)
    # Many patterns in many dimensions: the mean over patterns, of relative spread
    # sqrt((exp(beta^2 N) - 1) / P)
    size, count, beta = 64, 4000, 0.1
    patterns = on_sphere(np.random.default_rng(0), count, size)
    one = finite_rate.given(patterns, beta)(m)
    assert np.abs(one - finite_rate.on_sphere(beta, size, count)(m)).max() < 0.06


def test_capacity_is_where_the_time_is_that_asked_for():
    load = lambda count: finite_rate.spread(9.6, count)  # noqa: E731
    slow, fast, flow = (finite_rate.capacity(load, 100.0, r, 9.0) for r in (2.0, 50.0, np.inf))
    assert finite_rate.escape_time(load(np.exp(fast)), 50.0) == pytest.approx(100, rel=1e-3)
    assert slow < fast < flow
    assert np.isnan(finite_rate.capacity(load, 1e9, 2.0, 9.0))  # no two last so long
    # least near R tau = 1 / ln 2, where one wrong spike is enough
    rates = np.linspace(0.8, 2.4, 6)
    low = [finite_rate.capacity(load, 1e3, r, 9.0) for r in rates]
    assert abs(rates[np.argmin(low)] - 1 / np.log(2)) < 0.35


def test_silence_makes_the_wait_for_an_own_spike_longer():
    # the rest of intervals of 2 and an exponential wait, as found by a random time
    rng = np.random.default_rng(0)
    ends = np.cumsum(2 + rng.exponential(size=200_000))
    times = rng.uniform(0, ends[-2], 200_000)
    rest = ends[np.searchsorted(ends, times)] - times
    assert finite_rate.wait(2.0) == pytest.approx(rest.mean(), rel=0.01)
    assert finite_rate.wait(0.0) == 1
    odds = finite_rate.spread(9.0, 50)
    times = [finite_rate.escape_time(odds, 5.0, longer=finite_rate.wait(x)) for x in (0, 0.5, 2)]
    assert times == sorted(times, reverse=True)
    # one wrong spike, and no own one for ln 2: exp(R ln 2 / longer)
    odds, rate = finite_rate.spread(14.0, 3), 2.0
    slow = finite_rate.escape_time(odds, rate, longer=1.5)
    expected = 2 ** (rate / 1.5) / (rate * np.exp(odds(np.array(1.0))))
    assert slow == pytest.approx(expected, rel=0.06)


def escapes(patterns, beta, rate, copies, spikes):
    """First times at which the own share is below one half, by spikes."""
    from experiments.finite_rate.paths import dwell

    memory = SpikingHopfield(ModernHopfield(patterns, beta), rate)
    t1 = 0.6 * spikes / rate

    def one(key):
        path = event_path(memory, patterns[0], key, spikes=spikes, t1=t1)
        return dwell(path.times, path.winners == 0, t1)

    time, lost = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), copies))
    return np.asarray(time), np.asarray(lost)


@pytest.mark.slow
@pytest.mark.parametrize("b, count, rate", [(4.6, 3, 4.0), (5.2, 8, 8.0), (6.0, 24, 20.0)])
def test_spikes_of_equidistant_memories_are_between_the_bounds(b, count, rate):
    upper, lower = (
        finite_rate.escape_time(kind(b, count), rate)
        for kind in (finite_rate.spread, finite_rate.rival)
    )
    time, lost = escapes(jnp.eye(count), b, rate, 1500, int(10 * upper * rate) + 100)
    assert lost.mean() > 0.99
    mean, error = time.sum() / lost.sum(), time.std() / np.sqrt(len(time))
    assert lower - 3.5 * error < mean < upper + 3.5 * error
