"""How fast a neuron fires at a constant drive."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes

from .axes import axes


def fi_curve(
    drives: ArrayLike,
    rates: ArrayLike,
    ax: Axes | None = None,
    labels: Sequence[str] | None = None,
    *,
    unit: str = "pA",
    rate_unit: str = "Hz",
) -> Axes:
    """Firing rates [drives] or [drives, curves] (in `rate_unit`) over `drives` (in `unit`), one
    line with dots for each curve; `labels` name the curves.

    Drives may come in any order. A rate that is not finite leaves a gap.

    **Raises:** `ValueError` naming the argument: shapes that do not fit, drives that are not
    finite, negative rates.
    """
    drives, rates = np.asarray(drives, float), np.asarray(rates, float)
    if drives.ndim != 1 or not np.isfinite(drives).all():
        raise ValueError(f"drives must be a finite vector, got shape {drives.shape}.")
    if rates.ndim not in (1, 2) or len(rates) != len(drives):
        raise ValueError(f"rates must have one row a drive, ({len(drives)}, n), got {rates.shape}.")
    if (rates < 0).any():
        raise ValueError("rates must not be negative.")
    curves = rates.reshape(len(drives), -1).T
    if labels is not None and len(labels) != len(curves):
        raise ValueError(f"labels: {len(labels)} names for {len(curves)} curves.")
    order = np.argsort(drives, kind="stable")
    shown = np.where(np.isfinite(curves), curves, np.nan)
    ax = axes(ax)
    for k, curve in enumerate(shown):
        name = None if labels is None else labels[k]
        ax.plot(drives[order], curve[order], marker=".", markersize=3, label=name)
    ax.set(xlabel=f"drive ({unit})", ylabel=f"firing rate ({rate_unit})")
    ax.set_ylim(bottom=0)
    if labels:
        ax.legend()
    return ax
