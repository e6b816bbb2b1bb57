"""Learning by spikes (`results/learn.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import style

_CURVES = {"spiking": style.RED, "rate": style.BLUE, "three layers": style.PURPLE}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: loss and F, accuracy by step, accuracies, and one digit."""
    with style.look():
        fig, axs = plt.subplot_mosaic(
            "LLEECC;AAAA..;DDRRBB", figsize=(style.WIDTH, 6.4), layout="constrained",
            gridspec_kw={"height_ratios": (1, 1.5, 1.1)},
        )  # fmt: skip
        _epochs(axs["L"], dataset, "loss", "cross-entropy (nats)")
        _epochs(axs["E"], dataset, "energy", "F with the label")
        _steps(axs["C"], dataset)
        _table(axs["A"], dataset)
        _digit(axs["D"], axs["R"], axs["B"], dataset)
        fig.suptitle(f"{style.IMAGES[dataset.attrs['data']]}: learning by spikes")
    return fig


def _epochs(ax: Axes, dataset: xr.Dataset, key: str, label: str) -> None:
    for name, colour in _CURVES.items():
        if name not in dataset.network.values:
            continue
        rows = dataset[key].sel(network=name)
        for k, row in enumerate(rows.values):
            ax.plot(np.arange(1, len(row) + 1), row, color=colour, label=None if k else name)
    if key == "loss":
        ax.set_yscale("log")
        ax.legend(loc="upper right")
    ax.set_xlabel("epoch")
    ax.set_ylabel(label)


def _steps(ax: Axes, dataset: xr.Dataset) -> None:
    for name, colour in (("spiking", style.RED), ("three layers", style.PURPLE)):
        if name not in dataset.network.values:
            continue
        row = dataset.sel(network=name).mean("seed")
        ax.plot(row.curve_spikes, 100 * (1 - row.curve), ".-", color=colour, label=name)
    ax.set_yscale("log")
    ax.set_xlabel("spikes an image so far")
    ax.set_ylabel("test errors (%)")


def _table(ax: Axes, dataset: xr.Dataset) -> None:
    names = [str(name) for name in dataset.network.values]
    mean = 100 * dataset.accuracy.mean("seed")
    for k, name in enumerate(names):
        row = dataset.sel(network=name)
        ax.plot(
            100 * row.accuracy, np.full(row.accuracy.size, k), "o", color=style.BLUE, mfc="none"
        )
        ax.plot(mean.sel(network=name), k, "|", color=style.BLACK, markersize=10)
        spikes, energy = float(row.spikes.mean()), float(row.picojoules.mean()) / 1e6
        text = f"{float(mean.sel(network=name)):.2f} %   ECE {100 * float(row.ece.mean()):.1f} %   "
        text += f"{spikes:.0f} spikes   {energy:.2f} µJ"
        ax.text(
            1.01, k, text, transform=ax.get_yaxis_transform(), va="center", fontsize=7
        ).set_in_layout(False)
    briefs = dataset.certificate.values if "certificate" in dataset else [""] * len(names)
    marks = ["*" if str(brief).startswith("local") else "" for brief in briefs]
    ax.set_yticks(range(len(names)), [a + b for a, b in zip(names, marks, strict=True)])
    ax.invert_yaxis()
    ax.set_xlabel("test accuracy (%)" + ("; *: local by its certificate" if any(marks) else ""))


def _digit(image: Axes, raster: Axes, classes: Axes, dataset: xr.Dataset) -> None:
    image.imshow(dataset.digit, cmap="gray_r")
    image.set_xticks([])
    image.set_yticks([])
    image.set_title("a test image")
    for sign, colour, marker in ((1, style.RED, "_"), (-1, style.BLUE, "x")):
        moment, neuron = np.nonzero(np.asarray(dataset.raster) == sign)
        raster.scatter(moment + 1, neuron, c=colour, marker=marker, s=16, linewidth=0.6)
    raster.set_xlabel("step")
    raster.set_ylabel("value neuron")
    raster.set_title("value spikes: up –, down ×")
    raster.set_xlim(0.5, len(dataset.raster) + 0.5)
    place = np.arange(dataset.sizes["class"])
    classes.bar(place - 0.27, dataset.beliefs.isel(moment=-1), 0.25, color="0.6", label="predicted")
    bars = zip(("its label", "a wrong label"), (style.GREEN, style.ORANGE), strict=True)
    for k, (name, colour) in enumerate(bars):
        height = dataset.corrections.isel(label=k) / 20
        classes.bar(place + 0.27 * k, height, 0.25, color=colour, label=name)
    classes.axhline(0, color=style.BLACK, linewidth=0.5)
    classes.set_xticks(place)
    classes.set_xlabel("class")
    classes.set_ylabel("probability; error spikes / 20")
    classes.set_ylim(-1.1, 2.7)
    classes.legend(ncols=1, loc="upper left")
