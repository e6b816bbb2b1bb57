"""Spiking networks that learn from rewards (`results/reinforce.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import style

_COLORS = {"table": style.BLACK, "surrogate": style.BLUE, "spike timing": style.RED}
_STEPS = (-1, 0), (0, 1), (1, 0), (0, -1)  # left, down, right, up, as (x, y)


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: CartPole's returns, tests and spikes; each grid's curves, policies, values."""
    grids = [str(name) for name in np.atleast_1d(dataset.attrs["grids"])]
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 4.4 + 2.0 * len(grids)), layout="constrained")
        heights = [1.0, 0.8, *(1.0 for _ in grids)]
        top, low, *rows = fig.subfigures(2 + len(grids), 1, height_ratios=heights)
        episodes, score, test = top.subplots(1, 3, width_ratios=(1.3, 1.1, 0.8))
        _episodes(episodes, dataset)
        _scores(score, dataset)
        _test(test, dataset)
        _raster(low.subplots(1, dataset.sizes["decision"], sharey=True), dataset)
        for name, row in zip(grids, rows, strict=True):
            axes = row.subplots(1, 4, width_ratios=(1.3, 1, 1, 1))
            _curve(axes[0], dataset, name)
            limit = float(dataset[f"best_{name}"].max())
            for ax, rule in zip(axes[1:], ("best", "surrogate", "spike timing"), strict=True):
                shown = _grid(ax, dataset, name, rule, limit)
            row.colorbar(shown, ax=axes[1:], label="value", shrink=0.8)
        fig.suptitle("Learning from rewards: CartPole by surrogate derivatives, and grid worlds")
    return fig


def _episodes(ax: Axes, dataset: xr.Dataset) -> None:
    for row, at in zip(dataset.cart_returns.values, dataset.cart_at.values, strict=True):
        ax.plot(at / 1e3, row, ",", color="0.7")
    # The median of all seeds' episodes that ended within so many transitions.
    edges = np.linspace(0, np.nanmax(dataset.cart_at), 21)
    which = np.digitize(dataset.cart_at.values.ravel(), edges)
    returns = dataset.cart_returns.values.ravel()
    bins = [k for k in range(1, 21) if (which == k).any()]
    middle = [np.nanmedian(returns[which == k]) for k in bins]
    ax.plot([(edges[k] + edges[k - 1]) / 2e3 for k in bins], middle, color=style.BLUE)
    ax.set_xlabel("transitions (thousands)")
    ax.set_ylabel("return of an episode")
    ax.set_title("CartPole: in training, and the median")


def _scores(ax: Axes, dataset: xr.Dataset) -> None:
    epochs = np.arange(1, dataset.sizes["epoch"] + 1)
    for row in dataset.cart_score.values:
        ax.plot(epochs, row, color=style.SKY, lw=0.7)
        last = int(np.isfinite(row).sum()) - 1
        ax.plot(epochs[last], row[last], "o", color=style.SKY, markersize=3)
    # A seed that stopped keeps its best network.
    filled = np.fmax.accumulate(dataset.cart_score.values, axis=1)
    ax.plot(epochs, np.median(filled, 0), color=style.BLUE)
    ax.axhline(dataset.attrs["solved"], color="0.5", ls=":", lw=0.8)
    longest = int(np.isfinite(dataset.cart_score.values).any(0).sum())
    ax.set_xlim(0.5, longest + 0.5)
    ax.set_xlabel("epoch (3200 steps)")
    ax.set_ylabel("mean validation return")
    ax.set_title("each seed; the median of the best so far")


def _test(ax: Axes, dataset: xr.Dataset) -> None:
    rows = dataset.cart_test.values
    rng = np.random.default_rng(0)
    for k, row in enumerate(rows):
        ax.plot(k + rng.uniform(-0.25, 0.25, row.size), row, ".", color="0.7", markersize=2)
        ax.plot(k, row.mean(), "_", color=style.BLUE, markersize=12, mew=2)
    ax.axhline(dataset.attrs["solved"], color="0.5", ls=":", lw=0.8)
    ax.set_xticks(range(len(rows)))
    ax.set_ylim(0, 520)
    ax.set_xlabel("seed")
    ax.set_ylabel("return")
    ax.set_title(f"{rows.shape[1]} test episodes each")


def _raster(axes, dataset: xr.Dataset) -> None:
    for k, ax in enumerate(np.atleast_1d(axes)):
        steps, neurons = np.nonzero(dataset.cart_raster.values[k])
        ax.plot(steps + 1, neurons, "|", color=style.RED, markersize=3)
        ax.set_xlim(0.5, dataset.sizes["step"] + 0.5)
        ax.set_ylim(-1, dataset.sizes["neuron"])
        ax.set_xticks(range(2, dataset.sizes["step"] + 1, 2))
        ax.set_xlabel("time (ms)")
        ax.set_title(f"step {5 * k}: {len(steps)} spikes")
    np.atleast_1d(axes)[0].set_ylabel("hidden neuron")


def _curve(ax: Axes, dataset: xr.Dataset, name: str) -> None:
    for rule, color in _COLORS.items():
        row = dataset.sel(rule=rule)
        right, at = 100 * row[f"right_{name}"].values, row[f"at_{name}"].values / 1e3
        for x, y in zip(at, right, strict=True):
            ax.plot(x, y, color=color, lw=0.4, alpha=0.5)
        ax.plot(np.median(at, 0), np.median(right, 0), color=color, label=rule)
    ax.set_ylim(top=102)
    ax.set_xlabel("transitions (thousands)")
    ax.set_ylabel("cells with a best action (%)")
    ax.set_title(f"{name} lake: seeds, median")
    ax.legend(loc="lower right")


def _grid(ax: Axes, dataset: xr.Dataset, name: str, rule: str, limit: float):
    """Values as colours, actions as arrows (of the first seed); red where they are not best."""
    letters = dataset[f"letters_{name}"].values.astype(str)
    best, open_ = dataset[f"best_{name}"].values, dataset[f"open_{name}"].values
    if rule == "best":
        value, actions = best.max(1), best >= best.max(1, keepdims=True) - 1e-9
    else:
        row = dataset.sel(rule=rule).isel(seed=0)
        value = row[f"value_{name}"].values
        actions = np.eye(4, dtype=bool)[row[f"policy_{name}"].values.astype(int)]
    shown = np.where(open_, value, np.nan).reshape(letters.shape)
    image = ax.imshow(shown, cmap="cividis", vmin=0, vmax=limit)
    size = letters.shape[1]
    for cell in range(letters.size):
        x, y = cell % size, cell // size
        if not open_[cell]:
            ax.text(x, y, letters[y, x], ha="center", va="center", fontsize=max(28 / size, 6))
            continue
        for action in np.flatnonzero(actions[cell]):
            dx, dy = _STEPS[action]
            right = best[cell, action] >= best[cell].max() - 1e-9
            ax.annotate(
                "", (x + 0.42 * dx, y + 0.42 * dy), (x - 0.05 * dx, y - 0.05 * dy),
                arrowprops=dict(
                    arrowstyle="->", color="white" if right else "red", lw=0.7,
                    shrinkA=0, shrinkB=0, mutation_scale=24 / size,
                ),
            )  # fmt: skip
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title({"best": "what is best"}.get(rule, rule))
    return image
