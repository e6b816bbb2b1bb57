"""Events as they arrive and as they drift (`results/adapt_anytime.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.common.statistics import wilson

from . import style

_COLOURS = {"all": style.BLUE, "forgets": style.RED, "both": style.GREEN}
_NAMES = {"nmnist": "N-MNIST", "spoken_digits": "spoken digits", "digits": "digits"}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: a column for each set of recordings, drift below."""
    names, tasks = list(dataset.attrs["events"]), list(dataset.attrs["tasks"])
    keys = list(dataset.attrs["keys"])
    rows = 3 + (len(tasks) + 1) // 2
    with style.look():
        fig, axs = plt.subplots(
            rows, 2, figsize=(style.WIDTH, 1.75 * rows), layout="constrained", squeeze=False
        )
        for ax in axs.ravel():
            ax.set_visible(False)
        for k, name in enumerate(names[:2]):
            column = axs[:3, k]
            for ax in column:
                ax.set_visible(True)
            _accuracy(column[0], dataset, name)
            _loss(column[1], dataset, name)
            _spikes(column[2], dataset, name)
            column[0].set_title(_NAMES[name] + ": a recording, then the next", loc="left")
        axs[0, 0].legend(loc="lower left", bbox_to_anchor=(0.1, 0))
        for k, (name, key) in enumerate(zip(tasks, keys, strict=True)):
            ax = axs[3 + k // 2, k % 2]
            ax.set_visible(True)
            _drift(ax, dataset, key, legend=k == 0)
            ax.set_title(f"{name}: trained and tested by spikes", loc="left")
    return fig


def _accuracy(ax: Axes, dataset: xr.Dataset, name: str) -> None:
    time = dataset[f"{name}:time"].values
    for memory, colour in _COLOURS.items():
        right = dataset[f"{name}:right"].sel(memory=memory).sum("fold").values
        count = int(dataset[f"{name}:test"].sel(memory=memory).sum())
        low, high = np.array([wilson(int(r), count) for r in right]).T
        ax.plot(time, right / count, color=colour, label=_label(memory))
        ax.fill_between(time, low, high, color=colour, alpha=0.2, linewidth=0)
    _next(ax, time)
    ax.set(ylabel="accuracy", ylim=(0, 1), xlabel="ms")


def _label(memory: str) -> str:
    return {"all": "keeps all", "forgets": "forgets", "both": "both traces"}[memory]


def _next(ax: Axes, time: np.ndarray) -> None:
    ax.axvline(time[-1] / 2, color="0.6", linewidth=0.6)
    ax.set_xlim(0, time[-1])


def _loss(ax: Axes, dataset: xr.Dataset, name: str) -> None:
    time = dataset[f"{name}:time"].values
    half = time <= time[-1] / 2
    for memory, colour in _COLOURS.items():
        here = dataset.sel(memory=memory).mean("fold")
        ax.plot(time, here[f"{name}:nll"], color=colour)
        ax.plot(time[half], here[f"{name}:ece"].values[half], ":", color=colour)
    _next(ax, time)
    ax.plot([], [], color="0.3", label="NLL (nats)")
    ax.plot([], [], ":", color="0.3", label="calibration error")
    ax.legend(loc="upper left")
    ax.set(ylabel="NLL, ECE", yscale="log", xlabel="ms", ylim=(0.02, 40))


def _spikes(ax: Axes, dataset: xr.Dataset, name: str) -> None:
    half = dataset.sizes[f"{name}:time"] // 2
    for memory, colour in _COLOURS.items():
        here = dataset.sel(memory=memory)
        right = here[f"{name}:right"].sum("fold").values[:half]
        count = int(here[f"{name}:test"].sum())
        sent = here[f"{name}:value_spikes"] + here[f"{name}:input_spikes"]
        share = right / count
        ax.plot(sent.mean("fold").values[:half], share, color=colour)
        ax.plot(here[f"{name}:value_spikes"].mean("fold").values[:half], share, "--", color=colour)
    ax.plot([], [], color="0.3", label="input and network")
    ax.plot([], [], "--", color="0.3", label="network")
    ax.legend(loc="lower right")
    ax.set(xlabel="spikes so far", ylabel="accuracy", xscale="log", ylim=(0, 1))


def _drift(ax: Axes, dataset: xr.Dataset, key: str, *, legend: bool) -> None:
    point = dataset[f"{key}:point"].values
    for decay, colour in zip(dataset.decay.values, (style.BLUE, style.RED), strict=False):
        share = dataset[f"{key}:right"].sel(decay=decay) / dataset[f"{key}:test"]
        stationary = (dataset[f"{key}:stationary"].sel(decay=decay) / dataset[f"{key}:test"]).mean()
        mean, count = share.mean("order"), share.sizes["order"]
        error = share.std("order", ddof=1) / np.sqrt(count) if count > 1 else 0 * mean
        label = f"weights decay, {decay:g}" if decay else "weights are kept"
        ax.plot(point, mean, color=colour, label=label)
        ax.fill_between(point, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
        ax.plot([point[-1] * 1.02], [stationary], color=colour, marker="<", clip_on=False)
    ax.axvline(float(dataset[f"{key}:change"][0]), color="0.6", linewidth=0.6)
    ax.set(xlabel="passes over the recordings", ylabel="accuracy")
    if legend:
        ax.plot([], [], color="0.3", marker="<", linestyle="", label="new law alone")
        ax.legend(loc="lower right")
