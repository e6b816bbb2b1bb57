"""Pictures of neurons and networks: what is drawn, what the axes say, and what is refused."""

import dataclasses

import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest
import xarray as xr

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.colors import LogNorm

from bpcjax import Spikes
from bpcjax.analysis import field
from bpcjax.neurons import AdEx, Izhikevich
from bpcjax.plot import Trace, fi_curve, firing, gallery, heat_map, phase_plane, populations


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


# --- f-I curves --------------------------------------------------------------------------------


def test_a_curve_is_drawn_in_the_order_of_its_drives():
    rates = np.array([[30.0, np.nan], [0.0, 1.0], [10.0, 2.0]])
    ax = fi_curve(np.array([3.0, 1.0, 2.0]), rates, labels=["one", "two"], unit="mV/ms")
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[1, 0], [2, 10], [3, 30]])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [1, 2, np.nan])
    assert ax.get_xlabel() == "drive (mV/ms)" and ax.get_ylabel() == "firing rate (Hz)"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]
    assert ax.get_ylim()[0] == 0


@pytest.mark.parametrize(
    "drives, rates, labels, named",
    [
        ([[1.0]], [1.0], None, "drives"),
        ([np.nan], [1.0], None, "drives"),
        ([1.0, 2.0], [1.0], None, "rates"),
        ([1.0], [-1.0], None, "rates must not be negative"),
        ([1.0], [1.0], ["a", "b"], "labels"),
    ],
)
def test_curves_name_what_does_not_fit(drives, rates, labels, named):
    with pytest.raises(ValueError, match=named):
        fi_curve(np.array(drives), np.array(rates), labels=labels)


# --- phase planes ------------------------------------------------------------------------------


def test_nullclines_are_where_the_equations_say():
    neuron, drive = AdEx(), 700.0
    plane = field(neuron, neuron.rest(), drive, v=(-75.0, -45.0), w=(-50.0, 900.0))
    path = np.array([[-70.0, 0.0], [np.nan, np.nan], [-60.0, 50.0]])
    ax = phase_plane(plane, paths={"a path": path})
    v_null, w_null = [c.get_paths()[0].vertices for c in ax.collections if hasattr(c, "levels")]
    leak = -30.0 * (v_null[:, 0] + 70.6)
    upstroke = 60.0 * np.exp((v_null[:, 0] + 50.4) / 2)
    # Linear interpolation on cells of 0.15 mV: an error of 0.15^2 / 8 times the curvature.
    bound = 0.003 * (upstroke / 4) + 1e-6
    assert (np.abs(leak + upstroke + drive - v_null[:, 1]) < bound).all()
    np.testing.assert_allclose(w_null[:, 1], 4.0 * (w_null[:, 0] + 70.6), atol=1e-9)
    assert len(v_null) > 100 and len(w_null) > 100
    np.testing.assert_array_equal(ax.lines[-1].get_xydata(), path)
    assert ax.get_xlabel() == "v (mV)" and ax.get_ylabel() == "w (pA)"
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert shown == ["dv/dt = 0", "dw/dt = 0", "a path"]
    ax.figure.canvas.draw()


def test_arrows_point_along_the_flow_as_it_looks():
    neuron = Izhikevich()
    plane = field(neuron, neuron.rest(), 0.0, grid=31, v=(-80.0, -50.0), u=(-20.0, 0.0))
    quiver = phase_plane(plane, arrows=5).collections[-1]
    np.testing.assert_allclose(np.hypot(quiver.U, quiver.V), 1.0)
    rates = neuron.vector_field(0.0, type(neuron.rest())(*quiver.XY.T), 0.0)
    seen = np.arctan2(np.asarray(rates.u) / 20.0, np.asarray(rates.v) / 30.0)
    np.testing.assert_allclose(np.arctan2(quiver.V, quiver.U), seen, atol=1e-6)


def test_phase_planes_name_what_does_not_fit():
    plane = field(AdEx(), AdEx().rest(), 0.0, grid=5, v=(-80.0, -60.0), w=(0.0, 1.0))
    with pytest.raises(ValueError, match="paths: mine"):
        phase_plane(plane, paths={"mine": np.zeros(3)})
    with pytest.raises(ValueError, match="field is finite nowhere"):
        phase_plane(dataclasses.replace(plane, dx=np.full((5, 5), np.nan)))


# --- firing patterns ---------------------------------------------------------------------------

TS = np.arange(5.0)


def test_spikes_are_lines_from_the_trace_to_the_peak():
    trace = Trace(TS, [-70.0, -60.0, -50.0, -65.0, -60.0], [2.5, np.inf], 1.0)
    ax = firing(trace, peak=20.0)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), trace.v)
    (segment,) = ax.collections[0].get_segments()
    np.testing.assert_array_equal(segment, [[2.5, -50.0], [2.5, 20.0]])
    drive = ax.lines[1].get_ydata()
    assert drive.max() < -70.0 and drive[0] < drive[-1]  # a step, below the trace
    assert ax.get_xlabel() == "time (ms)" and ax.get_ylabel() == "v (mV)"
    ax.figure.canvas.draw()


def test_a_trace_of_nothing_is_empty_axes():
    firing(Trace([], [], []), peak=0.0).figure.canvas.draw()
    silent = firing(Trace(TS, np.full(5, np.nan), [np.inf], np.zeros(5)), peak=0.0)
    silent.figure.canvas.draw()


