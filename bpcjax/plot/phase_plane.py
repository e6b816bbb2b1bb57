"""Phase plane: two variables of a system, its flow, its nullclines, its paths."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes

from .._require import count, instance, plain
from ..analysis import Field
from ._axes import axes


def phase_plane(
    field: Field,
    ax: Axes | None = None,
    paths: Mapping[str, ArrayLike] | None = None,
    *,
    units: tuple[str, str] = ("mV", "pA"),
    arrows: int = 15,
) -> Axes:
    """Phase plane: the nullclines of `field`, its directions as `arrows` by `arrows` small arrows,
    and `paths` [times, 2] by name, over the ranges of the field; `units` are those of the two axes.

    A nullcline is the zero contour of the rates. Arrows have one length: they show where to, not
    how fast. Rows of NaN break a path, at a reset say.

    **Raises:** `ValueError` naming the argument: a path that is not [times, 2], rates that are
    nowhere finite.
    """
    instance("field", field, Field)
    arrows = count("arrows", arrows, 1, 10**3)
    paths = {name: plain("paths", path) for name, path in (paths or {}).items()}
    for name, path in paths.items():
        if path.ndim != 2 or path.shape[1] != 2:
            raise ValueError(f"paths: {name} must have shape (times, 2), got {path.shape}.")
    x, y, dx, dy = map(np.asarray, (field.x, field.y, field.dx, field.dy))
    rates = [np.ma.masked_invalid(rate) for rate in (dx, dy)]
    if any(rate.mask.all() for rate in rates):
        raise ValueError("field is finite nowhere. Check the ranges and the parameters.")
    ax = axes(ax)
    for name, rate, style in zip(field.names, rates, ("--", ":"), strict=True):
        if rate.min() < 0 < rate.max():
            ax.contour(x, y, rate, [0.0], colors="black", linestyles=style)
        ax.plot([], [], color="black", linestyle=style, label=f"d{name}/dt = 0")
    if arrows:
        _arrows(x, y, dx, dy, ax, arrows)
    for name, path in paths.items():
        ax.plot(*path.T, label=name)
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    ax.set(xlabel=f"{field.names[0]} ({units[0]})", ylabel=f"{field.names[1]} ({units[1]})")
    ax.legend()
    return ax


def _arrows(
    x: np.ndarray, y: np.ndarray, dx: np.ndarray, dy: np.ndarray, ax: Axes, count: int
) -> None:
    """Directions as they look on the axes, whose two scales differ."""
    rows, columns = (
        np.unique(np.linspace(0, len(values) - 1, count + 2).astype(int)[1:-1]) for values in (y, x)
    )
    at = np.ix_(rows, columns)
    right, rise = dx[at] / (x[-1] - x[0]), dy[at] / (y[-1] - y[0])
    length = np.hypot(right, rise)
    length = np.where(length > 0, length, 1.0)
    ax.quiver(
        x[columns], y[rows], right / length, rise / length, color="0.75", pivot="mid",
        angles="uv", scale=1.6 * count, width=0.003, zorder=0,
    )  # fmt: skip
