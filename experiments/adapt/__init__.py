"""Do posteriors that forget keep up with a world that changes?

- Switching: a linear-Gaussian stream whose weights are drawn anew now and then. Posteriors side by
  side, weighed by evidence, against the exact filter over all times of change (Adams & MacKay 2007,
  arXiv:0710.3742), and single posteriors that forget. Regret is the log density lost to who knows
  the weights. No spikes.
- Tracking: the mean of a Kalman filter found by spikes, one at a time, each the best of all units,
  at Kalman's own covariances; against Kalman's mean. Regret against who knows the state.
- Drift: a linear readout of N-MNIST and of spoken digits that learns from batches of ten
  recordings, by regression with forgetting, without spikes. In
  the middle they are turned, or shifted in pitch, or their rate drops. Accuracy against that of
  the same readout that has seen nothing but the new law; and a nearest neighbour's.
- Classes one after another: the embedded digits, a class at a time, the same regression (its sums
  do not know the order) against a gradient rule.

    python -m experiments.adapt             # results/adapt.zarr and a picture
    python -m experiments.adapt --quick     # streams and digits alone
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..common import study
from ..common.drifts import SETS, task_key, tasks
from ..common.settings import setting
from ..common.stacking import stack
from ..common.statistics import wilson
from .readouts import class_by_class, drift
from .streams import change_points, forgetting, kalman, oracle, oracle_of_state, switching, tracking

KEEPS = (1.0, 0.99, 0.95, 0.9)
QUANTA = (0.4, 0.2, 0.1, 0.05, 0.025)


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Learning in a world that changes."""

    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    events: tuple[str, ...] = setting(tuple(SETS), among=tuple(SETS), empty=True, quick=())
    """Sets of recordings: nmnist, spoken_digits."""
    length: int = setting(1000, least=1, quick=400)
    """Samples of a switching stream, and of one to track."""
    hazard: float = setting(0.01, above=0, below=1)
    """How probable a change is at each."""
    places: tuple[int, ...] = setting((1, 2, 4, 8, 16), least=1)
    """Posteriors side by side."""
    keeps: tuple[float, ...] = setting((1.0, 0.995, 0.98), above=0, most=1)
    """What a readout keeps of its evidence at each batch."""
    streams: int = setting(10, least=1, quick=3)
    """Streams of each kind."""
    seeds: int = setting(3, least=1)
    """Orders and splits of the recordings."""
    passes: int = setting(3, least=1)
    """How often the recordings are shown after the drift."""
    seed: int = 0
    """Of everything."""


def switch(config: Config, k: int) -> dict[str, np.ndarray]:
    """Regret [learner, T] on a switching stream, to who knows the weights: of the exact filter, of
    posteriors side by side, and of those that forget."""
    stream = switching(np.random.default_rng([config.seed, k]), config.length, config.hazard)
    z, a, best = jnp.asarray(stream.z), jnp.asarray(stream.a), oracle(stream)
    places = [config.length + 1, *(p for p in config.places if p > 1)]
    log = [change_points(z, a, config.hazard, p) for p in places]
    log += [forgetting(z, a, keep) for keep in KEEPS]
    return {"regret": best - np.array(log), "changes": _changes(stream.weights)}


def _changes(weights: np.ndarray) -> np.ndarray:
    return np.append(False, (np.diff(weights, axis=0) != 0).any(axis=(1, 2)))


