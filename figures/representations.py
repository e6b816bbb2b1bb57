"""What a spiking hierarchy learns to see (`results/representations.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import style

_LABELS = {
    "learned": "features", "causes": "causes", "start": "untrained\nfeatures",
    "random": "random\nfeatures", "pixels": "pixels",
}  # fmt: skip
_MEASURES = "judged right", "diversity (1: real)", "novelty (1: real)"


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: fields, images rebuilt, digits drawn; F, readouts, and drawing by temperature."""
    with style.look():
        fig, axs = plt.subplot_mosaic(
            "FFFRRDDD;LLLAABBB", figsize=(style.WIDTH, 5.2), layout="constrained",
            gridspec_kw={"height_ratios": (1.5, 1)},
        )  # fmt: skip
        fields = dataset.fields.values
        limit = np.abs(fields).max(axis=(1, 2), keepdims=True)
        _tiles(axs["F"], (fields / limit).reshape(10, -1, *fields.shape[1:]), "RdBu_r", -1)
        axs["F"].set_title("features, the most used first")
        pictures = np.clip(dataset.pictures.values.swapaxes(0, 1), 0, 1)
        _tiles(axs["R"], pictures, "gray_r", 0)
        axs["R"].set_title("test; from features;\nfrom causes")
        _tiles(axs["D"], dataset.digits.values, "gray_r", 0)
        axs["D"].set_title("drawn from labels")
        _curve(axs["L"], dataset)
        _readouts(axs["A"], dataset)
        _drawing(axs["B"], dataset)
    return fig


def _tiles(ax: Axes, images: np.ndarray, colours: str, low: float) -> None:
    """Images [rows, columns, height, width] side by side."""
    edge = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows, columns, height, width = edge.shape
    whole = edge.swapaxes(1, 2).reshape(rows * height, columns * width)
    ax.imshow(whole, cmap=colours, vmin=low, vmax=1)
    ax.axis("off")


def _curve(ax: Axes, dataset: xr.Dataset) -> None:
    energy = dataset.curve.isel(quantity=0).values
    place = (np.arange(energy.shape[1]) + 1) / energy.shape[1]
    for k, row in enumerate(energy):
        ax.plot(place, row, color=style.BLUE, label=None if k else "in training")
    start, blind = dataset.energy_before.values
    ax.axhline(start, color=style.ORANGE, linestyle=":", label="test, before training")
    ax.axhline(float(dataset.energy_after.mean()), color=style.RED, label="test, after training")
    ax.set_ylim(None, start + 0.6 * (start - energy.min()))
    ax.set_xlabel("share of training")
    ax.set_ylabel("F of an image (nats)")
    ax.set_title(f"F falls; random features: {blind:.1f}")
    ax.legend(loc="upper right")


def _readouts(ax: Axes, dataset: xr.Dataset) -> None:
    codes = list(dataset.code.values)
    error = 100 * (1 - dataset.accuracy)
    for k, code in enumerate(codes):
        row = error.sel(code=code)
        ax.bar(k, float(row.mean()), color=style.PALETTE[k], width=0.7)
        ax.plot(np.full(row.size, k), row, ".", color=style.BLACK)
        ax.text(k, float(row.mean()), f" {float(row.mean()):.1f}", rotation=90, ha="center",
                va="bottom", fontsize=7)  # fmt: skip
    ax.set_xticks(range(len(codes)), [_LABELS[str(code)] for code in codes], rotation=90)
    ax.set_ylabel("test errors (%) of a\nlinear readout")
    ax.set_ylim(0, 1.3 * float(error.mean("seed").max()))


def _drawing(ax: Axes, dataset: xr.Dataset) -> None:
    for k, name in enumerate(_MEASURES):
        value = dataset.images.isel(measure=k)
        ax.errorbar(
            dataset.temperature, value.mean("seed"), value.std("seed"), marker="o",
            color=style.PALETTE[k], label=name,
        )  # fmt: skip
    ax.set_xlabel("temperature of causes")
    ax.set_ylabel("share, or ratio to real digits")
    ax.set_ylim(0, 1.9)
    ax.legend(loc="upper left")
