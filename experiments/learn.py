"""How well does predictive coding learn by spikes, and is what it reads local?

Networks of images in one table with their rate twin and the same network trained by
backpropagation. Predictions run from pixels to label. At the test all values are sent as spikes. In
learning the state without a label is one pass of values rounded to the quantum, whose spikes are
counted and not sent; what the label changes, and the errors, are spikes. Updates read what is at
the synapse; errors come back through the transposed weights, but in the row with learned feedback.

- spiking: values and errors are spikes, one hidden layer; "no shifts" without moved images;
- two, three hidden layers; learned feedback (Kolen & Pollack) instead of transposed weights;
  local: stiffness by the learned feedback too; spiking input; convolutions;
- rate: the same energy and rule without quanta; backpropagation: the same network and steps. Both
  with the settings of the spiking network, and one seed.

The certificate of each row says whether its learning step is local on its wiring, in a small
network of the same layers, and what else it reads. All weights are points. Settings were chosen on
a sixth of the training set (`--validation`).
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

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from bpcjax.models import (
    AbstractPhases,
    Backpropagation,
    NudgedPhases,
    RatePhases,
    feedback_stiffness,
)

from .common import InputError, predictive, study
from .common.data import SPLITS, Split, splits
from .common.locality import certify
from .common.precision import single
from .common.predictive import Trained, Training
from .common.scores import measure
from .common.settings import setting
from .common.stacking import stack

STEPS = 20  # of spikes, of the test
EXAMPLE = {
    "digit": ("row", "column"),
    "raster": ("moment", "neuron"),
    "beliefs": ("moment", "class"),
    "corrections": ("label", "class"),
}  # variables of one test image, with their dimensions


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Learning by spikes."""

    data: str = setting("mnist", among=tuple(SPLITS), quick="digits")
    """The images: mnist, fashion_mnist, digits."""
    data_dir: str | None = None
    """The folder of the files of the images."""
    seeds: int = setting(3, least=1, quick=1)
    """Of the rows that spike, but spiking input and convolutions; the others have one."""
    epochs: int = setting(15, least=1, quick=8)
    """Of all rows but convolutions, of which there are a fifth."""
    width: int = setting(1024, least=2, quick=128)
    """Units of a hidden layer; half as many where there are two, and a quarter in the second and
    third of three."""
    full_convolutions: bool = False
    """Convolutions in their full size and epochs: for a GPU."""
    only: tuple[str, ...] = ()
    """Rows of the table to make, by their names; all without."""
    validation: bool = False
    """Hold out a sixth of the training set and test on it."""

    def verify(self) -> None:
        """Each of `only` is a row of the table."""
        names = list(table(self))
        unknown = set(self.only) - set(names)
        if unknown:
            raise InputError(f"only: there are no rows {sorted(unknown)}. Choose of {names}.")


@dataclasses.dataclass(frozen=True)
class Row:
    """A network of the table."""

    settings: Training
    phases: AbstractPhases
    repeats: bool = False  # for every seed


def table(config: Config) -> dict[str, Row]:
    """All rows of the table, the main one first."""
    fashion = config.data == "fashion_mnist"
    base = Training(
        hidden=(config.width,),
        epochs=config.epochs,
        rate=0.75 if fashion else 1.5,
        warm=1000 if fashion else 500,
        silent=0.05 if fashion else 0.0,  # Fashion-MNIST: mirrored images did not help
        shift=0 if fashion else 1,
    )
    if config.data == "digits":
        base = dataclasses.replace(base, rate=1.0, warm=20, shift=0)

    def but(**changes: Any) -> Training:
        return dataclasses.replace(base, **changes)

    half, quarter = config.width // 2, config.width // 4
    main, coarse = (
        NudgedPhases(jnp.asarray(0.7 if fashion else 0.5)),
        NudgedPhases(jnp.asarray(1.0)),
    )
    by_feedback = NudgedPhases(main.quantum, stiffness=feedback_stiffness)
    bare = {} if fashion else {"no shifts": Row(but(shift=0, silent=0.2), main, True)}
    return {
        "spiking": Row(base, main, True),
        "three layers": Row(but(hidden=(half, quarter, quarter)), coarse, True),
        "two layers": Row(but(hidden=(half, half)), coarse, True),
        "learned feedback": Row(but(feedback=True), main, True),
        "local": Row(but(feedback=True), by_feedback, True),
        "rate": Row(base, RatePhases()),
        "backpropagation": Row(base, Backpropagation()),
        **bare,
        "spiking input": Row(but(input_quantum=0.5), main),
        "convolutions": Row(_convolutions(config, base), main),
    }


