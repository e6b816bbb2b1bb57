"""The study of Izhikevich neurons: labels of spike trains, branches against closed forms, command.

Branches: `theory.closed_forms.folds`. Labels: trains made by hand, and exact orbits.
"""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import bpcjax as bpc
from bpcjax.analysis import Bifurcation, orbit
from bpcjax.neurons import Izhikevich, IzhikevichState
from figures.theory._branches import as_branch
from theory.closed_forms import folds
from theory.regimes import izhikevich
from theory.regimes.diagram import differences, points, stacked
from theory.regimes.patterns import PATTERNS, label, pattern_maps, shares, statistics

pytestmark = pytest.mark.study

T1, SETTLE = 1000.0, 300.0


def train(*intervals):
    """Spike times of intervals that come again and again."""
    times = np.cumsum(np.resize(intervals, int(2 * T1 / np.mean(intervals))))
    return times[times < T1]


def record(trains):
    """All trains in one record, in the order of times, with room left."""
    times = np.concatenate(trains)
    neurons = np.repeat(np.arange(len(trains)), [len(one) for one in trains])
    order = np.argsort(times, kind="stable")
    room = len(times) + 7
    padded, owners = np.full(room, np.inf), np.full(room, -1)
    padded[: len(times)], owners[: len(times)] = times[order], neurons[order]
    return bpc.Spikes(jnp.asarray(padded), jnp.asarray(owners), jnp.array(len(times)))


TRAINS = {
    "silent": np.array([]),
    "transient": np.array([5.0, 9.0, 30.0]),
    "tonic": train(10.0),
    "adapting": np.concatenate([[2.0, 6.0, 12.0], 12 + train(10.0)[:-2]]),
    "bursts of 2": train(3.0, 17.0),
    "bursts of 3": train(3.0, 3.5, 14.0),
    "longer bursts": train(3.0, 3.5, 4.0, 4.5, 30.0),
    "irregular": np.sort(np.random.default_rng(1).uniform(0, T1, 80)),
}


@pytest.mark.slow
def test_trains_get_the_labels_they_were_made_for():
    trains = [*TRAINS.values(), np.array([10.0, 500.0]), np.array([])]
    count = len(PATTERNS)
    result = statistics(record(trains), count + 2, SETTLE, T1)
    labels = label(result | {"ok": np.arange(count + 2) <= count})
    # A single late spike has no interval, so no pattern; the last solve has failed.
    assert labels.tolist() == [*range(count), PATTERNS.index("irregular"), -1]
    assert shares(labels)["silent"] == shares(labels)["failed"] == pytest.approx(0.1)
    np.testing.assert_array_equal(result["spikes"], [len(x) for x in trains])
    np.testing.assert_array_equal(result["period"], [0, 0, 1, 1, 2, 3, 5, 0, 0, 0])
    np.testing.assert_allclose(result["first"][1:4], [4.0, 10.0, 4.0])
    for k, times in enumerate(trains):
        late = times[times >= SETTLE]
        np.testing.assert_allclose(result["rate"][k], 1000 * len(late) / (T1 - SETTLE))
        if len(late) > 2:
            intervals = np.diff(late)
            cv = intervals.std() / intervals.mean()
            np.testing.assert_allclose(result["mean"][k], intervals.mean())
            np.testing.assert_allclose(result["cv"][k], cv, atol=1e-12)


def rows(names):
    return [izhikevich.equilibria(*izhikevich.CLASSES[name]) for name in names]


