"""One recall, how recall fails with noise and masks, its cost (`results/recall.zarr`)."""

from typing import Any

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bpcjax.analysis import energy_slice, plane
from bpcjax.energies import ModernHopfield
from bpcjax.plot import landscape, raster, traces
from bpcjax.stepping import SpikeRecord
from experiments.recall.methods import STEPS
from experiments.recall.report import measure

from . import style

NAME = "recall"
COMMAND = "python -m experiments.recall"
_UNIT = "unit of time"
_LOOKS = {  # a colour, a marker and a shift to the side for each method
    "spiking": (style.BLUE, "o", -1),
    "attention": (style.RED, "s", 0),
    f"attention x{STEPS}": (style.ORANGE, "D", 0.5),
    "nearest": (style.GREEN, "^", 1),
}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: an example, its spikes, energy and landscape, then rates of recall and cost."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 5.8), layout="constrained")
        top, middle, bottom = fig.subfigures(3, 1, height_ratios=[0.75, 2.2, 1.9])
        _images(top, dataset)
        left, right = middle.subfigures(1, 2, width_ratios=[1, 1.1])
        _over_time(left.subplots(2, 1, sharex=True), dataset)
        _landscape(right.subplots(), dataset)
        records = measure(dataset)
        axs = bottom.subplots(1, 3, width_ratios=[1.2, 1.2, 1])
        _rates(axs[:2], dataset, records)
        _cost(axs[2], records)
    return fig


def _example(dataset: xr.Dataset) -> tuple[xr.Dataset, int, int]:
    """The example's corruption and query, the memory it recalled, and the runner-up."""
    here = dataset.isel(corruption=dataset.example_corruption, query=dataset.example_query)
    return here, int(here.recalled.sel(model="spiking")), dataset.example_competitor


def _images(fig, dataset: xr.Dataset) -> None:
    here, winner, _ = _example(dataset)
    patterns, state = dataset.patterns.values, dataset.example_state.values
    t = dataset.time.values / dataset.tau
    moments = (np.linspace(0, 1, 9)[1:-1] ** 2 * (len(t) - 1)).astype(int)  # most of them early
    pictures = {"stored": patterns[int(here.target)], str(here.corruption.values): state[0]}
    pictures |= {rf"$t$ = {t[k]:.2g} $\tau$": state[k] for k in moments}
    pictures["recalled"] = patterns[winner] if winner >= 0 else np.full_like(state[0], np.nan)
    for ax, (title, picture) in zip(fig.subplots(1, len(pictures)), pictures.items(), strict=True):
        grey = (dataset["mean"].values + dataset.scale * picture).reshape(dataset.attrs["shape"])
        shown = ax.imshow(grey, cmap="gray_r", vmin=0, vmax=1)
        ax.set(title=title, xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
    fig.colorbar(shown, ax=fig.axes, label="grey", fraction=0.03, pad=0.01, shrink=0.6)


def _over_time(axs: np.ndarray, dataset: xr.Dataset) -> None:
    neurons, row = np.unique(dataset.example_spike_neuron.values, return_inverse=True)
    times, end = dataset.example_spike_time.values / dataset.tau, dataset.t1 / dataset.tau
    record = SpikeRecord(jnp.asarray(times), jnp.asarray(row), jnp.array(len(times)))
    raster(record, axs[0], end, unit=r"$\tau$")
    names = [f"{n} (a {dataset.label.values[n]})" for n in neurons]
    axs[0].set(xlabel="", ylabel="memory (its digit)", ylim=(-0.7, len(neurons) - 0.3))
    axs[0].set_yticks(np.arange(len(neurons)), names)
    t, energy = dataset.time.values / dataset.tau, dataset.example_energy.values
    traces(t, energy, axs[1], unit=r"$\tau$", ylabel="energy (no unit)")
    axs[1].set_xlim(0, end)


def _landscape(ax: Axes, dataset: xr.Dataset) -> None:
    here, winner, competitor = _example(dataset)
    patterns, query = dataset.patterns.values, here.queries.values
    count = len(patterns)
    energy = ModernHopfield.from_prior(patterns, dataset.beta, np.full(count, -np.log(count)))
    marks = {"query": query, "recalled": patterns[max(winner, 0)], "rival": patterns[competitor]}
    path, t = dataset.example_state.values, dataset.time.values / dataset.tau
    shown = np.concatenate([path, *(y[None] for y in marks.values())])
    drawn = energy_slice(energy, plane(*marks.values()), points=shown)
    landscape(drawn, ax, path, marks, ts=t, unit=r"$\tau$")
    ax.set(xlabel="along (pixel s.d.)", ylabel="across (pixel s.d.)")


def _cost(ax: Axes, records: list[dict[str, Any]]) -> None:
    prices = list(records[0]["energy"])
    for method, (colour, marker, _) in _LOOKS.items():
        own = [[r["energy"][name] for name in prices] for r in records if r["method"] == method]
        ax.semilogy(np.mean(own, axis=0), color=colour, marker=marker, linestyle=":")
    ax.set(ylabel="energy a query (nJ)", xlim=(-0.4, len(prices) - 0.6))
    ax.set_xticks(range(len(prices)), [name.replace("+", "\n+") for name in prices])


def _rates(axs: np.ndarray, dataset: xr.Dataset, records: list[dict[str, Any]]) -> None:
    levels = dict(zip(dataset.corruption.values, dataset.level.values, strict=True))
    for ax, kind, label in zip(
        axs, ("noise", "mask"), ("noise (pixel s.d.)", "masked fraction of rows"), strict=True
    ):
        names = [name for name in levels if name.startswith(kind)]
        if kind == "mask":
            names.insert(0, "noise 0")  # nothing is masked
        width = 0.012 * max(levels[name] for name in names)
        for method, (colour, marker, side) in _LOOKS.items():
            own = [
                r for n in names for r in records if (r["corruption"], r["method"]) == (n, method)
            ]
            x = np.array([levels[name] for name in names]) + side * width
            rate, low, high = (np.array([r[key] for r in own]) for key in ("recall", "low", "high"))
            bars = np.maximum([rate - low, high - rate], 0)  # rounding, at 0 and 1
            ax.errorbar(x, rate, bars, color=colour, marker=marker, label=method, elinewidth=0.8)
        ax.set(xlabel=label, ylim=(-0.03, 1.03))
    axs[0].set_ylabel("recall rate (95 % interval)")
    axs[0].legend()
