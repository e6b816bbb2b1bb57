"""Special points and spike maps of conductance-based and two-variable neurons."""

import numpy as np
import pytest

from theory.closed_forms import (
    hodgkin_huxley as squid,
    hodgkin_huxley_cycles as cycles,
    morris_lecar as lecar,
    neurons_ivp,
)


def close(actual, desired, rtol=1e-10, atol=0.0):
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=atol)


# --- Morris-Lecar ---------------------------------------------------------------------------------


def test_morris_lecar_points():
    # Independent continuation. Parameters of PyDSTool's example, with phi = 1/15 (there 0.066).
    first, second = lecar.folds()
    close([first.drive, second.drive], [39.963153, -9.949039], atol=5e-7, rtol=0)
    close([first.v, second.v], [-29.38978, -4.04852], atol=5e-6, rtol=0)
    (hopf,) = lecar.hopf_points()
    close(hopf.drive, 97.787888, atol=1e-6, rtol=0)
    close(hopf.omega, 0.252195, atol=5e-7, rtol=0)
    (saddle,) = lecar.neutral_saddles()
    close(saddle.drive, 36.670778, atol=5e-7, rtol=0)
    cell = lecar.Cell(phi=0.066)
    close(lecar.hopf_points(cell)[0].drive, 98.07155, atol=5e-6, rtol=0)
    close(lecar.neutral_saddles(cell)[0].drive, 36.73375, atol=5e-6, rtol=0)


def test_morris_lecar_eigenvalues_at_its_points():
    for fold in lecar.folds():
        close(np.abs(np.linalg.eigvals(lecar.jacobian(fold.v))).min(), 0, atol=1e-12)
        # The extrema of the steady current.
        around = lecar.drive(fold.v + np.array([-1e-3, 0, 1e-3]))
        assert (around[1] - around[0]) * (around[1] - around[2]) > 0
    (hopf,), (saddle,) = lecar.hopf_points(), lecar.neutral_saddles()
    result = np.linalg.eigvals(lecar.jacobian(hopf.v))
    close(np.sort_complex(result), [-1j * hopf.omega, 1j * hopf.omega], atol=1e-12)
    result = np.sort(np.linalg.eigvals(lecar.jacobian(saddle.v)))
    assert np.isrealobj(result) and result[0] < 0
    close(result[0], -result[1], 1e-9)


def test_morris_lecar_jacobian_is_that_of_its_equations():
    p = lecar.Cell()

    def field(y, drive):
        v, w = y
        m = 0.5 * (1 + np.tanh((v - p.v1) / p.v2))
        steady = 0.5 * (1 + np.tanh((v - p.v3) / p.v4))
        ions = p.g_ca * m * (v - 120) + p.g_k * w * (v + 84) + p.g_l * (v + 60)
        return np.array([(drive - ions) / 20, p.phi * (steady - w) * np.cosh((v - 12) / 34.8)])

    for v in (-40.0, 3.0):
        y = np.array([v, 0.5 * (1 + np.tanh((v - p.v3) / p.v4))])
        close(field(y, lecar.drive(v)), 0, atol=1e-14)
        columns = [(field(y + h, 0.0) - field(y - h, 0.0)) / 2e-5 for h in 1e-5 * np.eye(2)]
        close(lecar.jacobian(v), np.array(columns).T, 1e-7, 1e-9)


# --- Hodgkin-Huxley -------------------------------------------------------------------------------


def test_hodgkin_huxley_rest():
    # Independent code at E_L = -54.4.
    rest = squid.rest(0.0, -54.4)
    close(rest[0], -64.99972, atol=5e-6, rtol=0)
    close(rest[1:], [0.052934, 0.596111, 0.317681], atol=5e-7, rtol=0)
    result = np.sort_complex(np.linalg.eigvals(squid.jacobian(rest[0], -54.4)))
    known = [-4.67532, -0.20271 - 0.38307j, -0.20271 + 0.38307j, -0.12066]
    close(result, known, atol=5e-6, rtol=0)
    v = np.linspace(-100.0, 60.0, 1601)
    assert (np.diff(squid.drive(v)) > 0).all()  # one rest for each drive: no folds


@pytest.mark.parametrize(
    "e_l, first, second",
    [(-54.4, 9.77934, 154.52633), (-54.387, 9.77544, 154.52243), (-54.3, 9.74934, 154.49633)],
)
def test_hodgkin_huxley_hopf_points(e_l, first, second):
    # Independent continuation; Hassard (1978) has 9.78 and 154.5.
    points = squid.hopf_points(e_l)
    close([p.drive for p in points], [first, second], atol=5e-6, rtol=0)
    close([p.v for p in points], [-59.65414, -43.05809], atol=5e-6, rtol=0)
    close([p.omega for p in points], [0.586234, 1.062922], atol=5e-7, rtol=0)
    for p in points:
        result = np.linalg.eigvals(squid.jacobian(p.v, e_l))
        pair = result[np.argsort(np.abs(result.real))[:2]]
        close(np.sort_complex(pair), [-1j * p.omega, 1j * p.omega], atol=1e-9)
        assert (np.delete(result, np.argsort(np.abs(result.real))[:2]).real < 0).all()
    # In between, and only there, rest is unstable.
    for drive, unstable in [(first - 0.1, 0), (first + 0.1, 2), (second - 1, 2), (second + 1, 0)]:
        v = squid.rest(drive, e_l)[0]
        assert (np.linalg.eigvals(squid.jacobian(v, e_l)).real > 0).sum() == unstable


