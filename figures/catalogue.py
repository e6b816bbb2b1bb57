"""How the neurons of the catalogue fire (`results/catalogue.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bpcjax.analysis import Field
from bpcjax.plot import Trace, fi_curve, gallery, phase_plane

from . import style

_SECOND = {"AdEx": ("w", "pA"), "Izhikevich": ("u", "mV/ms")}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: rates on top, then phase planes, then a panel for each firing pattern."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 10.2), layout="constrained")
        families = _families(dataset)
        rows = {name: -(-len(own) // 4) for name, own in families.items()}
        heights = [1.75, 2.25, *(0.32 + 1.05 * n for n in rows.values())]
        top, middle, *below = fig.subfigures(2 + len(rows), 1, height_ratios=heights)
        _rates(top, dataset)
        _planes(middle.subplots(1, dataset.sizes["plane"]), dataset)
        for part, (family, own) in zip(below, families.items(), strict=True):
            part.suptitle(family)
            here = {name.split(": ")[1]: dataset.sel(pattern=name) for name in own}
            peaks = {name: float(one.peak) for name, one in here.items()}
            for ax in gallery({k: _trace(one) for k, one in here.items()}, part, peak=peaks):
                ax.set_title(ax.get_title(), pad=3)
                ax.locator_params(nbins=4)
    return fig


def _families(dataset: xr.Dataset) -> dict[str, list[str]]:
    families: dict[str, list[str]] = {}
    for name in map(str, dataset.pattern.values):
        families.setdefault(name.split(": ")[0], []).append(name)
    return families


def _trace(here: xr.Dataset) -> Trace:
    return Trace(here.time.values, here.v.values, here.spike.values, here.step.values)


def _rates(fig, dataset: xr.Dataset) -> None:
    units = list(dict.fromkeys(map(str, dataset.unit.values)))
    for ax, unit in zip(fig.subplots(1, len(units)), units, strict=True):
        here = dataset.isel(curve=np.flatnonzero(dataset.unit.values == unit))
        names = [str(name) for name in here.curve.values]
        fi_curve(here.drive.values[0], here.rate.values.T, ax, names, unit=unit)
        ax.set_ylabel("rate (Hz)" if unit == units[0] else "")
        ax.set_ylim(top=1.5 * ax.get_ylim()[1])  # room for the names
        ax.legend(loc="upper left", borderpad=0, handlelength=1.2, labelspacing=0.2, fontsize=6)


def _planes(axs: list[Axes], dataset: xr.Dataset) -> None:
    for ax, name in zip(axs, map(str, dataset.plane.values), strict=True):
        here, family = dataset.sel(plane=name), name.split(": ")[0]
        second, unit = _SECOND[family]
        shown = (here.plane_x, here.plane_y, here.plane_dx, here.plane_dy)
        plane = Field(*(part.values for part in shown), ("v", second))
        path = _path(dataset.sel(pattern=name))
        phase_plane(plane, ax, {"trajectory": path}, units=("mV", unit))
        ax.set_title(name)
        ax.get_legend().remove()
    lines, names = axs[0].get_legend_handles_labels()
    names[1] = "dw/dt = 0, du/dt = 0"
    axs[-1].figure.legend(lines, names, loc="outside lower center", ncols=3)


def _path(here: xr.Dataset) -> np.ndarray:
    """The trajectory [times, 2], broken at the resets; each spike ends at the peak."""
    t, spikes = here.time.values, here.spike.values
    states = np.stack([here.v.values, here.recovery.values], axis=1)
    after = np.searchsorted(t, spikes[np.isfinite(spikes)])
    before = states[np.maximum(after - 1, 0), 1]
    ends = np.stack([np.full(len(after), float(here.peak)), before], axis=1)
    breaks = np.full_like(ends, np.nan)
    where = np.repeat(after, 2)
    return np.insert(states, where, np.stack([ends, breaks], axis=1).reshape(-1, 2), axis=0)
