"""Rest, firing and the route to chaos of the AdEx neuron (`results/theory/adex.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bpcjax.plot import bifurcation, orbit_diagram

from .. import style
from ._branches import EXACT, as_branch, equilibria, equilibria_legend, loss_of_rest
from ._patterns import merged, pattern_map

_OTHER = EXACT | {"color": style.PURPLE}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: branches of equilibria on top, maps of patterns, then the route to chaos."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 8.8), layout="constrained")
        top, middle, bottom = fig.subfigures(3, 1, height_ratios=[1, 1.35, 1.75], hspace=0.03)
        _branches(top, dataset)
        _maps(middle, dataset)
        _route(bottom, dataset)
    return fig


def _branches(fig, dataset: xr.Dataset) -> None:
    wide, *near = fig.subplots(1, 3)
    equilibria(wide, dataset.isel(wide=0), "wide", "current (pA)")
    wide.set(title="equilibria, $a$ = 4 nS", ylim=(-70, -40), ylabel="$v$ at rest (mV)")
    for ax, name in zip(near, dataset.cell.values, strict=True):
        row = dataset.sel(cell=name)
        drive, v = equilibria(ax, row, "near", "current (pA)")
        ax.set_xlim(drive - 0.4, drive + 0.04)
        ax.set_ylim(v - 0.28, v + 0.28)
        ax.set_title(rf"near the fold, $\tau_w$ = {float(row.cell_tau_w):g} ms")
        ax.ticklabel_format(useOffset=False)
    equilibria_legend(fig)


def _maps(fig, dataset: xr.Dataset) -> None:
    left, right = fig.subplots(1, 2)
    names = dataset.attrs["patterns"]
    shown = pattern_map(dataset.drive_pattern, names, left)
    lines = loss_of_rest(left, dataset)
    left.set(xlabel="current $I$ (pA)", ylabel="adaptation below threshold $a$ (nS)")
    left.set_title(
        rf"after a step: $\tau_w$ = {dataset.drive_tau_w:g} ms, "
        rf"$V_r$ = ${dataset.drive_v_reset:g}$ mV, $b$ = {dataset.drive_b:g} pA"
    )
    more = pattern_map(dataset.reset_pattern, names, right)
    first, last = dataset.reset.values[[0, -1]]
    right.plot([first, last], 2 * [dataset.route_b], color=style.BLACK, linewidth=1.5)
    right.annotate(
        "route below", (first, dataset.route_b), xytext=(0, 3), textcoords="offset points"
    )
    right.set(xlabel="reset of the potential $V_r$ (mV)", ylabel="jump at a spike $b$ (pA)")
    right.set_title(
        rf"over the reset: $I$ = {dataset.reset_I:g} pA, $\tau_w$ = {dataset.reset_tau_w:g} ms, "
        r"$a$ = 4 nS"
    )
    fig.legend(handles=merged(shown, more, lines), loc="outside lower center", ncols=6)


def _route(fig, dataset: xr.Dataset) -> None:
    upper, lower = fig.subplots(2, 1, sharex=True, height_ratios=[1.6, 1])
    reset = dataset.reset.values
    orbit_diagram(reset, dataset.orbit_w.values, upper)
    rows = [dataset.isel(branch=k) for k in range(dataset.sizes["branch"])]
    bifurcation([as_branch(row, "orbits") for row in rows], upper)
    upper.get_legend().remove()
    which = dataset.other_point.values
    upper.plot(rows[0].orbits_p.values[which], dataset.other_w.values, **_OTHER)
    low, high = np.nanmin(dataset.orbit_w.values), np.nanmax(dataset.orbit_w.values)
    upper.set(xlabel="", ylabel="$w$ after a spike (pA)", ylim=(low - 15, high + 15))
    upper.set_title(
        rf"spike map over the reset: $I$ = {dataset.reset_I:g} pA, $b$ = {dataset.route_b:g} pA, "
        rf"$\tau_w$ = {dataset.reset_tau_w:g} ms, $a$ = 4 nS"
    )
    lower.axhline(0, color="0.6", linewidth=0.8)
    lower.plot(reset, dataset.orbit_exponent.values, ".", color=style.BLACK, markersize=2.5)
    for row, colour, period in zip(rows[:2], style.PALETTE[:2], (1, 2), strict=False):
        stable = row.orbits_stable.values
        growth = np.log(row.orbits_largest.values, where=stable, out=np.full(stable.shape, np.nan))
        lower.plot(row.orbits_p.values, growth / period, color=colour)
    stable = rows[0].orbits_stable.values[which]
    slope = np.log(np.abs(dataset.other_slope.values[stable]))
    lower.plot(rows[0].orbits_p.values[which[stable]], slope, **_OTHER)
    lower.set(xlabel="reset of the potential $V_r$ (mV)", ylabel="exponent (per spike)")
    lower.set(xlim=(reset[0], reset[-1]), ylim=(-2.2, 0.8))
    _route_legend(fig, len(rows))


def _route_legend(fig, count: int) -> None:
    names = ["orbit of one spike, by continuation", "of two spikes: one point", "the other point"]
    handles = [Line2D([], [], linestyle="none", marker=".", color=style.BLACK, label="simulated")]
    handles += [
        Line2D([], [], color=style.PALETTE[k], label=name) for k, name in enumerate(names[:count])
    ]
    grey, mark = dict(color="0.3"), dict(linestyle="none", markerfacecolor="white")
    handles += [
        Line2D([], [], label="unstable", linestyle="--", **grey),
        Line2D([], [], label="period doubling", marker="^", **grey, **mark),
        Line2D([], [], label="by another solver", **_OTHER),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=4)
