"""Heat map of one number of a sweep over two axes."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .._require import describe, plain
from ._axes import axes


def heat_map(
    array: Any, ax: Axes | None = None, *, norm: Any = None, cmap: str = "viridis"
) -> Axes:
    """Heat map of a labelled array of two dimensions (an `xarray.DataArray`, as in the data set of
    a sweep): its second dimension across, its first upward, with a colour bar.

    Labels are the names of the dimensions and of the array, and their `units` where they have
    that attribute. What is not finite is left blank. `norm` is a scale of matplotlib's
    (`LogNorm()`). Coordinates must be numbers, in any order.

    **Raises:** `ValueError` for another number of dimensions, for axes that are not numbers, and
    where nothing is finite.
    """
    if not (hasattr(array, "dims") and hasattr(array, "values")):  # xarray is an extra
        raise ValueError(f"array must be a labelled array, got {describe(array)}.")
    values = plain("array", array.values)
    if values.ndim != 2:
        raise ValueError(
            f"array must have two dimensions, got {tuple(array.dims)}. Select or average the rest."
        )
    ends = []
    for size, name in zip(values.shape, array.dims, strict=True):
        at = np.asarray(array[name].values if name in array.coords else np.arange(size))
        if not np.issubdtype(at.dtype, np.number) or not np.isfinite(at).all():
            raise ValueError(f"{name}: the coordinates must be finite numbers.")
        ends.append(at)
    if not np.isfinite(values).any():
        raise ValueError("array is finite nowhere.")
    y, x = (np.argsort(at, kind="stable") for at in ends)
    ax = axes(ax)
    shown = np.ma.masked_invalid(values[np.ix_(y, x)])
    mesh = ax.pcolormesh(ends[1][x], ends[0][y], shown, shading="nearest", norm=norm, cmap=cmap)
    mesh.set_rasterized(True)  # many cells: a small file
    below, left = (array.dims[k] for k in (1, 0))
    ax.set(xlabel=_label(array, below), ylabel=_label(array, left))
    ax.figure.colorbar(mesh, ax=ax, label=_named(array.name or "value", array.attrs))
    return ax


def _label(array: Any, name: str) -> str:
    return _named(name, array[name].attrs if name in array.coords else {})


def _named(name: Any, attrs: Any) -> str:
    unit = attrs.get("units")
    return f"{name} ({unit})" if unit else str(name)
