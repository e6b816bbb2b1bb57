"""f-I curves, phase responses and saltation of simple neurons: limits and other routes."""

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from theory.closed_forms import fi, neurons, phase_response, saltation


def close(actual, desired, rtol=1e-10, atol=0.0):
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=atol)


DRIVES = np.array([1.05, 1.2, 1.5, 2.0])


def test_periods_of_the_leaky_neuron():
    # 20 log(I / (I - 1)); the slope at 1.5 is 20 (1 / 1.5 - 1 / 0.5).
    known = [60.89044875, 35.83518938, 21.97224577, 13.86294361]
    close(1 / fi.lif_rate(DRIVES, 20.0), known, atol=5e-9, rtol=0)
    close(fi.lif_period_slope(1.5, 20.0), -26.6666666667)
    ahead, behind = (1 / fi.lif_rate(DRIVES + h, 20.0) for h in (1e-5, -1e-5))
    close(fi.lif_period_slope(DRIVES, 20.0), (ahead - behind) / 2e-5, 1e-6)


def test_the_drive_gives_back_the_rate():
    drive = np.array([-49.99, -45.0, 0.0, 1e4])
    rate = fi.lif_rate(drive, 20.0, -50.0, -70.0, 2.0)
    close(fi.lif_drive(rate, 20.0, -50.0, -70.0, 2.0), drive, 1e-9, 1e-9)
    # Far above threshold the leak does not count: rate = drive / (tau * span).
    close(fi.lif_rate(1e9, 20.0, -50.0, -70.0), 1e9 / (20 * 20), 1e-6)


def test_periods_of_the_quadratic_neuron():
    close(fi.qif_period(1.0, -30.0, 30.0), 3.07495066, atol=5e-9, rtol=0)  # 2 atan(30)
    close(fi.qif_period(0.3, -1e9, 1e9, 2.0), neurons.theta_period(0.3, 2.0), 1e-8)
    for drive, low, high in [(1.0, -3.0, 5.0), (1e-9, 0.5, 2.0), (0.0, 0.5, 2.0), (-0.04, 0.3, 9)]:
        span = quad(lambda v, drive=drive: 1 / (v * v + drive), low, high, epsabs=0, epsrel=1e-12)
        close(fi.qif_period(drive, low, high, 3.0), 3 * span[0], 1e-9)
    # Reset below the unstable rest at 0.2: silent.
    low = np.array([-1.0, 0.2, 0.2001])
    assert (np.isinf(fi.qif_period(-0.04, low, 9.0)) == [True, True, False]).all()
    assert (fi.qif_rate(-0.04, low, 9.0)[:2] == 0).all()
    close(fi.qif_rate(1.0, -30.0, 30.0, 1.0, 2.0), 1 / 5.07495066, 1e-8)


def test_phase_responses_are_measured_by_kicks():
    kick = 1e-6

    def advance(field, low, high, times):
        """Of the spike, for kicks at those times, by integrating the time over `v`."""

        def left(v):
            return quad(lambda u: 1 / field(u), v, high, epsabs=0, epsrel=1e-13)[0]

        run = solve_ivp(
            lambda t, v: field(v), (0, times[-1]), [low], t_eval=times, rtol=1e-10, atol=1e-12
        )
        return [(left(v - kick) - left(v + kick)) / (2 * kick) for v in run.y[0]]

    times = np.linspace(0.1, 20.0, 6)
    result = advance(lambda v: (1.5 - v) / 20, 0.0, 1.0, times)
    close(phase_response.lif(times, 1.5, 20.0), result, 1e-5)
    times = np.linspace(0.1, 3.0, 6)
    result = advance(lambda v: v * v + 0.7, -2.0, 30.0, times)
    close(phase_response.qif(times, 0.7, -2.0, 30.0), result, 1e-5)


def test_the_theta_neuron_is_the_limit_and_never_delays():
    period = neurons.theta_period(0.4, 2.0)
    t = np.linspace(0, period, 101)
    response = phase_response.theta(t, 0.4, 2.0)
    assert (response >= 0).all()
    close([response.max(), response[50]], 2.0 / 0.4)
    close(response[[0, -1]], 0, atol=1e-14)
    close(phase_response.qif(t[:-1], 0.4, -1e12, 1e12, 2.0), response[:-1], atol=1e-9)
    v = -np.sqrt(0.4) / np.tan(np.pi * t[1:-1] / period)
    close(neurons.theta_advance(v, 0.4, 2.0), response[1:-1])


