"""Three generations of networks (`results/ann_vs_snn.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import panels, style

_COLUMNS = "accuracy (%)", "parameters", "T", "spikes", "SynOps", "MACs", "nJ, fp32", "nJ, int8"
_COLUMNS += "training (s)", "µs an image"


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: the table, learning, accuracy against steps, energy, break-even."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 7.2), layout="constrained")
        top, middle, bottom = fig.subfigures(3, 1, height_ratios=(1, 1.1, 1.2))
        _table(top.subplots(), dataset)
        learning, steps, even = middle.subplots(1, 3)
        _learning(learning, dataset)
        _steps(steps, dataset)
        _even(even, dataset)
        _energy(bottom.subplots(), dataset)
        fig.suptitle(f"{style.IMAGES[dataset.attrs['data']]}: three generations of networks")
    return fig


def _colours(dataset: xr.Dataset) -> dict[str, str]:
    return dict(zip([str(n) for n in dataset.network.values], style.PALETTE, strict=False))


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 or number == 0 else f"{number:.3g}"


def _table(ax: Axes, dataset: xr.Dataset) -> None:
    rows, names = [], [str(name) for name in dataset.network.values]
    for name in names:
        row = dataset.sel(network=name)
        right = 100 * row.accuracy
        text = f"{float(right.mean()):.2f}"
        if right.notnull().sum() > 1:
            text += f" ± {float(right.std(ddof=1)):.2f}"
        joules = [float(row.picojoules.sel(price=p).mean()) / 1e3 for p in ("fp32", "int8")]
        counts = [float(row[key].mean()) for key in ("spikes", "synaptic", "macs")]
        rest = float(row.seconds.mean()), 1e6 * float(row.batch_seconds.mean())
        plain = f"{float(row.parameters.mean()):,.0f}", f"{float(row.steps.mean()):.0f}"
        rows.append([text, *plain, *map(_short, (*counts, *joules, *rest))])
    ax.set_axis_off()
    table = ax.table(rows, rowLabels=names, colLabels=list(_COLUMNS), loc="center", edges="B")
    table.auto_set_font_size(False)
    table.set_fontsize(6)
    table.auto_set_column_width(list(range(len(_COLUMNS))))
    table.scale(1, 1.25)
    for cell in table.get_celld().values():
        cell.set_edgecolor("0.8")
        cell.set_linewidth(0.5)


def _learning(ax: Axes, dataset: xr.Dataset) -> None:
    epochs = np.arange(1, dataset.sizes["epoch"] + 1)
    for name, colour in _colours(dataset).items():
        wrong = 100 * (1 - dataset.test.sel(network=name).mean("seed"))
        ax.plot(epochs, wrong, "o-", color=colour, label=name, markersize=3)
    ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel("test errors (%)")
    ax.set_xticks(epochs[:: max(len(epochs) // 5, 1)])


def _steps(ax: Axes, dataset: xr.Dataset) -> None:
    colours = _colours(dataset)
    fixed = 100 * (1 - dataset.fixed_accuracy)
    ax.plot(dataset.fixed, fixed, "s", color=colours["SNN"], label="trained for this T")
    wrong = 100 * (1 - float(dataset.accuracy.sel(network="MLP").mean()))
    ax.axhline(wrong, color=colours["MLP"], linestyle="--", label="MLP")
    panels.errors_by_step(
        ax, dataset.moment, dataset.by_step, color=colours["SNN, any step"],
        label="trained for any step",
    )  # fmt: skip
    ax.legend()


def _even(ax: Axes, dataset: xr.Dataset) -> None:
    for price, colour in (("fp32", style.BLUE), ("fp16", style.GREEN), ("int8", style.PURPLE)):
        rows = dataset.break_even.sel(price=price)
        label = price if float(rows.max()) > 0 else f"{price}: never"
        ax.plot(dataset.moment, rows, color=colour, label=label)
    sent = dataset.spikes_by_step / dataset.attrs["hidden"]
    ax.plot(dataset.moment, sent, ".-", color=style.BLACK, label="sent")
    top = max(5.2, 1.05 * float(sent.max()))
    ax.set_ylim(0, top)
    ax.set_xlabel("steps T until the answer")
    ax.set_ylabel("spikes a hidden neuron")
    ax.set_title("the MLP's energy is reached at")
    ax.legend()


def _energy(ax: Axes, dataset: xr.Dataset) -> None:
    prices = [str(price) for price in dataset.price.values]
    colours = _colours(dataset)
    width = 0.8 / len(colours)
    for k, (name, colour) in enumerate(colours.items()):
        at = np.arange(len(prices)) + (k - (len(colours) - 1) / 2) * width
        row = dataset.sel(network=name)
        ax.bar(at, row.picojoules.mean("seed") / 1e3, width, color=colour, label=name, alpha=0.5)
        ax.bar(at, row.spared.mean("seed") / 1e3, width, color=colour)
    ax.set_yscale("log")
    ax.set_xticks(range(len(prices)), [p.replace("+", " +\n") for p in prices])
    ax.set_ylabel("nJ an image (dark: zeros spared)")
    ax.legend(ncols=3, loc="upper left", bbox_to_anchor=(0.0, 1.24))
