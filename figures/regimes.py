"""Regimes of the spiking memory (`results/regimes.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from . import style

_COLOURS = {
    "silence": "#BBBBBB",
    "retrieval": style.BLUE,
    "replay": style.PURPLE,
    "wandering": style.ORANGE,
    "mixture": "#DCEBF5",
}


def draw(dataset: xr.Dataset) -> Figure:
    """Four phase maps on top; slow draws, their density and the exponents below."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 6.6), layout="constrained")
        top, bottom = fig.subfigures(2, 1, height_ratios=[2.1, 1])
        axes = top.subplots(2, 2)
        pair, ten, delay, load = axes.ravel()
        _map(pair, dataset, "pair")
        pair.set(xlabel=r"$b = \beta(1-c)$", ylabel=r"$R\tau$", yscale="log")
        pair.set_title("two memories")
        _pair_lines(pair, dataset)
        _map(ten, dataset, "ten")
        ten.set(xlabel=r"$b = \beta(1-c)$", ylabel=r"$R\tau$", yscale="log")
        ten.set_title("ten memories")
        _map(delay, dataset, "delay")
        delay.set(xlabel=r"$b = \beta(1-c)$", ylabel=r"delay / $\tau$")
        delay.set_title(r"ten memories, delayed spikes ($R\tau$ = 50)")
        for ax in (ten, delay):
            ax.axvline(dataset.attrs["spinodal_of_ten"], color=style.BLACK, linestyle="--")
        _map(load, dataset, "load")
        load.set(xlabel="patterns", ylabel=r"refractory period / $\tau$", xscale="log")
        load.set(yscale="log", title=r"random patterns, refractory ($R\tau$ = 20)")
        _load_line(load, dataset)
        handles = [Patch(color=_COLOURS[kind], label=kind) for kind in dataset.attrs["regimes"]]
        top.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        path, density, exponent = bottom.subplots(1, 3, width_ratios=[1.4, 1, 1])
        _paths(path, dataset)
        _densities(density, dataset)
        _exponents(exponent, dataset)
    return fig


def _edges(x: np.ndarray, log: bool) -> np.ndarray:
    """The borders of the cells around the points `x`."""
    x = np.log(x) if log else np.asarray(x, float)
    inner = 0.5 * (x[1:] + x[:-1])
    edges = np.concatenate([[2 * x[0] - inner[0]], inner, [2 * x[-1] - inner[-1]]])
    return np.exp(edges) if log else edges


def _map(ax: Axes, dataset: xr.Dataset, name: str) -> None:
    labels = dataset[f"{name}_regime"]
    x, y = (dataset[dim].values for dim in labels.dims)
    log = name == "load", name != "delay"
    kinds = dataset.attrs["regimes"]  # by their numbers
    colours = ListedColormap([_COLOURS[kind] for kind in kinds])
    norm = BoundaryNorm(np.arange(len(kinds) + 1) - 0.5, len(kinds))
    ax.pcolormesh(
        _edges(x, log[0]), _edges(y, log[1]), labels.values.T,
        cmap=colours, norm=norm, rasterized=True, edgecolors="white", linewidth=0.15,
    )  # fmt: skip


def _pair_lines(ax: Axes, dataset: xr.Dataset) -> None:
    low, high = ax.get_ylim()
    rates = dataset.pair_rate.values
    ax.axvline(2.0, color=style.BLACK, linestyle="--", label="flow: memories are born")
    ax.plot(dataset.boundary, rates, color=style.RED, label="half escaped, exact")
    label = r"$R\tau = 2/(1-b/2)$"
    ends = ax.get_xlim()
    ax.plot(
        dataset.critical_b, dataset.critical_rate, color=style.BLACK, linestyle=":", label=label
    )
    ax.set(xlim=ends, ylim=(low, high * 30))  # room for the legend
    ax.legend(loc="upper left", facecolor="white", framealpha=0.85, frameon=True, edgecolor="none",
              fontsize=6)  # fmt: skip


def _load_line(ax: Axes, dataset: xr.Dataset) -> None:
    """One spike of another memory in a silent spell, from the posterior at the pattern itself."""
    low, high = ax.get_ylim()
    doubt = dataset.load_doubt.mean(("load_silent", "path")).values
    rate = dataset.attrs["load_rate"]
    with np.errstate(divide="ignore"):
        line = 1 / (rate * doubt)
    ax.plot(dataset.load_count, line, color=style.BLACK, linestyle=":", label=r"$D R\,(1-p) = 1$")
    ax.axhline(4 / rate, color=style.BLACK, linewidth=0.6, linestyle="-.",
               label="a fifth of the spikes")  # fmt: skip
    ax.set_ylim(low, high)
    ax.legend(loc="lower right", facecolor="white", framealpha=0.85, frameon=True, edgecolor="none",
              fontsize=6)  # fmt: skip


def _paths(ax: Axes, dataset: xr.Dataset) -> None:
    for name, rate, colour in (("fast", 60, style.SKY), ("slow", 1, style.BLACK)):
        ax.plot(
            dataset[f"{name}_time"], dataset[f"{name}_m"], color=colour,
            label=rf"$R\tau$ = {rate}", linewidth=0.9, drawstyle="default",
        )  # fmt: skip
    ax.set(xlabel=r"time / $\tau$", ylabel="$m$", ylim=(-1.05, 1.5), yticks=[-1, 0, 1])
    ax.set_title("$b$ = 1: the flow rests at 0")
    ax.legend(loc="upper right", ncols=2)


def _densities(ax: Axes, dataset: xr.Dataset) -> None:
    for density, colour in zip(
        dataset.density, (style.BLACK, style.ORANGE, style.SKY), strict=True
    ):
        label = rf"$R\tau$ = {float(density.density_rate):g}"
        ax.plot(density.density_m, density, color=colour, label=label)
    ax.set(xlabel="$m$", ylabel="density", ylim=(0, 4.2), title="exact, turns at 4")
    ax.legend(loc="upper center", fontsize=6)


def _exponents(ax: Axes, dataset: xr.Dataset) -> None:
    b = dataset.exponent_b.values
    ax.errorbar(b, dataset.exponent_value, dataset.exponent_error, color=style.RED, marker="o",
                markersize=3, linestyle="none", label=r"spikes, $R\tau$ = 10")  # fmt: skip
    ax.plot(dataset.flow_b, dataset.flow_exponent, color=style.BLUE, label="flow")
    ax.set(xlabel="$b$", ylabel=r"largest exponent $\times\,\tau$", title="stability")
    ax.set_ylim(-1.1, 3.8)
    ax.legend(loc="upper right", fontsize=6)
