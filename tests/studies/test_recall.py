"""The job of recall: from its command line to its numbers, its picture and its errors."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest
import xarray as xr

matplotlib.use("agg")

from experiments import recall
from experiments.common import InputError, results
from experiments.common.memories import with_flat_prior
from experiments.common.settings import prepared
from experiments.recall.report import measure, table, verdict

pytestmark = pytest.mark.study

OPTIONS = ["--patterns", "12", "--queries", "9", "--chunk", "16", "--t1", "3"]


def run_main(monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["recall", *options])
    recall.STUDY.main()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One small run by its command line: its folder, its config, what it stored."""
    out = tmp_path_factory.mktemp("recall")
    with pytest.MonkeyPatch.context() as patch:
        run_main(patch, *OPTIONS, "--out", str(out), "--figures", str(out / "figures"))
    config = recall.Config(
        patterns=12, queries=9, chunk=16, t1=3.0, out=str(out), figures=str(out / "figures")
    )
    return out, config, xr.open_zarr(out / "recall.zarr").load()


def test_every_file_is_there_and_nothing_else(finished):
    out, config, _ = finished
    names = {str(path.relative_to(out)) for path in out.glob("*")}
    assert names == {"recall.zarr", "recall", "figures"}
    assert {p.name for p in (out / "recall").iterdir()} == {"metrics.json", "config.json"}
    assert {p.name for p in (out / "figures").iterdir()} == {"recall.pdf", "recall.png"}
    about = json.loads((out / "recall" / "config.json").read_text())
    assert about["config"] == dataclasses.asdict(config)
    assert about["versions"]["jax"] == jax.__version__ and "commit" in about


def test_unspoilt_queries_are_recalled_by_every_method(finished):
    _, _, dataset = finished
    assert dataset.ok.values.all()
    assert dataset.correct.sel(corruption="noise 0").values.all()
    assert not dataset.correct.sel(corruption="noise 3").values.all()  # and it can be lost


def test_metrics_are_those_of_the_stored_answers(finished):
    out, _, dataset = finished
    records = json.loads((out / "recall" / "metrics.json").read_text())
    assert records == measure(dataset) and len(records) == 32
    for r in records:  # by hand, in numpy
        c = list(dataset.corruption.values).index(r["corruption"])
        m = list(dataset.model.values).index(r["method"])
        right = dataset.recalled.values[c, :, m] == dataset.target.values
        assert (r["correct"], r["queries"]) == (right.sum(), 9)
        assert r["recall"] == right.mean() and r["low"] <= r["recall"] <= r["high"]
        if r["method"] == "spiking":
            s, k = dataset.spikes.values[c].mean(), dataset.inputs.values[c].mean()
            assert r["spikes"] == s
            np.testing.assert_allclose(r["synaptic"], s * (64 + 12))
            np.testing.assert_allclose(r["macs"], k * 12)
            # In single precision, by hand, without memory: products, additions, states, rates.
            pico = 4.6 * k * 12 + s * (76 * (0.9 + 4.6) + 12 * 0.9 + 13 * 41.4)
            np.testing.assert_allclose(r["energy"]["fp32"], pico / 1e3)
            dense = next(o for o in records if o["method"] == "attention")["energy"]["fp32"]
            even = (dense * 1e3 - 4.6 * k * 12) / ((pico - 4.6 * k * 12) / s)
            np.testing.assert_allclose(r["even"]["fp32"], even)
    assert len(verdict(records).splitlines()) == 7
    assert len([line for line in table(records).splitlines() if "[" in line]) == 32


def test_attention_is_one_update_of_the_same_energy(finished):
    _, config, dataset = finished
    energy = with_flat_prior(dataset.patterns.values, config.beta)
    queries, patterns = jnp.asarray(dataset.queries.values), dataset.patterns.values
    updated = np.asarray(jax.vmap(jax.vmap(energy.update))(queries))
    assert updated.dtype == np.float32  # single precision, as the job is
    # Attention written out: softmax of Gaussian log likelihoods, then their mean.
    gap = ((dataset.queries.values[:, :, None] - patterns) ** 2).sum(axis=-1)
    weight = np.exp(-0.5 * config.beta * (gap - gap.min(axis=-1, keepdims=True)))
    weight /= weight.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(updated, weight @ patterns, atol=1e-4)
    near = ((updated[:, :, None] - patterns) ** 2).sum(axis=-1).argmin(axis=-1)
    np.testing.assert_array_equal(dataset.recalled.sel(model="attention"), near)
    state = queries
    for _ in range(5):
        state = jax.vmap(jax.vmap(energy.update))(state)
    again = ((np.asarray(state)[:, :, None] - patterns) ** 2).sum(axis=-1).argmin(axis=-1)
    np.testing.assert_array_equal(dataset.recalled.sel(model="attention x5"), again)
    np.testing.assert_array_equal(dataset.recalled.sel(model="nearest"), gap.argmin(axis=-1))


def test_the_example_is_the_same_solve_and_the_same_energy(finished):
    _, config, dataset = finished
    example = dataset.isel(corruption=dataset.example_corruption, query=dataset.example_query)
    times, neurons = dataset.example_spike_time.values, dataset.example_spike_neuron.values
    assert len(times) == int(example.spikes) and neurons[0] == int(example["first"])
    late = neurons[times >= config.t1 / 2]
    assert np.bincount(late).argmax() == int(example.recalled.sel(model="spiking"))
    state = dataset.example_state.values
    np.testing.assert_allclose(state[0], example.queries.values, atol=1e-6)
    energy = with_flat_prior(dataset.patterns.values, config.beta)
    along = jax.vmap(energy)(jnp.asarray(state))
    np.testing.assert_allclose(dataset.example_energy.values, along, rtol=1e-5)
    # Between spikes tau x' = x_z - x: the state from the record alone, in closed form.
    x, held, t = example.queries.values, example.queries.values, 0.0
    for time, neuron in zip([*times, config.t1], [*neurons, -1], strict=True):
        x = held + (x - held) * np.exp(-(time - t) / config.tau)
        held, t = dataset.patterns.values[neuron], time
    np.testing.assert_allclose(state[-1], x, atol=1e-5)  # single precision


