"""Learning without labels (`results/winner_take_all.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import panels, style

_COLOURS = style.RED, style.BLUE


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: receptive fields, accuracy against images, confusions, and one image."""
    with style.look():
        fig, axs = plt.subplot_mosaic(
            "FFFFFFSSSSSS;AAACCCIIRRRR", figsize=(style.WIDTH, 5.6), layout="constrained",
            gridspec_kw={"height_ratios": (3.6, 1.9)},
        )  # fmt: skip
        for ax, key, name in (
            (axs["F"], "fields", "Diehl & Cook"),
            (axs["S"], "fields_soft", "soft"),
        ):
            _fields(ax, np.asarray(dataset[key]))
            right = dataset.right.sel(network=name).mean("seed") / dataset.attrs["test_images"]
            each = ", ".join(
                f"{100 * float(right.sel(vote=v)):.1f} % by {v}" for v in right.vote.values
            )
            ax.set_title(f"{name}: {each}")
        _online(axs["A"], dataset)
        panels.confusion_in_numbers(axs["C"], dataset.confusion.isel(network=0).sum("seed").values)
        panels.image(axs["I"], dataset["image"], "test image")
        _raster(axs["R"], dataset)
        title = style.IMAGES[dataset.attrs["data"]]
        fig.suptitle(f"{title}: what winner-take-all networks learn without labels")
    return fig


def _fields(ax: Axes, fields: np.ndarray) -> None:
    """Receptive fields side by side, each scaled to its own highest weight."""
    count, height, width = fields.shape
    side = min(20, int(np.sqrt(count)))
    rows = min(count // side, 20)
    shown = fields[: rows * side] / fields[: rows * side].max(axis=(1, 2), keepdims=True)
    grid = shown.reshape(rows, side, height, width).transpose(0, 2, 1, 3)
    ax.imshow(grid.reshape(rows * height, side * width), cmap="gray_r", interpolation="nearest")
    ax.set_xticks(np.arange(1, side) * width - 0.5, labels=[])
    ax.set_yticks(np.arange(1, rows) * height - 0.5, labels=[])
    ax.tick_params(length=0)
    ax.grid(color="0.85", linewidth=0.3)
    ax.spines[:].set_visible(False)


def _online(ax: Axes, dataset: xr.Dataset) -> None:
    for name, colour in zip(dataset.network.values, _COLOURS, strict=True):
        for k, row in enumerate(dataset.online.sel(network=name).values):
            label = None if k else str(name)
            ax.plot(dataset.images / 1000, 100 * row, ".-", color=colour, label=label)
    ends = np.arange(dataset.attrs["epoch"], float(dataset.images.max()), dataset.attrs["epoch"])
    for end in ends:
        ax.axvline(end / 1000, color="0.8", linewidth=0.6)
    ax.set_xlabel("thousand images seen")
    ax.set_ylabel("accuracy on the next (%)")
    ax.legend(loc="lower right")


def _raster(ax: Axes, dataset: xr.Dataset) -> None:
    """Spikes of the input and, above, of the excitatory neurons in the order of their classes."""
    inputs = np.asarray(dataset.raster_inputs)
    moment, pixel = np.nonzero(inputs)
    top, size = inputs.shape[1], dataset.sizes["neuron"]
    ax.plot(moment, pixel, ".", color="0.6", markersize=0.8)
    classes = np.asarray(dataset.class_of.isel(network=0, seed=0))
    place = np.empty(size)
    place[np.argsort(classes, kind="stable")] = top * (1.1 + 1.8 * np.arange(size) / size)
    moment, neuron = np.nonzero(np.asarray(dataset.raster))
    ax.plot(moment, place[neuron], "|", color=style.RED, markersize=5)
    bands = {str(k): place[classes == k].mean() for k in np.unique(classes) if k >= 0}
    ax.set_yticks([top / 2, *bands.values()], ["pixels", *bands])
    ax.tick_params(axis="y", labelsize=6, length=2)
    ax.set_ylabel("neurons by their class", y=0.68, fontsize=7)
    ax.set_xlim(-0.5, len(inputs) + 0.5)
    ax.set_xlabel("time (ms)")
    ax.set_title("its spikes")
