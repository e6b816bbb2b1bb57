"""Pictures of energies and basins: what is drawn, what the axes say, and what is refused."""

import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")

import matplotlib.pyplot as plt

from bpcjax.analysis import Basins, energy_slice, plane
from bpcjax.energies import ModernHopfield
from bpcjax.plot import basin_map, landscape, surface


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def bowl(y, args):
    return y @ y


PLANE = plane(*np.eye(3))
FLAT = plane(np.zeros(3), np.eye(3)[0], np.eye(3)[1])  # the first two coordinates


def test_landscape_draws_path_and_marks_where_they_are():
    path = np.linspace(np.eye(3)[0], np.eye(3)[1], 5)
    drawn = energy_slice(ModernHopfield(jnp.eye(3), 4.0), PLANE, points=path)
    ax = landscape(drawn, None, path, {"one": np.eye(3)[2]}, ts=np.arange(5.0))
    dots = ax.collections[-1].get_offsets()
    np.testing.assert_allclose(dots, PLANE.coordinates(path), atol=1e-12)
    np.testing.assert_allclose(ax.lines[-1].get_xydata()[0], PLANE.coordinates(np.eye(3)[2]))
    assert [text.get_text() for text in ax.texts] == ["one"]
    assert "unit" in ax.get_xlabel() and ax.figure.axes[-1].get_ylabel() == "time (ms)"
    ax.figure.canvas.draw()


def test_landscape_contours_are_the_energy():
    ax = landscape(energy_slice(bowl, FLAT, margin=0.5))
    contours = ax.collections[-1]
    checked = 0
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        if len(path.vertices):  # linear interpolation on a grid of 1/40: exact to about (1/40)^2
            np.testing.assert_allclose((path.vertices**2).sum(axis=1), level, atol=1e-3)
            checked += 1
    assert checked > 10


def test_several_paths_share_one_scale_of_colours():
    one, two = np.zeros((3, 3)), np.ones((4, 3))
    ax = landscape(energy_slice(bowl, FLAT), None, [one, two], ts=[np.arange(3.0), np.arange(4.0)])
    dots = ax.collections[-2:]
    assert [len(d.get_offsets()) for d in dots] == [3, 4]
    assert dots[0].get_clim() == dots[1].get_clim() == (0, 3)
    assert len(ax.figure.axes) == 2  # one colour bar


def test_the_surface_carries_path_and_marks():
    path = np.stack([np.linspace(-0.7, 0.9, 9), np.linspace(0.2, 0.4, 9), np.zeros(9)], axis=1)
    drawn = energy_slice(bowl, FLAT, count=161, points=path)
    ax = surface(drawn, paths=path, marks={"low": np.zeros(3)})
    line, mark = ax.lines
    x, y, height = line.get_data_3d()
    np.testing.assert_allclose(np.stack([x, y], axis=1), path[:, :2], atol=1e-12)
    # Bilinear on a grid of step 2.24 / 160: exact to h^2 / 4 for y.y.
    np.testing.assert_allclose(height, x**2 + y**2, atol=1e-4)
    np.testing.assert_allclose(np.ravel(mark.get_data_3d()), 0, atol=1e-4)
    assert ax.get_zlabel() == "energy"
    ax.figure.canvas.draw()


def test_the_surface_is_cut_off_at_its_top():
    drawn = energy_slice(bowl, FLAT)
    ax = surface(drawn, top=0.5)
    ax.figure.canvas.draw()
    with pytest.raises(ValueError, match="top"):
        surface(drawn, top=-1.0)
    with pytest.raises(ValueError, match="3-D"):
        surface(drawn, plt.subplots()[1])


@pytest.mark.parametrize("draw", [landscape, surface])
@pytest.mark.parametrize(
    "change, named",
    [
        (dict(paths=np.full((4, 3), np.nan)), "paths"),
        (dict(paths=np.zeros((4, 2))), "paths"),
        (dict(paths=np.zeros(3)), "paths"),
        (dict(marks={"here": np.zeros(5)}), "marks: here"),
        (dict(marks={"here": np.zeros((1, 3))}), "marks: here"),
        (dict(paths=np.zeros((4, 3)), ts=np.zeros(3)), "ts"),
        (dict(paths=[np.zeros((4, 3))], ts=[]), "ts"),
    ],
)
def test_states_that_do_not_fit_are_named(draw, change, named):
    with pytest.raises(ValueError, match=named):
        draw(energy_slice(bowl, FLAT), **change)


@pytest.mark.parametrize("energy", [bowl, lambda y, args: 0 * y.sum()])
def test_landscape_without_a_path_is_drawn_even_if_flat(energy):
    for paths in (None, np.zeros((0, 3)), []):
        landscape(energy_slice(energy, PLANE), paths=paths).figure.canvas.draw()


def basins(label, count, failed=()):
    label = np.asarray(label)
    fraction = jnp.array([(label == k).mean() for k in range(count)])
    ok = ~np.isin(np.arange(len(label)), failed)
    return Basins(fraction, jnp.zeros(count), jnp.asarray(label), jnp.asarray(ok))


def test_a_grid_of_starts_is_drawn_as_cells_in_any_order():
    x, y = (v.ravel() for v in np.meshgrid([0.0, 1.0, 2.0], [5.0, 6.0]))
    label = np.where(x > 0.5, 1, 0)
    label[(x == 2) & (y == 6)] = -1
    order = np.random.default_rng(0).permutation(6)
    ax = basin_map(
        basins(label[order], 2, failed=[list(order).index(0)]), np.stack([x, y], axis=1)[order],
        attractors=np.array([[0.0, 5.5], [1.5, 5.5]]), names=["left", "right"],
        labels=("v (mV)", "w (pA)"),
    )  # fmt: skip
    mesh = ax.collections[0]
    # 0: none, 1 and 2: the attractors, 3: failed
    np.testing.assert_array_equal(mesh.get_array().reshape(2, 3), [[3, 2, 2], [1, 2, 0]])
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["none (0.167)", "left (0.333)", "right (0.500)", "failed (0.167)"]
    assert ax.get_xlabel() == "v (mV)" and ax.get_ylabel() == "w (pA)"
    ax.figure.canvas.draw()


def test_scattered_starts_are_drawn_as_dots_of_their_basins_colour():
    at = np.random.default_rng(1).uniform(size=(20, 2))
    label = (at[:, 0] > 0.5).astype(int)
    ax = basin_map(basins(label, 2), at)
    ax.figure.canvas.draw()
    colours = ax.collections[0].get_facecolors()
    assert len(np.unique(colours, axis=0)) == 2
    legend = [patch.get_facecolor() for patch in ax.get_legend().get_patches()]
    for k in (0, 1):
        np.testing.assert_allclose(colours[label == k][0], legend[k], atol=1e-6)


@pytest.mark.parametrize(
    "change, named",
    [
        (dict(starts=np.zeros((3, 2))), "starts"),
        (dict(starts=np.full((4, 2), np.nan)), "starts"),
        (dict(attractors=np.zeros((3, 2))), "attractors"),
        (dict(names=["one"]), "names"),
        (dict(basins=basins([0] * 4, 8)), "colours"),
    ],
)
def test_basin_maps_name_what_does_not_fit(change, named):
    kwargs = dict(basins=basins([0, 0, 1, 1], 2), starts=np.zeros((4, 2))) | change
    with pytest.raises(ValueError, match=named):
        basin_map(**kwargs)
