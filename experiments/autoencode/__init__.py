"""How well do spikes draw what they saw, through a bottleneck, and what does the code hold?

Leaky neurons see an image as a current, and their spikes alone reach the units that draw it, whose
mean potential, through a logistic function, is the brightness of a pixel. Learned without labels by
surrogate derivatives of the squared error. The network of rectified numbers of the same sizes,
batches, epochs and optimiser is its rival (each at its best rate of learning), and as many
principal components as the code has neurons. Further, of one seed each: a network that may be asked
at any step, and one whose code is made sparser by a price of each spike.

The code of an image is the number of spikes of each neuron; a linear readout says how much of the
labels it holds. Settings were chosen on a sixth of the training set (`--validation`).

    python -m experiments.autoencode             # MNIST, 784-32-784
    python -m experiments.autoencode --quick     # the embedded digits
"""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..common import InputError, study
from ..common.classifier_training import operations as spiking_operations, parameters
from ..common.classifiers import dense, leaky
from ..common.data import Split, check, splits
from ..common.relu_networks import energies, operations, price_lists, relu
from ..common.study import Parts
from ..common.training import Fitting
from ..representations.rivals import readout
from .work import Lessons, axes, drawn, errors, numbers_of_code, spikes_of_code, train

NAME = "autoencode"
SPIKES, NUMBERS, ANY = "spikes", "numbers", "spikes, any step"
SHOWN, PLANE = 10, 2000  # images and codes that are drawn
FIELDS = (
    "mse", "untrained", "readout", "spikes", "code_spikes", "silent", "synaptic", "macs", "updates",
    "parameters", "seconds",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Autoencoders."""

    DOUBLE: ClassVar[bool] = False

    data: str = "mnist"
    """mnist, fashion_mnist, or digits, which need no files."""
    data_dir: str | None = None
    """The folder of its files."""
    inner: tuple[int, ...] = (32,)
    """Sizes of the layers between pixels and pixels; the middle one is the code."""
    steps: int = 10
    """Of the solve, in ms."""
    tau: float = 20.0
    """Of the membranes, in ms."""
    slope: float = 10.0
    """Of the surrogate, per unit of threshold: a wide one passes what no spike can tell."""
    epochs: int = 10
    batch: int = 128
    rate: float = 1e-2
    """Of learning by spikes."""
    rate_numbers: float = 3e-3
    """Of learning by numbers."""
    prices: tuple[float, ...] = (3e-5,)
    """Of a spike, in units of the squared error of a pixel: sparser codes, one seed each."""
    seeds: int = 3
    validation: bool = False
    """Test on a sixth of the training set, to choose settings by."""


def checked(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    study.at_least(1, config, "steps", "epochs", "batch", "seeds")
    if not len(config.inner) % 2 or min(config.inner) < 2:
        raise InputError(f"inner: pass an odd number of sizes, 2 or more each: {config.inner}.")
    if not config.tau > 0:
        raise InputError(f"tau must be positive, got {config.tau}.")
    if not config.slope > 0:
        raise InputError(f"slope must be positive, got {config.slope}.")
    if any(price < 0 for price in config.prices):
        raise InputError(f"prices must not be negative, got {config.prices}.")
    if not config.quick:
        return config
    return dataclasses.replace(
        config, data="digits", data_dir=None, inner=(16,), epochs=25, batch=32, seeds=2, prices=(),
    )  # fmt: skip


def _one(config: Config, name: str, seed: int, learn: Split, asked: Split, folder: Path, **options):
    """A network of spikes (any name but `NUMBERS`), trained and measured."""
    x, told = _rows(learn), _rows(asked)
    sizes, layer = (x.shape[1], *config.inner, x.shape[1]), len(config.inner) // 2
    key, spikes = jax.random.key(seed), name != NUMBERS
    if spikes:
        model = dense(key, sizes, steps=config.steps, neuron=leaky(config.tau))
    else:
        model = relu(key, sizes)
    rate = config.rate if spikes else config.rate_numbers
    fitting = Fitting(config.epochs, config.batch, rate, seed=seed)
    untrained = errors(model, told)[-1]
    lessons = Lessons(fitting, slope=config.slope, **options)
    done = train(model, x, told, lessons, folder=folder, label=f"{name} {seed}")
    model: Any = done.model
    by_step = errors(model, told)
    seen = float((told != 0).mean())
    chosen = _examples(asked)
    found: dict[str, Any] = {"drawn": np.asarray(drawn(model, jnp.asarray(told[chosen])))}
    if spikes:
        steps = spikes_of_code(model, told, layer)
        codes, learned_codes = steps[:, -1], spikes_of_code(model, x, layer)[:, -1]
        counts = [spikes_of_code(model, told, k)[:, -1] for k in range(len(config.inner))]
        sent = [float(each.sum(1).mean()) for each in counts]
        size = parameters(model)
        whole, spared = (
            spiking_operations(model, x.shape[1], [0.0, *sent], config.steps, s)
            for s in (1.0, seen)
        )
        found |= {"raster": np.diff(steps[chosen], axis=1, prepend=0.0)}
    else:
        values = [numbers_of_code(model, told, k) for k in range(len(config.inner))]
        codes, learned_codes = values[layer], numbers_of_code(model, x, layer)
        sent = [0.0]
        size = sum(leaf.size for leaf in jax.tree.leaves(model))
        active = [float((each > 0).sum(1).mean()) for each in values]
        whole, spared = operations(sizes), operations(sizes, seen, active)
    held = readout((learned_codes, codes), (learn.labels, asked.labels), learn.classes, epochs=10)
    middle, along = axes(codes, 2)
    return found | {
        "mse": by_step[-1],
        "by_step": by_step,
        "untrained": untrained,
        "readout": np.asarray(held),
        "spikes": np.asarray(sum(sent)),
        "code_spikes": np.asarray(codes.sum(1).mean() if spikes else np.nan),
        "silent": np.asarray((codes.max(0) == 0).mean()),
        "synaptic": np.asarray(whole.synaptic), "macs": np.asarray(whole.macs),
        "updates": np.asarray(whole.updates),
        "picojoules": energies(whole, size), "spared": energies(spared, size),
        "parameters": np.asarray(size), "seconds": np.asarray(done.seconds),
        "batch_mse": done.batches["mse"], "test": done.after["test"],
        "by_class": np.array([codes[asked.labels == k].mean(0) for k in range(asked.classes)]),
        "plane": (codes[:PLANE] - middle) @ along,
    }  # fmt: skip


def _rows(split: Split) -> np.ndarray:
    return np.asarray(split.x, np.float32).reshape(len(split.x), -1)


def _examples(split: Split) -> np.ndarray:
    """The first image of each class."""
    return np.array([np.argmax(split.labels == k) for k in range(split.classes)][:SHOWN])


def _components(config: Config, learn: Split, asked: Split) -> dict[str, Any]:
    """As many principal components as the code has neurons."""
    x, told = _rows(learn), _rows(asked)
    mean, along = axes(x, config.inner[len(config.inner) // 2])
    codes, learned_codes = ((each - mean) @ along for each in (told, x))
    images = mean + codes @ along.T
    labels = learn.labels, asked.labels
    return {
        "mse": np.square(images - told).mean(),
        "mean_image": np.square(told - mean).mean(),
        "readout": np.asarray(readout((learned_codes, codes), labels, learn.classes, epochs=10)),
        "drawn": images[_examples(asked)],
    }


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All autoencoders on one set of images."""
    config = checked(config)
    learn, asked = splits(config.data, config.data_dir, validation=config.validation)
    check(learn, asked)
    folder = Path(config.out) / f"{NAME}.work" / "epochs"
    plans: list[tuple[str, int, dict[str, Any]]] = [
        *((name, config.seeds, {}) for name in (NUMBERS, SPIKES)),
        (ANY, 1, {"anytime": True}),
        *((f"spikes at {price:g}", 1, {"price": price}) for price in config.prices),
    ]
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for name, seeds, options in plans:
        for seed in range(seeds):

            def make(name=name, seed=seed, options=options):
                return _one(config, name, seed, learn, asked, folder, **options)

            found[name, seed] = parts(f"{name} {seed}", make)
    rival = parts("principal components", lambda: _components(config, learn, asked))
    names, seeds = [name for name, _, _ in plans], list(range(config.seeds))

    def table(key: str, chosen: list[str]) -> np.ndarray:
        blank = np.full(np.shape(found[chosen[0], 0][key]), np.nan)
        rows = [[found.get((name, s), {}).get(key, blank) for s in seeds] for name in chosen]
        return np.array(rows, float)

    data: dict[str, Any] = {key: (("network", "seed"), table(key, names)) for key in FIELDS}
    for key, dims in (
        ("picojoules", ("price",)), ("spared", ("price",)), ("batch_mse", ("epoch", "batch")),
        ("test", ("epoch",)),
    ):  # fmt: skip
        data[key] = ("network", "seed", *dims), table(key, names)
    both = [NUMBERS, SPIKES]
    data["by_class"] = ("pair", "label", "neuron"), table("by_class", both)[:, 0]
    data["plane"] = ("pair", "sample", "axis"), table("plane", both)[:, 0]
    data["labels"] = "sample", np.asarray(asked.labels[:PLANE])
    data["by_step"] = "moment", found[ANY, 0]["by_step"]
    data["fixed_by_step"] = ("seed", "moment"), table("by_step", [SPIKES])[0]
    side = learn.x.shape[1:3]

    def images(rows: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
        return ("example", "row", "column"), np.asarray(rows).reshape(-1, *side)

    data["image"] = images(_rows(asked)[_examples(asked)])
    data["drawn_numbers"] = images(found[NUMBERS, 0]["drawn"][-1])
    data["drawn_spikes"] = images(found[SPIKES, 0]["drawn"][-1])
    data["drawn_components"] = images(rival["drawn"])
    data["drawn_any"] = (
        ("moment", "example", "row", "column"),
        found[ANY, 0]["drawn"].reshape(config.steps, -1, *side),
    )
    data["raster"] = ("example", "moment", "neuron"), found[SPIKES, 0]["raster"]
    coords = {
        "network": names, "seed": seeds, "pair": both, "price": list(price_lists(1)),
        "moment": np.arange(1, config.steps + 1),
    }  # fmt: skip
    attrs = {"data": config.data, "inner": list(config.inner), "images": len(asked.labels)}
    attrs |= {f"components_{key}": float(rival[key]) for key in ("mse", "readout")}
    return xr.Dataset(data, coords, attrs | {"mean_image": float(rival["mean_image"])})


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Errors, what codes hold, spikes and energy."""
    found = {}
    for name in dataset.network.values:
        row = dataset.sel(network=name)
        found[f"{name}: MSE"] = float(row.mse.mean())
        found[f"{name}: linear readout of the code (%)"] = 100 * float(row.readout.mean())
        if row.mse.notnull().sum() > 1:
            found[f"{name}: sd of MSE over seeds"] = float(row.mse.std(ddof=1))
            found[f"{name}: sd of the readout (%)"] = 100 * float(row.readout.std(ddof=1))
        if name != NUMBERS:
            found[f"{name}: spikes an image"] = float(row.spikes.mean())
        for key in ("parameters", "macs", "synaptic", "updates", "seconds"):
            found[f"{name}: {key}"] = float(row[key].mean())
        for price in dataset.price.values:
            for key, label in (("picojoules", ""), ("spared", ", zeros spared")):
                joules = float(row[key].sel(price=price).mean()) / 1e3
                if np.isfinite(joules):
                    found[f"{name}: nJ, {price}{label}"] = joules
    found["spikes to numbers: ratio of MSE"] = found["spikes: MSE"] / found["numbers: MSE"]
    found["spikes, untrained: MSE"] = float(dataset.untrained.sel(network=SPIKES).mean())
    found["mean image: MSE"] = dataset.attrs["mean_image"]
    found["principal components: MSE"] = dataset.attrs["components_mse"]
    held = dataset.attrs["components_readout"]
    found["principal components: linear readout (%)"] = 100 * held
    for moment in dataset.moment.values:
        found[f"any step: MSE at T = {moment}"] = float(dataset.by_step.sel(moment=moment))
    return found


def figure() -> Any:
    """The module that draws it."""
    from figures import autoencode

    return autoencode


def main():
    study.main(NAME, Config, run, summary, figure, __doc__)
