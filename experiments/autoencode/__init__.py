"""How well do spikes draw what they saw, through a bottleneck, and what does the code hold?

Leaky neurons see an image as a current, and their spikes alone reach the units that draw it, whose
mean potential, through a logistic function, is the brightness of a pixel. Learned without labels by
surrogate derivatives of the squared error. The network of rectified numbers of the same sizes,
batches, epochs and optimiser is its rival (each at its best rate of learning), and as many
principal components as the code has neurons. Further, of one seed each: a network that draws
at any step, and one whose code is made sparser by a price of each spike.

The code of an image is the number of spikes of each neuron; a linear readout says how much of the
labels it holds. Settings were chosen on a sixth of the training set (`--validation`).

    python -m experiments.autoencode             # MNIST, 784-32-784
    python -m experiments.autoencode --quick     # the embedded digits
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from bpcjax.cost import Counts

from ..common import InputError, study
from ..common.classifier_training import flat, parameters
from ..common.classifiers import dense, leaky
from ..common.data import Split, check, splits
from ..common.linear_readouts import readout
from ..common.operations import energies, price_lists, relu_operations, spiking_operations
from ..common.relu_networks import Relu, relu
from ..common.study import Parts, setting
from .work import (
    AutoencoderConfig,
    axes,
    errors,
    numbers_of_code,
    reconstruct,
    spikes_of_code,
    train,
)

SPIKES, NUMBERS, ANY = "spikes", "numbers", "spikes, any step"
SHOWN, PLANE = 10, 2000  # images and codes that are drawn
FIELDS = (
    "mse", "untrained", "readout", "spikes", "code_spikes", "silent", "synaptic", "macs", "updates",
    "parameters", "seconds",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Autoencoders."""

    data: str = setting("mnist", quick="digits")
    """mnist, fashion_mnist, or digits, which need no files."""
    data_dir: str | None = setting(None, quick=None)
    """The folder of its files."""
    inner: tuple[int, ...] = setting((32,), least=2, quick=(16,))
    """Sizes of the layers between pixels and pixels, an odd number; the middle one is the code."""
    steps: int = setting(10, least=1)
    """Of the solve, in ms."""
    tau: float = setting(20.0, above=0.0)
    """Of the membranes, in ms."""
    slope: float = setting(10.0, above=0.0)
    """Of the surrogate, per unit of threshold: a wide one passes what no spike can tell."""
    epochs: int = setting(10, least=1, quick=lambda _: 25)
    batch: int = setting(128, least=1, quick=lambda _: 32)
    rate: float = setting(1e-2, above=0.0)
    """Of learning by spikes."""
    rate_numbers: float = setting(3e-3, above=0.0)
    """Of learning by numbers."""
    prices: tuple[float, ...] = setting((3e-5,), least=0.0, empty=True, quick=())
    """Of a spike, in units of the squared error of a pixel: sparser codes, one seed each."""
    seeds: int = setting(3, least=1, quick=lambda _: 2)
    validation: bool = False
    """Test on a sixth of the training set, to choose settings by."""

    def verify(self) -> None:
        """An odd number of layers: one is in the middle."""
        if not len(self.inner) % 2:
            raise InputError(f"inner: pass an odd number of sizes, got {self.inner}.")


def _measure(
    config: Config, name: str, seed: int, train_set: Split, test: Split, folder: Any, **options: Any
) -> dict[str, Any]:
    """Metrics of a trained network of spikes (any name but `NUMBERS`)."""
    x, test_x = _rows(train_set), _rows(test)
    sizes, key = (x.shape[1], *config.inner, x.shape[1]), jax.random.key(seed)
    model: Any = relu(key, sizes)
    rate = config.rate_numbers
    if name != NUMBERS:
        model = dense(key, sizes, steps=config.steps, neuron=leaky(config.tau))
        rate = config.rate
    hyper = AutoencoderConfig(
        config.epochs, config.batch, rate, seed=seed, slope=config.slope, **options
    )
    untrained = errors(model, test_x)[-1]
    trained = train(model, x, test_x, hyper, folder=folder, label=f"{name} {seed}")
    model = trained.model
    by_step = errors(model, test_x)
    of_codes = _of_numbers if isinstance(model, Relu) else _of_spikes
    codes, train_codes, metrics = of_codes(model, sizes, x, test_x, _examples(test))
    labels = train_set.labels, test.labels
    middle, along = axes(codes, 2)
    return metrics | {
        "mse": by_step[-1],
        "by_step": by_step,
        "untrained": untrained,
        "readout": np.asarray(readout((train_codes, codes), labels, test.classes, epochs=10)),
        "silent": np.asarray((codes.max(0) == 0).mean()),
        "seconds": np.asarray(trained.seconds),
        "batch_mse": trained.history["mse"],
        "test": trained.history["test"],
        "by_class": np.array([codes[test.labels == k].mean(0) for k in range(test.classes)]),
        "plane": (codes[:PLANE] - middle) @ along,
        "reconstruction": np.asarray(reconstruct(model, jnp.asarray(test_x[_examples(test)]))),
    }


def _of_spikes(
    model: Any, sizes: tuple[int, ...], x: np.ndarray, test: np.ndarray, examples: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """The codes of test and training images [n, code], and metrics of what they cost."""
    layer = len(sizes) // 2 - 1
    steps = spikes_of_code(model, test, layer)
    codes, train_codes = steps[:, -1], spikes_of_code(model, x, layer)[:, -1]
    counts = [spikes_of_code(model, test, k)[:, -1] for k in range(len(sizes) - 2)]
    sent = [float(each.sum(1).mean()) for each in counts]
    whole, spared = (
        spiking_operations(model, sizes[0], [0.0, *sent], model.steps, nonzero)
        for nonzero in (1.0, float((test != 0).mean()))
    )
    return (
        codes,
        train_codes,
        _costs(whole, spared, parameters(model))
        | {
            "spikes": np.asarray(sum(sent)),
            "code_spikes": np.asarray(codes.sum(1).mean()),
            "raster": np.diff(steps[examples], axis=1, prepend=0.0),
        },
    )


def _of_numbers(
    model: Relu, sizes: tuple[int, ...], x: np.ndarray, test: np.ndarray, examples: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """As `_of_spikes`, of rectified numbers."""
    layer = len(sizes) // 2 - 1
    values = [numbers_of_code(model, test, k) for k in range(len(sizes) - 2)]
    active = [float((each > 0).sum(1).mean()) for each in values]
    whole = relu_operations(sizes)
    spared = relu_operations(sizes, float((test != 0).mean()), active)
    size = sum(leaf.size for leaf in jax.tree.leaves(model))
    silent = {"spikes": np.asarray(0.0), "code_spikes": np.asarray(np.nan)}
    return values[layer], numbers_of_code(model, x, layer), _costs(whole, spared, size) | silent


def _costs(whole: Counts, spared: Counts, size: int) -> dict[str, np.ndarray]:
    return {
        "synaptic": np.asarray(whole.synaptic),
        "macs": np.asarray(whole.macs),
        "updates": np.asarray(whole.updates),
        "picojoules": energies(whole, size),
        "spared": energies(spared, size),
        "parameters": np.asarray(size),
    }


def _rows(split: Split) -> np.ndarray:
    return np.asarray(flat(np.asarray(split.x, np.float32)))


def _examples(split: Split) -> np.ndarray:
    """The first image of each class."""
    return np.array([np.argmax(split.labels == k) for k in range(split.classes)][:SHOWN])


def _components(config: Config, train_set: Split, test: Split) -> dict[str, Any]:
    """Metrics of as many principal components as the code has neurons."""
    x, test_x = _rows(train_set), _rows(test)
    mean, along = axes(x, config.inner[len(config.inner) // 2])
    codes, train_codes = ((each - mean) @ along for each in (test_x, x))
    images = mean + codes @ along.T
    labels = train_set.labels, test.labels
    return {
        "mse": np.square(images - test_x).mean(),
        "mean_image": np.square(test_x - mean).mean(),
        "readout": np.asarray(readout((train_codes, codes), labels, test.classes, epochs=10)),
        "reconstruction": images[_examples(test)],
    }


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All autoencoders on one set of images."""
    train_set, test = splits(config.data, config.data_dir, validation=config.validation)
    check(train_set, test)
    plans: list[tuple[str, int, dict[str, Any]]] = [
        *((name, config.seeds, {}) for name in (NUMBERS, SPIKES)),
        (ANY, 1, {"anytime": True}),
        *((f"spikes at {price:g}", 1, {"price": price}) for price in config.prices),
    ]

    def make(name: str, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        folder = parts.chunks.folder / "epochs"
        return _measure(config, name, seed, train_set, test, folder, **options)

    metrics = {
        (name, seed): parts(f"{name} {seed}", lambda plan=(name, seed, options): make(*plan))
        for name, seeds, options in plans
        for seed in range(seeds)
    }
    rival = parts("principal components", lambda: _components(config, train_set, test))
    return _dataset(config, [name for name, _, _ in plans], metrics, rival, test)


def _dataset(
    config: Config, names: list[str], metrics: dict[tuple[str, int], dict], rival: dict, test: Split
) -> xr.Dataset:
    seeds, both, side = list(range(config.seeds)), [NUMBERS, SPIKES], test.x.shape[1:3]

    def table(key: str, networks: list[str]) -> np.ndarray:
        blank = np.full(np.shape(metrics[networks[0], 0][key]), np.nan)
        rows = [[metrics.get((name, s), {}).get(key, blank) for s in seeds] for name in networks]
        return np.array(rows, float)

    def images(rows: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
        return ("example", "row", "column"), np.asarray(rows).reshape(-1, *side)

    data: dict[str, Any] = {key: (("network", "seed"), table(key, names)) for key in FIELDS}
    for key, dims in (
        ("picojoules", ("price",)), ("spared", ("price",)), ("batch_mse", ("epoch", "batch")),
        ("test", ("epoch",)),
    ):  # fmt: skip
        data[key] = ("network", "seed", *dims), table(key, names)
    data |= {
        "by_class": (("pair", "label", "neuron"), table("by_class", both)[:, 0]),
        "plane": (("pair", "sample", "axis"), table("plane", both)[:, 0]),
        "labels": ("sample", np.asarray(test.labels[:PLANE])),
        "by_step": ("moment", metrics[ANY, 0]["by_step"]),
        "fixed_by_step": (("seed", "moment"), table("by_step", [SPIKES])[0]),
        "image": images(_rows(test)[_examples(test)]),
        "drawn_numbers": images(metrics[NUMBERS, 0]["reconstruction"][-1]),
        "drawn_spikes": images(metrics[SPIKES, 0]["reconstruction"][-1]),
        "drawn_components": images(rival["reconstruction"]),
        "drawn_any": (
            ("moment", "example", "row", "column"),
            metrics[ANY, 0]["reconstruction"].reshape(config.steps, -1, *side),
        ),
        "raster": (("example", "moment", "neuron"), metrics[SPIKES, 0]["raster"]),
    }
    coords = {
        "network": names, "seed": seeds, "pair": both, "price": list(price_lists(1)),
        "moment": np.arange(1, config.steps + 1),
    }  # fmt: skip
    attrs = {"data": config.data, "inner": list(config.inner), "images": len(test.labels)}
    attrs |= {f"components_{key}": float(rival[key]) for key in ("mse", "readout")}
    return xr.Dataset(data, coords, attrs | {"mean_image": float(rival["mean_image"])})


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Errors, what codes hold, spikes and energy."""
    metrics = {}
    for name in dataset.network.values:
        row = dataset.sel(network=name)
        metrics[f"{name}: MSE"] = float(row.mse.mean())
        metrics[f"{name}: linear readout of the code (%)"] = 100 * float(row.readout.mean())
        if row.mse.notnull().sum() > 1:
            metrics[f"{name}: sd of MSE over seeds"] = float(row.mse.std(ddof=1))
            metrics[f"{name}: sd of the readout (%)"] = 100 * float(row.readout.std(ddof=1))
        if name != NUMBERS:
            metrics[f"{name}: spikes an image"] = float(row.spikes.mean())
        for key in ("parameters", "macs", "synaptic", "updates", "seconds"):
            metrics[f"{name}: {key}"] = float(row[key].mean())
        for price in dataset.price.values:
            for key, label in (("picojoules", ""), ("spared", ", zeros spared")):
                joules = float(row[key].sel(price=price).mean()) / 1e3
                if np.isfinite(joules):
                    metrics[f"{name}: nJ, {price}{label}"] = joules
    metrics["spikes to numbers: ratio of MSE"] = metrics["spikes: MSE"] / metrics["numbers: MSE"]
    metrics["spikes, untrained: MSE"] = float(dataset.untrained.sel(network=SPIKES).mean())
    metrics["mean image: MSE"] = dataset.attrs["mean_image"]
    metrics["principal components: MSE"] = dataset.attrs["components_mse"]
    accuracy = dataset.attrs["components_readout"]
    metrics["principal components: linear readout (%)"] = 100 * accuracy
    for moment in dataset.moment.values:
        metrics[f"any step: MSE at T = {moment}"] = float(dataset.by_step.sel(moment=moment))
    return metrics


STUDY = study.Study("autoencode", Config, run, summary, double=False)
