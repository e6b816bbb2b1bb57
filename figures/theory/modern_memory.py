"""The fixed points of a modern Hopfield network (`results/theory/modern_memory.zarr`)."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .. import style
from ._branches import stability

_MEAN, _MEMORY = style.BLACK, style.BLUE
_SHARED = style.BLUE, style.RED, style.GREEN, style.PURPLE  # states of 1, 2, ... patterns
_BETA = r"inverse temperature $\beta$"


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: which states there are, and what their energy landscape is like."""
    with style.look():
        fig, axs = plt.subplots(2, 3, figsize=(style.WIDTH, 5.0), layout="constrained")
        for ax, panel in zip(
            axs.flat, (_branches, _loop, _census, _energies, _curvatures, _barriers), strict=True
        ):
            panel(ax, dataset)
            ax.set_xlabel(_BETA)
        fig.legend(handles=_handles(dataset), loc="outside lower center", ncols=4)
    return fig


def _families(dataset: xr.Dataset) -> list[tuple[str, str]]:
    """The name and colour of each branch."""
    half = dataset.attrs["patterns"] // 2
    return [("mean", _MEAN)] + [(f"k{k}", _SHARED[k - 1]) for k in range(1, half + 1)]


def _handles(dataset: xr.Dataset) -> list[Line2D]:
    names = ["mean of all", "one pattern", *(f"{k} patterns" for k in range(2, 5))]
    handles = [
        Line2D([], [], color=colour, label=name)
        for (_, colour), name in zip(_families(dataset), names, strict=False)
    ]
    handles += [
        Line2D([], [], color="0.3", label="stable branch"),
        Line2D([], [], color="0.3", linestyle="--", label="unstable branch"),
        Line2D([], [], color=style.ORANGE, marker="x", linestyle="none", label="closed form"),
        Line2D([], [], color="0.5", linestyle=":", label="folds, and where the mean goes"),
    ]
    return handles


def _critical(ax: Axes, dataset: xr.Dataset) -> None:
    for beta in dataset.critical_beta.values:
        ax.axvline(beta, color="0.5", linestyle=":", linewidth=0.8, zorder=0)


def _branch(ax: Axes, dataset: xr.Dataset, name: str, colour: str, key: str) -> None:
    p, values, stable = (dataset[f"{name}_{k}"].values for k in ("p", key, "stable"))
    stability(ax, p, values, stable, colour)


def _branches(ax: Axes, dataset: xr.Dataset) -> None:
    _critical(ax, dataset)
    for name, colour in _families(dataset):
        _branch(ax, dataset, name, colour, "weight")
    for weight in dataset.mark_weight.values.reshape(-1, dataset.sizes["mark_beta"]):
        ax.plot(dataset.mark_beta, weight, "x", color=style.ORANGE, zorder=4)
    ax.set(title="branches", ylabel="weight of the favoured patterns", ylim=(0, 1.02))


def _loop(ax: Axes, dataset: xr.Dataset) -> None:
    _critical(ax, dataset)
    marks: Any = dict(linestyle="none", markersize=2.5)
    ax.plot(dataset.loop_beta, dataset.up, "^", color=style.GREEN, label=r"$\beta$ up", **marks)
    ax.plot(
        dataset.loop_beta, dataset.down, "v", color=style.RED, markerfacecolor="none",
        label=r"$\beta$ down", **marks,
    )  # fmt: skip
    for name, colour in _families(dataset)[:2]:
        _branch(ax, dataset, name, colour, "weight")
    ax.set(title="slow loop", ylabel="largest weight", ylim=(0, 1.02))
    ax.set_xlim(float(dataset.loop_beta.min()), float(dataset.loop_beta.max()))
    ax.legend(loc=(0.68, 0.5))


def _census(ax: Axes, dataset: xr.Dataset) -> None:
    for k in range(dataset.sizes["directions"]):
        colour = style.PALETTE[k % len(style.PALETTE)]
        exact, number = dataset.line_number[:, k], dataset.number[:, k]
        ax.plot(dataset.line_beta, exact.where(exact > 0), color=colour, linewidth=0.8)
        shown = number.where(number > 0)
        ax.plot(dataset.beta, shown, "o", color=colour, markersize=3, label=str(k))
    ax.set(title="fixed points: solver, exact (lines)", ylabel="number")
    ax.set_ylim(0, 1.5 * dataset.expected.values.max())
    ax.legend(title="unstable directions", ncols=3, loc="upper left", columnspacing=0.8)


def _energies(ax: Axes, dataset: xr.Dataset) -> None:
    ax.plot(dataset.line_beta, 0 * dataset.line_beta, color=_MEAN)
    for colour, sides in zip(_SHARED, dataset.line_energy.values.transpose(1, 2, 0), strict=False):
        ax.plot(dataset.line_beta, sides.T, color=colour, linewidth=0.8)
    above = (dataset.energy - dataset.mean_energy).values
    beta = np.broadcast_to(dataset.beta.values[:, None], above.shape)
    stable = dataset.unstable.values == 0
    for shown, fill, label in ((~stable, "none", "unstable"), (stable, "0.1", "stable")):
        ax.plot(beta[shown], above[shown], "o", color="0.1", markersize=2.5, mfc=fill, label=label)
    ax.legend(loc="lower left")
    ax.set(title="energies: solver, exact (lines)", ylabel="energy above that of the mean")


def _curvatures(ax: Axes, dataset: xr.Dataset) -> None:
    _critical(ax, dataset)
    ax.axhline(0, color="0.7", linewidth=0.6)
    for name, colour in _families(dataset):
        _branch(ax, dataset, name, colour, "curvature")
    ax.plot(dataset.mark_beta, dataset.mark_curvature, "x", color=style.ORANGE, zorder=4)
    ax.set(title="stability", ylabel="least curvature", ylim=(-1.05, 1.05))


def _barriers(ax: Axes, dataset: xr.Dataset) -> None:
    for name, beta, label, colour in (
        ("out", "barrier_beta", "memory to mean", style.BLUE),
        ("back", "barrier_beta", "mean to memory", style.BLACK),
        ("swap", "swap_beta", "memory to memory", style.RED),
    ):
        ax.plot(dataset.line_beta, dataset[f"line_{name}"], color=colour, linewidth=0.8)
        ax.plot(dataset[beta], dataset[f"barrier_{name}"], "o", color=colour, label=label)
    ax.axvline(dataset.attrs["equal_energy"], color="0.5", linestyle="-.", linewidth=0.8)
    ax.set(title="barriers: paths, exact (lines)", ylabel="energy")
    ax.set_ylim(0, 1.5 * float(dataset.barrier_swap.max()))
    ax.legend(loc=(0.1, 0.72))
