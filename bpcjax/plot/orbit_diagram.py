"""What orbits visit, over a parameter."""

import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes

from .axes import axes


def orbit_diagram(
    parameter: ArrayLike,
    values: ArrayLike,
    ax: Axes | None = None,
    *,
    xlabel: str = "parameter",
    ylabel: str = "state after a spike",
) -> Axes:
    """The `values` [P, K] that an orbit visits at each `parameter` [P], as small dots (an image in
    vector files, as they are many).

    Transients are to be cut off before. What is not finite is left out.

    **Raises:** `ValueError` naming the argument whose shape does not fit, and for parameters that
    are not finite.
    """
    p, orbits = np.asarray(parameter, float), np.asarray(values, float)
    if p.ndim != 1 or not np.isfinite(p).all():
        raise ValueError(f"parameter must be a finite vector, got shape {p.shape}.")
    if orbits.ndim != 2 or len(orbits) != len(p):
        raise ValueError(f"values must have shape ({len(p)}, n), got {orbits.shape}.")
    there = np.isfinite(orbits)
    across = np.broadcast_to(p[:, None], orbits.shape)[there]
    ax = axes(ax)
    ax.plot(
        across, orbits[there], linestyle="none", marker=".", markersize=1.5, markeredgewidth=0,
        color="black", rasterized=True,
    )  # fmt: skip
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax
