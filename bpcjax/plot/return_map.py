"""Each value of an orbit over the one before."""

import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes

from .axes import axes


def return_map(
    values: ArrayLike,
    ax: Axes | None = None,
    *,
    label: str = "interval",
    unit: str = "ms",
) -> Axes:
    """Each of the `values` [K] of an orbit (`label`, in `unit`) over the one before, and the
    diagonal, where nothing changes.

    Pairs with a value that is not finite are left out.

    **Raises:** `ValueError` for values that are no vector, or of which no two in a row are finite.
    """
    orbit = np.asarray(values, float)
    if orbit.ndim != 1:
        raise ValueError(f"values must be a vector, one orbit, got shape {orbit.shape}.")
    pairs = np.stack([orbit[:-1], orbit[1:]], axis=1)
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    if not len(pairs):
        raise ValueError("values: no two in a row are finite.")
    ax = axes(ax)
    low, high = pairs.min(), pairs.max()
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    ends = (low - margin, high + margin)
    ax.plot(ends, ends, color="0.6", linewidth=0.8, zorder=0)
    ax.plot(*pairs.T, linestyle="none", marker="o", markersize=2.5, color="black")
    ax.set(xlim=ends, ylim=ends, xlabel=f"{label} k ({unit})", ylabel=f"{label} k + 1 ({unit})")
    ax.set_aspect("equal")
    return ax
