"""How well does predictive coding learn by spikes, what does that need, and is it local?

Networks of images in one table with their rate twin and the same network trained by
backpropagation. Predictions run from pixels to label. At the test all values are sent as spikes. In
learning the state without a label is one pass of values rounded to the quantum, whose spikes are
counted and not sent; what the label changes, and the errors, are spikes. Updates read what is at
the synapse; errors come back through the transposed weights, but in the rows with feedback.

- spiking: values and errors are spikes, one hidden layer; "no shifts" without moved images;
- two, three hidden layers; learned feedback (Kolen & Pollack) instead of transposed weights;
  local: stiffness by the learned feedback too; spiking input; convolutions;
- rate: the same energy and rule without quanta; backpropagation: the same network and steps. Both
  with the settings of the spiking network, and one seed;
- tuned: settings are the best of `--trials` on a sixth of the training set, a third of the epochs;
  the spiking network and backpropagation try the same ones;
- ablation, at half the units and a third of the epochs: how many steps values move, errors in
  numbers, fixed random feedback (Lillicrap et al. 2016), straight-through training of the same
  quantised network, and graded values;
- depth: residual layers of a quarter of the units, half the epochs, errors handed down whole.

The certificate of each row says whether its learning step is local on its wiring, in a small
network of the same layers, and what else it reads. All weights are points. The settings of the
first row were chosen on a sixth of the training set (`--validation`).
The convolutions are small, for a processor of two cores; with `--full-convolutions` on a GPU they
are 32, 64 and 128 maps and 50 epochs, aimed at 99.3 % (not measured; Fashion-MNIST: 90.5 %).
Recordings of events have their own study, `experiments.learn_events`.

    python -m experiments.learn                          # MNIST: results/learn.zarr and a picture
    python -m experiments.learn_fashion                  # Fashion-MNIST
    python -m experiments.learn --quick                  # the embedded digits
"""

import dataclasses
import functools
from typing import Any

import numpy as np
import xarray as xr

from ..common import predictive, study
from ..common.data import Split, splits
from ..common.locality import certify
from ..common.predictive import Training
from ..common.scores import measure
from ..common.stacking import stack
from .example import EXAMPLE, raster
from .rows import Row, Settings, table
from .traffic import bits
from .trials import accuracy, candidates

STEPS = 20  # of spikes, of the test, and two for each layer after the first


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """Learning by spikes."""


def choose(
    name: str, row: Row, train: Split, config: Config, parts: study.Parts
) -> tuple[Training, np.ndarray]:
    """The best settings of a row among its trials, and the accuracies of all [trial]."""
    tried = candidates(row.settings, config.trials)
    folder = parts.work / "trials"

    def make(settings: Training, label: str) -> dict[str, Any]:
        print()
        score = accuracy(train, settings, row.phases, steps=STEPS, folder=folder, label=label)
        return {"accuracy": np.asarray(score)}

    scores = []
    for k, settings in enumerate(tried):
        label = f"{config.data}, {name}, trial {k + 1} of {len(tried)}"
        scores.append(float(parts(label, functools.partial(make, settings, label))["accuracy"]))
    return tried[int(np.argmax(scores))], np.array(scores)


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """The table, its curves, and one digit."""
    train, test = splits(config.data, config.data_dir, validation=config.validation)
    rows = {
        name: row
        for name, row in table(config).items()
        if name == "spiking" or not config.only or name in config.only
    }

    def make(name: str, row: Row, seed: int, label: str) -> dict[str, np.ndarray]:
        print()
        settings = dataclasses.replace(row.settings, seed=seed)
        folder = parts.work / "trained"
        model = predictive.train(train, settings, row.phases, folder=folder, label=label)
        steps = STEPS + 2 * max(len(settings.hidden) - 1, 0)
        spent = {key: values[-1] for key, values in model.history.items()}
        metrics = measure(model.energy, test, settings, row.test, steps=steps) | {
            "seconds": np.asarray(model.seconds),
            "processor_seconds": np.asarray(model.processor_seconds),
            "alignment": model.alignment.min(),
            "free_spikes": spent["free"],
            "error_spikes": spent["errors"],
            "nudged_spikes": spent["values"],
            "bits": np.asarray(bits(settings, row.phases, spent)),
            "loss": model.history["loss"],
            "energy": model.history["energy"],
        }
        return metrics | (raster(model, test) if name == "spiking" and seed == 0 else {})

    trials = {name: choose(name, row, train, config, parts) for name, row in rows.items()
              if row.tuned}  # fmt: skip
    for name, (settings, _) in trials.items():
        rows[name] = dataclasses.replace(rows[name], settings=settings)
    results = {}
    for k, (name, row) in enumerate(rows.items()):
        for seed in range(config.seeds if row.repeats else 1):
            label = f"{config.data}, {name}, seed {seed}"
            results[k, seed] = parts(label, functools.partial(make, name, row, seed, label))
    example = {key: results[0, 0].pop(key) for key in EXAMPLE}
    data: dict[str, Any] = {key: (EXAMPLE[key], value) for key, value in example.items()}
    inner = {"curve": ("step",), "curve_spikes": ("step",), "loss": ("epoch",),
             "energy": ("epoch",)}  # fmt: skip
    for key, values in stack(results, (len(rows), config.seeds)).items():
        data[key] = (("network", "seed", *inner.get(key, ())), values)
    for key in ("rate", "silent", "decay", "smooth"):
        data[key] = ("network", np.array([getattr(row.settings, key) for row in rows.values()]))
    if trials:
        data["trial_accuracy"] = (("tuned", "trial"), np.stack([x for _, x in trials.values()]))
    briefs = [certify(row.settings, row.phases).brief for row in rows.values()]
    attrs = {"data": config.data, "test": len(test.x)}
    coords = {
        "network": list(rows),
        "tuned": list(trials),
        "certificate": ("network", np.array(briefs)),
        "group": ("network", np.array([row.group for row in rows.values()])),
    }
    return xr.Dataset(data, coords=coords, attrs=attrs)


def summary(dataset: xr.Dataset) -> dict[str, Any]:
    """Means over seeds, standard deviations of accuracies, and certificates."""
    result: dict[str, Any] = {}
    shown = (
        "accuracy", "nll", "ece", "spikes", "input_spikes", "synaptic", "macs", "picojoules",
        "free_spikes", "nudged_spikes", "error_spikes", "bits", "seconds", "processor_seconds",
    )  # fmt: skip
    for name in dataset.network.values:
        row = dataset.sel(network=name)
        for key in shown:
            if np.isfinite(mean := float(row[key].mean())):
                result[f"{name}: {key}"] = mean
        count = int(row.accuracy.notnull().sum())
        result[f"{name}: seeds"] = float(count)
        result[f"{name}: certificate"] = str(row.certificate.values)
        if count > 1:
            result[f"{name}: accuracy, deviation"] = float(row.accuracy.std(ddof=1))
    for name in dataset.tuned.values:
        for key in ("rate", "silent", "decay", "smooth"):
            result[f"{name}: {key}"] = float(dataset[key].sel(network=name))
        for k, value in enumerate(dataset.trial_accuracy.sel(tuned=name).values):
            result[f"{name}: trial {k + 1}"] = float(value)
    if "learned feedback" in dataset.network.values:
        cosine = dataset.alignment.sel(network="learned feedback").mean()
        result["learned feedback: cosine"] = float(cosine)
    return result


STUDY = study.Study("learn", Config, run, summary)