def test_a_gallery_has_a_panel_a_pattern():
    trace = Trace(TS, TS - 70, [1.0])
    axs = gallery({f"p{k}": trace for k in range(5)}, columns=3, peak={"p1": 10.0})
    assert [ax.get_title() for ax in axs] == ["p0", "p1", "p2", "p3", "p4"]
    assert [len(ax.collections) for ax in axs] == [0, 1, 0, 0, 0]
    assert [ax.get_ylabel() for ax in axs] == ["v (mV)", "", "", "v (mV)", ""]
    assert [ax.get_xlabel() for ax in axs] == ["", "", "time (ms)", "time (ms)", "time (ms)"]
    axs[0].figure.canvas.draw()
    assert not axs[0].figure.axes[5].axison


def test_patterns_name_what_does_not_fit():
    with pytest.raises(ValueError, match="ts and v"):
        firing(Trace(TS, np.zeros((5, 2)), []))
    with pytest.raises(ValueError, match="tonic: trace: spikes"):
        gallery({"tonic": Trace(TS, TS, np.zeros((2, 2)))})
    with pytest.raises(ValueError, match="none to draw"):
        gallery({})


# --- networks ----------------------------------------------------------------------------------


def record(times, neurons, room=None):
    count = len(times)
    pad = (room or count) - count
    return Spikes(
        jnp.asarray([*times, *[np.inf] * pad], float),
        jnp.asarray([*neurons, *[-1] * pad], int),
        jnp.array(count),
    )


def test_populations_are_told_apart_and_their_rates_counted():
    spikes = record([1.0, 2.0, 3.0, 12.0, 14.0], [0, 4, 1, 4, 3], room=8)
    ax = populations(spikes, {"E": 3, "I": 2}, t1=20.0, window=10.0)
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[1, 0], [3, 1]])
    np.testing.assert_array_equal(ax.lines[1].get_xydata(), [[2, 4], [12, 4], [14, 3]])
    below = ax.figure.axes[-1]
    values = [patch.get_data().values for patch in below.patches]
    # Two spikes of three neurons in 10 ms; one of two, and two of two.
    np.testing.assert_allclose(values, [[1000 * 2 / 30, 0], [1000 / 20, 2000 / 20]])
    assert below.get_xlabel() == "time (ms)" and below.get_ylabel() == "rate (Hz)"
    assert below.get_xlim() == ax.get_xlim() == (0.0, 20.0)
    colours = [line.get_color() for line in ax.lines]
    assert len(set(colours)) == 2
    ax.figure.canvas.draw()


def test_a_silent_network_is_drawn():
    ax = populations(record([], [], room=3), {"all": 4})
    ax.figure.canvas.draw()
    assert ax.figure.axes[-1].patches[0].get_data().values.tolist() == [0.0]


def test_populations_name_what_does_not_fit():
    spikes = record([1.0], [5])
    for groups, window, named in [
        ({"E": 5}, 5.0, "groups: 5 neurons, but neuron 5"),
        ({}, 5.0, "groups"),
        ({"E": 0}, 5.0, "groups"),
        ({"E": 9}, 0.0, "window"),
    ]:
        with pytest.raises(ValueError, match=named):
            populations(spikes, groups, window=window)
    with pytest.raises(ValueError, match="ax must be one of a grid"):
        populations(spikes, {"E": 9}, plt.figure().add_axes((0.1, 0.1, 0.8, 0.8)))


# --- heat maps ---------------------------------------------------------------------------------


def sweep(values, **coords):
    array = xr.DataArray(values, coords=coords, dims=[*coords], name="rate", attrs={"units": "Hz"})
    for name in coords:
        array[name].attrs["units"] = "pA"
    return array


def test_a_heat_map_puts_each_value_at_its_coordinates():
    array = sweep([[1.0, 2.0, 3.0], [4.0, np.nan, 6.0]], b=[80.0, 0.0], current=[5.0, 1.0, 3.0])
    ax = heat_map(array)
    (mesh,) = ax.collections
    shown = mesh.get_array()
    np.testing.assert_array_equal(shown.filled(-1), [[-1, 6, 4], [2, 3, 1]])  # both axes rise
    corners = mesh.get_coordinates()
    np.testing.assert_allclose(corners[0, :, 0], [0, 2, 4, 6])
    assert ax.get_xlabel() == "current (pA)" and ax.get_ylabel() == "b (pA)"
    assert ax.figure.axes[-1].get_ylabel() == "rate (Hz)"
    ax.figure.canvas.draw()


def test_a_heat_map_of_one_row_or_on_a_scale_of_decades():
    heat_map(sweep([[1.0, 10.0]], b=[0.0], current=[1.0, 2.0]), norm=LogNorm()).figure.canvas.draw()
    bare = heat_map(xr.DataArray(np.eye(3), dims=["a", "b"]))
    assert bare.get_xlabel() == "b" and bare.figure.axes[-1].get_ylabel() == "value"


@pytest.mark.parametrize(
    "array, named",
    [
        (xr.DataArray(np.zeros(3)), "two dimensions"),
        (xr.DataArray(np.eye(2), coords={"a": ["x", "y"]}, dims=["a", "b"]), "a: the coordinates"),
        (xr.DataArray(np.full((2, 2), np.nan)), "finite nowhere"),
    ],
)
def test_heat_maps_name_what_does_not_fit(array, named):
    with pytest.raises(ValueError, match=named):
        heat_map(array)
