"""Curves: f-I curves, Lyapunov exponents, phase responses, return maps, orbit diagrams."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes

from .._require import instance, plain, sequence
from ..analysis import Lyapunov, PhaseResponse
from ._axes import axes, doubt, names_above, pick


def fi_curve(
    drives: ArrayLike,
    rates: ArrayLike,
    ax: Axes | None = None,
    labels: Sequence[str] | None = None,
    *,
    unit: str = "pA",
    rate_unit: str = "Hz",
) -> Axes:
    """f-I curve: firing rates [drives] or [drives, curves] (in `rate_unit`) over `drives` (in
    `unit`), one line with dots for each curve; `labels` name the curves.

    Drives may come in any order. A rate that is not finite leaves a gap.

    **Raises:** `ValueError` naming the argument: shapes that do not fit, drives that are not
    finite, negative rates.
    """
    drives, rates = plain("drives", drives), plain("rates", rates)
    if drives.ndim != 1 or not np.isfinite(drives).all():
        raise ValueError(f"drives must be a finite vector, got shape {drives.shape}.")
    if rates.ndim not in (1, 2) or len(rates) != len(drives):
        raise ValueError(
            f"rates must have a row for each of drives, ({len(drives)}, n), got {rates.shape}."
        )
    if (rates < 0).any():
        raise ValueError("rates must not be negative.")
    curves = rates.reshape(len(drives), -1).T
    if labels is not None and len(sequence("labels", labels, str)) != len(curves):
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


_NAMED = 8  # so many lines have names of their own


def lyapunov(result: Lyapunov, ax: Axes | None = None, *, unit: str = "ms") -> Axes:
    """Convergence of Lyapunov exponents: the running means of `analysis.lyapunov` over time (in
    `unit`), and at the end their values with their errors.

    Structural exponents, -inf, are left out. The scale is that of the later half: the first means
    reach beyond it. A result that is not `ok` says so.

    **Raises:** `ValueError` for a batch of results, and where no exponent is finite.
    """
    instance("result", result, Lyapunov)
    times, running = np.asarray(result.times, float), np.asarray(result.running, float)
    final, error = np.asarray(result.exponents, float), np.asarray(result.error, float)
    if times.ndim != 1 or running.shape != (len(times), len(final)):
        raise ValueError(
            f"result: times {times.shape} and running {running.shape} do not fit "
            f"{final.shape} exponents. Take one result of a batch."
        )
    shown = np.flatnonzero(np.isfinite(final) & ~np.asarray(result.structural, bool))
    if not shown.size:
        raise ValueError("result: no exponent is finite. Look at `ok` and `structural`.")
    ax = axes(ax)
    ax.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    few = shown.size <= _NAMED
    spread = np.nan_to_num(error)  # NaN: no estimate
    for place, k in enumerate(shown):
        colour = f"C{place}" if few else "0.3"
        name = _with_error(final[k], error[k]) if few else None
        ax.plot(times, running[:, k], color=colour, label=name)
        ax.errorbar(
            times[-1], final[k], spread[k], color=colour, marker="o", markersize=3, capsize=3,
            clip_on=False,
        )  # fmt: skip
    later = [running[len(times) // 2 :, shown], (final - spread)[shown], (final + spread)[shown]]
    ends = np.concatenate([np.ravel(x) for x in later])
    ends = np.append(ends[np.isfinite(ends)], 0.0)
    margin = 0.1 * np.ptp(ends) or 1.0
    ax.set(ylim=(ends.min() - margin, ends.max() + margin))
    ax.set(xlabel=f"time ({unit})", ylabel=f"Lyapunov exponent (1/{unit})")
    if few:
        names_above(ax)
    doubt(ax, result.ok)
    return ax


def _with_error(value: float, error: float) -> str:
    """The value to the digit of its error."""
    if not (np.isfinite(error) and error > 0):
        return f"{value:.4g}"
    digits = max(0, -int(np.floor(np.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def phase_response(
    result: PhaseResponse,
    ax: Axes | None = None,
    *,
    y: Callable[[Any], Any] | None = None,
    push: float | None = None,
    unit: str = "ms",
    of: str = "mV",
) -> Axes:
    """Phase response curve of `analysis.phase_response` along one period: the advance in time (in
    `unit`) for each `of` that a variable is pushed by.

    `y` says which variable (`lambda y: y.v`); a state that is one number needs none. With the
    size of the finite `push` that was given, the shifts that it caused, for each `of`, are dots.
    A result that is not `ok` says so.

    **Raises:** `ValueError` naming the argument: a `y` that is no number, a `push` that was not
    given or is 0, a batch of results.
    """
    instance("result", result, PhaseResponse)
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


def return_map(
    values: ArrayLike,
    ax: Axes | None = None,
    *,
    label: str = "interval",
    unit: str = "ms",
) -> Axes:
    """Return map: each of the `values` [K] of an orbit (`label`, in `unit`) over the one before,
    and the diagonal, where nothing changes.

    Pairs with a value that is not finite are left out.

    **Raises:** `ValueError` for values that are no vector, or of which no two in a row are finite.
    """
    orbit = plain("values", values)
    if orbit.ndim != 1:
        raise ValueError(f"values must be a vector, one orbit, got shape {orbit.shape}.")
    pairs = np.stack([orbit[:-1], orbit[1:]], axis=1)
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    if not len(pairs):
        raise ValueError("values: no two in a row are finite.")
    ax = axes(ax)
    low, high = pairs.min(), pairs.max()
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    ends = (low - margin, high + margin)
    ax.plot(ends, ends, color="0.6", linewidth=0.8, zorder=0)
    ax.plot(*pairs.T, linestyle="none", marker="o", markersize=2.5, color="black")
    ax.set(xlim=ends, ylim=ends, xlabel=f"{label} k ({unit})", ylabel=f"{label} k + 1 ({unit})")
    ax.set_aspect("equal")
    return ax


def orbit_diagram(
    parameter: ArrayLike,
    values: ArrayLike,
    ax: Axes | None = None,
    *,
    xlabel: str = "parameter",
    ylabel: str = "state after a spike",
) -> Axes:
    """Orbit diagram: the `values` [P, K] that an orbit visits at each `parameter` [P], as small
    dots (an image in vector files, as they are many).

    Transients are to be cut off before. What is not finite is left out.

    **Raises:** `ValueError` naming the argument whose shape does not fit, and for parameters that
    are not finite.
    """
    p, orbits = plain("parameter", parameter), plain("values", values)
    if p.ndim != 1 or not np.isfinite(p).all():
        raise ValueError(f"parameter must be a finite vector, got shape {p.shape}.")
    if orbits.ndim != 2 or len(orbits) != len(p):
        raise ValueError(
            f"values must have shape ({len(p)}, n), as parameter has it, got {orbits.shape}."
        )
    there = np.isfinite(orbits)
    across = np.broadcast_to(p[:, None], orbits.shape)[there]
    ax = axes(ax)
    ax.plot(
        across, orbits[there], linestyle="none", marker=".", markersize=1.5, markeredgewidth=0,
        color="black", rasterized=True,
    )  # fmt: skip
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax
