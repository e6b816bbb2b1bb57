"""Images completed by predictions that go down (`results/complete.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import style

_ROWS = "seen", "rates", "spikes", "Gaussian", "true"
_LOOKS = {
    "network": (style.BLUE, "o"),
    "spikes": (style.RED, "o"),
    "cut": (style.SKY, "v"),
    "mean fill": (style.BLACK, "s"),
    "random masks": (style.GREEN, "D"),
    "nearest": (style.PURPLE, "P"),
    "Gaussian": (style.ORANGE, "^"),
}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: accuracy of every method by mask, for each set of images; completed images; F
    and spikes in time."""
    names = [str(name) for name in dataset.set.values]
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 7.4), layout="constrained")
        top, middle, bottom = fig.subfigures(3, 1, height_ratios=(1.15, 1.1, 0.9))
        for k, (ax, name) in enumerate(
            zip(top.subplots(1, len(names), squeeze=False)[0], names, strict=True)
        ):
            _accuracies(ax, dataset.sel(set=name))
            ax.set_title(style.IMAGES[name])
            if k == 0:
                ax.set_ylabel("accuracy (%)")
                top.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=7)
        for ax, name in zip(middle.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            _images(ax, dataset.pictures.sel(set=name).values)
        axs = bottom.subplots(1, 3)
        _falls(axs[0], dataset)
        bottom.legend(*axs[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        _traffic(axs[1], dataset)
        _raster(axs[2], dataset)
    return fig


def _accuracies(ax: Axes, own: xr.Dataset) -> None:
    cells = [str(c) for c in own.mask.values]
    accuracy = 100 * own.scores.sel(measure="accuracy").mean("seed")
    for k, (method, (colour, marker)) in enumerate(_LOOKS.items()):
        place = np.arange(len(cells)) + 0.1 * (k - 3)
        ax.plot(place, accuracy.sel(model=method), marker, color=colour, label=method)
    ax.set_xticks(range(len(cells)), [c.replace(" ", "\n", 1) for c in cells])
    ax.set_ylim(0, 102)


def _images(ax: Axes, pictures: np.ndarray) -> None:
    """Images [row, image, height, width] side by side, with the name of each row."""
    edge = np.pad(pictures, ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows, columns, height, width = edge.shape
    whole = edge.swapaxes(1, 2).reshape(rows * height, columns * width)
    ax.imshow(whole, cmap="gray_r", vmin=0, vmax=1)
    ax.set_yticks((np.arange(rows) + 0.5) * height, _ROWS)
    ax.set_xticks([])
    ax.tick_params(length=0)


def _falls(ax: Axes, dataset: xr.Dataset) -> None:
    for k, name in enumerate(dataset.set.values):
        curve = dataset.curve.sel(set=name, mask="lower half").mean("seed").values
        ax.plot(curve[1:] - curve.min(), color=style.PALETTE[k], label=style.IMAGES[str(name)])
    ax.set_yscale("symlog", linthresh=1.0)
    ax.set_xlabel("step")
    ax.set_ylabel("F of what was sent,\nover its least (nats)")
    ax.set_title("lower half missing")


def _traffic(ax: Axes, dataset: xr.Dataset) -> None:
    own = dataset.traffic.sel(mask="lower half").mean("seed")
    place = np.arange(own.sizes["kind"])
    for k, name in enumerate(dataset.set.values):
        ax.barh(place + 0.4 * k, own.sel(set=name), 0.4, color=style.PALETTE[k])
    ax.set_yticks(place + 0.2, [str(kind) for kind in own.kind.values], fontsize=5)
    ax.invert_yaxis()
    ax.set_xlabel("spikes an image")


def _raster(ax: Axes, dataset: xr.Dataset) -> None:
    raster = dataset.raster.isel(set=0).values
    neuron, step = np.nonzero(raster.T)
    ax.scatter(step, neuron, s=1, color=style.BLACK, linewidths=0)
    for edge in np.cumsum(dataset.raster_sizes.isel(set=0).values)[:-1]:
        ax.axhline(edge - 0.5, color=style.RED, lw=0.5)
    ax.set_xlabel("step")
    ax.set_ylabel("pixels | first | second layer")
    ax.set_title("one image: who spiked when")
