"""Measured times of escape, against the exact integral of the mean first passage time."""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import bpcjax as bpc
from bpcjax.analysis import escape_times, kramers_rate
from theory.closed_forms import first_passage


def double_well(x, args):
    return x**4 / 4 - x**2 / 2


def right(x):
    return x > 1.0


def exact(diffusion, dt, start=-1.0, target=1.0):
    """The mean time to `target` of a path that is looked at each `dt`: as if the border were
    further out by 0.5826 times the amplitude of a step (-zeta(1/2) / sqrt(2 pi); Broadie,
    Glasserman & Kou 1997).
    """
    border = target + 0.5826 * np.sqrt(2 * diffusion * dt)
    return first_passage.mean_time(first_passage.double_well, diffusion, start, border, -2.5)


def measure(diffusion, count, t1, dt, seed=0):
    flow = bpc.Langevin(double_well, diffusion)
    return escape_times(
        flow, -1.0, right, count=count, t1=t1, dt=dt, key=jax.random.key(seed), solver=dfx.Heun()
    )


@pytest.mark.slow
def test_escape_from_a_double_well_takes_the_exact_mean_time():
    solution = measure(0.25, 500, 60.0, 0.05)
    expected = exact(0.25, 0.05)
    assert abs(solution.mean - expected) < 3 * solution.error
    assert solution.error < 0.05 * expected
    assert solution.ok.mean() > 0.95
    np.testing.assert_array_equal(solution.times[~solution.ok], 60.0)
    # Of the times that are not censored none is outside, all are whole steps.
    steps = np.asarray(solution.times) / 0.05
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)


@pytest.mark.slow
def test_the_mean_time_across_the_well_at_weak_noise():
    # D = 0.1 from -1 to 1: 66.2686, the integral by adaptive quadrature.
    np.testing.assert_allclose(exact(0.1, 0.0), 66.2686, atol=5e-5)
    result = measure(0.1, 2000, 300.0, 0.05)
    assert abs(result.mean - exact(0.1, 0.05)) < 3 * result.error
    # And as it is, with the bias of steps estimated from steps twice as long (it goes as sqrt(dt)).
    longer = measure(0.1, 2000, 300.0, 0.1)
    bias = (longer.mean - result.mean) / (np.sqrt(2) - 1)
    error = np.hypot(result.error, np.hypot(longer.error, result.error) / (np.sqrt(2) - 1))
    assert abs(result.mean - bias - 66.2686) < 3 * error


@pytest.mark.slow
def test_the_slope_of_measured_rates_is_the_barrier():
    # d ln r / d(1 / D) is -1/4 for weak noise; between D = 0.12 and 0.09 the integral has -0.23.
    noise = np.array([0.09, 0.12])
    result = [measure(d, 1500, t1, 0.1) for d, t1 in zip(noise, (400.0, 200.0), strict=True)]
    rates = np.log([1 / float(f.mean) for f in result])
    slope = (rates[1] - rates[0]) / (1 / noise[1] - 1 / noise[0])
    error = np.hypot(*[float(f.error / f.mean) for f in result]) / (1 / noise[0] - 1 / noise[1])
    logs = -np.log([exact(d, 0.1) for d in noise])
    expected = (logs[1] - logs[0]) / (1 / noise[1] - 1 / noise[0])
    assert abs(slope - expected) < 3 * error
    assert abs(slope + 0.25) < 3 * error + 0.03
    law = np.log([kramers_rate(double_well, -1.0, 0.0, d) for d in noise])
    np.testing.assert_allclose((law[1] - law[0]) / (1 / noise[1] - 1 / noise[0]), -0.25, rtol=1e-9)


@pytest.mark.slow
def test_paths_settle_to_boltzmanns_law():
    # The histogram of 2,000 ends against exp(-U / D), by chi square; from 0, so both wells alike.
    flow = bpc.Langevin(double_well, 0.25)

    def end(key):
        return bpc.simulate(flow, 0.0, t1=10.0, dt=0.1, key=key, solver=dfx.Heun(), throw=False).ys

    x = np.asarray(jax.jit(jax.vmap(end))(jax.random.split(jax.random.key(3), 2000))).ravel()
    edges = np.linspace(-1.8, 1.8, 13)
    grid = np.linspace(-4, 4, 80_001)
    density = np.exp(-first_passage.double_well(grid) / 0.25)
    share = np.diff(np.interp(edges, grid, np.cumsum(density) / density.sum()))
    share = np.concatenate([share, [1 - share.sum()]])
    seen = np.append(np.histogram(x, edges)[0], ((x < -1.8) | (x > 1.8)).sum())
    assert stats.chisquare(seen, 2000 * share).pvalue > 1e-3
    assert stats.chisquare(seen, 2000 * np.full(13, 1 / 13)).pvalue < 1e-12  # it could have failed


