"""Two variables of a system against each other: its flow, its nullclines, its paths."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes

from ..system import AbstractSystem
from .axes import axes


class Field(NamedTuple):
    """The rates `dx` and `dy` [y, x] of two variables on a grid of them, and their names."""

    x: np.ndarray
    y: np.ndarray
    dx: np.ndarray
    dy: np.ndarray
    names: tuple[str, str]


def field(
    system: AbstractSystem,
    like: Any,
    args: Any = None,
    *,
    grid: int = 201,
    t: float = 0.0,
    **ranges: tuple[float | int, float | int],
) -> Field:
    """The vector field of `system` on a grid over two leaves of its state, the first of them
    across: `field(neuron, neuron.rest(), 500.0, v=(-80.0, -40.0), w=(0.0, 400.0))`.

    The other leaves are those of `like`, the state (a NamedTuple) of one neuron.

    **Raises:** `ValueError` for ranges that are not two, of unknown names, or empty.
    """
    names = tuple(ranges)
    if len(names) != 2 or not set(names) <= set(like._fields):
        raise ValueError(f"ranges: give two of the variables {like._fields}, got {names}.")
    for name, (low, high) in ranges.items():
        if not (np.isfinite([low, high]).all() and low < high):
            raise ValueError(f"{name}: the range must be finite and rise, got {(low, high)}.")
    x, y = (jnp.linspace(*ranges[name], grid) for name in names)

    def rates(x, y):
        rate = system.vector_field(t, like._replace(**dict(zip(names, (x, y), strict=True))), args)
        return getattr(rate, names[0]), getattr(rate, names[1])

    dx, dy = jax.jit(jax.vmap(jax.vmap(rates, (0, None)), (None, 0)))(x, y)
    across, up, right, rise = map(np.asarray, (x, y, dx, dy))
    return Field(across, up, right, rise, (names[0], names[1]))


def phase_plane(
    field: Field,
    ax: Axes | None = None,
    paths: Mapping[str, ArrayLike] | None = None,
    *,
    units: tuple[str, str] = ("mV", "pA"),
    arrows: int = 15,
) -> Axes:
    """The nullclines of `field`, its directions as `arrows` by `arrows` small arrows, and `paths`
    [times, 2] by name, over the ranges of the field; `units` are those of the two axes.

    A nullcline is the zero contour of the rates. Arrows have one length: they show where to, not
    how fast. Rows of NaN break a path, at a reset say.

    **Raises:** `ValueError` naming the argument: a path that is not [times, 2], rates that are
    nowhere finite.
    """
    paths = {name: np.asarray(path, float) for name, path in (paths or {}).items()}
    for name, path in paths.items():
        if path.ndim != 2 or path.shape[1] != 2:
            raise ValueError(f"paths: {name} must have shape (times, 2), got {path.shape}.")
    rates = [np.ma.masked_invalid(rate) for rate in (field.dx, field.dy)]
    if any(rate.mask.all() for rate in rates):
        raise ValueError("field is finite nowhere. Check the ranges and the parameters.")
    ax = axes(ax)
    for name, rate, style in zip(field.names, rates, ("--", ":"), strict=True):
        if rate.min() < 0 < rate.max():
            ax.contour(field.x, field.y, rate, [0.0], colors="black", linestyles=style)
        ax.plot([], [], color="black", linestyle=style, label=f"d{name}/dt = 0")
    if arrows:
        _arrows(field, ax, arrows)
    for name, path in paths.items():
        ax.plot(*path.T, label=name)
    ax.set(xlim=(field.x[0], field.x[-1]), ylim=(field.y[0], field.y[-1]))
    ax.set(xlabel=f"{field.names[0]} ({units[0]})", ylabel=f"{field.names[1]} ({units[1]})")
    ax.legend()
    return ax


def _arrows(field: Field, ax: Axes, count: int) -> None:
    """Directions as they look on the axes, whose two scales differ."""
    rows, columns = (
        np.unique(np.linspace(0, len(values) - 1, count + 2).astype(int)[1:-1])
        for values in (field.y, field.x)
    )
    at = np.ix_(rows, columns)
    dx = field.dx[at] / (field.x[-1] - field.x[0])
    dy = field.dy[at] / (field.y[-1] - field.y[0])
    length = np.hypot(dx, dy)
    length = np.where(length > 0, length, 1.0)
    ax.quiver(
        field.x[columns], field.y[rows], dx / length, dy / length, color="0.75", pivot="mid",
        angles="uv", scale=1.6 * count, width=0.003, zorder=0,
    )  # fmt: skip
