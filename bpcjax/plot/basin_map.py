"""Basin map: which attractor each start ends at, over two coordinates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from .._require import instance, plain, sequence
from ..analysis import Basins
from ._axes import axes

# Okabe & Ito (2008), "Color universal design", and light enough for marks on them.
COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00")
NONE, FAILED = "#FFFFFF", "#000000"


def basin_map(
    basins: Basins,
    starts: ArrayLike,
    ax: Axes | None = None,
    attractors: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    labels: tuple[str, str] = ("x", "y"),
) -> Axes:
    """Basin map of `basin_fractions` over two coordinates of the `starts` [rows, 2]: a colour for
    each basin, white where a start ends at none of them, black where its solve failed.

    Starts on a grid are drawn as its cells, others as dots. `attractors` [attractors, 2] are
    marked; `names` gives one name for each in the legend, which has their shares.

    **Raises:** `ValueError` naming the argument: numbers of rows, attractors or names that differ,
    coordinates that are not finite, more attractors than colours (7).
    """
    instance("basins", basins, Basins)
    label, ok = np.asarray(basins.label), np.asarray(basins.ok)
    count, at = len(basins.fraction), plain("starts", starts)
    if at.shape != (len(label), 2) or not np.isfinite(at).all():
        raise ValueError(f"starts must be finite, [{len(label)}, 2], got shape {at.shape}.")
    if count > len(COLOURS):
        raise ValueError(f"basins: {count} attractors, colours tell {len(COLOURS)} apart.")
    names = (
        [f"attractor {k}" for k in range(count)]
        if names is None
        else list(sequence("names", names, str))
    )
    if len(names) != count:
        raise ValueError(f"names: {len(names)} for {count} attractors.")
    ax = axes(ax)
    kind = np.where(ok, label + 1, count + 1)  # 0: at none, 1 and on: the attractors, then: failed
    colours = [NONE, *COLOURS[:count], FAILED]
    shades: Any = dict(cmap=ListedColormap(colours), vmin=-0.5, vmax=count + 1.5)
    x, column = np.unique(at[:, 0], return_inverse=True)
    y, row = np.unique(at[:, 1], return_inverse=True)
    if len(x) * len(y) == len(at) and len(set(zip(row, column, strict=True))) == len(at):
        cells = np.empty((len(y), len(x)), int)
        cells[row, column] = kind
        mesh = ax.pcolormesh(x, y, cells, shading="nearest", **shades)
        mesh.set_rasterized(True)  # many cells: a small file
    else:
        ax.scatter(*at.T, c=kind, s=9, edgecolors="0.5", linewidths=0.2, **shades)
    if attractors is not None:
        points = plain("attractors", attractors)
        if points.shape != (count, 2):
            raise ValueError(f"attractors must be [{count}, 2], got shape {points.shape}.")
        ax.scatter(
            *points.T, c=COLOURS[:count], marker="o", s=40, edgecolors="black", linewidths=1.2,
            zorder=3,
        )  # fmt: skip
    shares = [f"{n} ({s:.3f})" for n, s in zip(names, np.asarray(basins.fraction), strict=True)]
    for k, name in ((0, "none"), (count + 1, "failed")):
        if (kind == k).any():
            shares.insert(k, f"{name} ({np.mean(kind == k):.3f})")
    present = [k for k in range(count + 2) if 1 <= k <= count or (kind == k).any()]
    handles = [
        Patch(facecolor=colours[k], edgecolor="0.3", linewidth=0.5, label=share)
        for k, share in zip(present, shares, strict=True)
    ]
    place: Any = dict(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3, handlelength=1.0)
    ax.legend(handles=handles, ncols=min(2, len(handles)), columnspacing=1.0, **place)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    return ax
