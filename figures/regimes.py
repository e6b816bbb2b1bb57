"""Regimes of the spiking memory (`results/regimes.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.regimes import LOAD_RATE
from experiments.regimes.measure import Regime
from theory.closed_forms import hold_escape
from theory.closed_forms.modern_hopfield import spinodal

from . import style

NAME = "regimes"
COMMAND = "python -m experiments.regimes"
_COLOURS = {
    Regime.SILENCE: "#BBBBBB",
    Regime.RETRIEVAL: style.BLUE,
    Regime.REPLAY: style.PURPLE,
    Regime.WANDERING: style.ORANGE,
    Regime.MIXTURE: "#DCEBF5",
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
        delay.set_title(r"ten memories, late spikes ($R\tau$ = 50)")
        for ax in (ten, delay):
            ax.axvline(spinodal(10).b, color=style.BLACK, linestyle="--")
        _map(load, dataset, "load")
        load.set(xlabel="patterns", ylabel=r"refractory period / $\tau$", xscale="log")
        load.set(yscale="log", title=r"random patterns, refractory ($R\tau$ = 20)")
        _load_line(load, dataset)
        handles = [
            Patch(color=colour, label=kind.name.lower()) for kind, colour in _COLOURS.items()
        ]
        top.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        path, density, exponent = bottom.subplots(1, 3, width_ratios=[1.4, 1, 1])
        _paths(path, dataset)
        _densities(density)
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
    colours = ListedColormap([_COLOURS[kind] for kind in Regime])
    norm = BoundaryNorm(np.arange(len(Regime) + 1) - 0.5, len(Regime))
    ax.pcolormesh(
        _edges(x, log[0]), _edges(y, log[1]), labels.values.T,
        cmap=colours, norm=norm, rasterized=True, edgecolors="white", linewidth=0.15,
    )  # fmt: skip


def _pair_lines(ax: Axes, dataset: xr.Dataset) -> None:
    low, high = ax.get_ylim()
    rates = dataset.pair_rate.values
    ax.axvline(2.0, color=style.BLACK, linestyle="--", label="flow: memories are born")
    ax.plot(dataset.boundary, rates, color=style.RED, label="half escaped, exact")
    b = np.linspace(*ax.get_xlim(), 200)
    b = b[b < 1.99]
    critical = [hold_escape.critical_rate(x / 2) for x in b]
    ax.plot(b, critical, color=style.BLACK, linestyle=":", label=r"$R\tau = 2/(1-b/2)$")
    ax.set_ylim(low, high * 30)  # room for the legend
    ax.legend(loc="upper left", facecolor="white", framealpha=0.85, frameon=True, edgecolor="none",
              fontsize=6)  # fmt: skip


def _load_line(ax: Axes, dataset: xr.Dataset) -> None:
    """One spike of another memory in a silent spell, from the posterior at the pattern itself."""
    low, high = ax.get_ylim()
    doubt = dataset.load_doubt.mean(("load_silent", "path")).values
    with np.errstate(divide="ignore"):
        line = 1 / (LOAD_RATE * doubt)
    ax.plot(dataset.load_count, line, color=style.BLACK, linestyle=":", label=r"$D R\,(1-p) = 1$")
    ax.axhline(4 / LOAD_RATE, color=style.BLACK, linewidth=0.6, linestyle="-.",
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


def _densities(ax: Axes) -> None:
    m = np.linspace(-0.995, 0.995, 201)
    for rate, colour in ((1, style.BLACK), (4, style.ORANGE), (60, style.SKY)):
        ax.plot(m, hold_escape.density(m, 0.5, rate), color=colour, label=rf"$R\tau$ = {rate}")
    ax.set(xlabel="$m$", ylabel="density", ylim=(0, 4.2), title="exact, turns at 4")
    ax.legend(loc="upper center", fontsize=6)


def _exponents(ax: Axes, dataset: xr.Dataset) -> None:
    b = dataset.exponent_b.values
    ax.errorbar(b, dataset.exponent_value, dataset.exponent_error, color=style.RED, marker="o",
                markersize=3, linestyle="none", label=r"spikes, $R\tau$ = 10")  # fmt: skip
    fine = np.linspace(b[0], b[-1], 200)
    rest = np.array([hold_escape.rest(x / 2) for x in fine])
    ax.plot(fine, -(1 - fine / 2 * (1 - rest**2)), color=style.BLUE, label="flow")
    ax.set(xlabel="$b$", ylabel=r"largest exponent $\times\,\tau$", title="stability")
    ax.set_ylim(-1.1, 3.8)
    ax.legend(loc="upper right", fontsize=6)
