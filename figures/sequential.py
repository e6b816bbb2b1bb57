"""A memory that decides early, beside its rivals (`results/sequential.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.common.statistics import error_bars

from . import style

_SETS = {
    "digits": (200, style.BLUE, "o", "digits"),
    "mnist": (1000, style.RED, "s", "MNIST"),
    "fashion_mnist": (1000, style.ORANGE, "D", "Fashion-MNIST"),
    "sphere": (1000, style.GREEN, "^", "sphere"),
}
_MODELS = {
    "argmax": (style.GREEN, "^", "argmax"),
    "attention": (style.RED, "s", "attention"),
    "entmax 1.5": (style.PURPLE, "v", "entmax"),
    "draws, 1": (style.SKY, "P", "1 draw"),
    "draws, 40": (style.SKY, "*", "40 draws"),
    "partial distance": (style.BLACK, "x", "partial distances"),
    "BanditMIPS": (style.ORANGE, "<", "BanditMIPS"),
    "BanditMIPS, by variance": (style.ORANGE, ">", "the same, by variance"),
    "sequential": (style.BLUE, "o", "decides early, chosen"),
    "sequential, certified": (style.BLUE, "D", "decides early, certified"),
}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: rivals and noise, masks and wrong noise, growth and values."""
    with style.look():
        fig, axes = plt.subplots(3, 2, figsize=(style.WIDTH, 9.0), layout="constrained")
        _rivals(axes[0, 0], dataset)
        _noise(axes[0, 1], dataset)
        _masks(axes[1, 0], dataset)
        _wrong(axes[1, 1], dataset)
        _growth(axes[2, 0], dataset)
        _values(axes[2, 1], dataset)
    return fig


def _noisy(dataset: xr.Dataset, data: str, patterns: int, assumed: float = 1.0) -> xr.Dataset:
    """The cases of noise of a set, by its level."""
    some = (dataset.data == data) & (dataset.patterns == patterns) & (dataset.kind == "Noise")
    own = dataset.isel(case=np.flatnonzero((some & (dataset.assumed == assumed)).values))
    return own.isel(case=np.argsort(own.level.values))


def _main(dataset: xr.Dataset) -> tuple[str, int]:
    """The set whose rivals are shown: MNIST where it is there."""
    for data in ("mnist", *_SETS):
        if _noisy(dataset, data, _SETS[data][0]).sizes["case"]:
            return data, _SETS[data][0]
    return "", 0


def _counts(own: xr.Dataset, model: str) -> tuple[int, int]:
    right = own.right.sel(model=model).values
    return int((right > 0).sum()), int((right >= 0).sum())


def _accuracy(own: xr.Dataset, model: str) -> float:
    right, trials = _counts(own, model)
    return right / trials if trials else float("nan")


def _nano(own: xr.Dataset, model: str, price: str) -> float:
    return float(own.energy.sel(model=model, price=price).mean())


def _rivals(ax: Axes, dataset: xr.Dataset) -> None:
    """Accuracy against energy of all methods, fp32 and int8."""
    data, patterns = _main(dataset)
    if not data:
        return
    own = _noisy(dataset, data, patterns)
    own = own.isel(case=int(np.abs(own.level.values - 1.5).argmin()))
    for price, fill in (("fp32", None), ("int8", "none")):
        x = own.curve_energy.sel(price=price).mean("seed")
        ax.plot(x, own.curve_accuracy.mean("seed"), color=style.BLUE, lw=0.7)
        for model, (colour, marker, label) in _MODELS.items():
            right, trials = _counts(own, model)
            ax.errorbar(
                _nano(own, model, price), right / trials, error_bars([right], [trials]),
                fmt=marker, color=colour, mfc=colour if fill is None else "none", elinewidth=0.7,
                label=label if fill is None else None,
            )  # fmt: skip
    ax.set(xscale="log", xlabel="nJ a query (filled: fp32; hollow: int8)", ylabel="accuracy")
    ax.legend(loc="lower right", fontsize=5.5, ncols=2)
    low = ax.get_ylim()[0]
    ax.set_ylim(low - 0.35 * (ax.get_ylim()[1] - low))
    name = _SETS[data][3]
    ax.set_title(f"a  {patterns:,} of {name}, noise {float(own.level):g}; line: over theta",
                 loc="left")  # fmt: skip