@pytest.mark.slow
def test_branches_are_those_of_the_closed_forms():
    names = list(izhikevich.CLASSES)
    result = xr.Dataset(stacked("class", "class", rows(names)))
    a, b = np.array([*izhikevich.CLASSES.values()]).T
    special = {kind: points(result, "class", kind) for kind in izhikevich.exact(a, b)}
    # By hand: (5 - b)^2 / 0.16 - 140, and minus the parabola at (a - 5) / 0.08.
    np.testing.assert_allclose(special[Bifurcation.FOLD].drive, [4.0, 4.0, 1.015625, 0.4225])
    np.testing.assert_allclose(special[Bifurcation.HOPF].drive, [3.7975, 3.9375, 0.685, 0.2625])
    off = differences(special, izhikevich.exact(a, b))
    assert max(off.values()) < 1e-9 and off["special points too many or too few"] == 0
    for k, name in enumerate(names):
        branch = as_branch(result.isel({"class": k}), "class")
        lower, upper = folds.izhikevich_rest(branch.p, b[k])
        near = np.where(branch.y < folds.izhikevich_fold(b[k]).v, lower, upper)
        np.testing.assert_allclose(branch.y, near, atol=1e-6, err_msg=name)
        hopf = folds.izhikevich_hopf(a[k], b[k])
        np.testing.assert_array_equal(branch.stable, branch.y < hopf.v)
        assert [one.kind for one in branch.special] == [Bifurcation.HOPF, Bifurcation.FOLD]


def test_a_neutral_saddle_is_no_hopf_point():
    result = xr.Dataset(stacked("row", "row", [izhikevich.equilibria(0.02, 0.01)]))
    assert points(result, "row", Bifurcation.HOPF).drive.tolist() == pytest.approx(
        [np.nan], nan_ok=True
    )
    assert points(result, "row", Bifurcation.FOLD).drive == pytest.approx(4.99**2 / 0.16 - 140)
    exact = izhikevich.exact(np.array([0.02]), np.array([0.01]))
    invented = {kind: exact[Bifurcation.FOLD] for kind in exact}
    assert differences(invented, exact)["special points too many or too few"] == 1


@pytest.mark.slow
def test_patterns_are_those_of_exact_orbits(tmp_path):
    c, d = np.array([-65.0, -50.0]), np.array([0.77, 1.03, 8.0])
    cells = {"cd": {"c": c, "d": d, "I": 10.0, "a": 0.02, "b": 0.2}}
    result = pattern_maps(
        izhikevich.neurons, cells, tmp_path / "maps", t1=1600.0, settle=600.0, dt=0.05
    )

    @jax.jit
    def intervals(c, d):
        start = IzhikevichState(c, jnp.array(-14.0))
        neuron = Izhikevich(0.02, 0.2, c, d)
        return orbit(neuron, start, 10.0, dt=0.05, wait=400.0, count=24, burn_in=80).interval

    for k, j in np.ndindex(2, 3):
        exact = np.asarray(intervals(c[k], d[j]))
        period = next(n for n in range(1, 13) if np.allclose(exact[n:], exact[:-n]))
        names = {1: ("tonic", "adapting"), 2: ("bursts of 2",), 3: ("bursts of 3",)}
        assert PATTERNS[result["cd_pattern"][k, j]] in names.get(period, ("longer bursts",))
        rate = 1000 * period / exact[:period].sum()
        assert abs(result["cd_rate"][k, j] - rate) <= period  # a burst at the ends of one second
    assert PATTERNS[result["cd_pattern"][1, 1]] == "longer bursts"  # of ten


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """What the command left, with few points."""
    out = tmp_path_factory.mktemp("izhikevich")
    options = dict(out=out, figures=out / "f", side=8, lines=3, t1=500, settle=200, dt=0.1)
    old, sys.argv = sys.argv, ["izhikevich", *(f"--{k}={v}" for k, v in options.items())]
    try:
        izhikevich.STUDY.main()
    finally:
        sys.argv = old
    return out


@pytest.mark.slow
def test_the_command_leaves_results_and_a_picture(tiny):
    dataset = xr.open_zarr(tiny / "theory" / "izhikevich.zarr", chunks=None).load()
    assert dataset.drive_pattern.shape == dataset.reset_pattern.shape == (8, 8)
    result = json.loads((tiny / "theory" / "izhikevich" / "metrics.json").read_text())
    assert result == izhikevich.summary(dataset)
    assert max(value for name, value in result.items() if "error" in name) < 1e-6
    for name in ("points of wrong stability", "without rest, and not firing"):
        assert result[name] == 0
    # Below the threshold of a single spike nothing happens: rest is the theorem's.
    assert result["map of drive: silent"] > 0.2 and result["map of reset: silent"] == 0
    assert (tiny / "f" / "izhikevich.png").stat().st_size > 10_000
    assert not (tiny / "theory" / "izhikevich.work").exists()
