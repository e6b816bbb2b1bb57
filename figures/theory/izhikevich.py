"""Rest and firing of the Izhikevich neuron (`results/theory/izhikevich.zarr`)."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from .. import style
from ._branches import equilibria, equilibria_legend, loss_of_rest
from ._patterns import merged, pattern_map

_CELLS = {"RS": (-65.0, 8.0), "IB": (-55.0, 4.0), "CH": (-50.0, 2.0)}  # Izhikevich (2003)


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: branches of equilibria on top, the maps of patterns below."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 6.0), layout="constrained")
        top, bottom = fig.subfigures(2, 1, height_ratios=[1, 1.45], hspace=0.03)
        _branches(top, dataset)
        _maps(bottom, dataset)
    return fig


def _branches(fig, dataset: xr.Dataset) -> None:
    names = [str(name) for name in dataset["class"].values]
    for ax, name in zip(fig.subplots(1, len(names)), names, strict=True):
        row = dataset.sel({"class": name})
        drive, v = equilibria(ax, row, "class", "current (mV/ms)")
        a, b = float(row.class_a), float(row.class_b)
        ax.set(title=f"{name}: $a$ = {a:g}, $b$ = {b:g}", ylim=(v - 13, v + 13))
        ax.set_xlim(drive - 6, drive + 0.8)
        ax.xaxis.set_major_locator(MultipleLocator(2))
        if name == names[0]:
            ax.set_ylabel("$v$ at rest (mV)")
    equilibria_legend(fig)


def _maps(fig, dataset: xr.Dataset) -> None:
    left, right = fig.subplots(1, 2)
    names = dataset.attrs["patterns"]
    shown = pattern_map(dataset.drive_pattern, names, left)
    lines = loss_of_rest(left, dataset)
    left.set(xlabel="current $I$ (mV/ms)", ylabel="$b$ (1/ms)")
    cell = f"$a$ = {dataset.a:g}, $c$ = ${dataset.drive_c:g}$, $d$ = {dataset.drive_d:g}"
    left.set_title(f"after a step of current: {cell}")
    more = pattern_map(dataset.reset_pattern, names, right)
    for name, (c, d) in _CELLS.items():
        right.plot(c, d, marker="o", color=style.BLACK, markerfacecolor="white")
        right.annotate(name, (c, d), xytext=(4, 4), textcoords="offset points", weight="bold")
    right.set(xlabel="reset of the potential $c$ (mV)", ylabel="jump at a spike $d$ (mV/ms)")
    cell = f"$a$ = {dataset.a:g}, $b$ = {dataset.reset_b:g}, $I$ = {dataset.reset_drive:g}"
    right.set_title(f"over the reset: {cell}")
    fig.legend(handles=merged(shown, more, lines), loc="outside lower center", ncols=6)
