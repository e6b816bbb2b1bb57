"""The study of balanced networks: spectra, a point of the map against theory, picture, command."""

import dataclasses
import json
import sys

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import bpcjax as bpc
from experiments.common.settings import prepared
from figures.theory import balanced_network as figure
from theory.closed_forms import siegert
from theory.regimes import balanced_network, balanced_theory as theory
from theory.regimes.balanced_solve import Brunel, by_itself

pytestmark = pytest.mark.study

SIZE, SPAN = 500, 20_000  # neurons, ms


def poisson(rates):
    """The activity (Hz) of SIZE independent trains with the rates (Hz) [ms]."""
    counts = np.random.default_rng(0).poisson(SIZE * rates * 1e-3)
    return 1e3 * counts / SIZE


def test_the_spectrum_of_poisson_trains_is_one():
    power = theory.spectrum(poisson(np.full(SPAN, 20.0)), SIZE)
    windows = 2 * SPAN / theory.WINDOW - 1
    assert abs(power.mean() - 1) < 4 / np.sqrt(windows * theory.FREQUENCIES.size)
    assert np.all(np.abs(power - 1) < 6 / np.sqrt(windows))
    assert np.isnan(theory.spectrum(np.zeros((2, 400)), SIZE)).all()


def test_the_strongest_rhythm_is_found():
    t = np.arange(SPAN) * 1e-3
    activity = poisson(20 * (1 + 0.5 * np.cos(2 * np.pi * 85 * t)))
    power = theory.spectrum(np.stack([activity, np.zeros(SPAN)]), SIZE)
    np.testing.assert_array_equal(theory.strongest(power), [85.0, np.nan])


def test_theory_is_that_of_the_network():
    result = theory.expected(1250, 0.1 * np.sqrt(10), 2.0, 5.0)
    # The network of `common.balanced_networks`: 100 and 25 sources, 20 mV over 20 ms from outside.
    rate = siegert.brunel_rate(100, 25, 0.1 * np.sqrt(10), 5.0, 2 / (0.1 * np.sqrt(10)), reset=10.0)
    np.testing.assert_allclose(result.rate, 1e3 * rate)
    assert 0.5 < result.gain < 1 and theory.strongest(result.spectrum) == 110.0


TINY = balanced_network.Config(neurons=500, t1=400.0, settle=100.0, shown=100.0, dt=0.1)


@pytest.mark.slow
def test_a_row_of_the_map_is_near_theory():
    result = balanced_network.row(TINY, 2.0, np.array([2.0, 6.0]))
    # 500 neurons: the rate is Siegert's to some per cent, where inhibition prevails.
    assert abs(result["rate"][1] / result["theory_rate"][1] - 1) < 0.08
    assert abs(result["frequency"][1] - result["theory_frequency"][1]) <= 30
    assert abs(np.log10(result["power"][1] / result["theory_power"][1])) < 0.5
    assert result["cv"][0] < 0.15 < 0.4 < result["cv"][1] < result["theory_cv"][1]
    # Weak inhibition: nearly as fast as can be, and no state of independent neurons.
    assert 150 < result["rate"][0] < 500


@pytest.mark.slow
def test_statistics_are_those_of_the_spikes():
    config = dataclasses.replace(TINY, t1=50.0, settle=20.0)
    network = Brunel.of(500, config.weight, 20.0, 50.0, 0.1, 0)
    solved = network.solve(jnp.array(2.0), jnp.array(5.0))
    times = np.asarray(solved.spikes.times)[: int(solved.spikes.count)]
    step = np.round(times / 0.1).astype(int)
    assert solved.ok and len(step) > 500
    # Steps of 0.1 ms: ten of them make a bin, whose first ends 0.1 ms after its edge.
    expected = np.bincount((step[step > 200] - 201) // 10, minlength=50)
    np.testing.assert_allclose(solved.activity, 1000 / 500 * expected)
    result = network.statistics(solved)
    np.testing.assert_allclose(result["rate"], np.mean(solved.activity), rtol=1e-12)


def test_points_by_themselves_are_those_of_a_batch():
    def run(a, b):
        return {"sum": a + 10 * b, "row": ("k", jnp.stack([a, b]))}

    axes = {"a": np.arange(3.0), "b": np.arange(2.0)}
    alone, batch = (
        bpc.sweep(run, axes, chunk=1, progress=False, **options)
        for options in ({"batch": by_itself}, {})
    )
    xr.testing.assert_equal(alone, batch)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """What the command left, with few neurons and points."""
    out = tmp_path_factory.mktemp("balanced_network")
    options = dict(out=out, figures=out / "f", neurons=250, ratios=2, drives=2, t1=60, shown=60)
    options |= dict(settle=20)
    old, sys.argv = sys.argv, ["balanced_network", *(f"--{k}={v}" for k, v in options.items())]
    try:
        balanced_network.STUDY.main()
    finally:
        sys.argv = old
    return out


@pytest.mark.slow
def test_the_command_leaves_results_and_a_picture(tiny):
    dataset = xr.open_zarr(tiny / "theory" / "balanced_network.zarr", chunks=None).load()
    assert dataset.rate.shape == (2, 2) and dataset.example_activity.shape == (4, 60)
    result = json.loads((tiny / "theory" / "balanced_network" / "metrics.json").read_text())
    assert result == balanced_network.summary(dataset)
    for name in balanced_network.EXAMPLES:
        # With 20 and 5 sources the state is stable everywhere, and rates are near theory's.
        assert result[f"{name}: loop gain"] < 1
        off = result[f"{name}: rate (Hz)"] / result[f"{name}: rate by theory (Hz)"] - 1
        assert abs(off) < 0.25, (name, off)  # SI slow fires 242 spikes: 9 % of noise alone
    assert result["SR: CV"] < 0.2 < result["AI: CV"]
    assert (tiny / "f" / "balanced_network.png").stat().st_size > 10_000
    assert not (tiny / "theory" / "balanced_network.work").exists()


@pytest.mark.slow
def test_the_picture_shows_both(tiny):
    dataset = xr.open_zarr(tiny / "theory" / "balanced_network.zarr", chunks=None).load()
    fig = figure.draw(dataset)
    spectra = [ax for ax in fig.axes if ax.get_xlabel() == "frequency (Hz)"]
    for ax, name in zip(spectra, balanced_network.EXAMPLES, strict=True):
        one = dataset.sel(example=name)
        drawn = ax.lines[0].get_ydata()
        np.testing.assert_allclose(drawn, one.example_spectrum.where(one.example_spectrum > 0))
        if float(one.example_theory_gain) < 1:
            np.testing.assert_allclose(ax.lines[1].get_ydata(), one.example_theory_spectrum)
    titles = [ax.get_title() for ax in fig.axes]
    assert any(title.startswith("SI slow") for title in titles)
    plt.close(fig)


def test_a_quick_run_is_small_and_as_noisy():
    quick = prepared(balanced_network.Config(quick=True))
    assert (quick.ratios, quick.drives, quick.neurons) == (5, 4, 1250)
    assert quick.weight == pytest.approx(0.1 * np.sqrt(10))
