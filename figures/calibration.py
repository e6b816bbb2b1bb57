"""Calibration of a readout with and without a posterior (`results/calibration.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import style

NAME = "calibration"
COMMAND = "python -m experiments.calibration"


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: a row for each set and number of images, NLL and calibration error by shift."""
    cells = [(s, c) for s in dataset.set.values for c in dataset.samples.values]
    with style.look():
        fig, axs = plt.subplots(
            len(cells), 2, figsize=(style.WIDTH, 1.7 * len(cells) + 0.4), layout="constrained",
            squeeze=False,
        )  # fmt: skip
        place = np.arange(dataset.sizes["shift"])
        for row, (name, count) in zip(axs, cells, strict=True):
            for ax, (measure, label) in zip(
                row, [("nll", "NLL (nats)"), ("ece", "calibration error")], strict=True
            ):
                table = dataset.scores.sel(set=name, samples=count, measure=measure)
                for k, method in enumerate(dataset.reading.values):
                    value = table.sel(reading=method)
                    error = value.std("split") / np.sqrt(value.sizes["split"])
                    ax.bar(place + 0.25 * (k - 1), value.mean("split"), 0.22, yerr=error,
                           color=style.PALETTE[k], label=str(method))  # fmt: skip
                ax.set_xticks(place, list(dataset["shift"].values))
                ax.set_ylabel(label)
            row[0].set_title(f"{name}, {count} images", loc="left")
        axs[0, 0].legend()
    return fig
