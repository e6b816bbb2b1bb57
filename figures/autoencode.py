"""Autoencoders of spikes and of numbers (`results/autoencode.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import panels, style

_COLOURS = {"numbers": style.BLUE, "spikes": style.RED}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: images as they are drawn, errors, errors by step, codes and their spikes."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 8.2), layout="constrained")
        top, middle, bottom = fig.subfigures(3, 1, height_ratios=(1.25, 1, 1.2))
        _drawn(top.subplots(), dataset)
        learning, error, steps = middle.subplots(1, 3)
        _learning(learning, dataset)
        _errors(error, dataset)
        _steps(steps, dataset)
        left, right = bottom.subfigures(1, 2)
        _planes(left.subplots(1, 2), dataset)
        classes, raster = right.subplots(1, 2)
        _classes(classes, dataset)
        _raster(raster, dataset)
        sizes = "-".join(str(n) for n in np.atleast_1d(dataset.attrs["inner"]))
        title = style.IMAGES[dataset.attrs["data"]]
        fig.suptitle(f"{title}: images through {sizes} spiking neurons, and numbers")
    return fig


def _drawn(ax: Axes, dataset: xr.Dataset) -> None:
    """A row for each way to draw, the images of the test above."""
    moments = dataset.moment.values
    some = [int(m) for m in np.unique(np.round(moments[-1] * np.array([0.2, 0.4])).astype(int))]
    rows = {"image": dataset["image"], "principal components": dataset.drawn_components}
    rows |= {"numbers": dataset.drawn_numbers, "spikes": dataset.drawn_spikes}
    rows |= {f"any step, T = {m}": dataset.drawn_any.sel(moment=max(m, 1)) for m in some}
    height, width = dataset["image"].shape[1:]
    grid = np.concatenate([np.concatenate(list(row.values), axis=1) for row in rows.values()])
    ax.imshow(grid, cmap="gray_r", vmin=0, vmax=1)
    ax.set_yticks((np.arange(len(rows)) + 0.5) * height, list(rows))
    ax.set_xticks([])
    ax.tick_params(length=0)
    for k in range(1, len(rows)):
        ax.axhline(k * height - 0.5, color="0.85", linewidth=0.5)
    ax.spines[:].set_visible(False)


def _learning(ax: Axes, dataset: xr.Dataset) -> None:
    for name, colour in _COLOURS.items():
        rows = dataset.batch_mse.sel(network=name)
        seed = rows.isel(seed=0).values
        epochs, size = seed.shape
        ax.plot(np.arange(epochs * size) / size, seed.ravel(), ",", color=colour, alpha=0.4)
        test = dataset.test.sel(network=name).mean("seed")
        ax.plot(np.arange(1, epochs + 1), test, "o-", color=colour, label=f"{name}, test")
    ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel("squared error of a pixel")
    ax.legend()


def _errors(ax: Axes, dataset: xr.Dataset) -> None:
    names = [str(name) for name in dataset.network.values]
    colours = [_COLOURS.get(name, style.RED) for name in names]
    texts, values = [], list(dataset.mse.values)
    for name in names:
        row = dataset.sel(network=name)
        spikes = float(row.spikes.mean())
        text = f"labels {100 * float(row.readout.mean()):.1f} %"
        texts.append(text + (f"\n{spikes:.0f} spikes" if spikes else ""))
    names, colours = [*names, "principal comp."], [*colours, style.GREEN]
    values.append(np.array([dataset.attrs["components_mse"]]))
    texts.append(f"labels {100 * dataset.attrs['components_readout']:.1f} %")
    panels.table_with_dots(ax, names, values, texts, colours=colours, size=6)
    ax.set_xlim(0, 1.1 * max(float(dataset.mse.max()), dataset.attrs["components_mse"]))
    ax.set_xlabel("squared error of a pixel")


def _steps(ax: Axes, dataset: xr.Dataset) -> None:
    ax.plot(dataset.moment, dataset.by_step, ".-", color=style.ORANGE, label="for any step")
    fixed = dataset.fixed_by_step.mean("seed")
    ax.plot(dataset.moment, fixed, ".-", color=style.RED, label="for the last")
    wrong = float(dataset.mse.sel(network="numbers").mean())
    ax.axhline(wrong, color=style.BLUE, linestyle="--", label="numbers")
    ax.axhline(dataset.attrs["mean_image"], color="0.6", linestyle=":", label="mean image")
    ax.set_yscale("log")
    ax.set_xlabel("steps T")
    ax.set_ylabel("squared error of a pixel")
    ax.legend()


def _planes(axes: np.ndarray, dataset: xr.Dataset) -> None:
    """Codes along their two main axes, in the colours of their labels."""
    shown = None
    for ax, name in zip(axes, ("numbers", "spikes"), strict=True):
        x, y = dataset.plane.sel(pair=name).values.T
        shown = ax.scatter(
            x, y, s=1, c=dataset.labels, cmap="tab10", linewidths=0, vmin=-0.5, vmax=9.5
        )
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_title(f"codes of {name},\ntheir two main axes")
    assert shown is not None
    plt.colorbar(shown, ax=list(axes), location="bottom", ticks=range(10), label="label", aspect=40)


def _classes(ax: Axes, dataset: xr.Dataset) -> None:
    shown = ax.imshow(dataset.by_class.sel(pair="spikes"), aspect="auto", cmap="cividis", vmin=0)
    ax.set_xlabel("neuron of the code")
    ax.set_ylabel("label")
    ax.set_yticks(range(0, dataset.sizes["label"], 3))
    plt.colorbar(shown, ax=ax, location="bottom", label="spikes an image")


def _raster(ax: Axes, dataset: xr.Dataset) -> None:
    """The spikes of the code for the images of the first row, one after the other."""
    marks = dataset.raster.values
    examples, steps, neurons = marks.shape
    for k in range(examples):
        moment, neuron = np.nonzero(marks[k])
        ax.plot(k * steps + moment + 0.5, neuron, "|", color=style.RED, markersize=2.5)
        ax.axvline(k * steps, color="0.85", linewidth=0.5)
    ax.set_xticks((np.arange(examples) + 0.5) * steps, [str(k) for k in range(examples)])
    ax.set_xlim(0, examples * steps)
    ax.set_ylim(-1, neurons)
    ax.set_xlabel(f"label ({steps} ms each)")
    ax.set_ylabel("neuron of the code")
