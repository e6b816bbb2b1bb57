"""What does accuracy cost in spikes and joules?

Spiking predictive coding at several quanta and widths, read after every number of steps, with
pixels as currents and as spikes; beside it its rate twin and networks trained by backpropagation at
the same widths. Energies are of arithmetic alone (45 nm, fp32): a multiply-accumulate for what is
analog, an addition at each synapse that a spike reaches, and in `with states` an update of every
hidden neuron in every step.

    python -m experiments.spike_energy                 # MNIST: results/spike_energy.zarr, a picture
    python -m experiments.spike_energy --quick         # the embedded digits
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from bpcjax import cost
from bpcjax.models import AbstractPhases, Backpropagation, NudgedPhases, RatePhases

from .common import InputError, study
from .common.data import splits
from .common.predictive import Training, train
from .common.scores import ledger, measure
from .common.study import Parts

NAME = "spike_energy"
STEPS = 20


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """What can be told."""

    data: str = "mnist"
    """The images: mnist, fashion_mnist, digits."""
    data_dir: str | None = None
    """The folder of the files of the images."""
    quanta: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    """Of the values, at the largest width."""
    widths: tuple[int, ...] = (64, 256, 1024)
    """Units of the hidden layer."""
    epochs: int = 10
    seed: int = 0


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    if not config.quanta or min(config.quanta) <= 0:
        raise InputError(f"quanta must be positive, got {config.quanta}.")
    if not config.widths or min(config.widths) < 2:
        raise InputError(f"widths must be at least 2, got {config.widths}.")
    if config.epochs < 1:
        raise InputError(f"epochs must be at least 1, got {config.epochs}.")
    if config.quick:
        return dataclasses.replace(
            config, data="digits", quanta=(0.5, 1.0), widths=(32, 128), epochs=min(config.epochs, 8)
        )
    return config


def networks(config: Config) -> dict[str, tuple[Training, AbstractPhases]]:
    """What is trained, by name."""
    small = config.data == "digits"
    base = Training(
        epochs=config.epochs,
        rate=1.0 if small else 0.75 if config.data == "fashion_mnist" else 1.5,
        warm=20 if small else 500,
        silent=0.05 if config.data == "fashion_mnist" else 0.0,
        shift=1 if config.data == "mnist" else 0,
        seed=config.seed,
    )
    found: dict[str, tuple[Training, AbstractPhases]] = {}

    def add(kind: str, width: int, phases: AbstractPhases, label: str, **changes: Any) -> None:
        settings = dataclasses.replace(base, hidden=(width,), **changes)
        found[f"{kind}, {label}"] = settings, phases

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
    return found


def by_step(found: dict[str, np.ndarray], width: int, classes: int) -> dict[str, np.ndarray]:
    """The energy (pJ) of reading a network after each number of steps, without states and with."""
    steps = np.arange(len(found["curve"]))
    spiking = float(found["spikes"]) > 0
    sent = cost.Counts(
        synaptic=found["curve_spikes"] * classes
        + (float(found["synaptic"]) - float(found["spikes"]) * classes if spiking else 0.0),
        macs=float(found["macs"]),
    )
    states = cost.Counts(updates=width * (steps + 1.0) if spiking else 0.0)
    without = np.broadcast_to(ledger().energy(sent), steps.shape)
    return {"energy": without, "energy_states": without + ledger().energy(states)}


def run(config: Config, parts: Parts) -> xr.Dataset:
    """Accuracy, spikes and energy of every network by step."""
    config = check(config)
    learned, asked = splits(config.data, config.data_dir)
    table, found = networks(config), []
    for name, (settings, phases) in table.items():

        def make(name=name, settings=settings, phases=phases):
            print()
            folder = Path(config.out) / config.FOLDER / f"{NAME}.work" / "trained"
            trained = train(learned, settings, phases, folder=folder, label=name)
            measured = measure(trained.energy, asked, settings, phases, steps=STEPS)
            extra = by_step(measured, settings.hidden[0], asked.classes)
            return measured | extra | {"width": np.asarray(settings.hidden[0])}

        found.append(parts(name, make))
    data = {
        key: (("network", "step")[: 1 + np.ndim(found[0][key])], np.array([f[key] for f in found]))
        for key in found[0]
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


def _figure():
    from figures import spike_energy

    return spike_energy


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)


if __name__ == "__main__":
    main()
