"""The study of learning, made small."""

import dataclasses

import numpy as np
import pytest

from experiments import learn as study
from experiments.common import InputError
from experiments.common.scores import calibration_error, scores
from figures import learn as figure

pytestmark = pytest.mark.study

SMALL = study.Config(data="digits", width=48, seeds=1, epochs=15)


@pytest.mark.slow
def test_the_table(tmp_path):
    config = dataclasses.replace(SMALL, out=str(tmp_path))
    found = study.run(config, study.Parts(study.NAME, config))
    accuracy = found.accuracy.mean("seed")
    for name in ("spiking", "rate", "backpropagation"):
        assert accuracy.sel(network=name) > 0.85  # chance is 0.1
    # the operations of a dense network: 64 x 48 + 48 x 10
    assert float(found.macs.sel(network="rate").mean()) == 64 * 48 + 48 * 10
    row = found.sel(network="spiking").mean("seed")
    assert float(row.macs) == 64 * 48
    assert float(row.synaptic) == pytest.approx(10 * float(row.spikes))
    # 4.6 pJ a multiply-accumulate, 0.9 pJ an addition (Horowitz 2014)
    expected = 4.6 * float(row.macs) + 0.9 * float(row.synaptic)
    assert float(row.picojoules) == pytest.approx(expected)
    assert float(row.curve_spikes[0]) == 0 and bool((row.curve_spikes.diff("step") >= 0).all())
    assert all(np.isfinite(list(study.summary(found).values())))
    assert len(figure.draw(found).axes) == 7


def test_scores_of_known_outputs():
    # Sure of 0.75 and right in 3 of 4: no calibration error; of 0.75 and always right: 0.25.
    odds = np.log(np.array([[3.0, 1.0]] * 4))
    assert scores(odds, np.array([0, 0, 0, 1]))["ece"] == pytest.approx(0, abs=1e-12)
    found = scores(odds, np.zeros(4, int))
    assert found["ece"] == pytest.approx(0.25)
    assert found["nll"] == pytest.approx(np.log(4 / 3)) and found["accuracy"] == 1
    assert calibration_error(np.eye(3), np.arange(3)) == 0


@pytest.mark.parametrize("change", [{"seeds": 0}, {"epochs": 0}, {"width": 1}])
def test_bad_input_is_named(change):
    with pytest.raises(InputError, match=next(iter(change))):
        study.check(dataclasses.replace(SMALL, **change))
