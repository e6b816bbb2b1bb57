"""What does a spiking hierarchy learn to see without labels, and can it draw a label?

Features of images, and causes of features, found by spikes and learned from what each synapse
sees; errors are numbers. Features start as images of the training set. Labels come last: memories
on top see causes together with labels, so that a label leads down to images. Measured on the test
set:

- linear readouts of spike counts: of learned features, of the images that learning starts from, of
  random features, of pixels, of causes;
- reconstructions against principal components; spikes; one spike at a time against many;
- digits drawn from labels at several temperatures: what a network trained on real images alone
  says they are, how far apart they lie, and how far from the nearest image that was learned.

Settings were chosen on a sixth of the training set (`--validation`).

    python -m experiments.representations           # MNIST: results/representations.zarr, a picture
    python -m experiments.representations --quick   # the embedded digits
"""

import dataclasses
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from ..common import study
from ..common.data import SPLITS, Split, splits
from ..common.linear_readouts import components
from ..common.settings import setting
from .code import Settings, Synapses, init_from_images, init_weights
from .judge import judge, train_judge
from .work import TEMPERATURES, Stages

EXAMPLE = 0.5  # the temperature of the digits in the picture
CODES = ("learned", "causes", "start", "random", "pixels")
HELD = 1000  # images of the test whose F is followed


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Representations."""

    data: str = setting("mnist", among=tuple(SPLITS), quick="digits")
    """The images: mnist, fashion_mnist, digits."""
    data_dir: str | None = None
    """The folder of the files of the images."""
    seeds: int = setting(2, least=1, quick=1)
    """Of the network; the codes that learn nothing have one."""
    features: int = setting(1000, least=2, quick=200)
    causes: int = setting(32, least=1, quick=16)
    memories: int = setting(300, least=1, quick=60)
    learned: int = setting(30000, least=128)
    """Images to learn from, readouts too."""
    epochs: int = setting(1, least=1, quick=lambda _: 15)
    """Of features; causes have three times as many."""
    drawn: int = setting(100, least=8)
    """Digits to draw for each label."""
    validation: bool = False
    """Hold out a sixth of the training set and test on it."""


def settings_of(config: Config) -> Settings:
    """Settings of the network."""
    settings = Settings(features=config.features, causes=config.causes)
    if config.data == "digits":
        settings = dataclasses.replace(settings, sparsity=0.2, batch=64)
    return settings


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """All networks, what they see, and the images they draw."""
    train, test = splits(config.data, config.data_dir, validation=config.validation)
    train = Split(train.x[: config.learned], train.labels[: config.learned], train.classes)
    work = Stages(config, settings_of(config), parts, train, test)
    data, synapses = _measure(work)
    exact = parts("one spike at a time", lambda: work.exact(synapses))
    data["falls"] = (("image", "spike"), exact["falls"])
    data["fall_spikes"] = ("image", exact["fall_spikes"])
    data["at_rest"] = ("image", exact["at_rest"])
    data["rises"] = ((), exact["rises"])
    coords = {"temperature": list(TEMPERATURES), "code": list(CODES)}
    return xr.Dataset(data, coords=coords, attrs={"data": config.data, "test": len(test.x)})


def _measure(work: Stages) -> tuple[dict[str, Any], Synapses]:
    """Variables of the data set, and the synapses of the first network."""
    config, parts, settings = work.config, work.parts, work.settings
    weights = parts("judge", lambda: train_judge(work.train, work.labels[0], work.classes))
    accuracy = np.full((len(CODES), config.seeds), np.nan)
    every, example, first = [], {}, None
    for seed in range(config.seeds):
        synapses, net = work.trained(seed)
        drawn = parts(
            f"seed {seed}: drawn images", partial(work.images, synapses, net, seed, weights)
        )
        rebuilt = work.reconstructions(synapses, net)
        accuracy[0, seed], accuracy[1, seed] = net["accuracy"], net["above"]["score"]
        every.append(_metrics(work, net, drawn, rebuilt, weights))
        if first is None:
            first = synapses
            example = _example(work, synapses, net, drawn, rebuilt, every[0]["used"])
    assert first is not None
    before = []
    for name, init in (("start", init_from_images), ("random", init_weights)):
        blind = parts(f"{name} features", partial(_blind, work, init))
        accuracy[CODES.index(name), 0] = blind["score"]
        before.append(float(blind["energy"]))
    pixels = parts("pixels", lambda: {"score": np.asarray(work.readout(work.train, work.test))})
    accuracy[-1, 0] = pixels["score"]
    # with as many components as features are active in an image, and as there are causes
    numbers = [round(float(every[0]["active"])), settings.causes, 0]
    dims = {
        "curve": ("quantity", "point"), "cause_curve": ("cause_point",), "error": ("layer",),
        "images": ("temperature", "measure"), "image_spikes": ("temperature",),
        "recognised": ("layer",),
    }  # fmt: skip
    data: dict[str, Any] = {
        key: (("seed", *dims.get(key, ())), np.array([e[key] for e in every])) for key in every[0]
    }
    return data | example | {
        "accuracy": (("code", "seed"), accuracy),
        "energy_before": ("blind", np.array(before)),
        "components": ("number", components(work.train, work.test, numbers)),
        "judge": ((), (judge(weights, work.test) == work.labels[1]).mean()),
    }, first  # fmt: skip


def _metrics(work: Stages, net, drawn, rebuilt, weights) -> dict[str, Any]:
    """Metrics of one network."""
    images = rebuilt.values()
    labels = [judge(weights, np.clip(x, 0, 1)) for x in images]
    return {
        "curve": net["curve"], "cause_curve": net["above"]["cause_curve"],
        "images": drawn["measures"], "image_spikes": drawn["spikes"],
        "error": np.array([((work.test - x) ** 2).sum(1).mean() for x in images]),
        "recognised": np.array([(label == work.labels[1]).mean() for label in labels]),
        "spikes": net["spikes"].mean(), "cause_spikes": net["above"]["cause_spikes"],
        "active": (net["test"] > 0).sum(1).mean(),
        "used": (net["test"] > 0).any(0).mean(),
        "energy_after": net["energy"][:HELD].mean(),
    }  # fmt: skip


def _blind(work: Stages, init) -> dict[str, Any]:
    """Readout and F of features before training."""
    code = work.code(init(work.train, work.settings, work.key(0, 0)), 0)
    score = work.readout(code["train"], code["test"])
    return {"score": np.asarray(score), "energy": code["energy"][:HELD].mean()}


def _example(work: Stages, synapses: Synapses, net, drawn, rebuilt, share) -> dict[str, Any]:
    """Pictures: features by use, test images and their reconstructions, drawn digits."""
    shape, classes = work.split[0].x.shape[1:], work.classes
    used = np.argsort(-(net["test"] > 0).mean(0))[: int(share * work.settings.features)]
    index = used[np.linspace(0, len(used) - 1, 60).astype(int)]
    fields = np.asarray(synapses.features.weights).T[index]
    some = [int(np.flatnonzero(work.labels[1] == c)[0]) for c in range(classes)]
    pictures = [work.test[some], rebuilt["features"][some], rebuilt["causes"][some]]
    digits = drawn["images"][TEMPERATURES.index(EXAMPLE)]
    return {
        "fields": (("field", "row", "column"), fields.reshape(-1, *shape)),
        "pictures": (
            ("layer_", "class", "row", "column"), np.array(pictures).reshape(3, -1, *shape)
        ),
        "digits": (("class", "draw", "row", "column"), digits.reshape(classes, -1, *shape)),
    }  # fmt: skip


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Means over seeds, and standard deviations of what has several."""
    result: dict[str, float] = {"seeds": float(dataset.sizes["seed"])}

    def add(name: str, values: xr.DataArray) -> None:
        result[name] = float(values.mean())
        if values.count() > 1:
            result[f"{name}, deviation"] = float(values.std(ddof=1))

    for code in dataset.code.values:
        add(f"readout of {code}", dataset.accuracy.sel(code=code))
    add("spikes an image", dataset.spikes)
    add("spikes of causes", dataset.cause_spikes)
    add("features active in an image", dataset.active)
    add("features ever active", dataset.used)
    for k, layer in enumerate(("features", "causes")):
        add(f"squared error from {layer}", dataset.error.isel(layer=k))
        add(f"recognised from {layer}", dataset.recognised.isel(layer=k))
    for k, name in enumerate(("as many components as active features", "as causes", "none")):
        result[f"squared error, {name}"] = float(dataset.components[k])
    result["judge on the test"] = float(dataset.judge)
    for temperature in dataset.temperature.values:
        row = dataset.images.sel(temperature=temperature)
        for k, name in enumerate(("judged right", "diversity", "novelty")):
            add(f"T = {temperature:g}: {name}", row.isel(measure=k))
    add("F of the test, learned", dataset.energy_after)
    result["F of the test, start"] = float(dataset.energy_before[0])
    result["F of the test, random"] = float(dataset.energy_before[1])
    result["one at a time: spikes that raised F"] = float(dataset.rises)
    result["one at a time: spikes"] = float(dataset.fall_spikes.mean())
    result["one at a time: F at the end"] = float(dataset.falls[:, -1].mean())
    return result


STUDY = study.Study("representations", Config, run, summary, double=False)
