"""How Lyapunov exponents settle."""

import numpy as np
from matplotlib.axes import Axes

from ..analysis import Lyapunov
from .axes import axes, doubt, names_above

_NAMED = 8  # so many lines have names of their own


def lyapunov(result: Lyapunov, ax: Axes | None = None, *, unit: str = "ms") -> Axes:
    """The running means of the exponents of `analysis.lyapunov` over time (in `unit`), and at the
    end their values with their errors.

    Structural exponents, -inf, are left out. The scale is that of the later half: the first means
    reach beyond it. A result that is not `ok` says so.

    **Raises:** `ValueError` for a batch of results, and where no exponent is finite.
    """
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
    spread = np.nan_to_num(error)  # NaN: not known
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
