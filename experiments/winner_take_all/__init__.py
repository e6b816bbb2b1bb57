"""How much of handwriting do spikes and local rules find without labels?

Two winner-take-all networks see each image as Poisson spikes and change by their own spikes alone:

- Diehl & Cook (2015): leaky excitatory neurons, each with an inhibitory partner that silences the
  others, thresholds that adapt, and synapses that change at postsynaptic spikes, 50 ms an image;
- soft (Nessler et al. 2013): spikes are draws from the posterior over causes, their synapses learn
  the logarithms of probabilities.

Labels come in when learning is over: each neuron gets the class to which it answers most in the
training set, and an image the class whose neurons answer most on average ("labels"), or that for
which neurons vote by the shares of classes in their answers ("shares"). Settings were chosen on a
sixth of the training set (`--validation`).

    python -m experiments.winner_take_all            # MNIST, 400 neurons
    python -m experiments.winner_take_all --quick    # the embedded digits
"""

import dataclasses
import time
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..common import InputError, study
from ..common.data import Split, check as check_images, splits
from ..common.statistics import wilson
from ..common.study import Parts
from .training import (
    BATCH,
    Circuit,
    Network,
    Soft,
    ask_images,
    assigned,
    by_label,
    by_share,
    circuit,
    learn_images,
    responses,
    soft,
)

NAME = "winner_take_all"
NETWORKS = {"Diehl & Cook": (circuit, Circuit()), "soft": (soft, Soft())}
VOTES = "labels", "shares"
PART = 6000  # images, about: what was learned is kept after each part of an epoch


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Learning without labels."""

    DOUBLE: ClassVar[bool] = False

    data: str = "mnist"
    """The images: mnist, fashion_mnist, digits."""
    data_dir: str | None = None
    """The folder of the files of the images."""
    neurons: int = 400
    """Excitatory neurons."""
    epochs: int = 2
    """How often each image is shown."""
    seeds: int = 3
    """Networks of each kind."""
    labelled: int = 20_000
    """Training images whose labels give neurons their classes."""
    validation: bool = False
    """Hold out a sixth of the training set and test on it."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    for name, least in (("neurons", 2), ("epochs", 1), ("seeds", 1), ("labelled", 1)):
        study.at_least(least, config, name)
    if config.quick:
        config = dataclasses.replace(
            config,
            data="digits",
            neurons=min(config.neurons, 100),
            epochs=min(5 * config.epochs, 10),
            seeds=1,
        )
    return config


def checked(split: Split) -> Split:
    """Images as rows.

    **Raises:** `InputError` for pixels that are not in 0...1, and for less than a batch.
    """
    x = split.x.reshape(len(split.x), -1)
    if not ((x >= 0) & (x <= 1)).all():
        raise InputError("data: pixels must be numbers in 0..1.")
    if len(x) < BATCH:
        raise InputError(f"data: {len(x)} images are less than a batch of {BATCH}.")
    return Split(x, split.labels, split.classes)


def division(count: int) -> tuple[int, int]:
    """In how many parts so many images are learned, and how many, in whole batches, a part has."""
    parts = max(1, round(count / PART))
    return parts, count // parts // BATCH * BATCH


