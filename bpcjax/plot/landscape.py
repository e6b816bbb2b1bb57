"""Energy landscape on a plane through state space, and paths on it: contours, or a surface."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import ArrayLike, PyTree
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from mpl_toolkits.mplot3d import Axes3D

from .._require import count, instance, plain, scalar
from ..analysis import EnergySlice
from ._axes import axes


class _Shown(NamedTuple):
    """What is drawn on the plane: coordinates [times, 2] and colours [times] of each path, what
    the colours are, and coordinates [2] by name.
    """

    paths: list[np.ndarray]
    colours: list[np.ndarray]
    label: str
    marks: dict[str, Any]


def landscape(
    slice_: EnergySlice,
    ax: Axes | None = None,
    paths: PyTree | list[PyTree] | None = None,
    marks: Mapping[str, PyTree] | None = None,
    *,
    ts: ArrayLike | list[ArrayLike] | None = None,
    unit: str = "ms",
    levels: int = 24,
) -> Axes:
    """Contour plot of an energy on a plane, `paths` (stacked states, or a list of these) coloured
    by time, and `marks`, states by name.

    The axes are distances in the plane, in the unit of the state, at one scale. What is shown is
    projected: where a path leaves the plane, its energy is not that of the contour under it. `ts`
    [times] (in `unit`), or a list of these, colours the paths; without it the colour is the index.

    **Raises:** `ValueError` naming the argument: states that do not fit the plane, or are NaN.
    """
    levels = count("levels", levels, 1, 10**4)
    shown = _shown(slice_, paths, marks, ts, unit)
    ax = axes(ax)
    energy = np.ma.masked_invalid(slice_.energy)
    ax.contourf(slice_.along, slice_.across, energy, levels, cmap="Greys", alpha=0.6)
    ax.contour(slice_.along, slice_.across, energy, levels, colors="0.4", linewidths=0.3)
    dots = None
    for at, colour in zip(shown.paths, shown.colours, strict=True):
        ax.plot(*at.T, color="0.2", linewidth=0.5)
        dots = ax.scatter(*at.T, c=colour, s=4, zorder=3, **_scale(shown))
    if dots is not None:
        ax.figure.colorbar(dots, ax=ax, label=shown.label)
    for name, at in shown.marks.items():
        ax.plot(*at, marker="o", color="black", markerfacecolor="white", zorder=4)
        ax.annotate(
            name, at, (0, -6), textcoords="offset points", ha="center", va="top",
            path_effects=_halo(), zorder=5,
        )  # fmt: skip
    ax.set(xlabel="along (unit of the state)", ylabel="across (unit of the state)")
    ax.set_aspect("equal")
    return ax


def surface(
    slice_: EnergySlice,
    ax: Axes | None = None,
    paths: PyTree | list[PyTree] | None = None,
    marks: Mapping[str, PyTree] | None = None,
    *,
    ts: ArrayLike | list[ArrayLike] | None = None,
    unit: str = "ms",
    top: float | None = None,
) -> Axes:
    """Surface plot of an energy over a plane, cut off above the energy `top`, with `paths` and
    `marks` as `landscape` takes them, at the heights of the surface.

    **Raises:** `ValueError` naming the argument: states that do not fit the plane or are NaN, axes
    that are not 3-D, a `top` below everything.
    """
    shown = _shown(slice_, paths, marks, ts, unit)
    if ax is None:
        ax = plt.figure(layout="constrained").add_subplot(projection="3d")
    if not isinstance(ax, Axes3D):
        raise ValueError("ax must be 3-D: make it with projection='3d'.")
    energy = np.asarray(slice_.energy, float)
    energy = np.where(np.isfinite(energy), energy, np.nan)
    if top is not None:
        top = scalar("top", top)
        if not np.nanmin(energy) < top:
            raise ValueError(
                f"top must be above the lowest energy, {np.nanmin(energy)}, got {top}."
            )
        energy = np.where(energy > top, np.nan, energy)
    ax.computed_zorder = False  # paths and marks are drawn over the surface, not lost in it
    x, y = np.meshgrid(slice_.along, slice_.across)
    sheet = ax.plot_surface(
        x, y, energy, cmap="Greys", alpha=0.75, rcount=60, ccount=60, linewidth=0.2, edgecolor="0.6"
    )
    sheet.set_zorder(1)
    dots: Any = None
    for at, colour in zip(shown.paths, shown.colours, strict=True):
        height: Any = _height(slice_, energy, at)
        ax.plot(at[:, 0], at[:, 1], height, color="0.2", linewidth=0.5, zorder=3)
        dots = ax.scatter(
            at[:, 0], at[:, 1], zs=height, c=colour, s=6, zorder=4, depthshade=False,
            **_scale(shown),
        )  # fmt: skip
    if dots is not None:
        ax.figure.colorbar(dots, ax=ax, label=shown.label, shrink=0.6, pad=0.12)
    for name, at in shown.marks.items():
        height = float(_height(slice_, energy, at[None])[0])
        ax.plot(
            *at[:, None], [height], marker="o", color="black", markerfacecolor="white", zorder=5
        )
        ax.text(at[0], at[1], height, f"  {name}", zorder=6, path_effects=_halo())
    ax.set(xlabel="along (unit of the state)", ylabel="across (unit of the state)", zlabel="energy")
    return ax


def _halo() -> list[Any]:
    return [withStroke(linewidth=2, foreground="white")]


def _scale(shown: _Shown) -> dict[str, Any]:
    """One scale of colours for all paths."""
    every = np.concatenate(shown.colours)
    return dict(cmap="viridis", vmin=every.min(), vmax=every.max())


def _shown(slice_: EnergySlice, paths, marks, ts, unit: str) -> _Shown:
    """Where on the plane everything is, checked."""
    instance("slice_", slice_, EnergySlice)
    several = paths if isinstance(paths, list) else [] if paths is None else [paths]
    times = ts if isinstance(ts, list) else [ts] * len(several)
    if len(times) != len(several):
        raise ValueError(f"ts: {len(times)} for {len(several)} paths.")
    placed, colours = [], []
    for path, own in zip(several, times, strict=True):
        at = _placed(slice_, path, 2, "paths")
        colour = np.arange(len(at)) if own is None else plain("ts", own)
        if colour.shape != (len(at),):
            raise ValueError(f"ts must have one time for each of {len(at)} states: {colour.shape}.")
        if len(at):
            placed.append(at)
            colours.append(colour)
    label = "step (index)" if ts is None else f"time ({unit})"
    named = {k: _placed(slice_, y, 1, f"marks: {k}") for k, y in (marks or {}).items()}
    return _Shown(placed, colours, label, named)


def _placed(slice_: EnergySlice, states: PyTree, ndim: int, name: str) -> np.ndarray:
    try:
        at = np.asarray(slice_.plane.coordinates(states))
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(f"{name}: states do not fit the plane: {str(error)[:200]}") from error
    if at.ndim != ndim or not np.isfinite(at).all():
        what = "one state" if ndim == 1 else "states stacked on one axis"
        raise ValueError(f"{name} must be {what}, and finite.")
    return at


def _height(slice_: EnergySlice, energy: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The surface at coordinates [points, 2], bilinear between the points of the grid."""
    (i, p), (j, q) = map(_cell, (np.asarray(slice_.along), np.asarray(slice_.across)), at.T)
    low = (1 - p) * energy[j, i] + p * energy[j, i + 1]
    high = (1 - p) * energy[j + 1, i] + p * energy[j + 1, i + 1]
    return (1 - q) * low + q * high


def _cell(grid: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cell of a grid that each coordinate falls into, and how far across it."""
    k = np.clip(np.searchsorted(grid, at) - 1, 0, len(grid) - 2)
    return k, (at - grid[k]) / (grid[k + 1] - grid[k])