def _noise(ax: Axes, dataset: xr.Dataset) -> None:
    """Energy over argmax's against the noise, with the law."""
    ax.axhspan(1, 4, color="0.92", zorder=0)
    levels, attention = set(), np.array([2.0])
    ax.axhline(1, color="0.5", lw=0.6)
    for data, (patterns, colour, marker, label) in _SETS.items():
        own = _noisy(dataset, data, patterns)
        if not own.sizes["case"]:
            continue
        levels |= set(map(float, own.level.values))
        mean = own.energy.sel(price="fp32").mean("seed")
        base = mean.sel(model="argmax").values
        x = own.level.values
        law = own.law_energy.sel(price="fp32").values / base
        ax.plot(x, law, color=colour)
        for model, fill in (("sequential", colour), ("sequential, certified", "none")):
            y = mean.sel(model=model).values / base
            ax.plot(x, y, marker, color=colour, mfc=fill, label=label if fill != "none" else None)
        attention = mean.sel(model="attention").values / base
    ax.axhline(float(attention[0]), color=style.BLACK, lw=0.6, ls="--")
    ticks = sorted(levels) or [1.0]
    ax.text(ticks[0], float(attention[0]) * 1.06, "attention", fontsize=6)
    ax.text(ticks[0], 1.06, "argmax is cheaper above", fontsize=6)
    ax.set(xscale="log", yscale="log", ylim=(None, 4), xlabel="standard deviation of the noise",
           ylabel="energy over argmax's, fp32")  # fmt: skip
    ax.set_xticks(ticks, [f"{value:g}" for value in ticks])
    ax.set_xticks([], minor=True)
    ax.legend(loc="lower right")
    ax.set_title("b  filled: chosen (line: law); hollow: certified", loc="left")


def _masks(ax: Axes, dataset: xr.Dataset) -> None:
    """Accuracy where a part is missing, known or not."""
    rows = (
        ("known", "sequential", "o-", "decides early, knows"),
        ("unknown", "attention", "s--", "attention, does not"),
        ("unknown", "sequential", "x:", "decides early, does not"),
    )
    for data, (patterns, colour, *_) in _SETS.items():
        some = (dataset.data == data) & (dataset.patterns == patterns) & (dataset.kind == "Mask")
        own = dataset.isel(case=np.flatnonzero(some.values))
        unknown = np.array([str(name).endswith("unknown") for name in own.case.values], bool)
        for kind, model, look, _ in rows:
            part = own.isel(case=np.flatnonzero(unknown == (kind == "unknown")))
            if part.sizes["case"]:
                y = [_accuracy(part.isel(case=k), model) for k in range(part.sizes["case"])]
                ax.plot(part.level, y, look, color=colour)
        known, other = (own.isel(case=np.flatnonzero(unknown == x)) for x in (False, True))
        for k in range(known.sizes["case"] if data == "digits" else 0):
            over = _nano(known.isel(case=k), "sequential", "fp32") / _nano(
                other.isel(case=k), "attention", "fp32"
            )
            ax.annotate(f"{over:.3f}", (float(known.level[k]), 1.02), fontsize=6, ha="center")
    handles = [Line2D([], [], color="0.3", marker=look[0], ls=look[1:], label=label)
               for *_, look, label in rows]  # fmt: skip
    ax.legend(handles=handles, loc="lower left")
    ax.set(xlabel="share of the image that is missing", ylabel="accuracy", ylim=(0, 1.1))
    ax.set_title("c  blue: digits (numbers: energy over attention's); red: MNIST", loc="left",
                 fontsize=7)  # fmt: skip


def _wrong(ax: Axes, dataset: xr.Dataset) -> None:
    """Accuracy less that of argmax, where the assumed noise is wrong."""
    rows = (
        ("sequential", "o", style.BLUE, "known noise, chosen"),
        ("sequential, certified", "D", style.BLUE, "known noise, certified"),
        ("sequential, Student-t", "o", style.PURPLE, "Student-t, chosen"),
        ("sequential, Student-t, certified", "D", style.PURPLE, "Student-t, certified"),
    )
    ax.axhspan(-0.02, 0.02, color="0.92", zorder=0)
    ticks, names = [], []
    for g, (data, patterns, level) in enumerate((("digits", 200, 2.0), ("mnist", 1000, 1.5))):
        for k, assumed in enumerate((0.5, 1.0, 2.0)):
            own = _noisy(dataset, data, patterns, assumed)
            own = own.isel(case=np.flatnonzero(own.level.values == level))
            if not own.sizes["case"]:
                continue
            own = own.isel(case=0)
            place = 4 * g + k
            ticks.append(place)
            names.append(f"{style.IMAGES[data]}\n{assumed:g}")
            for j, (model, marker, colour, _) in enumerate(rows):
                gap = _accuracy(own, model) - _accuracy(own, "argmax")
                ax.plot(place + 0.15 * (j - 1.5), gap, marker, color=colour,
                        mfc=colour if marker == "D" else "none")  # fmt: skip
    ax.set_xticks(ticks, names)
    ax.set(xlabel="assumed noise over the true one", ylabel="accuracy less that of argmax")
    handles = [Line2D([], [], color=colour, marker=marker, ls="", label=label,
                      mfc=colour if marker == "D" else "none")
               for _, marker, colour, label in rows]  # fmt: skip
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(0.0, 0.2), fontsize=6)
    ax.set_title("d  noise wrong by 2 (band: 2 points)", loc="left")


