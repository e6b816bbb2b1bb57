"""The axes that a picture is drawn on, and names above them."""

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes


def axes(ax: Axes | None) -> Axes:
    """`ax` itself, or the axes of a new figure."""
    return plt.subplots(layout="constrained")[1] if ax is None else ax


def names_above(ax: Axes, **options: Any) -> None:
    """A legend above the axes, where it covers nothing, in two columns."""
    place: Any = dict(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3)
    ax.legend(**place, ncols=2, handlelength=1.4, columnspacing=1.0, **options)


def doubt(ax: Axes, ok: Any) -> None:
    """Say so across the axes if a result is not `ok`."""
    if not bool(ok):
        ax.text(
            0.5, 0.5, "ok is False", color="black", backgroundcolor="white", ha="center",
            transform=ax.transAxes, zorder=5,
        )  # fmt: skip