def test_saltation_of_the_leaky_neuron_undoes_its_flow():
    close(saltation.lif(1.5), 3.0)
    close(saltation.lif(DRIVES) * np.exp(-1 / fi.lif_rate(DRIVES, 20.0) / 20.0), 1.0)
    slope = saltation.saltation([[0.0]], [(1.5 - 1) / 20], [1.5 / 20], [1.0])
    close(slope, [[3.0]])


def flight(state, restitution, gravity, time):
    """Height and velocity a time after `state`, with one bounce on the way."""
    height, velocity = state
    impact = (velocity + np.sqrt(velocity**2 + 2 * gravity * height)) / gravity
    up, left = -restitution * (velocity - gravity * impact), time - impact
    return np.array([up * left - gravity * left**2 / 2, up - gravity * left])


def test_saltation_of_the_bouncing_ball():
    e, g = 0.8, 9.81
    matrix = saltation.bouncing_ball(-3.0, e, g)
    close(np.linalg.det(matrix), e**2)
    before, after = np.array([-3.0, -g]), np.array([2.4, -g])
    close(matrix, saltation.saltation(np.diag([1, -e]), before, after, [1.0, 0.0]))
    close(matrix @ before, after)  # along the path, the field goes over into the field
    # Against finite differences of the flight: fall, bounce, rise.
    start, time = np.array([1.0, 0.5]), 0.8
    speed = -np.sqrt(0.5**2 + 2 * g)
    fall = (0.5 - speed) / g
    shear = [np.array([[1.0, t], [0.0, 1.0]]) for t in (fall, time - fall)]
    product = shear[1] @ saltation.bouncing_ball(speed, e, g) @ shear[0]
    columns = [
        (flight(start + h, e, g, time) - flight(start - h, e, g, time)) / 2e-6
        for h in 1e-6 * np.eye(2)
    ]
    close(product, np.array(columns).T, 1e-7)


def test_saltation_with_a_moving_guard_and_reset():
    # tau v' = I - v with the threshold 1 + 0.1 sin t: disturbed starts, exact between the jumps.
    drive, tau = 1.5, 2.0

    def free(v, time):
        return drive + (v - drive) * np.exp(-time / tau)

    def crossing(v):
        low, high = 0.0, 4.0
        for _ in range(80):
            middle = 0.5 * (low + high)
            above = free(v, middle) >= 1 + 0.1 * np.sin(middle)
            low, high = (low, middle) if above else (middle, high)
        return high

    def end(v):
        spike = crossing(v)
        return free(0.2 * np.cos(spike), 5.0 - spike)

    spike = crossing(0.1)
    level, floor = 1 + 0.1 * np.sin(spike), 0.2 * np.cos(spike)
    jump = saltation.saltation(
        [[0.0]],
        [(drive - level) / tau],
        [(drive - floor) / tau],
        [1.0],
        reset_rate=[-0.2 * np.sin(spike)],
        guard_rate=-0.1 * np.cos(spike),
    )
    slope = (end(0.1 + 1e-6) - end(0.1 - 1e-6)) / 2e-6
    close(np.exp(-5.0 / tau) * jump[0, 0], slope, 1e-7)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: fi.lif_drive(0.6, 20.0, refractory=2.0), "between 0 and 1 / refractory"),
        (lambda: fi.lif_period_slope(1.0, 20.0), "drive must be above threshold"),
        (lambda: fi.qif_period(1.0, 30.0, -30.0), "reset must be below the cut"),
        (lambda: fi.qif_period(np.nan, -1.0, 1.0), "drive must be finite"),
        (lambda: phase_response.lif(1.0, 0.9, 20.0), "drive must be above threshold"),
        (lambda: phase_response.lif(22.0, 1.5, 20.0), "within one period"),
        (lambda: phase_response.theta(-0.1, 1.0), "within one period"),
        (lambda: phase_response.qif(0.1, -1.0, -3.0, 3.0), "drive must be positive"),
        (lambda: saltation.lif(1.0), "drive must be above threshold"),
        (lambda: saltation.bouncing_ball(0.0, 0.5), "speed must be negative"),
        (lambda: saltation.saltation([[1.0]], [0.0], [1.0], [1.0]), "cross the guard"),
    ],
)
def test_input_out_of_range_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