def test_hodgkin_huxley_rates_at_their_removable_singularities():
    for at, entry, value, rise in [(-40.0, 0, 1.0, 0.05), (-55.0, 2, 0.1, 0.005)]:
        v = at + np.array([-1e-3, -1e-12, 0.0, 1e-12, 1e-3])
        opening = squid.rates(v)[entry][0]
        close(opening, value + rise * (v - at), 1e-8)
    jacobian = [squid.jacobian(v) for v in (-40.0 - 1e-7, -40.0, -40.0 + 1e-7)]
    close(jacobian[1], 0.5 * (jacobian[0] + jacobian[2]), 1e-9, 1e-9)


def test_hodgkin_huxley_spikes():
    # Independent code at E_L = -54.4: 68.314 Hz at 10, one spike from 2.24095 on.
    times = neurons_ivp.hodgkin_huxley(10.0, 150.0, -54.4)
    close(1e3 / (times[-1] - times[-2]), 68.314, atol=5e-4, rtol=0)
    counts = [neurons_ivp.hodgkin_huxley(i, 60.0, -54.4).size for i in (2.24090, 2.24095)]
    assert counts == [0, 1]


@pytest.mark.slow
def test_hodgkin_huxley_cycles_begin_at_a_fold():
    # Adiabatic ramps of the drive lose the cycle between 6.2637 and 6.2643 (E_L = -54.4); Balti,
    # Lanza & Aziz-Alaoui (2018), Math. Biosci. Eng. 15:807: just below 6.2649.
    fold = cycles.fold(-54.4)
    assert 6.2637 < fold.drive < 6.2643
    close(fold.multipliers[:2], 1.0, atol=1e-4)
    assert (np.abs(fold.multipliers[2:]) < 1e-6).all()
    # To one side of it in period the cycle is stable, to the other not, at larger drive on both.
    for period, stable in [(fold.period - 0.3, True), (fold.period + 0.3, False)]:
        near = cycles.cycle(period, fold, -54.4)
        close(near.multipliers[0], 1, atol=1e-6)
        assert near.drive > fold.drive and (np.abs(near.multipliers[1]) < 1) == stable


# --- Izhikevich and AdEx --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "current, a, d, first, interval",
    [
        (10.0, 0.02, 8.0, 3.127055, 44.812414),
        (14.0, 0.02, 8.0, None, 32.386220),
        (10.0, 0.1, 2.0, None, 7.342650),
        (4.5, 0.02, 8.0, None, 109.472086),
    ],
)
def test_izhikevich_intervals(current, a, d, first, interval):
    # Runge-Kutta at 0.002 ms with bisected spikes, by independent code.
    start = dict(c=-65.0, v0=-65.0, u0=-13.0)
    t1 = 8.5 * interval + 20
    times = neurons_ivp.izhikevich(lambda t: current, t1, a=a, b=0.2, d=d, **start)
    close(times[-1] - times[-2], interval, atol=1e-5, rtol=0)
    assert first is None or abs(times[0] - first) < 1e-6


# Touboul & Brette (2008), with fast adaptation: pF, nS, mV, ms, pA.
CELL = dict(c=281.0, g_l=30.0, e_l=-70.6, v_t=-50.4, delta_t=2.0, tau_w=40.0, a=4.0, b=80.0)
CELL = CELL | dict(v_cut=-40.4)


def orbit(v_reset, w, count):
    """Rows: adaptation after the spike, slope of the map, interval."""
    rows = []
    for _ in range(count):
        rows.append(neurons_ivp.adex_spike_map(800.0, w, v_reset=v_reset, **CELL))
        w = rows[-1][0]
    return np.array(rows)


@pytest.mark.parametrize(
    "v_reset, values, interval, exponent",
    [
        (-48.5, [322.7310, 293.1656], 18.43453, -1.289),
        (-47.8, [333.8410, 273.5849, 368.3843], 17.33308, -0.525),
    ],
)
def test_periodic_orbits_of_the_adex_map(v_reset, values, interval, exponent):
    # Independent code.
    rows = orbit(v_reset, 320.0, 20 * len(values))[-len(values) :]
    close(np.sort(rows[:, 0]), np.sort(values), atol=1e-4, rtol=0)
    close(rows[:, 2].mean(), interval, atol=1e-5, rtol=0)
    close(np.log(np.abs(rows[:, 1])).mean(), exponent, atol=5e-4, rtol=0)


def test_the_slope_of_the_adex_map():
    (at,), (up,), (down,) = (orbit(-48.0, 320.0 + h, 1) for h in (0.0, 1e-3, -1e-3))
    close(at[1], (up[0] - down[0]) / 2e-3, 1e-6)
    close(at[1], 0.050788, atol=5e-7, rtol=0)


@pytest.mark.slow
def test_chaos_of_the_adex_map():
    # Exponent 0.355 per spike and mean interval 16.558 over 3,000 spikes; here 250.
    rows = orbit(-48.0, 320.0, 250)[20:]
    close(np.log(np.abs(rows[:, 1])).mean(), 0.355, atol=0.06, rtol=0)
    close(rows[:, 2].mean(), 16.558, atol=0.3, rtol=0)


def test_input_out_of_range_is_refused():
    with pytest.raises(ValueError, match="phi must be positive"):
        lecar.folds(lecar.Cell(phi=0.0))
    with pytest.raises(ValueError, match="must be finite"):
        squid.rest(np.nan)
    with pytest.raises(ValueError, match="low must be below high"):
        squid.hopf_points(low=0.0, high=-1.0)
    with pytest.raises(ValueError, match="no next spike"):
        neurons_ivp.adex_spike_map(100.0, 0.0, v_reset=-70.6, **CELL)
    with pytest.raises(ValueError, match="does not spike on"):
        cycles.settled(0.0, time=100.0)
