"""Recordings of events learned by spikes (`results/learn_events.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.common.statistics import wilson

from . import style

_COLOURS = {
    "spiking": style.RED, "linear readout": style.BLUE, "nearest neighbour": style.BLACK,
}  # fmt: skip


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: for each set accuracies with intervals, and by step of the spiking network."""
    names = [str(name) for name in dataset.recordings.values]
    with style.look():
        fig, axs = plt.subplots(
            2, len(names), figsize=(style.WIDTH, 3.8), layout="constrained", squeeze=False
        )
        for k, name in enumerate(names):
            cell = dataset.sel(recordings=name)
            _accuracies(axs[0, k], cell)
            count = int(cell.right.isel(method_=0).notnull().sum())
            axs[0, k].set_title(f"{name}: {count} recordings")
            _steps(axs[1, k], cell)
        fig.suptitle("Events learned by spikes")
    return fig


def _accuracies(ax: Axes, cell: xr.Dataset) -> None:
    for k, (name, colour) in enumerate(_COLOURS.items()):
        row = cell.right.sel(method_=name)
        hits, count = int(row.sum()), int(row.notnull().sum())
        low, high = wilson(hits, count)
        each = 100 * row.mean("item")
        ax.plot(each, np.full(each.size, k + 0.2), "o", color=colour, mfc="none", markersize=3)
        ax.plot([100 * low, 100 * high], [k, k], color=colour, linewidth=1.5)
        ax.plot(100 * hits / count, k, "o", color=colour)
        text = f"{100 * hits / count:.1f} %"
        ax.annotate(text, (100 * hits / count, k), (0, 5), textcoords="offset points", ha="center")
    ax.set_yticks(range(len(_COLOURS)), list(_COLOURS))
    ax.set_ylim(2.5, -0.6)
    ax.set_xlabel("accuracy (%), 95 % interval; below it each fold")


def _steps(ax: Axes, cell: xr.Dataset) -> None:
    for row in cell.curve.values:
        ax.plot(np.arange(len(row)), 100 * (1 - row), ".-", color=style.RED, linewidth=0.6)
    ax.set_xlabel("steps of spikes")
    ax.set_ylabel("test errors (%)")
    ax.set_ylim(bottom=0)
