"""An energy on a plane through its state space, and a path on it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from .axes import axes


class Plane(NamedTuple):
    """A plane through `origin` [N], spanned by orthonormal `directions` [2, N]."""

    origin: np.ndarray
    directions: np.ndarray

    def coordinates(self, points: ArrayLike) -> np.ndarray:
        """Where points [..., N] fall on the plane, projected at right angles: [..., 2]."""
        return (np.asarray(points) - self.origin) @ self.directions.T

    def points(self, coordinates: ArrayLike) -> np.ndarray:
        """The states [..., N] at coordinates [..., 2] of the plane."""
        return self.origin + np.asarray(coordinates) @ self.directions


def plane(origin: ArrayLike, a: ArrayLike, b: ArrayLike) -> Plane:
    """The plane through three states [N]; its first axis runs from `origin` to `a`.

    **Raises:** `ValueError` if they are no finite vectors of one length, or lie on one line.
    """
    start, first, second = (np.asarray(x, float) for x in (origin, a, b))
    if not (start.ndim == 1 and start.shape == first.shape == second.shape):
        raise ValueError(
            f"origin, a, b must be vectors of one length: {start.shape}, {first.shape}, "
            f"{second.shape}."
        )
    if not np.isfinite([start, first, second]).all():
        raise ValueError("origin, a, b must be finite.")
    first, second = first - start, second - start
    length, scale = np.linalg.norm(first), np.linalg.norm(second)
    along = first / length if length > 0 else first
    across = second - (second @ along) * along
    if length == 0 or np.linalg.norm(across) <= 1e-6 * scale:
        raise ValueError("origin, a, b lie on one line. Pass three states that span a plane.")
    return Plane(start, np.stack([along, across / np.linalg.norm(across)]))


def landscape(
    energy: Callable,
    plane: Plane,
    ax: Axes | None = None,
    path: ArrayLike | None = None,
    marks: Mapping[str, ArrayLike] | None = None,
    *,
    ts: ArrayLike | None = None,
    unit: str = "ms",
    grid: int = 81,
    levels: int = 24,
) -> Axes:
    """Contours of `energy(y)` on `plane`, with a `path` [times, N] coloured by time and `marks`,
    states [N] by name.

    The axes are distances in the plane, in the unit of the state, at one scale, and reach a
    little beyond everything that is shown. A path is projected: where it leaves the plane, its
    energy is not that of the contour under it. `ts` [times] (in `unit`) colours the path; without
    it the colour is the index. Without `path` and `marks` the window reaches one unit each way.

    **Raises:** `ValueError` naming the argument: shapes that do not fit, NaN in path or marks,
    an energy that is nowhere finite on the plane.
    """
    marks = {} if marks is None else marks
    size = plane.origin.shape[0]
    shown = {name: np.asarray(state, float)[None] for name, state in marks.items()}
    if path is not None:
        shown["path"] = np.asarray(path, float)
    for name, states in shown.items():
        if states.ndim != 2 or states.shape[1] != size or not np.isfinite(states).all():
            what = "path" if name == "path" else f"marks: {name}"
            raise ValueError(f"{what} must be finite states of {size} numbers: {states.shape[1:]}.")
    corners = np.array([[-1.0, -1.0], [1.0, 1.0]])
    placed = {name: plane.coordinates(states) for name, states in shown.items()}
    points = np.concatenate([*placed.values()]) if placed else corners
    points = points if len(points) else corners
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.2 * max((high - low).max(), 1e-9)
    u, v = (np.linspace(a - margin, b + margin, grid) for a, b in zip(low, high, strict=True))
    states = jnp.asarray(plane.points(np.stack(np.meshgrid(u, v), axis=-1)))
    values = np.asarray(jax.vmap(jax.vmap(energy))(states))
    if not np.isfinite(values).any():
        raise ValueError("energy is finite nowhere on the plane. Check its parameters.")
    ax = axes(ax)
    drawn = np.ma.masked_invalid(values)
    ax.contourf(u, v, drawn, levels, cmap="Greys", alpha=0.6)
    ax.contour(u, v, drawn, levels, colors="0.4", linewidths=0.3)
    if path is not None and len(placed["path"]):
        where = placed["path"]
        colour = np.arange(len(where)) if ts is None else np.asarray(ts)
        if colour.shape != (len(where),):
            raise ValueError(f"ts must have one time for each state: {colour.shape}.")
        ax.plot(*where.T, color="0.2", linewidth=0.5)
        dots = ax.scatter(*where.T, c=colour, s=4, cmap="viridis", zorder=3)
        label = "step (index)" if ts is None else f"time ({unit})"
        ax.figure.colorbar(dots, ax=ax, label=label)
    for name, at in placed.items():
        if name in marks:
            ax.plot(*at[0], marker="o", color="black", markerfacecolor="white", zorder=4)
            halo = [withStroke(linewidth=2, foreground="white")]
            ax.annotate(
                name, at[0], (0, -6), textcoords="offset points", ha="center", va="top",
                path_effects=halo, zorder=5,
            )  # fmt: skip
    ax.set(xlabel="along (unit of the state)", ylabel="across (unit of the state)")
    ax.set_aspect("equal")
    return ax
