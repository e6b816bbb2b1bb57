"""The job of recall: from its command line to its numbers, its picture and its errors."""

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

from bpcjax import cost
from experiments import recall
from experiments.common import InputError, results
from experiments.common.operations import ledgers
from experiments.common.settings import prepared
from experiments.recall.corruptions import CORRUPTIONS
from experiments.recall.report import accuracies, as_dataset, measure, with_metrics

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
    metrics = json.loads((out / "recall" / "metrics.json").read_text())
    assert metrics == measure(dataset)
    for c, corruption in enumerate(dataset.corruption.values):  # by hand, in numpy
        spiking = f"{corruption}, spiking"
        for m, method in enumerate(dataset.model.values):
            right = dataset.recalled.values[c, :, m] == dataset.target.values
            row = {k: metrics[f"{corruption}, {method}: {k}"] for k in ("recall", "low", "high")}
            assert row["recall"] == right.mean() and row["low"] <= row["recall"] <= row["high"]
        spent = {k: metrics[f"{spiking}: {k}"] for k in ("macs", "synaptic", "words", "used")}
        assert spent["used"] == dataset.used.values[c, :, 0].mean()
        operations = dataset.operations.sel(model="spiking")[c].mean("query")
        additions = float(operations.sel(operation="adds"))
        # In single precision, without memory: products, and additions of weights and of states.
        pico = 4.6 * spent["macs"] + 0.9 * (spent["synaptic"] + additions)
        np.testing.assert_allclose(metrics[f"{spiking}: nJ fp32"], pico / 1e3)
        store = 12 * 64 * 4  # bytes: 8 kB of SRAM, 10 / 8 pJ a byte
        assert store < 2**13
        np.testing.assert_allclose(
            metrics[f"{spiking}: nJ fp32+memory"], (pico + spent["words"] * 4 * 10 / 8) / 1e3
        )
    dense = metrics["noise 1, attention: nJ fp32"]  # 2 N P products; P exps, divisions, additions
    np.testing.assert_allclose(dense, (2 * 64 * 12 * 4.6 + 12 * (41.4 + 22.1 + 0.9)) / 1e3)


def test_the_batch_at_which_attention_is_cheaper_is_the_first(finished):
    _, _, dataset = finished
    metrics = measure(dataset)
    ledger = ledgers(64, 12)["fp32+memory"]
    for corruption in dataset.corruption.values:
        batch = metrics[f"{corruption}: attention cheaper from batch, fp32+memory"]
        own = metrics[f"{corruption}, spiking: nJ fp32+memory"]

        def cost_at(batch):
            return ledger.energy(cost.attention_counts(64, 12, batch=batch)) / 1e3

        if batch:
            assert cost_at(batch) < own and (batch == 1 or cost_at(batch - 1) >= own)
        else:
            assert cost_at(1024) >= own


def test_answers_are_those_of_one_posterior(finished):
    _, config, dataset = finished
    patterns, shape = dataset.patterns.values.astype(float), (8, 8)
    for c, spoil in enumerate(CORRUPTIONS):
        query, seen = dataset.queries.values[c].astype(float), spoil.seen(shape)
        gap = ((query[:, None] - patterns) ** 2 * seen).sum(axis=-1)
        of_seen = dataset.recalled.sel(model="nearest of what is seen")[c]
        np.testing.assert_array_equal(of_seen, gap.argmin(axis=-1))
        np.testing.assert_array_equal(dataset.recalled.sel(model="partial distance")[c], of_seen)
        zeros = ((query[:, None] - patterns) ** 2).sum(axis=-1)
        near = dataset.recalled.sel(model="nearest")[c]
        np.testing.assert_array_equal(near, zeros.argmin(axis=-1))
        # Attention written out: softmax of Gaussian log likelihoods, then the nearest of the mean.
        weight = np.exp(-0.5 * (zeros - zeros.min(1, keepdims=True)) / max(spoil.sigma, 0.25) ** 2)
        mean = weight / weight.sum(axis=1, keepdims=True) @ patterns
        near = ((mean[:, None] - patterns) ** 2).sum(axis=-1).argmin(axis=-1)
        np.testing.assert_array_equal(dataset.recalled.sel(model="attention")[c], near)


def test_the_true_pattern_is_silenced_no_more_often_than_promised(finished):
    _, config, dataset = finished
    assert dataset.theta == pytest.approx(np.log(11 / 0.05))
    for memory in dataset.memory.values:
        silenced = dataset.silenced.sel(memory=memory).values
        # 72 queries: 0.05 and three standard errors
        assert silenced.mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / silenced.size)


def test_the_example_is_the_same_recall(finished):
    _, _, dataset = finished
    example = dataset.isel(corruption=dataset.example_corruption, query=dataset.example_query)
    patterns, order = dataset.patterns.values.astype(float), dataset.order.values
    query, sigma = example.queries.values.astype(float), float(example.level)
    for k, pixels in enumerate(dataset.test.values):
        some = order[:pixels]
        log = -0.5 * ((query[some] - patterns[:, some]) ** 2).sum(axis=-1) / sigma**2
        np.testing.assert_allclose(dataset.odds.values[k], log - log.max(), atol=2e-3)
    alive = dataset.alive.values
    assert (alive[1:] <= alive[:-1]).all() and alive[0].all()
    assert alive[-1].sum() == int(example.survivors.sel(memory="spiking"))
    recalled, *_ = dataset.leaders.values
    assert recalled == int(example.recalled.sel(model="spiking"))
    # the landscape after the last moment is that of the survivors alone
    last = dataset.alive.values[dataset.moments.values[-1]]
    assert last.sum() == alive[-1].sum()


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
    assert len(list(work.glob("chunk_*.npz"))) == 3  # the queries, and two corruptions
    (work / "chunk_0002.npz").write_bytes(b"half-writ")  # a damaged part is done again
    again = []
    monkeypatch.setattr(results.Chunks, "put", lambda self, k, arrays: again.append(k))
    with pytest.warns(UserWarning, match="chunk_0002.npz is cut short.* It is made anew"):
        solution = recall.STUDY(config)
    assert done == [0, 1, 2] and again == [2, *range(3, 10)]
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
    _, config, dataset = finished
    task = {k: dataset[k].values for k in ("patterns", "target", "mean")}
    task |= {"labels": dataset.label.values, "query": dataset.queries.values}
    task |= {"shape": np.array(dataset.attrs["shape"]), "scale": dataset.scale}
    ok = np.ones((8, 9, 3), bool)
    ok[0, :4, 2] = False  # draws, of queries without noise
    answers = {k: dataset[k].values for k in ("recalled", "operations", "used", "spikes")}
    answers |= {"survivors": dataset.survivors.values, "ok": ok}
    answers["alive"] = np.ones((8, 9, 2, 12), bool)
    failed = with_metrics(as_dataset(task, answers)).assign_attrs(theta=1.0, error=0.1)
    metrics = measure(failed)
    assert metrics["noise 0, draws from the posterior: failed"] == 4
    assert metrics["noise 0, draws from the posterior: recall"] == 5 / 9
    assert "4 failed" in accuracies(metrics)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--patterns", "5000", "--queries", "10"], "patterns: the data set has 1797 images"),
        (["--floor", "nan"], "floor must be more than 0, got nan"),
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
    command = [sys.executable, "-m", "experiments.recall", "--floor", "-1"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stderr.strip() == (
        "recall: floor must be more than 0, got -1.0."
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
