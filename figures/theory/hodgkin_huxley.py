"""How the squid axon begins and ends to fire (`results/theory/hodgkin_huxley.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import style

_UNIT = r"current $I$ ($\mu$A/cm$^2$)"


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: all branches, the fold of cycles, rates and their hysteresis."""
    with style.look():
        fig, axs = plt.subplots(1, 3, figsize=(style.WIDTH, 2.9), layout="constrained")
        _branches(axs[0], dataset)
        axs[0].set_title("rests and cycles")
        _branches(axs[1], dataset)
        axs[1].set(xlim=(5.8, 10.5), title="the fold of cycles", ylabel="")
        axs[1].axvline(float(dataset.exact_fold_I[0]), color="0.6", linestyle=":", linewidth=0.8)
        _rates(axs[2], dataset)
        handles, labels = axs[0].get_legend_handles_labels()
        more, names = axs[2].get_legend_handles_labels()
        fig.legend(
            handles + more, labels + names, loc="outside lower center", ncols=4, columnspacing=1.5
        )
    return fig


def _split(stable: np.ndarray, values: np.ndarray, want: bool, join: bool) -> np.ndarray:
    """The values where the branch is of this kind, joined to stable neighbours at a fold; else
    NaN.
    """
    near = stable == want
    if not want and join:
        near[1:] |= ~stable[:-1]
        near[:-1] |= ~stable[1:]
    return np.where(near, values, np.nan)


def _branches(ax: Axes, dataset: xr.Dataset) -> None:
    for family, variables, colour, label in (
        ("rest", ("v",), style.BLACK, "rest"),
        ("down", ("low", "high"), style.BLUE, "cycle, least and largest"),
        ("up", ("low", "high"), style.BLUE, None),
    ):
        if f"{family}_I" not in dataset:
            continue
        stable = dataset[f"{family}_stable"].values
        for k, name in enumerate(variables):
            values = dataset[f"{family}_{name}"].values
            for want, line in ((True, "-"), (False, "--")):
                shown = f"{label}, {'stable' if want else 'unstable'}" if label and not k else None
                part = _split(stable, values, want, family != "rest")
                ax.plot(dataset[f"{family}_I"], part, line, color=colour, label=shown)
    ax.plot(
        dataset.hopf_I, dataset.hopf_v, "o", color=style.RED, label="Hopf point, by continuation"
    )
    ax.plot(
        dataset.exact_hopf_I, dataset.exact_hopf_v, "+", color=style.BLACK, markersize=9,
        label="Hopf point, Routh-Hurwitz",
    )  # fmt: skip
    ax.set(xlabel=_UNIT, ylabel="potential $v$ (mV)")


def _rates(ax: Axes, dataset: xr.Dataset) -> None:
    stable = dataset.down_stable.values
    rate = 1000 / dataset.down_period.values
    ax.plot(dataset.down_I[stable], rate[stable], color=style.BLUE)
    ax.plot(dataset.down_I, np.where(stable, np.nan, rate), "--", color=style.BLUE)
    if "up_I" in dataset:
        ax.plot(dataset.up_I, 1000 / dataset.up_period, color=style.BLUE)
    ax.plot(dataset.current, dataset.rate_up, "^", color=style.GREEN, label="integrated, from rest")
    ax.plot(
        dataset.current, dataset.rate_down, "v", color=style.ORANGE, markerfacecolor="none",
        label="integrated, from firing",
    )  # fmt: skip
    ax.axvline(float(dataset.exact_fold_I[0]), color="0.6", linestyle=":", linewidth=0.8)
    ax.axvline(float(dataset.exact_hopf_I[0]), color="0.6", linestyle=":", linewidth=0.8)
    ax.set(xlim=(4, 12), xlabel=_UNIT, ylabel="rate (Hz)", title="hysteresis")
