"""How much of handwriting do spikes and local rules find without labels?

Two winner-take-all networks see each image as Poisson spikes and change by their own spikes alone:

- a variant of Diehl & Cook (2015): leaky excitatory neurons, each with an inhibitory partner that
  silences the others, thresholds that adapt, and synapses that change at postsynaptic spikes, 50 ms
  an image. Unlike theirs, images have one length, and so have the weights of a neuron, and
  thresholds move by the counts of a batch;
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
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..common import InputError, study
from ..common.classifier_training import confusion_matrix
from ..common.data import Split, check as check_images, splits
from ..common.statistics import wilson
from ..common.study import Parts, setting
from ..common.training import Metrics, Trained, checkpoint, run_epochs
from .training import (
    BATCH,
    Circuit,
    Network,
    Soft,
    assign_classes,
    by_label,
    by_share,
    circuit,
    count_spikes,
    learn_images,
    responses,
    soft,
)

NETWORKS = {"Diehl & Cook": (circuit, Circuit()), "soft": (soft, Soft())}
VOTES = "labels", "shares"
PART = 6000  # images, about: the state is kept after each part of an epoch


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Learning without labels."""

    data: str = setting("mnist", quick="digits")
    """The images: mnist, fashion_mnist, digits."""
    data_dir: str | None = None
    """The folder of the files of the images."""
    neurons: int = setting(400, least=2, quick=100)
    """Excitatory neurons."""
    epochs: int = setting(2, least=1, quick=lambda epochs: min(5 * epochs, 10))
    """How often each image is shown."""
    seeds: int = setting(3, least=1, quick=lambda _: 1)
    """Networks of each kind."""
    labelled: int = setting(20_000, least=1)
    """Training images whose labels give neurons their classes."""
    validation: bool = False
    """Hold out a sixth of the training set and test on it."""


def rows(split: Split) -> Split:
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
    """In how many parts an epoch of so many images is cut, and how many images, in whole batches,
    a part has."""
    parts = max(1, round(count / PART))
    return parts, count // parts // BATCH * BATCH


