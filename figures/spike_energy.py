"""Accuracy against spikes and energy (`results/spike_energy.zarr`)."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from . import style

_KINDS = {
    "spiking": (style.RED, "-"),
    "spiking pixels": (style.GREEN, "-"),
    "rate": (style.BLUE, "s"),
    "backpropagation": (style.BLACK, "o"),
}


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: errors against spikes, energy, and energy with the states of neurons."""
    with style.look():
        fig, axs = plt.subplots(1, 3, figsize=(style.WIDTH, 2.9), layout="constrained", sharey=True)
        for name in dataset.network.values:
            kind = str(name).split(", ")[0]
            row = dataset.sel(network=name)
            errors = 100 * (1 - row.curve[1:])  # after the first step
            colour, mark = _KINDS[kind]
            if mark == "-":
                width = 0.5 + 0.5 * float(row.width) / float(dataset.width.max())
                spikes = row.curve_spikes[1:] + row.input_spikes
                look = {"color": colour, "linewidth": width, "marker": ".", "markersize": 2.5}
                axs[0].plot(spikes, errors, label=kind, **look)
                axs[1].plot(row.energy[1:] / 1e3, errors, **look)
                axs[2].plot(row.energy_states[1:] / 1e3, errors, **look)
            else:
                for ax, key in zip(axs[1:], ("energy", "energy_states"), strict=True):
                    ax.plot(row[key][-1] / 1e3, errors[-1], mark, color=colour, label=kind)
        for ax, words in zip(
            axs,
            ("spikes an image so far, pixels' too", "synapses (nJ an image)", "with states (nJ)"),
            strict=True,
        ):
            ax.set_yscale("log")
            ax.set_xlabel(words)
        for ax in axs[1:]:
            ax.set_xscale("log")
            ax.xaxis.set_minor_formatter(NullFormatter())
        axs[0].set_ylabel("test errors (%)")
        handles, labels = (
            sum(both, [])
            for both in zip(*(ax.get_legend_handles_labels() for ax in axs), strict=True)
        )
        each = dict(zip(labels, handles, strict=True))
        fig.legend(each.values(), each.keys(), loc="outside upper center", ncols=len(each))
    return fig
