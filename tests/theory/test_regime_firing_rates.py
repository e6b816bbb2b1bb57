"""The study of firing rates: its curves by other routes, its measurements, its picture, command."""

import json
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from figures.theory import firing_rates as figure
from theory.closed_forms import fi, neurons_ivp, siegert
from theory.regimes import firing_rates, rate_curves as curves, rate_neurons as neurons

pytestmark = pytest.mark.study

CELL = dict(tau=curves.TAU, reset=curves.RESET)


def settled(times):
    return 1e3 / (times[-1] - times[-2])


def test_the_last_of_the_quadratic_curves_are_izhikevich_neurons():
    # Closed form of x' = x^2 + I against spikes of the Izhikevich model itself.
    result = curves.quadratic(3)[-2:]
    for curve, cell in zip(result, curves.QUADRATIC.values(), strict=True):
        for drive, rate in zip(curve.drive[1:], curve.theory[1:], strict=True):
            times = neurons_ivp.izhikevich(lambda t, drive=drive: drive, 60.0, **cell)
            np.testing.assert_allclose(rate, settled(times), rtol=1e-8)
        assert curve.theory[0] == 0
    np.testing.assert_allclose(
        curves.as_quadratic(np.array([c.onset for c in result])), [0.0, -0.25]
    )


def test_adaptation_has_settled_on_its_curves():
    # Near the onset the interval is long and forgets the adaptation before it.
    for curve, cell in list(zip(curves.adaptive(24), curves.ADEX.values(), strict=True))[1:]:
        times = neurons_ivp.adex(curve.drive[1], 3000.0, **cell)
        np.testing.assert_allclose(curve.theory[1], settled(times), rtol=1e-5)


@pytest.mark.slow
def test_the_squids_curve_passes_through_cycles_that_it_was_not_made_of():
    (curve,) = curves.squid(6)
    rate = settled(neurons_ivp.hodgkin_huxley(12.0, 250.0))
    result = np.interp(12.0, curve.line_drive, curve.line_rate)
    np.testing.assert_allclose(result, rate, rtol=3e-3)  # between five points
    np.testing.assert_allclose(curve.onset, 9.77543800, rtol=1e-8)  # the Hopf point, at -54.387
    np.testing.assert_allclose(np.interp(curve.drive[1:], curve.line_drive, curve.line_rate),
                               curve.theory[1:], rtol=1e-3)  # fmt: skip


def test_rates_are_those_of_closed_forms():
    drives = np.array([[15.0, 21.0, 40.0]] * 3)
    rate = firing_rates.measure(neurons.leaky, drives, 300.0, quick=True)
    expected = [
        1e3 * fi.lif_rate(row, CELL["tau"], curves.THRESHOLD, CELL["reset"], hold)
        for row, hold in zip(drives, curves.REFRACTORY.values(), strict=True)
    ]
    np.testing.assert_allclose(rate, expected, rtol=3e-5)
    assert (rate[:, 0] == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["theta", "AdEx"])
def test_full_rates_are_exact(name):
    make, t1, theory = firing_rates.MODELS[name]
    result = theory(4)
    drives = np.stack([curve.drive for curve in result])
    rate = firing_rates.measure(make, drives, t1, quick=False)
    np.testing.assert_allclose(rate, [curve.theory for curve in result], rtol=1e-6)


def noisy(**change):
    config = firing_rates.Config(neurons=400, t1=400.0, dt=0.2)
    means = np.array([[16.0, 24.0]])
    result = firing_rates.measure_in_noise(config, means, np.array([5.0]), **change)
    return result["rate"][0], result["error"][0], means[0]


@pytest.mark.slow
def test_rates_in_noise_are_siegerts():
    rate, error, means = noisy()
    expected = 1e3 * siegert.rate(means, 5.0, threshold=curves.THRESHOLD, **CELL)
    assert (error < 0.04 * expected).all() and (np.abs(rate - expected) < 4 * error).all()


