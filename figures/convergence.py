"""Convergence of spiking predictive coding (`results/convergence.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from . import style


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: orders, budget, dither; errors, relaxation; maps of stability."""
    with style.look():
        fig, axs = plt.subplots(3, 3, figsize=(style.WIDTH, 7.0), layout="constrained")
        _orders(axs[0, 0], dataset)
        _budget(axs[0, 1], dataset)
        _dither(axs[0, 2], dataset)
        _coded(axs[1, 0], dataset)
        _spectrum(axs[1, 1], dataset)
        _relaxation(axs[1, 2], dataset)
        names = {"constant": "constant input", "events": dataset.attrs["events"]}
        maps = [("constant", 0), ("constant", 1), ("events", 1)]
        images = []
        for ax, (which, heat) in zip(axs[2], maps, strict=True):
            images.append(_map(ax, dataset.sel(input=which).isel(map_quantum=0, heat=heat)))
            ax.set_title(f"{names[which]}, T = {dataset.heat.values[heat]:g} d²", loc="left")
        for ax in axs[:2].ravel():
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.yaxis.set_minor_formatter(NullFormatter())
        axs[2, 0].set_ylabel("delay of corrections (steps)")
        fig.colorbar(images[-1], ax=axs[2].tolist(), label="excess F per unit (d²)")
    return fig


def _bars(ax: Axes, x, values: xr.DataArray, label: str, colour: str, marker: str) -> None:
    low, mean, high = values.min("seed"), values.mean("seed"), values.max("seed")
    ax.errorbar(x, mean, [mean - low, high - mean], color=colour, marker=marker, markersize=3,
                linewidth=0.7, elinewidth=0.6, label=label)  # fmt: skip


def _orders(ax: Axes, data: xr.Dataset) -> None:
    looks = {"linear": (style.BLUE, "o"), "rectified": (style.RED, "s")}
    d = data.quantum.values
    for kind, (colour, marker) in looks.items():
        part = data.sel(kind=kind)
        _bars(ax, d, part.rms, f"distance, {kind}", colour, marker)
        ax.plot(d, part.excess.mean("seed"), color=colour, marker=marker, markersize=3,
                linestyle="--", markerfacecolor="none", label=f"F − F*, {kind}")  # fmt: skip
    ax.plot(d, d, color="0.6", linewidth=0.6)
    ax.plot(d, 5 * d**2, color="0.6", linewidth=0.6)
    ax.set(xscale="log", yscale="log", xlabel="quantum d", title="orders (grey: d, 5 d²)")
    ax.legend(fontsize=5.5)


def _budget(ax: Axes, data: xr.Dataset) -> None:
    bound = data.paid_budget / data.cost
    ax.plot(data.cost, bound.mean("seed"), color=style.BLACK, label="budget (F(0) − F*) / c")
    _bars(ax, data.cost, data.paid_spikes, "spikes", style.GREEN, "o")
    ax.set(xscale="log", yscale="log", xlabel="cost c of a spike", title="spike budget")
    ax.legend(fontsize=6)


def _dither(ax: Axes, data: xr.Dataset) -> None:
    def size(x):
        return np.sqrt((x**2).sum("axis"))

    ax.plot(data.ratio, size(data.bias_exact), "o", color=style.BLUE, markerfacecolor="none",
            label="lattice sum")  # fmt: skip
    ax.plot(data.ratio, size(data.bias_law), color=style.BLACK, label="Poisson's sum")
    mean = data.bias_sampled.mean("chain")
    spread = data.bias_sampled.std("chain") / np.sqrt(data.sizes["chain"])
    ax.errorbar(data.ratio, size(mean), 2 * size(spread), fmt="x", color=style.RED,
                elinewidth=0.6, label="spikes, ± 2 s.e.")  # fmt: skip
    least = float(size(data.bias_exact).min())
    ax.set(yscale="log", xlabel="T / d²", title="bias of the mean (d)", ylim=(0.3 * least, 1))
    ax.legend(fontsize=6)


def _coded(ax: Axes, data: xr.Dataset) -> None:
    colours = style.BLUE, style.GREEN, style.ORANGE
    for gamma, colour in zip(data.gamma.values, colours, strict=True):
        _bars(ax, data.quantum.values, data.coded_rms.sel(gamma=gamma), f"γ = {gamma:g} d",
              colour, "o")  # fmt: skip
    ax.plot(data.quantum, data.quantum, color="0.6", linewidth=0.6)
    ax.set(xscale="log", yscale="log", xlabel="quantum d", ylabel="distance",
           title="errors in spikes of γ")  # fmt: skip
    ax.legend(fontsize=6)


def _spectrum(ax: Axes, data: xr.Dataset) -> None:
    for name, colour in (("high", style.RED), ("low", style.BLUE)):
        value = data[f"spectrum_{name}"]
        ax.plot(data.checkpoint, value, color=colour, linewidth=0.5, alpha=0.5)
        label = "largest" if name == "high" else "smallest"
        ax.plot(data.checkpoint, value.mean("image"), color=colour, marker="o", markersize=3,
                label=label)  # fmt: skip
    ax.set(yscale="log", xlabel="mini-batches", title="eigenvalues of the Hessian of F")
    ax.legend(fontsize=6)


def _relaxation(ax: Axes, data: xr.Dataset) -> None:
    x, y = data.spectrum_predicted.values.ravel(), data.spectrum_measured.values.ravel()
    ax.plot(x, y, "o", color=style.BLUE, markerfacecolor="none", markersize=3)
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    ax.plot(ends, ends, color="0.6", linewidth=0.6)
    ax.set(xlabel="predicted, τ / λ_min", ylabel="measured (τ)", title="relaxation time")


def _map(ax: Axes, data: xr.Dataset):
    excess = np.log10(np.clip(data.map_excess.transpose("delay", "share").values, 1e-2, 1e4))
    ticks = np.arange(data.sizes["share"]), np.arange(data.sizes["delay"])
    image = ax.pcolormesh(*ticks, 10**excess, norm="log", cmap="magma", shading="nearest",
                          vmin=1e-1, vmax=1e3)  # fmt: skip
    radius = data.map_radius.transpose("delay", "share").values
    if radius.min() < 1 < radius.max():
        ax.contour(*ticks, radius, levels=[1.0], colors="white", linewidths=1.2)
    ax.set_xticks(ticks[0], [f"{s:g}" for s in data.share.values])
    ax.set_yticks(ticks[1], [str(d) for d in data.delay.values])
    ax.set_xlabel("share of units that may fire")
    return image