def trained(
    config: Config, parts: Parts, name: str, network: Network, learned: Split, seed: int
) -> tuple[Any, dict[str, np.ndarray]]:
    """What a network learned, and along the way the share of images whose class it could tell
    before it learned them, by the labels of those before."""
    key = jax.random.key(seed)
    state = network.start(jax.random.fold_in(key, 0))
    x = jnp.asarray(learned.x, jnp.float32)
    each, size = division(len(x))
    total = config.epochs * each
    told, neurons = [], None
    seconds = np.zeros(())
    for k in range(total):
        order = np.random.default_rng([seed, k // each]).permutation(len(x))
        own = order[k % each * size : (k % each + 1) * size]

        def make(k=k, own=own, state=state, neurons=neurons):
            began = time.perf_counter()
            share = jnp.float32(k / total), jnp.float32((k + 1) / total)
            after, counts = learn_images(
                network, state, x, jnp.asarray(own), jax.random.fold_in(key, k + 1), share
            )
            counts, labels = np.asarray(counts), learned.labels[own]
            right = np.nan
            if neurons is not None:
                right = (by_label(counts, neurons, learned.classes) == labels).mean()
            found = {str(i): np.asarray(leaf) for i, leaf in enumerate(after)}
            return found | {
                "neurons": assigned(responses(counts, labels, learned.classes)),
                "right": np.asarray(right),
                "spikes": counts.sum(axis=1).mean(),
                "seconds": np.asarray(time.perf_counter() - began),
            }

        part = parts(f"{name}, seed {seed}, part {k + 1} of {total}", make)
        state = type(state)(*(jnp.asarray(part[str(i)]) for i in range(len(state))))
        for leaf, field in zip(state, state._fields, strict=True):
            if not bool(jnp.isfinite(leaf).all()):
                raise InputError(
                    f"{name}, epoch {k // each + 1}: {field} are not finite. Lower the steps."
                )
        neurons, seconds = part["neurons"], seconds + part["seconds"]
        told.append(part["right"])
        print(f"  next images told {100 * told[-1]:.1f} %, {part['spikes']:.1f} spikes", flush=True)
    return state, {"online": np.array(told), "seconds": seconds}


def tested(
    config: Config, network: Network, state: Any, learned: Split, asked: Split, seed: int
) -> dict[str, np.ndarray]:
    """Right answers on `asked`, and what a picture shows."""
    key = jax.random.fold_in(jax.random.key(seed), 10_000)
    keys = jax.random.split(key, 3)
    some = slice(0, config.labelled)
    before = ask_images(network, state, learned.x[some], keys[0])
    table = responses(before, learned.labels[some], learned.classes)
    neurons = assigned(table)
    counts = ask_images(network, state, asked.x, keys[1])
    own, shared = by_label(counts, neurons, asked.classes), by_share(counts, table)
    confusion = np.zeros((asked.classes, asked.classes), int)
    np.add.at(confusion, (asked.labels, own), 1)
    inputs, spikes = network.show(state, jnp.asarray(asked.x[:1], jnp.float32), keys[2])
    return {
        "right": np.array([(guess == asked.labels).sum() for guess in (own, shared)]),
        "confusion": confusion,
        "class_of": neurons,
        "spikes": counts.sum(axis=1).mean(),
        "raster": np.asarray(spikes[:, 0] > 0),
        "raster_inputs": np.asarray(inputs[:, 0] > 0),
    }


def run(config: Config, parts: Parts) -> xr.Dataset:
    """Both networks on one set of images."""
    config = check(config)
    pair = splits(config.data, config.data_dir, validation=config.validation)
    check_images(*pair)
    shape = pair[0].x.shape[1:3]
    learned, asked = (checked(split) for split in pair)
    rows: dict[str, list[list[Any]]] = {}
    data: dict[str, Any] = {}
    for name, (make, settings) in NETWORKS.items():
        network = make(learned.x, config.neurons, settings)
        for seed in range(config.seeds):
            state, found = trained(config, parts, name, network, learned, seed)

            def test(network=network, state=state, seed=seed):
                return tested(config, network, state, learned, asked, seed)

            found |= parts(f"{name}, seed {seed}, test", test)
            for key in ("online", "seconds", "right", "spikes", "confusion", "class_of"):
                rows.setdefault(key, []).append(found[key])
            if seed > 0:
                continue
            if name == "soft":
                on = np.exp(np.asarray(state.weights)[:, : learned.x.shape[1]])
                data["fields_soft"] = ("neuron", "row", "column"), on.reshape(-1, *shape)
                continue
            fields = np.asarray(state.weights).reshape(-1, *shape)
            data["fields"] = ("neuron", "row", "column"), fields
            data["thresholds"] = "neuron", np.asarray(state.thresholds)
            data["raster"] = ("moment", "neuron"), found["raster"]
            data["raster_inputs"] = ("moment", "pixel"), found["raster_inputs"]
            data["image"] = ("row", "column"), asked.x[0].reshape(shape)
    dims = {
        "online": ("part",), "seconds": (), "right": ("vote",), "spikes": (),
        "confusion": ("label", "answer"), "class_of": ("neuron",),
    }  # fmt: skip
    for key, values in rows.items():
        whole = np.array(values).reshape(len(NETWORKS), config.seeds, *np.shape(values[0]))
        data[key] = ("network", "seed", *dims[key]), whole
    each, part = division(len(learned.x))
    data["images"] = "part", part * np.arange(config.epochs * each)
    attrs = {"data": config.data, "asked": len(asked.x), "epoch": len(learned.x)}
    return xr.Dataset(data, coords={"network": list(NETWORKS), "vote": list(VOTES)}, attrs=attrs)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Accuracies with their 95 % intervals over the images of the test (of the seeds' mean)."""
    found: dict[str, float] = {}
    for name in dataset.network.values:
        row = dataset.sel(network=name)
        for vote in dataset.vote.values:
            right = row.right.sel(vote=vote)
            asked = dataset.attrs["asked"]
            low, high = wilson(round(float(right.mean())), asked)
            found[f"{name}: accuracy by {vote}"] = float(right.mean()) / asked
            found[f"{name}: accuracy by {vote}, low"] = low
            found[f"{name}: accuracy by {vote}, high"] = high
            if right.size > 1:
                spread = float((right / asked).std(ddof=1))
                found[f"{name}: accuracy by {vote}, deviation"] = spread
        found[f"{name}: spikes an image"] = float(row.spikes.mean())
        found[f"{name}: neurons without a class"] = float((row.class_of < 0).sum("neuron").mean())
        found[f"{name}: seconds of training"] = float(row.seconds.mean())
    return found


def figure() -> Any:
    """The module that draws it."""
    from figures import winner_take_all

    return winner_take_all


def main():
    study.main(NAME, Config, run, summary, figure, __doc__)
