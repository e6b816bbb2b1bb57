"""Stability, plasticity and spikes of a memory that learns on (`results/tradeoff.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from experiments.common.statistics import standard_error

from . import style

_FORGET = "forgetting a presentation"


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: maps at one number of spikes above; curves over ages, rates and prices below."""
    shown = _middle(dataset)
    with style.look():
        fig, axs = plt.subplots(2, 3, figsize=(style.WIDTH, 4.6), layout="constrained")
        maps = {
            "plasticity: recall of new": dataset.plasticity.mean("seed"),
            "stability: recall of old": dataset.stability.mean("seed"),
            "the lesser of both": dataset.lesser,
        }
        image = None
        for ax, (title, values) in zip(axs[0], maps.items(), strict=True):
            image = _map(ax, values.sel(spikes=shown))
            ax.set_title(f"{title}, {shown} spikes")
        axs[0, 0].set_ylabel(r"$\beta$ / right $\beta$")
        _mark(axs[0, 2], dataset, shown)
        if image is not None:
            fig.colorbar(image, ax=axs[0], label="recall", shrink=0.9)
        _exchange(axs[1, 0], dataset)
        _ages(axs[1, 1], dataset, shown)
        _prices(axs[1, 2], dataset)
    return fig


def _middle(dataset: xr.Dataset) -> int:
    return int(dataset.spikes.values[len(dataset.spikes) // 2])


def _map(ax: Axes, values: xr.DataArray):
    grid = values.transpose("precision", "forget").values
    image = ax.imshow(grid, origin="lower", aspect="auto", vmin=0, vmax=1, cmap="viridis")
    forget, precision = values.forget.values, values.precision.values
    some = np.arange(0, len(forget), max(1, -(-len(forget) // 5)))
    ax.set_xticks(some, [f"{forget[k]:g}" for k in some])
    ax.set_yticks(np.arange(len(precision)), [f"{x:g}" for x in precision])
    ax.set_xlabel(_FORGET)
    return image


def _mark(ax: Axes, dataset: xr.Dataset, spikes: int) -> None:
    best = dataset.sel(spikes=spikes)
    x = int(np.argmin(np.abs(dataset.forget.values - float(best.best_forget))))
    y = int(np.argmin(np.abs(dataset.precision.values - float(best.best_precision))))
    ax.plot(x, y, "*", color=style.RED, markersize=9)


def _right(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.sel(precision=1.0, method="nearest")


def _exchange(ax: Axes, dataset: xr.Dataset) -> None:
    ends = dataset.spikes.values[[0, len(dataset.spikes) // 2, -1]]
    for spikes, colour in zip(dict.fromkeys(ends), style.PALETTE, strict=False):
        point = _right(dataset).sel(spikes=spikes)
        ax.errorbar(
            point.plasticity.mean("seed"), point.stability.mean("seed"),
            standard_error(point.stability, "seed"), standard_error(point.plasticity, "seed"),
            color=colour, marker="o", markersize=3, linewidth=0.8,
            label=f"{spikes} spike{'s' if spikes > 1 else ''}",
        )  # fmt: skip
    ax.set(title=r"forgetting from none to fast, right $\beta$", xlim=(0, 1), ylim=(0, 1))
    ax.set(xlabel="plasticity", ylabel="stability")
    ax.legend(loc="upper left")


def _ages(ax: Axes, dataset: xr.Dataset, spikes: int) -> None:
    point = _right(dataset).sel(spikes=spikes)
    some = [0, *np.linspace(1, len(point.forget) - 1, 4).astype(int)[1:]]
    for k, colour in zip(some, style.PALETTE, strict=False):
        row = point.recall.isel(forget=k)
        smooth = row.rolling(age=3, center=True, min_periods=1).mean()
        ax.plot(row.age, smooth, color=colour, label=f"forget {float(row.forget):g}")
    for edge in (dataset.attrs["rows"] // 2, dataset.attrs["rows"]):
        ax.plot([edge - 0.5] * 2, [0, 1], color="0.6", linestyle=":", linewidth=0.8)
    ax.set(title=f"recall by age, {spikes} spikes", xlabel="patterns shown since", ylim=(0, 1.35))
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.set_ylabel("recall (mean of three ages)")
    ax.legend(loc="upper center", ncols=2, columnspacing=0.8)


def _within(x: float, values: np.ndarray) -> bool:
    return bool(values.min() <= x <= values.max())


def _prices(ax: Axes, dataset: xr.Dataset) -> None:
    best = dataset.sel(forget=dataset.best_forget, precision=dataset.best_precision)
    for name, colour in (("plasticity", style.BLUE), ("stability", style.RED)):
        mean, error = best[name].mean("seed"), standard_error(best[name], "seed")
        ax.errorbar(dataset.price / 1e3, mean, error, color=colour, marker="o", label=name)
    for price, n in zip(dataset.price.values, dataset.spikes.values, strict=True):
        ax.annotate(
            str(n), (price / 1e3, 0.03), xycoords=("data", "axes fraction"), ha="center", fontsize=6
        )
    ax.set_xscale("log")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ticks = [x for x in (1, 2, 5, 10, 20, 50, 100) if _within(x, dataset.price.values / 1e3)]
    ax.set_xticks(ticks, [str(x) for x in ticks])
    ax.set(title="best compromise, by spikes (below)", xlabel="nJ a query (fp32)", ylim=(0, 1))
    ax.set_ylabel("recall")
    ax.legend(loc="center right")
