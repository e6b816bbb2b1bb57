"""How many patterns memories hold (`results/capacity.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.common.statistics import error_bars

from . import style

_LOOKS = {
    "hebb": (style.BLUE, "o", "Hebb, one pattern"),
    "hebb, all": (style.SKY, "s", "Hebb, all patterns"),
    "cubic": (style.RED, "o", "dense, $F=u^3$"),
    "quartic": (style.ORANGE, "o", "dense, $F=u^4$"),
    "exponential": (style.GREEN, "^", r"dense, $F=e^u$, all patterns"),
    "modern": (style.PURPLE, "D", "modern, noisy queries"),
    "sparse": (style.BLACK, "v", "sparse, exact recall"),
    "phasor": (style.YELLOW, "P", "phasors"),
}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: capacities, success over the load, capacities over their laws, and saturation."""
    with style.look():
        fig, axes = plt.subplots(2, 2, figsize=(style.WIDTH, 6.2), layout="constrained")
        fig.suptitle("Patterns that memories hold. Symbols: measured. Lines: theory")
        _capacities(axes[0, 0], dataset)
        _success(axes[0, 1], dataset)
        _ratios(axes[1, 0], dataset)
        _saturation(axes[1, 1], dataset)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=4)
    return fig


def _own(dataset: xr.Dataset, kind: str) -> xr.Dataset:
    return dataset.isel(curve=np.flatnonzero(dataset.kind.values == kind))


def _capacities(ax: Axes, dataset: xr.Dataset) -> None:
    for kind, (colour, marker, label) in _LOOKS.items():
        own = _own(dataset, kind)
        ax.plot(own["size"], own.law, color=colour)
        ax.plot(own["size"], own.capacity, marker, color=colour, label=label, mec="k", mew=0.3)
    ax.set(xscale="log", yscale="log", xlabel="units $N$", ylabel="patterns $P$")
    ax.set_title("a  capacity", loc="left")


def _success(ax: Axes, dataset: xr.Dataset) -> None:
    for kind in ("hebb", "cubic", "quartic", "exponential", "modern", "sparse"):
        colour, marker, _ = _LOOKS[kind]
        own = _own(dataset, kind)
        one = own.isel(curve=int(np.argmax(own["size"].values)))
        x = one["load"] / one.law
        some = np.isfinite(x.values)
        successes, trials = one.successes.values[some], one.trials.values[some]
        ax.errorbar(
            x[some], successes / trials, error_bars(successes, trials), fmt=marker, color=colour,
            capsize=1.5, lw=0.7, ms=3,
        )  # fmt: skip
        ax.plot(x[some], one.expected[some], color=colour)
    ax.set(xscale="log", xlabel="load over the law, $P/P_{law}$", ylabel="success, largest $N$")
    ax.set_xticks([0.5, 1, 2], ["0.5", "1", "2"])
    ax.set_xticks([], minor=True)
    ax.axvline(1, color="0.7", lw=0.6, zorder=0)
    ax.set_title("b  success over the load (95 % intervals)", loc="left")


def _ratios(ax: Axes, dataset: xr.Dataset) -> None:
    ax.axhspan(0.9, 1.1, color="0.92")
    ax.axhline(1, color="0.6", lw=0.6)
    for kind, (colour, marker, _) in _LOOKS.items():
        own = _own(dataset, kind)
        ratio = own.capacity / own.law
        ax.errorbar(
            own["size"], ratio, 1.96 * ratio * own.log_error, fmt=marker + "-", color=colour,
            mec="k", mew=0.3, lw=0.7, capsize=1.5,
        )  # fmt: skip
    ax.set(xscale="log", xlabel="units $N$", ylabel="measured capacity over law")
    ax.set_title("c  capacity over law (band: 10 %)", loc="left")


def _saturation(ax: Axes, dataset: xr.Dataset) -> None:
    looks = {"spins": (style.BLUE, "o", "spins"), "phases": (style.RED, "P", "phasors")}
    for name, (colour, marker, label) in looks.items():
        load = dataset[f"{name}_load"]
        ax.errorbar(
            load, dataset[f"{name}_overlap"], 1.96 * dataset[f"{name}_error"], fmt=marker,
            color=colour, mec="k", mew=0.3, capsize=1.5, lw=0.7, label=label,
        )  # fmt: skip
        curve = dataset[f"{name}_curve_load"]
        ax.plot(curve, dataset[f"{name}_curve"], color=colour)
        ax.axvline(float(curve[-1]), color=colour, lw=0.6, ls=":")
    ax.set(xlabel=r"load $\alpha=P/N$", ylabel="overlap with the pattern", ylim=(0, 1.03))
    ax.legend(loc="lower center")
    ax.set_title(f"d  Hebb's rule near saturation ($N={dataset.saturation:,}$)", loc="left")
