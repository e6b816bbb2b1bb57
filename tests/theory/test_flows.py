"""Special points of small flows against published numbers and other routes."""

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from theory.closed_forms import flows


def close(actual, desired, rtol=1e-10, atol=0.0):
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=atol)


def lorenz(y, rho, sigma=10.0, beta=8 / 3):
    return np.array([sigma * (y[1] - y[0]), y[0] * (rho - y[2]) - y[1], y[0] * y[1] - beta * y[2]])


def slope(field, y, h=1e-6):
    return np.array([(field(y + e) - field(y - e)) / (2 * h) for e in h * np.eye(len(y))]).T


def test_lorenz_eigenvalues():
    # Independent eigenvalues of the Jacobian; the first three in closed form.
    close(flows.lorenz_origin_eigenvalues(28.0), [11.82772345, -8 / 3, -22.82772345], 1e-9)
    result = flows.lorenz_pair_eigenvalues(28.0)
    known = [-13.85457791, 0.09395562 - 10.19450522j, 0.09395562 + 10.19450522j]
    close(result, known, atol=5e-9, rtol=0)
    formulas = [flows.lorenz_origin_eigenvalues] + 2 * [flows.lorenz_pair_eigenvalues]
    for rho in (0.5, 14.0, 28.0):
        for rest, formula in zip(flows.lorenz_rests(rho), formulas, strict=False):
            close(lorenz(rest, rho), 0, atol=1e-12)
            direct = np.linalg.eigvals(slope(lambda y, rho=rho: lorenz(y, rho), rest))
            close(np.sort_complex(direct), np.sort_complex(formula(rho)), atol=1e-6)
            close(direct.sum().real, flows.lorenz_divergence(), 1e-8)


def test_lorenz_hopf():
    rho, omega = flows.lorenz_hopf()
    close(rho, 470 / 19)
    close(flows.lorenz_pair_eigenvalues(rho)[1:], [-1j * omega, 1j * omega], atol=1e-9)
    close(flows.lorenz_divergence(), -41 / 3)
    close(flows.lorenz_divergence(16.0, 4.0), -21.0)  # Sprott: 1.50 + 0 - 22.46, rounded


def test_the_cycle_of_van_der_pol():
    # DOP853 at 1e-13 by independent code; Amore (2021), arXiv:2111.12198, has more digits.
    cycle = flows.van_der_pol(1.0)
    close([cycle.period, cycle.amplitude], [6.66328686, 2.00861986], atol=5e-9, rtol=0)
    close(cycle.multiplier, 8.59695e-4, 5e-7)


def test_van_der_pol_at_weak_and_strong_damping():
    # Weak: period 2 pi (1 + mu^2 / 16), amplitude 2 + mu^2 / 96, multiplier exp(-2 pi mu).
    weak = flows.van_der_pol(0.01)
    close(weak.period, 2 * np.pi * (1 + 1e-4 / 16), 1e-9)
    close(weak.amplitude, 2 + 1e-4 / 96, 1e-9)
    close(weak.multiplier, np.exp(-0.02 * np.pi), 1e-5)
    # Strong (Dorodnitsyn 1947): (3 - 2 log 2) mu + 7.01432 mu^(-1/3) + O(log(mu) / mu).
    strong = flows.van_der_pol(20.0)
    close(strong.period, (3 - 2 * np.log(2)) * 20 + 7.01432 * 20 ** (-1 / 3), 1e-2)


def test_the_multiplier_is_the_shrinking_of_a_disturbance():
    cycle = flows.van_der_pol(0.5)

    def end(a):
        result = solve_ivp(
            lambda t, y: (y[1], 0.5 * (1 - y[0] ** 2) * y[1] - y[0]),
            (0, 20),
            [a, 0],
            "DOP853",
            events=lambda t, y: y[1],
            rtol=1e-12,
            atol=1e-12,
        )
        times = result.t_events[0]
        return result.y_events[0][np.flatnonzero(times > 1e-6)[1]][0]

    h = 1e-3
    close((end(cycle.amplitude + h) - end(cycle.amplitude - h)) / (2 * h), cycle.multiplier, 1e-4)


def test_stuart_landau():
    cycle = flows.stuart_landau(0.1, 1.0)
    close(cycle, [2 * np.pi, np.sqrt(0.1), np.exp(-0.4 * np.pi)])
    # The radius goes as 1 / a^2 = 1 / r + (1 / a0^2 - 1 / r) exp(-2 r t), whose slope by a0 at
    # the cycle is exp(-2 r t).
    close(np.log(cycle.multiplier) / cycle.period, -0.2)
    # Time from a radius to another, by quadrature: the flow of a is r a - a^3.
    time = quad(lambda a: 1 / (0.1 * a - a**3), 0.1, 0.2, epsabs=0, epsrel=1e-12)[0]
    close(1 / 0.04 - 10, (1 / 0.01 - 10) * np.exp(-0.2 * time), 1e-9)


def test_fitzhugh_nagumo_rests():
    rests = flows.fitzhugh_nagumo_rests()
    close(rests[1], [np.sqrt(2 / 3), np.sqrt(2 / 27)])
    for u, w in rests:
        close([u - u**3 - w, u - 3 * w], 0, atol=1e-15)
        jacobian = [[10 * (1 - 3 * u * u), -10.0], [1.0, -3.0]]
        assert (np.linalg.det(jacobian) < 0) == (u == 0)  # the saddle between the two
    assert flows.fitzhugh_nagumo_rests(0.9).shape == (1, 2)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: flows.lorenz_pair_eigenvalues(0.9), "rho must be above 1"),
        (lambda: flows.lorenz_hopf(3.0), "sigma must be above"),
        (lambda: flows.lorenz_divergence(-1.0), "must be positive"),
        (lambda: flows.stuart_landau(0.0, 1.0), "r must be positive"),
        (lambda: flows.stuart_landau(1.0, 0.0), "nothing turns"),
        (lambda: flows.van_der_pol(0.0), "mu must be in"),
        (lambda: flows.fitzhugh_nagumo_rests(0.0), "slope must be positive"),
    ],
)
def test_input_out_of_range_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
