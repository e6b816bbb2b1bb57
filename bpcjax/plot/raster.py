"""Spikes as a raster: one mark a spike."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..spikes import Spikes
from .axes import axes


def raster(
    spikes: Spikes, ax: Axes | None = None, t1: float | int | None = None, *, unit: str = "ms"
) -> Axes:
    """The spikes of one record, their times (in `unit`) across, their neurons upward.

    `t1` is the end of the axis, and later spikes are left out. A record whose room was too small
    says so in the title. Without spikes the axes are empty.

    **Raises:** `ValueError` for a batch of records, and for times that are NaN.
    """
    times, neurons = np.asarray(spikes.times), np.asarray(spikes.neurons)
    if times.ndim != 1 or neurons.shape != times.shape:
        raise ValueError(
            f"spikes: times {times.shape} and neurons {neurons.shape} must be vectors of one "
            "length. Take one record of a batch."
        )
    if np.isnan(times).any():
        raise ValueError("spikes: some times are NaN. Look at `ok` of the solution.")
    end = np.inf if t1 is None else float(t1)
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
