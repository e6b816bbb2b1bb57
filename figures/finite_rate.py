"""Memory at finite rate (`results/finite_rate.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.common.statistics import error_bars

from . import style

_REGIMES = {"holds": "#9CC9E8", "wanders": "#F3C98B", "no memory": "#D9D9D9"}
_MARKERS = "osD^v"


def draw(dataset: xr.Dataset) -> Figure:
    """The phase diagram, survivors, dwells, capacities, the law of the fold, and variants."""
    with style.look():
        fig, axes = plt.subplots(3, 2, figsize=(style.WIDTH, 8.4), layout="constrained")
        fig.suptitle("Memory at finite rate. Symbols: measured (95 % intervals). Lines: theory")
        panels = (_phases, _survivors, _dwells, _capacities, _fold, _variants)
        for ax, panel in zip(axes.ravel(), panels, strict=True):
            panel(ax, dataset)
    return fig


def _main(dataset: xr.Dataset) -> xr.Dataset:
    """The curve of the phase diagram, at its loads."""
    own = dataset.sel(curve=dataset.main)
    return own.isel(step=np.flatnonzero(np.isfinite(own["load"].values)))


def _held(own: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Paths that held for the time asked for, and all, [rate, step]."""
    lost = own.lost.sum(("set", "copy")).values
    trials = own.lost.notnull().sum(("set", "copy")).values
    return (trials - lost).astype(int), trials


def _rates(dataset: xr.Dataset) -> np.ndarray:
    """R tau, with a place for the flow beyond the last."""
    rates = dataset.rate.values.copy()
    rates[-1] = 4 * rates[-2]
    return rates


def _ticks(ax: Axes, rates: np.ndarray, *, upright: bool = False) -> None:
    """Ticks of the rates, the last one infinite."""
    some = [*rates[:-1][:: 2 if len(rates) > 6 else 1], rates[-1]]
    labels = [*(f"{x:g}" for x in some[:-1]), r"$\infty$"]
    set_ticks = ax.set_yticks if upright else ax.set_xticks
    set_ticks(some, labels)
    set_ticks([], minor=True)


def _ticks_of(ax: Axes, values: np.ndarray) -> None:
    """Ticks at these values of a logarithmic axis, and no others."""
    ax.set_xticks(values, [f"{x:g}" for x in values])
    ax.set_xticks([], minor=True)


def _edges(x: np.ndarray) -> np.ndarray:
    """The borders of the cells around the points `x`, on a logarithmic axis."""
    log = np.log(x)
    inner = 0.5 * (log[1:] + log[:-1])
    return np.exp([2 * log[0] - inner[0], *inner, 2 * log[-1] - inner[-1]])


def _phases(ax: Axes, dataset: xr.Dataset) -> None:
    own, rates = _main(dataset), _rates(dataset)
    held, trials = _held(own)
    share, level = held / np.maximum(trials, 1), np.exp(-1)
    regime = np.where(share >= level, 0, np.where(share[-1:] >= level, 1, 2))
    colours = ListedColormap(list(_REGIMES.values()))
    ax.pcolormesh(
        _edges(own["load"].values), _edges(rates), regime, cmap=colours,
        norm=BoundaryNorm(np.arange(4) - 0.5, 3), edgecolors="white", linewidth=0.3,
        rasterized=True,
    )  # fmt: skip
    ax.plot(np.exp(own.line.isel(lifetime=-1)), own.fine_rate, color=style.RED)
    ax.plot(np.full(2, np.exp(own.law[-1, -1, 0])), [rates[0], rates[-1]], "--", color=style.BLACK)
    ax.set(xscale="log", yscale="log", xlabel="patterns $P$", ylabel=r"$R\tau$")
    _ticks_of(ax, own["load"].values[::2])
    _ticks(ax, rates, upright=True)
    handles = [Patch(color=colour, label=name) for name, colour in _REGIMES.items()]
    handles += [
        plt.Line2D([], [], color=style.RED, label="law of escape"),
        plt.Line2D([], [], color=style.BLACK, ls="--", label="flow"),
    ]
    ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=5, fontsize=6,
        columnspacing=0.8, handlelength=1.2, handletextpad=0.4, borderaxespad=0.2,
    )  # fmt: skip
    title = _named(dataset.main, f"a  held for {dataset.time:g} $\\tau$,")
    ax.set_title(title, loc="left", pad=16)


