"""Calibration with and without a posterior over weights (`results/calibration.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from . import style

_COLOURS = {
    "point": style.BLACK, "tempered": style.SKY, "synapses": style.GREEN,
    "matrices": style.RED, "both": style.BLUE, "ensemble": style.PURPLE,
}  # fmt: skip
_NAMES = {"mnist": "MNIST", "fashion_mnist": "Fashion", "digits": "digits"}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: reliability; NLL by rotation; out of distribution, and the readouts."""
    names, counts = dataset.images.values[:2], dataset.train.values
    few = int(counts[0])
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 6.2), layout="constrained")
        grid = fig.add_gridspec(3, 4)
        for k, name in enumerate(names):
            for j, (condition, how) in enumerate((("plain", "plain"), ("rotation by 30", "30°"))):
                ax = fig.add_subplot(grid[0, 2 * k + j])
                _reliability(ax, dataset.sel(images=name, train=few, condition=condition))
                ax.set_title(f"{_NAMES[name]} {few}, {how}", loc="left")
            for j, count in enumerate(counts[:2]):
                ax = fig.add_subplot(grid[1, 2 * k + j])
                _angles(ax, dataset.sel(images=name, train=count))
                ax.set_title(f"{_NAMES[name]} {count}", loc="left")
            ax = fig.add_subplot(grid[2, k])
            _out_of_distribution(ax, dataset.sel(images=name, train=few))
            ax.set_title(f"{_NAMES[name]} {few}, OOD", loc="left")
        handles = [Line2D([], [], color=c, marker="o", markersize=3, label=n)
                   for n, c in _COLOURS.items()]  # fmt: skip
        fig.legend(handles=handles, loc="outside upper center", ncols=len(handles))
        _readouts(fig.add_subplot(grid[2, 2:]), dataset)
    return fig


def _reliability(ax: Axes, cell: xr.Dataset) -> None:
    ax.plot([0, 1], [0, 1], color="0.7", linewidth=0.6)
    for name, colour in _COLOURS.items():
        if name in ("synapses", "ensemble"):
            continue
        sums = cell.reliability.sel(network=name).sum("split")
        samples = sums.sel(sum="samples").values
        many = samples >= 20
        sure = sums.sel(sum="confidence").values[many] / samples[many]
        right = sums.sel(sum="right").values[many] / samples[many]
        ax.plot(sure, right, ".-", color=colour, markersize=3)
    ax.set(xlabel="confidence", ylabel="share right", xlim=(0, 1), ylim=(0, 1))


def _angles(ax: Axes, cell: xr.Dataset) -> None:
    rotations = [c for c in map(str, cell.condition.values) if c.startswith("rotation")]
    angles = [0, *(int(c.split()[-1]) for c in rotations)]
    nll = cell.net_scores.sel(score="nll", condition=["plain", *rotations])
    for name, colour in _COLOURS.items():
        value = nll.sel(network=name)
        ax.errorbar(
            angles, value.mean("split"), value.std("split", ddof=1) if value.sizes["split"] > 1
            else None, color=colour, marker="o", markersize=2, elinewidth=0.6,
        )  # fmt: skip
    ax.set(xlabel="rotation (degrees)", ylabel="NLL (nats)", xticks=angles, yscale="log")
    ax.minorticks_off()
    low, high = nll.mean("split").min(), nll.mean("split").max()
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10) if low / 1.3 < t < high * 1.3]
    ax.set_yticks(ticks, [f"{t:g}" for t in ticks])


def _out_of_distribution(ax: Axes, cell: xr.Dataset) -> None:
    place = np.arange(cell.sizes["statistic"])
    for k, (name, colour) in enumerate(_COLOURS.items()):
        value = cell.auroc.sel(network=name)
        if name in ("point", "tempered"):  # no weights to be unsure of
            value = value.where(cell.statistic != "epistemic")
        error = value.std("split", ddof=1) if value.sizes["split"] > 1 else None
        ax.bar(place + 0.14 * (k - 2.5), value.mean("split"), 0.12, yerr=error, color=colour,
               error_kw={"linewidth": 0.6})  # fmt: skip
    ax.set_xticks(place, ["max p", "total", "epist."])
    low = float(cell.auroc.where(cell.auroc != 0.5).min())
    ax.set(ylabel="AUROC, out of distribution", ylim=(max(0.5, low - 0.1), 1))


def _readouts(ax: Axes, dataset: xr.Dataset) -> None:
    cells = [(s, c) for s in dataset.set.values for c in dataset.samples.values]
    nll = dataset.scores.sel(measure="nll")
    gain = nll.sel(reading="point") - nll.sel(reading="average")
    for k, shift in enumerate(map(str, dataset["shift"].values)):
        here = [gain.sel(set=s, samples=c, shift=shift) for s, c in cells]
        error = [float(g.std("split")) / np.sqrt(g.sizes["split"]) for g in here]
        ax.errorbar(
            np.arange(len(cells)) + 0.2 * (k - 1), [float(g.mean()) for g in here], error,
            color=style.PALETTE[k], marker="o", linestyle="", markersize=3, label=shift,
        )  # fmt: skip
    ax.axhline(0, color="0.7", linewidth=0.6)
    ax.set_xticks(range(len(cells)), [f"{_NAMES[s]}\n{c}" for s, c in cells])
    ax.set_ylabel("NLL gained (nats)")
    ax.set_title("random units: average against point", loc="left")
    ax.legend(ncols=3)
