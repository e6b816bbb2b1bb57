"""Places in recordings, named frame by frame (`results/stream.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import style

_LOOKS = {
    "attention": (style.BLACK, "o"),
    "argmax": (style.BLUE, "s"),
    "argmax, zeros skipped": (style.SKY, "s"),
    "delta-argmax": (style.GREEN, "D"),
    "sequential recall": (style.ORANGE, "^"),
    "exact filter": (style.PURPLE, "P"),
    "beam search": (style.YELLOW, "v"),
    "stream, no order": (style.RED, "x"),
    "stream": (style.RED, "o"),
}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: for each set of recordings accuracy against energy, what a frame costs over the
    hazard, and accuracy and cost over the threshold."""
    names = [str(name) for name in dataset.set.values]
    with style.look():
        fig, axes = plt.subplots(
            3, len(names), figsize=(style.WIDTH, 7.0), layout="constrained", squeeze=False
        )
        fig.suptitle("The place in a recording, named at each frame of a stream")
        for k, name in enumerate(names):
            own = dataset.sel(set=name)
            size = f"$P={float(own.places.mean()):.0f}$, $N={float(own.entries.mean()):.0f}$"
            axes[0, k].set_title(f"{name}: {size}")
            _methods(axes[0, k], own.isel(condition=0))
            _hazards(axes[1, k], own)
            _thresholds(axes[2, k], own)
        texts = "right place (%), 95 %", "share of attention (fp32)", "place, over argmax (points)"
        for ax, text in zip(axes[:, 0], texts, strict=True):
            ax.set_ylabel(text)
        pairs = [ax.get_legend_handles_labels() for ax in axes[:, 0]]
        handles, labels = (sum(column, []) for column in zip(*pairs, strict=True))
        fig.legend(handles, labels, loc="outside lower center", ncols=4)
    return fig


def _spread(values: np.ndarray) -> tuple[float, float]:
    """Mean over streams, and half of its interval of 95 %."""
    error = np.std(values, ddof=1) / np.sqrt(values.size) if values.size > 1 else 0.0
    return float(np.mean(values)), float(1.96 * error)


def _right(one: xr.Dataset, model: str) -> np.ndarray:
    return 100 * one.right.sel(model=model, measure="place").values.ravel()


def _methods(ax: Axes, one: xr.Dataset) -> None:
    for model, (colour, marker) in _LOOKS.items():
        mean, half = _spread(_right(one, model))
        energy = float(one.energy.sel(model=model, price="fp32").mean())
        ax.errorbar(
            energy, mean, half, fmt=marker, color=colour, label=model, mec="k", mew=0.3, lw=0.7,
            capsize=1.5,
        )  # fmt: skip
    limit = 0.05 * float(one.energy.sel(model="attention", price="fp32").mean())
    ax.axvline(limit, color="0.6", lw=0.6, ls=":")
    ax.set(xscale="log", xlabel="energy of a frame (nJ, fp32)")


def _of_kind(own: xr.Dataset, kind: str) -> xr.Dataset:
    chosen = own.isel(condition=np.flatnonzero(own.kind.values == kind))
    return chosen.isel(condition=np.argsort(chosen.value.values))


def _hazards(ax: Axes, own: xr.Dataset) -> None:
    some = _of_kind(own, "hazard")
    energy = some.energy.sel(price="fp32").mean("seed")
    attention = energy.sel(model="attention")
    for model in ("delta-argmax", "sequential recall", "beam search", "stream"):
        colour, marker = _LOOKS[model]
        share = energy.sel(model=model) / attention
        ax.plot(some.value, share, marker + "-", color=colour, mec="k", mew=0.3)
    products = 2 * own.places * own.entries
    for label, of, ls in (
        ("stream, products alone", some.products, "-."),
        ("their law", some.law, "--"),
    ):
        ax.plot(some.value, (of / products).mean("seed"), ls, color="0.4", label=label)
    ax.axhline(0.05, color="0.6", lw=0.6, ls=":")
    ax.set(xscale="log", yscale="log", xlabel="hazard of a jump, a frame")


def _thresholds(ax: Axes, own: xr.Dataset) -> None:
    some = _of_kind(own, "threshold")
    for model in ("delta-argmax", "stream"):
        colour, marker = _LOOKS[model]
        rows = [
            _spread(_right(one, model) - _right(one, "argmax"))
            for one in (some.isel(condition=k) for k in range(some.sizes["condition"]))
        ]
        mean, half = np.array(rows).T
        ax.errorbar(
            some.value, mean, half, fmt=marker + "-", color=colour, mec="k", mew=0.3, lw=0.7,
            capsize=1.5,
        )  # fmt: skip
    ax.axhspan(-1, 1, color="0.92")
    ax.set(xlabel="threshold of a change")
    right = ax.twinx()
    right.plot(some.value, 100 * some.sent.mean("seed"), ".:", color="0.4")
    right.set_ylim(0, 100)
    right.tick_params(axis="y", colors="0.4")
    ax.plot([], [], ".:", color="0.4", label="entries sent (%, right)")
