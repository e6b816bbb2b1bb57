"""Do posteriors that forget keep up with a world that changes?

- Switching: a linear-Gaussian stream whose weights are drawn anew now and then. Posteriors side by
  side, weighed by evidence, against the exact filter over all times of change, and single
  posteriors that forget. Regret is the log density lost to who knows the weights.
- Tracking: a hidden state followed by spikes (a spiking Kalman filter), against Kalman's own;
  regret against who knows the state.
- Drift: a readout of N-MNIST and of spoken digits that learns from batches of ten recordings. In
  the middle they are turned, or shifted in pitch, or their rate drops. Accuracy against that of
  the same readout that has seen nothing but the new law; and a nearest neighbour's.
- Classes one after another: the embedded digits, a class at a time, against a gradient rule.

    python -m experiments.adapt             # results/adapt.zarr and a picture
    python -m experiments.adapt --quick     # streams and digits alone
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import xarray as xr

import bpcjax as bpc

from ..adapt_anytime.events import BATCH, Task, gradient, learn, nearest, tasks
from ..common import InputError, study
from ..common.statistics import wilson
from ..common.study import Parts
from .streams import change_points, forgetting, kalman, knowing, knowing_state, switching, tracking

NAME = "adapt"
KEEPS = (1.0, 0.99, 0.95, 0.9)
QUANTA = (0.4, 0.2, 0.1, 0.05, 0.025)


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Learning in a world that changes."""

    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    events: tuple[str, ...] = ("nmnist", "spoken_digits")
    """Sets of recordings: nmnist, spoken_digits."""
    length: int = 1000
    """Samples of a switching stream, and of one to track."""
    hazard: float = 0.01
    """How probable a change is at each."""
    places: tuple[int, ...] = (1, 2, 4, 8, 16)
    """Posteriors side by side."""
    keeps: tuple[float, ...] = (1.0, 0.995, 0.98)
    """What a readout keeps of its evidence at each batch."""
    streams: int = 10
    """Streams of each kind."""
    seeds: int = 3
    """Orders and splits of the recordings."""
    passes: int = 3
    """How often the recordings are shown after the drift."""
    seed: int = 0
    """Of everything."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    study.at_least(1, config, "length", "streams", "seeds", "passes")
    if not 0 < config.hazard < 1:
        raise InputError(f"hazard must be between 0 and 1, got {config.hazard}.")
    if not config.keeps or not all(0 < keep <= 1 for keep in config.keeps):
        raise InputError(f"keeps must be in (0, 1], got {config.keeps}.")
    if config.quick:
        config = dataclasses.replace(
            config, events=(), length=min(config.length, 400), streams=min(config.streams, 3)
        )
    return config


def switch(config: Config, k: int) -> dict[str, np.ndarray]:
    """Log densities lost [learner, T] to who knows: exact, side by side, forgetting."""
    stream = switching(np.random.default_rng([config.seed, k]), config.length, config.hazard)
    z, a, best = jnp.asarray(stream.z), jnp.asarray(stream.a), knowing(stream)
    found = [change_points(z, a, config.hazard, config.length + 1)]
    found += [change_points(z, a, config.hazard, places) for places in config.places if places > 1]
    found += [forgetting(z, a, keep) for keep in KEEPS]
    return {"lost": best - np.array(found), "switched": _changes(stream.weights)}


def _changes(weights: np.ndarray) -> np.ndarray:
    return np.append(False, (np.diff(weights, axis=0) != 0).any(axis=(1, 2)))


def track(config: Config, k: int) -> dict[str, np.ndarray]:
    """The regret of Kalman's filter, and of spikes at each quantum, and spikes a sample."""
    model, y, x = tracking(np.random.default_rng([config.seed, 1, k]), config.length)
    y = jnp.asarray(y)
    best = float(knowing_state(model, y, jnp.asarray(x)).sum())
    exact, mean, _ = kalman(model, y, None)
    lost, spikes, off = [], [], []
    for quantum in QUANTA:
        found, estimate, count = kalman(model, y, jnp.asarray(quantum))
        lost.append(best - float(found.sum()))
        spikes.append(float(count.mean()))
        off.append(float(jnp.sqrt(jnp.mean((estimate - mean) ** 2))))
    return {
        "tracking_exact": np.array(best - float(exact.sum())),
        "tracking": np.array(lost),
        "tracking_spikes": np.array(spikes),
        "tracking_off": np.array(off),
    }