class Trace(bpc.AbstractSpikingSystem):
    """A trace that decays at rate 1, and grows by `step` at each spike; its guard is the trace."""

    step: jax.Array = bpc.parameter(1.0)

    def vector_field(self, t, y, args):
        return -y

    def guard(self, t, y, args):
        return y

    def reset(self, t, y, args, fired):
        return jnp.where(fired, y + self.step, y)


@pytest.mark.slow
def test_the_first_of_spikes_at_a_constant_rate():
    # Exponential with mean 1 / 0.7, cut at 2, and seen half a step late on the mean.
    system = bpc.EscapeRate(Trace(), lambda guard: 0.7 + 0 * guard)
    escape = escape_times(
        system, system.start(jnp.zeros(()), ()), lambda y: y.count > 0, count=1500, t1=2.0,
        dt=0.05, key=jax.random.key(5), solver=bpc.OrderedSpikes(dfx.Heun(), 4),
    )  # fmt: skip
    share = 1 - np.exp(-1.4)
    assert abs(escape.ok.mean() - share) < 3 * np.sqrt(share * (1 - share) / 1500)
    # Who has not left counts: the time of all over the number of departures.
    np.testing.assert_array_equal(escape.times[~escape.ok], 2.0)
    assert abs(escape.mean - (1 / 0.7 + 0.025)) < 3 * escape.error
    np.testing.assert_allclose(escape.error, escape.mean / np.sqrt(escape.ok.sum()), rtol=1e-12)
    late = np.asarray(escape.times)[escape.ok] - 0.025
    law = stats.truncexpon(b=2.0 * 0.7, scale=1 / 0.7)
    assert stats.kstest(late, law.cdf).pvalue > 1e-3


def hazard(trace):
    return 0.4 + 3.0 * jax.nn.sigmoid(4 * (trace - 2.0))


def by_thinning(count, border, seed):
    """Times at which the trace first passes the border: Ogata's thinning, in numpy."""
    rng = np.random.default_rng(seed)
    times, trace, active = np.zeros(count), np.zeros(count), np.ones(count, bool)
    while active.any():  # candidates at the rate 3.4, of which the share hazard / 3.4 are spikes
        wait = rng.exponential(1 / 3.4, count)
        now = np.where(active, trace * np.exp(-wait), trace)
        fires = active & (rng.uniform(size=count) < np.asarray(hazard(now)) / 3.4)
        times = np.where(active, times + wait, times)
        trace = np.where(fires, now + 1, now)
        active &= trace <= border
    return times


@pytest.mark.slow
def test_a_spiking_system_ignites():
    # Spikes feed the trace that drives them: from a low rate to a high one, by chance.
    system = bpc.EscapeRate(Trace(), hazard)
    escape = escape_times(
        system, system.start(jnp.zeros(()), ()), lambda y: y.neuron > 3.0, count=500, t1=300.0,
        dt=0.1, key=jax.random.key(6), solver=bpc.OrderedSpikes(dfx.Heun(), 8),
    )  # fmt: skip
    expected = by_thinning(20_000, 3.0, 0)
    spread = expected.std() / np.sqrt(len(escape.times))
    assert abs(escape.mean - 0.05 - expected.mean()) < 3 * spread
    assert escape.ok.mean() > 0.99


@pytest.mark.slow
def test_nobody_leaves_without_noise():
    solution = measure(0.0, 5, 20.0, 0.1)
    assert not solution.ok.any() and np.isposinf(solution.mean) and np.isposinf(solution.error)
    np.testing.assert_array_equal(solution.times, 20.0)


@pytest.mark.slow
def test_a_solve_that_fails_is_no_escape():
    # Down the cubic x' = -x^2 + noise to minus infinity, which is not on the right.
    flow = bpc.Langevin(lambda x, args: x**3 / 3, 0.01)
    escape = escape_times(flow, -1.0, right, count=4, t1=50.0, dt=0.1, key=jax.random.key(0))
    assert not escape.ok.any() and np.isnan(escape.times).all() and np.isnan(escape.mean)


def test_the_same_key_gives_the_same_times_and_another_others():
    one, two = (measure(0.25, 5, 20.0, 0.1).times for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert (measure(0.25, 5, 20.0, 0.1, seed=1).times != one).any()
    assert len(np.unique(one)) > 1


@pytest.mark.parametrize(
    "change, named",
    [
        (dict(count=0), "count"),
        (dict(y0=2.0), "left holds"),
        (dict(y0=jnp.zeros(2)), "left must give one"),
        (dict(left=lambda x: x), "left must give one"),
        (dict(t1=0.0), "t1"),
        (dict(key=None), "key"),
    ],
)
def test_bad_input_is_named(change, named):
    flow = bpc.Langevin(double_well, 0.1)
    kwargs = dict(y0=-1.0, left=right, count=2, t1=1.0, dt=0.1, key=jax.random.key(0)) | change
    with pytest.raises(ValueError, match=named):
        escape_times(flow, **kwargs)
