"""How much a push at each point of a cycle moves the rhythm."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..analysis import PhaseResponse
from .axes import axes, doubt, names_above
from .pick import pick


def phase_response(
    result: PhaseResponse,
    ax: Axes | None = None,
    *,
    y: Callable[[Any], Any] | None = None,
    push: float | None = None,
    unit: str = "ms",
    of: str = "mV",
) -> Axes:
    """The phase response of `analysis.phase_response` along one period: the advance in time (in
    `unit`) for each `of` that a variable is pushed by.

    `y` says which variable (`lambda y: y.v`); a state that is one number needs none. With the
    size of the finite `push` that was given, the shifts that it caused, for each `of`, are dots.
    A result that is not `ok` says so.

    **Raises:** `ValueError` naming the argument: a `y` that is no number, a `push` that was not
    given or is 0, a batch of results.
    """
    times = np.asarray(result.times, float)
    if times.ndim != 1:
        raise ValueError(f"result: times {times.shape}. Take one result of a batch.")
    small = pick(result.gradient, y, len(times))
    if push is not None and (result.shift is None or push == 0):
        raise ValueError(f"push: the result has no shifts for a push of {push}.")
    ax = axes(ax)
    ax.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    ax.plot(times, small, label="small push")
    if push is not None:
        shifts = np.asarray(result.shift, float) / push
        dots: Any = dict(linestyle="none", marker="o", markersize=2.5, color="0.2")
        ax.plot(times, shifts, label=f"push of {push:g} {of}", **dots)
        names_above(ax)
    ax.set(xlabel=f"time in the cycle ({unit})", ylabel=f"advance ({unit} per {of})")
    doubt(ax, result.ok)
    return ax