@pytest.mark.slow
def test_crossings_between_steps_go_unseen():
    # The reason why the threshold is lowered: at its own place it acts as if it were higher.
    rate, error, means = noisy(threshold=curves.THRESHOLD)
    seen = curves.THRESHOLD + 0.5826 * 5.0 * np.sqrt(0.2 / curves.TAU)
    true, late = (1e3 * siegert.rate(means, 5.0, threshold=x, **CELL) for x in (20.0, seen))
    assert (np.abs(rate - late) < 4 * error).all() and (rate < true - 2 * error).all()


def fake(error=0.0):
    """The data set of rates that are those of theory but for a part `error`."""
    line = np.linspace(6.4, 60.0, 9)
    axon = [curves.Curve("squid axon", "", 9.8, line[::2], 40 + line[::2], line, 40 + line)]
    makers = [theory for _, _, theory in firing_rates.MODELS.values()]
    makers[makers.index(curves.squid)] = lambda points: axon
    result = []
    for make in (*makers, curves.in_noise):
        own = firing_rates._stacked(make(4))
        sigma = 0.02 * own["theory"] if make is curves.in_noise else 0 * own["theory"]
        result.append(own | {"rate": (1 + error) * own["theory"], "error": sigma})
    return firing_rates._dataset(result)


@pytest.mark.slow
def test_the_summary_is_of_relative_deviations():
    result = firing_rates.summary(fake(0.01))
    largest = {name: x for name, x in result.items() if "largest" in name}
    assert list(largest.values()) == pytest.approx([0.01] * 6)
    assert result["in noise, above 1 Hz: mean deviation"] == pytest.approx(0.01)
    assert result["in noise, above 1 Hz: r.m.s. in standard errors"] == pytest.approx(0.5)
    assert result["without noise: points where only one fires"] == 0
    silent = fake()
    silent["rate"][0, 2] = 0.0
    assert firing_rates.summary(silent)["without noise: points where only one fires"] == 1


def test_the_picture_shows_both():
    dataset = fake(1e-6)
    fig = figure.draw(dataset)
    titles = {ax.get_title(): ax for ax in fig.axes}
    for title, panel in (("LIF", "LIF"), ("AdEx", "AdEx"), ("LIF in white noise",) * 2):
        own = dataset.isel(curve=np.flatnonzero(dataset.panel.values == panel))
        lines = {len(line.get_xdata()): line for line in titles[title].lines[:2]}
        np.testing.assert_allclose(lines[5].get_ydata(), own.rate[0])
        theory = lines[max(lines)]
        np.testing.assert_allclose(theory.get_xdata(), own.line_drive[0])
    labels = [text.get_text() for text in titles["theta and QIF"].get_legend().get_texts()]
    assert labels == ["theta", *curves.RESETS]
    # Quadratic neurons are drawn in their own unit, from below the onset to 1.
    assert titles["theta and QIF"].get_xlim()[1] < 1.2
    plt.close(fig)


@pytest.mark.slow
def test_the_command_leaves_results_and_a_picture(tmp_path, monkeypatch):
    options = dict(out=tmp_path, figures=tmp_path / "f", points=4, means=2, neurons=20, t1=50)
    argv = ["firing_rates", "--quick", *(f"--{k}={v}" for k, v in options.items())]
    monkeypatch.setattr(sys, "argv", argv)
    firing_rates.STUDY.main()
    dataset = xr.open_zarr(tmp_path / "theory" / "firing_rates.zarr", chunks=None).load()
    result = json.loads((tmp_path / "theory" / "firing_rates" / "metrics.json").read_text())
    assert result == firing_rates.summary(dataset)
    quiet = [x for name, x in result.items() if "noise" not in name]
    assert len(quiet) == 5 and max(quiet) < 0.01  # steps of 0.05 ms, rates of 1,000 Hz
    assert result["without noise: points where only one fires"] == 0
    assert (tmp_path / "f" / "firing_rates.png").stat().st_size > 10_000
    assert not (tmp_path / "theory" / "firing_rates.work").exists()
