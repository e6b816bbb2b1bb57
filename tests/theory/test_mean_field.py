"""Curie-Weiss and Amit-Gutfreund-Sompolinsky: limits, other routes, numbers of the literature."""

import numpy as np
import pytest
from scipy.optimize import brentq, fsolve
from scipy.special import erf

from theory.closed_forms import ags, mean_field


def close(actual, desired, rtol=1e-10, atol=0.0):
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=atol)


# --- Curie-Weiss ----------------------------------------------------------------------------------


def test_curie_weiss_numbers():
    # Independent root finding at 1e-12.
    beta = np.array([1.5, 2.0])
    m = mean_field.magnetisation(beta)
    close(m, [0.8585596366, 0.9575040241], atol=5e-11, rtol=0)
    close(mean_field.barrier(beta), [0.0767961126, 0.1632619437], atol=5e-11, rtol=0)
    close(mean_field.slope(m, beta), [-0.60568697, -0.83362791], atol=5e-9, rtol=0)
    close(mean_field.slope(0.0, beta), [0.5, 1.0])


def test_the_pitchfork_is_at_one():
    close(mean_field.magnetisation([0.1, 0.99, 1.0]), 0, atol=0)
    close(mean_field.barrier(0.99), 0, atol=0)
    excess = 10.0 ** -np.arange(2, 7)
    m = mean_field.magnetisation(1 + excess)
    # m^2 = 3 e (1 - 3 e / 5 ...) / (1 + e)^3: the next order is e.
    np.testing.assert_allclose(m / np.sqrt(3 * excess), 1.0, atol=3e-2)
    assert (np.abs(m / np.sqrt(3 * excess) - 1) < 2.5 * excess + 1e-9).all()
    close(mean_field.slope(m, 1 + excess), -2 * excess, 3e-2)
    close(mean_field.magnetisation(1e4), 1.0)


def test_the_rest_states_are_those_of_the_free_energy():
    m = np.linspace(-0.99, 0.99, 67)
    for beta, field in [(0.7, 0.1), (1.6, 0.0), (3.0, -0.2)]:
        h = 1e-5
        energies = [mean_field.free_energy(m + k * h, beta, field) for k in (-1, 1)]
        fall = -(energies[1] - energies[0]) / (2 * h)
        close(fall, np.tanh(beta * (m + field)) - m, atol=1e-9, rtol=0)
    close(mean_field.free_energy(0.5, 1e6), 0.125 - 0.5)  # where cosh overflows


def test_the_spinodal_ends_the_other_well():
    for beta in (1.05, 1.5, 4.0):
        h, m = mean_field.spinodal(beta)
        close(np.tanh(beta * (m + h)), m)
        close(mean_field.slope(m, beta), 0, atol=1e-14)
        fall = np.linspace(-1, 0, 2001)
        for field, left in [(0.99 * h, True), (1.01 * h, False)]:
            assert (np.tanh(beta * (fall + field)) < fall).any() == left
    assert np.isnan(mean_field.spinodal(0.9)).all() and mean_field.spinodal(1.0)[0] == 0


# --- Amit, Gutfreund & Sompolinsky ----------------------------------------------------------------


def test_capacity_at_zero_temperature():
    result = ags.capacity()
    close(result.alpha, 0.13790557, atol=5e-9, rtol=0)
    close(result.m, 0.96741711, atol=3e-8, rtol=0)

    # The curve in y = m / sqrt(2 alpha r); y = 1.51122 at the top.
    def root(y):
        return erf(y) / y - 2 / np.sqrt(np.pi) * np.exp(-y * y)

    y = result.m / np.sqrt(2 * result.alpha * result.r)
    close(y, 1.51122, atol=5e-6, rtol=0)
    close(0.5 * root(y) ** 2, result.alpha)
    close(0.5 * root(np.linspace(0.5, 5, 4001)).max() ** 2, result.alpha, 1e-6)


def test_retrieval_at_zero_temperature():
    # From the same curve, by bisection.
    known = {0.05: 0.99999223, 0.1: 0.99799927, 0.1375: 0.97295276}
    for alpha, m in known.items():
        state = ags.retrieval(alpha)
        close(state.alpha, alpha)
        close(state.m, m, atol=5e-9, rtol=0)
    assert ags.retrieval(ags.capacity().alpha) == ags.capacity()


