"""One task after another (`results/continual.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import style

_COLOURS = {
    "plain": style.BLACK, "smaller step": style.PURPLE, "on-line EWC": style.ORANGE,
    "SI": style.GREEN, "synaptic filter": style.BLUE, "synaptic filter, rates": style.SKY,
}  # fmt: skip
_SHORT = {"synaptic filter": "filter", "synaptic filter, rates": "filter, rates"}
_FILTER = "synaptic filter"


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: accuracy as tasks come and at the end of each, two matrices, out-of-distribution
    areas, likelihoods."""
    with style.look():
        fig, axes = plt.subplots(
            2, 3, figsize=(style.WIDTH, 4.6), layout="constrained", width_ratios=[1.2, 1.2, 1]
        )
        _curves(axes[0, 0], dataset)
        _final(axes[0, 1], dataset)
        _likelihoods(axes[0, 2], dataset)
        _matrix(axes[1, 0], dataset, "plain")
        image = _matrix(axes[1, 1], dataset, _FILTER)
        fig.colorbar(image, ax=axes[1, 1], label="accuracy (%)")
        _areas(axes[1, 2], dataset)
        lines, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(lines, labels, loc="outside lower center", ncols=6, fontsize=6)
    return fig


def _band(ax: Axes, x: np.ndarray, rows: np.ndarray, colour: str, label: str) -> None:
    ax.plot(x, rows.mean(0), color=colour, label=label)
    ax.fill_between(x, rows.min(0), rows.max(0), color=colour, alpha=0.2, linewidth=0)


def _curves(ax: Axes, dataset: xr.Dataset) -> None:
    for name, colour in _COLOURS.items():
        rows = 100 * dataset.matrix.sel(arm=name).mean("task", skipna=True).values
        _band(ax, np.arange(1, rows.shape[1] + 1), rows, colour, name)
    ax.set(xlabel="tasks that have come", ylabel="mean accuracy on them (%)", ylim=(None, 100))


def _final(ax: Axes, dataset: xr.Dataset) -> None:
    for name, colour in _COLOURS.items():
        rows = 100 * dataset.final.sel(arm=name).values
        _band(ax, np.arange(1, rows.shape[1] + 1), rows, colour, name)
    ax.set(xlabel="task", ylabel="accuracy at the end (%)", ylim=(None, 100))


def _matrix(ax: Axes, dataset: xr.Dataset, name: str):
    mean = 100 * dataset.matrix.sel(arm=name).mean("seed").values
    last = len(mean) + 0.5
    image = ax.imshow(mean, vmin=30, vmax=100, cmap="viridis", extent=(0.5, last, last, 0.5))
    ax.set(xlabel="task", ylabel="after task", title=name)
    return image


def _rows(ax: Axes, names: list[str]) -> None:
    ax.set_yticks(range(len(names)), [_SHORT.get(name, name) for name in names], fontsize=6)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.legend(fontsize=5, loc="best", handletextpad=0.1)


def _dots(ax: Axes, values: xr.DataArray, place: float, marker: str, colour: str, label: str):
    """Dots of all seeds in a row; the label once, in black."""
    ax.plot(
        values.values, np.full(values.size, place), marker, markersize=3, color=colour,
        fillstyle="none" if marker == "o" else "full",
    )  # fmt: skip
    if place < 0.5:
        ax.plot([], [], marker, markersize=3, color="0.4", label=label,
                fillstyle="none" if marker == "o" else "full")  # fmt: skip


def _areas(ax: Axes, dataset: xr.Dataset) -> None:
    entropy = dataset.out.sel(statistic="entropy")
    for place, (name, colour) in enumerate(_COLOURS.items()):
        for k, (which, marker) in enumerate({"first": "o", "last": "s"}.items()):
            values = entropy.sel(arm=name, which=which)
            _dots(ax, values, place + 0.24 * (k - 0.5), marker, colour, f"{which} task")
    ax.axvline(0.93, color=style.RED, linewidth=0.6, linestyle=":")
    ax.set(xlabel="area, other set by entropy", xlim=(0.25, 1))
    _rows(ax, list(_COLOURS))


def _likelihoods(ax: Axes, dataset: xr.Dataset) -> None:
    nll = dataset.scores.sel(score="nll")
    for place, (name, colour) in enumerate(_COLOURS.items()):
        readings = {"point": "o", "tempered": "s", "draws": "^"}
        for k, (reading, marker) in enumerate(readings.items()):
            values = nll.sel(arm=name, reading=reading)
            if reading == "draws" and not name.startswith(_FILTER):
                values = values[:0]
            _dots(ax, values, place + 0.24 * (k - 1), marker, colour, reading)
    ax.set(xscale="log", xlabel="NLL, all tasks (nats)")
    ax.set_xticks([0.4, 1, 2, 3], ["0.4", "1", "2", "3"])
    ax.minorticks_off()
    _rows(ax, list(_COLOURS))
