"""What do networks of spikes know of events while they arrive, and when their law changes?

- Any time: recordings of events reach a network that learned by spikes. At every moment: the
  accuracy of its answer, NLL, calibration error, and spikes so far; and while the next recording
  follows without a reset. Its inputs keep all spikes, forget them, or both (`arriving`).
- Drift: as in `experiments.adapt`, but the readout is a network with a hidden layer that learns and
  answers by spikes, with and without weights that decay (`spikes`); against what it comes to
  where it has seen nothing but the new law, as often as the other one after the drift: it has
  learned from fewer recordings altogether.

    python -m experiments.adapt_anytime             # results/adapt_anytime.zarr and a picture
    python -m experiments.adapt_anytime --quick     # the embedded digits as Poisson spikes
"""

import dataclasses
from functools import cache, partial

import numpy as np
import xarray as xr

from ..common import study
from ..common.drifts import SETS as DRIFTING, task_key, tasks
from ..common.settings import setting
from ..common.stacking import stack
from ..common.statistics import wilson
from .arriving import FOLDS, FRAME, SETS, arrive, memories
from .spikes import DECAYS, drift

MEMORIES = "all", "forgets", "both"


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Events as they arrive, and as they drift."""

    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    events: tuple[str, ...] = setting(
        ("nmnist", "spoken_digits"), among=tuple(SETS), quick=("digits",)
    )
    """Sets of recordings: nmnist, spoken_digits; of those that arrive also digits."""
    seeds: int = setting(3, least=1, most=FOLDS, quick=1)
    """Splits; of recordings that arrive they hold out different quarters."""
    width: int = setting(256, least=1)
    """Hidden units of the network to which recordings arrive."""
    updates: int = setting(1500, least=1, quick=300)
    """Batches of 128 it learns from."""
    passes: int = setting(10, least=1)
    """How often recordings are shown after the drift; half as often before it."""
    seed: int = 0
    """Of the drift's orders."""


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Recordings that arrive, and those that drift."""
    variables, coords = {}, {"memory": list(MEMORIES), "decay": list(DECAYS)}
    for name in config.events:
        data = cache(partial(SETS[name], config.data_dir))

        def make(memory: str, fold: int, name=name, data=data):
            print()
            taus = memories(name)[memory]
            return arrive(data(), taus, fold, width=config.width, updates=config.updates)

        folds = {
            (k, fold): parts(f"{name}, {memory}, {fold}", partial(make, memory, fold))
            for k, memory in enumerate(MEMORIES)
            for fold in range(config.seeds)
        }
        for key, values in stack(folds, (len(MEMORIES), config.seeds)).items():
            dims = ("memory", "fold", f"{name}:time")[: values.ndim]
            variables[f"{name}:{key}"] = dims, values
        frames = variables[f"{name}:nll"][1].shape[2]
        coords[f"{name}:time"] = FRAME * np.arange(1, frames + 1)  # ms
    keys = {}
    for task in tasks(config.data_dir, tuple(name for name in config.events if name in DRIFTING)):
        key = keys[task.name] = task_key(task.name)
        orders = {
            (k,): parts(f"{task.name} {k}", partial(drift, task, config.passes, config.seed, k))
            for k in range(config.seeds)
        }
        values = stack(orders, (config.seeds,))
        coords[f"{key}:point"] = values.pop("point")[0]
        inner = {"right": ("decay", f"{key}:point"), "stationary": ("decay",), "spikes": ("decay",)}
        variables |= {f"{key}:{n}": (("order", *inner.get(n, ())), v) for n, v in values.items()}
    attrs = {"events": list(config.events), "tasks": list(keys), "keys": list(keys.values())}
    return xr.Dataset(variables, coords, attrs)


def at(dataset: xr.Dataset, name: str, memory: str, time: float) -> dict[str, float]:
    """Metrics at a time (ms): accuracy with its 95 % interval (Wilson's, over all splits), NLL,
    calibration error and spikes so far."""
    means = "nll", "ece", "value_spikes", "input_spikes"
    here = {k: dataset[f"{name}:{k}"].sel(memory=memory) for k in ("right", *means)}
    here = {k: v.sel({f"{name}:time": time}, method="nearest") for k, v in here.items()}
    right = int(here["right"].sum())
    count = int(dataset[f"{name}:test"].sel(memory=memory).sum())
    low, high = wilson(right, count)
    metrics = {"accuracy": right / count, "low": low, "high": high}
    return metrics | {k: float(here[k].mean()) for k in means}


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
    for name, key in zip(dataset.attrs["tasks"], dataset.attrs["keys"], strict=True):
        result |= _drift_summary(dataset, name, key)
    return result


def _drift_summary(dataset: xr.Dataset, name: str, key: str) -> dict[str, float]:
    result: dict[str, float] = {}
    tests = dataset[f"{key}:test"]
    count, point = int(tests.sum()), dataset[f"{key}:point"]
    change = float(dataset[f"{key}:change"][0])
    for decay in dataset.decay.values:
        share = dataset[f"{key}:right"].sel(decay=decay) / tests
        last = share[:, -5:].mean(f"{key}:point")
        stationary = dataset[f"{key}:stationary"].sel(decay=decay) / tests
        low, high = wilson(round(float(last.mean()) * count), count)
        label = f"{name}, spikes, decay {decay:g}"
        result |= {
            f"{label}: before": float(share[:, point <= change][:, -3:].mean()),
            f"{label}: at the drift": float(share[:, point > change][:, 0].mean()),
            f"{label}: in the end": float(last.mean()),
            f"{label}: in the end, low": low,
            f"{label}: in the end, high": high,
            f"{label}: stationary": float(stationary.mean()),
            f"{label}: in the end less stationary": float((last - stationary).mean()),
            f"{label}: hidden spikes": float(dataset[f"{key}:spikes"].sel(decay=decay).mean()),
        }
        if last.size > 1:
            deviation = float((last - stationary).std(ddof=1))
            result[f"{label}: in the end less stationary, deviation"] = deviation
    return result


STUDY = study.Study("adapt_anytime", Config, run, summary)
