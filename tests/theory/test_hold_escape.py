"""Escape in hold mode: the closed form against itself, and against spikes of the memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bpcjax.energies import ModernHopfield
from bpcjax.models import SpikingHopfield, event_path
from theory.closed_forms import hold_escape


def paths(kappa, rate, copies, spikes, seed=0):
    """m just before each spike of a two-memory network, started at a memory; and its times."""
    energy = ModernHopfield(np.eye(2), 2 * kappa)  # beta |x_1 - x_2|^2 / 4 = beta / 2
    memory = SpikingHopfield(energy, rate)
    m = hold_escape.rest(kappa) if kappa > 1 else 0.0
    query = jnp.array([(1 + m) / 2, (1 - m) / 2])

    def one(key):
        path = event_path(
            memory, query, key, spikes=spikes, save=lambda y: y.x @ jnp.array([1.0, -1.0])
        )
        return path.saved, path.times, path.winners

    return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(seed), copies))


def test_limits():
    # kappa = 0: V = -ln(1 - m^2) / 2, density (1 - m^2)^(R / 2 - 1)
    m = np.linspace(-0.9, 0.9, 7)
    own = [hold_escape.potential(x, 0.0) for x in m]
    np.testing.assert_allclose(own, -0.5 * np.log1p(-(m**2)), atol=1e-12)
    beta = stats.beta(2.5, 2.5, loc=-1, scale=2)  # R = 5
    np.testing.assert_allclose(hold_escape.density(m, 0.0, 5.0), beta.pdf(m), rtol=1e-9)
    assert hold_escape.rest(0.9) == 0 and hold_escape.rest(1.5) == pytest.approx(0.8585598)
    # barrier near kappa = 1: V = -(kappa - 1) m^2 / 2 + (kappa^3 / 3 - kappa + 1) m^4 / 4
    eps = 1e-3
    quartic = (1 + eps) ** 3 / 3 - eps
    assert hold_escape.barrier(1 + eps) == pytest.approx(eps**2 / (4 * quartic), rel=2e-2)
    assert hold_escape.critical_rate(0.0) == 2 and np.isinf(hold_escape.critical_rate(1.0))


def test_a_flat_density_at_the_critical_rate():
    kappa = 0.5
    rate = hold_escape.critical_rate(kappa)
    h = 1e-3
    low, middle, high = hold_escape.density(np.array([-h, 0, h]), kappa, rate)
    assert abs(low + high - 2 * middle) / h**2 < 1e-4
    for factor, sign in ((0.8, 1), (1.25, -1)):
        low, middle, high = hold_escape.density(np.array([-h, 0, h]), kappa, factor * rate)
        assert np.sign(low + high - 2 * middle) == sign


def test_slow_spikes_wait_for_a_change_of_winner():
    # R -> 0 with winner 1 held: the state is at m = 1 soon, waits 1 / (R q_2(1)) for the other
    # winner, and then takes ln 2 to fall to 0
    rate, kappa = 1e-4, 2.0
    first, second = hold_escape.passage_times(kappa, rate, hold_escape.rest(kappa))
    assert first == pytest.approx((1 + np.exp(2 * kappa)) / rate, rel=2e-3)
    # with winner 2 held it falls at once, unless winner 1 comes on the way
    m = hold_escape.rest(kappa)
    assert second < first and second > np.log1p(m)


@pytest.mark.slow
@pytest.mark.parametrize("kappa, rate", [(0.5, 1.5), (0.5, 8.0), (1.3, 4.0)])
def test_spikes_have_the_exact_density(kappa, rate):
    # independent chains, after 40 time constants: Kolmogorov-Smirnov against the integral
    saved, _, _ = paths(kappa, rate, 2000, int(40 * rate))
    s = np.linspace(-15, 15, 3001)  # m = tanh s: at the ends the density may have a pole
    grid = np.tanh(s)
    p = hold_escape.density(grid, kappa, rate) * (1 - grid**2)
    cdf = np.concatenate([[0], np.cumsum(0.5 * (p[1:] + p[:-1]) * np.diff(s))])
    assert cdf[-1] == pytest.approx(1, abs=2e-3)
    # by symmetry both signs are alike: |m| does not depend on having mixed between memories
    m = np.abs(np.asarray(saved)[:, -1])
    result = stats.kstest(m, lambda x: 2 * (np.interp(x, grid, cdf / cdf[-1]) - 0.5))
    assert result.pvalue > 1e-3


@pytest.mark.slow
def test_escape_takes_the_exact_mean_time_and_its_logarithm_rises_with_the_rate():
    kappa, rates, copies = 1.6, np.array([5.0, 10.0, 15.0, 20.0]), 400
    logs, exact = [], []
    for rate in rates:
        expected = hold_escape.escape_time(kappa, rate)
        saved, times, winners = (
            np.asarray(x) for x in paths(kappa, rate, copies, int(14 * expected * rate) + 50)
        )
        # the state crosses 0 between two spikes, on the way to pattern 2: m = -1 + (1 + m0) e^-t
        crossed, rows = saved < 0, np.arange(copies)
        assert crossed.any(axis=1).all()
        last = crossed.argmax(axis=1) - 1
        assert (winners[rows, last] == 1).all()
        passage = times[rows, last] + np.log1p(saved[rows, last])
        assert abs(passage.mean() - expected) < 3.5 * passage.std() / np.sqrt(copies), rate
        logs.append(np.log(passage.mean()))
        exact.append(np.log(expected))
    # fitted slope of the logarithm: 3 standard errors of four points of relative error 1 / 20
    slopes = [np.polyfit(rates, y, 1)[0] for y in (logs, exact)]
    assert abs(slopes[0] - slopes[1]) < 3 * 0.05 / np.sqrt(np.sum((rates - rates.mean()) ** 2))
    # and of high rates it is the barrier
    far = [np.log(hold_escape.escape_time(kappa, rate)) for rate in (300.0, 400.0)]
    np.testing.assert_allclose((far[1] - far[0]) / 100, hold_escape.barrier(kappa), rtol=0.03)