def _named(label: str, before: str = "") -> str:
    size, beta = label.replace("beta", r"\beta").split(", ")
    return f"{before} ${size}$, ${beta}$".strip()


def _chosen(dataset: xr.Dataset) -> list[int]:
    """A few of the rates, the flow the last."""
    count = dataset.sizes["rate"]
    return sorted({0, *range(2, count - 1, 2), count - 1})


def _survivors(ax: Axes, dataset: xr.Dataset) -> None:
    own = _main(dataset)
    held, trials = _held(own)
    loads, chosen = own["load"].values, _chosen(dataset)
    for k, r in enumerate(chosen):
        rate = float(own.rate[r])
        colour = style.BLACK if np.isinf(rate) else style.PALETTE[k]
        x = loads * 1.012 ** (k - len(chosen) / 2)  # side by side
        ax.errorbar(
            x, held[r] / trials[r], error_bars(held[r], trials[r]), fmt=_MARKERS[k % 5], ms=3,
            color=colour, capsize=1.2, lw=0.7, label=r"$\infty$" if np.isinf(rate) else f"{rate:g}",
        )  # fmt: skip
        escape = own.escape.values[r]
        law = escape >= dataset.time if np.isinf(rate) else np.exp(-dataset.time / escape)
        ax.plot(loads, law.mean(axis=-1), color=colour)
    ax.axhline(np.exp(-1), color="0.7", lw=0.6, zorder=0)
    ax.set(
        xscale="log", xlabel="patterns $P$", ylabel=f"memories held for {dataset.time:g} $\\tau$"
    )
    _ticks_of(ax, loads[::2])
    ax.legend(title=r"$R\tau$", loc="lower left", title_fontsize=7)
    ax.set_title("b  survivors (grey: 1 / e)", loc="left")


def _dwells(ax: Axes, dataset: xr.Dataset) -> None:
    own = _main(dataset)
    rates = own.rate.values[:-1]
    steps = np.unique(np.linspace(0, own.sizes["step"] - 1, 5).astype(int))
    for k, step in enumerate(steps):
        one = own.isel(step=step, rate=slice(0, -1))
        mean, colour = one.dwell_mean.values, style.PALETTE[k]
        bars = np.abs([mean - one.dwell_short.values, one.dwell_long.values - mean])
        some = np.isfinite(mean)
        x = rates * 1.03 ** (k - 2)
        ax.errorbar(
            x[some], mean[some], bars[:, some], fmt=_MARKERS[k], color=colour, capsize=1.2, lw=0.7,
            ms=3, label=f"{int(one['load'])}",
        )  # fmt: skip
        ax.plot(x[~some], one.dwell_short.values[~some], "^", color=colour, ms=4, mfc="none")
        law = one.dwell_law.values
        ax.plot(rates, np.where(law < 30 * dataset.time, law, np.nan), color=colour)
    ax.axhline(dataset.time, color="0.7", lw=0.6, zorder=0)
    ax.set(xscale="log", yscale="log", xlabel=r"$R\tau$", ylabel=r"mean dwell / $\tau$")
    ax.set_ylim(None, 600 * dataset.time)
    _ticks_of(ax, rates)
    ax.legend(title="$P$", loc="upper left", ncols=len(steps), columnspacing=0.8,
              handletextpad=0.2, title_fontsize=7)  # fmt: skip
    ax.set_title("c  dwell (open: lower bound, none was lost)", loc="left")


def _bars(values: np.ndarray) -> np.ndarray:
    """How far resampled values [point, 1 + resampled] reach down and up."""
    low, high = np.nanpercentile(values[:, 1:], [2.5, 97.5], axis=1)
    return np.maximum([values[:, 0] - low, high - values[:, 0]], 0)


def _capacities(ax: Axes, dataset: xr.Dataset) -> None:
    rates = _rates(dataset)
    near = np.geomspace(dataset.near, rates[-2], 30)
    for k, name in enumerate(dataset.curve.values):
        own, colour = dataset.sel(curve=name), style.PALETTE[k]
        values = own.measured.isel(lifetime=-1).values
        some = np.isfinite(values).mean(axis=1) > 0.9
        ax.errorbar(
            rates[some], np.exp(values[some, 0]), _bars(np.exp(values[some])), fmt=_MARKERS[k],
            color=colour, ms=3.5, capsize=1.5, lw=0.7, label=_named(name),
        )  # fmt: skip
        ax.plot(own.fine_rate, np.exp(own.line.isel(lifetime=-1)), color=colour)
        scale = float(own.scale.isel(rate=0) * own.rate[0])  # 1 / C
        within = near <= float(own.fine_rate[-1]) * 1.001
        fit = own.flow_measured.item() - (dataset.log_time_measured * scale / near) ** (2 / 3)
        ax.plot(near[within], np.exp(fit)[within], ":", color=colour, lw=1.4)
    ax.set(xscale="log", yscale="log", xlabel=r"$R\tau$", ylabel="capacity $P$")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * 6)
    _ticks(ax, rates)
    ax.legend(loc="upper left", ncols=2, fontsize=6, columnspacing=0.8, handletextpad=0.2)
    ax.set_title(f"d  capacity for {dataset.time:g} $\\tau$ (dotted: fitted)", loc="left")


