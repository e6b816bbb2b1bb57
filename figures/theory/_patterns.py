"""Maps of firing patterns as colours, with one legend for all."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.patches import Patch

from .. import style

COLOURS = {
    "silent": "0.92",
    "transient": "0.7",
    "tonic": style.BLUE,
    "adapting": style.SKY,
    "bursts of 2": style.GREEN,
    "bursts of 3": style.YELLOW,
    "longer bursts": style.ORANGE,
    "irregular": style.RED,
}
FAILED = "white"


def pattern_map(array: xr.DataArray, names: list[str], ax: Axes) -> list[Patch]:
    """The patterns over two axes, its second dimension across; the colours that were used."""
    colours = [FAILED, *(COLOURS[name] for name in names)]
    down, across = array.dims
    values = array.values
    ax.pcolormesh(
        array[across].values,
        array[down].values,
        values,
        cmap=ListedColormap(colours),
        norm=BoundaryNorm(np.arange(-1, len(colours)) - 0.5, len(colours)),
        shading="nearest",
        rasterized=True,
    )
    return [Patch(color=COLOURS[name], label=name) for k, name in enumerate(names) if k in values]


def merged(*groups: list[Any]) -> list[Any]:
    """The handles of several axes for one legend, each label once."""
    handles = {handle.get_label(): handle for group in groups for handle in group}
    order = [name for name in COLOURS if name in handles]
    return [handles[name] for name in order + [name for name in handles if name not in COLOURS]]
