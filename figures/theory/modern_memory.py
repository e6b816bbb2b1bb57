"""The fixed points of a modern Hopfield network (`results/theory/modern_memory.zarr`)."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from theory.closed_forms import modern_hopfield as exact
from theory.regimes import modern_memory as study
from theory.regimes.modern_states import exact_barriers, kinds

from .. import style

NAME = "theory/modern_memory"
COMMAND = "python -m theory.regimes.modern_memory"
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
        Line2D([], [], color="0.3", label="stable, followed"),
        Line2D([], [], color="0.3", linestyle="--", label="unstable, followed"),
        Line2D([], [], color=style.ORANGE, marker="x", linestyle="none", label="closed form"),
        Line2D([], [], color="0.5", linestyle=":", label="folds, and where the mean goes"),
    ]
    return handles


def _critical(ax: Axes, dataset: xr.Dataset) -> None:
    count = dataset.attrs["patterns"]
    for beta in [exact.spinodal(count, k).b for k in range(1, (count + 1) // 2)] + [count]:
        ax.axvline(beta, color="0.5", linestyle=":", linewidth=0.8, zorder=0)


def _branch(ax: Axes, dataset: xr.Dataset, name: str, colour: str, key: str) -> None:
    p, values, stable = (dataset[f"{name}_{k}"].values for k in ("p", key, "stable"))
    for want, line in ((True, "-"), (False, "--")):
        near = stable == want
        near[1:] |= (stable == want)[:-1]  # joined to the next piece
        ax.plot(p, np.where(near, values, np.nan), line, color=colour)


def _branches(ax: Axes, dataset: xr.Dataset) -> None:
    count = dataset.attrs["patterns"]
    _critical(ax, dataset)
    for name, colour in _families(dataset):
        _branch(ax, dataset, name, colour, "weight")
    some = np.linspace(exact.spinodal(count).b, study.HIGH * count, 12)
    for shared in range(1, count // 2 + 1):
        low, high = exact.branches(some, count, shared)
        known = (high,) if 2 * shared == count else (low, high)
        for weight in known:
            ax.plot(some, weight, "x", color=style.ORANGE, zorder=4)
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
    count = dataset.attrs["patterns"]
    ends = study.LOW * count, study.HIGH * count
    fine = np.linspace(*ends, 600)
    table = np.zeros((len(fine), count), int)
    for row, beta in enumerate(fine):
        for own in kinds(float(beta), count):
            table[row, own.unstable] += own.number
    for k in range(count):
        colour = style.PALETTE[k % len(style.PALETTE)]
        ax.plot(fine, np.where(table[:, k] > 0, table[:, k], np.nan), color=colour, linewidth=0.8)
        found = dataset.found[:, k]
        ax.plot(dataset.beta, found.where(found > 0), "o", color=colour, markersize=3, label=str(k))
    ax.set(title="fixed points: found, exact (lines)", ylabel="number")
    ax.set_ylim(0, 1.5 * dataset.expected.values.max())
    ax.legend(title="unstable directions", ncols=3, loc="upper left", columnspacing=0.8)


def _energies(ax: Axes, dataset: xr.Dataset) -> None:
    count = dataset.attrs["patterns"]
    fine = np.linspace(study.LOW * count, study.HIGH * count, 400)
    mean = np.array([exact.energy(1 / count, b, count) for b in fine])
    ax.plot(fine, 0 * fine, color=_MEAN)
    for shared in range(1, count // 2 + 1):
        for weights in exact.branches(fine, count, shared):
            there = np.isfinite(weights) & ((2 * shared < count) | (fine > count))
            known = [
                exact.energy(w, b, count, shared) if ok else np.nan
                for w, b, ok in zip(weights, fine, there, strict=True)
            ]
            ax.plot(fine, known - mean, color=_SHARED[shared - 1], linewidth=0.8)
    at = np.array([exact.energy(1 / count, b, count) for b in dataset.beta.values])
    beta = np.broadcast_to(dataset.beta.values[:, None], dataset.energy.shape)
    above = dataset.energy.values - at[:, None]
    stable = dataset.unstable.values == 0
    ax.plot(
        beta[~stable],
        above[~stable],
        "o",
        color="0.1",
        markersize=2.5,
        mfc="none",
        label="unstable",
    )
    ax.plot(beta[stable], above[stable], "o", color="0.1", markersize=2.5, label="stable")
    ax.legend(loc="lower left")
    ax.set(title="energies: found, exact (lines)", ylabel="energy above that of the mean")


def _curvatures(ax: Axes, dataset: xr.Dataset) -> None:
    _critical(ax, dataset)
    ax.axhline(0, color="0.7", linewidth=0.6)
    for name, colour in _families(dataset):
        _branch(ax, dataset, name, colour, "curvature")
    count = dataset.attrs["patterns"]
    some = np.linspace(exact.spinodal(count).b, study.HIGH * count, 12)
    known = [
        1 - max(value for value, _ in exact.eigenvalues(w, b, count))
        for w, b in zip(exact.branches(some, count)[1], some, strict=True)
    ]
    ax.plot(some, known, "x", color=style.ORANGE, zorder=4)
    ax.set(title="stability", ylabel="least curvature", ylim=(-1.05, 1.05))


def _barriers(ax: Axes, dataset: xr.Dataset) -> None:
    count = dataset.attrs["patterns"]
    fine = np.linspace(exact.spinodal(count).b, study.HIGH * count, 300)
    known = exact_barriers(fine, count)
    for name, beta, label, colour in (
        ("out", "barrier_beta", "memory to mean", style.BLUE),
        ("back", "barrier_beta", "mean to memory", style.BLACK),
        ("swap", "swap_beta", "memory to memory", style.RED),
    ):
        ax.plot(fine, known[name], color=colour, linewidth=0.8)
        ax.plot(dataset[beta], dataset[f"barrier_{name}"], "o", color=colour, label=label)
    ax.axvline(exact.equal_energy(count), color="0.5", linestyle="-.", linewidth=0.8)
    ax.set(title="barriers: paths, exact (lines)", ylabel="energy")
    ax.set_ylim(0, 1.5 * float(dataset.barrier_swap.max()))
    ax.legend(loc=(0.1, 0.72))
