"""The study of accuracy against energy, made small."""

import dataclasses

import numpy as np
import pytest

from experiments import spike_energy as study
from figures import spike_energy as figure

pytestmark = pytest.mark.study

SMALL = study.Config(data="digits", quanta=(1.0,), widths=(16, 48), epochs=6)


@pytest.mark.slow
def test_a_small_run(tmp_path):
    config = dataclasses.replace(SMALL, out=str(tmp_path))
    dataset = study.STUDY(config)
    # 4.6 pJ a multiply-accumulate, 0.9 pJ an addition or a synapse, 4.6 pJ a state (Horowitz 2014)
    rival = dataset.sel(network="backpropagation, 48 units")
    np.testing.assert_allclose(rival.energy, 4.6 * (64 * 48 + 480))
    np.testing.assert_allclose(rival.energy_states, rival.energy)
    row = dataset.sel(network="spiking, d = 1")
    np.testing.assert_allclose(row.energy, 4.6 * 64 * 48 + 0.9 * 10 * row.curve_spikes)
    pixels = dataset.sel(network="spiking pixels, d = 1")
    arriving = 0.9 * 48 * float(pixels.input_spikes)
    np.testing.assert_allclose(pixels.energy, arriving + 9 * pixels.curve_spikes)
    np.testing.assert_allclose(
        pixels.energy_states - pixels.energy, 4.6 * 48 * (np.arange(study.STEPS) + 1)
    )
    assert float(pixels.accuracy) > 0.6 and float(rival.accuracy) > 0.6  # chance is 0.1
    assert len(figure.draw(dataset).axes) == 3
