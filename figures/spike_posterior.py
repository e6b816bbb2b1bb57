"""Posteriors as shares of spikes (`results/spike_posterior.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.common.statistics import standard_error

from . import style

_COLOURS = style.BLACK, style.BLUE, style.SKY, style.ORANGE


def draw(dataset: xr.Dataset) -> Figure:
    """Errors of shares, their calibration, the regret, and a circuit's distance to the ideal."""
    with style.look():
        fig, axes = plt.subplots(2, 3, figsize=(style.WIDTH, 4.4), layout="constrained")
        square, divergence, regret = axes[0]
        frozen, hold, board = axes[1]
        _curves(square, dataset, "square")
        s = dataset.spikes.values
        square.plot(s, float(dataset.law.mean()) / s, color=style.RED, linestyle="--",
                    label=r"$(1-\sum p^2)/S$", zorder=1)  # fmt: skip
        square.set(ylabel="mean square error", yscale="log", title="shares of spikes")
        _curves(divergence, dataset, "divergence")
        divergence.set(ylabel="divergence from Bayes (nat)", title="Kullback-Leibler", yscale="log")
        _curves(regret, dataset, "regret")
        regret.axhline(0, color=style.BLACK, linewidth=0.6)
        regret.set(ylabel="regret (share of answers)", title="regret to Bayes")
        names = list(dataset.memory.values)
        _reliability(frozen, dataset, names[:1])
        _reliability(hold, dataset, names[1:-1])
        frozen.set_title("calibration: query held fixed")
        hold.set_title("calibration: query released")
        _circuit(board, dataset)
        handles, labels = square.get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return fig


def _colour(dataset: xr.Dataset, name: str) -> str:
    return _COLOURS[list(dataset.memory.values).index(name) % len(_COLOURS)]


def _curves(ax: Axes, dataset: xr.Dataset, measure: str) -> None:
    for name in dataset.memory.values:
        own = dataset[measure].sel(memory=name)
        mean, error = own.mean("seed"), standard_error(own, "seed")
        ax.errorbar(dataset.spikes, mean, 2 * error, color=_colour(dataset, name), marker=".",
                    label=str(name), capsize=1)  # fmt: skip
    ax.set(xlabel="spikes $S$", xscale="log")


def _reliability(ax: Axes, dataset: xr.Dataset, names: list[str]) -> None:
    ax.plot([0, 1], [0, 1], color=style.BLACK, linewidth=0.6)
    last = dataset.isel(spikes=-1)
    for name in names:
        own = last.sel(memory=name)
        count, right, sure = (
            own[f"bin_{k}"].sum("seed").values for k in ("count", "right", "sure")
        )
        some = count >= 20
        p = right[some] / count[some]
        error = 2 * np.sqrt(p * (1 - p) / count[some])
        ax.errorbar(sure[some] / count[some], p, error, color=_colour(dataset, name), marker=".",
                    capsize=1)  # fmt: skip
    ax.set(xlabel="share of the most frequent", ylabel="how often it is right")
    ax.set(xlim=(0, 1), ylim=(0, 1))


def _circuit(ax: Axes, dataset: xr.Dataset) -> None:
    shades = plt.get_cmap("cividis")(np.linspace(0, 0.85, dataset.sizes["fall"]))
    for drop, shade in zip(dataset.fall.values, shades, strict=True):
        own = dataset.sel(fall=drop)
        ax.plot(10 * dataset.membrane, own.distance, marker=".", color=shade, label=f"{drop:g}")
    ax.plot(10 * dataset.membrane, dataset.sampling.mean("fall"), color=style.RED, linestyle="--",
            label="sampling")  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel=r"membrane $\times$ rate", ylabel="total variation")
    ax.set_xticks(10 * dataset.membrane.values, [f"{10 * x:g}" for x in dataset.membrane.values])
    ax.minorticks_off()
    ax.set_ylim(float(dataset.sampling.min()) * 0.7, float(dataset.distance.max()) * 8)
    ax.set_title("leaky circuit, by drop")
    ax.legend(fontsize=6, ncols=3, loc="upper left")
