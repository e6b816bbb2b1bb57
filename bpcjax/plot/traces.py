"""Values over time."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes

from .axes import axes


def traces(
    ts: ArrayLike,
    values: ArrayLike,
    ax: Axes | None = None,
    labels: Sequence[str] | None = None,
    *,
    unit: str = "ms",
    ylabel: str = "state",
) -> Axes:
    """One line for each column of `values` [times, n] (or [times]) over `ts` [times] (in `unit`).

    Times padded with `inf`, as diffrax pads them, are left out; `labels` name the lines. Without
    times the axes are empty; values that are not finite leave gaps.

    **Raises:** `ValueError` naming the argument whose shape does not fit, and for times of NaN.
    """
    ts, values = np.asarray(ts), np.asarray(values)
    if ts.ndim != 1 or np.isnan(ts).any():
        raise ValueError(f"ts must be a vector without NaN, got shape {ts.shape}.")
    if values.ndim not in (1, 2) or len(values) != len(ts):
        raise ValueError(
            f"values must have shape ({len(ts)}, n), one row a time, got {values.shape}. "
            "Take one solution of a batch and one leaf of the state."
        )
    columns = values.reshape(len(ts), -1) if values.ndim == 1 else values
    if labels is not None and len(labels) != columns.shape[1]:
        raise ValueError(f"labels: {len(labels)} names for {columns.shape[1]} lines.")
    there = np.isfinite(ts)
    shown = np.where(np.isfinite(columns), columns, np.nan)
    ax = axes(ax)
    for k in range(columns.shape[1]):
        ax.plot(ts[there], shown[there, k], label=None if labels is None else labels[k])
    ax.set(xlabel=f"time ({unit})", ylabel=ylabel)
    if labels:
        ax.legend()
    return ax
