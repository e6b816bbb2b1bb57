"""Spiking classifiers (`results/classify.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from . import style

NAME = "classify"
COMMAND = "python -m experiments.classify"


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: loss, accuracy by batch, by step, confusion, the table, one digit's spikes."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 6.6), layout="constrained")
        top, middle, bottom = fig.subfigures(3, 1, height_ratios=(1, 1.1, 1.1))
        loss, batches, steps = top.subplots(1, 3)
        _loss(loss, dataset)
        _batches(batches, dataset)
        _steps(steps, dataset)
        _table(middle.subplots(), dataset)
        image, raster, confusion = bottom.subplots(1, 3, width_ratios=(1, 1.4, 1.6))
        _digit(image, raster, dataset)
        _confusion(confusion, dataset)
        title = style.IMAGES[dataset.attrs["data"]]
        fig.suptitle(f"{title}: spiking networks learn by surrogate derivatives")
    return fig


def _loss(ax: Axes, dataset: xr.Dataset) -> None:
    epochs = np.arange(1, dataset.sizes["epoch"] + 1)
    for k, row in enumerate(dataset.batch_loss.mean("batch").values):
        ax.plot(epochs, row, color=style.RED, label=None if k else "to learn from")
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
    ax.plot(np.arange(1, epochs + 1), test, "o-", color=style.BLUE, label="test set")
    ax.set_ylim(max(100 - 4 * (100 - float(test.min())), 0), 100.5)
    ax.set_xlabel("epoch")
    ax.set_ylabel("accuracy (%)")
    ax.legend(loc="lower right")


def _steps(ax: Axes, dataset: xr.Dataset) -> None:
    steps = np.arange(1, dataset.sizes["moment"] + 1)
    ax.plot(steps, 100 * (1 - dataset.by_step), ".-", color=style.GREEN)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("steps T until the answer")
    ax.set_ylabel("test errors (%)")


def _table(ax: Axes, dataset: xr.Dataset) -> None:
    names, told = [str(name) for name in dataset.network.values], []
    for k, name in enumerate(names):
        row = dataset.sel(network=name)
        mean = {key: float(row[key].mean()) for key in ("accuracy", "spikes", "seconds")}
        ax.plot(
            100 * row.accuracy, np.full(row.accuracy.size, k), "o", color=style.BLUE, mfc="none"
        )
        ax.plot(100 * mean["accuracy"], k, "|", color=style.BLACK, markersize=10)
        text = f"{100 * mean['accuracy']:.2f} %   {mean['spikes']:.0f} spikes   "
        joules = float(row.picojoules.mean()) / 1e6
        told.append(f"{text}{joules:.2f} µJ   {mean['seconds']:.0f} s")
    style.rows(ax, names, told, 7)
    ax.set_xlabel("test accuracy (%)")


def _digit(image: Axes, raster: Axes, dataset: xr.Dataset) -> None:
    image.imshow(dataset.digit, cmap="gray_r")
    image.set_xticks([])
    image.set_yticks([])
    image.set_title("an image of the test")
    times, neurons = dataset.raster.values
    raster.plot(times, neurons, "|", color=style.RED, markersize=2)
    raster.set_xlim(0, dataset.attrs["steps"] + 0.5)
    raster.set_xlabel("time (ms)")
    raster.set_ylabel("hidden neuron")
    raster.set_title(f"its {len(times)} spikes")


def _confusion(ax: Axes, dataset: xr.Dataset) -> None:
    counts = dataset.confusion.values.astype(float)
    wrong = counts - np.diag(np.diag(counts))
    shown = ax.imshow(100 * wrong / counts.sum(axis=1, keepdims=True), cmap="cividis")
    ax.set_xticks(range(0, len(counts), 3))
    ax.set_yticks(range(0, len(counts), 3))
    ax.set_xlabel("answer")
    ax.set_ylabel("label")
    plt.colorbar(shown, ax=ax, label="errors (% of the label)", shrink=0.9)
