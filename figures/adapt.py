"""Learning in a world that changes (`results/adapt.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import style

_COLOURS = style.BLUE, style.RED, style.GREEN, style.PURPLE, style.ORANGE


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: streams above, recordings that drift below."""
    names = dict(zip(dataset.attrs["tasks"], dataset.attrs["keys"], strict=True))
    rows = 1 + (len(names) + 1) // 2
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 2.4 * rows), layout="constrained")
        grid = fig.add_gridspec(rows, 6)
        _switching(fig.add_subplot(grid[0, :2]), dataset)
        _tracking(fig.add_subplot(grid[0, 2:4]), dataset)
        _classes(fig.add_subplot(grid[0, 4:]), dataset)
        for k, (name, key) in enumerate(names.items()):
            ax = fig.add_subplot(grid[1 + k // 2, 3 * (k % 2) : 3 * (k % 2) + 3])
            _drift(ax, dataset, key, legend=k == 0)
            ax.set_title(name, loc="left")
    return fig


def _switching(ax: Axes, dataset: xr.Dataset) -> None:
    regret = dataset.regret.mean("stream").cumsum("time")
    exact = regret.sel(learner="exact")
    ax.plot(exact, color=style.BLACK, linewidth=2, label="exact")
    shown = [n for n in map(str, dataset.learner.values) if n in {
        "4 side by side", "keep 1", "keep 0.95", "keep 0.9"}]  # fmt: skip
    for name, colour in zip(shown, _COLOURS, strict=False):
        dashes = "--" if "side" in name else "-"
        ax.plot(regret.sel(learner=name), color=colour, linestyle=dashes, label=name)
    ax.set(xlabel="samples", ylabel="regret (nats)", yscale="log", ylim=(5, None))
    ax.set_title("switching stream", loc="left")
    ax.legend(fontsize=6)


def _tracking(ax: Axes, dataset: xr.Dataset) -> None:
    ratio = dataset.tracking / dataset.tracking_exact
    ax.errorbar(
        dataset.tracking_spikes.mean("stream"), ratio.mean("stream"),
        ratio.std("stream") / np.sqrt(dataset.sizes["stream"]), color=style.BLUE, marker="o",
    )  # fmt: skip
    ax.axhline(1, color=style.BLACK, linewidth=0.6)
    ax.axhline(1.1, color="0.6", linewidth=0.6, linestyle=":")
    ax.set(xlabel="spikes a sample", ylabel="regret over Kalman's", xscale="log")
    ax.set_xticks([1, 3, 10, 30], ["1", "3", "10", "30"])
    ax.minorticks_off()
    ax.set_title("Kalman's mean, found by spikes", loc="left")


def _classes(ax: Axes, dataset: xr.Dataset) -> None:
    for rule, colour in zip(map(str, dataset.rule.values), _COLOURS, strict=False):
        value = dataset.classes.sel(rule=rule)
        ax.errorbar(
            dataset.seen, value.mean("order"), value.std("order"), color=colour, label=rule,
            elinewidth=0.6,
        )  # fmt: skip
    ax.axhline(float(dataset.joint.mean()), color=style.BLACK, linewidth=0.6, linestyle=":")
    ax.set(xlabel="classes seen, one after another", ylabel="accuracy on all", ylim=(0, 1.02))
    ax.set_xticks([2, 4, 6, 8, 10])
    ax.set_title("digits, class by class", loc="left")
    ax.legend(fontsize=6)


def _drift(ax: Axes, dataset: xr.Dataset, key: str, *, legend: bool) -> None:
    count = dataset[f"{key}:test"]
    point = dataset[f"{key}:point"].values
    for keep, colour in zip(dataset.keep.values, _COLOURS, strict=False):
        share = dataset[f"{key}:right"].sel(keep=keep) / count
        mean, error = share.mean("order"), share.std("order") / np.sqrt(share.sizes["order"])
        ax.plot(point, mean, color=colour, label=f"keep {keep:g}")
        ax.fill_between(point, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
        stationary = (dataset[f"{key}:stationary"].sel(keep=keep) / count).mean()
        ax.plot([point[-1] * 1.02], [stationary], color=colour, marker="<", clip_on=False)
    ax.axvline(1, color="0.6", linewidth=0.6)
    ax.set(xlabel="passes over the recordings", ylabel="accuracy")
    if legend:
        ax.plot([], [], color="0.3", marker="<", linestyle="", label="new law alone")
        ax.legend(fontsize=6, loc="lower right")
