"""Which class? Spiking networks learn by surrogate derivatives, through the engine's own solve.

A dense network of leaky neurons on images as currents, in three seeds; the same trained to answer
at any of 25 steps; images as spikes at a rate, at a latency, or by sigma-delta; a recurrent and a
convolutional one; with `--events-dir` recordings of events (N-MNIST, spoken digits) in bins.
"""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import bpcjax as bpc
from bpcjax.models import AbstractCode, DeltaCode, EventCode, LatencyCode, RateCode

from .common import study
from .common.classifier_training import Lessons, examine, surrogate, train
from .common.classifiers import convolutional, dense, leaky
from .common.data import Split, check, splits
from .common.recordings import SETS
from .common.statistics import wilson

FIELDS = (
    "accuracy", "nll", "ece", "input_spikes", "spikes", "synaptic", "macs", "updates",
    "picojoules", "parameters",
)  # fmt: skip

SLOW = 15.0  # ms, of membranes that wait for events
# Chosen on a fifth of the recordings to learn from.
EVENTS = {
    "N-MNIST": Lessons(60, 32, 2e-3, decay=1e-2, silent=0.2, shift=1),
    "spoken digits": Lessons(60, 32, 2e-3, decay=1e-2, silent=0.1),
}


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Settings of the run."""

    DOUBLE = False

    data: str = "mnist"
    """mnist, fashion_mnist, or digits, which need no files."""
    data_dir: str | None = None
    """The folder of its files."""
    events_dir: str | None = None
    """The folder of N-MNIST and spoken digits; without it they are left out."""
    epochs: int = 10
    hidden: int = 512
    steps: int = 6
    """Of the solve, in ms."""
    rate: float = 2e-3
    batch: int = 128
    shift: int = 1
    """Pixels by which images are moved while learned."""
    seeds: int = 3
    latency_steps: int = 25
    others: bool = True
    """Codes, recurrence and convolutions too, one seed each."""
    other_epochs: int = 4
    validation: bool = False
    """Test on a sixth of the training set, to choose settings by."""


def smaller(config: Config) -> Config:
    """The quick run: the embedded digits.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    study.at_least(
        1, config, "epochs", "hidden", "steps", "batch", "seeds", "latency_steps", "other_epochs"
    )
    if not config.quick:
        return config
    return dataclasses.replace(
        config, data="digits", data_dir=None, epochs=12, hidden=128, rate=5e-3, batch=32,
        seeds=2, latency_steps=10, other_epochs=6, shift=0,
    )  # fmt: skip


