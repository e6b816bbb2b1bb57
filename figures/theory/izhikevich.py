"""Rest and firing of the Izhikevich neuron (`results/theory/izhikevich.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator

from bpcjax.plot import bifurcation
from theory.closed_forms import folds
from theory.regimes.diagram import as_branch

from .. import style
from ._patterns import merged, pattern_map

NAME = "theory/izhikevich"
COMMAND = "python -m theory.regimes.izhikevich"
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
        here = dataset.sel({"class": name})
        a, b = float(here.class_a), float(here.class_b)
        fold, hopf = folds.izhikevich_fold(b), folds.izhikevich_hopf(a, b)
        bifurcation(as_branch(here, "class"), ax, xlabel="current (mV/ms)", ylabel="")
        for point in (fold, hopf):
            ax.plot(point.drive, point.v, marker="x", color=style.RED, zorder=4)
        ax.get_legend().remove()
        ax.set(title=f"{name}: $a$ = {a:g}, $b$ = {b:g}", ylim=(fold.v - 13, fold.v + 13))
        ax.set_xlim(float(fold.drive) - 6, float(fold.drive) + 0.8)
        ax.xaxis.set_major_locator(MultipleLocator(2))
        if name == names[0]:
            ax.set_ylabel("$v$ at rest (mV)")
    line, mark = dict(color=style.BLUE), dict(linestyle="none", markerfacecolor="white")
    handles = [
        Line2D([], [], label="stable", **line),
        Line2D([], [], label="unstable", linestyle="--", **line),
        Line2D([], [], label="Hopf point, followed", marker="o", **line, **mark),
        Line2D([], [], label="fold, followed", marker="s", **line, **mark),
        Line2D([], [], label="closed forms", marker="x", color=style.RED, linestyle="none"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _maps(fig, dataset: xr.Dataset) -> None:
    left, right = fig.subplots(1, 2)
    names = dataset.attrs["patterns"]
    shown = pattern_map(dataset.drive_pattern, names, left)
    lines = _lost(left, dataset)
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


def _lost(ax: Axes, dataset: xr.Dataset) -> list[Line2D]:
    """Where rest is lost: closed forms as lines, points that were followed as marks."""
    b = np.linspace(dataset.b.min().item(), dataset.b.max().item(), 400)
    fold, hopf = folds.izhikevich_fold(b), folds.izhikevich_hopf(dataset.a, b)
    lines = ax.plot(fold.drive, b, color=style.BLACK, label="fold, closed form")
    lines += ax.plot(hopf.drive, b, color=style.PURPLE, label="Hopf, closed form", linestyle="--")
    for kind, marker, colour, name in (
        ("FOLD", "s", style.BLACK, "fold"),
        ("HOPF", "o", style.PURPLE, "Hopf"),
    ):
        where = dataset.line_kind.values == kind
        drive = dataset.line_special_p.values[where]
        at = np.broadcast_to(dataset.line.values[:, None], where.shape)[where]
        lines += ax.plot(
            drive, at, linestyle="none", marker=marker, color=colour, markerfacecolor="white",
            label=f"{name}, followed", clip_on=False,
        )  # fmt: skip
    ax.set_xlim(dataset.I.min().item(), dataset.I.max().item())
    return lines