def drift(config: Config, task: Task, k: int) -> dict[str, np.ndarray]:
    """How many of the recordings held out are named right, through the stream."""
    rng = np.random.default_rng([config.seed, 2, k])
    order = rng.permutation(len(task.labels))
    held = len(order) // 4
    test, train = order[:held], order[held:]
    train = train[: len(train) // BATCH * BATCH]

    def stream(features, passes):
        index = np.concatenate([rng.permutation(train) for _ in range(passes)])
        labels = np.eye(10)[task.labels[index]]
        width = features.shape[1]
        return features[index].reshape(-1, BATCH, width), labels.reshape(-1, BATCH, 10)

    first, last = stream(task.before, 1), stream(task.after, config.passes)
    x, labels = (np.concatenate(pair) for pair in zip(first, last, strict=True))
    cut, half = len(first[0]), 10
    asked = np.full(len(x), -1)
    before = np.unique(np.linspace(4, cut - 1, half).astype(int))
    after = np.unique(np.linspace(cut, len(x) - 1, half * config.passes).astype(int))
    asked[before], asked[after] = 0, 1
    tests = jnp.asarray(np.stack([task.before[test], task.after[test]]))
    right, final = [], []
    for keep in config.keeps:
        named = learn(jnp.asarray(x), jnp.asarray(labels), keep, tests, jnp.asarray(asked))
        named = np.asarray(named)[asked >= 0]
        right.append((named == task.labels[test]).sum(axis=1))
        only = np.full(len(last[0]), -1)
        only[-1] = 1
        named = learn(*map(jnp.asarray, last), keep, tests, jnp.asarray(only))
        final.append((np.asarray(named)[-1] == task.labels[test]).sum())
    neighbour = [
        (nearest(f[train], task.labels[train], f[test]) == task.labels[test]).sum()
        for f in (task.before, task.after)
    ]
    shown = np.append(before, after) + 1.0
    return {
        "right": np.array(right),
        "stationary": np.array(final),
        "neighbour": np.array(neighbour),
        "asked": np.array(held),
        "shown": shown / cut,
    }


def classes(config: Config, k: int) -> dict[str, np.ndarray]:
    """The accuracy on all digits [rule, classes seen], classes shown one after another."""
    rng = np.random.default_rng([config.seed, 3, k])
    digits = bpc.data.load("digits", "all")
    assert isinstance(digits, bpc.data.Images)
    hidden = rng.normal(size=(64, 200)) / 8
    pixels = digits.pixels.reshape(len(digits.labels), -1)
    features = np.maximum((pixels - pixels.mean(axis=0)) @ hidden, 0.0)
    features = features / features.std()
    order = rng.permutation(len(features))
    test, train = order[:400], order[400:]
    sequence = [train[digits.labels[train] == c] for c in rng.permutation(10)]
    sequence = [part[: len(part) // BATCH * BATCH] for part in sequence]
    index = np.concatenate(sequence)
    x = jnp.asarray(features[index].reshape(-1, BATCH, 200))
    labels = jnp.asarray(np.eye(10)[digits.labels[index]].reshape(-1, BATCH, 10))
    ends = np.cumsum([len(part) // BATCH for part in sequence]) - 1
    asked = np.full(len(x), -1)
    asked[ends] = 0
    tests = jnp.asarray(features[test][None])
    answers = [learn(x, labels, keep, tests, jnp.asarray(asked)) for keep in config.keeps]
    answers.append(gradient(x, labels, tests[0], 0.1))
    right = [(np.asarray(named)[ends] == digits.labels[test]).mean(axis=1) for named in answers]
    mixed = rng.permutation(index)
    x = jnp.asarray(features[mixed].reshape(-1, BATCH, 200))
    labels = jnp.asarray(np.eye(10)[digits.labels[mixed]].reshape(-1, BATCH, 10))
    joint = learn(x, labels, 1.0, tests, jnp.asarray(asked))
    return {
        "classes": np.array(right),
        "joint": np.array((np.asarray(joint)[-1] == digits.labels[test]).mean()),
    }


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All streams."""
    config = check(config)
    learners = ["exact", *(f"{p} side by side" for p in config.places if p > 1)]
    learners += [f"keep {keep:g}" for keep in KEEPS]

    def several(label, make, count):
        found = [parts(f"{label} {k}", lambda k=k: make(config, k)) for k in range(count)]
        return {name: np.stack([part[name] for part in found]) for name in found[0]}

    one = several("switching", switch, config.streams)
    two = several("tracking", track, config.streams)
    three = several("classes", classes, config.seeds)
    rules = [*(f"keep {keep:g}" for keep in config.keeps), "gradient"]
    variables = {
        "lost": (("stream", "learner", "time"), one["lost"]),
        "switched": (("stream", "time"), one["switched"]),
        "tracking_exact": ("stream", two["tracking_exact"]),
        **{k: (("stream", "quantum"), two[k])
           for k in ("tracking", "tracking_spikes", "tracking_off")},
        "classes": (("order", "rule", "seen"), three["classes"]),
        "joint": ("order", three["joint"]),
    }  # fmt: skip
    coords = {
        "learner": learners,
        "quantum": list(QUANTA),
        "rule": rules,
        "seen": np.arange(1, 11),
        "keep": list(config.keeps),
    }
    names = []
    if config.events:
        for task in tasks(config.data_dir, config.events):
            found = several(task.name, lambda c, k, task=task: drift(c, task, k), config.seeds)
            slug = task.name.replace(" ", "_").replace(",", "").replace("-", "_")
            names.append(task.name)
            variables |= {
                f"{slug}:right": (("order", "keep", f"{slug}:point"), found["right"]),
                f"{slug}:stationary": (("order", "keep"), found["stationary"]),
                f"{slug}:neighbour": (("order", "law"), found["neighbour"]),
                f"{slug}:asked": ("order", found["asked"]),
            }
            coords[f"{slug}:point"] = found["shown"][0]
    return xr.Dataset(variables, coords, {"hazard": config.hazard, "tasks": names})


def key_of(name: str) -> str:
    """What the variables of a task are called by."""
    return name.replace(" ", "_").replace(",", "").replace("-", "_")


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Regret over that of the exact filters; accuracy against stationary; classes kept."""
    regret = dataset.lost.sum("time")
    exact = regret.sel(learner="exact")
    result = {"switching: exact regret, nats": float(exact.mean())}
    for name in dataset.learner.values[1:]:
        ratio = regret.sel(learner=name).mean() / exact.mean()
        result[f"switching: {name}, regret over exact"] = float(ratio)
    base = dataset.tracking_exact.mean()
    for quantum in dataset.quantum.values:
        here = dataset.sel(quantum=quantum)
        result[f"tracking, quantum {quantum:g}: regret over exact"] = float(
            here.tracking.mean() / base
        )
        result[f"tracking, quantum {quantum:g}: spikes a sample"] = float(
            here.tracking_spikes.mean()
        )
    for name in dataset.attrs["tasks"]:
        slug = key_of(name)
        asked = int(dataset[f"{slug}:asked"].sum())
        for law, label in enumerate(("before", "after")):
            near = dataset[f"{slug}:neighbour"].isel(law=law).sum()
            result[f"{name}: nearest neighbour, {label}"] = float(near / asked)
        for keep in dataset.keep.values:
            right = dataset[f"{slug}:right"].sel(keep=keep).sum("order")
            shown = dataset[f"{slug}:point"]
            rest = int(dataset[f"{slug}:stationary"].sel(keep=keep).sum())
            last = int(right[-1])
            low, high = wilson(last, asked)
            result |= {
                f"{name}, keep {keep:g}: before": float(right[shown <= 1][-1] / asked),
                f"{name}, keep {keep:g}: at the drift": float(right[shown > 1][0] / asked),
                f"{name}, keep {keep:g}: in the end": last / asked,
                f"{name}, keep {keep:g}: in the end, low": low,
                f"{name}, keep {keep:g}: in the end, high": high,
                f"{name}, keep {keep:g}: stationary": rest / asked,
            }
    for rule in dataset.rule.values:
        value = dataset.classes.sel(rule=rule, seen=10).mean()
        result[f"classes one after another: {rule}"] = float(value)
    result["classes mixed: keep 1"] = float(dataset.joint.mean())
    return result


def _figure():
    from figures import adapt

    return adapt


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)
