"""Siegert's rate and Brunel's states: limits, other routes, and the numbers of the literature."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf

from theory.closed_forms import siegert

CELL = dict(tau=20.0, threshold=20.0, reset=10.0, refractory=2.0)  # ms, mV


def close(actual, desired, rtol):
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=0)


def test_known_rates():
    # Reference values for the cell above, by independent code at a relative accuracy of 1e-10.
    mean, sigma = np.array([10, 20, 30, 19, 18]), np.array([5, 5, 1, 1, 4])
    known = np.array([0.88192346, 27.34056735, 63.18800211, 6.83081914, 16.30231619])  # Hz
    np.testing.assert_allclose(1e3 * siegert.rate(mean, sigma, **CELL), known, atol=5e-9, rtol=0)


def test_without_noise_it_is_the_rate_at_constant_drive():
    close(siegert.rate(30.0, 0.0, **CELL), 1 / (2 + 20 * np.log(2)), 1e-14)  # 63.0400022 Hz
    close(siegert.rate(30.0, 1e-5, **CELL), siegert.rate(30.0, 0.0, **CELL), 1e-10)
    assert siegert.rate(20.0, 0.0, **CELL) == 0 and siegert.rate(0.0, 0.5, **CELL) == 0


def test_the_area_is_the_integral_wherever_that_can_be_done_as_it_stands():
    for low, high in [(-3, -2), (-2, 1), (0, 1e-3), (0.5, 3), (2, 2.01), (-5, 5), (-1e-8, 1e-8)]:
        plain = quad(lambda u: np.exp(u * u) * (1 + erf(u)), low, high, epsabs=0, epsrel=1e-12)[0]
        close(siegert.log_area(low, high), np.log(plain), 1e-9)


def test_the_area_far_from_threshold():
    # For u << 0 the integrand is 1 / (sqrt(pi) |u|) (1 - 1 / (2 u^2) + ...).
    for low, high in [(-200.0, -100.0), (-1e7, -1e3)]:
        series = np.log(low / high) - 0.25 * (high**-2 - low**-2)
        close(np.exp(siegert.log_area(low, high)), series / np.sqrt(np.pi), 1e-8)
    # For b >> 0, int exp(u^2) = exp(b^2) / (2 b) (1 + 1 / (2 b^2) + 3 / (4 b^4) + ...).
    for high in (30.0, 300.0, 1e4):
        tail = 1 + 0.5 * high**-2 + 0.75 * high**-4 + 1.875 * high**-6
        close(siegert.log_area(0.9 * high, high) - high**2, np.log(tail / high), 1e-9)


def moments(low, high, points):
    """Mean and standard deviation of the first passage, in units of tau, by finite differences.

    Backward equation, `x` in units of sigma from the mean: `T'' / 2 - x T' = -1` and
    `S'' / 2 - x S' = -2 T` for the second moment, no flux far below, zero at the threshold.
    """
    x, h = np.linspace(min(low, 0) - 7, high, points, retstep=True)
    up, down = 0.5 / h**2 - 0.5 * x / h, 0.5 / h**2 + 0.5 * x / h
    matrix = np.zeros((points, points))
    inner = np.arange(1, points - 1)
    matrix[inner, inner], matrix[inner, inner + 1], matrix[inner, inner - 1] = (
        -1 / h**2,
        up[inner],
        down[inner],
    )
    matrix[0, :2], matrix[-1, -1] = [-1, 1], 1
    right = np.where((np.arange(points) == 0) | (np.arange(points) == points - 1), 0, -1.0)
    first = np.linalg.solve(matrix, right)
    second = np.linalg.solve(matrix, 2 * right * first)
    mean, square = np.interp(low, x, first), np.interp(low, x, second)
    return np.array([mean, np.sqrt(square - mean**2)])


@pytest.mark.parametrize("mean, sigma", [(10.0, 5.0), (20.0, 5.0), (22.0, 4.0)])
def test_mean_and_cv_solve_the_backward_equation(mean, sigma):
    ends = (10 - mean) / sigma, (20 - mean) / sigma
    cells = ends[1] - min(ends[0], 0) + 7  # of length 1: the reset lies on a node
    coarse, fine = (moments(*ends, round(cells * k) + 1) for k in (50, 100))
    mean_time, deviation = (4 * fine - coarse) / 3  # the error is of second order
    known = dict(tau=1.0, threshold=20.0, reset=10.0)
    close(1 / siegert.rate(mean, sigma, **known), mean_time, 2e-5)
    close(siegert.cv(mean, sigma, **known), deviation / mean_time, 2e-5)


def test_known_cvs():
    # Same origin as the rates.
    result = siegert.cv(np.array([10, 20, 30]), np.array([5, 5, 1]), **CELL)
    np.testing.assert_allclose(result, [0.986396, 0.582636, 0.076795], rtol=0, atol=5e-7)


def test_limits_of_the_cv():
    # Rare escapes are a Poisson process; weak noise at high drive: var V = sigma^2 / 2 (1 - e^-2T)
    # at the threshold, over the speed there.
    free = CELL | dict(refractory=0.0)
    close(siegert.cv(0.0, 2.0, **free), 1.0, 1e-9)
    close(siegert.cv(0.0, 0.1, **free), 1.0, 1e-9)
    period, spread = 20 * np.log(2), 1e-4 * np.sqrt(0.5 * (1 - 0.25))
    close(siegert.cv(30.0, 1e-4, **free), 20 * spread / 10 / period, 1e-6)
    assert siegert.cv(30.0, 0.0, **CELL) == 0 and np.isnan(siegert.cv(10.0, 0.0, **CELL))


def test_zeta_at_one_half():
    # The alternating sum by Euler's transform, over 1 - sqrt(2).
    partial = np.cumsum((-1.0) ** np.arange(60) / np.sqrt(np.arange(1, 61)))
    while partial.size > 1:
        partial = 0.5 * (partial[1:] + partial[:-1])
    close(siegert.ZETA_HALF, partial[0] / (1 - np.sqrt(2)), 1e-14)


def test_slow_synapses_shift_the_ends():
    # Fourcaud & Brunel (2002): to first order in k = sqrt(tau_s / tau) the rate falls by
    # alpha tau rate^2 k (phi(b) - phi(a)), phi(u) = sqrt(pi) / 2 exp(u^2) (1 + erf u).
    mean, sigma, alpha = 15.0, 5.0, 2.0652531522312172
    phi = [np.sqrt(np.pi) / 2 * np.exp(u * u) * (1 + erf(u)) for u in (-1.0, 1.0)]
    white = siegert.rate(mean, sigma, **CELL)
    k = 0.1 * 0.5 ** np.arange(4)
    result = siegert.rate(mean, sigma, tau_s=20 * k**2, **CELL)
    left = np.abs(result - (white - alpha * 20 * white**2 * k * (phi[1] - phi[0])))
    np.testing.assert_allclose(np.diff(np.log(left)) / np.log(0.5), 2.0, atol=0.1)


def test_the_shift_is_that_of_simulated_coloured_noise():
    # tau v' = mean - v + sigma sqrt(tau) z, tau_s z' = -z + white noise: 4,000 cells for 500 ms.
    mean, sigma, tau, tau_s, dt = 18.0, 5.0, 20.0, 0.8, 0.08
    key = np.random.default_rng(1)
    v, hold, count = key.uniform(5.0, 18.0, 4000), np.zeros(4000), 0
    z = key.normal(size=4000) / np.sqrt(2 * tau_s)
    keep, kick = np.exp(-dt / tau_s), np.sqrt((1 - np.exp(-2 * dt / tau_s)) / (2 * tau_s))
    for step in range(round(700 / dt)):
        new = keep * z + kick * key.normal(size=4000)
        drift = mean + sigma * np.sqrt(tau) * 0.5 * (z + new)
        z, hold = new, hold - dt
        v = np.where(hold > 0, v, drift + (v - drift) * np.exp(-dt / tau))
        fired = v >= 20.0
        v, hold = np.where(fired, 10.0, v), np.where(fired, 2.0, hold)
        count += fired.sum() if step * dt >= 200 else 0
    measured = count / 4000 / 500
    white, shifted = (siegert.rate(mean, sigma, tau_s=x, **CELL) for x in (0.0, tau_s))
    assert abs(measured / shifted - 1) < 0.03 < 0.15 < white / shifted - 1


def test_brunel_s_four_regimes():
    # Brunel (2000), model A, fig. 8: theory 55.8, 38.0 and 6.5 Hz in its table of the three
    # irregular ones; the finer digits by independent code.
    def only(ratio, external):
        (state,) = siegert.brunel_states(1000, 250, 0.1, ratio, 10.0 * external, reset=10.0)
        return np.array(state) * [1e3, 1, 1, 1]

    np.testing.assert_allclose(only(3.0, 2.0)[:3], [327.00848, 203.504, 14.716], atol=5e-4)
    close(only(3.0, 2.0)[0], 327.00848, 2e-8)
    np.testing.assert_allclose(only(5.0, 2.0), [37.9497, 21.025, 7.683, 0.6753], atol=5e-4)
    close(only(5.0, 2.0)[0], 37.94970, 2e-7)
    np.testing.assert_allclose([only(6.0, 4.0)[0], only(4.5, 0.9)[0]], [55.84, 6.517], atol=1e-2)


def test_every_state_of_brunel_s_network_sustains_itself():
    # Weak drive and weak inhibition: silent, unstable, and saturated (Brunel 2000, fig. 2).
    states = siegert.brunel_states(1000, 250, 0.1, 3.0, 5.0, reset=10.0)
    assert len(states) == 3 and states[0].rate < 1e-40 and states[2].rate > 0.29
    for state in states:
        close(state.mean, 20 * (1000 * state.rate - 3 * 250 * state.rate + 5.0) * 0.1, 1e-12)
        variance = 20 * (1000 * state.rate + 9 * 250 * state.rate + 5.0) * 0.01
        close(state.sigma, np.sqrt(variance), 1e-12)
        close(siegert.rate(state.mean, state.sigma, **CELL), state.rate, 1e-9)
    with pytest.raises(ValueError, match="3 states"):
        siegert.brunel_rate(1000, 250, 0.1, 3.0, 5.0, reset=10.0)
    (quiet,) = siegert.brunel_states(1000, 250, 0.1, 4.5, 1e-3)
    assert quiet.rate == 0.0


def test_more_noise_or_drive_below_threshold_gives_more_spikes():
    mean, sigma = np.linspace(-5, 60, 27)[:, None], np.linspace(1, 8, 15)
    rates = siegert.rate(mean, sigma, **CELL)
    assert (np.diff(rates, axis=0) > 0).all() and (np.diff(rates[:9], axis=1) > 0).all()
    assert (rates < 1 / 2.0).all()


@pytest.mark.parametrize(
    "bad, words",
    [
        (dict(tau=0.0), "tau must be positive"),
        (dict(reset=20.0), "threshold must be above reset"),
        (dict(refractory=-1.0), "refractory"),
        (dict(tau_s=-1.0), "tau_s"),
        (dict(sigma=np.nan), "sigma"),
        (dict(mean=np.inf), "mean must be finite"),
    ],
)
def test_input_out_of_range_is_refused(bad, words):
    for function in (siegert.rate, siegert.cv):
        with pytest.raises(ValueError, match=words):
            function(**(dict(mean=1.0, sigma=1.0) | CELL | bad))
