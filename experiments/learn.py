"""How well does predictive coding learn by spikes and local updates?

Networks of images, spiking while they learn and at the test, in one table with their rate twin and
the same network trained by backpropagation:

- spiking: values and errors are spikes, one hidden layer; "no shifts" without moved images;
- two, three hidden layers; learned feedback (Kolen & Pollack) instead of transposed weights;
  spiking input; convolutions;
- rate: the same energy and rule without quanta; backpropagation: the same network and steps.

All weights are points. Settings were chosen on a sixth of the training set (`--validation`).
The convolutions are small, for a processor of two cores; with `--full-convolutions` on a GPU they
are 32, 64 and 128 maps and 50 epochs, aimed at 99.3 % (not measured; Fashion-MNIST: 90.5 %).
Recordings of events have their own study, `experiments.learn_events`.

    python -m experiments.learn                          # MNIST: results/learn.zarr and a picture
    python -m experiments.learn_fashion                  # Fashion-MNIST
    python -m experiments.learn --quick                  # the embedded digits
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from bpcjax.models import AbstractPhases, Backpropagation, NudgedPhases, RatePhases

from .common import InputError, study
from .common.data import Split, splits
from .common.precision import single
from .common.predictive import Trained, Training, train
from .common.scores import measure
from .common.study import Parts

NAME = "learn"
STEPS = 20  # of spikes, of the test


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Learning by spikes."""

    data: str = "mnist"
    """The images: mnist, fashion_mnist, digits."""
    data_dir: str | None = None
    """The folder of the files of the images."""
    seeds: int = 3
    """Of the rows that spike, but spiking input and convolutions; the others have one."""
    epochs: int = 15
    """Of all rows but convolutions, of which there are a fifth."""
    width: int = 1024
    """Units of a hidden layer; half as many where there are two, and a quarter in the second and
    third of three."""
    full_convolutions: bool = False
    """Convolutions in their full size and epochs: for a GPU."""
    only: tuple[str, ...] = ()
    """Rows of the table to make, by their names; all without."""
    validation: bool = False
    """Hold out a sixth of the training set and test on it."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A network of the table."""

    settings: Training
    phases: AbstractPhases
    repeats: bool = False  # for every seed


def rows(config: Config) -> dict[str, Row]:
    """The table's rows, the main one first."""
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
    bare = {} if fashion else {"no shifts": Row(but(shift=0, silent=0.2), main, True)}
    table = {
        "spiking": Row(base, main, True),
        "three layers": Row(but(hidden=(half, quarter, quarter)), coarse, True),
        "two layers": Row(but(hidden=(half, half)), coarse, True),
        "learned feedback": Row(but(feedback=True), main, True),
        "rate": Row(base, RatePhases()),
        "backpropagation": Row(base, Backpropagation()),
        **bare,
        "spiking input": Row(but(input_quantum=0.5), main),
        "convolutions": Row(_convolutions(config, base), main),
    }
    unknown = set(config.only) - set(table)
    if unknown:
        raise InputError(f"only: there are no rows {sorted(unknown)}. Choose of {list(table)}.")
    return {k: row for k, row in table.items() if k in (config.only or table) or k == "spiking"}