def _fold(ax: Axes, dataset: xr.Dataset) -> None:
    for k, name in enumerate(dataset.curve.values):
        own, colour = dataset.sel(curve=name).isel(lifetime=-1), style.PALETTE[k]
        x = own.scale.values[:-1]
        for kind in ("law", "measured"):
            values = own[kind].values
            values = values[-1:] - values[:-1]
            some = (np.isfinite(values).mean(axis=1) > 0.9) & (values[:, 0] > 0)
            if kind == "law":
                ax.plot(x[some], values[some, 0], color=colour, lw=0.8)
            else:
                ax.errorbar(
                    x[some], values[some, 0], _bars(values[some]), fmt=_MARKERS[k], color=colour,
                    ms=3.5, capsize=1.2, lw=0.7,
                )  # fmt: skip
    ends = np.array(ax.get_xlim())
    x = np.geomspace(max(ends[0], 0.5 * np.nanmin(dataset.scale.values[:, :-1])), ends[1], 20)
    ax.plot(x, (dataset.log_time_measured * x) ** (2 / 3), ":", color=style.BLACK, lw=1.4,
            label=f"power 2/3, fitted: $l$ = {dataset.log_time_measured:.2f}")  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel=r"$1 / (C R\tau)$",
           ylabel=r"$\ln P(\infty) - \ln P(R)$")  # fmt: skip
    ax.legend(loc="upper left")
    ax.set_title("e  shortfall near the end of the flow's memories", loc="left")


def _variants(ax: Axes, dataset: xr.Dataset) -> None:
    kinds, rates = dataset.variant_kind.values, dataset.variant_rate.values
    values = dataset.variant_value.values
    measured, law = dataset.variant_measured.values, dataset.variant_law.values
    words = {"refractory": "refractory {:g}$/R$", "delay": r"delay {:g} $\tau$",
             "circuit": "LIF, gain {:g}"}  # fmt: skip
    rows = {}
    for v, (kind, rate, value) in enumerate(zip(kinds, rates, values, strict=True)):
        ideal = np.flatnonzero((kinds == "refractory") & (rates == rate) & (values == 0))[0]
        if v == ideal:
            continue
        y = rows.setdefault((kind, value), len(rows))
        k = int(np.flatnonzero(np.unique(rates) == rate)[0])
        colour, place = (style.BLUE, style.RED)[k % 2], y + 0.24 * (k - 0.5)
        ratio = np.exp(measured[v] - measured[ideal])
        ax.errorbar(
            ratio[0], place, xerr=_bars(ratio[None]), fmt=_MARKERS[k], color=colour, capsize=1.5,
            lw=0.7,
        )  # fmt: skip
        if kind == "refractory":
            ax.plot(np.exp(law[v, 0] - law[ideal, 0]), place, "|", color=colour, ms=9)
    ax.axvline(1, color="0.7", lw=0.6, zorder=0)
    ax.set_yticks(range(len(rows)), [words[kind].format(value) for kind, value in rows])
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel=f"capacity over ideal ({dataset.variant_time:g} $\\tau$)")
    _ticks_of(ax, np.array([0.5, 0.7, 1.0, 1.4]))
    handles = [
        plt.Line2D([], [], color=(style.BLUE, style.RED)[k % 2], marker=_MARKERS[k], ls="",
                   label=rf"$R\tau$ = {rate:g}")
        for k, rate in enumerate(np.unique(rates))
    ]  # fmt: skip
    handles.append(plt.Line2D([], [], color="0.3", marker="|", ms=9, ls="", label="law"))
    ax.legend(handles=handles, loc="best", fontsize=6)
    ax.set_title(_named(dataset.ideal, "f "), loc="left")
