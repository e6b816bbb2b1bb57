"""The axes that a picture is drawn on."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes


def axes(ax: Axes | None) -> Axes:
    """`ax` itself, or the axes of a new figure."""
    return plt.subplots(layout="constrained")[1] if ax is None else ax
