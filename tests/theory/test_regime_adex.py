"""The study of AdEx neurons: branches against closed forms, the route to chaos against numbers of
other code, the command.
"""

import json
import sys

import numpy as np
import pytest
import xarray as xr

from bpcjax.analysis import Bifurcation
from theory.closed_forms import folds
from theory.regimes import adex, adex_reset
from theory.regimes.diagram import as_arrays, differences, onset, points, stacked

pytestmark = pytest.mark.study


@pytest.mark.slow
def test_rest_is_lost_where_the_closed_forms_say():
    a, tau_w = np.array([4.0, 4.0, 30.0]), np.array([144.0, 40.0, 144.0])
    rows = [adex.equilibria(*row, 30.0, 2.0) for row in zip(a, tau_w, strict=True)]
    result = xr.Dataset(stacked("row", "row", rows))
    exact = adex.exact(a, tau_w)
    special = {kind: points(result, "row", kind) for kind in exact}
    # Touboul & Brette (2008): Hopf point and fold of the first cell, the fold alone of the second.
    np.testing.assert_allclose(special[Bifurcation.FOLD].drive[:2], 627.311094, atol=1e-6)
    np.testing.assert_allclose(special[Bifurcation.HOPF].drive[0], 627.182465, atol=1e-6)
    np.testing.assert_allclose(special[Bifurcation.HOPF].v[0], -50.273963, atol=1e-6)
    assert np.isnan(special[Bifurcation.HOPF].drive[1])
    off = differences(special, exact)
    assert max(off.values()) < 1e-8 and off["special points too many or too few"] == 0
    for k in range(3):
        p, v, stable = (rows[k][key] for key in ("p", "y", "stable"))
        cell = folds.AdExCell(a=a[k], tau_w=tau_w[k])
        lower, upper = folds.adex_rest(p, cell)
        below = v < folds.adex_fold(cell).v
        np.testing.assert_allclose(v, np.where(below, lower, upper), atol=1e-6)
        np.testing.assert_array_equal(stable, below & (p < onset(adex.exact(a[k], tau_w[k]))))


def test_rest_is_lost_at_the_first_of_the_two_points():
    # The Hopf point exists where a / g_l > tau_m / tau_w: beyond a = 1.9514 nS at 144 ms.
    a = np.array([1.9, 2.0])
    hopf = folds.adex_hopf(folds.AdExCell(a=a)).drive
    fold = folds.adex_fold(folds.AdExCell(a=a)).drive
    np.testing.assert_array_equal(onset(adex.exact(a, 144.0)), [fold[0], hopf[1]])
    assert np.isnan(hopf[0]) and hopf[1] < fold[1]


# RK4 with bisection for the spikes, and 3,000 spikes: w just after reset (pA), exponent per spike.
ROUTE = {
    -48.5: ([293.1656, 322.7310], -1.289),
    -48.0: (None, 0.355),
    -47.8: ([273.5849, 333.8410, 368.3843], -0.525),
}


@pytest.mark.slow
def test_orbits_are_those_of_other_code(tmp_path):
    # A spacing that meets the three resets, with few orbits: -50 ... -46.5 by 0.1.
    result = adex_reset.orbits(0.1, 400, 300, 0.05, tmp_path / "orbits")
    assert result["ok"].all() and len(result["resets"]) == 36
    for reset, (orbit, exponent) in ROUTE.items():
        k = int(np.abs(result["resets"] - reset).argmin())
        assert result["resets"][k] == pytest.approx(reset)
        assert result["exponent"][k] == pytest.approx(
            exponent, abs=max(0.01, 4 * result["error"][k])
        )
        if orbit is not None:
            visited = np.unique(np.round(result["w"][k], 2))
            np.testing.assert_allclose(visited, orbit, atol=6e-3)
    before = result["resets"] < -48.8  # before the doubling: one point
    assert np.ptp(result["w"][before, -50:], axis=1).max() < 1e-3


@pytest.mark.slow
def test_the_followed_orbit_and_its_slope_are_those_of_another_solver():
    branch = as_arrays(adex_reset.one_spike(270.0, 20.0, 0.05), lambda y: y.w)
    result = points(xr.Dataset(stacked("one", "row", [branch])), "one", adex.DOUBLES)
    # -48.7452 by RK4 with bisection, the multiplier -1 by interpolation.
    assert result.drive == pytest.approx(-48.7452, abs=1e-4)
    other = adex_reset.by_other_code(branch)
    np.testing.assert_allclose(other["w"], branch["y"][other["point"]], atol=1e-4)
    np.testing.assert_allclose(-other["slope"], branch["largest"][other["point"]], rtol=1e-4)


def test_points_that_are_there_twice_are_refused():
    row = {"p": np.zeros(3), "kind": np.array(["FOLD", "FOLD"]), "special_p": np.zeros(2)}
    with pytest.raises(ValueError, match="more than one fold"):
        points(xr.Dataset(stacked("row", "row", [row])), "row", Bifurcation.FOLD)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """What the command left, with few points."""
    out = tmp_path_factory.mktemp("adex")
    options = dict(out=out, figures=out / "f", side=6, lines=2, t1=500, settle=200, spikes=20)
    options |= {"burn-in": 50, "spacing": 0.5, "arc": 20, "dt": 0.1}
    old, sys.argv = sys.argv, ["adex", "--quick", *(f"--{k}={v}" for k, v in options.items())]
    try:
        adex.STUDY.main()
    finally:
        sys.argv = old
    return out


@pytest.mark.slow
def test_the_command_leaves_results_and_a_picture(tiny):
    dataset = xr.open_zarr(tiny / "theory" / "adex.zarr", chunks=None).load()
    assert dataset.drive_pattern.shape == (6, 6) and dataset.orbit_w.shape == (8, 20)
    result = json.loads((tiny / "theory" / "adex" / "metrics.json").read_text())
    assert result == adex.summary(dataset)
    assert max(value for name, value in result.items() if "error" in name) < 1e-6
    for name in ("points of wrong stability", "without rest, and not firing"):
        assert result[name] == 0
    assert result["first doubling: off from other code (mV)"] < 1e-3
    assert result["orbits that fell silent"] == 0
    assert (tiny / "f" / "adex.png").stat().st_size > 10_000
    assert not (tiny / "theory" / "adex.work").exists()
