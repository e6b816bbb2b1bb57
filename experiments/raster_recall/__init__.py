"""Are recordings of events recalled by spikes, with nothing trained?

A delay memory (`DelayHopfield`) stores the training recordings as rasters, as they are. Asked with
a new recording, its posterior over memories and shifts names a class; so do the spikes of
`SpikingHopfield` over it, each a draw of a memory and a shift: at 100 spikes a time constant, where
16 of them hardly move the raster, and at 4, where it is recalled meanwhile. Beside it: the same
memory without delays, a linear readout (logistic regression) of rasters and of their sums over
time, and the nearest neighbour, all of the same recordings. Precision and penalties are chosen on a
fifth of the training set. Recordings come as recorded, or at an unknown time: moved cyclically by a
random number of steps, where the linear readout of rasters and the nearest neighbour get two copies
of each training recording, at random times too.

    python -m experiments.raster_recall              # patterns made here, no files needed
    python -m experiments.raster_recall --recordings patterns nmnist spoken_digits \
        --data-dir FOLDER                            # with nmnist_small and fsdd in it
"""

import dataclasses
import functools

import numpy as np
import xarray as xr

from ..common import study
from ..common.data import Split
from ..common.recordings import fold
from ..common.settings import setting
from ..common.stacking import stack
from ..common.statistics import wilson
from .methods import METHODS, answers
from .rasters import SETS

TIMES = "as recorded", "at an unknown time"


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Recall of rasters by spikes."""

    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    recordings: tuple[str, ...] = setting(("patterns",), among=tuple(SETS), quick=("patterns",))
    """Patterns made here, N-MNIST, spoken digits; the last one's example is drawn."""
    folds: int = setting(3, least=1, most=9, quick=1)
    """Tests, each on other recordings."""
    steps: int = setting(16, least=2)
    """Of the delay lines."""
    seed: int = setting(0, least=0)
    """Of everything."""


EXAMPLE = "heard", "recalled", "stored", "spiked", "label"


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Each recording of each test: which methods got it right; and one example."""

    @functools.cache
    def official(name: str) -> tuple[Split, Split]:
        return SETS[name](config.data_dir, config.steps, config.seed)

    def make(name: str, late: bool, number: int) -> dict[str, np.ndarray]:
        return answers(*fold(official(name), number), late, config.seed + number)

    results = {
        (k, int(late), number): parts(
            f"{name} {TIMES[late]}, fold {number}", functools.partial(make, name, late, number)
        )
        for k, name in enumerate(config.recordings)
        for late in (False, True)
        for number in range(config.folds)
    }
    example = results[len(config.recordings) - 1, 1, 0]
    kept = {
        index: {key: value for key, value in part.items() if key not in EXAMPLE}
        for index, part in results.items()
    }
    own = {"right": ("method_", "item"), "beta": ("memory",), "picojoules": ("price", "method_")}
    data: dict[str, tuple] = {
        key: (("recordings", "times", "fold", *own[key]), values.astype(float))
        for key, values in stack(kept, (len(config.recordings), 2, config.folds)).items()
    }
    dims = {"spiked": ("of_spike", "spike"), "label": ()}
    for key in EXAMPLE:
        data[key] = dims.get(key, ("line", "step")), np.asarray(example[key])
    coords = {
        "recordings": list(config.recordings), "times": list(TIMES), "method_": list(METHODS),
        "price": ["fp32", "int8"], "memory": ["delays", "no delays"],
        "of_spike": ["class", "shift"],
    }  # fmt: skip
    return xr.Dataset(data, coords=coords)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Accuracies over all folds with Wilson's intervals of 95 %, leads over the linear readout with
    intervals from the pairs, precisions, energies."""
    result: dict[str, float] = {}
    for name in dataset.recordings.values:
        for times in dataset.times.values:
            cell, head = dataset.sel(recordings=name, times=times), f"{name} {times}"
            for method in dataset.method_.values:
                row = cell.right.sel(method_=method)
                hits, count = int(row.sum()), int(row.notnull().sum())
                result[f"{head}, {method}"] = hits / count
                low, high = wilson(hits, count)
                result[f"{head}, {method}: low"], result[f"{head}, {method}: high"] = low, high
                for price in dataset.price.values:
                    energy = cell.picojoules.sel(method_=method, price=price).mean()
                    result[f"{head}, {method}: nJ, {price}"] = float(energy) / 1000
            result[f"{head}: asked"] = float(cell.right.isel(method_=0).notnull().sum())
            result[f"{head}: beta"] = float(cell.beta.sel(memory="delays").mean())
            for method in METHODS[0], METHODS[3]:
                lead = cell.right.sel(method_=method) - cell.right.sel(method_="linear readout")
                error = float(lead.std(ddof=1)) / np.sqrt(int(lead.notnull().sum()))
                result[f"{head}, {method}: lead over the linear readout"] = float(lead.mean())
                result[f"{head}, {method}: lead, 95 %"] = 1.96 * error
    return result


STUDY = study.Study("raster_recall", Config, run, summary, double=False)
