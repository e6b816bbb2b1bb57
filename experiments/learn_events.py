"""How well does predictive coding learn recordings of events by spikes?

N-MNIST (an event camera) and spoken digits (a cochlea), as counts of input spikes in bins of time:
the spiking network of `experiments.learn`, against a linear readout (logistic regression, its
penalty chosen on held-out training recordings) and the nearest neighbour on the same counts. The
first fold tests on the official test set; each other one on as many recordings of the training
set, no recording twice. Settings were chosen on three random sixths of that training set, so that
recordings of the other folds had a part in the choice; the official test set had none.

    python -m experiments.learn_events --data-dir FOLDER     # with nmnist_small and fsdd in it
    python -m experiments.learn_events --quick               # one fold of a quarter of N-MNIST
"""

import dataclasses

import numpy as np
import xarray as xr

from bpcjax.models import NudgedPhases

from .common import InputError, study
from .common.data import Split
from .common.predictive import Training, train
from .common.recordings import QUANTUM, SETS, rivals
from .common.scores import measure
from .common.statistics import wilson
from .common.study import Parts

NAME = "learn_events"
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
    recordings: tuple[str, ...] = tuple(SETS)
    """N-MNIST, spoken digits."""
    folds: int = 5
    """Tests, each on other recordings."""
    epochs: int | None = None
    """Of each network, if not its own number."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    unknown = set(config.recordings) - set(SETS)
    if unknown or not config.recordings:
        raise InputError(f"recordings: choose of {list(SETS)}, got {list(config.recordings)}.")
    if not 1 <= config.folds <= 9:
        raise InputError(f"folds must be in 1..9, got {config.folds}.")
    if config.epochs is not None and config.epochs < 1:
        raise InputError(f"epochs must be at least 1, got {config.epochs}.")
    if config.quick:
        return dataclasses.replace(config, recordings=("N-MNIST",), folds=1)
    return config


def fold(official: tuple[Split, Split], number: int) -> tuple[Split, Split]:
    """What to learn from, shuffled, and what to test on, of the fold: 0 is the official one."""
    learned, asked = official
    x, labels = np.concatenate([asked.x, learned.x]), np.concatenate([asked.labels, learned.labels])
    order = np.random.default_rng(0).permutation(np.arange(len(asked.x), len(x)))
    order = np.concatenate([np.arange(len(asked.x)), order])  # the official test set comes first
    tested = slice(number * len(asked.x), (number + 1) * len(asked.x))
    rest = np.delete(order, tested)
    return Split(x[rest], labels[rest], 10), Split(x[order[tested]], labels[order[tested]], 10)


def _once(config: Config, name: str, number: int, official) -> dict[str, np.ndarray]:
    learned, asked = fold(official, number)
    settings = dataclasses.replace(SETTINGS[name], seed=number)
    if config.epochs is not None:
        settings = dataclasses.replace(settings, epochs=config.epochs)
    trained = train(learned, settings, label=f"{name}, fold {number},")
    found = measure(trained.energy, asked, settings, NudgedPhases(), steps=STEPS, each=True)
    kept = ("nll", "ece", "spikes", "input_spikes", "synaptic", "picojoules", "curve")
    right = np.stack([found["right"], *rivals(learned, asked)])
    return {key: found[key] for key in kept} | {"right": right, "seconds": trained.seconds}


def run(config: Config, parts: Parts) -> xr.Dataset:
    """Each recording of each test: who got it right; and what the spiking network spent."""
    config = check(config)
    official, found = {}, {}
    for name in config.recordings:
        for number in range(config.folds):

            def make(name=name, number=number):
                print()
                if name not in official:
                    official[name] = SETS[name](config.data_dir, 4 if config.quick else 1)
                return _once(config, name, number, official[name])

            found[name, number] = parts(f"{name}, fold {number}", make)
    most = max(part["right"].shape[1] for part in found.values())
    dims = {"right": ("method_", "item"), "curve": ("step",)}
    data = {}
    for key in found[config.recordings[0], 0]:
        inner = {"right": (len(METHODS), most), "curve": (STEPS,)}.get(key, ())
        whole = np.full((len(config.recordings), config.folds, *inner), np.nan)
        for (name, number), part in found.items():
            place = config.recordings.index(name), number
            value = np.asarray(part[key], float)
            if key == "right":
                whole[place][:, : value.shape[1]] = value
            else:
                whole[place] = value
        data[key] = (("recordings", "fold", *dims.get(key, ())), whole)
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
            hits, asked = int(row.sum()), int(row.notnull().sum())
            result[f"{name}, {method}"] = hits / asked
            low, high = wilson(hits, asked)
            result[f"{name}, {method}: low"], result[f"{name}, {method}: high"] = low, high
            official = row.isel(fold=0)
            result[f"{name}, {method}: official test"] = float(official.mean())
            if row.sizes["fold"] > 1:
                each = row.mean("item")
                result[f"{name}, {method}: deviation of folds"] = float(each.std(ddof=1))
        result[f"{name}: asked"] = float(asked)
        for rival in METHODS[1:]:
            lead = right.sel(method_="spiking") - right.sel(method_=rival)
            error = float(lead.std(ddof=1)) / np.sqrt(asked)
            result[f"{name}: lead over the {rival}"] = float(lead.mean())
            result[f"{name}: lead over the {rival}, 95 %"] = 1.96 * error
        for key in ("nll", "ece", "spikes", "input_spikes", "synaptic", "picojoules", "seconds"):
            result[f"{name}: {key}"] = float(dataset[key].sel(recordings=name).mean())
    return result


def _figure():
    from figures import learn_events

    return learn_events


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)


if __name__ == "__main__":
    main()
