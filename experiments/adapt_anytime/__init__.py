"""What do networks of spikes know of events while they arrive, and when their law changes?

- Any time: recordings of events reach a network that learned by spikes. At every moment: the
  accuracy of its answer, NLL, calibration error, and spikes so far; and while the next recording
  follows without a reset. Its inputs keep all spikes, forget them, or both (`adapt_arriving`).
- Drift: as in `experiments.adapt`, but the readout is a network with a hidden layer that learns and
  answers by spikes, with and without weights that decay (`adapt_spikes`); against what it comes to
  where it has seen nothing but the new law.

    python -m experiments.adapt_anytime             # results/adapt_anytime.zarr and a picture
    python -m experiments.adapt_anytime --quick     # the embedded digits as Poisson spikes
"""

import dataclasses
from functools import cache, partial

import numpy as np
import xarray as xr

from ..adapt import key_of
from ..common import InputError, study
from ..common.statistics import wilson
from ..common.study import Parts
from .arriving import FOLDS, FRAME, arrive, load, memories
from .events import tasks
from .spikes import DECAYS, drift

NAME = "adapt_anytime"
MEMORIES = "all", "forgets", "both"


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Events as they arrive, and as they drift."""

    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    events: tuple[str, ...] = ("nmnist", "spoken_digits")
    """Sets of recordings: nmnist, spoken_digits; of those that arrive also digits."""
    seeds: int = 3
    """Splits; of recordings that arrive they hold out different quarters."""
    width: int = 256
    """Hidden units of the network to which recordings arrive."""
    updates: int = 1500
    """Batches of 128 it learns from."""
    passes: int = 10
    """How often recordings are shown after the drift; half as often before it."""
    seed: int = 0
    """Of the drift's orders."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    study.at_least(1, config, "seeds", "width", "updates", "passes")
    if config.seeds > FOLDS:
        raise InputError(f"seeds: there are {FOLDS} quarters to hold out, got {config.seeds}.")
    if config.quick:
        config = dataclasses.replace(
            config, events=("digits",), seeds=1, updates=min(config.updates, 300)
        )
    return config


def run(config: Config, parts: Parts) -> xr.Dataset:
    """Recordings that arrive, and those that drift."""
    config = check(config)
    variables, coords, drifts = {}, {"memory": list(MEMORIES), "decay": list(DECAYS)}, []
    for name in config.events:
        given = cache(lambda name=name: load(name, config.data_dir))

        def make(memory: str, fold: int, name=name, given=given):
            print()
            taus = memories(name)[memory]
            return arrive(given(), taus, fold, width=config.width, updates=config.updates)

        found = [
            parts(f"{name}, {memory}, {fold}", partial(make, memory, fold))
            for memory in MEMORIES
            for fold in range(config.seeds)
        ]
        for key in found[0]:
            values = np.array([part[key] for part in found])
            values = values.reshape(len(MEMORIES), config.seeds, *values.shape[1:])
            dims = ("memory", "fold") if key == "asked" else ("memory", "fold", f"{name}:time")
            variables[f"{name}:{key}"] = dims, values
        frames = variables[f"{name}:nll"][1].shape[2]
        coords[f"{name}:time"] = FRAME * np.arange(1, frames + 1)  # ms
    drifting = tuple(name for name in config.events if name != "digits")
    for task in tasks(config.data_dir, drifting) if drifting else ():
        found = [
            parts(f"{task.name} {k}", lambda k=k, t=task: drift(t, config.passes, config.seed, k))
            for k in range(config.seeds)
        ]
        slug = key_of(task.name)
        drifts.append(task.name)
        for key, dims in {
            "right": ("order", "decay", f"{slug}:point"), "stationary": ("order", "decay"),
            "asked": ("order",), "spikes": ("order", "decay"), "change": ("order",),
        }.items():  # fmt: skip
            variables[f"{slug}:{key}"] = dims, np.array([part[key] for part in found])
        coords[f"{slug}:point"] = found[0]["shown"]
    return xr.Dataset(variables, coords, {"events": list(config.events), "tasks": drifts})


def at(dataset: xr.Dataset, name: str, memory: str, time: float) -> dict[str, float]:
    """Accuracy with its 95 % interval (Wilson's, over all splits), NLL, calibration error and
    spikes so far at a time (ms)."""
    here = {k: dataset[f"{name}:{k}"].sel(memory=memory) for k in
            ("right", "nll", "ece", "value_spikes", "input_spikes")}  # fmt: skip
    here = {k: v.sel({f"{name}:time": time}, method="nearest") for k, v in here.items()}
    right = int(here["right"].sum())
    asked = int(dataset[f"{name}:asked"].sel(memory=memory).sum())
    low, high = wilson(right, asked)
    told = {k: float(here[k].mean()) for k in ("nll", "ece", "value_spikes", "input_spikes")}
    return {"accuracy": right / asked, "low": low, "high": high} | told


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The state at some moments; after drift against stationary, with 95 % intervals."""
    result: dict[str, float] = {}
    for name in dataset.attrs["events"]:
        end = float(dataset[f"{name}:time"][-1]) / 2
        moments = {f"{t:g} ms": t for t in (25, 50, 100, 200, 300, 600) if t <= end}
        moments |= {f"{t:g} ms into the next": end + t for t in (50, 100, 200) if t <= end}
        for memory in MEMORIES:
            for label, time in moments.items():
                for key, value in at(dataset, name, memory, time).items():
                    result[f"{name}, {memory}, {label}: {key.replace('_', ' ')}"] = value
    for name in dataset.attrs["tasks"]:
        slug = key_of(name)
        asked = int(dataset[f"{slug}:asked"].sum())
        shown = dataset[f"{slug}:point"]
        change = float(dataset[f"{slug}:change"][0])
        for decay in dataset.decay.values:
            share = dataset[f"{slug}:right"].sel(decay=decay) / dataset[f"{slug}:asked"]
            last = share[:, -5:].mean(f"{slug}:point")
            rest = dataset[f"{slug}:stationary"].sel(decay=decay) / dataset[f"{slug}:asked"]
            low, high = wilson(round(float(last.mean()) * asked), asked)
            label = f"{name}, spikes, decay {decay:g}"
            result |= {
                f"{label}: before": float(share[:, shown <= change][:, -3:].mean()),
                f"{label}: at the drift": float(share[:, shown > change][:, 0].mean()),
                f"{label}: in the end": float(last.mean()),
                f"{label}: in the end, low": low,
                f"{label}: in the end, high": high,
                f"{label}: stationary": float(rest.mean()),
                f"{label}: in the end less stationary": float((last - rest).mean()),
                f"{label}: hidden spikes": float(dataset[f"{slug}:spikes"].sel(decay=decay).mean()),
            }
            if last.size > 1:
                deviation = float((last - rest).std(ddof=1))
                result[f"{label}: in the end less stationary, deviation"] = deviation
    return result


def _figure():
    from figures import adapt_anytime

    return adapt_anytime


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)
