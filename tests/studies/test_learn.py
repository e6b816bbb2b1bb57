"""The study of learning, made small."""

import dataclasses

import numpy as np
import pytest

from experiments import learn as study
from experiments.common.scores import calibration_error, scores
from experiments.common.stacking import stack
from figures import learn as figure

pytestmark = pytest.mark.study

SMALL = study.Config(
    data="digits", width=48, seeds=1, epochs=15, steps=(0, 4), depths=(1, 3), trials=2
)


@pytest.mark.slow
def test_the_table(tmp_path):
    config = dataclasses.replace(SMALL, out=str(tmp_path))
    dataset = study.STUDY(config)
    accuracy = dataset.accuracy.mean("seed")
    for name in ("spiking", "rate", "backpropagation"):
        assert accuracy.sel(network=name) > 0.85  # chance is 0.1
    # the operations of a dense network: 64 x 48 + 48 x 10
    assert float(dataset.macs.sel(network="rate").mean()) == 64 * 48 + 48 * 10
    row = dataset.sel(network="spiking").mean("seed")
    assert float(row.macs) == 64 * 48
    assert float(row.synaptic) == pytest.approx(10 * float(row.spikes))
    # 4.6 pJ a multiply-accumulate, 0.9 pJ an addition (Horowitz 2014)
    expected = 4.6 * float(row.macs) + 0.9 * float(row.synaptic)
    assert float(row.picojoules) == pytest.approx(expected)
    sent = row.curve_spikes.dropna("step")
    assert float(sent[0]) == 0 and bool((sent.diff("step") >= 0).all()) and sent.size == 20
    metrics = study.summary(dataset)
    assert all(np.isfinite([x for x in metrics.values() if not isinstance(x, str)]))
    assert metrics["local: certificate"].startswith("local; broadcasts: classes, keys")
    verdict = "not local: W2 -> hidden 1, classes -> hidden 1; broadcasts: classes, keys"
    assert metrics["spiking: certificate"].startswith(verdict)
    verdict = "not local: classes -> hidden 1; broadcasts: classes, state"
    assert metrics["backpropagation: certificate"].startswith(verdict)
    # what learning sends: spikes of values and errors at 7 bits, 58 addresses and a sign
    row = dataset.sel(network="spiking").mean("seed")
    events = row.free_spikes + row.nudged_spikes + row.error_spikes
    assert float(row.bits) == pytest.approx(7 * float(events))
    assert float(dataset.nudged_spikes.sel(network="ablation: no value moves").mean()) == 0
    for name in ("spiking", "backpropagation"):  # the best of two trials
        best = dataset.trial_accuracy.sel(tuned=f"{name}, tuned").max()
        assert 0.7 < float(best) <= 1
    assert len(figure.draw(dataset).axes) == 10


def test_scores_of_known_outputs():
    # Sure of 0.75 and right in 3 of 4: no calibration error; of 0.75 and always right: 0.25.
    odds = np.log(np.array([[3.0, 1.0]] * 4))
    assert scores(odds, np.array([0, 0, 0, 1]))["ece"] == pytest.approx(0, abs=1e-12)
    metrics = scores(odds, np.zeros(4, int))
    assert metrics["ece"] == pytest.approx(0.25)
    assert metrics["nll"] == pytest.approx(np.log(4 / 3)) and metrics["accuracy"] == 1
    assert calibration_error(np.eye(3), np.arange(3)) == 0


def test_parts_are_stacked_by_index_and_padded():
    parts = {(0, 0): {"loss": [1.0, 2.0], "n": 3}, (1, 1): {"loss": [5.0], "n": 4}}
    arrays = stack(parts, (2, 2))
    nan = np.nan
    np.testing.assert_array_equal(arrays["n"], [[3, nan], [nan, 4]])
    np.testing.assert_array_equal(arrays["loss"], [[[1, 2], [nan, nan]], [[nan, nan], [5, nan]]])
    whole = stack({(0,): {"n": 1}, (1,): {"n": 2}}, (2,))["n"]  # no gap: their own type
    assert whole.tolist() == [1, 2] and np.issubdtype(whole.dtype, np.integer)
