"""`python -m figures`: every figure for which there are results."""

import dataclasses
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import tyro
import xarray as xr

from . import (
    adapt,
    adapt_anytime,
    adex_sweep,
    ann_vs_snn,
    attention_comparison,
    autoencode,
    balanced,
    calibration,
    capacity,
    catalogue,
    classify,
    convergence,
    learn,
    learn_events,
    learn_fashion,
    recall,
    regimes,
    reinforce,
    representations,
    robustness,
    spatiotemporal,
    spike_energy,
    spike_posterior,
    spike_times,
    style,
    tradeoff,
    winner_take_all,
)
from .theory import (
    adex,
    balanced_network,
    firing_rates,
    hodgkin_huxley,
    izhikevich,
    mean_field_memory,
    modern_memory,
)

FIGURES = (
    recall,
    attention_comparison,
    regimes,
    robustness,
    capacity,
    spatiotemporal,
    spike_energy,
    spike_posterior,
    tradeoff,
    catalogue,
    classify,
    spike_times,
    adex_sweep,
    balanced,
    convergence,
    learn,
    learn_fashion,
    learn_events,
    adapt,
    adapt_anytime,
    calibration,
    representations,
    reinforce,
    winner_take_all,
    autoencode,
    ann_vs_snn,
    izhikevich,
    adex,
    hodgkin_huxley,
    modern_memory,
    mean_field_memory,
    firing_rates,
    balanced_network,
)


@dataclasses.dataclass(frozen=True)
class Config:
    """Make every figure for which there are results."""

    results: str = "results"
    """The folder of results."""
    out: str = str(style.OUT)
    """The folder for pictures."""
    gallery: bool = False
    """Write the small pictures to figures/gallery too."""


def main() -> None:
    """The command line; it ends with status 1 where results are missing."""
    config = tyro.cli(Config, description=__doc__)
    missing = 0
    for figure in FIGURES:
        store = Path(config.results) / f"{figure.NAME}.zarr"
        if not store.is_dir():
            missing += 1
            print(f"{figure.NAME}: no {store}; make it with `{figure.COMMAND}`")
            continue
        with xr.open_zarr(store) as dataset:
            fig = figure.draw(dataset.load())
        name = figure.NAME.rpartition("/")[2]  # results of theory have a folder of their own
        print(*style.save(fig, name, config.out, gallery=config.gallery))
        plt.close(fig)
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