def _convolutions(config: Config, base: Training) -> Training:
    """Small, or the full setting: 3 layers of maps, as long and regularised as needed there."""
    if config.full_convolutions:
        maps, epochs, rate, silent = (32, 64, 128), 50, 0.2, 0.1
    else:
        maps, epochs, rate, silent = (8, 16), max(config.epochs // 5, 1), 0.3, 0.0
    return dataclasses.replace(base, maps=maps, hidden=(), epochs=epochs, rate=rate, silent=silent)


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    study.at_least(1, config, "seeds", "epochs")
    study.at_least(2, config, "width")
    if config.quick:
        config = dataclasses.replace(
            config,
            data="digits",
            width=min(config.width, 128),
            seeds=1,
            epochs=min(config.epochs, 8),
        )
    return config


def _once(
    config: Config, row: Row, seed: int, learned: Split, asked: Split, label: str
) -> tuple[Trained, dict[str, np.ndarray]]:
    settings = dataclasses.replace(row.settings, seed=seed)
    folder = Path(config.out) / config.FOLDER / f"{NAME}.work" / "trained"
    trained = train(learned, settings, row.phases, folder=folder, label=label)
    found = measure(trained.energy, asked, settings, row.phases, steps=STEPS)
    found |= {
        "seconds": np.asarray(trained.seconds),
        "processor_seconds": np.asarray(trained.processor_seconds),
        "alignment": trained.alignment.min(),
        "error_spikes": trained.history["errors"][-1],
        "nudged_spikes": trained.history["values"][-1],
        "loss": trained.history["loss"],
        "energy": trained.history["energy"],
    }
    return trained, found


def raster(trained: Trained, asked: Split) -> dict[str, np.ndarray]:
    """One digit of the test: the spikes of the hidden layer by step, what is predicted of the
    classes, and the corrections that its label and a wrong one would send down."""
    phases, energy = single(NudgedPhases()), trained.energy
    x = jnp.asarray(asked.x[0].reshape(-1), jnp.float32)
    active = np.argsort(-np.asarray(phases.values(energy, x)[0][1]))[:60]
    z, sent, outputs = phases.silence(energy, x), [], []
    for _ in range(10):
        z, spikes, output = phases.step(energy, x, z)
        outputs.append(np.asarray(jax.nn.softmax(output)))
        sent.append(np.asarray(spikes[0])[active])
    label = int(asked.labels[0])
    corrections = [np.eye(asked.classes)[k] - outputs[-1] for k in (label, (label + 1) % 10)]
    return {
        "digit": asked.x[0],
        "raster": np.array(sent),
        "beliefs": np.array(outputs),
        "corrections": np.round(np.array(corrections) / 0.05),
    }


def run(config: Config, parts: Parts) -> xr.Dataset:
    """The table, its curves, and one digit."""
    config = check(config)
    learned, asked = splits(config.data, config.data_dir, validation=config.validation)
    table, found = rows(config), {}
    for name, row in table.items():
        for seed in range(config.seeds if row.repeats else 1):
            label = f"{config.data}, {name}, seed {seed}"

            def make(name=name, row=row, seed=seed, label=label):
                print()
                trained, measured = _once(config, row, seed, learned, asked, label)
                if name == "spiking" and seed == 0:
                    measured |= raster(trained, asked)
                return measured

            found[name, seed] = parts(label, make)
    data: dict[str, Any] = {}
    one = found["spiking", 0]
    drawn = {
        "digit": ("row", "column"),
        "raster": ("moment", "neuron"),
        "beliefs": ("moment", "class"),
        "corrections": ("label", "class"),
    }
    for key in one:
        if key in drawn:
            data[key] = (drawn[key], one[key])
            continue
        shape = np.shape(one[key])
        whole = np.full((len(table), config.seeds, *shape), np.nan)
        for (name, seed), measured in found.items():
            value = np.asarray(measured[key])
            place = list(table).index(name), seed
            whole[(*place, slice(value.size)) if shape else place] = value
        dims = {"curve": ("step",), "curve_spikes": ("step",)}.get(key, ("epoch",) * len(shape))
        data[key] = (("network", "seed", *dims), whole)
    attrs = {"data": config.data, "asked": len(asked.x)}
    return xr.Dataset(data, coords={"network": list(table)}, attrs=attrs)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Means over seeds, and standard deviations of accuracies."""
    result: dict[str, float] = {}
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
        if count > 1:
            result[f"{name}: accuracy, deviation"] = float(row.accuracy.std(ddof=1))
    if "learned feedback" in dataset.network.values:
        cosine = dataset.alignment.sel(network="learned feedback").mean()
        result["learned feedback: cosine"] = float(cosine)
    return result


def _figure():
    from figures import learn

    return learn


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)


if __name__ == "__main__":
    main()
