"""Rest, folds and Hopf points of the Izhikevich and AdEx neurons, by eigenvalues and roots."""

import numpy as np
import pytest
from scipy.optimize import brentq

from theory.closed_forms import folds
from theory.closed_forms.folds import AdExCell


def close(actual, desired, rtol=1e-10, atol=0.0):
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=atol)


def izhikevich_eigenvalues(v, a, b):
    return np.linalg.eigvals([[0.08 * v + 5, -1.0], [a * b, -a]])


def adex_eigenvalues(v, cell):
    upstroke = np.exp((v - cell.v_t) / cell.delta_t)
    membrane = [cell.g_l * (upstroke - 1) / cell.c, -1 / cell.c]
    return np.linalg.eigvals([membrane, [cell.a / cell.tau_w, -1 / cell.tau_w]])


# Izhikevich (2003): regular spiking, fast spiking, low threshold, resonator.
PATTERNS = np.array([[0.02, 0.2], [0.1, 0.2], [0.02, 0.25], [0.1, 0.26]])


def test_izhikevich_points():
    a, b = PATTERNS.T
    fold, hopf = folds.izhikevich_fold(b), folds.izhikevich_hopf(a, b)
    # (5 - b)^2 / 0.16 - 140, and minus the parabola at (a - 5) / 0.08, by hand.
    close(fold.drive, [4.0, 4.0, 1.015625, 0.4225])
    close(hopf.drive, [3.7975, 3.9375, 0.685, 0.2625])
    close(hopf.omega[0], 0.06)
    assert (hopf.drive < fold.drive).all() and (folds.excitability(hopf) == 2).all()
    for v, omega, (a, b) in zip(hopf.v, hopf.omega, PATTERNS, strict=True):
        result = izhikevich_eigenvalues(v, a, b)
        close(np.sort_complex(result), [-1j * omega, 1j * omega], atol=1e-14)
    for v, (a, b) in zip(fold.v, PATTERNS, strict=True):
        close(np.abs(izhikevich_eigenvalues(v, a, b)).min(), 0, atol=1e-14)


def test_a_neutral_saddle_is_no_hopf_point():
    hopf = folds.izhikevich_hopf(0.1, 0.05)
    assert np.isnan(hopf).all() and folds.excitability(hopf) == 1
    result = izhikevich_eigenvalues((0.1 - 5) / 0.08, 0.1, 0.05)
    assert np.isrealobj(result) and result[0] * result[1] < 0 and abs(result.sum()) < 1e-12


def test_izhikevich_rests():
    low, high = folds.izhikevich_rest(np.array([-10.0, 0.0, 3.9, 4.0, 4.1]), 0.2)
    close([low[1], high[1]], [-70.0, -50.0])
    close(low[3], high[3])
    assert np.isnan(low[4]) and np.isnan(high[4])
    for v in (low[:3], high[:3]):
        close(0.04 * v**2 + 4.8 * v + 140 + [-10.0, 0.0, 3.9], 0, atol=1e-10)


SLOW = AdExCell()  # Touboul & Brette (2008): the Hopf point comes first
FAST = AdExCell(tau_w=40.0)


def test_adex_points():
    # By hand from the formulas of Touboul & Brette (2008).
    hopf = folds.adex_hopf(SLOW)
    close([hopf.drive, hopf.v], [627.182465, -50.273963], atol=5e-7, rtol=0)
    close(folds.adex_fold(SLOW).drive, 627.311094, atol=5e-7, rtol=0)
    close(folds.adex_fold(FAST).drive, 627.311094, atol=5e-7, rtol=0)
    assert np.isnan(folds.adex_hopf(FAST)).all()
    assert folds.excitability(hopf) == 2 and folds.excitability(folds.adex_hopf(FAST)) == 1
    # Without coupling to adaptation, g_l (v_t - e_l - delta_t).
    close(folds.adex_fold(AdExCell(a=0.0)).drive, 546.0)
    result = adex_eigenvalues(hopf.v, SLOW)
    close(np.sort_complex(result), [-1j * hopf.omega, 1j * hopf.omega], atol=1e-15)
    close(np.abs(adex_eigenvalues(folds.adex_fold(FAST).v, FAST)).min(), 0, atol=1e-15)


def test_points_of_many_cells_at_once():
    a = np.linspace(-5.0, 60.0, 14)
    cell = AdExCell(a=a, tau_w=40.0)
    fold, hopf = folds.adex_fold(cell), folds.adex_hopf(cell)
    assert ((a / 30 > 281 / 30 / 40) == ~np.isnan(hopf.drive)).all()
    has = ~np.isnan(hopf.drive)
    assert 0 < has.sum() < 14 and (hopf.drive[has] <= fold.drive[has]).all()


def test_adex_rests_are_roots_and_meet_at_the_fold():
    fold = folds.adex_fold(SLOW)

    def current(v):
        upstroke = 60.0 * np.exp((v + 50.4) / 2)
        return 34.0 * (v + 70.6) - upstroke

    drive = np.array([-2000.0, 0.0, 500.0, 627.0, 627.311])
    low, high = folds.adex_rest(drive, SLOW)
    for k, i in enumerate(drive):
        close(low[k], brentq(lambda v, i=i: current(v) - i, -300, fold.v, xtol=1e-13), 1e-9)
        close(high[k], brentq(lambda v, i=i: current(v) - i, fold.v, 0, xtol=1e-13), 1e-9)
    meet = folds.adex_rest(fold.drive - 1e-9, SLOW)
    close(meet, fold.v, atol=1e-4)
    assert np.isnan(folds.adex_rest([627.32, 1e6], SLOW)).all()
    # The lower one is stable up to the Hopf point, the upper one is a saddle.
    for drive, stable in [(627.18, True), (627.19, False)]:
        low, high = folds.adex_rest(drive, SLOW)
        assert (adex_eigenvalues(low, SLOW).real.max() < 0) == stable
        assert np.prod(adex_eigenvalues(high, SLOW)) < 0


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: folds.izhikevich_hopf(0.0, 0.2), "a must be positive"),
        (lambda: folds.izhikevich_fold(np.nan), "b must be finite"),
        (lambda: folds.adex_fold(AdExCell(c=-1.0)), "c must be positive"),
        (lambda: folds.adex_fold(AdExCell(a=-40.0)), "a must be above -g_l"),
        (lambda: folds.adex_rest(-1e5, SLOW), "drive is so low"),
    ],
)
def test_input_out_of_range_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
