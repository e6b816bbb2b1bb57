"""What do networks of spikes know of events while they arrive, and when their law changes?

- Any time: recordings of events come one after another, half of them broken off, and nobody says
  when the next one begins. A filter of change points (a temporal prior with a hazard) reads from a
  network of spikes since when the recording lasts; another network says who it is, from all events
  since then (`arriving`). At every moment into the next recording: the accuracy, against the same
  network that is told the onset, and against naive Bayes and logistic regression, with leaks and
  with change points. A stopping rule answers once the posterior is sure enough: how often it is
  right, how soon, and what it costs.
- Drift: as in `experiments.adapt`, but the readout is a network with a hidden layer that learns and
  answers by spikes, with and without weights that decay (`spikes`); against what it comes to
  where it has seen nothing but the new law, in as many recordings.

Five folds test on training recordings (networks learn from the other four fifths), the sixth on the
official test (networks learn from all training recordings). Settings are chosen on other folds.

    python -m experiments.adapt_anytime --data-dir FOLDER   # with nmnist_small and fsdd in it
    python -m experiments.adapt_anytime --quick             # the embedded digits as Poisson spikes
"""

import dataclasses
from functools import cache, partial

import numpy as np
import xarray as xr

from ..common import study
from ..common.drifts import SETS as DRIFTING, task_key, tasks
from ..common.settings import setting
from ..common.stacking import stack
from .arriving import ALPHAS, DECIDING, METHODS, arrive
from .measures import AGES
from .recordings import FOLDS, FRAME, SETS
from .report import summary
from .spikes import DECAYS, drift

DIMS = {
    "right": ("model", "recording", "age"), "onset found": ("frame",), "nll": ("model",),
    "frame energy": ("rule",), "example": ("row", "time"),
} | {f"decisions, {n}": ("rule", "alpha", "recording")
     for n in ("given", "right", "shown", "answered")} | {
    f"median, {n}": ("rule", "alpha") for n in ("delay", "spikes", "energy")
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Events as they arrive, and as they drift."""

    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    events: tuple[str, ...] = setting(
        ("nmnist", "spoken_digits"), among=tuple(SETS), quick=("digits",)
    )
    """Sets of recordings: nmnist, spoken_digits; of those that arrive also digits."""
    folds: int = setting(FOLDS, least=1, most=FOLDS, quick=2)
    """Folds of training recordings that are tested on."""
    streams: int = setting(40, least=2, quick=10)
    """Streams of each fold."""
    each: int = setting(20, least=2)
    """Recordings of a stream."""
    width: int = setting(256, least=1, quick=64)
    """Hidden units of the networks to which recordings arrive."""
    epochs: int = setting(15, least=1, quick=10)
    """Of each of these networks."""
    orders: int = setting(3, least=1, quick=1)
    """Splits of the recordings that drift."""
    passes: int = setting(10, least=1)
    """How often recordings are shown after the drift; half as often before it."""
    seed: int = 0
    """Of the drift's orders."""


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Recordings that arrive, and those that drift."""
    variables, coords = {}, {
        "model": list(METHODS), "rule": list(DECIDING), "alpha": list(ALPHAS),
        "decay": list(DECAYS), "frame": FRAME * np.arange(1, AGES + 1),
    }  # fmt: skip
    for name in config.events:
        numbers = (*range(config.folds), *([] if name == "digits" else [FOLDS]))
        measures = arrive(
            cache(partial(SETS[name], config.data_dir)), parts, name=name, folds=numbers,
            streams=config.streams, each=config.each, width=config.width, epochs=config.epochs,
        )  # fmt: skip
        rows = {(k,): measures[number] for k, number in enumerate(numbers)}
        coords[f"{name}:fold"] = list(numbers)
        for key, values in stack(rows, (len(numbers),)).items():
            own = DIMS.get(key, tuple(f"{key} {k}" for k in range(values.ndim - 1)))
            shared = {"model", "rule", "alpha", "frame"}
            dims = (d if d in shared else f"{name}:{d}" for d in ("fold", *own))
            variables[f"{name}:{key}"] = tuple(dims), values
    keys = {}
    for task in tasks(config.data_dir, tuple(name for name in config.events if name in DRIFTING)):
        key = keys[task.name] = task_key(task.name)
        orders = {
            (k,): parts(f"{task.name} {k}", partial(drift, task, config.passes, config.seed, k))
            for k in range(config.orders)
        }
        values = stack(orders, (config.orders,))
        coords[f"{key}:point"] = values.pop("point")[0]
        inner = {"right": ("decay", f"{key}:point"), "stationary": ("decay",), "spikes": ("decay",)}
        variables |= {f"{key}:{n}": (("order", *inner.get(n, ())), v) for n, v in values.items()}
    attrs = {"events": list(config.events), "tasks": list(keys), "keys": list(keys.values())}
    return xr.Dataset(variables, coords, attrs)


STUDY = study.Study("adapt_anytime", Config, run, summary, double=False)