def test_a_stopped_run_goes_on_and_gives_the_same(finished, monkeypatch):
    _, config, dataset = finished
    put, done = results.Chunks.put, []

    def put_three(self, k, arrays):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(k)
        put(self, k, arrays)

    monkeypatch.setattr(results.Chunks, "put", put_three)
    with pytest.raises(KeyboardInterrupt):
        recall.STUDY(config)
    (work,) = Path(config.out, "recall.work").iterdir()
    assert len(list(work.glob("chunk_*.npz"))) == 3  # the queries, and answers to two chunks
    (work / "chunk_0002.npz").write_bytes(b"half-writ")  # a damaged part is done again
    again = []
    monkeypatch.setattr(results.Chunks, "put", lambda self, k, arrays: again.append(k))
    solution = recall.STUDY(config)
    assert done == [0, 1, 2] and again == [2, 3, 4, 5]
    xr.testing.assert_identical(solution, dataset)
    # Parts of a run with another seed are not taken for this one's.
    assert recall.STUDY.parts(dataclasses.replace(config, seed=1)).chunks.get(0) is None
    own = recall.STUDY.parts(config).chunks
    assert own.get(0) is not None
    own.remove()
    assert not Path(config.out, "recall.work").exists()


@pytest.mark.slow
def test_the_figure_reads_the_store_alone(finished, monkeypatch, capsys):
    out, _, _ = finished
    from figures import __main__ as figures

    def status(*options):
        monkeypatch.setattr(sys, "argv", ["figures", *options])
        with pytest.raises(SystemExit) as end:
            figures.main()
        return end.value.code

    # What there is gets drawn; what is missing is named, and tells in the status.
    assert status("--results", str(out), "--out", str(out / "f")) == 1
    assert (out / "f" / "recall.png").stat().st_size > 10_000
    text = capsys.readouterr().out
    others = [(folder, name) for folder, name in figures.names() if name != "recall"]
    assert len(others) > 20
    for folder, name in others:
        assert f"make it with `{figures.COMMANDS[folder].format(name)}`" in text
    assert "python -m experiments.recall" not in text
    assert status("--results", str(out / "none")) == 1
    assert "python -m experiments.recall" in capsys.readouterr().out
    monkeypatch.setattr(figures, "names", lambda: [("", "recall")])
    assert status("--results", str(out), "--out", str(out / "f")) == 0


def test_failed_paths_count_as_not_recalled_and_are_reported(finished):
    _, _, dataset = finished
    failed = dataset.copy(deep=True)
    failed["ok"][0, :4] = False
    failed["correct"][0, :4, 0] = False  # as `as_dataset` marks them
    record = measure(failed)[0]
    assert record["failed"] == 4 and record["correct"] == 5
    assert "4 failed" in table(measure(failed))


@pytest.mark.parametrize(
    "options, message",
    [
        (["--patterns", "5000", "--queries", "10"], "patterns: the data set has 1797 images"),
        (["--beta", "nan"], "beta must be more than 0, got nan"),
        (["--queries", "300"], "queries: 300, but only 200 patterns"),
        (["--data", "mnist", "--data-dir", "."], "data_dir: no mnist in .*idx3-ubyte.gz"),
        (["--data", "mnist", "--data-dir", "nowhere"], "data_dir: nowhere is no folder"),
        (["--out", "file/below"], "out: cannot make the folder"),
    ],
)
def test_bad_input_ends_in_one_line_that_names_it(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("in the way")
    with pytest.raises(SystemExit, match=f"^recall: {message}") as end:
        run_main(monkeypatch, *options)
    assert "\n" not in str(end.value)


@pytest.mark.slow
def test_the_exit_status_of_bad_input_is_not_zero():
    command = [sys.executable, "-m", "experiments.recall", "--beta", "-1"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stderr.strip() == (
        "recall: beta must be more than 0, got -1.0."
    )


def test_half_written_results_are_never_taken_for_whole(tmp_path, monkeypatch):
    config = recall.Config(out=str(tmp_path))
    results.save("x", xr.Dataset({"a": ("n", [1, 2])}), {"b": 1}, config, tmp_path)

    def fail(self, store, **kwargs):
        Path(store).mkdir()
        raise OSError("disk full")

    monkeypatch.setattr(xr.Dataset, "to_zarr", fail)
    with pytest.raises(OSError, match="disk full"):
        results.save("x", xr.Dataset({"a": ("n", [3])}), {"b": 2}, config, tmp_path)
    assert xr.open_zarr(tmp_path / "x.zarr").a.values.tolist() == [1, 2]
    assert json.loads((tmp_path / "x" / "metrics.json").read_text()) == {"b": 1}


def test_a_quick_run_is_small():
    config = prepared(recall.Config(quick=True))
    assert (config.patterns, config.queries, config.chunk) == (30, 10, 80)
    with pytest.raises(InputError, match="patterns"):
        prepared(recall.Config(quick=True, patterns=1))
