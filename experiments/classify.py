"""Which class? Spiking networks learn by surrogate derivatives, through the engine's own solve.

A dense network of leaky neurons on images as currents, in three seeds; the same trained to answer
at any of 25 steps; images as spikes at a rate, at a latency, or by sigma-delta; a recurrent and a
convolutional one; with `--events-dir` recordings of events (N-MNIST, spoken digits) in bins.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import bpcjax as bpc
from bpcjax.models import AbstractCode, Classifier, DeltaCode, EventCode, LatencyCode, RateCode

from .common import study
from .common.classifier_training import ClassifierConfig, examine, solve, train
from .common.classifiers import convolutional, dense, leaky
from .common.data import Split, check, splits
from .common.recordings import SETS
from .common.statistics import wilson
from .common.study import setting

FIELDS = (
    "accuracy", "nll", "ece", "input_spikes", "spikes", "synaptic", "macs", "updates",
    "picojoules", "parameters",
)  # fmt: skip

SLOW = 15.0  # ms, of membranes that wait for events
# Chosen on a fifth of the recordings of the training set.
EVENTS = {
    "N-MNIST": ClassifierConfig(60, 32, 2e-3, decay=1e-2, dropout=0.2, shift=1),
    "spoken digits": ClassifierConfig(60, 32, 2e-3, decay=1e-2, dropout=0.1),
}


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Settings of the run."""

    data: str = setting("mnist", quick="digits")
    """mnist, fashion_mnist, or digits, which need no files."""
    data_dir: str | None = setting(None, quick=None)
    """The folder of its files."""
    events_dir: str | None = None
    """The folder of N-MNIST and spoken digits; without it they are left out."""
    epochs: int = setting(10, least=1, quick=lambda _: 12)
    hidden: int = setting(512, least=1, quick=lambda _: 128)
    steps: int = setting(6, least=1)
    """Of the solve, in ms."""
    rate: float = setting(2e-3, above=0.0, quick=lambda _: 5e-3)
    batch: int = setting(128, least=1, quick=lambda _: 32)
    shift: int = setting(1, least=0, quick=lambda _: 0)
    """Pixels by which images are shifted in training."""
    seeds: int = setting(3, least=1, quick=lambda _: 2)
    latency_steps: int = setting(25, least=1, quick=lambda _: 10)
    others: bool = True
    """Codes, recurrence and convolutions too, one seed each."""
    other_epochs: int = setting(4, least=1, quick=lambda _: 6)
    validation: bool = False
    """Test on a sixth of the training set, to choose settings by."""


class Plan(NamedTuple):
    """A network to train: its name, what makes it of a key, hyper-parameters, number of seeds."""

    name: str
    make: Callable[[Any], Classifier]
    config: ClassifierConfig
    seeds: int = 1


