"""Recall of patterns of spikes in space and time (`results/spatiotemporal.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.common.statistics import error_bars

from . import style

_DAMAGE = {  # of the strength: label, scale
    "jitter": ("jitter (% of window)", 100),
    "deletion": ("share deleted", 1),
    "insertion": ("further spikes a unit", 1),
    "warp": ("warp of time (%)", 100),
}
_COLOURS = style.BLUE, style.RED, style.GREEN, style.PURPLE, style.ORANGE


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: damage, numbers of patterns, sequences, and one pattern replayed."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 7.6), layout="constrained")
        fig.suptitle("Patterns in space and time. Symbols: measured (95 %). Lines: theory")
        axes = fig.subplot_mosaic(
            [["d0", "d1", "d2", "d3"], ["a", "a", "n", "n"], ["s", "s", "c", "c"],
             ["r0", "r1", "r1", "r2"]],
            height_ratios=[1, 1.1, 1.1, 1.15],
        )  # fmt: skip
        for k, kind in enumerate(_DAMAGE):
            _damage(axes[f"d{k}"], dataset, kind)
        axes["d0"].set_ylabel("share of trials")
        axes["d0"].set_title(f"a  {int(dataset.units_damaged)} units, damaged", loc="left")
        axes["d0"].legend(loc="upper left", fontsize=6, borderaxespad=0, handletextpad=0.1)
        _alarms(axes["a"], dataset)
        _number(axes["n"], dataset)
        _sequences(axes["s"], dataset)
        _cycles(axes["c"], dataset)
        _input(axes["r0"], dataset)
        _counts(axes["r1"], dataset)
        _replayed(axes["r2"], dataset)
    return fig


def _points(ax: Axes, x, counts, trials, colour, marker, **options) -> None:
    bars = error_bars(counts, trials)
    share = np.asarray(counts) / trials
    ax.errorbar(x, share, bars, fmt=marker, color=colour, ms=3, lw=0.7, capsize=1.5, **options)


def _damage(ax: Axes, dataset: xr.Dataset, kind: str) -> None:
    label, scale = _DAMAGE[kind]
    one = dataset.sel(damage=kind)
    x = one.strength.values * scale
    trials, recalls = dataset.attrs["trials"], dataset.attrs["recalls"]
    _points(ax, x, one.missed.values, trials, style.BLUE, "o", label="detector misses")
    ax.plot(x, one.miss_law, color=style.BLUE)
    _points(ax, x, one.alarms.values, trials, style.RED, "s", label=f"false, {dataset.alarm} units")
    ax.plot(x, one.alarm_law, color=style.RED)
    wrong = recalls - one.named.values
    _points(ax, x, wrong, recalls, style.BLACK, "v", label="delay-lifted, wrong")
    ax.plot(x, wrong / recalls, color=style.BLACK, lw=0.5, ls=":")
    ax.set(xlabel=label, ylim=(-0.04, 1.04))


def _alarms(ax: Axes, dataset: xr.Dataset) -> None:
    for k, (n, colour) in enumerate(zip(dataset["size"].values, _COLOURS, strict=False)):
        one = dataset.isel(size=k)
        mean, alarmed = (float(one[name] / one.searched) for name in ("rises", "alarmed"))
        error = 1.96 * np.sqrt(float(one.rises)) / float(one.searched)
        ax.errorbar(n - 0.4, mean, error, fmt="o", color=colour, ms=4, capsize=2)
        ax.plot(n + 0.4, alarmed, "^", color=colour, ms=4)
        ax.plot([n - 2.5, n + 1.6], [one.crossings] * 2, color="k", lw=1)
        ax.plot([n - 1.6, n + 2.5], [-np.expm1(-one.clumps)] * 2, color="0.5", lw=1, ls="--")
    ax.plot([], [], "o", color="0.4", label="false alarms in a window, mean")
    ax.plot([], [], "k", label="exact")
    ax.plot([], [], "^", color="0.4", label="share of memories alarmed")
    ax.plot([], [], color="0.5", ls="--", label="in clumps (estimate)")
    ax.set(yscale="log", ylim=(3e-5, 0.9), ylabel="of one memory")
    ax.set_xlabel("units, 40 % of which have to coincide")
    ax.set_xticks(dataset["size"].values)
    ax.legend(loc="upper right", borderaxespad=0)
    ax.set_title("b  false alarms at any shift", loc="left")


def _number(ax: Axes, dataset: xr.Dataset) -> None:
    shown = dataset.attrs["shown"]
    for k, (n, colour) in enumerate(zip(dataset["size"].values, _COLOURS, strict=False)):
        one = dataset.isel(size=k)
        some = np.isfinite(one.stored.values)
        x, right = one.stored.values[some], one.right.values[some]
        _points(ax, x, right, shown, colour, "o", label=f"{n} units")
        ax.plot(x, one.recall_law.values[some], color=colour)
        ax.axvline(1 / float(one.crossings), color=colour, lw=0.6, ls=":")
    ax.set(xscale="log", xlabel="patterns stored", ylabel="right one, and it alone")
    ax.legend(loc="lower left")
    ax.set_title("c  how many (dotted: one false alarm a window)", loc="left")


def _sequences(ax: Axes, dataset: xr.Dataset) -> None:
    markers = {1: "o", 2: "s"}
    for k in np.flatnonzero(~dataset.whole.values):
        one, colour = dataset.isel(chain=k), (*_COLOURS, style.SKY)[k]
        order = int(one.order)
        x = one.length / one.chain_law
        label = f"$m^{order}$, {int(one.units)} units"
        some = one.wrong.values > 0
        ax.errorbar(
            x[some], one.wrong[some], np.minimum(1.96 * one.wrong_error, 0.999 * one.wrong)[some],
            fmt=markers[order], color=colour, ms=3, lw=0.7, capsize=1.5, label=label,
        )  # fmt: skip
        ax.plot(x, one.unit_law, color=colour)
        ax.plot(x, one.unit_normal, color=colour, lw=0.6, ls="--")
    ax.set(yscale="log", xscale="log", ylabel="wrong units of a transition")
    ax.set_xlabel("patterns over Chaudhry's law for transitions")
    ax.set_xticks([0.5, 1, 2], ["0.5", "1", "2"])
    ax.set_xticks([], minor=True)
    ax.legend(loc="lower right", borderaxespad=0, handletextpad=0.1)
    ax.set(xlim=(0.55, 5.5), ylim=(3e-6, 0.1))
    ax.set_title("d  sequences (dashed: normal crosstalk)", loc="left")


def _cycles(ax: Axes, dataset: xr.Dataset) -> None:
    looks = {"symmetric": style.BLUE, "unsymmetric": style.RED}
    for name, colour in looks.items():
        value = dataset[name]
        ax.plot(value.T[:, :6], color=colour, lw=0.7)
        rise = float(value.diff("time").max())
        words = "never rises" if rise < 1e-9 else f"rises by up to {rise:.0f}"
        ax.plot([], [], color=colour, label=f"{name} delays: {words}")
    ax.set(xlabel="time step", ylabel="functional $H$")
    ax.legend(loc="upper right")
    ax.set_title("e  cycles held by delays, from noise", loc="left")


def _dots(ax: Axes, times, **options) -> None:
    times = np.asarray(times).reshape(len(times), -1)
    unit = np.broadcast_to(np.arange(len(times))[:, None], times.shape)
    ax.scatter(times, unit, **options)


def _input(ax: Axes, dataset: xr.Dataset) -> None:
    _dots(ax, dataset.replay_input.values, s=7, color=style.BLACK)
    ax.set(xlabel="time (windows)", ylabel="unit", xlim=(0, 1))
    ax.set_title("f  input", loc="left")


def _counts(ax: Axes, dataset: xr.Dataset) -> None:
    counts = dataset.replay_counts.values
    best = int(np.argmax(counts.max(axis=1)))
    for k, one in enumerate(counts):
        width, colour = (1.2, style.RED) if k == best else (0.5, "0.6")
        ax.plot(dataset.replay_at, one, color=colour, lw=width, zorder=2 + (k == best))
    ax.set(xlabel="time of the detector, shift of the replay (windows)", ylabel="units together")
    other = ax.twinx()
    good = dataset.replay_spike_memory.values == best
    for mask, colour in ((good, style.BLUE), (~good, style.ORANGE)):
        other.plot(
            dataset.replay_spike_shift.values[mask], dataset.replay_spike_times.values[mask], ".",
            color=colour, ms=4,
        )  # fmt: skip
    other.spines["right"].set_visible(True)
    other.set_ylabel("memory spikes at time ($\\tau$)", color=style.BLUE)
    ax.set_title("g  detectors (lines); spikes of the memory (dots)", loc="left")


def _replayed(ax: Axes, dataset: xr.Dataset) -> None:
    recalled = dataset.replay_recalled.values
    ax.imshow(recalled, extent=(0, 1, -0.5, len(recalled) - 0.5), aspect="auto", origin="lower",
              cmap="Blues")  # fmt: skip
    match = dataset.replay_match.values
    stored = dataset.replay_stored.values[int(match[0])]
    steps = recalled.shape[1]
    due = (stored + match[1] / steps) % 1.0
    _dots(ax, due, s=10, facecolors="none", edgecolors=style.RED, linewidths=0.7)
    ax.set(xlabel="time; rings: stored", xlim=(0, 1))
    ax.set_title("h  replayed", loc="left")
