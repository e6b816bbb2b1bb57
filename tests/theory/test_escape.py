"""First passages, the Fokker-Planck spectrum, Kramers' rate and critical slowing."""

import numpy as np
import pytest
from scipy.special import erfi

from theory.closed_forms import critical_slowing as slowing, first_passage as passage, siegert
from theory.closed_forms.first_passage import double_well


def close(actual, desired, rtol=1e-10, atol=0.0):
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=atol)


def flat(x):
    return np.zeros_like(x)


def test_the_double_well_at_d_0_1():
    # Independent quadrature and discretisation.
    rate = passage.kramers_rate(2.0, -1.0, 0.25, 0.1)
    close(rate, 1.84756e-2, atol=5e-8, rtol=0)
    close(rate, np.sqrt(2) / (2 * np.pi) * np.exp(-2.5))
    close(passage.mean_time(double_well, 0.1, -1, 0, -4), 30.8213, atol=5e-5, rtol=0)
    close(passage.mean_time(double_well, 0.1, -1, 1, -4), 66.2686, atol=5e-5, rtol=0)
    (gap,) = passage.relaxation_rates(double_well, 0.1, -3, 3)
    close(gap, 3.354e-2, atol=1e-5, rtol=0)
    assert 0.09 < 2 * rate / gap - 1 < 0.18


def test_first_passages_in_closed_form():
    # Free diffusion from a wall: (L^2 - x^2) / (2 D); constant slope F downhill, from far: L / F.
    close(passage.mean_time(flat, 0.3, 0.4, 2.0, 0.0), (4 - 0.16) / 0.6)
    close(passage.mean_time(flat, 0.3, 0.0, 2.0, 0.0), 4 / 0.6)
    close(passage.mean_time(flat, 0.3, -0.4, -2.0, 0.0), (4 - 0.16) / 0.6)
    close(passage.mean_time(lambda x: -3 * x, 0.1, 0.0, 2.0, -2.0), 2 / 3, 1e-8)
    # A slope F uphill from a wall: D / F^2 (exp(F L / D) - 1 - F L / D).
    uphill = 0.1 / 9 * (np.exp(60.0) - 61)
    close(passage.mean_time(lambda x: 3 * x, 0.1, 0.0, 2.0, 0.0), uphill)
    close(passage.log_mean_time(lambda x: 300 * x, 0.1, 0, 2, 0, 4000), np.log(0.1 / 9e4) + 6e3)


def test_the_integral_is_siegert_s_for_a_parabola():
    # dv = -v dt + dW: D = 1/2 is sigma = 1, tau = 1.
    exact = 1 / siegert.rate(0.0, 1.0, 1.0, 2.5, -0.5)
    close(passage.mean_time(lambda x: x * x / 2, 0.5, -0.5, 2.5, -9.0), exact)
    # From the middle, sqrt(pi) int_0^b (exp(u^2) erfc(-u)); from minus to plus b it is 2 times
    # int_0^b exp(u^2), which is pi erfi(b) in all.
    both = passage.mean_time(lambda x: x * x / 2, 0.5, -2.0, 2.0, -9.0)
    close(both, np.pi * erfi(2.0))


def test_parts_add_up_and_more_panels_change_nothing():
    whole = passage.mean_time(double_well, 0.07, -1, 1.2, -3)
    parts = [passage.mean_time(double_well, 0.07, *ends, -3) for ends in ((-1, 0.1), (0.1, 1.2))]
    close(sum(parts), whole)
    close(passage.mean_time(double_well, 0.07, -1, 1.2, -3, 1700), whole)
    close(passage.mean_time(double_well, 0.07, 1, -1.2, 3), whole)


def test_kramers_slope_and_limit():
    inverse = np.array([60.0, 200.0, 600.0])
    logs = np.array(
        [-passage.log_mean_time(double_well, 1 / k, -1, 1, -1.4, 3000) for k in inverse]
    )
    # The time to the far well is the inverse rate, up to a factor 1 + O(D).
    kramers = np.log(passage.kramers_rate(2.0, -1.0, 0.25, 1 / inverse))
    off = np.abs(logs - kramers)
    assert off[2] < 5e-3 and (np.diff(np.log(off)) / np.diff(np.log(inverse)) < -0.9).all()
    close(np.diff(kramers) / np.diff(inverse), -0.25)


