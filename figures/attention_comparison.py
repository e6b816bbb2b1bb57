"""Attention and the spiking memory: accuracy, energy, ambiguity (attention_comparison.zarr)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.common.statistics import standard_error

from . import style

_LOOKS = {
    "attention": (style.RED, "s"),
    "attention x5": (style.ORANGE, "D"),
    "entmax 1.5": (style.PURPLE, "v"),
    "linear": (style.SKY, "P"),
    "argmax": (style.GREEN, "^"),
    "Hebb": (style.BLACK, "x"),
    "BCPNN": (style.BLACK, "+"),
}
_TITLES = {
    "auto": "name a pattern, noise {:g}",
    "key to value": "value of a key, noise {:g}",
    "raster": "name a raster, {:.0%} of spikes lost",
}
_POOLINGS = (style.RED, "s"), (style.ORANGE, "D"), (style.BLUE, "o"), (style.SKY, "o")
_CASES = (
    (style.BLUE, ":"), (style.BLUE, "-"), (style.SKY, "-"), (style.RED, "-"), (style.ORANGE, "-"),
    (style.GREEN, "-"), (style.GREEN, "--"),
)  # fmt: skip


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: three tasks above, ambiguity and the trained layer, energies below."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 7.2), layout="constrained")
        top, middle, bottom = fig.subfigures(3, 1, height_ratios=[1.15, 1, 1])
        axs = top.subplots(1, 3)
        for ax, task in zip(axs, dataset.task.values, strict=True):
            _pareto(ax, dataset, str(task))
        axs[0].set_ylabel("accuracy")
        _legend(top)
        axs = middle.subplots(1, 3)
        _denoising(axs[0], dataset)
        _decision(axs[1], dataset)
        _layer(axs[2], dataset)
        _ratios(bottom.subplots(), dataset)
    return fig


def _legend(fig) -> None:
    marks = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=name)
        for name, (colour, marker) in _LOOKS.items()
    ]
    marks.insert(0, Line2D([], [], color=style.BLUE, marker="o", label="1 to 64 spikes"))
    hollow = dict(color="0.4", marker="o", linestyle="")
    marks.append(Line2D([], [], label="fp32", **hollow))
    marks.append(Line2D([], [], label="int8", markerfacecolor="none", **hollow))
    fig.legend(handles=marks, loc="outside upper center", ncols=5)


def _pareto(ax: Axes, dataset: xr.Dataset, task: str) -> None:
    """Accuracy against energy at the middle damage, in both precisions."""
    own = dataset.sel(task=task).isel(damage=1)
    for store, fill in (("fp32", None), ("int8", "none")):
        shown = own.accuracy.sel(memory=store)
        y, bar = shown.mean("seed"), standard_error(shown, "seed").values
        x = own.energy.sel(price=store).values
        spiking = np.array([str(m).startswith("spiking") for m in own.model.values])
        ax.errorbar(
            x[spiking], y.values[spiking], bar[spiking], color=style.BLUE, marker="o",
            markerfacecolor=fill, markersize=3, elinewidth=0.8,
        )  # fmt: skip
        for method, (colour, marker) in _LOOKS.items():
            k = list(own.model.values).index(method)
            if method in ("Hebb", "BCPNN") and task != "auto":
                continue
            ax.errorbar(
                x[k], y.values[k], bar[k], color=colour, marker=marker, markerfacecolor=fill,
                linestyle="", elinewidth=0.8,
            )  # fmt: skip
    ax.set(
        xscale="log",
        ylim=(-0.03, 1.03),
        xlabel="energy a query (nJ)",
        title=_TITLES[task].format(float(own.level)),
    )


def _denoising(ax: Axes, dataset: xr.Dataset) -> None:
    """The square error of the mean of spikes, down to that of attention."""
    colours = style.GREEN, style.BLUE, style.RED
    for noise, colour in zip(dataset.noise.values[-3:], colours, strict=True):
        own = dataset.sel(noise=noise)
        error = own.query_spiking.mean("query")
        ax.errorbar(
            dataset.draws.values, error.mean("set").values, standard_error(error, "set").values,
            color=colour, marker="o", linestyle="", markersize=3, label=f"noise {noise:g}",
        )  # fmt: skip
        least = float(own.query_attention.mean())
        law = least + float(own.query_ambiguity.mean()) / dataset.draws.values
        ax.plot(dataset.draws.values, law, color=colour)
        ax.axhline(least, color=colour, linestyle="--", linewidth=0.8)
    ax.set(
        xscale="log", yscale="log", xlabel="spikes $S$ of the mean", ylabel="square error an entry",
        title=r"lines: attention (dashed) $+$ tr Cov$/S$",
    )  # fmt: skip
    ax.legend(loc="upper right", bbox_to_anchor=(1, 0.54))


def _decision(ax: Axes, dataset: xr.Dataset) -> None:
    """Spikes up to a decision in bins of the ambiguity of a query."""
    x = dataset.query_ambiguity.values.ravel()
    edges = np.geomspace(1e-4, max(x.max(), 1e-3) * 1.001, 13)
    bins = np.digitize(np.maximum(x, 1.0001e-4), edges) - 1
    for name, colour, label in (
        ("query_decision", style.BLUE, f"to a lead of {dataset.attrs['lead']}"),
        ("query_many", style.RED, f"for an error of {dataset.attrs['error']:g}"),
    ):
        y = dataset[name].values.ravel()
        rows = [y[bins == k] for k in range(len(edges) - 1)]
        centre, mean, bar = np.array(
            [
                (np.sqrt(edges[k] * edges[k + 1]), row.mean(), row.std() / np.sqrt(row.size))
                for k, row in enumerate(rows)
                if row.size > 1
            ]
        ).T
        ax.errorbar(centre, mean, bar, color=colour, marker="o", markersize=3, label=label)
    ax.set(
        xscale="log", yscale="log", xlabel="ambiguity, tr Cov$/N$", ylabel="spikes",
        title="ambiguous queries take more spikes",
    )  # fmt: skip
    ax.legend(loc="upper left")


def _layer(ax: Axes, dataset: xr.Dataset) -> None:
    """Accuracy of the trained layer against the energy of its pooling."""
    for name, (colour, marker) in zip(dataset.pooling.values, _POOLINGS, strict=True):
        own = dataset.trained.sel(pooling=name)
        y, bar = own.mean("start").values, standard_error(own, "start").values
        for price, fill in (("fp32", None), ("int8", "none")):
            x = dataset.trained_energy.sel(pooling=name, price=price).values
            few = slice(None) if "spik" in str(name) else slice(0, 1)
            ax.errorbar(
                x[few], y[few], bar[few], color=colour, marker=marker, markersize=3,
                markerfacecolor=fill, elinewidth=0.8, label=None if fill else str(name),
            )  # fmt: skip
    ax.set(
        xscale="log", xlabel="energy of pooling a bag (nJ)", ylabel="accuracy on test bags",
        title="one trained layer",
    )  # fmt: skip
    ax.set_xlim(0.1, 10.0)
    ax.minorticks_off()
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.75 * (high - low), high)
    ax.legend(loc="lower right", fontsize=6)


def _ratios(ax: Axes, dataset: xr.Dataset) -> None:
    """Energy of the spiking memory over that of attention, for images in a large memory."""
    for case, (colour, line) in zip(dataset.case.values, _CASES, strict=True):
        ax.loglog(
            dataset.example_spikes.values, dataset.ratio.sel(case=case), color=colour,
            linestyle=line, label=str(case),
        )  # fmt: skip
    ax.axhline(1.0, color="0.5", linewidth=0.8)
    ax.set(
        xlabel="spikes a query", ylabel="energy over attention's",
        title="784 pixels, 1,000 memories: above 1 attention wins",
    )  # fmt: skip
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
