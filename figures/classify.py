"""Spiking classifiers (`results/classify.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from . import panels, style


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: loss, accuracy by batch, by step, confusion, the table, one digit's spikes."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 6.6), layout="constrained")
        top, middle, bottom = fig.subfigures(3, 1, height_ratios=(1, 1.1, 1.1))
        loss, batches, steps = top.subplots(1, 3)
        _loss(loss, dataset)
        _batches(batches, dataset)
        moments = np.arange(1, dataset.sizes["moment"] + 1)
        panels.errors_by_step(steps, moments, dataset.by_step, color=style.GREEN)
        _table(middle.subplots(), dataset)
        image, raster, confusion = bottom.subplots(1, 3, width_ratios=(1, 1.4, 1.6))
        end = dataset.attrs["steps"] + 0.5
        panels.image_and_raster(image, raster, dataset.digit, dataset.raster.values, end)
        panels.confusion(confusion, dataset.confusion.values)
        title = style.IMAGES[dataset.attrs["data"]]
        fig.suptitle(f"{title}: spiking networks learn by surrogate derivatives")
    return fig


def _loss(ax: Axes, dataset: xr.Dataset) -> None:
    epochs = np.arange(1, dataset.sizes["epoch"] + 1)
    for k, row in enumerate(dataset.batch_loss.mean("batch").values):
        ax.plot(epochs, row, color=style.RED, label=None if k else "train")
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    ax.set_ylabel("cross-entropy (nats)")


def _batches(ax: Axes, dataset: xr.Dataset) -> None:
    rows = 100 * dataset.batch_accuracy.isel(seed=0).values
    epochs, size = rows.shape
    at = np.arange(epochs * size) / size
    ax.plot(at, rows.ravel(), ",", color="0.6")
    best = rows.argmax(axis=1)
    ax.plot(
        np.arange(epochs) + best / size,
        rows.max(axis=1),
        "v",
        color=style.ORANGE,
        label="best batch",
    )
    test = 100 * dataset.test.isel(seed=0)
    ax.plot(np.arange(1, epochs + 1), test, "o-", color=style.BLUE, label="test")
    ax.set_ylim(max(100 - 4 * (100 - float(test.min())), 0), 100.5)
    ax.set_xlabel("epoch")
    ax.set_ylabel("accuracy (%)")
    ax.legend(loc="lower right")


def _table(ax: Axes, dataset: xr.Dataset) -> None:
    texts, names = [], [str(name) for name in dataset.network.values]
    for name in names:
        row = dataset.sel(network=name)
        mean = {key: float(row[key].mean()) for key in ("accuracy", "spikes", "seconds")}
        joules = float(row.picojoules.mean()) / 1e6
        text = f"{100 * mean['accuracy']:.2f} %   {mean['spikes']:.0f} spikes   "
        texts.append(f"{text}{joules:.2f} µJ   {mean['seconds']:.0f} s")
    panels.table_with_dots(ax, names, 100 * dataset.accuracy.values, texts)
    ax.set_xlabel("test accuracy (%)")
