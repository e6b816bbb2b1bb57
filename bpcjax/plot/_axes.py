"""Axes and legends that figures share, and the one number of a state that they show."""

from collections.abc import Callable
from typing import Any

import jax
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from .._require import instance


def axes(ax: Axes | None) -> Axes:
    """Axes to draw on: `ax` itself, or those of a new figure."""
    if ax is None:
        return plt.subplots(layout="constrained")[1]
    return instance("ax", ax, Axes)


def names_above(ax: Axes, **options: Any) -> None:
    """Legend above the axes, where it covers nothing, in two columns."""
    place: Any = dict(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3)
    ax.legend(**place, ncols=2, handlelength=1.4, columnspacing=1.0, **options)


def doubt(ax: Axes, ok: Any) -> None:
    """Warning across the axes if a result is not `ok`."""
    if not bool(ok):
        ax.text(
            0.5, 0.5, "ok is False", color="black", backgroundcolor="white", ha="center",
            transform=ax.transAxes, zorder=5,
        )  # fmt: skip


def pick(states: Any, y: Callable[[Any], Any] | None, count: int) -> np.ndarray:
    """Numbers [count] that `y` gives of `count` stacked states.

    **Raises:** `ValueError` if that is no number, or, without `y`, if a state is several.
    """
    values = np.asarray(jax.vmap(_only if y is None else y)(states), float)
    if values.shape != (count,):
        raise ValueError(f"y must give one number of a state, got shape {values.shape[1:]}.")
    return values


def _only(state: Any) -> Any:
    leaves = jax.tree.leaves(state)
    if len(leaves) != 1 or np.size(leaves[0]) != 1:
        raise ValueError("y: a state is several numbers. Pass which to draw, as `lambda y: y.v`.")
    return leaves[0].reshape(())
