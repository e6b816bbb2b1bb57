"""Work of the study on one set of images: networks, masks, answers of every method."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bpcjax.energies import PredictiveCoding

from ..common import InputError
from ..common.data import Split, load, splits
from ..common.scores import scores
from . import inference, masks, rivals, spikes, training

VALIDATION = 10_000  # the last of the training set: settings are chosen on them, nobody learns them
MOMENTS = 20_000  # images of which second moments are taken
WHOLE = "whole"
CELLS = (WHOLE, *masks.KINDS)
METHODS = (
    "network", "network, F at rest", "cut", "spikes", "spikes, F at rest", "mean fill",
    "random masks", "nearest", "Gaussian", "Gaussian, up sweep",
)  # fmt: skip


class Sets(NamedTuple):
    """Images to learn from, and those asked for: flat pixels, and labels."""

    x: np.ndarray
    labels: np.ndarray
    asked: np.ndarray
    truth: np.ndarray
    shape: tuple[int, int]
    classes: int
    mean: np.ndarray


def sets(name: str, folder: str | None, asked: int, validation: bool) -> Sets:
    """The images of a set; with `validation` those asked for are of the training set's end."""
    if name == "digits":
        learned, held = splits(name, folder, validation=validation)
    else:
        every = load(name, folder)
        count = len(every.pixels) - VALIDATION
        learned = Split(every.pixels[:count], every.labels[:count], 10)
        held = Split(every.pixels[count:], every.labels[count:], 10)
        if not validation:
            held = splits(name, folder)[1]
    if asked > len(held.x):
        raise InputError(f"asked: {name} has {len(held.x)} images to ask for, got {asked}.")
    x = learned.x.reshape(len(learned.x), -1).astype(np.float32)
    test = held.x[:asked].reshape(asked, -1).astype(np.float32)
    shape = (held.x.shape[1], held.x.shape[2])
    return Sets(x, learned.labels, test, held.labels[:asked], shape, learned.classes, x.mean(0))


class Networks(NamedTuple):
    """Networks of a seed: the bidirectional one, with its learned precisions, and the layers of the
    feed-forward ones."""

    energy: PredictiveCoding
    plain: Any
    masked: Any


def networks(
    here: Sets,
    learning: training.Settings,
    chosen: inference.Precisions,
    plain: rivals.Settings,
    masked: rivals.Settings,
    folder: Path,
    label: str,
) -> Networks:
    """All networks of a seed, trained; what was trained before is in the folder."""
    split = Split(here.x.reshape(-1, *here.shape), here.labels, here.classes)
    net = training.train(split, learning, folder, label)
    some = slice(MOMENTS)
    y = jax.nn.one_hot(jnp.asarray(here.labels[some]), here.classes, dtype=jnp.float32)
    energy = inference.precise(net, jnp.asarray(here.x[some]), y, chosen)
    x, labels = jnp.asarray(here.x), jnp.asarray(here.labels)
    seed = learning.seed
    layers = [
        rivals.train(x, labels, dataclasses.replace(s, seed=seed), folder, f"{label}, {what}")
        for s, what in ((plain, "mean fill"), (masked, "random masks"))
    ]
    return Networks(energy, *layers)


def cell_of(here: Sets, kind: str) -> np.ndarray:
    """Pixels seen [n, pixels] of the images asked for."""
    if kind == WHOLE:
        return np.ones(here.asked.shape, bool)
    return masks.draw(kind, len(here.asked), here.shape, 0).reshape(len(here.asked), -1)


def scored(here: Sets, logits: np.ndarray | None, pixels: np.ndarray | None, seen) -> np.ndarray:
    """Accuracy, NLL and squared error of the missing pixels; NaN for what a method has not."""
    row = np.full(3, np.nan)
    if logits is not None:
        found = scores(np.asarray(logits, np.float64), here.truth)
        row[:2] = found["accuracy"], found["nll"]
    if pixels is not None:
        row[2] = (((pixels - here.asked) ** 2) * ~seen).sum(1).mean()
    return row


def measured(
    here: Sets, nets: Networks, kind: str, steps: int, sent: spikes.Quanta, ridge: float,
    seed: int,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Scores [method, measure] of a kind of mask, and the traffic of spikes."""
    seen = cell_of(here, kind)
    fill = np.where(seen, here.asked, here.mean[None])
    x, there = jnp.asarray(fill), jnp.asarray(seen)
    rows: dict[str, np.ndarray] = {}
    rates = inference.answers(nets.energy, x, there, steps)
    rows["network"] = scored(here, rates.sweep, rates.pixels, seen)
    rows["network, F at rest"] = scored(here, rates.rest, None, seen)
    rows["cut"] = scored(here, inference.sweeps(nets.energy, x), fill, seen)
    spiking = spikes.answers(nets.energy, x, there, sent)
    rows["spikes"] = scored(here, spiking.sweep, spiking.pixels, seen)
    rows["spikes, F at rest"] = scored(here, spiking.rest, None, seen)
    rows["mean fill"] = scored(here, rivals.logits(nets.plain, x), fill, seen)
    inputs = rivals.masked(x, there)
    rows["random masks"] = scored(here, rivals.logits(nets.masked, inputs), None, seen)
    if seed == 0:
        guess = rivals.nearest(here.x, here.labels, here.asked, seen)
        rows["nearest"] = np.array([(guess == here.truth).mean(), np.nan, np.nan])
    filled = rivals.impute(rivals.gaussian(here.x, ridge), here.asked, seen)
    rows["Gaussian"] = scored(here, rivals.logits(nets.plain, jnp.asarray(filled)), filled, seen)
    swept = inference.sweeps(nets.energy, jnp.asarray(filled))
    rows["Gaussian, up sweep"] = scored(here, swept, filled, seen)
    none = np.full(3, np.nan)
    return {
        "scores": np.array([rows.get(method, none) for method in METHODS]),
        "traffic": spiking.traffic.mean(0),
        "curve": rates_curve(nets.energy, x[:100], there[:100], steps, sent),
        "falls": np.array([rates.first.mean(), rates.last.mean(), spiking.last.mean()]),
    }


def rates_curve(energy, x, seen, steps: int, sent: spikes.Quanta) -> np.ndarray:
    """Mean F of values sent [steps], before each step."""
    return spikes.energies(energy, x, seen, sent)
