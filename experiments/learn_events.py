"""How well does predictive coding learn recordings of events by spikes?

N-MNIST (an event camera) and spoken digits (a cochlea), as counts of input spikes in bins of time:
the spiking network of `experiments.learn`, against a linear readout (logistic regression, its
penalty chosen on held-out training recordings) and the nearest neighbour on the same counts; only
the network sees them moved and with inputs left out in training. Counts of N-MNIST are three still
images, and timing hardly matters there (Iyer et al. 2021, Front. Neurosci. 15:608567). The
first fold tests on the official test set; each other one on as many recordings of the training
set, no recording twice. Settings were chosen on three random sixths of that training set, so that
recordings of the other folds had a part in the choice; the official test set had none.

    python -m experiments.learn_events --data-dir FOLDER     # with nmnist_small and fsdd in it
    python -m experiments.learn_events --quick               # one fold of a quarter of N-MNIST
"""

import dataclasses
import functools

import numpy as np
import xarray as xr

from bpcjax.models import NudgedPhases

from .common import predictive, study
from .common.data import Split
from .common.linear_readouts import baselines
from .common.predictive import Training
from .common.recordings import QUANTUM, SETS, fold
from .common.scores import measure
from .common.settings import setting
from .common.stacking import stack
from .common.statistics import wilson

METHODS = "spiking", "linear readout", "nearest neighbour"
STEPS = 20  # of spikes, of the test
SETTINGS = {
    "N-MNIST": Training(
        hidden=(512,), epochs=150, rate=0.75, warm=200, silent=0.3, shift=1, input_quantum=QUANTUM
    ),
    "spoken digits": Training(
        hidden=(512,), epochs=100, rate=0.75, warm=200, silent=0.3, shift=1, input_quantum=QUANTUM
    ),
}


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Learning of events by spikes."""

    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    recordings: tuple[str, ...] = setting(tuple(SETS), among=tuple(SETS), quick=("N-MNIST",))
    """N-MNIST, spoken digits."""
    folds: int = setting(5, least=1, most=9, quick=1)
    """Tests, each on other recordings."""
    epochs: int | None = setting(None, least=1)
    """Of each network, if not its own number."""


def measure_fold(
    config: Config, name: str, number: int, official: tuple[Split, Split]
) -> dict[str, np.ndarray]:
    """Metrics of one fold: which recordings each method got `right` [method, n], and what the
    spiking network spent."""
    train, test = fold(official, number)
    settings = dataclasses.replace(SETTINGS[name], seed=number)
    if config.epochs is not None:
        settings = dataclasses.replace(settings, epochs=config.epochs)
    model = predictive.train(train, settings, label=f"{name}, fold {number},")
    metrics = measure(model.energy, test, settings, NudgedPhases(), steps=STEPS, each=True)
    names = ("nll", "ece", "spikes", "input_spikes", "synaptic", "picojoules", "curve")
    right = np.stack([metrics["right"], *baselines(train, test)])
    return {key: metrics[key] for key in names} | {
        "right": right,
        "seconds": np.asarray(model.seconds),
    }


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Each recording of each test: who got it right; and what the spiking network spent."""

    @functools.cache
    def official(name: str) -> tuple[Split, Split]:
        return SETS[name](config.data_dir, 4 if config.quick else 1)

    def make(name: str, number: int) -> dict[str, np.ndarray]:
        print()
        return measure_fold(config, name, number, official(name))

    results = {
        (k, number): parts(f"{name}, fold {number}", functools.partial(make, name, number))
        for k, name in enumerate(config.recordings)
        for number in range(config.folds)
    }
    dims = {"right": ("method_", "item"), "curve": ("step",)}
    data = {
        key: (("recordings", "fold", *dims.get(key, ())), values.astype(float))
        for key, values in stack(results, (len(config.recordings), config.folds)).items()
    }
    return xr.Dataset(
        data, coords={"recordings": list(config.recordings), "method_": list(METHODS)}
    )


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Accuracies over all folds with Wilson's intervals of 95 %, those of the official test, and
    the spiking network's lead with an interval from the pairs."""
    result: dict[str, float] = {}
    for name in dataset.recordings.values:
        right = dataset.right.sel(recordings=name)
        for method in dataset.method_.values:
            row = right.sel(method_=method)
            hits, count = int(row.sum()), int(row.notnull().sum())
            result[f"{name}, {method}"] = hits / count
            low, high = wilson(hits, count)
            result[f"{name}, {method}: low"], result[f"{name}, {method}: high"] = low, high
            official = row.isel(fold=0)
            result[f"{name}, {method}: official test"] = float(official.mean())
            if row.sizes["fold"] > 1:
                each = row.mean("item")
                result[f"{name}, {method}: deviation of folds"] = float(each.std(ddof=1))
        result[f"{name}: asked"] = float(count)
        for rival in METHODS[1:]:
            lead = right.sel(method_="spiking") - right.sel(method_=rival)
            error = float(lead.std(ddof=1)) / np.sqrt(count)
            result[f"{name}: lead over the {rival}"] = float(lead.mean())
            result[f"{name}: lead over the {rival}, 95 %"] = 1.96 * error
        for key in ("nll", "ece", "spikes", "input_spikes", "synaptic", "picojoules", "seconds"):
            result[f"{name}: {key}"] = float(dataset[key].sel(recordings=name).mean())
    return result


STUDY = study.Study("learn_events", Config, run, summary)

if __name__ == "__main__":
    STUDY.main()
