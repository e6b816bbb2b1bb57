"""Learning by spikes (`results/learn.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from . import style

_CURVES = {"spiking": style.RED, "rate": style.BLUE, "three layers": style.PURPLE}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: loss and F, accuracy by step, accuracies, ablation, depth, and one digit."""
    with style.look():
        fig, axs = plt.subplot_mosaic(
            "LLEECC;AAAA..;BBBB..;TTTPPP;DDRRQQ", figsize=(style.WIDTH, 10.2),
            layout="constrained", gridspec_kw={"height_ratios": (1, 1.7, 1.1, 1, 1.1)},
        )  # fmt: skip
        _epochs(axs["L"], dataset, "loss", "cross-entropy (nats)")
        _epochs(axs["E"], dataset, "energy", "F with the label")
        _steps(axs["C"], dataset)
        _table(axs["A"], _group(dataset, "networks"), "")
        _table(axs["B"], _group(dataset, "ablation"), "ablation: ")
        _traffic(axs["T"], dataset)
        _depths(axs["P"], _group(dataset, "depth"))
        _digit(axs["D"], axs["R"], axs["Q"], dataset)
        fig.suptitle(f"{style.IMAGES[dataset.attrs['data']]}: learning by spikes")
    return fig


def _group(dataset: xr.Dataset, name: str) -> xr.Dataset:
    return dataset.sel(network=dataset.group.values == name)


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


def _table(ax: Axes, dataset: xr.Dataset, prefix: str) -> None:
    names = [str(name) for name in dataset.network.values]
    if not names:
        ax.set_axis_off()
        return
    mean = 100 * dataset.accuracy.mean("seed")
    for k, name in enumerate(names):
        row = dataset.sel(network=name)
        ax.plot(
            100 * row.accuracy, np.full(row.accuracy.size, k), "o", color=style.BLUE, mfc="none"
        )
        ax.plot(mean.sel(network=name), k, "|", color=style.BLACK, markersize=10)
        spikes, energy = float(row.spikes.mean()), float(row.picojoules.mean()) / 1e6
        text = f"{float(mean.sel(network=name)):.2f} %  ECE {100 * float(row.ece.mean()):.1f} %  "
        text += f"{spikes:.0f} spikes  {energy:.2f} µJ"
        ax.text(
            1.01, k, text, transform=ax.get_yaxis_transform(), va="center", fontsize=6.5
        ).set_in_layout(False)
    local = [str(brief).startswith("local") for brief in dataset.certificate.values]
    marks = ["*" if mark else "" for mark in local]
    labels = [name.removeprefix(prefix) + mark for name, mark in zip(names, marks, strict=True)]
    ax.set_yticks(range(len(names)), labels)
    ax.invert_yaxis()
    ax.set_xlabel("test accuracy (%)" + ("; *: local by its certificate" if any(marks) else ""))
    if prefix:
        ax.set_title("ablation, half the units, a third of the epochs", loc="left")


def _traffic(ax: Axes, dataset: xr.Dataset) -> None:
    kinds = ("networks", style.RED, "o"), ("ablation", style.BLUE, "s"), ("depth", style.GREEN, "^")
    for name, colour, marker in kinds:
        rows = _group(dataset, name)
        error = 100 * (1 - rows.accuracy.mean("seed"))
        ax.plot(rows.bits.mean("seed"), error, marker, color=colour, mfc="none", label=name)
    ax.set_xscale("log")
    ax.set_xlabel("bits of values and errors a training sample")
    ax.set_ylabel("test errors (%)")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)


def _depths(ax: Axes, dataset: xr.Dataset) -> None:
    spiking = [str(x) for x in dataset.network.values if not str(x).endswith("backpropagation")]
    depths = [int(name.removeprefix("depth: ")) for name in spiking]
    rows = dataset.accuracy.sel(network=spiking)
    if depths:
        first = float(rows.isel(network=int(np.argmin(depths))).mean("seed"))
        ax.axhline(
            100 * (first - 0.003), color="0.6", linestyle=":", label="one layer less .3 points"
        )
    ax.plot(depths, 100 * rows.mean("seed"), "-", color=style.GREEN)
    for values in rows.transpose("seed", "network").values:
        ax.plot(depths, 100 * values, "^", color=style.GREEN, mfc="none")
    for name in dataset.network.values:
        if str(name).endswith("backpropagation"):
            depth = int(str(name).removeprefix("depth: ").split(",")[0])
            value = 100 * float(dataset.accuracy.sel(network=name).mean())
            ax.plot(depth, value, "x", color=style.BLACK, label="backpropagation")
    ax.set_xscale("log", base=2)
    ax.set_xticks(depths, [str(depth) for depth in depths])
    ax.minorticks_off()
    ax.set_xlabel("hidden layers")
    ax.set_ylabel("test accuracy (%)")
    if depths:
        ax.legend(loc="lower left")


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
    classes.set_ylabel("probability;\nerror spikes / 20")
    classes.set_ylim(-1.1, 2.7)
    classes.legend(ncols=1, loc="upper left")
