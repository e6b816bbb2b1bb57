"""Time series: states, and firing patterns under a drive, one panel a pattern."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from .._require import count, describe, instance, plain, scalar, sequence
from ._axes import axes


def traces(
    ts: ArrayLike,
    values: ArrayLike,
    ax: Axes | None = None,
    labels: Sequence[str] | None = None,
    *,
    unit: str = "ms",
    ylabel: str = "state",
) -> Axes:
    """Time series: one line for each column of `values` [times, n] (or [times]) over `ts` [times]
    (in `unit`).

    Times padded with `inf`, as diffrax pads them, are left out; `labels` name the lines. Without
    times the axes are empty; values that are not finite leave gaps.

    **Raises:** `ValueError` naming the argument whose shape does not fit, and for times of NaN.
    """
    ts, values = plain("ts", ts), plain("values", values)
    if ts.ndim != 1 or np.isnan(ts).any():
        raise ValueError(f"ts must be a vector without NaN, got shape {ts.shape}.")
    if values.ndim not in (1, 2) or len(values) != len(ts):
        raise ValueError(
            f"values must have shape ({len(ts)}, n), one row for each of ts, got {values.shape}. "
            "Take one solution of a batch and one leaf of the state."
        )
    columns = values.reshape(len(ts), -1) if values.ndim == 1 else values
    if labels is not None and len(sequence("labels", labels, str)) != columns.shape[1]:
        raise ValueError(f"labels: {len(labels)} names for {columns.shape[1]} lines of values.")
    there = np.isfinite(ts)
    shown = np.where(np.isfinite(columns), columns, np.nan)
    ax = axes(ax)
    for k in range(columns.shape[1]):
        ax.plot(ts[there], shown[there, k], label=None if labels is None else labels[k])
    ax.set(xlabel=f"time ({unit})", ylabel=ylabel)
    if labels:
        ax.legend()
    return ax


class Trace(NamedTuple):
    """Voltage trace: the potential `v` [times] at `ts`, the times of the `spikes`, and the `drive`
    [times]."""

    ts: ArrayLike
    v: ArrayLike
    spikes: ArrayLike
    drive: ArrayLike | None = None


def firing(
    trace: Trace,
    ax: Axes | None = None,
    *,
    peak: float | None = None,
    unit: str = "ms",
    ylabel: str = "v (mV)",
) -> Axes:
    """Voltage trace with spikes: the potential over time, each spike a line up to `peak` (without
    it, no lines), and the drive as a thin line underneath, not to scale.

    Samples miss the peak of a spike that is reset: hence the lines. Samples and spikes that are
    not finite are left out.

    **Raises:** `ValueError` naming the part of the trace whose shape does not fit.
    """
    instance("trace", trace, Trace)
    ts, v, spikes = (
        plain("trace: ts", trace.ts),
        plain("trace: v", trace.v),
        plain("trace: spikes", trace.spikes),
    )
    peak = None if peak is None else scalar("peak", peak, finite=True)
    if ts.ndim != 1 or v.shape != ts.shape:
        raise ValueError(
            f"trace: ts and v must be vectors of one length, got {ts.shape} and {v.shape}."
        )
    if spikes.ndim != 1:
        raise ValueError(f"trace: spikes must be a vector of times, got shape {spikes.shape}.")
    ax = axes(ax)
    there = np.isfinite(ts)
    ts, v = ts[there], np.where(np.isfinite(v), v, np.nan)[there]
    (line,) = ax.plot(ts, v, linewidth=0.7)
    spikes = spikes[np.isfinite(spikes)]
    if peak is not None and spikes.size and ts.size:
        # From the last sample before each spike, so that the line starts on the trace.
        before = np.maximum(np.searchsorted(ts, spikes) - 1, 0)
        ax.vlines(spikes, v[before], peak, color=line.get_color(), linewidth=0.7)
    if trace.drive is not None and ts.size:
        drive = np.broadcast_to(plain("trace: drive", trace.drive), there.shape)
        _drive(ax, ts, drive[there])
    ax.set(xlabel=f"time ({unit})", ylabel=ylabel)
    return ax


def _drive(ax: Axes, ts: np.ndarray, drive: np.ndarray) -> None:
    """The drive in a band below the trace, from nothing before the first sample."""
    low, high = ax.dataLim.intervaly
    band = 0.12 * max(high - low, 1e-9)
    span = np.ptp([0.0, *drive]) or 1.0
    start = ts[0] - 0.04 * (ts[-1] - ts[0])
    shape = np.concatenate([[0.0, 0.0], drive]) / span
    base = low - 1.6 * band - shape.min() * band
    ax.plot(np.concatenate([[start, ts[0]], ts]), base + band * shape, color="0.5", linewidth=0.7)


def gallery(
    traces: Mapping[str, Trace],
    fig: Figure | SubFigure | None = None,
    *,
    columns: int = 4,
    peak: float | Mapping[str, float] | None = None,
    unit: str = "ms",
    ylabel: str = "v (mV)",
) -> np.ndarray:
    """Grid of voltage traces: one panel for each, titled by its name, in rows of `columns`; the
    axes [panels].

    `peak` is where the lines of spikes end, for all or by name. Names of axes stand at the left
    and at the bottom only.

    **Raises:** `ValueError` without traces, and as `firing` does, with the name.
    """
    columns = count("columns", columns, 1)
    if not isinstance(traces, Mapping):
        raise ValueError(f"traces must be a mapping from names to traces, got {describe(traces)}.")
    if not traces:
        raise ValueError("traces: there are none to draw.")
    fig = plt.figure(layout="constrained") if fig is None else fig
    rows = -(-len(traces) // columns)
    grid = fig.subplots(rows, columns, squeeze=False).ravel()
    for k, (ax, (name, trace)) in enumerate(zip(grid, traces.items(), strict=False)):
        top = peak.get(name) if isinstance(peak, Mapping) else peak
        try:
            firing(trace, ax, peak=top, unit=unit, ylabel=ylabel)
        except ValueError as error:
            raise ValueError(f"traces, {name}: {error}") from error
        last = k + columns >= len(traces)
        ax.set(title=name, xlabel=ax.get_xlabel() if last else "")
        ax.set_ylabel(ylabel if k % columns == 0 else "")
    for ax in grid[len(traces) :]:
        ax.set_axis_off()
    return grid[: len(traces)]
