"""What does accuracy cost in spikes and joules?

Spiking predictive coding at several quanta and widths, read after every number of steps, with
pixels as currents and as spikes; beside it its rate twin and networks trained by backpropagation at
the same widths. Energies are of arithmetic alone (45 nm, fp32): a multiply-accumulate for what is
analog, an addition at each synapse that a spike reaches, and in `with states` an update of every
hidden neuron in every step. The networks beside it multiply each pixel, black ones too, as it is,
where pixels as spikes have three levels: most of the difference is this.

    python -m experiments.spike_energy                 # MNIST: results/spike_energy.zarr, a picture
    python -m experiments.spike_energy --quick         # the embedded digits
"""

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from bpcjax import cost
from bpcjax.models import AbstractPhases, Backpropagation, NudgedPhases, RatePhases

from .common import predictive, study
from .common.data import SPLITS, splits
from .common.predictive import Training
from .common.scores import ledger, measure
from .common.settings import setting
from .common.stacking import stack

STEPS = 20


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Accuracy against spikes and energy."""

    data: str = setting("mnist", among=tuple(SPLITS), quick="digits")
    """The images: mnist, fashion_mnist, digits."""
    data_dir: str | None = None
    """The folder of the files of the images."""
    quanta: tuple[float, ...] = setting((0.25, 0.5, 1.0, 2.0), above=0, quick=(0.5, 1.0))
    """Of the values, at the largest width."""
    widths: tuple[int, ...] = setting((64, 256, 1024), least=2, quick=(32, 128))
    """Units of the hidden layer."""
    epochs: int = setting(10, least=1, quick=8)
    seed: int = 0


def networks(config: Config) -> dict[str, tuple[Training, AbstractPhases]]:
    """Settings and phases of the networks, by name."""
    small = config.data == "digits"
    base = Training(
        epochs=config.epochs,
        rate=1.0 if small else 0.75 if config.data == "fashion_mnist" else 1.5,
        warm=20 if small else 500,
        silent=0.05 if config.data == "fashion_mnist" else 0.0,
        shift=1 if config.data == "mnist" else 0,
        seed=config.seed,
    )
    table: dict[str, tuple[Training, AbstractPhases]] = {}

    def add(kind: str, width: int, phases: AbstractPhases, label: str, **changes: Any) -> None:
        settings = dataclasses.replace(base, hidden=(width,), **changes)
        table[f"{kind}, {label}"] = settings, phases

    widest = max(config.widths)
    for quantum in config.quanta:
        phases = NudgedPhases(jnp.asarray(quantum))
        add("spiking", widest, phases, f"d = {quantum:g}")
        add("spiking pixels", widest, phases, f"d = {quantum:g}", input_quantum=0.5)
    for width in config.widths:
        if width != widest:
            add("spiking pixels", width, NudgedPhases(), f"{width} units", input_quantum=0.5)
        add("backpropagation", width, Backpropagation(), f"{width} units")
    add("rate", widest, RatePhases(), f"{widest} units")
    return table


def by_step(metrics: dict[str, np.ndarray], width: int, classes: int) -> dict[str, np.ndarray]:
    """Energies (pJ) [steps] of reading a network after each number of steps, without states and
    with."""
    steps = np.arange(len(metrics["curve"]))
    spiking = float(metrics["spikes"]) > 0
    hidden = float(metrics["spikes"]) * classes
    sent = cost.Counts(
        synaptic=metrics["curve_spikes"] * classes
        + (float(metrics["synaptic"]) - hidden if spiking else 0.0),
        macs=float(metrics["macs"]),
    )
    states = cost.Counts(updates=width * (steps + 1.0) if spiking else 0.0)
    without = np.broadcast_to(ledger().energy(sent), steps.shape)
    return {"energy": without, "energy_states": without + ledger().energy(states)}


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Accuracy, spikes and energy of every network by step."""
    train, test = splits(config.data, config.data_dir)
    table = networks(config)

    def make(name: str) -> dict[str, np.ndarray]:
        print()
        settings, phases = table[name]
        folder, width = parts.work / "trained", settings.hidden[0]
        model = predictive.train(train, settings, phases, folder=folder, label=name)
        metrics = measure(model.energy, test, settings, phases, steps=STEPS)
        return metrics | by_step(metrics, width, test.classes) | {"width": np.asarray(width)}

    results = {(k,): parts(name, functools.partial(make, name)) for k, name in enumerate(table)}
    data = {
        key: (("network", "step")[: values.ndim], values)
        for key, values in stack(results, (len(table),)).items()
    }
    return xr.Dataset(data, coords={"network": list(table)}, attrs={"data": config.data})


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """At the end; and for every target the cheapest spiking network and the cheapest rival."""
    result: dict[str, float] = {}
    for name in dataset.network.values:
        row = dataset.sel(network=name)
        result[f"{name}: accuracy"] = float(row.accuracy)
        result[f"{name}: spikes"] = float(row.spikes + row.input_spikes)
        result[f"{name}: nJ"] = float(row.energy[-1]) / 1e3
        result[f"{name}: nJ with states"] = float(row.energy_states[-1]) / 1e3
    spiking = np.array(["spiking" in str(name) for name in dataset.network.values])
    best = [dataset.curve.values[which].max() for which in (spiking, ~spiking)]
    for target in (0.95, 0.97, 0.98, 0.985, 0.99):
        if target > min(best):
            continue
        for key in ("energy", "energy_states"):
            cheapest = [
                np.where(dataset.curve.values[w] >= target, dataset[key].values[w], np.inf).min()
                for w in (spiking, ~spiking)
            ]
            label = f"{100 * target:g} %: rival / spiking, {key.replace('_', ' with ')}"
            result[label] = float(cheapest[1] / cheapest[0])
    return result


STUDY = study.Study("spike_energy", Config, run, summary)

if __name__ == "__main__":
    STUDY.main()
