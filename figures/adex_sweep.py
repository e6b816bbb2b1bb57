"""How AdEx neurons fire, over the current and the adaptation (`results/adex_sweep.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from . import style


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: the rate on the left, the regularity of the intervals on the right."""
    with style.look():
        fig, axs = plt.subplots(
            1, 2, figsize=(style.WIDTH, 2.9), layout="constrained", sharex=True, sharey=True
        )
        rate = dataset.rate.where(dataset.rate > 0)
        least = 1000 / (dataset.t1 - dataset.settle)  # one spike
        norm = LogNorm(least, max(float(dataset.rate.max()), 10 * least))
        _map(axs[0], rate, norm, "rate (Hz)")
        _map(axs[1], dataset.cv, Normalize(0, 1.5), "CV of the intervals", extend="max")
        axs[0].set_ylabel("jump of the adaptation $b$ (pA)")
        count = f"{dataset.rate.size:,} neurons, {dataset.t1 / 1000:g} s each"
        fig.suptitle(f"AdEx, reset at ${dataset.v_reset:g}$ mV: {count}")
        axs[0].set_title("grey: silent")
        axs[1].set_title("grey: fewer than four spikes; dark: regular")
    return fig


def _map(ax: Axes, values: xr.DataArray, norm: Normalize, label: str, extend: str = "neither"):
    ax.set_facecolor("0.8")
    image = ax.pcolormesh(
        values.I,
        values.b,
        np.ma.masked_invalid(values.transpose("b", "I").values),
        norm=norm,
        cmap="viridis",
        shading="nearest",
        rasterized=True,
    )
    ax.figure.colorbar(image, ax=ax, label=label, extend=extend)
    ax.set_xlabel("current $I$ (pA)")
