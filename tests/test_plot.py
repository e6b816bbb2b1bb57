"""Pictures: what is drawn, what the axes say, and what is refused."""

import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")

import matplotlib.pyplot as plt

from bpcjax.energies import ModernHopfield
from bpcjax.plot import landscape, plane, raster, traces
from bpcjax.stepping import SpikeRecord


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def record(times, neurons, count):
    return SpikeRecord(jnp.asarray(times, float), jnp.asarray(neurons, int), jnp.array(count))


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
    batch = SpikeRecord.__new__(SpikeRecord)
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


def test_a_plane_holds_its_three_points():
    rng = np.random.default_rng(0)
    three = rng.standard_normal((3, 7))
    slice_ = plane(*three)
    np.testing.assert_allclose(slice_.directions @ slice_.directions.T, np.eye(2), atol=1e-12)
    at = slice_.coordinates(three)
    np.testing.assert_allclose(slice_.points(at), three, atol=1e-12)
    # The first axis runs from the origin to the second point, at true distances.
    np.testing.assert_allclose(at[1], [np.linalg.norm(three[1] - three[0]), 0], atol=1e-12)
    with pytest.raises(ValueError, match="length"):
        plane(three[0], three[1], three[2][:3])
    with pytest.raises(ValueError, match="finite"):
        plane(three[0], three[1], np.nan * three[2])


@pytest.mark.parametrize("at", [(0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 2)])
def test_three_points_of_a_line_span_no_plane(at):
    with pytest.raises(ValueError, match="one line"):
        plane(*(np.full(7, float(x)) for x in at))


def test_landscape_draws_path_and_marks_where_they_are():
    energy = ModernHopfield(jnp.eye(3), 4.0)
    slice_ = plane(*np.eye(3))
    path = np.linspace(np.eye(3)[0], np.eye(3)[1], 5)
    ax = landscape(energy, slice_, path=path, marks={"one": np.eye(3)[2]}, ts=np.arange(5.0))
    dots = ax.collections[-1].get_offsets()
    np.testing.assert_allclose(dots, slice_.coordinates(path), atol=1e-12)
    np.testing.assert_allclose(ax.lines[-1].get_xydata(), slice_.coordinates(np.eye(3)[2:]))
    assert [text.get_text() for text in ax.texts] == ["one"]
    assert "unit" in ax.get_xlabel() and ax.figure.axes[-1].get_ylabel() == "time (ms)"
    ax.figure.canvas.draw()


def test_landscape_contours_are_the_energy():
    def bowl(y):
        return jnp.sum(y**2)

    ax = landscape(bowl, plane(np.zeros(3), np.eye(3)[0], np.eye(3)[1]))
    contours = ax.collections[-1]
    checked = 0
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        if len(path.vertices):  # linear interpolation on a grid of 1/29: exact to about (1/29)^2
            np.testing.assert_allclose((path.vertices**2).sum(axis=1), level, atol=1e-3)
            checked += 1
    assert checked > 10


@pytest.mark.parametrize(
    "change, named",
    [
        (dict(path=np.full((4, 3), np.nan)), "path"),
        (dict(path=np.zeros((4, 2))), "path"),
        (dict(marks={"here": np.zeros(5)}), "marks: here"),
        (dict(path=np.zeros((4, 3)), ts=np.zeros(3)), "ts"),
        (dict(energy=lambda y: jnp.nan * y.sum()), "energy"),
    ],
)
def test_landscape_names_what_does_not_fit(change, named):
    kwargs = dict(energy=lambda y: y @ y, plane=plane(*np.eye(3))) | change
    with pytest.raises(ValueError, match=named):
        landscape(**kwargs)


@pytest.mark.parametrize("energy", [lambda y: y @ y, lambda y: 0 * y.sum()])
def test_landscape_without_a_path_is_drawn_even_if_flat(energy):
    ax = landscape(energy, plane(*np.eye(3)), path=np.zeros((0, 3)))
    ax.figure.canvas.draw()
