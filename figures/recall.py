"""One recall, how recall fails with noise and masks, its cost (`results/recall.zarr`)."""

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bpcjax import Spikes
from bpcjax.analysis import EnergySlice, Plane
from bpcjax.plot import landscape, raster, traces

from . import style

_LOOKS = {  # a colour, a marker and a shift to the side for each method
    "spiking": (style.BLUE, "o", -1),
    "attention": (style.RED, "s", 0),
    "attention x5": (style.ORANGE, "D", 0.5),
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
        axs = bottom.subplots(1, 3, width_ratios=[1.2, 1.2, 1])
        _rates(axs[:2], dataset)
        _cost(axs[2], dataset)
    return fig


def _images(fig, dataset: xr.Dataset) -> None:
    example = dataset.isel(corruption=dataset.example_corruption, query=dataset.example_query)
    winner = int(example.recalled.sel(model="spiking"))
    patterns, state = dataset.patterns.values, dataset.example_state.values
    t = dataset.time.values / dataset.tau
    moments = (np.linspace(0, 1, 9)[1:-1] ** 2 * (len(t) - 1)).astype(int)  # most of them early
    pictures = {"stored": patterns[int(example.target)], str(example.corruption.values): state[0]}
    pictures |= {rf"$t$ = {t[k]:.2g} $\tau$": state[k] for k in moments}
    pictures["recalled"] = patterns[winner] if winner >= 0 else np.full_like(state[0], np.nan)
    for ax, (title, picture) in zip(fig.subplots(1, len(pictures)), pictures.items(), strict=True):
        grey = (dataset["mean"].values + dataset.scale * picture).reshape(dataset.attrs["shape"])
        image = ax.imshow(grey, cmap="gray_r", vmin=0, vmax=1)
        ax.set(title=title, xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
    fig.colorbar(image, ax=fig.axes, label="grey", fraction=0.03, pad=0.01, shrink=0.6)


def _over_time(axs: np.ndarray, dataset: xr.Dataset) -> None:
    neurons, row = np.unique(dataset.example_spike_neuron.values, return_inverse=True)
    times, end = dataset.example_spike_time.values / dataset.tau, dataset.t1 / dataset.tau
    record = Spikes(jnp.asarray(times), jnp.asarray(row), jnp.array(len(times)))
    raster(record, axs[0], end, unit=r"$\tau$")
    names = [f"{n} (a {dataset.label.values[n]})" for n in neurons]
    axs[0].set(xlabel="", ylabel="memory (its digit)", ylim=(-0.7, len(neurons) - 0.3))
    axs[0].set_yticks(np.arange(len(neurons)), names)
    t, energy = dataset.time.values / dataset.tau, dataset.example_energy.values
    traces(t, energy, axs[1], unit=r"$\tau$", ylabel="energy (no unit)")
    axs[1].set_xlim(0, end)


def _landscape(ax: Axes, dataset: xr.Dataset) -> None:
    t, marks = dataset.time.values / dataset.tau, dataset.landscape_marks
    along, across = dataset.along.values, dataset.across.values
    corners = jnp.array([[along[0], across[0]], [along[-1], across[-1]]])
    flat = Plane(jnp.zeros(2), jnp.eye(2), corners)  # states are places on the plane already
    table = EnergySlice(flat, *map(jnp.asarray, (along, across, dataset.landscape.values)))
    places = dict(zip(marks.mark.values, marks.values, strict=True))
    landscape(table, ax, dataset.landscape_path.values, places, ts=t, unit=r"$\tau$")
    ax.set(xlabel="along (pixel s.d.)", ylabel="across (pixel s.d.)")


def _cost(ax: Axes, dataset: xr.Dataset) -> None:
    prices = list(dataset.price.values)
    for method, (colour, marker, _) in _LOOKS.items():
        energy = dataset.energy.sel(model=method).mean("corruption")
        ax.semilogy(energy, color=colour, marker=marker, linestyle=":")
    ax.set(ylabel="energy a query (nJ)", xlim=(-0.4, len(prices) - 0.6))
    ax.set_xticks(range(len(prices)), [name.replace("+", "\n+") for name in prices])


def _rates(axs: np.ndarray, dataset: xr.Dataset) -> None:
    labels = "noise (pixel s.d.)", "masked fraction of rows"
    for ax, kind, label in zip(axs, ("noise", "mask"), labels, strict=True):
        names = [name for name in dataset.corruption.values if name.startswith(kind)]
        if kind == "mask":
            names.insert(0, "noise 0")  # nothing is masked
        level = dataset.level.sel(corruption=names).values
        for method, (colour, marker, side) in _LOOKS.items():
            own = dataset.sel(corruption=names, model=method)
            rate = own.recall_rate.values
            ends = rate - own.recall_low.values, own.recall_high.values - rate
            bars = np.maximum(ends, 0)  # rounding, at 0 and 1
            x = level + side * 0.012 * level.max()
            ax.errorbar(x, rate, bars, color=colour, marker=marker, label=method, elinewidth=0.8)
        ax.set(xlabel=label, ylim=(-0.03, 1.03))
    axs[0].set_ylabel("recall rate (95 % interval)")
    axs[0].legend()
