"""The regimes of Brunel's network, measured and by theory
(`results/theory/balanced_network.zarr`).
"""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from .. import style

_LINES = style.BLUE, style.RED, style.GREEN, style.PURPLE
_WINDOWS = {"SR": 40.0, "SI fast": 60.0}  # ms, of a raster; others 300
_X = "inhibition / excitation"


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: an example of each regime, then curves against theory, then maps."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 9.6), layout="constrained")
        top, middle, bottom = fig.subfigures(3, 1, height_ratios=[3.9, 2.4, 2.1], hspace=0.03)
        size, weight = int(dataset.attrs["neurons"]), dataset.weight
        top.suptitle(
            f"Brunel's network of {size:,} neurons, weights of {weight:.2g} mV. "
            "Colour, dots: measured. Black, lines: theory"
        )
        axs = top.subplots(3, 4, height_ratios=[1.5, 0.7, 1.3])
        for column, name in zip(axs.T, map(str, dataset.example.values), strict=True):
            _example(column, dataset.sel(example=name), name)
        for ax, label in zip(
            axs[:, 0], ("neuron (a sample)", "rate (Hz)", "power / Poisson"), strict=True
        ):
            ax.set_ylabel(label)
        _curves(middle, dataset)
        bottom.suptitle("White line: by theory the asynchronous state is unstable on its left")
        _maps(bottom.subplots(1, 3, sharey=True), dataset)
    return fig


def _example(axs: np.ndarray, one: xr.Dataset, name: str) -> None:
    """Spikes, the activity below them, and its spectrum."""
    raster, below, spectrum = axs
    end = float(one.shown)
    begin = end - _WINDOWS.get(name, float(one.raster))
    raster.plot(
        one.example_spike_time - begin, one.example_spike_row, ".", color=style.BLUE,
        markersize=2.2, markeredgewidth=0,
    )  # fmt: skip
    ratio, drive = float(one.example_ratio), float(one.example_drive)
    raster.set_title(f"{name}\nratio {ratio:g}, drive {drive:g}")
    raster.set(xticklabels=[], yticks=[])
    late = one.example_activity[int(begin) :]
    below.stairs(late, np.arange(late.size + 1), color=style.BLUE, linewidth=0.7)
    below.set(xlabel="time (ms)")
    below.set_ylim(bottom=0)
    for ax in (raster, below):
        ax.set_xlim(0, end - begin)
    known = one.example_spectrum > 0
    spectrum.semilogy(
        one.spectrum_frequency, one.example_spectrum.where(known), color=style.BLUE, linewidth=0.9
    )
    if float(one.example_theory_gain) < 1:
        spectrum.semilogy(one.spectrum_frequency, one.example_theory_spectrum, color=style.BLACK)
    else:
        spectrum.text(
            0.97, 0.04, "by theory unstable", ha="right", transform=spectrum.transAxes, fontsize=7
        )
    spectrum.axhline(1, color="0.6", linewidth=0.6, linestyle=":")
    spectrum.set(xlabel="frequency (Hz)", xlim=(0, 400))


def _curves(fig, dataset: xr.Dataset) -> None:
    """Rate, CV and rhythm over the ratio, for some drives."""
    wanted = [0.9, 1.5, 3.0, 8.0]
    picked = [int(np.argmin(np.abs(np.log(dataset.drive.values / x)))) for x in wanted]
    axs = fig.subplots(2, 3, sharex=True, height_ratios=[2.2, 1])
    labels = ("rate (Hz)", "CV of the intervals", "strongest rhythm (Hz)")
    for k, (name, label) in enumerate(zip(("rate", "cv", "frequency"), labels, strict=True)):
        above, below = axs[:, k]
        for colour, row in zip(_LINES, dict.fromkeys(picked), strict=False):
            one = dataset.isel(drive=row)
            stable = one.theory_gain < 1
            measured, known = one[name], one[f"theory_{name}"].where(stable)
            above.plot(one.ratio, known, color=colour)
            above.plot(
                one.ratio, measured, "o", color=colour, markersize=3,
                label=f"{float(one.drive):.2g}",
            )  # fmt: skip
            off = 100 * (measured / known - 1) if name == "rate" else measured - known
            below.plot(one.ratio, off, "o", color=colour, markersize=3)
        below.axhline(0, color=style.BLACK, linewidth=0.6)
        above.set_ylabel(label)
        unit = {"rate": " (%)", "cv": "", "frequency": " (Hz)"}[name]
        below.set(xlabel=_X, ylabel=f"deviation{unit}")
    axs[0, 0].set_yscale("log")
    axs[0, 1].set_ylim(0, 1)
    axs[0, 2].set_ylim(0, 480)
    axs[0, 2].legend(
        title="drive", loc="upper right", ncols=2, borderpad=0, columnspacing=0.8, handletextpad=0.2
    )


def _maps(axs: np.ndarray, dataset: xr.Dataset) -> None:
    """CV, synchrony and rhythm over ratio and drive, with the line where the state is unstable."""
    many = dataset.synchrony * dataset.attrs["neurons"]
    fast = dataset.frequency
    shown = (
        (dataset.cv, Normalize(0, 1), "CV of the intervals"),
        (many, LogNorm(1, float(many.max())), "synchrony × neurons"),
        (fast, LogNorm(10, 450), "strongest rhythm (Hz)"),
    )
    for ax, (values, norm, label) in zip(axs, shown, strict=True):
        image = ax.pcolormesh(
            dataset.ratio, dataset.drive, np.ma.masked_invalid(values.values), norm=norm,
            cmap="viridis", shading="nearest", rasterized=True,
        )  # fmt: skip
        ax.figure.colorbar(image, ax=ax)
        edge = ax.contour(
            dataset.ratio, dataset.drive, dataset.theory_gain, [1.0], colors="white", linewidths=1.3
        )
        edge.set_path_effects([withStroke(linewidth=2.6, foreground="black")])
        _names(ax, dataset)
        ax.set(xlabel=_X, yscale="log", title=label)
        ax.set_yticks([1, 2, 4, 8], ["1", "2", "4", "8"])
        ax.minorticks_off()
    axs[0].set_ylabel("drive / threshold drive")


def _names(ax: Axes, dataset: xr.Dataset) -> None:
    for name in map(str, dataset.example.values):
        one = dataset.sel(example=name)
        x, y = float(one.example_ratio), float(one.example_drive)
        ax.plot(x, y, "o", color="white", markeredgecolor="black", markersize=4, clip_on=False)
        side = "right" if x > 5 else "left"
        ax.annotate(
            name, (x, y), (-5 if x > 5 else 5, 0), textcoords="offset points", ha=side, va="center",
            fontsize=6.5, color="white",
            bbox={"facecolor": "black", "alpha": 0.45, "pad": 0.8, "linewidth": 0},
        )  # fmt: skip
