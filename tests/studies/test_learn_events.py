"""The study of learning events: its tests are disjoint, its rivals what they are called."""

import numpy as np
import pytest
import xarray as xr

import bpcjax as bpc
from experiments import learn_events as study
from experiments.common.data import Split, splits
from experiments.common.recordings import bar_trace, event_counts
from figures import learn_events as figure

pytestmark = pytest.mark.study


def numbered(first, count):
    """Recordings whose only input is their number."""
    return Split(np.arange(first, first + count, dtype=np.float32)[:, None], np.zeros(count), 10)


def test_no_recording_is_tested_twice_nor_learned_from():
    official = numbered(0, 90), numbered(90, 15)
    tests = []
    for number in range(5):
        train, test = study.fold(official, number)
        assert len(test.x) == 15 and len(train.x) == 90
        assert set(train.x.ravel()) | set(test.x.ravel()) == set(range(105))
        tests.append(test.x.ravel())
    assert set(tests[0]) == set(range(90, 105))  # the official test
    assert len(set(np.concatenate(tests))) == 75


def test_events_are_counted_by_frame_sign_and_square():
    shape, places = (2, 34, 34), [(0, 0, 1), (1, 33, 33), (1, 2, 3)]  # sign, row, column
    channels = np.ravel_multi_index(tuple(np.transpose(places)), shape)
    events = bpc.data.Events(
        np.array([1.0, 6.0, 50.0]), channels, np.array([0, 2, 3]), np.arange(2), shape
    )
    counts = event_counts(events, 2, 5.0)  # two frames of 5 ms, the last one takes what is later
    expected = np.zeros((2, 2, 2, 17, 17))
    expected[0, 0, 0, 0, 0] = expected[0, 1, 1, 16, 16] = expected[1, 1, 1, 1, 1] = 1
    np.testing.assert_array_equal(counts, expected)
    down = event_counts(events, place=lambda row, column: (row + 1, column))
    assert down[0].sum() == 1 and down[1].sum() == 1  # one left the grid
    one = event_counts(events, mask=np.array([True, False, False]))
    assert one.sum() == one[0, 0, 0, 0, 0] == 1


def test_a_bar_leaves_a_trace_that_forgets():
    trace = bar_trace(50)
    assert trace.shape == (50, 35) and np.isclose(trace.std(), 1)
    arrivals = trace[1:] - 0.98 * trace[:-1]
    assert (arrivals > -1e-9).all() and arrivals.max() > 0


def test_rivals_of_two_rings():
    # A ring around a disc: no straight line parts them, a nearest neighbour does.
    rng = np.random.default_rng(0)
    angle, labels = rng.uniform(0, 2 * np.pi, 400), np.arange(400) % 2
    x = ((0.3 + labels) * np.array([np.cos(angle), np.sin(angle)])).T.astype(np.float32)
    pair = Split(x[:300], labels[:300], 2), Split(x[300:], labels[300:], 2)
    straight, nearest = study.baselines(*pair)
    assert nearest.mean() > 0.98 and straight.mean() < 0.75
    moved = x + 3 * labels[:, None].astype(np.float32)  # apart: a line does it too
    pair = Split(moved[:300], labels[:300], 2), Split(moved[300:], labels[300:], 2)
    assert study.baselines(*pair)[0].all()


@pytest.mark.slow
def test_a_fold_and_the_summary():
    train, test = splits("digits")
    metrics = study.measure_fold(study.Config(epochs=30), "spoken digits", 0, (train, test))
    accuracy = metrics["right"].mean(axis=1)
    assert accuracy.shape == (3,) and accuracy.min() > 0.85  # chance: 0.1
    # Spikes of the input are pixels in quarters, one for each quarter.
    assert metrics["input_spikes"] == pytest.approx(np.round(test.x / 0.25).sum() / len(test.x))
    dims = {
        "right": ("recordings", "fold", "method_", "item"),
        "curve": ("recordings", "fold", "step"),
    }
    data = {
        k: (dims.get(k, ("recordings", "fold")), np.asarray(v, float)[None, None])
        for k, v in metrics.items()
    }
    dataset = xr.Dataset(data, coords={"recordings": ["digits"], "method_": list(study.METHODS)})
    table = study.summary(dataset)
    for k, name in enumerate(study.METHODS):
        assert table[f"digits, {name}"] == pytest.approx(accuracy[k])
        assert table[f"digits, {name}: low"] < accuracy[k] < table[f"digits, {name}: high"]
    lead = metrics["right"][0].astype(float) - metrics["right"][1]
    expected = 1.96 * lead.std(ddof=1) / np.sqrt(lead.size)
    assert table["digits: lead over the linear readout, 95 %"] == pytest.approx(expected)
    assert len(figure.draw(dataset).axes) == 2
