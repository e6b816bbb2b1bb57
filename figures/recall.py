"""One recall by a memory that decides early, and what recall costs (`results/recall.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from . import style

_LOOKS = {  # label, colour and marker of each method
    "spiking": ("spiking memory", style.BLUE, "o"),
    "spiking, sigma unknown": ("the same, unknown noise", style.SKY, "o"),
    "draws from the posterior": ("draws from the posterior", style.PURPLE, "v"),
    "attention": ("attention", style.RED, "s"),
    "attention x5": ("attention, 5 updates", style.ORANGE, "D"),
    "nearest": ("nearest, 0 for missing", style.YELLOW, "^"),
    "nearest of what is seen": ("nearest of what is seen", style.GREEN, "^"),
    "partial distance": ("partial-distance search", style.BLACK, "x"),
}
_PRICES = {
    "fp32": ("fp32", style.BLUE, "-"),
    "fp32+memory": ("fp32, with traffic", style.BLUE, ":"),
    "int8": ("int8", style.RED, "-"),
    "int8+memory": ("int8, with traffic", style.RED, ":"),
}
_LEADERS = style.BLUE, style.RED, style.ORANGE


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: an example, its evidence and landscapes; then accuracy against energy."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 8.4), layout="constrained")
        rows = fig.subfigures(4, 1, height_ratios=[0.8, 1.8, 1.65, 2.2])
        _images(rows[0], dataset)
        _evidence(rows[1].subplots(1, 2, width_ratios=[1.15, 1]), dataset)
        _landscapes(rows[2], dataset)
        _costs(rows[3], dataset)
    return fig


def _example(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.isel(corruption=dataset.example_corruption, query=dataset.example_query)


def _images(fig: SubFigure, dataset: xr.Dataset) -> None:
    example, order = _example(dataset), dataset.order.values
    query, patterns = example.queries.values, dataset.patterns.values
    used = int(example.used.sel(memory="spiking"))
    pictures = {
        "stored": patterns[int(example.target)],
        f"query, {str(example.corruption.values)}": query,
    }
    for pixels in sorted({used // 8, used // 4, used // 2, used} - {0}):
        seen = np.full(query.shape, np.nan)
        seen[order[:pixels]] = query[order[:pixels]]
        pictures[f"{pixels} pixels"] = seen
    pictures["recalled"] = patterns[int(example.recalled.sel(model="spiking"))]
    for ax, (title, picture) in zip(fig.subplots(1, len(pictures)), pictures.items(), strict=True):
        grey = (dataset["mean"].values + dataset.scale * picture).reshape(dataset.attrs["shape"])
        ax.set_facecolor("#dbe9f6")  # of pixels that have not come
        image = ax.imshow(grey, cmap="gray_r", vmin=0, vmax=1)
        ax.set(title=title, xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
    fig.colorbar(image, ax=fig.axes, label="grey", fraction=0.03, pad=0.01, shrink=0.7)


def _silence(dataset: xr.Dataset) -> np.ndarray:
    """Pixels after which each memory fell silent; NaN: never."""
    alive = dataset.alive.values
    first = (~alive).argmax(axis=0)
    return np.where(alive[-1], np.nan, dataset.test.values[first])


def _evidence(axs: np.ndarray, dataset: xr.Dataset) -> None:
    taken, odds = dataset.test.values, dataset.odds.values
    alive, leaders = dataset.alive.values, dataset.leaders.values
    best = np.where(alive, odds, -np.inf).max(axis=1)
    behind = odds - best[:, None]
    silent = _silence(dataset)
    end = int(_example(dataset).used.sel(memory="spiking"))
    left, right = axs
    for memory in range(behind.shape[1]):
        shown = np.append(True, alive[:-1, memory])  # up to the test that silenced it
        own = {"color": "0.75", "lw": 0.5}
        if memory in leaders:
            place = int(np.flatnonzero(leaders == memory)[0])
            own = {"color": _LEADERS[place], "lw": 1.6, "zorder": 5 - place}
        left.plot(taken[shown], behind[shown, memory], **own)
    left.axhline(-dataset.theta, color="black", linestyle="--", lw=0.8)
    left.text(0.5, -dataset.theta - 0.4, r"$-\theta$: falls silent", va="top", fontsize=7)
    left.set(xlim=(0, end), ylim=(-1.7 * dataset.theta, 0.6))
    left.set(xlabel="input events (pixels)", ylabel="log odds to the leader (nat)")
    handles = [Line2D([], [], color=c, lw=1.6) for c in _LEADERS]
    left.legend(handles, dataset.mark.values, loc="lower right")
    label = dataset.label.values
    row = np.argsort(np.argsort(label, kind="stable"))
    right.hlines(row, 0, np.where(np.isnan(silent), end, silent), color="0.85", lw=0.5)
    right.plot(silent, row, ".", color="0.3", markersize=2)
    for memory, colour in zip(leaders, _LEADERS, strict=True):
        stop = end if np.isnan(silent[memory]) else silent[memory]
        right.plot([0, stop], [row[memory]] * 2, color=colour, lw=1.6)
    ends = np.flatnonzero(np.diff(np.sort(label))) + 0.5
    middles = [row[label == digit].mean() for digit in np.unique(label)]
    right.set_yticks(middles, [str(digit) for digit in np.unique(label)])
    right.tick_params(axis="y", length=0)
    for place in ends:
        right.axhline(place, color="0.6", lw=0.3)
    right.set(xlim=(0, end), ylim=(-1, len(label)))
    right.set(xlabel="input events (pixels)", ylabel="memories, by digit")
    right.set_title("alive (lines) until they fall silent (dots)")


def _landscapes(fig: SubFigure, dataset: xr.Dataset) -> None:
    along, across = dataset.along.values, dataset.across.values
    tables = dataset.landscape.values - dataset.landscape.values.min(axis=(1, 2), keepdims=True)
    levels = np.linspace(0, 16, 17)
    axs = fig.subplots(1, len(tables), sharex=True, sharey=True)
    for ax, table, test in zip(axs, tables, dataset.moments.values, strict=True):
        drawn = ax.contourf(along, across, table, levels=levels, cmap="viridis", extend="max")
        ax.contour(along, across, table, levels=levels[::2], colors="white", linewidths=0.3)
        alive = dataset.alive.values[test]
        for k, place in enumerate(dataset.landscape_marks.values):
            silent = not alive[dataset.leaders.values[k]]
            face = "none" if silent else _LEADERS[k]
            edge = _LEADERS[k] if silent else "white"
            ax.plot(*place, "o", color=face, markeredgecolor=edge, markersize=7)
        ax.set_title(f"{alive.sum()} alive after {dataset.test.values[test]} pixels")
        ax.set_xlabel("along (pixel s.d.)")
    axs[0].set_ylabel("across (pixel s.d.)")
    fig.colorbar(drawn, ax=axs, label=r"$\beta E$ of survivors (nat)", pad=0.01)


def _costs(fig: SubFigure, dataset: xr.Dataset) -> None:
    axs = fig.subplots(1, 3, width_ratios=[1, 1, 1.1])
    for ax, name in zip(axs, ("noise 1.5", "mask 0.5"), strict=False):
        _accuracy(ax, dataset.sel(corruption=name))
        ax.set_title(name)
    axs[0].set_ylabel("recall rate (95 % interval)")
    handles, labels = axs[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4)
    _ratio(axs[2], dataset)


def _accuracy(ax: Axes, own: xr.Dataset) -> None:
    for method, (label, colour, marker) in _LOOKS.items():
        one = own.sel(model=method)
        rate = float(one.recall_rate)
        bars = np.maximum([[rate - float(one.recall_low)], [float(one.recall_high) - rate]], 0)
        energy = float(one.energy.sel(price="fp32"))
        style_of = dict(color=colour, marker=marker, lw=0, elinewidth=0.8, markersize=5)
        ax.errorbar(energy, rate, bars, label=label, **style_of)
    ax.set(xscale="log", xlabel="energy a query (nJ, fp32)")
    ax.xaxis.set_minor_formatter(NullFormatter())
    low, high = ax.get_xlim()
    ticks = [x for x in (1, 3, 10, 30, 100, 300, 1000) if low <= x <= high]
    ax.set_xticks(ticks, [str(x) for x in ticks])


def _ratio(ax: Axes, dataset: xr.Dataset) -> None:
    names = list(dataset.corruption.values)
    own = dataset.energy.sel(model="spiking")
    rival = dataset.energy.sel(model="nearest of what is seen")
    for price, (label, colour, line) in _PRICES.items():
        ratio = (own / rival).sel(price=price)
        ax.semilogy(range(len(names)), ratio, color=colour, linestyle=line, marker=".", label=label)
    attention = (own / dataset.energy.sel(model="attention")).sel(price="fp32")
    ax.semilogy(range(len(names)), attention, color="0.5", marker=".", label="fp32, attention = 1")
    ax.axhline(1, color="black", lw=0.6)
    ax.axhspan(1, 3, color="0.9")
    ax.text(len(names) - 0.7, 1.3, "it loses", ha="right", fontsize=7)
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    ax.set_title("nearest of what is seen = 1", y=1.42)
    ax.set(ylim=(0.015, 3), ylabel="energy of the spiking memory")
    ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2, columnspacing=1.0)
