"""What does a spiking hierarchy learn to see without labels, and can it dream of a label?

Features of images, and causes of features, found by spikes and learned from what each synapse
sees. Labels come last: memories on top see causes together with labels, so that a label leads down
to images. Measured on the test set:

- linear readouts of spike counts: of learned features, of the images that learning starts from, of
  random features, of pixels, of causes;
- reconstructions against principal components; spikes; one spike at a time against many;
- digits drawn from labels at several temperatures: what a network trained on real images alone
  says they are, how far apart they lie, and how far from the nearest image that was learned.

Settings were chosen on a sixth of the training set (`--validation`).

    python -m experiments.representations           # MNIST: results/representations.zarr, a picture
    python -m experiments.representations --quick   # the embedded digits
"""

import contextlib
import dataclasses
from typing import Any

import jax
import numpy as np
import xarray as xr

from ..common import study
from ..common.data import Split, splits
from ..common.study import Parts
from .code import Settings, Synapses, imprinted, newborn
from .rivals import components, judge, says
from .work import TEMPERATURES, Study

NAME = "representations"
SHOWN = 0.5  # the temperature of the digits in the picture
CODES = ("learned", "causes", "start", "random", "pixels")
HELD = 1000  # images of the test whose F is followed


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Representations."""

    data: str = "mnist"
    """The images: mnist, fashion_mnist, digits."""
    data_dir: str | None = None
    """The folder of the files of the images."""
    seeds: int = 2
    """Of the network; the codes that learn nothing have one."""
    features: int = 1000
    causes: int = 32
    memories: int = 300
    learned: int = 30000
    """Images to learn from, readouts too."""
    epochs: int = 1
    """Of features; causes have three times as many."""
    drawn: int = 100
    """Digits to draw for each label."""
    validation: bool = False
    """Hold out a sixth of the training set and test on it."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    least = {"seeds": 1, "features": 2, "causes": 1, "memories": 1, "learned": 128, "epochs": 1,
             "drawn": 8}  # fmt: skip
    for name, low in least.items():
        study.at_least(low, config, name)
    if config.quick:
        config = dataclasses.replace(
            config,
            data="digits",
            seeds=1,
            features=min(config.features, 200),
            causes=min(config.causes, 16),
            memories=min(config.memories, 60),
            epochs=15,
        )
    return config


def settings_of(config: Config) -> Settings:
    """Of the network."""
    found = Settings(features=config.features, causes=config.causes)
    if config.data == "digits":
        found = dataclasses.replace(found, sparsity=0.2, batch=64)
    return found