def _plans(config: Config, pixels: int, classes: int) -> Iterator[Plan]:
    """The networks of images."""
    sizes = pixels, config.hidden, classes
    plain = ClassifierConfig(config.epochs, config.batch, config.rate, shift=config.shift)
    fewer = dataclasses.replace(plain, epochs=config.other_epochs)
    T, late = config.steps, config.latency_steps
    side = round(pixels**0.5)

    def coded(code: AbstractCode, entry: float):
        return lambda key: dense(key, sizes, steps=2 * T, code=code, entry=entry)

    yield Plan("current", lambda key: dense(key, sizes, steps=T), plain, config.seeds)
    anytime = dataclasses.replace(plain, anytime=True)
    yield Plan("any of the steps", lambda key: dense(key, sizes, steps=late), anytime)
    if not config.others:
        return
    yield Plan("latency", coded(LatencyCode(bpc.encode.Linear(2.0 * T)), 2.0), fewer)
    if not config.quick:
        yield Plan("spikes at a rate", coded(RateCode(0.5), 1.0), fewer)
        yield Plan("sigma-delta", coded(DeltaCode(2.0), 1.0), fewer)
    yield Plan("recurrent", lambda key: dense(key, sizes, steps=T, recurrent=True), fewer)
    if side >= 16:
        half = dataclasses.replace(fewer, epochs=max(config.other_epochs // 2, 1))
        extent = side, side
        yield Plan(
            "convolutions", lambda key: convolutional(key, extent, (8, 16), classes, steps=T), half
        )


def _measure(
    plan: Plan, seed: int, train_set: Split, test: Split, folder: Path
) -> tuple[dict[str, np.ndarray], Classifier]:
    """Metrics of a trained network, and the network."""
    config = dataclasses.replace(plan.config, seed=seed)
    trained = train(
        plan.make(jax.random.key(seed)), train_set, config, folder=folder,
        label=f"{plan.name} {seed}",
        test=test if plan.name == "current" else None,  # of its epochs the test is drawn
    )  # fmt: skip
    history = dict(trained.history)
    metrics = examine(trained.model, test)
    metrics |= {f"batch_{name}": history.pop(name) for name in ("loss", "accuracy")}
    return metrics | history | {"seconds": np.asarray(trained.seconds)}, trained.model


def _events(config: Config, parts: study.Parts) -> dict[str, np.ndarray]:
    """Accuracies of recordings in bins, with 95 % intervals: [3] for each set. Their counts are
    what arrives at each step."""
    if config.events_dir is None:
        return {}

    def make(name: str) -> dict[str, np.ndarray]:
        train_set, test = SETS[name](config.events_dir)
        check(train_set, test)
        bins = train_set.x.shape[1]
        sizes = int(np.prod(train_set.x.shape[2:])), config.hidden, train_set.classes

        def network(key):
            return dense(
                key, sizes, steps=bins, code=EventCode(), neuron=leaky(SLOW), recurrent=True
            )

        plan = Plan(name, network, EVENTS[name])
        accuracy = float(
            _measure(plan, 0, train_set, test, parts.chunks.folder / "epochs")[0]["accuracy"]
        )
        count = len(test.labels)
        return {"accuracy": np.array([accuracy, *wilson(round(accuracy * count), count)])}

    return {name: parts(name, lambda name=name: make(name))["accuracy"] for name in SETS}


def raster(model: Classifier, x: np.ndarray) -> np.ndarray:
    """The spikes of one image, [2, spikes] of times and neurons, from the record of its solve."""
    solution = solve(model, jnp.asarray(x.ravel(), jnp.float32), max_spikes=20000)
    assert solution.spikes is not None
    count = int(solution.spikes.count)
    return np.stack([solution.spikes.times[:count], solution.spikes.neurons[:count]])


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Train and examine every network."""
    train_set, test = splits(config.data, config.data_dir, validation=config.validation)
    check(train_set, test)
    pixels = int(np.prod(train_set.x.shape[1:]))
    plans = list(_plans(config, pixels, train_set.classes))

    def make(plan: Plan, seed: int) -> dict[str, np.ndarray]:
        metrics, model = _measure(plan, seed, train_set, test, parts.chunks.folder / "epochs")
        if plan.name == "current" and seed == 0:
            metrics["raster"] = raster(model, test.x[0])
        return metrics

    metrics = {
        (plan.name, seed): parts(
            f"{plan.name} {seed}", lambda plan=plan, seed=seed: make(plan, seed)
        )
        for plan in plans
        for seed in range(plan.seeds)
    }
    dataset = _dataset(config, [plan.name for plan in plans], metrics, test)
    for name, interval in _events(config, parts).items():
        key = name.replace(" ", "_").replace("-", "_").lower()
        dataset[f"events_{key}"] = "end", interval
    return dataset


def _dataset(
    config: Config, names: list[str], metrics: dict[tuple[str, int], dict], test: Split
) -> xr.Dataset:
    seeds = range(config.seeds)

    def table(key: str) -> np.ndarray:
        rows = [[metrics.get((name, s), {}).get(key, np.nan) for s in seeds] for name in names]
        return np.array(rows, float)

    def current(key: str) -> np.ndarray:
        return np.array([metrics["current", s][key] for s in seeds])

    data: dict[str, Any] = {key: (("network", "seed"), table(key)) for key in (*FIELDS, "seconds")}
    for key in ("batch_loss", "batch_accuracy"):
        data[key] = ("seed", "epoch", "batch"), current(key)
    data |= {
        "test": (("seed", "epoch"), current("test")),
        "confusion": (("label", "answer"), current("confusion").sum(axis=0)),
        "by_step": ("moment", metrics["any of the steps", 0]["by_step"]),
        "digit": (("row", "column"), test.x[0].reshape(round(test.x[0].size ** 0.5), -1)),
        "raster": (("what", "spike"), metrics["current", 0]["raster"]),
    }
    attrs = {"data": config.data, "images": len(test.labels), "hidden": config.hidden}
    coords = {"network": names, "seed": list(seeds)}
    return xr.Dataset(data, coords, attrs | {"steps": config.steps})


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The table: accuracies with their standard deviation over seeds, spikes, joules, seconds."""
    metrics = {}
    for name in dataset.network.values:
        row = dataset.sel(network=name)
        metrics[f"{name}: accuracy (%)"] = 100 * float(row.accuracy.mean())
        if row.accuracy.notnull().sum() > 1:
            metrics[f"{name}: sd over seeds (%)"] = 100 * float(row.accuracy.std(ddof=1))
        metrics[f"{name}: ECE (%)"] = 100 * float(row.ece.mean())
        metrics[f"{name}: spikes an image"] = float(row.spikes.mean())
        metrics[f"{name}: nJ an image"] = float(row.picojoules.mean()) / 1e3
        metrics[f"{name}: seconds a seed"] = float(row.seconds.mean())
    for k in range(dataset.sizes["moment"]):
        metrics[f"accuracy after {k + 1} steps (%)"] = 100 * float(dataset.by_step[k])
    for key in dataset.data_vars:
        if str(key).startswith("events_"):
            mean, low, high = 100 * dataset[key].values
            metrics[f"{str(key)[7:]}: accuracy (%)"] = mean
            metrics[f"{str(key)[7:]}: 95 % interval from (%)"] = low
            metrics[f"{str(key)[7:]}: to (%)"] = high
    return metrics


STUDY = study.Study("classify", Config, run, summary, double=False)

if __name__ == "__main__":
    STUDY.main()
