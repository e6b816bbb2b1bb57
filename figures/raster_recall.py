"""Rasters recalled by spikes (`results/raster_recall.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.common.statistics import wilson

from . import style

_NAMES = {"patterns": "patterns", "nmnist": "N-MNIST", "spoken_digits": "spoken digits"}
_TIMES = {"as recorded": (style.BLUE, "o"), "at an unknown time": (style.RED, "s")}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: accuracies of every method on each set, and one recording recalled."""
    names = [str(name) for name in dataset.recordings.values]
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 4.6), layout="constrained")
        above, below = fig.subfigures(2, 1, height_ratios=[1.35, 1])
        axs = above.subplots(1, len(names), squeeze=False, sharey=True)[0]
        for ax, name in zip(axs, names, strict=True):
            _accuracies(ax, dataset.sel(recordings=name))
            ax.set_title(_NAMES.get(name, name))
        above.legend(*axs[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        _example(below.subplots(1, 4), dataset, _NAMES.get(names[-1], names[-1]))
        fig.suptitle("Recordings of events recalled by spikes; bars: 95 % intervals")
    return fig


def _accuracies(ax: Axes, cell: xr.Dataset) -> None:
    methods = [str(name) for name in cell.method_.values]
    for j, (times, (colour, marker)) in enumerate(_TIMES.items()):
        for k, method in enumerate(methods):
            row = cell.right.sel(method_=method, times=times)
            hits, count = int(row.sum()), int(row.notnull().sum())
            low, high = wilson(hits, count)
            y, label = k + 0.3 * j - 0.15, times if k == 0 else None
            ax.plot([100 * low, 100 * high], [y, y], color=colour, lw=1)
            ax.plot(100 * hits / count, y, marker, color=colour, ms=3, label=label)
    ax.set_yticks(range(len(methods)), methods)
    ax.set_ylim(len(methods) - 0.4, -0.6)
    ax.set_xlabel("class right (%)")
    ax.set_xlim(0, 101)


def _example(axs: np.ndarray, dataset: xr.Dataset, name: str) -> None:
    titles = {
        "heard": f"{name}: heard, class {int(dataset.label)}",
        "recalled": "recalled after 16 spikes",
        "stored": "memory of the last spike",
    }
    high = float(dataset.heard.max())
    for ax, (key, title) in zip(axs, titles.items(), strict=False):
        ax.imshow(dataset[key], aspect="auto", origin="lower", cmap="Blues", vmin=0, vmax=high)
        ax.set_title(title)
        ax.set_xlabel("step of the delay lines")
    axs[0].set_ylabel("line")
    classes, shift = dataset.spiked.values
    right = classes == int(dataset.label)
    number = np.arange(1, len(classes) + 1)
    axs[3].plot(number[right], shift[right], "o", color=style.BLUE, ms=3, label="right class")
    axs[3].plot(number[~right], shift[~right], "x", color=style.ORANGE, ms=4, label="other class")
    axs[3].set_ylim(-0.5, dataset.sizes["step"] + 2.5)
    axs[3].set_xlabel("spike of the memory")
    axs[3].set_ylabel("shift (steps)")
    axs[3].legend(loc="upper right", fontsize=6, ncols=2, borderaxespad=0)
    axs[3].set_title("its spikes")