def _networks(config: Config, pixels: int, classes: int):
    """Name -> what makes the network of a key, how it is trained, how many seeds."""
    sizes = pixels, config.hidden, classes
    plain = Lessons(config.epochs, config.batch, config.rate, shift=config.shift)
    fewer = dataclasses.replace(plain, epochs=config.other_epochs)
    T, late = config.steps, config.latency_steps
    side = round(pixels**0.5)

    def coded(code: AbstractCode, entry: float):
        return lambda key: dense(key, sizes, steps=2 * T, code=code, entry=entry)

    yield "current", lambda key: dense(key, sizes, steps=T), plain, config.seeds
    anytime = dataclasses.replace(plain, anytime=True)
    yield "any of the steps", lambda key: dense(key, sizes, steps=late), anytime, 1
    if not config.others:
        return
    codes = (
        ("latency", LatencyCode(bpc.encode.Linear(2.0 * T)), 2.0),
        ("spikes at a rate", RateCode(0.5), 1.0),
        ("sigma-delta", DeltaCode(2.0), 1.0),
    )
    for name, code, entry in codes[:1] if config.quick else codes:
        yield name, coded(code, entry), fewer, 1
    yield "recurrent", lambda key: dense(key, sizes, steps=T, recurrent=True), fewer, 1
    if side >= 16:
        yield (
            "convolutions",
            lambda key: convolutional(key, (side, side), (8, 16), classes, steps=T),
            dataclasses.replace(fewer, epochs=max(config.other_epochs // 2, 1)),
            1,
        )


def _one(config, label, make, lessons, seed, learn: Split, asked: Split, folder: Path):
    lessons = dataclasses.replace(lessons, seed=seed)
    model = make(jax.random.key(seed))
    each = asked if label == "current" else None  # of its epochs the test is drawn
    done = train(model, learn, lessons, asked=each, folder=folder, label=f"{label} {seed}")
    found = examine(done.model, asked)
    found |= {"batch_loss": done.batches["loss"], "batch_accuracy": done.batches["accuracy"]}
    return found | done.after | {"seconds": np.asarray(done.seconds)}, done.model


def _events(config: Config, parts: study.Parts, folder: Path) -> dict[str, dict]:
    """Recordings in bins: their counts are what arrives at each step."""
    if config.events_dir is None:
        return {}
    found = {}
    for name, load in SETS.items():
        kept: dict = {}

        def both(load=load, kept=kept):
            if not kept:
                learn, asked = load(config.events_dir)
                check(learn, asked)
                kept["sets"] = learn, asked
            return kept["sets"]

        def make(name=name, both=both):
            learn, asked = both()
            bins = learn.x.shape[1]
            sizes = int(np.prod(learn.x.shape[2:])), config.hidden, learn.classes

            def network(key):
                return dense(
                    key, sizes, steps=bins, code=EventCode(), neuron=leaky(SLOW), recurrent=True
                )

            told, _ = _one(config, name, network, EVENTS[name], 0, learn, asked, folder)
            count = len(asked.labels)
            right = round(float(told["accuracy"]) * count)
            return told | {"interval": np.array(wilson(right, count)), "asked": np.asarray(count)}

        found[name] = parts(name, make)
    return found


def raster(model, x: np.ndarray, steps: int):
    """The spikes of one image, by step and neuron, from the record of its solve."""
    layers = model.layers
    drive = layers.weighted(model.code.drive(jnp.asarray(x.ravel(), jnp.float32)))
    solved = bpc.simulate(
        layers, layers.rest(), drive, t1=float(steps), dt=1.0, solver=surrogate(),
        max_spikes=20000,
    )  # fmt: skip
    assert solved.spikes is not None
    count = int(solved.spikes.count)
    return np.stack([solved.spikes.times[:count], solved.spikes.neurons[:count]])


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Train and examine every network."""
    config = smaller(config)
    learn, asked = splits(config.data, config.data_dir, validation=config.validation)
    check(learn, asked)
    folder = Path(config.out) / "classify.work" / "epochs"
    pixels = int(np.prod(learn.x.shape[1:]))
    names, found, shown = [], {}, None
    for name, make, lessons, seeds in _networks(config, pixels, learn.classes):
        names.append(name)
        for seed in range(seeds):

            def one(name=name, make=make, lessons=lessons, seed=seed):
                told, model = _one(config, name, make, lessons, seed, learn, asked, folder)
                if name == "current" and seed == 0:
                    told["raster"] = raster(model, asked.x[0], config.steps)
                return told

            found[name, seed] = parts(f"{name} {seed}", one)
    shown = found["current", 0]
    seeds = np.arange(config.seeds)

    def table(key: str) -> np.ndarray:
        rows = [[found[n, s][key] if (n, s) in found else np.nan for s in seeds] for n in names]
        return np.array(rows, float)

    dataset = xr.Dataset(
        {key: (("network", "seed"), table(key)) for key in (*FIELDS, "seconds")},
        {"network": names, "seed": seeds},
        {"data": config.data, "images": len(asked.labels)},
    )
    current = [found["current", s] for s in seeds]
    for key in ("batch_loss", "batch_accuracy"):
        dataset[key] = ("seed", "epoch", "batch"), np.array([row[key] for row in current])
    dataset["test"] = ("seed", "epoch"), np.array([row["test"] for row in current])
    dataset["confusion"] = ("label", "answer"), sum(row["confusion"] for row in current)
    dataset["by_step"] = "moment", found["any of the steps", 0]["by_step"]
    dataset["digit"] = ("row", "column"), asked.x[0].reshape(round(pixels**0.5), -1)
    dataset["raster"] = ("what", "spike"), shown["raster"]
    dataset.attrs["hidden"], dataset.attrs["steps"] = config.hidden, config.steps
    for name, row in _events(config, parts, folder).items():
        key = name.replace(" ", "_").replace("-", "_").lower()
        low, high = row["interval"]
        dataset[f"events_{key}"] = "end", np.array([row["accuracy"], low, high])
    return dataset


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The table: accuracies with their standard deviation over seeds, spikes, joules, seconds."""
    found = {}
    for name in dataset.network.values:
        row = dataset.sel(network=name)
        found[f"{name}: accuracy (%)"] = 100 * float(row.accuracy.mean())
        if row.accuracy.notnull().sum() > 1:
            found[f"{name}: sd over seeds (%)"] = 100 * float(row.accuracy.std(ddof=1))
        found[f"{name}: ECE (%)"] = 100 * float(row.ece.mean())
        found[f"{name}: spikes an image"] = float(row.spikes.mean())
        found[f"{name}: nJ an image"] = float(row.picojoules.mean()) / 1e3
        found[f"{name}: seconds a seed"] = float(row.seconds.mean())
    for k in range(dataset.sizes["moment"]):
        found[f"accuracy after {k + 1} steps (%)"] = 100 * float(dataset.by_step[k])
    for key in dataset.data_vars:
        if str(key).startswith("events_"):
            mean, low, high = 100 * dataset[key].values
            found[f"{str(key)[7:]}: accuracy (%)"] = mean
            found[f"{str(key)[7:]}: 95 % interval from (%)"] = low
            found[f"{str(key)[7:]}: to (%)"] = high
    return found


def figure():
    """The module that draws it."""
    from figures import classify

    return classify


if __name__ == "__main__":
    study.main("classify", Config, run, summary, figure, __doc__)