@contextlib.contextmanager
def single_precision():
    """Arrays made inside are of 32 bits."""
    before = jax.config.jax_enable_x64  # pyright: ignore
    jax.config.update("jax_enable_x64", False)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All networks, what they see, and what they dream."""
    config = check(config)
    learned, asked = splits(config.data, config.data_dir, validation=config.validation)
    learned = Split(learned.x[: config.learned], learned.labels[: config.learned], learned.classes)
    with single_precision():
        work = Study(config, settings_of(config), parts, learned, asked)
        data, synapses = _measure(work)
    exact = parts("one spike at a time", lambda: work.exact(synapses))
    data["falls"] = (("image", "spike"), exact["falls"])
    data["fall_spikes"] = ("image", exact["fall_spikes"])
    data["at_rest"] = ("image", exact["at_rest"])
    data["rises"] = ((), exact["rises"])
    coords = {"temperature": list(TEMPERATURES), "code": list(CODES)}
    return xr.Dataset(data, coords=coords, attrs={"data": config.data, "asked": len(asked.x)})


def _measure(work: Study) -> tuple[dict[str, Any], Synapses]:
    config, parts, settings = work.config, work.parts, work.settings
    shape, classes = work.split[0].x.shape[1:], work.split[0].classes
    weights = parts("judge", lambda: judge(work.x, work.labels[0], classes))
    accuracy = np.full((len(CODES), config.seeds), np.nan)
    every, first = [], None
    for seed in range(config.seeds):
        synapses, seen = work.seen(seed)
        dreams = parts(
            f"seed {seed}: dreams", lambda a=synapses, b=seen, s=seed: work.dreams(a, b, s, weights)
        )
        accuracy[0, seed], accuracy[1, seed] = seen["accuracy"], seen["above"]["score"]
        rebuilt = work.rebuilt(synapses, seen)
        error = [((work.asked - r) ** 2).sum(1).mean() for r in rebuilt.values()]
        right = [(says(weights, np.clip(r, 0, 1)) == work.labels[1]).mean()
                 for r in rebuilt.values()]  # fmt: skip
        every.append({
            "curve": seen["curve"], "cause_curve": seen["above"]["cause_curve"],
            "dreams": dreams["dreams"], "dream_spikes": dreams["spent"],
            "error": np.array(error), "recognised": np.array(right),
            "spikes": seen["spikes"].mean(), "cause_spikes": seen["above"]["cause_spikes"],
            "active": (seen["asked"] > 0).sum(1).mean(),
            "used": (seen["asked"] > 0).any(0).mean(),
            "energy_after": seen["energy"][:HELD].mean(),
        })  # fmt: skip
        if first is None:
            first = synapses, seen, rebuilt, dreams
    assert first is not None
    synapses, seen, rebuilt, dreams = first
    others = {
        "start": imprinted(work.x, settings, work.key(0, 0)),
        "random": newborn(work.x, settings, work.key(0, 0)),
    }
    before = []
    for name, blind in others.items():

        def make(blind=blind):
            code = work.code(blind, 0)
            score = work.readout(code["learned"], code["asked"])
            return {"score": np.asarray(score), "energy": code["energy"][:HELD].mean()}

        found = parts(f"{name} features", make)
        accuracy[CODES.index(name), 0] = found["score"]
        before.append(float(found["energy"]))
    pixels = parts("pixels", lambda: {"score": np.asarray(work.readout(work.x, work.asked))})
    accuracy[-1, 0] = pixels["score"]
    # with as many components as features are active in an image, and as there are causes
    numbers = [round(float(every[0]["active"])), settings.causes, 0]
    used = np.argsort(-(seen["asked"] > 0).mean(0))[: int(every[0]["used"] * settings.features)]
    shown = used[np.linspace(0, len(used) - 1, 60).astype(int)]
    some = [int(np.flatnonzero(work.labels[1] == c)[0]) for c in range(classes)]
    pictures = [work.asked[some], rebuilt["features"][some], rebuilt["causes"][some]]
    at = TEMPERATURES.index(SHOWN)
    dims = {
        "curve": ("told", "point"), "cause_curve": ("cause_point",), "error": ("layer",),
        "dreams": ("temperature", "measure"), "dream_spikes": ("temperature",),
        "recognised": ("layer",),
    }  # fmt: skip
    data: dict[str, Any] = {
        key: (("seed", *dims.get(key, ())), np.array([e[key] for e in every])) for key in every[0]
    }
    fields = np.asarray(synapses.features.weights).T[shown]
    data |= {
        "accuracy": (("code", "seed"), accuracy),
        "energy_before": ("blind", np.array(before)),
        "components": ("number", components(work.x, work.asked, numbers)),
        "judge": ((), (says(weights, work.asked) == work.labels[1]).mean()),
        "fields": (("field", "row", "column"), fields.reshape(-1, *shape)),
        "pictures": (
            ("layer_", "class", "row", "column"), np.array(pictures).reshape(3, -1, *shape)
        ),
        "dreamt": (
            ("class", "draw", "row", "column"), dreams["dreamt"][at].reshape(classes, -1, *shape)
        ),
    }  # fmt: skip
    return data, synapses


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
        row = dataset.dreams.sel(temperature=temperature)
        for k, name in enumerate(("judged right", "diversity", "novelty")):
            add(f"T = {temperature:g}: {name}", row.isel(measure=k))
    add("F of the test, learned", dataset.energy_after)
    result["F of the test, start"] = float(dataset.energy_before[0])
    result["F of the test, random"] = float(dataset.energy_before[1])
    result["one at a time: spikes that raised F"] = float(dataset.rises)
    result["one at a time: spikes"] = float(dataset.fall_spikes.mean())
    result["one at a time: F at the end"] = float(dataset.falls[:, -1].mean())
    return result


def _figure():
    from figures import representations

    return representations


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)
