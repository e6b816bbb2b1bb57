"""Pictures: what is drawn, what the axes say, and what is refused."""

import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")

import matplotlib.pyplot as plt

from bpcjax import Spikes
from bpcjax.plot import raster, traces


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def record(times, neurons, count):
    return Spikes(jnp.asarray(times, float), jnp.asarray(neurons, int), jnp.array(count))


def test_raster_draws_one_mark_a_spike():
    ax = raster(record([1.0, 2.5, 3.0, jnp.inf], [0, 4, 2, -1], 3), t1=2.6)
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xydata(), [[1.0, 0], [2.5, 4]])  # one spike after t1
    assert ax.get_xlabel() == "time (ms)" and ax.get_ylabel() == "neuron (index)"
    assert ax.get_title() == ""


def test_raster_of_no_spikes_is_empty_axes():
    ax = raster(record([jnp.inf] * 3, [-1] * 3, 0))
    assert len(ax.lines[0].get_xdata()) == 0 and "ms" in ax.get_xlabel()
    ax.figure.canvas.draw()


def test_raster_says_when_the_record_overflowed():
    assert raster(record([1.0, 2.0], [0, 1], 5)).get_title() == "the first 2 of 5 spikes"


def test_raster_refuses_nan_and_batches():
    with pytest.raises(ValueError, match="spikes.*NaN"):
        raster(record([jnp.nan], [0], 1))
    # A batch of records is what `vmap` returns: its leaves have one axis more.
    batch = Spikes.__new__(Spikes)
    for name, value in dict(times=np.zeros((2, 3)), neurons=np.zeros((2, 3), int)).items():
        object.__setattr__(batch, name, jnp.asarray(value))
    with pytest.raises(ValueError, match="spikes.*batch"):
        raster(batch)


def test_traces_draw_on_the_axes_given_and_leave_padding_out():
    _, own = plt.subplots()
    ts = np.array([0.0, 1.0, 2.0, np.inf])
    ax = traces(ts, np.arange(8.0).reshape(4, 2), own, ["v", "w"], ylabel="v (mV)")
    assert ax is own and len(ax.lines) == 2
    np.testing.assert_array_equal(ax.lines[1].get_xydata(), [[0, 1], [1, 3], [2, 5]])
    assert ax.get_xlabel() == "time (ms)" and ax.get_ylabel() == "v (mV)"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["v", "w"]


def test_traces_of_nothing_and_of_nan():
    assert traces(np.zeros(0), np.zeros((0, 2))).get_xlabel() == "time (ms)"
    ax = traces(np.arange(2.0), np.full((2, 1), np.nan))
    ax.figure.canvas.draw()
    assert np.isnan(ax.lines[0].get_ydata()).all()


@pytest.mark.parametrize(
    "ts, values, labels, named",
    [
        (np.zeros((2, 2)), np.zeros((2, 2)), None, "ts"),
        (np.array([0.0, np.nan]), np.zeros(2), None, "ts"),
        (np.zeros(3), np.zeros((2, 2)), None, "values"),
        (np.zeros(2), np.zeros((2, 2)), ["one"], "labels"),
    ],
)
def test_traces_name_what_does_not_fit(ts, values, labels, named):
    with pytest.raises(ValueError, match=named):
        traces(ts, values, labels=labels)