def _growth(ax: Axes, dataset: xr.Dataset) -> None:
    """Multiply-accumulates against P and against N."""
    points, macs = dataset.points.values, dataset.macs.values
    exponents = dataset.exponents.values
    widths, counts = points[:, 1], points[:, 0]
    common_width = np.median(widths)
    common_count = np.median(counts)
    some = widths == common_width
    turn = np.argsort(counts[some])
    ax.plot(counts[some][turn], macs[some][turn], "o-", color=style.GREEN,
            label=f"sphere, over $P$: exponent {exponents[0]:.2f}")  # fmt: skip
    ax.plot(counts[some][turn], common_width * counts[some][turn], "--", color=style.GREEN, lw=0.7)
    some = counts == common_count
    turn = np.argsort(widths[some])
    ax.plot(widths[some][turn], macs[some][turn], "s-", color=style.PURPLE,
            label=f"sphere, over $N$: exponent {exponents[1]:.2f}")  # fmt: skip
    ax.plot(widths[some][turn], common_count * widths[some][turn], "--", color=style.PURPLE, lw=0.7)
    there = (dataset.data == "mnist") & (dataset.kind == "Noise") & (dataset.level == 1.5)
    own = dataset.isel(case=np.flatnonzero((there & (dataset.assumed == 1)).values))
    if own.sizes["case"] > 1:
        own = own.isel(case=np.argsort(own.patterns.values))
        y = own.counts.sel(model="sequential, certified", operation="macs").mean("seed").values
        slope = np.polyfit(np.log(own.patterns.values), np.log(y), 1)[0]
        ax.plot(own.patterns, y, "^-", color=style.RED,
                label=f"MNIST, certified, over $P$: {slope:.2f}")  # fmt: skip
        ax.plot(own.patterns, own.width * own.patterns, "--", color=style.RED, lw=0.7)
    ax.set(xscale="log", yscale="log", xlabel="memories $P$, or entries $N$",
           ylabel="multiply-accumulates a query")  # fmt: skip
    ax.legend(loc="upper left")
    ax.set_ylim(top=30 * ax.get_ylim()[1])
    ax.set_title("e  growth (dashed: argmax, $NP$)", loc="left")


def _values(ax: Axes, dataset: xr.Dataset) -> None:
    """Distance from attention's mean against the energy."""
    looks = (
        ("SANTA", "SANTA", "s", "SANTA, 1 to 64 rows"),
        ("survivors, theta", "survivors, ", "o", "survivors, over theta"),
        ("samples", "samples", "^", "survivors, 1 to 64 rows"),
    )
    for noise, colour in zip(dataset.value_noise.values, (style.BLUE, style.RED), strict=True):
        own = dataset.sel(value_noise=noise).mean("seed")
        energy = own.value_energy.sel(price="fp32")
        names = list(map(str, dataset.mixture.values))
        for key, _, marker, _ in looks:
            some = [k for k, name in enumerate(names) if key in name]
            y = np.maximum(own.value_apart.values[some], 1e-7)
            ax.plot(energy.values[some], y, marker + "-", color=colour, ms=3, lw=0.7)
        ax.axvline(float(energy.sel(mixture="attention")), color=colour, ls="--", lw=0.8)
        ax.plot(energy.sel(mixture="argmax"), own.value_apart.sel(mixture="argmax"), "x",
                color=colour)  # fmt: skip
    handles = [Line2D([], [], color="0.3", marker=marker, ls="-", ms=3, label=label)
               for *_, marker, label in looks]  # fmt: skip
    handles += [Line2D([], [], color="0.3", marker="x", ls="", label="argmax"),
                Line2D([], [], color="0.3", ls="--", label="attention (0)")]  # fmt: skip
    for noise, colour in zip(dataset.value_noise.values, (style.BLUE, style.RED), strict=True):
        handles.append(Line2D([], [], color=colour, label=f"noise {noise:g}"))
    ax.legend(handles=handles, loc="lower left", fontsize=6)
    ax.set(xscale="log", yscale="log", xlabel="nJ a query, fp32",
           ylabel="square distance from the exact mean")  # fmt: skip
    ax.set_title("f  the value of a key: mean over memories", loc="left")
