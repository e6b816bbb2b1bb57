"""Recall of spoilt patterns (`results/robustness.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.common.statistics import error_bars

from . import style

_LOOKS = {
    "nearest": (style.BLUE, "o"),
    "of seen": ("0.55", "+"),
    "attention": (style.SKY, "x"),
    "spiking": (style.RED, "s"),
    "pseudo-inverse": (style.GREEN, "^"),
    "Hebb": (style.PURPLE, "v"),
    "BCPNN": (style.ORANGE, "D"),
}
_DAMAGE = {
    "noise": "noise, standard deviation",
    "flips": "share of flipped signs",
    "mask": "share masked",
    "erasures": "share erased",
}
_NAMES = {
    "sphere": "sphere",
    "digits": "digits",
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: a row for each set and number of patterns, a column for each kind of damage."""
    rows = [
        (str(name), int(count))
        for name in dataset.set.values
        for count in dataset.patterns.values
        if name == "sphere" or count == _shown(dataset)
    ]
    kinds = [str(kind) for kind in dataset.corruption.values]
    with style.look():
        fig, axs = plt.subplots(
            len(rows), len(kinds), figsize=(style.WIDTH, 1.35 * len(rows) + 0.7),
            layout="constrained", sharey=True, sharex="col", squeeze=False,
        )  # fmt: skip
        for row, (name, count) in zip(axs, rows, strict=True):
            for ax, kind in zip(row, kinds, strict=True):
                _panel(ax, dataset.sel(set=name, patterns=count, corruption=kind))
                if name == "sphere":
                    law = dataset.law.sel(patterns=count, corruption=kind)
                    strength = dataset.strength.sel(corruption=kind)
                    ax.plot(strength, law, color=style.BLACK, linewidth=1.2, zorder=5)
            size = f" in {dataset.attrs['size']} dimensions" if name == "sphere" else ""
            row[0].set_title(f"{_NAMES.get(name, name)}{size}, {count} patterns", loc="left")
            row[0].set_ylabel("accuracy")
        for ax, kind in zip(axs[-1], kinds, strict=True):
            ax.set_xlabel(_DAMAGE[kind])
        axs[0, 0].set_ylim(-0.03, 1.05)
        fig.legend(handles=_handles(), loc="outside lower center", ncols=4)
    return fig


def _shown(dataset: xr.Dataset) -> int:
    """The number of patterns that is drawn of images: the middle one."""
    counts = np.sort(dataset.patterns.values)
    return int(counts[len(counts) // 2])


def _panel(ax: Axes, data: xr.Dataset) -> None:
    queries = int(data.queries)
    for method, (colour, marker) in _LOOKS.items():
        right = data.right.sel(memory=method).values
        ax.errorbar(
            data.strength, right / queries, error_bars(right, queries), color=colour,
            marker=marker, markersize=2.8, markerfacecolor="none", linewidth=0.6, elinewidth=0.6,
        )  # fmt: skip


def _handles() -> list[Line2D]:
    labels = {"of seen": "nearest, observed entries"}
    handles = [
        Line2D(
            [],
            [],
            color=colour,
            marker=marker,
            markerfacecolor="none",
            label=labels.get(method, method),
        )
        for method, (colour, marker) in _LOOKS.items()
    ]
    return [*handles, Line2D([], [], color=style.BLACK, linewidth=1.2, label="exact law (nearest)")]
