"""Learning by spike times (`results/spike_times.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from . import panels, style

_CLASSES = style.BLUE, style.ORANGE, style.GREEN  # yin, yang, dots
_PALE = "#FFFFFF", "#000000", "#BBD6E8", "#F7E0B3", "#B3DFD2"  # outside, no answer, the classes


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: loss, accuracy, silence by epoch; the disc; one image's spikes; times."""
    with style.look():
        fig, axes = plt.subplots(2, 3, figsize=(style.WIDTH, 4.8), layout="constrained")
        _loss(axes[0, 0], dataset)
        _accuracy(axes[0, 1], dataset)
        _silent(axes[0, 2], dataset)
        _disc(axes[1, 0], dataset)
        _raster(axes[1, 1], dataset)
        _times(axes[1, 2], dataset)
        title = style.IMAGES[dataset.attrs["data"]]
        fig.suptitle(f"Exclusive or, yin-yang and {title} by the derivative of spike times")
    return fig


def _share(size: int) -> np.ndarray:
    """The share of the training that is done after each of so many epochs."""
    return np.arange(1, size + 1) / size


def _each(dataset: xr.Dataset):
    """The two tasks with an epoch: name in the dataset, what it is called, colour."""
    yield "points", "yin-yang", style.ORANGE
    yield "images", style.IMAGES[dataset.attrs["data"]], style.BLUE


def _loss(ax: Axes, dataset: xr.Dataset) -> None:
    for name, title, color in _each(dataset):
        rows = dataset[f"{name}_epoch_loss"].values
        for k, row in enumerate(rows):
            label = None if k else f"{title}, {len(row)} epochs"
            ax.plot(_share(len(row)), row, color=color, label=label)
    row = dataset.or_loss.mean("or_batch").values
    ax.plot(_share(len(row)), row, color=style.RED, label=f"exclusive or, {len(row)}")
    ax.set_yscale("log")
    ax.set_xlabel("share of the training")
    ax.set_ylabel("loss (nats)")
    ax.set_ylim(top=30)  # room for the legend
    ax.legend(loc="upper right")


def _accuracy(ax: Axes, dataset: xr.Dataset) -> None:
    for name, _, color in _each(dataset):
        for key, line, label in (("test", "-", "test"), ("epoch_accuracy", ":", "train")):
            whole = dataset[f"{name}_{key}"].values
            for k, row in enumerate(100 * (1 - whole)):
                shown = label if name == "images" and k == 0 else None
                ax.plot(_share(len(row)), row, line, color=color, label=shown)
    ax.set_yscale("log")
    ax.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    ax.minorticks_off()
    ax.set_xlabel("share of the training")
    ax.set_ylabel("errors (%)")
    ax.legend()


def _silent(ax: Axes, dataset: xr.Dataset) -> None:
    for name, _, color in _each(dataset):
        for key, line, label in (
            ("silent_hidden", "-", "hidden neurons"),
            ("silent_right", "--", "the right output"),
            ("unanswered", ":", "all outputs"),
        ):
            for k, row in enumerate(100 * dataset[f"{name}_epoch_{key}"].values):
                shown = label if name == "images" and k == 0 else None
                ax.plot(_share(len(row)), row, line, color=color, label=shown)
    ax.set_yscale("symlog", linthresh=0.1)
    ax.set_ylim(bottom=-0.01)
    ax.set_xlabel("share of the training")
    ax.set_ylabel("silent for an input (%)")
    ax.legend()


def _disc(ax: Axes, dataset: xr.Dataset) -> None:
    shown = dataset.points_map.values + 2
    codes = np.select([shown == 1, shown == 0], [0, 1], shown)
    ax.imshow(
        codes, cmap=ListedColormap(_PALE), vmin=-0.5, vmax=4.5, origin="lower", extent=(0, 1, 0, 1)
    )
    x, labels = dataset.points_x.values, dataset.points_labels.values
    ax.scatter(*x.T, s=4, c=[_CLASSES[k] for k in labels], linewidths=0)
    ax.set_xticks([0, 0.5, 1])
    ax.set_yticks([0, 0.5, 1])
    accuracy = 100 * float(dataset.points_accuracy.mean())
    ax.set_title(f"answers on the disc, {accuracy:.1f} % right")


def _raster(ax: Axes, dataset: xr.Dataset) -> None:
    pixels, times = np.sort(dataset.images_pixels.values), dataset.images_raster.values
    hidden = int(dataset.attrs["hidden"])
    pixels = pixels[~np.isnan(pixels)]
    hidden_times = np.sort(times[:hidden])
    ax.plot(pixels, np.arange(len(pixels)), "|", color="0.6", markersize=2)
    base = len(pixels) + 15
    ax.plot(hidden_times, base + np.arange(hidden), "|", color=style.RED, markersize=2)
    base += hidden + 25
    places = base + 9 * np.arange(len(times) - hidden)
    last = times[hidden:]
    ax.plot(last, places, "|", color=style.BLACK, markersize=4)
    if not np.isnan(last).all():
        k = int(np.nanargmin(last))
        ax.plot(last[k], places[k], "o", color=style.BLUE, mfc="none", markersize=7)
        ax.annotate(
            f"{k}", (last[k], places[k]), (-9, 0), textcoords="offset points", va="center",
            ha="right", color=style.BLUE,
        )  # fmt: skip
    ax.set_yticks(
        [len(pixels) / 2, len(pixels) + 15 + hidden / 2, places.mean()],
        ["pixels", "hidden", "outputs"], rotation=90, va="center",
    )  # fmt: skip
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, dataset.attrs["t1"])
    ax.set_xlabel("time (ms)")
    ax.set_title("one image, in the order of spikes")
    panels.image(ax.inset_axes((0.72, 0.03, 0.26, 0.26)), dataset.digit)


def _times(ax: Axes, dataset: xr.Dataset) -> None:
    t1 = float(dataset.attrs["t1"])
    edges = np.linspace(0, t1, 65)
    first = np.histogram(dataset.images_first.values, edges)[0]
    for counts, color, label in (
        (dataset.images_hidden_times.sum("images_seed").values, style.RED, "hidden"),
        (dataset.images_output_times.sum("images_seed").values, style.BLACK, "outputs"),
        (first, style.BLUE, "the answer"),
    ):
        ax.stairs(counts / counts.sum() / (edges[1] - edges[0]), edges, color=color, label=label)
    ax.set_xlim(0, t1)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("time of a spike (ms)")
    ax.set_ylabel("density (1/ms)")
    ax.legend()
