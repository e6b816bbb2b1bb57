"""Two balanced networks: spikes, rates and irregularity (`results/balanced.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import style

WINDOW = 400.0  # ms, of raster and rates: the last of the run
_COLOURS = {"excitatory": style.BLUE, "inhibitory": style.RED}
_TITLES = {"CUBA": "CUBA network", "Brunel": "Brunel's network"}
_EXPECTED = {"CUBA": "Brian2", "Brunel": "Siegert"}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure, a row a network: raster over rate, and histograms over neurons beside them."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 6.4), layout="constrained")
        names = [str(name) for name in dataset.network.values]
        parts = np.ravel(fig.subfigures(len(names), 1, hspace=0.04))
        for part, name in zip(parts, names, strict=True):
            one = dataset.sel(network=name)
            seconds = f"{float(dataset.t1) / 1000:g} s"
            part.suptitle(f"{_TITLES[name]}: {int(one.neurons):,} neurons, {seconds}")
            left, right = part.subfigures(1, 2, width_ratios=[1.7, 1])
            upper, lower = left.subplots(2, 1, sharex=True, height_ratios=[2, 1])
            _raster(upper, one)
            end = float(one.start + dataset.t1)
            begin = max(end - WINDOW, float(one.start))
            _activity(lower, one.sel(time=slice(begin, end)))
            lower.set_xlim(begin, end)
            top, bottom = right.subplots(2, 1)
            _rates(top, one, float(dataset.t1), _EXPECTED[name])
            _cvs(bottom, one, _EXPECTED[name])
    return fig


def _raster(ax: Axes, one: xr.Dataset) -> None:
    """The spikes of the neurons that were kept, the inhibitory ones on top."""
    there = one.spike_neuron.values >= 0
    times, neurons = one.spike_time.values[there], one.spike_neuron.values[there].astype(int)
    border, first = int(one.excitatory), int(one.shown_excitatory)
    inhibitory = neurons >= border
    rows = np.where(inhibitory, neurons - border + first, neurons)
    for colour, own in zip(_COLOURS.values(), (~inhibitory, inhibitory), strict=True):
        ax.plot(times[own], rows[own], ".", color=colour, markersize=2.5, markeredgewidth=0)
    ax.set_ylabel("neuron (a sample)")
    ax.margins(y=0.02)


def _activity(ax: Axes, one: xr.Dataset) -> None:
    """The rate of each population in bins of 1 ms."""
    rate = one.activity.dropna("time")
    edges = np.append(rate.time.values, rate.time.values[-1] + 1)
    for group, colour in _COLOURS.items():  # the larger group in front: it varies less
        values, front = rate.sel(group=group).values, 3 if group == "excitatory" else 2
        ax.stairs(values, edges, color=colour, label=group, linewidth=0.7, zorder=front)
    ax.set(xlabel="time (ms)", ylabel="rate (Hz)")
    ax.set_ylim(0, max(1.35 * float(rate.max()), 1.0))  # room for the names
    ax.legend(loc="upper right", ncols=2, borderpad=0)


def _groups(values: np.ndarray, one: xr.Dataset) -> dict[str, np.ndarray]:
    border = int(one.excitatory)
    parts = {"excitatory": values[:border], "inhibitory": values[border:]}
    return {name: part[np.isfinite(part)] for name, part in parts.items()}


def _histogram(ax: Axes, parts: dict[str, np.ndarray], edges: np.ndarray) -> None:
    """Shares of each population, so that the smaller one is seen as well."""
    for name, part in parts.items():
        share = 100 * np.histogram(part, edges)[0] / max(len(part), 1)
        ax.stairs(share, edges, color=_COLOURS[name], fill=name == "excitatory", alpha=0.6)
    ax.set_ylabel("neurons (%)")


def _rates(ax: Axes, one: xr.Dataset, t1: float, source: str) -> None:
    parts = _groups(one.rate.values, one)
    counts = np.concatenate([*parts.values()]) * t1 / 1000  # of spikes: whole numbers
    low, high = counts.min(), counts.max()
    wide = max(1, round((high - low) / 30))
    edges = (np.arange(low, high + wide + 1, wide) - 0.5) * 1000 / t1
    _histogram(ax, parts, edges)
    _against(ax, float(one.rate.mean()), float(one.expected_rate), source, ".1f", " Hz")
    ax.set_xlabel("rate of a neuron (Hz)")


def _cvs(ax: Axes, one: xr.Dataset, source: str) -> None:
    parts = _groups(one.cv.values, one)
    highest = max(part.max(initial=0.5) for part in parts.values())
    _histogram(ax, parts, np.linspace(0, highest, 31))
    _against(ax, float(one.cv.mean()), float(one.expected_cv), source, ".2f", "")
    ax.set_xlabel("CV of a neuron's intervals")


def _against(ax: Axes, mean: float, expected: float, source: str, form: str, unit: str) -> None:
    """The mean, and what is expected as a line if anything is, both in the title too."""
    title = f"mean {mean:{form}}"
    if np.isfinite(expected):
        ax.axvline(expected, color=style.BLACK, linestyle="--")
        title += f"; dashed: {source}, {expected:{form}}"
    ax.set_title(title + unit)
