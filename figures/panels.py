"""Parts that several figures have."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from . import style


def image(ax: Axes, pixels: np.ndarray, title: str = "") -> None:
    """An image in grey, without ticks."""
    ax.imshow(pixels, cmap="gray_r")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(title)


def image_and_raster(
    left: Axes, right: Axes, pixels: np.ndarray, spikes: np.ndarray, end: float
) -> None:
    """A test image beside its spikes [2, n]: times (ms) until the end, and neurons."""
    image(left, pixels, "test image")
    times, neurons = spikes
    right.plot(times, neurons, "|", color=style.RED, markersize=2)
    right.set_xlim(0, end)
    right.set_xlabel("time (ms)")
    right.set_ylabel("hidden neuron")
    right.set_title(f"its {len(times)} spikes")


def table_with_dots(
    ax: Axes,
    names: Sequence[str],
    values: Sequence[np.ndarray],
    texts: Sequence[str],
    *,
    colours: Sequence[str] | str = style.BLUE,
    size: float = 7,
) -> None:
    """A table's rows from above to below: names at the left, of each a dot for each of its values
    and a bar at their mean, texts at the right in letters of this size."""
    colours = [colours] * len(names) if isinstance(colours, str) else colours
    for k, (row, colour) in enumerate(zip(values, colours, strict=True)):
        ax.plot(row, np.full(np.size(row), k), "o", color=colour, mfc="none")
        ax.plot(np.nanmean(row), k, "|", color=style.BLACK, markersize=10)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    right = ax.secondary_yaxis("right")
    right.set_yticks(range(len(names)), texts, fontsize=size)
    right.tick_params(length=0)


def _percent(counts: np.ndarray) -> np.ndarray:
    counts = np.asarray(counts, float)
    return 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def confusion(ax: Axes, counts: np.ndarray) -> None:
    """Confusion matrix of counts [label, answer]: errors in colours, in % of the label."""
    percent = _percent(counts)
    errors = ax.imshow(percent * (1 - np.eye(len(percent))), cmap="cividis")
    _classes(ax, range(0, len(percent), 3))
    ax.set_xlabel("answer")
    plt.colorbar(errors, ax=ax, label="errors (% of the label)", shrink=0.9)


def confusion_in_numbers(ax: Axes, counts: np.ndarray) -> None:
    """Confusion matrix of counts [label, answer]: % of the label, as numbers and, for errors, in
    colours."""
    percent = _percent(counts)
    wrong = np.where(np.eye(len(percent)) > 0, np.nan, percent)
    ax.imshow(wrong, cmap="Reds", vmin=0)
    for i, j in np.argwhere(percent >= 0.5):
        dark = i != j and percent[i, j] > 0.6 * np.nanmax(wrong)
        colour = "white" if dark else style.BLACK
        ax.text(j, i, f"{percent[i, j]:.0f}", ha="center", va="center", fontsize=5, color=colour)
    _classes(ax, range(len(percent)))
    ax.set_xlabel("answer (%)")


def _classes(ax: Axes, ticks: range) -> None:
    ax.set_xticks(ticks)
    ax.set_yticks(ticks)
    ax.set_ylabel("label")


def errors_by_step(ax: Axes, steps: np.ndarray, accuracy: np.ndarray, **look: object) -> None:
    """Test errors (%) of an accuracy after each number of steps."""
    ax.plot(steps, 100 * (1 - accuracy), ".-", **look)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("steps T until the answer")
    ax.set_ylabel("test errors (%)")