def _convolutions(config: Config, base: Training) -> Training:
    """Small, or the full setting: 3 layers of maps, as long and regularised as needed there."""
    if config.full_convolutions:
        maps, epochs, rate, silent = (32, 64, 128), 50, 0.2, 0.1
    else:
        maps, epochs, rate, silent = (8, 16), max(config.epochs // 5, 1), 0.3, 0.0
    return dataclasses.replace(base, maps=maps, hidden=(), epochs=epochs, rate=rate, silent=silent)


def raster(model: Trained, test: Split) -> dict[str, np.ndarray]:
    """Spikes of one test image: those of the hidden layer by step, what is predicted of the
    classes, and the corrections that its label and a wrong one would send down."""
    phases, energy = single(NudgedPhases()), model.energy
    x = jnp.asarray(test.x[0].reshape(-1), jnp.float32)
    active = np.argsort(-np.asarray(phases.values(energy, x)[0][1]))[:60]
    z, sent, outputs = phases.silence(energy, x), [], []
    for _ in range(10):
        z, spikes, output = phases.step(energy, x, z)
        outputs.append(np.asarray(jax.nn.softmax(output)))
        sent.append(np.asarray(spikes[0])[active])
    label = int(test.labels[0])
    corrections = [np.eye(test.classes)[k] - outputs[-1] for k in (label, (label + 1) % 10)]
    return {
        "digit": test.x[0],
        "raster": np.array(sent),
        "beliefs": np.array(outputs),
        "corrections": np.round(np.array(corrections) / 0.05),
    }


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
        metrics = measure(model.energy, test, settings, row.phases, steps=STEPS) | {
            "seconds": np.asarray(model.seconds),
            "processor_seconds": np.asarray(model.processor_seconds),
            "alignment": model.alignment.min(),
            "error_spikes": model.history["errors"][-1],
            "nudged_spikes": model.history["values"][-1],
            "loss": model.history["loss"],
            "energy": model.history["energy"],
        }
        return metrics | (raster(model, test) if name == "spiking" and seed == 0 else {})

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
    briefs = [certify(row.settings, row.phases).brief for row in rows.values()]
    attrs = {"data": config.data, "test": len(test.x)}
    coords = {"network": list(rows), "certificate": ("network", np.array(briefs))}
    return xr.Dataset(data, coords=coords, attrs=attrs)


def summary(dataset: xr.Dataset) -> dict[str, Any]:
    """Means over seeds, standard deviations of accuracies, and certificates."""
    result: dict[str, Any] = {}
    shown = (
        "accuracy", "nll", "ece", "spikes", "input_spikes", "synaptic", "macs", "picojoules",
        "seconds", "processor_seconds",
    )  # fmt: skip
    for name in dataset.network.values:
        row = dataset.sel(network=name)
        for key in shown:
            result[f"{name}: {key}"] = float(row[key].mean())
        count = int(row.accuracy.notnull().sum())
        result[f"{name}: seeds"] = float(count)
        result[f"{name}: certificate"] = str(row.certificate.values)
        if count > 1:
            result[f"{name}: accuracy, deviation"] = float(row.accuracy.std(ddof=1))
    if "learned feedback" in dataset.network.values:
        cosine = dataset.alignment.sel(network="learned feedback").mean()
        result["learned feedback: cosine"] = float(cosine)
    return result


STUDY = study.Study("learn", Config, run, summary)

if __name__ == "__main__":
    STUDY.main()