def track(config: Config, k: int) -> dict[str, np.ndarray]:
    """Regret of Kalman's filter, and of spikes at each quantum, with their spikes a sample and
    their distance from his estimate."""
    model, y, x = tracking(np.random.default_rng([config.seed, 1, k]), config.length)
    y = jnp.asarray(y)
    best = float(oracle_of_state(model, y, jnp.asarray(x)).sum())
    exact, mean, _ = kalman(model, y, None)
    regret, spikes, distance = [], [], []
    for quantum in QUANTA:
        log, estimate, count = kalman(model, y, jnp.asarray(quantum))
        regret.append(best - float(log.sum()))
        spikes.append(float(count.mean()))
        distance.append(float(jnp.sqrt(jnp.mean((estimate - mean) ** 2))))
    return {
        "tracking_exact": np.array(best - float(exact.sum())),
        "tracking": np.array(regret),
        "tracking_spikes": np.array(spikes),
        "tracking_distance": np.array(distance),
    }


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """All streams."""

    def several(label, make, count):
        return stack(
            {(k,): parts(f"{label} {k}", lambda k=k: make(k)) for k in range(count)}, (count,)
        )

    keeps, seed = config.keeps, config.seed
    streams = several("switching", lambda k: switch(config, k), config.streams)
    streams |= several("tracking", lambda k: track(config, k), config.streams)
    orders = several("classes", lambda k: class_by_class(keeps, seed, k), config.seeds)
    dims = {
        "regret": ("stream", "learner", "time"), "changes": ("stream", "time"),
        "tracking_exact": ("stream",), "classes": ("order", "rule", "seen"), "joint": ("order",),
    }  # fmt: skip
    variables = {
        key: (dims.get(key, ("stream", "quantum")), values)
        for key, values in (streams | orders).items()
    }
    learners = ["exact", *(f"{p} side by side" for p in config.places if p > 1)]
    coords = {
        "learner": learners + [f"keep {keep:g}" for keep in KEEPS],
        "quantum": list(QUANTA),
        "rule": [*(f"keep {keep:g}" for keep in keeps), "gradient"],
        "seen": np.arange(1, 11),
        "keep": list(keeps),
    }
    keys = {}
    for task in tasks(config.data_dir, config.events):
        key = keys[task.name] = task_key(task.name)
        folds = several(
            task.name, lambda k, t=task: drift(t, keeps, config.passes, seed, k), config.seeds
        )
        coords[f"{key}:point"] = folds.pop("point")[0]
        inner = {"right": ("keep", f"{key}:point"), "stationary": ("keep",), "neighbour": ("law",)}
        variables |= {
            f"{key}:{name}": (("order", *inner.get(name, ())), values)
            for name, values in folds.items()
        }
    attrs = {"hazard": config.hazard, "tasks": list(keys), "keys": list(keys.values())}
    return xr.Dataset(variables, coords, attrs)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Regret over that of the exact filters; accuracy against stationary; classes kept."""
    regret = dataset.regret.sum("time")
    exact = regret.sel(learner="exact")
    result = {"switching: exact regret, nats": float(exact.mean())}
    for name in dataset.learner.values[1:]:
        ratio = regret.sel(learner=name).mean() / exact.mean()
        result[f"switching: {name}, regret over exact"] = float(ratio)
    base = dataset.tracking_exact.mean()
    for quantum in dataset.quantum.values:
        here = dataset.sel(quantum=quantum)
        label = f"tracking, quantum {quantum:g}"
        result[f"{label}: regret over exact"] = float(here.tracking.mean() / base)
        result[f"{label}: spikes a sample"] = float(here.tracking_spikes.mean())
    for name, key in zip(dataset.attrs["tasks"], dataset.attrs["keys"], strict=True):
        result |= _drift_summary(dataset, name, key)
    for rule in dataset.rule.values:
        value = dataset.classes.sel(rule=rule, seen=10).mean()
        result[f"classes one after another: {rule}"] = float(value)
    result["classes mixed: keep 1"] = float(dataset.joint.mean())
    return result


def _drift_summary(dataset: xr.Dataset, name: str, key: str) -> dict[str, float]:
    result: dict[str, float] = {}
    count = int(dataset[f"{key}:test"].sum())
    for law, label in enumerate(("before", "after")):
        near = dataset[f"{key}:neighbour"].isel(law=law).sum()
        result[f"{name}: nearest neighbour, {label}"] = float(near / count)
    point = dataset[f"{key}:point"]
    for keep in dataset.keep.values:
        right = dataset[f"{key}:right"].sel(keep=keep).sum("order")
        stationary = int(dataset[f"{key}:stationary"].sel(keep=keep).sum())
        last = int(right[-1])
        low, high = wilson(last, count)
        label = f"{name}, keep {keep:g}"
        result |= {
            f"{label}: before": float(right[point <= 1][-1] / count),
            f"{label}: at the drift": float(right[point > 1][0] / count),
            f"{label}: in the end": last / count,
            f"{label}: in the end, low": low,
            f"{label}: in the end, high": high,
            f"{label}: stationary": stationary / count,
        }
    return result


STUDY = study.Study("adapt", Config, run, summary)
