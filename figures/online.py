"""Learning on line (`results/online.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import t as student

from . import style

_COLOURS = {
    "inference, rates": style.BLUE, "inference, spikes": style.SKY, "no inference": style.BLACK,
    "Adam": style.ORANGE, "least squares": style.GREEN, "nearest neighbour": style.PURPLE,
}  # fmt: skip
_NETWORKS = "inference, rates", "inference, spikes", "no inference"


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: of each set a row, errors along the streams, ratios, recovery, rates."""
    rows = dataset.sizes["recordings"]
    with style.look():
        fig, axes = plt.subplots(
            rows, 4, figsize=(style.WIDTH, 2.5 * rows), layout="constrained", squeeze=False,
            width_ratios=[1.25, 1, 1, 1],
        )  # fmt: skip
        for row, name in zip(axes, map(str, dataset.recordings.values), strict=True):
            here = dataset.sel(recordings=name)
            _errors(row[0], here, dataset.attrs["each"])
            _ratios(row[1], here)
            _recovery(row[2], here, dataset.attrs["each"])
            _rates(row[3], here)
            row[0].set_title(name, loc="left")
        lines, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(lines, labels, loc="outside lower center", ncols=6, fontsize=6)
        axes[0, 3].legend(fontsize=5, loc="lower left")
    return fig


def _errors(ax: Axes, here: xr.Dataset, each: int) -> None:
    window = max(each // 10, 1)
    for name, colour in _COLOURS.items():
        wrong = 1 - here.right.sel(arm=name).mean("stream").values
        mean = np.convolve(wrong, np.ones(window) / window, mode="valid")
        ax.plot(np.arange(window, len(wrong) + 1), 100 * mean, color=colour, label=name,
                linewidth=0.8)  # fmt: skip
    for change in range(each, here.sizes["sample"], each):
        ax.axvline(change, color="0.6", linewidth=0.6, linestyle=":")
    ax.set(xlabel="samples; dotted: changes", ylabel="errors (%)", ylim=(0, 100))


def _ratios(ax: Axes, here: xr.Dataset) -> None:
    kinds = ["all", *map(str, here.kind.values)]
    wrong = 1 - here.right
    for k, name in enumerate(_NETWORKS[:2]):
        for place, kind in enumerate(kinds):
            one, base = (
                (row if kind == "all" else row.where(here.law.sel(arm=arm) == place - 1)).mean(
                    "sample").values
                for arm, row in ((a, wrong.sel(arm=a)) for a in (name, "no inference"))
            )  # fmt: skip
            ratio = one / np.maximum(base, 1e-9)
            half = student.ppf(0.975, len(ratio) - 1) * ratio.std(ddof=1) / np.sqrt(len(ratio))
            ax.errorbar(
                ratio.mean(), place + 0.25 * (k - 0.5), xerr=half, fmt="o", color=_COLOURS[name],
            )  # fmt: skip
    ax.axvline(1, color=style.BLACK, linewidth=0.6)
    ax.axvline(0.9, color=style.RED, linewidth=0.6, linestyle=":")
    ax.set_yticks(range(len(kinds)), kinds)
    ax.set_ylim(len(kinds) - 0.3, -0.9)
    ax.set_xlabel("errors over no inference")


def _recovery(ax: Axes, here: xr.Dataset, each: int) -> None:
    window, last = max(each // 10, 1), max(each // 5, 1)
    for name, colour in _COLOURS.items():
        row = here.sel(arm=name)
        parts = []
        for right in row.right.values:
            for start in range(each, len(right), each):
                before = max(right[start - last : start].mean(), 1e-9)
                after = right[start : start + each]
                mean = np.convolve(after, np.ones(window) / window, mode="valid")
                parts.append(mean / before)
        ax.plot(np.arange(window, each + 1), np.mean(parts, axis=0), color=colour, linewidth=0.8)
    ax.axhline(0.9, color="0.6", linewidth=0.6, linestyle=":")
    ax.set(xlabel="samples after a change", ylabel="accuracy over that before")


def _rates(ax: Axes, here: xr.Dataset) -> None:
    base = here.sel(arm="no inference")
    ax.plot(base["values"].values[:, 0], 100 * base.tuning, color=style.BLACK, label="no inference")
    row = here.sel(arm="inference, rates")
    rates, strengths = row["values"].values.T
    for strength, dash in zip(np.unique(strengths), ("-", "--", ":"), strict=False):
        which = strengths == strength
        ax.plot(
            rates[which], 100 * row.tuning.values[which], dash, color=style.BLUE,
            label=f"strength {strength:g}",
        )  # fmt: skip
    ax.set(xscale="log", xlabel="rate", ylabel="errors (%), chosen by", ylim=(0, 100))
