"""One memory in mean field (`results/theory/mean_field_memory.zarr`)."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import style
from ._branches import stability

_BETA = r"inverse temperature $\beta$"
_KNOWN: Any = dict(linestyle="none", marker="x", color=style.ORANGE, zorder=4)


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: pitchfork and folds, critical slowing, barrier and escape."""
    with style.look():
        fig, axs = plt.subplots(2, 3, figsize=(style.WIDTH, 5.0), layout="constrained")
        for ax, panel in zip(
            axs.flat, (_pitchfork, _field, _spinodals, _slowing, _barrier, _escape), strict=True
        ):
            panel(ax, dataset)
    return fig


def _branch(ax: Axes, dataset: xr.Dataset, name: str, colour: str, label: str | None) -> None:
    p, m, stable = (dataset[f"{name}_{key}"].values for key in ("p", "m", "stable"))
    stability(ax, p, m, stable, colour, label)


def _pitchfork(ax: Axes, dataset: xr.Dataset) -> None:
    _branch(ax, dataset, "none", style.BLUE, "branch")
    for name in ("plus", "minus"):
        _branch(ax, dataset, name, style.BLUE, None)
    ax.plot(dataset.pitchfork, 0, "o", color=style.RED, mfc="white", label="branch point")
    some = dataset.sel(line_beta=slice(1, 2.5))[["line_m"]].isel(line_beta=slice(None, None, 37))
    ax.plot(some.line_beta, some.line_m, label="closed form", **_KNOWN)
    ax.plot(some.line_beta, -some.line_m, **_KNOWN)
    ax.set(title="the memory appears", xlabel=_BETA, ylabel="overlap $m$", ylim=(-1.05, 2.3))
    ax.set_yticks([-1, -0.5, 0, 0.5, 1])
    ax.legend(loc="upper left")


def _field(ax: Axes, dataset: xr.Dataset) -> None:
    for k, beta in enumerate(dataset.field_beta.values):
        colour = style.PALETTE[k]
        _branch(ax, dataset, f"field{k}", colour, None)
        ax.plot([], [], color=colour, label=rf"$\beta$ = {beta:g}")
        h, m = dataset.folds[k].values.T
        ax.plot(h, m, "s", color=colour, mfc="white", zorder=3)
        h, m = dataset.exact_folds[k].values.T
        ax.plot(h, m, **_KNOWN)
    ax.set(title="folds in a field", xlabel="field $h$", ylabel="overlap $m$", ylim=(-1.1, 1.9))
    ax.set_yticks([-1, -0.5, 0, 0.5, 1])
    ax.legend(loc="upper left", ncols=2)


def _spinodals(ax: Axes, dataset: xr.Dataset) -> None:
    two = dataset.sel(line_beta=slice(1, None))
    ax.fill_between(two.line_beta, -two.line_h, two.line_h, color="0.93")
    for sign, label in ((1, "closed form"), (-1, None)):
        ax.plot(two.line_beta, sign * two.line_h, color=style.BLACK, label=label)
    at = np.repeat(dataset.field_beta.values, 2)
    ax.plot(at, dataset.folds.values[..., 0].ravel(), "s", color=style.BLUE, mfc="white",
            label="folds")  # fmt: skip
    ax.text(2.55, 0, "both signs\nstable", ha="center", va="center")
    ax.set(title="where both signs last", xlabel=_BETA, ylabel="field $h$", xlim=(0.8, 3.2))
    ax.legend(loc="upper left")


def _slowing(ax: Axes, dataset: xr.Dataset) -> None:
    line = dataset.sel(line_beta=slice(0.5, 2))
    ax.plot(line.line_beta, line.line_rate, color=style.BLACK, label="closed form")
    ax.plot(dataset.beta, dataset.measured, "o", color=style.BLUE, mfc="none", label="measured")
    left, right = np.array([0.5, 1]), np.array([1, 1.45])
    ax.plot(left, 1 - left, ":", color=style.RED, label=r"$1 - \beta$, $2 (\beta - 1)$")
    ax.plot(right, 2 * (right - 1), ":", color=style.RED)
    ax.set(title="critical slowing", xlabel=_BETA, ylabel="rate of return", ylim=(0, 1.4))
    ax.legend(loc="upper left")


def _barrier(ax: Axes, dataset: xr.Dataset) -> None:
    line = dataset.sel(line_beta=slice(1, 2.5))
    ax.plot(line.line_beta, line.line_barrier, color=style.BLACK, label="closed form")
    ax.plot(dataset.barrier_beta, dataset.barrier, "o", color=style.BLUE, label="path")
    ax.set(title="barrier", xlabel=_BETA, ylabel="free energy", ylim=(0, None))
    ax.legend(loc="upper left")


def _escape(ax: Axes, dataset: xr.Dataset) -> None:
    inverse = 1 / dataset.temperature
    order = np.argsort(inverse.values)
    for name, label, line, colour in (
        ("time_exact", "exact mean", "-", style.BLACK),
        ("time_seen", "exact, seen at steps", "--", style.GREEN),
        ("time_kramers", "Kramers", ":", style.RED),
    ):
        ax.plot(inverse[order], dataset[name][order], line, color=colour, label=label)
    ax.errorbar(
        inverse, dataset.time, 2 * dataset.time_error, fmt="o", color=style.BLUE, markersize=3,
        label="measured (2 errors)",
    )  # fmt: skip
    ax.set(yscale="log", xlabel="inverse temperature of noise $1 / T$", ylabel="mean time")
    ax.set_ylim(0.8 * float(dataset.time_kramers.min()), 4 * float(dataset.time_exact.max()))
    ax.set_title(rf"escape at $\beta$ = {dataset.cold:g}")
    ax.legend(loc="upper left")
