"""Raster plot of spikes, one mark a spike, and the rates of populations."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .._require import count, instance, scalar
from ..spikes import Spikes
from ._axes import axes


def raster(
    spikes: Spikes, ax: Axes | None = None, t1: float | int | None = None, *, unit: str = "ms"
) -> Axes:
    """Raster plot: the spikes of one record, their times (in `unit`) across, their neurons upward.

    `t1` is the end of the axis, and later spikes are left out. A record whose room was too small
    says so in the title. Without spikes the axes are empty.

    **Raises:** `ValueError` for a batch of records, and for times that are NaN.
    """
    instance("spikes", spikes, Spikes)
    times, neurons = np.asarray(spikes.times), np.asarray(spikes.neurons)
    if times.ndim != 1 or neurons.shape != times.shape:
        raise ValueError(
            f"spikes: times {times.shape} and neurons {neurons.shape} must be vectors of one "
            "length. Take one record of a batch."
        )
    if np.isnan(times).any():
        raise ValueError("spikes: some times are NaN. Look at `ok` of the solution.")
    end = np.inf if t1 is None else scalar("t1", t1, above=0, finite=True)
    there = (neurons >= 0) & np.isfinite(times) & (times <= end)
    ax = axes(ax)
    ax.plot(times[there], neurons[there], linestyle="none", marker="|", color="black")
    ax.set(xlabel=f"time ({unit})", ylabel="neuron (index)")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    if t1 is not None:
        ax.set_xlim(right=end)
    count = int(spikes.count)
    if count > len(times):
        ax.set_title(f"the first {len(times)} of {count} spikes")
    return ax


def populations(
    spikes: Spikes,
    groups: Mapping[str, int],
    ax: Axes | None = None,
    t1: float | int | None = None,
    *,
    window: float = 5.0,
    unit: str = "ms",
    second: float = 1000.0,
) -> Axes:
    """Raster plot of populations, one colour for each of `groups`, name and size in the order of
    the neurons, and under it the rate of each (Hz), counted in windows of `window`.

    `second` is how many of `unit` make a second; `t1` ends the axis, or the last spike does. `ax`,
    one of a grid of subplots, gives a third of its room to the rates; these are the last axes of
    its figure.

    **Raises:** `ValueError` as `raster` does, for groups that do not cover all neurons that
    spiked, for a window that is not positive, and for an `ax` outside of any grid.
    """
    window = scalar("window", window, above=0, finite=True)
    if not isinstance(groups, Mapping) or not groups:
        raise ValueError("groups must be a mapping from names to sizes, with one at least.")
    groups = {name: count(f"groups: {name}", size, 1) for name, size in groups.items()}
    ax = raster(spikes, axes(ax), t1, unit=unit)
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError("ax must be one of a grid of subplots, as of plt.subplots().")
    (marks,) = ax.lines[-1:]
    times, neurons = marks.get_xdata(), marks.get_ydata()
    times, neurons = np.asarray(times, float), np.asarray(neurons, int)
    ends = np.cumsum([*groups.values()])
    if neurons.size and neurons.max() >= ends[-1]:
        raise ValueError(f"groups: {ends[-1]} neurons, but neuron {neurons.max()} spiked.")
    marks.remove()
    end = float(t1) if t1 is not None else float(times.max(initial=window))
    count("window or t1: their number of bins", round(end / window), 0, 10**7)
    edges = np.arange(0, max(1, round(end / window)) + 1) * window
    upper, lower = place.subgridspec(2, 1, height_ratios=[2, 1])
    ax.set_subplotspec(upper)
    below = ax.figure.add_subplot(lower, sharex=ax)
    for name, size, stop in zip(groups, groups.values(), ends, strict=True):
        own = (neurons >= stop - size) & (neurons < stop)
        (line,) = ax.plot(times[own], neurons[own], linestyle="none", marker="|", markersize=3)
        counts = np.histogram(times[own], edges)[0]
        rate = counts * second / (size * window)
        below.stairs(rate, edges, color=line.get_color(), label=name)
    ax.set(xlabel="", ylim=(-0.5, ends[-1] - 0.5), xlim=(0.0, end))
    ax.tick_params(labelbottom=False)
    below.set(xlabel=f"time ({unit})", ylabel="rate (Hz)")
    below.set_ylim(bottom=0)
    ax.legend(
        *below.get_legend_handles_labels(),
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=len(groups),
    )
    return ax
