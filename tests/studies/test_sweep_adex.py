"""The sweep of AdEx neurons: its numbers, its command line, and that it outlives a kill."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import bpcjax as bpc
import figures.__main__
from experiments import adex_sweep
from figures import adex_sweep as figure, style

pytestmark = pytest.mark.study

ROOT = Path(__file__).parents[2]


def statistics(times, config):
    """Rate and CV of spike times, by numpy."""
    times = times[times >= config.settle]
    intervals = np.diff(times)
    cv = intervals.std() / intervals.mean() if len(times) >= 4 else np.nan
    return 1000 * len(times) / (config.t1 - config.settle), cv


@pytest.mark.slow
def test_rates_and_cvs_are_those_of_the_ordered_spikes():
    config = adex_sweep.Config(t1=300.0, settle=100.0)
    axes = {"I": np.array([500.0, 900.0, 1400.0]), "b": np.array([20.0, 120.0, 340.0])}
    result = bpc.sweep(adex_sweep.population(config), axes, batch=bpc.population, progress=False)

    def ordered(I, b):  # noqa: E741
        neuron = bpc.neurons.AdEx(b=b, v_reset=config.v_reset)
        solved = bpc.simulate(neuron, neuron.rest(), I, t1=config.t1, dt=0.1, max_spikes=400)
        return {"times": solved.spikes.times}

    exact = bpc.sweep(ordered, axes, progress=False).times
    for k in range(3):
        for j in range(3):
            rate, cv = statistics(exact.values[k, j][np.isfinite(exact.values[k, j])], config)
            assert abs(float(result.rate[k, j]) - rate) <= 5.0  # a spike at an end of the window
            # The upstroke at steps of 0.1 ms shifts spikes; 0.009 was the 95 % quantile of a grid.
            np.testing.assert_allclose(result.cv[k, j], cv, atol=0.02, equal_nan=True)
    # It has all kinds: silent neurons, regular ones, and bursts.
    assert (result.rate[0] == 0).all() and result.cv[2, 0] < 0.1 < 0.5 < result.cv[2, 1]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """What the command line left in its folder."""
    out = tmp_path_factory.mktemp("adex")
    config = adex_sweep.Config(
        quick=True, out=str(out), figures=str(out / "f"), t1=200.0, settle=50.0
    )
    old, sys.argv = sys.argv, ["adex_sweep"]
    for name in ("quick", "out", "figures", "t1", "settle"):
        value = getattr(config, name)
        sys.argv += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    try:
        adex_sweep.STUDY.main()
    finally:
        sys.argv = old
    return out


def test_the_command_leaves_results_and_a_picture(quick):
    dataset = xr.open_zarr(quick / "adex_sweep.zarr", chunks=None).load()
    assert dataset.rate.shape == (40, 25) and bool(dataset.ok.all()) and dataset.t1 == 200.0
    result = json.loads((quick / "adex_sweep" / "metrics.json").read_text())
    shares = [result[name] for name in ("fewer than four spikes", "regular", "bursts or irregular")]
    assert result["neurons"] == 1000 and sum(shares) == pytest.approx(1)
    assert (quick / "f" / "adex_sweep.png").stat().st_size > 10_000
    assert not (quick / "adex_sweep.work").exists()


def test_the_figure_reads_the_store_alone(quick, tmp_path):
    dataset = xr.open_zarr(quick / "adex_sweep.zarr", chunks=None).load()
    paths = style.save(figure.draw(dataset), "adex_sweep", tmp_path)
    assert all(path.stat().st_size > 5_000 for path in paths)


def test_results_of_another_version_are_named_and_not_drawn(tmp_path, monkeypatch, capsys):
    values = xr.DataArray(np.ones((2, 2)), {"I": [1.0, 2.0], "b": [1.0, 2.0]}, ("I", "b"))
    xr.Dataset({"cv": values}).to_zarr(tmp_path / "adex_sweep.zarr", zarr_format=2)  # no rate
    options = ["--results", str(tmp_path), "--out", str(tmp_path / "f")]
    monkeypatch.setattr(sys, "argv", ["figures", *options])
    with pytest.raises(SystemExit, match="^1$"):
        figures.__main__.main()
    (line,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("adex_sweep"))
    assert "is of another version" in line and "`python -m experiments.adex_sweep`" in line
    assert not (tmp_path / "f" / "adex_sweep.png").exists()


@pytest.mark.slow  # three processes that solve 20,000 neurons each
def test_killed_half_way_the_same_command_gives_the_same_bits(tmp_path):
    def command(out):
        options = ["--currents", "200", "--jumps", "100", "--chunk", "1000"]
        places = ["--out", str(tmp_path / out), "--figures", str(tmp_path / "f")]
        return [sys.executable, "-m", "experiments.adex_sweep", *options, *places]

    subprocess.run(command("alone"), check=True, cwd=ROOT, timeout=600)
    process = subprocess.Popen(command("killed"), cwd=ROOT)
    deadline = time.monotonic() + 300
    while len(list(tmp_path.glob("killed/adex_sweep.work/*/sweep.zarr/done/[0-9]*"))) < 5:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (store,) = tmp_path.glob("killed/adex_sweep.work/*/sweep.zarr")
    assert 0 < int(xr.open_zarr(store, chunks=None).done.sum()) < 20_000
    subprocess.run(command("killed"), check=True, cwd=ROOT, timeout=600)
    alone, killed = (
        xr.open_zarr(tmp_path / x / "adex_sweep.zarr").load() for x in ("alone", "killed")
    )
    xr.testing.assert_identical(killed, alone)
    assert np.isfinite(alone.rate).all() and not store.exists()