def train(
    network: Network,
    split: Split,
    epochs: int,
    seed: int,
    *,
    folder: Path | None = None,
    label: str = "",
    stop_after: int | None = None,
) -> Trained:
    """A network's state after so many epochs on `split`. Metrics of each part of an epoch:
    `online`, the accuracy on its images before they are learned, by the labels of those before, and
    `spikes` an image."""
    key = jax.random.key(seed)
    x = jnp.asarray(split.x, jnp.float32)
    parts, size = division(len(x))
    total = parts * epochs

    def update(state: tuple[Any, np.ndarray], k: int) -> tuple[tuple[Any, np.ndarray], Metrics]:
        state, neurons = state
        order = np.random.default_rng([seed, k // parts]).permutation(len(x))
        images = order[k % parts * size : (k % parts + 1) * size]
        ends = jnp.float32(k / total), jnp.float32((k + 1) / total)
        state, counts = learn_images(
            network, state, x, jnp.asarray(images), jax.random.fold_in(key, k + 1), ends
        )
        counts, labels = np.asarray(counts), split.labels[images]
        right = (by_label(counts, neurons, split.classes) == labels).mean() if k else np.nan
        neurons = assign_classes(responses(counts, labels, split.classes))
        return (state, neurons), {"online": right, "spikes": counts.sum(axis=1).mean()}

    start = network.start(jax.random.fold_in(key, 0))
    no_classes = np.full(len(jax.tree.leaves(start)[0]), -1)
    path = checkpoint(folder, [label, seed, epochs], x, split.labels, *jax.tree.leaves(start))
    trained = run_epochs(
        update, (start, no_classes), total, path=path, label=f"{label}, parts:",
        stop_after=stop_after,
    )  # fmt: skip
    return trained._replace(model=trained.model[0])


def examine(
    config: Config, network: Network, state: Any, train_set: Split, test: Split, seed: int
) -> dict[str, np.ndarray]:
    """Metrics on the test set, and what a picture shows."""
    key = jax.random.fold_in(jax.random.key(seed), 10_000)
    keys = jax.random.split(key, 3)
    some = slice(0, config.labelled)
    before = count_spikes(network, state, train_set.x[some], keys[0])
    table = responses(before, train_set.labels[some], train_set.classes)
    neurons = assign_classes(table)
    counts = count_spikes(network, state, test.x, keys[1])
    answers = by_label(counts, neurons, test.classes), by_share(counts, table)
    inputs, spikes = network.show(state, jnp.asarray(test.x[:1], jnp.float32), keys[2])
    return {
        "right": np.array([(answer == test.labels).sum() for answer in answers]),
        "confusion": confusion_matrix(test.labels, answers[0], test.classes),
        "class_of": neurons,
        "spikes": counts.sum(axis=1).mean(),
        "raster": np.asarray(spikes[:, 0] > 0),
        "raster_inputs": np.asarray(inputs[:, 0] > 0),
    }


def run(config: Config, parts: Parts) -> xr.Dataset:
    """Both networks on one set of images."""
    pair = splits(config.data, config.data_dir, validation=config.validation)
    check_images(*pair)
    shape = pair[0].x.shape[1:3]
    train_set, test = map(rows, pair)
    folder = parts.chunks.folder / "epochs"

    def make(name: str, network: Network, seed: int) -> dict[str, np.ndarray]:
        trained = train(
            network, train_set, config.epochs, seed, folder=folder, label=f"{name} {seed}"
        )
        state = trained.model._asdict()
        return examine(config, network, trained.model, train_set, test, seed) | state | {
            "online": trained.history["online"], "seconds": np.asarray(trained.seconds),
        }  # fmt: skip

    metrics = {}
    for name, (make_network, settings) in NETWORKS.items():
        network = make_network(train_set.x, config.neurons, settings)
        for seed in range(config.seeds):
            metrics[name, seed] = parts(f"{name}, seed {seed}", partial(make, name, network, seed))
    first, soft_first = metrics["Diehl & Cook", 0], metrics["soft", 0]
    on = np.exp(soft_first["weights"][:, : train_set.x.shape[1]])
    data = {
        "fields_soft": (("neuron", "row", "column"), on.reshape(-1, *shape)),
        "fields": (("neuron", "row", "column"), first["weights"].reshape(-1, *shape)),
        "thresholds": ("neuron", first["thresholds"]),
        "raster": (("moment", "neuron"), first["raster"]),
        "raster_inputs": (("moment", "pixel"), first["raster_inputs"]),
        "image": (("row", "column"), test.x[0].reshape(shape)),
    }
    dims = {
        "online": ("part",), "seconds": (), "right": ("vote",), "spikes": (),
        "confusion": ("label", "answer"), "class_of": ("neuron",),
    }  # fmt: skip
    for key, axes in dims.items():
        values = [[metrics[name, s][key] for s in range(config.seeds)] for name in NETWORKS]
        data[key] = ("network", "seed", *axes), np.array(values)
    each, part = division(len(train_set.x))
    data["images"] = "part", part * np.arange(config.epochs * each)
    attrs = {"data": config.data, "test_images": len(test.x), "epoch": len(train_set.x)}
    return xr.Dataset(data, {"network": list(NETWORKS), "vote": list(VOTES)}, attrs)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Accuracies with their 95 % intervals over the images of the test (of the seeds' mean)."""
    metrics: dict[str, float] = {}
    for name in dataset.network.values:
        row = dataset.sel(network=name)
        for vote in dataset.vote.values:
            right = row.right.sel(vote=vote)
            count = dataset.attrs["test_images"]
            low, high = wilson(round(float(right.mean())), count)
            metrics[f"{name}: accuracy by {vote}"] = float(right.mean()) / count
            metrics[f"{name}: accuracy by {vote}, low"] = low
            metrics[f"{name}: accuracy by {vote}, high"] = high
            if right.size > 1:
                spread = float((right / count).std(ddof=1))
                metrics[f"{name}: accuracy by {vote}, deviation"] = spread
        metrics[f"{name}: spikes an image"] = float(row.spikes.mean())
        metrics[f"{name}: neurons without a class"] = float((row.class_of < 0).sum("neuron").mean())
        metrics[f"{name}: seconds of training"] = float(row.seconds.mean())
    return metrics


STUDY = study.Study("winner_take_all", Config, run, summary, double=False)
