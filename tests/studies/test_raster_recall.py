"""The study of rasters recalled by spikes: shifts change nothing for the memory, readouts keep
their answers in other coordinates, energies count what they say."""

import jax.numpy as jnp
import numpy as np
import pytest

from experiments import raster_recall as study
from experiments.common.data import Split
from experiments.common.linear_readouts import baselines
from experiments.raster_recall import methods, rasters
from figures import raster_recall as figure

pytestmark = pytest.mark.study

TINY = Split(np.random.default_rng(0).poisson(0.6, (60, 5, 8)).astype(np.float32),
             np.arange(60) % 3, 3)  # fmt: skip


def test_recordings_at_unknown_times_are_moved_and_the_memory_answers_alike():
    late = rasters.shifted(TINY, np.random.default_rng(1), 2)
    assert len(late.x) == 120 and (late.labels[:60] == TINY.labels).all()
    np.testing.assert_array_equal(late.x[60:].sum(2), TINY.x.sum(2))
    assert (late.x[:60] != TINY.x).any()
    energy, owns = methods.memory_of(TINY, 0.5), methods.owners(TINY)
    asked = [jnp.asarray(rasters.raster(x)) for x in (TINY.x, late.x[:60])]
    one, other = (np.asarray(methods.class_posterior(energy, owns, x)) for x in asked)
    np.testing.assert_allclose(one, other, atol=1e-3)  # single precision
    np.testing.assert_allclose(np.exp(one).sum(1), 1, rtol=1e-4)


def test_the_memory_of_one_step_is_the_mixture_of_gaussians_at_its_rows():
    flat = methods.without_delays(TINY)
    x = np.sqrt(TINY.x).reshape(60, -1).astype(np.float64)
    log_p = -0.25 * ((x[:7, None] - x[None]) ** 2).sum(-1)  # beta = 1 / 2
    weights = np.exp(log_p) / np.exp(log_p).sum(1, keepdims=True)
    expected = np.stack([weights[:, TINY.labels == k].sum(1) for k in range(3)], axis=1)
    queries = jnp.asarray(rasters.raster(flat.x[:7]))
    result = methods.class_posterior(methods.memory_of(flat, 0.5), methods.owners(flat), queries)
    np.testing.assert_allclose(np.exp(result), expected, atol=1e-4)


def test_readouts_read_the_same_in_the_span_of_the_training_set():
    rng = np.random.default_rng(2)
    centres = rng.normal(size=(3, 4, 25))
    parts = [
        Split((centres[y] + rng.normal(size=(len(y), 4, 25))).astype(np.float32), y, 3)
        for y in (np.arange(50) % 3, np.arange(40) % 3)
    ]
    assert 100 > 50  # more numbers than recordings
    turned = rasters.rotated(*parts)
    assert turned[0].x.shape == (50, 50)
    for one, other in zip(baselines(*parts), baselines(*turned), strict=True):
        np.testing.assert_array_equal(one, other)


def test_ties_go_to_the_first_spike():
    spiked = np.array([[2, 1, 1, 2], [0, 1, 1, 2], [1, 2, 0, 0]])
    np.testing.assert_array_equal(methods.votes(spiked, 3), [2, 1, 0])
    np.testing.assert_array_equal(methods.votes(spiked[:, :1], 3), spiked[:, 0])


def test_pairs_of_events_are_counted_at_every_shift():
    # One event heard, on a line where two memories hold one each and a third holds two.
    x = np.zeros((3, 2, 8), np.float32)
    x[0, 0, 1] = x[1, 0, 5] = x[2, 0, 2] = x[2, 0, 3] = x[2, 1, 0] = 1
    heard = np.zeros((1, 2, 8), np.float32)
    heard[0, 0, 7] = 1
    picojoules = methods.operations(Split(x, np.arange(3), 3), Split(heard, np.zeros(1), 3), 3)
    fp32 = picojoules[0]
    exp, mac, add = 9 * 4.6, 4.6, 0.9  # bpcjax.cost.FP32: Horowitz (2014)
    np.testing.assert_allclose(fp32[0], 4 * mac + 24 * (add + exp))  # 3 memories, 8 shifts
    np.testing.assert_allclose(fp32[methods.METHODS.index("linear readout")], 3 * mac)
    assert (np.diff(fp32[:4]) > 0).all()


def test_the_study_runs_and_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(rasters, "TRAIN", 100)
    dataset = study.STUDY(study.Config(quick=True, out=str(tmp_path)))
    numbers = study.summary(dataset)
    head = "patterns as recorded, delay memory"
    late = "patterns at an unknown time, delay memory"
    assert numbers[f"{head}, posterior"] == numbers[f"{late}, posterior"] > 0.2  # chance: 0.1
    assert numbers["patterns at an unknown time, memory without delays"] < 0.4
    assert numbers["patterns as recorded, linear readout"] > 0.6
    assert numbers[f"{head}, posterior: low"] < numbers[f"{head}, posterior"]
    assert len(figure.draw(dataset).axes) == 5