@pytest.mark.parametrize(
    "alpha, temperature", [(0.05, 0.3), (0.12, 0.1), (0.002, 0.9), (0.04, 0.5)]
)
def test_states_at_a_temperature_solve_the_three_equations(alpha, temperature):
    z, weight = np.polynomial.hermite_e.hermegauss(200)
    weight = weight / np.sqrt(2 * np.pi)
    beta = 1 / temperature

    def equations(state):
        m, q, r = state
        t = np.tanh(beta * (m + np.sqrt(alpha * r) * z))
        return m - weight @ t, q - weight @ t**2, r - q / (1 - beta * (1 - q)) ** 2

    state = ags.retrieval(alpha, temperature)
    # The coarser rule, as the tanh is steep.
    result = fsolve(equations, [state.m, state.q, state.r], xtol=1e-12)
    close(result, [state.m, state.q, state.r], 5e-5)
    close(state.c, beta * (1 - state.q))


def test_capacity_falls_with_temperature_as_near_one():
    # AGS (1987): T_M = 1 - 1.95 sqrt(alpha) for small loads.
    loads = np.array([ags.capacity(t).alpha for t in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99)])
    assert (np.diff(loads) < 0).all()
    close(0.01 / np.sqrt(loads[-1]), 1.95, 5e-3)


def test_limits_of_low_load_and_low_temperature():
    close(ags.retrieval(1e-7, 0.5).m, mean_field.magnetisation(2.0), 1e-5)
    cold, frozen = ags.retrieval(0.1, 1e-3), ags.retrieval(0.1)
    close(cold.m, frozen.m, 1e-4)
    # Both forms of the averages, on either side of where one takes over.
    near = [ags.averages(0.8, s, 0.3) for s in (0.3 * (1 - 1e-12), 0.3 * (1 + 1e-12))]
    close(near[0], near[1], 1e-11)


def test_overlap_of_a_simulated_network():
    # Heat bath of 3,000 units, 5 % at a time, at T = 0.3 and alpha = 0.05; finite size: a few 1e-3.
    key, n, temperature = np.random.default_rng(0), 3000, 0.3
    x = key.choice([-1.0, 1.0], (150, n))
    spins, overlaps = x[0].copy(), []
    for _ in range(300):
        who = key.choice(n, n // 20, replace=False)
        field = (x[:, who].T @ (x @ spins)) / n - 150 / n * spins[who]
        up = 0.5 * (1 + np.tanh(field / temperature))
        spins[who] = np.where(key.random(who.size) < up, 1.0, -1.0)
        overlaps.append(x[0] @ spins / n)
    close(np.mean(overlaps[100:]), ags.retrieval(0.05, temperature).m, atol=4e-3, rtol=0)


def test_retrieval_is_the_ground_state_at_low_load_alone():
    def gap(alpha):
        return ags.energy(ags.retrieval(alpha)) - ags.glass_energy(alpha)

    assert gap(0.051) < 0 < gap(0.053)  # AGS (1985) give 0.051; in full 0.05185
    # The glass is m = 0 of the same equations: C = sqrt(2 / pi) / s, s = sqrt(alpha) / (1 - C).
    c = brentq(lambda c: c - np.sqrt(2 / np.pi / 0.1) * (1 - c), 0, 1)
    close(0.05 * (1 - 1 / (1 - c) ** 2), ags.glass_energy(0.1))
    close(ags.glass_temperature(0.25), 1.5)


def test_one_step():
    # Q(1 / sqrt(alpha)).
    alpha = np.array([0.05, 0.105, 0.138, 0.185, 0.37])
    known = [3.87e-6, 1.014e-3, 3.552e-3, 1.0037e-2, 5.009e-2]
    close(ags.one_step_error(alpha), known, 1e-3)
    close(ags.one_step_overlap(1.0, alpha), 1 - 2 * ags.one_step_error(alpha))
    # 20 starts at overlap 0.5 in 3,000 units, without the diagonal; standard error 2e-3.
    key, n = np.random.default_rng(3), 3000
    x = key.choice([-1.0, 1.0], (300, n))
    start = np.where(key.random((20, n)) < 0.75, x[:20], -x[:20])
    step = np.sign((start @ x.T) @ x / n - 0.1 * start)
    before, after = ((s * x[:20]).mean() for s in (start, step))
    close(after, ags.one_step_overlap(before, 0.1), atol=8e-3, rtol=0)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: mean_field.magnetisation(0.0), "beta must be positive"),
        (lambda: mean_field.free_energy(0.1, np.nan), "beta must be positive"),
        (lambda: ags.capacity(1.0), "temperature must be in"),
        (lambda: ags.retrieval(0.14), "alpha must be in"),
        (lambda: ags.retrieval(0.11, 0.3), "alpha must be in"),
        (lambda: ags.one_step_error(0.0), "alpha must be positive"),
        (lambda: ags.one_step_overlap(1.2, 0.1), "overlap must be in"),
    ],
)
def test_input_out_of_range_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
