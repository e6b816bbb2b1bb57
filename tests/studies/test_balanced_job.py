"""The job of the balanced networks: its command line, its numbers, its picture."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import jax
import matplotlib
import numpy as np
import pytest
import xarray as xr

matplotlib.use("agg")

from experiments import balanced
from experiments.common import InputError
from experiments.common.balanced_networks import brunel
from experiments.common.settings import prepared
from figures import balanced as figure, style
from theory.closed_forms import siegert

pytestmark = pytest.mark.study

SMALL = balanced.Config(cuba=400, brunel=500, t1=300.0, settle=100.0, shown=1000)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """What the command left: its folder, its config, its data set."""
    out = tmp_path_factory.mktemp("balanced")
    config = dataclasses.replace(SMALL, out=str(out), figures=str(out / "f"))
    names = "cuba", "brunel", "t1", "settle", "shown", "out", "figures"
    options = [x for name in names for x in (f"--{name}", str(getattr(config, name)))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["balanced", *options])
        balanced.STUDY.main()
    return out, config, xr.open_zarr(out / "balanced.zarr", chunks=None).load()


def spikes_of(dataset, name):
    """The stored times and neurons, and the window in which they count."""
    one = dataset.sel(network=name)
    there = one.spike_neuron.values >= 0
    times, neurons = one.spike_time.values[there], one.spike_neuron.values[there].astype(int)
    start = float(one.start)
    return one, times, neurons, (times > start + 0.05) & (times < start + 300.05)


def test_every_file_is_there_and_nothing_else(finished):
    out, config, dataset = finished
    assert {path.name for path in out.iterdir()} == {"balanced.zarr", "balanced", "f"}
    assert {p.name for p in (out / "f").iterdir()} == {"balanced.pdf", "balanced.png"}
    about = json.loads((out / "balanced" / "config.json").read_text())
    assert about["config"] == dataclasses.asdict(config) and "commit" in about
    records = json.loads((out / "balanced" / "metrics.json").read_text())
    assert records == balanced.summary(dataset)
    assert len(balanced.table(records).splitlines()) == 3


@pytest.mark.parametrize("name, count", [("CUBA", 400), ("Brunel", 500)])
def test_statistics_are_those_of_the_stored_spikes(finished, name, count):
    one, times, neurons, inside = spikes_of(finished[2], name)
    assert int(one.spikes) == len(times) > 200  # all neurons are shown
    rate = np.bincount(neurons[inside], minlength=count) / 0.3
    np.testing.assert_allclose(one.rate[:count], rate, rtol=1e-6)  # in single precision
    assert np.isnan(one.rate[count:]).all()
    for k in range(count):
        gaps = np.diff(np.sort(times[inside & (neurons == k)]))
        cv = gaps.std() / gaps.mean() if len(gaps) >= 3 else np.nan
        np.testing.assert_allclose(one.cv[k], cv, rtol=1e-4, atol=1e-5, equal_nan=True)
    # Steps of 0.1 ms: ten of them make a bin, whose first ends 0.1 ms after its edge.
    step = np.round(times / 0.1).astype(int)
    np.testing.assert_allclose(times, 0.1 * step, rtol=3e-7)
    border = 4 * count // 5
    for group, own in (("excitatory", neurons < border), ("inhibitory", neurons >= border)):
        activity = one.activity.sel(group=group).dropna("time").values
        size = border if group == "excitatory" else count - border
        expected = np.bincount((step[own] - 1) // 10, minlength=len(activity)) * 1000 / size
        np.testing.assert_allclose(activity, expected, rtol=1e-12)


def network_in_numpy(count, t1, settle, rng, dt=0.1):
    """Brunel's network step by step: mean rate (Hz) and CV after `settle`."""
    weight, border = 0.1 * np.sqrt(12_500 / count), 4 * count // 5
    wires = np.zeros((count, count))  # from, to
    for k in range(count):
        np.add.at(wires[:, k], rng.integers(0, border, border // 10), weight)
        inhibitory = rng.integers(border, count, (count - border) // 10)
        np.add.at(wires[:, k], inhibitory, -5 * weight)
    v, held, late = np.zeros(count), np.zeros(count, int), np.zeros((15, count))
    times, neurons = [], []
    for step in range(round((settle + t1) / dt)):
        kicks = late[step % 15] + weight * rng.poisson(2 * dt / weight, count)  # 1.5 ms late
        v = np.where(held > 0, 0.0, v * np.exp(-dt / 20) + kicks)
        held = np.maximum(held - 1, 0)
        fired = np.flatnonzero(v >= 20)
        v[fired], held[fired] = 0.0, 20
        late[step % 15] = wires[fired].sum(0)
        times.append(np.full(len(fired), step * dt))
        neurons.append(fired)
    times, neurons = np.concatenate(times), np.concatenate(neurons)
    times, neurons = times[times >= settle], neurons[times >= settle]
    gaps = [np.diff(times[neurons == k]) for k in range(count)]
    cvs = [x.std() / x.mean() for x in gaps if len(x) >= 3]
    return 1000 * len(times) / (count * t1), np.mean(cvs)


def test_brunels_network_fires_as_in_numpy_and_as_siegert_says(finished):
    record = balanced.summary(finished[2])[1]
    _, inputs = brunel(jax.random.key(0), 500, 0.1 * np.sqrt(25))
    expected = 1e3 * siegert.brunel_rate(*inputs)
    assert record["expected_rate"] == pytest.approx(expected)
    assert record["difference"] == pytest.approx(record["rate"] / expected - 1)
    assert abs(record["difference"]) < 0.1  # 500 neurons, 0.3 s
    assert record["expected_cv"] is None
    result = [network_in_numpy(500, 300.0, 100.0, np.random.default_rng(k)) for k in range(3)]
    rates, cvs = np.array(result).T
    assert abs(record["rate"] / rates.mean() - 1) < 0.05, (record["rate"], rates)
    # White noise of the same strength would give 0.39: the network's own spikes are regular.
    assert abs(record["cv"] - cvs.mean()) < 0.03, (record["cv"], cvs)


def test_nothing_is_expected_of_a_cuba_network_of_another_size(finished):
    record = balanced.summary(finished[2])[0]
    assert (record["expected_rate"], record["difference"], record["expected_cv"]) == (None,) * 3
    assert " - " in balanced.table([record]) and record["cv"] > 0


def test_a_stopped_run_goes_on_and_fewer_shown_change_nothing_else(finished, tmp_path, monkeypatch):
    _, _, dataset = finished
    config = dataclasses.replace(SMALL, out=str(tmp_path), shown=50)
    calls = []

    def stored(name):  # what the command result, in the place of another solve
        def solve(config):
            calls.append(name)
            if len(calls) == 2:
                raise KeyboardInterrupt
            one, times, neurons, _ = spikes_of(dataset, name)
            numbers = {key: one[key].values for key in ("expected_rate", "expected_cv")}
            return {"spike_time": times, "spike_neuron": neurons} | numbers

        return solve

    monkeypatch.setattr(balanced, "_cuba", stored("CUBA"))
    monkeypatch.setattr(balanced, "_brunel", stored("Brunel"))
    with pytest.raises(KeyboardInterrupt):
        balanced.STUDY(config)
    result = balanced.STUDY(config)
    assert calls == ["CUBA", "Brunel", "Brunel"]
    same = [name for name in dataset.data_vars if not str(name).startswith(("spike_", "shown"))]
    xr.testing.assert_identical(result[same].drop_attrs(), dataset[same].drop_attrs())
    one, _, neurons, _ = spikes_of(result, "Brunel")
    assert set(neurons) == {*range(40), *range(400, 410)} and int(one.shown_excitatory) == 40
    paths = style.save(figure.draw(result), "balanced", tmp_path)
    assert all(path.stat().st_size > 10_000 for path in paths)


def test_the_figure_draws_what_is_stored(finished):
    _, _, dataset = finished
    fig = figure.draw(dataset)
    for k, name in enumerate(("CUBA", "Brunel")):
        raster, below, rates, cvs = fig.axes[4 * k : 4 * k + 4]
        one, times, _, _ = spikes_of(dataset, name)
        assert sum(len(line.get_xdata()) for line in raster.lines) == len(times)
        start = float(one.start)
        assert raster.get_xlim() == below.get_xlim() == (start, start + 300)
        assert below.get_xlabel() == "time (ms)" and below.get_ylabel() == "rate (Hz)"
        assert f"mean {float(one.rate.mean()):.1f}" in rates.get_title()
        assert len(cvs.lines) == 0  # nothing is expected
        expected = float(one.expected_rate)
        assert [line.get_xdata()[0] for line in rates.lines] == [expected] * (name == "Brunel")
        for patch in rates.patches:  # shares of a whole population
            np.testing.assert_allclose(patch.get_data().values.sum(), 100)
    matplotlib.pyplot.close(fig)


@pytest.mark.slow
def test_spikes_without_room_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(balanced, "ROOM", -1000 / (6 * 50))  # none at all
    config = dataclasses.replace(SMALL, cuba=100, t1=50.0, out=str(tmp_path))
    with pytest.raises(InputError, match="^CUBA: the solve failed .*max_spikes"):
        balanced.STUDY(config)
    assert not list(tmp_path.rglob("chunk_*"))


def test_a_quick_run_is_small_and_as_noisy():
    quick = prepared(balanced.Config(quick=True))
    assert quick.brunel == 1250 and quick.weight == pytest.approx(0.1 * np.sqrt(10))
    assert balanced.Config().weight == 0.1


def test_the_command_ends_in_one_line_on_bad_input():
    command = [sys.executable, "-m", "experiments.balanced", "--dt", "-1"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.strip() == "balanced: dt must be more than 0 and at most 0.5, got -1.0."