def test_kramers_in_two_dimensions_is_that_of_the_valley():
    # E = double well in x + 3 y^2 / 2, turned by an angle: the stiff direction cancels.
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    well, saddle = (turn @ np.diag([k, 3.0]) @ turn.T for k in (2.0, -1.0))
    close(passage.kramers_rate(well, saddle, 0.25, 0.1), passage.kramers_rate(2.0, -1.0, 0.25, 0.1))
    # A pass half as wide as the well (four times the curvature) halves the rate.
    narrow = turn @ np.diag([-1.0, 12.0]) @ turn.T
    close(2 * passage.kramers_rate(well, narrow, 0.25, 0.1), passage.kramers_rate(2, -1, 0.25, 0.1))


def test_spectra_in_closed_form():
    # A parabola: 1, 2, 3 (Hermite); a box of length L: D (k pi / L)^2.
    close(passage.relaxation_rates(lambda x: x**2 / 2, 0.1, -3.5, 3.5, 3), [1, 2, 3], 1e-6)
    close(passage.relaxation_rates(flat, 0.3, -1, 1, 3), 0.3 * (np.pi * np.arange(1, 4) / 2) ** 2)
    # The gap of a double well is the rate of both escapes.
    (gap,) = passage.relaxation_rates(double_well, 0.03, -2.5, 2.5)
    close(gap, 2 / passage.mean_time(double_well, 0.03, -1, 1, -2), 2e-2)


def test_simulated_escapes_take_the_mean_time():
    # 1,500 walkers from -1 to 1 at D = 0.15, Heun's method: standard error 2.6 %.
    key, d, dt = np.random.default_rng(5), 0.15, 0.02
    x, times, step = np.full(1500, -1.0), [], 0
    while x.size:
        kick = np.sqrt(2 * d * dt) * key.normal(size=x.size)
        guess = x + dt * (x - x**3) + kick
        x = x + 0.5 * dt * (x - x**3 + guess - guess**3) + kick
        step += 1
        times += [step * dt] * int((x >= 1).sum())
        x = x[x < 1]
    exact = passage.mean_time(double_well, d, -1, 1, -4)
    assert abs(np.mean(times) / exact - 1) < 0.08


def test_critical_slowing():
    r = np.array([-1.0, -0.25, -1e-4])
    close(slowing.fold_slope(r), [-2, -1, -0.02])
    close(slowing.pitchfork_slope([-0.3, 0.0, 0.3]), [-0.3, 0.0, -0.6])
    # Derivatives at the rest states.
    close(slowing.fold_slope(r), 2 * -np.sqrt(-r))
    close(slowing.pitchfork_slope(0.3), 0.3 - 3 * 0.3)


def test_noise_near_a_rest_state():
    # The exact recursion of an Ornstein-Uhlenbeck process keeps the variance.
    slope, d, lag = -0.3, 0.2, 0.5
    keep = slowing.autocorrelation(slope, lag)
    kick = d / -slope * (1 - np.exp(2 * slope * lag))
    variance = slowing.variance(slope, d)
    close(keep**2 * variance + kick, variance)
    # And it is the width of exp(-U / D) with U = |slope| x^2 / 2.
    x = np.linspace(-15, 15, 4001)
    weight = np.exp(-0.15 * x**2 / d)
    close(weight @ x**2 / weight.sum(), variance)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: passage.mean_time(double_well, 0.0, -1, 0, -3), "diffusion must be positive"),
        (lambda: passage.mean_time(double_well, 0.1, -1, 0, -0.5), "between wall and target"),
        (lambda: passage.mean_time(double_well, 0.1, 0, 0, -1), "between wall and target"),
        (lambda: passage.mean_time(double_well, 1e-4, -1, 0, -3), "too steep"),
        (lambda: passage.mean_time(lambda x: 0.0, 0.1, -1, 0, -3), "keep the shape"),
        (lambda: passage.mean_time(lambda x: x * np.nan, 0.1, -1, 0, -3), "must be finite"),
        (lambda: passage.relaxation_rates(double_well, 0.1, 1, 1), "low must be below high"),
        (lambda: passage.kramers_rate(-1.0, -1.0, 0.2, 0.1), "well must be positive"),
        (lambda: passage.kramers_rate(1.0, 1.0, 0.2, 0.1), "one falling direction"),
        (lambda: slowing.fold_slope(0.1), "beyond the fold"),
        (lambda: slowing.variance(0.0, 1.0), "slope must be negative"),
        (lambda: slowing.autocorrelation(-1.0, -1.0), "lag must not be negative"),
    ],
)
def test_input_out_of_range_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
